//! A follower drives ethrex by the Engine API, over multiple L1 reorgs.

use crate::{
    engine_api::{COUNTER, assert_equal, follower, hash_at, head_of, send},
    support::{
        DevnetRollup, ethrex, is_settled, provider_of, signed, until, until_included,
        until_posted_balance, until_settled,
    },
};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::{Filter, TransactionRequest};
use contracts::Deployment;
use eyre::{OptionExt as _, Result, ensure};
use testkit::{ETHER, FORCED_GAS, Key};

/// Minimum number of blocks that both clients must share.
const BLOCKS: u64 = 200;
/// Number of L1 reorgs.
const REORGANISATIONS: u64 = 5;
/// Number of L1 blocks that each reorg replaces.
const DEPTH: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn driven_ethrex_has_equal_blocks_across_l1_reorgs() -> Result<()> {
    let Some(program) = ethrex::program("a common chain with ethrex") else {
        return Ok(());
    };
    let rollup = DevnetRollup::new().await?;
    let genesis = Deployment::read(&rollup.deployment())?.genesis;
    let theirs = ethrex::start(&program, &genesis).await?;
    let sequencer = rollup.sequencer().await?;
    let driver = follower(&rollup, &sequencer, theirs.driven()?).await?;
    let (l2, users) = (provider_of(&sequencer)?, theirs.provider()?);
    assert_eq!(hash_at(&users, 0).await?, hash_at(&l2, 0).await?);

    let (alice, dave, carol) =
        (Key::named("alice"), Key::named("dave"), Address::repeat_byte(0xca));
    let bob = Address::repeat_byte(0xb0);
    let arrived = async |account: Address, wei: u128| {
        until_posted_balance("a deposit", &sequencer, account, U256::from(wei)).await
    };
    for account in [alice.address(), dave.address()] {
        rollup.deposit(account, U256::from(5 * ETHER)).await?;
        arrived(account, 5 * ETHER).await?;
    }
    let deployed = send(&l2, &alice, TxKind::Create, 0, COUNTER.into()).await?;
    let counter = deployed.contract_address.ok_or_eyre("not deployed")?;
    let (mut calls, mut replaced) = (0_u64, 0_u64);
    for round in 1..=REORGANISATIONS {
        while l2.get_block_number().await? < round * BLOCKS / REORGANISATIONS {
            send(&l2, &alice, TxKind::Call(bob), 1, Bytes::new()).await?;
            calls += 1;
            let topic = B256::from(U256::from(calls));
            send(&l2, &alice, TxKind::Call(counter), 0, topic.into()).await?;
        }
        // A forced transaction, which was not sent to the sequencer.
        let raw = signed(&l2, &dave, bob, 7, Bytes::new(), FORCED_GAS).await?.encoded_2718();
        rollup.force(raw).await?;
        until("the forced transaction", &sequencer, || async {
            Ok(l2.get_transaction_count(dave.address()).await? == round && is_settled(&sequencer))
        })
        .await?;

        // A reorg replaces the latest L1 blocks with their deposit; another deposit follows.
        rollup.provider.anvil_mine(Some(DEPTH), None).await?;
        let earlier = u128::from(round - 1) * 2 * ETHER;
        rollup.deposit(carol, U256::from(ETHER)).await?;
        arrived(carol, earlier + ETHER).await?;
        let sent = send(&l2, &alice, TxKind::Call(bob), 1, Bytes::new()).await?;
        until_settled("L1", &sequencer).await?;
        let before = head_of(&sequencer);
        theirs.until_at(before.hash).await?;
        rollup.reorg(DEPTH).await?;
        rollup.deposit(carol, U256::from(2 * ETHER)).await?;
        arrived(carol, earlier + 2 * ETHER).await?;
        // The acknowledged transaction is included again.
        until_included("the transaction", &sequencer, sent.transaction_hash).await?;
        ensure!(
            hash_at(&l2, before.header.number).await.ok() != Some(before.hash),
            "block {} is not replaced",
            before.header.number
        );
        replaced += 1;
        theirs.until_at(head_of(&sequencer).hash).await?;
    }
    assert_eq!(replaced, REORGANISATIONS);
    let common = assert_equal(&l2, &users).await?;
    assert!(common >= BLOCKS, "{common} blocks");

    // Both clients return the same responses to users.
    for account in [alice.address(), bob, carol, dave.address()] {
        assert_eq!(users.get_balance(account).await?, l2.get_balance(account).await?, "{account}");
    }
    assert_eq!(users.get_code_at(counter).await?, l2.get_code_at(counter).await?);
    let call = TransactionRequest::default().to(counter);
    let count = U256::from_be_slice(&users.call(call).latest().await?);
    assert_eq!(count, U256::from(calls + 1));
    let logs = users.get_logs(&Filter::new().address(counter).from_block(0)).await?;
    assert_eq!(logs.len() as u64, calls);
    let driven = driver.status().driven.ok_or_eyre("no client is driven")?;
    assert_eq!((driven.number, driven.fault), (common, None));
    println!("{common} blocks in common with ethrex, {replaced} reorganisations");
    driver.stop().await;
    sequencer.stop().await;
    Ok(())
}
