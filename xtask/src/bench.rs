//! The devnet against stock anvil: one client, the same requests, one after the other.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use eyre::{ContextCompat, Result, WrapErr, bail, ensure};
use keys::Key;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
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
/// Connections of the client.
const CONNECTIONS: usize = 4;
/// Calls that are timed.
const CALLS: usize = 20_000;
/// Rounds, by turns; the best of each node counts.
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

/// A connection that stays.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, body: &str) -> Result<String> {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all((head + body).as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line)? > 0, "the node has hung up");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer)?)
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer: Value = serde_json::from_str(&self.send(&request.to_string())?)?;
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

/// Sends requests over several connections at once, and ends when all are answered.
fn send_all(port: u16, requests: &[String]) -> Result<()> {
    thread::scope(|scope| {
        let parts: Vec<_> = requests
            .chunks(requests.len().div_ceil(CONNECTIONS))
            .map(|part| {
                scope.spawn(move || -> Result<()> {
                    let mut client = Client::connect(port)?;
                    for request in part {
                        let answer = client.send(request)?;
                        ensure!(answer.contains("\"result\""), "{answer}");
                    }
                    Ok(())
                })
            })
            .collect();
        for part in parts {
            part.join().ok().wrap_err("a client has panicked")??;
        }
        Ok(())
    })
}

/// Transfers as requests, signed before anything is timed.
fn transfers() -> Result<Vec<String>> {
    let secret = SECRET.parse().wrap_err("the secret")?;
    let key = Key::from_secret(secret).wrap_err("no secret")?;
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
        let raw = Bytes::from(key.sign(transaction).encoded_2718());
        json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw] })
            .to_string()
    };
    Ok((0..(BLOCK * BLOCKS) as u64).map(request).collect())
}

/// What was measured of a node.
struct Figures {
    start: Duration,
    transfers: f64,
    calls: f64,
}

impl Figures {
    /// The best of two rounds: what else the machine does only ever makes things slower.
    fn best(&self, other: &Self) -> Self {
        Self {
            start: self.start.min(other.start),
            transfers: self.transfers.max(other.transfers),
            calls: self.calls.max(other.calls),
        }
    }
}

fn measure(program: &Path, arguments: &[&str], transfers: &[String]) -> Result<Figures> {
    let starts = (0..STARTS).map(|_| start(program, arguments).map(|(_, took)| took));
    let best = starts.collect::<Result<Vec<_>>>()?.into_iter().min().wrap_err("no start")?;

    let (running, _) = start(program, arguments)?;
    let mut client = Client::connect(running.port)?;
    let begun = Instant::now();
    for block in transfers.chunks(BLOCK) {
        send_all(running.port, block)?;
        client.ask("evm_mine", &json!([]))?;
    }
    let transfers_per_second = transfers.len() as f64 / begun.elapsed().as_secs_f64();
    let last = client.ask("eth_getBlockByNumber", &json!(["latest", false]))?;
    let count = last["transactions"].as_array().map(Vec::len);
    ensure!(count == Some(BLOCK), "the last block has {count:?} transactions");

    client.ask("anvil_setCode", &json!([TOKEN, TOKEN_CODE]))?;
    let data = format!("0x70a08231{}", "11".repeat(32));
    let params = json!([{ "to": TOKEN, "data": data }, "latest"]);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params });
    let calls = vec![call.to_string(); CALLS];
    send_all(running.port, &calls[..1_000])?;
    let begun = Instant::now();
    send_all(running.port, &calls)?;
    let calls_per_second = CALLS as f64 / begun.elapsed().as_secs_f64();
    Ok(Figures { start: best, transfers: transfers_per_second, calls: calls_per_second })
}

fn build() -> Result<PathBuf> {
    let root = find_root()?;
    let built =
        Command::new("cargo").args(crate::stages::BUILD_ENSHRINE).current_dir(&root).status()?;
    ensure!(built.success(), "enshrine does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/enshrine"))
}

/// Measures both nodes and prints figures and ratios.
pub(crate) fn devnet() -> Result<()> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let transfers = transfers()?;
    let enshrine = build()?;
    let mut ours = measure(&enshrine, &["devnet"], &transfers)?;
    let mut theirs = measure(tools.anvil(), &[], &transfers)?;
    for _ in 1..ROUNDS {
        ours = ours.best(&measure(&enshrine, &["devnet"], &transfers)?);
        theirs = theirs.best(&measure(tools.anvil(), &[], &transfers)?);
    }
    let row = |what: &str, ours: f64, theirs: f64, ratio: f64| {
        println!("{what:<38} {ours:>12.1} {theirs:>12.1} {ratio:>8.2}");
    };
    println!("{:<38} {:>12} {:>12} {:>8}", "", "devnet", "anvil", "ratio");
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (mine, other) = (millis(ours.start), millis(theirs.start));
    row("start to first answer, ms", mine, other, other / mine);
    let ratio = ours.transfers / theirs.transfers;
    row("transfers/s in blocks of 1,000", ours.transfers, theirs.transfers, ratio);
    row("eth_call of balanceOf/s", ours.calls, theirs.calls, ours.calls / theirs.calls);
    Ok(())
}
