//! Posting of blocks to an L1 that does not include them at once.

use crate::support::{
    self, DevnetRollup, json_response, provider_of, refusal, signed, signed_with, submit, until,
    until_balance, until_fault, until_nonce, until_status,
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider, ext::AnvilApi};
use enshrine_rollup::{Role, RollupNode, Signer, SubmitterConfig};
use eyre::{OptionExt as _, Result};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::{ETHER, GWEI, Key, Proxy, rich};

/// Returns the transaction if a request is `eth_sendRawTransaction`.
fn raw_transaction(request: &str) -> Option<TxEnvelope> {
    let (_, raw) = request.split_once("eth_sendRawTransaction")?;
    let raw = &raw[raw.find("0x")?..];
    let raw = alloy_primitives::hex::decode(&raw[..raw.find('"')?]).ok()?;
    TxEnvelope::decode_2718_exact(&raw).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_transaction_is_bumped_up_to_fee_limit() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    let mut config = rollup.sequencer_config()?;
    let cap = 8 * GWEI;
    config.submitter = SubmitterConfig { max_fee: cap, bump_after: 2, ..config.submitter };
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    // The L1 node accepts all transactions, and L1 includes none of them.
    let sent = Arc::<Mutex<Vec<TxEnvelope>>>::default();
    let recorded = Arc::clone(&sent);
    proxy.intercept(move |request| {
        let transaction = raw_transaction(request)?;
        let hash = *transaction.tx_hash();
        recorded.lock().ok()?.push(transaction);
        Some(json_response(request, hash))
    });
    let sequencer = RollupNode::start(config).await?;
    let count = || sent.lock().map_or(0, |sent| sent.len());
    until("a transaction for L1", &sequencer, || async { Ok(count() > 0) }).await?;

    // More L1 blocks than the bumps need to reach the limit.
    for _ in 0..40 {
        let before = count();
        rollup.provider.anvil_mine(Some(1), None).await?;
        until("a resend", &sequencer, || async { Ok(count() > before) }).await?;
    }
    let all = sent.lock().map_or_else(|_| Vec::new(), |sent| sent.clone());
    for tx in &all {
        assert_eq!((tx.nonce(), tx.input()), (all[0].nonce(), all[0].input()));
        assert!(tx.max_fee_per_gas() <= cap);
    }
    let mut offered: Vec<_> = all
        .iter()
        .map(|tx| (tx.max_fee_per_gas(), tx.max_priority_fee_per_gas().unwrap_or_default()))
        .collect();
    offered.dedup();
    // Pools require 10 % more of both fees for a replacement.
    let is_dearer = |pair: &[(u128, u128)]| {
        pair[1].0 * 10 >= pair[0].0 * 11 && pair[1].1 * 10 >= pair[0].1 * 11
    };
    assert!(offered.len() > 3 && offered.windows(2).all(is_dearer), "{offered:?}");
    // The limit allows no further replacement.
    let (last, _) = offered.last().ok_or_eyre("nothing was offered")?;
    assert!(last * 115 / 100 > cap, "{offered:?}");

    proxy.honest();
    rollup.provider.anvil_mine(Some(1), None).await?;
    until_status("its inclusion on L1", &sequencer, |status| status.safe_head.number > 0).await?;
    sequencer.stop().await;
    Ok(())
}

/// Has the L1 node reject transactions whose maximum cost exceeds `percent` of the first one's, as
/// geth does with `--rpc.txfeecap`. Some nodes report the exact cap, and some round it. Returns the
/// maximum costs of all attempts.
fn cap_fees(proxy: &Proxy, percent: u128, is_exact: bool) -> Arc<Mutex<Vec<u128>>> {
    let offered = Arc::<Mutex<Vec<u128>>>::default();
    let recorded = Arc::clone(&offered);
    proxy.intercept(move |request| {
        let transaction = raw_transaction(request)?;
        let cost = transaction.max_fee_per_gas() * u128::from(transaction.gas_limit());
        let mut recorded = recorded.lock().ok()?;
        recorded.push(cost);
        let cap = recorded[0] * percent / 100;
        let ether = |wei: u128| wei as f64 / 1e18;
        let named = if is_exact { ether(cap).to_string() } else { format!("{:.2}", ether(cap)) };
        let message =
            format!("tx fee ({:.2} ether) exceeds the configured cap ({named} ether)", ether(cost));
        (cost > cap).then(|| refusal(request, &message))
    });
    offered
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_are_lowered_below_l1_node_cap() -> Result<()> {
    for (is_exact, refusals) in [(true, 1), (false, 2)] {
        let rollup = DevnetRollup::new().await?;
        let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
        // Below the first offer, and above L1's price.
        let offered = cap_fees(&proxy, 80, is_exact);
        let sequencer = RollupNode::start(config).await?;
        rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
        until_status("L1", &sequencer, |status| status.safe_head.number > 0).await?;
        let offered = offered.lock().map_or_else(|_| Vec::new(), |offered| offered.clone());
        let refused = offered.iter().filter(|cost| **cost > offered[0] * 80 / 100).count();
        assert_eq!(refused, refusals, "{offered:?}");
        sequencer.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn node_with_too_low_cap_is_skipped() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, mut config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let offered = cap_fees(&proxy, 1, true);
    config.l1.push(rollup.l1.endpoint());
    let sequencer = RollupNode::start(config).await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0 && status.fault.is_none())
        .await?;
    let offered = offered.lock().map_or_else(|_| Vec::new(), |offered| offered.clone());
    assert!((1..=2).contains(&offered.len()), "{offered:?}");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn too_low_cap_is_a_fault_until_raised() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    cap_fees(&proxy, 1, true);
    let sequencer = RollupNode::start(config).await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    until_fault(&sequencer, "--rpc.txfeecap").await?;
    proxy.honest();
    // The submitter forgets the cap after some L1 blocks.
    rollup.provider.anvil_mine(Some(60), None).await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0 && status.fault.is_none())
        .await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_spending_limit_sends_nothing_and_reports_fault() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let mut config = rollup.sequencer_config()?;
    let account = config.advance_key.address();
    config.submitter.daily_limit = 1;
    let sequencer = rollup.start(config).await?;
    let alice = Address::repeat_byte(0xa1);
    rollup.deposit(alice, U256::from(ETHER)).await?;
    until_fault(&sequencer, "limit").await?;
    assert_eq!(rollup.provider.get_transaction_count(account).await?, 0);
    // The L2 continues. With a higher limit, posting continues too.
    let l2 = provider_of(&sequencer)?;
    assert_eq!(l2.get_balance(alice).await?, U256::from(ETHER));
    assert_eq!(sequencer.status().safe_head.number, 0);
    sequencer.stop().await;
    let sequencer = rollup.sequencer().await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0).await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_without_ether_is_a_fault() -> Result<()> {
    let (alice, poor) = (Key::named("alice"), Key::named("poor"));
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let mut config = rollup.sequencer_config()?;
    config.operator_key = Signer::new("operator_key", poor.secret())?;
    let sequencer = rollup.start(config).await?;
    let (l2, bob) = (provider_of(&sequencer)?, Address::repeat_byte(0xb0));
    let send = async |nonce, to, value| {
        let transfer = signed_with(&alice, nonce, to, value, Bytes::new(), 21_000);
        submit(&l2, &transfer).await?;
        until_nonce("the transfer", &sequencer, alice.address(), nonce + 1).await
    };
    rollup.deposit(bob, U256::ONE).await?;
    send(0, bob, 1).await?;
    let url = format!("http://{}", sequencer.server().addresses()[0]);
    until_fault(&sequencer, "the L2 rejects the operator's transactions").await?;
    assert_eq!(reqwest::get(format!("{url}/health")).await?.status(), 503);
    assert_eq!(l2.get_balance(bob).await?, U256::ONE, "without the operator nothing is relayed");

    send(1, poor.address(), ETHER / 10).await?;
    until("the deposit", &sequencer, || async {
        let has_fault = sequencer.status().fault.is_some();
        Ok(l2.get_balance(bob).await? == U256::from(2) && !has_fault)
    })
    .await?;
    let metrics = reqwest::get(format!("{url}/metrics")).await?.text().await?;
    let line = metrics.lines().find(|line| line.starts_with("enshrine_rollup_operator_balance"));
    let gwei = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    assert!(gwei.is_some_and(|gwei| gwei > 9e7 && gwei <= 1e8), "{line:?}");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn posting_fault_persists_until_posting_resumes() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let config = rollup.sequencer_config()?;
    let account = config.advance_key.address();
    rollup.provider.anvil_set_balance(account, U256::ONE).await?;
    let sequencer = rollup.start(config).await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    until_status("the fault", &sequencer, |status| status.fault.is_some()).await?;
    // Over many iterations of the batcher, most of which do not retry.
    for _ in 0..60 {
        let fault = sequencer.status().fault.ok_or_eyre("no fault is reported")?;
        assert!(fault.contains(&account.to_string()), "{fault}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = format!("http://{}/health", sequencer.server().addresses()[0]);
    assert_eq!(reqwest::get(&url).await?.status(), 503);

    rollup.provider.anvil_set_balance(account, U256::from(ETHER)).await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0 && status.fault.is_none())
        .await?;
    assert_eq!(reqwest::get(&url).await?.status(), 200);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_transaction_is_resent_without_l1_block() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    let mut config = rollup.sequencer_config()?;
    config.submitter.resend_after = Duration::from_millis(500);
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    // The first two are acknowledged, but never reach L1.
    let lost = Arc::<AtomicUsize>::default();
    let recorded = Arc::clone(&lost);
    proxy.intercept(move |request| {
        let is_sent = request.contains("eth_sendRawTransaction");
        (is_sent && recorded.fetch_add(1, Ordering::SeqCst) < 2)
            .then(|| json_response(request, B256::ZERO))
    });
    let sequencer = RollupNode::start(config).await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0).await?;
    assert!(lost.load(Ordering::SeqCst) > 2);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn underpriced_replacement_is_bumped_without_l1_block() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    let mut config = rollup.sequencer_config()?;
    config.submitter.resend_after = Duration::from_millis(300);
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    // The pool has a transaction of an earlier process, which pays more than the first two
    // attempts.
    let offered = Arc::<Mutex<Vec<u128>>>::default();
    let recorded = Arc::clone(&offered);
    proxy.intercept(move |request| {
        let fee = raw_transaction(request)?.max_fee_per_gas();
        let mut offered = recorded.lock().ok()?;
        offered.push(fee);
        let is_less = 4 * fee < 5 * offered[0];
        is_less.then(|| refusal(request, "replacement transaction underpriced"))
    });
    let sequencer = RollupNode::start(config).await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0).await?;
    let mut offered = offered.lock().map_or_else(|_| Vec::new(), |offered| offered.clone());
    offered.dedup();
    assert!(offered.len() >= 3 && offered.is_sorted(), "{offered:?}");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_with_false_nonce_is_resent() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let mut config = rollup.sequencer_config()?;
    config.submitter.resend_after = Duration::from_millis(300);
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    let requests = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&requests);
    proxy.intercept(move |request| {
        let is_count = request.contains("eth_getTransactionCount");
        (is_count && counted.fetch_add(1, Ordering::SeqCst) == 0)
            .then(|| json_response(request, "0x99"))
    });
    let sequencer = RollupNode::start(config).await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0).await?;
    assert!(requests.load(Ordering::SeqCst) > 1, "the nonce was not requested again");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_transactions_survive_restart() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let folder = tempfile::tempdir()?;
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.data_dir = Some(folder.path().join("data"));
    let sequencer = RollupNode::start(config.clone()).await?;
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let l2 = provider_of(&sequencer)?;
    rollup.deposit_on(&sequencer, alice.address(), U256::from(5 * ETHER)).await?;
    // The second transaction is sent first, so its nonce gap keeps it in the pool.
    let first = signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?;
    submit(&l2, &support::signed_with(&alice, 1, bob, 2, Bytes::new(), 21_000)).await?;
    sequencer.stop().await;

    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    assert_eq!(l2.get_transaction_count(alice.address()).await?, 0);
    submit(&l2, &first).await?;
    until_balance("both", &sequencer, bob, U256::from(3)).await?;
    sequencer.stop().await;
    Ok(())
}

/// A restart keeps a transaction that a deposit will fund, and drops one that nothing funds.
#[tokio::test(flavor = "multi_thread")]
async fn restart_keeps_transaction_awaiting_a_deposit() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut sequencing = rollup.sequencer_config()?;
    // Nothing is posted, so the chain exists only on disk.
    sequencing.submitter.daily_limit = 1;
    let mut config = rollup.config(Role::Sequencer(Box::new(sequencing.clone())));
    config.data_dir = Some(data.clone());
    let sequencer = RollupNode::start(config.clone()).await?;
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let l2 = provider_of(&sequencer)?;
    rollup.deposit_on(&sequencer, alice.address(), U256::from(5 * ETHER)).await?;
    let first = support::one_wei(&alice, 0, bob);
    submit(&l2, &first).await?;
    until_balance("the transfer", &sequencer, bob, U256::ONE).await?;
    sequencer.stop().await;

    // The disk loses the chain and keeps the pool, which contains one transaction that will never
    // be funded.
    for entry in std::fs::read_dir(&data)? {
        let path = entry?.path();
        match path.file_name().is_some_and(|name| name == "pool") {
            true => {}
            false if path.is_dir() => std::fs::remove_dir_all(path)?,
            false => std::fs::remove_file(path)?,
        }
    }
    let pauper = Key::named("pauper");
    let unpaid = support::one_wei(&pauper, 0, bob);
    let mut text = std::fs::read(data.join("pool"))?;
    alloy_rlp::Encodable::encode(&Bytes::from(unpaid.encoded_2718()), &mut text);
    std::fs::write(data.join("pool"), text)?;
    // The deposit arrives some L1 blocks after the first block is sealed.
    sequencing.confirmations = 3;
    let config = enshrine_rollup::Config { role: Role::Sequencer(Box::new(sequencing)), ..config };
    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    until("a block without the deposit", &sequencer, || async {
        Ok(l2.get_block_number().await? >= 1)
    })
    .await?;
    assert_eq!(l2.get_balance(bob).await?, U256::ZERO);
    rollup.provider.anvil_mine(Some(4), None).await?;
    until_balance("the transfer", &sequencer, bob, U256::ONE).await?;
    // No transaction is left to try, so no more blocks are sealed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let still = l2.get_block_number().await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(l2.get_block_number().await?, still);
    sequencer.stop().await;
    Ok(())
}
