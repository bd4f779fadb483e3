//! Blocks that are judged: real ones, valid ones, and what becomes of them when something is
//! changed.

mod blocks;
mod mutations;
mod valid;
