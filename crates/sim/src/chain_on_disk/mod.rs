//! Measures a chain on disk at different state sizes: commits, reopening after a kill, disk space,
//! proofs of old states, and the same commits in other stores. The results are in
//! `docs/benchmarks.md`.

mod stores;

use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use chain::store::Store as _;
use chain::{BlockAttributes, Chain, ChainConfig};
use disk::{DiskOptions, DiskStore, open_chain_with};
use executor::ChainSpec;
use eyre::{OptionExt, Result, ensure};
use serde_json::{Value, json};
use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Write, stdout},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use testkit::charts::{GrowthPoint, growth};
use testkit::{CHAIN_ID, ETHER, Key, Transaction, rich_genesis};
use wire::ProtocolFork;

/// Code that sets the slot in the first word of the calldata to the second word.
const SETTER: [u8; 7] = hex!("602035 5f35 55 00");
const CONTRACT: Address = Address::repeat_byte(0x57);
const SLOTS: u64 = 1_000;
/// Number of payments in a block of the commit measurement.
const UPDATES: u64 = 500;
/// Number of states to keep for proofs: a claim may refer to a block of this age.
const RING: u64 = 8_191;

/// Arguments of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder for the chains, which must not exist; needs 3 GB
    folder: PathBuf,
    /// File for an SVG chart of block time and witness size
    svg: Option<PathBuf>,
    /// File for the figures of the commits as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Append blocks to the chain with this many accounts until this process is killed
    #[arg(long, value_name = "ACCOUNTS", hide = true)]
    append: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = &*arguments.folder;
    if let Some(accounts) = arguments.append {
        return append_until_killed(folder, accounts);
    }
    ensure!(!folder.exists(), "{} already exists", folder.display());
    println!(
        "  accounts  make s  block ms    p90  commit ms    p90    max    sync  on core  witness kB  \
         nodes kB"
    );
    let (mut points, mut rows) = (Vec::new(), Vec::new());
    for accounts in [1_000, 10_000, 100_000, 1_000_000] {
        let blocks = if accounts == 1_000_000 { 200 } else { 60 };
        let (point, row) = commits(&folder.join(accounts.to_string()), accounts, blocks)?;
        points.push(point);
        rows.push(row);
        if accounts < 1_000_000 {
            fs::remove_dir_all(folder.join(accounts.to_string()))?;
        }
    }
    if let Some(svg) = &arguments.svg {
        fs::write(svg, growth(&points))?;
    }
    if let Some(file) = &arguments.json {
        fs::write(file, format!("{:#}\n", json!({ "commits": rows })))?;
    }
    let largest = folder.join("1000000");
    reopen(&largest, 1_000_000)?;
    space(&largest)?;
    stores::compare(&largest.join("state"), &folder.join("stores"))?;
    fs::remove_dir_all(&largest)?;
    proofs(&folder.join("proofs"), 1_000_000)?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

fn account(number: u64) -> Address {
    Address::from_word(keccak256(number.to_be_bytes()))
}

fn random(seed: u64) -> u64 {
    keccak256(seed.to_le_bytes()).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn genesis(accounts: u64) -> Genesis {
    let mut genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 1_000_000 * ETHER);
    genesis.gas_limit = 60_000_000;
    for number in 0..accounts {
        let one = GenesisAccount { balance: U256::from(number + 1), ..Default::default() };
        genesis.alloc.insert(account(number), one);
    }
    let slots = (0..SLOTS).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1)));
    let contract = GenesisAccount {
        code: Some(Bytes::from_static(&SETTER)),
        storage: Some(slots.collect()),
        ..Default::default()
    };
    genesis.alloc.insert(CONTRACT, contract);
    genesis
}

/// Opens a chain that keeps the states and witnesses of this many blocks.
fn open(folder: &Path, genesis: &Genesis, states: u64) -> Result<Chain> {
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka));
    let options = DiskOptions { states, witnesses: states, ..DiskOptions::default() };
    Ok(open_chain_with(folder, genesis, config, options)?)
}

/// Returns payments to random accounts, and calls that set slots.
fn transactions(
    chain: &Chain,
    accounts: u64,
    payments: u64,
    slots: u64,
) -> Result<Vec<Transaction>> {
    let nonce = chain.nonce(Key::named("alice").address())?;
    let transaction = |index: u64| {
        let pays = index < payments;
        let word = |word: u64| U256::from(word).to_be_bytes::<32>();
        let set = [word(random(nonce + index) % SLOTS), word(nonce + index)].concat();
        Key::named("alice").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: nonce + index,
            gas_limit: if pays { 21_000 } else { 100_000 },
            max_fee_per_gas: 1_000_000_000_000,
            to: TxKind::Call(if pays {
                account(random(nonce + index) % accounts)
            } else {
                CONTRACT
            }),
            value: U256::from(u64::from(pays)),
            input: if pays { Bytes::new() } else { set.into() },
            ..Default::default()
        })
    };
    Ok((0..payments + slots).map(transaction).collect())
}

/// Builds and appends a block. Returns the milliseconds to build it, to append it, and of CPU time
/// while appending; and the bytes of its witness and of its new nodes.
fn append(chain: &mut Chain, accounts: u64, payments: u64, slots: u64) -> Result<[f64; 5]> {
    let transactions = transactions(chain, accounts, payments, slots)?;
    let timestamp = chain.head().header.timestamp + 1;
    let start = Instant::now();
    let attributes = BlockAttributes { timestamp, ..Default::default() };
    let (block, rejected) = chain.build(&attributes, transactions)?;
    ensure!(rejected.is_empty(), "{:?}", rejected.first());
    let built = milliseconds(start);
    let witness = bytes_of(&block.witness.state);
    let nodes = bytes_of(block.nodes());
    let (start, begun) = (Instant::now(), on_core()?);
    chain.append(block)?;
    Ok([built, milliseconds(start), on_core()? - begun, witness, nodes])
}

/// Returns the CPU time of this thread in milliseconds, without waiting for the disk or for other
/// processes.
fn on_core() -> Result<f64> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = statistics.split(' ').next().ok_or_eyre("no statistics")?;
    Ok(first.parse::<f64>()? / 1e6)
}

fn bytes_of<'n>(nodes: impl IntoIterator<Item = &'n Bytes>) -> f64 {
    nodes.into_iter().map(|node| node.len()).sum::<usize>() as f64
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn commits(folder: &Path, accounts: u64, blocks: u64) -> Result<(GrowthPoint, Value)> {
    let genesis = genesis(accounts);
    let start = Instant::now();
    let mut chain = open(folder, &genesis, 64)?;
    let made = start.elapsed().as_secs_f64();
    let mut columns = [const { Vec::new() }; 5];
    for _ in 0..blocks {
        for (column, value) in columns.iter_mut().zip(append(&mut chain, accounts, UPDATES, 0)?) {
            column.push(value);
        }
    }
    let [build, commit, own, witness, nodes] = &mut columns;
    let point = GrowthPoint {
        accounts,
        build: quantile(build, 0.5),
        witness: quantile(witness, 0.5) / 1e3,
    };
    let sync = sync_of(folder, quantile(witness, 0.5) as usize)?;
    println!(
        "{accounts:>10}{made:>8.1}{:>10.1}{:>7.1}{:>11.1}{:>7.1}{:>7.1}{sync:>8.1}{:>9.1}{:>12.0}{:>10.0}",
        point.build,
        quantile(build, 0.9),
        quantile(commit, 0.5),
        quantile(commit, 0.9),
        quantile(commit, 1.0),
        quantile(own, 0.5),
        point.witness,
        quantile(nodes, 0.5) / 1e3,
    );
    let row = json!({
        "accounts": accounts,
        "build_ms_p50": point.build,
        "build_ms_p90": quantile(build, 0.9),
        "commit_ms_p50": quantile(commit, 0.5),
        "commit_ms_p90": quantile(commit, 0.9),
        "commit_ms_most": quantile(commit, 1.0),
        "commit_on_core_ms_p50": quantile(own, 0.5),
        "sync_ms_p50": sync,
        "witness_bytes": quantile(witness, 0.5),
        "node_bytes": quantile(nodes, 0.5),
    });
    chain.close()?;
    Ok((point, row))
}

/// Returns the median milliseconds to write and sync this many bytes, a lower bound for a commit.
fn sync_of(folder: &Path, bytes: usize) -> Result<f64> {
    let mut file = File::create_new(folder.join("sync"))?;
    let bytes = vec![0x5a; bytes];
    let mut times = Vec::new();
    for _ in 0..40 {
        let start = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.push(milliseconds(start));
    }
    fs::remove_file(folder.join("sync"))?;
    Ok(quantile(&mut times, 0.5))
}

fn append_until_killed(folder: &Path, accounts: u64) -> Result<()> {
    let mut chain = open(folder, &genesis(accounts), 64)?;
    loop {
        append(&mut chain, accounts, UPDATES, 0)?;
        println!("{}", chain.head().header.number);
        stdout().flush()?;
    }
}

fn reopen(folder: &Path, accounts: u64) -> Result<()> {
    let genesis = genesis(accounts);
    let mut times = Vec::new();
    for round in 0..5 {
        let mut process = Command::new(env::current_exe()?)
            .arg("chain-on-disk")
            .arg(folder)
            .args(["--append", &accounts.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or_eyre("no output")?);
        let last = output.lines().nth(20 + 7 * round).ok_or_eyre("the process exited")??;
        process.kill()?;
        process.wait()?;
        let start = Instant::now();
        let chain = open(folder, &genesis, 64)?;
        times.push(milliseconds(start));
        ensure!(chain.head().header.number >= last.parse::<u64>()?, "a block was lost");
    }
    let [median, worst] = [0.5, 1.0].map(|share| quantile(&mut times, share));
    println!("reopened after kill -9 in {median:.0} ms, at worst {worst:.0}");
    Ok(())
}

/// Compares disk space with the size of the nodes of the kept states.
fn space(folder: &Path) -> Result<()> {
    let store = DiskStore::open(folder, DiskOptions { states: 64, ..Default::default() })?;
    store.prune()?;
    let nodes = store.everything()?.nodes;
    let bytes = bytes_of(&nodes) / 1e6;
    let [log, state] = store.disk_bytes()?.map(|bytes| bytes as f64 / 1e6);
    println!(
        "{} nodes of {bytes:.0} MB are kept: states {state:.0} MB ({:.2} times), log {log:.0} MB",
        nodes.len(),
        state / bytes,
    );
    Ok(())
}

fn proofs(folder: &Path, accounts: u64) -> Result<()> {
    let mut chain = open(folder, &genesis(accounts), RING)?;
    let start = Instant::now();
    for _ in 0..RING + 20 {
        append(&mut chain, accounts, 3, 2)?;
    }
    let each = milliseconds(start) / (RING + 20) as f64;
    let head = chain.head().header.number;
    let mut times = Vec::new();
    for index in 0..1_000 {
        let number = head + 1 - RING + random(index) % RING;
        let block = chain.canonical_block(number)?.ok_or_eyre("no such block")?;
        let slot = U256::from(random(index + 5_000) % SLOTS);
        let start = Instant::now();
        chain.prove(&block, account(random(index) % accounts), &[])?;
        chain.prove(&block, CONTRACT, &[slot])?;
        times.push(milliseconds(start));
    }
    let [median, most, worst] = [0.5, 0.99, 1.0].map(|share| quantile(&mut times, share));
    println!(
        "{RING} blocks of 5 updates, {each:.1} ms each; an account and a slot proven at any of them: \
         p50 {median:.2} ms, p99 {most:.2}, worst {worst:.2}"
    );
    Ok(chain.close()?)
}
