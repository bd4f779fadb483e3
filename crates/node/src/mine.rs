//! Block production.

use crate::{Event, MineRequest, Node, NodeError, Pending, draft::Draft};
use alloy_primitives::{
    Address, B256,
    map::{AddressSet, B256Set},
};
use chain::{Block, ExecutedBlock, InputUse, Rejection, State, shortest_input, verify_child};
use codec::OwnedWitness;
use execute::{Execute, Networks, Rules, TrustedContext};
use executor::{Invalid, WorkGas};
use std::{
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use variants::GasSchedule;
use wire::ProtocolFork;

/// Delay before building is retried after a failure, if no block is due earlier.
const RETRY: Duration = Duration::from_secs(1);

/// A block that is built, and verified if verification is enabled, but not yet part of the chain.
/// Only [`Node::seal`] makes one, so [`Node::append`] gets no block that skipped verification.
#[derive(Debug, Clone)]
pub struct BlockCandidate {
    /// The block. It has a witness if it was verified, or if EXECUTE inputs are bounded.
    pub new: ExecutedBlock,
    /// Cost of its input, if EXECUTE has verified the block.
    pub cost: Option<InputCost>,
    /// Transactions that were offered but not included, with the reasons.
    pub rejected: Vec<(B256, Rejection)>,
    /// Senders of transactions that were executed but not included.
    in_vain: AddressSet,
    begun: Instant,
}

/// Cost of the EXECUTE call that verifies a block alone, in the form in which the input is posted
/// to L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputCost {
    /// Length of the input, in bytes.
    pub bytes: usize,
    /// Gas that the call must provide.
    pub gas: u64,
    /// Price of the block's underpriced work, in gas ([`Executed::work`](execute::Executed::work)).
    pub work: WorkGas,
}

impl Node {
    /// Builds a block and appends it.
    pub fn mine(&self, request: &MineRequest) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        self.mine_locked(request)
    }

    /// Builds the next block, as [`Self::pending`] shows it, and appends it.
    pub fn mine_next(&self) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        let request = self.inner.read().attributes.clone();
        self.mine_locked(&request)
    }

    /// Builds blocks as long as they include executable transactions: one that fills a nonce gap
    /// makes its successors executable, which may need more than one block.
    pub(crate) fn mine_ready(&self) -> Result<(), NodeError> {
        let _one = self.mining.lock();
        let mut is_first = true;
        loop {
            let request = self.inner.read().attributes.clone();
            if Draft::new(&self.inner.read(), &request)?.offered.is_empty() {
                return Ok(());
            }
            let sealed = self.seal(&request)?;
            if !is_first && sealed.new.block.transactions.is_empty() {
                return Ok(());
            }
            self.append_locked(sealed)?;
            is_first = false;
        }
    }

    fn mine_locked(&self, request: &MineRequest) -> Result<Arc<Block>, NodeError> {
        // The mining lock excludes other writers, so reads continue while the block is executed.
        self.append_locked(self.seal(request)?)
    }

    /// Builds a block on the head, and verifies it if verification is enabled in the settings.
    /// Readers do not see it until [`Self::append`] adds it to the chain.
    pub fn seal(&self, request: &MineRequest) -> Result<BlockCandidate, NodeError> {
        let begun = Instant::now();
        let (mut draft, rules) = {
            let node = self.inner.read();
            (Draft::new(&node, request)?, node.settings.verify_blocks)
        };
        let max_gas = draft.budget.limits().map(|limits| limits.gas);
        let number = draft.state.block().header.number + 1;
        let _span = tracing::info_span!("block", number).entered();
        let (mut too_expensive, mut in_vain) = (Vec::new(), AddressSet::default());
        let (built, rejected, cost) = loop {
            let mut built = draft.build(rules.is_some())?;
            let senders: Vec<_> = draft.transactions().map(|offered| offered.sender).collect();
            in_vain.extend(built.in_vain.iter().map(|index| senders[*index]));
            let hashes: Vec<B256> =
                draft.transactions().map(|offered| *offered.transaction.hash()).collect();
            let rejected: Vec<_> = core::mem::take(&mut built.rejected)
                .into_iter()
                .map(|(index, reason)| (hashes[index], reason))
                .collect();
            let mut cost = None;
            if let Some(rules) = rules
                && built.executed.block.provable
            {
                let (state, ExecutedBlock { block, witness, .. }) = (&draft.state, &built.executed);
                cost = {
                    let form: InputForm =
                        if draft.is_bounded() { shortest_input } else { Block::input };
                    verify_from_witness(state, block, witness, rules, draft.schedule, form)?
                };
            }
            let gas = cost.map(|cost| cost.gas);
            let Some((got, max)) = gas.zip(max_gas).filter(|(got, max)| got > max) else {
                break (built, rejected, cost);
            };
            // The block is within the builder's estimate, but its verification needs more gas than
            // allowed. Retry with half of the pool transactions until the block fits or none is
            // left. A transaction that does not even fit alone is rejected permanently.
            let left: B256Set = rejected.iter().map(|(left, _)| *left).collect();
            draft.offered.retain(|it| !left.contains(it.hash()));
            match draft.offered.len() {
                0 => break (built, rejected, cost),
                1 if draft.first.is_empty() => {
                    let index = 0;
                    let reason = format!("EXECUTE asks for {got} gas with it, {max} are allowed");
                    let reason = Rejection::TooLarge(Invalid::Transaction { index, reason });
                    in_vain.extend(draft.offered.first().map(|it| it.sender()));
                    too_expensive.extend(draft.offered.pop().map(|it| (*it.hash(), reason)));
                }
                count => draft.offered.truncate(count / 2),
            }
        };
        let rejected: Vec<_> = rejected.into_iter().chain(too_expensive).collect();
        require_prefix(request, &built.executed.block, &rejected)?;
        for (transaction, reason) in &rejected {
            tracing::debug!(%transaction, %reason, "transaction left out of block");
        }
        Ok(BlockCandidate { new: built.executed, cost, rejected, in_vain, begun })
    }

    /// Makes a sealed block the head, if its parent is the head.
    pub fn append(&self, sealed: BlockCandidate) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        let (parent, head) =
            (sealed.new.block.header.parent_hash, self.read(|node| node.chain.head().hash));
        if parent != head {
            return Err(NodeError::Stale { parent, head });
        }
        self.append_locked(sealed)
    }

    /// Discards a sealed block. Its rejected transactions are treated as if it had been appended.
    pub fn discard(&self, sealed: BlockCandidate) {
        let BlockCandidate { new, rejected, in_vain, .. } = sealed;
        self.inner.write().settle_rejected(&rejected, &in_vain, new.block.header.number);
    }

    fn append_locked(&self, sealed: BlockCandidate) -> Result<Arc<Block>, NodeError> {
        let BlockCandidate { new, rejected, in_vain, begun, .. } = sealed;
        let mut node = self.inner.write();
        let changed = changed_by(&new);
        let block = node.chain.append(new)?;
        node.clock.used(block.header.timestamp);
        node.header_policy.made(&block.header);
        // Must precede `settle_rejected`, so that an included transaction does not clear the
        // penalty for a later one of the same sender.
        block.senders.iter().for_each(|sender| node.pool.forgive(*sender));
        node.settle_rejected(&rejected, &in_vain, block.header.number);
        node.forget_pooled(&block);
        node.settle_pool(&changed);
        if let Err(error) = node.prune() {
            tracing::warn!(%error, "failed to prune old states");
        }
        let (observer, waiting) = (Arc::clone(&node.observer), node.pool.len());
        drop(node);
        tracing::info!(
            number = block.header.number,
            hash = %block.hash,
            transactions = block.transactions.len(),
            gas = block.header.gas_used,
            took = ?begun.elapsed(),
            "sealed block"
        );
        observer.made(&block, waiting);
        self.emit(Event::Head { removed: Vec::new(), added: vec![Arc::clone(&block)] });
        Ok(block)
    }

    /// Makes an executed block of another builder the head. Its parent is the head or any other
    /// known block. Subscribers receive an event.
    pub fn adopt(&self, new: ExecutedBlock) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        let mut node = self.inner.write();
        let before = Arc::clone(node.chain.head());
        let changed = changed_by(&new);
        let block = node.chain.append(new)?;
        node.forget_pooled(&block);
        node.settle_pool(&changed);
        let moved = Event::between(&node.chain, &before, node.chain.head());
        if let Err(error) = node.prune() {
            tracing::warn!(%error, "failed to prune old states");
        }
        drop(node);
        if let Some(event) = moved {
            self.emit(event);
        }
        Ok(block)
    }

    /// Returns the block that is [shown](Self::show_pending) as pending or, without one, the block
    /// that would be built now, with the state after it.
    pub fn pending(&self) -> Result<Pending, NodeError> {
        let head = self.read(|node| node.chain.head().hash);
        if let Some(shown) = self.shown.lock().as_ref()
            && shown.state.block().header.parent_hash == head
        {
            return Ok(shown.clone());
        }
        let mut cached = self.pending.lock();
        let draft = {
            let node = self.inner.read();
            Draft::new(&node, &node.attributes)?
        };
        let key = draft.key();
        if let Some(pending) = cached.as_ref().filter(|it| it.key.as_ref() == Some(&key)) {
            return Ok(pending.clone());
        }
        let built = draft.build(false)?;
        let is_waiting = |(_, reason): &&(usize, Rejection)| !reason.is_final();
        let waiting = built.rejected.iter().filter(is_waiting).count();
        let (used, state) = (built.used, draft.state.after(built.executed)?);
        let pending = Pending { state, used, waiting, key: Some(key) };
        *cached = Some(pending.clone());
        Ok(pending)
    }

    /// Shows a block as pending for as long as its parent is the head, instead of the block that
    /// would be built. Requests then start no build. `used` is the use of the EXECUTE input budget.
    /// Returns the state after the block.
    ///
    /// # Errors
    ///
    /// [`NodeError::Stale`] if its parent is not the head; what is shown is unchanged.
    pub fn show_pending(
        &self,
        block: ExecutedBlock,
        used: Option<InputUse>,
    ) -> Result<State, NodeError> {
        let state = self.state();
        let (parent, head) = (block.block.header.parent_hash, state.block().hash);
        if parent != head {
            return Err(NodeError::Stale { parent, head });
        }
        let state = state.after(block)?;
        let shown = Pending { state: state.clone(), used, waiting: 0, key: None };
        *self.shown.lock() = Some(shown);
        Ok(state)
    }

    /// Shows the block that would be built as pending again.
    pub fn hide_pending(&self) {
        *self.shown.lock() = None;
    }

    /// Returns `true` if the pool has executable transactions for a block with this request,
    /// besides the request's own.
    pub fn has_executable(&self, request: &MineRequest) -> Result<bool, NodeError> {
        Ok(!Draft::new(&self.inner.read(), request)?.offered.is_empty())
    }

    /// Builds blocks at the interval in the settings, and retries failed blocks. Runs until the
    /// node is dropped.
    pub async fn run(self: Arc<Self>) {
        let node = Arc::downgrade(&self);
        let mut changed = self.mining_changed.subscribe();
        let mut interval = self.read(|node| node.settings.mining.interval());
        let mut failed = false;
        drop(self);
        loop {
            let due = interval.unwrap_or(Duration::from_secs(3_600));
            let due = tokio::time::sleep(if failed { due.min(RETRY) } else { due });
            tokio::select! {
                () = due, if interval.is_some() => {
                    let Some(node) = node.upgrade() else { return };
                    let mined = tokio::task::spawn_blocking(move || node.mine_next());
                    failed = match mined.await {
                        Ok(Ok(_)) => false,
                        Ok(Err(error)) => {
                            tracing::error!(%error, "failed to build block at interval, retrying");
                            true
                        }
                        Err(error) => {
                            tracing::error!(%error, "block production panicked, retrying");
                            true
                        }
                    };
                }
                result = changed.changed() => {
                    if result.is_err() {
                        return;
                    }
                    failed = false;
                }
            }
            let Some(node) = node.upgrade() else { return };
            interval = node.read(|node| node.settings.mining.interval());
        }
    }
}

/// Checks that a block begins with the fixed transactions of its request.
fn require_prefix(
    request: &MineRequest,
    block: &Block,
    rejected: &[(B256, Rejection)],
) -> Result<(), NodeError> {
    for (index, expected) in request.transactions.iter().take(request.fixed).enumerate() {
        let transaction = *expected.transaction.hash();
        if block.transactions.get(index).is_some_and(|got| *got.hash() == transaction) {
            continue;
        }
        let reason = rejected.iter().find(|(hash, _)| *hash == transaction);
        let reason = reason.map_or_else(|| "not rejected".to_owned(), |(_, it)| it.to_string());
        return Err(NodeError::PrefixLost { index, transaction, reason });
    }
    Ok(())
}

/// Returns the accounts that a block changes.
fn changed_by(block: &ExecutedBlock) -> Vec<Address> {
    block.changes.preimages.iter().map(|(address, _)| *address).collect()
}

/// Function that encodes the EXECUTE input of a block.
pub(crate) type InputForm =
    fn(&Block, ProtocolFork, u64, &OwnedWitness) -> Result<Vec<u8>, wire::DecodeError>;

/// Verifies a block as EXECUTE would, from its witness alone, and returns the cost of the call.
/// Returns `None` before Cancun, which has no input, and for a block with transactions of type
/// `0x05`, which EXECUTE does not support: the chain verifies it from the same witness. A block
/// that is posted to L1 is verified in the form used there. Only the senders come from the pool,
/// which has recovered them from the same signatures.
pub(crate) fn verify_from_witness(
    parent: &State,
    block: &Block,
    witness: &OwnedWitness,
    rules: Rules,
    schedule: GasSchedule,
    form: InputForm,
) -> Result<Option<InputCost>, NodeError> {
    let config = parent.config();
    let number = block.header.number;
    let unverified = |reason| NodeError::Unverified { number, reason: Box::new(reason) };
    let fork = config.spec.fork_at(block.header.timestamp);
    let Some(fork) = fork.filter(|fork| *fork >= ProtocolFork::Cancun) else { return Ok(None) };
    if block.transactions.iter().any(|transaction| transaction.as_execute().is_some()) {
        verify_child(parent, block, witness).map_err(|error| unverified(error.into()))?;
        return Ok(None);
    }
    let calldata = form(block, fork, config.spec.chain_id(), witness)
        .map_err(|error| unverified(error.into()))?;
    let execute = Execute {
        gas: schedule.into(),
        rules,
        networks: Networks::Only(Arc::new(config.spec.clone())),
        threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        ..Execute::on(fork)
    };
    let context = TrustedContext { evm: config, senders: &block.senders };
    let done = execute.run_under(&calldata, u64::MAX, context, |_| {});
    let executed = done.map_err(|error| unverified(error.into()))?;
    Ok(Some(InputCost { bytes: calldata.len(), gas: executed.reserve, work: executed.work }))
}
