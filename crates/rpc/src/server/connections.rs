//! Open connections: limits on their number, their number per address, and the bytes that they
//! hold.
//!
//! At a limit, the server closes the connection that has been idle, or has kept the server waiting,
//! for the longest time. Clients therefore cannot exclude others by opening connections without
//! requests, sending bytes slowly, or not reading their responses.

use super::frames::Frames;
use crate::LogLimit;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::Context,
    time::Duration,
};

/// Maximum number of concurrent requests per WebSocket, where a batch counts as one. At the limit
/// the server stops reading, which bounds the number of requests that a client can make it hold.
pub(super) const MAX_AT_WORK: usize = 32;
/// Number of unread responses at which the server stops reading from a WebSocket: each waits in its
/// own task, which holds more memory than a short response.
pub(super) const MAX_UNREAD: usize = 256;
/// Minimum number of bytes that a request holds besides its parameters.
const REQUEST_BYTES: usize = 256;

static SLOW: LogLimit = LogLimit::new();
static UNREAD: LogLimit = LogLimit::new();

/// Limits of the connections of a server.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Maximum number of open connections.
    pub(super) open: usize,
    /// Maximum number of open connections per address.
    pub(super) per_address: usize,
    /// Maximum number of bytes queued for the client of one connection.
    pub(super) queued: usize,
    /// Maximum number of bytes of requests and responses, over all connections.
    pub(super) total: usize,
    /// Timeout for receiving a whole request, and for a client to read any part of its response.
    pub(super) request_timeout: Duration,
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) bounds: Bounds,
    /// Logical clock, which orders the times at which connections became idle.
    turns: AtomicU64,
    /// Number of bytes of requests and responses.
    bytes: AtomicUsize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    controls: HashMap<u64, Arc<Control>>,
    addresses: HashMap<IpAddr, usize>,
}

/// No connection can be closed, because the server is processing a request of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// Number of open connections.
    pub(super) got: usize,
    /// Maximum number of open connections.
    pub(super) limit: usize,
}

impl Connections {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            turns: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            open: Mutex::default(),
        })
    }

    /// Admits a connection. At a limit, closes the connection that has been idle for longest.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr) -> Result<Place, Full> {
        let address = subscriber(client);
        let mut open = self.open.lock();
        let got = open.addresses.get(&address).copied().unwrap_or_default();
        let limit = self.bounds.per_address;
        if got >= limit {
            open.close_idle(|control| control.address == address).ok_or(Full { got, limit })?;
        }
        let (got, limit) = (open.controls.len(), self.bounds.open);
        if got >= limit {
            open.close_idle(|_| true).ok_or(Full { got, limit })?;
        }
        let id = open.next;
        open.next += 1;
        let control = Arc::new(Control {
            id,
            address,
            since: AtomicU64::new(self.turn()),
            at_work: AtomicUsize::new(0),
            is_due: AtomicBool::new(true),
            lasts: AtomicBool::new(false),
            last_bytes: AtomicU32::new(0),
            frames: Mutex::default(),
            is_closed: AtomicBool::new(false),
            incoming: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
            outgoing: AtomicUsize::new(0),
            unread: AtomicUsize::new(0),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            connections: Arc::clone(self),
        });
        open.controls.insert(id, Arc::clone(&control));
        *open.addresses.entry(address).or_default() += 1;
        drop(open);
        Ok(Place(control))
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Relaxed)
    }

    /// Closes connections that hold bytes until the total is within the limit, starting with the
    /// one whose client has kept the server waiting for longest.
    fn close_slow_connections(&self) {
        while self.bytes.load(Relaxed) > self.bounds.total {
            let mut open = self.open.lock();
            let holds = |control: &Control| control.bytes() > 0;
            let oldest = open.oldest(|control| holds(control) && control.is_waited_for());
            // If the server is processing requests of all of them, close the one that holds most
            // bytes.
            let Some(oldest) = oldest.or_else(|| open.largest()) else { return };
            let (bytes, limit) = (self.bytes.load(Relaxed), self.bounds.total);
            if let Some(left_out) = SLOW.admit() {
                tracing::warn!(
                    address = %oldest.address, bytes, limit, left_out,
                    "closed slow connection: too many queued bytes"
                );
            }
            open.close(&oldest);
        }
    }
}

impl Open {
    /// Returns the connection that has been idle for longest among those that match.
    fn oldest(&self, is_one: impl Fn(&Control) -> bool) -> Option<Arc<Control>> {
        let those = self.controls.values().filter(|control| is_one(control));
        those.min_by_key(|control| control.since.load(Relaxed)).cloned()
    }

    /// Returns the connection that holds most bytes, if any holds some.
    fn largest(&self) -> Option<Arc<Control>> {
        let with_bytes = self.controls.values().filter(|control| control.bytes() > 0);
        with_bytes.max_by_key(|control| control.bytes()).cloned()
    }

    /// Closes the matching connection that has been idle for longest; `None` if none is idle.
    fn close_idle(&mut self, is_one: impl Fn(&Control) -> bool) -> Option<()> {
        let oldest = self.oldest(|control| is_one(control) && control.is_waited_for())?;
        tracing::debug!(address = %oldest.address, "closed idle connection in favour of a new one");
        self.close(&oldest);
        Some(())
    }

    /// Removes a connection and closes it.
    fn close(&mut self, control: &Control) {
        if self.controls.remove(&control.id).is_none() {
            return;
        }
        if let Some(count) = self.addresses.get_mut(&control.address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&control.address);
            }
        }
        control.end();
    }
}

/// Part of an address by which connections are counted: the first 64 bits of an IPv6 address.
fn subscriber(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Slot of an open connection, freed on drop.
#[derive(Debug)]
pub(super) struct Place(pub(super) Arc<Control>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// State of an open connection, through which it can be closed.
#[derive(Debug)]
pub(crate) struct Control {
    id: u64,
    address: IpAddr,
    /// Logical time at which the connection last became idle or the server began to wait for its
    /// client.
    since: AtomicU64,
    /// Number of requests in progress.
    at_work: AtomicUsize,
    /// `true` if a request is partly read or none has arrived yet.
    is_due: AtomicBool,
    /// `true` for a WebSocket, which may stay idle between requests indefinitely.
    lasts: AtomicBool,
    /// The last four bytes received before the upgrade to a WebSocket.
    last_bytes: AtomicU32,
    /// Frame parser of a WebSocket.
    frames: Mutex<Frames>,
    is_closed: AtomicBool,
    /// Bytes received of an incomplete request.
    incoming: AtomicUsize,
    /// Bytes of requests in progress and of their responses so far.
    working: AtomicUsize,
    /// Bytes of responses and notifications that are not yet written.
    outgoing: AtomicUsize,
    /// Estimated number of responses and notifications that are not yet written.
    unread: AtomicUsize,
    reader: AtomicWaker,
    writer: AtomicWaker,
    connections: Arc<Connections>,
}

impl Control {
    /// Returns the timeout for receiving a whole request, and for a client to read any part of its
    /// response.
    pub(super) fn request_timeout(&self) -> Duration {
        self.connections.bounds.request_timeout
    }

    /// Address by which the connection is counted.
    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns `true` if the connection must close.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
    }

    /// Returns `true` if a request must arrive within [`Self::request_timeout`].
    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Relaxed) && !self.lasts.load(Relaxed)
    }

    pub(super) fn wake_reader(&self, context: &Context<'_>) {
        self.reader.register(context.waker());
    }

    pub(super) fn wake_writer(&self, context: &Context<'_>) {
        self.writer.register(context.waker());
    }

    /// Returns `true` if the server should stop reading until it has answered some requests and the
    /// client has read some responses.
    pub(super) fn is_busy(&self) -> bool {
        self.lasts.load(Relaxed)
            && (self.at_work.load(Relaxed) >= MAX_AT_WORK
                || self.unread.load(Relaxed) >= MAX_UNREAD)
    }

    /// Records bytes received from the client.
    pub(super) fn received(&self, bytes: &[u8]) {
        if self.lasts.load(Relaxed) {
            let (before, now) = {
                let mut frames = self.frames.lock();
                (self.incoming.load(Relaxed), frames.receive(bytes))
            };
            self.release(&self.incoming, before.saturating_sub(now));
            self.hold(&self.incoming, now.saturating_sub(before));
            return;
        }
        for byte in bytes.iter().rev().take(4).rev() {
            self.last_bytes.store(self.last_bytes.load(Relaxed) << 8 | u32::from(*byte), Relaxed);
        }
        let bytes = bytes.len();
        if self.at_work.load(Relaxed) == 0 && !self.is_due.swap(true, Relaxed) {
            self.touch();
        }
        self.hold(&self.incoming, bytes);
    }

    /// Returns `true` if a message of this WebSocket has a request with an invalid id.
    pub(super) fn has_invalid_id(&self) -> bool {
        self.frames.lock().has_invalid_id()
    }

    /// Records that a request was read completely; `rest` is the number of bytes received of the
    /// next one.
    pub(super) fn is_read(&self, rest: usize) {
        // The bytes that a WebSocket holds are derived from its frames.
        if self.lasts.load(Relaxed) {
            return;
        }
        self.release(&self.incoming, self.incoming.load(Relaxed).saturating_sub(rest));
        self.is_due.store(rest > 0, Relaxed);
    }

    /// Records that a complete request is in progress, with this many bytes of parameters, until
    /// the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, bytes: usize) -> RequestGuard {
        self.at_work.fetch_add(1, Relaxed);
        self.is_read(0);
        let mut at_work = RequestGuard { control: Arc::clone(self), bytes: 0 };
        at_work.grow(REQUEST_BYTES.saturating_add(bytes));
        at_work
    }

    /// Records the upgrade to a WebSocket. Closes the connection if the client has sent more than
    /// the upgrade request: it must wait for the response, and frame parsing would start inside a
    /// frame.
    pub(super) fn lasts(&self) {
        self.is_read(0);
        self.lasts.store(true, Relaxed);
        if self.last_bytes.load(Relaxed).to_be_bytes() != *b"\r\n\r\n" {
            self.close();
        }
    }

    /// Records bytes queued for the client, and closes the connection if there are too many.
    pub(crate) fn queue(&self, bytes: usize) {
        let before = self.outgoing.load(Relaxed);
        if before == 0 {
            self.touch();
        }
        let (queued, limit) = (before.saturating_add(bytes), self.connections.bounds.queued);
        // A single response is bounded by its own limit.
        if before > 0 && queued > limit {
            if let Some(left_out) = UNREAD.admit() {
                tracing::warn!(
                    address = %self.address, queued, limit, left_out,
                    "closed connection: client does not read"
                );
            }
            self.close();
            return;
        }
        self.unread.fetch_add(1, Relaxed);
        self.hold(&self.outgoing, bytes);
    }

    /// Records bytes written to the client.
    pub(super) fn written(&self, bytes: usize) {
        let before = self.outgoing.load(Relaxed);
        let left = self.release(&self.outgoing, bytes);
        // Responses are written in parts or together, so reduce the count in proportion.
        let rest = |unread: usize| unread.saturating_mul(left).checked_div(before).unwrap_or(0);
        let unread = self.unread.fetch_update(Relaxed, Relaxed, |bytes| Some(rest(bytes)));
        if unread.is_ok_and(|unread| unread >= MAX_UNREAD) {
            self.reader.wake();
        }
        if left == 0 {
            self.touch();
        }
    }

    /// Closes the connection and frees its slot.
    pub(crate) fn close(&self) {
        self.connections.open.lock().close(self);
    }

    fn end(&self) {
        self.is_closed.store(true, Relaxed);
        for side in [&self.incoming, &self.working, &self.outgoing] {
            self.release(side, usize::MAX);
        }
        self.reader.wake();
        self.writer.wake();
    }

    fn touch(&self) {
        self.since.store(self.connections.turn(), Relaxed);
    }

    fn bytes(&self) -> usize {
        [&self.incoming, &self.working, &self.outgoing]
            .into_iter()
            .fold(0, |sum, side| sum.saturating_add(side.load(Relaxed)))
    }

    /// Returns `true` if the connection has no request in progress: it is idle, or the server waits
    /// for its client.
    fn is_waited_for(&self) -> bool {
        self.at_work.load(Relaxed) == 0
    }

    fn hold(&self, side: &AtomicUsize, bytes: usize) {
        if self.is_closed() {
            return;
        }
        side.fetch_add(bytes, Relaxed);
        let Connections { bytes: total, bounds, .. } = &*self.connections;
        if total.fetch_add(bytes, Relaxed) + bytes > bounds.total {
            self.connections.close_slow_connections();
        }
        // The connection may have been closed in the meantime.
        if self.is_closed() {
            self.release(side, usize::MAX);
        }
    }

    /// Subtracts bytes from a counter and from the total; returns the bytes left.
    fn release(&self, side: &AtomicUsize, bytes: usize) -> usize {
        let mut left = 0;
        let subtract = |before: usize| {
            left = before.saturating_sub(bytes);
            Some(left)
        };
        let before = side.fetch_update(Relaxed, Relaxed, subtract).unwrap_or_default();
        self.connections.bytes.fetch_sub(before - left, Relaxed);
        left
    }
}

/// Guard of a request in progress.
#[derive(Debug)]
pub(super) struct RequestGuard {
    control: Arc<Control>,
    /// Bytes that the request holds.
    bytes: usize,
}

impl RequestGuard {
    /// Records additional bytes that the request holds. Closes the connection if its requests and
    /// responses together exceed its limit; a single response is bounded by its own limit.
    pub(super) fn grow(&mut self, bytes: usize) {
        let control = &self.control;
        self.bytes = self.bytes.saturating_add(bytes);
        control.hold(&control.working, bytes);
        let (working, outgoing) = (control.working.load(Relaxed), control.outgoing.load(Relaxed));
        let limit = control.connections.bounds.queued;
        let is_one = outgoing == 0 && control.at_work.load(Relaxed) == 1;
        if !is_one && working.saturating_add(outgoing) > limit {
            tracing::debug!(address = %control.address, working, outgoing, limit, "closed connection: requests hold too many bytes");
            control.close();
        }
    }

    /// Returns `true` if the connection has closed, so that nothing needs the response.
    pub(super) fn is_abandoned(&self) -> bool {
        self.control.is_closed()
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let control = &self.control;
        control.release(&control.working, self.bytes);
        control.at_work.fetch_sub(1, Relaxed);
        control.touch();
        // The server may resume reading.
        control.reader.wake();
    }
}

#[cfg(test)]
mod tests;
