//! Copies of the checkout in which mutants of the contracts are tried, and the tests that are asked.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use eyre::{WrapErr as _, bail, ensure};
use keccak::keccak256;
use serde::{Deserialize, Serialize};
use toolchain::Toolchain;

use super::{contracts, solidity::Mutant};

/// Tests that are not asked.
const OTHER_TESTS: &str = "test/{gas,forge,symbolic}/**";

/// Factor over the duration of the unchanged contracts' tests after which a mutant counts as hanging.
const TIMEOUT_FACTOR: u32 = 10;

/// Files of the checkout that the tests need. The first are linked, the others copied; tests and scripts,
/// as far as a copy is for them.
const LINKED: [&str; 3] = ["node_modules", "lib", "tools"];
const COPIED: [&str; 3] = ["contracts", "foundry.toml", "package.json"];

/// Outcome of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// A test fails.
    Caught,
    /// The tests do not come to an end, which would be seen too.
    Hangs,
    /// All tests pass.
    Survived,
    /// It does not compile.
    Stillborn,
}

/// Copies of the checkout in which mutants are tried, and what became of them.
pub(super) struct Campaign {
    root: PathBuf,
    folder: PathBuf,
    forge: PathBuf,
    results: PathBuf,
    known: BTreeMap<String, Outcome>,
    /// Duration of the tests over unchanged contracts, for each copy.
    durations: BTreeMap<String, Duration>,
}

impl Campaign {
    pub(super) fn new(root: &Path, tools: &Toolchain) -> eyre::Result<Self> {
        let folder = root.join("target").join("mutants");
        fs::create_dir_all(&folder)?;
        let results = folder.join("results.jsonl");
        let lines = fs::read_to_string(&results).unwrap_or_default();
        let known = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self {
            root: root.to_owned(),
            folder,
            forge: tools.forge().to_owned(),
            results,
            known,
            durations: BTreeMap::new(),
        })
    }

    /// Makes the copy of a stage what the checkout is, as far as its tests need it.
    fn make_copy(&self, stage: &Stage) -> eyre::Result<()> {
        let checkout = self.folder.join(&stage.copy);
        fs::create_dir_all(&checkout)?;
        for name in LINKED {
            if !checkout.join(name).exists() {
                std::os::unix::fs::symlink(self.root.join(name), checkout.join(name))?;
            }
        }
        for name in COPIED.into_iter().chain(["test", "script"]) {
            let old = checkout.join(name);
            if old.is_dir() {
                fs::remove_dir_all(&old)?;
            }
        }
        for name in COPIED {
            copy(&self.root.join(name), &checkout)?;
        }
        let Some(own) = &stage.own else {
            copy(&self.root.join("test"), &checkout)?;
            return self.copy_scripts(&checkout);
        };
        let tests = checkout.join(own);
        fs::create_dir_all(&tests)?;
        copy(&self.root.join("test").join("utils"), &checkout.join("test"))?;
        let mut scripts = false;
        for file in sources(&self.root.join(own))? {
            let source = fs::read_to_string(&file)?;
            scripts |= source.contains("script/");
            copy(&file, &tests)?;
            for fixture in fixtures(&own.join("test"), &source) {
                let to = checkout.join(&fixture);
                fs::create_dir_all(to.parent().unwrap_or(&checkout))?;
                copy(&self.root.join(&fixture), &to)?;
            }
        }
        if scripts { self.copy_scripts(&checkout) } else { Ok(()) }
    }

    fn copy_scripts(&self, checkout: &Path) -> eyre::Result<()> {
        copy(&self.root.join("script"), checkout)?;
        for script in sources(&checkout.join("script"))? {
            let source = fs::read_to_string(&script)?;
            let linked = linked_dynamically(&source);
            if linked != source {
                fs::write(&script, linked)?;
            }
        }
        Ok(())
    }

    /// Outcome of a mutant, from an earlier run or from the tests.
    pub(super) fn outcome(
        &mut self,
        file: &str,
        source: &str,
        mutant: &Mutant,
        quick: bool,
    ) -> eyre::Result<Outcome> {
        let identity = format!("{file}\n{source}\n{:?}\n{}", mutant.place, mutant.new);
        let key = keccak256(identity.as_bytes()).to_string();
        if let Some(outcome) = self.known.get(&key) {
            return Ok(*outcome);
        }
        let mut outcome = Outcome::Survived;
        for stage in stages(file, quick) {
            if !stage.has_tests(&self.root) {
                continue;
            }
            let limit = self.duration(&stage)? * TIMEOUT_FACTOR;
            let place = self.folder.join(&stage.copy).join(file);
            let before = fs::read_to_string(&place)?;
            fs::write(&place, linked_dynamically(&mutant.apply(source)))?;
            let result = self.test(&stage, limit);
            fs::write(&place, before)?;
            outcome = result?;
            if outcome != Outcome::Survived {
                break;
            }
        }
        // What survives the nearest tests may be caught by others; and on a busy machine all hangs.
        if outcome == Outcome::Hangs || (quick && outcome == Outcome::Survived) {
            return Ok(outcome);
        }
        let line = serde_json::to_string(&(&key, outcome))?;
        let mut results = fs::File::options().create(true).append(true).open(&self.results)?;
        writeln!(results, "{line}")?;
        self.known.insert(key, outcome);
        Ok(outcome)
    }

    /// Duration of the tests over unchanged contracts; an error if they fail. Makes the copy first.
    fn duration(&mut self, stage: &Stage) -> eyre::Result<Duration> {
        if let Some(known) = self.durations.get(&stage.copy) {
            return Ok(*known);
        }
        self.make_copy(stage)?;
        let start = Instant::now();
        let outcome = self.test(stage, Duration::from_secs(7200))?;
        ensure!(outcome == Outcome::Survived, "the tests fail as it is: {stage:?}: {outcome:?}");
        let duration = start.elapsed().max(Duration::from_secs(60));
        self.durations.insert(stage.copy.clone(), duration);
        Ok(duration)
    }

    /// Runs tests on what the copy holds.
    fn test(&self, stage: &Stage, limit: Duration) -> eyre::Result<Outcome> {
        let checkout = self.folder.join(&stage.copy);
        let log = checkout.join("forge.log");
        let file = fs::File::create(&log)?;
        let mut forge = Command::new(&self.forge)
            .current_dir(&checkout)
            .args(["test", "--fail-fast"])
            .args(stage.links_on_demand.then_some("--dynamic-test-linking"))
            // Without its optimizer the compiler is done in a third of the time, and code is larger than
            // EIP-170 allows.
            .args(["--code-size-limit", "1000000"])
            .env("FOUNDRY_OPTIMIZER", "false")
            .args(&stage.tests)
            .env("FOUNDRY_DENY", "never")
            .env("FOUNDRY_FUZZ_SEED", "0x656e736872696e65")
            .env("FOUNDRY_FUZZ_RUNS", "64")
            .env("FOUNDRY_INVARIANT_RUNS", "16")
            .env("ENSHRINE_BIN", self.root.join("target/release/enshrine"))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .wrap_err("cannot run forge")?;
        let Some(success) = wait(&mut forge, limit)? else { return Ok(Outcome::Hangs) };
        let said = fs::read_to_string(&log)?;
        if said.contains("Compiler run failed") || said.contains("Compilation failed") {
            return Ok(Outcome::Stillborn);
        }
        // Neither test nor compiler: nothing was found out.
        if !said.contains("Ran ") {
            bail!("forge has not come to an end: {said}");
        }
        Ok(if success { Outcome::Survived } else { Outcome::Caught })
    }
}

/// A source as `--dynamic-test-linking` needs it: forge then reads code from files where a script names that
/// of a contract, so that nothing around it is pure.
fn linked_dynamically(source: &str) -> String {
    if source.contains(".creationCode") {
        source.replace(" pure ", " view ").replace(" pure\n", " view\n")
    } else {
        source.to_owned()
    }
}

/// Tests that are run together.
#[derive(Debug, PartialEq, Eq)]
struct Stage {
    /// Name of the copy of the checkout in which they run.
    copy: String,
    /// The one folder of tests that it has besides what all share; all tests without.
    own: Option<PathBuf>,
    /// Names of the tests to run.
    tests: Vec<String>,
    /// `true` if forge deploys contracts from files, so that it need not compile the tests of a changed contract
    /// again. Such a test ends with success where it expects the first deployment to be refused.
    links_on_demand: bool,
}

impl Stage {
    fn has_tests(&self, root: &Path) -> bool {
        self.own.as_ref().is_none_or(|folder| root.join(folder).is_dir())
    }
}

/// Returns the selections of tests for a file, in the order in which they run.
fn stages(file: &str, quick: bool) -> Vec<Stage> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    // Scripts are what `test/deployment` runs.
    let folder = match folder.strip_prefix("script") {
        Ok(_) => Path::new("deployment"),
        Err(_) => folder.strip_prefix("contracts").unwrap_or(Path::new("")),
    };
    let name = format!("near {}", folder.display());
    let own = Path::new("test").join(folder);
    let near = |copy: String, links_on_demand| Stage {
        copy: copy.trim_end().to_owned(),
        own: Some(own.clone()),
        tests: Vec::new(),
        links_on_demand,
    };
    let whole = name.replacen("near", "near whole", 1);
    let mut stages = vec![near(name, true), near(whole, false)];
    if !quick {
        stages.push(Stage {
            copy: "all".to_owned(),
            own: None,
            tests: vec!["--no-match-path".to_owned(), OTHER_TESTS.to_owned()],
            links_on_demand: true,
        });
    }
    stages
}

/// The files of other folders of tests that a test imports, without what all tests share.
fn fixtures(test: &Path, source: &str) -> Vec<PathBuf> {
    let imported = source.split(" from \"../").skip(1).filter_map(|rest| rest.split('"').next());
    let folder = test.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let of_others = imported.filter(|path| !path.starts_with("../") && !path.starts_with("utils/"));
    of_others.map(|path| folder.join(path)).collect()
}

/// The sources that lie in a folder, not in those within it.
fn sources(folder: &Path) -> eyre::Result<Vec<PathBuf>> {
    let mut found = contracts(folder)?;
    found.retain(|path| path.parent() == Some(folder));
    Ok(found)
}

/// Copies into a folder, by `cp`, which keeps the times of files, so that forge sees what has not changed.
fn copy(from: &Path, into: &Path) -> eyre::Result<()> {
    let status = Command::new("cp").arg("-Rp").arg(from).arg(into).status();
    let status = status.wrap_err("cannot run cp")?;
    ensure!(status.success(), "cannot copy {}", from.display());
    Ok(())
}

/// Waits for a process; whether it succeeds, or nothing if it was ended for taking too long.
fn wait(child: &mut Child, limit: Duration) -> eyre::Result<Option<bool>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_the_own_folder_come_first() {
        let names = |file, quick| stages(file, quick).into_iter().map(|stage| stage.copy);
        let all: Vec<_> = names("contracts/messaging/Claims.sol", false).collect();
        assert_eq!(all, ["near messaging", "near whole messaging", "all"]);
        let own = stages("contracts/NativeRollup.sol", true);
        assert_eq!(own.len(), 2);
        assert_eq!(own[0].copy, "near");
        assert_eq!(own[0].own.as_deref(), Some(Path::new("test")));
        let of_a_script = stages("script/Deploy.s.sol", true);
        assert_eq!(of_a_script[0].own.as_deref(), Some(Path::new("test/deployment")));
    }

    #[test]
    fn fixtures_are_what_a_test_imports_from_the_folders_beside_its_own() {
        let source = "import {A} from \"../bridge/Fixture.sol\";\nimport {B} from \"../utils/B.sol\";\n\
                      import {C} from \"./C.sol\";\nimport {D} from \"../../contracts/D.sol\";";
        let found = fixtures(Path::new("test/messaging/Guard.t.sol"), source);
        assert_eq!(found, [Path::new("test/bridge/Fixture.sol")]);
    }

    #[test]
    fn sources_of_a_folder_are_not_those_of_the_folders_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        for name in ["a.sol", "a.txt", "inner/b.sol"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(sources(folder.path()).unwrap(), [folder.path().join("a.sol")]);
    }
}
