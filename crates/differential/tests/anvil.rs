//! The harness on stock anvil: it finds no differences between equal nodes, and detects different
//! ones.

use enshrine_differential::anvil::{
    Difference, Launch, Player, Record, Script,
    random::Walk,
    report::{Report, keep_suites},
};
use serde_json::Value;
use std::{sync::LazyLock, time::Duration};
use toolchain::{Toolchain, progress_to_stderr};

static ANVIL: LazyLock<Launch> = LazyLock::new(|| Launch {
    name: "stock anvil".to_owned(),
    program: Toolchain::ensure(&progress_to_stderr).expect("the tools are there").anvil().into(),
    arguments: Vec::new(),
    log: None,
});

fn differing(subject: &Launch, script: &Script) -> Vec<String> {
    Player::play([&ANVIL, subject], script)
        .expect("the script can be played")
        .into_iter()
        .filter(|record| !record.differences.is_empty())
        .map(|record| record.method)
        .collect()
}

#[test]
fn scripts_find_anvil_equal_to_itself() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/anvil/scripts");
    let mut requests = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse(&path.to_string_lossy(), &text).unwrap();
        requests += script.requests();
        // Some responses depend on the current second, which may change between the two calls.
        let mut plays = (0..4).map(|_| differing(&ANVIL, &script));
        let found = plays.find(Vec::is_empty).unwrap_or_else(|| differing(&ANVIL, &script));
        assert!(found.is_empty(), "{}: {found:?}", script.name);
    }
    assert!(requests >= 300, "only {requests} scripted requests");
}

#[test]
fn a_walk_finds_anvil_equal_to_itself() {
    let mut player = Player::start([&ANVIL, &ANVIL], "random", &Walk::arguments()).unwrap();
    let mut errors = 0;
    for step in Walk::new(7).take(400) {
        if let Some(record) = player.step(&step).unwrap() {
            assert!(record.differences.is_empty(), "{record:?}");
            errors += usize::from(record.answer.get("error").is_some());
        }
    }
    assert!(errors < 100, "most steps of a walk are good ones, {errors} were not");
}

#[test]
fn differing_node_is_detected() {
    let other = Launch { arguments: vec!["--chain-id".into(), "5".into()], ..ANVIL.clone() };
    let script = Script::parse("s", "eth_chainId []\neth_blockNumber []\nnet_version []").unwrap();
    assert_eq!(differing(&other, &script), ["eth_chainId", "net_version"]);
}

#[test]
fn only_unnamed_requests_are_repeated() {
    let text = "anvil_mine []\nmined = anvil_mine []\nnumber = eth_blockNumber []";
    let script = Script::parse("s", text).unwrap();
    let records = Player::play_repeating([&ANVIL, &ANVIL], &script, 2).unwrap();
    assert_eq!(records[2].answer["result"], "0x4");
}

#[test]
fn new_document_keeps_only_suites_table() {
    let new = Report::default().markdown("a", "b");
    let (head, tail) = new.split_once("<!-- suites: end -->").unwrap();
    let earlier = format!("old\n{head}\n| viem |\n<!-- suites: end -->old\n");
    let document = keep_suites(&earlier, &new);
    assert_eq!(document, format!("{head}\n| viem |\n<!-- suites: end -->{tail}"));
    assert_eq!(keep_suites("no table", &new), new);
}

/// A position, and the values of reference and subject there.
type Place<'p> = (&'p str, Option<&'p str>, Option<&'p str>);

fn record(method: &str, places: &[Place<'_>]) -> Record {
    let differences = places.iter().map(|(path, reference, subject)| Difference {
        path: (*path).to_owned(),
        reference: reference.map(str::to_owned),
        subject: subject.map(str::to_owned),
    });
    Record {
        script: "s".to_owned(),
        line: 1,
        method: method.to_owned(),
        params: String::new(),
        answer: Value::Null,
        differences: differences.collect(),
        times: [Duration::ZERO; 2],
    }
}

fn shown(records: Vec<Record>) -> Vec<String> {
    let text = Report { records, random: 0 }.markdown("A", "B");
    let (_, section) = text.split_once("## Differences without a known reason\n\n").unwrap();
    section.lines().skip(2).map(str::to_owned).collect()
}

#[test]
fn methods_share_row_for_equal_differences() {
    let rows = shown(vec![
        record("x_a", &[("/result/thing", Some("1"), Some("2"))]),
        record("x_b", &[("/result/*/thing/*", Some("3"), Some("4"))]),
        record("x_b", &[("/result/*/other", Some("3"), Some("4"))]),
        record("x_a", &[("/error/data", Some("1"), Some("2"))]),
        record("x_b", &[("/error/data", Some("1"), Some("2"))]),
        // Of the same kinds, and of others.
        record("x_c", &[("/error/data", Some("a1"), Some("3"))]),
        record("x_d", &[("/error/data", Some("null"), Some("3"))]),
    ]);
    assert_eq!(
        rows,
        [
            "| | `x_a`, `x_b`, `x_c` | `/error/data` | `1` | `2` |",
            "| | `x_a`, `x_b` | `thing` | `1` | `2` |",
            "| | `x_b` | `/result/*/other` | `3` | `4` |",
            "| | `x_d` | `/error/data` | `null` | `3` |",
        ]
    );
}

#[test]
fn members_share_row_if_same_nodes_have_them() {
    let places = [
        ("/result/*/five", Some("5"), Some("6")),
        ("/result/*/four", Some("4"), Some("5")),
        ("/result/*/one", None, Some("1")),
        ("/result/*/three", Some("3"), None),
        ("/result/*/two", None, Some("2")),
    ];
    assert_eq!(
        shown(vec![record("x_a", &places)]),
        [
            "| | `x_a` | `/result/*/five`, `/result/*/four` | `5` | `6` |",
            "| | `x_a` | `/result/*/one`, `/result/*/two` | — | `1` |",
            "| | `x_a` | `/result/*/three` | `3` | — |",
        ]
    );
}

#[test]
fn error_and_result_are_one_row() {
    let refused = [("/error", None, Some("{}")), ("/result", Some("1"), None)];
    let rows = shown(vec![record("x_a", &refused)]);
    assert_eq!(rows, ["| | `x_a` | `/result` | `1` | `{}` |"]);
    // An error and a result of the same node are two differences.
    let more = [("/error", None, Some("{}")), ("/result", None, Some("1"))];
    assert_eq!(shown(vec![record("x_a", &more)]).len(), 2);
}

#[test]
fn long_lists_end_with_number_of_items() {
    let of = |count| {
        let names: Vec<_> = (0..count).map(|index| format!("x_{index}")).collect();
        let place = [("/error/code", Some("1"), Some("2"))];
        shown(names.iter().map(|name| record(name, &place)).collect())
    };
    assert_eq!(of(7), ["| | `x_0`, `x_1`, `x_2`, … (7) | `/error/code` | `1` | `2` |"]);
    let all = "`x_0`, `x_1`, `x_2`, `x_3`, `x_4`, `x_5`";
    assert_eq!(of(6), [format!("| | {all} | `/error/code` | `1` | `2` |")]);
}

#[test]
fn only_reference_errors_are_cut_to_code() {
    let error = Some("{\"code\":-3,\"message\":\"no\"}");
    let accepted = [("/error", error, None), ("/result", None, Some("1"))];
    let rows = shown(vec![record("x_a", &accepted)]);
    assert_eq!(rows, ["| | `x_a` | `/result` | `{\"code\":-3,…}` | `1` |"]);
    let refused = [("/error", None, error), ("/result", Some("1"), None)];
    let rows = shown(vec![record("x_a", &refused)]);
    assert_eq!(rows, ["| | `x_a` | `/result` | `1` | `{\"code\":-3,\"message\":\"no\"}` |"]);
}
