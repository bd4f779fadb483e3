//! The status of a transaction, the EIP-155 rule of the pool, and spending across restarts.

use crate::support::{
    DevnetRollup, L2_CHAIN, one_wei, provider_of, submit, until, until_fault, until_status,
};
use alloy_consensus::{TxEip1559, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use alloy_provider::{Provider as _, RootProvider, ext::AnvilApi as _};
use enshrine_rollup::{PoolLimits, Role, RollupNode};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{ETHER, Key, rich};

const TO: Address = Address::repeat_byte(0xb0);

async fn rollup() -> Result<DevnetRollup> {
    DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await
}

async fn status(l2: &RootProvider, hash: B256) -> Result<Value> {
    Ok(l2.raw_request("rollup_transactionStatus".into(), (hash,)).await?)
}

/// Waits until a transaction has a status.
async fn until_transaction(node: &RollupNode, hash: B256, expected: &str) -> Result<Value> {
    let l2 = provider_of(node)?;
    until(expected, node, || async { Ok(status(&l2, hash).await?["status"] == expected) }).await?;
    status(&l2, hash).await
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_status_reports_progress_and_drop_reason() -> Result<()> {
    let rollup = rollup().await?;
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.pool = PoolLimits::public();
    let node = RollupNode::start(config).await?;
    let (l2, alice) = (provider_of(&node)?, Key::named("alice"));
    assert_eq!(status(&l2, B256::repeat_byte(1)).await?, Value::Null);

    // L1 mines no block, so it cannot include the L2 block.
    rollup.provider.anvil_set_auto_mine(false).await?;
    let waits = submit(&l2, &one_wei(&alice, 1, TO)).await?;
    assert_eq!(status(&l2, waits).await?, json!({ "status": "pending" }));
    let first = submit(&l2, &one_wei(&alice, 0, TO)).await?;
    let included = until_transaction(&node, first, "included").await?;
    let block = l2.get_transaction_receipt(first).await?.ok_or_eyre("not mined")?;
    assert_eq!(included["block"]["hash"], json!(block.block_hash));
    rollup.provider.anvil_set_auto_mine(true).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let posted = until_transaction(&node, first, "posted").await?;
    assert_eq!(posted["block"], included["block"]);
    ensure!(posted["finalized"].is_boolean(), "{posted}");
    until_transaction(&node, waits, "posted").await?;

    // One transaction with a nonce gap, and its replacement.
    let replaced = submit(&l2, &one_wei(&alice, 3, TO)).await?;
    let dearer = alice.sign(TxEip1559 {
        chain_id: L2_CHAIN,
        nonce: 3,
        gas_limit: 21_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 2_000_000,
        to: TO.into(),
        ..Default::default()
    });
    let by = submit(&l2, &dearer).await?;
    let dropped = status(&l2, replaced).await?;
    assert_eq!(dropped, json!({ "status": "dropped", "reason": format!("replaced by {by}") }));
    assert_eq!(status(&l2, by).await?["status"], "pending");
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unprotected_transaction_is_rejected_unless_allowed() -> Result<()> {
    let rollup = rollup().await?;
    let transfer = |chain_id| {
        Bytes::from(
            Key::named("alice")
                .sign(TxLegacy {
                    chain_id,
                    gas_price: 10_000_000_000,
                    gas_limit: 21_000,
                    to: TO.into(),
                    ..Default::default()
                })
                .encoded_2718(),
        )
    };
    for accepts_unprotected in [false, true] {
        let mut config = rollup.config(rollup.sequencer_role()?);
        config.pool = PoolLimits { accepts_unprotected, ..PoolLimits::public() };
        let node = RollupNode::start(config).await?;
        let l2 = provider_of(&node)?;
        let sent = l2.send_raw_transaction(&transfer(None)).await;
        match accepts_unprotected {
            true => {
                let _ = sent?;
            }
            false => {
                let refusal =
                    sent.expect_err("an unprotected transaction must be rejected").to_string();
                ensure!(refusal.contains("EIP-155"), "{refusal}");
                let _ = l2.send_raw_transaction(&transfer(Some(L2_CHAIN))).await?;
            }
        }
        // The chain is in memory, so the next node starts without this transaction.
        node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_l1_spending_survives_restart() -> Result<()> {
    let (rollup, folder) = (rollup().await?, tempfile::tempdir()?);
    let start = |daily_limit: Option<u128>| {
        let sequencing = rollup.sequencer_config().map(|mut sequencing| {
            if let Some(limit) = daily_limit {
                sequencing.submitter.daily_limit = limit;
            }
            sequencing
        });
        let config =
            sequencing.map(|sequencing| rollup.config(Role::Sequencer(Box::new(sequencing))));
        let data_dir = Some(folder.path().to_owned());
        async move {
            let mut config = config?;
            config.data_dir = data_dir;
            Ok::<_, eyre::Report>(RollupNode::start(config).await?)
        }
    };
    let spent =
        |node: &RollupNode| node.status().submitter.map_or(0, |submitter| submitter.spent_today);
    let node = start(None).await?;
    let alice = Key::named("alice");
    let send = async |node: &RollupNode, nonce| -> Result<()> {
        let transfer = one_wei(&alice, nonce, TO);
        let _ = provider_of(node)?.send_raw_transaction(&transfer.encoded_2718()).await?;
        Ok(())
    };
    send(&node, 0).await?;
    until("a posted block", &node, || async {
        Ok(node.status().safe_head.number > 0 && spent(&node) > 0)
    })
    .await?;
    node.stop().await;

    let node = start(None).await?;
    until_status("the role", &node, |status| status.submitter.is_some()).await?;
    let before = spent(&node);
    ensure!(before > 0, "the daily limit restarts with the process");
    node.stop().await;
    // With a limit equal to the earlier spending, the next blocks cannot be posted.
    let node = start(Some(before)).await?;
    send(&node, 1).await?;
    until_fault(&node, "day").await?;
    node.stop().await;
    let node = start(None).await?;
    until("the next block on L1", &node, || async {
        let status = node.status();
        let is_there = status.safe_head == status.unsafe_head && status.safe_head.number > 1;
        Ok(is_there && spent(&node) > before)
    })
    .await?;
    node.stop().await;
    Ok(())
}
