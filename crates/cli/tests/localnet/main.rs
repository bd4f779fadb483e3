//! Tests of `enshrine localnet` as a process, and of the state that is built into it.

// In a build of the whole workspace, alloy hashes with this crate, so every program must link it.
use keccak as _;

mod action;
mod blockscout;
mod bridging;
mod explorer;
mod l2;
mod made;
mod process;
mod running;
mod sdk;
mod sdk_tokens;
mod state;
