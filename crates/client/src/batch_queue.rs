//! Queue of the requests of the next batch.

use alloy_json_rpc::{Response, SerializedRequest};
use alloy_transport::TransportError;
use std::{
    mem,
    sync::{Mutex, PoisonError, atomic::AtomicBool},
};
use tokio::sync::oneshot;

/// A queued request, and the channel for its response.
pub(crate) type Waiting = (SerializedRequest, oneshot::Sender<Result<Response, TransportError>>);

/// Queue of requests that one client sends in the next batch.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    waiting: Mutex<Vec<Waiting>>,
    /// Set once the node has rejected a batch: no further batches are sent.
    pub(crate) refused: AtomicBool,
}

impl Batches {
    /// Queues a request, and returns `true` if it is the first of the next batch.
    pub(crate) fn push(&self, waiting: Waiting) -> bool {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(waiting);
        all.len() == 1
    }

    /// Takes all queued requests.
    pub(crate) fn take(&self) -> Vec<Waiting> {
        mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
