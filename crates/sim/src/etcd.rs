//! Measures the time until etcd confirms the record of a signed prefix, for which each prefix
//! waits.

use alloy_primitives::Address;
use clap::Args;
use eyre::{Result, WrapErr as _, ensure};
use rollup::{Lease, LeaseConfig, LeaseError, LeaseName, SharedRecords};
use serde::Serialize;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{
    Etcd, Random,
    localnet::{output::complain, requests::until, say},
};
use tokio::runtime::Runtime;

const WHAT: &str = "records in etcd";
const MEMBERS: usize = 3;
/// Lengths of the records, in bytes.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// Pause between records, shorter than the interval between prefixes.
const PAUSE: Duration = Duration::from_millis(10);
/// Time that each `fsync` of a slow disk takes, in milliseconds.
const SLOW: u64 = 50;
const CASES: [Case; 6] = [
    Case { latency: 0, slow: None },
    Case { latency: 1, slow: None },
    Case { latency: 5, slow: None },
    Case { latency: 0, slow: Some(Slow::Other) },
    Case { latency: 0, slow: Some(Slow::Used) },
    Case { latency: 0, slow: Some(Slow::Leader) },
];

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of records of each length
    #[arg(long, value_name = "COUNT", default_value_t = 300)]
    records: u64,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// State of the cluster.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    /// Latency of the links between members in each direction.
    #[serde(rename = "latencyMilliseconds")]
    latency: u64,
    /// The member with a slow disk.
    slow: Option<Slow>,
}

/// Role of a member. Requests are sent to a member that is not etcd's leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Slow {
    /// etcd's leader.
    Leader,
    /// The member to which requests are sent.
    Used,
    /// The third member.
    Other,
}

/// Measurements of one case and length.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    case: Case,
    bytes: usize,
    #[serde(rename = "p50Milliseconds")]
    p50: f64,
    #[serde(rename = "p99Milliseconds")]
    p99: f64,
    /// Records that etcd did not confirm in time.
    unconfirmed: u64,
}

/// Runs the measurement.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.records > 0, "--records must not be 0");
    let Some(mut etcd) = Etcd::start(MEMBERS, WHAT)? else { return Ok(()) };
    let runtime = Runtime::new()?;
    let mut rows = Vec::new();
    for (at, case) in CASES.into_iter().enumerate() {
        let Some(endpoints) = prepare(&mut etcd, case)? else { return Ok(()) };
        let config = LeaseConfig {
            endpoints,
            credentials: None,
            ca: None,
            identity: None,
            url: "ws://127.0.0.1:9545".to_owned(),
            work_timeout: Duration::from_secs(3_600),
        };
        // A different rollup in each case, so that the lease of the previous case does not apply.
        let rollup = Address::with_last_byte(u8::try_from(at)?);
        let lease = Lease::new(LeaseName::of_rollup(1, rollup), config)?;
        lease.want(true);
        let entered = runtime.enter();
        let task = lease.start();
        drop(entered);
        until("the lease", || Ok(lease.is_held()))?;
        for bytes in SIZES {
            rows.push(measure(&lease, case, bytes, arguments.records)?);
            if !arguments.json {
                complain(format_args!("{case:?}, {bytes} bytes"));
            }
        }
        drop(task);
    }
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    say!("Records in etcd with three members, {} of each length: ms, p50 / p99", arguments.records);
    for rows in rows.chunks(SIZES.len()) {
        let cells: Vec<_> = rows.iter().map(Row::shown).collect();
        say!("  {:<64}{}", rows[0].case.shown(), cells.join("   "));
    }
    Ok(())
}

impl Case {
    fn shown(self) -> String {
        let slow = match self.slow {
            None => String::new(),
            Some(slow) => {
                let member = match slow {
                    Slow::Leader => "etcd's leader",
                    Slow::Used => "the member used",
                    Slow::Other => "the third member",
                };
                format!(", {member} needs {SLOW} ms per fsync")
            }
        };
        format!("{} ms between members{slow}", self.latency)
    }
}

impl Row {
    fn shown(&self) -> String {
        let lost = match self.unconfirmed {
            0 => String::new(),
            count => format!(" ({count} not confirmed)"),
        };
        format!("{} kB: {:.1} / {:.1}{lost}", self.bytes / 1_000, self.p50, self.p99)
    }
}

/// Prepares the cluster for a case. Returns its endpoints, beginning with the member to which
/// requests are sent and ending with etcd's leader, or `None` if strace is not installed.
fn prepare(etcd: &mut Etcd, case: Case) -> Result<Option<Vec<String>>> {
    etcd.delay_links(Duration::from_millis(case.latency));
    // The first member has the slow disk.
    let delays = [if case.slow.is_some() { SLOW } else { 0 }, 0, 0];
    for (member, delay) in delays.into_iter().enumerate() {
        if !etcd.slow_disk(member, Duration::from_millis(delay), WHAT) {
            return Ok(None);
        }
        restart(etcd, member)?;
    }
    let mut leader = leader(etcd)?;
    // Restart the leader until the election has the required result.
    while case.slow.is_some_and(|slow| (slow == Slow::Leader) != (leader == 0)) {
        restart(etcd, leader)?;
        leader = self::leader(etcd)?;
    }
    let order = match case.slow {
        Some(Slow::Used) => [0, MEMBERS - leader, leader],
        Some(Slow::Other) => [MEMBERS - leader, 0, leader],
        Some(Slow::Leader) | None => [(leader + 1) % MEMBERS, (leader + 2) % MEMBERS, leader],
    };
    let urls = etcd.urls();
    Ok(Some(order.map(|member| urls[member].clone()).to_vec()))
}

fn restart(etcd: &mut Etcd, member: usize) -> Result<()> {
    etcd.kill(member);
    etcd.restart(member)?;
    Ok(etcd.until_healthy()?)
}

fn leader(etcd: &Etcd) -> Result<usize> {
    let mut leader = None;
    until("a leader of etcd", || {
        leader = etcd.leader();
        Ok(leader.is_some())
    })?;
    Ok(leader.unwrap_or_default())
}

/// Measures appending records of one length, and removes them afterwards.
fn measure(lease: &Lease, case: Case, bytes: usize, count: u64) -> Result<Row> {
    let records = SharedRecords::of(lease);
    let mut random = Random::new(bytes as u64);
    let (mut times, mut unconfirmed) = (Vec::new(), 0);
    // The first request opens the connection.
    for number in 0..=count {
        let record = random.bytes(bytes);
        let begun = Instant::now();
        match records.append(number, &record) {
            Ok(()) if number > 0 => times.push(begun.elapsed().as_secs_f64() * 1e3),
            Ok(()) => {}
            Err(LeaseError::Timeout { .. }) => unconfirmed += 1,
            Err(error) => return Err(error).wrap_err_with(|| format!("{case:?}, {bytes} bytes")),
        }
        sleep(PAUSE);
    }
    records.remove_before(u64::MAX)?;
    times.sort_by(f64::total_cmp);
    ensure!(!times.is_empty(), "no record was confirmed: {case:?}, {bytes} bytes");
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    Ok(Row { case, bytes, p50: at(50), p99: at(99), unconfirmed })
}
