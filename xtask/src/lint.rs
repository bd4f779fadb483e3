//! The rules of the repository that no other tool checks.
//!
//! They apply to every file that git tracks or would add, so that a file is checked before its
//! first commit.

use std::{
    collections::{BTreeSet, HashSet},
    env, fs, io,
    path::{Path, PathBuf},
};

use eyre::{Result, WrapErr as _, ensure};

use crate::{citations, cycles, files, trusted};

/// Root folders of any Unix system, which documents may name (Filesystem Hierarchy Standard).
const SYSTEM_FOLDERS: [&str; 8] = ["etc", "media", "mnt", "opt", "srv", "tmp", "usr", "var"];

/// Part of the names of hosts that mirror package registries.
const MIRROR: &str = concat!("arti", "factory");

/// The only file of test support that may read the clock.
const TIMEOUT: &str = "crates/testkit/src/timeout.rs";

/// Test support for runs, whose reports contain times.
const RUNS: &str = "crates/testkit/src/localnet";

/// What [`check`] has to know about this machine and the repository.
#[derive(Debug, Default)]
struct Context {
    /// Prefixes of absolute paths that only exist on this machine.
    machine_paths: BTreeSet<String>,
    /// Files and folders of the repository.
    known: HashSet<PathBuf>,
}

/// Checks the files of the checkout at `root`, and prints the findings. Fails if there are any.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = files::tracked(root)?;
    let context = Context {
        machine_paths: machine_paths([Some(root.to_owned()), env::home_dir()]),
        known: files.iter().flat_map(|file| file.ancestors()).map(Path::to_owned).collect(),
    };
    let mut findings = Vec::new();
    for file in &files {
        let bytes = match fs::read(root.join(file)) {
            // The file was deleted but is still in the index, or is a dangling link.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes.wrap_err_with(|| format!("cannot read {}", file.display()))?,
        };
        if let Ok(text) = str::from_utf8(&bytes) {
            findings.extend(check(file, text, &context));
        }
    }
    findings.extend(trusted::check(root)?);
    findings.extend(cycles::check(root)?);
    findings.extend(citations::check(root, &files)?);
    findings.iter().for_each(|finding| println!("{finding}"));
    println!("{} files checked, findings: {}", files.len(), findings.len());
    ensure!(findings.is_empty(), "the rules of the repository are violated");
    Ok(())
}

/// Returns the parents of these folders, without those that every machine has.
fn machine_paths(folders: impl IntoIterator<Item = Option<PathBuf>>) -> BTreeSet<String> {
    let begin = |folder: PathBuf| {
        let parts: Vec<_> = folder.iter().skip(1).filter_map(|part| part.to_str()).collect();
        let is_system = parts.first().is_some_and(|first| SYSTEM_FOLDERS.contains(first));
        let parts = parts.get(..1 + usize::from(is_system))?;
        Some(format!("/{}/", parts.join("/")))
    };
    folders.into_iter().flatten().filter_map(begin).collect()
}

/// Applies all rules to one text file.
fn check(file: &Path, text: &str, context: &Context) -> Vec<String> {
    let mut findings = Vec::new();
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let tests = first_test_line(file, text);
    let (mut is_fenced, is_document) = (false, name.ends_with(".md"));
    for (index, line) in text.lines().enumerate() {
        let mut add = |what: &str| {
            findings.push(format!("{}:{}: {what}", file.display(), index + 1));
        };
        if let Some(path) = context.machine_paths.iter().find(|path| names_path(line, path)) {
            add(&format!("names a path of one machine ({path}…)"));
        }
        if line.to_ascii_lowercase().contains(MIRROR) {
            add("names a registry host");
        }
        if name == "package-lock.json" && line.contains("\"resolved\":") {
            add("names the host that a package came from");
        }
        // A test that compares elapsed time fails on a busy machine. Clippy's `disallowed-methods`
        // cannot express this rule, because it also applies to product code.
        let is_measured =
            line.contains(concat!(".elap", "sed()")) && !line.trim_start().starts_with("//");
        if is_measured && tests.is_some_and(|first| index >= first) {
            add("measures time in a test: use testkit::Timeout");
        }
        is_fenced ^= line.trim_start().starts_with("```");
        if is_document && !is_fenced {
            missing_files(line, context).for_each(|path| add(&format!("there is no {path}")));
        }
    }
    let manifest_error = match name {
        "package.json" => npm_error(text),
        "Cargo.toml" => cargo_error(text),
        _ => None,
    };
    findings.extend(manifest_error.map(|what| format!("{}: {what}", file.display())));
    findings
}

/// Returns the index of the line at which the test code of a file begins: unit tests are the last
/// module of a file.
fn first_test_line(file: &Path, text: &str) -> Option<usize> {
    if file.extension()? != "rs" || file == Path::new(TIMEOUT) {
        return None;
    }
    let is_test = file.iter().any(|part| part == "tests" || part == "tests.rs");
    let is_support = file.starts_with("crates/testkit/src") && !file.starts_with(RUNS);
    if is_test || is_support {
        return Some(0);
    }
    Some(text[..text.find("#[cfg(test)]\nmod ")?].matches('\n').count())
}

/// Returns `true` if `line` names an absolute path below `path`. If a letter or a similar character
/// precedes it, it is part of a longer path or URL and does not count.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.-})*".contains(c)))
}

/// Returns the code spans that are paths into folders of the repository, without such a file.
fn missing_files<'l>(line: &'l str, context: &Context) -> impl Iterator<Item = &'l str> {
    let is_path = |code: &str| {
        let is_part = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
        code.contains('/') && !code.starts_with(['/', '.']) && code.chars().all(is_part)
    };
    let is_missing = |code: &&str| {
        let first = code.split('/').next().unwrap_or_default();
        context.known.contains(Path::new(first))
            && !context.known.contains(Path::new(code.trim_end_matches('/')))
    };
    line.split('`').skip(1).step_by(2).filter(move |code| is_path(code)).filter(is_missing)
}

/// Returns the first version in a `package.json` that is not exact. A peer dependency is a range,
/// which says what a package works with; the version that it is tested with is a development
/// dependency.
fn npm_error(text: &str) -> Option<String> {
    let manifest: serde_json::Value = match serde_json::from_str(text) {
        Ok(manifest) => manifest,
        Err(error) => return Some(format!("is not valid JSON: {error}")),
    };
    let is_tested = |name: &str| manifest["devDependencies"][name].is_string();
    let mut peers = manifest["peerDependencies"].as_object().into_iter().flatten();
    if let Some((name, _)) = peers.find(|(name, _)| !is_tested(name)) {
        return Some(format!("{name} is a peer, and devDependencies do not pin it"));
    }
    ["dependencies", "devDependencies", "optionalDependencies"]
        .iter()
        .filter_map(|section| manifest[section].as_object())
        .flatten()
        .find(|(_, version)| {
            version.as_str().is_none_or(|version| semver::Version::parse(version).is_err())
        })
        .map(|(name, version)| format!("{name} is not pinned to an exact version ({version})"))
}

/// Checks that a `Cargo.toml` inherits the lints of the workspace, unless it is the root of one.
fn cargo_error(text: &str) -> Option<String> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return Some(format!("is not valid TOML: {error}")),
    };
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    let is_good = manifest.contains_key("workspace") || inherits == Some(&true.into());
    (!is_good).then(|| "does not inherit the lints of the workspace".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(file: &str, text: &str) -> usize {
        let paths = ["crates", "crates/a", "crates/a/b.rs"].map(PathBuf::from);
        let folders = ["/people/alice/enshrine", "/srv/a/b", "/", "/var"];
        let context = Context {
            machine_paths: machine_paths(folders.map(|folder| Some(folder.into()))),
            known: paths.into(),
        };
        // For folders that every machine has, the prefix includes the next component.
        assert!(context.machine_paths.iter().eq(["/people/", "/srv/a/"]));
        check(Path::new(file), text, &context).len()
    }

    // Split, because this file is checked too.
    const ELAPSED: &str = concat!("begun.elap", "sed();");

    #[test]
    fn violations_are_found() {
        for (file, text) in [
            ("docs/a.md", "see /people/bob"),
            ("docs/a.md", "\"/srv/a/x\""),
            ("a.toml", &*format!("https://{}.example.org", MIRROR.to_uppercase())),
            ("package-lock.json", "  \"resolved\": \"https://example.org/a.tgz\","),
            ("crates/a/tests/b.rs", ELAPSED),
            ("crates/testkit/src/b.rs", ELAPSED),
            ("crates/a/src/b.rs", &format!("#[cfg(test)]\nmod tests {{\n {ELAPSED}\n}}\n")),
            ("docs/a.md", "```\n`crates/c`\n```\n`crates/a/b.rs`, `crates/a/c.rs`"),
            ("package.json", "{"),
            ("package.json", r#"{"dependencies":{"a":"^1.7.1","b":"1.0.0"}}"#),
            ("sub/package.json", r#"{"devDependencies":{"a":"1.7"}}"#),
            ("package.json", r#"{"peerDependencies":{"a":">=1 <3"}}"#),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
            ("crates/a/Cargo.toml", "[lints]\nworkspace = false"),
            ("crates/a/Cargo.toml", "[lints.rust]\nworkspace = true"),
        ] {
            assert_eq!(count(file, text), 1, "{file}: {text}");
        }
    }

    #[test]
    fn lookalikes_are_accepted() {
        for (file, text) in [
            ("docs/a.md", "https://example.org/people/x {dir}/srv/a/x /people"),
            ("a.toml", "https://registry.example.org"),
            ("package-lock.json", "  \"integrity\": \"sha512-AAAA\","),
            ("crates/a/tests/b.rs", &*format!("// {ELAPSED}")),
            ("crates/a/src/b.rs", ELAPSED),
            (TIMEOUT, ELAPSED),
            ("crates/testkit/src/localnet/b.rs", ELAPSED),
            ("docs/a.md", "`crates/a/` `src/c.rs` `crates/<name>` `a/b` `/crates/y`"),
            ("package.json", r#"{"dependencies":{"a":"1.7.1","b":"2.0.0-rc.1"}}"#),
            (
                "package.json",
                r#"{"peerDependencies":{"a":">=1 <3"},"devDependencies":{"a":"1.7.1"}}"#,
            ),
            ("crates/a/Cargo.toml", "lints.workspace = true"),
            ("crates/a/Cargo.toml", "[workspace]\nmembers = []"),
            ("crates/a/Cargo.toml", "[lints]\n# all\nworkspace = true"),
        ] {
            assert_eq!(count(file, text), 0, "{file}: {text}");
        }
    }
}
