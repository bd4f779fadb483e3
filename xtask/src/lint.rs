//! The rules of the repository that no compiler and no linter checks.
//!
//! They apply to every file that git tracks or would add, so that a file is checked before its
//! first commit. The rules of cargo-deny, cargo-shear and clippy are in `deny.toml` and
//! `Cargo.toml`.

use std::{
    collections::BTreeSet,
    env, fmt, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use eyre::{WrapErr as _, bail};
use serde_json::Value;

use crate::{cycles, links, trusted, wall_clock};

/// Root folders of any Unix system, which documents may name (Filesystem Hierarchy Standard).
const SYSTEM_FOLDERS: [&str; 8] = ["etc", "media", "mnt", "opt", "srv", "tmp", "usr", "var"];

/// Part of the names of hosts that mirror package registries.
const MIRROR: &str = concat!("arti", "factory");

/// A violation of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: PathBuf,
    /// Line, counted from one; `None` for the whole file.
    line: Option<usize>,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.what)
    }
}

/// Checks the files of the checkout at `root` and prints the findings. Returns `true` if there are
/// none.
pub(crate) fn run(root: &Path) -> eyre::Result<bool> {
    let files = repository_files(root)?;
    let machine_paths = machine_paths([Some(root.to_owned()), env::home_dir()]);
    let mut findings = Vec::new();
    let mut documents = Vec::new();
    for file in &files {
        let bytes = match fs::read(root.join(file)) {
            // The file was deleted but is still in the index, or is a dangling link.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes.wrap_err_with(|| format!("cannot read {}", file.display()))?,
        };
        if let Ok(text) = str::from_utf8(&bytes) {
            findings.extend(check(file, text, &machine_paths));
            findings.extend(wall_clock::measured(file, text).map(|line| Finding {
                file: file.clone(),
                line: Some(line),
                what: "measures time in a test: use testkit::Timeout".to_owned(),
            }));
            if file.extension().is_some_and(|extension| extension == "md") {
                documents.push((file.clone(), text.to_owned()));
            }
        }
    }
    let links = links::broken(&documents, &files).into_iter();
    findings.extend(links.map(|(file, line, what)| Finding { file, line: Some(line), what }));
    for finding in &findings {
        println!("{finding}");
    }
    let mut others = trusted::check(root)?;
    others.extend(cycles::check(root)?);
    others.iter().for_each(|other| println!("{other}"));
    let total = findings.len() + others.len();
    println!("{} files checked, findings: {total}", files.len());
    Ok(total == 0)
}

/// Returns the files that git tracks or would add.
fn repository_files(root: &Path) -> eyre::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .wrap_err("cannot run git, which knows the files of the repository")?;
    if !output.status.success() {
        bail!("git cannot list the files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let names = String::from_utf8(output.stdout).wrap_err("a file's name is not UTF-8")?;
    let files: Vec<_> =
        names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    if files.is_empty() {
        bail!("git lists no file at all in {}", root.display());
    }
    Ok(files)
}

/// Returns prefixes of absolute paths that only exist on this machine: the parents of these
/// folders.
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
fn check(file: &Path, text: &str, machine_paths: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |line, what| findings.push(Finding { file: file.to_owned(), line, what });
    for (index, line) in text.lines().enumerate() {
        if let Some(path) = machine_paths.iter().find(|path| names_path(line, path)) {
            add(Some(index + 1), format!("names a path of one machine ({path}…)"));
        }
        if line.to_ascii_lowercase().contains(MIRROR) {
            add(Some(index + 1), format!("names a registry host ({MIRROR})"));
        }
    }
    match file.file_name().and_then(|name| name.to_str()) {
        Some("package.json") => {
            package_versions(text).into_iter().for_each(|what| add(None, what));
        }
        Some("package-lock.json") => {
            for (index, _) in
                text.lines().enumerate().filter(|(_, it)| it.contains("\"resolved\":"))
            {
                add(Some(index + 1), "names the host that a package came from".to_owned());
            }
        }
        Some("Cargo.toml") if !inherits_lints(text) => add(
            None,
            "does not inherit the lints of the workspace: add `[lints]` with `workspace = true`"
                .to_owned(),
        ),
        _ => {}
    }
    findings
}

/// Returns `true` if `line` names an absolute path below `path`. If a letter or a similar character
/// precedes it, it is part of a longer path or URL and does not count.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.-})*".contains(c)))
}

/// Finds versions in a `package.json` that are not exact.
fn package_versions(text: &str) -> Vec<String> {
    let manifest: Value = match serde_json::from_str(text) {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("is not valid JSON: {error}")],
    };
    ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]
        .iter()
        .filter_map(|section| manifest[section].as_object())
        .flatten()
        .filter(|(_, version)| !version.as_str().is_some_and(is_exact))
        .map(|(name, version)| format!("{name} is not pinned to an exact version ({version})"))
        .collect()
}

/// Returns `true` if `version` is `major.minor.patch`, with or without a pre-release.
fn is_exact(version: &str) -> bool {
    let (numbers, pre_release) = version.split_once('-').unwrap_or((version, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    numbers.split('.').count() == 3
        && numbers.split('.').all(|part| plain(part) && part.parse::<u64>().is_ok())
        && pre_release.split('.').all(plain)
}

/// Returns `true` if a `Cargo.toml` inherits the lints of the workspace, or is not one of its
/// crates: the root, or a crate that is its own workspace.
fn inherits_lints(manifest: &str) -> bool {
    let mut section = "";
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let compact: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        let inherits = match section {
            "[workspace]" => true,
            "[lints]" => compact == "workspace=true",
            "" => compact == "lints.workspace=true",
            _ => false,
        };
        if inherits {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, text: &str) -> Vec<String> {
        check(Path::new(file), text, &paths()).iter().map(ToString::to_string).collect()
    }

    /// Paths of a machine with a checkout in a home folder and another at the root.
    fn paths() -> BTreeSet<String> {
        machine_paths(["/people/alice/enshrine", "/build", "/"].map(|it| Some(it.into())))
    }

    #[test]
    fn machine_paths_derive_from_checkout_and_home() {
        let of = |folders: &[&str]| -> Vec<String> {
            machine_paths(folders.iter().map(|it| Some(it.into()))).into_iter().collect()
        };
        assert_eq!(of(&["/build/a/b", "/people/alice"]), ["/build/", "/people/"]);
        // For folders that every machine has, the prefix includes the next component.
        assert_eq!(of(&["/srv/a/b", "/opt/c"]), ["/opt/c/", "/srv/a/"]);
        assert_eq!(of(&["/", "/var"]), [""; 0]);
        assert_eq!(machine_paths([None]), BTreeSet::new());
    }

    #[test]
    fn machine_paths_are_found_without_lookalikes() {
        for path in paths() {
            for line in [format!("see {path}x"), format!("\"{path}x\""), format!("{path}x")] {
                let found = findings("docs/a.md", &format!("fine\n{line}\n"));
                assert_eq!(found, [format!("docs/a.md:2: names a path of one machine ({path}…)")]);
            }
            for line in [format!("https://example.org{path}x"), format!("{{dir}}{path}x")] {
                assert_eq!(findings("docs/a.md", &line), [""; 0]);
            }
            assert_eq!(findings("docs/a.md", path.trim_end_matches('/')), [""; 0]);
        }
    }

    #[test]
    fn registry_hosts_are_found_in_any_case() {
        let host = format!("https://{}.example.org", MIRROR.to_uppercase());
        assert_eq!(findings("a.toml", &host).len(), 1);
        assert_eq!(findings("a.toml", "https://registry.example.org"), [""; 0]);
    }

    #[test]
    fn npm_lock_file_names_no_host() {
        let npm = |line: &str| findings("package-lock.json", line);
        assert_eq!(npm("  \"resolved\": \"https://example.org/a.tgz\",").len(), 1);
        assert_eq!(npm("  \"integrity\": \"sha512-AAAA\","), [""; 0]);
    }

    #[test]
    fn package_versions_must_be_exact() {
        for exact in ["1.7.1", "0.0.0", "2.0.0-rc.1", "10.20.30-beta1"] {
            let text = format!(r#"{{"dependencies":{{"a":"{exact}"}}}}"#);
            assert_eq!(findings("package.json", &text), [""; 0], "{exact}");
        }
        for loose in
            ["^1.7.1", "~1.7.1", "1.7", "1.x.1", "*", "", "latest", "1.7.1 || 2.0.0", "+1.7.1"]
        {
            for section in ["dependencies", "devDependencies"] {
                let text = format!(r#"{{"{section}":{{"a":"{loose}","b":"1.0.0"}}}}"#);
                let found = findings("sub/package.json", &text);
                assert_eq!(
                    found,
                    [format!(
                        "sub/package.json: a is not pinned to an exact version (\"{loose}\")"
                    )]
                );
            }
        }
        assert_eq!(findings("package.json", "{").len(), 1);
    }

    #[test]
    fn crates_must_inherit_the_lints() {
        let manifest = |lints: &str| {
            findings("crates/a/Cargo.toml", &format!("{lints}\n[package]\nname = \"a\"\n"))
        };
        assert_eq!(manifest("lints.workspace = true"), [""; 0]);
        assert_eq!(manifest("[workspace]\nmembers = []"), [""; 0]);
        assert_eq!(manifest("[lints]\n# all\nworkspace = true"), [""; 0]);
        for wrong in [
            "",
            "[lints]\nworkspace = false",
            "[lints.rust]\nworkspace = true",
            "[dependencies]\nworkspace = true",
        ] {
            assert_eq!(manifest(wrong).len(), 1, "{wrong}");
        }
    }
}
