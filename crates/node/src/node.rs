//! The handle of a node.

use crate::{
    AdmissionContext, BlobStore, Clock, Command, Event, HeaderPolicy, MineRequest, NodeError,
    Observer, Pending, Pool, PoolJournal, PoolTransaction, Rejected, Settings, Sidecar,
    admission::{authorities, check_sender, check_transaction},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, map::B256Map};
use chain::{Block, BlockAttributes, Chain, ChainError, ChainReader, State};
use parking_lot::{Mutex, RwLock};
use std::{
    sync::{Arc, Weak},
    time::Instant,
};
use tokio::sync::{broadcast, watch};

/// Maximum number of events that a subscriber can lag behind without missing any.
const EVENTS: usize = 16_384;

/// State of a node.
#[derive(Debug)]
pub struct NodeState {
    /// The chain.
    pub chain: Chain,
    /// Transaction pool.
    pub pool: Pool,
    /// Clock for block timestamps.
    pub clock: Clock,
    /// Settings of the node.
    pub settings: Settings,
    /// Attributes of the next block that do not come from clock and pool.
    pub attributes: MineRequest,
    /// Safe and finalized blocks, as set by [`Command`]s; `None` derives them from the depth.
    pub forkchoice: Option<Forkchoice>,
    /// Policy for headers.
    pub header_policy: Arc<dyn HeaderPolicy>,
    /// Journal of the pool's transactions.
    pub(crate) pool_journal: Arc<dyn PoolJournal>,
    /// Observer of new blocks.
    pub(crate) observer: Arc<dyn Observer>,
    /// States of snapshots, which are excluded from pruning.
    pins: Mutex<Vec<Weak<State>>>,
    /// Blobs of transactions in blocks, by hash of the transaction.
    pub sidecars: B256Map<Arc<Sidecar>>,
    /// Index of the blobs of the pool and of blocks, by versioned hash.
    pub blobs: Arc<BlobStore>,
    /// Number of executed commands. Results derived before the last one may be stale.
    pub(crate) commands: u64,
}

/// Safe and finalized blocks, as reported by a consensus client or derived from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forkchoice {
    /// Number of the newest block that only an L1 reorg can remove.
    pub safe: u64,
    /// Number of the newest block that no reorg can remove.
    pub finalized: u64,
}

/// A snapshot that the node can restore.
#[derive(Debug, Clone)]
pub struct Snapshot {
    chain: ChainReader,
    /// State at the head, which is not pruned while the snapshot exists.
    state: Arc<State>,
    pool: Pool,
    clock: Clock,
    settings: Settings,
}

impl Snapshot {
    /// Returns the chain at the time of the snapshot.
    pub const fn chain(&self) -> &ChainReader {
        &self.chain
    }

    /// Returns the clock at the time of the snapshot.
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the state at the time of the snapshot.
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl NodeState {
    /// Takes a snapshot. This is cheap, because states are shared.
    pub fn snapshot(&self) -> Snapshot {
        let state = Arc::new(self.chain.state());
        if self.settings.history.is_some() {
            self.pins.lock().push(Arc::downgrade(&state));
        }
        Snapshot {
            chain: self.chain.reader().clone(),
            state,
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
        }
    }

    /// Restores a snapshot: chain, state, pool, clock and settings.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), ChainError> {
        self.chain.restore(&snapshot.chain)?;
        self.pool = snapshot.pool.clone();
        self.clock = snapshot.clock.clone();
        self.settings = snapshot.settings.clone();
        Ok(())
    }

    /// Returns the state after a block, or an error if it was never stored or has been pruned.
    pub fn state_after(&self, block: &Arc<Block>) -> Result<State, ChainError> {
        let (number, head) = (block.header.number, self.chain.head().header.number);
        match self.settings.history {
            Some(states) if number.saturating_add(states) < head => Err(ChainError::Pruned(number)),
            _ => {
                let state = self.chain.state_after(block);
                if state.is_here()? { Ok(state) } else { Err(ChainError::NotLoaded(number)) }
            }
        }
    }

    /// Prunes states and transactions beyond the settings' limits.
    pub(crate) fn prune(&mut self) -> Result<(), ChainError> {
        if let Some(blocks) = self.settings.bodies {
            for transaction in self.chain.forget_bodies(blocks)? {
                self.sidecars.remove(&transaction);
            }
        }
        let Some(states) = self.settings.history else { return Ok(()) };
        let pins = self.pins.get_mut();
        pins.retain(|pin| pin.strong_count() > 0);
        let pinned: Vec<_> = pins.iter().filter_map(Weak::upgrade).collect();
        self.chain.prune(states, pinned.iter().map(|state| state.root()))
    }

    /// Returns the header of the next block, with the fields known before execution.
    pub fn next_header(&self, attributes: &BlockAttributes) -> Result<Header, ChainError> {
        let mut header = self.chain.state().open_header(attributes)?;
        self.header_policy.apply(&mut header);
        Ok(header)
    }

    /// Returns the base fee of the next block, in wei.
    pub fn next_base_fee(&self) -> u64 {
        let header = self.pending_header();
        header.ok().and_then(|header| header.base_fee_per_gas).unwrap_or_default()
    }

    /// Returns the gas limit of the next block.
    pub fn next_gas_limit(&self) -> u64 {
        let head = self.chain.head().header.gas_limit;
        self.pending_header().map_or(head, |header| header.gas_limit)
    }

    fn pending_header(&self) -> Result<Header, ChainError> {
        let timestamp = self.clock.peek(self.chain.head().header.timestamp);
        self.next_header(&BlockAttributes { timestamp, ..BlockAttributes::default() })
    }

    /// Checks a transaction without its sender, and returns the remaining checks with the state for
    /// them.
    fn check(&self, new: &PoolTransaction) -> Result<SenderCheck, Rejected> {
        if self.pool.get(new.hash()).is_some() || self.chain.transaction(new.hash())?.is_some() {
            return Err(Rejected::Known(*new.hash()));
        }
        if let Some(backlog) = self.settings.closed {
            return Err(Rejected::Backlog(backlog));
        }
        let state = self.chain.state();
        let next = self.pending_header()?;
        check_transaction(new, state.config(), &self.settings, &next)?;
        Ok(SenderCheck {
            state,
            may_owe: !self.settings.refuse_unpaid,
            asks_authorities: self.settings.pool_limits.holds_balances,
            next,
            at: self.checked_at(),
        })
    }

    /// Returns the version of the inputs of a transaction check. A result is valid while it is
    /// unchanged.
    fn checked_at(&self) -> (B256, u64) {
        (self.chain.head().hash, self.commands)
    }

    /// Adds a checked transaction to the pool, and returns it with its number in the journal.
    fn admit(
        &mut self,
        new: PoolTransaction,
        context: &AdmissionContext,
    ) -> Result<(Arc<PoolTransaction>, u64), Rejected> {
        let (bump, limits) = (self.settings.replacement_bump, &self.settings.pool_limits);
        let added = self.pool.add(new, context, bump, limits)?;
        let noted = self.pool_journal.note(&added);
        if let Some(sidecar) = &added.sidecar {
            self.blobs.insert(sidecar);
        }
        Ok((added, noted))
    }

    /// Drops transactions of changed accounts that the new head has invalidated.
    pub(crate) fn settle_pool(&mut self, changed: &[Address]) {
        if let Err(error) = self.try_settle_pool(changed) {
            tracing::warn!(%error, "failed to read sender accounts of pending transactions");
        }
    }

    fn try_settle_pool(&mut self, changed: &[Address]) -> Result<(), ChainError> {
        if self.pool.is_empty() {
            return Ok(());
        }
        let (state, limits) = (self.chain.state(), &self.settings.pool_limits);
        for address in changed {
            if self.pool.count_of(*address) == 0 {
                continue;
            }
            let account = state.account(*address)?.unwrap_or_default();
            self.pool.settle(*address, account.nonce, account.balance, limits);
        }
        self.pool.expire_gapped(self.chain.head().header.number, limits);
        Ok(())
    }
}

/// Checks of a transaction that need the sender, but no lock of the node.
struct SenderCheck {
    state: State,
    may_owe: bool,
    /// `true` if the pool needs the accounts whose authorizations the transaction contains.
    asks_authorities: bool,
    /// Header of the next block, with the fields known before execution.
    next: Header,
    at: (B256, u64),
}

impl SenderCheck {
    /// Runs the checks, and returns nonce, balance and delegation of the sender.
    fn run(&self, new: &PoolTransaction) -> Result<AdmissionContext, Rejected> {
        let context = check_sender(new, &self.state, self.may_owe)?;
        let authorities = match self.asks_authorities {
            true => authorities(new, &self.state)?,
            false => Vec::new(),
        };
        let base_fee = self.next.base_fee_per_gas.unwrap_or_default();
        let block = self.state.block().header.number;
        Ok(AdmissionContext { authorities, base_fee, block, ..context })
    }

    /// Verifies the L2 block in a transaction of type `0x05` ahead of its L1 block, within the gas
    /// of the transaction, so that block building finds the verdict cached. A transaction with a
    /// nonce above `nonce`, the sender's next one, is skipped.
    ///
    /// This takes as long as executing the L2 block, so no lock of the node may be held.
    fn verify_ahead(&self, added: &PoolTransaction, nonce: u64) {
        let transaction = &added.recovered.transaction;
        if transaction.as_execute().is_none() || added.nonce() != nonce {
            return;
        }
        let begun = Instant::now();
        let outcome = self.state.try_alone(&self.next, transaction, added.sender());
        let (hash, ms) = (added.hash(), begun.elapsed().as_millis());
        match outcome {
            Ok(Ok(())) => tracing::debug!(%hash, ms, "verified an ExecuteTx ahead of its block"),
            // It may be valid in the next block, after other transactions of the pool.
            Ok(Err(reason)) => {
                tracing::debug!(%hash, ms, %reason, "could not run an ExecuteTx ahead of its block");
            }
            Err(error) => tracing::warn!(%hash, %error, "failed to run an ExecuteTx early"),
        }
    }
}

/// Handle of a node, shared by its servers.
#[derive(Debug)]
pub struct Node {
    pub(crate) inner: RwLock<NodeState>,
    /// Lock held while a block is built or the state is changed.
    pub(crate) mining: Mutex<()>,
    pub(crate) pending: Mutex<Option<Pending>>,
    pub(crate) mining_changed: watch::Sender<()>,
    events: broadcast::Sender<Event>,
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
            pending: Mutex::new(None),
            mining_changed: watch::Sender::new(()),
            events: broadcast::Sender::new(EVENTS),
        })
    }

    /// Reads the state under the lock. Keep the closure short: clone a [`State`] or a block out of
    /// it, and work on that.
    pub fn read<T>(&self, read: impl FnOnce(&NodeState) -> T) -> T {
        read(&self.inner.read())
    }

    /// Returns `true` if a writer is active, so that [`Self::read`] would wait.
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

    /// Adds a transaction to the pool, and builds a block if auto-mining is enabled.
    ///
    /// The block is in the chain before this returns, so the receipt is available to the sender. If
    /// building the block fails, the transaction is removed from the pool again.
    pub fn submit(&self, new: PoolTransaction) -> Result<B256, Rejected> {
        // The sender is read without the lock, because a disk or another node may be slow.
        let sender = self.read(|node| node.check(&new))?;
        let mut context = sender.run(&new)?;
        let hash = *new.hash();
        let (added, executable, noted, journal, auto, is_replacement) = {
            let mut node = self.inner.write();
            if node.checked_at() != sender.at {
                context = node.check(&new)?.run(&new)?;
            }
            let is_replacement = node.pool.has(new.sender(), new.nonce());
            let (added, noted) = node.admit(new, &context)?;
            // Needed for events only, so the pool is not searched without subscribers.
            let mut executable = match self.events.receiver_count() {
                0 => Vec::new(),
                _ => node.pool.executable_from(&added, context.nonce),
            };
            executable.truncate(if is_replacement { 1 } else { usize::MAX });
            let (journal, auto) = (Arc::clone(&node.pool_journal), node.settings.mining.is_auto());
            (added, executable, noted, journal, auto, is_replacement)
        };
        if let Err(error) = journal.keep(noted) {
            self.inner.write().pool.remove(&hash);
            return Err(Rejected::NotKept(error.to_string()));
        }
        // Verify only admitted transactions: a rejected one costs its sender nothing. A replacement
        // is verified in its block, because a sender pays only once per nonce.
        if !is_replacement {
            sender.verify_ahead(&added, context.nonce);
        }
        executable.into_iter().for_each(|waiting| self.emit(Event::Pooled(waiting)));
        if auto {
            match self.mine_ready() {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, transaction = %hash, "failed to build block for transaction");
                    // The sender is told that it failed. If this transaction is the cause, block
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

    /// Subscribes to events.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Subscribes to events after the head, and returns the head. Waits for a block that is being
    /// built.
    pub fn subscribe_at_head(&self) -> (broadcast::Receiver<Event>, Arc<Block>) {
        // Events of a new head are sent before this lock is released.
        let _one = self.mining.lock();
        (self.subscribe(), self.read(|node| Arc::clone(node.chain.head())))
    }

    pub(crate) fn emit(&self, event: Event) {
        // An error means that there are no subscribers.
        drop(self.events.send(event));
    }
}
