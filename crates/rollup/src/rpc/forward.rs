//! Forwarding of users' transactions from a follower to the sequencer.
//!
//! A follower responds to `eth_sendRawTransaction` with the sequencer's response. Without a
//! sequencer it rejects the transaction, because a hash would promise an inclusion that never
//! happens. It stores a copy of accepted transactions. It also offers the transactions that it has
//! from earlier roles to each sequencer that it follows.

use crate::{
    l2::unsafe_block_client::UnsafeBlockClient,
    service::{node_handle::NodeHandle, supervisor::Actor},
};
use alloy_json_rpc::ErrorPayload;
use alloy_primitives::{
    B256, Bytes,
    map::{B256Map, B256Set},
};
use client::{Client, ClientError, ClientOptions, RedactedUrl};
use node::Node;
use parking_lot::Mutex;
use rpc::{RpcError, SendElsewhere};
use rpc_types::codes::role::{NO_SEQUENCER, NOT_SEQUENCER};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Method of a sequencer for forwarded transactions. Unlike `eth_sendRawTransaction` it never
/// forwards, so nodes that follow each other cannot forward a transaction in a loop.
pub(crate) const METHOD: &str = rpc_types::methods::SUBMIT.name;

/// Error code of a sequencer that may accept the transaction later.
const BUSY: i64 = rpc::codes::BUSY as i64;

/// Timeout of a request to the sequencer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Interval at which this node's transactions are offered.
const OFFER_INTERVAL: Duration = Duration::from_millis(500);
/// Time after which a rejected transaction is offered again. It was acknowledged, and most
/// rejections are temporary: base fee, nonce gap, sender's balance, full pool.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Forwards users' transactions to the sequencer while this node is a follower.
#[derive(Debug)]
pub(crate) struct Forwarder {
    shared: Arc<NodeHandle>,
    feed: UnsafeBlockClient,
    /// `true` if callers of the Engine API build blocks from this node's pool.
    has_callers: bool,
    /// URL and client of the last sequencer.
    client: Mutex<Option<(String, Arc<Client>)>>,
    /// URL of the current sequencer, and the transactions that it has accepted or rejected.
    offered: Mutex<(Option<String>, ForwardedTransactions)>,
}

/// Transactions that a sequencer has accepted or rejected.
#[derive(Debug, Default)]
struct ForwardedTransactions(B256Map<Option<Instant>>);

impl ForwardedTransactions {
    fn on_accepted(&mut self, hash: B256) {
        self.0.insert(hash, None);
    }

    fn on_rejected(&mut self, hash: B256, now: Instant) {
        self.0.insert(hash, Some(now + RETRY_INTERVAL));
    }

    /// Returns `true` if a transaction has not been offered yet, or was rejected [`RETRY_INTERVAL`]
    /// ago.
    fn is_due(&self, hash: &B256, now: Instant) -> bool {
        self.0.get(hash).is_none_or(|again| again.is_some_and(|again| again <= now))
    }

    /// Removes the transactions that this node no longer has.
    fn retain(&mut self, pending: &B256Set) {
        self.0.retain(|hash, _| pending.contains(hash));
    }
}

impl Forwarder {
    pub(crate) fn new(shared: Arc<NodeHandle>, feed: UnsafeBlockClient, has_callers: bool) -> Self {
        Self { shared, feed, has_callers, client: Mutex::default(), offered: Mutex::default() }
    }

    fn client_of(&self, url: &str) -> Result<Arc<Client>, ClientError> {
        let mut client = self.client.lock();
        if let Some((of, client)) = &*client
            && of == url
        {
            return Ok(Arc::clone(client));
        }
        let new = Arc::new(Client::new(
            url,
            ClientOptions { timeout: TIMEOUT, ..ClientOptions::default() },
        )?);
        *client = Some((url.to_owned(), Arc::clone(&new)));
        Ok(new)
    }

    fn forward(&self, raw: &Bytes) -> Result<B256, RpcError> {
        let Some(url) = self.feed.sequencer() else {
            let message = "this node builds no blocks and follows no sequencer: the transaction was not accepted; send it to \
                           the sequencer";
            return Err(RpcError::new(NO_SEQUENCER, message));
        };
        // The receiving node never forwards this method, so a transaction makes one hop at most.
        let answered =
            self.client_of(&url).and_then(|client| client.request(METHOD, (raw.clone(),)));
        let hash = answered.map_err(|error| refusal(&url, &error))?;
        let mut offered = self.offered.lock();
        if offered.0.as_ref() == Some(&url) {
            offered.1.on_accepted(hash);
        }
        Ok(hash)
    }

    /// Offers this node's transactions to the sequencer that it follows, until `stop` is set or the
    /// node is dropped. Each transaction is offered to each sequencer until that one accepts it.
    pub(crate) fn offer(&self, node: &Weak<Node>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(OFFER_INTERVAL);
            self.shared.supervisor.advanced(Actor::Offers);
            let url = self.feed.sequencer();
            if self.shared.makes_blocks.load(Ordering::Relaxed) || url != self.offered.lock().0 {
                // A new sequencer may accept transactions that the last one has rejected.
                *self.offered.lock() = (url, ForwardedTransactions::default());
                continue;
            }
            let Some(url) = url else { continue };
            // Hold no reference to the node during requests, so that its files are closed when it
            // ends. The pool is copied under its lock, and the requests are sent without the lock.
            let Some(pending) = node.upgrade().map(|node| self.pending(&node)) else { return };
            let waiting: B256Set = pending.iter().map(|(hash, _)| *hash).collect();
            // Transactions that have left the pool are dropped, so memory is bounded by the pool.
            self.offered.lock().1.retain(&waiting);
            for (hash, raw) in pending {
                if !self.offered.lock().1.is_due(&hash, Instant::now()) {
                    continue;
                }
                let answered = self
                    .client_of(&url)
                    .and_then(|client| client.request::<_, B256>(METHOD, (raw.clone(),)));
                match answered {
                    Ok(_) => {
                        self.offered.lock().1.on_accepted(hash);
                        tracing::debug!(transaction = %hash, url = %RedactedUrl::new(&url), "forwarded transaction");
                    }
                    Err(error)
                        if error_response(&error).is_some_and(|response| response.code != BUSY) =>
                    {
                        self.offered.lock().1.on_rejected(hash, Instant::now());
                        tracing::debug!(transaction = %hash, url = %RedactedUrl::new(&url), %error, "sequencer rejected transaction");
                    }
                    // Without a response, this and all remaining transactions are offered again
                    // later.
                    Err(_) => break,
                }
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    /// Returns the pending transactions of this node, ordered by nonce for each sender.
    fn pending(&self, node: &Node) -> Vec<(B256, Bytes)> {
        let mut pending = self.shared.requeued.lock().clone();
        node.read(|node| {
            for sender in node.pool.senders() {
                pending.extend(node.pool.of(sender).map(|tx| (*tx.hash(), tx.raw.clone())));
            }
        });
        pending
    }
}

impl SendElsewhere for Forwarder {
    fn send(&self, raw: &Bytes) -> Option<Result<B256, RpcError>> {
        let is_sequencer = self.shared.makes_blocks.load(Ordering::Relaxed);
        if is_sequencer && let Err(error) = self.shared.require_own_keys() {
            return Some(Err(error));
        }
        let is_builder = self.has_callers && self.feed.sequencer().is_none();
        // Checked for each transaction rather than at the start, since the role may change.
        (!is_sequencer && !is_builder).then(|| self.forward(raw))
    }
}

/// Returns the sequencer's error response; `None` if it did not respond, or is not a sequencer.
fn error_response(error: &ClientError) -> Option<&ErrorPayload> {
    let ClientError::Rpc(error) = error else { return None };
    error.as_error_resp().filter(|payload| payload.code != i64::from(NOT_SEQUENCER))
}

/// Returns the error for the user: that of the sequencer, or that it did not respond.
fn refusal(url: &str, error: &ClientError) -> RpcError {
    match error_response(error) {
        Some(payload) => {
            let code = i32::try_from(payload.code).unwrap_or(rpc::codes::SERVER);
            let data = payload.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok());
            RpcError { data, ..RpcError::new(code, payload.message.to_string()) }
        }
        None => {
            let url = RedactedUrl::new(url);
            let message = format!("the sequencer at {url} did not accept the transaction: {error}");
            RpcError::new(NO_SEQUENCER, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_transaction_is_offered_again() {
        let (mut offers, now) = (ForwardedTransactions::default(), Instant::now());
        let [accepted, rejected, removed] = [1, 2, 3].map(B256::repeat_byte);
        assert!(offers.is_due(&rejected, now));
        offers.on_accepted(accepted);
        offers.on_rejected(rejected, now);
        offers.on_rejected(removed, now);
        for hash in [accepted, rejected] {
            assert!(!offers.is_due(&hash, now));
        }
        let later = now + RETRY_INTERVAL;
        assert!(offers.is_due(&rejected, later) && !offers.is_due(&accepted, later));
        offers.retain(&[accepted, rejected].into_iter().collect());
        assert_eq!(offers.0.len(), 2);
    }
}
