//! The stages of `cargo xtask test`.

use std::{
    fs::File,
    io::{self, Seek as _},
    path::{Path, absolute},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use eyre::{Result, WrapErr as _, ensure};
use toolchain::{Toolchain, progress_to_stderr};

use crate::{
    book,
    built::{self, BUILD_CHECKED, CHECKS},
    command::{cargo, run as run_command},
    lint, no_std, rust_tests, sdk,
    tools::{self, DENY, RUMDL, SHEAR, TYPOS, install},
    wasm,
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
    /// rumdl over all documents: no broken links
    Links,
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
    /// The Rust SDK for browsers; skipped where the target cannot be installed
    Wasm,
    /// forge build, warnings denied
    ForgeBuild,
    /// forge test, with the helper that its tests call
    ForgeTest,
    /// The tests of the whole workspace, two programs at a time, and its doctests
    RustTest,
    /// The TypeScript package: types, bundles, and its actions on a localnet
    Sdk,
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

/// Reason for which a stage was skipped; `None` if it passed.
type Skipped = Option<String>;

/// Manifests of the separate workspaces. They depend on crates of this workspace by path, so their
/// lock files become stale when such a crate gets another dependency.
const BESIDE: [&str; 3] = [ETHREX, no_std::MANIFEST, "fuzz/Cargo.toml"];

/// Manifest of an execution client made of ethrex's crates, which `cargo xtask ethrex` builds.
pub(crate) const ETHREX: &str = "crates/differential/ethrex-client/Cargo.toml";

/// Seed of forge's fuzzer, so that the verdict depends only on the commit. When run by hand, forge
/// uses a new seed each time.
const FUZZ_SEED: &str = "0x656e736872696e65";

/// Profile of foundry.toml that is used by default.
const DEFAULT: &str = "default";
/// Profile of foundry.toml that fuzzes invariants several times as long.
const THOROUGH: &str = "thorough";

/// Runs the planned stages and prints a summary. Fails if any stage failed.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let root = toolchain::find_root()?;
    let is_planned = |stage: &Stage| plan.only.is_empty() || plan.only.contains(stage);
    let planned: Vec<_> = Stage::value_variants().iter().copied().filter(is_planned).collect();
    let (mut summary, mut failed, mut skipped) = (Vec::new(), 0, 0);
    let mut forge_build: Option<ForgeBuild> = None;
    let begun = Instant::now();
    for &stage in &planned {
        println!("\n=== {} ===", stage.name());
        let started = Instant::now();
        let outcome = match forge_build.take_if(|_| stage == Stage::ForgeBuild) {
            Some(build) => build.end(),
            None => stage.run(&root, plan.thorough),
        };
        if stage == Stage::Setup && planned.contains(&Stage::ForgeBuild) {
            // forge build takes one core for minutes and does not depend on earlier stages, which
            // compile Rust on the other core. If it cannot start now, its own stage fails.
            forge_build = ForgeBuild::start(&root).ok();
        }
        let seconds = started.elapsed().as_secs_f64();
        let verdict = match outcome {
            Ok(None) => format!("passed in {seconds:.1} s"),
            Ok(Some(why)) => {
                skipped += 1;
                format!("SKIPPED: {why}")
            }
            Err(error) => {
                println!("{error:#}");
                failed += 1;
                format!("FAILED after {seconds:.1} s")
            }
        };
        println!("=== {} {verdict} ===", stage.name());
        summary.push(verdict);
        if failed > 0 && !plan.keep_going {
            break;
        }
    }
    tools::tidy(&root);

    println!("\nSummary");
    summary.resize(planned.len(), "not run".to_owned());
    for (stage, verdict) in planned.iter().zip(&summary) {
        println!("  {:<19} {verdict}", stage.name());
    }
    println!("{:.1} s, stages SKIPPED: {skipped}", begun.elapsed().as_secs_f64());
    ensure!(failed == 0, "stages FAILED: {failed}");
    Ok(())
}

impl Stage {
    /// Returns the name of the stage for `--only`.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, root: &Path, thorough: bool) -> Result<Skipped> {
        match self {
            Self::Setup => {
                Toolchain::ensure_at(root, &progress_to_stderr)?;
            }
            Self::LintRepo => lint::run(root)?,
            Self::RustFmt => {
                cargo(root, &["fmt", "--all", "--check"])?;
                for manifest in BESIDE {
                    cargo(root, &["fmt", "--check", "--manifest-path", manifest])?;
                }
            }
            Self::ForgeFmt => forge(root, &["fmt", "--check"], DEFAULT)?,
            Self::Spelling => tools::run(root, TYPOS, &["--hidden"])?,
            Self::Links => tools::run(root, RUMDL, &["check", "--no-cache", "."])?,
            Self::LockFiles => {
                for manifest in BESIDE {
                    let args = ["update", "--workspace", "--locked", "--manifest-path", manifest];
                    cargo(root, &args)?;
                }
            }
            Self::UnusedDependencies => tools::run(root, SHEAR, &["--locked"])?,
            Self::Deny => {
                tools::run(root, DENY, &["--workspace", "check", "licenses", "sources"])?;
                // Any crate may have test support as a development dependency.
                let bans =
                    ["--workspace", "--exclude-dev", "check", "-A", "unused-wrapper", "bans"];
                tools::run(root, DENY, &bans)?;
            }
            Self::Advisories => return advisories(root),
            Self::Clippy => {
                let clippy = ["clippy", "--workspace", "--all-targets", "--profile", CHECKS];
                cargo(root, &[&clippy[..], &["--", "-D", "warnings"]].concat())?;
            }
            Self::RustDoc => {
                let mut doc = toolchain::cargo();
                doc.args(["doc", "--workspace", "--no-deps", "--profile", CHECKS]);
                run_command(doc.current_dir(root).env("RUSTDOCFLAGS", "-D warnings"))?;
            }
            Self::NoStd => {
                cargo(root, &BUILD_CHECKED)?;
                return no_std::run(root);
            }
            Self::Wasm => return wasm::run(root),
            Self::ForgeBuild => forge(root, &["build"], DEFAULT)?,
            Self::ForgeTest => {
                // The tests call EXECUTE through this binary.
                cargo(root, &BUILD_CHECKED)?;
                let profile = if thorough { THOROUGH } else { DEFAULT };
                forge(root, &["test", "--fuzz-seed", FUZZ_SEED], profile)?;
            }
            Self::RustTest => rust_tests::run(root)?,
            Self::Sdk => {
                // The ABIs are compared with its output.
                forge(root, &["build"], DEFAULT)?;
                sdk::run(root)?;
            }
            Self::Book => book::build(root)?,
        }
        Ok(None)
    }
}

fn forge(root: &Path, args: &[&str], profile: &str) -> Result<()> {
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    // A gas test fails if the figure differs from snapshots/; when run by hand, forge updates it.
    let mut command = tools.forge_command();
    command.env("FORGE_SNAPSHOT_CHECK", "true").env("FOUNDRY_PROFILE", profile);
    command.env("ENSHRINE_BIN", absolute(built::checked(root))?);
    run_command(command.args(args))
}

/// Checks the versions in `Cargo.lock` against known advisories.
///
/// The advisory database is on GitHub. If it cannot be reached, the check is reported as skipped,
/// because that is not a fault of the repository. (Mistakes in `deny.toml` fail [`Stage::Deny`].)
fn advisories(root: &Path) -> Result<Skipped> {
    let mut fetch = Command::new(install(root, DENY)?);
    let fetch = fetch.args(["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0").current_dir(root);
    let mut fetch = fetch.spawn().wrap_err("cannot run cargo-deny")?;
    // A firewall that drops packets would stop the stages otherwise.
    let begun = Instant::now();
    while fetch.try_wait()?.is_none() && begun.elapsed() < Duration::from_secs(120) {
        thread::sleep(Duration::from_millis(100));
    }
    if !fetch.try_wait()?.is_some_and(|status| status.success()) {
        let _ = fetch.kill();
        return Ok(Some("the advisory database cannot be fetched".to_owned()));
    }
    tools::run(root, DENY, &["--workspace", "check", "advisories"])?;
    Ok(None)
}

/// `forge build` in the background, whose output is printed in its stage. Dropping it kills the
/// process.
#[derive(Debug)]
struct ForgeBuild {
    child: Child,
    output: File,
}

impl ForgeBuild {
    fn start(root: &Path) -> Result<Self> {
        let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
        let output = tempfile::tempfile()?;
        let mut forge = tools.forge_command();
        forge.arg("build").stdin(Stdio::null());
        let child = forge.stdout(output.try_clone()?).stderr(output.try_clone()?).spawn()?;
        Ok(Self { child, output })
    }

    fn end(mut self) -> Result<Skipped> {
        let status = self.child.wait()?;
        self.output.rewind()?;
        io::copy(&mut self.output, &mut io::stdout())?;
        ensure!(status.success(), "`forge build` failed: {status}");
        Ok(None)
    }
}

impl Drop for ForgeBuild {
    fn drop(&mut self) {
        // Both fail if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        let mut checked = BESIDE.map(|manifest| root.join(manifest).with_extension("lock"));
        checked.sort();
        assert_eq!(found, checked);
    }
}
