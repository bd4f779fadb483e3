//! What may stand in a block, and what a builder makes of it: whatever the chain builds, EXECUTE
//! accepts.

mod accounts;
mod deposits;
mod fee_caps;
mod meter;
mod reads;
mod refunds;
mod system;
mod world;
