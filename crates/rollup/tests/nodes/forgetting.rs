//! Pruning of old L1 history, and the responses about it.

use crate::support::{
    DevnetRollup, is_settled, provider_of, signed, signed_with, until, until_status,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider, RootProvider, ext::AnvilApi};
use alloy_sol_types::SolCall as _;
use contracts::bindings::IL1MessageQueue;
use enshrine_rollup::RollupNode;
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use testkit::{ETHER, FORCED_GAS, Key};

/// Number of deposits to accounts that accept them.
const DEPOSITS: u64 = 40;

async fn state(l2: &RootProvider, index: u64) -> Result<String> {
    let message: Value = l2.raw_request("rollup_getMessage".into(), ("l1ToL2", index)).await?;
    message["state"].as_str().map(str::to_owned).ok_or_eyre("no such message")
}

async fn forced(l2: &RootProvider, index: u64) -> Result<Value> {
    let found: Value = l2.raw_request("rollup_getForced".into(), (index,)).await?;
    ensure!(!found.is_null(), "no such transaction");
    Ok(found)
}

async fn held_after(node: &RollupNode, rollup: &DevnetRollup, blocks: u64) -> Result<u64> {
    rollup.provider.anvil_mine(Some(blocks), Some(0)).await?;
    let head = rollup.provider.get_block_number().await?;
    until_status("all of L1", node, |status| {
        status.l1_head.is_some_and(|l1| l1.number >= head) && status.synced
    })
    .await?;
    Ok(node.status().l1_entries)
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_l1_history_is_pruned_but_status_remains() -> Result<()> {
    // PUSH0, PUSH0, REVERT: a message to this account fails, and the messenger keeps it.
    let refuses = Address::repeat_byte(0xbd);
    let code = Some(Bytes::from_static(&[0x5f, 0x5f, 0xfd]));
    let account = GenesisAccount { code, ..Default::default() };
    let rollup = DevnetRollup::with(vec![(refuses, account)]).await?;
    let sequencer = rollup.sequencer().await?;
    let follower = rollup.follower(None).await?;
    let (l2, alice) = (provider_of(&sequencer)?, Key::named("alice"));
    rollup.deposit(alice.address(), U256::from(ETHER)).await?;
    for _ in 1..DEPOSITS {
        rollup.deposit(Address::repeat_byte(7), U256::ONE).await?;
    }
    let refund_to = alice.address();
    let fails = IL1MessageQueue::sendCall {
        to: refuses,
        refundTo: refund_to,
        gasLimit: 50_000,
        fee: 0,
        data: Bytes::new(),
    };
    rollup.l1_call(rollup.message_queue, U256::from(5), fails.abi_encode()).await?;
    until("the messages", &sequencer, || async {
        Ok(state(&l2, DEPOSITS).await.is_ok_and(|state| state == "failed")
            && is_settled(&sequencer))
    })
    .await?;
    let transaction =
        signed(&l2, &alice, Address::repeat_byte(2), 1, Bytes::new(), FORCED_GAS).await?;
    rollup.force(transaction.encoded_2718()).await?;
    until("the forced transaction", &sequencer, || async {
        Ok(forced(&l2, 0).await.is_ok_and(|forced| forced["outcome"] == "included")
            && is_settled(&sequencer))
    })
    .await?;
    let before = forced(&l2, 0).await?;
    assert_eq!(before["hash"], transaction.hash().to_string());

    // A reorg could still remove all of it, so the node keeps all of it.
    assert!(held_after(&sequencer, &rollup, 900).await? >= DEPOSITS, "{:?}", sequencer.status());
    for node in [&sequencer, &follower] {
        // Beyond the maximum reorg depth. Only the failed message is kept.
        let mut entries = held_after(node, &rollup, 300).await?;
        until("the pruning", node, || {
            entries = node.status().l1_entries;
            async move { Ok(entries <= 8) }
        })
        .await?;
        let l2 = provider_of(node)?;
        for index in [0, 1, DEPOSITS - 1] {
            assert_eq!(state(&l2, index).await?, "relayed", "{index}");
        }
        assert_eq!(state(&l2, DEPOSITS).await?, "failed");
        assert!(state(&l2, DEPOSITS + 1).await.is_err(), "no such message was sent");
        let forced_before = forced(&l2, 0).await?;
        assert_eq!(forced_before["outcome"], "included");
        assert_eq!(forced_before["hash"], before["hash"]);
        assert!(forced(&l2, 1).await.is_err(), "no such transaction was submitted");
    }

    // New messages, forced transactions and blocks after the pruned history are processed.
    rollup.deposit(alice.address(), U256::from(ETHER)).await?;
    let forces = signed_with(
        &alice,
        l2.get_transaction_count(alice.address()).await?,
        Address::repeat_byte(3),
        1,
        Bytes::new(),
        FORCED_GAS,
    );
    rollup.force(forces.encoded_2718()).await?;
    for node in [&sequencer, &follower] {
        let l2 = provider_of(node)?;
        until("the new message and transaction", node, || async {
            let is_discharged =
                forced(&l2, 1).await.is_ok_and(|forced| forced["outcome"] == "included");
            let is_relayed = state(&l2, DEPOSITS + 1).await.is_ok_and(|state| state == "relayed");
            Ok(is_discharged && is_relayed && is_settled(node))
        })
        .await?;
    }
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}
