//! The handle of a node.

use crate::{Clock, Command, Event, HeaderPolicy, MineRequest, NodeState, Pending, Pool, Settings};
use alloy_primitives::map::B256Map;
use chain::{Block, Chain, State};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Maximum number of events that a subscriber can lag behind. If it lags further, it gets an error
/// and misses the oldest events, so that slow subscribers do not use memory without bound.
const EVENTS: usize = 16_384;

/// Handle of a node, shared by its servers.
#[derive(Debug)]
pub struct Node {
    pub(crate) inner: RwLock<NodeState>,
    /// Lock held while a block is built or the state is changed.
    pub(crate) mining: Mutex<()>,
    pub(crate) pending: Mutex<Option<Pending>>,
    /// Block that is shown as pending while its parent is the head.
    pub(crate) shown: Mutex<Option<Pending>>,
    pub(crate) mining_changed: watch::Sender<()>,
    pub(crate) events: broadcast::Sender<Event>,
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
            shown: Mutex::new(None),
            mining_changed: watch::Sender::new(()),
            events: broadcast::Sender::new(EVENTS),
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
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Subscribes to events after the head, and returns the head. Waits for a block that is being
    /// built.
    pub fn subscribe_at_head(&self) -> (broadcast::Receiver<Event>, Arc<Block>) {
        // Events of a new head are sent before this lock is released, so none is missed or received
        // twice.
        let _one = self.mining.lock();
        (self.subscribe(), self.read(|node| Arc::clone(node.chain.head())))
    }

    pub(crate) fn emit(&self, event: Event) {
        // An error means that there are no subscribers.
        drop(self.events.send(event));
    }
}
