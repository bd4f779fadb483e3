//! The newest prefix, for RPC methods and subscribers.

use crate::prefix::{NotPreconfirming, Prefix};
use alloy_primitives::{B256, FixedBytes};
use parking_lot::Mutex;
use preconf::PrefixUpdate;
use rpc_types::{Preconfirming, PrefixItem};
use std::{
    mem::{self, Discriminant},
    sync::Arc,
};
use tokio::sync::broadcast;

/// Maximum number of updates that a subscriber may lag behind.
const UPDATES: usize = 256;

/// Newest prefix that a node has signed, or has received from the sequencer and executed.
#[derive(Debug)]
pub(crate) struct PrefixBook {
    newest: Mutex<Option<Arc<PublishedPrefix>>>,
    updates: broadcast::Sender<PrefixItem>,
    /// Whether the node preconfirms, and the kind of the last logged reason why not.
    state: Mutex<Option<(Option<Discriminant<NotPreconfirming>>, Preconfirming)>>,
}

#[derive(Debug, Clone)]
pub(crate) struct PublishedPrefix {
    pub(crate) prefix: Prefix,
    pub(crate) signature: FixedBytes<65>,
}

impl PublishedPrefix {
    pub(crate) const fn number(&self) -> u64 {
        self.prefix.promised.header.number
    }

    /// Returns the index of a transaction.
    pub(crate) fn position(&self, hash: &B256) -> Option<usize> {
        self.prefix.promised.transactions.iter().position(|promised| promised == hash)
    }

    /// Returns the update for a reader that has the first `first` transactions; `None` if the
    /// prefix has fewer, or if the update is too long to encode.
    pub(crate) fn update(&self, first: usize) -> Option<PrefixItem> {
        let Prefix { promised, header, transactions } = &self.prefix;
        let update = PrefixUpdate {
            message: promised.message,
            signature: self.signature,
            header: header.clone(),
            first: u32::try_from(first).ok()?,
            transactions: transactions.get(first..)?.to_vec(),
            tip: 0,
            floor: 0,
        };
        Some(PrefixItem { ssz: update.encode().ok()?.into() })
    }
}

impl Default for PrefixBook {
    fn default() -> Self {
        let updates = broadcast::Sender::new(UPDATES);
        Self { newest: Mutex::default(), updates, state: Mutex::default() }
    }
}

impl PrefixBook {
    pub(crate) fn publish(&self, published: PublishedPrefix) {
        let mut newest = self.newest.lock();
        // Subscribers have the transactions of the previous prefix of the same block.
        let environment = |prefix: &PublishedPrefix| prefix.prefix.promised.header.environment;
        let previous =
            newest.as_ref().filter(|prefix| environment(prefix) == environment(&published));
        let first = previous.map_or(0, |prefix| prefix.prefix.transactions.len());
        if let Some(update) = published.update(first) {
            // An error means that there are no subscribers.
            drop(self.updates.send(update));
        }
        *newest = Some(Arc::new(published));
    }

    /// Removes the prefix of an abandoned block.
    pub(crate) fn clear(&self) {
        *self.newest.lock() = None;
    }

    pub(crate) fn newest(&self) -> Option<Arc<PublishedPrefix>> {
        self.newest.lock().clone()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<PrefixItem> {
        self.updates.subscribe()
    }

    /// Sets whether this node preconfirms the next block, or the reason why not.
    pub(crate) fn set_state(&self, state: Result<(), &NotPreconfirming>) {
        let (kind, reason) =
            (state.err().map(mem::discriminant), state.err().map(ToString::to_string));
        let mut last = self.state.lock();
        // Log each kind only once, since the age in a reason changes every second.
        if last.as_ref().is_none_or(|(before, _)| *before != kind) {
            match &reason {
                Some(reason) => tracing::warn!(reason, "preconfirmations stopped"),
                None => tracing::info!("preconfirmations started"),
            }
        }
        *last = Some((kind, Preconfirming { on: reason.is_none(), reason }));
    }

    /// Returns whether this node preconfirms blocks; `None` if it is not configured to.
    pub(crate) fn state(&self) -> Option<Preconfirming> {
        self.state.lock().as_ref().map(|(_, state)| state.clone())
    }
}
