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

/// Number of events that a slow subscriber may lag behind before it misses some.
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
    /// Attributes of the next block, beyond those from clock and pool.
    pub attributes: MineRequest,
    /// Safe and finalized blocks, as set from outside; `None` derives them from the depth.
    pub forkchoice: Option<Forkchoice>,
    /// Policy for headers.
    pub header_policy: Arc<dyn HeaderPolicy>,
    /// Journal of the pool's transactions.
    pub(crate) pool_journal: Arc<dyn PoolJournal>,
    /// Observer of new blocks.
    pub(crate) observer: Arc<dyn Observer>,
    /// States of snapshots, which are kept however old they are.
    pins: Mutex<Vec<Weak<State>>>,
    /// Blobs of transactions in blocks, by hash of the transaction.
    pub sidecars: B256Map<Arc<Sidecar>>,
    /// Blobs of the pool and of blocks, by their versioned hashes.
    pub blobs: Arc<BlobStore>,
    /// Number of executed commands. Results derived before the last one may be stale.
    pub(crate) commands: u64,
}

/// Safe and finalized blocks, as a consensus client or the L1 of an L2 knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forkchoice {
    /// Number of the newest block that only a reorganisation of L1 can remove.
    pub safe: u64,
    /// Number of the newest block that no reorganisation can remove.
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
    /// Chain at the time of the snapshot.
    pub const fn chain(&self) -> &ChainReader {
        &self.chain
    }

    /// Clock at the time of the snapshot.
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// State at the time of the snapshot.
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl NodeState {
    /// Takes a snapshot. This is cheap, since states are shared.
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

    /// Restores a snapshot: chain, state, waiting transactions, clock and settings.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), ChainError> {
        self.chain.restore(&snapshot.chain)?;
        self.pool = snapshot.pool.clone();
        self.clock = snapshot.clock.clone();
        self.settings = snapshot.settings.clone();
        Ok(())
    }

    /// The state after a block, unless it was never here or is pruned.
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

    /// The header of the next block, with the fields known before execution.
    pub fn next_header(&self, attributes: &BlockAttributes) -> Result<Header, ChainError> {
        let mut header = self.chain.state().open_header(attributes)?;
        self.header_policy.apply(&mut header);
        Ok(header)
    }

    /// Base fee of the next block, in wei.
    pub fn next_base_fee(&self) -> u64 {
        let header = self.pending_header();
        header.ok().and_then(|header| header.base_fee_per_gas).unwrap_or_default()
    }

    /// Gas limit of the next block.
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

    /// Inputs of a transaction check. A result is valid as long as they stay the same.
    fn checked_at(&self) -> (B256, u64) {
        (self.chain.head().hash, self.commands)
    }

    /// Adds a checked transaction to the pool; returns it with its number in the journal.
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

    /// Drops transactions of changed accounts that are no longer valid after a new head.
    pub(crate) fn settle_pool(&mut self, changed: &[Address]) {
        if let Err(error) = self.try_settle_pool(changed) {
            tracing::warn!(%error, "failed to look up senders of waiting transactions");
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
    /// `true` if the pool needs the accounts whose authorizations the transaction carries.
    asks_authorities: bool,
    /// Header of the next block, with the fields known before execution.
    next: Header,
    at: (B256, u64),
}

impl SenderCheck {
    /// Runs the checks and returns the chain's view of the sender.
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

    /// Verifies the block of an L2 that a transaction of type `0x05` brings, within the gas of the
    /// transaction, so that the block with the transaction finds the verdict. One that waits for
    /// others of its sender, whose nonce is `nonce`, is not run.
    ///
    /// Takes as long as the block of the L2 does: no lock of the node may be held.
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
            // It may be valid in the next block: others of the pool may come first.
            Ok(Err(reason)) => {
                tracing::debug!(%hash, ms, %reason, "could not run an ExecuteTx ahead");
            }
            Err(error) => tracing::warn!(%hash, %error, "could not run an ExecuteTx ahead"),
        }
    }
}

/// Handle of a node, shared by its servers.
#[derive(Debug)]
pub struct Node {
    pub(crate) inner: RwLock<NodeState>,
    /// Lock that a thread holds while it makes a block or changes the state.
    pub(crate) mining: Mutex<()>,
    pub(crate) pending: Mutex<Option<Pending>>,
    pub(crate) mining_changed: watch::Sender<()>,
    events: broadcast::Sender<Event>,
}

impl Node {
    /// A node for `chain`, with an empty pool and headers by the protocol's rules.
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

    /// Reads the state under the lock. Keep the closure short: take out a [`State`] or a block, and
    /// work on that.
    pub fn read<T>(&self, read: impl FnOnce(&NodeState) -> T) -> T {
        read(&self.inner.read())
    }

    /// Returns `true` if a writer is active, so that [`Self::read`] would wait.
    pub fn is_being_changed(&self) -> bool {
        self.inner.is_locked_exclusive()
    }

    /// Executes a command while no block is being made, and notifies subscribers if the head moved.
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

    /// The state at the head.
    pub fn state(&self) -> State {
        self.read(|node| node.chain.state())
    }

    /// Adds a transaction to the pool, and makes a block if the settings ask for a block per
    /// transaction.
    ///
    /// The block is in the chain before this returns, so the sender finds the receipt. If no block
    /// can be made, the transaction is not in the pool either.
    pub fn submit(&self, new: PoolTransaction) -> Result<B256, Rejected> {
        // Looked up without the lock, since a disk or another node may answer slowly.
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
            // Only for subscribers: without any, the pool is not searched.
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
        // Only what is in the pool is worth the work: a refusal costs its sender nothing. One nonce
        // pays once, so one that replaces another is verified in its block.
        if !is_replacement {
            sender.verify_ahead(&added, context.nonce);
        }
        executable.into_iter().for_each(|waiting| self.emit(Event::Pooled(waiting)));
        if auto {
            match self.mine_ready() {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, transaction = %hash, "failed to make a block for a transaction");
                    // Its sender takes it for refused; and if it is what cannot be executed, no
                    // block could be made while it is there.
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
    /// made.
    pub fn subscribe_at_head(&self) -> (broadcast::Receiver<Event>, Arc<Block>) {
        // Events of a new head are sent before this lock is free again.
        let _one = self.mining.lock();
        (self.subscribe(), self.read(|node| Arc::clone(node.chain.head())))
    }

    pub(crate) fn emit(&self, event: Event) {
        // An error means that there are no subscribers.
        drop(self.events.send(event));
    }
}
