//! Leader election between the nodes of a rollup: a lease that one node holds at a time.
//!
//! [Witnesses](WitnessServer) are small processes without a chain: each grants a lease to one
//! candidate for a fixed time. A candidate leads while more than half of the witnesses have granted
//! it the lease, and requests it again long before the grants expire. Two candidates never lead at
//! once, because two majorities share a witness:
//!
//! - A candidate counts a grant from *before* it sent the request, and [a tenth
//!   shorter](USABLE_PERCENT) than the witness does. So its grant expires before the witness grants
//!   the lease to another candidate, as long as the rates of their clocks differ by less than a
//!   tenth.
//! - A witness stores nothing on disk. After a start it grants nothing for the duration of a grant,
//!   so that all earlier grants have expired.
//!
//! A lease decides which node makes blocks, not which blocks are valid. A leader that the operating
//! system suspends between checking the lease and sealing a block may still seal that block; no
//! other node has it, and L1 orders the blocks that both nodes post.
//!
//! This crate implements the witness, the candidate and the messages between them. The `rollup`
//! crate implements leading and following, and `rpc::engine` the tokens that authenticate
//! candidates.

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
