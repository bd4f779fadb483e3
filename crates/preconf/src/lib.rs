//! Preconfirmations: signed promises of a sequencer about the next L2 blocks, and their faults.
//!
//! A [`Preconfirmation`] contains the hash of a complete header, so a promise is a block that could
//! be sealed and posted. It is signed as EIP-712 typed data and sent with the header in a
//! [`PrefixUpdate`]. [`HeaderSummary`] reads the header as the contracts do, [`faults`] checks
//! signed messages by the rules of `contracts/sequencing/preconf/Faults.sol`, and [`evidence`]
//! builds the arguments of the contract. [`Promises`] decides whether a signer may sign a message,
//! so that none of its messages is evidence.
//!
//! This crate does no I/O and has no clock: the state of L1 is an argument.
//!
//! ```
//! use alloy_primitives::{Address, B256};
//! use enshrine_preconf::{Domain, Preconfirmation};
//! use wire::SchemaId;
//!
//! let domain = Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };
//! let message = Preconfirmation {
//!     rollup: Address::repeat_byte(0xa0),
//!     block_hash: B256::repeat_byte(0x11),
//!     schema: SchemaId::OSAKA,
//!     is_sealed: true,
//!     l1_block: 100,
//!     l1_hash: B256::repeat_byte(0x22),
//! };
//! let other = Domain { l1_chain_id: 5, ..domain };
//! assert_ne!(message.digest(&domain), message.digest(&other), "bound to one L1");
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accept;
pub mod evidence;
pub mod faults;
mod header;
mod message;
mod promises;
mod proof;
mod update;

pub use accept::{ClientView, MAX_CONDITION_DEPTH, Unacceptable, accept};
pub use header::{HeaderError, HeaderSummary};
pub use message::{Domain, Preconfirmation, SignatureError, recover, signer_digest};
pub use promises::{Conflict, IsReplaced, Promised, Promises};
pub use proof::{EMPTY_TRIE, ProofError, prove_transaction, transaction_hash_at};
// Linked for the Keccak-256 hook that alloy calls (feature `alloy` of `keccak`).
use keccak as _;
pub use update::PrefixUpdate;
