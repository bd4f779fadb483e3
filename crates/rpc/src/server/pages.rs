//! What a browser or a monitor gets that asks by GET where JSON-RPC is spoken.

use crate::Journal;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use std::{
    future::ready,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// The pages of a node: `/` says what it is, `/health` that it is there, `/metrics` its numbers in
/// the text format of Prometheus.
#[derive(Debug, Clone)]
pub struct Pages {
    /// What the node calls itself.
    pub name: String,
    /// What it counts.
    pub journal: Arc<Journal>,
}

impl Pages {
    /// The answer to a GET of this path, if there is a page: type of the content, and content.
    fn get(&self, path: &str) -> Option<(&'static str, String)> {
        match path {
            "/" => {
                let text = format!(
                    "{}\nJSON-RPC by POST or WebSocket at this address; GET /health, /metrics\n",
                    self.name
                );
                Some(("text/plain; charset=utf-8", text))
            }
            "/health" => Some(("application/json", r#"{"health":true}"#.to_owned())),
            "/metrics" => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                Some((kind, self.journal.metrics()))
            }
            _ => None,
        }
    }
}

impl<S> Layer<S> for Pages {
    type Service = WithPages<S>;

    fn layer(&self, rpc: S) -> WithPages<S> {
        WithPages { pages: self.clone(), rpc }
    }
}

/// JSON-RPC, with pages beside it.
#[derive(Debug, Clone)]
pub struct WithPages<S> {
    pages: Pages,
    rpc: S,
}

impl<S, B> Service<HttpRequest<B>> for WithPages<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.rpc.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        // A WebSocket begins with a GET too.
        let is_get = request.method() == "GET" && !request.headers().contains_key("upgrade");
        match is_get.then(|| self.pages.get(request.uri().path())).flatten() {
            Some((kind, text)) => {
                let mut response = HttpResponse::new(HttpBody::from(text));
                if let Ok(kind) = kind.parse() {
                    response.headers_mut().insert("content-type", kind);
                }
                Box::pin(ready(Ok(response)))
            }
            None => Box::pin(self.rpc.call(request)),
        }
    }
}
