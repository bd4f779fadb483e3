//! Tests, one process for each, and the switches that they ask.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, UNIX_EPOCH},
};

use eyre::WrapErr as _;
use keccak::keccak256;
use serde::{Deserialize, Serialize};

use super::{Executable, in_parallel, wait};

/// Factor over the duration of a test, and time on top of it, after which it counts as hanging.
const PATIENCE: u32 = 10;
const GRACE: Duration = Duration::from_secs(30);

/// Longest that a test may take with all switches off.
const LONGEST: Duration = Duration::from_secs(900);

/// A test whose verdict is asked once more if it fails: one that takes long may have failed for another reason.
const LONG: Duration = Duration::from_secs(1);

/// A test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Test {
    package: String,
    target: String,
    test: String,
    path: PathBuf,
    folder: PathBuf,
    /// The checkout, where the `enshrine` command lies that tests start.
    checkout: PathBuf,
    /// Duration with all switches off.
    pub(super) duration: Duration,
    /// Switches that it asks.
    pub(super) reached: BTreeSet<u64>,
}

/// Outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    Passed,
    Failed,
    TimedOut,
}

impl Test {
    /// Name behind those of crate and target.
    pub(super) fn name(&self) -> String {
        format!("{} {} {}", self.package, self.target, self.test)
    }

    /// Runs on a mutant.
    pub(super) fn run(&self, mutant: u64) -> eyre::Result<Ran> {
        let ran = self.start(mutant, None, self.duration * PATIENCE + GRACE)?;
        if ran != Ran::Failed || self.duration < LONG {
            return Ok(ran);
        }
        self.start(mutant, None, self.duration * PATIENCE + GRACE)
    }

    fn start(&self, mutant: u64, reached: Option<&Path>, limit: Duration) -> eyre::Result<Ran> {
        let mut command = Command::new(&self.path);
        command
            .current_dir(&self.folder)
            .args([&*self.test, "--exact", "--test-threads=1"])
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("ENSHRINE_MUTANT", mutant.to_string())
            .env("ENSHRINE_BIN", self.checkout.join("target/release/enshrine"))
            .env_remove("ENSHRINE_MUTANTS_REACHED")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(path) = reached {
            command.env("ENSHRINE_MUTANTS_REACHED", path);
        }
        // By default they lie beside a checkout, and the copy is not where that is.
        let vectors = self.checkout.join("../shared/vectors");
        if vectors.is_dir() && std::env::var_os("ENSHRINE_VECTORS").is_none() {
            command.env("ENSHRINE_VECTORS", vectors);
        }
        let mut child = command.spawn().wrap_err_with(|| self.path.display().to_string())?;
        Ok(match wait(&mut child, limit)? {
            None => Ran::TimedOut,
            Some(status) if status.success() => Ran::Passed,
            Some(_) => Ran::Failed,
        })
    }

    /// Runs with all switches off; the test with the switches that it asks and the time that it takes. A test that fails
    /// so, on a machine that is too busy for it for instance, can judge no mutant: `None`.
    fn measured(&self, folder: &Path) -> eyre::Result<Option<Self>> {
        let log = folder.join(format!("{}.reached", keccak256(self.name().as_bytes())));
        let _ = fs::remove_file(&log);
        let start = Instant::now();
        let mut ran = self.start(0, Some(&log), LONGEST)?;
        if ran != Ran::Passed {
            ran = self.start(0, Some(&log), LONGEST)?;
        }
        if ran != Ran::Passed {
            println!("left out, as with all switches off: {}: {ran:?}", self.name());
            return Ok(None);
        }
        let duration = start.elapsed();
        let text = fs::read_to_string(&log).unwrap_or_default();
        let reached = text.lines().filter_map(|line| line.parse().ok()).collect();
        let _ = fs::remove_file(&log);
        Ok(Some(Self { duration, reached, ..self.clone() }))
    }
}

/// Returns the tests of a program with what each reaches, from an earlier run if the program is the same.
pub(super) fn reached(
    executable: &Executable,
    folder: &Path,
    jobs: usize,
) -> eyre::Result<Vec<Test>> {
    let built = fs::metadata(&executable.path)?.modified()?.duration_since(UNIX_EPOCH)?;
    let key = format!("{} {}", executable.path.display(), built.as_nanos());
    let kept = folder.join(format!("{}.json", keccak256(key.as_bytes())));
    if let Some(tests) = fs::read(&kept).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        return Ok(tests);
    }
    let measured = in_parallel(jobs, &list(executable)?, |test| test.measured(folder))?;
    let all = measured.len();
    let tests: Vec<_> = measured.into_iter().flatten().collect();
    if tests.len() == all {
        fs::write(&kept, serde_json::to_vec(&tests)?)?;
    }
    Ok(tests)
}

/// The tests of a program that run without being asked for.
fn list(executable: &Executable) -> eyre::Result<Vec<Test>> {
    let names = |arguments: &[&str]| -> eyre::Result<BTreeSet<String>> {
        let mut command = Command::new(&executable.path);
        command.current_dir(&executable.folder).args(["--list", "--format", "terse"]);
        let output = command.args(arguments).output().wrap_err("cannot list tests")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(Into::into).collect())
    };
    let ignored = names(&["--ignored"])?;
    let test = |test| Test {
        package: executable.package.clone(),
        target: executable.target.clone(),
        test,
        path: executable.path.clone(),
        folder: executable.folder.clone(),
        checkout: executable.checkout.clone(),
        duration: Duration::ZERO,
        reached: BTreeSet::new(),
    };
    let all = names(&[])?;
    Ok(all.into_iter().filter(|name| !ignored.contains(name)).map(test).collect())
}
