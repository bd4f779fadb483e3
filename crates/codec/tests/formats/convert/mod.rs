//! Converters from the block and witness formats of clients.

mod bundle;
mod geth;
mod json;
mod raw_block;
mod real_blocks;
mod refusals;
mod samples;
