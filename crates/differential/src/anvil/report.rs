//! The results as a Markdown document.

use crate::anvil::{
    Difference, Record,
    compare::NORMALISATIONS,
    reasons::{Reason, reason},
};
use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap, fmt::Write as _};

/// Version of anvil, as pinned in `package.json`.
const ANVIL: &str = "1.7.1";

/// Introduction, independent of the run, with the section that `cargo xtask suites --write` fills.
const INTRODUCTION: &str = "\
[From anvil to the devnet](from-anvil.md) lists the usual reasons for which a suite fails. Under forks from before the merge (`--hardfork london`, `berlin`, … `frontier`) blocks have no difficulty and pay no reward, as in anvil; EXECUTE accepts no input, and blocks are not verified.

## Foundry's own tests of anvil

They are in no registry; tests here repeat the cases in which the two nodes might differ. Two fail: `trace_filter` counts traces right after its sends, and finds one more because the devnet's receipts are available with the response; `test_account_proof` expects the proof of an empty state. State files with the type as a name around a transaction, which anvil 1.7.1 rejects, can be loaded too.

## Suites of clients

`cargo xtask suites` runs tests of JavaScript and Python clients against both nodes. Seconds are those of one run of a whole suite. Failures with both nodes:

- web3.py: many tests need ENS, or expect geth's answers to `eth_signTransaction` and `eth_signTypedData`. Tests of a pending transaction, and one that delegates an account (EIP-7702), race with the block of each second.
- hardhat 3 expects a boolean from `hardhat_dropTransaction`.

prool, under which viem's own suite runs, ends a node that writes to standard error.

`cargo xtask bench methods` asks both nodes in turn, 200 times for each of 64 requests, on a chain of 200 blocks. Methods with a median more than 1.3 times anvil's, at load 8:

| method | the devnet, ms | stock anvil, ms | reason |
|---|---|---|---|
| `anvil_dumpState` | 45 | 15 | recovers the sender of each transaction, to write those that were impersonated |
| `trace_filter` of 32 blocks; `trace_transaction`, `trace_block`, `ots_getTransactionError` | 0.84; 0.12 | 0.43; 0.09 | blocks are executed again; anvil keeps all traces in memory |
| `debug_traceTransaction` with steps | 0.63 | 0.10 | anvil answers without steps |
| `eth_createAccessList` | 0.18 | 0.13 | an access list is executed until it stays the same, as geth |
| `txpool_status` | 0.12 | 0.09 | a worker thread answers, so that requests do not wait for each other |

<!-- suites: begin -->
<!-- suites: end -->

";

/// Copies the table of the suites from an earlier document into a new one.
pub fn keep_suites(earlier: &str, new: &str) -> String {
    const BEGIN: &str = "<!-- suites: begin -->";
    const END: &str = "<!-- suites: end -->";
    let table = |text: &'_ str| -> Option<String> {
        let (_, rest) = text.split_once(BEGIN)?;
        Some(format!("{BEGIN}{}{END}", rest.split_once(END)?.0))
    };
    match (table(earlier), table(new)) {
        (Some(kept), Some(empty)) => new.replacen(&empty, &kept, 1),
        _ => new.to_owned(),
    }
}

/// Findings of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// All requests.
    pub records: Vec<Record>,
    /// Number of random steps among them.
    pub random: usize,
}

/// Differences by method and place.
type Kinds<'r> = BTreeMap<(&'r str, &'r str), Kind<'r>>;

/// Differences of one kind.
#[derive(Debug)]
struct Kind<'r> {
    count: usize,
    difference: &'r Difference,
}

impl Report {
    /// Returns the requests with differences that have no known reason.
    pub fn unexplained(&self) -> impl Iterator<Item = (&Record, &Difference)> {
        self.records.iter().flat_map(|record| {
            record
                .differences
                .iter()
                .filter(|difference| reason(record, difference).is_none())
                .map(move |difference| (record, difference))
        })
    }

    /// Returns the number of requests without any difference.
    pub fn equal(&self) -> usize {
        self.records.iter().filter(|record| record.differences.is_empty()).count()
    }

    /// Returns a summary in one line.
    pub fn summary(&self) -> String {
        let unexplained = self
            .records
            .iter()
            .filter(|record| record.differences.iter().any(|d| reason(record, d).is_none()))
            .count();
        format!(
            "{} requests ({} scripted, {} random): {} equal, {} with explained differences, {} with \
             unexplained ones",
            self.records.len(),
            self.records.len() - self.random,
            self.random,
            self.equal(),
            self.records.len() - self.equal() - unexplained,
            unexplained,
        )
    }

    /// Returns the document.
    pub fn markdown(&self, reference: &str, subject: &str) -> String {
        let mut text = format!(
            "# Parity of {subject} with {reference}\n\n\
             Look up where an answer of {subject} differs from that of {reference} {ANVIL}, and why. \
             `cargo run --release --bin anvil-diff` sends the same requests to both nodes, each with its \
             default flags, and generates this page; do not edit it. An object with a `code` is an error. \
             A row for several methods or places shows the values of the first; a long list ends with \
             the number of its items.\n\n{}.\n\n{INTRODUCTION}## What is not compared \
             exactly\n\n",
            self.summary()
        );
        for (what, why) in NORMALISATIONS {
            let _ = writeln!(text, "- {what}: {why}");
        }
        let mut explained: BTreeMap<&str, (&Reason, Kinds<'_>)> = BTreeMap::new();
        let mut open = Kinds::new();
        for record in &self.records {
            for difference in &record.differences {
                let kinds = match reason(record, difference) {
                    Some(reason) => {
                        &mut explained.entry(reason.why).or_insert((reason, Kinds::new())).1
                    }
                    None => &mut open,
                };
                kinds
                    .entry((&record.method, &difference.path))
                    .and_modify(|kind| kind.count += 1)
                    .or_insert(Kind { count: 1, difference });
            }
        }
        // The differences with the worst consequences come first, and within each kind the most
        // frequent.
        let count = |kinds: &Kinds<'_>| kinds.values().map(|kind| kind.count).sum::<usize>();
        let mut explained: Vec<_> = explained.into_values().collect();
        explained.sort_by_key(|(reason, kinds)| (reason.impact, Reverse(count(kinds)), reason.why));
        let mut above = None;
        for (reason, kinds) in explained {
            if above.replace(reason.impact) != Some(reason.impact) {
                head(&mut text, reason.impact.heading(), reference, subject);
            }
            write_rows(&mut text, reason.why, &kinds);
        }
        if !open.is_empty() {
            head(&mut text, "Differences without a known reason", reference, subject);
            write_rows(&mut text, "", &open);
        }
        text
    }
}

/// Writes the heading of a section and the head of its table.
fn head(text: &mut String, heading: &str, reference: &str, subject: &str) {
    let _ = write!(
        text,
        "\n## {heading}\n\n| reason | method | place | {reference} | {subject} |\n\
         |---|---|---|---|---|\n"
    );
}

/// Row of a table: differences with one reason.
#[derive(Debug)]
struct Row<'r> {
    methods: Vec<&'r str>,
    /// Paths in the response to the first method.
    paths: Vec<&'r str>,
    /// `true` if another method has the member at another path.
    is_elsewhere: bool,
    /// First values of the reference and of the subject.
    values: [Option<&'r str>; 2],
}

impl Row<'_> {
    /// Returns `true` if one row can show both: one member of results, messages of errors, or
    /// values at one path that are of the same kinds.
    fn is_like(&self, other: &Self) -> bool {
        match (member(self.paths[0]), member(other.paths[0])) {
            (Some(mine), Some(others)) => mine == others,
            _ => self.paths == other.paths && self.kinds() == other.kinds(),
        }
    }

    /// Returns what the values are: absent, `null`, an error or another value.
    fn kinds(&self) -> [u8; 2] {
        self.values.map(|value| match value {
            None => 0,
            Some("null") => 1,
            Some(value) if value.starts_with("{\"code\":") => 2,
            Some(_) => 3,
        })
    }

    /// Returns `true` if both are members in results of the same methods, present on the same
    /// nodes.
    fn is_beside(&self, other: &Self) -> bool {
        let of_results = [self, other].iter().all(|row| member(row.paths[0]).is_some());
        let present = |row: &Self| row.values.map(|value| value.is_some());
        of_results && self.methods == other.methods && present(self) == present(other)
    }
}

/// Returns the name of the member of a result; `None` for whole results and for errors.
fn member(path: &str) -> Option<&str> {
    path.strip_prefix("/result/")?.rsplit('/').find(|name| *name != "*")
}

/// Merges differences into rows. An error on one side and a result on the other are one difference.
fn rows<'r>(kinds: &Kinds<'r>) -> Vec<Row<'r>> {
    let mut apart: Vec<Row<'r>> = Vec::new();
    for ((method, path), Kind { difference, .. }) in kinds {
        let values = [difference.reference.as_deref(), difference.subject.as_deref()];
        match apart.last_mut() {
            Some(row)
                if row.methods == [*method]
                    && (row.paths[0], *path) == ("/error", "/result")
                    && (0..2).all(|side| row.values[side].is_some() != values[side].is_some()) =>
            {
                row.values = [0, 1].map(|side| row.values[side].or(values[side]));
                row.paths = vec![path];
            }
            _ => apart.push(Row {
                methods: vec![method],
                paths: vec![path],
                is_elsewhere: false,
                values,
            }),
        }
    }
    let mut merged: Vec<Row<'r>> = Vec::new();
    for row in apart {
        match merged.iter_mut().find(|existing| existing.is_like(&row)) {
            Some(like) => {
                like.is_elsewhere |= like.paths != row.paths;
                if like.methods.last() != row.methods.last() {
                    like.methods.extend(row.methods);
                }
            }
            None => merged.push(row),
        }
    }
    let mut rows: Vec<Row<'r>> = Vec::new();
    for row in merged {
        match rows.iter_mut().find(|existing| existing.is_beside(&row)) {
            Some(other) => {
                other.is_elsewhere |= row.is_elsewhere;
                other.paths.extend(row.paths);
            }
            None => rows.push(row),
        }
    }
    rows
}

/// Writes the rows of one reason, which is in the first of them.
fn write_rows(text: &mut String, why: &str, kinds: &Kinds<'_>) {
    let mut reason = if why.is_empty() { String::new() } else { format!("{why} ") };
    for Row { methods, paths, is_elsewhere, values: [reference, subject] } in rows(kinds) {
        let place = |path| member(path).filter(|_| is_elsewhere).unwrap_or(path);
        let places: Vec<_> = paths.into_iter().map(place).collect();
        let _ = writeln!(
            text,
            "| {reason}| {} | {} | {} | {} |",
            list(&methods),
            list(&places),
            cell(reference.map(code_of).as_deref()),
            cell(subject),
        );
        reason.clear();
    }
}

/// Returns the items of a list, or the first of a long one and their number.
fn list(items: &[&str]) -> String {
    const LONGEST: usize = 6;
    const SHOWN: usize = 3;
    match items.get(..SHOWN) {
        Some(first) if items.len() > LONGEST => {
            format!("`{}`, … ({})", first.join("`, `"), items.len())
        }
        _ => format!("`{}`", items.join("`, `")),
    }
}

/// Shortens an error of the reference to its code, since clients of the subject never see it.
fn code_of(value: &str) -> Cow<'_, str> {
    match value.strip_prefix("{\"code\":").and_then(|rest| rest.split_once(',')) {
        Some((code, _)) => format!("{{\"code\":{code},…}}").into(),
        None => value.into(),
    }
}

fn cell(value: Option<&str>) -> String {
    const LONGEST: usize = 90;
    let Some(value) = value else { return "—".to_owned() };
    let mut text: String = value.chars().take(LONGEST).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    format!("`{}`", text.replace('|', "\\|").replace('`', "'"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn anvil_version_matches_package_json() {
        let pinned = include_str!("../../../../package.json");
        assert!(pinned.contains(&format!("\"@foundry-rs/anvil\": \"{}\"", super::ANVIL)));
    }
}
