//! Installed filters, and their events since the last poll.

use crate::{LogLimit, RpcError, RpcLog, log_matching::log_changes};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::Filter;
use node::{Event, Node};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

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
    filters: HashMap<U256, Installed>,
}

#[derive(Debug)]
struct Installed {
    kind: FilterKind,
    /// Logs of blocks before the filter was installed, returned by its first poll.
    earlier: Vec<RpcLog>,
    events: Receiver<Event>,
    asked: Instant,
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

    pub(crate) fn install(&self, node: &Node, kind: FilterKind) -> Result<U256, RpcError> {
        self.install_from(node.subscribe(), kind, Vec::new())
    }

    pub(crate) fn install_from(
        &self,
        events: Receiver<Event>,
        kind: FilterKind,
        earlier: Vec<RpcLog>,
    ) -> Result<U256, RpcError> {
        let mut inner = self.inner.lock();
        let lifetime = self.lifetime;
        inner.filters.retain(|_, filter| filter.asked.elapsed() < lifetime);
        if inner.filters.len() >= MAX_FILTERS {
            return Err(RpcError::server(format!(
                "{MAX_FILTERS} filters are installed: uninstall some"
            )));
        }
        inner.last += 1;
        let id = U256::from(inner.last);
        let installed = Installed { kind, earlier, events, asked: Instant::now() };
        inner.filters.insert(id, installed);
        Ok(id)
    }

    /// Removes a filter, and returns `true` if it was installed.
    pub(crate) fn uninstall(&self, id: U256) -> bool {
        self.inner.lock().filters.remove(&id).is_some()
    }

    pub(crate) fn kind(&self, id: U256) -> Result<FilterKind, RpcError> {
        let kind = self.inner.lock().filters.get(&id).map(|filter| filter.kind.clone());
        kind.ok_or_else(not_found)
    }

    /// Returns the events since the last poll.
    pub(crate) fn changes(&self, id: U256) -> Result<Value, RpcError> {
        let mut inner = self.inner.lock();
        let filter = inner.filters.get_mut(&id).ok_or_else(not_found)?;
        filter.asked = Instant::now();
        let mut events = Vec::new();
        loop {
            match filter.events.try_recv() {
                Ok(event) => events.push(event),
                // The oldest events are lost to a client that polls too rarely.
                Err(TryRecvError::Lagged(missed)) => {
                    if let Some(left_out) = MISSED.admit() {
                        tracing::warn!(filter = %id, missed, left_out, "filter polled too rarely, dropped events");
                    }
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Ok(match &filter.kind {
            FilterKind::Blocks => json!(new_blocks(&events)),
            FilterKind::Pending => json!(pooled(&events)),
            FilterKind::Logs(wanted) => {
                let mut changes = core::mem::take(&mut filter.earlier);
                changes.extend(log_changes(&events, wanted));
                json!(changes)
            }
        })
    }
}

pub(crate) fn not_found() -> RpcError {
    RpcError::server("filter not found")
}

fn new_blocks(events: &[Event]) -> Vec<B256> {
    let added = events.iter().filter_map(|event| match event {
        Event::Head { added, .. } => Some(added),
        Event::Pooled(_) => None,
    });
    added.flatten().map(|block| block.hash).collect()
}

fn pooled(events: &[Event]) -> Vec<B256> {
    let pooled = events.iter().filter_map(|event| match event {
        Event::Pooled(transaction) => Some(*transaction.hash()),
        Event::Head { .. } => None,
    });
    pooled.collect()
}
