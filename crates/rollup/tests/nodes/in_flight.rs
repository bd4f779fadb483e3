//! Several in-flight L1 transactions of one sequencer.

use crate::{
    blobs_of_l1::with_beacon,
    support::{
        DevnetRollup, json_response, one_wei, provider_of, refusal, submit, until, until_nonce,
        until_status,
    },
};
use alloy_consensus::Transaction as _;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{DynProvider, Provider, ext::AnvilApi};
use alloy_rpc_types_eth::{Transaction, TransactionRequest};
use contracts::Deployment;
use enshrine_rollup::{
    Config, L1Client, L1Reader, Role, RollupNode, Signer, Submitter, SubmitterConfig,
    SubmitterError, SubmitterProgress, TxCandidate, TxData,
};
use eyre::{OptionExt as _, Result, ensure, eyre};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::{ETHER, GWEI, Interception, Key, Proxy, Timeout};

/// Returns nonce, maximum fee and gas limit of an account's pending L1 transactions.
async fn waiting(l1: &DynProvider, account: Address) -> Result<Vec<(u64, u128, u64)>> {
    type Waiting = HashMap<String, HashMap<String, Transaction>>;
    let content: Waiting = l1.raw_request("txpool_contentFrom".into(), (account,)).await?;
    let all = content.into_values().flat_map(HashMap::into_values);
    let mut all: Vec<_> =
        all.map(|tx| (tx.nonce(), tx.max_fee_per_gas(), tx.gas_limit())).collect();
    all.sort_unstable();
    Ok(all)
}

/// Starts a sequencer and waits until L1 has its first block; then L1 mines only on request. Alice
/// has ETH on the L2.
async fn stalled(rollup: &DevnetRollup, limit: usize) -> Result<(RollupNode, Key)> {
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_millis(50);
    config.submitter.max_in_flight = limit;
    let sequencer = rollup.start(config).await?;
    let alice = Key::named("alice");
    rollup.deposit(alice.address(), U256::from(5 * ETHER)).await?;
    until_status("the deposit on L1", &sequencer, |status| status.safe_head.number > 0).await?;
    rollup.provider.anvil_set_auto_mine(false).await?;
    Ok((sequencer, alice))
}

fn count(node: &RollupNode) -> usize {
    node.status().submitter.map_or(0, |submitter| submitter.transactions_in_flight as usize)
}

/// Has the L2 seal blocks until `most` L1 transactions are in flight, and two blocks more. Fails if
/// there are ever more than `most`.
async fn fill(node: &RollupNode, alice: &Key, nonces: &mut u64, limit: usize) -> Result<()> {
    let l2 = provider_of(node)?;
    let mut behind = 0;
    while behind < 2 {
        submit(&l2, &one_wei(alice, *nonces, Address::repeat_byte(0xb0))).await?;
        *nonces += 1;
        let nonce = *nonces;
        until_nonce("a block", node, alice.address(), nonce).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        ensure!(count(node) <= limit, "{:?}", node.status());
        behind += u64::from(count(node) == limit);
    }
    Ok(())
}

async fn until_safe(node: &RollupNode, l1: &DynProvider) -> Result<()> {
    let number = node.status().unsafe_head.number;
    until("all on L1", node, || async {
        l1.anvil_mine(Some(1), None).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(node.status().safe_head.number >= number)
    })
    .await
}

/// Returns the number of an account's transactions on L1, and how many of them failed.
pub(crate) async fn included(l1: &DynProvider, account: Address) -> Result<(usize, usize)> {
    let (mut all, mut failed) = (0, 0);
    for number in 0..=l1.get_block_number().await? {
        let receipts = l1.get_block_receipts(BlockNumberOrTag::Number(number).into()).await?;
        for receipt in receipts.into_iter().flatten().filter(|receipt| receipt.from == account) {
            all += 1;
            failed += usize::from(!receipt.status());
        }
    }
    Ok((all, failed))
}

/// One L1 block can include all of them, and none fails.
#[tokio::test(flavor = "multi_thread")]
async fn in_flight_transactions_reach_limit_and_share_block() -> Result<()> {
    for limit in [1, 3] {
        let rollup = DevnetRollup::new().await?;
        let account = rollup.sequencer_config()?.advance_key.address();
        let (sequencer, alice) = stalled(&rollup, limit).await?;
        let first = rollup.provider.get_transaction_count(account).await?;
        let mut nonces = 0;
        fill(&sequencer, &alice, &mut nonces, limit).await?;
        let sent = waiting(&rollup.provider, account).await?;
        let expected: Vec<u64> = (first..first + limit as u64).collect();
        assert_eq!(sent.iter().map(|tx| tx.0).collect::<Vec<_>>(), expected);

        rollup.provider.anvil_mine(Some(1), None).await?;
        assert_eq!(
            rollup.provider.get_transaction_count(account).await?,
            first + limit as u64,
            "one L1 block takes all"
        );
        until_safe(&sequencer, &rollup.provider).await?;
        let (_, failed) = included(&rollup.provider, account).await?;
        assert_eq!(failed, 0, "no gas was wasted");
        sequencer.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_first_transaction_resends_all() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let account = rollup.sequencer_config()?.advance_key.address();
    let (sequencer, alice) = stalled(&rollup, 3).await?;
    let mut nonces = 0;
    fill(&sequencer, &alice, &mut nonces, 3).await?;
    let l1 = &rollup.provider;
    // Another process with the same key uses the first nonce, so the transactions with the next
    // nonces fail on L1.
    let sent = waiting(l1, account).await?;
    let (nonce, fee, _) = *sent.first().ok_or_eyre("no transaction is pending")?;
    l1.anvil_impersonate_account(account).await?;
    let other = TransactionRequest::default()
        .from(account)
        .to(account)
        .nonce(nonce)
        .gas_limit(50_000)
        .max_fee_per_gas(10 * fee)
        .max_priority_fee_per_gas(5 * fee);
    let _ = l1.send_transaction(other).await?;
    l1.anvil_mine(Some(1), None).await?;
    assert_eq!(l1.get_transaction_count(account).await?, nonce + 3);
    assert_eq!(included(l1, account).await?.1, 2, "the two with later nonces have failed");
    until_safe(&sequencer, l1).await?;
    // The sequencer continues, and no further transaction fails.
    fill(&sequencer, &alice, &mut nonces, 3).await?;
    until_safe(&sequencer, l1).await?;
    assert_eq!(included(l1, account).await?.1, 2);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reorged_transactions_are_posted_again_behind_pending_ones() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (sequencer, alice) = stalled(&rollup, 3).await?;
    let mut nonces = 0;
    fill(&sequencer, &alice, &mut nonces, 3).await?;
    let l1 = &rollup.provider;
    l1.anvil_mine(Some(1), None).await?;
    let safe = sequencer.status().unsafe_head.number - 2;
    until_status("some on L1", &sequencer, |status| status.safe_head.number >= safe.min(3)).await?;
    // More are sent after the included ones, which a reorg then removes.
    fill(&sequencer, &alice, &mut nonces, 3).await?;
    let head = l1.get_block_number().await?;
    rollup.reorg(1).await?;
    l1.anvil_mine(Some(1), None).await?;
    assert!(l1.get_block_number().await? > head);
    until_safe(&sequencer, l1).await?;
    let l2 = provider_of(&sequencer)?;
    assert_eq!(l2.get_balance(Address::repeat_byte(0xb0)).await?, U256::from(nonces));
    sequencer.stop().await;
    Ok(())
}

/// Creates a submitter without a node, and an L1 reader that has read all of L1.
fn submitter(rollup: &Direct, config: SubmitterConfig) -> Result<(Submitter, L1Reader)> {
    let deployment = Deployment::read(&rollup.deployment)?;
    let client = L1Client::new(&[&rollup.url], Duration::from_secs(10))?;
    let (chain, contract) = (deployment.l1_chain_id, deployment.rollup);
    let mut l1 = L1Reader::new(client, deployment);
    while l1.poll(&|_| false)?.more {}
    Ok((Submitter::new(rollup.key.clone(), chain, contract, config), l1))
}

struct Direct {
    deployment: std::path::PathBuf,
    url: String,
    key: Signer,
}

impl Direct {
    /// Returns the L1 of a rollup, which stops mining, with the key of the sequencer.
    async fn new(rollup: &DevnetRollup) -> Result<Self> {
        rollup.provider.anvil_set_auto_mine(false).await?;
        let key = rollup.sequencer_config()?.advance_key;
        Ok(Self { deployment: rollup.deployment(), url: rollup.l1.endpoint(), key })
    }

    /// Like [`Self::new`], behind a proxy.
    async fn behind_proxy(rollup: &DevnetRollup) -> Result<(Proxy, Self)> {
        let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
        Ok((proxy, Self { url: config.l1[0].clone(), ..Self::new(rollup).await? }))
    }
}

fn candidate(number: u64) -> TxCandidate {
    let data = TxData { input: Bytes::from(vec![1]), blobs: None };
    let blocks = vec![(number, B256::repeat_byte(1)).into()];
    TxCandidate { blocks, gas_limit: Some(800_000), ..TxCandidate::new(&[], data) }
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_and_balance_cover_all_in_flight_transactions() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let direct = Direct::new(&rollup).await?;
    let account = direct.key.address();
    let spending = {
        let provider = rollup.provider.clone();
        tokio::task::spawn_blocking(move || -> Result<_> {
            let runtime = tokio::runtime::Handle::current();
            let config = SubmitterConfig { max_fee: 10 * GWEI, ..SubmitterConfig::default() };
            // Learns the maximum cost of a transaction from a submitter without a limit.
            let (mut free, l1) = submitter(&direct, config.clone())?;
            free.submit(l1.client(), l1.view(), candidate(1))?;
            free.acknowledge()?;
            let sent = runtime.block_on(waiting(&provider, account))?;
            let (nonce, fee, gas) = *sent.first().ok_or_eyre("no transaction is pending")?;
            let cost = fee * u128::from(gas);
            runtime.block_on(provider.anvil_drop_all_transactions())?;

            for fitting in 1..4_u128 {
                let limit = cost * fitting + cost / 2;
                let config = SubmitterConfig { daily_limit: limit, ..config.clone() };
                let (mut bounded, l1) = submitter(&direct, config)?;
                for number in 0..fitting {
                    bounded.submit(l1.client(), l1.view(), candidate(u64::try_from(number)?))?;
                }
                match bounded.submit(l1.client(), l1.view(), candidate(9)) {
                    Err(SubmitterError::SpendingLimit { spent, limit: reported }) => {
                        assert_eq!((spent, reported), (cost * (fitting + 1), limit));
                    }
                    other => panic!("{other:?}"),
                }
                bounded.acknowledge()?;
                let sent = runtime.block_on(waiting(&provider, account))?;
                let nonces: Vec<u64> = sent.iter().map(|tx| tx.0).collect();
                let expected: Vec<u64> = (nonce..).take(nonces.len()).collect();
                assert_eq!((nonces.len() as u128, &nonces), (fitting, &expected));
                runtime.block_on(provider.anvil_drop_all_transactions())?;
            }

            // The balance limits the sum in the same way.
            runtime
                .block_on(provider.anvil_set_balance(account, U256::from(cost * 2 + cost / 2)))?;
            let config = SubmitterConfig { low_balance: 0, ..config };
            let (mut poor, l1) = submitter(&direct, config)?;
            poor.submit(l1.client(), l1.view(), candidate(1))?;
            poor.submit(l1.client(), l1.view(), candidate(2))?;
            match poor.submit(l1.client(), l1.view(), candidate(3)) {
                Err(SubmitterError::Funds { cost: reported, .. }) => {
                    assert_eq!(reported, U256::from(3 * cost));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(
                poor.in_flight().map(|sent| sent.nonce).collect::<Vec<_>>(),
                [nonce, nonce + 1]
            );

            // Replacements of forgotten transactions use their nonces and pay at least 10 % more.
            runtime.block_on(provider.anvil_set_balance(account, U256::from(100 * cost)))?;
            let before = runtime.block_on(waiting(&provider, account))?;
            poor.forget();
            assert_eq!(poor.in_flight().count(), 0);
            poor.submit(l1.client(), l1.view(), candidate(4))?;
            poor.submit(l1.client(), l1.view(), candidate(5))?;
            poor.acknowledge()?;
            let after = runtime.block_on(waiting(&provider, account))?;
            assert_eq!(after.len(), 2);
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before.0, after.0);
                assert!(after.1 * 10 >= before.1 * 11, "{before:?} {after:?}");
            }
            Ok(())
        })
    };
    spending.await?
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_transaction_blocks_further_submissions() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let direct = Direct::new(&rollup).await?;
    let done = tokio::task::spawn_blocking(move || -> Result<()> {
        let (mut submitter, l1) = submitter(&direct, SubmitterConfig::default())?;
        assert!(submitter.has_room());
        submitter.submit(l1.client(), l1.view(), candidate(1))?;
        assert!(submitter.has_room());
        submitter.submit(
            l1.client(),
            l1.view(),
            TxCandidate { goes_alone: true, ..candidate(2) },
        )?;
        assert!(!submitter.has_room());
        Ok(())
    });
    done.await?
}

/// The L1 node reports a nonce that is too high. The next transaction gets the correct nonce.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_behind_nonce_gap_is_abandoned() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, direct) = Direct::behind_proxy(&rollup).await?;
    let used = rollup.provider.get_transaction_count(direct.key.address()).await?;
    let done = tokio::task::spawn_blocking(move || -> Result<()> {
        for goes_alone in [false, true] {
            let config =
                SubmitterConfig { resend_after: Duration::ZERO, ..SubmitterConfig::default() };
            let (mut submitter, l1) = submitter(&direct, config)?;
            proxy.intercept(move |request| {
                let nonce = used + 5;
                request
                    .contains("eth_getTransactionCount")
                    .then(|| json_response(request, format_args!("{nonce:#x}")))
            });
            let candidate = || TxCandidate { goes_alone, ..candidate(1) };
            let nonces = |submitter: &Submitter| {
                submitter.in_flight().map(|sent| sent.nonce).collect::<Vec<_>>()
            };
            submitter.submit(l1.client(), l1.view(), candidate())?;
            assert_eq!(nonces(&submitter), [used + 5]);
            proxy.honest();
            assert_eq!(news(&mut submitter, &l1)?, SubmitterProgress::Failed(candidate().blocks));
            assert!(submitter.has_room());
            submitter.submit(l1.client(), l1.view(), candidate())?;
            assert_eq!(nonces(&submitter), [used]);
            for _ in 0..20 {
                assert_eq!(
                    submitter.step(l1.client(), l1.view(), u64::MAX)?,
                    SubmitterProgress::Waiting
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    });
    done.await?
}

#[tokio::test(flavor = "multi_thread")]
async fn submission_waits_for_acceptance_of_previous_transaction() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, direct) = Direct::behind_proxy(&rollup).await?;
    let done = tokio::task::spawn_blocking(move || -> Result<()> {
        let (mut submitter, l1) = submitter(&direct, SubmitterConfig::default())?;
        let sent = Arc::<AtomicUsize>::default();
        let (recorded, answers) = (Arc::clone(&sent), Arc::new(AtomicBool::new(false)));
        let holds = Arc::clone(&answers);
        proxy.intercept(move |request| {
            if !request.contains("eth_sendRawTransaction") || holds.load(Ordering::SeqCst) {
                return None;
            }
            recorded.fetch_max(1, Ordering::SeqCst);
            Some(Interception::Silence)
        });
        submitter.submit(l1.client(), l1.view(), candidate(1))?;
        // It is in flight, and the next one can be planned meanwhile.
        assert_eq!(submitter.in_flight().count(), 1);
        let answered = Arc::clone(&answers);
        let late = thread::spawn(move || {
            while sent.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(100));
            answered.store(true, Ordering::SeqCst);
        });
        submitter.submit(l1.client(), l1.view(), candidate(2))?;
        assert!(
            answers.load(Ordering::SeqCst),
            "the second one was sent before the response to the first"
        );
        late.join().map_err(|_| eyre!("no answer"))?;
        submitter.acknowledge()?;
        assert_eq!(submitter.in_flight().count(), 2);
        Ok(())
    });
    done.await?
}

#[tokio::test(flavor = "multi_thread")]
async fn account_limit_of_l1_pool_pauses_submission() -> Result<()> {
    const KEPT: usize = 2;
    let rollup = DevnetRollup::new().await?;
    let (proxy, direct) = Direct::behind_proxy(&rollup).await?;
    let done = tokio::task::spawn_blocking(move || -> Result<()> {
        let (mut submitter, l1) = submitter(&direct, SubmitterConfig::default())?;
        let sent = AtomicUsize::new(0);
        proxy.intercept(move |request| {
            let is_sent = request.contains("eth_sendRawTransaction");
            let is_more = is_sent && sent.fetch_add(1, Ordering::SeqCst) >= KEPT;
            is_more.then(|| refusal(request, "account limit exceeded"))
        });
        for number in 1..=KEPT as u64 + 1 {
            assert!(submitter.has_room());
            submitter.submit(l1.client(), l1.view(), candidate(number))?;
        }
        // No error, since earlier transactions are in flight and its blocks can wait for them.
        submitter.acknowledge()?;
        assert_eq!(submitter.in_flight().count(), KEPT);
        assert!(!submitter.has_room());
        // Control: without earlier transactions in flight the rejection is an error.
        submitter.forget();
        let refused = submitter.submit(l1.client(), l1.view(), candidate(9));
        let refused = refused.and_then(|()| submitter.acknowledge());
        let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("account limit exceeded"), "{message}");
        Ok(())
    });
    done.await?
}

/// Steps until the submitter reports progress.
fn news(submitter: &mut Submitter, l1: &L1Reader) -> Result<SubmitterProgress> {
    let timeout = Timeout::begin();
    loop {
        let progress = submitter.step(l1.client(), l1.view(), u64::MAX)?;
        if progress != SubmitterProgress::Waiting {
            return Ok(progress);
        }
        ensure!(timeout.lasts(), "no progress");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a sequencer and waits until L1 has included a blob transaction of it; then L1 mines only
/// on request.
async fn stalled_with_blobs(rollup: &DevnetRollup, config: Config) -> Result<RollupNode> {
    let sequencer = RollupNode::start(config).await?;
    let alice = Key::named("alice").address();
    rollup.deposit(alice, U256::from(5 * ETHER)).await?;
    until("the deposit on L1", &sequencer, || async {
        Ok(sequencer.status().safe_head.number > 0 && count(&sequencer) == 0)
    })
    .await?;
    rollup.provider.anvil_set_auto_mine(false).await?;
    Ok(sequencer)
}

fn config_with_blobs(rollup: &DevnetRollup, limit: usize, folder: &Path) -> Result<Config> {
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_millis(50);
    config.submitter.max_in_flight = limit;
    // No fee bumps: L1 mines blocks faster than one per slot.
    config.submitter.bump_after = 1_000;
    let config = rollup.config(Role::Sequencer(Box::new(config)));
    let config = with_beacon(config, &rollup.l1.endpoint());
    Ok(Config { data_dir: Some(folder.join("data")), ..config })
}

/// Returns the hashes of an account's pending L1 transactions, all of which must have blobs, by
/// nonce.
async fn waiting_blobs(l1: &DynProvider, account: Address) -> Result<Vec<B256>> {
    type Waiting = HashMap<String, HashMap<String, Transaction>>;
    let content: Waiting = l1.raw_request("txpool_contentFrom".into(), (account,)).await?;
    let mut all: Vec<_> = content.into_values().flat_map(HashMap::into_values).collect();
    ensure!(all.iter().all(|tx| tx.blob_versioned_hashes().is_some()), "{all:?}");
    all.sort_unstable_by_key(|tx| tx.nonce());
    Ok(all.iter().map(|tx| *tx.inner.tx_hash()).collect())
}

/// Returns the hashes of all L2 blocks except genesis.
async fn l2_blocks(node: &RollupNode) -> Result<Vec<B256>> {
    let (l2, mut all) = (provider_of(node)?, Vec::new());
    for number in 1..=node.status().unsafe_head.number {
        let block =
            l2.get_block_by_number(number.into()).await?.ok_or_eyre("a block is missing")?;
        all.push(block.header.hash);
    }
    Ok(all)
}

/// Asserts that L1 has these blocks and that no L1 transaction of the sequencer has failed, since
/// one that posts blocks again would fail.
async fn all_there_once(node: &RollupNode, rollup: &DevnetRollup, before: &[B256]) -> Result<()> {
    until_safe(node, &rollup.provider).await?;
    let after = l2_blocks(node).await?;
    assert_eq!(&after[..before.len()], before, "a block is lost");
    let account = rollup.sequencer_config()?.advance_key.address();
    assert_eq!(included(&rollup.provider, account).await?.1, 0, "blocks were posted twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_does_not_replace_pending_blob_transactions() -> Result<()> {
    const MOST: usize = 3;
    let (rollup, folder) = (DevnetRollup::with_blobs().await?, tempfile::tempdir()?);
    let config = config_with_blobs(&rollup, MOST, folder.path())?;
    let (l1, account) = (&rollup.provider, rollup.sequencer_config()?.advance_key.address());
    let sequencer = stalled_with_blobs(&rollup, config.clone()).await?;
    let (alice, mut nonces) = (Key::named("alice"), 0);
    fill(&sequencer, &alice, &mut nonces, MOST).await?;
    let sent = waiting_blobs(l1, account).await?;
    assert_eq!(sent.len(), MOST);
    let before = l2_blocks(&sequencer).await?;
    sequencer.stop().await;

    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    // New blocks are sealed and wait.
    for _ in 0..3 {
        let to = Address::repeat_byte(0xb0);
        submit(&l2, &one_wei(&alice, nonces, to)).await?;
        nonces += 1;
        until_nonce("a block", &sequencer, alice.address(), nonces).await?;
    }
    assert_eq!(waiting_blobs(l1, account).await?, sent, "pending transactions were replaced");
    l1.anvil_mine(Some(1), None).await?;
    for hash in sent {
        let receipt = l1.get_transaction_receipt(hash).await?;
        assert!(receipt.is_some_and(|receipt| receipt.status()), "{hash} is not there");
    }
    all_there_once(&sequencer, &rollup, &before).await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reorged_blob_transactions_are_resent_unchanged() -> Result<()> {
    const MOST: usize = 3;
    let (rollup, folder) = (DevnetRollup::with_blobs().await?, tempfile::tempdir()?);
    let config = config_with_blobs(&rollup, MOST, folder.path())?;
    let (l1, account) = (&rollup.provider, rollup.sequencer_config()?.advance_key.address());
    let sequencer = stalled_with_blobs(&rollup, config).await?;
    let (alice, mut nonces) = (Key::named("alice"), 0);
    fill(&sequencer, &alice, &mut nonces, MOST).await?;
    let mut sent = waiting_blobs(l1, account).await?;
    l1.anvil_mine(Some(1), None).await?;
    // The sequencer notices the inclusion and sends further transactions.
    let mut behind = Vec::new();
    for _ in 0..10 {
        fill(&sequencer, &alice, &mut nonces, MOST).await?;
        behind = waiting_blobs(l1, account).await?;
        if behind.len() == MOST {
            break;
        }
    }
    sent.extend(behind);
    assert_eq!(sent.len(), 2 * MOST);
    let before = l2_blocks(&sequencer).await?;
    rollup.reorg(1).await?;
    all_there_once(&sequencer, &rollup, &before).await?;
    for hash in sent {
        let receipt = l1.get_transaction_receipt(hash).await?;
        assert!(receipt.is_some_and(|receipt| receipt.status()), "{hash} is not there");
    }
    sequencer.stop().await;
    Ok(())
}
