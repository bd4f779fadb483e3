//! `side-by-side`: EXECUTE and ethrex on the same blocks, in the same process, on one thread each.
//!
//! Times are medians over rounds in which the two alternate, so that a machine with drifting speed slows both
//! alike. Only ratios can be compared across machines. A time is that of one whole call, from calldata to
//! verdict: decoding, linking the witness, senders, execution, roots.

use alloy_primitives::Bytes;
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use enshrine_differential::{RealBlock, ethrex, real_blocks};
use execute::Execute;
use eyre::{Result, bail};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Measures EXECUTE against ethrex on the real blocks of the vectors.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only blocks whose name holds one of these.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Least number of rounds per block.
    #[arg(long, value_name = "N", default_value_t = 9)]
    rounds: usize,

    /// Go on with rounds until a block has taken this many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    budget: u64,

    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Measurements of one block.
#[derive(Debug, Serialize)]
struct Measured {
    name: String,
    gas: u64,
    input_bytes: usize,
    rounds: usize,
    ours_ms: f64,
    ethrex_ms: f64,
    /// Ours over ethrex's.
    ratio: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut blocks = real_blocks("EXECUTE and ethrex side by side")?;
    if !arguments.names.is_empty() {
        blocks.retain(|block| arguments.names.iter().any(|name| block.name.contains(name)));
    }
    if blocks.is_empty() {
        bail!("nothing to measure: set {} to test vectors", testkit::vectors::VARIABLE);
    }
    let measured =
        blocks.iter().map(|block| measure(block, &arguments)).collect::<Result<Vec<_>>>()?;
    let logarithms: f64 = measured.iter().map(|block| block.ratio.ln()).sum();
    let geomean = (logarithms / measured.len() as f64).exp();
    if arguments.json {
        let document = serde_json::json!({ "blocks": measured, "geomean_ratio": geomean });
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        print(&measured, geomean);
    }
    Ok(())
}

fn measure(block: &RealBlock, arguments: &Arguments) -> Result<Measured> {
    let RealBlock { name, calldata } = block;
    let execute = Execute::l1();
    let ours = |calldata: &Bytes| -> Result<u64> {
        Ok(execute.run(calldata, u64::MAX)?.verdict.header.gas_used)
    };
    let theirs = |calldata: &Bytes| -> Result<()> { Ok(ethrex::verify(calldata)?) };
    // Once unmeasured: libraries set themselves up at first use.
    let gas = ours(calldata)?;
    theirs(calldata)?;

    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    let budget = Duration::from_millis(arguments.budget);
    let start = Instant::now();
    while our_times.len() < arguments.rounds.max(1) || start.elapsed() < budget {
        // The first verifier finds the caches of the other.
        if our_times.len() % 2 == 0 {
            our_times.push(timed(|| ours(calldata))?);
            their_times.push(timed(|| theirs(calldata))?);
        } else {
            their_times.push(timed(|| theirs(calldata))?);
            our_times.push(timed(|| ours(calldata))?);
        }
    }
    let rounds = our_times.len();
    let (ours_ms, ethrex_ms) = (median(our_times), median(their_times));
    Ok(Measured {
        name: name.clone(),
        gas,
        input_bytes: calldata.len(),
        rounds,
        ours_ms,
        ethrex_ms,
        ratio: ours_ms / ethrex_ms,
    })
}

/// Milliseconds that `work` takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

fn print(measured: &[Measured], geomean: f64) {
    println!("one thread each, milliseconds, medians of rounds in turn");
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["block", "Mgas", "MB", "rounds", "ours", "ethrex", "ratio"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for block in measured {
        table.add_row([
            block.name.clone(),
            format!("{:.2}", block.gas as f64 / 1e6),
            format!("{:.3}", block.input_bytes as f64 / 1e6),
            block.rounds.to_string(),
            format!("{:.2}", block.ours_ms),
            format!("{:.2}", block.ethrex_ms),
            format!("{:.3}", block.ratio),
        ]);
    }
    println!("{}", table.trim_fmt());
    println!("geometric mean of ours / ethrex: {geomean:.3}");
}
