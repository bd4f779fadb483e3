//! Latency of single responses: under load, on long chains, and with verification.

use super::{
    BLOCK, Nodes,
    client::{Client, request, send_all, start},
    transfers,
};
use eyre::{ContextCompat, Result};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Number of calls in flight while others are timed, and the gas of each.
const IN_FLIGHT: usize = 4;
const GAS: u64 = 50_000_000;
/// Number of responses from which the median is computed.
const SAMPLES: usize = 500;
/// A contract that consumes all gas: JUMPDEST, PUSH0, JUMP.
const LOOP: &str = "0x0000000000000000000000000000000000100b00";
const LOOP_CODE: &str = "0x5b5f56";
/// Number of transactions in a short and in a long chain.
const LENGTHS: [usize; 2] = [1_000, 100_000];
/// Number of timed blocks; the best one counts.
const VERIFIED: usize = 10;

/// Returns the median in seconds.
pub(super) fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

/// Returns the median time, in ms, in which each node answers `eth_chainId` while it executes large
/// calls.
pub(super) fn beside_calls(nodes: Nodes<'_>) -> Result<[f64; 2]> {
    let mut medians = [0.0; 2];
    for ((program, arguments), median_of) in nodes.into_iter().zip(&mut medians) {
        let (node, _) = start(program, arguments)?;
        let mut client = Client::connect(node.port)?;
        client.ask("anvil_setCode", &json!([LOOP, LOOP_CODE]))?;
        let heavy = json!([{ "to": LOOP, "gas": format!("{GAS:#x}") }, "latest"]);
        let (heavy, light) = (request("eth_call", &heavy), request("eth_chainId", &json!([])));
        let done = AtomicBool::new(false);
        let times = thread::scope(|scope| -> Result<Vec<Duration>> {
            let load = || -> Result<()> {
                let mut client = Client::connect(node.port)?;
                while !done.load(Ordering::Relaxed) {
                    client.send(&heavy)?;
                }
                Ok(())
            };
            let loads: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(load)).collect();
            thread::sleep(Duration::from_millis(200));
            let sample = |_| -> Result<Duration> {
                thread::sleep(Duration::from_millis(3));
                let begun = Instant::now();
                client.send(&light)?;
                Ok(begun.elapsed())
            };
            let times = (0..SAMPLES).map(sample).collect::<Result<Vec<_>>>();
            done.store(true, Ordering::Relaxed);
            for load in loads {
                load.join().ok().wrap_err("a client has panicked")??;
            }
            times
        })?;
        *median_of = median(times) * 1e3;
    }
    Ok(medians)
}

/// Measures reads on a short and on a long chain.
pub(super) fn of_lengths(enshrine: &Path) -> Result<()> {
    let transfers = transfers(LENGTHS[1])?;
    let mut columns: Vec<Vec<(&str, f64)>> = Vec::new();
    for length in LENGTHS {
        // Half-full blocks do not change the base fee.
        let (node, _) = start(enshrine, &["devnet", "--gas-limit", "42000000"])?;
        let mut client = Client::connect(node.port)?;
        for block in transfers[..length].chunks(BLOCK) {
            send_all(node.port, block)?;
            client.ask("evm_mine", &json!([]))?;
        }
        // An empty block at the end, for which only the look-up takes time.
        client.ask("evm_mine", &json!([]))?;
        let first = client.ask("eth_getBlockByNumber", &json!(["0x1", false]))?;
        let hash = &first["transactions"][0];
        let one = json!([{ "fromBlock": "latest", "toBlock": "latest" }]);
        let reads: [(&str, Value); 6] = [
            ("eth_getLogs", one),
            ("eth_feeHistory", json!(["0x1", "latest", [50]])),
            ("eth_getBlockByNumber", json!(["latest", false])),
            ("eth_getTransactionByHash", json!([hash])),
            ("eth_getTransactionReceipt", json!([hash])),
            ("debug_getRawBlock", json!(["latest"])),
        ];
        let mut column = Vec::new();
        for (method, params) in reads {
            client.ask(method, &params)?;
            let request = request(method, &params);
            let mut times = Vec::new();
            for _ in 0..SAMPLES {
                let begun = Instant::now();
                client.send(&request)?;
                times.push(begun.elapsed());
            }
            column.push((method, median(times) * 1e6));
        }
        columns.push(column);
    }
    let [short, long] = LENGTHS;
    println!("\n{:<38} {short:>12} {long:>12} {:>8}", "us at transactions in the chain", "ratio");
    for ((method, short), (_, long)) in columns[0].iter().zip(&columns[1]) {
        println!("{method:<38} {short:>12.1} {long:>12.1} {:>8.2}", long / short);
    }
    Ok(())
}

/// Measures the cost of verifying each block as it is built.
pub(super) fn of_verifying(enshrine: &Path) -> Result<()> {
    let transfers = transfers(BLOCK * VERIFIED)?;
    let mut best = [f64::MAX; 2];
    for (arguments, best) in
        [&["devnet"][..], &["devnet", "--verify-blocks"]].into_iter().zip(&mut best)
    {
        let (node, _) = start(enshrine, arguments)?;
        let mut client = Client::connect(node.port)?;
        for block in transfers.chunks(BLOCK) {
            send_all(node.port, block)?;
            let begun = Instant::now();
            client.ask("evm_mine", &json!([]))?;
            *best = best.min(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [plain, verified] = best;
    println!("\n{:<38} {:>12} {:>12} {:>8}", "", "plain", "verified", "ratio");
    let what = "block of 1,000 transfers, ms";
    println!("{what:<38} {plain:>12.1} {verified:>12.1} {:>8.2}", verified / plain);
    Ok(())
}
