//! Forwarding of users' transactions from a node that makes no blocks to the sequencer.
//!
//! A follower answers a send with the answer of the sequencer, or refuses it: a hash from a node
//! that forwards to no sequencer would promise a block that never comes. It keeps a copy of what
//! was taken. What a node holds all the same, because it was a sequencer before or followed another
//! one, it offers to each sequencer that it follows.

use crate::{
    rpc_methods::Shared, service::supervisor::Room, unsafe_block_client::UnsafeBlockClient,
};
use alloy_json_rpc::ErrorPayload;
use alloy_primitives::{B256, Bytes, map::B256Set};
use client::{Client, ClientError, ClientOptions, RedactedUrl};
use node::Node;
use parking_lot::Mutex;
use rpc::{RpcError, SendElsewhere};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Sequencer's method for forwarded transactions. Unlike `eth_sendRawTransaction` it never
/// forwards, so two followers of one another cannot send a transaction in circles.
pub(crate) const METHOD: &str = "rollup_submit";

/// Error code of a send without an answer of a sequencer.
pub(crate) const NO_SEQUENCER: i32 = -32_031;
/// Error code of `rollup_submit` at a node that makes no blocks.
pub(crate) const NOT_SEQUENCER: i32 = -32_032;

/// Error code of a sequencer that accepts the transaction later.
const BUSY: i64 = rpc::codes::BUSY as i64;

/// Maximum wait for the sequencer's answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Interval of offering this node's transactions.
const OFFER_INTERVAL: Duration = Duration::from_millis(500);

/// Forwarder of users' transactions to the sequencer, while this node makes no blocks.
#[derive(Debug)]
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    feed: UnsafeBlockClient,
    /// `true` if callers of the Engine API build blocks from this node's pool.
    has_callers: bool,
    /// Client of the last sequencer, and its URL.
    client: Mutex<Option<(String, Arc<Client>)>>,
    /// Transactions that the sequencer at this URL has answered.
    offered: Mutex<(Option<String>, B256Set)>,
}

impl Forwarder {
    pub(crate) fn new(shared: Arc<Shared>, feed: UnsafeBlockClient, has_callers: bool) -> Self {
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
            let message = "this node makes no blocks and follows no sequencer: the transaction was not taken; send it to \
                           the sequencer";
            return Err(RpcError::new(NO_SEQUENCER, message));
        };
        // The method is never forwarded by the node that gets it, so two followers of each other
        // end this after one hop.
        let answered = self.client_of(&url).and_then(|it| it.request(METHOD, (raw.clone(),)));
        let hash = answered.map_err(|error| refusal(&url, &error))?;
        let mut offered = self.offered.lock();
        if offered.0.as_ref() == Some(&url) {
            offered.1.insert(hash);
        }
        Ok(hash)
    }

    /// Offers this node's transactions to the sequencer that it follows, until `stop` is set or the
    /// node is dropped. Each transaction is offered once to each sequencer, since a refusal would
    /// repeat.
    pub(crate) fn offer(&self, node: &Weak<Node>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(OFFER_INTERVAL);
            self.shared.supervisor.advanced(Room::Offers);
            let url = self.feed.sequencer();
            if self.shared.makes_blocks.load(Ordering::Relaxed) || url != self.offered.lock().0 {
                // A new sequencer may take what the last one refused.
                *self.offered.lock() = (url, B256Set::default());
                continue;
            }
            let Some(url) = url else { continue };
            // The node is not held while the sequencer is waited for: its files are free once it
            // ends. The pool is copied under its lock, and the sequencer asked without it.
            let Some(held) = node.upgrade().map(|node| self.held(&node)) else { return };
            let waiting: B256Set = held.iter().map(|(hash, _)| *hash).collect();
            // Bounded by the pool: what has left it is forgotten here too.
            self.offered.lock().1.retain(|hash| waiting.contains(hash));
            for (hash, raw) in held {
                if self.offered.lock().1.contains(&hash) {
                    continue;
                }
                let answered = self
                    .client_of(&url)
                    .and_then(|client| client.request::<_, B256>(METHOD, (raw.clone(),)));
                match answered {
                    Ok(_) => {
                        tracing::debug!(transaction = %hash, url = %RedactedUrl::new(&url), "handed transaction on");
                    }
                    Err(error) if answer(&error).is_some_and(|it| it.code != BUSY) => {
                        tracing::debug!(transaction = %hash, url = %RedactedUrl::new(&url), %error, "sequencer refused transaction");
                    }
                    // It is asked again, with all the others.
                    Err(_) => break,
                }
                self.offered.lock().1.insert(hash);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    /// Waiting transactions of this node, in the order of nonces per sender.
    fn held(&self, node: &Node) -> Vec<(B256, Bytes)> {
        let mut held = self.shared.requeued.lock().clone();
        node.read(|node| {
            for sender in node.pool.senders() {
                held.extend(node.pool.of(sender).map(|it| (*it.hash(), it.raw.clone())));
            }
        });
        held
    }
}

impl SendElsewhere for Forwarder {
    fn send(&self, raw: &Bytes) -> Option<Result<B256, RpcError>> {
        let is_sequencer = self.shared.makes_blocks.load(Ordering::Relaxed);
        if is_sequencer && let Err(error) = self.shared.require_own_keys() {
            return Some(Err(error));
        }
        let is_builder = self.has_callers && self.feed.sequencer().is_none();
        // Asked at each send, not at the start: the role may have changed since.
        (!is_sequencer && !is_builder).then(|| self.forward(raw))
    }
}

/// Refusal of the sequencer; `None` without an answer.
fn answer(error: &ClientError) -> Option<&ErrorPayload> {
    let ClientError::Rpc(error) = error else { return None };
    error.as_error_resp().filter(|answer| answer.code != i64::from(NOT_SEQUENCER))
}

/// Error for the user: the sequencer's refusal, or the missing answer.
fn refusal(url: &str, error: &ClientError) -> RpcError {
    match answer(error) {
        Some(answer) => {
            let code = i32::try_from(answer.code).unwrap_or(rpc::codes::SERVER);
            let data = answer.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok());
            RpcError { data, ..RpcError::new(code, answer.message.to_string()) }
        }
        None => {
            let url = RedactedUrl::new(url);
            let message = format!("the sequencer at {url} did not take the transaction: {error}");
            RpcError::new(NO_SEQUENCER, message)
        }
    }
}
