//! Client of a node.

use crate::RedactedUrl;
use crate::{ClientError, ClientOptions, Http, socket::Socket};
use alloy_json_rpc::{RpcRecv, RpcSend};
use alloy_provider::{Provider as _, RootProvider};
use alloy_rpc_client::RpcClient;
use alloy_transport::TransportError;
use core::convert::Infallible;
use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::runtime::{Builder, Runtime};

/// JSON-RPC client of a node, over HTTP or a WebSocket.
#[derive(Debug)]
pub struct Client {
    way: NodeTransport,
    provider: RootProvider,
    /// Runtime of the synchronous methods; `None` only during drop.
    runtime: Option<Runtime>,
}

/// Transport of requests to a node.
#[derive(Debug)]
enum NodeTransport {
    Http(Http),
    Socket(Socket),
}

impl Client {
    /// Creates a client of the node at this URL. Sends no request.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`], or [`ClientError::Setup`] or [`ClientError::Http`] if the client
    /// cannot be set up.
    pub fn new(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Self::of_several(&[url], &[], options)
    }

    /// Creates a client of a node with multiple URLs, used according to
    /// [`ClientOptions::rotation`]. The headers (name and value) are sent with each request. A
    /// WebSocket must be the only URL and supports no headers. Sends no request.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`], [`ClientError::Header`], or [`ClientError::Setup`] or
    /// [`ClientError::Http`] if the client cannot be set up.
    pub fn of_several(
        urls: &[&str],
        headers: &[(String, String)],
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let mut parsed = Vec::new();
        for url in urls {
            parsed.push(node_url(url)?);
        }
        if parsed.is_empty() {
            let reason = "no URL given".to_owned();
            return Err(ClientError::Url { url: RedactedUrl::default(), reason });
        }
        let mut map = HeaderMap::new();
        for (written, value) in headers {
            let name = HeaderName::from_bytes(written.as_bytes());
            let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) else {
                return Err(ClientError::Header(written.to_owned()));
            };
            map.append(name, value);
        }
        let way = match parsed.iter().find(|url| url.scheme().starts_with("ws")) {
            None => NodeTransport::Http(Http::new(parsed, map, options)?),
            Some(url) => {
                let reason = match (parsed.len(), map.is_empty()) {
                    (1, true) => None,
                    (1, false) => Some(
                        "headers are not supported over WebSocket: use the provider's HTTP URL, or omit them",
                    ),
                    _ => Some("a WebSocket URL must be the only URL"),
                };
                if let Some(reason) = reason {
                    let reason = reason.to_owned();
                    return Err(ClientError::Url { url: url.into(), reason });
                }
                NodeTransport::Socket(Socket::new(url.clone(), options))
            }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("json-rpc-client")
            .enable_all()
            .build()?;
        let provider = RootProvider::new(match &way {
            NodeTransport::Http(http) => RpcClient::new(http.clone(), true),
            NodeTransport::Socket(socket) => RpcClient::new(socket.clone(), true),
        });
        Ok(Self { way, provider, runtime: Some(runtime) })
    }

    /// Returns the node's URL without secrets, for errors and logs.
    pub fn address(&self) -> RedactedUrl {
        match &self.way {
            NodeTransport::Http(http) => http.url().into(),
            NodeTransport::Socket(socket) => socket.url().into(),
        }
    }

    /// Returns the node's URL, which may contain secrets: use [`Self::address`] for output.
    pub fn url(&self) -> &str {
        match &self.way {
            NodeTransport::Http(http) => http.url().as_str(),
            NodeTransport::Socket(socket) => socket.url().as_str(),
        }
    }

    /// Returns the turn that the next request uses, for [`Self::leave_address`].
    pub fn turn(&self) -> usize {
        match &self.way {
            NodeTransport::Http(http) => http.turn(),
            NodeTransport::Socket(_) => 0,
        }
    }

    /// Switches to the next address, if there are multiple and the rotation is
    /// [`crate::Rotation::OnFailure`]. For callers that cannot use the responses of the address
    /// since this turn. Concurrent calls with the same turn switch once.
    pub fn leave_address(&self, turn: usize) {
        if let NodeTransport::Http(http) = &self.way {
            http.switch(turn);
        }
    }

    fn http(&self) -> Result<Http, ClientError> {
        match &self.way {
            NodeTransport::Http(http) => Ok(http.clone()),
            NodeTransport::Socket(socket) => Err(ClientError::NoPages(socket.url().into())),
        }
    }

    /// Returns the provider for contract bindings and typed methods.
    pub const fn provider(&self) -> &RootProvider {
        &self.provider
    }

    /// Runs a future on the client's own runtime and blocks this thread until it completes. This
    /// may be a thread of another async runtime, which it then blocks.
    ///
    /// # Panics
    ///
    /// If the future does.
    pub fn wait<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let result = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&result);
        self.run(Box::pin(async move {
            let output = future.await;
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
        }));
        let result = Arc::into_inner(result).and_then(|result| result.into_inner().ok()?);
        result.expect("the future has not panicked")
    }

    /// Blocks this thread until a future has completed or panicked. It takes one boxed type for all
    /// futures: a task and a channel per future type were a quarter of the code of the crate that
    /// makes most requests.
    fn run(&self, future: BoxFuture<'static, ()>) {
        let runtime = self.runtime.as_ref().expect("it is taken only on drop");
        let (ended, end) = mpsc::sync_channel::<Infallible>(0);
        runtime.spawn(async move {
            future.await;
            drop(ended);
        });
        // Nothing is ever sent: `recv` returns when the sender is dropped.
        let _ = end.recv();
    }

    /// Calls a method and blocks until its result arrives.
    ///
    /// # Errors
    ///
    /// [`ClientError::Rpc`], which contains the node's error if it returned one.
    pub fn request<P, R>(&self, method: &str, params: P) -> Result<R, ClientError>
    where
        P: RpcSend + 'static,
        R: RpcRecv,
    {
        // The unit type would be serialized as null, which is not a parameter list.
        let params = match size_of::<P>() {
            0 => to_raw_value::<[(); 0]>(&[]),
            _ => to_raw_value(&params),
        };
        let params = params.map_err(TransportError::ser_err)?;
        let answer = self.request_raw(method.to_owned(), params)?;
        let read = serde_json::from_str(answer.get());
        Ok(read.map_err(|error| TransportError::deser_err(error, answer.get()))?)
    }

    fn request_raw(
        &self,
        method: String,
        params: Box<RawValue>,
    ) -> Result<Box<RawValue>, ClientError> {
        let provider = self.provider.clone();
        Ok(self.wait(async move { provider.raw_request(method.into(), params).await })?)
    }

    /// Posts a body, which need not be JSON-RPC, and returns the response body, which is JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::Http`]; [`ClientError::NoPages`] over a WebSocket.
    pub fn post(&self, body: impl Into<Vec<u8>>) -> Result<Vec<u8>, ClientError> {
        let (http, body) = (self.http()?, body.into());
        Ok(self.wait(async move { http.post(body).await })?)
    }
}

impl Client {
    /// Sends a GET request to a path relative to the URL, and returns the response body, which is
    /// JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::Http`]; [`ClientError::NoPages`] over a WebSocket.
    pub fn get(&self, path: &str, query: Option<&str>) -> Result<Vec<u8>, ClientError> {
        let (http, path, query) = (self.http()?, path.to_owned(), query.map(str::to_owned));
        Ok(self.wait(async move { http.get(&path, query.as_deref()).await })?)
    }
}

/// Parses the URL of a node and checks its scheme.
fn node_url(url: &str) -> Result<reqwest::Url, ClientError> {
    let bad = |reason: String| ClientError::Url { url: RedactedUrl::new(url), reason };
    if url.starts_with(['/', '.']) {
        return Err(bad("IPC is not supported: use an HTTP or WebSocket URL".to_owned()));
    }
    // As in other tools, a URL without a scheme, such as `localhost:8545`, means HTTP.
    let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let parsed: reqwest::Url = whole
        .parse()
        .map_err(|error: <reqwest::Url as core::str::FromStr>::Err| bad(error.to_string()))?;
    if !["http", "https", "ws", "wss"].contains(&parsed.scheme()) {
        return Err(bad("expected http://, https://, ws:// or wss://".to_owned()));
    }
    Ok(parsed)
}

impl Drop for Client {
    fn drop(&mut self) {
        // Dropping a runtime blocks, which panics on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
