//! The L2 as its users have it: an L1, a sequencer and followers, each a process of its own, and nothing
//! between them but sockets.

use crate::{devnet, report::Report};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolCall;
use client::Client;
use contracts::{
    Deployment, L2_MESSENGER,
    bindings::{IForcedInbox, IL1MessageQueue, IL2Messenger},
};
use eyre::{OptionExt, Result, WrapErr as _, ensure, eyre};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{ETHER, Key, NodeProcess, deploy, rich, write_deployment};

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// How long anything may take that the nodes do by themselves.
const PATIENCE: Duration = Duration::from_secs(60);
/// L2 transfers of the part about throughput.
const TRANSFERS: u64 = 200;

/// A rollup whose nodes are processes.
struct Rollup {
    program: PathBuf,
    folder: TempDir,
    l1: NodeProcess,
    inbox: Address,
    forced: Address,
}

pub(crate) fn tell(report: &mut Report) -> Result<()> {
    report.part("The same L2 as users have it: devnet, sequencer, follower as processes");
    let rollup = Rollup::create(report)?;
    let sequencer = rollup.sequencer()?;
    let l2 = sequencer.client();
    report.step(format!("a sequencer answers at {}", l2.url()));
    let follower = rollup.follower()?;
    report.step(format!("a follower answers at {}", follower.client().url()));
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());

    let begun = Instant::now();
    rollup.deposit(&alice, alice.address(), 5 * ETHER)?;
    until("the deposit", || Ok(balance(l2, alice.address())? >= U256::from(5 * ETHER)))?;
    report.step(format!("Alice's deposit is on the L2 after {}", shown(begun)));

    let begun = Instant::now();
    let hash = send(l2, L2_CHAIN, &alice, bob.into(), ETHER, Bytes::new(), 21_000)?;
    let included = receipt(l2, hash)?;
    let number = included.block_number.ok_or_eyre("a receipt without a block")?;
    report.step(format!("a transfer is in L2 block {number} after {}", shown(begun)));
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    report.step(format!("L1 has that block after {}", shown(begun)));
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= number))?;
    ensure!(block_hash(l2, number)? == block_hash(follower.client(), number)?, "two L2s");
    report.step("the follower has rebuilt it from L1, with the same hash".to_owned());

    throughput(l2, &alice, bob, report)?;
    withdraw(&rollup, l2, &alice, report)?;
    force(&rollup, l2, &alice, report)?;
    let sequencer = kill(&rollup, sequencer, report)?;
    reorganise(&rollup, sequencer.client(), report)?;

    let l2 = sequencer.client();
    let safe = until_safe(l2)?;
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= safe))?;
    ensure!(block_hash(l2, safe)? == block_hash(follower.client(), safe)?, "two L2s");
    drop(sequencer);
    let fresh = rollup.follower()?;
    until("a fresh follower", || Ok(status(fresh.client())?.safe_head.number >= safe))?;
    ensure!(block_hash(fresh.client(), safe)? == block_hash(follower.client(), safe)?, "two L2s");
    report.step(format!(
        "a fresh follower rebuilds all {safe} blocks from L1 alone, to the same hash"
    ));
    Ok(())
}

fn throughput(l2: &Client, alice: &Key, bob: Address, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let nonce = nonce(l2, alice.address())?;
    let mut last = B256::ZERO;
    for index in 0..TRANSFERS {
        let raw = signed(L2_CHAIN, alice, nonce + index, bob.into(), 1, Bytes::new(), 21_000);
        last = l2.request("eth_sendRawTransaction", (raw,))?;
    }
    let accepted = begun.elapsed();
    let number = receipt(l2, last)?.block_number.ok_or_eyre("a receipt without a block")?;
    let included = begun.elapsed();
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    report.step(format!(
        "{TRANSFERS} transfers: accepted in {:.1} s, in blocks after {:.1} s, on L1 after {}",
        accepted.as_secs_f64(),
        included.as_secs_f64(),
        shown(begun)
    ));
    Ok(())
}

fn withdraw(rollup: &Rollup, l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let target = Key::named("dave").address();
    let call = IL2Messenger::sendCall {
        to: target,
        refundTo: target,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    let input = call.abi_encode().into();
    let hash = send(l2, L2_CHAIN, alice, L2_MESSENGER.into(), 2 * ETHER, input, 200_000)?;
    let number = receipt(l2, hash)?.block_number.ok_or_eyre("a receipt without a block")?;
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    let claim: Bytes = l2.request("rollup_claimProof", ("0x0",))?;
    let l1 = rollup.l1.client();
    let hash = send(l1, L1_CHAIN, alice, rollup.inbox.into(), 0, claim, 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "the claim failed");
    ensure!(balance(l1, target)? == U256::from(2 * ETHER), "Dave was paid something else");
    report.step(format!("2 ETH withdrawn, proven and claimed on L1 after {}", shown(begun)));
    Ok(())
}

fn force(rollup: &Rollup, l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    let erin = Key::named("erin").address();
    let nonce = nonce(l2, alice.address())?;
    let raw = signed(L2_CHAIN, alice, nonce, erin.into(), ETHER, Bytes::new(), 21_000);
    let call = IForcedInbox::submitCall { raw };
    let l1 = rollup.l1.client();
    let input = call.abi_encode().into();
    let hash = send(l1, L1_CHAIN, alice, rollup.forced.into(), 0, input, 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "not submitted");
    until("the forced transaction", || {
        let known = l2.request::<_, Value>("rollup_forcedStatus", ("0x0",)).unwrap_or_default();
        Ok(known["discharged"] == true)
    })?;
    ensure!(balance(l2, erin)? == U256::from(ETHER), "Erin has something else");
    report.step(
        "a transaction that was given to L1 alone is in an L2 block, and discharged".to_owned(),
    );
    Ok(())
}

/// Kills the sequencer while it has blocks that L1 does not have, and starts it again.
fn kill(rollup: &Rollup, sequencer: NodeProcess, report: &mut Report) -> Result<NodeProcess> {
    let alice = Key::named("alice");
    let bob = Key::named("bob").address();
    let hash = send(sequencer.client(), L2_CHAIN, &alice, bob.into(), 7, Bytes::new(), 21_000)?;
    let before = receipt(sequencer.client(), hash)?;
    // It has no chance to say goodbye.
    drop(sequencer);
    let sequencer = rollup.sequencer()?;
    let after = receipt(sequencer.client(), hash)?;
    ensure!(before.block_hash == after.block_hash, "an acknowledged block is another one now");
    until_safe(sequencer.client())?;
    report.step(
        "the sequencer was killed and started again: no acknowledged block is lost".to_owned(),
    );
    Ok(sequencer)
}

fn reorganise(rollup: &Rollup, l2: &Client, report: &mut Report) -> Result<()> {
    let alice = Key::named("alice");
    let frank = Key::named("frank").address();
    rollup.deposit(&alice, frank, ETHER)?;
    until("the deposit", || Ok(balance(l2, frank)? == U256::from(ETHER)))?;
    until_safe(l2)?;
    let l1 = rollup.l1.client();
    let before: U64 = l1.request("eth_blockNumber", ())?;
    // Deep enough for the deposit and all that the L2 made of it.
    let before: u64 = before.to();
    let mut depth = 1;
    while !has_deposit(l1, rollup.inbox, before + 1 - depth)? {
        depth += 1;
        ensure!(depth <= before, "no block holds the deposit");
    }
    l1.request::<_, Value>("anvil_reorg", (depth, Vec::<()>::new()))?;
    until("the deposit to be gone", || Ok(balance(l2, frank)?.is_zero()))?;
    rollup.deposit(&alice, frank, ETHER)?;
    until("the deposit again", || Ok(balance(l2, frank)? == U256::from(ETHER)))?;
    report.step(format!("L1 was reorganised {depth} blocks deep: the deposit went, and came once"));
    Ok(())
}

fn has_deposit(l1: &Client, inbox: Address, number: u64) -> Result<bool> {
    let number = format!("{number:#x}");
    let filter = json!({ "address": inbox, "fromBlock": number, "toBlock": number });
    Ok(!l1.request::<_, Vec<Value>>("eth_getLogs", (filter,))?.is_empty())
}

impl Rollup {
    fn create(report: &mut Report) -> Result<Self> {
        let program = devnet::build()?;
        let l1 = NodeProcess::start(Command::new(&program).args([
            "devnet",
            "--silent",
            "--verify-blocks",
            "--chain-id",
            "31337",
        ]))?;
        let folder = tempfile::tempdir()?;
        let place = folder.path().join("rollup");
        let head: Value = l1.client().request("eth_getBlockByNumber", ("latest", false))?;
        let time: U64 = serde_json::from_value(head["timestamp"].clone())?;
        run(Command::new(&program).arg("init").arg(&place).args([
            "--dev",
            "--policy",
            "none",
            "--timestamp",
            &time.to::<u64>().to_string(),
            "--l1",
            l1.client().url(),
        ]))?;
        report.step("enshrine init has made genesis, keys and configurations".to_owned());
        let genesis: Genesis = serde_json::from_slice(&fs::read(place.join("genesis.json"))?)?;
        let keys: Value = serde_json::from_slice(&fs::read(place.join("keys.json"))?)?;
        let advance: Address = serde_json::from_value(keys["advance"]["address"].clone())?;
        for account in [advance, Key::named("operator").address(), Key::named("alice").address()] {
            let wei = rich(1_000 * ETHER).balance;
            l1.client().request::<_, Value>("anvil_setBalance", (account, wei))?;
        }
        let deployment = deploy(l1.client(), &Key::named("operator"), genesis)?;
        write_deployment(&deployment, &place)?;
        let Deployment { rollup, inbox, forced, .. } = deployment;
        report.step(format!("NativeRollup at {rollup}, whom anyone may advance"));
        Ok(Self { program, folder, l1, inbox, forced })
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("rollup")
    }

    fn sequencer(&self) -> Result<NodeProcess> {
        let mut command = Command::new(&self.program);
        command.arg("node").arg("--config").arg(self.place().join("node.toml"));
        command.args(["--block-time-ms", "250", "--submit-interval-ms", "1000"]);
        command.args(["--poll-interval-ms", "100"]);
        self.start(&mut command, "sequencer.log")
    }

    /// A follower that has nothing but the deployment file and L1.
    fn follower(&self) -> Result<NodeProcess> {
        let mut command = Command::new(&self.program);
        command.args(["node", "--role", "follower", "--poll-interval-ms", "100"]);
        command.arg("--l1").arg(self.l1.client().url());
        command.arg("--deployment").arg(self.place().join("deployment.json"));
        self.start(&mut command, "follower.log")
    }

    fn start(&self, command: &mut Command, log: &str) -> Result<NodeProcess> {
        let path = self.folder.path().join(log);
        let log = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        let started = NodeProcess::start_at("--http-port", command.stderr(log));
        started.wrap_err_with(|| tail(&path))
    }

    fn deposit(&self, from: &Key, to: Address, value: u128) -> Result<()> {
        let call =
            IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        let (l1, input) = (self.l1.client(), call.abi_encode().into());
        let hash = send(l1, L1_CHAIN, from, self.inbox.into(), value, input, 300_000)?;
        ensure!(receipt(l1, hash)?.status(), "the deposit failed");
        Ok(())
    }
}

/// A part of what `rollup_syncStatus` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    unsafe_head: Head,
    safe_head: Head,
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Head {
    number: u64,
}

fn status(node: &Client) -> Result<Status> {
    Ok(serde_json::from_value(node.request::<_, Value>("rollup_syncStatus", ())?)?)
}

/// Waits until L1 has all blocks of a node; number of the last.
fn until_safe(node: &Client) -> Result<u64> {
    let mut last = None;
    let all = until("L1 to have all blocks", || {
        let status = status(node)?;
        let done = status.safe_head.number >= status.unsafe_head.number;
        last = Some(status);
        Ok(done)
    });
    let last = last.ok_or_eyre("no status")?;
    all.wrap_err_with(|| format!("{:?}", last.fault))?;
    Ok(last.safe_head.number)
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        ensure!(begun.elapsed() < PATIENCE, "{what} does not come");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn balance(node: &Client, account: Address) -> Result<U256> {
    Ok(node.request("eth_getBalance", (account, "latest"))?)
}

fn nonce(node: &Client, account: Address) -> Result<u64> {
    let nonce: U64 = node.request("eth_getTransactionCount", (account, "latest"))?;
    Ok(nonce.to())
}

fn block_hash(node: &Client, number: u64) -> Result<B256> {
    let block: Value = node.request("eth_getBlockByNumber", (format!("{number:#x}"), false))?;
    serde_json::from_value(block["hash"].clone()).wrap_err("no such block")
}

fn receipt(node: &Client, hash: B256) -> Result<TransactionReceipt> {
    let mut found = None;
    until("a receipt", || {
        found = node.request("eth_getTransactionReceipt", (hash,))?;
        Ok(found.is_some())
    })?;
    found.ok_or_eyre("no receipt")
}

fn send(
    node: &Client,
    chain_id: u64,
    from: &Key,
    to: TxKind,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Result<B256> {
    let nonce = nonce(node, from.address())?;
    let raw = signed(chain_id, from, nonce, to, value, input, gas_limit);
    Ok(node.request("eth_sendRawTransaction", (raw,))?)
}

fn signed(
    chain_id: u64,
    from: &Key,
    nonce: u64,
    to: TxKind,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Bytes {
    let transaction = from.sign(TxEip1559 {
        chain_id,
        nonce,
        gas_limit,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to,
        value: U256::from(value),
        input,
        ..Default::default()
    });
    transaction.encoded_2718().into()
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

fn shown(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(10).collect();
    eyre!("its last words: {}", lines.into_iter().rev().collect::<Vec<_>>().join("\n")).to_string()
}
