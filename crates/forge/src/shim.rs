//! The code at `0x0101` inside forge.

use crate::{Profile, Workspace, workspace::REQUESTS};
use alloy_primitives::{Bytes, U256, hex};
use alloy_sol_types::{SolCall, sol};
use std::path::Path;

sol! {
    function writeFileBinary(string path, bytes data);
    function ffi(string[] arguments) returns (bytes);
}

/// The compiled `shim/execute.yul`, which documents the data appended to it.
const CODE: &str = include_str!("../shim/execute.hex");
/// Number of digits of a hash or a word.
const DIGITS: usize = 64;

/// Returns the code of the shim for one installation. It writes requests into the workspace of the
/// Foundry project, and runs `program` in the project's root.
pub fn shim_code(program: &Path, profile: &Profile) -> Vec<u8> {
    let name = "n".repeat(DIGITS);
    let gas = "g".repeat(DIGITS);
    let write = writeFileBinaryCall {
        path: format!("{}/{REQUESTS}/{name}", Workspace::IN_PROJECT),
        data: Bytes::new(),
    }
    .abi_encode();
    let ask = ffiCall {
        arguments: [
            &program.to_string_lossy(),
            "forge",
            "execute",
            "--profile",
            &profile.to_string(),
            &name,
            &gas,
        ]
        .map(str::to_owned)
        .to_vec(),
    }
    .abi_encode();
    let place = |call: &[u8], digits: &str| {
        let mut windows = call.windows(DIGITS);
        windows.position(|window| window == digits.as_bytes()).unwrap_or_default()
    };
    let words =
        [place(&write, &name), write.len(), place(&ask, &name), place(&ask, &gas), ask.len()];
    let mut code = hex::decode(CODE.trim()).expect("the file holds what the compiler has written");
    code.extend(write);
    code.extend(ask);
    code.extend(words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()));
    code
}
