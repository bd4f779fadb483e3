//! HTTP and WebSocket on one port, each with its own service whose requests and answers are counted.

use super::connections::{AtWork, Control};
use jsonrpsee::{
    MethodResponse,
    core::{
        middleware::{Batch, BatchEntry, Notification, RpcServiceT},
        server::BatchResponseBuilder,
    },
    server::{HttpRequest, HttpResponse, ws::is_upgrade_request},
    types::Request,
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;

/// The connection of a request, in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Client(pub(crate) Arc<Control>);

/// Services of a connection, one for each transport.
#[derive(Debug, Clone)]
pub(super) struct ByTransport<S> {
    pub(super) http: S,
    pub(super) ws: S,
    pub(super) control: Arc<Control>,
}

impl<S, B> Service<HttpRequest<B>> for ByTransport<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match self.http.poll_ready(context) {
            Poll::Ready(Ok(())) => self.ws.poll_ready(context),
            other => other,
        }
    }

    fn call(&mut self, mut request: HttpRequest<B>) -> Self::Future {
        if is_upgrade_request(&request) {
            self.control.lasts();
            request.extensions_mut().insert(Client(Arc::clone(&self.control)));
            return Box::pin(self.ws.call(request));
        }
        let (control, answer) = (Arc::clone(&self.control), self.http.call(request));
        Box::pin(async move {
            let answer = answer.await;
            // It may have had no body, or one that is no request.
            control.is_read(0);
            answer
        })
    }
}

/// Bytes that a parsed entry of a batch holds beside its method and parameters.
const ENTRY_BYTES: usize = 128;

/// Methods of a connection, with counted requests and answers.
#[derive(Debug, Clone)]
pub(super) struct Counted<S> {
    pub(super) inner: S,
    pub(super) control: Arc<Control>,
    /// Maximum number of bytes of an answer, and of the answers to a batch.
    pub(super) max_response: usize,
}

impl<S> Counted<S> {
    /// Counts the bytes of an answer that is ready to be sent.
    fn finish(control: &Control, at_work: AtWork, answer: MethodResponse) -> MethodResponse {
        drop(at_work);
        control.queue(answer.as_ref().len());
        answer
    }
}

/// Bytes of a request's name and parameters.
fn request_bytes(request: &Request<'_>) -> usize {
    request.method.len() + request.params.as_ref().map_or(0, |params| params.get().len())
}

impl<S> RpcServiceT for Counted<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let at_work = self.control.begin(request_bytes(&request));
        let control = Arc::clone(&self.control);
        let answer = self.inner.call(request);
        async move { Self::finish(&control, at_work, answer.await) }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let entries: Vec<_> = batch.into_iter().collect();
        let bytes = entries.iter().flatten().map(|entry| match entry {
            BatchEntry::Call(request) => ENTRY_BYTES + request_bytes(request),
            BatchEntry::Notification(_) => ENTRY_BYTES,
        });
        let mut at_work = self.control.begin(bytes.sum());
        let (control, inner) = (Arc::clone(&self.control), self.inner.clone());
        let mut answers = BatchResponseBuilder::new_with_limit(self.max_response);
        async move {
            let mut has_notification = false;
            for entry in entries {
                let answer = match entry {
                    Ok(BatchEntry::Call(request)) => inner.call(request).await,
                    Ok(BatchEntry::Notification(notification)) => {
                        has_notification = true;
                        inner.notification(notification).await;
                        continue;
                    }
                    Err(error) => {
                        let (error, id) = error.into_parts();
                        MethodResponse::error(id, error)
                    }
                };
                at_work.grow(answer.as_ref().len());
                // The connection was closed: the rest of the batch is work for nobody.
                if at_work.is_in_vain() {
                    return MethodResponse::notification();
                }
                if let Err(too_large) = answers.append(answer) {
                    return Self::finish(&control, at_work, too_large);
                }
            }
            let answer = match answers.is_empty() && has_notification {
                true => MethodResponse::notification(),
                false => MethodResponse::from_batch(answers.finish()),
            };
            Self::finish(&control, at_work, answer)
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.control.is_read(0);
        self.inner.notification(notification)
    }
}
