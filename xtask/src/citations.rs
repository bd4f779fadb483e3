//! Tests that documents name as evidence.

use crate::files;
use eyre::{Result, WrapErr as _, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Returns a finding for each test `file::name` in a code span of a document that does not exist,
/// is no test or is ignored. The file may be given by the end of its path.
pub(crate) fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for document in
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md"))
    {
        let Ok(text) = fs::read_to_string(root.join(document)) else { continue };
        for cited in text.split('`').skip(1).step_by(2) {
            let Some((file, name)) = citation(cited) else { continue };
            let mut faults = Vec::new();
            for source in files.iter().filter(|path| path.ends_with(file)) {
                let text = fs::read_to_string(root.join(source));
                let text = text.wrap_err_with(|| format!("cannot read {}", source.display()))?;
                faults.extend(fault_of(&text, name));
            }
            if !faults.contains(&None) {
                let fault = faults.into_iter().flatten().next().unwrap_or("does not exist");
                findings.push(format!("{}: the test {cited} {fault}", document.display()));
            }
        }
    }
    Ok(findings)
}

/// Returns why the function of this name in a source file is not run as a test, if it is not, and
/// `None` if the file has no such function.
fn fault_of(source: &str, name: &str) -> Option<Option<&'static str>> {
    let lines: Vec<_> = source.lines().collect();
    let line_of = |keyword: &str| {
        let declaration = format!("{keyword} {name}(");
        lines.iter().position(|line| line.contains(&declaration))
    };
    if line_of("function").is_some() {
        // Forge runs the first two, halmos the last.
        let is_run = ["test", "invariant_", "check_"].iter().any(|prefix| name.starts_with(prefix));
        return Some((!is_run).then_some("is no test"));
    }
    // Attributes and comments stand directly above the function.
    let above = lines[..line_of("fn")?].iter().rev().map(|line| line.trim_start());
    let above = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<_> = above.filter(|line| line.starts_with("#[")).collect();
    let has = |word: &str| attributes.iter().any(|attribute| attribute.contains(word));
    Some(match (has("test"), has("ignore")) {
        (false, _) => Some("is no test"),
        (true, true) => Some("is ignored"),
        (true, false) => None,
    })
}

/// Fails if a document of the checkout names a test that is none or is ignored.
pub(crate) fn require(root: &Path) -> Result<()> {
    let findings = check(root, &files::tracked(root)?)?;
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}

/// Splits `path/file.rs::module::name` into file and name.
fn citation(cited: &str) -> Option<(&str, &str)> {
    let (file, name) = cited.split_once("::")?;
    let is_source = file.ends_with(".rs") || file.ends_with(".sol");
    let name = name.rsplit("::").next()?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_source && is_name && !name.is_empty()).then_some((file, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_are_found_by_path_suffix() {
        assert_eq!(citation("a/b.rs::tests::name_1"), Some(("a/b.rs", "name_1")));
        assert_eq!(citation("C.t.sol::test_x"), Some(("C.t.sol", "test_x")));
        for other in ["a::b", "a.rs", "a.rs::f(x)", "a.rs::"] {
            assert_eq!(citation(other), None, "{other}");
        }
        let findings = findings_of(
            "#[test]\nfn there() {}\n",
            "`a/tests/b.rs::there` and `b.rs::absent`, `tests/b.rs::there`, `x/b.rs::there`\n",
        );
        let absent = ["b.rs::absent", "x/b.rs::there"];
        assert_eq!(
            findings,
            absent.map(|test| format!("docs/c.md: the test {test} does not exist"))
        );
    }

    #[test]
    fn only_functions_that_run_are_evidence() {
        let source = "#[test]\n#[ignore = \"slow\"]\n// Why.\nfn off() {}\n\n\
                      #[cfg_attr(windows, ignore)]\n#[test]\nfn sometimes() {}\n\n\
                      fn help() {}\n\n#[test]\nfn on() {}\n";
        for (name, fault) in [
            ("off", Some(Some("is ignored"))),
            ("sometimes", Some(Some("is ignored"))),
            ("help", Some(Some("is no test"))),
            ("on", Some(None)),
            ("absent", None),
        ] {
            assert_eq!(fault_of(source, name), fault, "{name}");
        }
        let source = "function setUp() public {}\nfunction test_x() public {}\n";
        assert_eq!(fault_of(source, "setUp"), Some(Some("is no test")));
        assert_eq!(fault_of(source, "test_x"), Some(None));
        let findings = findings_of("#[ignore]\n#[test]\nfn off() {}\n", "`b.rs::off`\n");
        assert_eq!(findings, ["docs/c.md: the test b.rs::off is ignored"]);
    }

    /// Returns the findings in a checkout with a source file and a document.
    fn findings_of(source: &str, document: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let files = ["crates/a/tests/b.rs", "docs/c.md"].map(PathBuf::from);
        for (file, text) in files.iter().zip([source, document]) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        check(folder.path(), &files).unwrap()
    }
}
