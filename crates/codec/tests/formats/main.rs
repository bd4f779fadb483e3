//! The formats to the byte, and what is refused.

mod batch;
mod blob_batch;
mod blob_tail;
mod compact;
mod convert;
mod engine;
mod golden;
mod roundtrip;
mod strict;
mod support;
