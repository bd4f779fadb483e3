//! Valid blocks and mutations of them: of the block, of the witness, or of any byte.

mod batch;
mod body;
mod compact;
mod complete;
mod header;
mod parent;
mod robustness;
mod soundness;
mod support;
mod threads;
mod witness;
