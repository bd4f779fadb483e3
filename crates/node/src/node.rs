//! Handle of a node.

use crate::{
    BlockCandidate, Clock, Command, Event, EventReceiver, HeaderPolicy, MineRequest, NodeError,
    NodeState, Pending, Pool, PoolTransaction, Rejected, Settings, draft::Draft,
    event_channel::EventSender, pending::PendingBlocks, sender_check::SenderCheck,
    verify::verify_executed,
};
use alloy_primitives::{Address, B256, map::B256Map};
use chain::{Block, Chain, ExecutedBlock, InputUse, State};
use parking_lot::{Mutex, RwLock};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Delay before building is retried after a failure, if no block is due earlier.
const RETRY: Duration = Duration::from_secs(1);

/// Handle of a node, shared by its servers.
#[derive(Debug)]
pub struct Node {
    inner: RwLock<NodeState>,
    /// Lock held while a block is built or the state is changed.
    mining: Mutex<()>,
    pending: PendingBlocks,
    mining_changed: watch::Sender<()>,
    events: EventSender,
}

impl Node {
    /// Creates a node for `chain`, with an empty pool and without a header policy.
    pub fn new(chain: Chain, clock: Clock, settings: Settings) -> Arc<Self> {
        Self::with_header_policy(chain, clock, settings, Arc::new(()))
    }

    /// Like [`Self::new`], with a policy for the headers of its blocks.
    pub fn with_header_policy(
        chain: Chain,
        clock: Clock,
        settings: Settings,
        header_policy: Arc<dyn HeaderPolicy>,
    ) -> Arc<Self> {
        let state = NodeState {
            chain,
            pool: Pool::default(),
            clock,
            settings,
            attributes: MineRequest::default(),
            forkchoice: None,
            header_policy,
            pool_journal: Arc::new(()),
            observer: Arc::new(()),
            pins: Mutex::default(),
            sidecars: B256Map::default(),
            blobs: Arc::default(),
            commands: 0,
        };
        Arc::new(Self {
            inner: RwLock::new(state),
            mining: Mutex::new(()),
            pending: PendingBlocks::default(),
            mining_changed: watch::Sender::new(()),
            events: EventSender::new(),
        })
    }

    /// Reads the state under the lock. Keep the closure short: clone a [`State`] or a block and
    /// work on the clone.
    pub fn read<T>(&self, read: impl FnOnce(&NodeState) -> T) -> T {
        read(&self.inner.read())
    }

    /// Returns `true` if [`Self::read`] would block because a writer is active.
    pub fn is_being_changed(&self) -> bool {
        self.inner.is_locked_exclusive()
    }

    /// Executes a command while no block is being built, and notifies subscribers if the head
    /// changed.
    pub fn execute<C: Command>(&self, command: C) -> C::Output {
        tracing::debug!(?command);
        let _one = self.mining.lock();
        let mut node = self.inner.write();
        let (before, mining) = (Arc::clone(node.chain.head()), node.settings.mining);
        let result = command.apply(&mut node);
        node.commands += 1;
        let moved = Event::between(&node.chain, &before, node.chain.head());
        let other_mining = node.settings.mining != mining;
        drop(node);
        if let Some(event) = moved {
            self.emit(event);
        }
        if other_mining {
            self.mining_changed.send_replace(());
        }
        result
    }

    /// Returns the state at the head.
    pub fn state(&self) -> State {
        self.read(|node| node.chain.state())
    }

    /// Subscribes to events.
    pub fn subscribe(&self) -> EventReceiver {
        self.events.subscribe()
    }

    /// Subscribes to events after the head, and returns the head. Waits for a block that is being
    /// built.
    pub fn subscribe_at_head(&self) -> (EventReceiver, Arc<Block>) {
        // Events of a new head are sent before this lock is released, so none is missed or received
        // twice.
        let _one = self.mining.lock();
        (self.subscribe(), self.read(|node| Arc::clone(node.chain.head())))
    }

    fn emit(&self, event: Event) {
        self.events.send(event);
    }

    /// Adds a transaction to the pool, and builds a block if auto-mining is enabled.
    ///
    /// The block is in the chain before this returns, so the receipt is available to the sender. If
    /// building the block fails, the transaction is removed from the pool again.
    pub fn submit(&self, new: PoolTransaction) -> Result<B256, Rejected> {
        // The sender is read without the lock, because disk I/O or a request to another node may be
        // slow.
        let sender = self.read(|node| SenderCheck::new(node, &new))?;
        let mut context = sender.run(&new)?;
        let hash = *new.hash();
        let (added, executable, noted, journal, auto, is_replacement) = {
            let mut node = self.inner.write();
            if node.checked_at() != sender.at {
                context = SenderCheck::new(&node, &new)?.run(&new)?;
            }
            let is_replacement = node.pool.has(new.sender(), new.nonce());
            let (added, noted) = node.admit(new, &context)?;
            // Only events need these, so the pool is not searched if there are no subscribers.
            let mut executable = match self.events.has_receivers() {
                true => node.pool.executable_from(&added, context.nonce),
                false => Vec::new(),
            };
            executable.truncate(if is_replacement { 1 } else { usize::MAX });
            let (journal, auto) = (Arc::clone(&node.pool_journal), node.settings.mining.is_auto());
            (added, executable, noted, journal, auto, is_replacement)
        };
        if let Err(error) = journal.keep(noted) {
            self.inner.write().pool.remove(&hash);
            return Err(Rejected::NotJournaled(error.to_string()));
        }
        // Only admitted transactions are verified here, because a rejected one costs its sender
        // nothing. A replacement is verified when its block is built, because a sender pays only
        // once per nonce.
        if !is_replacement {
            sender.verify_ahead(&added, context.nonce);
        }
        executable.into_iter().for_each(|waiting| self.emit(Event::Pooled(waiting)));
        if auto {
            match self.mine_ready() {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, transaction = %hash, "failed to build block for transaction");
                    // The sender receives an error. If this transaction is the cause, block
                    // production would stall while it stays in the pool.
                    let mut node = self.inner.write();
                    if node.pool.remove(&hash).is_none()
                        && matches!(node.chain.transaction(&hash), Ok(Some(_)))
                    {
                        return Ok(hash);
                    }
                    return Err(match error {
                        NodeError::Chain(error) => error.into(),
                        error => Rejected::Mining(Box::new(error)),
                    });
                }
            }
        }
        Ok(hash)
    }

    /// Builds a block and appends it.
    pub fn mine(&self, request: &MineRequest) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        self.mine_locked(request)
    }

    /// Builds the next block, as returned by [`Self::pending`], and appends it.
    pub fn mine_next(&self) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        let request = self.inner.read().attributes.clone();
        self.mine_locked(&request)
    }

    /// Builds blocks as long as they include executable transactions. One that fills a nonce gap
    /// makes its successors executable, which may need more than one block.
    fn mine_ready(&self) -> Result<(), NodeError> {
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
        let (draft, rules) = {
            let node = self.inner.read();
            (Draft::new(&node, request)?, node.settings.verify_blocks)
        };
        BlockCandidate::build(draft, request, rules, begun)
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
        node.header_policy.on_block(&block.header);
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
        observer.on_block(&block, waiting);
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

    /// Verifies an executed block as EXECUTE would, from its witness alone, if verification is
    /// enabled in the settings.
    ///
    /// # Errors
    ///
    /// [`NodeError::Unverified`] with the reason of EXECUTE.
    pub fn verify(&self, new: &ExecutedBlock) -> Result<(), NodeError> {
        let (chain, rules) =
            self.read(|node| (node.chain.reader().clone(), node.settings.verify_blocks));
        rules.map_or(Ok(()), |rules| verify_executed(&chain, new, rules))
    }

    /// Stores an executed block, a child of any known block, without moving the head.
    ///
    /// # Errors
    ///
    /// [`NodeError::Chain`] if the block cannot be stored.
    pub fn insert(&self, new: ExecutedBlock) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        Ok(self.inner.write().chain.insert(new)?)
    }

    /// Returns the block [set](Self::set_pending) as pending or, without one, the block that would
    /// be built now, with the state after it.
    pub fn pending(&self) -> Result<Pending, NodeError> {
        let head = self.read(|node| node.chain.head().hash);
        if let Some(pending) = self.pending.external_on(head) {
            return Ok(pending);
        }
        self.pending.build(|| {
            let node = self.inner.read();
            Ok(Draft::new(&node, &node.attributes)?)
        })
    }

    /// Sets the pending block as long as its parent is the head, in which case requests do not
    /// build one. `used` is the use of the EXECUTE input budget. Returns the state after the block.
    ///
    /// # Errors
    ///
    /// [`NodeError::Stale`] if its parent is not the head, in which case the pending block is
    /// unchanged.
    pub fn set_pending(
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
        self.pending.set(Pending { state: state.clone(), used, waiting: 0, key: None });
        Ok(state)
    }

    /// Unsets the pending block, so that the block that would be built is pending again.
    pub fn clear_pending(&self) {
        self.pending.clear();
    }

    /// Returns `true` if the pool has executable transactions for a block with this request,
    /// in addition to the request's own.
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

/// Returns the accounts that a block changes.
fn changed_by(block: &ExecutedBlock) -> Vec<Address> {
    block.changes.preimages.iter().map(|(address, _)| *address).collect()
}
