//! `enshrine devnet` responds like stock anvil, and both can read each other's state files.

use crate::support::TOOLS;
use differential::anvil::{Launch, Player, Script, random::Walk, report::Report};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// Stock anvil and the devnet, and the folder with the devnet's log.
struct Nodes {
    launches: [Launch; 2],
    folder: TempDir,
}

impl Nodes {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let anvil = Launch {
            name: "stock anvil".to_owned(),
            program: TOOLS.anvil().to_owned(),
            arguments: Vec::new(),
            log: None,
        };
        let devnet = Launch {
            name: "the devnet".to_owned(),
            program: env!("CARGO_BIN_EXE_enshrine").into(),
            arguments: vec!["devnet".to_owned()],
            log: Some((folder.path().join("log"), "warn,enshrine_rpc=debug")),
        };
        Self { launches: [anvil, devnet], folder }
    }

    const fn launches(&self) -> [&Launch; 2] {
        self.launches.each_ref()
    }

    /// Asserts that the devnet logged refused requests, but none as an internal error.
    fn blames_itself_for_nothing(&self) {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        assert!(log.contains("refused request"), "the log lacks the refused requests: {log}");
        let faults: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
        assert_eq!(faults, Vec::<&str>::new());
    }
}

fn unexplained(report: &Report) -> Vec<String> {
    report
        .unexplained()
        .map(|(record, difference)| {
            format!("{}:{} {} {difference:?}", record.script, record.line, record.method)
        })
        .collect()
}

#[test]
fn scripted_responses_match_anvil_except_known_differences() {
    let nodes = Nodes::new();
    let mut report = Report::default();
    for file in std::fs::read_dir(TOOLS.root().join("crates/differential/anvil/scripts")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let script = Script::parse(&name, &std::fs::read_to_string(&path).unwrap()).unwrap();
        report.records.extend(Player::play(nodes.launches(), &script).unwrap());
    }
    assert!(report.records.len() >= 300, "only {} scripted requests", report.records.len());
    assert_eq!(unexplained(&report), Vec::<String>::new());
    nodes.blames_itself_for_nothing();
}

/// Seeds of the random walks.
const WALKS: [u64; 4] = [1, 9, 12, 27];
/// Steps of each random walk.
const STEPS: usize = 750;

#[test]
fn random_walks_match_anvil() {
    let nodes = Nodes::new();
    let mut report = Report::default();
    for seed in WALKS {
        let name = format!("random seed {seed}");
        let mut player = Player::start(nodes.launches(), &name, &Walk::arguments()).unwrap();
        for step in Walk::new(seed).take(STEPS) {
            report.records.extend(player.step(&step).unwrap());
        }
    }
    assert!(report.records.len() > 2_000, "only {} requests", report.records.len());
    assert_eq!(unexplained(&report), Vec::<String>::new());
    nodes.blames_itself_for_nothing();
}

#[test]
fn random_walks_before_merge_match_anvil() {
    let nodes = Nodes::new();
    let mut report = Report::default();
    for ((fork, has_base_fee), seed) in Walk::EARLY.into_iter().zip(3..) {
        let arguments = [Walk::arguments(), vec!["--hardfork".to_owned(), fork.to_owned()]];
        let name = format!("random {fork}");
        let mut player = Player::start(nodes.launches(), &name, &arguments.concat()).unwrap();
        for step in Walk::early(seed, has_base_fee).take(300) {
            report.records.extend(player.step(&step).unwrap());
        }
    }
    assert!(report.records.len() > 450, "only {} requests", report.records.len());
    assert_eq!(unexplained(&report), Vec::<String>::new());
    nodes.blames_itself_for_nothing();
}

/// A node process and its URL, killed on drop.
struct Running(Child, String);

impl Running {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = said
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Listening on ").map(str::to_owned))
            .expect("the node prints its address");
        Self(child, format!("http://{address}"))
    }

    fn cast(&self, arguments: &[&str]) -> String {
        let output = Command::new(TOOLS.cast())
            .args(arguments)
            .args(["--rpc-url", &self.1])
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Stops the node with SIGINT, so that it writes its state.
    fn interrupt(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        for _ in 0..1000 {
            if self.0.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the node does not stop");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ALICE: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const SINK: &str = "0x00000000000000000000000000000000000000bb";
const CONTRACT: &str = "0x00000000000000000000000000000000000000cc";

/// Dumps the state of one node and loads it into another.
fn hand_over(from: (&Path, &[&str]), to: (&Path, &[&str])) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let path = path.to_str().unwrap();
    let node = Running::start(from.0, &[from.1, &["--dump-state", path]].concat());
    node.cast(&["rpc", "anvil_setCode", CONTRACT, "0x5f545f5260205ff3"]);
    let word = format!("0x{:064x}", 42);
    node.cast(&["rpc", "anvil_setStorageAt", CONTRACT, "0x0", &word]);
    let sent = node.cast(&["send", "--unlocked", "--from", ALICE, SINK, "--value", "5", "--async"]);
    node.cast(&["receipt", &sent]);
    node.interrupt();

    let node = Running::start(to.0, &[to.1, &["--load-state", path]].concat());
    assert_eq!(node.cast(&["block-number"]), "1");
    assert_eq!(node.cast(&["balance", SINK]), "5");
    assert_eq!(node.cast(&["nonce", ALICE]), "1");
    assert_eq!(node.cast(&["call", CONTRACT, "f()"]), word);
    assert_eq!(node.cast(&["receipt", &sent, "blockNumber"]), "1");
    node.cast(&["send", "--unlocked", "--from", ALICE, SINK, "--value", "1"]);
    assert_eq!(node.cast(&["block-number"]), "2");
    assert_eq!(node.cast(&["balance", SINK]), "6");
}

#[test]
fn state_files_are_interchangeable_with_anvil() {
    let devnet = (Path::new(env!("CARGO_BIN_EXE_enshrine")), ["devnet"].as_slice());
    let anvil = (TOOLS.anvil(), [].as_slice());
    hand_over(anvil, devnet);
    hand_over(devnet, anvil);
    hand_over(devnet, devnet);
}

/// Dumps the historical states of one node and loads them into another.
fn hand_over_history(from: (&Path, &[&str]), to: (&Path, &[&str])) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let path = path.to_str().unwrap();
    let dump = ["--dump-state", path, "--preserve-historical-states"];
    let node = Running::start(from.0, &[from.1, &dump].concat());
    node.cast(&["rpc", "anvil_setCode", CONTRACT, "0x5f545f5260205ff3"]);
    let mine = |value: u64| {
        node.cast(&["rpc", "anvil_setStorageAt", CONTRACT, "0x0", &format!("0x{value:064x}")]);
        let send = ["send", "--unlocked", "--from", ALICE, SINK, "--value", "1"];
        node.cast(&send);
    };
    (41..44).for_each(mine);
    node.interrupt();

    let node = Running::start(to.0, &[to.1, &["--load-state", path]].concat());
    assert_eq!(node.cast(&["block-number"]), "3");
    for block in 1..=3_u64 {
        let at = block.to_string();
        assert_eq!(node.cast(&["balance", SINK, "--block", &at]), at);
        assert_eq!(node.cast(&["nonce", ALICE, "--block", &at]), at);
    }
    // Historical code and storage too. A cheat between two blocks may count to either.
    let seen = node.cast(&["call", CONTRACT, "f()", "--block", "1"]);
    assert!(seen.ends_with("29") || seen.ends_with("2a"), "{seen}");
}

#[test]
fn historical_states_are_interchangeable_with_anvil() {
    let devnet = (Path::new(env!("CARGO_BIN_EXE_enshrine")), ["devnet"].as_slice());
    let anvil = (TOOLS.anvil(), [].as_slice());
    hand_over_history(anvil, devnet);
    hand_over_history(devnet, devnet);
    hand_over_history(devnet, anvil);
}
