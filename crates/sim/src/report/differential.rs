//! Counts of a run of the differential tests, which the tests print.

use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, path::Path, process::Stdio};

/// Blocks of a world, and forks under which the test `agreement` makes worlds.
const BLOCKS_AND_FORKS: [u64; 2] = [3, 5];
/// Beginning of the names of runs over random programs.
const PROGRAMS: &str = "programs under ";

/// Inputs on which two verifiers agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    accepted: u64,
    refused: u64,
    /// Refused inputs on which ethrex panics.
    panics: u64,
}

impl Counts {
    const fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.panics += other.panics;
    }

    fn json(self) -> Value {
        let Self { accepted, refused, panics } = self;
        json!({ "accepted": accepted, "refused": refused, "panics": panics })
    }
}

/// Runs the tests with this number of worlds for each fork, and returns their counts. They follow
/// from seeds and the test vectors.
///
/// # Errors
///
/// If a test fails, which it does if the verifiers disagree.
pub(crate) fn run(root: &Path, worlds: &str) -> Result<String> {
    let mut tests = toolchain::cargo();
    tests.args(["test", "--profile", "checks", "--workspace", "--test", "agreement"]);
    // The tests of minimal witnesses compare no verdicts, and take most of the time.
    tests.args(["--", "--nocapture", "--skip", "minimal"]).current_dir(root);
    tests.env("ENSHRINE_WORLDS", worlds);
    let output = tests.stderr(Stdio::inherit()).output().wrap_err("cannot run cargo")?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "the differential tests fail: {text}");
    Ok(figures(&text, worlds.parse()?)?.to_string())
}

/// Returns the counts of all runs that the tests print.
fn figures(text: &str, worlds: u64) -> Result<Value> {
    let mut runs = BTreeMap::<&str, Counts>::new();
    let [mut valid, mut changed, mut batches, mut sum] = [Counts::default(); 4];
    let mut transactions = 0;
    for line in text.lines() {
        if let Some([accepted, refused]) = batches_of(line) {
            batches.add(Counts { accepted, refused, panics: 0 });
        }
        let Some((what, counts)) = tally(line) else { continue };
        let (name, detail) = what.split_once(": ").unwrap_or((what, ""));
        runs.entry(name).or_default().add(counts);
        sum.add(counts);
        if name.starts_with(PROGRAMS) && name.contains(',') {
            changed.add(counts);
        } else if name.starts_with(PROGRAMS) {
            let (count, _) = detail.split_once(" transactions").ok_or_eyre("no transactions")?;
            transactions += count.parse::<u64>()?;
            valid.add(counts);
        }
    }
    let expected = worlds * BLOCKS_AND_FORKS.into_iter().product::<u64>();
    ensure!(valid.accepted == expected, "{} random blocks, expected {expected}", valid.accepted);
    let runs: Map<_, _> =
        runs.into_iter().map(|(name, run)| (name.to_owned(), run.json())).collect();
    Ok(json!({
        "worlds": worlds,
        "blocks": valid.accepted,
        "transactions": transactions,
        "changed": changed.json(),
        "batches": { "accepted": batches.accepted, "refused": batches.refused },
        "sum": sum.json(),
        "inputs": sum.accepted + sum.refused,
        "runs": runs,
    }))
}

/// Returns the name and the counts of a run on which both verifiers agree.
fn tally(line: &str) -> Option<(&str, Counts)> {
    let (what, counts) = line.rsplit_once(": ")?;
    let (accepted, counts) = counts.split_once(" accepted and ")?;
    let (refused, counts) = counts.split_once(" refused by both (")?;
    let panics = counts.strip_suffix(" with a panic of ethrex)")?;
    // With one thread, the name of the test is on the same line.
    let what = what.split_once(" ... ").map_or(what, |(_, what)| what);
    let [accepted, refused, panics] = [accepted, refused, panics].map(|count| count.parse().ok());
    Some((what, Counts { accepted: accepted?, refused: refused?, panics: panics? }))
}

/// Returns how many batches EXECUTE accepts and refuses.
fn batches_of(line: &str) -> Option<[u64; 2]> {
    let (_, counts) = line.split_once("Batches { accepted: ")?;
    let (accepted, refused) = counts.split_once(", refused: ")?;
    Some([accepted.parse().ok()?, refused.strip_suffix(" }")?.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "accepted and 2 refused by both (1 with a panic of ethrex)";

    #[test]
    fn printed_counts_become_figures() {
        let text = format!(
            "test real::a ... real blocks: 12 {BOTH}\n\
             programs under osaka: 70 transactions (60 successful, 3 left out): 15 {BOTH}\n\
             programs under osaka, each block with a change: 4 {BOTH}\n\
             Batches {{ accepted: 9, refused: 8 }}\nBatches {{ accepted: 1, refused: 1 }}\n\
             osaka under its own forks: Played {{ blocks: 5, rejected: 1 }}: 5 {BOTH}\nok\n"
        );
        let got = figures(&text, 1).unwrap();
        assert_eq!(got["runs"]["real blocks"]["accepted"], 12);
        assert_eq!(got["runs"]["osaka under its own forks"]["panics"], 1);
        assert_eq!((got["blocks"].as_u64(), got["transactions"].as_u64()), (Some(15), Some(70)));
        assert_eq!(got["changed"], json!({ "accepted": 4, "refused": 2, "panics": 1 }));
        assert_eq!(got["batches"], json!({ "accepted": 10, "refused": 9 }));
        assert_eq!(got["sum"], json!({ "accepted": 36, "refused": 8, "panics": 4 }));
        assert_eq!(got["inputs"], 44);
        // A fork is missing.
        assert!(figures(&text, 2).is_err());
    }
}
