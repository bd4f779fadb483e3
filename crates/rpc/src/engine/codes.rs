//! Error codes of the Engine API, beyond those of JSON-RPC.

/// No payload job has this id.
pub const UNKNOWN_PAYLOAD: i32 = -38_001;
/// Head, safe and finalized block are not on one chain, or the head policy rejects the head.
pub const INVALID_FORKCHOICE: i32 = -38_002;
/// The payload attributes lack a field of the method's version, have one of another version, or
/// have an invalid value.
pub const INVALID_ATTRIBUTES: i32 = -38_003;
/// The response would contain more items than allowed.
pub const TOO_LARGE: i32 = -38_004;
/// The method's version does not support the fork that is active at the payload's timestamp.
pub const UNSUPPORTED_FORK: i32 = -38_005;
