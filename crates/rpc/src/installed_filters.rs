//! Installed filters, and their events since the last poll.

use crate::{
    LogLimit, RpcError, RpcLog,
    limits::log_bytes,
    log_matching::{changed_blocks, matching},
};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::Filter;
use node::Event;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{Receiver, error::TryRecvError},
};

/// Maximum number of installed filters.
const MAX_FILTERS: usize = 10_000;

static MISSED: LogLimit = LogLimit::new();

/// Installed filters.
#[derive(Debug)]
pub(crate) struct Filters {
    lifetime: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    filters: HashMap<U256, Arc<Installed>>,
}

#[derive(Debug)]
struct Installed {
    kind: FilterKind,
    asked: Mutex<Instant>,
    unread: Mutex<Unread>,
    /// Permit for its addresses and topics.
    permit: OwnedSemaphorePermit,
}

/// Events that were not returned yet.
#[derive(Debug)]
struct Unread {
    /// Logs of blocks before the filter was installed, returned by its first poll.
    earlier: Vec<RpcLog>,
    events: Receiver<Event>,
}

/// Events that a filter returns.
#[derive(Debug, Clone)]
pub(crate) enum FilterKind {
    Blocks,
    Pending,
    Logs(Box<Filter>),
}

impl Filters {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, inner: Mutex::default() }
    }

    /// Installs a filter. At the limit, removes the filter that was not polled for the longest
    /// time, so that one client with many filters cannot exclude others.
    pub(crate) fn install(
        self: &Arc<Self>,
        events: Receiver<Event>,
        kind: FilterKind,
        earlier: Vec<RpcLog>,
        permit: OwnedSemaphorePermit,
    ) -> U256 {
        self.expire();
        let mut inner = self.inner.lock();
        if inner.filters.len() >= MAX_FILTERS {
            inner.remove_unpolled(0);
        }
        if inner.last == 0 {
            self.expire_regularly();
        }
        inner.last += 1;
        let id = U256::from(inner.last);
        let (asked, unread) = (Mutex::new(Instant::now()), Unread { earlier, events }.into());
        inner.filters.insert(id, Arc::new(Installed { kind, asked, unread, permit }));
        id
    }

    /// Removes the filter that was not polled for the longest time among those with at least this
    /// number of addresses and topics. Returns `false` if there is none.
    pub(crate) fn remove_unpolled(&self, items: usize) -> bool {
        self.inner.lock().remove_unpolled(items)
    }

    /// Removes the filters that were not polled for their lifetime. An unpolled filter keeps the
    /// blocks of all events since its last poll in memory.
    pub(crate) fn expire(&self) {
        let lifetime = self.lifetime;
        self.inner.lock().filters.retain(|_, filter| filter.asked.lock().elapsed() < lifetime);
    }

    /// Starts a thread that [removes](Self::expire) filters even if no client calls a filter
    /// method. It ends with the filters.
    fn expire_regularly(self: &Arc<Self>) {
        let (filters, interval) = (Arc::downgrade(self), self.lifetime / 4);
        let thread = thread::Builder::new().name("filters".to_owned());
        let started = thread.spawn(move || {
            loop {
                thread::sleep(interval);
                let Some(filters) = filters.upgrade() else { return };
                filters.expire();
            }
        });
        if let Err(error) = started {
            tracing::warn!(%error, "failed to start the thread that removes unpolled filters");
        }
    }

    /// Removes a filter, and returns `true` if it was installed.
    pub(crate) fn uninstall(&self, id: U256) -> bool {
        self.inner.lock().filters.remove(&id).is_some()
    }

    pub(crate) fn kind(&self, id: U256) -> Result<FilterKind, RpcError> {
        Ok(self.get(id)?.kind.clone())
    }

    fn get(&self, id: U256) -> Result<Arc<Installed>, RpcError> {
        self.inner.lock().filters.get(&id).cloned().ok_or_else(not_found)
    }

    /// Returns the events since the last poll. Logs beyond `limit` bytes are returned by the next
    /// poll, but at least those of one event are returned.
    pub(crate) fn changes(&self, id: U256, limit: u64) -> Result<Value, RpcError> {
        let filter = self.get(id)?;
        *filter.asked.lock() = Instant::now();
        // The lock of one filter only: a response can be large.
        let mut unread = filter.unread.lock();
        let mut changes = core::mem::take(&mut unread.earlier);
        let mut events = core::iter::from_fn(|| unread.next(id));
        Ok(match &filter.kind {
            FilterKind::Blocks => json!(new_blocks(events)),
            FilterKind::Pending => json!(pooled(events)),
            FilterKind::Logs(wanted) => {
                let mut bytes = 0;
                while bytes <= limit
                    && let Some(event) = events.next()
                {
                    for (block, removed) in changed_blocks(&event, wanted) {
                        for log in matching(block, wanted) {
                            bytes += log_bytes(&log.inner);
                            changes.push(RpcLog { removed, ..log });
                        }
                    }
                }
                json!(changes)
            }
        })
    }
}

impl Inner {
    fn remove_unpolled(&mut self, items: usize) -> bool {
        let those = self.filters.iter().filter(|(_, filter)| filter.permit.num_permits() >= items);
        let oldest = those.min_by_key(|(_, filter)| *filter.asked.lock()).map(|(id, _)| *id);
        oldest.is_some_and(|id| self.filters.remove(&id).is_some())
    }
}

impl Unread {
    fn next(&mut self, id: U256) -> Option<Event> {
        loop {
            match self.events.try_recv() {
                Ok(event) => return Some(event),
                // A client that polls too rarely loses the oldest events.
                Err(TryRecvError::Lagged(missed)) => {
                    if let Some(left_out) = MISSED.admit() {
                        tracing::warn!(filter = %id, missed, left_out, "filter polled too rarely, dropped events");
                    }
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }
}

pub(crate) fn not_found() -> RpcError {
    RpcError::server("filter not found")
}

fn new_blocks(events: impl Iterator<Item = Event>) -> Vec<B256> {
    let added = events.filter_map(|event| match event {
        Event::Head { added, .. } => Some(added),
        Event::Pooled(_) => None,
    });
    added.flatten().map(|block| block.hash).collect()
}

fn pooled(events: impl Iterator<Item = Event>) -> Vec<B256> {
    let pooled = events.filter_map(|event| match event {
        Event::Pooled(transaction) => Some(*transaction.hash()),
        Event::Head { .. } => None,
    });
    pooled.collect()
}
