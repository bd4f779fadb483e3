//! Encoders and converters for the block and witness formats around EXECUTE.
//!
//! The `wire` crate decodes the EXECUTE calldata and is part of the code that an L1 client has to
//! trust. This crate contains the rest: encoders for that calldata ([`Encode`], [`compact`],
//! [`blob_tail`]), converters for the formats in which clients return blocks and witnesses
//! (`debug_executionWitness` JSON, geth's witness RLP, raw block RLP), the transaction of type
//! `0x05` ([`ExecuteTx`]), the bodies of the Engine API over REST, and the hash tree root by the
//! consensus-specs.
//!
//! ```
//! use enshrine_codec::OwnedWitness;
//!
//! // A result of `debug_executionWitness`, as geth, reth or Nethermind return it.
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
mod prefix;
mod root;
mod witness;

pub use block::RawBlock;
pub use bundle::Bundle;
pub use encode::{Encode, batch_of, requests_from_typed, withdrawal_record};
pub use engine::{PayloadEnvelope, PayloadStatus, PayloadStatusWithWitness, PayloadVerdict};
pub use execute_tx::{Allowance, ExecuteTx, ExecuteTxError, ExecuteTxVersion, SignedExecuteTx};
pub use fork::{UnknownFork, fork_of_name, parse_fork};
pub use prefix::{PrefixError, is_prefix, prefix, with_empty_witness};
pub use root::{RootConvention, hash_tree_root};
pub use witness::OwnedWitness;
