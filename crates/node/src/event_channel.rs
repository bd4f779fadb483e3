//! Channel of a node's events, bounded by their size.

use crate::Event;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

/// Maximum number of events that a subscriber can lag behind. Beyond this, it gets an error and
/// misses the oldest events.
const MAX_EVENTS: usize = 16_384;

/// Maximum size of the events that a subscriber can lag behind, in bytes. An event keeps its blocks
/// or its transaction in memory until all subscribers have received it. One client that reads
/// slowly would otherwise hold the blocks of hours, and transactions that have left the pool.
pub(crate) const MAX_BYTES: usize = 128 << 20;

/// An event; `None` once it was dropped because of its age.
type Slot = Mutex<Option<Event>>;

/// Sender of events.
#[derive(Debug)]
pub(crate) struct EventSender {
    channel: broadcast::Sender<Arc<Slot>>,
    unread: Mutex<Unread>,
}

/// Events that some subscriber may not have received, oldest first, with their sizes in bytes. The
/// first is one that was not received, unless there is none.
#[derive(Debug, Default)]
struct Unread {
    events: VecDeque<(Weak<Slot>, usize)>,
    bytes: usize,
}

impl Unread {
    /// Drops the oldest events until the others are within the limit, and those that all
    /// subscribers have received. The newest event is kept, whatever its size.
    fn trim(&mut self) {
        while let Some((oldest, bytes)) = self.events.front() {
            let is_surplus = self.bytes > MAX_BYTES && self.events.len() > 1;
            if !is_surplus && oldest.strong_count() > 0 {
                return;
            }
            if let Some(slot) = oldest.upgrade() {
                *slot.lock() = None;
            }
            self.bytes -= bytes;
            self.events.pop_front();
        }
    }
}

impl EventSender {
    pub(crate) fn new() -> Self {
        Self { channel: broadcast::Sender::new(MAX_EVENTS), unread: Mutex::default() }
    }

    pub(crate) fn subscribe(&self) -> EventReceiver {
        EventReceiver(self.channel.subscribe())
    }

    pub(crate) fn has_receivers(&self) -> bool {
        self.channel.receiver_count() > 0
    }

    pub(crate) fn send(&self, event: Event) {
        if !self.has_receivers() {
            return;
        }
        let bytes = event.bytes();
        let slot = Arc::new(Mutex::new(Some(event)));
        let mut unread = self.unread.lock();
        unread.events.push_back((Arc::downgrade(&slot), bytes));
        unread.bytes += bytes;
        // Under the lock, so that both have the same order.
        drop(self.channel.send(slot));
        unread.trim();
    }
}

/// Receiver of a node's events.
#[derive(Debug)]
pub struct EventReceiver(broadcast::Receiver<Arc<Slot>>);

impl EventReceiver {
    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if events were dropped because this receiver was too slow;
    /// [`RecvError::Closed`] if the node was dropped.
    pub async fn recv(&mut self) -> Result<Event, RecvError> {
        let slot = self.0.recv().await?;
        let event = slot.lock().clone();
        event.ok_or(RecvError::Lagged(1))
    }

    /// Returns the next event, if there is one.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Lagged`] if events were dropped because this receiver was too slow.
    pub fn try_recv(&mut self) -> Result<Event, TryRecvError> {
        let slot = self.0.try_recv()?;
        let event = slot.lock().clone();
        event.ok_or(TryRecvError::Lagged(1))
    }
}
