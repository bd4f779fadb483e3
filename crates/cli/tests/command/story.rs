//! `enshrine devnet` prints what stock anvil prints.

use crate::support::TOOLS;
use serde_json::Value;
use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);
const ALICE: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// What the first account creates first.
const CONTRACT: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const CONSOLE: &str = "0x000000000000000000636F6e736F6c652e6c6f67";
/// `log(string,uint256)` with "hello" and 7.
const HELLO: &str = "0xb60e72cc00000000000000000000000000000000000000000000000000000000000000400000000000000000000000000000000000000000000000000000000000000007000000000000000000000000000000000000000000000000000000000000000568656c6c6f000000000000000000000000000000000000000000000000000000";
const PROBE: &str = include_str!("../../../anvil-diff/contracts/Probe.hex");

/// A node whose output is read; killed when dropped.
struct Node {
    child: Child,
    address: String,
    /// What it said before it listened.
    banner: String,
    lines: mpsc::Receiver<String>,
    /// What has been read of them.
    said: RefCell<Vec<String>>,
}

impl Node {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--port", "0"])
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (address, banner) = (String::new(), String::new());
        let mut node = Self { child, address, banner, lines, said: RefCell::default() };
        while node.address.is_empty() {
            let line = node.lines.recv_timeout(PATIENCE).expect("it says where it listens");
            let value: Option<Value> = serde_json::from_str(&line).ok();
            let address = match &value {
                Some(value) => value["address"].as_str(),
                None => line.strip_prefix("Listening on "),
            };
            node.address = address.unwrap_or_default().to_owned();
            if node.address.is_empty() {
                node.banner.push_str(&line);
            }
        }
        node
    }

    fn devnet(arguments: &[&str]) -> Self {
        let arguments = [["devnet"].as_slice(), arguments].concat();
        Self::start(Path::new(env!("CARGO_BIN_EXE_enshrine")), &arguments)
    }

    fn ask(&self, method: &str, params: &str) -> String {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let length = body.len();
        let kind = "Content-Type: application/json";
        self.exchange(&format!("POST / HTTP/1.1\r\n{kind}\r\nContent-Length: {length}"), &body)
    }

    fn metrics(&self) -> String {
        self.exchange("GET /metrics HTTP/1.1", "")
    }

    fn exchange(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn send(&self, to: &str, data: &str) {
        let to = if to.is_empty() { String::new() } else { format!(r#","to":"{to}""#) };
        let request = format!(r#"[{{"from":"{ALICE}"{to},"data":"{data}","gas":"0xf4240"}}]"#);
        let answer = self.ask("eth_sendTransaction", &request);
        assert!(answer.contains("result"), "{answer}");
    }

    /// Everything that a user may do in an afternoon.
    fn story(&self) {
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

    /// Waits until it has told of so many blocks. Stock anvil tells of requests on one thread and
    /// of blocks on another, so that nothing may be asked while a block is still to be told of.
    fn wait_for_blocks(&self, count: usize) {
        let is_block =
            |line: &&String| line.contains("Block Time: ") || line.contains(r#""event":"block""#);
        self.read_until(|said| said.iter().filter(is_block).count() == count);
    }

    /// Reads on until a condition holds for all that it has said.
    fn read_until(&self, is_met: impl Fn(&[String]) -> bool) {
        let mut said = self.said.borrow_mut();
        while !is_met(&said) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => said.push(line),
                Err(error) => panic!("{error}: {said:#?}"),
            }
        }
    }

    /// What it has said up to a last request, which this sends.
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

/// A line without what is each node's own: hashes of blocks, times, and how a request is written.
fn own(line: &str) -> Option<String> {
    let trimmed = line.trim();
    for own in ["Block Hash: ", "Block Time: ", "Request: "] {
        if trimmed.starts_with(own) {
            return Some(own.to_owned());
        }
    }
    // Fees, and so hashes, are each node's own too. Anvil names the kind of an error.
    if trimmed.starts_with("Transaction: 0x") {
        return Some("Transaction".to_owned());
    }
    // What anvil asks itself on the way.
    if trimmed == "eth_accounts" {
        return None;
    }
    let words = trimmed.replace("Execution error: ", "");
    (!words.is_empty()).then_some(words)
}

#[test]
fn a_user_reads_what_anvil_would_have_told() {
    let nodes = [Node::start(TOOLS.anvil(), &[]), Node::devnet(&[])];
    // Anvil tells of requests on one thread and of blocks on another, in no order between the two.
    let is_method =
        |line: &String| ["eth_", "evm_", "anvil_"].iter().any(|it| line.starts_with(it));
    let [anvil, devnet] = nodes.map(|node| {
        node.story();
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
fn who_turns_logging_off_reads_nothing_until_it_is_on_again() {
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
fn a_program_reads_one_object_a_line_with_the_same_in_it() {
    let node = Node::devnet(&["--json"]);
    let started: Value = serde_json::from_str(&node.banner).unwrap();
    assert_eq!(started["event"], "started");
    assert_eq!((&started["chainId"], &started["blockNumber"]), (&31_337.into(), &0.into()));
    node.story();
    // refuseCustom(7)
    let call = format!(r#"[{{"to":"{CONTRACT}","data":"0xdadb2823{:064x}"}},"latest"]"#, 7);
    node.ask("eth_call", &call);
    let said: Vec<Value> =
        node.said().iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |event: &'static str| said.iter().filter(move |line| line["event"] == event);
    let sent: Vec<_> = of("transaction").collect();
    assert_eq!(sent.len(), 4);
    assert_eq!(sent[0]["created"], CONTRACT);
    assert_eq!(sent[1]["error"], "refused with words");
    assert_eq!(sent[1]["blockNumber"], 2);
    assert_eq!(of("block").count(), 5);
    assert!(of("console").all(|line| line["line"] == "hello 7"));
    assert_eq!(of("console").count(), 2);
    let failed: Vec<_> = of("request failed").map(|line| line["error"].as_str().unwrap()).collect();
    let [words, custom] = failed[..] else { panic!("{failed:?}") };
    assert_eq!(words, "execution reverted: refused with words");
    assert!(custom.starts_with("execution reverted: custom error 0xc246547f: 00"), "{custom}");
    assert!(of("request").any(|line| line["method"] == "evm_mine"));
}

#[test]
fn traces_are_told_of_what_fails_or_of_all() {
    for (flags, count) in [(["-vvv"].as_slice(), 3), (&["--print-traces", "--accounts", "1"], 6)] {
        let node = Node::devnet(flags);
        node.story();
        let said = node.said();
        let traces = said.iter().filter(|line| *line == "Traces:").count();
        assert_eq!(traces, count, "{flags:?}: {said:#?}");
        for words in ["[Revert] refused with words", "[Revert] custom error 0xc246547f: 00"] {
            assert!(said.iter().any(|line| line.contains(words)), "{words}: {said:#?}");
        }
        let printed = said.iter().any(|line| line.contains(r#"console::log("hello 7")"#));
        assert_eq!(printed, count == 6, "{said:#?}");
    }
    // A call of EXECUTE is drawn with the length of what nobody reads, and with what was wrong with it.
    let node = Node::devnet(&["-vvv"]);
    node.send("0x0000000000000000000000000000000000000101", "0x1201");
    let said = node.said();
    for words in ["EXECUTE::execute(2 bytes)", "] EXECUTE refused: stateless input: 0 bytes"] {
        assert!(said.iter().any(|line| line.contains(words)), "{words}: {said:#?}");
    }
    // Looking at the block again for that is no call that somebody made.
    let metrics = node.metrics();
    let refused = r#"enshrine_execute_calls_total{outcome="Refused"} 1"#;
    assert!(metrics.lines().any(|line| line == refused), "{metrics}");
    let node = Node::devnet(&["--disable-console-log"]);
    node.story();
    assert!(!node.said().iter().any(|line| line.contains("hello")));
}

#[test]
fn who_wants_quiet_has_it() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .args(["devnet", "--quiet", "--port", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let node = || TcpStream::connect(("127.0.0.1", port));
    while node().is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    // What EXECUTE refuses is a warning in the log.
    let call = r#"{"to":"0x0000000000000000000000000000000000000101","data":"0x1201"}"#;
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{call}]}}"#);
    let mut request = node().unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close";
    write!(request, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("EXECUTE refused"), "{answer}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
}
