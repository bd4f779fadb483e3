//! Figures that this program computes itself: prices, and tables of the documents.

use alloy_primitives::Address;
use execute::{DeclaredGas, FURTHER_BLOCK_GAS, Items, Pricing as _, UnderpricedWork};
use eyre::{Result, WrapErr as _};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};
use variants::{Flat, market};

/// Data files that follow from the code alone.
pub(crate) const COMPUTED: [&str; 2] = ["prices", "limits"];

/// Documents whose tables are data: they are measured by hand, on the machine that they name.
pub(crate) const DOCUMENTS: [&str; 3] = ["benchmarks", "gas", "performance"];

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
pub(crate) fn prices() -> Value {
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

/// Gas limits of L2 blocks for which [`limits`] computes the longest input.
const GAS_LIMITS: [u64; 8] =
    [1_000_000, 2_000_000, 4_000_000, 8_000_000, 10_000_000, 12_000_000, 14_000_000, 16_000_000];
/// Price of a non-zero calldata byte, and the floor of each byte by fork of L1 (EIP-7623,
/// EIP-7976).
const BYTE: u64 = 16;
const FLOORS: [(&str, u64); 2] = [("osaka", 40), ("amsterdam", 64)];
/// Gas of the contract, as [`docs/gas.md`](tables) rounds it.
const CONTRACT: u64 = 50_000;
/// Maximum charge of an input byte with its share of the items.
const EXECUTE_BYTE: u64 = 4;
/// Maximum gas of an L1 transaction (EIP-7825).
const TRANSACTION_CAP: u64 = 1 << 24;
const TRANSACTION: u64 = 21_000;

/// Returns the most bytes, all non-zero, of the input of a block that one L1 transaction can post,
/// by fork of L1 and gas limit of the block; and the bytes that the floor alone leaves.
pub(crate) fn limits() -> Value {
    let of = |floor: u64| {
        let fits = |gas_limit: u64, bytes: u64| {
            let words = bytes.div_ceil(32);
            // Memory of the contract, and one copy of the input.
            let memory = 3 * words + words * words / 512 + 3 * words;
            let reserve = Items::DEFAULT.base + gas_limit + EXECUTE_BYTE * bytes;
            // A call gets at most 63 of 64 parts of the gas (EIP-150).
            let call = reserve + reserve.div_ceil(63);
            let executed = TRANSACTION + BYTE * bytes + CONTRACT + memory + call;
            executed.max(TRANSACTION + floor * bytes) <= TRANSACTION_CAP
        };
        let longest = |gas_limit: u64| {
            let (mut low, mut high) = (0, TRANSACTION_CAP);
            while low < high {
                let middle = (low + high).div_ceil(2);
                (low, high) =
                    if fits(gas_limit, middle) { (middle, high) } else { (low, middle - 1) };
            }
            low
        };
        let by_limit = GAS_LIMITS.map(|limit| (limit.to_string(), longest(limit).into()));
        let floor = (TRANSACTION_CAP - TRANSACTION) / floor;
        json!({ "by_gas_limit": Value::Object(by_limit.into_iter().collect()), "by_floor": floor })
    };
    let forks = FLOORS.map(|(fork, floor)| (fork.to_owned(), of(floor)));
    Value::Object(forks.into_iter().collect())
}

/// Returns the tables of a document: by heading, first cell of the row, and head of the column.
///
/// # Errors
///
/// If the document cannot be read.
pub(crate) fn tables(root: &Path, name: &str) -> Result<Value> {
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
        if cells.iter().all(|cell| cell.bytes().all(|byte| byte == b'-')) {
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
    fn longer_inputs_need_smaller_gas_limits() {
        let limits = limits();
        let of = |fork: &str, gas: &str| limits[fork]["by_gas_limit"][gas].as_u64().unwrap();
        // The rounded figures of docs/gas.md.
        assert_eq!(of("osaka", "12000000") / 1_000, 217);
        assert_eq!(of("osaka", "10000000") / 1_000, 313);
        assert_eq!(of("amsterdam", "10000000") / 100, 2_618);
        assert_eq!(of("osaka", "1000000"), limits["osaka"]["by_floor"].as_u64().unwrap());
        assert!(of("osaka", "16000000") < of("osaka", "14000000"));
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
