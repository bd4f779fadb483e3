//! HTTP and WebSocket on one port, each with its own service whose requests and answers are counted.

use super::connections::Control;
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, Notification, RpcServiceT},
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

/// Methods of a connection, with counted answers.
#[derive(Debug, Clone)]
pub(super) struct Counted<S> {
    pub(super) inner: S,
    pub(super) control: Arc<Control>,
}

impl<S> Counted<S> {
    /// Answers a request, and counts the bytes of the answer.
    fn counted<'a>(
        &self,
        answer: impl Future<Output = MethodResponse> + Send + 'a,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let at_work = self.control.begin();
        let control = Arc::clone(&self.control);
        async move {
            let answer = answer.await;
            control.queue(answer.as_ref().len());
            drop(at_work);
            answer
        }
    }
}

impl<S> RpcServiceT for Counted<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        >,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.counted(self.inner.call(request))
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.counted(self.inner.batch(batch))
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.control.is_read(0);
        self.inner.notification(notification)
    }
}
