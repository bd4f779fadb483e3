//! Measures whether the gas schedule of EXECUTE covers the work of a node: time relative to price
//! for real blocks and for worst-case inputs. `docs/gas.md` derives the prices.
//!
//! The command fails if any input takes more than 1.5 times the time that it pays for, at 3 ns per
//! gas, on one thread, with Keccak without wide vector instructions. A yardstick, measured before
//! and after each input, compares this machine with the reference machine of the prices, and times
//! are divided by its slowness. Worst-case inputs are measured at each fork that EXECUTE verifies.
//! The command also fails without the test vectors, unless `--without-vectors` skips real blocks
//! and official fixtures.

pub(crate) mod dialects;
mod inputs;
pub(crate) mod precompiles;
mod programs;
mod report;
mod rows;
pub(crate) mod speed;

use execute::Execute;
use eyre::{Result, bail};
use keccak::Backend;
use report::{MeasuredRow, document, print_head};
use rows::{Input, Rows};
use speed::{ReferenceWork, Timer};
use std::process::ExitCode;
use wire::ProtocolFork;

/// Time that one gas pays for, in nanoseconds.
const NANOSECONDS: f64 = 3.0;
/// Approximate duration of one measurement, in nanoseconds.
const LONG_ENOUGH: f64 = 10e6;
/// Maximum ratio of an input's time to the time that it pays for.
const TOLERANCE: f64 = 1.5;

/// Arguments of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Substrings of the names of inputs to measure [default: all]
    names: Vec<String>,
    /// Fork for the worst-case inputs; may be given several times
    #[arg(long = "fork", value_name = "FORK", value_parser = codec::parse_fork)]
    forks: Vec<ProtocolFork>,
    /// Measure each input fewer times
    #[arg(long)]
    quick: bool,
    /// Skip real blocks and official fixtures
    #[arg(long)]
    without_vectors: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { names, mut forks, quick, without_vectors, json } = arguments;
    if forks.is_empty() {
        // Forks that only change blob parameters change no prices.
        forks = Execute::l1().forks.forks();
        forks.retain(|fork| !matches!(fork, ProtocolFork::Bpo1 | ProtocolFork::Bpo2));
    }
    let rounds = if quick { 3 } else { 7 };
    let backends: Vec<Backend> = Backend::available().collect();
    if !json {
        print_head(&backends);
    }
    let yardstick = ReferenceWork::new();
    let (mut all, mut group) = (Vec::new(), "vectors".to_owned());
    let mut row = |group: &str, input: Input| -> Result<()> {
        if !names.is_empty() && !names.iter().any(|part| input.name.contains(part.as_str())) {
            return Ok(());
        }
        let measured = measure(group, &input, &backends, rounds, &yardstick);
        if !json {
            measured.print();
        }
        all.push(measured);
        Ok(())
    };
    if !without_vectors {
        let mut row = |input| row(&group, input);
        let found = [inputs::real(&mut row)?, inputs::worst_cases(&mut row)?];
        if found.contains(&0) {
            bail!(
                "real blocks or official fixtures are missing; use --without-vectors to skip them"
            );
        }
    }
    for fork in forks {
        if !json {
            println!("\n{fork}");
        }
        group = fork.to_string();
        inputs::hostile(&mut Rows { fork, measure: &mut |input| row(&group, input) })?;
    }
    if all.is_empty() {
        bail!("no input matches these names");
    }
    let expensive: Vec<_> = all.iter().filter(|row| row.ratio > TOLERANCE).collect();
    let verdict = if expensive.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        println!("{:#}", document(&all));
        return Ok(verdict);
    }
    let (count, measured) = (expensive.len(), all.len());
    if expensive.is_empty() {
        println!("\nno input of {measured} takes more than {TOLERANCE} times what it pays for");
    } else {
        println!(
            "\n{count} of {measured} inputs take more than {TOLERANCE} times what they pay for:"
        );
    }
    for row in expensive {
        println!("  {}: {:.2}", row.name, row.ratio);
    }
    Ok(verdict)
}

/// Measures an input, relative to its price with the slowest Keccak.
fn measure(
    group: &str,
    input: &Input,
    backends: &[Backend],
    rounds: usize,
    yardstick: &ReferenceWork,
) -> MeasuredRow {
    let (gas, verdict) = price(input);
    let call = input.call();
    let bytes = input.dialect.bytes(&call).unwrap_or(call.calldata.len());
    let mut row = MeasuredRow {
        name: input.name.clone(),
        group: group.to_owned(),
        bytes,
        gas,
        verdict,
        ms: Vec::new(),
        slowness: 1.0,
        ratio: 0.0,
        spread: [0.0; 2],
    };
    for backend in backends {
        keccak::restrict_to(*backend);
        // Short runs are repeated, so that reading the clock is negligible.
        let timer = Timer::start();
        drop(input.run());
        let times = (LONG_ENOUGH / timer.nanoseconds().max(1.0)).clamp(1.0, 1_000.0) as usize;
        let rounds = (0..rounds).map(|_| {
            let before = yardstick.slowness();
            let timer = Timer::start();
            for _ in 0..times {
                drop(input.run());
            }
            let time = timer.nanoseconds() / times as f64;
            (time, f64::midpoint(before, yardstick.slowness()))
        });
        let rounds: Vec<_> = rounds.collect();
        let ratios =
            || rounds.iter().map(|(time, slower)| time / slower / gas as f64 / NANOSECONDS);
        row.ms.push(quantile(rounds.iter().map(|(time, slower)| time / slower), 0.5) / 1e6);
        row.slowness = row.slowness.max(quantile(rounds.iter().map(|(_, slower)| *slower), 0.5));
        let ratio = quantile(ratios(), 0.5);
        if ratio > row.ratio {
            row.ratio = ratio;
            row.spread = [0.1, 0.9].map(|share| quantile(ratios(), share));
        }
    }
    keccak::restrict_to(Backend::Avx512);
    row
}

/// Returns a quantile: the median for a share of a half.
fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    values.get((last * share).round() as usize).copied().unwrap_or_default()
}

/// Returns the charge of a call, or for a failed call its reserve, the minimum that it loses.
fn price(input: &Input) -> (u64, String) {
    let outcome = input.run();
    let verdict = match &outcome {
        Ok(_) => "valid".to_owned(),
        Err(refused) => refused.reason.to_string().chars().take(40).collect(),
    };
    let held = outcome.as_ref().map_or_else(|refused| refused.gas, |executed| executed.reserve);
    let answer = input.dialect.answer(&input.calldata, outcome);
    (answer.map_or(held, |answer| answer.gas), verdict)
}
