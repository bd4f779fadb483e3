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
mod rows;
pub(crate) mod speed;

use execute::Execute;
use eyre::{Result, bail};
use keccak::Backend;
use rows::{Input, Rows};
use speed::{Timer, Yardstick};
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
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { names, mut forks, quick, without_vectors } = arguments;
    if forks.is_empty() {
        // Blob parameter forks change no price.
        forks = Execute::l1().forks.forks();
        forks.retain(|fork| !matches!(fork, ProtocolFork::Bpo1 | ProtocolFork::Bpo2));
    }
    let rounds = if quick { 3 } else { 7 };
    let backends: Vec<Backend> = Backend::available().collect();
    println!(
        "milliseconds on the machine of the prices, how many times as long they took on this one, and of the slowest \
         nanoseconds per gas and time over price\n"
    );
    print!("  {:<60}{:>10}{:>12}", "", "bytes", "gas");
    for backend in &backends {
        print!("{:>10}", format!("{backend:?}"));
    }
    println!("{:>8}{:>9}{:>7}", "slower", "ns/gas", "ratio");
    let yardstick = Yardstick::new();
    let (mut expensive, mut measured) = (Vec::new(), 0);
    let mut row = |input: Input| -> Result<()> {
        if !names.is_empty() && !names.iter().any(|part| input.name.contains(part.as_str())) {
            return Ok(());
        }
        measured += 1;
        let ratio = measure(&input, &backends, rounds, &yardstick);
        if ratio > TOLERANCE {
            expensive.push((input.name, ratio));
        }
        Ok(())
    };
    if !without_vectors {
        let found = [inputs::real(&mut row)?, inputs::worst_cases(&mut row)?];
        if found.contains(&0) {
            bail!(
                "real blocks or official fixtures are missing; use --without-vectors to skip them"
            );
        }
    }
    for fork in forks {
        println!("\n{fork}");
        inputs::hostile(&mut Rows { fork, measure: &mut row })?;
    }
    if measured == 0 {
        bail!("no input matches these names");
    }
    if expensive.is_empty() {
        println!("\nno input of {measured} takes more than {TOLERANCE} times what it pays for");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "\n{} of {measured} inputs take more than {TOLERANCE} times what they pay for:",
        expensive.len()
    );
    for (name, ratio) in expensive {
        println!("  {name}: {ratio:.2}");
    }
    Ok(ExitCode::FAILURE)
}

/// Prints a row, and returns the time divided by the price with the slowest Keccak.
fn measure(input: &Input, backends: &[Backend], rounds: usize, yardstick: &Yardstick) -> f64 {
    let (gas, verdict) = price(input);
    let call = input.call();
    let bytes = input.dialect.bytes(&call).unwrap_or(call.calldata.len());
    print!("  {:<60}{bytes:>10}{gas:>12}", input.name);
    let (mut slowest, mut slowness) = (0.0_f64, 1.0_f64);
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
            let taken = timer.nanoseconds() / times as f64;
            (taken, f64::midpoint(before, yardstick.slowness()))
        });
        let rounds: Vec<_> = rounds.collect();
        let taken = median(rounds.iter().map(|(taken, slower)| taken / slower));
        let slower = median(rounds.iter().map(|(_, slower)| *slower));
        print!("{:>10.3}", taken / 1e6);
        slowest = slowest.max(taken);
        slowness = slowness.max(slower);
    }
    keccak::restrict_to(Backend::Avx512);
    let (per_gas, ratio) = (slowest / gas as f64, slowest / (gas as f64 * NANOSECONDS));
    println!("{slowness:>8.2}{per_gas:>9.2}{ratio:>7.2}  {verdict}");
    ratio
}

/// Returns the median.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns the charge of a call, or for a failed call its reserve, the minimum that it loses.
fn price(input: &Input) -> (u64, String) {
    let outcome = input.run();
    let verdict = match &outcome {
        Ok(_) => "valid".to_owned(),
        Err(refused) => refused.reason.to_string().chars().take(40).collect(),
    };
    let held = outcome.as_ref().map_or_else(|refused| refused.held, |executed| executed.reserve);
    let answer = input.dialect.answer(&input.calldata, outcome);
    (answer.map_or(held, |answer| answer.gas), verdict)
}
