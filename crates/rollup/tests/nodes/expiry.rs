//! Forced transactions that no block can include, although L1 requires them.

use crate::support::{
    DevnetRollup, L2_CHAIN, is_settled, one_wei, provider_of, submit, until, until_l1_head,
};
use alloy_consensus::TxLegacy;
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, TxKind, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::Filter;
use contracts::bindings::{IForcedInbox, INativeRollup::Outcome};
use enshrine_rollup::RollupNode;
use eyre::{OptionExt as _, Result, ensure};
use testkit::{ETHER, Key, Transaction, rich};

const BOB: Address = Address::repeat_byte(0xb0);
/// `PUSH2` of the base of the gas that the inbox demands of a transaction.
const PUSH_BASE_GAS: [u8; 3] = [0x61, 0x52, 0x08];

/// A rollup whose inbox demands too little gas, as after a fork of L1 that raised intrinsic gas.
struct Forked {
    rollup: DevnetRollup,
    delay: u64,
    /// Time from which the first of the queue expires after it is due.
    expiry: u64,
}

impl Forked {
    async fn new() -> Result<Self> {
        let account = |name| (Key::named(name).address(), rich(ETHER));
        let accounts = ["alice", "mallory", "eve"].map(account);
        let rollup = DevnetRollup::with(accounts.into()).await?;
        let inbox = IForcedInbox::new(rollup.forced, &rollup.provider);
        let delay = inbox.DELAY().call().await?;
        let expiry = inbox.GRACE().call().await? + inbox.EXPIRY().call().await?;
        let mut code = rollup.provider.get_code_at(rollup.forced).await?.to_vec();
        let is_push = |at: &usize| code[*at..].starts_with(&PUSH_BASE_GAS);
        let found: Vec<_> = (0..code.len()).filter(is_push).collect();
        ensure!(!found.is_empty(), "the inbox demands another base of gas");
        found.into_iter().for_each(|at| code[at + 1..at + 3].fill(0));
        rollup.provider.anvil_set_code(rollup.forced, code.into()).await?;
        Ok(Self { rollup, delay, expiry })
    }

    /// Forces a transaction with less than intrinsic gas, and returns it.
    async fn force_impossible(&self) -> Result<Transaction> {
        let transaction = Key::named("mallory").sign(TxLegacy {
            chain_id: Some(L2_CHAIN),
            gas_price: 10_000_000_000,
            gas_limit: 20_000,
            to: TxKind::Call(BOB),
            ..Default::default()
        });
        self.rollup.force(transaction.encoded_2718()).await?;
        Ok(transaction)
    }

    async fn force_transfer(&self, from: &str, nonce: u64) -> Result<Transaction> {
        let transaction = one_wei(&Key::named(from), nonce, BOB);
        self.rollup.force(transaction.encoded_2718()).await?;
        Ok(transaction)
    }

    async fn pass(&self, seconds: u64) -> Result<()> {
        self.rollup.provider.anvil_increase_time(seconds).await?;
        self.rollup.provider.anvil_mine(Some(1), None).await?;
        Ok(())
    }

    /// Sends Alice's transfer, and returns `true` if it is on L1 after some L1 blocks.
    async fn serves_users(&self, sequencer: &RollupNode) -> Result<bool> {
        let (l2, own) = (provider_of(sequencer)?, transfer("alice"));
        submit(&l2, &own).await?;
        for _ in 0..5 {
            self.rollup.next_second().await?;
            until_l1_head(&self.rollup, sequencer).await?;
        }
        is_included(sequencer, &own).await
    }

    /// Waits until a transaction is included, and all blocks are on L1.
    async fn until_included(&self, sequencer: &RollupNode, own: &Transaction) -> Result<()> {
        until("the transaction on L1", sequencer, || async {
            self.rollup.next_second().await?;
            Ok(is_included(sequencer, own).await? && is_settled(sequencer))
        })
        .await
    }

    /// Returns the outcomes that L1 has recorded, with the index of each transaction, without
    /// those that were only deferred.
    async fn outcomes(&self) -> Result<Vec<(U256, u8)>> {
        let filter = Filter::new()
            .address(self.rollup.forced)
            .event("ForcedDischarged(uint64,bytes32,uint8)")
            .from_block(0);
        let logs = self.rollup.provider.get_logs(&filter).await?;
        let outcomes = logs.iter().map(|log| {
            let outcome = *log.data().data.last().ok_or_eyre("no outcome")?;
            let index = log.topics().get(1).ok_or_eyre("no index")?;
            Ok(((*index).into(), outcome))
        });
        let outcomes: Result<Vec<(U256, u8)>> = outcomes.collect();
        Ok(outcomes?.into_iter().filter(|(_, outcome)| *outcome != Outcome::NoRoom as u8).collect())
    }
}

fn transfer(from: &str) -> Transaction {
    one_wei(&Key::named(from), 0, BOB)
}

async fn is_included(sequencer: &RollupNode, transaction: &Transaction) -> Result<bool> {
    let l2 = provider_of(sequencer)?;
    Ok(l2.get_transaction_receipt(*transaction.hash()).await?.is_some())
}

fn expired(index: u64) -> (U256, u8) {
    (U256::from(index), Outcome::Expired as u8)
}

#[tokio::test(flavor = "multi_thread")]
async fn sequencer_discharges_expired_transaction() -> Result<()> {
    let forked = Forked::new().await?;
    let sequencer = forked.rollup.sequencer().await?;
    let impossible = forked.force_impossible().await?;
    forked.pass(forked.delay + 60).await?;
    assert!(!forked.serves_users(&sequencer).await?, "L1 requires the transaction");
    let fault = sequencer.status().fault.unwrap_or_default();
    assert!(fault.contains(&impossible.hash().to_string()), "{fault}");
    forked.pass(forked.expiry - 600).await?;
    let own = transfer("alice");
    for _ in 0..5 {
        forked.rollup.next_second().await?;
        until_l1_head(&forked.rollup, &sequencer).await?;
    }
    assert!(!is_included(&sequencer, &own).await?, "it has not expired");
    forked.pass(600).await?;
    forked.until_included(&sequencer, &own).await?;
    assert_eq!(forked.outcomes().await?, [expired(0)]);
    assert!(!is_included(&sequencer, &impossible).await?);
    sequencer.stop().await;
    Ok(())
}

/// The sequencer was down for longer than the expiry, and its first attempt omits the first
/// transaction, which the second one makes valid.
#[tokio::test(flavor = "multi_thread")]
async fn possible_transactions_do_not_expire() -> Result<()> {
    let forked = Forked::new().await?;
    let second_nonce = forked.force_transfer("eve", 1).await?;
    forked.force_transfer("eve", 0).await?;
    forked.pass(forked.delay + forked.expiry + 600).await?;
    let sequencer = forked.rollup.sequencer().await?;
    forked.until_included(&sequencer, &second_nonce).await?;
    let included = Outcome::Included as u8;
    assert_eq!(forked.outcomes().await?, [(U256::ZERO, included), (U256::ONE, included)]);
    assert!(forked.serves_users(&sequencer).await?);
    sequencer.stop().await;
    Ok(())
}

/// The first of the queue is possible, but L1 requires the second one of each block with it.
#[tokio::test(flavor = "multi_thread")]
async fn expiry_of_first_defers_impossible_second() -> Result<()> {
    let forked = Forked::new().await?;
    let first = forked.force_transfer("eve", 0).await?;
    forked.force_impossible().await?;
    forked.pass(forked.delay + forked.expiry + 600).await?;
    let sequencer = forked.rollup.sequencer().await?;
    forked.until_included(&sequencer, &first).await?;
    assert_eq!(forked.outcomes().await?, [expired(0)]);
    assert!(!forked.serves_users(&sequencer).await?, "L1 requires the second one");
    forked.pass(forked.expiry + 600).await?;
    forked.until_included(&sequencer, &transfer("alice")).await?;
    assert_eq!(forked.outcomes().await?, [expired(0), expired(1)]);
    sequencer.stop().await;
    Ok(())
}
