//! Exits from a rollup that nobody advances any more: what `RollupExit` and the token bridge pay by
//! proofs against the last state root, and the calldata of these payments.
//!
//! Every proof is verified here by the rules of L1, and all amounts are read from the nodes of the
//! proof, so that a node of the L2 cannot pretend anything.

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
