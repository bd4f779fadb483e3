//! The stages of `cargo xtask test`.

use std::{
    fs, io,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use eyre::WrapErr as _;
use toolchain::{Toolchain, progress_to_stderr};

use crate::{
    background::Background,
    book,
    built::{self, BUILD_CHECKED, CHECKS},
    checks::{self, Checked},
    lint, no_std, rust_tests, tools,
};

/// One stage. Stages run in this order: quick ones, and those that others need, come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Install the Solidity tools
    Setup,
    /// Check the repository's own rules
    LintRepo,
    /// cargo fmt --all --check
    RustFmt,
    /// forge fmt --check
    ForgeFmt,
    /// typos over all files
    Spelling,
    /// cargo update --locked: the lock files of the separate workspaces are up to date
    LockFiles,
    /// cargo shear: no unused dependencies
    UnusedDependencies,
    /// cargo deny: licences, sources and bans of the dependencies
    Deny,
    /// cargo deny: advisories against the dependencies; skipped where they cannot be fetched
    Advisories,
    /// cargo clippy over all targets, warnings denied
    Clippy,
    /// cargo doc over the whole workspace, warnings denied
    RustDoc,
    /// The zkVM guest without the standard library, on real blocks
    NoStd,
    /// forge build, warnings denied
    ForgeBuild,
    /// forge test, with the helper that its tests call
    ForgeTest,
    /// The tests of the whole workspace, two programs at a time, and its doctests
    RustTest,
    /// The book, with valid links only
    Book,
}

/// Selection of stages, and behaviour after a failure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The chosen stages; all of them when empty.
    pub(crate) only: Vec<Stage>,
    /// `true` to run the later stages after a failure.
    pub(crate) keep_going: bool,
    /// `true` for the long fuzzing of invariants in forge ([`THOROUGH`]).
    pub(crate) thorough: bool,
}

/// Outcome of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// The stage was skipped for this reason.
    Skipped(String),
}

impl Outcome {
    const fn passed_if(success: bool) -> Self {
        if success { Self::Passed } else { Self::Failed }
    }
}

impl From<Checked> for Outcome {
    fn from(checked: Checked) -> Self {
        match checked {
            Checked::Passed => Self::Passed,
            Checked::Failed => Self::Failed,
            Checked::Skipped(why) => Self::Skipped(why),
        }
    }
}

/// Reason to skip the stages of forge.
const NO_SOLIDITY: &str = "there is no .sol file below contracts/ or test/ yet";

/// Runs the planned stages and prints a summary. Returns `true` if none failed.
pub(crate) fn run(plan: &Plan) -> eyre::Result<bool> {
    let root = toolchain::find_root()?;
    let planned: Vec<_> = Stage::value_variants()
        .iter()
        .copied()
        .filter(|stage| plan.only.is_empty() || plan.only.contains(stage))
        .collect();
    let mut done = Vec::new();
    let mut forge_build: Option<Background> = None;
    for &stage in &planned {
        println!("\n=== {} ===", stage.name());
        let started = Instant::now();
        let outcome = match forge_build.take_if(|_| stage == Stage::ForgeBuild) {
            Some(begun) => begun.end(io::stdout()).map(Outcome::passed_if),
            None => stage.run(&root, plan.thorough),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            println!("{error:#}");
            Outcome::Failed
        });
        if stage == Stage::Setup && planned.contains(&Stage::ForgeBuild) {
            // forge build takes one core for minutes and does not depend on earlier stages, which
            // compile Rust on the other core. If it cannot start now, its own stage fails.
            forge_build = begin_forge_build(&root).ok().flatten();
        }
        let took = started.elapsed();
        println!("=== {} {} ===", stage.name(), verdict(&outcome, took));
        let failed = outcome == Outcome::Failed;
        done.push((stage, outcome, took));
        if failed && !plan.keep_going {
            break;
        }
    }
    tools::tidy(&root);

    println!("\nSummary");
    for (stage, outcome, took) in &done {
        println!("  {:<19} {}", stage.name(), verdict(outcome, *took));
    }
    for stage in &planned[done.len()..] {
        println!("  {:<19} not run", stage.name());
    }
    let passed = done.iter().all(|(_, outcome, _)| *outcome != Outcome::Failed);
    let total: Duration = done.iter().map(|(_, _, took)| *took).sum();
    let skipped = done.iter().filter(|(_, outcome, _)| matches!(outcome, Outcome::Skipped(_)));
    let skipped = match skipped.count() {
        0 => String::new(),
        count => format!(", stages SKIPPED: {count}"),
    };
    let result = if passed { "passed" } else { "FAILED" };
    println!("{result} in {:.1} s{skipped}", total.as_secs_f64());
    Ok(passed)
}

/// Describes the outcome of a stage.
fn verdict(outcome: &Outcome, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    match outcome {
        Outcome::Passed => format!("passed in {seconds:.1} s"),
        Outcome::Failed => format!("FAILED after {seconds:.1} s"),
        Outcome::Skipped(why) => format!("SKIPPED: {why}"),
    }
}

impl Stage {
    /// Returns the name of the stage for `--only`.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, root: &Path, thorough: bool) -> eyre::Result<Outcome> {
        match self {
            Self::Setup => {
                Toolchain::ensure_at(root, &progress_to_stderr)?;
                Ok(Outcome::Passed)
            }
            Self::LintRepo => lint::run(root).map(Outcome::passed_if),
            Self::RustFmt => {
                let mut outcome = cargo(root, &["fmt", "--all", "--check"])?;
                for manifest in BESIDE {
                    if outcome == Outcome::Passed {
                        outcome = cargo(root, &["fmt", "--check", "--manifest-path", manifest])?;
                    }
                }
                Ok(outcome)
            }
            Self::Clippy => cargo(
                root,
                &[
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--profile",
                    CHECKS,
                    "--",
                    "-D",
                    "warnings",
                ],
            ),
            Self::Spelling => checks::spelling(root).map(Outcome::from),
            Self::LockFiles => {
                let mut outcome = Outcome::Passed;
                for manifest in BESIDE {
                    if outcome == Outcome::Passed {
                        let args =
                            ["update", "--workspace", "--locked", "--manifest-path", manifest];
                        outcome = cargo(root, &args)?;
                    }
                }
                Ok(outcome)
            }
            Self::UnusedDependencies => checks::unused_dependencies(root).map(Outcome::from),
            Self::Deny => checks::deny(root).map(Outcome::from),
            Self::Advisories => checks::advisories(root).map(Outcome::from),
            Self::RustDoc => {
                let args = ["doc", "--workspace", "--no-deps", "--profile", CHECKS];
                let mut cargo = toolchain::cargo();
                stream(cargo.current_dir(root).env("RUSTDOCFLAGS", "-D warnings"), "cargo", &args)
            }
            Self::RustTest => rust_tests::run(root).map(Outcome::passed_if),
            Self::ForgeFmt => forge(root, &["fmt", "--check"], DEFAULT),
            Self::ForgeBuild => forge(root, &["build"], DEFAULT),
            Self::ForgeTest => {
                // The tests call EXECUTE through this binary.
                match cargo(root, &BUILD_CHECKED)? {
                    Outcome::Passed => {
                        let profile = if thorough { THOROUGH } else { DEFAULT };
                        forge(root, &["test", "--fuzz-seed", FUZZ_SEED], profile)
                    }
                    failed => Ok(failed),
                }
            }
            Self::NoStd => match cargo(root, &BUILD_CHECKED)? {
                Outcome::Passed => no_std::run(root).map(Outcome::from),
                failed => Ok(failed),
            },
            Self::Book => make_book(root).map(Outcome::passed_if),
        }
    }
}

/// Manifests of the separate workspaces. They depend on crates of this workspace by path, so their
/// lock files become stale when such a crate gets another dependency.
const BESIDE: [&str; 3] = [crate::ethrex::CLIENT, no_std::MANIFEST, "fuzz/Cargo.toml"];

/// Seed of forge's fuzzer, so that the verdict depends only on the commit. When run by hand, forge
/// uses a new seed each time.
const FUZZ_SEED: &str = "0x656e736872696e65";

/// Profile of foundry.toml that is used by default.
const DEFAULT: &str = "default";
/// Profile of foundry.toml that fuzzes invariants several times as long.
const THOROUGH: &str = "thorough";

fn cargo(root: &Path, args: &[&str]) -> eyre::Result<Outcome> {
    stream(toolchain::cargo().current_dir(root), "cargo", args)
}

/// Starts `forge build`, if there is anything to build.
fn begin_forge_build(root: &Path) -> eyre::Result<Option<Background>> {
    if !has_solidity(root)? {
        return Ok(None);
    }
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    Background::start(tools.forge_command().arg("build"), "forge build").map(Some)
}

fn has_solidity(root: &Path) -> eyre::Result<bool> {
    let mut any = false;
    for dir in ["contracts", "test"] {
        any |= holds_solidity(&root.join(dir)).wrap_err_with(|| format!("cannot list {dir}"))?;
    }
    Ok(any)
}

fn forge(root: &Path, args: &[&str], profile: &str) -> eyre::Result<Outcome> {
    if !has_solidity(root)? {
        return Ok(Outcome::Skipped(NO_SOLIDITY.to_owned()));
    }
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    // A gas test fails if the figure differs from snapshots/; when run by hand, forge updates it.
    let mut command = tools.forge_command();
    command.env("FORGE_SNAPSHOT_CHECK", "true").env("FOUNDRY_PROFILE", profile);
    command.env("ENSHRINE_BIN", std::path::absolute(built::checked(root))?);
    stream(&mut command, "forge", args)
}

/// Builds the book, including the help of the binary. Returns `true` if it has no errors.
pub(crate) fn make_book(root: &Path) -> eyre::Result<bool> {
    Ok(cargo(root, &BUILD_CHECKED)? == Outcome::Passed && book::build(root, &built::checked(root))?)
}

/// Runs a rollup of real processes under random traffic and faults.
pub(crate) fn soak(minutes: f64, seed: u64) -> eyre::Result<bool> {
    let root = toolchain::find_root()?;
    let (minutes, seed) = (minutes.to_string(), seed.to_string());
    let run =
        ["run", "--release", "--bin", "sim", "--", "soak", "--minutes", &minutes, "--seed", &seed];
    Ok(matches!(cargo(&root, &run)?, Outcome::Passed))
}

/// Measures a rollup under load.
pub(crate) fn load(json: bool) -> eyre::Result<bool> {
    let root = toolchain::find_root()?;
    let run = ["run", "--release", "--bin", "sim", "--", "load"];
    let run = [&run[..], if json { &["--json"] } else { &[] }].concat();
    Ok(matches!(cargo(&root, &run)?, Outcome::Passed))
}

/// Runs a command with its output on the terminal.
fn stream(command: &mut Command, name: &str, args: &[&str]) -> eyre::Result<Outcome> {
    let line = format!("{name} {}", args.join(" "));
    println!("$ {line}");
    let status = command.args(args).status().wrap_err_with(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        println!("`{line}` failed: {status}");
    }
    Ok(Outcome::passed_if(status.success()))
}

/// Returns `true` if there is a `.sol` file below `dir`, which need not exist.
fn holds_solidity(dir: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds_solidity(&path)?
        } else {
            path.extension().is_some_and(|extension| extension == "sol")
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_forge_profiles_exist_in_foundry_toml() {
        let settings: toml::Table = include_str!("../../foundry.toml").parse().unwrap();
        let runs =
            |profile: &str| settings["profile"][profile]["invariant"]["runs"].as_integer().unwrap();
        assert!(runs(THOROUGH) > runs(DEFAULT));
    }

    #[test]
    fn every_separate_lock_file_is_checked() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut found = Vec::new();
        for folder in ["crates", "examples", "fuzz", "tools"] {
            let files = crate::files::below(&root.join(folder)).unwrap();
            found.extend(files.into_iter().filter(|file| file.ends_with("Cargo.lock")));
        }
        let mut held = BESIDE.map(|manifest| root.join(manifest).with_extension("lock"));
        held.sort();
        assert_eq!(found, held);
    }

    #[test]
    fn solidity_files_are_found_by_extension() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("contracts/l2");
        assert!(!holds_solidity(&deep).unwrap());
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("sol"), "").unwrap();
        fs::write(deep.join("Anchor.sol.txt"), "").unwrap();
        assert!(!holds_solidity(dir.path()).unwrap());
        fs::write(deep.join("Anchor.sol"), "").unwrap();
        assert!(holds_solidity(dir.path()).unwrap());
    }
}
