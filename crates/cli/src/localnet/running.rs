//! The L1 and the nodes of a running localnet.

use super::{
    Arguments,
    error::LocalnetError,
    state::{self, LocalnetDir},
};
use crate::rollup::node::configured;
use ::rollup::{ActorPanic, RollupNode, SyncStatus};
use alloy_primitives::{Address, B256, Bytes};
use chain::ForkTime;
use client::{Client, ClientOptions};
use contracts::{L2_MESSENGER, exit::RELAYED_SLOT};
use devnet::{Accounts, Devnet, DevnetConfig, Hardfork, MiningMode, MnemonicSource};
use eyre::{OptionExt as _, Result};
use node::SetClock;
use rpc_types::{Role, RollupConfig, methods::CONFIG};
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{task, time};
use variants::Dialects;

/// Chain id of L1.
const L1_CHAIN_ID: u64 = 31_337;
/// Dialects of EXECUTE on L1. The rollup reads blocks of forks after Amsterdam from `headers`.
const DIALECTS: &str = "specs,blobs,headers,headers-blobs";
/// Number of accounts with public keys.
pub(super) const USERS: u32 = 10;
/// Index of the sequencer's account, which is also the deployer of the contracts.
const SEQUENCER: usize = 10;
/// Index of the account that pays for anchors and deliveries on the L2.
const OPERATOR: usize = 11;
/// ETH of the operator at genesis, in wei, as in the built-in deployment file.
const FLOAT: &str = "10000000000000000000";
/// Number of messages to the L2 in the built-in state: a deposit for each user and one for the
/// sequencer's account, and the registration of the test token.
const MESSAGES: u64 = USERS as u64 + 2;
/// Daily spending limit of the sequencer on L1, in gwei: more than its account has.
const DAILY_LIMIT: i64 = 1_000_000_000_000;
/// Maximum time until both chains are healthy. Loaded machines are slow.
const START: Duration = Duration::from_secs(120);
/// Seconds by which L1's clock is behind the system's until the first L2 block, so that the second
/// block need not wait for the next second.
pub(super) const HEAD_START: u64 = 2;
/// Block time of the L2 under load, in milliseconds. Timestamps are in seconds, so there is at most
/// one block per second.
const BLOCK_MILLIS: i64 = 100;
/// Interval at which the status of a node is polled.
const PAUSE: Duration = Duration::from_millis(10);
/// Time after which the first transactions of the L2 are sent again.
const RESEND: Duration = Duration::from_secs(2);
/// Maximum time for the shutdown of the L2's nodes.
const NODE_SHUTDOWN: Duration = Duration::from_millis(1_200);
/// Maximum time for writing L1's state at the end.
const SAVE: Duration = Duration::from_millis(1_000);
/// Maximum time to wait for the connections of L1.
const L1_SHUTDOWN: Duration = Duration::from_millis(300);

/// An L1, a sequencer and possibly a follower.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) l1: Devnet,
    pub(super) sequencer: RollupNode,
    pub(super) follower: Option<RollupNode>,
    /// The users' accounts, that of the sequencer, and that of its operator.
    pub(super) accounts: Accounts,
}

impl Running {
    /// Starts L1 from its state, and the nodes of the L2.
    pub(super) async fn start(
        arguments: &Arguments,
        l1: DevnetConfig,
        dir: &LocalnetDir,
    ) -> Result<Self> {
        let l1 = start_l1(arguments, l1, dir).await?;
        let defaults = DevnetConfig::default();
        let count = u32::try_from(OPERATOR + 1)?;
        let accounts =
            Accounts::derive(&MnemonicSource::default(), &defaults.derivation_path, count)?;
        let nodes = Nodes { arguments, dir, l1: l1.endpoint(), accounts: &accounts };
        let sequencer = RollupNode::start(configured(nodes.sequencer()?)?).await?;
        let follower = match arguments.follower {
            true => {
                let feed = address(&sequencer)?;
                Some(RollupNode::start(configured(nodes.follower(feed)?)?).await?)
            }
            false => None,
        };
        Ok(Self { l1, sequencer, follower, accounts })
    }

    /// Returns the account that posts blocks to L1.
    pub(super) fn sequencer_account(&self) -> Option<Address> {
        self.accounts.addresses().nth(SEQUENCER)
    }

    /// Returns the account that pays for anchors and deliveries on the L2.
    pub(super) fn operator_account(&self) -> Option<Address> {
        self.accounts.addresses().nth(OPERATOR)
    }

    /// Returns the URL of the sequencer without its scheme.
    pub(super) fn l2_authority(&self) -> String {
        authority(&self.sequencer)
    }

    /// Returns the URL of the follower without its scheme, if there is one.
    pub(super) fn follower_authority(&self) -> Option<String> {
        self.follower.as_ref().map(authority)
    }

    /// Waits until the nodes have read all of L1 and have the first L2 blocks, with the deposits
    /// and the token bridge.
    pub(super) async fn wait_until_healthy(&self, dir: &LocalnetDir) -> Result<()> {
        let begun = Instant::now();
        let has_bridge = || has_code(&self.sequencer, dir.l2.token.l2);
        if !has_bridge()? {
            let relayed = |_: &SyncStatus| Ok(relayed(&self.sequencer)? >= MESSAGES);
            wait(begun, &self.sequencer, "the deposits", relayed).await?;
            self.send_transactions(dir).await?;
            if dir.is_new {
                // The next L2 block needs a later timestamp.
                set_clock(&self.l1, state::now()?)?;
            }
            loop {
                let bridge = wait(begun, &self.sequencer, "the token bridge", |_| has_bridge());
                match time::timeout(RESEND, bridge).await {
                    Ok(found) => break found?,
                    // A busy node may have rejected some of them.
                    Err(_) => self.send_transactions(dir).await?,
                }
            }
        }
        let head = self.sequencer.status().unsafe_head.number;
        for node in std::iter::once(&self.sequencer).chain(&self.follower) {
            wait(begun, node, "the newest block", |status| {
                Ok(status.synced && status.fault.is_none() && status.unsafe_head.number >= head)
            })
            .await?;
        }
        Ok(())
    }

    /// Sends the first transactions of the L2 that are not yet in a block.
    async fn send_transactions(&self, dir: &LocalnetDir) -> Result<()> {
        let account = self.sequencer_account().ok_or_eyre("no account")?;
        let state = self.sequencer.node().state();
        let sent = state.account(account)?.map_or(0, |account| account.nonce);
        let rest = dir.l2.transactions.iter().skip(usize::try_from(sent)?);
        let rest: Vec<Bytes> = rest.cloned().collect();
        let url = format!("http://{}", self.l2_authority());
        let send = move || {
            let client = Client::new(&url, ClientOptions::default())?;
            for transaction in rest {
                // One that an earlier process has sent may still be in the pool.
                let sent = client.request::<_, B256>("eth_sendRawTransaction", (transaction,));
                if let Err(error) = sent {
                    tracing::debug!(%error, "transaction not accepted");
                }
            }
            Ok(())
        };
        task::spawn_blocking(send).await?
    }

    /// Requests `rollup_config` from the sequencer's node.
    pub(super) async fn config(&self) -> Result<RollupConfig> {
        let url = format!("http://{}", self.l2_authority());
        let request = move || Client::new(&url, ClientOptions::default())?.request(CONFIG.name, ());
        Ok(task::spawn_blocking(request).await??)
    }

    /// Waits until an actor of a node panics.
    pub(super) async fn failed(&self) -> ActorPanic {
        match &self.follower {
            Some(follower) => tokio::select! {
                panicked = self.sequencer.failed() => panicked,
                panicked = follower.failed() => panicked,
            },
            None => self.sequencer.failed().await,
        }
    }

    /// Writes the state of L1.
    pub(super) async fn save(&self, dir: &LocalnetDir) -> Result<()> {
        Ok(self.l1.dump_state_within(&dir.l1(), SAVE).await?)
    }

    /// Stops the L2 and then L1, whose state is written if the folder is kept.
    pub(super) async fn stop(self, dir: &LocalnetDir) -> Result<()> {
        let follower = async {
            if let Some(follower) = self.follower {
                follower.stop().await;
            }
        };
        let both = async { tokio::join!(self.sequencer.stop(), follower) };
        if time::timeout(NODE_SHUTDOWN, both).await.is_err() {
            tracing::warn!("shutdown timed out, abandoning remaining tasks");
        }
        let saved = match dir.is_kept() {
            true => self.l1.dump_state_within(&dir.l1(), SAVE).await,
            false => Ok(()),
        };
        if time::timeout(L1_SHUTDOWN, self.l1.stop()).await.is_err() {
            tracing::info!("abandoned in-flight requests at shutdown");
        }
        Ok(saved?)
    }
}

/// Starts L1 and sets its clock to the system's time, unless it is already ahead of it.
async fn start_l1(arguments: &Arguments, flags: DevnetConfig, dir: &LocalnetDir) -> Result<Devnet> {
    let mut config = DevnetConfig {
        chain_id: Some(L1_CHAIN_ID),
        // The first block is that of the state, and later forks are after it.
        timestamp: Some(dir.genesis_time),
        hardfork: Hardfork::Osaka,
        accounts: USERS,
        mining: MiningMode::Interval(Duration::from_secs(arguments.block_time)),
        execute_dialects: DIALECTS.parse::<Dialects>()?,
        ..flags
    };
    let later = dir.later_forks().into_iter();
    config.later_forks = later.map(|(fork, time)| (fork, ForkTime::At(time))).collect();
    config.server.hosts = vec![arguments.host];
    config.server.port = arguments.l1_port;
    let l1 = Devnet::start_from(config.with_mainnet_rules(), Some(&dir.l1())).await?;
    let head = l1.node().read(|node| node.chain.head().header.timestamp);
    let now = state::now()?.saturating_sub(HEAD_START);
    if now <= head && dir.is_new {
        let (got, expected) = (now, head + 1);
        return Err(LocalnetError::ClockBehind { got, expected }.into());
    }
    // A sequencer does not build on an L1 whose head is as old as the deployment.
    set_clock(&l1, if dir.is_new { now } else { state::now()? })?;
    Ok(l1)
}

/// Sets L1's clock to this time, unless its head is later, and makes a block.
fn set_clock(l1: &Devnet, time: u64) -> Result<()> {
    let head = l1.node().read(|node| node.chain.head().header.timestamp);
    l1.node().execute(SetClock::Now(time.max(head + 1)));
    l1.node().mine_next()?;
    Ok(())
}

/// Waits until a condition on the status of a node holds.
async fn wait(
    begun: Instant,
    node: &RollupNode,
    what: &'static str,
    holds: impl Fn(&SyncStatus) -> Result<bool>,
) -> Result<()> {
    loop {
        let status = node.status();
        if holds(&status)? {
            return Ok(());
        }
        if begun.elapsed() > START {
            let role = if status.role == Role::Sequencer { "sequencer" } else { "follower" };
            let fault = status.fault.unwrap_or_else(|| format!("{role} lacks {what}"));
            return Err(LocalnetError::NotHealthy { seconds: START.as_secs(), fault }.into());
        }
        time::sleep(PAUSE).await;
    }
}

/// Returns the number of messages that the L2 has relayed.
fn relayed(node: &RollupNode) -> Result<u64> {
    let value = node.node().state().storage(L2_MESSENGER, RELAYED_SLOT)?;
    // The low 64 bits are the number.
    Ok(value.as_limbs()[0])
}

fn has_code(node: &RollupNode, address: Address) -> Result<bool> {
    Ok(!node.node().state().code(address)?.is_empty())
}

/// Returns the address at which a node listens.
fn address(node: &RollupNode) -> Result<SocketAddr> {
    node.server().addresses().first().copied().ok_or_eyre("the node does not listen")
}

fn authority(node: &RollupNode) -> String {
    address(node).map_or_else(|_| String::new(), |address| address.to_string())
}

/// What the configurations of the L2's nodes are made of.
struct Nodes<'a> {
    arguments: &'a Arguments,
    dir: &'a LocalnetDir,
    /// URL of L1.
    l1: String,
    accounts: &'a Accounts,
}

impl Nodes<'_> {
    /// Returns the values of both nodes.
    fn common(&self, name: &str, port: u16) -> Result<toml::Table> {
        let deployment = self.dir.deployment();
        let deployment = deployment.to_str().ok_or_eyre("--data-dir is not valid UTF-8")?;
        let operator = self.accounts.addresses().nth(OPERATOR).ok_or_eyre("no operator")?;
        let mut values = toml::toml! {
            poll_interval_ms = 100
            http_api = "all"
            ws_api = "all"
            http_cors = "*"
        };
        let host: IpAddr = self.arguments.host;
        let mut set = |key: &str, value: toml::Value| values.insert(key.to_owned(), value);
        set("l1", self.l1.clone().into());
        set("deployment", deployment.into());
        set("http_host", host.to_string().into());
        set("http_port", i64::from(port).into());
        set("allow_balance", vec![format!("{operator}={FLOAT}")].into());
        if let Some(folder) = self.arguments.node_data(name) {
            let folder = folder.to_str().ok_or_eyre("--data-dir is not valid UTF-8")?;
            set("data_dir", folder.into());
        }
        if self.arguments.blobs {
            set("l1_beacon", self.l1.clone().into());
        }
        Ok(values)
    }

    fn sequencer(&self) -> Result<toml::Table> {
        let mut values = self.common("sequencer", self.arguments.l2_port)?;
        // Two per L1 block, so that no block of L1 waits for the next one.
        let submit_millis = i64::try_from(500 * self.arguments.block_time)?;
        values.extend(toml::toml! {
            role = "sequencer"
            idle_block_time_ms = 10000
        });
        values.insert("daily_limit_gwei".to_owned(), DAILY_LIMIT.into());
        values.insert("block_time_ms".to_owned(), BLOCK_MILLIS.into());
        values.insert("submit_interval_ms".to_owned(), submit_millis.into());
        // The first blocks of the L2 fill more than two transactions on L1, which is more than a
        // sequencer would expect of slots of twelve seconds within the rollup's lag.
        values.insert("l1_slot_ms".to_owned(), (2 * submit_millis).into());
        for (name, index) in [("advance_key", SEQUENCER), ("operator_key", OPERATOR)] {
            let secret: B256 = self.accounts.secrets().nth(index).ok_or_eyre("no key")?;
            values.insert(name.to_owned(), secret.to_string().into());
        }
        Ok(values)
    }

    fn follower(&self, sequencer: SocketAddr) -> Result<toml::Table> {
        let mut values = self.common("follower", self.arguments.follower_port()?)?;
        values.insert("role".to_owned(), "follower".into());
        values.insert("sequencer".to_owned(), format!("ws://{sequencer}").into());
        Ok(values)
    }
}
