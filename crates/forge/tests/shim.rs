//! The shipped bytecode matches its source.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use toolchain::{Toolchain, progress_to_stderr};

const SOURCE: &str = include_str!("../shim/execute.yul");
const SHIPPED: &str = include_str!("../shim/execute.hex");

fn compiled(source: &str) -> eyre::Result<String> {
    let request = json!({
        "language": "Yul",
        "sources": { "execute.yul": { "content": source } },
        "settings": {
            "evmVersion": "osaka",
            "optimizer": { "enabled": true, "runs": 1, "details": { "yul": true } },
            "outputSelection": { "*": { "*": ["evm.bytecode.object"] } },
        },
    });
    let mut compiler = Command::new(Toolchain::ensure(&progress_to_stderr)?.solc())
        .arg("--standard-json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = compiler.stdin.take().ok_or_else(|| eyre::eyre!("no stdin"))?;
    stdin.write_all(request.to_string().as_bytes())?;
    drop(stdin);
    let answer: Value = serde_json::from_slice(&compiler.wait_with_output()?.stdout)?;
    let code = &answer["contracts"]["execute.yul"]["ExecuteShim"]["evm"]["bytecode"]["object"];
    code.as_str().map(str::to_owned).ok_or_else(|| eyre::eyre!("{answer}"))
}

#[test]
fn shipped_shim_code_matches_source() -> eyre::Result<()> {
    let code = compiled(SOURCE)?;
    assert_eq!(
        SHIPPED.trim(),
        code,
        "write this into crates/forge/shim/execute.hex, and see that the calibration in \
         test/forge/Calibration.t.sol still holds"
    );
    // A different program has different code, so the comparison can fail.
    let other = SOURCE.replacen("k := 164", "k := 165", 1);
    assert_ne!(SHIPPED.trim(), compiled(&other)?);
    Ok(())
}
