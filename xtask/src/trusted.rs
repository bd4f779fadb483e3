//! Code that an L1 client has to trust: the crates of the workspace that the precompile links.
//!
//! Whole crates are counted, so that moving code between modules does not change the count.
//! SECURITY.md quotes it, and `lint-repo` checks the document against the count and the count
//! against [`LIMIT`].

use std::{collections::BTreeSet, fs, path::Path};

use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::Value;

use crate::files;

/// Crate of the precompile.
const PRECOMPILE: &str = "enshrine-execute";
/// Maximum number of code lines.
const LIMIT: usize = 8_080;
/// Document that quotes the count.
const DOCUMENT: &str = "SECURITY.md";
/// Markers around the table in the document.
const MARKS: [&str; 2] = ["<!-- cargo xtask trusted --write -->\n", "<!-- end -->"];

/// A crate and its code lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Count {
    name: String,
    lines: usize,
}

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
    counts.iter().map(|count| count.lines).sum()
}

fn table(counts: &[Count]) -> String {
    let mut table = "| crate | code lines |\n|---|---|\n".to_owned();
    for Count { name, lines } in counts {
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

/// Returns `cargo metadata` of the workspace.
pub(crate) fn metadata(root: &Path) -> Result<Value> {
    let mut cargo = toolchain::cargo();
    cargo.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root);
    let output = cargo.output().wrap_err("cannot run cargo metadata")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {}", said.trim());
    serde_json::from_slice(&output.stdout).wrap_err("cargo metadata")
}

/// Returns the name of a crate without the prefix of the project.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix("enshrine-").unwrap_or(name)
}

/// Returns the number of code lines of each crate that the precompile links, largest first.
fn counts(root: &Path) -> Result<Vec<Count>> {
    let metadata = metadata(root)?;
    let linked = linked(&metadata, PRECOMPILE).ok_or_eyre("cargo metadata has another form")?;
    let mut counts = Vec::new();
    for (name, manifest) in linked {
        let source = Path::new(manifest).with_file_name("src");
        let mut lines = 0;
        for path in files::below(&source)? {
            let is_test = path
                .components()
                .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
            if path.extension().is_some_and(|it| it == "rs") && !is_test {
                let text = fs::read_to_string(&path);
                lines += code_lines(&text.wrap_err_with(|| path.display().to_string())?);
            }
        }
        counts.push(Count { name: short(name).to_owned(), lines });
    }
    counts.sort_by_key(|count| core::cmp::Reverse(count.lines));
    Ok(counts)
}

/// Returns names and manifests of a crate and of all crates of the workspace that it links, itself
/// first.
fn linked<'m>(metadata: &'m Value, first: &'m str) -> Option<Vec<(&'m str, &'m str)>> {
    let packages = metadata["packages"].as_array()?;
    let (mut open, mut seen, mut found) = (vec![first], BTreeSet::from([first]), Vec::new());
    while let Some(name) = open.pop() {
        let package = packages.iter().find(|it| it["name"].as_str() == Some(name))?;
        found.push((name, package["manifest_path"].as_str()?));
        for dependency in package["dependencies"].as_array()? {
            // Dependencies of tests and build scripts are not linked.
            let is_linked = dependency["kind"].is_null() && dependency["path"].is_string();
            let name = dependency["name"].as_str()?;
            if is_linked && seen.insert(name) {
                open.push(name);
            }
        }
    }
    Some(found)
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
    use serde_json::json;

    #[test]
    fn blank_lines_comments_and_tests_are_no_code() {
        let text = "//! A crate.\n\n/// Adds.\nfn add() {\n    // Why.\n    1 + 1 // two\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    fn it() {}\n}\n";
        assert_eq!(code_lines(text), 3);
    }

    #[test]
    fn only_linked_crates_are_counted() {
        let package = |name: &str, links: &[(&str, Option<&str>)]| {
            let links =
                links.iter().map(|(name, kind)| json!({ "name": name, "kind": kind, "path": "p" }));
            json!({ "name": name, "manifest_path": name, "dependencies": links.collect::<Vec<_>>() })
        };
        let metadata = json!({ "packages": [
            package("a", &[("b", None), ("t", Some("dev"))]),
            package("b", &[("c", None)]), package("c", &[]), package("t", &[]),
        ] });
        let names: Vec<_> = linked(&metadata, "a").unwrap().iter().map(|it| it.0).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn wrong_counts_and_exceeded_limits_are_found() {
        let counts = |lines| vec![Count { name: "wire".to_owned(), lines }];
        let document = |counts: &[Count]| [MARKS[0], &table(counts), MARKS[1]].concat();
        let few = counts(LIMIT);
        assert_eq!(differences(&few, &document(&few)), Vec::<String>::new());
        assert_eq!(differences(&few, &document(&counts(1))).len(), 1);
        assert_eq!(differences(&few, "").len(), 1);
        let many = counts(LIMIT + 1);
        assert!(differences(&many, &document(&many))[0].contains("at most"));
    }
}
