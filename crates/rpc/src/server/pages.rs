//! Pages for browsers and monitoring, served to GET requests on the JSON-RPC port.

use super::Client;
use crate::Telemetry;
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

/// Health check of a node.
pub trait Health: fmt::Debug + Send + Sync {
    /// Returns whether the node is healthy, with details as JSON.
    fn health(&self) -> (bool, Value);
}

/// A node without a health check is healthy while it responds.
impl Health for () {
    fn health(&self) -> (bool, Value) {
        (true, json!({ "health": true }))
    }
}

/// Additional pages of a node.
pub trait MorePages: fmt::Debug + Send + Sync {
    /// Returns the status and content of a page, or `None` if it does not exist.
    fn page(&self, request: &PageRequest<'_>) -> Option<(u16, Content)>;
}

/// A GET request.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'r> {
    /// Path of the URL, beginning with a slash.
    pub path: &'r str,
    /// Query of the URL without the question mark.
    pub query: Option<&'r str>,
    /// The `Accept` header; empty if there is none.
    pub accept: &'r str,
}

impl PageRequest<'_> {
    /// Returns `true` if the client prefers bytes to JSON, by the weights of the two media types,
    /// or by their order if the weights are equal (RFC 9110, section 12.5.1).
    pub fn wants_bytes(&self) -> bool {
        let weight_of = |wanted| {
            let ranges = self.accept.split(',').enumerate();
            let mut named = ranges.filter_map(|(place, range)| {
                let mut parts = range.split(';').map(str::trim);
                let is_it = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
                let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
                is_it.then(|| (weight.unwrap_or(1.0_f32), core::cmp::Reverse(place)))
            });
            named.next()
        };
        match (weight_of(BYTES), weight_of(JSON)) {
            (Some((weight, _)), None) => weight > 0.0,
            (bytes, json) => bytes > json,
        }
    }
}

/// Body of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// JSON document.
    Json(Value),
    /// Bytes, such as SSZ.
    Bytes(Vec<u8>),
}

/// Pages of a node: `/` describes the node, `/health` reports its health (status 503 if it is not
/// healthy), and `/metrics` its metrics in the Prometheus text format.
#[derive(Debug, Clone)]
pub struct Pages {
    /// Name of the node.
    pub name: String,
    /// Metrics of the node.
    pub telemetry: Arc<Telemetry>,
    /// Health of the node.
    pub health: Arc<dyn Health>,
    /// Additional pages, if any.
    pub more: Option<Arc<dyn MorePages>>,
}

/// A page: status, content type and content.
type Page = (u16, &'static str, Vec<u8>);

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// HTTP status of a healthy node.
const OK: u16 = 200;
/// HTTP status of a page that exceeds the limit.
const TOO_LONG: u16 = 500;
/// HTTP status of an unhealthy node.
const UNAVAILABLE: u16 = 503;

impl Pages {
    /// Returns the page for a GET request, if it exists.
    fn get(&self, request: &PageRequest<'_>) -> Option<Page> {
        match request.path {
            "/" => {
                let text = format!(
                    "{}\nJSON-RPC by POST or WebSocket at this address; GET /health, /metrics\n",
                    self.name
                );
                Some((OK, TEXT, text.into_bytes()))
            }
            "/health" => {
                let (is_well, said) = self.health.health();
                let status = if is_well { OK } else { UNAVAILABLE };
                Some((status, JSON, said.to_string().into_bytes()))
            }
            "/metrics" => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                Some((OK, kind, self.telemetry.metrics().into_bytes()))
            }
            _ => {
                let (status, content) = self.more.as_ref()?.page(request)?;
                Some(match content {
                    Content::Json(document) => (status, JSON, document.to_string().into_bytes()),
                    Content::Bytes(bytes) => (status, BYTES, bytes),
                })
            }
        }
    }
}

/// Middleware that serves [`Pages`].
#[derive(Debug, Clone)]
pub(super) struct PageLayer {
    pub(super) pages: Pages,
    /// Maximum size of a page, in bytes.
    pub(super) max_response: usize,
}

impl<S> Layer<S> for PageLayer {
    type Service = WithPages<S>;

    fn layer(&self, rpc: S) -> WithPages<S> {
        WithPages { layer: self.clone(), rpc }
    }
}

/// JSON-RPC service that also serves pages.
#[derive(Debug, Clone)]
pub(super) struct WithPages<S> {
    layer: PageLayer,
    rpc: S,
}

impl PageLayer {
    /// Returns the response to a GET request, if it is for a page.
    fn response<B>(&self, request: &HttpRequest<B>) -> Option<HttpResponse> {
        // A WebSocket upgrade is a GET too. For HEAD, the server drops the content.
        let is_head = request.method() == "HEAD";
        let is_get = is_head || request.method() == "GET";
        if !is_get || request.headers().contains_key("upgrade") {
            return None;
        }
        let accept = request.headers().get("accept").and_then(|value| value.to_str().ok());
        let (mut status, mut kind, mut content) = self.pages.get(&PageRequest {
            path: request.uri().path(),
            query: request.uri().query(),
            accept: accept.unwrap_or_default(),
        })?;
        if content.len() > self.max_response {
            let (got, limit) = (content.len(), self.max_response);
            let text = format!("the page has {got} bytes, expected at most {limit}");
            (status, kind, content) = (TOO_LONG, TEXT, text.into_bytes());
        }
        // A client that does not read its pages holds memory like one that does not read responses.
        if let Some(Client(control)) = request.extensions().get().filter(|_| !is_head) {
            control.queue(content.len());
        }
        let mut response = HttpResponse::new(HttpBody::from(content));
        if let Ok(status) = status.try_into() {
            *response.status_mut() = status;
        }
        if let Ok(kind) = kind.parse() {
            response.headers_mut().insert("content-type", kind);
        }
        Some(response)
    }
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
        match self.layer.response(&request) {
            Some(response) => Box::pin(ready(Ok(response))),
            None => Box::pin(self.rpc.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferred_media_type_selects_bytes() {
        let wants_bytes = |accept| PageRequest { path: "/", query: None, accept }.wants_bytes();
        for accept in [
            BYTES,
            "Application/Octet-Stream",
            "application/octet-stream, application/json",
            "application/octet-stream;q=1.0,application/json;q=0.9",
            "application/json; q=0.5, application/octet-stream; q=0.6",
            "text/html, application/octet-stream",
        ] {
            assert!(wants_bytes(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            JSON,
            "application/json, application/octet-stream",
            "application/octet-stream;q=0.9,application/json;q=1.0",
            "application/octet-stream;q=0",
            "application/octet-streams",
        ] {
            assert!(!wants_bytes(accept), "{accept}");
        }
    }
}
