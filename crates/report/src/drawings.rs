//! Charts of findings, from data files.

use crate::data::Data;
use charts::{Bar, Bars, COLOURS, Dot, Scatter};
use eyre::{OptionExt as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns the charts by file name.
///
/// # Errors
///
/// If a data file lacks a figure of a chart.
pub(crate) fn draw(data: &Data) -> Result<Vec<(&'static str, String)>> {
    let mut charts = vec![
        ("F-01-transfer.svg", transfer(data)?),
        ("F-02-node-price.svg", node_price(data)?),
        ("F-06-factors.svg", factors(data)?),
        ("F-12-parts.svg", parts(data)?),
        ("F-13-forms.svg", forms(data)?),
        ("F-14-waits.svg", payments(data)?),
        ("F-17-vectors.svg", vectors(data)?),
        ("F-18-speed.svg", speed(data)?),
    ];
    if data.files().contains_key("gas-model") {
        charts.push(("F-02-time.svg", time(data)?));
    }
    Ok(charts)
}

fn bars(title: &str, rows: impl IntoIterator<Item = (String, f64, String)>) -> String {
    let bar = |(name, value, figure)| Bar { name, value, figure, colour: COLOURS[0] };
    let bars = rows.into_iter().map(bar).collect();
    Bars { title: title.to_owned(), reference: None, bars }.svg()
}

/// Returns the entries of an object, sorted, since the order of a map depends on features of crates.
fn object<'d>(
    data: &'d Data,
    file: &str,
    pointer: &str,
) -> Result<BTreeMap<&'d String, &'d Value>> {
    Ok(data.get(file, pointer)?.1.as_object().ok_or_eyre("no object")?.iter().collect())
}

fn grouped(value: f64) -> String {
    crate::template::written(value, None).unwrap_or_default()
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

fn time(data: &Data) -> Result<String> {
    let rows = data.get("gas-model", "/rows")?.1.as_array().ok_or_eyre("no rows")?;
    let dots = rows.iter().filter_map(|row| {
        let series = usize::from(row["group"] != "vectors");
        Some(Dot { x: row["bytes"].as_f64()?, y: row["ratio"].as_f64()?, series })
    });
    Ok(Scatter {
        title: "time over what the call pays for, at 3 ns per gas".into(),
        across: "bytes of the input".into(),
        series: vec!["real blocks, fixtures".into(), "worst-case inputs".into()],
        is_connected: false,
        dots: dots.collect(),
    }
    .svg())
}

fn factors(data: &Data) -> Result<String> {
    let all = object(data, "prices", "/precompiles")?.into_iter();
    let rows = all.filter_map(|(name, times)| {
        let times = times.as_f64()?;
        Some((name.clone(), times, format!("{times} ×")))
    });
    Ok(bars("how many times EXECUTE counts the gas of a precompile", rows))
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

fn speed(data: &Data) -> Result<String> {
    let mut rows = Vec::new();
    for name in object(data, "benchmarks", "/EXECUTE")?.keys() {
        let ratio = data.number("benchmarks", &format!("/EXECUTE/{name}/one over ethrex"));
        let Ok((_, ratio)) = ratio else { continue };
        rows.push((name.to_string(), ratio, format!("{ratio:.2}")));
    }
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(bars("time on one thread over ethrex 31's", rows))
}
