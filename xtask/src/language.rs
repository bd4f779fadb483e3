//! The rule that doc comments are sentences of the field, and the table that lets the rest only shrink.
//!
//! A doc comment begins with a noun phrase or a verb in the third person; a clause without its head ("What
//! is kept …", "Whether …") makes the reader guess the noun. The table `xtask/language.toml` may allow a
//! folder some of them, and some of four pronouns that hide who acts; no folder has any else, and the repository has
//! few in all. The table also demands a share of why-comments from the crates that are trusted.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

/// File that holds what each folder is allowed.
pub(crate) const TABLE: &str = "xtask/language.toml";

/// Most uses of the four pronouns in the repository, whichever folders have them.
const MAX_WORDS: usize = 25;

/// Share of doc comments that may be headless in the repository, in percent: it stays below.
const HEADLESS_PERCENT: usize = 2;

/// Extensions of files whose words are counted.
const COUNTED: [&str; 8] = ["rs", "sol", "md", "toml", "py", "yul", "mjs", "yml"];

/// Number of places that a finding lists.
const MAX_LISTED: usize = 20;

/// First words of a clause that has lost its head.
const HEADLESS: [&str; 18] = [
    "what", "which", "whether", "those", "who", "whom", "whose", "how", "why", "where", "wherever",
    "that", "of", "as", "such", "so", WORDS[0], WORDS[1],
];

/// Prepositions that make a headless clause of an interrogative behind them ("To whom …").
const PREPOSITIONS: [&str; 12] =
    ["at", "by", "for", "from", "in", "into", "on", "to", "under", "until", "with", "after"];

/// Pronouns that hide who acts. (They are spelled in parts, since this file is counted too.)
const WORDS: [&str; 4] = [
    concat!("who", "ever"),
    concat!("what", "ever"),
    concat!("some", "body"),
    concat!("no", "body"),
];

/// The figures of one folder: a line of the table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    /// Doc comments that begin with a headless clause, at most.
    #[serde(default)]
    headless: usize,
    /// Uses of the four pronouns, at most.
    #[serde(default)]
    words: usize,
    /// Lines of comment in 1,000 lines of source, at least. Lines of documentation and of tests do not count.
    #[serde(default)]
    comments: usize,
}

/// The figures of one folder, as counted.
#[derive(Debug, Default)]
struct Counted {
    docs: usize,
    /// Place and first words of each headless doc comment.
    headless: Vec<String>,
    /// Place of each of the four pronouns.
    words: Vec<String>,
    source_lines: usize,
    comment_lines: usize,
}

impl Counted {
    /// Lines of comment in 1,000 lines of source.
    fn comments(&self) -> usize {
        self.comment_lines * 1000 / self.source_lines.max(1)
    }
}

/// The figures of all folders.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    folders: BTreeMap<String, Counted>,
}

impl Tally {
    /// Counts one file of the repository.
    pub(crate) fn add(&mut self, file: &Path, text: &str) {
        let extension = file.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let is_script = extension.is_empty() && text.starts_with("#!");
        if !COUNTED.contains(&extension) && !is_script {
            return;
        }
        let counted = self.folders.entry(folder(file)).or_default();
        for (index, line) in text.lines().enumerate() {
            for word in name_parts(line).filter(|word| WORDS.contains(&word.as_str())) {
                counted.words.push(format!("{}:{}: {word}", file.display(), index + 1));
            }
        }
        if !["rs", "sol"].contains(&extension) {
            return;
        }
        for (line, phrase) in doc_comments(text, extension == "sol") {
            counted.docs += 1;
            if is_headless(&phrase) {
                let begin = phrase.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
                counted.headless.push(format!("{}:{line}: {begin} …", file.display()));
            }
        }
        if extension == "rs" && file.components().any(|it| it.as_os_str() == "src") {
            // By the habit of this repository, tests are the last module of a file.
            let source = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            for line in source.lines().map(str::trim_start) {
                counted.source_lines += 1;
                counted.comment_lines += usize::from(line.starts_with("//") && !is_doc(line));
            }
        }
    }

    /// Compares the counts with the `table`: the violations, and notes where it could be stricter.
    pub(crate) fn check(&self, table: &str) -> (Vec<String>, Vec<String>) {
        let allowed: BTreeMap<String, Allowed> = match toml::from_str(table) {
            Ok(allowed) => allowed,
            Err(error) => return (vec![format!("{TABLE}: is not valid: {error}")], Vec::new()),
        };
        let (mut findings, mut notes) = (Vec::new(), Vec::new());
        for (folder, counted) in &self.folders {
            let allowed = allowed.get(folder).copied().unwrap_or_default();
            for (kind, places, limit) in [
                ("headless doc comments", &counted.headless, allowed.headless),
                ("of the four pronouns", &counted.words, allowed.words),
            ] {
                if places.len() > limit {
                    let found = places.len();
                    findings.push(format!("{folder}: {found} {kind}, {TABLE} allows {limit}"));
                    findings.extend(places.iter().take(MAX_LISTED).cloned());
                }
            }
            if counted.comments() < allowed.comments {
                findings.push(format!(
                    "{folder}: {} lines of comment in 1000 lines of source, {TABLE} demands {}",
                    counted.comments(),
                    allowed.comments
                ));
            }
            if counted.headless.len() < allowed.headless || counted.words.len() < allowed.words {
                notes.push(format!(
                    "{TABLE} can be lowered: \"{folder}\" = {{ headless = {}, words = {}, comments = {} }}",
                    counted.headless.len().min(allowed.headless),
                    counted.words.len().min(allowed.words),
                    allowed.comments,
                ));
            }
        }
        let sum = |of: fn(&Counted) -> usize| self.folders.values().map(of).sum::<usize>();
        let (docs, headless) = (sum(|it| it.docs), sum(|it| it.headless.len()));
        if headless > 0 && headless * 100 >= docs * HEADLESS_PERCENT {
            findings.push(format!(
                "{headless} of {docs} doc comments are headless, {HEADLESS_PERCENT} % or more"
            ));
        }
        let words = sum(|it| it.words.len());
        if words > MAX_WORDS {
            findings.push(format!(
                "the four pronouns stand {words} times, {MAX_WORDS} are allowed in all"
            ));
        }
        let unknown = allowed.keys().filter(|folder| !self.folders.contains_key(*folder));
        findings.extend(unknown.map(|folder| format!("{TABLE}: there is no folder {folder}")));
        (findings, notes)
    }

    /// All places in a folder that the rule is about, and its share of comments.
    pub(crate) fn places(&self, folder: &str) -> Vec<String> {
        let Some(counted) = self.folders.get(folder) else {
            return vec![format!("there is no folder {folder} with sources or documents")];
        };
        let share = format!(
            "{} of {} doc comments are headless, {} of the four pronouns, {} lines of comment in 1000",
            counted.headless.len(),
            counted.docs,
            counted.words.len(),
            counted.comments(),
        );
        counted.headless.iter().chain(&counted.words).cloned().chain([share]).collect()
    }

    /// Totals over the repository, in one line.
    pub(crate) fn summary(&self) -> String {
        let sum = |of: fn(&Counted) -> usize| self.folders.values().map(of).sum::<usize>();
        let (docs, headless) = (sum(|it| it.docs), sum(|it| it.headless.len()));
        let tenths = headless * 1000 / docs.max(1);
        format!(
            "{headless} of {docs} doc comments are headless ({}.{} %), the four pronouns stand {} times",
            tenths / 10,
            tenths % 10,
            sum(|it| it.words.len()),
        )
    }
}

/// Folder that a file is counted under: the crate, or the folder at the root; `.` for files at the root.
fn folder(file: &Path) -> String {
    let parts: Vec<_> = file.components().map(|it| it.as_os_str().to_string_lossy()).collect();
    match parts.as_slice() {
        [_] | [] => ".".to_owned(),
        [top, next, _, ..] if top == "crates" || (top == "test" && next == "utils") => {
            format!("{top}/{next}")
        }
        [top, ..] => top.clone().into_owned(),
    }
}

/// Words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Words of a text and of the names in it, in lower case.
fn name_parts(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Returns `true` if a line is one of documentation.
fn is_doc(line: &str) -> bool {
    line.starts_with("//!") || (line.starts_with("///") && !line.starts_with("////"))
}

/// Phrases of documentation, each with the line it begins in, counted from one. In Solidity each tag of
/// NatSpec begins a phrase.
fn doc_comments(text: &str, solidity: bool) -> Vec<(usize, String)> {
    let mut phrases: Vec<(usize, String)> = Vec::new();
    let (mut inside, mut block) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let content = if solidity && (block || line.starts_with("/**")) {
            let content = line.trim_start_matches(['/', '*']);
            block = !line.ends_with("*/");
            content.trim_end_matches(['/', '*'])
        } else if is_doc(line) {
            &line[3..]
        } else {
            inside = false;
            continue;
        };
        let content = content.trim();
        let tagged = solidity && content.starts_with('@');
        match phrases.last_mut() {
            Some((_, phrase)) if inside && !tagged => {
                if !phrase.is_empty() {
                    phrase.push(' ');
                }
                phrase.push_str(content);
            }
            _ => phrases.push((index + 1, if tagged { untagged(content) } else { content.into() })),
        }
        inside = !line.ends_with("*/");
    }
    phrases.retain(|(_, phrase)| !phrase.is_empty());
    phrases
}

/// Text of a line of NatSpec behind its tag, and behind the name of what it documents.
fn untagged(content: &str) -> String {
    let (tag, rest) = content.split_once(' ').unwrap_or((content, ""));
    let rest = rest.trim();
    let (name, described) = rest.split_once(' ').unwrap_or((rest, ""));
    match tag {
        "@inheritdoc" => String::new(),
        "@param" => described.trim().to_owned(),
        // A name of a returned value is optional, and begins in lower case, unlike a sentence.
        "@return" if name.starts_with(|c: char| c.is_lowercase() || c == '_') => {
            described.trim().to_owned()
        }
        _ => rest.to_owned(),
    }
}

/// Returns `true` if a phrase begins with neither a noun phrase nor a verb.
fn is_headless(phrase: &str) -> bool {
    let phrase = phrase.trim_start_matches(['#', '*', '_', '(', ' ']);
    if !phrase.starts_with(char::is_alphabetic) {
        return false;
    }
    let mut words = words(phrase);
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // A clause of time may stand before a main clause; then a comma parts them.
    let sentence = phrase.split(['.', ';', ':']).next().unwrap_or_default();
    HEADLESS.contains(&first.as_str())
        || (first == "when" && !sentence.contains(','))
        || (PREPOSITIONS.contains(&first.as_str())
            && HEADLESS.contains(&second.as_str())
            && !["that", "those", "such"].contains(&second.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(file: &str, text: &str) -> Tally {
        let mut tally = Tally::default();
        tally.add(Path::new(file), text);
        tally
    }

    fn headless(file: &str, text: &str) -> usize {
        tally(file, text).folders.values().map(|it| it.headless.len()).sum()
    }

    #[test]
    fn headless_clauses_are_told_from_noun_phrases_and_verbs() {
        for wrong in [
            "What is kept for a block.",
            "Whether L1 still names this block.",
            "Those that stand in no block.",
            "When it ends.",
            "To whom the fees go.",
            "In which block it stands.",
            "As [`Self::import`], for all blocks.",
            "# How it works",
            "*Where* it begins.",
        ] {
            assert!(is_headless(wrong), "{wrong}");
        }
        for right in [
            "Cached values of one block.",
            "Returns `true` if L1 names this block.",
            "`true` if L1 names this block.",
            "When the chain ends, returns its head.",
            "In that case nothing is read.",
            "The block that it stands in, and what it holds.",
            "[`Self::import`] without a record.",
        ] {
            assert!(!is_headless(right), "{right}");
        }
    }

    #[test]
    fn a_doc_comment_counts_once_and_other_comments_do_not() {
        let text = "//! Whose\n//! What\n\n/// A block.\n/// What it has.\n// What is done\n/// How\nfn a() {}\n";
        assert_eq!(headless("crates/a/src/b.rs", text), 2);
        assert_eq!(headless("docs/a.md", text), 0);
    }

    #[test]
    fn each_tag_of_natspec_begins_a_phrase() {
        let text = "/// @notice The rollup.\n/// @dev How it works.\n/// @param a What it is.\n\
                    /// @param what Number of blocks.\n/// @return b Whether it is.\n/// @return What it is.\n\
                    /// @inheritdoc What\n";
        assert_eq!(headless("contracts/A.sol", text), 4);
        let block = "/**\n * @notice What it is.\n * @dev The rest.\n */\nfunction a();";
        assert_eq!(headless("contracts/A.sol", block), 1);
        assert_eq!(headless("contracts/A.sol", "/** The rest. */\n/// What it is.\n"), 1);
    }

    #[test]
    fn the_table_allows_no_more_than_it_says_and_a_lower_count_is_a_note() {
        let good = "/// A block.\nfn c() {}\n".repeat(200);
        let two = format!("/// What\nfn a() {{}}\n/// Who\nfn b() {{}}\n{good}");
        let check = |table: &str| tally("crates/a/src/b.rs", &two).check(table);
        let (findings, notes) = check("\"crates/a\" = { headless = 1 }");
        assert_eq!(
            findings,
            [
                "crates/a: 2 headless doc comments, xtask/language.toml allows 1",
                "crates/a/src/b.rs:1: What …",
                "crates/a/src/b.rs:3: Who …",
            ]
        );
        assert_eq!(notes, [""; 0]);
        assert_eq!(check("\"crates/a\" = { headless = 2 }"), (vec![], vec![]));
        let (findings, notes) = check("\"crates/a\" = { headless = 3, words = 1 }");
        assert_eq!(findings, [""; 0]);
        assert_eq!(
            notes,
            [concat!(
                "xtask/language.toml can be lowered: ",
                "\"crates/a\" = { headless = 2, words = 0, comments = 0 }"
            )]
        );
        assert_eq!(check("").0.len(), 3);
        assert_eq!(check("\"crates/a\" = { headless = 2 }\n\"crates/b\" = {}").0.len(), 1);
        assert_eq!(check("\"crates/a\" = { heedless = 2 }").0.len(), 1);
    }

    #[test]
    fn the_four_pronouns_are_counted_as_words_in_sources_and_documents() {
        for file in [
            "crates/a/src/b.rs",
            "test/utils/A.sol",
            "docs/a.md",
            "a.toml",
            "b.py",
            "c.yul",
            "d.mjs",
            "e.yml",
        ] {
            for word in WORDS {
                let found =
                    tally(file, &format!("fine\nlet {word} = \"{}\";", word.to_uppercase()));
                assert_eq!(found.check("").0.len(), 3, "{file}: {word}");
                // The name of a test is of words.
                let found = tally(file, &format!("fn that_{word}_waits() {{}}"));
                assert_eq!(found.check("").0.len(), 2, "{file}: {word}");
                assert_eq!(tally(file, &format!("{word}s a{word}")).check("").0, [""; 0]);
            }
        }
        let script = format!("#!/bin/sh\n# {}\n", WORDS[0]);
        assert_eq!(tally("tools/a", &script).check("").0.len(), 2);
        assert_eq!(tally("tools/a", WORDS[0]).check("").0, [""; 0]);
        assert_eq!(tally("Cargo.lock", WORDS[0]).check("").0, [""; 0]);
    }

    #[test]
    fn the_repository_has_few_headless_comments_and_pronouns_in_all_though_a_folder_may_have_them()
    {
        let allowed = "\"crates/a\" = { headless = 9, words = 99 }";
        let check = |text: &str| tally("crates/a/src/b.rs", text).check(allowed).0;
        let docs = |good: usize| {
            format!("/// What\nfn a() {{}}\n{}", "/// A block.\nfn c() {}\n".repeat(good))
        };
        assert_eq!(check(&docs(50)), [""; 0]);
        assert_eq!(check(&docs(49)), ["1 of 50 doc comments are headless, 2 % or more"]);
        let words = |count: usize| format!("// {}\n", WORDS[3]).repeat(count);
        assert_eq!(check(&words(25)), [""; 0]);
        assert_eq!(check(&words(26)), ["the four pronouns stand 26 times, 25 are allowed in all"]);
    }

    #[test]
    fn the_share_of_comments_counts_source_without_documentation_and_tests() {
        let source = "//! Doc.\n/// Doc.\n// Why.\nfn a() {}\n";
        let tests = format!("{source}#[cfg(test)]\nmod tests {{\n{}}}\n", "// More.\n".repeat(20));
        for text in [source, &tests] {
            let check = |demanded: u32| {
                let table = format!("\"crates/a\" = {{ comments = {demanded} }}");
                tally("crates/a/src/b.rs", text).check(&table).0.len()
            };
            assert_eq!((check(250), check(251)), (0, 1));
        }
    }

    #[test]
    fn files_are_counted_under_their_crate_or_their_folder() {
        for (file, expected) in [
            ("README.md", "."),
            ("docs/a.md", "docs"),
            ("crates/wire/src/a/b.rs", "crates/wire"),
            ("test/forced/A.t.sol", "test"),
            ("test/utils/A.sol", "test/utils"),
            ("contracts/lib/A.sol", "contracts"),
        ] {
            assert_eq!(folder(Path::new(file)), expected);
        }
    }
}
