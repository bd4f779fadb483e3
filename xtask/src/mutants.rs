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
//! 95 %. `audit/mutants.csv` has the scores. Mistakes that no small change makes, or that the tests once passed on,
//! have names (see [`mod@named`]), and all of them must be caught.

mod campaign;
mod named;
pub(crate) mod rust;
mod scores;
mod solidity;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{OptionExt as _, WrapErr as _, ensure};
use serde_json::{Value, json};
use toolchain::{Toolchain, progress_to_stderr};

use campaign::{Campaign, Outcome};
use scores::{Explained, Score, record};

/// The least share of mutants that has to be caught, in percent.
const LEAST: usize = 95;

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

    /// The mutants of audit/mutants-named.toml, all of which must be caught
    #[arg(long, conflicts_with_all = ["every", "count", "record"])]
    named: bool,

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
    if options.named {
        return named::run(root, &tools, options);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
