//! `cargo xtask differential`: compares EXECUTE with ethrex, and with the specification if one is
//! configured, on many more blocks than the tests.

use crate::built::CHECKS;
use eyre::WrapErr as _;
use std::path::Path;

/// Environment variable with the number of random worlds per fork.
const WORLDS: &str = "ENSHRINE_WORLDS";
/// Number of blocks in a world, and number of forks with worlds (`programs.rs` of the tests).
const BLOCKS_PER_FORK: u64 = 3;
const FORKS: u64 = 5;
/// Arguments with which cargo runs the tests. With the whole workspace selected, nothing is built
/// that the other tests do not need as well.
const TESTS: [&str; 8] =
    ["test", "--profile", CHECKS, "--workspace", "--test", "agreement", "--", "--nocapture"];

/// Runs the comparisons over at least this many random blocks. Returns `true` if all verdicts
/// agree.
pub(crate) fn run(root: &Path, blocks: u64) -> eyre::Result<bool> {
    let worlds = blocks.div_ceil(BLOCKS_PER_FORK * FORKS);
    println!("{} random blocks, {worlds} worlds under each fork", worlds * BLOCKS_PER_FORK * FORKS);
    let mut cargo = toolchain::cargo();
    cargo.current_dir(root).args(TESTS).env(WORLDS, worlds.to_string());
    Ok(cargo.status().wrap_err("cannot run cargo")?.success())
}
