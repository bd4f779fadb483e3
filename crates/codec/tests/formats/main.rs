//! Byte-exact tests of the formats, and inputs that must be rejected.

mod batch;
mod blob_batch;
mod blob_tail;
mod compact;
mod convert;
mod engine;
mod golden;
mod prefix;
mod roundtrip;
mod strict;
mod support;
