//! Watchers of sequencers that break their promises, and of honest ones.

mod honest;

use crate::{
    preconfirmations::{
        LONG, Recording, TO, pass_until, preconfirming, rollup, seal, send, until_included,
        until_preconfirmed, whole,
    },
    support::{
        ADVANCE, DevnetRollup, L2_CHAIN, Setup, is_settled, one_wei, provider_of, signed_with,
        until,
    },
};
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, proofs::ordered_trie_root_with_encoder,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall as _, SolInterface as _};
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use codec::OwnedWitness;
use contracts::{
    Deployment, accuse_calldata,
    bindings::IPreconfBonds::{self, IPreconfBondsErrors as Refused},
    canonical_block,
};
use enshrine_rollup::{Config, Role, RollupNode, Signer, WatchConfig, WatchEvent, WatchReport};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result, ensure};
use node::{Clock, Node, Settings};
use preconf::{
    Domain, HeaderSummary, Preconfirmation, PrefixUpdate,
    evidence::{Accusation, SignedHeader, first_difference},
};
use rpc::{Api, RpcOptions, RunningServer, ServerConfig, SubscriptionNames};
use rpc_types::PrefixItem;
use serde_json::Value;
use std::{
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use testkit::{Artifacts, ETHER, Key, RollupFixture, rich};
use tokio::sync::broadcast;
use wire::ProtocolFork;

const FORK: ProtocolFork = ProtocolFork::Osaka;
const BOND: u128 = 100 * ETHER;
/// Half of the maximum lag of the rollup.
const POST_WITHIN: u64 = 1_800;

/// A rollup whose sequencer has a bond, and a second stream of prefixes under its signature. Only
/// tests have one: the node cannot sign blocks that it did not build.
pub(crate) struct Bonded {
    pub(crate) rollup: DevnetRollup,
    pub(crate) bonds: Address,
    domain: Domain,
    /// The rollup contract.
    pub(crate) contract: Address,
    /// Key of the sequencer.
    key: PrivateKeySigner,
    stream: broadcast::Sender<PrefixItem>,
    server: RunningServer,
}

/// A node that watches the sequencer.
pub(crate) struct Watching {
    pub(crate) node: RollupNode,
    pub(crate) reports: Receiver<WatchReport>,
    pub(crate) seen: Vec<WatchReport>,
}

impl Bonded {
    async fn new(accounts: &[&str]) -> Result<Self> {
        let rollup = rollup(accounts).await?;
        let code = tokio::task::spawn_blocking(|| {
            let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
            Ok::<_, eyre::Report>(artifacts.get("PreconfBonds")?.init_code.clone())
        });
        let request = TransactionRequest::default().from(rollup.l1.addresses()[0]);
        let request = request.create().input(code.await??.into());
        let receipt = rollup.provider.send_transaction(request).await?.get_receipt().await?;
        let bonds = receipt.contract_address.ok_or_eyre("not deployed")?;
        let bonded = Self::of(rollup, bonds).await?;
        bonded.deposit(BOND).await?;
        Ok(bonded)
    }

    /// A rollup under `HybridSequencing` with this minimum bond, which is not deposited yet.
    pub(crate) async fn under_hybrid(accounts: &[&str], min_bond: u128) -> Result<Self> {
        Self::under(accounts, move |rollup| rollup.sequenced_by(ADVANCE).bonded(min_bond)).await
    }

    /// A rollup whose deployment has a registry of bonds.
    pub(crate) async fn under(
        accounts: &[&str],
        change: impl FnOnce(RollupFixture) -> RollupFixture + Send + 'static,
    ) -> Result<Self> {
        let accounts = accounts.iter().map(|name| (Key::named(name).address(), rich(ETHER)));
        let rollup = Setup::new().accounts(accounts.collect()).change(change).deploy().await?;
        let bonds = Deployment::read(&rollup.deployment())?.preconf_bonds;
        Self::of(rollup, bonds).await
    }

    pub(crate) async fn deposit(&self, wei: u128) -> Result<()> {
        self.deposit_of(ADVANCE, wei).await
    }

    pub(crate) async fn deposit_of(&self, account: Address, wei: u128) -> Result<()> {
        let deposit = IPreconfBonds::depositCall { account }.abi_encode();
        self.rollup.l1_call_from(account, self.bonds, U256::from(wei), deposit).await?;
        Ok(())
    }

    async fn of(rollup: DevnetRollup, bonds: Address) -> Result<Self> {
        let deployment = Deployment::read(&rollup.deployment())?;
        let key = PrivateKeySigner::from_slice(&rollup.l1.keys()[1].to_bytes()[..])?;
        let (stream, server) = stream().await?;
        Ok(Self {
            bonds,
            domain: Domain { l1_chain_id: deployment.l1_chain_id, contract: bonds },
            contract: deployment.rollup,
            key,
            stream,
            server,
            rollup,
        })
    }

    fn config(&self, config: Config) -> Config {
        Config { preconf_bonds: Some(self.bonds), ..config }
    }

    /// An honest sequencer with long blocks.
    async fn sequencer(&self, folder: &Path) -> Result<RollupNode> {
        let config = preconfirming(&self.rollup, folder, LONG)?;
        Ok(RollupNode::start(self.config(config)).await?)
    }

    /// A watcher that follows a node, and the second stream.
    pub(crate) async fn watch(&self, feed: &RollupNode, folder: Option<&Path>) -> Result<Watching> {
        let secret = B256::from_slice(&self.rollup.l1.keys()[2].to_bytes()[..]);
        let watch = WatchConfig {
            reporter: Some(Signer::new("reporter_key", secret)?),
            ..WatchConfig::default()
        };
        self.watch_by(feed, folder, watch).await
    }

    /// Like [`Self::watch`], with this configuration.
    pub(crate) async fn watch_by(
        &self,
        feed: &RollupNode,
        folder: Option<&Path>,
        watch: WatchConfig,
    ) -> Result<Watching> {
        let (sender, reports) = channel();
        let watch = WatchConfig { reports: Some(sender), ..watch };
        let sequencer = Some(format!("ws://{}", self.server.addresses()[0]));
        let config = Config {
            watch: Some(watch),
            feeds: vec![format!("ws://{}", feed.server().addresses()[0])],
            data_dir: folder.map(Path::to_owned),
            ..self.config(self.rollup.config(Role::Follower { sequencer }))
        };
        let node = RollupNode::start(config).await?;
        until("the second stream", &node, || async { Ok(self.stream.receiver_count() > 0) })
            .await?;
        until("the head of L1", &node, || async { Ok(node.status().synced) }).await?;
        Ok(Watching { node, reports, seen: Vec::new() })
    }

    /// Signs a block with these transactions as the sequencer.
    fn signed(&self, header: &Header, is_sealed: bool, list: Vec<Bytes>) -> Result<PrefixUpdate> {
        let put = |raw: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(raw);
        let transactions_root = ordered_trie_root_with_encoder(&list, put);
        let header = Header { transactions_root, ..header.clone() };
        let message = Preconfirmation {
            rollup: self.contract,
            block_hash: header.hash_slow(),
            schema: FORK.schema(),
            is_sealed,
            l1_block: 0,
            l1_hash: B256::ZERO,
        };
        let signature = self.key.sign_hash_sync(&message.digest(&self.domain))?;
        Ok(PrefixUpdate {
            message,
            signature: signature.as_bytes().into(),
            header: alloy_rlp::encode(&header).into(),
            first: 0,
            transactions: list,
            tip: 0,
            floor: 0,
        })
    }

    fn publish(&self, update: &PrefixUpdate) -> Result<()> {
        self.stream.send(PrefixItem { ssz: update.encode()?.into() })?;
        Ok(())
    }

    /// Header of a first block of the L2, of which only the inputs are right.
    async fn first_header(&self) -> Result<Header> {
        let deployment = Deployment::read(&self.rollup.deployment())?;
        let head = self.rollup.provider.get_block_by_number(Default::default()).await?;
        Ok(Header {
            parent_hash: deployment.genesis_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            number: 1,
            gas_limit: deployment.genesis.gas_limit,
            timestamp: head.ok_or_eyre("no head")?.header.timestamp,
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(B256::ZERO),
            ..Header::default()
        })
    }

    /// Has the contract judge an accusation at L1's head, without sending it. Returns its refusal.
    async fn try_accuse(&self, accusation: Accusation) -> Result<Option<Refused>> {
        let input = accuse_calldata(accusation, B256::ZERO);
        let request = TransactionRequest::default().from(self.rollup.l1.addresses()[2]);
        let request = request.to(self.bonds).input(input.into());
        let Err(error) = self.rollup.provider.call(request).await else { return Ok(None) };
        let data = error.as_error_resp().and_then(|response| response.as_revert_data());
        let data = data.ok_or_else(|| eyre::eyre!("no error of the contract: {error}"))?;
        Ok(Some(Refused::abi_decode(&data)?))
    }

    pub(crate) async fn bond(&self) -> Result<u128> {
        let contract = IPreconfBonds::new(self.bonds, &self.rollup.provider);
        Ok(contract.bonds(ADVANCE).call().await?.amount)
    }

    /// Waits until the sequencer has lost this part of its bond, and checks that the watcher needed
    /// at most three L1 blocks for it.
    async fn until_slashed(
        &self,
        watching: &mut Watching,
        fault: &str,
        penalty: u128,
    ) -> Result<()> {
        let remaining = BOND - penalty;
        until("the penalty", &watching.node, || async { Ok(self.bond().await? == remaining) })
            .await?;
        let is_accepted = |report: &WatchReport| report.event == WatchEvent::Accepted;
        while !watching.seen.iter().any(is_accepted) {
            watching.seen.push(watching.reports.recv_timeout(Duration::from_secs(20))?);
        }
        let at = |event| {
            let found =
                watching.seen.iter().find(|report| report.event == event && report.fault == fault);
            found.map(|report| report.l1_head).ok_or_eyre("no such report")
        };
        let (found, accepted) = (at(WatchEvent::Evidence)?, at(WatchEvent::Accepted)?);
        assert!(accepted <= found + 3, "{:?}", watching.seen);
        let reward = watching
            .seen
            .iter()
            .filter(|report| is_accepted(report))
            .find_map(|report| report.reward);
        assert_eq!(reward, Some(U256::from(penalty / 10)), "{:?}", watching.seen);
        Ok(())
    }
}

impl Watching {
    pub(crate) fn reports(&mut self) -> &[WatchReport] {
        self.seen.extend(self.reports.try_iter());
        &self.seen
    }
}

/// Serves a subscription to prefixes, and nothing else.
async fn stream() -> Result<(broadcast::Sender<PrefixItem>, RunningServer)> {
    const NAMES: SubscriptionNames = SubscriptionNames {
        subscribe: "rollup_subscribe",
        notification: "rollup_subscription",
        unsubscribe: "rollup_unsubscribe",
        kind: "prefixes",
    };
    let config = ChainConfig::new(ChainSpec::constant(L2_CHAIN, FORK));
    let chain = Chain::new(&empty_genesis(FORK), config)?;
    let node = Node::new(chain, Clock::default(), Settings::default());
    let (sender, _) = broadcast::channel(64);
    let source = sender.clone();
    let api = Api::new(node, RpcOptions::default());
    let methods = rpc::subscription(api, NAMES, move || source.subscribe());
    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    Ok((sender, RunningServer::start(&config, methods).await?))
}

/// A transaction that no block can include, so that a header over it can be anything.
fn invalid(value: u128) -> Bytes {
    signed_with(&Key::named("alice"), 9, TO, value, Bytes::new(), 21_000).encoded_2718().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_state_and_receipts_are_slashed() -> Result<()> {
    let lies: [fn(&mut Header); 2] = [
        |header| header.state_root = B256::repeat_byte(1),
        |header| header.receipts_root = B256::repeat_byte(1),
    ];
    for lie in lies {
        let bonded = Bonded::new(&["alice"]).await?;
        let feed = bonded.rollup.follower(None).await?;
        let mut watching = bonded.watch(&feed, None).await?;
        let deployment = Deployment::read(&bonded.rollup.deployment())?;
        let config = ChainConfig::new(ChainSpec::constant(L2_CHAIN, FORK));
        let chain = Chain::new(&deployment.genesis, config)?;
        let timestamp = chain.head().header.timestamp + 1;
        let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
        let transfer = one_wei(&Key::named("alice"), 0, TO);
        let (valid, rejected) = chain.build(&attributes, vec![transfer])?;
        ensure!(rejected.is_empty(), "{rejected:?}");
        let (mut header, list) = (valid.block.header.clone(), valid.block.raw_transactions());
        lie(&mut header);
        bonded.publish(&bonded.signed(&header, false, list)?)?;
        bonded.until_slashed(&mut watching, "lie", BOND).await?;
        feed.stop().await;
        watching.node.stop().await;
    }
    Ok(())
}

/// The transactions of a block change, within the promised prefix and after it.
#[tokio::test(flavor = "multi_thread")]
async fn equivocations_are_slashed() -> Result<()> {
    for is_sealed in [false, true] {
        let bonded = Bonded::new(&["alice"]).await?;
        let feed = bonded.rollup.follower(None).await?;
        let mut watching = bonded.watch(&feed, None).await?;
        let header = bonded.first_header().await?;
        let list = vec![invalid(1), invalid(2)];
        bonded.publish(&bonded.signed(&header, false, list.clone())?)?;
        let longer = vec![list[0].clone(), list[1].clone(), invalid(3)];
        let honest = bonded.signed(&header, true, longer)?;
        // Only the added transactions: the watcher has the others.
        bonded.publish(&PrefixUpdate {
            first: 2,
            transactions: honest.transactions[2..].to_vec(),
            ..honest
        })?;
        until("both messages", &watching.node, || async {
            Ok(metric(&watching.node, "rollup_watch_kept").await? >= 2)
        })
        .await?;
        assert_eq!(watching.reports(), []);
        let other = if is_sealed { vec![list[0].clone()] } else { vec![list[1].clone()] };
        bonded.publish(&bonded.signed(&header, is_sealed, other)?)?;
        bonded.until_slashed(&mut watching, "equivocation", BOND).await?;
        feed.stop().await;
        watching.node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_promise_is_slashed_after_restart() -> Result<()> {
    let (bonded, folder) = (Bonded::new(&["alice"]).await?, tempfile::tempdir()?);
    let sequencer = bonded.rollup.sequencer().await?;
    let watching = bonded.watch(&sequencer, Some(folder.path())).await?;
    let header = bonded.first_header().await?;
    bonded.publish(&bonded.signed(&header, true, vec![invalid(1)])?)?;
    until("the message", &watching.node, || async {
        Ok(metric(&watching.node, "rollup_watch_kept").await? == 1)
    })
    .await?;
    watching.node.stop().await;
    // Posted while the watcher is stopped. After the next block, the hash has to be proven from the
    // history contract.
    for nonce in 0..2 {
        let sent = send(&provider_of(&sequencer)?, "alice", nonce).await?;
        until_included(&sequencer, sent).await?;
        until("settlement", &sequencer, || async { Ok(is_settled(&sequencer)) }).await?;
    }
    let mut watching = bonded.watch(&sequencer, Some(folder.path())).await?;
    bonded.until_slashed(&mut watching, "broken", BOND).await?;
    sequencer.stop().await;
    watching.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_block_costs_a_twentieth() -> Result<()> {
    let bonded = Bonded::new(&["alice"]).await?;
    let feed = bonded.rollup.follower(None).await?;
    let mut watching = bonded.watch(&feed, None).await?;
    let header = bonded.first_header().await?;
    bonded.publish(&bonded.signed(&header, true, vec![invalid(1)])?)?;
    pass_until(&bonded.rollup, &watching.node, header.timestamp + POST_WITHIN - 100).await?;
    assert_eq!(watching.reports(), []);
    pass_until(&bonded.rollup, &watching.node, header.timestamp + POST_WITHIN + 100).await?;
    bonded.until_slashed(&mut watching, "late", BOND / 20).await?;
    feed.stop().await;
    watching.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watcher_without_registry_or_policy_is_refused() -> Result<()> {
    let bonded = Bonded::new(&["alice"]).await?;
    let watch = Some(WatchConfig::default());
    let follower = || bonded.rollup.config(Role::Follower { sequencer: None });
    let config = Config { watch: watch.clone(), ..follower() };
    let error = RollupNode::start(config).await.expect_err("no registry").to_string();
    assert!(error.contains("PreconfBonds"), "{error}");
    let config = bonded.config(Config {
        watch: watch.clone(),
        ..bonded.rollup.config(bonded.rollup.sequencer_role()?)
    });
    let error = RollupNode::start(config).await.expect_err("a sequencer").to_string();
    assert!(error.contains("follower"), "{error}");
    let config = bonded.config(Config { watch, ..follower() });
    RollupNode::start(config).await?.stop().await;
    Ok(())
}

impl Watching {
    /// Waits until the watcher has made a turn with L1's head.
    pub(crate) async fn until_judged(&self, rollup: &DevnetRollup) -> Result<()> {
        until("the judgement", &self.node, || async {
            let head = rollup.provider.get_block_number().await?;
            Ok(metric(&self.node, "rollup_watch_l1_head").await? == head)
        })
        .await
    }
}

/// Value of a gauge.
pub(crate) async fn metric(node: &RollupNode, name: &str) -> Result<u64> {
    let url = format!("http://{}/metrics", node.server().addresses()[0]);
    let text = reqwest::get(url).await?.text().await?;
    let line = text.lines().find(|line| line.contains(name) && !line.starts_with('#'));
    Ok(line.and_then(|line| line.split(' ').nth(1)).unwrap_or_default().parse()?)
}
