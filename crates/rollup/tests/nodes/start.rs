//! The order of a start: no port opens before acknowledged transactions can be persisted.

use crate::support::{DevnetRollup, L2_CHAIN, one_wei, provider_of, submit};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_provider::Provider as _;
use contracts::{Deployment, GenesisAllowance, L2_MESSENGER, Predeploys, l2_genesis};
use disk::RecordFile;
use enshrine_rollup::{
    Check, CheckOutcome, Config, LeaseConfig, PoolLimits, Role, RollupError, RollupNode,
    ServiceError, preflight,
};
use eyre::{OptionExt as _, Result, bail, ensure};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    mem,
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tempfile::TempDir;
use testkit::{ETHER, Interception, Key, Timeout, http, logger, rich};
use tokio::runtime::Runtime;
use wire::ProtocolFork;

/// Number of transactions in the pool file, enough to send requests while the node reads it.
const WAITING: u64 = 600;

fn transfer(nonce: u64) -> Bytes {
    let to = Address::repeat_byte(0xb0);
    one_wei(&Key::named("alice"), nonce, to).encoded_2718().into()
}

/// Returns the configuration of a sequencer at a known port that seals no block soon.
async fn rollup() -> Result<(DevnetRollup, TempDir, Config)> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let mut sequencing = rollup.sequencer_config()?;
    sequencing.block_time = Duration::from_secs(3_600);
    let mut config = rollup.config(Role::Sequencer(Box::new(sequencing)));
    let folder = tempfile::tempdir()?;
    config.data_dir = Some(folder.path().to_owned());
    config.server.port = testkit::free_port()?;
    Ok((rollup, folder, config))
}

/// Sends a transaction over a new connection and returns the HTTP response.
fn send(port: u16, raw: &Bytes) -> io::Result<String> {
    let raw = hex::encode_prefixed(raw);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["{raw}"]}}"#
    );
    http(("127.0.0.1", port), "POST / HTTP/1.1", &body)
}

/// Returns `true` if the pool file in this folder contains a transaction.
fn holds(folder: &Path, raw: &Bytes) -> Result<bool> {
    let found = fs::read(folder.join("pool"))?;
    Ok(found.windows(raw.len()).any(|window| window == &raw[..]))
}

/// Files in the order in which a start reads them, and the bytes that a pipe in place of the file
/// supplies.
const STEPS: [(&str, &[u8]); 7] = [
    ("deployment.json", b""),
    ("files", &[0; 64]),
    ("pool", &[0; 64]),
    ("admin.json", br#"{"sealing":true,"posting":true}"#),
    ("l1.log", &[0; 64]),
    ("messages.log", &[0; 64]),
    ("spending", &[0; 64]),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_port_answers_before_all_files_are_read() -> Result<()> {
    let (_rollup, folder, mut config) = rollup().await?;
    let port = config.server.port;
    let deployment = fs::read(&config.deployment)?;
    config.deployment = folder.path().join("deployment.json");
    for (name, bytes) in STEPS {
        let pipe = folder.path().join(name);
        match fs::remove_file(&pipe) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => bail!("{name}: {error}"),
            _ => {}
        }
        fs::write(&config.deployment, &deployment)?;
        if pipe == config.deployment {
            fs::remove_file(&pipe)?;
        }
        ensure!(Command::new("mkfifo").arg(&pipe).status()?.success());
        let starting = tokio::spawn(RollupNode::start(config.clone()));
        // Opening a pipe for writing blocks until the node opens it for reading, and the node
        // blocks until the bytes are written here.
        let path = pipe.clone();
        let opened = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(path));
        let mut writer = opened.await??;
        let early = send(port, &transfer(0));
        fs::remove_file(&pipe)?;
        writer.write_all(if pipe == config.deployment { &deployment } else { bytes })?;
        drop(writer);
        if let Ok(node) = starting.await? {
            node.stop().await;
        }
        ensure!(early.is_err(), "answered while {name} is read: {early:?}");
    }

    // Control: with all files in place the same port responds.
    fs::write(&config.deployment, &deployment)?;
    let node = RollupNode::start(config).await?;
    let response = send(port, &transfer(0))?;
    ensure!(response.contains("result"), "{response}");
    ensure!(holds(folder.path(), &transfer(0))?);
    node.stop().await;
    Ok(())
}

/// Each request to L1 is a barrier: its response waits until a client has tried to send.
#[tokio::test(flavor = "multi_thread")]
async fn send_during_start_is_rejected_or_persisted() -> Result<()> {
    let (rollup, folder, config) = rollup().await?;
    let port = config.server.port;
    let (proxy, behind) = rollup.behind_proxy(config.role.clone())?;
    let config = Config { l1: behind.l1, ..config };
    let tried = Arc::new(Mutex::new(Vec::<Option<bool>>::new()));
    let (tries, path) = (Arc::clone(&tried), folder.path().to_owned());
    proxy.intercept(move |_| {
        let mut tries = tries.lock().unwrap();
        let transfer = transfer(tries.iter().flatten().count() as u64);
        let is_persisted = send(port, &transfer).ok().map(|response| {
            response.contains("result") && holds(&path, &transfer).unwrap_or(false)
        });
        tries.push(is_persisted);
        None::<Interception>
    });
    let node = RollupNode::start(config).await?;
    let during = tried.lock().unwrap().clone();
    // The running node sends further requests to L1, during which the port is open.
    let timeout = Timeout::begin();
    while !tried.lock().unwrap().iter().any(Option::is_some) {
        ensure!(timeout.lasts(), "no further request to L1");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.honest();
    node.stop().await;
    let refused = during.iter().filter(|response| response.is_none()).count();
    ensure!(refused >= 3, "{during:?}");
    let all = tried.lock().unwrap().clone();
    ensure!(
        all.iter().flatten().all(|is_persisted| *is_persisted),
        "acknowledged and not persisted: {all:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn earliest_acknowledged_transaction_is_in_pool_file() -> Result<()> {
    let (_rollup, folder, config) = rollup().await?;
    let node = RollupNode::start(config.clone()).await?;
    let l2 = provider_of(&node)?;
    for nonce in 0..WAITING {
        let _ = l2.send_raw_transaction(&transfer(nonce)).await?;
    }
    node.stop().await;

    let (port, path) = (config.server.port, folder.path().to_owned());
    let client = thread::spawn(move || -> Result<Vec<(u64, bool)>> {
        let (timeout, mut acknowledged, mut nonce) = (Timeout::begin(), Vec::new(), WAITING);
        while acknowledged.len() < 20 {
            ensure!(timeout.lasts(), "no node answers");
            let Ok(response) = send(port, &transfer(nonce)) else { continue };
            ensure!(response.contains("result"), "{response}");
            acknowledged.push((nonce, holds(&path, &transfer(nonce))?));
            nonce += 1;
        }
        Ok(acknowledged)
    });
    let node = RollupNode::start(config).await?;
    let acknowledged = tokio::task::spawn_blocking(move || client.join()).await?;
    let acknowledged = acknowledged.ok().ok_or_eyre("the client has panicked")??;
    let lost: Vec<_> = acknowledged.iter().filter(|(_, is_kept)| !is_kept).collect();
    ensure!(lost.is_empty(), "acknowledged and not in the file: {lost:?}");
    let waiting = node.node().read(|node| node.pool.len());
    ensure!(waiting as u64 == WAITING + 20, "{waiting}");
    node.stop().await;
    Ok(())
}

/// All transactions in the file were acknowledged. They may exceed the pool's limits, since they
/// include those in blocks that are not final. Their order in the file does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn start_restores_whole_pool_file_beyond_limits() -> Result<()> {
    let (alice, bob) = (Key::named("alice"), Key::named("bob"));
    let accounts = [&alice, &bob].map(|key| (key.address(), rich(ETHER))).into();
    let rollup = DevnetRollup::with(accounts).await?;
    let folder = tempfile::tempdir()?;
    let config = |pool| -> Result<Config> {
        let mut sequencing = rollup.sequencer_config()?;
        sequencing.block_time = Duration::from_secs(3_600);
        let mut config = rollup.config(Role::Sequencer(Box::new(sequencing)));
        (config.data_dir, config.pool) = (Some(folder.path().to_owned()), pool);
        Ok(config)
    };
    let all: Vec<_> = (0..40).map(transfer).collect();
    let node = RollupNode::start(config(PoolLimits::public())?).await?;
    for transaction in &all {
        let _ = provider_of(&node)?.send_raw_transaction(transaction).await?;
    }
    node.stop().await;
    // A rewritten file may have them in reverse order.
    let genesis = Deployment::read(&rollup.deployment())?.genesis_hash;
    RecordFile::replace(
        &folder.path().join("pool"),
        genesis,
        all.iter().rev().map(|raw| &raw[..]),
    )?;

    let small = PoolLimits { transactions: 10, per_sender: 5, gapped: 1, ..PoolLimits::public() };
    let limits = PoolLimits { gapped_per_sender: 1, bytes: 500, ..small };
    let node = RollupNode::start(config(limits)?).await?;
    let l2 = provider_of(&node)?;
    let waiting = || node.node().read(|node| node.pool.len());
    ensure!(waiting() == all.len(), "{}", waiting());
    let refused = l2.send_raw_transaction(&transfer(40)).await;
    ensure!(
        refused.is_err_and(|error| error.to_string().contains("pending transactions")),
        "the limits hold"
    );
    // A transaction with a higher fee evicts one other, and not all beyond the limit.
    let dearer = bob.sign(TxEip1559 {
        chain_id: L2_CHAIN,
        gas_limit: 21_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 2_000_000,
        to: alice.address().into(),
        ..Default::default()
    });
    submit(&l2, &dearer).await?;
    ensure!((all.len() - 1..=all.len()).contains(&waiting()), "{}", waiting());
    node.stop().await;
    Ok(())
}

/// A node whose port is taken has started its actors and tasks before it fails.
#[tokio::test(flavor = "multi_thread")]
async fn failed_start_leaves_nothing_running() -> Result<()> {
    let (_rollup, _folder, mut config) = rollup().await?;
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let free = mem::replace(&mut config.server.port, taken.local_addr()?.port());
    // Without a response from etcd, the node never holds the lease, and its task never ends by
    // itself.
    config.lease = Some(LeaseConfig {
        endpoints: vec!["http://127.0.0.1:1".to_owned()],
        credentials: None,
        ca: None,
        identity: None,
        url: "ws://127.0.0.1:9545".to_owned(),
        work_timeout: Duration::from_secs(10),
    });
    // A runtime without the tasks of L1.
    let runtime = Runtime::new()?;
    let check = move || -> Result<()> {
        let until_idle = || -> Result<()> {
            let timeout = Timeout::begin();
            while runtime.metrics().num_alive_tasks() > 0 {
                let tasks = runtime.metrics().num_alive_tasks();
                ensure!(timeout.lasts(), "{tasks} tasks are running");
                thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        };
        let Err(error) = runtime.block_on(RollupNode::start(config.clone())) else {
            bail!("two servers listen on one port");
        };
        ensure!(error.to_string().contains("cannot listen"), "{error}");
        until_idle()?;
        // The data directory can be used at once, and the neighbour is a node that is stopped.
        config.server.port = free;
        let node = runtime.block_on(RollupNode::start(config))?;
        ensure!(runtime.metrics().num_alive_tasks() > 0);
        runtime.block_on(node.stop());
        until_idle()
    };
    tokio::task::spawn_blocking(check).await?
}

/// Starts a node that must fail the check of the genesis state, and returns the check.
async fn refused(config: &Config) -> Result<Check> {
    match RollupNode::start(config.clone()).await {
        Err(RollupError::Service(ServiceError::Preflight(check))) => {
            ensure!(check.name == "genesis state", "{check}");
            Ok(*check)
        }
        Err(error) => Err(error.into()),
        Ok(_) => bail!("the node starts"),
    }
}

/// The messenger's code decides who can withdraw from the escrow, and a follower cannot learn it
/// from the blocks.
#[tokio::test(flavor = "multi_thread")]
async fn altered_messenger_in_genesis_needs_flag() -> Result<()> {
    let mut messenger = l2_genesis(&Predeploys::built_in(), ProtocolFork::Osaka, 10_000_000, 0)
        .alloc
        .remove(&L2_MESSENGER)
        .ok_or_eyre("a new L2 has a messenger")?;
    messenger.storage = Some([(B256::with_last_byte(4), B256::with_last_byte(1))].into());
    let alice = Key::named("alice").address();
    let rollup = DevnetRollup::with(vec![(L2_MESSENGER, messenger), (alice, rich(ETHER))]).await?;
    let mut config = rollup.config(Role::Follower { sequencer: None });
    let check = refused(&config).await?;
    ensure!(check.got.contains(&L2_MESSENGER.to_string()), "{check}");
    ensure!(check.got.contains("storage") && !check.got.contains(&alice.to_string()), "{check}");
    ensure!(check.to_string().contains("--allow-altered-genesis"), "{check}");
    config.allow_altered_genesis = true;
    RollupNode::start(config.clone()).await?.stop().await;
    // That flag covers only the protocol's contracts.
    config.genesis_allowance = GenesisAllowance::default();
    let check = refused(&config).await?;
    ensure!(check.got.contains(&format!("--allow-balance {alice}={ETHER}")), "{check}");
    Ok(())
}

/// A genesis balance without a deposit on L1 could withdraw the ether of depositors.
#[tokio::test(flavor = "multi_thread")]
async fn genesis_balances_and_codes_need_allowance() -> Result<()> {
    let (alice, contract) = (Key::named("alice").address(), Address::repeat_byte(0xc0));
    let rollup = DevnetRollup::with(vec![(alice, rich(ETHER)), (contract, logger())]).await?;
    let sequencer = rollup.sequencer_role()?;
    for role in [Role::Follower { sequencer: None }, sequencer] {
        let allowed = rollup.config(role);
        let mut config = allowed.clone();
        config.genesis_allowance.balances.insert(alice, U256::from(ETHER - 1));
        let check = refused(&config).await?;
        let flag = format!("--allow-balance {alice}={ETHER}");
        ensure!(check.got.contains(&flag) && !check.got.contains("--allow-code"), "{check}");

        let mut config = allowed.clone();
        let code = config.genesis_allowance.codes.insert(contract, B256::ZERO);
        let check = refused(&config).await?;
        let flag = format!("--allow-code {contract}={}", code.ok_or_eyre("it has a code")?);
        ensure!(check.got.contains(&flag) && !check.got.contains("--allow-balance"), "{check}");
        ensure!(
            preflight_of(&config).await?.contains(&check),
            "--check must report the refusal too"
        );
        let passed = preflight_of(&allowed).await?;
        let check =
            passed.iter().find(|other| other.name == check.name).ok_or_eyre("no such check")?;
        ensure!(check.verdict == CheckOutcome::Passed && check.got.contains(" wei"), "{check}");
        RollupNode::start(allowed).await?.stop().await;
    }
    Ok(())
}

/// The log does not list a thousand accounts.
#[tokio::test(flavor = "multi_thread")]
async fn long_refusal_names_few_accounts_and_counts_rest() -> Result<()> {
    let account = |index: u64| (Address::from_word(U256::from(index).into()), rich(1));
    let rollup = DevnetRollup::with((1_000_000..1_001_000).map(account).collect()).await?;
    let mut config = rollup.config(Role::Follower { sequencer: None });
    config.genesis_allowance = GenesisAllowance::default();
    let check = refused(&config).await?;
    ensure!(check.got.matches("--allow-balance").count() == 8, "{check}");
    // The operator of the tests has a balance as well.
    ensure!(check.got.contains("and 993 more"), "{check}");
    Ok(())
}

/// Runs all preflight checks on a thread that may block.
async fn preflight_of(config: &Config) -> Result<Vec<Check>> {
    let config = config.clone();
    Ok(tokio::task::spawn_blocking(move || preflight(&config)).await??)
}
