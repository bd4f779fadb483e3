//! `side-by-side`: EXECUTE and ethrex on the same blocks, in the same process, on one thread each.
//!
//! EXECUTE runs with the fast libraries of crate `cryptography`, and again with the libraries that revm is built with.
//! Times are medians over rounds in which the three alternate, so that a machine with drifting speed slows all
//! alike, and count only while the thread has a core. Only ratios can be compared across machines. A time is that of
//! one whole call, from calldata to verdict: decoding, linking the witness, senders, execution, roots.

use alloy_primitives::Bytes;
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use cryptography::Backend;
use enshrine_differential::{RealBlock, ethrex, real_blocks};
use execute::Execute;
use eyre::{Result, bail};
use rustix::time::{ClockId, Timespec, clock_gettime};
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
    /// Ours with the libraries that revm is built with.
    reference_ms: f64,
    ethrex_ms: f64,
    /// Ours over ethrex's.
    ratio: f64,
    /// Ours with the libraries that revm is built with, over ethrex's.
    reference_ratio: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    cryptography::install()?;
    let mut blocks = real_blocks("EXECUTE and ethrex side by side")?;
    if !arguments.names.is_empty() {
        blocks.retain(|block| arguments.names.iter().any(|name| block.name.contains(name)));
    }
    if blocks.is_empty() {
        bail!("nothing to measure: set {} to test vectors", testkit::vectors::VARIABLE);
    }
    let measured =
        blocks.iter().map(|block| measure(block, &arguments)).collect::<Result<Vec<_>>>()?;
    let geomean = geometric_mean(&measured, |block| block.ratio);
    let reference = geometric_mean(&measured, |block| block.reference_ratio);
    if arguments.json {
        let document = serde_json::json!({
            "blocks": measured, "geomean_ratio": geomean, "geomean_reference_ratio": reference,
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        print(&measured);
        println!("geometric mean of ours / ethrex: {geomean:.3}; with reference: {reference:.3}");
    }
    Ok(())
}

fn measure(block: &RealBlock, arguments: &Arguments) -> Result<Measured> {
    let RealBlock { name, calldata } = block;
    let execute = Execute::l1();
    let ours = |calldata: &Bytes, backend: Backend| -> Result<u64> {
        cryptography::select(backend);
        Ok(execute.run(calldata, u64::MAX)?.verdict.header.gas_used)
    };
    // Once unmeasured: libraries set themselves up at first use.
    let gas = ours(calldata, Backend::Fast)?;
    ours(calldata, Backend::Reference)?;
    ethrex::verify(calldata)?;

    let mut times = [const { Vec::new() }; 3];
    let budget = Duration::from_millis(arguments.budget);
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < arguments.rounds.max(1) || start.elapsed() < budget {
        // Each verifier finds the caches of the one before: another in each round.
        for turn in 0..times.len() {
            let verifier = (rounds + turn) % times.len();
            let time = timed(|| match verifier {
                0 => ours(calldata, Backend::Fast).map(drop),
                1 => ours(calldata, Backend::Reference).map(drop),
                _ => Ok(ethrex::verify(calldata)?),
            })?;
            times[verifier].push(time);
        }
        rounds += 1;
    }
    let [ours_ms, reference_ms, ethrex_ms] = times.map(median);
    Ok(Measured {
        name: name.clone(),
        gas,
        input_bytes: calldata.len(),
        rounds,
        ours_ms,
        reference_ms,
        ethrex_ms,
        ratio: ours_ms / ethrex_ms,
        reference_ratio: reference_ms / ethrex_ms,
    })
}

/// Milliseconds on a core that `work` takes.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = on_core();
    work()?;
    Ok((on_core() - start).as_secs_f64() * 1e3)
}

/// Time for which the calling thread has had a core.
fn on_core() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative, and nanoseconds are below a second.
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or_default())
}

fn geometric_mean(measured: &[Measured], ratio: impl Fn(&Measured) -> f64) -> f64 {
    let logarithms: f64 = measured.iter().map(|block| ratio(block).ln()).sum();
    (logarithms / measured.len() as f64).exp()
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

fn print(measured: &[Measured]) {
    println!("one thread each, milliseconds on a core, medians of rounds in turn");
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "block",
        "Mgas",
        "MB",
        "rounds",
        "ours",
        "reference",
        "ethrex",
        "ours/ethrex",
    ]);
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
            format!("{:.2}", block.reference_ms),
            format!("{:.2}", block.ethrex_ms),
            format!("{:.3}", block.ratio),
        ]);
    }
    println!("{}", table.trim_fmt());
}
