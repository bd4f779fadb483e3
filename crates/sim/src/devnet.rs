//! The devnet against stock anvil, with one client and the same requests, and the devnet alone:
//! reads on chains of two lengths, and blocks with and without verification.
//!
//! Client and node share the cores, so the client does little work per request.

use eyre::{ContextCompat as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    ops::Range,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{NodeProcess, Timeout, localnet::devnet::build};
use toolchain::{Toolchain, progress_to_stderr};

/// Number of connections. Each one always has a request in flight, so that neither node nor client
/// becomes idle.
const CONNECTIONS: usize = 32;
/// Number of transfers in a block, and number of such blocks.
const BLOCK: usize = 1_000;
const BLOCKS: usize = 5;
/// Number of calls that are timed together.
const CALLS: usize = 2_000;
/// Number of turns of calls; the best of each node counts. Turns are short, so that other load on
/// the machine affects only some of them.
const TURNS: usize = 40;
/// Number of rounds of transfers, in turn; the best of each node counts.
const ROUNDS: usize = 4;
/// Number of timed starts per round; the best one counts.
const STARTS: usize = 5;
/// Number of transactions in a short and in a long chain.
const LENGTHS: [usize; 2] = [1_000, 100_000];
/// Number of responses from which the median is computed.
const SAMPLES: usize = 500;

/// The first account, which both nodes fund and for which they sign.
const FROM: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const TO: &str = "0x00000000000000000000000000000000000000b0";
const TOKEN: &str = "0x00000000000000000000000000000000000070ce";
/// Code like `balanceOf`: loads an entry of a mapping at slot 0 and returns it.
const TOKEN_CODE: &str = "0x6004355f525f60205260405f20545f5260205ff3";

/// Two nodes: program and arguments.
type Nodes<'n> = [(&'n Path, &'n [&'n str]); 2];

/// A running node, and a connection to it.
struct Node {
    process: NodeProcess,
    connection: Connection,
    /// Time until the first response.
    start: Duration,
}

/// A persistent HTTP connection.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Returns the HTTP request for a call of a method.
fn request(method: &str, params: &Value) -> Vec<u8> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length";
    format!("{head}: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Returns the range of a response's body, if its head is complete.
fn body_of(response: &[u8]) -> Result<Option<Range<usize>>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = response.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = response[..head].split(|byte| *byte == b'\n');
    let is_length =
        |line: &&[u8]| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    let length = lines.find(is_length).wrap_err("a response without a length")?;
    let length: usize = str::from_utf8(&length[NAME.len()..])?.trim().parse()?;
    Ok(Some(head + 4..head + 4 + length))
}

impl Connection {
    fn open(node: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(node)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Timeout::LIMIT))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    fn read(&mut self) -> Result<&[u8]> {
        let mut length = 0;
        let body = loop {
            if length == self.buffer.len() {
                self.buffer.resize(2 * length, 0);
            }
            let read = self.stream.read(&mut self.buffer[length..])?;
            ensure!(read > 0, "the node has closed the connection");
            length += read;
            let body = body_of(&self.buffer[..length])?;
            if let Some(body) = body.filter(|body| length >= body.end) {
                break body;
            }
        };
        Ok(&self.buffer[body])
    }
}

impl Node {
    fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).args(["--no-mining", "--silent"]).stderr(Stdio::null());
        let process = NodeProcess::spawn_at("--port", &mut command)?;
        let (begun, timeout) = (Instant::now(), Timeout::begin());
        let connection = loop {
            match Connection::open(process.address()) {
                Err(_) if timeout.lasts() => sleep(Duration::from_millis(1)),
                connection => break connection?,
            }
        };
        let mut node = Self { process, connection, start: Duration::ZERO };
        node.call("eth_chainId", &json!([]))?;
        node.start = begun.elapsed();
        Ok(node)
    }

    /// Sends a request and waits for the response.
    fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.connection.stream.write_all(request)?;
        self.connection.read()
    }

    /// Calls a method, and returns its result.
    fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        let mut response: Value = serde_json::from_slice(self.send(&request(method, params))?)?;
        match response.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => bail!("{method}: {response}"),
        }
    }

    /// Sends requests over many connections at once, and returns after the last response.
    fn send_all(&self, requests: &[Vec<u8>]) -> Result<()> {
        let connections = (0..CONNECTIONS).map(|_| Connection::open(self.process.address()));
        let mut connections = connections.collect::<Result<Vec<_>>>()?;
        for (connection, request) in connections.iter_mut().zip(requests) {
            connection.stream.write_all(request)?;
        }
        // The next request follows each response immediately, so that the node is never idle.
        for index in 0..requests.len() {
            let connection = &mut connections[index % CONNECTIONS];
            let response = connection.read()?;
            let is_result = response.windows(8).any(|part| part == b"\"result\"");
            ensure!(is_result, "{}", String::from_utf8_lossy(response));
            if let Some(request) = requests.get(index + CONNECTIONS) {
                connection.stream.write_all(request)?;
            }
        }
        Ok(())
    }
}

/// Returns transfers as requests, signed by a node before the measurement.
fn transfers(signer: &Path, count: usize) -> Result<Vec<Vec<u8>>> {
    let mut signer = Node::start(signer, &["devnet"])?;
    let sign = |nonce| {
        let transfer = json!({
            "from": FROM, "to": TO, "value": "0x1", "gas": "0x5208", "nonce": format!("{nonce:#x}"),
            "maxFeePerGas": "0x174876e800", "maxPriorityFeePerGas": "0x3b9aca00",
        });
        let raw = signer.call("eth_signTransaction", &json!([transfer]))?;
        Ok(request("eth_sendRawTransaction", &json!([raw])))
    };
    (0..count).map(sign).collect()
}

/// Sends transfers to a node and mines each block. Returns the transfers per second, and the
/// shortest time of mining.
fn mine(node: &mut Node, transfers: &[Vec<u8>]) -> Result<(f64, Duration)> {
    let (begun, mut shortest) = (Instant::now(), Duration::MAX);
    for block in transfers.chunks(BLOCK) {
        node.send_all(block)?;
        let mining = Instant::now();
        node.call("evm_mine", &json!([]))?;
        shortest = shortest.min(mining.elapsed());
    }
    let per_second = transfers.len() as f64 / begun.elapsed().as_secs_f64();
    let last = node.call("eth_getBlockByNumber", &json!(["latest", false]))?;
    let count = last["transactions"].as_array().map(Vec::len);
    ensure!(count == Some(BLOCK), "the last block has {count:?} transactions");
    Ok((per_second, shortest))
}

/// Returns responses per second of each node. Both run all the time and are measured in turn.
fn responses(nodes: Nodes<'_>, method: &str, params: &Value) -> Result<[f64; 2]> {
    let calls = vec![request(method, params); CALLS];
    let mut running = Vec::new();
    for (program, arguments) in nodes {
        let mut node = Node::start(program, arguments)?;
        node.call("anvil_setCode", &json!([TOKEN, TOKEN_CODE]))?;
        node.send_all(&calls)?;
        running.push(node);
    }
    let mut best = [0.0_f64; 2];
    for _ in 0..TURNS {
        for (node, best) in running.iter().zip(&mut best) {
            let begun = Instant::now();
            node.send_all(&calls)?;
            *best = best.max(CALLS as f64 / begun.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

/// Runs the measurement.
pub(crate) fn run() -> Result<()> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let enshrine = build()?;
    let all = transfers(&enshrine, LENGTHS[1])?;
    let nodes: Nodes<'_> = [(&enshrine, &["devnet"]), (tools.anvil(), &[])];
    let (mut starts, mut sent) = ([f64::MAX; 2], [0.0_f64; 2]);
    for _ in 0..ROUNDS {
        for (index, (program, arguments)) in nodes.into_iter().enumerate() {
            for _ in 0..STARTS {
                let start = Node::start(program, arguments)?.start;
                starts[index] = starts[index].min(start.as_secs_f64() * 1e3);
            }
            let mut node = Node::start(program, arguments)?;
            sent[index] = sent[index].max(mine(&mut node, &all[..BLOCK * BLOCKS])?.0);
        }
    }
    let data = format!("0x70a08231{}", "11".repeat(32));
    let call = json!([{ "to": TOKEN, "data": data }, "latest"]);
    let calls = responses(nodes, "eth_call", &call)?;
    let balances = responses(nodes, "eth_getBalance", &json!([TOKEN, "latest"]))?;
    println!("{:<38} {:>12} {:>12} {:>8}", "", "devnet", "anvil", "ratio");
    row("start to first answer, ms", starts, starts[1] / starts[0]);
    row("transfers/s in blocks of 1,000", sent, sent[0] / sent[1]);
    row("eth_call of balanceOf/s", calls, calls[0] / calls[1]);
    row("eth_getBalance/s", balances, balances[0] / balances[1]);

    let [short, long] = LENGTHS;
    println!("\n{:<38} {short:>12} {long:>12} {:>8}", "us at transactions in the chain", "ratio");
    let [short, long] = LENGTHS.map(|length| reads(&enshrine, &all[..length]));
    for ((method, short), (_, long)) in short?.into_iter().zip(long?) {
        row(method, [short, long], long / short);
    }
    println!("\n{:<38} {:>12} {:>12} {:>8}", "", "plain", "verified", "ratio");
    let mut times = [0.0; 2];
    for (arguments, time) in
        [&["devnet"][..], &["devnet", "--verify-blocks"]].iter().zip(&mut times)
    {
        let mut node = Node::start(&enshrine, arguments)?;
        *time = mine(&mut node, &all[..2 * BLOCK * BLOCKS])?.1.as_secs_f64() * 1e3;
    }
    row("block of 1,000 transfers, ms", times, times[1] / times[0]);
    Ok(())
}

fn row(what: &str, [first, second]: [f64; 2], ratio: f64) {
    println!("{what:<38} {first:>12.1} {second:>12.1} {ratio:>8.2}");
}

/// Returns the median time of reads on a chain with these transfers, in µs.
fn reads(enshrine: &Path, transfers: &[Vec<u8>]) -> Result<Vec<(&'static str, f64)>> {
    // Half-full blocks do not change the base fee.
    let mut node = Node::start(enshrine, &["devnet", "--gas-limit", "42000000"])?;
    mine(&mut node, transfers)?;
    // An empty block at the end, for which only the look-up takes time.
    node.call("evm_mine", &json!([]))?;
    let first = node.call("eth_getBlockByNumber", &json!(["0x1", false]))?;
    let hash = &first["transactions"][0];
    let reads = [
        ("eth_getLogs", json!([{ "fromBlock": "latest", "toBlock": "latest" }])),
        ("eth_feeHistory", json!(["0x1", "latest", [50]])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getTransactionByHash", json!([hash])),
        ("eth_getTransactionReceipt", json!([hash])),
        ("debug_getRawBlock", json!(["latest"])),
    ];
    let median = |(method, params): (&'static str, Value)| {
        node.call(method, &params)?;
        let request = request(method, &params);
        let sample = |_| -> Result<Duration> {
            let begun = Instant::now();
            node.send(&request)?;
            Ok(begun.elapsed())
        };
        let mut times = (0..SAMPLES).map(sample).collect::<Result<Vec<_>>>()?;
        times.sort_unstable();
        let median = times.get(SAMPLES / 2).wrap_err("no sample")?;
        Ok((method, median.as_secs_f64() * 1e6))
    };
    reads.into_iter().map(median).collect()
}
