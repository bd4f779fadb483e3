//! CPU time of signing prefixes, of executing and of watching them, and bytes of their stream.

use super::{
    preconfirmed::{Kind, PAYERS, RATES, send_at, transactions, worker},
    row, until_l1_time,
};
use crate::payers::payers;
use alloy_primitives::{Address, TxKind};
use eyre::{OptionExt as _, Result, ensure, eyre};
use preconf::PrefixUpdate;
use rpc_types::PrefixItem;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    ops::Range,
    sync::Mutex,
    thread::{self, sleep},
    time::Duration,
};
use testkit::{
    Artifacts, Key, NodeProcess,
    localnet::{
        processes::{Deploying, L1_CHAIN, Rollup},
        report::Report,
        requests::{receipt, send},
        say,
    },
};

/// Time of the load before each measurement, and of the measurement, in seconds.
const SECONDS: [u64; 2] = [2, 10];
const FLAGS: [&str; 4] = ["--poll-interval-ms", "100", "--daily-limit-gwei", "1000000000000"];

/// Measurement at one rate. CPU times are in percent of a core.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cost {
    kind: Kind,
    per_second: u64,
    /// CPU time of a sequencer that signs no prefixes.
    plain_cpu: f64,
    /// CPU time of a sequencer that signs a prefix every 100 ms.
    signing_cpu: f64,
    /// CPU time of a follower of the latter.
    follower_cpu: f64,
    /// CPU time of a follower that also watches.
    watcher_cpu: f64,
    follower_bytes: u64,
    watcher_bytes: u64,
    /// Stream to one subscriber.
    stream: Stream,
}

/// Stream of prefixes to a subscriber, per second.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    updates: f64,
    bytes: u64,
    /// Bytes without the transactions, which are in hexadecimal.
    overhead: u64,
}

impl Cost {
    pub(super) fn print(&self) {
        let Self { plain_cpu, signing_cpu, follower_cpu, watcher_cpu, .. } = self;
        let (per_second, kind) = (self.per_second, self.kind.shown());
        say!("  {per_second}/s {kind}: CPU, percent of a core");
        row("  sequencer without / with prefixes", format!("{plain_cpu:.1} / {signing_cpu:.1}"));
        row("  follower / watcher of prefixes", format!("{follower_cpu:.1} / {watcher_cpu:.1}"));
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let memory = format!("{:.0} / {:.0}", mb(self.follower_bytes), mb(self.watcher_bytes));
        row("  memory of both, MB", memory);
        let kb = |bytes: u64| bytes as f64 / 1e3;
        let Stream { updates, bytes, overhead } = self.stream;
        row("  prefixes per second to one follower", format!("{updates:.1}"));
        let stream = format!("{:.1} / {:.1}", kb(bytes), kb(overhead));
        row("  kB per second, all / without transactions", stream);
    }
}

/// Measurement of the processes of one rollup at one rate.
struct Usage {
    /// CPU time of each process in percent of a core.
    cpu: Vec<f64>,
    /// Resident memory of each process.
    memory: Vec<u64>,
    stream: Stream,
}

/// Runs this measurement.
pub(super) fn run(report: &mut Report) -> Result<Vec<Cost>> {
    let plain = measure_all(false, report)?;
    let signing = measure_all(true, report)?;
    let all = RATES.iter().zip(plain.into_iter().zip(signing));
    let costs = all.map(|(&(kind, per_second, _), (plain, signing))| {
        let (&[plain_cpu, ..], &[signing_cpu, follower_cpu, watcher_cpu]) =
            (&plain.cpu[..], &signing.cpu[..])
        else {
            return Err(eyre!("three processes are measured"));
        };
        Ok(Cost {
            kind,
            per_second,
            plain_cpu,
            signing_cpu,
            follower_cpu,
            watcher_cpu,
            follower_bytes: signing.memory[1],
            watcher_bytes: signing.memory[2],
            stream: signing.stream,
        })
    });
    costs.collect()
}

/// Measures a sequencer with a follower, and with a watcher if it signs prefixes, or a second
/// follower.
fn measure_all(is_signing: bool, report: &mut Report) -> Result<Vec<Usage>> {
    let what = if is_signing { "with" } else { "without" };
    report.part(&format!("CPU time {what} signed prefixes"));
    let rollup = Rollup::create(Deploying::ByScripts, report)?;
    let bonds = registry(&rollup)?.to_string();
    let registry = ["--preconf-bonds", bonds.as_str()];
    let sign = if is_signing { &["--preconfirm"][..] } else { &[] };
    let sequencer = rollup.sequencer_with(&[&FLAGS, &registry[..], sign].concat())?;
    let url = sequencer.client().url().replacen("http", "ws", 1);
    let follow = || rollup.follower_with(&[&["--sequencer", &url], &registry[..]].concat());
    let first = follow()?;
    let second = match is_signing {
        true => rollup.watcher_of(&sequencer, &registry)?,
        false => follow()?,
    };
    let payers = payers(&rollup, &sequencer, PAYERS)?;
    let worker = worker(&rollup, sequencer.client())?;
    until_l1_time(&rollup)?;
    let (mut loads, mut sent) = (Vec::new(), 0);
    for (kind, per_second, _) in RATES {
        let count = per_second * SECONDS.iter().sum::<u64>();
        let raw = transactions(kind, &payers, sent..sent + count, worker);
        sent += count;
        let url = sequencer.client().url();
        let load = thread::scope(|scope| {
            let sender = scope.spawn(|| send_at(url, per_second, raw, |_, _| {}));
            let load = measure([&sequencer, &first, &second], is_signing);
            sender.join().map_err(|_| eyre!("the sender has panicked"))??;
            load
        })?;
        report.shown(format!("{per_second}/s {}", kind.shown()));
        loads.push(load);
    }
    Ok(loads)
}

/// Deploys the registry of bonds, in whose domain prefixes are signed.
fn registry(rollup: &Rollup) -> Result<Address> {
    let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
    let code = artifacts.get("PreconfBonds")?.init_code.clone();
    let (l1, from) = (rollup.l1.client(), Key::named("alice"));
    let hash = send(l1, L1_CHAIN, &from, TxKind::Create, 0, code, 10_000_000)?;
    receipt(l1, hash)?.contract_address.ok_or_eyre("the registry was not created")
}

/// Measures processes under a load.
fn measure(nodes: [&NodeProcess; 3], is_signing: bool) -> Result<Usage> {
    let [before, during] = SECONDS.map(Duration::from_secs);
    let cpu = || nodes.iter().map(|node| Ok(node.cpu_time()?)).collect::<Result<Vec<_>>>();
    let received = Mutex::new(Vec::new());
    let length = || received.lock().map_or(0, |received| received.len());
    let stream = is_signing.then(|| subscribe(nodes[0].address())).transpose()?;
    let (first, last, span) = thread::scope(|scope| {
        if let Some(mut stream) = stream.as_ref() {
            let received = &received;
            scope.spawn(move || {
                let mut buffer = [0; 16 << 10];
                while let Ok(count @ 1..) = stream.read(&mut buffer)
                    && let Ok(mut received) = received.lock()
                {
                    received.extend(&buffer[..count]);
                }
            });
        }
        sleep(before);
        let (first, begin) = (cpu(), length());
        sleep(during);
        let (last, end) = (cpu(), length());
        if let Some(stream) = &stream {
            stream.shutdown(Shutdown::Both)?;
        }
        eyre::Ok((first?, last?, begin..end))
    })?;
    let share = |(first, last): (&Duration, &Duration)| {
        100.0 * last.saturating_sub(*first).as_secs_f64() / during.as_secs_f64()
    };
    let received = received.into_inner().map_err(|_| eyre!("the subscriber has panicked"))?;
    Ok(Usage {
        cpu: first.iter().zip(&last).map(share).collect(),
        memory: nodes.iter().map(|node| Ok(node.resident_bytes()?)).collect::<Result<_>>()?,
        stream: Stream::of(&received, span, during)?,
    })
}

impl Stream {
    /// Reads the frames (RFC 6455) that end in this span of all bytes.
    fn of(all: &[u8], span: Range<usize>, time: Duration) -> Result<Self> {
        let (mut updates, mut transactions, mut at) = (0, 0, 0);
        while let Some(&[_, length, ..]) = all.get(at..) {
            let extended = match length {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            let begin = at + 2 + extended;
            let Some(bytes) = all.get(at + 2..begin) else { break };
            let long = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            at = begin + if extended == 0 { usize::from(length) } else { long };
            let Some(frame) = all.get(begin..at) else { break };
            let item = serde_json::from_slice::<Value>(frame).unwrap_or_default();
            let item = PrefixItem::deserialize(&item["params"]["result"]);
            if let Ok(item) = item.as_ref()
                && span.contains(&at)
            {
                updates += 1;
                let update = PrefixUpdate::decode(&item.ssz)?;
                transactions += update.transactions.iter().map(|tx| tx.len()).sum::<usize>();
            }
        }
        let (bytes, seconds) = (span.len() as u64, time.as_secs());
        let overhead = bytes.saturating_sub(2 * transactions as u64) / seconds;
        Ok(Self { updates: f64::from(updates) / seconds as f64, bytes: bytes / seconds, overhead })
    }
}

/// Subscribes to the prefixes of a node over WebSocket (RFC 6455). The stream then contains the
/// frames of the notifications.
fn subscribe(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    let handshake = format!(
        "GET / HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101 "), "no WebSocket at {address}");
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"rollup_subscribe","params":["prefixes"]}"#;
    // A text frame with a mask of zeros.
    let mut frame = vec![0x81, 0x80 | u8::try_from(request.len())?, 0, 0, 0, 0];
    frame.extend(request.as_bytes());
    stream.write_all(&frame)?;
    Ok(stream)
}
