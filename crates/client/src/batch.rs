//! Requests that are made at the same time, gathered into one.

use crate::{Http, HttpError};
use alloy_json_rpc::{
    Id, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest,
};
use alloy_transport::{TransportError, TransportErrorKind};
use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{sync::oneshot, task::yield_now};

/// A waiting request, and the receiver of its answer.
type Waiting = (SerializedRequest, oneshot::Sender<Result<Response, TransportError>>);

/// Requests of one client that wait to be posted together.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    waiting: Mutex<Vec<Waiting>>,
    /// `true` once the node has refused a batch: it gets no further ones.
    refused: AtomicBool,
}

impl Batches {
    fn push(&self, waiting: Waiting) -> bool {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(waiting);
        all.len() == 1
    }

    fn take(&self) -> Vec<Waiting> {
        mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Http {
    /// The answer to a request, which is posted together with those that are made just now.
    pub(crate) async fn ask_with_others(
        self,
        request: SerializedRequest,
    ) -> Result<Response, TransportError> {
        let most = self.options().batch;
        if most < 2 || self.batches().refused.load(Ordering::Relaxed) {
            return self.ask_alone(request).await;
        }
        let (sender, receiver) = oneshot::channel();
        if self.batches().push((request, sender)) {
            // Spawned apart from this future: a caller may give up waiting, and the others must not
            // suffer.
            tokio::spawn(async move {
                // Other tasks that are ready to ask do so before this continues.
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
                _ => Err(TransportErrorKind::custom_str("a request is answered by a batch")),
            },
        }
    }

    /// Posts requests as one batch, and repeats those without an answer one by one.
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
                    // The caller may have given up.
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
            // Too much for this node, or for this client, is not too much one by one.
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

/// Reason for which a batch has no answer, and would have none in parts.
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
    /// Answers to some of the requests.
    Answers(HashMap<Id, Response>),
    /// The node is too busy for each of the requests.
    Busy(ResponsePayload),
    /// The node accepts no batches.
    Refused,
    /// The node did not answer.
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
                // Requests for which the node had no time are sent again, if it had time for
                // others.
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

    /// Returns the answer to one of the requests, if there is one.
    fn answer_to(&mut self, id: &Id) -> Option<Result<Response, TransportError>> {
        match self {
            Self::Answers(answers) => answers.remove(id).map(Ok),
            Self::Busy(payload) => Some(Ok(Response { id: id.clone(), payload: payload.clone() })),
            Self::Refused => None,
            Self::Failed(error) => Some(Err(TransportErrorKind::custom(Arc::clone(error)))),
        }
    }
}

/// Returns `true` if a status refuses the request for good, not just for now.
fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && status != 429 && status != 408
}

/// Returns `true` if a node is too busy for a request at the moment.
pub(crate) fn is_busy(response: &Response) -> bool {
    matches!(&response.payload, ResponsePayload::Failure(error) if error.is_retry_err())
}

/// Returns `true` if a node is too busy for one of the answered requests.
pub(crate) fn is_any_busy(packet: &ResponsePacket) -> bool {
    packet.responses().iter().any(is_busy)
}

/// Returns `true` if a node is too busy for every request of a batch; otherwise its answers are
/// kept.
fn is_busy_as_a_whole(packet: &ResponsePacket) -> bool {
    match packet {
        ResponsePacket::Single(response) => is_busy(response),
        ResponsePacket::Batch(responses) => !responses.is_empty() && responses.iter().all(is_busy),
    }
}
