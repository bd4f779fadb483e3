//! Check that no test's verdict depends on how fast the machine is.
//!
//! A test that compares elapsed time fails on a busy machine. Tests pass their own clock to the
//! code under test; `testkit::Timeout` bounds waits for other processes, and only its file is
//! exempt. Clippy's `disallowed-methods` cannot express this rule, because it also applies to
//! product code.

use std::path::{Component, Path};

/// The only file of test support that may read the clock.
const EXEMPT: &str = "crates/testkit/src/timeout.rs";

/// Returns the lines, counted from one, in which test code measures time.
pub(crate) fn measured<'a>(file: &Path, text: &'a str) -> impl Iterator<Item = usize> + use<'a> {
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let begin = if is_rust && file != Path::new(EXEMPT) { test_code(file, text) } else { None };
    let lines = begin.map(|begin| (text[..begin].matches('\n').count(), text[begin..].lines()));
    lines.into_iter().flat_map(|(before, lines)| {
        lines.enumerate().filter_map(move |(index, line)| {
            let is_measured = line.contains(concat!(".elap", "sed()"));
            (is_measured && !line.trim_start().starts_with("//")).then_some(before + index + 1)
        })
    })
}

/// Returns the offset at which the test code of a file begins: unit tests are the last module of a
/// file.
fn test_code(file: &Path, text: &str) -> Option<usize> {
    let is_named = |name: &str| file.components().any(|it| it == Component::Normal(name.as_ref()));
    if is_named("tests") || is_named("tests.rs") || file.starts_with("crates/testkit/src") {
        return Some(0);
    }
    text.find("#[cfg(test)]\nmod ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Split, because this file is checked too.
    const ELAPSED: &str = concat!(".elap", "sed()");

    fn lines(file: &str, text: &str) -> Vec<usize> {
        measured(Path::new(file), text).collect()
    }

    #[test]
    fn elapsed_time_is_found_in_tests_only() {
        let measured = format!("let a = 1;\nassert!(begun{ELAPSED} < LIMIT);\n// a{ELAPSED}\n");
        assert_eq!(lines("crates/a/tests/b.rs", &measured), [2]);
        let inline =
            format!("fn a() {{ b{ELAPSED} }}\n#[cfg(test)]\nmod tests {{\n c{ELAPSED};\n}}\n");
        assert_eq!(lines("crates/a/src/b.rs", &inline), [4]);
        for (file, text) in
            [("crates/a/src/b.rs", &measured), ("docs/a.md", &measured), (EXEMPT, &inline)]
        {
            assert_eq!(lines(file, text), [0; 0], "{file}");
        }
    }
}
