//! The right to make the blocks of an L2, which one node has at a time.
//!
//! [Witnesses](WitnessServer) are small processes that hold no chain: each grants a lease to one
//! candidate for a fixed time. A candidate leads while more than half of the witnesses have granted
//! it the lease, and asks again long before the grants end. Two candidates never lead at once,
//! because two majorities share a witness:
//!
//! - A candidate counts a grant from the moment *before* it asked, and [a tenth
//!   shorter](USABLE_PERCENT) than the witness does, so it gives way before the witness grants to
//!   another, as long as their clocks run at rates within a tenth.
//! - A witness keeps nothing on disk. After a start it grants nothing for the time of a grant, so
//!   that all it may have granted before has ended.
//!
//! What a lease does not do: it decides who makes blocks, not which blocks are valid. A leader that
//! the operating system stops between its look at the lease and its next block may still seal that
//! block; no other node has it, and L1 orders what both post.
//!
//! This crate owns the witness, the candidate and the messages between them. It does not own what a
//! node does as leader or follower (`rollup`), nor the tokens that admit candidates (`engine`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod agent;
mod candidate;
mod messages;
mod server;
mod witness;

pub use agent::{Lease, LeaseConfig, LeaseError};
pub use candidate::{Candidate, USABLE_PERCENT};
pub use messages::{Answer, CandidateId, Leader, LeaseName};
pub use server::WitnessServer;
pub use witness::{MAX_LEASES, MAX_URL_BYTES, Witness};
