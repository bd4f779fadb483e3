//! Measurements and simulations behind the figures of the documents.
//!
//! `gas-model` holds time against price of EXECUTE, `economics` says what L2 transactions cost on L1, `market` what
//! rollups pay for EXECUTE gas, and `chain-on-disk` how fast a chain commits, reopens and proves.
//!
//! This crate owns the worlds that are measured and how their figures are printed. It owns no rule that it measures,
//! and nothing that is shipped links it.

mod chain_on_disk;
mod economics;
mod gas_model;
mod market;

use clap::Parser;
use eyre::Result;
use std::process::ExitCode;

/// Measures what the documents of Enshrine give figures of.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
enum Simulation {
    /// Time against price of EXECUTE, for real blocks and worst-case inputs
    GasModel(gas_model::Arguments),
    /// Cost on L1 of an L2's transactions, by receipts
    Economics(economics::Arguments),
    /// Price, waiting and load of rollups on the market for EXECUTE gas
    Market(market::Arguments),
    /// Commits, reopening after a kill, space and proofs of a chain on disk
    ChainOnDisk(chain_on_disk::Arguments),
}

fn main() -> Result<ExitCode> {
    match Simulation::parse() {
        Simulation::GasModel(arguments) => return gas_model::run(arguments),
        Simulation::Economics(arguments) => economics::run(&arguments)?,
        Simulation::Market(arguments) => market::run(&arguments)?,
        Simulation::ChainOnDisk(arguments) => chain_on_disk::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
