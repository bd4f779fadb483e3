//! NativeRollup on a chain with the real EXECUTE, advanced by blocks of a real L2.

mod advance;
mod claims;
mod duties;
mod kept;
mod posting;
mod support;
