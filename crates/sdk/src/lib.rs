#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod alias;
mod api;
pub mod bindings;
mod bridge;
mod claims;
mod error;
mod messages;
pub mod proof;

pub use alias::{L2_ACCOUNTS, alias_account, alias_code};
pub use api::RollupApi;
pub use bridge::{Bridge, NewMessage, Rollup};
pub use claims::{ClaimError, claim_calldata, logged_message, verify_message};
pub use error::{BridgeError, Layer};
pub use messages::{L2_MESSENGER, Message, extend, kept_slot, pack, sent_in, sent_slot};
pub use rpc_types;
