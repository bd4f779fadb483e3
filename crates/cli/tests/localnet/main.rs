//! Tests of the state that is built into `enshrine localnet`.

// In a build of the whole workspace, alloy hashes with this crate, so every program must link it.
use keccak as _;

mod made;
mod state;
