//! The devnet against stock anvil: one client, the same requests, one after the other.

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use eyre::{ContextCompat, Result, WrapErr, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use toolchain::{Toolchain, find_root, progress_to_stderr};

/// Transfers in a block, and blocks of them.
const BLOCK: usize = 1_000;
const BLOCKS: usize = 5;
/// Threads of the client, and connections of each. Every one has a request on its way, so that the
/// client is awake when an answer comes: what it takes to wake it is no matter of the node.
const THREADS: usize = 2;
const CONNECTIONS: usize = 16;
/// Calls that are timed at once.
const CALLS: usize = 2_000;
/// Turns of calls; the best of each node counts. Many short ones, since what else the machine does
/// falls into some of them only.
const TURNS: usize = 40;
/// Rounds of transfers, by turns; the best of each node counts.
const ROUNDS: usize = 4;
/// Starts that are timed; the best one counts.
const STARTS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// Secret of the first account that both nodes make rich.
const SECRET: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const TOKEN: &str = "0x00000000000000000000000000000000000070ce";
/// The body of `balanceOf`: loads the slot of a mapping at slot 0 and returns it.
const TOKEN_CODE: &str = "0x6004355f525f60205260405f20545f5260205ff3";

/// A node in a process of its own; it ends with this value.
struct Running {
    child: Child,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to do about it here.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A connection that stays. It does little for each request, since it shares the processors with
/// the node that is measured.
struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// A request as it goes over the wire.
fn http(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Where the body of an answer begins and ends, if its head is all there.
fn body_of(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let length = answer[..head]
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))
        .wrap_err("an answer without a length")?;
    let length: usize = std::str::from_utf8(&length[NAME.len()..])?.trim().parse()?;
    Ok(Some((head + 4, head + 4 + length)))
}

impl Client {
    fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, answer: Vec::new() })
    }

    fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        self.receive()
    }

    fn receive(&mut self) -> Result<&[u8]> {
        self.answer.clear();
        let mut part = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the node has hung up");
            self.answer.extend_from_slice(&part[..read]);
            if let Some((begin, end)) = body_of(&self.answer)?
                && self.answer.len() >= end
            {
                return Ok(&self.answer[begin..end]);
            }
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer: Value = serde_json::from_slice(self.send(&http(&request.to_string()))?)?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => bail!("{method}: {answer}"),
        }
    }
}

fn start(program: &Path, arguments: &[&str]) -> Result<(Running, Duration)> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let begun = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .args(["--port", &port.to_string(), "--no-mining", "--silent"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .wrap_err_with(|| program.display().to_string())?;
    let running = Running { child, port };
    while begun.elapsed() < PATIENCE {
        if let Ok(mut client) = Client::connect(port)
            && client.ask("eth_chainId", &json!([])).is_ok()
        {
            return Ok((running, begun.elapsed()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    bail!("{} does not answer", program.display())
}

/// Sends requests over many connections at once, and ends when all are answered.
fn send_all(port: u16, requests: &[Vec<u8>]) -> Result<()> {
    let run = move |part: &[Vec<u8>]| -> Result<()> {
        let clients = (0..CONNECTIONS).map(|_| Client::connect(port));
        let mut clients = clients.collect::<Result<Vec<_>>>()?;
        for requests in part.chunks(CONNECTIONS) {
            for (client, request) in clients.iter_mut().zip(requests) {
                client.stream.write_all(request)?;
            }
            for client in clients.iter_mut().take(requests.len()) {
                let answer = client.receive()?;
                let good = answer.windows(8).any(|part| part == b"\"result\"");
                ensure!(good, "{}", String::from_utf8_lossy(answer));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let parts: Vec<_> = requests
            .chunks(requests.len().div_ceil(THREADS))
            .map(|part| scope.spawn(move || run(part)))
            .collect();
        for part in parts {
            part.join().ok().wrap_err("a client has panicked")??;
        }
        Ok(())
    })
}

/// Transfers as requests, signed before anything is timed.
fn transfers() -> Result<Vec<Vec<u8>>> {
    let key: PrivateKeySigner = SECRET.parse().wrap_err("the secret")?;
    let request = |nonce| {
        let transaction = TxEip1559 {
            chain_id: 31_337,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::with_last_byte(0xb0)),
            value: U256::ONE,
            ..Default::default()
        };
        let signature = key.sign_hash_sync(&transaction.signature_hash())?;
        let signed: EthereumTxEnvelope<TxEip4844> = transaction.into_signed(signature).into();
        let params = [Bytes::from(signed.encoded_2718())];
        let method = "eth_sendRawTransaction";
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Ok(http(&request.to_string()))
    };
    (0..(BLOCK * BLOCKS) as u64).map(request).collect()
}

/// The best time in which a node starts and answers.
fn measure_start(program: &Path, arguments: &[&str]) -> Result<Duration> {
    let starts = (0..STARTS).map(|_| start(program, arguments).map(|(_, took)| took));
    starts.collect::<Result<Vec<_>>>()?.into_iter().min().wrap_err("no start")
}

/// Transfers per second: sent, and mined in blocks.
fn measure_transfers(program: &Path, arguments: &[&str], transfers: &[Vec<u8>]) -> Result<f64> {
    let (running, _) = start(program, arguments)?;
    let mut client = Client::connect(running.port)?;
    let begun = Instant::now();
    for block in transfers.chunks(BLOCK) {
        send_all(running.port, block)?;
        client.ask("evm_mine", &json!([]))?;
    }
    let per_second = transfers.len() as f64 / begun.elapsed().as_secs_f64();
    let last = client.ask("eth_getBlockByNumber", &json!(["latest", false]))?;
    let count = last["transactions"].as_array().map(Vec::len);
    ensure!(count == Some(BLOCK), "the last block has {count:?} transactions");
    Ok(per_second)
}

/// Calls per second of each node; both run all the time and are asked by turns.
fn measure_calls(nodes: [(&Path, &[&str]); 2]) -> Result<[f64; 2]> {
    let data = format!("0x70a08231{}", "11".repeat(32));
    let params = json!([{ "to": TOKEN, "data": data }, "latest"]);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params });
    let calls = vec![http(&call.to_string()); CALLS];
    let mut running = Vec::new();
    for (program, arguments) in nodes {
        let (node, _) = start(program, arguments)?;
        Client::connect(node.port)?.ask("anvil_setCode", &json!([TOKEN, TOKEN_CODE]))?;
        send_all(node.port, &calls)?;
        running.push(node);
    }
    let mut best = [0.0_f64; 2];
    for _ in 0..TURNS {
        for (node, best) in running.iter().zip(&mut best) {
            let begun = Instant::now();
            send_all(node.port, &calls)?;
            *best = best.max(CALLS as f64 / begun.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

fn build() -> Result<PathBuf> {
    let root = find_root()?;
    let built =
        toolchain::cargo().args(crate::stages::BUILD_ENSHRINE).current_dir(&root).status()?;
    ensure!(built.success(), "enshrine does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/enshrine"))
}

/// Measures both nodes and prints figures and ratios.
pub(crate) fn devnet() -> Result<()> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let transfers = transfers()?;
    let enshrine = build()?;
    let nodes: [(&Path, &[&str]); 2] = [(&enshrine, &["devnet"]), (tools.anvil(), &[])];
    let mut starts = [Duration::MAX; 2];
    let mut sent = [0.0_f64; 2];
    for _ in 0..ROUNDS {
        for (index, (program, arguments)) in nodes.into_iter().enumerate() {
            starts[index] = starts[index].min(measure_start(program, arguments)?);
            sent[index] = sent[index].max(measure_transfers(program, arguments, &transfers)?);
        }
    }
    let calls = measure_calls(nodes)?;
    let row = |what: &str, [ours, theirs]: [f64; 2], ratio: f64| {
        println!("{what:<38} {ours:>12.1} {theirs:>12.1} {ratio:>8.2}");
    };
    println!("{:<38} {:>12} {:>12} {:>8}", "", "devnet", "anvil", "ratio");
    let starts = starts.map(|time| time.as_secs_f64() * 1e3);
    row("start to first answer, ms", starts, starts[1] / starts[0]);
    row("transfers/s in blocks of 1,000", sent, sent[0] / sent[1]);
    row("eth_call of balanceOf/s", calls, calls[0] / calls[1]);
    advance(&enshrine)
}

/// How long a block with one large `advance` takes beside EXECUTE: an example that has the crates
/// to make one.
fn advance(enshrine: &Path) -> Result<()> {
    let built = toolchain::cargo()
        .args(["build", "--release", "--workspace", "--example", "advance"])
        .current_dir(find_root()?)
        .status()?;
    ensure!(built.success(), "the example does not build");
    let ran = Command::new(enshrine.with_file_name("examples").join("advance")).status()?;
    ensure!(ran.success(), "the example fails");
    Ok(())
}
