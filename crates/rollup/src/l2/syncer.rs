//! Sync of the L2 with L1.

use crate::{
    Duties, RollupError, RollupRules,
    l1::{Advanced, L1Client, L1Update, L1View},
    l2::{import::import, sync_progress::SyncProgress},
};
use alloy_eips::{BlockId, BlockNumHash};
use alloy_primitives::{Address, B256};
use alloy_provider::RootProvider;
use chain::{Block, ChainReader, ExecutedBlock, RecoveredTransaction};
use contracts::{
    Deployment,
    bindings::{IForcedInbox, INativeRollup, ISequencing},
};
use derive::DataMissing;
use node::{Forkchoice, Node, SetForkchoice, SetHead};
use std::{collections::VecDeque, sync::Arc};

/// Keeps an L2 in sync with its view of L1.
#[derive(Debug)]
pub(crate) struct L2Syncer {
    pub(crate) node: Arc<Node>,
    /// The last view of L1.
    pub(crate) view: Arc<L1View>,
    /// L2 blocks on L1 that this node has not imported, for instance after an error.
    waiting: VecDeque<Advanced>,
    /// Result of the current sync, kept over failed attempts.
    outcome: SyncOutcome,
    progress: SyncProgress,
}

impl L2Syncer {
    pub(crate) fn new(node: Arc<Node>, view: Arc<L1View>) -> Self {
        Self {
            node,
            view,
            waiting: VecDeque::new(),
            outcome: SyncOutcome::default(),
            progress: SyncProgress::default(),
        }
    }

    /// Queues the result of reading L1; [`Self::catch_up`] applies it.
    pub(crate) fn take_over(&mut self, update: L1Update, view: Arc<L1View>) {
        let L1Update { reverted_to, advanced, more } = update;
        if let Some(stayed) = reverted_to {
            // Blocks that were reorged out before this node imported them are never executed.
            self.waiting.retain(|block| block.l1_block <= stayed);
            self.outcome.reverted = true;
        }
        self.waiting.extend(advanced);
        self.outcome.more = more;
        self.view = view;
    }

    /// Imports the L2 blocks on L1. Unsafe blocks on top are kept, unless L1 has other blocks at
    /// their heights.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if a block cannot be imported. The next call continues with that block.
    pub(crate) fn catch_up(&mut self) -> Result<SyncOutcome, RollupError> {
        self.skip_canonical()?;
        while let Some(next) = self.waiting.front() {
            let (number, transaction) = (next.number, next.transaction);
            let canonical = self.chain().canonical_hash(number)?;
            // Compared before the import, which makes L1's block canonical.
            let gives_way = canonical.is_some_and(|canonical| canonical != next.hash);
            // Stored even if the import fails after the old blocks were removed.
            let mut displaced = core::mem::take(&mut self.outcome.displaced);
            let taken = self.take(next, &mut displaced);
            self.outcome.displaced = displaced;
            taken?;
            if gives_way {
                self.outcome.overtaken_by = Some(transaction);
            }
            // Removed only after the import: after an error, such as a full disk, the next call
            // starts with the same block.
            self.waiting.pop_front();
        }
        self.require_first()?;
        self.update_forkchoice()?;
        if self.outcome.more {
            let read = self.view.head().map_or(0, |head| head.number);
            let l2 = self.chain().head().header.number;
            self.progress.note(read, self.view.latest(), l2);
        } else {
            self.progress.end();
        }
        Ok(core::mem::take(&mut self.outcome))
    }

    /// Skips blocks that are already canonical, such as all blocks from before a restart. The
    /// waiting blocks form a chain, so the canonical ones are at its beginning.
    fn skip_canonical(&mut self) -> Result<(), RollupError> {
        let chain = self.chain();
        let (mut first, mut end) = (0, self.waiting.len());
        while first < end {
            let middle = first + (end - first) / 2;
            let Advanced { number, hash, .. } = &self.waiting[middle];
            let is_before = *number < chain.first_number();
            match is_before || chain.canonical_hash(*number)? == Some(*hash) {
                true => first = middle + 1,
                false => end = middle,
            }
        }
        self.waiting.drain(..first);
        if self.waiting.is_empty() {
            // After a long sync the list would have the capacity for all L2 blocks.
            self.waiting.shrink_to(1_024);
        }
        Ok(())
    }

    /// Checks that the first block of a chain from a snapshot is on L1, once L1 has been read up to
    /// its head.
    fn require_first(&self) -> Result<(), RollupError> {
        let first = self.chain().first_number();
        let genesis = self.view.deployment().genesis.number.unwrap_or_default();
        let is_read = self.view.head().is_some() && !self.outcome.more;
        let on_l1 = self.view.advanced_head().map_or(genesis, |head| head.number);
        if first > genesis && is_read && on_l1 < first {
            return Err(RollupError::SnapshotGone { first });
        }
        Ok(())
    }

    /// Returns the safe block: the newest L2 block on L1, or the chain's first block if there is
    /// none.
    pub(crate) fn safe(&self) -> Result<Arc<Block>, RollupError> {
        let chain = self.chain();
        let first = chain.first_number();
        let hash = match self.view.advanced_head() {
            Some(head) if head.number >= first => Some(head.hash),
            // A chain from a snapshot starts with a block that is on L1.
            _ => chain.canonical_hash(first)?,
        };
        Ok(chain.block(&hash.unwrap_or(self.view.deployment().genesis_hash))?)
    }

    pub(crate) fn chain(&self) -> ChainReader {
        self.node.read(|node| node.chain.reader().clone())
    }

    /// Imports an L2 block on L1, makes it canonical, and adds the transactions of replaced blocks
    /// to `displaced`.
    fn take(
        &self,
        advanced: &Advanced,
        displaced: &mut Vec<RecoveredTransaction>,
    ) -> Result<(), RollupError> {
        let Advanced { number, hash, input, transaction, .. } = advanced;
        let chain = self.chain();
        if chain.canonical_hash(*number)? == Some(*hash) {
            return Ok(());
        }
        // A block that is known from a sequencer, or from before a reorg, is not executed again.
        if let Some(block) = chain.find_block(hash)? {
            return self.set_head(block.hash, displaced);
        }
        let missing = DataMissing { transaction: *transaction, number: *number };
        let input = input.as_ref().ok_or(missing)?;
        let new = self.node.read(|node| import(&node.chain, input, *hash))?;
        self.adopt(new, displaced)
    }

    /// Makes an executed block the head, on any parent, and adds the transactions of replaced
    /// blocks to `displaced`, even if it fails after these blocks were removed.
    pub(crate) fn adopt(
        &self,
        new: ExecutedBlock,
        displaced: &mut Vec<RecoveredTransaction>,
    ) -> Result<(), RollupError> {
        let parent = new.block.header.parent_hash;
        if self.chain().head().hash != parent {
            // The parent first, so that `displaced` gets the transactions of all replaced blocks,
            // and none of the new branch.
            self.set_head(parent, displaced)?;
        }
        self.node.adopt(new)?;
        Ok(())
    }

    /// Makes a known block the head, and adds the transactions of replaced blocks to `displaced`.
    /// Only this method replaces blocks, so no caller can lose their transactions by ignoring a
    /// result.
    pub(crate) fn set_head(
        &self,
        hash: B256,
        displaced: &mut Vec<RecoveredTransaction>,
    ) -> Result<(), RollupError> {
        let from = self.chain().head().header.number;
        let replaced = self.node.execute(SetHead(hash))?;
        let to = self.chain().head().header.number;
        tracing::warn!(from, to, transactions = replaced.len(), "L2 reorg: unsafe head moved back");
        displaced.extend(replaced);
        Ok(())
    }

    fn update_forkchoice(&self) -> Result<(), RollupError> {
        let first = self.chain().first_number();
        let number = |head: Option<BlockNumHash>| head.map_or(first, |head| head.number.max(first));
        let now = Forkchoice {
            safe: number(self.view.advanced_head()),
            finalized: number(self.view.finalized_head()),
        };
        // The command makes the node rebuild its pending block, so it is sent only for changes.
        if self.node.read(|node| node.forkchoice) != Some(now) {
            self.node.execute(SetForkchoice(now));
        }
        Ok(())
    }
}

/// Result of syncing with L1.
#[derive(Debug, Default)]
pub(crate) struct SyncOutcome {
    /// `true` if L1 was reorganised.
    pub(crate) reverted: bool,
    /// Transactions of L2 blocks that were replaced by those on L1.
    pub(crate) displaced: Vec<RecoveredTransaction>,
    /// Hash of the last L1 transaction whose blocks replaced others.
    pub(crate) overtaken_by: Option<B256>,
    /// `true` if L1 has more blocks to read now.
    pub(crate) more: bool,
}

/// Requests the parameters of a deployed rollup, and compares it with the deployment file.
///
/// # Errors
///
/// [`RollupError::OtherL1`] or [`RollupError::OtherRollup`] if they differ, and errors of the
/// requests.
pub(crate) fn rules(
    client: &L1Client,
    deployment: &Deployment,
) -> Result<RollupRules, RollupError> {
    let (got, expected) = (client.chain_id()?, deployment.l1_chain_id);
    if got != expected {
        return Err(RollupError::OtherL1 { got, expected });
    }
    let (rollup, forced) = (deployment.rollup, deployment.forced);
    let provider = client.inner().provider().clone();
    let (rules, chain_id, message_queue, forced_inbox) = client.wait(async move {
        let contract = INativeRollup::new(rollup, &provider);
        let queue = IForcedInbox::new(forced, &provider);
        let rules = RollupRules {
            max_lag: contract.MAX_LAG().call().await?,
            open_after: contract.OPEN_AFTER().call().await?,
            relay_deadline: contract.RELAY_DEADLINE().call().await?,
            forced_delay: queue.DELAY().call().await?,
            forced_grace: queue.GRACE().call().await?,
            forced_expiry: queue.EXPIRY().call().await?,
        };
        let chain_id = contract.CHAIN_ID().call().await?;
        let (message_queue, forced) =
            (contract.MESSAGE_QUEUE().call().await?, contract.FORCED().call().await?);
        Ok::<_, alloy_contract::Error>((rules, chain_id, message_queue, forced))
    })?;
    let differs = |what: &str, got: String, expected: String| RollupError::OtherRollup {
        rollup,
        reason: format!("{what} is {got}, but the deployment has {expected}"),
    };
    // Otherwise a node with the deployment file of another rollup would follow the wrong rollup.
    if chain_id != deployment.l2_chain_id {
        let expected = deployment.l2_chain_id.to_string();
        return Err(differs("the L2's chain id", chain_id.to_string(), expected));
    }
    for (what, got, expected) in [
        ("the message queue", message_queue, deployment.message_queue),
        ("the forced inbox", forced_inbox, forced),
    ] {
        if got != expected {
            return Err(differs(what, got.to_string(), expected.to_string()));
        }
    }
    Ok(rules)
}

/// Requests the state of the duties at the L1 block with this hash from a node. Unverified: with a
/// false state a sequencer sends a transaction that fails.
pub(crate) async fn duties(
    provider: RootProvider,
    rollup: Address,
    at: B256,
) -> Result<Duties, RollupError> {
    let duties = INativeRollup::new(rollup, &provider).duties().block(at.into()).call().await?;
    Ok(Duties {
        relayed: duties.relayed,
        relay_due: duties.relayDue,
        forced_next: duties.forcedNext,
        forced_due: duties.forcedDue,
        forced_first_since: duties.forcedFirstSince,
    })
}

/// Conditions under which L1 accepts blocks of an account.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    account: Address,
    /// L1 timestamp from which on anyone may advance; 0 without a policy.
    open_at: u64,
    /// Fee recipient that the policy requires, or its reason for rejecting the account.
    policy: Result<Option<Address>, String>,
}

impl PartialEq for Admission {
    fn eq(&self, other: &Self) -> bool {
        // Without the reason of a rejection, which L1 clients express in different words.
        let policy = |it: &Self| it.policy.as_ref().ok().copied();
        self.account == other.account
            && self.open_at == other.open_at
            && policy(self) == policy(other)
    }
}

impl Admission {
    /// Returns `true` if the policy allows the account to advance, or there is none; `false` if the
    /// account may advance only while the rollup is open to anyone.
    pub(crate) const fn is_by_policy(&self) -> bool {
        self.policy.is_ok()
    }

    /// Returns the fee recipient that a block must have for L1 to accept it at this time, if the
    /// policy requires one.
    ///
    /// # Errors
    ///
    /// [`RollupError::NotAuthorized`] if L1 would reject the account's blocks.
    pub(crate) fn fee_recipient(&self, l1_time: u64) -> Result<Option<Address>, RollupError> {
        // Overdue duties open the rollup too. This is not checked here, so an account that may
        // advance only for that reason waits until `open_at`.
        if l1_time >= self.open_at {
            return Ok(None);
        }
        let account = self.account;
        let refused = |reason| RollupError::NotAuthorized { account, reason };
        self.policy.clone().map_err(refused)
    }
}

/// Requests the conditions for this account at an L1 block from a node.
pub(crate) async fn admission(
    provider: RootProvider,
    rollup: Address,
    account: Address,
    rules: RollupRules,
    at: BlockId,
) -> Result<Admission, RollupError> {
    let contract = INativeRollup::new(rollup, &provider);
    let (policy, head) = (contract.policy().block(at), contract.head().block(at));
    let (policy, head) = (async { policy.call().await }, async { head.call().await });
    let (policy, head) = tokio::try_join!(policy, head)?;
    // Without a policy anyone may advance at any time.
    if policy.is_zero() {
        return Ok(Admission { account, open_at: 0, policy: Ok(None) });
    }
    let open_at = head.timestamp.saturating_add(rules.open_after);
    let policy = ISequencing::new(policy, &provider);
    let answer = policy.authorize(account, head.timestamp).block(at).call().await;
    let policy = match answer {
        Ok(recipient) => Ok(Some(recipient).filter(|recipient| !recipient.is_zero())),
        // A revert is the policy's rejection. Other errors are failures of the request, which the
        // caller retries.
        Err(error) if error.as_revert_data().is_some() => Err(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    Ok(Admission { account, open_at, policy })
}
