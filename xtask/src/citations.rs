//! Tests that documents name as evidence.

use eyre::{Result, WrapErr as _};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Returns a finding for each test `file::name` in a code span of a document that does not exist.
/// The file may be given by the end of its path.
pub(crate) fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for document in files.iter().filter(|file| file.extension().is_some_and(|it| it == "md")) {
        let Ok(text) = fs::read_to_string(root.join(document)) else { continue };
        for cited in text.split('`').skip(1).step_by(2) {
            let Some((file, name)) = citation(cited) else { continue };
            let candidates = files.iter().filter(|it| it.ends_with(file));
            let sources = candidates.map(|it| fs::read_to_string(root.join(it)));
            let sources: Vec<String> = sources
                .collect::<Result<_, _>>()
                .wrap_err_with(|| format!("cannot read {file}"))?;
            let declared = |keyword: &str| format!("{keyword} {name}(");
            let [rust, solidity] = ["fn", "function"].map(declared);
            if !sources.iter().any(|it| it.contains(&rust) || it.contains(&solidity)) {
                findings.push(format!("{}: there is no test {cited}", document.display()));
            }
        }
    }
    Ok(findings)
}

/// Splits `path/file.rs::module::name` into file and name.
fn citation(cited: &str) -> Option<(&str, &str)> {
    let (file, name) = cited.split_once("::")?;
    let is_source = file.ends_with(".rs") || file.ends_with(".sol");
    let name = name.rsplit("::").next()?;
    let is_name = name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
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
        let folder = tempfile::tempdir().unwrap();
        let files = ["crates/a/tests/b.rs", "docs/c.md"].map(PathBuf::from);
        for (file, text) in files.iter().zip([
            "#[test]\nfn there() {}\n",
            "`a/tests/b.rs::there` and `b.rs::absent`, `tests/b.rs::there`, `x/b.rs::there`\n",
        ]) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let findings = check(folder.path(), &files).unwrap();
        let absent = ["b.rs::absent", "x/b.rs::there"];
        assert_eq!(findings, absent.map(|it| format!("docs/c.md: there is no test {it}")));
    }
}
