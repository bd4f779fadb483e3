//! Measurements and simulations behind the figures of the documents.
//!
//! `gas-model` holds time against price of EXECUTE, `economics` says what L2 transactions cost on
//! L1, `dialects` what the forms of EXECUTE do, `market` what rollups pay for EXECUTE gas, and
//! `chain-on-disk` how fast a chain commits, reopens and proves. `load` and `soak` run a rollup of
//! processes: the one measures it, the other puts faults into it and compares its nodes. `vectors`
//! writes calls of EXECUTE and their answers as files.
//!
//! This crate owns the worlds that are measured and how their figures are printed. It owns no rule
//! that it measures, and nothing that is shipped links it.

mod chain_on_disk;
mod dialects;
mod economics;
mod gas_model;
mod load;
mod market;
mod soak;
mod vectors;

use clap::Parser;
use eyre::Result;
use localnet::output::{complain, until_unheard};
use std::process::ExitCode;

/// Measures and simulates what the documents of Enshrine give figures of.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
enum Simulation {
    /// Time against price of EXECUTE, for real blocks and worst-case inputs
    GasModel(gas_model::Arguments),
    /// Cost on L1 of an L2's transactions, by receipts
    Economics(economics::Arguments),
    /// The same blocks in each dialect of EXECUTE: bytes, gas, time and limits on L1
    Dialects(dialects::Arguments),
    /// Conformance vectors: calls of EXECUTE and their answers, for any implementer
    Vectors(vectors::Arguments),
    /// Price, waiting and load of rollups on the market for EXECUTE gas
    Market(market::Arguments),
    /// Commits, reopening after a kill, space and proofs of a chain on disk
    ChainOnDisk(chain_on_disk::Arguments),
    /// Rates and latencies of a rollup of processes, and the time to rebuild it from L1
    Load(load::Arguments),
    /// Random traffic and faults over a rollup of processes, whose nodes are compared after each
    /// step
    Soak(soak::Arguments),
}

fn main() -> ExitCode {
    until_unheard(|| {
        run().unwrap_or_else(|error| {
            complain(format_args!("\nFAILED: {error:#}"));
            ExitCode::FAILURE
        })
    })
}

fn run() -> Result<ExitCode> {
    match Simulation::parse() {
        Simulation::GasModel(arguments) => return gas_model::run(arguments),
        Simulation::Economics(arguments) => economics::run(&arguments)?,
        Simulation::Dialects(arguments) => dialects::run(&arguments)?,
        Simulation::Vectors(arguments) => vectors::run(&arguments)?,
        Simulation::Market(arguments) => market::run(&arguments)?,
        Simulation::ChainOnDisk(arguments) => chain_on_disk::run(&arguments)?,
        Simulation::Load(arguments) => load::run(&arguments)?,
        Simulation::Soak(arguments) => soak::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
