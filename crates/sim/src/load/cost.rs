//! CPU time of signing prefixes, of executing and of watching them, and bytes of their stream.

use super::{
    preconfirmed::{Kind, PAYERS, RATES, send_at, transactions, worker},
    row, until_l1_time,
};
use crate::payers::payers;
use alloy_primitives::{Address, TxKind};
use eyre::{OptionExt as _, Result, ensure, eyre};
use serde::Serialize;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
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
    /// Bytes of the stream to one subscriber.
    stream_bytes_per_second: u64,
    /// Likewise without the transactions, which are in hexadecimal.
    overhead_bytes_per_second: u64,
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
        let (all, overhead) = (self.stream_bytes_per_second, self.overhead_bytes_per_second);
        let stream = format!("{:.1} / {:.1}", kb(all), kb(overhead));
        row("  stream to one follower, kB/s, all / no transactions", stream);
    }
}

/// Measurement of the processes of one rollup at one rate.
struct Usage {
    /// CPU time of each process in percent of a core.
    cpu: Vec<f64>,
    /// Resident memory of each process.
    memory: Vec<u64>,
    stream_bytes_per_second: u64,
    overhead_bytes_per_second: u64,
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
            stream_bytes_per_second: signing.stream_bytes_per_second,
            overhead_bytes_per_second: signing.overhead_bytes_per_second,
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
        let bytes = raw.iter().map(|it| it.len() as u64).sum::<u64>() * per_second / count;
        let url = sequencer.client().url();
        let load = thread::scope(|scope| {
            let sender = scope.spawn(|| send_at(url, per_second, raw, |_, _| {}));
            let load = measure([&sequencer, &first, &second], is_signing, 2 * bytes);
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

/// Measures processes under a load whose transactions are this number of bytes a second in the
/// stream.
fn measure(nodes: [&NodeProcess; 3], is_signing: bool, in_stream: u64) -> Result<Usage> {
    let [before, during] = SECONDS.map(Duration::from_secs);
    let cpu = || nodes.iter().map(|node| Ok(node.cpu_time()?)).collect::<Result<Vec<_>>>();
    let received = AtomicU64::new(0);
    let mut stream = is_signing.then(|| subscribe(nodes[0].address())).transpose()?;
    let end = stream.as_ref().map(TcpStream::try_clone).transpose()?;
    thread::scope(|scope| {
        if let Some(stream) = &mut stream {
            let received = &received;
            scope.spawn(move || {
                let mut buffer = [0; 16 << 10];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    received.fetch_add(count as u64, Ordering::Relaxed);
                }
            });
        }
        sleep(before);
        let (first, bytes) = (cpu()?, received.load(Ordering::Relaxed));
        sleep(during);
        let (last, bytes) = (cpu()?, received.load(Ordering::Relaxed) - bytes);
        if let Some(end) = end {
            end.shutdown(std::net::Shutdown::Both)?;
        }
        let share = |(first, last): (&Duration, &Duration)| {
            100.0 * last.saturating_sub(*first).as_secs_f64() / during.as_secs_f64()
        };
        let stream_bytes_per_second = bytes / during.as_secs();
        Ok(Usage {
            cpu: first.iter().zip(&last).map(share).collect(),
            memory: nodes.iter().map(|it| Ok(it.resident_bytes()?)).collect::<Result<_>>()?,
            stream_bytes_per_second,
            overhead_bytes_per_second: stream_bytes_per_second.saturating_sub(in_stream),
        })
    })
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
