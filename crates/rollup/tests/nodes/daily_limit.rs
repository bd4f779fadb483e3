//! Transactions of strangers against the daily limit of spending on L1.

use crate::support::{
    DevnetRollup, L2_CHAIN, provider_of, submit, until, until_included, until_settled,
};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, TxKind, U256};
use alloy_provider::Provider as _;
use enshrine_rollup::{Role, RollupNode};
use eyre::{Result, ensure};
use serde_json::Value;
use testkit::{ETHER, Key, Transaction, rich};

/// Signs a transfer with calldata and this tip per gas, in wei.
fn with_tip(key: &Key, nonce: u64, bytes: usize, tip: u128) -> Transaction {
    key.sign(TxEip1559 {
        chain_id: L2_CHAIN,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: 10_000_000_000 + tip,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(Address::repeat_byte(0xb0)),
        value: U256::ONE,
        input: vec![1; bytes].into(),
        ..TxEip1559::default()
    })
}

async fn spent(node: &RollupNode) -> Result<u128> {
    let status: Value = provider_of(node)?.raw_request("rollup_syncStatus".into(), ()).await?;
    let spent = &status["submitter"]["spentToday"];
    Ok(match spent.as_str() {
        Some(text) => text.parse::<U256>()?.to(),
        None => u128::from(spent.as_u64().unwrap_or_default()),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_without_tip_cannot_exhaust_daily_limit() -> Result<()> {
    let (alice, mallory) = (Key::named("alice"), Key::named("mallory"));
    let accounts = vec![(alice.address(), rich(ETHER)), (mallory.address(), rich(ETHER))];
    let rollup = DevnetRollup::with(accounts).await?;
    let folder = tempfile::tempdir()?;
    let config = |limit: Option<u128>| -> Result<_> {
        let mut sequencing = rollup.sequencer_config()?;
        if let Some(limit) = limit {
            sequencing.submitter.daily_limit = limit;
        }
        let mut config = rollup.config(Role::Sequencer(Box::new(sequencing)));
        config.data_dir = Some(folder.path().to_owned());
        Ok(config)
    };
    // Far below the limit, a transaction without a tip is included.
    let node = RollupNode::start(config(None)?).await?;
    let l2 = provider_of(&node)?;
    let free = with_tip(&mallory, 0, 10_000, 0);
    let hash = submit(&l2, &free).await?;
    until_included("the transaction without a tip", &node, hash).await?;
    until_settled("the transaction without a tip", &node).await?;
    until("the cost of its L1 transaction", &node, || async { Ok(spent(&node).await? > 0) })
        .await?;
    let before = spent(&node).await?;
    node.stop().await;

    // The same amount is more than half of the limit now.
    let node = RollupNode::start(config(Some(2 * before - 1))?).await?;
    let l2 = provider_of(&node)?;
    let free = with_tip(&mallory, 1, 10_000, 0);
    let withheld = submit(&l2, &free).await?;
    // The tip that the node suggests to wallets suffices.
    let paid = with_tip(&alice, 0, 0, l2.get_max_priority_fee_per_gas().await?);
    let hash = submit(&l2, &paid).await?;
    until_included("the transaction with a tip", &node, hash).await?;
    ensure!(l2.get_transaction_receipt(withheld).await?.is_none(), "included without a tip");
    let status: Value = l2.raw_request("rollup_transactionStatus".into(), (withheld,)).await?;
    ensure!(status["status"] == "pending", "an accepted transaction is lost: {status}");
    node.stop().await;

    // It is included once the price has fallen.
    let node = RollupNode::start(config(None)?).await?;
    until_included("the transaction that waited", &node, withheld).await?;
    node.stop().await;
    Ok(())
}
