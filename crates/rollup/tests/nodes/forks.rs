//! L1 forks during the operation of a rollup whose contracts have no owner.

use crate::support::{
    DevnetRollup, L2_CHAIN, Setup, provider_of, refusal, signed, submit, until, until_fault,
    until_included, until_settled, until_status,
};
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider, RootProvider, ext::AnvilApi as _};
use alloy_sol_types::SolCall as _;
use contracts::{Deployment, L2_MESSENGER, bindings::IL2Messenger, l2_chain_config_following};
use enshrine_rollup::{
    CheckOutcome, Config, Role, RollupError, RollupNode, SequencerConfig, ServiceError, preflight,
};
use eyre::{OptionExt as _, Result, bail, ensure};
use rpc_types::ClaimProof;
use serde_json::json;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use testkit::{ETHER, FORCED_GAS, Key, id_of, rich, write_deployment};
use wire::ProtocolFork::{self, Amsterdam, Bpo2, Osaka, Prague};

/// Time of L1's first block.
pub(crate) const START: u64 = 1_900_000_000;
/// L1 forks, and the number of seconds after its first block at which they activate. L2 blocks may
/// lag by an hour.
const FORKS: [(ProtocolFork, u64); 3] = [(Osaka, 2_000), (Bpo2, 4_000), (Amsterdam, 6_000)];
/// Number of seconds before a fork at which blocks are sealed that L1 includes after it.
const BEFORE: u64 = 300;
/// Number of confirmations of an L1 block. The L2 reads the last L1 blocks before a fork after it.
const CONFIRMATIONS: u64 = 2;
/// Number of L2 transactions before each fork that are not yet on L1 when it activates.
const IN_FLIGHT: u64 = 3;

/// Sends an L2 transaction and returns the number of the block that includes it.
pub(crate) async fn included(
    sequencer: &RollupNode,
    l2: &RootProvider,
    from: &Key,
    to: Address,
    value: u128,
    input: Bytes,
) -> Result<u64> {
    let transaction = signed(l2, from, to, value, input, 300_000).await?;
    let hash = submit(l2, &transaction).await?;
    let number = async || {
        let receipt = l2.get_transaction_receipt(hash).await?;
        Ok::<_, eyre::Report>(receipt.and_then(|receipt| receipt.block_number))
    };
    until("a transaction", sequencer, || async { Ok(number().await?.is_some()) }).await?;
    number().await?.ok_or_eyre("the transaction was reorged out")
}

/// Mines L1 blocks until a condition holds.
async fn mined_until<F: Future<Output = Result<bool>>>(
    rollup: &DevnetRollup,
    what: &str,
    node: &RollupNode,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    until(what, node, || {
        let condition = holds();
        async {
            rollup.provider.anvil_mine(Some(1), None).await?;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            condition.await
        }
    })
    .await
}

/// Returns number, hash and timestamp of all L2 blocks.
async fn blocks(l2: &RootProvider) -> Result<Vec<(u64, B256, u64)>> {
    blocks_up_to(l2, l2.get_block_number().await?).await
}

async fn blocks_up_to(l2: &RootProvider, last: u64) -> Result<Vec<(u64, B256, u64)>> {
    let mut blocks = Vec::new();
    for number in 0..=last {
        let block = l2.get_block_by_number(number.into()).await?.ok_or_eyre("no such block")?;
        blocks.push((number, block.header.hash, block.header.timestamp));
    }
    Ok(blocks)
}

/// Counts the advancing account's L1 transactions and those with blobs, and describes each failed
/// one.
async fn advances(rollup: &DevnetRollup) -> Result<(usize, usize, Vec<String>)> {
    let (mut all, mut by_blobs, mut failed) = (0, 0, Vec::new());
    for number in 0..=rollup.provider.get_block_number().await? {
        let block = rollup.provider.get_block_by_number(number.into()).full().await?;
        let block = block.ok_or_eyre("no block")?;
        let time = block.header.timestamp;
        for transaction in block.transactions.into_transactions() {
            if transaction.inner.signer() != rollup.l1.addresses()[1] {
                continue;
            }
            let hash = *transaction.inner.tx_hash();
            let receipt = rollup.provider.get_transaction_receipt(hash).await?;
            let (receipt, blobs) =
                (receipt.ok_or_eyre("no receipt")?, transaction.blob_versioned_hashes());
            all += 1;
            by_blobs += usize::from(blobs.is_some());
            if !receipt.status() {
                failed.push(format!(
                    "block {number} at {time}, nonce {}: {} of {} gas, blobs {:?}, {} bytes",
                    transaction.nonce(),
                    receipt.gas_used,
                    transaction.gas_limit(),
                    blobs.map(<[_]>::len),
                    transaction.input().len(),
                ));
            }
        }
    }
    Ok((all, by_blobs, failed))
}

/// Calldata of a withdrawal to an L1 account.
fn withdrawal(to: Address) -> Bytes {
    let refund = to;
    IL2Messenger::sendCall { to, refundTo: refund, gasLimit: 0, fee: 0, data: Bytes::new() }
        .abi_encode()
        .into()
}

/// Crosses a fork with pending work in both directions: a deposit and a forced transaction that the
/// L2 has not processed, and L2 blocks with a withdrawal that are not on L1.
async fn cross(
    rollup: &DevnetRollup,
    sequencer: &RollupNode,
    fork: ProtocolFork,
    time: u64,
) -> Result<()> {
    let l2 = provider_of(sequencer)?;
    let (alice, dave, bob) = (Key::named("alice"), Key::named("dave"), Key::named("bob").address());
    let at = u64::from(fork as u8);
    let (depositor, receiver) =
        (Address::repeat_byte(0xd0 + fork as u8), Address::repeat_byte(0xe0 + fork as u8));
    until_settled("L1 before the fork", sequencer).await?;
    rollup.provider.anvil_set_next_block_timestamp(time - BEFORE).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;

    // On L1 before the fork, and on the L2 after it.
    rollup.deposit(depositor, U256::from(at)).await?;
    let forced = signed(&l2, &dave, bob, 1, Bytes::new(), FORCED_GAS).await?;
    rollup.force(forced.encoded_2718()).await?;
    rollup.provider.anvil_set_auto_mine(false).await?;

    // On the L2 before the fork, and on L1 after it.
    let withdrawn = included(sequencer, &l2, &alice, L2_MESSENGER, 7, withdrawal(receiver)).await?;
    for _ in 0..IN_FLIGHT {
        included(sequencer, &l2, &alice, bob, 1, Bytes::new()).await?;
    }
    until_status("transactions in flight", sequencer, |status| {
        status.submitter.is_some_and(|submitter| submitter.transactions_in_flight > 0)
    })
    .await?;
    let before = blocks(&l2).await?;
    let (head, _, newest) = *before.last().ok_or_eyre("no block")?;
    assert!(newest < time && head >= withdrawn, "the newest block is of {newest}");
    assert!(sequencer.status().safe_head.number < withdrawn, "L1 has a block too early");
    assert_eq!(l2.get_balance(depositor).await?, U256::ZERO);

    // L1 forks. The first block of the fork includes the in-flight transactions.
    rollup.provider.anvil_set_next_block_timestamp(time).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    rollup.provider.anvil_set_auto_mine(true).await?;
    mined_until(rollup, "all blocks from before the fork on L1", sequencer, || async {
        Ok(sequencer.status().safe_head.number >= head)
    })
    .await?;
    mined_until(rollup, "the deposit and the forced transaction", sequencer, || async {
        let nonce = l2.get_transaction_count(dave.address()).await?;
        Ok(l2.get_balance(depositor).await? == U256::from(at) && nonce > forced.nonce())
    })
    .await?;
    let number = included(sequencer, &l2, &alice, bob, 1, Bytes::new()).await?;
    until_status("a block of the fork on L1", sequencer, |status| {
        status.safe_head.number >= number && status.safe_head == status.unsafe_head
    })
    .await?;
    let after = blocks(&l2).await?;
    assert_eq!(&after[..before.len()], &before[..], "no block is lost at {fork}");
    assert!(after.iter().any(|(_, _, timestamp)| *timestamp >= time), "{after:?}");

    // The withdrawal from before the fork can be claimed after it.
    let index = FORKS.iter().position(|(known, _)| *known == fork).ok_or_eyre("no such fork")?;
    let claim: ClaimProof =
        l2.raw_request("rollup_claimProof".into(), (format!("{index:#x}"),)).await?;
    rollup.l1_call(claim.to, U256::ZERO, claim.data.to_vec()).await?;
    assert_eq!(rollup.provider.get_balance(receiver).await?, U256::from(7));
    Ok(())
}

/// Starts a sequencer and a follower, crosses all forks and returns the numbers of L1 transactions
/// that posted blocks: all of them, and those with blobs.
async fn cross_all(l1_beacon: impl FnOnce(&DevnetRollup) -> Vec<String>) -> Result<(usize, usize)> {
    let accounts = ["alice", "bob", "dave"].map(|name| (Key::named(name).address(), rich(ETHER)));
    let rollup = Setup::forking(START, &FORKS, &FORKS).accounts(accounts.to_vec()).deploy().await?;
    let l1_beacon = l1_beacon(&rollup);
    let start =
        |role| RollupNode::start(Config { l1_beacon: l1_beacon.clone(), ..rollup.config(role) });
    let config = SequencerConfig { confirmations: CONFIRMATIONS, ..rollup.sequencer_config()? };
    let sequencer = start(Role::Sequencer(Box::new(config))).await?;
    let follower = start(Role::Follower { sequencer: None }).await?;
    // Funds the escrow for the withdrawals.
    rollup.deposit(Address::repeat_byte(0xde), U256::from(ETHER)).await?;
    for (fork, after) in FORKS {
        cross(&rollup, &sequencer, fork, START + after).await?;
    }

    let l2 = provider_of(&sequencer)?;
    let safe = sequencer.status().safe_head;
    until_status("the follower", &follower, |status| status.safe_head.number >= safe.number)
        .await?;
    // The sequencer may have sealed another block.
    let of_follower = blocks_up_to(&provider_of(&follower)?, safe.number).await?;
    assert_eq!(of_follower, blocks_up_to(&l2, safe.number).await?);
    let last = l2.get_block_by_number(safe.number.into()).await?.ok_or_eyre("no block")?;
    assert!(last.header.block_access_list_hash.is_some(), "{last:?}");
    // L1 may have rejected the first blobs because other transactions were pending. The sequencer
    // retries blobs only after a number of L1 blocks.
    if !l1_beacon.is_empty() && advances(&rollup).await?.1 == 0 {
        rollup.provider.anvil_mine(Some(64), None).await?;
        let bob = Key::named("bob").address();
        included(&sequencer, &l2, &Key::named("alice"), bob, 1, Bytes::new()).await?;
        until_settled("a block by blobs", &sequencer).await?;
    }
    let (all, by_blobs, failed) = advances(&rollup).await?;
    ensure!(
        failed.is_empty(),
        "transactions failed for too little gas or the wrong rules: {failed:#?} of {all}"
    );
    for node in [follower, sequencer] {
        let status = node.status();
        assert_eq!(status.fault, None, "{status:?}");
        node.stop().await;
    }
    Ok((all, by_blobs))
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_forks_lose_no_blocks_in_calldata() -> Result<()> {
    let (all, by_blobs) = cross_all(|_| Vec::new()).await?;
    assert!(all > 0 && by_blobs == 0, "{by_blobs} of {all} had blobs");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_forks_lose_no_blocks_in_blobs() -> Result<()> {
    let (all, by_blobs) = cross_all(|rollup| vec![rollup.l1.endpoint()]).await?;
    assert!(by_blobs > 0, "{by_blobs} of {all} had blobs");
    Ok(())
}

/// Waits for a fault that stops sealing and sends a transfer, which stays in the pool.
async fn waits(l2: &RootProvider, sequencer: &RollupNode, fault: &str) -> Result<B256> {
    // The node seals blocks of the time before until it has read L1's latest block.
    until_fault(sequencer, fault).await?;
    let to = Address::repeat_byte(0xb7);
    let hash =
        submit(l2, &signed(l2, &Key::named("alice"), to, 1, Bytes::new(), 300_000).await?).await?;
    assert_eq!(l2.get_transaction_receipt(hash).await?, None);
    Ok(hash)
}

fn warns_of_forks(node: &RollupNode) -> bool {
    node.status().warnings.iter().any(|warning| warning.contains("fork schedule"))
}

#[tokio::test(flavor = "multi_thread")]
async fn node_without_l1_fork_stops_until_genesis_update() -> Result<()> {
    const FORK: u64 = START + 2_000;
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let forks = [(Amsterdam, FORK - START)];
    let rollup = Setup::forking(START, &forks, &[]).accounts(accounts).deploy().await?;
    let folder = tempfile::tempdir()?;
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.data_dir = Some(folder.path().join("data"));
    let sequencer = RollupNode::start(config.clone()).await?;
    assert!(warns_of_forks(&sequencer), "{:?}", sequencer.status());
    let l2 = provider_of(&sequencer)?;
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb7));
    included(&sequencer, &l2, &alice, bob, 1, Bytes::new()).await?;
    until_settled("L1", &sequencer).await?;

    rollup.provider.anvil_set_next_block_timestamp(FORK).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let fault = format!("L1 forks at {FORK}, and the genesis of the L2 does not");
    let waiting = waits(&l2, &sequencer, &fault).await?;
    assert!(blocks(&l2).await?.iter().all(|(_, _, timestamp)| *timestamp < FORK));
    sequencer.stop().await;

    // With the same genesis the node refuses to start.
    match RollupNode::start(config.clone()).await {
        Err(RollupError::Service(ServiceError::Preflight(check))) => {
            assert_eq!((check.name, check.verdict), ("fork schedule", CheckOutcome::Refused));
            assert!(check.to_string().contains("amsterdamTime"), "{check}");
        }
        Err(error) => return Err(error.into()),
        Ok(_) => bail!("a node without the fork starts"),
    }
    let mut deployment = Deployment::read(&config.deployment)?;
    deployment.genesis.config = l2_chain_config_following(L2_CHAIN, Prague, &[(Amsterdam, FORK)]);
    fs::create_dir(folder.path().join("new"))?;
    config.deployment = write_deployment(&deployment, &folder.path().join("new"))?;
    let sequencer = RollupNode::start(config).await?;
    assert!(!warns_of_forks(&sequencer), "{:?}", sequencer.status());
    let l2 = provider_of(&sequencer)?;
    until_included("the waiting transfer on L1", &sequencer, waiting).await?;
    until_settled("the waiting transfer on L1", &sequencer).await?;
    let head = l2.get_block_by_number(l2.get_block_number().await?.into()).await?;
    assert!(head.is_some_and(|head| head.header.block_access_list_hash.is_some()));
    sequencer.stop().await;
    Ok(())
}

/// `eth_config` announces the fork. Sealing resumes once L1 cancels it.
#[tokio::test(flavor = "multi_thread")]
async fn l1_fork_planned_at_runtime_stops_sealing() -> Result<()> {
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = Setup::forking(START, &[], &[]).accounts(accounts).deploy().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    // Time of L1's next fork; zero for none, and `u64::MAX` for an L1 without `eth_config`.
    let planned = Arc::new(AtomicU64::new(u64::MAX));
    let next = Arc::clone(&planned);
    proxy.intercept(move |request| {
        if !request.contains("eth_config") {
            return None;
        }
        let fork = |time: u64| json!({ "activationTime": time, "blobSchedule": null });
        let next = match next.load(Ordering::Relaxed) {
            u64::MAX => return Some(refusal(request, "the method eth_config does not exist")),
            0 => json!(null),
            time => fork(time),
        };
        let result = json!({ "current": fork(0), "next": next, "last": next });
        let (id, version) = (id_of(request), "2.0");
        Some(format!(r#"{{"jsonrpc":"{version}","id":{id},"result":{result}}}"#))
    });
    let checked = config.clone();
    let checks = tokio::task::spawn_blocking(move || preflight(&checked)).await??;
    let check =
        checks.iter().find(|check| check.name == "fork schedule").ok_or_eyre("no such check")?;
    assert_eq!(check.verdict, CheckOutcome::Passed);
    assert!(check.got.contains("does not support"), "{check}");
    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb7));
    included(&sequencer, &l2, &alice, bob, 1, Bytes::new()).await?;
    assert_eq!(sequencer.status().warnings, Vec::<String>::new());

    const FORK: u64 = START + 2_000;
    planned.store(FORK, Ordering::Relaxed);
    until("a warning", &sequencer, || async { Ok(warns_of_forks(&sequencer)) }).await?;
    // Blocks before the fork are still sealed.
    included(&sequencer, &l2, &alice, bob, 1, Bytes::new()).await?;
    // Posts all blocks first: after the time jump a waiting block would be too old for a child.
    until_settled("L1", &sequencer).await?;
    rollup.provider.anvil_set_next_block_timestamp(FORK).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let waiting = waits(&l2, &sequencer, &format!("L1 forks at {FORK}")).await?;

    planned.store(0, Ordering::Relaxed);
    until_included("the waiting transfer", &sequencer, waiting).await?;
    until("no warning", &sequencer, || async { Ok(!warns_of_forks(&sequencer)) }).await?;
    sequencer.stop().await;
    Ok(())
}
