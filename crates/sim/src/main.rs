//! Measurements and simulations behind the figures of the documents.
//!
//! `gas-model` compares the time of EXECUTE with its price, `economics` measures the cost of L2
//! transactions on L1, `dialects` compares the input forms of EXECUTE, `market` simulates what
//! rollups pay for EXECUTE gas, `chain-on-disk` measures how fast a chain commits, reopens and
//! proves, and `devnet` compares the devnet with stock anvil. `load` and `soak` run a rollup whose
//! nodes are processes: the former measures it, the latter injects faults and compares the nodes,
//! or with `--adversary` tries to slash two honest sequencers. `kills` kills a sequencer that signs
//! prefixes, and `failover` the leader of two with a lease, and members of etcd. `etcd` measures
//! the latency of a record there. `vectors` writes conformance vectors for EXECUTE, `findings`
//! further exact figures of `docs/report`, and `report` makes the pages and charts of that report
//! from its templates and data files.
//!
//! This crate contains the simulated setups and the output of their figures. It implements no rule
//! that it measures, and no shipped crate links it.

mod adversary;
mod chain_on_disk;
mod devnet;
mod dialects;
mod economics;
mod etcd;
mod failover;
mod findings;
mod gas_model;
mod kills;
mod load;
mod market;
mod payers;
mod report;
mod soak;
mod vectors;

use clap::Parser;
use eyre::Result;
use std::process::ExitCode;
use testkit::localnet::output::{complain, exit_on_failed_print};

/// Measure and simulate the figures in Enshrine's documents
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
enum Simulation {
    /// Compare the time of EXECUTE with its price, for real blocks and worst-case inputs
    GasModel(gas_model::Arguments),
    /// Measure the cost of L2 transactions on L1 from receipts
    Economics(economics::Arguments),
    /// Compare the dialects of EXECUTE for the same blocks: bytes, gas, time and L1 limits
    Dialects(dialects::Arguments),
    /// Write or check conformance vectors: calls of EXECUTE and their answers
    Vectors(vectors::Arguments),
    /// Make, check or measure the report in docs/report
    Report(report::Arguments),
    /// Print exact figures of that report
    Findings(findings::Arguments),
    /// Simulate the EXECUTE gas market: prices, queueing delays and utilisation
    Market(market::Arguments),
    /// Measure commits, reopening after a kill, disk space and proofs of a chain on disk
    ChainOnDisk(chain_on_disk::Arguments),
    /// Measure the devnet and stock anvil in turn: start, transfers, calls
    Devnet,
    /// Measure rates and latencies of a rollup, and the time to derive it from L1
    Load(load::Arguments),
    /// Run a rollup under random traffic and faults, and compare its nodes after each step
    Soak(soak::Arguments),
    /// Kill a sequencer that signs prefixes, and compare what it has signed with its blocks
    Kills(kills::Arguments),
    /// Kill and suspend the leader of two sequencers with a lease that sign prefixes, and compare
    Failover(failover::Arguments),
    /// Measure the time in which etcd confirms a record of a signed prefix
    Etcd(etcd::Arguments),
}

fn main() -> ExitCode {
    exit_on_failed_print(|| {
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
        Simulation::Report(arguments) => report::run(&arguments)?,
        Simulation::Findings(arguments) => findings::run(&arguments)?,
        Simulation::Market(arguments) => market::run(&arguments)?,
        Simulation::ChainOnDisk(arguments) => chain_on_disk::run(&arguments)?,
        Simulation::Devnet => devnet::run()?,
        Simulation::Load(arguments) => load::run(&arguments)?,
        Simulation::Soak(arguments) => soak::run(&arguments)?,
        Simulation::Kills(arguments) => kills::run(&arguments)?,
        Simulation::Failover(arguments) => failover::run(&arguments)?,
        Simulation::Etcd(arguments) => etcd::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
