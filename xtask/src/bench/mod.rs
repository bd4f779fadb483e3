//! Benchmarks: the devnet against stock anvil, with one client and the same requests, and the
//! measurements of crate `sim`.

mod client;
mod latency;
mod methods;

use crate::{
    built::{self, build},
    citations, command,
};
use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use client::{Client, send_all, start};
use eyre::{ContextCompat, Result, WrapErr, ensure, eyre};
pub(crate) use methods::methods;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use toolchain::{Toolchain, find_root, progress_to_stderr};

/// Two nodes: program and arguments.
type Nodes<'n> = [(&'n Path, &'n [&'n str]); 2];

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
/// Number of timed starts; the best one counts.
const STARTS: usize = 5;

/// Private key of the first account, which both nodes fund.
const SECRET: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const TOKEN: &str = "0x00000000000000000000000000000000000070ce";
/// Code like `balanceOf`: loads an entry of a mapping at slot 0 and returns it.
const TOKEN_CODE: &str = "0x6004355f525f60205260405f20545f5260205ff3";

/// Returns transfers as requests, signed before the measurement.
pub(super) fn transfers(count: usize) -> Result<Vec<Vec<u8>>> {
    let key: PrivateKeySigner = SECRET.parse().wrap_err("the secret")?;
    let transfer = |nonce| {
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
        let raw = Bytes::from(signed.encoded_2718());
        Ok(client::request("eth_sendRawTransaction", &json!([raw])))
    };
    (0..count as u64).map(transfer).collect()
}

/// Returns the best time from starting a node to its first response.
fn measure_start(program: &Path, arguments: &[&str]) -> Result<Duration> {
    let starts = (0..STARTS).map(|_| start(program, arguments).map(|(_, took)| took));
    starts.collect::<Result<Vec<_>>>()?.into_iter().min().wrap_err("no start")
}

/// Returns transfers per second, including mining.
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

/// Returns responses per second of each node. Both run all the time and are measured in turn.
fn measure_answers(nodes: Nodes<'_>, method: &str, params: &Value) -> Result<[f64; 2]> {
    let calls = vec![client::request(method, params); CALLS];
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

/// Benchmarks both nodes and prints figures and ratios.
pub(crate) fn devnet() -> Result<()> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let transfers = transfers(BLOCK * BLOCKS)?;
    let enshrine = build()?;
    let nodes: Nodes<'_> = [(&enshrine, &["devnet"]), (tools.anvil(), &[])];
    let mut starts = [Duration::MAX; 2];
    let mut sent = [0.0_f64; 2];
    for _ in 0..ROUNDS {
        for (index, (program, arguments)) in nodes.into_iter().enumerate() {
            starts[index] = starts[index].min(measure_start(program, arguments)?);
            sent[index] = sent[index].max(measure_transfers(program, arguments, &transfers)?);
        }
    }
    let data = format!("0x70a08231{}", "11".repeat(32));
    let call = json!([{ "to": TOKEN, "data": data }, "latest"]);
    let calls = measure_answers(nodes, "eth_call", &call)?;
    let balances = measure_answers(nodes, "eth_getBalance", &json!([TOKEN, "latest"]))?;
    let beside = latency::beside_calls(nodes)?;
    let row = |what: &str, [ours, theirs]: [f64; 2], ratio: f64| {
        println!("{what:<38} {ours:>12.1} {theirs:>12.1} {ratio:>8.2}");
    };
    println!("{:<38} {:>12} {:>12} {:>8}", "", "devnet", "anvil", "ratio");
    let starts = starts.map(|time| time.as_secs_f64() * 1e3);
    row("start to first answer, ms", starts, starts[1] / starts[0]);
    row("transfers/s in blocks of 1,000", sent, sent[0] / sent[1]);
    row("eth_call of balanceOf/s", calls, calls[0] / calls[1]);
    row("eth_getBalance/s", balances, balances[0] / balances[1]);
    row("eth_chainId beside 4 x 50 Mgas, ms", beside, beside[1] / beside[0]);
    latency::of_lengths(&enshrine)?;
    latency::of_verifying(&enshrine)?;
    advance()
}

/// Measures the time that a block with one large `advance` spends outside EXECUTE.
fn advance() -> Result<()> {
    run_built("--example", "advance", &[])
}

/// Measures the L1 gas of L2 transactions.
pub(crate) fn economics(json: bool, check: bool) -> Result<()> {
    // The contracts are compiled with the settings of the repository.
    Toolchain::ensure(&progress_to_stderr)?;
    sim("economics", &given([(json, "--json"), (check, "--check")]))
}

/// Measures EXECUTE against ethrex and the floor.
pub(crate) fn execute(json: bool, write: bool) -> Result<()> {
    let mut arguments = given([(json, "--json")]);
    let picture = absolute(find_root()?.join("docs/execute.svg"))?;
    if write {
        arguments.extend(["--svg", &picture]);
    }
    run_built("--bin", "side-by-side", &arguments)
}

/// Simulates the EXECUTE gas market.
pub(crate) fn market(write: bool, check: bool) -> Result<()> {
    sim("market", &given([(write, "--write"), (check, "--check")]))
}

/// Measures the same blocks in each dialect of EXECUTE.
pub(crate) fn dialects(
    json: bool,
    check: bool,
    mutated: Option<u64>,
    admission: bool,
) -> Result<()> {
    let flags = given([(json, "--json"), (check, "--check"), (admission, "--admission")]);
    if let Some(calls) = mutated {
        return sim("dialects", &[&flags[..], &["--mutated", &calls.to_string()]].concat());
    }
    Toolchain::ensure(&progress_to_stderr)?;
    sim("dialects", &flags)
}

/// Writes conformance vectors, or compares those of a folder with our own EXECUTE.
pub(crate) fn vectors(out: Option<PathBuf>, check: Option<PathBuf>) -> Result<()> {
    let flags = [("--out", out), ("--check", check)];
    let given = flags.into_iter().filter_map(|(flag, folder)| Some((flag, folder?)));
    let folders: Vec<_> =
        given.map(|(flag, folder)| Ok((flag, absolute(folder)?))).collect::<Result<_>>()?;
    let arguments: Vec<_> =
        folders.iter().flat_map(|(flag, folder)| [*flag, folder.as_str()]).collect();
    sim("vectors", &arguments)
}

/// Makes, checks or measures the report; measurements call `sim`. A check also needs the tests that
/// documents name.
pub(crate) fn report(root: &Path, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|it| it == "--check") {
        citations::require(root)?;
    }
    Toolchain::ensure(&progress_to_stderr)?;
    // Times of programs without optimisation would say nothing.
    let profile = if measures_time(arguments) { "release" } else { built::CHECKS };
    let mut programs = vec!["--bin", "sim", "--bin", "report"];
    if arguments.iter().any(|it| it == "--measure") {
        programs.extend(["--bin", "side-by-side", "--bin", "enshrine"]);
    }
    command::cargo(
        root,
        &[&["build", "--profile", profile, "--workspace"], &programs[..]].concat(),
    )?;
    let program = built::target(root).join(profile).join("report");
    command::run(Command::new(program).args(arguments).current_dir(root))
}

/// Returns `true` if the arguments of `report` ask for a data file whose figures are timed, for all,
/// or for those of a finding, except in short runs.
fn measures_time(arguments: &[String]) -> bool {
    const TIMED: [&str; 4] = ["gas-model", "execute", "soak", "rollup"];
    let has = |flag: &str| arguments.iter().any(|it| it == flag);
    let mut names = arguments.iter().skip_while(|it| *it != "--measure").skip(1).peekable();
    let is_timed = |name: &String| TIMED.contains(&name.as_str()) || name.starts_with("F-");
    let is_all = names.peek().is_none_or(|it| it.starts_with("--"));
    has("--measure") && !has("--quick") && (is_all || names.any(is_timed))
}

/// Returns the absolute path of a folder.
fn absolute(folder: PathBuf) -> Result<String> {
    let path = std::path::absolute(folder)?.into_os_string();
    path.into_string().map_err(|path| eyre!("{} is not Unicode", path.display()))
}

/// Returns the flags that are set.
fn given<const N: usize>(flags: [(bool, &'static str); N]) -> Vec<&'static str> {
    flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)).collect()
}

/// Runs a simulation of crate `sim`.
pub(crate) fn sim(name: &str, arguments: &[&str]) -> Result<()> {
    run_built("--bin", "sim", &[&[name], arguments].concat())
}

/// Builds and runs a binary (`--bin`) or an example (`--example`) that links the crates which make
/// blocks.
fn run_built(kind: &str, name: &str, arguments: &[&str]) -> Result<()> {
    let root = find_root()?;
    command::cargo(&root, &["build", "--release", "--workspace", kind, name])?;
    let folder = if kind == "--example" { "release/examples" } else { "release" };
    command::run(Command::new(built::target(&root).join(folder).join(name)).args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_timed_measurements_need_release_build() {
        for (arguments, expected) in [
            ("--check", false),
            ("--measure", true),
            ("--measure --pdf", true),
            ("--measure vectors limits", false),
            ("--measure vectors gas-model", true),
            ("--measure F-02", true),
            ("--measure gas-model --quick", false),
        ] {
            let words: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
            assert_eq!(measures_time(&words), expected, "{arguments}");
        }
    }
}
