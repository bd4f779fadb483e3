//! Signed prefixes of blocks, on the sequencer and at followers.

use crate::support::{
    ADVANCE, DevnetRollup, L2_CHAIN, Setup, admin_config, admin_of, is_settled, one_wei,
    provider_of, signed_with, submit, until,
};
use alloy_eips::{BlockNumberOrTag, eip2718::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_provider::{Provider as _, ProviderBuilder, RootProvider, WsConnect, ext::AnvilApi as _};
use alloy_sol_types::SolCall as _;
use contracts::bindings::IForcedInbox;
use enshrine_rollup::{Config, L1Limits, PreconfirmConfig, Role, RollupNode};
use eyre::{OptionExt as _, Result, ensure};
use preconf::{
    Domain, HeaderSummary, PrefixUpdate,
    faults::{Context, Signed, TransactionEvidence, equivocation},
};
use rpc_types::{PrefixItem, SyncStatus, TransactionStatus};
use serde_json::Value;
use std::{fs, path::Path, sync::Arc, time::Duration};
use testkit::{ETHER, FORCED_GAS, Key, rich};
use tokio::{sync::Mutex, task::JoinHandle};

pub(crate) const TO: Address = Address::repeat_byte(0xb0);

/// A rollup that only its sequencer may advance, with these rich accounts.
pub(crate) async fn rollup(accounts: &[&str]) -> Result<DevnetRollup> {
    let accounts = accounts.iter().map(|name| (Key::named(name).address(), rich(ETHER)));
    Setup::new().accounts(accounts.collect()).sequencer(ADVANCE).deploy().await
}

/// Configuration of a sequencer that signs prefixes of long blocks.
pub(crate) fn preconfirming(
    rollup: &DevnetRollup,
    folder: &Path,
    block_time: Duration,
) -> Result<Config> {
    let mut sequencing = rollup.sequencer_config()?;
    sequencing.block_time = block_time;
    sequencing.preconfirm = Some(PreconfirmConfig { slice: PreconfirmConfig::MIN_SLICE });
    let config = rollup.config(Role::Sequencer(Box::new(sequencing)));
    Ok(Config { data_dir: Some(folder.to_owned()), admin: Some(admin_config()?), ..config })
}

/// Time of a block that is open for as long as a test needs: [`seal`] ends it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Seals the open block, by stopping the sequencer for a moment, and moves L1's time past that of
/// the block.
pub(crate) async fn seal(rollup: &DevnetRollup, node: &RollupNode) -> Result<()> {
    let (admin, head) = (admin_of(node)?, node.status().unsafe_head.number);
    admin.raw_request::<_, Value>("admin_stopSealing".into(), ()).await?;
    until("the sealed block", node, || async { Ok(node.status().unsafe_head.number > head) })
        .await?;
    rollup.provider.anvil_increase_time(2 * LONG.as_secs()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    admin.raw_request::<_, Value>("admin_startSealing".into(), ()).await?;
    Ok(())
}

pub(crate) async fn send(l2: &RootProvider, from: &str, nonce: u64) -> Result<B256> {
    let raw = one_wei(&Key::named(from), nonce, TO);
    submit(l2, &raw).await
}

async fn status(node: &RollupNode, hash: B256) -> Result<Option<TransactionStatus>> {
    Ok(provider_of(node)?.raw_request("rollup_transactionStatus".into(), (hash,)).await?)
}

/// Waits until a transaction is in a signed prefix.
pub(crate) async fn until_preconfirmed(node: &RollupNode, hash: B256) -> Result<()> {
    until("a preconfirmation", node, || async {
        Ok(matches!(status(node, hash).await?, Some(TransactionStatus::Preconfirmed { .. })))
    })
    .await
}

pub(crate) async fn until_included(node: &RollupNode, hash: B256) -> Result<()> {
    let l2 = provider_of(node)?;
    until("a receipt", node, || async { Ok(l2.get_transaction_receipt(hash).await?.is_some()) })
        .await
}

/// Whether the node preconfirms, and its reason if it does not.
pub(crate) async fn state(node: &RollupNode) -> Result<(bool, String)> {
    let status: SyncStatus = provider_of(node)?.raw_request("rollup_syncStatus".into(), ()).await?;
    let state = status.preconfirming.ok_or_eyre("not configured to preconfirm")?;
    Ok((state.on, state.reason.unwrap_or_default()))
}

/// All updates that a node publishes.
pub(crate) struct Recording {
    updates: Arc<Mutex<Vec<PrefixUpdate>>>,
    task: JoinHandle<()>,
}

impl Recording {
    pub(crate) async fn start(node: &RollupNode) -> Result<Self> {
        let url = format!("ws://{}", node.server().addresses()[0]);
        let provider = ProviderBuilder::default().connect_ws(WsConnect::new(url)).await?;
        let provider: RootProvider = provider;
        let mut call = provider.client().request("rollup_subscribe", ("prefixes",));
        call.set_is_subscription();
        let id: B256 = call.await?;
        let mut items = provider.get_subscription::<PrefixItem>(id).await?;
        let updates = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&updates);
        let task = tokio::spawn(async move {
            // The connection ends with the provider.
            let _connected = provider;
            while let Ok(item) = items.recv().await {
                if let Ok(update) = PrefixUpdate::decode(&item.ssz) {
                    own.lock().await.push(update);
                }
            }
        });
        Ok(Self { updates, task })
    }

    pub(crate) async fn end(self) -> Vec<PrefixUpdate> {
        self.task.abort();
        let updates = self.updates.lock().await;
        updates.clone()
    }
}

/// Puts the transactions of each update together.
pub(crate) fn whole(updates: &[PrefixUpdate]) -> Result<Vec<(HeaderSummary, bool, Vec<Bytes>)>> {
    let mut all: Vec<(HeaderSummary, bool, Vec<Bytes>)> = Vec::new();
    for update in updates {
        let header = HeaderSummary::read(&update.header)?;
        let first = update.first as usize;
        let before = all.last().map(|(.., list)| &list[..]).unwrap_or_default();
        let shared = before.get(..first).ok_or_eyre("a gap in the updates")?;
        let list = shared.iter().chain(&update.transactions).cloned().collect();
        all.push((header, update.message.is_sealed, list));
    }
    Ok(all)
}

/// Checks that no two updates are evidence of an equivocation on this L1.
pub(crate) async fn require_no_evidence(
    rollup: &DevnetRollup,
    updates: &[PrefixUpdate],
) -> Result<()> {
    let deployment = contracts::Deployment::read(&rollup.deployment())?;
    let mut hashes = Vec::new();
    for number in 0..=rollup.provider.get_block_number().await? {
        let block = rollup.provider.get_block_by_number(number.into()).await?;
        hashes.push(block.ok_or_eyre("no block")?.header.hash);
    }
    let context = Context {
        domain: Domain { l1_chain_id: deployment.l1_chain_id, contract: deployment.rollup },
        account_of: &|signer| signer,
        l1_hash: &|number| hashes.get(number as usize).copied(),
        post_within: 1_800,
    };
    for (index, a) in updates.iter().enumerate() {
        for b in &updates[index + 1..] {
            let [first, second] = [a, b].map(|update| Signed {
                message: update.message,
                signature: update.signature.as_slice(),
                header: &update.header,
            });
            // Without proofs of transactions, conflicts of environment, results and sealed blocks
            // are still seen.
            let none = TransactionEvidence::default();
            let judged = equivocation(&first, &second, &none, &context);
            ensure!(judged.is_err(), "evidence: {first:?} {second:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_grow_into_the_sealed_block() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice", "bob"]).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(config).await?;
    let recording = Recording::start(&node).await?;
    let l2 = provider_of(&node)?;

    let first = send(&l2, "alice", 0).await?;
    until_preconfirmed(&node, first).await?;
    // Shown as pending, but no block yet.
    assert_eq!(l2.get_block_number().await?, 0);
    assert!(l2.get_transaction_receipt(first).await?.is_none());
    let pending = l2.get_block_by_number(BlockNumberOrTag::Pending).await?.ok_or_eyre("pending")?;
    assert!(pending.transactions.hashes().any(|hash| hash == first));
    let balance = l2.get_balance(TO).pending().await?;
    assert_eq!(balance.to::<u64>(), 1);

    let second = send(&l2, "bob", 0).await?;
    until_preconfirmed(&node, second).await?;
    let Some(TransactionStatus::Preconfirmed { block, index, header, .. }) =
        status(&node, second).await?
    else {
        eyre::bail!("sealed before it was read")
    };
    assert_eq!((block.number, HeaderSummary::read(&header)?.hash), (1, block.hash));
    seal(&rollup, &node).await?;
    until_included(&node, second).await?;
    let receipt = l2.get_transaction_receipt(second).await?.ok_or_eyre("no receipt")?;
    assert_eq!(receipt.transaction_index, Some(index));
    // The last prefix is the block, and L1 accepts it.
    until("settlement", &node, || async { Ok(is_settled(&node)) }).await?;
    let updates = recording.end().await;
    let all = whole(&updates)?;
    let sealed = all.last().ok_or_eyre("no updates")?;
    assert!(sealed.1 && sealed.0.hash == receipt.block_hash.unwrap_or_default());
    assert!(all.iter().filter(|entry| entry.0.number == 1).count() >= 3, "{all:?}");
    for pair in all.windows(2).filter(|pair| pair[0].0.number == pair[1].0.number) {
        assert!(pair[1].2.starts_with(&pair[0].2) && !pair[0].1);
        assert_eq!(pair[0].0.environment, pair[1].0.environment);
    }
    require_no_evidence(&rollup, &updates).await?;
    let (is_on, reason) = state(&node).await?;
    assert!(is_on, "{reason}");
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn preconfirmed_transaction_cannot_be_replaced() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice"]).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(config).await?;
    let l2 = provider_of(&node)?;
    let replace = async |nonce| {
        let dearer = Key::named("alice").sign(alloy_consensus::TxEip1559 {
            chain_id: L2_CHAIN,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 40_000_000_000,
            max_priority_fee_per_gas: 20_000_000,
            to: TO.into(),
            ..Default::default()
        });
        l2.send_raw_transaction(&dearer.encoded_2718()).await.map(|sent| *sent.tx_hash())
    };
    let first = send(&l2, "alice", 0).await?;
    // Behind a gap, so it is in no prefix.
    let gapped = send(&l2, "alice", 2).await?;
    until_preconfirmed(&node, first).await?;
    let refused = replace(0).await.expect_err("it is preconfirmed").to_string();
    assert!(refused.contains("preconfirmed"), "{refused}");
    let by = replace(2).await?;
    assert!(matches!(status(&node, gapped).await?, Some(TransactionStatus::Dropped { .. })));
    seal(&rollup, &node).await?;
    until_included(&node, first).await?;
    assert!(l2.get_transaction_receipt(by).await?.is_none());
    node.stop().await;
    Ok(())
}

/// The node stops between the signature and the block.
#[tokio::test(flavor = "multi_thread")]
async fn preconfirmed_block_is_sealed_after_restart() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice", "bob"]).await?, tempfile::tempdir()?);
    let long = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(long.clone()).await?;
    let recording = Recording::start(&node).await?;
    let first = send(&provider_of(&node)?, "alice", 0).await?;
    until_preconfirmed(&node, first).await?;
    let second = send(&provider_of(&node)?, "bob", 0).await?;
    until_preconfirmed(&node, second).await?;
    let mut updates = recording.end().await;
    node.stop().await;

    // L1 has reached the time of the block. Not even the pool is left.
    rollup.provider.anvil_increase_time(100).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    fs::remove_file(folder.path().join("pool"))?;
    let node = RollupNode::start(long).await?;
    let recording = Recording::start(&node).await?;
    until_included(&node, second).await?;
    let l2 = provider_of(&node)?;
    let block = l2.get_block_by_number(BlockNumberOrTag::Latest).await?.ok_or_eyre("no head")?;
    let last = updates.last().ok_or_eyre("no updates")?;
    assert_eq!(block.header.hash, last.message.block_hash);
    // The next block is preconfirmed as before.
    let third = send(&l2, "alice", 1).await?;
    until_preconfirmed(&node, third).await?;
    updates.extend(recording.end().await);
    require_no_evidence(&rollup, &updates).await?;
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_journal_stops_signatures_until_l1_has_block() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice"]).await?, tempfile::tempdir()?);
    let long = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(long).await?;
    let first = send(&provider_of(&node)?, "alice", 0).await?;
    until_preconfirmed(&node, first).await?;
    seal(&rollup, &node).await?;
    node.stop().await;

    fs::remove_file(folder.path().join("preconfirmations"))?;
    // L1 includes nothing for now.
    rollup.provider.anvil_set_auto_mine(false).await?;
    let short = preconfirming(&rollup, folder.path(), Duration::from_millis(300))?;
    let node = RollupNode::start(short.clone()).await?;
    assert!(
        node.status()
            .warnings
            .iter()
            .any(|warning| warning.contains("preconfirmations is missing"))
    );
    let second = send(&provider_of(&node)?, "alice", 1).await?;
    until_included(&node, second).await?;
    let (is_on, reason) = state(&node).await?;
    assert!(!is_on && reason.contains("incomplete"), "{reason}");
    node.stop().await;

    // It is not forgotten at the next start, although there is a journal now.
    let node = RollupNode::start(short).await?;
    let third = send(&provider_of(&node)?, "alice", 2).await?;
    until_included(&node, third).await?;
    let (is_on, reason) = state(&node).await?;
    assert!(!is_on && reason.contains("incomplete"), "{reason}");
    rollup.provider.anvil_set_auto_mine(true).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    until("signatures", &node, || async { Ok(is_settled(&node) && state(&node).await?.0) }).await?;
    node.stop().await;
    Ok(())
}

/// Anyone may post another block there, so a promise would be worth nothing.
#[tokio::test(flavor = "multi_thread")]
async fn rollup_without_policy_is_not_preconfirmed() -> Result<()> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let folder = tempfile::tempdir()?;
    let config = preconfirming(&rollup, folder.path(), Duration::from_millis(300))?;
    let node = RollupNode::start(config).await?;
    let first = send(&provider_of(&node)?, "alice", 0).await?;
    until_included(&node, first).await?;
    let (is_on, reason) = state(&node).await?;
    assert!(!is_on && reason.contains("no sequencing policy"), "{reason}");
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_without_safe_promises_is_refused() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice"]).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), Duration::from_secs(1))?;
    let mut often = rollup.sequencer_config()?;
    often.preconfirm = Some(PreconfirmConfig { slice: Duration::from_millis(49) });
    let role = Role::Sequencer(Box::new(often));
    let above = L1Limits { bytes: L1Limits::default().bytes + 1, ..L1Limits::default() };
    for (refused, reason) in [
        (Config { data_dir: None, ..config.clone() }, "data directory"),
        (Config { role, ..config.clone() }, "at least 50ms"),
        (Config { l1_limits: above, ..config.clone() }, "so false promises could not be proven"),
    ] {
        let error = RollupNode::start(refused).await.expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
    RollupNode::start(config).await?.stop().await;
    Ok(())
}

/// The operator disables preconfirmations while a block is promised.
#[tokio::test(flavor = "multi_thread")]
async fn promise_binds_node_that_signs_no_more() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice", "bob"]).await?, tempfile::tempdir()?);
    let node = RollupNode::start(preconfirming(&rollup, folder.path(), LONG)?).await?;
    let first = send(&provider_of(&node)?, "alice", 0).await?;
    until_preconfirmed(&node, first).await?;
    let Some(TransactionStatus::Preconfirmed { block, .. }) = status(&node, first).await? else {
        eyre::bail!("sealed")
    };
    node.stop().await;

    rollup.provider.anvil_increase_time(2 * LONG.as_secs()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let role = rollup.sequencer_role()?;
    let data_dir = Some(folder.path().to_owned());
    let node = RollupNode::start(Config { data_dir, ..rollup.config(role) }).await?;
    let l2 = provider_of(&node)?;
    let second = send(&l2, "bob", 0).await?;
    until_included(&node, second).await?;
    let sealed = l2.get_block_by_number(1.into()).await?.ok_or_eyre("no block")?;
    assert_eq!(sealed.header.hash, block.hash);
    let status: SyncStatus = l2.raw_request("rollup_syncStatus".into(), ()).await?;
    assert!(status.preconfirming.is_none());
    node.stop().await;
    Ok(())
}

/// A follower executes each prefix itself, and shows it before the block is sealed.
#[tokio::test(flavor = "multi_thread")]
async fn follower_shows_prefixes_that_it_has_executed() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice", "bob"]).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(config).await?;
    let follower = rollup.follower(Some(&node)).await?;
    let l2 = provider_of(&node)?;
    let first = send(&l2, "alice", 0).await?;
    until_preconfirmed(&follower, first).await?;
    let at_follower = provider_of(&follower)?;
    assert_eq!(at_follower.get_block_number().await?, 0);
    assert_eq!(at_follower.get_balance(TO).pending().await?.to::<u64>(), 1);
    let second = send(&l2, "bob", 0).await?;
    until_preconfirmed(&follower, second).await?;

    // A follower that connects later receives the complete prefix, not only new transactions.
    let late = rollup.follower(Some(&node)).await?;
    let third = send(&l2, "alice", 1).await?;
    until("a prefix or the block", &late, || async {
        Ok(matches!(
            status(&late, third).await?,
            Some(TransactionStatus::Preconfirmed { .. } | TransactionStatus::Included { .. })
        ))
    })
    .await?;
    seal(&rollup, &node).await?;
    until_included(&follower, third).await?;
    let [block, own] = [&at_follower, &l2];
    let block = block.get_block_by_number(1.into()).await?.ok_or_eyre("no block")?;
    let own = own.get_block_by_number(1.into()).await?.ok_or_eyre("no block")?;
    assert_eq!(block.header.hash, own.header.hash);
    let newest: Option<PrefixItem> =
        l2.raw_request("rollup_prefix".into(), (U64::from(9), U64::ZERO)).await?;
    assert!(newest.is_none(), "no such block");
    for node in [late, follower, node] {
        node.stop().await;
    }
    Ok(())
}

/// The anchor of the open block disappears from L1, with the message that it covers.
#[tokio::test(flavor = "multi_thread")]
async fn l1_reorg_of_open_block_makes_no_evidence() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice", "bob"]).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(config).await?;
    let recording = Recording::start(&node).await?;
    let l2 = provider_of(&node)?;
    let _sent = rollup.deposit(Address::repeat_byte(7), U256::from(ETHER)).await?;
    let first = send(&l2, "alice", 0).await?;
    until_preconfirmed(&node, first).await?;
    rollup.reorg(1).await?;
    let second = send(&l2, "bob", 0).await?;
    // L1 grows beyond the block on which the promise depended.
    until("a prefix with both", &node, || async {
        rollup.provider.anvil_mine(Some(1), None).await?;
        let both = [status(&node, first).await?, status(&node, second).await?];
        Ok(both.iter().all(|status| matches!(status, Some(TransactionStatus::Preconfirmed { .. }))))
    })
    .await?;
    seal(&rollup, &node).await?;
    until_included(&node, first).await?;
    until_included(&node, second).await?;
    until("settlement", &node, || async { Ok(is_settled(&node)) }).await?;
    let updates = recording.end().await;
    ensure!(!updates.is_empty(), "no updates");
    require_no_evidence(&rollup, &updates).await?;
    assert!(node.status().fault.is_none(), "{:?}", node.status());
    node.stop().await;
    Ok(())
}

/// Its nonce is too high until a transaction of the pool is in a prefix.
#[tokio::test(flavor = "multi_thread")]
async fn forced_transaction_made_valid_by_a_prefix() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice", "mallory"]).await?, tempfile::tempdir()?);
    let short = preconfirming(&rollup, folder.path(), Duration::from_millis(300))?;
    let node = RollupNode::start(short).await?;
    let owed = signed_with(&Key::named("mallory"), 1, TO, 1, Bytes::new(), FORCED_GAS);
    let submit = IForcedInbox::submitCall { raw: owed.encoded_2718().into() };
    rollup.l1_call(rollup.forced, U256::from(ETHER), submit.abi_encode()).await?;
    let head = rollup.provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
    let due = head.ok_or_eyre("no head")?.header.timestamp + 86_400;
    // A block that need not include it yet, and is a day younger than the genesis.
    pass_until(&rollup, &node, due - 100).await?;
    let before = send(&provider_of(&node)?, "alice", 0).await?;
    until_included(&node, before).await?;
    until("settlement", &node, || async { Ok(is_settled(&node)) }).await?;
    node.stop().await;
    let node = RollupNode::start(preconfirming(&rollup, folder.path(), LONG)?).await?;
    let l2 = provider_of(&node)?;
    pass_until(&rollup, &node, due + 1).await?;
    let first = send(&l2, "alice", 1).await?;
    until_preconfirmed(&node, first).await?;
    let makes_valid = send(&l2, "mallory", 0).await?;
    until_preconfirmed(&node, makes_valid).await?;
    // Due, and valid now: L1 rejects the block without it.
    let status = status(&node, *owed.hash()).await?;
    assert!(!matches!(status, None | Some(TransactionStatus::Pending)), "{status:?}");
    seal(&rollup, &node).await?;
    until_included(&node, makes_valid).await?;
    until("settlement", &node, || async { Ok(is_settled(&node)) }).await?;
    let receipts = [first, makes_valid, *owed.hash()].map(|hash| l2.get_transaction_receipt(hash));
    for receipt in receipts {
        assert_eq!(receipt.await?.ok_or_eyre("no receipt")?.block_number, Some(2));
    }
    node.stop().await;
    Ok(())
}

/// Early transactions cannot fill a block before later ones arrive that pay more.
#[tokio::test(flavor = "multi_thread")]
async fn flood_leaves_room_for_later_transactions() -> Result<()> {
    let names: Vec<String> = (0..12).map(|index| format!("flood {index}")).collect();
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.push("alice");
    let (rollup, folder) = (rollup(&all).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), LONG)?;
    let node = RollupNode::start(config).await?;
    let l2 = provider_of(&node)?;
    // More than two blocks of them.
    let mut flood = Vec::new();
    for nonce in 0..60 {
        for name in &names {
            flood.push(send(&l2, name, nonce).await?);
        }
    }
    until_preconfirmed(&node, flood[0]).await?;
    let late = Key::named("alice").sign(alloy_consensus::TxEip1559 {
        chain_id: L2_CHAIN,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TO.into(),
        ..Default::default()
    });
    let late = submit(&l2, &late).await?;
    until_preconfirmed(&node, late).await?;
    seal(&rollup, &node).await?;
    let [first, late] = [flood[0], late].map(|hash| l2.get_transaction_receipt(hash));
    let (first, late) = (first.await?.ok_or_eyre("none")?, late.await?.ok_or_eyre("none")?);
    assert_eq!(first.block_number, late.block_number);
    assert!(first.transaction_index < late.transaction_index, "what was signed stays first");
    node.stop().await;
    Ok(())
}

/// Sets L1's time, and waits until the node has read it.
pub(crate) async fn pass_until(rollup: &DevnetRollup, node: &RollupNode, time: u64) -> Result<()> {
    rollup.provider.raw_request::<_, Value>("evm_setTime".into(), (time,)).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    until("L1's new time", node, || async { Ok(node.status().l1_timestamp >= time) }).await
}
