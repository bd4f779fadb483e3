//! `side-by-side`: EXECUTE, ethrex and the floor on the same blocks, in the same process.
//!
//! The verifiers take turns, so that changes in the speed of the machine affect all of them.
//! EXECUTE runs with the fast libraries of crate `crypto` on one thread and on all threads,
//! and on one thread with revm's default libraries, the *reference*; ethrex runs on one thread. A
//! time covers a whole call, from calldata to verdict: decoding, linking the witness, senders,
//! execution, roots. Single-thread times are CPU time, multi-thread times wall-clock time. Only
//! ratios can be compared across machines.

mod heap;
mod measured;
mod report;

use clap::Parser;
use enshrine_differential::{batches, heavy_blocks, real_blocks};
use eyre::{Result, WrapErr as _, bail};
use measure::Effort;
use measured::{Kind, Measured, Subject};
use std::{fs, path::PathBuf};

#[global_allocator]
static HEAP: heap::CountingHeap = heap::CountingHeap;

/// Measures EXECUTE against ethrex and the floor: on the real blocks of the vectors, on heavy
/// synthetic blocks, and on batches.
#[derive(Debug, Parser)]
struct Arguments {
    /// Measure only blocks whose name contains one of these.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    effort: Effort,

    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,

    /// Draw the ratios into this SVG file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    crypto::install()?;
    let threads = arguments.effort.threads()?;
    let is_named = |name: &str| {
        arguments.names.is_empty() || arguments.names.iter().any(|part| name.contains(part))
    };
    let mut all = Vec::new();
    for subject in subjects()?.into_iter().filter(|subject| is_named(&subject.name)) {
        eprintln!("{}", subject.name);
        let measured = Measured::of(&subject, &arguments.effort, threads)
            .wrap_err_with(|| format!("cannot measure {}", subject.name))?;
        all.push(measured);
    }
    if all.is_empty() {
        bail!("no block has one of these names: {}", arguments.names.join(", "));
    }
    if let Some(file) = &arguments.svg {
        fs::write(file, report::chart(&all))
            .wrap_err_with(|| format!("cannot write {}", file.display()))?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report::document(&all, threads))?);
    } else {
        report::print(&all, threads);
    }
    Ok(())
}

/// Returns all inputs to measure.
fn subjects() -> Result<Vec<Subject>> {
    let single = |kind| {
        move |block: enshrine_differential::RealBlock| Subject {
            kind,
            blocks: vec![block.calldata.clone()],
            name: block.name,
            calldata: block.calldata,
        }
    };
    let mut subjects: Vec<_> = real_blocks("EXECUTE and ethrex side by side")?
        .into_iter()
        .map(single(Kind::Real))
        .collect();
    subjects.extend(heavy_blocks()?.into_iter().map(single(Kind::Heavy)));
    subjects.extend(batches()?.into_iter().map(|batch| Subject {
        kind: Kind::Batch,
        name: batch.name,
        calldata: batch.calldata,
        blocks: batch.blocks,
    }));
    Ok(subjects)
}
