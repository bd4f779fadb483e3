//! Formats of blocks and witnesses around those that EXECUTE reads.
//!
//! The `wire` crate decodes the calldata of EXECUTE and belongs to the code that an L1 client has
//! to trust. This crate has the rest: it writes that calldata ([`Encode`], [`compact`],
//! [`blob_tail`]), converts the formats in which clients give out blocks and witnesses
//! (`debug_executionWitness` JSON, geth's witness RLP, raw block RLP), has the transaction of type
//! `0x05` ([`ExecuteTx`]), the bodies of the Engine API over REST, and the hash tree root of the
//! consensus-specs.
//!
//! ```
//! use enshrine_codec::OwnedWitness;
//!
//! // An answer of `debug_executionWitness`, in the form of geth, reth or Nethermind.
//! let witness = OwnedWitness::from_json(r#"{ "state": ["0x80"], "codes": [], "headers": [] }"#)?;
//! assert!(witness.state.is_empty(), "an empty node proves nothing, and is left out");
//! # Ok::<(), wire::DecodeError>(())
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod blob_tail;
mod block;
mod bundle;
pub mod compact;
mod encode;
mod engine;
mod execute_tx;
mod fork;
mod geth;
mod json;
mod root;
mod witness;

pub use block::RawBlock;
pub use bundle::Bundle;
pub use encode::{Encode, batch_of, requests_from_typed, withdrawal_record};
pub use engine::{PayloadEnvelope, PayloadStatus, PayloadStatusWithWitness, PayloadVerdict};
pub use execute_tx::{Allowance, ExecuteTx, ExecuteTxError, ExecuteTxVersion, SignedExecuteTx};
pub use fork::{UnknownFork, fork_of_name, parse_fork};
pub use root::{RootConvention, hash_tree_root};
pub use witness::OwnedWitness;
