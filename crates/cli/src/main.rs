//! `enshrine`: the tools of a native rollup on the command line.
//!
//! Output is for people; `--json` makes it one JSON document for machines, whose keys are written
//! as Ethereum's JSON-RPC writes its own. Errors go to standard error and say what, where, and what
//! to do; the exit code is 0 only if everything asked for is true.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod completions;
mod execute;
mod forge;
mod logging;
mod output;
mod rollup;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

// Requests are mostly small allocations, at which the C library's allocator is slower.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Native rollups: EXECUTE, a devnet that has it, and the nodes of an L2.
#[derive(Debug, Parser)]
#[command(name = "enshrine", version, propagate_version = true)]
struct Cli {
    /// Format of log lines. RUST_LOG selects the levels; the default is warnings and errors, and
    /// for a node of a rollup also its progress.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: logging::Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify, inspect, measure and fetch the inputs of EXECUTE.
    #[command(subcommand)]
    Execute(execute::Command),
    /// Run an L1 for development: anvil's flags and methods, with EXECUTE inside.
    ///
    /// Listens on port 8545 for HTTP and WebSocket, and holds ten accounts with ether. SIGINT ends
    /// it.
    Devnet(Box<devnet::args::DevnetArgs>),
    /// Serve the test utilities for Foundry (`test/utils`).
    #[command(subcommand)]
    Forge(forge::Command),
    /// Make all that a new rollup begins with: the genesis of its L2, the configuration of
    /// `script/Deploy.s.sol` and of a node, and keys for development.
    Init(Box<rollup::init::Arguments>),
    /// Run a node of a rollup: a sequencer, or a follower of L1.
    ///
    /// Serves JSON-RPC over HTTP and WebSocket. SIGINT and SIGTERM end it.
    Node(Box<rollup::node::Arguments>),
    /// Write the state of an L2 to a file, or make the data directory of a node from one.
    #[command(subcommand)]
    Snapshot(rollup::snapshot::Command),
    /// Run a witness of leases, which decide which of several nodes makes the blocks of a rollup.
    ///
    /// A node leads while more than half of the witnesses have granted it the lease: three on
    /// machines that fail apart withstand the failure of one. SIGINT and SIGTERM end it.
    LeaseWitness(rollup::lease_witness::Arguments),
    /// Show the first block that a genesis file gives: hash, state root, header.
    Genesis(rollup::genesis::Arguments),
    /// Check the genesis of a rollup: state root and hash, codes and storage of the predeploys, and
    /// every other balance and code.
    ///
    /// Exits with 1 if the genesis has anything that a new L2 does not have and no flag allows.
    Verify(rollup::verify::Arguments),
    /// Make the calldata that claims a message of the L2 on L1.
    Prove(rollup::prove::Arguments),
    /// Make the calldata of what is sent to a rollup's contracts on L1.
    #[command(subcommand)]
    Calldata(rollup::calldata::Command),
    /// Print completions for a shell, or write manual pages.
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let Cli { log_format, command } = Cli::parse();
    logging::start(shown(log_format, &command));
    // Before any precompile runs.
    if let Err(error) = cryptography::install() {
        tracing::warn!(%error, "using the reference cryptography");
    }
    let outcome = match command {
        Command::Execute(command) => execute::run(command),
        Command::Devnet(args) => run_devnet(&args),
        Command::Forge(command) => forge::run(command),
        Command::Init(arguments) => rollup::init::run(&arguments),
        Command::Node(arguments) => rollup::node::run(&arguments),
        Command::Snapshot(command) => rollup::snapshot::run(&command),
        Command::LeaseWitness(arguments) => rollup::lease_witness::run(&arguments),
        Command::Genesis(arguments) => rollup::genesis::run(&arguments),
        Command::Verify(arguments) => rollup::verify::run(&arguments),
        Command::Prove(arguments) => rollup::prove::run(&arguments),
        Command::Calldata(command) => rollup::calldata::run(&command),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        output::complain(format_args!("error: {}", output::told(&error)));
        ExitCode::from(2)
    })
}

/// Levels and formats of the log, and of the devnet's console output.
fn shown(format: logging::Format, command: &Command) -> logging::Shown {
    let Command::Devnet(args) = command else {
        // Of a node that runs for months, the log is all that its operator sees.
        let runs_on = matches!(command, Command::Node(_) | Command::LeaseWitness(_));
        let verbosity = u8::from(runs_on);
        return logging::Shown { format, verbosity, ..Default::default() };
    };
    let display = &args.display;
    let format = if display.json { logging::Format::Json } else { format };
    let console = if display.json { logging::Format::Json } else { logging::Format::Text };
    let console = (!display.quiet).then_some(console);
    logging::Shown { format, verbosity: display.verbosity, quiet: display.quiet, console }
}

fn run_devnet(args: &devnet::args::DevnetArgs) -> eyre::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(devnet::run(args));
    // Blocking requests, such as one to another node, must not delay the exit.
    runtime.shutdown_background();
    outcome?;
    Ok(ExitCode::SUCCESS)
}
