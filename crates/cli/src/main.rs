//! `enshrine`: command-line interface of a native rollup.
//!
//! Output is human-readable; with `--json` it is one JSON document, with keys in camelCase like
//! those of Ethereum's JSON-RPC. Errors go to standard error. They contain the cause, the location
//! and what to do about it. The exit code is 0 only if every requested operation or check
//! succeeded.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod completions;
mod execute;
mod forge;
mod localnet;
mod logging;
mod openrpc;
mod output;
mod rollup;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

// RPC requests allocate many small objects, which is slower with the C library's allocator.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Native rollups: EXECUTE, a devnet with EXECUTE, and L2 nodes.
#[derive(Debug, Parser)]
#[command(name = "enshrine", version, propagate_version = true)]
struct Cli {
    /// Log format. RUST_LOG selects the log levels; without it, warnings and errors are logged, and
    /// by `node` and `watch` also their progress.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: logging::Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify, inspect, benchmark, encode and fetch inputs of EXECUTE.
    #[command(subcommand)]
    Execute(execute::Command),
    /// Run a local L1 for development, with EXECUTE and with the flags and methods of anvil.
    ///
    /// Listens on port 8545 for HTTP and WebSocket, and creates ten accounts with ether. SIGINT
    /// stops it.
    Devnet(Box<devnet::args::DevnetArgs>),
    /// Run an L1 with EXECUTE and a rollup on it in one process, for development.
    ///
    /// Ten accounts with public keys have ether on both chains. SIGINT and SIGTERM stop
    /// both.
    Localnet(Box<localnet::Arguments>),
    /// Commands that the test utilities for Foundry (`test/utils`) call.
    #[command(subcommand)]
    Forge(forge::Command),
    /// Create the files of a new rollup: the L2 genesis, the configuration of
    /// `script/Deploy.s.sol` and of a node, and development keys.
    Init(Box<rollup::init::Arguments>),
    /// Run a rollup node: a sequencer, or a follower that derives the L2 from L1.
    ///
    /// Serves JSON-RPC over HTTP and WebSocket. SIGINT and SIGTERM stop it.
    Node(Box<rollup::node::Arguments>),
    /// Watch the sequencer of a rollup: a follower that finds broken preconfirmations, and proves
    /// them to the registry of bonds on L1.
    ///
    /// SIGINT and SIGTERM stop it.
    Watch(Box<rollup::watch::Arguments>),
    /// Deposit, inspect and withdraw the bond of a sequencer that signs preconfirmations, and
    /// register its signers.
    #[command(subcommand)]
    Bond(rollup::bond::Command),
    /// Export the state of an L2 to a file, or create the data directory of a node from such a
    /// file.
    #[command(subcommand)]
    Snapshot(rollup::snapshot::Command),
    /// Print the first block of a genesis file: hash, state root and header.
    Genesis(rollup::genesis::Arguments),
    /// Verify the genesis of a rollup: state root and hash, code and storage of the predeploys, and
    /// every other balance and code.
    ///
    /// Exits with 1 if the genesis contains anything that a new L2 does not have and that no flag
    /// allows.
    Verify(rollup::verify::Arguments),
    /// Print the calldata that claims an L2→L1 message on L1.
    Prove(rollup::prove::Arguments),
    /// Exit from a rollup that is no longer advanced: print proofs against its last state as
    /// calldata for L1.
    #[command(subcommand)]
    Exit(rollup::exit::Command),
    /// Print calldata for the rollup's contracts on L1.
    #[command(subcommand)]
    Calldata(rollup::calldata::Command),
    /// Print the OpenRPC document of the nodes' methods that other Ethereum nodes do not have.
    Openrpc(openrpc::Arguments),
    /// Print shell completions, or write manual pages.
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let Cli { log_format, command } = Cli::parse();
    logging::start(log_options(log_format, &command));
    // Must precede the first call of a precompile.
    if let Err(error) = crypto::install() {
        tracing::warn!(%error, "failed to install the cryptography libraries, using the reference implementations");
    }
    let outcome = match command {
        Command::Execute(command) => execute::run(command),
        Command::Devnet(args) => run_devnet(&args),
        Command::Localnet(arguments) => localnet::run(&arguments),
        Command::Forge(command) => forge::run(command),
        Command::Init(arguments) => rollup::init::run(&arguments),
        Command::Node(arguments) => rollup::node::run(&arguments),
        Command::Watch(arguments) => rollup::watch::run(&arguments),
        Command::Bond(command) => rollup::bond::run(&command),
        Command::Snapshot(command) => rollup::snapshot::run(&command),
        Command::Genesis(arguments) => rollup::genesis::run(&arguments),
        Command::Verify(arguments) => rollup::verify::run(&arguments),
        Command::Prove(arguments) => rollup::prove::run(&arguments),
        Command::Exit(command) => rollup::exit::run(&command),
        Command::Calldata(command) => rollup::calldata::run(&command),
        Command::Openrpc(arguments) => openrpc::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        output::print_stderr(format_args!("error: {}", output::error_chain(&error)));
        ExitCode::from(2)
    })
}

/// Returns the levels and formats of the log and of the devnet's console output.
fn log_options(format: logging::Format, command: &Command) -> logging::LogOptions {
    let Command::Devnet(args) = command else {
        // Nodes log at `info` by default, because operators monitor them by their logs.
        let verbosity = u8::from(matches!(command, Command::Node(_) | Command::Watch(_)));
        let is_localnet = matches!(command, Command::Localnet(_));
        let hidden = if is_localnet { localnet::HIDDEN_TARGETS } else { &[] };
        return logging::LogOptions { format, verbosity, hidden, ..Default::default() };
    };
    let display = &args.display;
    let format = if display.json { logging::Format::Json } else { format };
    let console = if display.json { logging::Format::Json } else { logging::Format::Text };
    let console = (!display.quiet).then_some(console);
    let (verbosity, quiet) = (display.verbosity, display.quiet);
    logging::LogOptions { format, verbosity, quiet, hidden: &[], console }
}

fn run_devnet(args: &devnet::args::DevnetArgs) -> eyre::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(devnet::run(args));
    // Do not wait for blocking tasks, such as a request to another node.
    runtime.shutdown_background();
    outcome?;
    Ok(ExitCode::SUCCESS)
}
