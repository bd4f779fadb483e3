//! The rule that no test's verdict depends on how fast the machine is.
//!
//! A test that compares a time that has passed fails on a busy machine, and one that compares the time of day
//! fails when a second ends at the wrong moment. Tests of time hand a clock of their own to what they test;
//! where they wait for another process, `testkit::Patience` bounds the wait, and its module alone is exempt.

use std::path::{Component, Path};

/// The one file of test support that may look at the wall clock.
const EXEMPT: &str = "crates/testkit/src/patience.rs";

/// Macros whose arguments are assertions.
const ASSERTIONS: [&str; 4] = ["assert", "debug_assert", "ensure", "prop_assert"];

/// Calls that no assertion may have among its arguments.
const CLOCKS: [&str; 3] = ["Instant::now", "SystemTime::now", "sleep"];

/// Lines, counted from one, in which test code measures time or asserts it, and what is wrong there.
pub(crate) fn asserted(file: &Path, text: &str) -> Vec<(usize, String)> {
    if file.extension().is_none_or(|extension| extension != "rs") || file == Path::new(EXEMPT) {
        return Vec::new();
    }
    let Some(begin) = test_code(file, text) else { return Vec::new() };
    let line_of = |at: usize| text[..at].matches('\n').count() + 1;
    let mut found = Vec::new();
    for (at, measure) in code_matches(text, ".elapsed()", begin) {
        found.push((
            line_of(at),
            format!("measures the wall clock in a test ({measure}): use testkit::Patience"),
        ));
    }
    for (from, to) in assertions(text, begin) {
        for clock in CLOCKS {
            for (at, _) in code_matches(&text[..to], clock, from) {
                found.push((line_of(at), format!("asserts the wall clock ({clock})")));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Offset at which the test code of a file begins; `None` if it has none.
fn test_code(file: &Path, text: &str) -> Option<usize> {
    let is_named = |name: &str| file.components().any(|it| it == Component::Normal(name.as_ref()));
    if is_named("tests") || is_named("tests.rs") || file.starts_with("crates/testkit/src") {
        return Some(0);
    }
    // By the habit of this repository, tests are the last module of a file.
    text.find("#[cfg(test)]\nmod ")
}

/// Occurrences of `pattern` from `begin` on that are no part of a longer name and stand in no line of comment.
fn code_matches<'a>(
    text: &'a str,
    pattern: &'a str,
    begin: usize,
) -> impl Iterator<Item = (usize, &'a str)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(pattern).filter(move |(at, _)| {
        let (before, after) = (&text[..*at], &text[at + pattern.len()..]);
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        let whole =
            pattern.starts_with('.') || !(before.ends_with(is_name) || after.starts_with(is_name));
        *at >= begin && whole && !line.trim_start().starts_with("//")
    })
}

/// Offsets of the arguments of each assertion from `begin` on.
fn assertions(text: &str, begin: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for name in ASSERTIONS {
        for (at, _) in text.match_indices(name).filter(|(at, _)| *at >= begin) {
            let rest = &text[at + name.len()..];
            // `assert_eq!`, `assert_ne!` and the like are among them.
            let suffix = rest.len()
                - rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').len();
            let Some(arguments) = rest[suffix..].strip_prefix("!(") else { continue };
            let from = text.len() - arguments.len();
            found.push((from, from + closing(arguments)));
        }
    }
    found
}

/// Offset of the parenthesis that closes one already open, or the length if none does. Parentheses in strings
/// count as code does: a message with an unbalanced one only makes the assertion seem longer or shorter.
fn closing(text: &str) -> usize {
    let mut open = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Spelled in parts, since this file is checked too.
    const ELAPSED: &str = concat!(".elap", "sed()");
    const NOW: &str = concat!("Instant::", "now");

    fn lines(file: &str, text: &str) -> Vec<usize> {
        asserted(Path::new(file), text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn a_test_that_measures_or_asserts_the_wall_clock_is_found() {
        let measured = format!("let a = 1;\nassert!(begun{ELAPSED} < LIMIT);\n");
        assert_eq!(lines("crates/a/tests/b.rs", &measured), [2]);
        let inline = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n let b = c{ELAPSED};\n}}\n");
        assert_eq!(lines("crates/a/src/b.rs", &inline), [4]);
        for name in ["assert!", "assert_eq!", "ensure!", "prop_assert!"] {
            let asserted = format!("\n{name}(\n    f({NOW}()) < later,\n);");
            assert_eq!(lines("crates/a/tests/b.rs", &asserted), [3], "{name}");
        }
    }

    #[test]
    fn code_that_is_no_test_or_asserts_nothing_of_the_clock_is_left_alone() {
        let measured =
            format!("let took = begun{ELAPSED};\nassert!(a);\n#[cfg(test)]\nmod tests {{}}");
        assert_eq!(lines("crates/a/src/b.rs", &measured), [0; 0]);
        assert_eq!(lines("docs/a.md", &measured), [0; 0]);
        assert_eq!(lines(EXEMPT, &format!("#[cfg(test)]\nmod t {{ a{ELAPSED} }}")), [0; 0]);
        for fine in [
            format!("let origin = {NOW}();\nassert!(clock.at(origin));"),
            format!("assert!(a);\n// a{ELAPSED}\n"),
            "assert!(mining == Mining::Instant);".to_owned(),
        ] {
            assert_eq!(lines("crates/a/tests/b.rs", &fine), [0; 0], "{fine}");
        }
    }
}
