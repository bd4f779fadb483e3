//! Error codes of the Engine API, beyond those of JSON-RPC.

/// No build process has this id.
pub const UNKNOWN_PAYLOAD: i32 = -38_001;
/// Head, safe and finalized block are not on one chain, or the policy refuses the head.
pub const INVALID_FORKCHOICE: i32 = -38_002;
/// The attributes of a payload are not those of the method, or not possible.
pub const INVALID_ATTRIBUTES: i32 = -38_003;
/// More is asked for than one answer may hold.
pub const TOO_LARGE: i32 = -38_004;
/// The method is not that of the fork in force.
pub const UNSUPPORTED_FORK: i32 = -38_005;
