//! Batching: concurrent requests are sent as one JSON-RPC batch.

use crate::{
    Http, HttpError,
    batch_queue::Waiting,
    busy::{is_busy, is_busy_as_a_whole},
};
use alloy_json_rpc::{
    Id, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest,
};
use alloy_transport::{TransportError, TransportErrorKind};
use std::{
    collections::HashMap,
    mem,
    sync::{Arc, atomic::Ordering},
};
use tokio::{sync::oneshot, task::yield_now};

impl Http {
    /// Sends a request in a batch with other requests that are ready now, and returns its response.
    pub(crate) async fn request_batched(
        self,
        request: SerializedRequest,
    ) -> Result<Response, TransportError> {
        let most = self.options().batch;
        if most < 2 || self.batches().refused.load(Ordering::Relaxed) {
            return self.ask_alone(request).await;
        }
        let (sender, receiver) = oneshot::channel();
        if self.batches().push((request, sender)) {
            // A separate task: if this caller drops its future, the other requests must still be
            // sent.
            tokio::spawn(async move {
                // Let other ready tasks queue their requests first.
                yield_now().await;
                let mut all = self.batches().take();
                while !all.is_empty() {
                    let rest = all.split_off(most.min(all.len()));
                    let part = mem::replace(&mut all, rest);
                    tokio::spawn(self.clone().post_gathered(part));
                }
            });
        }
        receiver.await.unwrap_or_else(|_| Err(TransportErrorKind::backend_gone()))
    }

    async fn ask_alone(&self, request: SerializedRequest) -> Result<Response, TransportError> {
        match self.exchange(&RequestPacket::Single(request)).await? {
            ResponsePacket::Single(response) => Ok(response),
            ResponsePacket::Batch(mut responses) => match responses.pop() {
                Some(response) if responses.is_empty() => Ok(response),
                _ => Err(TransportErrorKind::custom_str("batch response to a single request")),
            },
        }
    }

    /// Posts requests as one batch, then resends those without a response one by one.
    async fn post_gathered(self, waiting: Vec<Waiting>) {
        let batch = if waiting.len() > 1 {
            let requests = waiting.iter().map(|(request, _)| request.clone()).collect();
            self.exchange_batch(&RequestPacket::Batch(requests)).await
        } else {
            Ok(Batch::default())
        };
        let mut batch = batch.unwrap_or_else(|error| Batch::Failed(Arc::new(error)));
        if matches!(batch, Batch::Refused) {
            self.batches().refused.store(true, Ordering::Relaxed);
        }
        for (request, sender) in waiting {
            match batch.answer_to(request.id()) {
                Some(answer) => {
                    // The send fails if the caller has dropped its future.
                    let _ = sender.send(answer);
                }
                None => {
                    let http = self.clone();
                    tokio::spawn(async move { sender.send(http.ask_alone(request).await) });
                }
            }
        }
    }

    async fn exchange_batch(&self, batch: &RequestPacket) -> Result<Batch, BatchError> {
        let body = serde_json::to_vec(batch)?;
        match self.post_unless(body, is_busy_as_a_whole).await {
            Ok(answer) => Ok(Batch::of(&answer)),
            // The response to the whole batch is too long; those to single requests may not be.
            Err(HttpError::TooLong(_)) => Ok(Batch::default()),
            Err(HttpError::NotJson { status, .. } | HttpError::Status { status, .. })
                if is_refusal(status) =>
            {
                Ok(Batch::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Error of a batch that single requests would fail with too.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Outcome of a batch.
#[derive(Debug)]
enum Batch {
    /// Responses to some or all of the requests.
    Answers(HashMap<Id, Response>),
    /// The node rejected the whole batch because it is overloaded.
    Busy(ResponsePayload),
    /// The node does not support batches.
    Refused,
    /// The batch could not be sent, or the node did not respond.
    Failed(Arc<BatchError>),
}

impl Default for Batch {
    fn default() -> Self {
        Self::Answers(HashMap::new())
    }
}

impl Batch {
    fn of(answer: &[u8]) -> Self {
        match serde_json::from_slice(answer) {
            Ok(ResponsePacket::Batch(responses)) => {
                // If the node was too busy for only some of the requests, those are sent again.
                let is_busy_for_all = responses.iter().all(is_busy);
                let kept = |response: &Response| is_busy_for_all || !is_busy(response);
                let answers = responses.into_iter().filter(kept);
                Self::Answers(answers.map(|response| (response.id.clone(), response)).collect())
            }
            Ok(ResponsePacket::Single(response)) if is_busy(&response) => {
                Self::Busy(response.payload)
            }
            _ => Self::Refused,
        }
    }

    /// Takes the response to one of the requests, if there is one.
    fn answer_to(&mut self, id: &Id) -> Option<Result<Response, TransportError>> {
        match self {
            Self::Answers(answers) => answers.remove(id).map(Ok),
            Self::Busy(payload) => Some(Ok(Response { id: id.clone(), payload: payload.clone() })),
            Self::Refused => None,
            Self::Failed(error) => Some(Err(TransportErrorKind::custom(Arc::clone(error)))),
        }
    }
}

/// Returns `true` if an HTTP status is a permanent rejection of the request.
fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && status != 429 && status != 408
}
