//! Installed filters, and their events since the last poll.

use crate::{
    LogLimit, RpcError, RpcLog,
    limits::log_bytes,
    log_matching::{changed_blocks, matching},
};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::Filter;
use node::{Event, EventReceiver};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, broadcast::error::TryRecvError};

/// Maximum number of installed filters.
const MAX_FILTERS: usize = 10_000;

static MISSED: LogLimit = LogLimit::new();

/// Installed filters.
#[derive(Debug)]
pub(crate) struct Filters {
    lifetime: Duration,
    /// Maximum size of the past logs of all filters, in bytes of JSON.
    max_log_bytes: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last_id: u64,
    last_poll: u64,
    filters: HashMap<U256, Entry>,
    /// Filters by their last poll, the longest unpolled one first.
    polls: BTreeMap<u64, Poll>,
    /// Sizes of past logs that were not returned yet, in bytes, with their filters, in the same
    /// order.
    past_logs: BTreeMap<u64, (U256, u64)>,
    /// Sum of these sizes.
    past_log_bytes: u64,
}

/// A filter and its last poll.
#[derive(Debug)]
struct Entry {
    filter: Arc<Installed>,
    poll: u64,
}

/// The last poll of a filter, or its installation.
#[derive(Debug)]
struct Poll {
    id: U256,
    time: Instant,
    /// Number of addresses and topics of the filter.
    items: usize,
}

#[derive(Debug)]
struct Installed {
    kind: FilterKind,
    unread: Mutex<Unread>,
    /// Permit for its addresses and topics.
    permit: OwnedSemaphorePermit,
}

/// Events that were not returned yet.
#[derive(Debug)]
struct Unread {
    /// Logs of blocks before the filter was installed, returned by its first poll.
    past_logs: Vec<RpcLog>,
    events: EventReceiver,
}

/// Events that a filter returns.
#[derive(Debug, Clone)]
pub(crate) enum FilterKind {
    Blocks,
    Pending,
    Logs(Box<Filter>),
}

impl Filters {
    pub(crate) fn new(lifetime: Duration, max_log_bytes: u64) -> Self {
        Self { lifetime, max_log_bytes, inner: Mutex::default() }
    }

    /// Installs a filter. At a limit, removes the filters that were not polled for the longest
    /// time, so that one client with many filters cannot exclude others: one filter at the maximum
    /// number, and filters with past logs until those of the new one fit.
    pub(crate) fn install(
        self: &Arc<Self>,
        events: EventReceiver,
        kind: FilterKind,
        past_logs: Vec<RpcLog>,
        permit: OwnedSemaphorePermit,
    ) -> U256 {
        let bytes = past_logs.iter().map(|log| log_bytes(&log.inner)).sum();
        let unread = Mutex::new(Unread { past_logs, events });
        let mut inner = self.inner.lock();
        inner.expire(self.lifetime);
        if inner.filters.len() >= MAX_FILTERS {
            inner.remove_unpolled(0);
        }
        inner.make_room(bytes, self.max_log_bytes);
        if inner.last_id == 0 {
            self.expire_regularly();
        }
        inner.add(Installed { kind, unread, permit }, bytes)
    }

    /// Removes the filter that was not polled for the longest time among those with at least this
    /// number of addresses and topics. Returns `false` if there is none.
    pub(crate) fn remove_unpolled(&self, items: usize) -> bool {
        self.inner.lock().remove_unpolled(items)
    }

    /// Removes the filters that were not polled for their lifetime. An unpolled filter keeps the
    /// blocks of all events since its last poll in memory.
    fn expire(&self) {
        self.inner.lock().expire(self.lifetime);
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
        self.inner.lock().remove(id)
    }

    pub(crate) fn kind(&self, id: U256) -> Result<FilterKind, RpcError> {
        let inner = self.inner.lock();
        let entry = inner.filters.get(&id).ok_or_else(not_found)?;
        Ok(entry.filter.kind.clone())
    }

    /// Returns the events since the last poll. Logs beyond `limit` bytes are returned by the next
    /// poll, but at least those of one event are returned.
    pub(crate) fn changes(&self, id: U256, limit: u64) -> Result<Value, RpcError> {
        let filter = self.inner.lock().polled(id).ok_or_else(not_found)?;
        // The lock of one filter only: a response can be large.
        let mut unread = filter.unread.lock();
        let mut changes = core::mem::take(&mut unread.past_logs);
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
    /// Adds a filter with past logs of this size, in bytes.
    fn add(&mut self, filter: Installed, bytes: u64) -> U256 {
        self.last_id += 1;
        let (id, items) = (U256::from(self.last_id), filter.permit.num_permits());
        let poll = self.record_poll(id, items);
        if bytes > 0 {
            self.past_logs.insert(poll, (id, bytes));
            self.past_log_bytes += bytes;
        }
        self.filters.insert(id, Entry { filter: Arc::new(filter), poll });
        id
    }

    fn record_poll(&mut self, id: U256, items: usize) -> u64 {
        self.last_poll += 1;
        self.polls.insert(self.last_poll, Poll { id, time: Instant::now(), items });
        self.last_poll
    }

    /// Forgets the last poll of a filter and the size of its past logs.
    fn drop_poll(&mut self, poll: u64) {
        self.polls.remove(&poll);
        let (_, bytes) = self.past_logs.remove(&poll).unwrap_or_default();
        self.past_log_bytes -= bytes;
    }

    /// Returns the filter of a poll, which returns all its past logs.
    fn polled(&mut self, id: U256) -> Option<Arc<Installed>> {
        let Entry { filter, poll } = self.filters.get(&id)?;
        let (filter, poll) = (Arc::clone(filter), *poll);
        self.drop_poll(poll);
        let poll = self.record_poll(id, filter.permit.num_permits());
        self.filters.insert(id, Entry { filter: Arc::clone(&filter), poll });
        Some(filter)
    }

    fn remove(&mut self, id: U256) -> bool {
        let removed = self.filters.remove(&id);
        if let Some(Entry { poll, .. }) = &removed {
            self.drop_poll(*poll);
        }
        removed.is_some()
    }

    fn remove_unpolled(&mut self, items: usize) -> bool {
        let unpolled = self.polls.values().find(|poll| poll.items >= items).map(|poll| poll.id);
        unpolled.is_some_and(|id| self.remove(id))
    }

    fn expire(&mut self, lifetime: Duration) {
        while let Some((_, Poll { id, time, .. })) = self.polls.first_key_value()
            && time.elapsed() >= lifetime
        {
            let id = *id;
            self.remove(id);
        }
    }

    /// Removes the longest unpolled filters with past logs until `bytes` more do not exceed
    /// `limit`.
    fn make_room(&mut self, bytes: u64, limit: u64) {
        while self.past_log_bytes.saturating_add(bytes) > limit
            && let Some((_, (id, _))) = self.past_logs.first_key_value()
        {
            let id = *id;
            self.remove(id);
        }
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
