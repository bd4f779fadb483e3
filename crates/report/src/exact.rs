//! Figures that this program computes itself: prices, and tables of the documents.

use alloy_primitives::Address;
use execute::{DeclaredGas, FURTHER_BLOCK_GAS, Items, Pricing as _, UnderpricedWork};
use eyre::{Result, WrapErr as _};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};
use variants::{Flat, market};

/// Documents whose tables are data: they are measured by hand, on the machine that they name.
pub const DOCUMENTS: [&str; 3] = ["benchmarks", "gas", "performance"];

/// Precompiles and their addresses.
const PRECOMPILES: [(&str, u16); 11] = [
    ("ECRECOVER", 1),
    ("MODEXP before Osaka", 5),
    ("ECADD", 6),
    ("ECMUL", 7),
    ("ECPAIRING", 8),
    ("BLAKE2F", 9),
    ("point evaluation", 0x0a),
    ("BLS12-381 G1MSM", 0x0c),
    ("BLS12-381 G2MSM", 0x0e),
    ("BLS12-381 pairing", 0x0f),
    ("P256VERIFY", 0x100),
];

/// Lengths of nodes for which the price is compared with a price per byte.
const NODES: [u64; 5] = [1, 32, 64, 128, 532];

/// Returns the prices of EXECUTE, from its code.
pub fn prices() -> Value {
    let items = Items::DEFAULT;
    let times = |address: u16| {
        let [high, low] = address.to_be_bytes();
        let mut bytes = [0; 20];
        bytes[18..].copy_from_slice(&[high, low]);
        let work = UnderpricedWork::Precompile { address: Address::from(bytes), gas: 1_000 };
        1 + items.underpriced_work(&work) / 1_000
    };
    let factors = PRECOMPILES.map(|(name, address)| (name.to_owned(), times(address).into()));
    // A node has four bytes of an SSZ offset.
    let node = |bytes: u64| {
        let one = DeclaredGas { calldata: bytes + 4, nodes: 1, ..DeclaredGas::default() };
        items.input(&one) - items.input(&DeclaredGas::default())
    };
    let flat = |bytes: u64| Flat::DEFAULT.per_byte * (bytes + 4);
    let nodes = NODES
        .map(|bytes| (bytes.to_string(), json!({ "items": node(bytes), "flat": flat(bytes) })));
    let hashed = UnderpricedWork::Keccak { bytes: 32 };
    json!({
        "base": items.base,
        "request_byte": items.request_byte,
        "witness_byte": items.witness_byte,
        "item": items.item,
        "further_block": FURTHER_BLOCK_GAS,
        "covered_of_1000": items.covered_work(1_000),
        "keccak_of_a_word": items.underpriced_work(&hashed),
        "repeated_node_of_532": items.underpriced_work(&UnderpricedWork::RepeatedNode { bytes: 532 }),
        "precompiles": Value::Object(factors.into_iter().collect()),
        "nodes": Value::Object(nodes.into_iter().collect()),
        "market_limit": market::LIMIT,
        "market_target": market::TARGET,
    })
}

/// Returns the tables of a document: by heading, first cell of the row, and head of the column.
///
/// # Errors
///
/// If the document cannot be read.
pub fn tables(root: &Path, name: &str) -> Result<Value> {
    let path = root.join("docs").join(name).with_extension("md");
    let text = fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
    let (mut headings, mut heading) = (Map::new(), String::new());
    let mut head: Option<Vec<String>> = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = plain(title.trim_start_matches('#'));
        }
        let Some(row) = line.strip_prefix('|') else {
            head = None;
            continue;
        };
        let cells: Vec<_> = row.trim_end().trim_end_matches('|').split('|').map(plain).collect();
        let Some(head) = &head else {
            head = Some(cells);
            continue;
        };
        if cells.iter().all(|cell| cell.bytes().all(|it| it == b'-')) {
            continue;
        }
        let section = headings.entry(heading.clone()).or_insert_with(|| json!({}));
        let columns = head.iter().enumerate().zip(&cells).skip(1);
        let row: Map<_, _> = columns
            .map(|((index, name), cell)| {
                let name = if name.is_empty() { index.to_string() } else { name.clone() };
                (name, Value::from(cell.as_str()))
            })
            .collect();
        // Several tables below a heading may have rows of one name.
        match section[cells[0].as_str()].as_object_mut() {
            Some(known) => known.extend(row),
            None => section[cells[0].as_str()] = row.into(),
        }
    }
    Ok(headings.into())
}

/// Returns text without marks of Markdown, and without slashes, which pointers cannot contain.
fn plain(text: &str) -> String {
    text.trim().replace(['*', '`'], "").replace(" / ", " over ").replace('/', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_by_heading_row_and_column() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("docs")).unwrap();
        let text = "# Top\n\n## Sub\n\n| a | one / two | |\n|---|---|---|\n| **r** | `3` | x/s |\n\ntext\n";
        fs::write(folder.path().join("docs/page.md"), text).unwrap();
        let got = tables(folder.path(), "page").unwrap();
        assert_eq!(got, json!({ "Sub": { "r": { "one over two": "3", "2": "x-s" } } }));
    }

    #[test]
    fn small_nodes_cost_more_per_byte() {
        let prices = prices();
        let each = |bytes: u64| {
            prices["nodes"][bytes.to_string()]["items"].as_f64().unwrap() / bytes as f64
        };
        assert!(each(1) > each(32) && each(32) > each(532));
        assert_eq!(prices["precompiles"]["ECADD"], 6);
    }
}
