//! Exits from a rollup that is no longer advanced: the payments that `RollupExit` and the token
//! bridge make for proofs against the last state root, and their calldata.
//!
//! L2 nodes are not trusted: every proof is verified as L1 does, and all amounts are read from the
//! nodes of the proof.

mod account;
mod closing;
mod deposit;
mod error;
mod kind;
mod message;
mod proven;
mod search;
mod token;

pub use account::AccountExit;
pub use closing::{Closing, RELAYED_SLOT};
pub use deposit::DepositReturn;
pub use error::ExitError;
pub use kind::AccountKind;
pub use message::{MessageReturn, MessageStatus, messenger_slots};
pub use search::{FoundMessage, MessageSearch};
pub use token::{ITokenExit, TokenExit, TokenProofs, balance_slot};
