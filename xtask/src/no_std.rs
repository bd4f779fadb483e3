//! A program without the standard library: it is linked, and reads real blocks.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{OptionExt as _, WrapErr as _, ensure};

use crate::{bench, checks::Checked};

/// Folder of the program, a workspace of its own.
const PROGRAM: &str = "tools/no-std";
/// Folder with test vectors, named by the environment.
const VECTORS: &str = "ENSHRINE_VECTORS";

/// Links the program, and gives it each real block of the vectors and a damaged copy.
pub(crate) fn run(root: &Path) -> eyre::Result<Checked> {
    let target = root.join("target/no-std");
    let mut cargo = toolchain::cargo();
    cargo.current_dir(root.join(PROGRAM)).args(["build", "--release", "--locked", "--target-dir"]);
    let status = cargo.arg(&target).status().wrap_err("cargo")?;
    if !status.success() {
        return Ok(Checked::Failed);
    }
    let vectors =
        env::var_os(VECTORS).map_or_else(|| root.join("../shared/vectors"), PathBuf::from);
    let blocks = vectors.join("blocks");
    if !blocks.is_dir() {
        let reason =
            format!("{VECTORS} names no blocks: the program is linked, and no block is read");
        return Ok(Checked::Skipped(reason));
    }
    let program = target.join("release/enshrine-no-std");
    let mut count = 0;
    for entry in fs::read_dir(blocks)? {
        let block = entry?.path();
        if !block.to_string_lossy().contains(".json") {
            continue;
        }
        let input = encoded(root, &block)?;
        let root = answer(&program, &input)?.ok_or_eyre("a real block is refused")?;
        ensure!(root.len() == 32, "{} bytes, not a root", root.len());
        // Lists at the end may be shorter by a byte and well formed; without its half an input is neither.
        let damaged = &input[..input.len() / 2];
        ensure!(answer(&program, damaged)?.is_none(), "a damaged block is accepted");
        count += 1;
    }
    println!("{count} real blocks read without the standard library");
    Ok(if count > 0 { Checked::Passed } else { Checked::Failed })
}

/// Returns the calldata of EXECUTE for a block.
fn encoded(root: &Path, block: &Path) -> eyre::Result<Vec<u8>> {
    let mut command = Command::new(bench::enshrine(root));
    let output = command.args(["execute", "encode", "--output", "-"]).arg(block).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Returns the output of the program for an input, if it does not refuse it.
fn answer(program: &Path, input: &[u8]) -> eyre::Result<Option<Vec<u8>>> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or_eyre("no standard input")?.write_all(input)?;
    let output = child.wait_with_output()?;
    Ok(output.status.success().then_some(output.stdout))
}
