//! `cargo xtask mutants rust`: the same of the crates that write, read, price and post blocks.
//!
//! To compile a crate takes longer than to test it, so all mutants are compiled at once: in a copy of the
//! workspace below `target/mutants`, each place that changes asks a switch which of its versions to run (see
//! [`mod@switches`]). A mutant is then a number in the environment of a test.
//!
//! Each test first runs by itself with all switches off, which tells how long it takes and which switches it
//! asks. Only such tests can notice a mutant; they run on it crate by crate, from the shortest to the longest,
//! until one fails. A mutant that none asks for survives. One that is explained goes no further than the first
//! program that it survives: the tests of all crates together take minutes.
//!
//! Of each file a number of mutants is drawn by their hashes and a seed: other code does not change the draw.

mod copy;
mod switches;
mod tests_of;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use eyre::{WrapErr as _, ensure};
use keccak::keccak256;
use serde::{Deserialize, Serialize};

use super::{Explained, LEAST};
use copy::Workspace;
use switches::Mutant;
use tests_of::{Ran, Test};

/// Program that finds what can be changed, and where it is built. It is a workspace of its own: what only macros of
/// the other one need, it needs in a program, and cargo would compile all behind those macros anew.
pub(crate) const PLACES: &str = "tools/mutants/Cargo.toml";
pub(crate) const PLACES_TARGET: &str = "target/mutants/places";

/// File with each mutant that was tried.
const RECORD: &str = "audit/mutants-rust.csv";

/// Files, and folders of files, that are mutated.
const MUTATED: [&str; 19] = [
    "crates/keccak/src/",
    "crates/wire/src/",
    "crates/trie/src/",
    "crates/stateless/src/",
    "crates/codec/src/blob_tail/",
    "crates/codec/src/compact.rs",
    "crates/codec/src/encode.rs",
    "crates/codec/src/root.rs",
    "crates/codec/src/witness.rs",
    "crates/execute/src/",
    "crates/variants/src/blob_tail.rs",
    "crates/variants/src/market/",
    "crates/contracts/src/capacity.rs",
    "crates/contracts/src/code_reference.rs",
    "crates/contracts/src/advance_plan.rs",
    "crates/node/src/pool/",
    "crates/rollup/src/batcher/",
    "crates/rollup/src/budget.rs",
    "crates/rollup/src/sequencer/backlog.rs",
];

/// Crates whose tests are asked, in this order: those of `stateless` take longest.
const TESTED: [&str; 11] = [
    "keccak",
    "wire",
    "trie",
    "codec",
    "execute",
    "variants",
    "chain",
    "contracts",
    "node",
    "rollup",
    "stateless",
];

/// Their tests beside those of their libraries, which are asked first, in this order.
const TESTS: [&str; 19] = [
    "batch",
    "restricted",
    "malformed",
    "hostile",
    "model",
    "expansion",
    "rules",
    "formats",
    "calls",
    "market",
    "allocation",
    "in_memory",
    "on_chain",
    "pool",
    "node",
    "faults",
    "racing",
    "nodes",
    "judged",
];

/// Selection of mutants.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only files whose path contains this; may be given several times
    #[arg(long, value_name = "PART")]
    file: Vec<String>,

    /// Number of mutants of each file
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    count: usize,

    /// Seed of the choice of mutants
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,

    /// Seconds that the tests of one program may take, by their own duration, before a mutant has survived it
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    budget: u64,

    /// Mutants that are tried at once
    #[arg(long, value_name = "JOBS", default_value_t = 2)]
    jobs: usize,

    /// Only the tests of these crates, by their folders, and only mutants of these are reported [default: all]
    #[arg(long, value_name = "CRATE")]
    tests_of: Vec<String>,

    /// Not the tests of this program, which may take long; may be given several times
    #[arg(long, value_name = "TARGET")]
    without: Vec<String>,

    /// Tell what the mutants are, and try none
    #[arg(long)]
    list: bool,

    /// Write what became of each to audit/mutants-rust.csv
    #[arg(long)]
    record: bool,
}

impl Options {
    /// Returns `true` if the tests of a crate are asked.
    fn asks(&self, package: &str) -> bool {
        self.tests_of.is_empty() || self.tests_of.iter().any(|name| name == package)
    }
}

/// A mutant that was drawn.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    id: u64,
    mutant: Mutant,
    source_hash: String,
}

impl Drawn {
    fn file(&self) -> &str {
        &self.mutant.file
    }

    /// Name in reports and explanations.
    fn name(&self) -> String {
        format!("{}: {}", self.mutant.function, self.mutant.change)
    }

    /// Crate of the file.
    fn package(&self) -> &str {
        self.file().split('/').nth(1).unwrap_or_default()
    }

    /// Key of what became of it, for as long as its file does not change.
    fn key(&self) -> String {
        format!("{} {}", self.id, self.source_hash)
    }
}

/// Outcome of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Outcome {
    /// This test fails.
    Caught(String),
    /// This test does not come to an end.
    Hangs(String),
    /// All tests pass that run the changed code.
    Survived,
    /// No test runs the changed code.
    Unreached,
}

impl Outcome {
    const fn is_caught(&self) -> bool {
        matches!(self, Self::Caught(_) | Self::Hangs(_))
    }

    fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::Caught(by) => ("caught", by),
            Self::Hangs(by) => ("hangs", by),
            Self::Survived => ("survived", ""),
            Self::Unreached => ("unreached", ""),
        }
    }
}

/// Tries mutants of the crates; whether enough is caught, and the rest explained.
pub(crate) fn rust(root: &Path, options: &Options) -> eyre::Result<bool> {
    let mut drawn = draw(root, options)?;
    ensure!(!drawn.is_empty(), "no mutated file has such a name");
    if options.list {
        drawn.iter().for_each(|one| println!("{}: {}", one.file(), one.name()));
        println!("{} mutants", drawn.len());
        return Ok(true);
    }
    let folder = root.join("target").join("mutants").join("rust");
    let workspace = Workspace::new(root, &folder)?;
    let mut executables = workspace.compile(&mut drawn, options)?;
    // The crates whose features they share have tests too.
    executables.retain(|executable| options.asks(&executable.package));
    let explained = Explained::read(root)?;
    let outcomes = try_all(&folder, &drawn, &executables, &explained, options)?;
    let rows = drawn.iter().zip(outcomes);
    let rows: Vec<_> = rows.filter(|(one, _)| options.asks(one.package())).collect();
    if options.record {
        record(&root.join(RECORD), &rows)?;
    }
    Ok(report(&rows, &explained))
}

/// Draws mutants of all files.
fn draw(root: &Path, options: &Options) -> eyre::Result<Vec<Drawn>> {
    let mut files = sources(root)?;
    files.retain(|file| {
        options.file.is_empty() || options.file.iter().any(|part| file.contains(part))
    });
    let mut mutants: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in places(root, &files)? {
        mutants.entry(mutant.file.clone()).or_default().push(mutant);
    }
    let mut drawn = Vec::new();
    for (file, mut mutants) in mutants {
        let source_hash = keccak256(&fs::read(root.join(&file))?).to_string();
        mutants.sort_by_cached_key(|mutant| {
            keccak256(format!("{} {}", options.seed, mutant.id()).as_bytes())
        });
        mutants.truncate(options.count);
        drawn.extend(mutants.into_iter().map(|mutant| Drawn {
            id: mutant.id(),
            mutant,
            source_hash: source_hash.clone(),
        }));
    }
    Ok(drawn)
}

/// All mutants of files, which a program finds that is a workspace of its own.
fn places(root: &Path, files: &BTreeSet<String>) -> eyre::Result<Vec<Mutant>> {
    let output = toolchain::cargo()
        .current_dir(root)
        .args(["run", "--quiet", "--locked", "--manifest-path", PLACES])
        .args(["--target-dir", PLACES_TARGET, "--"])
        .args(files)
        .stderr(Stdio::inherit())
        .output()
        .wrap_err("cannot run cargo")?;
    ensure!(output.status.success(), "tools/mutants: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The mutated files, in order.
fn sources(root: &Path) -> eyre::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for package in MUTATED.iter().filter_map(|path| path.split('/').nth(1)) {
        for path in copy::files(&root.join("crates").join(package).join("src"))? {
            let file = path.strip_prefix(root)?.to_string_lossy().into_owned();
            let is_test = file.ends_with("tests.rs") || file.contains("/tests/");
            if file.ends_with(".rs")
                && !is_test
                && MUTATED.iter().any(|part| file.starts_with(part))
            {
                found.insert(file);
            }
        }
    }
    Ok(found)
}

/// Tries all mutants by the tests of one program after another; what became of each, in their order.
fn try_all(
    folder: &Path,
    drawn: &[Drawn],
    executables: &[Executable],
    explained: &Explained,
    options: &Options,
) -> eyre::Result<Vec<Outcome>> {
    let path = folder.join("results.jsonl");
    let known: BTreeMap<String, Outcome> = fs::read_to_string(&path)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let is_explained = |one: &Drawn| explained.covers(one.file(), &one.name());
    let results = Mutex::new(fs::File::options().create(true).append(true).open(&path)?);
    let at_first = |one: &Drawn| match known.get(&one.key()) {
        // A test that was written later may catch it, unless there is a reason why none can.
        Some(Outcome::Survived) if !is_explained(one) => Outcome::Unreached,
        Some(outcome) => outcome.clone(),
        None => Outcome::Unreached,
    };
    let mut outcomes: Vec<_> = drawn.iter().map(at_first).collect();
    for executable in executables {
        let waiting: Vec<_> =
            (0..drawn.len()).filter(|i| waits(&drawn[*i], &outcomes[*i], explained)).collect();
        if waiting.is_empty() {
            break;
        }
        println!("{}: {} mutants wait for its tests", executable.name(), waiting.len());
        let mut tests = tests_of::reached(executable, folder, options.jobs)?;
        tests.sort_by_key(|test| test.duration);
        let budget = Duration::from_secs(options.budget);
        let tried = in_parallel(options.jobs, &waiting, |index| {
            let outcome = outcome(&drawn[*index], &tests, budget)?;
            if let (true, (word, by)) = (outcome.is_caught(), outcome.columns()) {
                println!("{word} {}: {} {by}", drawn[*index].file(), drawn[*index].name());
            }
            // At once, since the run may be stopped.
            if outcome != Outcome::Unreached {
                let line = serde_json::to_string(&(drawn[*index].key(), &outcome))?;
                if let Ok(mut results) = results.lock() {
                    writeln!(results, "{line}")?;
                }
            }
            Ok(outcome)
        })?;
        for (index, outcome) in waiting.into_iter().zip(tried) {
            if outcome != Outcome::Unreached {
                outcomes[index] = outcome;
            }
        }
    }
    Ok(outcomes)
}

/// Returns `true` if further tests are asked about a mutant.
fn waits(one: &Drawn, outcome: &Outcome, explained: &Explained) -> bool {
    match outcome {
        Outcome::Caught(_) | Outcome::Hangs(_) => false,
        Outcome::Survived => !explained.covers(one.file(), &one.name()),
        Outcome::Unreached => true,
    }
}

/// Works on some of the items at once; the answers are in their order.
fn in_parallel<T: Sync, A: Send>(
    jobs: usize,
    items: &[T],
    work: impl Fn(&T) -> eyre::Result<A> + Sync,
) -> eyre::Result<Vec<A>> {
    let (next, answers) = (Mutex::new(items.iter().enumerate()), Mutex::new(BTreeMap::new()));
    let worker = || -> eyre::Result<()> {
        loop {
            let Some((index, item)) = next.lock().ok().and_then(|mut next| next.next()) else {
                return Ok(());
            };
            let answer = work(item)?;
            if let Ok(mut answers) = answers.lock() {
                answers.insert(index, answer);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| eyre::eyre!("a worker panicked"))?)
    })?;
    let answers = answers.into_inner().unwrap_or_default();
    ensure!(answers.len() == items.len(), "not all items were worked on");
    Ok(answers.into_values().collect())
}

/// Runs the tests that reach a mutant on it, until one fails.
fn outcome(one: &Drawn, tests: &[Test], budget: Duration) -> eyre::Result<Outcome> {
    let (mut spent, mut outcome) = (Duration::ZERO, Outcome::Unreached);
    for test in tests.iter().filter(|test| test.reached.contains(&one.id)) {
        outcome = Outcome::Survived;
        spent += test.duration;
        if spent > budget {
            break;
        }
        match test.run(one.id)? {
            Ran::Passed => {}
            Ran::Failed => return Ok(Outcome::Caught(test.name())),
            Ran::TimedOut => return Ok(Outcome::Hangs(test.name())),
        }
    }
    Ok(outcome)
}

/// Prints the scores; whether they are enough.
fn report(rows: &[(&Drawn, Outcome)], explained: &Explained) -> bool {
    let mut files: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut complaints = Vec::new();
    for (one, outcome) in rows {
        let (made, caught) = files.entry(one.file()).or_default();
        *made += 1;
        *caught += usize::from(outcome.is_caught());
        if !outcome.is_caught() && !explained.covers(one.file(), &one.name()) {
            complaints.push(format!("{}: {}", one.file(), one.name()));
        }
    }
    for (file, (made, caught)) in &files {
        println!("{file}: {caught} of {made} caught");
    }
    let made = rows.len();
    let caught = rows.iter().filter(|(_, outcome)| outcome.is_caught()).count();
    println!("\n{caught} of {made} mutants are caught; {} survive unexplained:", complaints.len());
    complaints.iter().for_each(|complaint| println!("  {complaint}"));
    caught * 100 >= made * LEAST && complaints.is_empty()
}

const HEAD: &str = "file,function,change,outcome,test";

/// Writes down what became of each mutant, beside those of other files.
fn record(path: &Path, rows: &[(&Drawn, Outcome)]) -> eyre::Result<()> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let tried: BTreeSet<_> = rows.iter().map(|(one, _)| one.file()).collect();
    let mut lines: Vec<String> = old
        .lines()
        .skip(1)
        .filter(|line| !line.split(',').next().is_some_and(|file| tried.contains(file)))
        .map(ToOwned::to_owned)
        .collect();
    for (one, outcome) in rows {
        let (word, by) = outcome.columns();
        let fields = [one.file(), &one.mutant.function, &one.mutant.change, word, by];
        lines.push(fields.map(quoted).join(","));
    }
    lines.sort();
    lines.insert(0, HEAD.to_owned());
    fs::write(path, lines.join("\n") + "\n").wrap_err_with(|| path.display().to_string())
}

/// A field of a table.
fn quoted(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Ends a process that takes too long; `None` if it did.
fn wait(child: &mut Child, limit: Duration) -> eyre::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A program with tests.
#[derive(Debug, Clone)]
pub(super) struct Executable {
    /// Folder name of its crate.
    package: String,
    /// Name of the target: the crate's library or a test.
    target: String,
    path: PathBuf,
    /// Folder in which its tests run.
    folder: PathBuf,
    checkout: PathBuf,
}

impl Executable {
    fn name(&self) -> String {
        format!("{} {}", self.package, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(file: &str, change: &str) -> Drawn {
        let mutant = switches::tests::mutant(file, "f", change, 0..1, None);
        Drawn { id: mutant.id(), mutant, source_hash: String::new() }
    }

    #[test]
    fn what_is_mutated_and_what_was_recorded_is_there() {
        let root = toolchain::find_root().unwrap();
        let recorded = fs::read_to_string(root.join(RECORD)).unwrap();
        let files = recorded.lines().skip(1).filter_map(|row| row.split(',').next());
        let files: Vec<_> = files.collect();
        assert!(!files.is_empty());
        for path in MUTATED.into_iter().chain(files) {
            assert!(root.join(path).exists(), "{path} has moved");
        }
    }

    /// Fields of a row.
    fn fields(row: &str) -> Vec<String> {
        let (mut fields, mut is_quoted) = (vec![String::new()], false);
        let mut characters = row.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' if is_quoted && characters.peek() == Some(&'"') => {
                    fields.last_mut().unwrap().extend(characters.next());
                }
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => fields.push(String::new()),
                _ => fields.last_mut().unwrap().push(character),
            }
        }
        fields
    }

    #[test]
    fn what_is_recorded_is_caught_or_explained_and_the_page_has_the_totals() {
        let root = toolchain::find_root().unwrap();
        let recorded = fs::read_to_string(root.join(RECORD)).unwrap();
        let explained = Explained::read(&root).unwrap();
        let (mut made, mut caught, mut files) = (0, 0, BTreeSet::new());
        for row in recorded.lines().skip(1) {
            let [file, function, change, outcome, _] = &fields(row)[..] else { panic!("{row}") };
            let is_caught = ["caught", "hangs"].contains(&outcome.as_str());
            let name = format!("{function}: {change}");
            assert!(is_caught || explained.covers(file, &name), "{file}: {name}");
            (made, caught) = (made + 1, caught + usize::from(is_caught));
            files.insert(file.clone());
        }
        assert!(caught * 100 >= made * LEAST, "{caught} of {made}");
        let said = format!("{caught} of {made} mutants of {} files", files.len());
        let page = fs::read_to_string(root.join("docs").join("deployment.md")).unwrap();
        assert!(page.contains(&said), "docs/deployment.md does not say: {said}");
    }

    #[test]
    fn rows_of_files_that_were_not_run_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mutants.csv");
        let (a, b) =
            (drawn("a.rs", "a < b | `<` -> `<=`"), drawn("b.rs", "g(1, \"\") | `1` -> `1 + 1`"));
        record(&path, &[(&b, Outcome::Unreached)]).unwrap();
        record(&path, &[(&a, Outcome::Survived)]).unwrap();
        record(&path, &[(&a, Outcome::Caught("x lib y".to_owned()))]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let row_a = "a.rs,f,a < b | `<` -> `<=`,caught,x lib y";
        let row_b = "b.rs,f,\"g(1, \"\"\"\") | `1` -> `1 + 1`\",unreached,";
        assert_eq!(fields(row_b), ["b.rs", "f", "g(1, \"\") | `1` -> `1 + 1`", "unreached", ""]);
        assert_eq!(text, format!("{HEAD}\n{row_a}\n{row_b}\n"));
    }

    #[test]
    fn an_explained_mutant_waits_until_one_program_has_run_it() {
        let (explained, other) = (drawn("a.rs", "1 | `1` -> `2`"), drawn("a.rs", "3 | `3` -> `4`"));
        let text = format!(
            "[[explained]]\nfile = \"a.rs\"\nmutants = [\"{}\"]\nbecause = \"both are odd\"",
            explained.name()
        );
        let reasons: Explained = toml::from_str(&text).unwrap();
        let caught = Outcome::Caught("x lib y".to_owned());
        for (outcome, of_explained, of_other) in [
            (Outcome::Unreached, true, true),
            (Outcome::Survived, false, true),
            (caught, false, false),
            (Outcome::Hangs("x lib z".to_owned()), false, false),
        ] {
            assert_eq!(waits(&explained, &outcome, &reasons), of_explained, "{outcome:?}");
            assert_eq!(waits(&other, &outcome, &reasons), of_other, "{outcome:?}");
        }
    }

    #[test]
    fn a_mutant_that_no_test_reaches_is_not_caught() {
        let one = drawn("crates/wire/src/a.rs", "a < b | `<` -> `<=`");
        let outcome = outcome(&one, &[], Duration::ZERO).unwrap();
        assert_eq!(outcome, Outcome::Unreached);
        assert!(!outcome.is_caught());
        assert_eq!(one.package(), "wire");
    }
}
