//! HTTP and WebSocket on one port: one service per transport, with accounting of requests and
//! responses.

use super::{
    connections::{Control, RequestGuard},
    ids::BodyIds,
    notifications::{self, notification_response},
};
use jsonrpsee::{
    MethodResponse, Methods,
    core::{
        middleware::{Batch, BatchEntry, Notification, RpcServiceT},
        server::BatchResponseBuilder,
    },
    server::{HttpRequest, HttpResponse, ws::is_upgrade_request},
    types::Request,
};
use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;

/// Connection of a request, stored in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Client(pub(crate) Arc<Control>);

impl Client {
    /// Address by which the client's connections are counted.
    pub(crate) fn address(&self) -> IpAddr {
        self.0.address()
    }
}

/// Services of a connection, one per transport.
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
        request.extensions_mut().insert(Client(Arc::clone(&self.control)));
        if is_upgrade_request(&request) {
            self.control.lasts();
            return Box::pin(self.ws.call(request));
        }
        let (control, answer) = (Arc::clone(&self.control), self.http.call(request));
        Box::pin(async move {
            let answer = answer.await;
            // The request may have had no body, or a body that is not a request.
            control.is_read(0);
            answer
        })
    }
}

/// Bytes that a parsed entry of a batch holds besides its method and parameters.
const ENTRY_BYTES: usize = 128;

/// RPC service of a connection that counts requests and responses.
#[derive(Debug, Clone)]
pub(super) struct Counted<S> {
    pub(super) inner: S,
    pub(super) methods: Methods,
    pub(super) control: Arc<Control>,
    /// Maximum size of a response, and of the responses to a batch, in bytes.
    pub(super) max_response: usize,
}

impl<S> Counted<S> {
    /// Counts the bytes of a response that is ready to be sent.
    fn finish(control: &Control, at_work: RequestGuard, answer: MethodResponse) -> MethodResponse {
        drop(at_work);
        control.queue(answer.as_ref().len());
        answer
    }

    /// Returns `true` if an apparent notification is a request with an invalid id. After the first
    /// such request on a WebSocket, all of its notifications count as requests with an invalid id:
    /// nothing shows in which message a notification arrived, and executing a request that is never
    /// answered would be worse.
    fn has_invalid_id(&self, notification: &Notification<'_>, index: usize) -> bool {
        match notification.extensions.get::<BodyIds>() {
            Some(BodyIds(ids)) => ids.lock().is_invalid(index),
            None => self.control.has_invalid_id(),
        }
    }
}

/// Returns the size of a request's name and parameters, in bytes.
fn request_bytes(request: &Request<'_>) -> usize {
    request.method.len() + request.params.as_ref().map_or(0, |params| params.get().len())
}

/// Returns the size of a notification's name and parameters, in bytes.
fn notification_bytes(request: &Notification<'_>) -> usize {
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
            BatchEntry::Notification(request) => ENTRY_BYTES + notification_bytes(request),
        });
        let mut at_work = self.control.begin(bytes.sum());
        let (control, service) = (Arc::clone(&self.control), self.clone());
        let mut answers = BatchResponseBuilder::new_with_limit(self.max_response);
        async move {
            let mut has_notification = false;
            for (index, entry) in entries.into_iter().enumerate() {
                let answer = match entry {
                    Ok(BatchEntry::Call(request)) => service.inner.call(request).await,
                    Ok(BatchEntry::Notification(notification))
                        if service.has_invalid_id(&notification, index) =>
                    {
                        notifications::invalid_id()
                    }
                    Ok(BatchEntry::Notification(notification)) => {
                        has_notification = true;
                        if let Some(request) =
                            notifications::request(notification, &service.methods)
                        {
                            drop(service.inner.call(request).await);
                        }
                        if at_work.is_abandoned() {
                            return notification_response();
                        }
                        continue;
                    }
                    Err(error) => {
                        let (error, id) = error.into_parts();
                        MethodResponse::error(id, error)
                    }
                };
                at_work.grow(answer.as_ref().len());
                // The connection was closed, so the rest of the batch is not needed.
                if at_work.is_abandoned() {
                    return notification_response();
                }
                if let Err(too_large) = answers.append(answer) {
                    return Self::finish(&control, at_work, too_large);
                }
            }
            if answers.is_empty() && has_notification {
                return notification_response();
            }
            Self::finish(&control, at_work, MethodResponse::from_batch(answers.finish()))
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        // A notification counts like any other request, so a flood of notifications is bounded too.
        let at_work = self.control.begin(notification_bytes(&notification));
        let is_invalid = self.has_invalid_id(&notification, 0);
        let (control, service) = (Arc::clone(&self.control), self.clone());
        async move {
            if is_invalid {
                return Self::finish(&control, at_work, notifications::invalid_id());
            }
            if let Some(request) = notifications::request(notification, &service.methods) {
                drop(service.inner.call(request).await);
            }
            drop(at_work);
            notification_response()
        }
    }
}
