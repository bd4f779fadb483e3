//! `cargo xtask mutants`: whether the tests of the contracts notice when the contracts are wrong, and those of the
//! crates (see [`mod@rust`]).
//!
//! Each mutant is a contract or script with one small mistake (see [`mod@solidity`]). The tests have to fail on it:
//! first those of its own folder (`test/deployment` for scripts), and if these pass, all others. What `test/gas`
//! says is left out, since any change costs another amount of gas; so are `test/forge` and `test/symbolic`, which
//! are about other things. A mutant that does not compile is none.
//!
//! The tests run in copies of the checkout below `target/mutants`, with few runs and a fixed seed. Most of
//! the time goes to the compiler, which reads all that lies there each time; so there is one copy with the
//! tests of each folder alone. It takes some seconds for a mutant, minutes for one that the nearest tests
//! pass on, and hours for all: it is run on demand, and what was found out is kept, so that a run can be
//! stopped at any time and goes on where it was. A mutant is tried anew when its file has changed.
//!
//! The mutants are our own: `slither-mutate`, which comes with what `cargo xtask audit` installs, compiles
//! each mutant once more by itself before the tests do, and begins anew whenever it is stopped.
//!
//! What survives is explained in `audit/mutants.toml`, or the run fails; and so it does below a score of
//! 95 %. `audit/mutants.csv` has the scores.

pub(crate) mod rust;
mod solidity;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alloy_primitives::keccak256;
use eyre::{OptionExt as _, WrapErr as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toolchain::{Toolchain, progress_to_stderr};

use solidity::Mutant;

/// The least share of mutants that has to be caught, in percent.
const LEAST: usize = 95;

/// Tests that are not asked.
const OTHER_TESTS: &str = "test/{gas,forge,symbolic}/**";

/// Factor over the duration of the unchanged contracts' tests after which a mutant counts as hanging.
const TIMEOUT_FACTOR: u32 = 10;

/// Files of the checkout that the tests need. The first are linked, the others copied; tests and scripts,
/// as far as a copy is for them.
const LINKED: [&str; 3] = ["node_modules", "lib", "tools"];
const COPIED: [&str; 3] = ["contracts", "foundry.toml", "package.json"];

/// Selection of mutants.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only files whose path contains this; may be given several times
    #[arg(long, value_name = "PART")]
    file: Vec<String>,

    /// Only each N-th mutant of a file
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,

    /// At least so many mutants of each file, evenly spread, if it has as many
    #[arg(long, value_name = "COUNT", conflicts_with = "every", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Only the tests of the file's own folder
    #[arg(long)]
    quick: bool,

    /// Tell what the mutants are, and try none
    #[arg(long)]
    list: bool,

    /// Write the scores to audit/mutants.csv
    #[arg(long)]
    record: bool,
}

/// Tries mutants of the contracts; whether enough is caught, and the rest explained.
pub(crate) fn solidity(root: &Path, options: &Options) -> eyre::Result<bool> {
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    let mut files = contracts(&root.join("contracts"))?;
    files.extend(contracts(&root.join("script"))?);
    let files: Vec<_> = files
        .into_iter()
        .filter_map(|path| Some(path.strip_prefix(root).ok()?.to_str()?.to_owned()))
        .filter(|file| {
            options.file.is_empty() || options.file.iter().any(|part| file.contains(part))
        })
        .collect();
    ensure!(!files.is_empty(), "no contract has such a name");
    let explained = Explained::read(root)?;
    let mut campaign = (!options.list).then(|| Campaign::new(root, &tools)).transpose()?;
    let (mut scores, mut complaints) = (BTreeMap::new(), Vec::new());
    for file in files {
        let source = fs::read_to_string(root.join(&file))?;
        let mutants = solidity::mutants(&tree(root, &tools, &file, &source)?, &source)?;
        let every = options.count.map_or(options.every, |count| stride(mutants.len(), count));
        let mut score = Score { every, ..Score::default() };
        for (_, mutant) in (0..).zip(&mutants).filter(|(i, _): &(u64, _)| i % every == 0) {
            let what = mutant.describe(&source);
            let Some(campaign) = &mut campaign else {
                println!("{file}: {what}");
                continue;
            };
            let outcome = campaign.outcome(&file, &source, mutant, options.quick)?;
            println!("{outcome:?} {file}: {what}");
            score.count(outcome);
            if outcome == Outcome::Survived && !explained.covers(&file, &what) {
                complaints.push(format!("{file}: {what}"));
            } else if outcome == Outcome::Survived {
                score.explained += 1;
            }
        }
        if score.mutants != 0 {
            println!("{file}: {} of {} caught", score.caught, score.mutants);
            scores.insert(file, score);
        }
    }
    if options.record {
        record(&root.join("audit").join("mutants.csv"), &scores)?;
    }
    let sum = |count: fn(&Score) -> usize| scores.values().map(count).sum::<usize>();
    let (made, caught) = (sum(|score| score.mutants), sum(|score| score.caught));
    println!("\n{caught} of {made} mutants are caught; {} survive unexplained:", complaints.len());
    complaints.iter().for_each(|complaint| println!("  {complaint}"));
    Ok(caught * 100 >= made * LEAST && complaints.is_empty())
}

/// Distance between samples that leaves at least so many of all.
fn stride(all: usize, count: u64) -> u64 {
    (all as u64 / count).max(1)
}

/// The contracts of a folder and of those in it.
fn contracts(folder: &Path) -> eyre::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).wrap_err_with(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut contracts(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "sol") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The syntax tree of a file.
fn tree(root: &Path, tools: &Toolchain, file: &str, source: &str) -> eyre::Result<Value> {
    let input = json!({
        "language": "Solidity",
        "sources": { file: { "content": source } },
        "settings": {
            "stopAfter": "parsing",
            "remappings": ["solady/=lib/solady/src/"],
            "outputSelection": { "*": { "": ["ast"] } },
        },
    });
    let mut solc = Command::new(tools.solc())
        .current_dir(root)
        .args(["--standard-json", "--base-path", "."])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .wrap_err("cannot run solc")?;
    solc.stdin.take().ok_or_eyre("piped")?.write_all(&serde_json::to_vec(&input)?)?;
    let mut output: Value = serde_json::from_slice(&solc.wait_with_output()?.stdout)?;
    let tree = output["sources"][file]["ast"].take();
    ensure!(tree.is_object(), "solc: {}", output["errors"]);
    Ok(tree)
}

/// Outcome of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Outcome {
    /// A test fails.
    Caught,
    /// The tests do not come to an end, which would be seen too.
    Hangs,
    /// All tests pass.
    Survived,
    /// It does not compile.
    Stillborn,
}

/// Number of caught mutants of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    every: u64,
    mutants: usize,
    caught: usize,
    explained: usize,
}

impl Score {
    fn count(&mut self, outcome: Outcome) {
        self.mutants += usize::from(outcome != Outcome::Stillborn);
        self.caught += usize::from(matches!(outcome, Outcome::Caught | Outcome::Hangs));
    }
}

/// Copies of the checkout in which mutants are tried, and what became of them.
struct Campaign {
    root: PathBuf,
    folder: PathBuf,
    forge: PathBuf,
    results: PathBuf,
    known: BTreeMap<String, Outcome>,
    /// Duration of the tests over unchanged contracts, for each copy.
    durations: BTreeMap<String, Duration>,
}

impl Campaign {
    fn new(root: &Path, tools: &Toolchain) -> eyre::Result<Self> {
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
    fn outcome(
        &mut self,
        file: &str,
        source: &str,
        mutant: &Mutant,
        quick: bool,
    ) -> eyre::Result<Outcome> {
        let identity = format!("{file}\n{source}\n{:?}\n{}", mutant.place, mutant.new);
        let key = keccak256(identity).to_string();
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

/// Mutants that may survive, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    #[serde(default)]
    explained: Vec<Explanation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanation {
    file: String,
    /// Mutants as they are printed, without the file.
    mutants: Vec<String>,
    because: String,
}

impl Explained {
    fn read(root: &Path) -> eyre::Result<Self> {
        let file = root.join("audit").join("mutants.toml");
        let text = fs::read_to_string(&file)
            .wrap_err_with(|| format!("cannot read {}", file.display()))?;
        let read: Self = toml::from_str(&text).wrap_err("audit/mutants.toml")?;
        for one in &read.explained {
            ensure!(!one.because.trim().is_empty(), "audit/mutants.toml: no reason: {one:?}");
        }
        Ok(read)
    }

    fn covers(&self, file: &str, what: &str) -> bool {
        let here = self.explained.iter().filter(|explanation| explanation.file == file);
        here.flat_map(|explanation| &explanation.mutants).any(|mutant| mutant == what)
    }
}

const HEAD: &str = "file,every,mutants,caught,explained";

/// Writes scores down, beside those of other files.
fn record(path: &Path, scores: &BTreeMap<String, Score>) -> eyre::Result<()> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let mut rows: BTreeMap<String, String> = old
        .lines()
        .filter(|line| *line != HEAD)
        .filter_map(|line| Some((line.split(',').next()?.to_owned(), line.to_owned())))
        .collect();
    for (file, Score { every, mutants, caught, explained }) in scores {
        rows.insert(file.clone(), format!("{file},{every},{mutants},{caught},{explained}"));
    }
    let lines: Vec<_> = std::iter::once(HEAD.to_owned()).chain(rows.into_values()).collect();
    fs::write(path, lines.join("\n") + "\n").wrap_err_with(|| path.display().to_string())
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
    fn samples_are_as_many_as_asked_for_where_there_are_so_many() {
        for (all, count, expected) in
            [(9, 10, 1), (10, 10, 1), (19, 10, 1), (20, 10, 2), (39, 10, 3)]
        {
            let every = stride(all, count);
            assert_eq!(every, expected);
            assert!(
                (0..all as u64).filter(|i| i % every == 0).count() as u64 >= count.min(all as u64)
            );
        }
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

    #[test]
    fn what_does_not_compile_does_not_count() {
        let mut score = Score::default();
        let outcomes = [Outcome::Caught, Outcome::Hangs, Outcome::Survived, Outcome::Stillborn];
        outcomes.into_iter().for_each(|outcome| score.count(outcome));
        assert_eq!(score, Score { every: 0, mutants: 3, caught: 2, explained: 0 });
    }

    #[test]
    fn an_explanation_is_for_one_change_of_one_file() {
        let text = "[[explained]]\nfile = \"a.sol\"\nmutants = [\"A.f `<` -> `<=`\"]\n\
                    because = \"they are never equal\"";
        let explained: Explained = toml::from_str(text).unwrap();
        assert!(explained.covers("a.sol", "A.f `<` -> `<=`"));
        assert!(!explained.covers("a.sol", "A.g `<` -> `<=`"));
        assert!(!explained.covers("b.sol", "A.f `<` -> `<=`"));
    }

    #[test]
    fn scores_of_files_that_were_not_run_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mutants.csv");
        let score = |caught| Score { every: 1, mutants: 9, caught, explained: 0 };
        let one = |file: &str, caught| BTreeMap::from([(file.to_owned(), score(caught))]);
        record(&path, &one("b.sol", 8)).unwrap();
        record(&path, &one("a.sol", 9)).unwrap();
        record(&path, &one("b.sol", 9)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{HEAD}\na.sol,1,9,9,0\nb.sol,1,9,9,0\n"));
    }
}
