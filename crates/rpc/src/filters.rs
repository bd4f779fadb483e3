//! Filters: events since the last poll.

use crate::{Api, LogLimit, Registry, RpcError, RpcLog, logs};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::{Filter, FilterBlockOption};
use chain::Block;
use node::{Event, Node};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::Arc,
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
    kind: Kind,
    /// Logs of blocks before the filter was installed, returned by its first poll.
    earlier: Vec<RpcLog>,
    events: Receiver<Event>,
    asked: Instant,
}

#[derive(Debug, Clone)]
enum Kind {
    Blocks,
    Pending,
    Logs(Box<Filter>),
}

impl Filters {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, inner: Mutex::default() }
    }

    fn install(&self, node: &Node, kind: Kind) -> Result<U256, RpcError> {
        self.install_from(node.subscribe(), kind, Vec::new())
    }

    fn install_from(
        &self,
        events: Receiver<Event>,
        kind: Kind,
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

    /// Returns the events since the last poll.
    fn changes(&self, id: U256) -> Result<Value, RpcError> {
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
            Kind::Blocks => json!(new_blocks(&events)),
            Kind::Pending => json!(pooled(&events)),
            Kind::Logs(wanted) => {
                let mut changes = core::mem::take(&mut filter.earlier);
                changes.extend(log_changes(&events, wanted));
                json!(changes)
            }
        })
    }
}

fn not_found() -> RpcError {
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

/// New logs, and the logs of removed blocks marked as removed.
fn log_changes<'e>(events: impl IntoIterator<Item = &'e Event>, filter: &Filter) -> Vec<RpcLog> {
    let blocks = events.into_iter().flat_map(|event| changed_blocks(event, filter));
    blocks
        .flat_map(|(block, removed)| {
            logs::matching(block, filter).map(move |log| RpcLog { removed, ..log })
        })
        .collect()
}

/// Blocks of an event within the range of a filter, in order, with `true` for removed blocks.
pub(crate) fn changed_blocks<'e>(
    event: &'e Event,
    filter: &Filter,
) -> impl Iterator<Item = (&'e Block, bool)> {
    let (removed, added): (&[Arc<Block>], &[Arc<Block>]) = match event {
        Event::Head { removed, added } => (removed, added),
        Event::Pooled(_) => (&[], &[]),
    };
    let all = removed.iter().map(|block| (&**block, true));
    let all = all.chain(added.iter().map(|block| (&**block, false)));
    all.filter(|(block, _)| match filter.block_option {
        FilterBlockOption::Range { .. } => filter.matches_block_range(block.header.number),
        FilterBlockOption::AtBlockHash(_) => true,
    })
}

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.read("eth_newBlockFilter", |api, _| api.filters.install(api.node(), Kind::Blocks));
    methods.read("eth_newPendingTransactionFilter", |api, _| {
        api.filters.install(api.node(), Kind::Pending)
    });
    methods.execute("eth_newFilter", |api, args| new_log_filter(api, args.required()?));
    methods.read("eth_getFilterChanges", |api, args| api.filters.changes(args.required()?));
    methods.execute("eth_getFilterLogs", |api, args| filter_logs(api, args.required()?));
    methods.read("eth_uninstallFilter", |api, args| {
        let id: U256 = args.required()?;
        Ok(api.filters.inner.lock().filters.remove(&id).is_some())
    });
}

/// Installs a log filter. If the node's `past_logs` option is set, its first poll also returns
/// matching logs of existing blocks.
fn new_log_filter(api: &Api, filter: Filter) -> Result<U256, RpcError> {
    let (events, head) = api.node().subscribe_at_head();
    let mut past = filter.clone();
    let earlier = match &mut past.block_option {
        FilterBlockOption::Range { from_block: Some(from), to_block }
            if api.options().past_logs =>
        {
            let end = api.number_of(to_block.unwrap_or_default()).min(head.header.number);
            if from.is_pending() || api.number_of(*from) > end {
                Vec::new()
            } else {
                *to_block = Some(end.into());
                logs::find(api, &past)?
            }
        }
        _ => Vec::new(),
    };
    api.filters.install_from(events, Kind::Logs(Box::new(filter)), earlier)
}

/// All logs that match a filter, including those of earlier polls.
fn filter_logs(api: &Api, id: U256) -> Result<Vec<RpcLog>, RpcError> {
    let kind = api.filters.inner.lock().filters.get(&id).map(|filter| filter.kind.clone());
    match kind.ok_or_else(not_found)? {
        Kind::Logs(filter) => logs::find(api, &filter),
        Kind::Blocks | Kind::Pending => Err(not_found()),
    }
}
