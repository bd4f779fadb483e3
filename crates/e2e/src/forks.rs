//! An L1 that forks three times during the operation of a rollup without an owner. Delays, policy
//! and fork source are the defaults of `enshrine init`.

use crate::bridge;
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::Block;
use alloy_sol_types::SolCall as _;
use client::Client;
use contracts::{
    L2_MESSENGER,
    bindings::{IForcedInbox, IL2Messenger, INativeRollup},
};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use std::time::Instant;
use testkit::localnet::{
    processes::{Deploying, Design, L1_CHAIN, L2_CHAIN, Rollup, SEQUENCER_FLAGS, claim},
    report::Report,
    requests::{
        ask, balance, nonce, number, receipt, send, shown, signed, status, until, until_safe,
    },
};
use testkit::{ETHER, FORCED_FEE, FORCED_GAS, Key};
use wire::ProtocolFork;

/// L1 forks and the number of seconds from its start at which they activate.
const FORKS: &[(ProtocolFork, u64)] =
    &[(ProtocolFork::Osaka, 300), (ProtocolFork::Bpo2, 600), (ProtocolFork::Amsterdam, 900)];
/// Number of seconds before a fork at which L2 blocks are sealed that L1 includes after it. A block
/// may lag by an hour.
const BEFORE: u64 = 100;
/// Confirmations that the L2 requires of an L1 block, so that messages sent before a fork reach the
/// L2 after it.
const CONFIRMATIONS: u64 = 2;
/// Number of L2 transfers before each fork that are not yet on L1 when it activates.
const IN_FLIGHT: u64 = 2;
/// Wei of each withdrawal.
const WITHDRAWN: u128 = 7;

/// A rollup that crosses L1 forks, and its users.
struct Crossing<'a> {
    rollup: &'a Rollup,
    l1: &'a Client,
    l2: &'a Client,
    alice: Key,
    /// Sends only forced transactions.
    dave: Key,
    bob: Address,
}

/// Has L1 fork from Prague to Amsterdam during traffic, and checks that each fork changes no
/// earlier block.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.part("Forks of L1 under a rollup without an owner");
    let begun = Instant::now();
    let l1 = &["--verify-blocks", "--execute-blobs", "--gas-limit", "60000000"];
    let design = Design { l1, forks: FORKS, dev: false, ..Deploying::ByScripts.into() };
    let rollup = Rollup::create(design, report)?;
    let l1 = rollup.l1.client();
    let owner = ask(l1, rollup.deployment.rollup, &INativeRollup::ownerCall {})?;
    ensure!(owner.is_zero(), "the rollup has the owner {owner}");
    // The devnet also serves the beacon API for blobs.
    let confirmations = CONFIRMATIONS.to_string();
    let flags = ["--l1-beacon", l1.url(), "--l1-confirmations", &confirmations];
    let sequencer = rollup.sequencer_with(&[SEQUENCER_FLAGS, &flags].concat())?;
    let follower = rollup.follower_with(&flags[..2])?;
    let (alice, dave, bob) = (Key::named("alice"), Key::named("dave"), Key::named("bob").address());
    let crossing = Crossing { rollup: &rollup, l1, l2: sequencer.client(), alice, dave, bob };
    report.doing("the first deposits and blobs");
    crossing.fund()?;
    let schedule: Vec<_> = FORKS.iter().map(|(fork, after)| format!("{fork} {after} s")).collect();
    report.built(format!("L1 is at Prague; forks are scheduled after: {}", schedule.join(", ")));

    for (index, (fork, time)) in (0..).zip(rollup.forks.iter().copied()) {
        report.doing(&format!("L1 forks to {fork}"));
        let text = crossing.cross(index, fork, time)?;
        report.survived(text);
    }
    report.doing("the token bridge at Amsterdam");
    crossing.bridge(report)?;
    let l2 = sequencer.client();
    let head = until_safe(l2)?;
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= head))?;
    ensure!(
        blocks(l2)? == blocks(follower.client())?,
        "sequencer and follower have different blocks"
    );
    let (all, by_blobs) = crossing.posted()?;
    ensure!(by_blobs > 0, "none of {all} transactions has blobs");
    report.shown(format!(
        "a follower has all {head} blocks of the four forks with the same hashes; {all} transactions brought them to L1, \
         {by_blobs} with blobs, and none failed; in {}",
        shown(begun)
    ));
    Ok(())
}

impl Crossing<'_> {
    /// Gives the users ether on the L2.
    fn fund(&self) -> Result<()> {
        for user in [&self.alice, &self.dave] {
            self.rollup.deposit(&self.alice, user.address(), ETHER)?;
            self.confirmed("a deposit", || Ok(!balance(self.l2, user.address())?.is_zero()))?;
        }
        Ok(())
    }

    /// Mines as many L1 blocks as the L2 requires as confirmations, and waits until a condition
    /// holds.
    ///
    /// More blocks would be wrong: each has a later timestamp than its parent, so L1's time would
    /// run ahead of the clock, and the L2 would wait for it.
    fn confirmed(&self, what: &str, holds: impl FnMut() -> Result<bool>) -> Result<()> {
        self.l1.request::<_, Value>("anvil_mine", (CONFIRMATIONS,))?;
        until(what, holds)
    }

    /// Mines an L1 block with this timestamp.
    fn mine_at(&self, time: u64) -> Result<()> {
        self.l1.request::<_, Value>("evm_setNextBlockTimestamp", (time,))?;
        self.l1.request::<_, Value>("anvil_mine", (1,))?;
        Ok(())
    }

    /// Has L1 fork while it has a deposit and a forced transaction that the L2 has not processed,
    /// and while the L2 has blocks and a withdrawal that are not on L1. Returns a description.
    fn cross(&self, index: u64, fork: ProtocolFork, time: u64) -> Result<String> {
        let Self { rollup, l1, l2, alice, dave, bob } = self;
        let (depositor, receiver) =
            (Address::repeat_byte(0xd0 + fork as u8), Address::repeat_byte(0xe0 + fork as u8));
        until_safe(l2)?;
        self.mine_at(time - BEFORE)?;
        rollup.deposit(alice, depositor, ETHER)?;
        let next = nonce(l2, dave.address())?;
        let raw = signed(L2_CHAIN, dave, next, (*bob).into(), 1, Bytes::new(), FORCED_GAS);
        let submit = IForcedInbox::submitCall { raw }.abi_encode().into();
        let inbox = rollup.deployment.forced.into();
        let hash = send(l1, L1_CHAIN, alice, inbox, FORCED_FEE, submit, 1_000_000)?;
        ensure!(receipt(l1, hash)?.status(), "submitting the forced transaction failed");

        l1.request::<_, Value>("evm_setAutomine", (false,))?;
        let withdrawal = IL2Messenger::sendCall {
            to: receiver,
            refundTo: receiver,
            gasLimit: 0,
            fee: 0,
            data: Bytes::new(),
        };
        let withdrawal = withdrawal.abi_encode().into();
        self.included(L2_MESSENGER, WITHDRAWN, withdrawal)?;
        for _ in 0..IN_FLIGHT {
            self.included(*bob, 1, Bytes::new())?;
        }
        until("pending transactions on L1", || {
            let pool: Value = l1.request("txpool_status", ())?;
            Ok(pool["pending"] != "0x0")
        })?;
        let before = blocks(l2)?;
        let (head, newest) = (before.len() as u64 - 1, before.last().map(|(_, time)| *time));
        ensure!(newest < Some(time), "the newest block before {fork} has timestamp {newest:?}");
        let unposted = head - status(l2)?.safe_head.number;
        ensure!(unposted > 0, "L1 has all blocks before the fork");
        ensure!(balance(l2, depositor)?.is_zero(), "the deposit arrives before the fork");

        // The first block of the fork includes the pending L1 transactions.
        self.mine_at(time)?;
        l1.request::<_, Value>("evm_setAutomine", (true,))?;
        self.confirmed("the blocks from before the fork", || {
            Ok(status(l2)?.safe_head.number >= head)
        })?;
        self.confirmed("the deposit and the forced transaction", || {
            let known = l2.request::<_, Value>("rollup_getForced", (U64::from(index),));
            let forced = known.unwrap_or_default();
            let is_included = forced["outcome"] == "included" && !forced["l2Block"].is_null();
            Ok(balance(l2, depositor)? == U256::from(ETHER) && is_included)
        })?;
        let first = self.included(*bob, 1, Bytes::new())?;
        until("a block of the fork on L1", || Ok(status(l2)?.safe_head.number >= first))?;
        let after = blocks(l2)?;
        ensure!(after.starts_with(&before), "a block from before {fork} is lost");
        ensure!(
            after.last().is_some_and(|(_, timestamp)| *timestamp >= time),
            "no block is at {fork}"
        );
        claim(rollup, l2, alice, index)?;
        let paid = balance(l1, receiver)?;
        ensure!(paid == U256::from(WITHDRAWN), "the withdrawal has paid {paid} wei");
        Ok(format!(
            "L1 forks to {fork}: {unposted} L2 blocks from before the fork are posted after it, a deposit and a forced \
             transaction arrive, and a withdrawal is claimed"
        ))
    }

    /// Deploys the bridge on the L2 with the default limits of `enshrine init`, and deposits and
    /// withdraws a token. Amsterdam charges for new code and new slots by the byte (EIP-8037).
    fn bridge(&self, report: &mut Report) -> Result<()> {
        let Self { rollup, l1, l2, alice, .. } = self;
        let confirm = || {
            l1.request::<_, Value>("anvil_mine", (CONFIRMATIONS,))?;
            Ok(())
        };
        let token = bridge::deposit(rollup, l2, alice, &confirm, report)?;
        let block = bridge::withdraw(&token, l2, alice)?;
        self.confirmed("the withdrawal on L1", || Ok(status(l2)?.safe_head.number >= block))?;
        // The withdrawals of the forks have the lower indices.
        claim(rollup, l2, alice, FORKS.len() as u64)?;
        bridge::check(&token, rollup, l2, report)
    }

    /// Sends a transaction from Alice on the L2; returns its block number.
    fn included(&self, to: Address, value: u128, input: Bytes) -> Result<u64> {
        let hash = send(self.l2, L2_CHAIN, &self.alice, to.into(), value, input, 300_000)?;
        let receipt = receipt(self.l2, hash)?;
        ensure!(receipt.status(), "{hash} has failed on the L2");
        receipt.block_number.ok_or_eyre("a receipt without a block")
    }

    /// Returns the number of transactions that called the rollup contract, and of those with blobs.
    ///
    /// # Errors
    ///
    /// If one of them failed, since the sequencer then used limits or prices of another fork.
    fn posted(&self) -> Result<(usize, usize)> {
        let (mut all, mut by_blobs) = (0, 0);
        for number in 0..=number(self.l1)? {
            let block: Block =
                self.l1.request("eth_getBlockByNumber", (U64::from(number), true))?;
            for transaction in block.transactions.into_transactions() {
                if transaction.to() != Some(self.rollup.deployment.rollup) {
                    continue;
                }
                let hash = *transaction.inner.tx_hash();
                ensure!(receipt(self.l1, hash)?.status(), "{hash} has failed on L1");
                all += 1;
                by_blobs += usize::from(transaction.blob_versioned_hashes().is_some());
            }
        }
        Ok((all, by_blobs))
    }
}

/// Returns hashes and timestamps of all blocks of a node.
fn blocks(node: &Client) -> Result<Vec<(B256, u64)>> {
    let block = |number| {
        let block: Block = node.request("eth_getBlockByNumber", (U64::from(number), false))?;
        Ok((block.header.hash, block.header.timestamp))
    };
    (0..=number(node)?).map(block).collect()
}
