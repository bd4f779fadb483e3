//! Charts of findings, from data files.

use super::data::Data;
use eyre::{OptionExt as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::charts::{Bar, Bars, COLOURS, Dot, Lane, Lanes, Scatter, Segment, Step, Steps};

/// Returns the charts that `timings` does not draw, by file name.
///
/// # Errors
///
/// If a data file lacks a figure of a chart.
pub(crate) fn draw(data: &Data) -> Result<Vec<(&'static str, String)>> {
    let charts = vec![
        ("F-01-transfer.svg", transfer(data)?),
        ("F-01-limits.svg", both_limits(data)?),
        ("F-02-node-price.svg", node_price(data)?),
        ("F-03-order.svg", order(data)?),
        ("F-05-positions.svg", positions(data)?),
        ("F-06-factors.svg", factors(data)?),
        ("F-06-libraries.svg", libraries(data)?),
        ("F-10-timeline.svg", timeline()),
        ("F-11-input.svg", input(data)?),
        ("F-12-parts.svg", parts(data)?),
        ("F-13-forms.svg", forms(data)?),
        ("F-14-waits.svg", payments(data)?),
        ("F-16-witness.svg", witness(data)?),
        ("F-17-vectors.svg", vectors(data)?),
    ];
    Ok(charts)
}

pub(crate) fn bars(title: &str, rows: impl IntoIterator<Item = (String, f64, String)>) -> String {
    let bar = |(name, value, figure)| Bar { name, value, figure, colour: COLOURS[0] };
    let bars = rows.into_iter().map(bar).collect();
    Bars { title: title.to_owned(), reference: None, bars }.svg()
}

/// Returns the entries of an object, sorted, since the order of a map depends on features of
/// crates.
pub(crate) fn object<'d>(
    data: &'d Data,
    file: &str,
    pointer: &str,
) -> Result<BTreeMap<&'d String, &'d Value>> {
    Ok(data.get(file, pointer)?.1.as_object().ok_or_eyre("no object")?.iter().collect())
}

fn grouped(value: f64) -> String {
    super::template::written(value, None).unwrap_or_default()
}

fn transfer(data: &Data) -> Result<String> {
    let rows = [
        ("its own L2 gas", None),
        ("by blobs", Some("transfer_blobs")),
        ("by calldata", Some("transfer_calldata")),
        ("in public transactions", Some("transfer_calldata_public")),
        ("each block alone, calldata", Some("transfer_calldata_apart")),
    ];
    let rows = rows.map(|(name, key)| {
        let gas = match key {
            Some(key) => data.number("economics", &format!("/{key}"))?.1,
            None => 21_000.0,
        };
        Ok((name.to_owned(), gas, grouped(gas)))
    });
    let rows: Vec<_> = rows.into_iter().collect::<Result<_>>()?;
    Ok(bars("L1 gas for each transfer, without blob gas", rows))
}

/// Gas of an L1 block.
const L1_GAS: f64 = 60e6;
/// Blobs of an L1 block from BPO2 on: target and maximum.
const BLOBS: [(&str, f64); 2] =
    [("by 14 blobs, the target", 14.0), ("by 21 blobs, the maximum", 21.0)];
/// Transfers of the batch in the data file.
const BATCH: f64 = 500.0;

fn both_limits(data: &Data) -> Result<String> {
    let by_gas = L1_GAS / data.number("economics", "/transfer_blobs")?.1;
    let of_blob = BATCH / data.number("economics", "/batch_blobs")?.1;
    let mut rows = vec![("by 60 million gas".to_owned(), by_gas, grouped(by_gas))];
    for (name, blobs) in BLOBS {
        rows.push((name.to_owned(), of_blob * blobs, grouped(of_blob * blobs)));
    }
    Ok(bars("transfers that an L1 block suffices for, all rollups together", rows))
}

fn node_price(data: &Data) -> Result<String> {
    let mut dots = Vec::new();
    for (bytes, prices) in object(data, "prices", "/nodes")? {
        let x: f64 = bytes.parse()?;
        for (series, key) in ["items", "flat"].into_iter().enumerate() {
            dots.push(Dot { x, y: prices[key].as_f64().ok_or_eyre("no price")? / x, series });
        }
    }
    dots.sort_by(|a, b| a.x.total_cmp(&b.x));
    Ok(Scatter {
        title: "price of a witness node for each of its bytes, in gas".into(),
        across: "bytes of the node".into(),
        series: vec!["by items".into(), "16 gas a byte".into()],
        is_connected: true,
        dots,
    }
    .svg())
}

fn order(data: &Data) -> Result<String> {
    let price = |key: &str| Ok::<_, eyre::Report>(grouped(data.number("prices", key)?.1));
    let (base, byte) = (price("/base")?, price("/witness_byte")?);
    let item = price("/item")?;
    let request =
        data.number("prices", "/request_byte")?.1 - data.number("prices", "/witness_byte")?.1;
    let request = grouped(request);
    let steps = [
        ("count the bytes of the calldata", String::new()),
        ("read offsets, select the rules", format!("{base} + {byte} a byte")),
        ("decode transactions", format!("+ {item} an item, {request} a byte of the request")),
        ("check L2 rules, header, minimum gas", "+ gas limits: the whole reserve".to_owned()),
        ("hash the witness, recover senders", "the same".to_owned()),
        ("execute", "the surcharge of underpriced work, before it is done".to_owned()),
        ("compare gas, roots and hashes", String::new()),
        ("return, charge by gas used", String::new()),
    ];
    let steps = steps.map(|(name, condition)| Step { name: name.to_owned(), condition });
    let title = "gas that the call must hold before the step; otherwise it fails".to_owned();
    Ok(Steps { title, steps: steps.into() }.svg())
}

fn positions(data: &Data) -> Result<String> {
    let mut dots = Vec::new();
    for (slots, row) in object(data, "shared-nodes", "")? {
        let x: f64 = slots.parse()?;
        for (series, key) in ["positions", "nodes"].into_iter().enumerate() {
            dots.push(Dot { x, y: row[key].as_f64().ok_or_eyre("no count")?, series });
        }
    }
    dots.sort_by(|a, b| a.x.total_cmp(&b.x));
    Ok(Scatter {
        title: "positions of nodes that a block reads, and nodes of its witness".into(),
        across: "slots that the block reads".into(),
        series: vec!["positions".into(), "nodes".into()],
        is_connected: true,
        dots,
    }
    .svg())
}

fn timeline() -> String {
    const FORK: f64 = 0.5;
    const POSTED: f64 = 0.76;
    let lane = |name, segments: &[(f64, f64, &'static str, usize)]| Lane {
        name,
        segments: segments
            .iter()
            .map(|&(from, to, text, colour)| Segment { at: (from, to), text, colour })
            .collect(),
    };
    Lanes {
        marks: vec![(FORK, "L1 forks"), (POSTED, "last old block is posted")],
        lanes: vec![
            lane(
                "blocks that are built",
                &[(0.0, FORK, "old rules", 0), (FORK, 1.0, "new rules", 1)],
            ),
            lane(
                "blocks that are posted",
                &[(0.18, POSTED, "old rules", 0), (POSTED, 1.0, "new rules", 1)],
            ),
            lane("rules by timestamp", &[(0.18, 1.0, "all accepted", 1)]),
            lane(
                "rules of L1's fork, registry",
                &[
                    (0.18, FORK, "accepted", 1),
                    (FORK, POSTED, "lost", 3),
                    (POSTED, 1.0, "built again, accepted", 1),
                ],
            ),
            lane("pinned, no owner", &[(0.18, POSTED, "accepted", 1), (POSTED, 1.0, "stopped", 3)]),
        ],
    }
    .svg()
}

fn input(data: &Data) -> Result<String> {
    let mut dots = Vec::new();
    for (series, fork) in ["osaka", "amsterdam"].into_iter().enumerate() {
        for (gas, bytes) in object(data, "limits", &format!("/{fork}/by_gas_limit"))? {
            let (x, y) = (gas.parse()?, bytes.as_f64().ok_or_eyre("no length")?);
            dots.push(Dot { x, y, series });
        }
    }
    dots.sort_by(|a, b| a.x.total_cmp(&b.x));
    Ok(Scatter {
        title: "bytes of an input that one L1 transaction can post".into(),
        across: "gas limit of the L2 block".into(),
        series: vec!["L1 at Osaka".into(), "L1 at Amsterdam".into()],
        is_connected: true,
        dots,
    }
    .svg())
}

fn witness(data: &Data) -> Result<String> {
    let mut rows = Vec::new();
    for (name, sizes) in object(data, "witness-sizes", "/blocks")? {
        for (of, colour) in [("published", COLOURS[2]), ("ours", COLOURS[0])] {
            let value = sizes[of]["bytes"].as_f64().ok_or_eyre("no size")?;
            let name = format!("{}, {of}", name.replace('_', " "));
            rows.push(Bar { name, value, figure: grouped(value), colour });
        }
    }
    let title = "bytes of the witness of a real block, as published and as recorded".to_owned();
    Ok(Bars { title, reference: None, bars: rows }.svg())
}

fn factors(data: &Data) -> Result<String> {
    let all = object(data, "prices", "/precompiles")?.into_iter();
    let rows = all.filter_map(|(name, times)| {
        let times = times.as_f64()?;
        Some((name.clone(), times, format!("{times} ×")))
    });
    Ok(bars("how many times EXECUTE counts the gas of a precompile", rows))
}

/// Draws how much longer the reference takes, of the first figures of the table.
fn libraries(data: &Data) -> Result<String> {
    let table = "/Libraries for precompiles";
    let mut rows = Vec::new();
    for name in object(data, "performance", table)?.keys() {
        let of = |column: &str| data.number("performance", &format!("{table}/{name}/{column}"));
        let (Ok((_, reference)), Ok((_, fast))) = (of("reference"), of("fast library")) else {
            continue;
        };
        let name = name.split(" over ").next().unwrap_or_default().to_owned();
        rows.push((name, reference / fast, format!("{:.1} ×", reference / fast)));
    }
    Ok(bars("time of a call with the reference over time with the fast library", rows))
}

fn parts(data: &Data) -> Result<String> {
    let all = object(data, "bytes", "/transfers")?;
    let all = all.into_iter().filter(|(name, _)| *name != "all");
    let mut rows: Vec<_> = all
        .filter_map(|(name, part)| {
            let bytes = part["bytes"].as_f64()?;
            Some((name.clone(), bytes, grouped(bytes)))
        })
        .collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(bars("bytes of a batch of 500 transfers, by part", rows))
}

fn forms(data: &Data) -> Result<String> {
    let mut rows = Vec::new();
    for block in ["1 transfer", "50 transfers", "500 transfers"] {
        for form in ["specs", "blobs"] {
            let gas = data.number("dialects", &format!("/{block}/{form}/gas"))?.1;
            rows.push((format!("{block}, {form}"), gas, grouped(gas)));
        }
    }
    Ok(bars("L1 gas of a call with a block, without blob gas", rows))
}

fn payments(data: &Data) -> Result<String> {
    let mut rows = Vec::new();
    for payment in ["follows", "held", "allowance"] {
        let filled = data.number("market", &format!("/payments/{payment}/hostile/filled"))?.1;
        rows.push((payment.to_owned(), filled, grouped(filled)));
    }
    Ok(bars("L1 blocks that a hundred ether fill, by model of payment", rows))
}

fn vectors(data: &Data) -> Result<String> {
    let mut rows = Vec::new();
    for (file, counts) in object(data, "vectors", "/files")? {
        let [accepted, rejected] =
            ["accepted", "rejected"].map(|key| counts[key].as_f64().unwrap_or_default());
        let figure = format!("{accepted} accepted, {rejected} rejected");
        rows.push((file.to_string(), accepted + rejected, figure));
    }
    Ok(bars("calls of the conformance vectors", rows))
}
