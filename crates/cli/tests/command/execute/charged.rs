//! The gas of real blocks matches the table in `docs/gas.md`.

use super::text;
use crate::support::{document, enshrine};
use serde_json::Value;
use std::{fs, path::Path};

const DOCUMENT: &str = include_str!("../../../../../docs/gas.md");

/// Formats a number as in the document.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Returns the JSON documents of `inspect` for files.
fn inspect(files: &[String]) -> Vec<Value> {
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let output = enshrine(&[&["execute", "inspect", "--json"], &files[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    document(&output.stdout).as_array().expect("a document for each file").clone()
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// Returns the expected row of the document for a block.
fn row(found: &Value) -> String {
    let file = Path::new(found["file"].as_str().expect("a file"));
    let name = file.file_name().expect("a name").to_string_lossy();
    let name = name.split('.').next().expect("a name").replace('_', " ");
    let (input, witness) = (&found["input"], &found["input"]["witness"]);
    let items = [
        &witness["nodes"],
        &witness["codes"],
        &witness["headers"],
        &input["payload"]["transactions"],
    ];
    let gas = &input["gas"];
    let columns = [
        number(&input["payload"]["gasUsed"]),
        number(&input["bytes"]),
        items.into_iter().map(number).sum(),
        number(&gas["default"]["charge"]),
        number(&gas["default"]["reserve"]),
        number(&gas["flat"]["charge"]),
        number(&gas["ethrex"]["charge"]),
    ];
    format!("| {name} | {} |", columns.map(grouped).join(" | "))
}

#[test]
fn gas_document_matches_real_blocks() {
    let blocks = testkit::vectors::part("blocks", "what real blocks cost").expect("readable");
    let Some(blocks) = blocks else { return };
    let files = fs::read_dir(blocks)
        .expect("readable")
        .map(|entry| entry.expect("readable").path().display().to_string());
    let mut rows: Vec<_> = inspect(&files.collect::<Vec<_>>()).iter().map(row).collect();
    rows.sort();
    let table = DOCUMENT.lines().skip_while(|line| !line.starts_with("| block | L2 gas |"));
    let documented: Vec<_> =
        table.skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
    assert_eq!(rows, documented);
}

#[test]
fn real_block_charge_is_close_to_gas() {
    let blocks = testkit::vectors::part("blocks", "what a real block costs").expect("readable");
    let Some(blocks) = blocks else { return };
    let file = blocks.join("mainnet_24628608.json.zst").display().to_string();
    let found = inspect(&[file]);
    let input = &found[0]["input"];
    let used = number(&input["payload"]["gasUsed"]);
    assert!(used > 12_800_000, "{used}");
    let charge = number(&input["gas"]["default"]["charge"]);
    assert!(charge > used && charge <= 17_500_000, "{charge}");
    // The reserve is higher, since it covers the transactions' gas limits.
    let limits = number(&input["payload"]["sumOfGasLimits"]);
    assert_eq!(number(&input["gas"]["default"]["reserve"]), charge - used + limits);
    // A flat price per byte is about four times as expensive.
    assert!(number(&input["gas"]["flat"]["charge"]) > 65_000_000);
}
