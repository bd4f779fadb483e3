//! Valid blocks and what becomes of them when something is changed: the block, the witness, or any
//! byte.

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
