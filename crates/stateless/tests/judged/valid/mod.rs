//! Rules for valid blocks, and block building: EXECUTE accepts every block that the chain builds.

mod accounts;
mod cryptography;
mod deposits;
mod fee_caps;
mod meter;
mod reads;
mod refunds;
mod system;
mod test_chain;
