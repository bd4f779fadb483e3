//! Charts of timed figures, from measurements, or from the tables of documents without them.

use super::{
    data::Data,
    drawings::{bars, object},
};
use eyre::{OptionExt as _, Result};
use serde_json::Value;
use testkit::charts::{Dot, Scatter};

/// Table of the gas model in `docs/gas.md`.
const TABLE: &str = "/How the prices were measured";
/// Fork whose rows the chart of nodes shows.
const FORK: &str = "osaka";
/// Lengths of the surplus nodes that the gas model measures, but for empty ones.
const LENGTHS: [u32; 6] = [1, 8, 32, 136, 532, 1_024];
/// Bytes of an input for a node besides the node: its offset.
const OFFSET: u32 = 4;
/// Time that one gas pays for, in nanoseconds.
const NANOSECONDS: f64 = 3.0;
/// Names of blocks of public networks begin with one of these.
const NETWORKS: [&str; 3] = ["mainnet", "sepolia", "hoodi"];

/// Returns the charts by file name.
///
/// # Errors
///
/// If a data file lacks a figure of a chart.
pub(crate) fn draw(data: &Data) -> Result<[(&'static str, String); 3]> {
    Ok([
        ("F-02-node-time.svg", node_time(data)?),
        ("F-02-time.svg", time(data)?),
        ("F-18-speed.svg", speed(data)?),
    ])
}

/// Draws the rows of the measurement, or those of the document without one.
fn time(data: &Data) -> Result<String> {
    let series =
        |name: &str| usize::from(!NETWORKS.iter().any(|network| name.starts_with(network)));
    let mut dots = Vec::new();
    if data.has("gas-model") {
        let rows = data.get("gas-model", "/rows")?.1.as_array().ok_or_eyre("no rows")?;
        dots.extend(rows.iter().filter_map(|row| {
            let series = series(row["name"].as_str()?);
            Some(Dot { x: row["bytes"].as_f64()?, y: row["ratio"].as_f64()?, series })
        }));
    } else {
        for name in object(data, "gas", TABLE)?.keys() {
            let of = |column: &str| data.number("gas", &format!("{TABLE}/{name}/{column}"));
            let (Ok((_, x)), Ok((_, y))) = (of("bytes"), of("time over price")) else { continue };
            dots.push(Dot { x, y, series: series(name) });
        }
    }
    Ok(Scatter {
        title: "time over what the call pays for, at 3 ns per gas".into(),
        across: "bytes of the input".into(),
        series: vec!["real blocks".into(), "worst-case inputs".into()],
        is_connected: false,
        dots,
    }
    .svg())
}

/// Draws the time of a surplus node, and the time that it pays for, over its length.
fn node_time(data: &Data) -> Result<String> {
    let empty = input(data, "an empty block").ok_or_eyre("no row of an empty block")?;
    let mut dots = Vec::new();
    for length in LENGTHS {
        let Some(row) = input(data, &format!("surplus nodes of {length} bytes")) else { continue };
        let nodes = (row.bytes - empty.bytes) / f64::from(length + OFFSET);
        let (ms, gas) = (row.ms - empty.ms, row.gas - empty.gas);
        for (series, ns) in [ms * 1e6, gas * NANOSECONDS].into_iter().enumerate() {
            dots.push(Dot { x: f64::from(length), y: ns / nodes, series });
        }
    }
    Ok(Scatter {
        title: "nanoseconds for a witness node that the block does not read".into(),
        across: "bytes of the node".into(),
        series: vec!["measured".into(), "paid for at 3 ns per gas".into()],
        is_connected: true,
        dots,
    }
    .svg())
}

/// A row of the gas model.
struct ModelInput {
    bytes: f64,
    gas: f64,
    /// Milliseconds with the slowest Keccak.
    ms: f64,
}

/// Returns the row of an input.
fn input(data: &Data, name: &str) -> Option<ModelInput> {
    if data.has("gas-model") {
        let rows = data.get("gas-model", "/rows").ok()?.1.as_array()?;
        let row = rows.iter().find(|row| row["name"] == name && row["group"] == FORK)?;
        let of = |key: &str| row[key].as_f64();
        let ms = row["ms"].as_array()?.iter().filter_map(Value::as_f64).reduce(f64::max)?;
        return Some(ModelInput { bytes: of("bytes")?, gas: of("gas")?, ms });
    }
    let of = |column: &str| {
        data.number("gas", &format!("{TABLE}/{name}/{column}")).ok().map(|(_, value)| value)
    };
    Some(ModelInput { bytes: of("bytes")?, gas: of("gas charged")?, ms: of("neither")? })
}

fn speed(data: &Data) -> Result<String> {
    let mut rows = Vec::new();
    if data.has("execute") {
        let blocks = data.get("execute", "/blocks")?.1.as_array().ok_or_eyre("no blocks")?;
        for block in blocks.iter().filter(|block| block["kind"] == "real") {
            let of = |pointer: &str| block.pointer(pointer).and_then(Value::as_f64);
            let ours = of("/single/median/onCore").ok_or_eyre("no time")?;
            let ratio = ours / of("/ethrex/median/onCore").ok_or_eyre("no time of ethrex")?;
            let name = block["name"].as_str().ok_or_eyre("no name")?;
            rows.push((name.replace('_', " "), ratio, format!("{ratio:.2}")));
        }
    } else {
        for name in object(data, "benchmarks", "/EXECUTE")?.keys() {
            let ratio = data.number("benchmarks", &format!("/EXECUTE/{name}/one over ethrex"));
            let Ok((_, ratio)) = ratio else { continue };
            rows.push((name.to_string(), ratio, format!("{ratio:.2}")));
        }
    }
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(bars("time on one thread over ethrex 31's", rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn measurements_replace_tables_of_documents() {
        let table = json!({ "hoodi 1": { "bytes": "1,000", "time over price": "0.50" } });
        let gas = json!({ "How the prices were measured": table });
        let row = json!({ "name": "SLOAD", "bytes": 5_000, "ratio": 1.25 });
        let times = |ms: f64| json!({ "median": { "onCore": ms } });
        let block = json!({
            "name": "mainnet_7", "kind": "real", "single": times(1.0), "ethrex": times(4.0),
        });
        let speeds = json!({ "hoodi 1": { "one over ethrex": "0.54" } });
        let mut data = Data::of([("gas", gas), ("benchmarks", json!({ "EXECUTE": speeds }))]);
        assert_eq!(time(&data).unwrap().matches("<circle").count(), 1);
        assert!(speed(&data).unwrap().contains("hoodi 1"));
        data = Data::of([
            ("gas-model", json!({ "rows": [row.clone(), row] })),
            ("execute", json!({ "blocks": [block] })),
        ]);
        assert_eq!(time(&data).unwrap().matches("<circle").count(), 2);
        let speed = speed(&data).unwrap();
        assert!(speed.contains("mainnet 7") && speed.contains("0.25"), "{speed}");
    }

    #[test]
    fn nodes_are_drawn_without_rest_of_block() {
        fn row(name: &str, bytes: u32, gas: u32, ms: [f64; 2]) -> Value {
            json!({ "name": name, "group": FORK, "bytes": bytes, "gas": gas, "ms": ms })
        }
        let model = |ms: f64| {
            json!({ "rows": [
                row("an empty block", 1_000, 20_000, [0.5, 1.0]),
                // A hundred nodes of 88 gas, and one of 620.
                row("surplus nodes of 1 bytes", 1_500, 28_800, [0.6, ms]),
                row("surplus nodes of 532 bytes", 1_536, 20_620, [0.5, 1.001]),
            ]})
        };
        let drawn = |ms: f64| node_time(&Data::of([("gas-model", model(ms))])).unwrap();
        assert_eq!(drawn(1.025).matches("<circle").count(), 4);
        assert_ne!(drawn(1.025), drawn(1.02));
        assert!(node_time(&Data::default()).is_err());
    }
}
