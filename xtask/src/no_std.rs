//! The zkVM guest, a program without the standard library: it must link and verify real blocks.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;

use crate::{built, command};

/// Manifest of the guest, which is a separate workspace.
pub(crate) const MANIFEST: &str = "examples/zkvm-guest/Cargo.toml";
/// Offset in the calldata of a byte of the payload's logs bloom.
const PAYLOAD_BYTE: usize = 200;
/// Environment variable with the folder of test vectors.
const VECTORS: &str = "ENSHRINE_VECTORS";

/// Builds the guest, and runs it on each real block of the vectors and on a damaged copy.
/// Returns the reason if there are no blocks.
pub(crate) fn run(root: &Path) -> Result<Option<String>> {
    let target = root.join("target/no-std");
    let mut cargo = toolchain::cargo();
    cargo.current_dir(root).args(["build", "--release", "--locked", "--manifest-path", MANIFEST]);
    command::run(cargo.arg("--target-dir").arg(&target))?;
    let vectors =
        env::var_os(VECTORS).map_or_else(|| root.join("../shared/vectors"), PathBuf::from);
    let blocks = vectors.join("blocks");
    if !blocks.is_dir() {
        let reason = "names no blocks: the program is linked, and no block is read";
        return Ok(Some(format!("{VECTORS} {reason}")));
    }
    let program = target.join("release/zkvm-guest");
    let mut count = 0;
    for entry in fs::read_dir(blocks)? {
        let block = entry?.path();
        if !block.to_string_lossy().contains(".json") {
            continue;
        }
        let input = enshrine(root, &["encode", "--output", "-"], &block)?;
        let result = answer(&program, &input)?.ok_or_eyre("a real block is refused")?;
        let result: String = result.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = expected(root, &block, &input)?;
        ensure!(result == expected, "result {result}, with the library {expected}");
        // The block hash commits to this byte of the payload.
        let mut damaged = input;
        damaged[PAYLOAD_BYTE] ^= 1;
        ensure!(answer(&program, &damaged)?.is_none(), "a damaged block is accepted");
        count += 1;
    }
    ensure!(count > 0, "{VECTORS} has no blocks");
    println!("{count} real blocks verified without the standard library");
    Ok(None)
}

/// Returns the result of EXECUTE for a block from the library, in hexadecimal: request root,
/// validity, chain id, schema id.
fn expected(root: &Path, block: &Path, input: &[u8]) -> Result<String> {
    let verdicts: Value = serde_json::from_slice(&enshrine(root, &["verify", "--json"], block)?)?;
    let verdict = &verdicts[0];
    let request_root = verdict["requestRoot"].as_str().ok_or_eyre("no request root")?;
    let chain_id = verdict["chainId"].as_u64().ok_or_eyre("no chain id")?;
    // Big endian before the input, and SSZ in the result.
    let [high, low] = [input[0], input[1]];
    Ok(format!(
        "{}01{:016x}{low:02x}{high:02x}",
        request_root.trim_start_matches("0x"),
        chain_id.swap_bytes()
    ))
}

/// Returns the output of a subcommand of `enshrine execute` for a block.
fn enshrine(root: &Path, arguments: &[&str], block: &Path) -> Result<Vec<u8>> {
    let mut enshrine = Command::new(built::checked(root));
    command::output(enshrine.arg("execute").args(arguments).arg(block))
}

/// Returns the output of the guest for an input; `None` if it rejects the input.
fn answer(program: &Path, input: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or_eyre("no standard input")?.write_all(input)?;
    let output = child.wait_with_output()?;
    Ok(output.status.success().then_some(output.stdout))
}
