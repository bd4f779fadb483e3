//! Flipped bits and deleted files anywhere in a chain's folder lead to an error, to a repair, or
//! have no effect.
//!
//! The cases run in a separate process, `examines_the_cases_of_its_parent`, so that an abort is
//! detected. `ENSHRINE_FLIPS` is the number of flips.

use crate::twin::{Twin, child, config, copy_folder, files, genesis, random};
use chain::{Chain, ChainError};
use enshrine_disk::{DiskOptions, DiskStore, open_chain_with};
use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::tempdir;

/// Blocks of the chain, per opening; the last ones are only in the journal of the state store.
const BLOCKS: [u64; 4] = [3, 3, 3, 2];
const FOLDER: &str = "ENSHRINE_DAMAGED_FOLDER";
const FIRST: &str = "ENSHRINE_DAMAGED_FIRST";
const CASES: &str = "ENSHRINE_DAMAGED_CASES";

fn options() -> DiskOptions {
    // Several segments with two blocks each.
    DiskOptions { cache_bytes: 8 << 20, segment_bytes: 20_000, ..DiskOptions::default() }
}

fn open(folder: &Path) -> Result<Chain, ChainError> {
    open_chain_with(folder, &genesis(), config(), options())
}

fn whole_chain(whole: &Path) -> Twin {
    let mut twin = Twin::new();
    for (round, blocks) in BLOCKS.into_iter().enumerate() {
        let mut chain = open(whole).unwrap();
        twin.grow(blocks, 0, &mut [&mut chain]);
        drop(chain);
        if round + 1 < BLOCKS.len() {
            DiskStore::open(whole, options()).unwrap().compact().unwrap();
        }
    }
    twin
}

/// Damages a copy of the chain: the cases are first deletions of files, then of folders, then
/// flips.
fn damage(whole: &Path, folder: &Path, case: usize) -> String {
    let paths = files(whole);
    let folders: Vec<_> = {
        let parents = paths.iter().filter_map(|path| path.parent());
        let mut parents: Vec<_> = parents.filter(|parent| *parent != whole).collect();
        parents.sort();
        parents.dedup();
        parents
    };
    let within = |path: &Path| folder.join(path.strip_prefix(whole).unwrap());
    let name = |path: &Path| path.strip_prefix(whole).unwrap().display().to_string();
    if let Some(path) = paths.get(case) {
        fs::remove_file(within(path)).unwrap();
        return format!("deleted {}", name(path));
    }
    if let Some(path) = folders.get(case - paths.len()) {
        fs::remove_dir_all(within(path)).unwrap();
        return format!("deleted {}", name(path));
    }
    let seed = (case - paths.len() - folders.len()) as u64;
    // The preallocated part of a file has no content to flip.
    let used = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
    };
    let filled: Vec<_> = paths.iter().filter(|path| used(path) > 0).collect();
    let path = filled[usize::try_from(seed).unwrap() % filled.len()];
    let at = usize::try_from(random(7_000 + seed) >> 8).unwrap() % used(path);
    let bit = random(7_000 + seed) % 8;
    let mut bytes = fs::read(within(path)).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(within(path), bytes).unwrap();
    format!("flipped bit {bit} of byte {at} of {}", name(path))
}

/// Returns the outcome of opening and reading a corrupted chain.
fn examine(twin: &Twin, folder: &Path) -> &'static str {
    let looked = |chain: &Chain| {
        let errors = twin.assert_never_wrong(chain);
        if errors == 0 {
            assert_eq!(child(chain, 9).block.hash, child(&twin.chain, 9).block.hash);
        }
        (errors, chain.store().report().is_some())
    };
    for _ in 0..2 {
        match open(folder) {
            Ok(chain) => match looked(&chain) {
                (0, true) => return "recovered",
                (0, false) => return "no effect",
                // Reopening must repair the damage, unless it is in the log.
                _ => {}
            },
            Err(error) => {
                assert!(error.is_internal(), "{error}");
                return "refused";
            }
        }
    }
    "errors"
}

#[test]
fn examines_the_cases_of_its_parent() {
    let Ok(work) = env::var(FOLDER).map(PathBuf::from) else { return };
    let number = |name| env::var(name).unwrap().parse::<usize>().unwrap();
    let mut twin = Twin::new();
    twin.grow(BLOCKS.iter().sum(), 0, &mut []);
    let mut results = fs::OpenOptions::new().append(true).open(work.join("results")).unwrap();
    for case in number(FIRST)..number(CASES) {
        let folder = work.join("damaged");
        drop(fs::remove_dir_all(&folder));
        copy_folder(&work.join("whole"), &folder);
        let what = damage(&work.join("whole"), &folder, case);
        write!(results, "{case}\t{what}\t").unwrap();
        let found = catch_unwind(AssertUnwindSafe(|| examine(&twin, &folder)));
        writeln!(results, "{}", found.unwrap_or("wrong or panicked")).unwrap();
    }
}

/// Runs the cases, and returns how many had each outcome.
fn run(flips: usize) -> BTreeMap<String, usize> {
    let work = tempdir().unwrap();
    let twin = whole_chain(&work.path().join("whole"));
    let whole = work.path().join("whole");
    twin.assert_same(&open(&whole).unwrap(), 0);
    let paths = files(&whole);
    let mut folders: Vec<_> = paths.iter().filter_map(|path| path.parent()).collect();
    folders.sort();
    folders.dedup();
    let cases = paths.len() + folders.len() - 1 + flips;
    let results = work.path().join("results");
    fs::write(&results, "").unwrap();
    let mut first = 0;
    while first < cases {
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", "lost::examines_the_cases_of_its_parent"])
            .env(FOLDER, work.path())
            .env(FIRST, first.to_string())
            .env(CASES, cases.to_string())
            .status()
            .unwrap();
        if status.success() {
            break;
        }
        // The process aborted within a case.
        let text = fs::read_to_string(&results).unwrap();
        assert!(!text.ends_with('\n'), "the process failed between two cases");
        fs::write(&results, format!("{text}aborted\n")).unwrap();
        first = text.lines().count();
    }
    let (text, mut outcomes) = (fs::read_to_string(&results).unwrap(), BTreeMap::new());
    assert_eq!(text.lines().count(), cases);
    for line in text.lines() {
        let outcome = line.rsplit('\t').next().unwrap();
        assert!(!["wrong or panicked", "aborted"].contains(&outcome), "{line}");
        if env::var("ENSHRINE_FLIPS").is_ok() {
            println!("{line}");
        }
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
    }
    println!("{} files, {cases} cases: {outcomes:?}", paths.len());
    outcomes
}

#[test]
fn deleted_files_and_flipped_bits_never_corrupt_reads() {
    let flips = env::var("ENSHRINE_FLIPS").ok().map_or(30, |flips| flips.parse().unwrap());
    let outcomes = run(flips);
    for outcome in ["recovered", "refused", "no effect"] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count > 3), "{outcomes:?}");
    }
}
