//! Verdicts on blocks: real blocks, valid blocks, and blocks that were changed.

mod blocks;
mod mutations;
mod valid;
