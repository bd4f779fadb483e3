//! Byte formats of EXECUTE.
//!
//! This crate contains only encodings: the SSZ `StatelessInput` of the execution-specs (a two-byte
//! schema id, an `engine_newPayload` request, an execution witness and a chain id), its variant for
//! multiple blocks ([`StatelessBatch`]) with one state in compact form ([`compact`]), the 43-byte
//! result and the hash tree root of the request. It only decodes; the `codec` crate encodes these
//! formats and converts other formats of blocks and witnesses. The `stateless` crate decides which
//! blocks are valid.
//!
//! Decoding is strict and zero-copy: offsets must be canonical, every byte must belong to exactly
//! one field, and variable parts are slices of the input, so that no allocation depends on a length
//! that the input only declares.
//!
//! ```
//! use enshrine_wire::{SchemaId, StatelessInput};
//!
//! let refused = StatelessInput::decode(&[0x15, 0x01, 0x10]).unwrap_err();
//! assert_eq!(refused.to_string(), "stateless input: 1 bytes, expected at least 16");
//! assert_eq!(SchemaId::AMSTERDAM.to_be_bytes(), [0x15, 0x01]);
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(not(test), no_std)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod batch;
pub mod compact;
mod error;
mod input;
pub mod layout;
pub mod list;
mod payload;
mod request;
mod result;
pub mod root;
mod schema;
mod witness;

pub use batch::StatelessBatch;
pub use error::{DecodeError, StreamError};
pub use input::{Input, StatelessInput};
pub use list::{ByteLists, Records};
pub use payload::{ExecutionPayload, PayloadShape, Withdrawal};
pub use request::{ExecutionRequests, NewPayloadRequest};
pub use result::StatelessResult;
pub use schema::{ProtocolFork, SchemaId};
pub use witness::{BatchWitness, ExecutionWitness};
