//! `enshrine devnet` has the console output of stock anvil.

use crate::support::{TOOLS, block, path};
use alloy_primitives::{Address, Bytes, TxKind, U256, b256};
use client::{Client, ClientOptions};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use testkit::{Key, execute_tx_calling, http};
use wire::ProtocolFork;

const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
const ALICE: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// Address of the contract that the first account creates with nonce 0.
const CONTRACT: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const CONSOLE: &str = "0x000000000000000000636F6e736F6c652e6c6f67";
const EXECUTE: &str = "0x0000000000000000000000000000000000000101";
/// `log(string,uint256)` with "hello" and 7.
const HELLO: &str = "0xb60e72cc00000000000000000000000000000000000000000000000000000000000000400000000000000000000000000000000000000000000000000000000000000007000000000000000000000000000000000000000000000000000000000000000568656c6c6f000000000000000000000000000000000000000000000000000000";
const PROBE: &str = include_str!("../../../differential/anvil/contracts/Probe.hex");

/// A node process whose output is read, killed on drop.
struct Node {
    child: Child,
    address: String,
    /// Output before the line `Listening on`.
    banner: String,
    lines: mpsc::Receiver<String>,
    /// Lines read so far.
    said: RefCell<Vec<String>>,
    log: mpsc::Receiver<String>,
}

/// Returns a channel with the lines of a stream.
fn lines_of(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn ask(address: &str, method: &str, params: &str) -> String {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    http(address, "POST / HTTP/1.1", &body).unwrap()
}

/// Sends a call that EXECUTE refuses, which the node logs as a warning.
fn call_in_vain(address: &str) {
    let call = format!(r#"[{{"to":"{EXECUTE}","data":"0x1201"}}]"#);
    let answer = ask(address, "eth_call", &call);
    assert!(answer.contains("EXECUTE refused"), "{answer}");
}

impl Node {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--port", "0"])
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let log = lines_of(child.stderr.take().unwrap());
        let (address, banner) = (String::new(), String::new());
        let mut node = Self { child, address, banner, lines, said: RefCell::default(), log };
        while node.address.is_empty() {
            let line = node.lines.recv_timeout(RETRY_TIMEOUT).expect("the node prints its address");
            let value: Option<Value> = serde_json::from_str(&line).ok();
            let address = match &value {
                Some(value) => value["address"].as_str(),
                None => line.strip_prefix("Listening on "),
            };
            node.address = address.unwrap_or_default().to_owned();
            if node.address.is_empty() {
                node.banner += &(line + "\n");
            }
        }
        node
    }

    /// Returns the text of a section of the banner.
    fn told(&self, section: &str) -> &str {
        let title = format!("\n{section}\n==================\n\n");
        let (_, rest) = self.banner.split_once(&title).expect(section);
        rest.split("\n\n").next().unwrap_or_default().trim()
    }

    fn request(&self, method: &'static str, params: Value) -> Value {
        let client =
            Client::new(&format!("http://{}", self.address), ClientOptions::default()).unwrap();
        client.request(method, params).unwrap()
    }

    fn head(&self) -> Value {
        self.request("eth_getBlockByNumber", json!(["latest", false]))
    }

    /// Sends a call that EXECUTE refuses; returns its log line, and the earlier lines of the
    /// stream.
    fn refusal(&self, stream: &mpsc::Receiver<String>) -> (String, Vec<String>) {
        call_in_vain(&self.address);
        let mut before = Vec::new();
        loop {
            let line = stream.recv_timeout(RETRY_TIMEOUT).expect("a log line");
            if line.contains("EXECUTE refuses") {
                return (line, before);
            }
            before.push(line);
        }
    }

    /// Kills the node and returns its lines on standard error.
    fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.iter().collect()
    }

    fn devnet(arguments: &[&str]) -> Self {
        let arguments = [["devnet"].as_slice(), arguments].concat();
        Self::start(Path::new(env!("CARGO_BIN_EXE_enshrine")), &arguments)
    }

    fn ask(&self, method: &str, params: &str) -> String {
        ask(&self.address, method, params)
    }

    fn metrics(&self) -> String {
        http(&*self.address, "GET /metrics HTTP/1.1", "").unwrap()
    }

    fn send(&self, to: &str, data: &str) {
        let to = if to.is_empty() { String::new() } else { format!(r#","to":"{to}""#) };
        let request = format!(r#"[{{"from":"{ALICE}"{to},"data":"{data}","gas":"0xf4240"}}]"#);
        let answer = self.ask("eth_sendTransaction", &request);
        assert!(answer.contains("result"), "{answer}");
    }

    /// Sends one request of each kind that has console output.
    fn console_session(&self) {
        self.send("", PROBE.trim());
        self.wait_for_blocks(1);
        self.send(CONTRACT, "0x62c69b80"); // refuse()
        self.wait_for_blocks(2);
        let custom = format!("0xdadb2823{:064x}", 7); // refuseCustom(7)
        self.send(CONTRACT, &custom);
        self.wait_for_blocks(3);
        self.send(CONSOLE, HELLO);
        self.wait_for_blocks(4);
        self.ask("eth_call", &format!(r#"[{{"to":"{CONSOLE}","data":"{HELLO}"}},"latest"]"#));
        self.ask("eth_call", &format!(r#"[{{"to":"{CONTRACT}","data":"0x62c69b80"}},"latest"]"#));
        self.ask("evm_mine", "[]");
        self.wait_for_blocks(5);
    }

    /// Waits until the node has printed this many blocks. Stock anvil prints requests and blocks on
    /// different threads, so no request may be sent before the last block is printed.
    fn wait_for_blocks(&self, count: usize) {
        let is_block =
            |line: &&String| line.contains("Block Time: ") || line.contains(r#""event":"block""#);
        self.read_until(|said| said.iter().filter(is_block).count() == count);
    }

    /// Reads lines until a condition holds for all lines so far.
    fn read_until(&self, is_met: impl Fn(&[String]) -> bool) {
        let mut said = self.said.borrow_mut();
        while !is_met(&said) {
            match self.lines.recv_timeout(RETRY_TIMEOUT) {
                Ok(line) => said.push(line),
                Err(error) => panic!("{error}: {said:#?}"),
            }
        }
    }

    /// Sends a last request and returns all lines up to that of the request.
    fn said(&self) -> Vec<String> {
        self.ask("eth_blockNumber", "[]");
        self.read_until(|said| said.iter().any(|line| line.contains("eth_blockNumber")));
        self.said.take()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Removes from a line what differs between the nodes: block hashes, times and request formats.
fn own(line: &str) -> Option<String> {
    let trimmed = line.trim();
    for own in ["Block Hash: ", "Block Time: ", "Request: "] {
        if trimmed.starts_with(own) {
            return Some(own.to_owned());
        }
    }
    // Fees differ, and so do transaction hashes. Anvil adds the kind of an error.
    if trimmed.starts_with("Transaction: 0x") {
        return Some("Transaction".to_owned());
    }
    // An internal request of anvil.
    if trimmed == "eth_accounts" {
        return None;
    }
    let words = trimmed.replace("Execution error: ", "");
    (!words.is_empty()).then_some(words)
}

#[test]
fn console_output_matches_anvil() {
    let nodes = [Node::start(TOOLS.anvil(), &[]), Node::devnet(&[])];
    // Anvil prints requests and blocks on different threads, in no defined order.
    let is_method =
        |line: &String| ["eth_", "evm_", "anvil_"].iter().any(|prefix| line.starts_with(prefix));
    let [anvil, devnet] = nodes.map(|node| {
        node.console_session();
        let said = node.said();
        said.iter().filter_map(|line| own(line)).partition::<Vec<_>, _>(is_method)
    });
    assert_eq!(devnet, anvil);
    let (_, devnet) = devnet;
    for line in ["Contract created: 0x5FbDB2315678afecb367f032d93F642f64180aa3", "hello 7"] {
        assert!(devnet.iter().any(|found| found == line), "{line}: {devnet:#?}");
    }
}

#[test]
fn disabled_logging_prints_nothing_until_enabled() {
    let node = Node::devnet(&[]);
    node.send("", PROBE.trim());
    node.ask("anvil_setLoggingEnabled", "[false]");
    node.ask("eth_chainId", "[]");
    node.send(CONTRACT, "0x62c69b80");
    node.ask("anvil_setLoggingEnabled", "[true]");
    node.send(CONTRACT, "0x62c69b80");
    let said = node.said();
    let count = |word| said.iter().filter(|line| line.contains(word)).count();
    assert_eq!(count("eth_chainId"), 0, "{said:#?}");
    assert_eq!(count("Block Number: 2"), 0, "{said:#?}");
    assert_eq!(count("refused with words"), 1, "{said:#?}");
    assert_eq!(count("Block Number: 3"), 1, "{said:#?}");
}

#[test]
fn user_errors_are_not_logged_as_errors() {
    let node = Node::devnet(&[]);
    let none = format!("0x{}", "11".repeat(32));
    for (method, params) in [
        ("eth_signTypedData_v3", format!(r#"["{CONTRACT}",{{}}]"#)),
        ("anvil_dealERC20", format!(r#"["{CONTRACT}","{CONTRACT}","0x1"]"#)),
        ("anvil_reset", r#"[{"forking":{"jsonRpcUrl":"http://127.0.0.1:1"}}]"#.to_owned()),
        ("trace_replayTransaction", format!(r#"["{none}",["trace"]]"#)),
        ("eth_call", r#"[{"data":"0xfe"}]"#.to_owned()),
        ("eth_sendTransaction", format!(r#"[{{"from":"{CONTRACT}"}}]"#)),
    ] {
        let answer = node.ask(method, &params);
        assert!(answer.contains(r#""error""#), "{method}: {answer}");
    }
    let (_, before) = node.refusal(&node.lines);
    assert!(before.iter().all(|line| !line.contains("ERROR")), "{before:#?}");
}

#[test]
fn json_output_has_one_object_per_line() {
    let node = Node::devnet(&["--json"]);
    node.console_session();
    // refuseCustom(7)
    let call = format!(r#"[{{"to":"{CONTRACT}","data":"0xdadb2823{:064x}"}},"latest"]"#, 7);
    node.ask("eth_call", &call);
    // Requests are printed by other threads than blocks.
    let said = [vec![node.banner.clone()], node.said()].concat();
    let mut lines: Vec<Value> =
        said.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    lines.sort_by_key(|line| line["event"] == "request");
    let lines: String = lines
        .iter_mut()
        .map(|line| {
            for volatile in ["address", "blockHash", "timestamp"] {
                line.as_object_mut()
                    .unwrap()
                    .entry(volatile)
                    .and_modify(|value| *value = "…".into());
            }
            format!("{line}\n")
        })
        .collect();
    insta::assert_snapshot!(lines);
}

#[test]
fn traces_cover_failed_or_all_transactions() {
    for (flags, count) in [(["-vvv"].as_slice(), 3), (&["--print-traces", "--accounts", "1"], 6)] {
        let node = Node::devnet(flags);
        node.console_session();
        let said = node.said();
        let traces = said.iter().filter(|line| *line == "Traces:").count();
        assert_eq!(traces, count, "{flags:?}: {said:#?}");
        for words in ["[Revert] refused with words", "[Revert] custom error 0xc246547f: 00"] {
            assert!(said.iter().any(|line| line.contains(words)), "{words}: {said:#?}");
        }
        let printed = said.iter().any(|line| line.contains(r#"console::log("hello 7")"#));
        assert_eq!(printed, count == 6, "{said:#?}");
    }
    // The trace of an EXECUTE call contains the length of its input, and the error.
    let node = Node::devnet(&["-vvv"]);
    node.send(EXECUTE, "0x1201");
    let said = node.said();
    for words in ["EXECUTE::execute(2 bytes)", "] EXECUTE refused: stateless input: 0 bytes"] {
        assert!(said.iter().any(|line| line.contains(words)), "{words}: {said:#?}");
    }
    // The verification of the block does not count as a call.
    let metrics = node.metrics();
    let refused = r#"enshrine_execute_calls_total{outcome="Refused"} 1"#;
    assert!(metrics.lines().any(|line| line == refused), "{metrics}");
    let node = Node::devnet(&["--disable-console-log"]);
    node.console_session();
    assert!(!node.said().iter().any(|line| line.contains("hello")));
}

#[test]
fn verbose_traces_contain_storage_changes() {
    for (flag, has_console_output) in [("-vvvv", false), ("-vvvvv", true)] {
        let node = Node::devnet(&[flag]);
        node.send("", "0x6007600155"); // PUSH1 7 PUSH1 1 SSTORE
        node.wait_for_blocks(1);
        let said = node.said();
        assert!(said.iter().any(|line| line == "Traces:"), "{flag}: {said:#?}");
        let changes = said.iter().any(|line| line.contains("@ 1: 0 → 7"));
        assert_eq!(changes, has_console_output, "{flag}: {said:#?}");
    }
}

#[test]
fn log_contains_execute_refusal_reason() {
    let node = Node::devnet(&[]);
    let (line, _) = node.refusal(&node.lines);
    for words in [" WARN ", "reason=stateless input: 0 bytes", r#"kind="decode""#, "bytes=2"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let node = Node::devnet(&["--log-format", "json"]);
    let (line, _) = node.refusal(&node.lines);
    let line: Value = serde_json::from_str(&line).expect(&line);
    let fields = &line["fields"];
    assert_eq!((&line["level"], &fields["message"]), (&"WARN".into(), &"EXECUTE refuses".into()));
    assert!(fields["reason"].as_str().unwrap().starts_with("stateless input: 0 bytes"), "{line}");
    assert_eq!((&fields["kind"], &fields["bytes"]), (&"decode".into(), &2.into()));
}

/// Log lines go to standard output with text output, and to standard error with `--json`: prool,
/// the harness of viem's tests, stops an anvil that writes to standard error.
#[test]
fn log_stream_depends_on_output_format() {
    let human = Node::devnet(&[]);
    human.refusal(&human.lines);
    assert_eq!(human.end(), Vec::<String>::new());
    let programs = Node::devnet(&["--json"]);
    let (line, before) = programs.refusal(&programs.log);
    assert!(line.contains(r#""level":"WARN""#), "{line}");
    assert_eq!(before, Vec::<String>::new());
    let said = programs.said();
    for line in &said {
        assert!(
            serde_json::from_str::<Value>(line).is_ok_and(|line| line["event"].is_string()),
            "{line}"
        );
    }
}

/// Returns transactions of type 0x05 from the first account: one that uses its allowance, one that
/// calls an account without code, and one without allowance.
fn with_allowances() -> [Bytes; 3] {
    let secret = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    let key = Key::from_secret(secret).unwrap();
    let block = block(ProtocolFork::Osaka);
    let allowance = ExecuteTxVersion::V3 {
        anchor: None,
        max_fee_per_execute_gas: 5_000_000_000,
        execute_gas_limit: 1_000_000,
    };
    let no_allowance = ExecuteTxVersion::V2 { anchor: None };
    let idle = Address::repeat_byte(0x1d).into();
    let kinds =
        [(TxKind::Create, allowance.clone()), (idle, allowance), (TxKind::Create, no_allowance)];
    let mut nonce = 0;
    kinds.map(|(to, version)| {
        let tx = execute_tx_calling(&block, to, |head| head.to_vec().into()).unwrap();
        let max_fee_per_gas = 20_000_000_000;
        let tx = ExecuteTx { chain_id: 31_337, nonce, max_fee_per_gas, version, ..tx };
        nonce += 1;
        SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx }.encode().into()
    })
}

#[test]
fn output_shows_execute_gas_like_receipt() {
    let flags = ["--execute-market", "--execute-dialects", "specs,execute-tx", "--execute-gas"];
    let flags = [&flags[..], &["400000+0"]].concat();
    // The price of a call plus the gas of the block that it verifies.
    let drawn = [Some("421000"), Some("0"), None];
    let sent_to = |node: &Node| {
        let receipts = with_allowances().map(|raw| {
            let hash = node.request("eth_sendRawTransaction", json!([raw]));
            node.request("eth_getTransactionReceipt", json!([hash]))
        });
        node.wait_for_blocks(receipts.len());
        receipts
    };

    let human = Node::devnet(&flags);
    let receipts = sent_to(&human);
    let said = human.said();
    for (receipt, drawn) in receipts.iter().zip(drawn) {
        let hash = receipt["transactionHash"].as_str().unwrap();
        let expected = [
            Some(format!("Transaction: {hash}")),
            Some(format!("Gas used: {}", decimal(&receipt["gasUsed"]))),
            drawn.map(|drawn| format!("EXECUTE gas used: {drawn}")),
            drawn.map(|_| {
                format!("EXECUTE gas price: {} wei", decimal(&receipt["executeGasPrice"]))
            }),
        ];
        let lines = said.iter().map(|line| line.trim()).skip_while(|line| !line.contains(hash));
        let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        assert_eq!(lines, expected.into_iter().flatten().collect::<Vec<_>>(), "{said:#?}");
        assert_eq!(receipt.get("executeGasUsed").map(decimal).as_deref(), drawn, "{receipt}");
    }

    let programs = Node::devnet(&[&flags[..], &["--json"]].concat());
    let receipts = sent_to(&programs);
    let said = programs.said();
    let said = said.iter().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let sent: Vec<_> = said.filter(|line| line["event"] == "transaction").collect();
    assert_eq!(sent.len(), drawn.len());
    for ((sent, receipt), drawn) in sent.iter().zip(receipts).zip(drawn) {
        let used = drawn.map(|drawn| json!(drawn.parse::<u64>().unwrap()));
        assert_eq!(sent.get("executeGasUsed"), used.as_ref(), "{sent}");
        let price = receipt.get("executeGasPrice").map(|price| json!(decimal(price)));
        assert_eq!(sent.get("executeGasPrice"), price.as_ref(), "{sent}");
    }
}

/// Converts a hex quantity to decimal.
fn decimal(value: &Value) -> String {
    serde_json::from_value::<U256>(value.clone()).unwrap().to_string()
}

/// Mines a block, compares it with the values in the banner, and returns its parent.
fn check_next_block(node: &Node) -> Value {
    let head = node.head();
    node.ask("evm_mine", "[]");
    let next = node.head();
    assert_eq!(next["parentHash"], head["hash"]);
    for (section, field) in [("Base Fee", "baseFeePerGas"), ("Gas Limit", "gasLimit")] {
        assert_eq!(node.told(section), decimal(&next[field]), "{section}");
    }
    head
}

#[test]
fn banner_matches_chain_from_genesis_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "genesis.json");
    let config = json!({
        "chainId": 4_242, "londonBlock": 0, "terminalTotalDifficulty": 0, "shanghaiTime": 0,
        "cancunTime": 0,
    });
    let genesis = json!({
        "config": config, "alloc": {}, "difficulty": "0x0", "timestamp": "0x65000000",
        "number": "0x5", "gasLimit": "0x1312d00", "baseFeePerGas": "0x2540be400",
    });
    std::fs::write(&file, genesis.to_string()).unwrap();
    let node = Node::devnet(&["--init", &file]);
    let head = check_next_block(&node);
    for (section, field) in [("Genesis Number", "number"), ("Genesis Timestamp", "timestamp")] {
        assert_eq!(head[field], genesis[field]);
        assert_eq!(node.told(section), decimal(&head[field]), "{section}");
    }
    // The genesis is empty, so the base fee is an eighth lower.
    assert_eq!((node.told("Base Fee"), node.told("Gas Limit")), ("8750000000", "20000000"));
    assert_eq!(node.told("Chain ID"), "4242");
}

#[test]
fn banner_matches_forked_chain() {
    let chain = ["--chain-id", "4242", "--gas-limit", "20000000", "--base-fee", "5000000000"];
    let other = Node::devnet(&chain);
    other.ask("evm_mine", "[]");
    other.ask("evm_mine", "[]");
    let url = format!("http://{}", other.address);
    let node = Node::devnet(&["--fork-url", &url]);
    let head = check_next_block(&node);
    assert_eq!(head["hash"], other.head()["hash"]);
    let (number, hash) = (decimal(&head["number"]), head["hash"].as_str().unwrap());
    let told: Vec<_> = node.told("Fork").split_whitespace().collect();
    let fork = format!("Endpoint: {url} Block number: {number} Block hash: {hash} Chain ID: 4242");
    assert_eq!(told.join(" "), fork);
    assert_eq!((&*number, node.told("Gas Limit")), ("2", "20000000"));
}

#[test]
fn quiet_devnet_prints_nothing() {
    let port = testkit::free_port().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .args(["devnet", "--quiet", "--port", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let address = format!("127.0.0.1:{port}");
    while TcpStream::connect(&address).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    call_in_vain(&address);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
}
