//! Scores of the files, and the reasons of mutants that survive.

use std::{collections::BTreeMap, fs, path::Path};

use eyre::{WrapErr as _, ensure};
use serde::Deserialize;

use super::campaign::Outcome;

/// Number of caught mutants of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) every: u64,
    pub(super) mutants: usize,
    pub(super) caught: usize,
    pub(super) explained: usize,
}

impl Score {
    pub(super) fn count(&mut self, outcome: Outcome) {
        self.mutants += usize::from(outcome != Outcome::Stillborn);
        self.caught += usize::from(matches!(outcome, Outcome::Caught | Outcome::Hangs));
    }
}

/// Mutants that may survive, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Explained {
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
    pub(super) fn read(root: &Path) -> eyre::Result<Self> {
        let file = root.join("audit").join("mutants.toml");
        let text = fs::read_to_string(&file)
            .wrap_err_with(|| format!("cannot read {}", file.display()))?;
        let read: Self = toml::from_str(&text).wrap_err("audit/mutants.toml")?;
        for one in &read.explained {
            ensure!(!one.because.trim().is_empty(), "audit/mutants.toml: no reason: {one:?}");
        }
        Ok(read)
    }

    pub(super) fn covers(&self, file: &str, what: &str) -> bool {
        let here = self.explained.iter().filter(|explanation| explanation.file == file);
        here.flat_map(|explanation| &explanation.mutants).any(|mutant| mutant == what)
    }
}

const HEAD: &str = "file,every,mutants,caught,explained";

/// Writes scores down, beside those of other files.
pub(super) fn record(path: &Path, scores: &BTreeMap<String, Score>) -> eyre::Result<()> {
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
