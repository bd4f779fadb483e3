//! Notifications: requests without an id, which are executed but not answered.

use super::ids::{BodyIds, Ids};
use http_body::{Body, Frame, SizeHint};
use jsonrpsee::{
    MethodResponse, Methods,
    core::{middleware::Notification, server::MethodCallback},
    server::{HttpBody, HttpRequest, HttpResponse},
    types::{ErrorCode, Extensions, Id, Request},
};
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Marks the response to a notification, or to a batch of notifications. Over HTTP its body is
/// empty.
#[derive(Debug, Clone, Copy)]
struct NotificationMarker;

/// Returns the placeholder response to a notification.
pub(super) fn notification_response() -> MethodResponse {
    let mut extensions = Extensions::new();
    extensions.insert(NotificationMarker);
    MethodResponse::notification().with_extensions(extensions)
}

/// Returns the error response to a request whose id is not a string, an integer or null, and so
/// cannot be repeated.
pub(super) fn invalid_id() -> MethodResponse {
    MethodResponse::error(Id::Null, ErrorCode::InvalidRequest)
}

/// Converts a notification to a request; `None` for a subscription, because its client would not
/// learn the id.
pub(super) fn request<'a>(
    notification: Notification<'a>,
    methods: &Methods,
) -> Option<Request<'a>> {
    let Notification { jsonrpc, method, params, extensions } = notification;
    let found = methods.method(&method);
    if matches!(found, Some(MethodCallback::Subscription(_))) {
        return None;
    }
    Some(Request { jsonrpc, id: Id::Null, method, params, extensions })
}

/// Layer that scans request bodies for invalid ids and empties the responses to notifications.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotificationLayer {
    /// Maximum number of requests in a batch.
    pub(super) max_batch: usize,
}

impl<S> Layer<S> for NotificationLayer {
    type Service = WithNotifications<S>;

    fn layer(&self, inner: S) -> WithNotifications<S> {
        WithNotifications { inner, max_batch: self.max_batch }
    }
}

/// Service behind a [`NotificationLayer`].
#[derive(Debug, Clone)]
pub(super) struct WithNotifications<S> {
    inner: S,
    max_batch: usize,
}

impl<S, B> Service<HttpRequest<B>> for WithNotifications<S>
where
    S: Service<HttpRequest<Scanned<B>>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let ids = Arc::new(Mutex::new(Ids::new(self.max_batch)));
        let (mut head, body) = request.into_parts();
        // The messages of a WebSocket are not in the body of its upgrade request.
        if head.method == "POST" {
            head.extensions.insert(BodyIds(Arc::clone(&ids)));
        }
        let answer = self.inner.call(HttpRequest::from_parts(head, Scanned { body, ids }));
        Box::pin(async move {
            let mut answer = answer.await?;
            if answer.extensions().get::<NotificationMarker>().is_some() {
                *answer.body_mut() = HttpBody::empty();
            }
            Ok(answer)
        })
    }
}

/// Body whose ids are scanned while it is read.
#[derive(Debug)]
pub(super) struct Scanned<B> {
    body: B,
    ids: Arc<Mutex<Ids>>,
}

impl<B> Body for Scanned<B>
where
    B: Body + Unpin,
    B::Data: AsRef<[u8]>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.ids.lock().scan(data.as_ref().iter().copied());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
