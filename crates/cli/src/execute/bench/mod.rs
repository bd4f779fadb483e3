//! `enshrine execute bench`: EXECUTE compared with the floor, which is the minimum work of any
//! verifier.
//!
//! Times are medians over rounds. Each round measures the floor, one thread and all threads in
//! turn, so that drift of the machine's speed affects all three equally. The floor and one thread
//! are measured in CPU time of the thread, all threads in wall-clock time. Only the ratios are
//! comparable across machines.

mod report;

use super::load::{Loaded, Source, load_path};
use crate::output::say;
use clap::Args;
use core::num::NonZeroUsize;
use execute::Execute;
use eyre::{Result, WrapErr, bail};
use indicatif::{ProgressBar, ProgressStyle};
use measure::{Call, Effort, Floor, FloorTimes, StageTimes, median, timed};
use serde::Serialize;
use std::{env, path::PathBuf, process::ExitCode};

/// Environment variable with the folder of the test vectors.
const VECTORS: &str = "ENSHRINE_VECTORS";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    #[command(flatten)]
    effort: Effort,

    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
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
    #[serde(rename = "stagesMilliseconds")]
    pub(crate) stages_ms: StageTimes,
    #[serde(rename = "floorPartsMilliseconds")]
    pub(crate) floor_parts_ms: FloorTimes,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let threads = arguments.effort.threads()?;
    let mut all = Vec::new();
    let blocks = blocks(&arguments.source)?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new(blocks.len() as u64)
        .with_style(ProgressStyle::with_template("{pos} of {len} measured, {eta} left: {msg}")?);
    for (path, loaded) in blocks {
        let loaded = loaded?;
        bar.set_message(loaded.name.clone());
        let measured = measure(&loaded, &arguments.effort, threads)
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

/// Returns the given blocks, or those in the folder that [`VECTORS`] contains.
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

fn measure(loaded: &Loaded, effort: &Effort, threads: NonZeroUsize) -> Result<Measured> {
    let Loaded { name, calldata, .. } = loaded;
    let single = Execute { cryptography: crypto::libraries(), ..Execute::l1() };
    let parallel = Execute { threads, ..single.clone() };
    let verdict = single.run(calldata, u64::MAX)?.verdict;
    let floor = Floor::prepare(calldata, crypto::libraries())?;

    let mut rounds = Rounds::default();
    for _ in effort.rounds() {
        rounds.floor.push(floor.run()?);
        rounds.single.push(Call::measure(&single, calldata)?);
        let (outcome, elapsed) = timed(|| parallel.run(calldata, u64::MAX));
        outcome?;
        rounds.parallel.push(elapsed.by_clock);
    }

    let combine = |times: Vec<f64>| median(times.into_iter());
    Ok(Measured {
        name: name.clone(),
        gas: verdict.header.gas_used,
        input_bytes: calldata.len(),
        single_ms: median(rounds.single.iter().map(|call| call.elapsed.on_core)),
        parallel_ms: median(rounds.parallel.iter().copied()),
        floor_ms: median(rounds.floor.iter().map(FloorTimes::total)),
        stages_ms: StageTimes::each(&rounds.single, combine),
        floor_parts_ms: FloorTimes::each(&rounds.floor, combine),
    })
}

#[derive(Default)]
struct Rounds {
    floor: Vec<FloorTimes>,
    single: Vec<Call>,
    parallel: Vec<f64>,
}
