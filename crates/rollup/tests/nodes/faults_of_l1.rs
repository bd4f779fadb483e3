//! An L1 with reorgs, time jumps, forged responses or outages.

use crate::support::{
    self, DevnetRollup, Setup, provider_of, refusal, signed, submit, until, until_balance,
    until_fault, until_included, until_posted_balance, until_status,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider, ext::AnvilApi};
use alloy_rpc_types_eth::Header;
use enshrine_rollup::{L1Error, Role, RollupError, RollupNode};
use eyre::{OptionExt, Result};
use serde_json::Value;
use std::time::Duration;
use testkit::{ETHER, Interception, Key, rich};

#[tokio::test(flavor = "multi_thread")]
async fn deposits_are_relayed_once_after_l1_reorgs() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let follower = rollup.follower(None).await?;
    let alice = Key::named("alice").address();
    let l2 = provider_of(&sequencer)?;
    let mut sent = U256::ZERO;
    // Keeps the deployment below the deepest reorg.
    rollup.provider.anvil_mine(Some(64), None).await?;
    for depth in [1_u64, 3, 8, 64] {
        for _ in 0..3 {
            rollup.deposit(alice, U256::from(ETHER)).await?;
        }
        sent += U256::from(3 * ETHER);
        until("deposits", &sequencer, || async {
            Ok(l2.get_balance(alice).await? == sent
                && sequencer.status().safe_head.number == sequencer.status().unsafe_head.number)
        })
        .await?;
        // The latest L1 blocks are replaced by empty ones, so their deposits are gone. The next
        // round deposits again.
        let removed = deposits_in_last(&rollup, depth).await?;
        rollup.reorg(depth).await?;
        sent -= U256::from(u128::from(removed) * ETHER);
        until("the remaining deposits", &sequencer, || async {
            Ok(l2.get_balance(alice).await? == sent
                && sequencer.status().safe_head.number == sequencer.status().unsafe_head.number)
        })
        .await?;
    }
    until_status("the follower", &follower, |status| {
        status.unsafe_head == sequencer.status().unsafe_head
    })
    .await?;
    assert_eq!(provider_of(&follower)?.get_balance(alice).await?, sent);
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// Returns the number of deposits in the latest `depth` L1 blocks.
async fn deposits_in_last(rollup: &DevnetRollup, depth: u64) -> Result<u64> {
    let head = rollup.provider.get_block_number().await?;
    let filter = alloy_rpc_types_eth::Filter::new()
        .address(rollup.message_queue)
        .from_block(head + 1 - depth)
        .to_block(head);
    Ok(rollup.provider.get_logs(&filter).await?.len() as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_blocks_are_rebuilt_with_their_transactions() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    // The blocks wait until they are too old for the rollup contract.
    proxy.intercept(|request| {
        request.contains("eth_sendRawTransaction").then(|| refusal(request, "not now"))
    });
    let sequencer = RollupNode::start(config).await?;
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let l2 = provider_of(&sequencer)?;
    rollup.deposit_on(&sequencer, alice.address(), U256::from(5 * ETHER)).await?;
    let transfer = signed(&l2, &alice, bob, ETHER, Bytes::new(), 21_000).await?;
    let hash = submit(&l2, &transfer).await?;
    until("the transfer", &sequencer, || async { Ok(l2.get_balance(bob).await? > U256::ZERO) })
        .await?;
    let first = l2.get_transaction_receipt(hash).await?.and_then(|receipt| receipt.block_hash);
    assert!(sequencer.status().safe_head.number < sequencer.status().unsafe_head.number);

    // Two hours pass on L1; the maximum lag is one hour.
    rollup.provider.anvil_increase_time(7_200).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    proxy.honest();
    until("blocks of the new time", &sequencer, || async {
        let receipt = l2.get_transaction_receipt(hash).await?;
        let number = receipt.as_ref().and_then(|receipt| receipt.block_number);
        let other = receipt.and_then(|receipt| receipt.block_hash) != first;
        Ok(other && number.is_some_and(|number| sequencer.status().safe_head.number >= number))
    })
    .await?;
    assert_eq!(l2.get_balance(bob).await?, U256::from(ETHER));
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_l1_answers_are_not_acted_upon() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let sequencer = RollupNode::start(config).await?;
    let (alice, mallory) = (Address::repeat_byte(0xa1), Address::repeat_byte(0xbb));
    let l2 = provider_of(&sequencer)?;

    // The receipts contain another account.
    proxy.set(|request, response| {
        let lies = request.contains("eth_getBlockReceipts");
        Some(if lies { response.replace(&"a1".repeat(20), &"bb".repeat(20)) } else { response })
    });
    rollup.deposit(alice, U256::from(ETHER)).await?;
    until_fault(&sequencer, "receipts root").await?;
    assert_eq!(sequencer.status().unsafe_head.number, 0);

    // Headers do not match their hashes.
    proxy.set(|request, response| {
        let lies = request.contains("eth_getBlockByNumber");
        Some(if lies {
            response.replace("\"gasUsed\":\"0x", "\"gasUsed\":\"0x1")
        } else {
            response
        })
    });
    until_fault(&sequencer, "block hash").await?;

    // The L1 node does not respond.
    proxy.set(|_, _| None);
    until_status("silence", &sequencer, |status| {
        status.fault.is_some_and(|fault| !fault.contains("lies"))
    })
    .await?;

    let health = format!("http://{}/health", sequencer.server().addresses()[0]);
    assert_eq!(reqwest::get(&health).await?.status(), 503);

    // The responses are correct again.
    proxy.set(|_, response| Some(response));
    until_balance("the deposit", &sequencer, alice, U256::from(ETHER)).await?;
    assert_eq!(l2.get_balance(mallory).await?, U256::ZERO);
    until("health", &sequencer, || async { Ok(reqwest::get(&health).await?.status() == 200) })
        .await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_node_posts_block_sealed_before_restart() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let folder = tempfile::tempdir()?;
    let mut patient = rollup.sequencer_config()?;
    patient.submit_interval = Duration::from_secs(3_600);
    let mut config = rollup.config(Role::Sequencer(Box::new(patient)));
    config.data_dir = Some(folder.path().join("data"));
    let sequencer = RollupNode::start(config.clone()).await?;
    let alice = Address::repeat_byte(0xa1);
    rollup.deposit_on(&sequencer, alice, U256::from(ETHER)).await?;
    let head = sequencer.status().unsafe_head;
    assert_eq!(sequencer.status().safe_head.number, 0);
    sequencer.stop().await;

    // The block was stored, and is posted now.
    config.role = rollup.sequencer_role()?;
    let sequencer = RollupNode::start(config).await?;
    assert_eq!(sequencer.status().unsafe_head, head);
    until_status("the block on L1", &sequencer, |status| status.safe_head == head).await?;
    sequencer.stop().await;
    Ok(())
}

/// A start waits for an unreachable L1, and fails on an L1 with another chain id.
#[tokio::test(flavor = "multi_thread")]
async fn start_waits_for_its_own_l1_only() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    let (sender, questions) = std::sync::mpsc::channel();
    proxy.set(move |_, _| {
        let _ = sender.send(());
        None
    });
    let starting = tokio::spawn(RollupNode::start(config.clone()));
    // More attempts than the client makes for one request.
    let patient = move |_| questions.recv_timeout(support::PATIENCE).map(drop);
    tokio::task::spawn_blocking(move || (0..7).try_for_each(patient)).await??;
    assert!(!starting.is_finished());
    proxy.set(|_, response| Some(response));
    let follower = tokio::time::timeout(support::PATIENCE, starting).await???;
    let sequencer = rollup.sequencer().await?;
    rollup.deposit(Key::named("alice").address(), U256::from(ETHER)).await?;
    until_status("the deposit", &follower, |status| status.safe_head.number > 0).await?;
    sequencer.stop().await;
    follower.stop().await;

    // Waiting does not help if the L1 has another chain id, so the start fails.
    proxy.set(|request, response| {
        let lies = request.contains("eth_chainId");
        Some(if lies { response.replace("\"result\":\"0x", "\"result\":\"0x1") } else { response })
    });
    let refused = tokio::time::timeout(support::PATIENCE, RollupNode::start(config)).await?;
    assert!(matches!(refused, Err(RollupError::L1(L1Error::OtherL1 { .. }))), "{refused:?}");
    Ok(())
}

/// Users and monitors must see the fault long before a request to L1 times out.
#[tokio::test(flavor = "multi_thread")]
async fn l1_silent_since_the_start_is_a_fault() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, mut config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    config.l1_timeout = Duration::from_secs(30);
    // The start's requests are answered, but reading L1 afterwards is not.
    proxy.intercept(|request| request.contains("\"finalized\"").then_some(Interception::Silence));
    let sequencer = RollupNode::start(config).await?;
    until_fault(&sequencer, "has not read it since its start").await?;
    proxy.honest();
    until_status("L1", &sequencer, |status| status.synced && status.fault.is_none()).await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn node_stops_while_l1_hangs() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, mut config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    config.l1_timeout = Duration::from_secs(600);
    let sequencer = RollupNode::start(config).await?;
    let (sender, hangs) = std::sync::mpsc::channel();
    proxy.set(move |_, _| {
        let _ = sender.send(());
        std::thread::sleep(Duration::from_secs(600));
        None
    });
    tokio::task::spawn_blocking(move || hangs.recv()).await??;
    // Far less than the timeout of a request to L1.
    tokio::time::timeout(support::PATIENCE, sequencer.stop()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_clock_years_off_is_followed() -> Result<()> {
    for start in [1_000_000_000, 4_000_000_000] {
        let rollup = Setup::new().on(|l1| l1.timestamp(start)).deploy().await?;
        let sequencer = rollup.sequencer().await?;
        let alice = Key::named("alice").address();
        let l2 = provider_of(&sequencer)?;
        rollup.deposit(alice, U256::from(ETHER)).await?;
        until_posted_balance("the deposit on L1", &sequencer, alice, U256::from(ETHER)).await?;
        let head = l2.get_block_by_number(alloy_eips::BlockNumberOrTag::Latest).await?;
        let time = head.map_or(0, |head| head.header.timestamp);
        assert!((start..start + 3_600).contains(&time), "{time}");
        sequencer.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn node_recovers_after_hour_and_day_without_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let sequencer = RollupNode::start(config).await?;
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let l2 = provider_of(&sequencer)?;
    rollup.deposit_on(&sequencer, alice.address(), U256::from(5 * ETHER)).await?;
    let connected = rollup.follower(Some(&sequencer)).await?;
    let mut sent = 0;
    for hours in [1, 24] {
        // L1 is slow and rejects all transactions, and then it does not respond at all.
        proxy.intercept(|request| {
            request.contains("eth_sendRawTransaction").then_some(Interception::Refused(503))
        });
        proxy.set(|_, response| {
            std::thread::sleep(Duration::from_millis(100));
            Some(response)
        });
        let before = submit(&l2, &signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?).await?;
        until_included("a block over a slow L1", &sequencer, before).await?;
        let made = l2.get_transaction_receipt(before).await?.and_then(|receipt| receipt.block_hash);
        proxy.set(|_, _| None);
        until_status("silence", &sequencer, |status| status.fault.is_some()).await?;
        // Users still send transactions, and one deposits.
        let during = submit(&l2, &signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?).await?;
        rollup.deposit(bob, U256::from(ETHER)).await?;
        rollup.provider.anvil_increase_time(hours * 3_600).await?;
        rollup.provider.anvil_mine(Some(1), None).await?;
        proxy.honest();
        until("both transactions on L1", &sequencer, || async {
            let safe = sequencer.status().safe_head.number;
            let mut all = true;
            for hash in [before, during] {
                let receipt = l2.get_transaction_receipt(hash).await?;
                all &= receipt
                    .and_then(|receipt| receipt.block_number)
                    .is_some_and(|number| number <= safe);
            }
            Ok(all)
        })
        .await?;
        // The block had become too old for L1, so it was rebuilt.
        let again =
            l2.get_transaction_receipt(before).await?.and_then(|receipt| receipt.block_hash);
        assert_ne!(again, made);
        sent += 2;
        until_balance(
            "the deposit",
            &sequencer,
            bob,
            U256::from(sent) + U256::from(ETHER) * U256::from(sent / 2),
        )
        .await?;
    }
    // A follower from the beginning and a new one agree with the sequencer.
    for follower in [connected, rollup.follower(None).await?] {
        until("the follower", &follower, || async {
            let (ours, theirs) = (sequencer.status(), follower.status());
            Ok(theirs.safe_head == ours.safe_head && theirs.unsafe_head == ours.unsafe_head)
        })
        .await?;
        follower.stop().await;
    }
    sequencer.stop().await;
    Ok(())
}

/// Starts a sequencer, has L1 include a block after a time jump of `by` seconds, and reverts L1 to
/// before the jump. Also returns the hash of the transaction in the block.
async fn ahead_of_l1(by: u64) -> Result<(DevnetRollup, RollupNode, B256)> {
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let sequencer = rollup.sequencer().await?;
    let l2 = provider_of(&sequencer)?;
    let snapshot: U256 = rollup.provider.raw_request("evm_snapshot".into(), ()).await?;
    rollup.provider.anvil_increase_time(by).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let transfer = signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?;
    let hash = submit(&l2, &transfer).await?;
    until_status("the transfer on L1", &sequencer, |status| {
        status.safe_head.number > 0 && status.safe_head == status.unsafe_head
    })
    .await?;
    let back: bool = rollup.provider.raw_request("evm_revert".into(), (snapshot,)).await?;
    assert!(back);
    rollup.provider.anvil_mine(Some(1), None).await?;
    let health = format!("http://{}/health", sequencer.server().addresses()[0]);
    until("a fault about L1's time", &sequencer, || async {
        let fault = sequencer.status().fault.unwrap_or_default();
        Ok(fault.contains("L1's time was set back") && reqwest::get(&health).await?.status() == 503)
    })
    .await?;
    Ok((rollup, sequencer, hash))
}

/// Waits until a transaction is on L1 and the node has no fault; returns its block.
async fn settled(sequencer: &RollupNode, transaction: B256) -> Result<Header> {
    let l2 = provider_of(sequencer)?;
    let health = format!("http://{}/health", sequencer.server().addresses()[0]);
    until("the transaction on L1", sequencer, || async {
        let number =
            l2.get_transaction_receipt(transaction).await?.and_then(|receipt| receipt.block_number);
        Ok(number.is_some_and(|number| sequencer.status().safe_head.number >= number)
            && reqwest::get(&health).await?.status() == 200)
    })
    .await?;
    let number =
        l2.get_transaction_receipt(transaction).await?.and_then(|receipt| receipt.block_number);
    let block = l2.get_block_by_number(number.unwrap_or_default().into()).await?;
    Ok(block.ok_or_eyre("no block")?.header)
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_rewind_of_an_hour_rebuilds_blocks() -> Result<()> {
    let (rollup, sequencer, transaction) = ahead_of_l1(3_600).await?;
    let made = sequencer.status().unsafe_head.hash;
    let block = settled(&sequencer, transaction).await?;
    assert_ne!(block.hash, made);
    let l1 =
        rollup.provider.get_block_by_number(Default::default()).await?.ok_or_eyre("no head")?;
    assert!(block.timestamp <= l1.header.timestamp);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_l1_recovery_keeps_blocks() -> Result<()> {
    let (rollup, sequencer, transaction) = ahead_of_l1(3_600).await?;
    let made = sequencer.status().unsafe_head.hash;
    rollup.provider.anvil_increase_time(3_610).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    assert_eq!(settled(&sequencer, transaction).await?.hash, made);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deposits_arrive_after_l1_clock_is_set_back() -> Result<()> {
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let sequencer = rollup.sequencer().await?;
    let l2 = provider_of(&sequencer)?;
    let bob = Address::repeat_byte(0xb0);
    // The L2's time is current, while L1's latest block is ten minutes older.
    rollup.provider.anvil_increase_time(600).await?;
    let hash = submit(&l2, &signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?).await?;
    until_balance("a block", &sequencer, bob, U256::ONE).await?;
    settled(&sequencer, hash).await?;
    let head = rollup.provider.get_block_by_number(Default::default()).await?;
    let time = head.ok_or_eyre("no head")?.header.timestamp;
    rollup.provider.raw_request::<_, Value>("evm_setTime".into(), (time - 3_600,)).await?;
    rollup.deposit(bob, U256::from(ETHER)).await?;
    until_posted_balance("the deposit on L1", &sequencer, bob, U256::from(ETHER + 1)).await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_misses_nothing_when_l1_reads_fail() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let alice = Key::named("alice").address();
    for count in 1..=6_u128 {
        rollup.deposit(alice, U256::from(ETHER)).await?;
        until_posted_balance("a block on L1", &sequencer, alice, U256::from(count * ETHER)).await?;
    }
    let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    // Most of the receipts requests get no response, so that L1 polls fail halfway.
    let reads = std::sync::atomic::AtomicUsize::new(0);
    proxy.set(move |request, response| {
        let is_read = request.contains("eth_getBlockReceipts");
        let number = reads.fetch_add(is_read.into(), std::sync::atomic::Ordering::SeqCst);
        (!is_read || number % 9 < 4).then_some(response)
    });
    let follower = RollupNode::start(config).await?;
    until_status("the follower", &follower, |status| {
        status.safe_head == sequencer.status().safe_head
    })
    .await?;
    assert_eq!(provider_of(&follower)?.get_balance(alice).await?, U256::from(6 * ETHER));
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn long_l1_response_is_truncated_in_status() -> Result<()> {
    const LONG: usize = 10 << 20;
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    let node = RollupNode::start(config).await?;
    support::until_synced(&node).await?;
    proxy.intercept(|request| {
        let long = || support::json_response(request, "x".repeat(LONG));
        request.contains("eth_getBlockByNumber").then(long)
    });
    until_fault(&node, "xxx").await?;
    let fault = node.status().fault.unwrap_or_default();
    assert!(fault.len() < 1_000, "{} bytes", fault.len());
    assert!(fault.contains("more bytes"), "{fault}");
    let health = format!("http://{}/health", node.server().addresses()[0]);
    let health = reqwest::get(&health).await?.text().await?;
    assert!(health.contains("xxx") && health.len() < 3_000, "{} bytes", health.len());
    let status: Value =
        provider_of(&node)?.raw_request("rollup_syncStatus".into(), Vec::<()>::new()).await?;
    assert!(status["fault"].as_str().is_some_and(|text| text.len() < 1_000));
    proxy.honest();
    until_status("recovery", &node, |status| status.fault.is_none()).await?;
    node.stop().await;
    Ok(())
}
