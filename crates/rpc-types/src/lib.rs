//! Responses of a rollup node's own JSON-RPC methods (`rollup_`, `admin_`), version 1.
//!
//! Integers are encoded as `QUANTITY` (`"0x…"`), bytes as `DATA`, durations in seconds, times in
//! Unix seconds, enumerations in lower camel case, and an absent value as `null`. Later versions
//! may add values to enumerations, which a reader parses as `unknown`.
//!
//! [`methods`] contains the names of the methods with their response types. With the feature
//! `schema`, `document` describes them as an OpenRPC document.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod budget;
pub mod codes;
mod config;
mod excerpt;
mod execute;
mod forced;
mod message;
pub mod methods;
#[cfg(feature = "schema")]
mod openrpc;
mod quantity;
#[cfg(feature = "schema")]
mod schema;
mod status;
mod transaction;

pub use block::{BlockNumHash, PrefixItem, SignedInput};
pub use budget::{BacklogStatus, BoundedAmount, Budget, BudgetAmount, BudgetBound};
pub use config::{
    API_VERSION, Contracts, Execute, ForcedRules, ForkMode, Guardian, MessageRules,
    PreconfirmationTerms, RollupConfig, Rules, Verification,
};
pub use excerpt::Excerpt;
pub use execute::{ExplainedCall, Verdict};
pub use forced::{ForcedFilter, ForcedOutcome, ForcedPage, ForcedTransaction};
pub use message::{
    Claim, ClaimProof, Delivered, Direction, Failure, Message, MessageFilter, MessageInfo,
    MessagePage, MessageState, Sent,
};
#[cfg(feature = "schema")]
pub use openrpc::document;
pub(crate) use quantity::OptionalQuantity;
pub use quantity::Quantity;
pub use status::{Driven, LeaseStatus, Preconfirming, Role, SubmitterStatus, Switches, SyncStatus};
pub use transaction::{BlockCost, L1Fields, TransactionStatus};
