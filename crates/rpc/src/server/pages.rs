//! What a browser or a monitor gets that asks by GET where JSON-RPC is spoken.

use crate::Journal;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use serde_json::{Value, json};
use std::{
    fmt,
    future::ready,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// How a node is.
pub trait Health: fmt::Debug + Send + Sync {
    /// Whether it does its work now, and what there is to say of it.
    fn health(&self) -> (bool, Value);
}

/// A node that is well as long as it answers.
impl Health for () {
    fn health(&self) -> (bool, Value) {
        (true, json!({ "health": true }))
    }
}

/// Pages in JSON that a node has beside the usual ones.
pub trait MorePages: fmt::Debug + Send + Sync {
    /// Status and content of the page at this path, if there is one.
    fn page(&self, path: &str, query: Option<&str>) -> Option<(u16, Value)>;
}

/// The pages of a node: `/` says what it is, `/health` how it is (with status 503 if it does not do its
/// work), `/metrics` its numbers in the text format of Prometheus.
#[derive(Debug, Clone)]
pub struct Pages {
    /// What the node calls itself.
    pub name: String,
    /// What it counts.
    pub journal: Arc<Journal>,
    /// How it is.
    pub health: Arc<dyn Health>,
    /// What else there is.
    pub more: Option<Arc<dyn MorePages>>,
}

/// A page: status, type of the content, and content.
type Page = (u16, &'static str, String);

/// The node does its work.
const OK: u16 = 200;
/// It does not.
const UNAVAILABLE: u16 = 503;

impl Pages {
    /// The answer to a GET of this path, if there is a page.
    fn get(&self, path: &str, query: Option<&str>) -> Option<Page> {
        match path {
            "/" => {
                let text = format!(
                    "{}\nJSON-RPC by POST or WebSocket at this address; GET /health, /metrics\n",
                    self.name
                );
                Some((OK, "text/plain; charset=utf-8", text))
            }
            "/health" => {
                let (is_well, said) = self.health.health();
                let status = if is_well { OK } else { UNAVAILABLE };
                Some((status, "application/json", said.to_string()))
            }
            "/metrics" => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                Some((OK, kind, self.journal.metrics()))
            }
            _ => {
                let (status, content) = self.more.as_ref()?.page(path, query)?;
                Some((status, "application/json", content.to_string()))
            }
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
        let (path, query) = (request.uri().path(), request.uri().query());
        match is_get.then(|| self.pages.get(path, query)).flatten() {
            Some((status, kind, text)) => {
                let mut response = HttpResponse::new(HttpBody::from(text));
                if let Ok(status) = status.try_into() {
                    *response.status_mut() = status;
                }
                if let Ok(kind) = kind.parse() {
                    response.headers_mut().insert("content-type", kind);
                }
                Box::pin(ready(Ok(response)))
            }
            None => Box::pin(self.rpc.call(request)),
        }
    }
}
