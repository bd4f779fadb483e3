//! `enshrine execute bench`: EXECUTE against the least work that any verifier must do.
//!
//! Times are medians over rounds in which the floor, one thread and all threads take turns, so that
//! a machine whose speed drifts slows all three alike. The floor and one thread are measured by the time that
//! their thread has a core, all threads by the clock. Ratios are what to compare across machines.

mod floor;
mod report;

use super::load::{Loaded, Source, load_path};
use crate::output::say;
use clap::Args;
use core::num::NonZeroUsize;
use execute::Execute;
use eyre::{Result, WrapErr, bail, ensure};
use floor::{Floor, FloorTimes};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::Serialize;
use stateless::Stage;
use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// Names the folder of the test vectors.
const VECTORS: &str = "ENSHRINE_VECTORS";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Least number of rounds per block.
    #[arg(long, value_name = "N", default_value_t = 9)]
    rounds: usize,

    /// Go on with rounds until a block has taken this many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    budget: u64,

    /// Threads of the parallel measurement; by default all that the machine has.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Milliseconds per stage on one thread.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct StageTimes {
    pub(crate) decode: f64,
    pub(crate) link: f64,
    pub(crate) senders: f64,
    pub(crate) execution: f64,
    pub(crate) roots: f64,
}

/// Measurements of one block.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    pub(crate) name: String,
    #[serde(rename = "gasUsed")]
    pub(crate) gas: u64,
    #[serde(rename = "bytes")]
    pub(crate) input_bytes: usize,
    #[serde(rename = "singleMilliseconds")]
    pub(crate) single_ms: f64,
    #[serde(rename = "parallelMilliseconds")]
    pub(crate) parallel_ms: f64,
    #[serde(rename = "floorMilliseconds")]
    pub(crate) floor_ms: f64,
    /// Most bytes held at once, the input included.
    pub(crate) peak_bytes: usize,
    #[serde(rename = "stagesMilliseconds")]
    pub(crate) stages_ms: StageTimes,
    #[serde(rename = "floorPartsMilliseconds")]
    pub(crate) floor_parts_ms: FloorTimes,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => thread::available_parallelism()?,
    };
    let mut all = Vec::new();
    let blocks = blocks(&arguments.source)?;
    // On a terminal only: elsewhere nothing is written.
    let bar = ProgressBar::new(blocks.len() as u64)
        .with_style(ProgressStyle::with_template("{pos} of {len} measured, {eta} left: {msg}")?);
    for (path, loaded) in blocks {
        let loaded = loaded?;
        bar.set_message(loaded.name.clone());
        let measured = measure(&loaded, arguments, threads)
            .wrap_err_with(|| format!("cannot measure {path}"))?;
        all.push(measured);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&report::document(&all, threads))?);
    } else {
        report::print(&all, threads);
    }
    Ok(ExitCode::SUCCESS)
}

/// The named blocks, or all in the folder that the environment names.
fn blocks(source: &Source) -> Result<Vec<(String, Result<Loaded>)>> {
    if !source.is_empty() {
        return Ok(source.load().collect());
    }
    let Some(vectors) = env::var_os(VECTORS).map(PathBuf::from) else {
        bail!(
            "nothing to measure: name files or folders, or set {VECTORS} to a folder with blocks/ in it"
        );
    };
    Ok(load_path(&vectors.join("blocks"), None).collect())
}

fn measure(loaded: &Loaded, arguments: &Arguments, threads: NonZeroUsize) -> Result<Measured> {
    let Loaded { name, calldata, .. } = loaded;
    let single = Execute::l1();
    let parallel = Execute { threads, ..Execute::l1() };
    let verdict = single.run(calldata, u64::MAX)?.verdict;
    let floor = Floor::prepare(calldata)?;

    let mut rounds = Rounds::default();
    let start = Instant::now();
    let budget = Duration::from_millis(arguments.budget);
    while rounds.len() < arguments.rounds.max(1) || start.elapsed() < budget {
        rounds.floor.push(floor.run()?);
        rounds.single.push(run_timed(&single, calldata)?);
        let start = Instant::now();
        parallel.run(calldata, u64::MAX)?;
        rounds.parallel.push(milliseconds(start.elapsed()));
    }
    let peak = |execute: &Execute| {
        let (outcome, peak) = crate::heap::peak_of(|| execute.run(calldata, u64::MAX));
        outcome.map(|_| peak)
    };
    let peak_bytes = calldata.len() + peak(&single)?.max(peak(&parallel)?);

    let stage =
        |of: fn(&StageTimes) -> f64| median(rounds.single.iter().map(|run| of(&run.stages)));
    let part = |of: fn(&FloorTimes) -> f64| median(rounds.floor.iter().map(of));
    Ok(Measured {
        name: name.clone(),
        gas: verdict.header.gas_used,
        input_bytes: calldata.len(),
        single_ms: median(rounds.single.iter().map(|run| run.total)),
        parallel_ms: median(rounds.parallel.iter().copied()),
        floor_ms: part(FloorTimes::total),
        peak_bytes,
        stages_ms: StageTimes {
            decode: stage(|times| times.decode),
            link: stage(|times| times.link),
            senders: stage(|times| times.senders),
            execution: stage(|times| times.execution),
            roots: stage(|times| times.roots),
        },
        floor_parts_ms: FloorTimes {
            keccak: part(|times| times.keccak),
            keccak_scalar: part(|times| times.keccak_scalar),
            senders: part(|times| times.senders),
            evm: part(|times| times.evm),
        },
    })
}

#[derive(Default)]
struct Rounds {
    floor: Vec<FloorTimes>,
    single: Vec<Timed>,
    parallel: Vec<f64>,
}

impl Rounds {
    const fn len(&self) -> usize {
        self.floor.len()
    }
}

/// One run of EXECUTE on one thread, in milliseconds on a core.
struct Timed {
    total: f64,
    stages: StageTimes,
}

fn run_timed(execute: &Execute, calldata: &[u8]) -> Result<Timed> {
    let start = on_core();
    let mut entered = Vec::with_capacity(8);
    let executed =
        execute.run_observed(calldata, u64::MAX, |stage| entered.push((stage, on_core())))?;
    let end = on_core();
    ensure!(executed.result.valid, "a successful call returns a true flag");
    let at =
        |stage| entered.iter().find(|(entered, _)| *entered == stage).map_or(end, |(_, at)| *at);
    let between = |from: Duration, to: Duration| milliseconds(to.saturating_sub(from));
    Ok(Timed {
        total: between(start, end),
        stages: StageTimes {
            decode: between(start, at(Stage::Link)),
            link: between(at(Stage::Link), at(Stage::Senders)),
            senders: between(at(Stage::Senders), at(Stage::Execution)),
            execution: between(at(Stage::Execution), at(Stage::Roots)),
            roots: between(at(Stage::Roots), end),
        },
    })
}

/// Time for which the calling thread has had a core. Work of other processes is not in it.
fn on_core() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative, and nanoseconds are below a second.
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or_default())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}
