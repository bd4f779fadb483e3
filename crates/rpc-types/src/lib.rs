//! Answers of a rollup node's own JSON-RPC methods (`rollup_`, `admin_`), version 1.
//!
//! Integers are encoded as `QUANTITY` (`"0x…"`), bytes as `DATA`, durations in seconds, times in
//! Unix seconds, enumerations in lower camel case, and an absent value as `null`. Enumerations may
//! get further values: a reader takes a value that it does not know as `unknown`.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod budget;
mod config;
mod forced;
mod message;
mod status;
mod transaction;

pub use block::BlockNumHash;
pub use budget::{BacklogStatus, BoundedAmount, Budget, BudgetAmount, BudgetBound};
pub use config::{
    API_VERSION, Contracts, Execute, ForcedRules, ForkMode, Guardian, MessageRules, RollupConfig,
    Rules, Verification,
};
pub use forced::{ForcedOutcome, ForcedPage, ForcedTransaction};
pub use message::{
    Claim, ClaimProof, Delivered, Direction, Failure, Message, MessageInfo, MessagePage,
    MessageState, Sent,
};
pub use status::{Driven, LeaseStatus, Role, SubmitterStatus, Switches, SyncStatus};
pub use transaction::{BlockCost, L1Fields, TransactionStatus};
