//! The converters: blocks and witnesses in the forms in which they travel.

mod bundle;
mod geth;
mod json;
mod raw_block;
mod real_blocks;
mod refusals;
mod samples;
