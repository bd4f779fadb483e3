//! Sequencers that sign no prefixes, because they may lose their role or their bond before L1 has
//! the block.

use crate::{
    preconfirmations::{Recording, preconfirming, send, state, until_included},
    support::{ADVANCE, DevnetRollup, is_settled, provider_of, refusal, until},
    watching::Bonded,
};
use alloy_primitives::{Address, B256, U256, address};
use alloy_sol_types::{SolCall, sol};
use contracts::{
    Deployment,
    bindings::{INativeRollup, IPreconfBonds},
};
use enshrine_rollup::{Config, Role, RollupNode, Signer};
use eyre::{Result, ensure};
use preconf::HeaderSummary;
use std::time::Duration;
use testkit::{ETHER, Interception};

const MIN_BOND: u128 = 10 * ETHER;
/// First account of the devnet, which sends [`DevnetRollup::l1_call`].
const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const BLOCK: Duration = Duration::from_millis(300);

sol! {
    function offer(address next) external;
    function take() external;
}

/// A sequencer with a bond under `HybridSequencing`, with short blocks.
struct Signing {
    bonded: Bonded,
    node: RollupNode,
    policy: Address,
    nonce: u64,
    _folder: tempfile::TempDir,
}

impl Signing {
    async fn new() -> Result<Self> {
        let bonded = Bonded::under_hybrid(&["alice"], MIN_BOND).await?;
        bonded.deposit(MIN_BOND).await?;
        Self::of(bonded, |_, config| Ok(config)).await
    }

    async fn of(
        bonded: Bonded,
        change: impl FnOnce(&DevnetRollup, Config) -> Result<Config>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = preconfirming(&bonded.rollup, folder.path(), BLOCK)?;
        let node = RollupNode::start(change(&bonded.rollup, config)?).await?;
        let policy = Deployment::read(&bonded.rollup.deployment())?.policy;
        Ok(Self { bonded, node, policy, nonce: 0, _folder: folder })
    }

    /// Waits until the node signs prefixes, or does not for this reason.
    async fn until(&self, reason: Option<&str>) -> Result<()> {
        until(reason.unwrap_or("signatures"), &self.node, || async {
            // Before the first turn there is no state.
            let (is_on, current) = state(&self.node).await.unwrap_or_default();
            Ok(reason.map_or(is_on, |reason| !is_on && current.contains(reason)))
        })
        .await
    }

    /// Has the next block made, and returns how many prefixes of it were signed.
    async fn signed_in_next_block(&mut self) -> Result<usize> {
        let recording = Recording::start(&self.node).await?;
        let sent = send(&provider_of(&self.node)?, "alice", self.nonce).await?;
        self.nonce += 1;
        until_included(&self.node, sent).await?;
        until("settlement", &self.node, || async { Ok(is_settled(&self.node)) }).await?;
        let number = self.node.status().unsafe_head.number;
        let updates = recording.end().await;
        let numbers = updates.iter().map(|update| HeaderSummary::read(&update.header));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        Ok(numbers.iter().filter(|header| header.number == number).count())
    }

    async fn offer(&self, next: Address) -> Result<()> {
        call(&self.bonded.rollup, ADVANCE, self.policy, offerCall { next }).await
    }
}

async fn call(rollup: &DevnetRollup, from: Address, to: Address, call: impl SolCall) -> Result<()> {
    rollup.l1_call_from(from, to, U256::ZERO, call.abi_encode()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn offered_role_stops_signatures_until_offer_ends() -> Result<()> {
    let mut signing = Signing::new().await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature before the offer");
    let successor = signing.bonded.rollup.l1.addresses()[3];
    signing.offer(successor).await?;
    signing.until(Some(&format!("offered to {successor}"))).await?;
    assert_eq!(signing.signed_in_next_block().await?, 0);
    signing.offer(Address::ZERO).await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature after the offer");
    signing.node.stop().await;
    Ok(())
}

/// The successor makes another block in the place of one that its predecessor has sealed.
#[tokio::test(flavor = "multi_thread")]
async fn successor_may_replace_blocks_after_its_offer() -> Result<()> {
    let bonded = Bonded::under_hybrid(&["alice", "bob"], MIN_BOND).await?;
    bonded.deposit(MIN_BOND).await?;
    let (proxy, _) = bonded.rollup.behind_proxy(Role::Follower { sequencer: None })?;
    let url = proxy.url();
    let mut signing =
        Signing::of(bonded, |_, config| Ok(Config { l1: vec![url], ..config })).await?;
    let mut watching = signing.bonded.watch(&signing.node, None).await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature before the offer");
    let successor = signing.bonded.rollup.l1.addresses()[3];
    signing.offer(successor).await?;
    signing.until(Some("offered to")).await?;
    // L1 gets no more blocks of the predecessor.
    proxy.intercept(|request| {
        let is_sent = request.contains("eth_sendRawTransaction");
        is_sent.then(|| Interception::Answer(refusal(request, "not now")))
    });
    let sent = send(&provider_of(&signing.node)?, "alice", signing.nonce).await?;
    until_included(&signing.node, sent).await?;
    let replaced = signing.node.status().unsafe_head;
    until("the unsigned block", &watching.node, || async {
        Ok(watching.node.status().unsafe_head == replaced)
    })
    .await?;
    let Signing { bonded, node, policy, .. } = signing;
    node.stop().await;

    call(&bonded.rollup, successor, policy, takeCall {}).await?;
    bonded.deposit_of(successor, MIN_BOND).await?;
    let secret = B256::from_slice(&bonded.rollup.l1.keys()[3].to_bytes()[..]);
    let mut config = bonded.rollup.sequencer_config()?;
    config.advance_key = Signer::new("advance_key", secret)?;
    let role = Role::Sequencer(Box::new(config));
    let next = RollupNode::start(bonded.rollup.config(role)).await?;
    let sent = send(&provider_of(&next)?, "bob", 0).await?;
    until_included(&next, sent).await?;
    until("settlement", &next, || async { Ok(is_settled(&next)) }).await?;
    let other = next.status().unsafe_head;
    ensure!(other.number == replaced.number && other.hash != replaced.hash, "{other:?}");
    until("the block of the successor", &watching.node, || async {
        Ok(watching.node.status().safe_head == other)
    })
    .await?;
    bonded.rollup.next_second().await?;
    watching.until_judged(&bonded.rollup).await?;
    assert_eq!(watching.reports(), []);
    assert_eq!(bonded.bond().await?, MIN_BOND);
    for node in [next, watching.node] {
        node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_need_a_sufficient_bond() -> Result<()> {
    let bonded = Bonded::under_hybrid(&["alice"], MIN_BOND).await?;
    let mut signing = Signing::of(bonded, |_, config| Ok(config)).await?;
    signing.until(Some("the bond is 0 wei")).await?;
    signing.bonded.deposit(MIN_BOND - 1).await?;
    signing.until(Some(&format!("the bond is {} wei", MIN_BOND - 1))).await?;
    signing.bonded.deposit(1).await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature with the bond");
    let bonds = signing.bonded.bonds;
    call(&signing.bonded.rollup, ADVANCE, bonds, IPreconfBonds::requestWithdrawalCall {}).await?;
    signing.until(Some("the withdrawal of the bond is requested")).await?;
    call(&signing.bonded.rollup, ADVANCE, bonds, IPreconfBonds::cancelWithdrawalCall {}).await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature after the request");
    signing.node.stop().await;
    Ok(())
}

/// Blocks are sealed without signatures, whether L1 is silent about the bond or refuses the
/// request.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_bond_stops_signatures_and_no_blocks() -> Result<()> {
    let bonded = Bonded::under_hybrid(&["alice"], MIN_BOND).await?;
    bonded.deposit(MIN_BOND).await?;
    let (proxy, _) = bonded.rollup.behind_proxy(Role::Follower { sequencer: None })?;
    let (url, bonds) = (proxy.url(), format!("{:x}", bonded.bonds));
    let mut signing =
        Signing::of(bonded, |_, config| Ok(Config { l1: vec![url], ..config })).await?;
    signing.until(None).await?;
    for is_silent in [false, true] {
        let bonds = bonds.clone();
        proxy.intercept(move |request| {
            let is_about_bond =
                request.contains("eth_call") && request.to_lowercase().contains(&bonds);
            is_about_bond.then(|| match is_silent {
                true => Interception::Silence,
                false => Interception::Answer(refusal(request, "too many requests")),
            })
        });
        signing.bonded.rollup.next_second().await?;
        signing.until(Some("could not be read from L1")).await?;
        assert_eq!(signing.signed_in_next_block().await?, 0);
        proxy.honest();
        signing.bonded.rollup.next_second().await?;
        signing.until(None).await?;
        ensure!(signing.signed_in_next_block().await? > 0, "no signature afterwards");
    }
    signing.node.stop().await;
    Ok(())
}

/// A new policy may not allow the sequencer to post blocks that it has signed.
#[tokio::test(flavor = "multi_thread")]
async fn change_that_can_be_made_stops_signatures() -> Result<()> {
    let bonded = Bonded::under(&["alice"], move |fixture| {
        fixture.sequenced_by(ADVANCE).bonded(MIN_BOND).with(|config| config.owner = OWNER)
    })
    .await?;
    bonded.deposit(MIN_BOND).await?;
    let mut signing = Signing::of(bonded, |_, config| Ok(config)).await?;
    signing.until(None).await?;
    let (change, value) = (INativeRollup::Change::Policy, U256::ZERO);
    signing.call_rollup(INativeRollup::announceCall { change, value }).await?;
    let provider = signing.bonded.rollup.provider.clone();
    let contract = INativeRollup::new(signing.bonded.contract, &provider);
    let until = contract.announcements().call().await?[0].clearUntil;
    signing.pass(until + 1).await?;
    signing.call_rollup(INativeRollup::clearCall { change, value }).await?;
    // The head is days old, so the first block is not signed.
    signing.signed_in_next_block().await?;
    let ready = contract.announcements().call().await?[0].readyAt;
    signing.pass(ready - 3_600 - 600).await?;
    signing.signed_in_next_block().await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature long before the change");
    signing.pass(ready - 3_600).await?;
    signing.until(Some(&format!("can change at {ready}"))).await?;
    assert_eq!(signing.signed_in_next_block().await?, 0);
    signing.call_rollup(INativeRollup::withdrawCall { change, value }).await?;
    signing.until(None).await?;
    ensure!(signing.signed_in_next_block().await? > 0, "no signature after the withdrawal");
    signing.node.stop().await;
    Ok(())
}

impl Signing {
    /// Calls the rollup as its owner.
    async fn call_rollup(&self, call: impl SolCall) -> Result<()> {
        self::call(&self.bonded.rollup, OWNER, self.bonded.contract, call).await
    }

    /// Sets L1's time, and waits until the node has read it.
    async fn pass(&self, time: u64) -> Result<()> {
        crate::preconfirmations::pass_until(&self.bonded.rollup, &self.node, time).await
    }
}
