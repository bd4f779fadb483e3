#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod alias;
mod api;
pub mod bindings;
mod bridge;
mod call;
mod claims;
mod error;
mod messages;
pub mod proof;
mod rollup;
mod tokens;

pub use alias::{L2_ACCOUNTS, alias_account, alias_code};
pub use api::RollupApi;
pub use bridge::{Bridge, NewMessage};
pub use claims::{ClaimError, claim_calldata, logged_message, verify_message};
pub use error::{BridgeError, Layer, Rejection};
pub use messages::{L2_MESSENGER, Message, extend, kept_slot, pack, sent_in, sent_slot};
pub use rollup::{Rollup, TokenBridge};
pub use rpc_types;
pub use tokens::{SentDeposit, TokenDeposit, TokenPair, TokenWithdrawal};
