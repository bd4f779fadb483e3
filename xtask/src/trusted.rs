//! Code that an L1 client has to trust: the crates of the workspace that the precompile links.
//!
//! Whole crates are counted, so that moving code between modules does not change the count.
//! SECURITY.md quotes it, and `lint-repo` checks the document against the count and the count
//! against [`LIMIT`].

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use eyre::{OptionExt as _, Result, WrapErr as _, ensure};

use crate::{command, files};

/// Crate of the precompile.
const PRECOMPILE: &str = "enshrine-execute";
/// Maximum number of code lines.
const LIMIT: usize = 8_080;
/// Document that quotes the count.
const DOCUMENT: &str = "SECURITY.md";
/// Markers around the table in the document.
const MARKS: [&str; 2] = ["<!-- cargo xtask trusted --write -->\n", "<!-- end -->"];

/// Name of a crate, and number of its code lines.
type Count = (String, usize);

/// Prints the count; with `write`, also into the document.
pub(crate) fn run(root: &Path, write: bool) -> Result<()> {
    let counts = counts(root)?;
    let table = table(&counts);
    print!("{table}");
    if write {
        let path = root.join(DOCUMENT);
        let text = fs::read_to_string(&path).wrap_err(DOCUMENT)?;
        let (before, _, after) = parts(&text).ok_or_eyre("the document has no place for it")?;
        fs::write(&path, [before, &table, after].concat()).wrap_err(DOCUMENT)?;
    }
    ensure!(total(&counts) <= LIMIT, "at most {LIMIT} code lines may be trusted");
    Ok(())
}

/// Returns the ways in which the code, the document and [`LIMIT`] differ.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let counts = counts(root)?;
    let text = fs::read_to_string(root.join(DOCUMENT)).wrap_err(DOCUMENT)?;
    Ok(differences(&counts, &text))
}

fn differences(counts: &[Count], document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let total = total(counts);
    if total > LIMIT {
        found
            .push(format!("{PRECOMPILE} links {total} code lines, at most {LIMIT} may be trusted"));
    }
    if parts(document).is_none_or(|(_, quoted, _)| quoted != table(counts)) {
        found.push(format!("{DOCUMENT} quotes another count: run `cargo xtask trusted --write`"));
    }
    found
}

fn total(counts: &[Count]) -> usize {
    counts.iter().map(|(_, lines)| lines).sum()
}

fn table(counts: &[Count]) -> String {
    let mut table = "| crate | code lines |\n|---|---|\n".to_owned();
    for (name, lines) in counts {
        table += &format!("| `{name}` | {lines} |\n");
    }
    table + &format!("| all | {} |\n", total(counts))
}

/// Splits a document into the text before the table, the table, and the text after it.
fn parts(document: &str) -> Option<(&str, &str, &str)> {
    let begin = document.find(MARKS[0])? + MARKS[0].len();
    let end = begin + document[begin..].find(MARKS[1])?;
    Some((&document[..begin], &document[begin..end], &document[end..]))
}

/// Returns the number of code lines of each crate that the precompile links, largest first.
fn counts(root: &Path) -> Result<Vec<Count>> {
    let mut cargo = toolchain::cargo();
    cargo.args(["tree", "--package", PRECOMPILE, "--edges", "normal", "--prefix", "none"]);
    let tree = command::output(cargo.args(["--format", "{p}"]).current_dir(root))?;
    let mut counts = Vec::new();
    for (name, folder) in linked(&String::from_utf8(tree)?) {
        let mut lines = 0;
        let sources = folder.join("src");
        for path in files::below(&sources)? {
            let inside = path.strip_prefix(&sources)?;
            let is_test = inside.iter().any(|part| part == "tests" || part == "tests.rs");
            if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let text = fs::read_to_string(&path);
                lines += code_lines(&text.wrap_err_with(|| path.display().to_string())?);
            }
        }
        counts.push((name, lines));
    }
    counts.sort_by_key(|(_, lines)| core::cmp::Reverse(*lines));
    Ok(counts)
}

/// Returns names, without the prefix of the project, and folders of the crates of the workspace in
/// the output of `cargo tree`, which names the folder only of these.
fn linked(tree: &str) -> BTreeSet<(String, PathBuf)> {
    let linked = tree.lines().filter_map(|line| {
        let (package, folder) = line.split_once(" (/")?;
        let name = package.strip_prefix("enshrine-")?.split(' ').next()?;
        Some((name.to_owned(), ["/", folder.split(')').next()?].concat().into()))
    });
    linked.collect()
}

/// Counts the lines with code: neither blank, nor comments, nor in the test module, which is the
/// last module of a file.
fn code_lines(text: &str) -> usize {
    let code = text.find("#[cfg(test)]\nmod ").map_or(text, |tests| &text[..tests]);
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_comments_and_tests_are_no_code() {
        let text = "//! A crate.\n\n/// Adds.\nfn add() {\n    // Why.\n    1 + 1 // two\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    fn it() {}\n}\n";
        assert_eq!(code_lines(text), 3);
    }

    #[test]
    fn only_crates_of_workspace_are_counted() {
        let tree = "enshrine-execute v0.1.0 (/a/execute)\nsha2 v0.11.1\nserde v1.0.0 (proc-macro)\n\
                    enshrine-wire v0.1.0 (/a/wire)\nenshrine-wire v0.1.0 (/a/wire) (*)\n";
        let expected =
            ["execute", "wire"].map(|name| (name.to_owned(), format!("/a/{name}").into()));
        assert_eq!(linked(tree), BTreeSet::from(expected));
    }

    #[test]
    fn wrong_counts_and_exceeded_limits_are_found() {
        let counts = |lines| vec![("wire".to_owned(), lines)];
        let document = |counts: &[Count]| [MARKS[0], &table(counts), MARKS[1]].concat();
        let few = counts(LIMIT);
        assert_eq!(differences(&few, &document(&few)), Vec::<String>::new());
        assert_eq!(differences(&few, &document(&counts(1))).len(), 1);
        assert_eq!(differences(&few, "").len(), 1);
        let many = counts(LIMIT + 1);
        assert!(differences(&many, &document(&many))[0].contains("at most"));
    }
}
