//! The harness on stock anvil: it finds nothing where there is nothing, and something where there is.

use enshrine_differential::anvil::{
    Launch, Player, Script,
    random::Walk,
    report::{Report, keep_suites},
};
use std::sync::LazyLock;
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
fn every_script_finds_anvil_equal_to_itself() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/anvil/scripts");
    let mut requests = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse(&path.to_string_lossy(), &text).unwrap();
        requests += script.requests();
        // Some answers are seconds of the day, and one may end between the two.
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
fn a_node_that_differs_is_found_out() {
    let other = Launch { arguments: vec!["--chain-id".into(), "5".into()], ..ANVIL.clone() };
    let script = Script::parse("s", "eth_chainId []\neth_blockNumber []\nnet_version []").unwrap();
    assert_eq!(differing(&other, &script), ["eth_chainId", "net_version"]);
}

#[test]
fn a_new_document_keeps_the_table_of_the_suites_and_nothing_else_of_the_earlier_one() {
    let new = Report::default().markdown("a", "b");
    let (head, tail) = new.split_once("<!-- suites: end -->").unwrap();
    let earlier = format!("old\n{head}\n| viem |\n<!-- suites: end -->old\n");
    let kept = keep_suites(&earlier, &new);
    assert_eq!(kept, format!("{head}\n| viem |\n<!-- suites: end -->{tail}"));
    assert_eq!(keep_suites("no table", &new), new);
}
