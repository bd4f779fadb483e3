//! A node as it is asked.

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

/// A node that is asked over HTTP, or over a WebSocket.
#[derive(Debug)]
pub struct Client {
    way: Way,
    provider: RootProvider,
    /// Runtime for callers that wait; `None` only during drop.
    runtime: Option<Runtime>,
}

/// Transport of requests to a node.
#[derive(Debug)]
enum Way {
    Http(Http),
    Socket(Socket),
}

impl Client {
    /// A client of the node at this URL. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`], or the reason for which the client cannot be set up.
    pub fn new(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Self::of_several(&[url], &[], options)
    }

    /// A client of a node with several addresses, which are asked in turn, that sends these headers
    /// (name and value) with each request. A WebSocket has one address and takes no headers.
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`], [`ClientError::Header`], or the reason for which the client cannot be
    /// set up.
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
            let reason = "there is none".to_owned();
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
            None => Way::Http(Http::new(parsed, map, options)?),
            Some(url) => {
                let reason = match (parsed.len(), map.is_empty()) {
                    (1, true) => None,
                    (1, false) => Some(
                        "a WebSocket takes no headers: use the provider's address of HTTP, or leave them out",
                    ),
                    _ => Some("a WebSocket cannot be one of several addresses"),
                };
                if let Some(reason) = reason {
                    let reason = reason.to_owned();
                    return Err(ClientError::Url { url: url.into(), reason });
                }
                Way::Socket(Socket::new(url.clone(), options))
            }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("json-rpc-client")
            .enable_all()
            .build()?;
        let provider = RootProvider::new(match &way {
            Way::Http(http) => RpcClient::new(http.clone(), true),
            Way::Socket(socket) => RpcClient::new(socket.clone(), true),
        });
        Ok(Self { way, provider, runtime: Some(runtime) })
    }

    /// Returns the address of the node, to be shown.
    pub fn address(&self) -> RedactedUrl {
        match &self.way {
            Way::Http(http) => http.url().into(),
            Way::Socket(socket) => socket.url().into(),
        }
    }

    /// Returns the URL of the node, which may contain secrets: only [`Self::address`] is to be
    /// shown.
    pub fn url(&self) -> &str {
        match &self.way {
            Way::Http(http) => http.url().as_str(),
            Way::Socket(socket) => socket.url().as_str(),
        }
    }

    /// Returns the turn of the address that requests are sent to now, for [`Self::leave_address`].
    pub fn turn(&self) -> usize {
        match &self.way {
            Way::Http(http) => http.turn(),
            Way::Socket(_) => 0,
        }
    }

    /// Sends the next requests to the next address, if there are several and the client stays with
    /// one ([`crate::Rotation::OnFailure`]): for an address whose answers since this turn cannot be
    /// used. Requests side by side leave it once.
    pub fn leave_address(&self, turn: usize) {
        if let Way::Http(http) = &self.way {
            http.leave(turn);
        }
    }

    fn http(&self) -> Result<Http, ClientError> {
        match &self.way {
            Way::Http(http) => Ok(http.clone()),
            Way::Socket(socket) => Err(ClientError::NoPages(socket.url().into())),
        }
    }

    /// The provider that bindings of contracts and typed methods go through.
    pub const fn provider(&self) -> &RootProvider {
        &self.provider
    }

    /// Waits in this thread until a future is done, which runs in another: so this may be a thread
    /// of an async runtime, as long as that can spare it.
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

    /// Waits in this thread until a future is done, or has panicked and is dropped. It has one type
    /// for all futures: a task and a channel for each were a quarter of the code of the crate that
    /// makes most requests.
    fn run(&self, future: BoxFuture<'static, ()>) {
        let runtime = self.runtime.as_ref().expect("it is taken only on drop");
        let (ended, end) = mpsc::sync_channel::<Infallible>(0);
        runtime.spawn(async move {
            future.await;
            drop(ended);
        });
        // Nothing is ever sent: the wait ends when the sender is gone.
        let _ = end.recv();
    }

    /// Calls a method and waits for its result.
    ///
    /// # Errors
    ///
    /// [`ClientError::Rpc`], which holds the node's error if there is one.
    pub fn request<P, R>(&self, method: &str, params: P) -> Result<R, ClientError>
    where
        P: RpcSend + 'static,
        R: RpcRecv,
    {
        // JSON's null, which a unit would be, is no list of parameters.
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

    /// Posts a body that need not be JSON-RPC at all; the body of the answer, which is JSON.
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
    /// Gets a page below the address; its content, which is JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::Http`]; [`ClientError::NoPages`] over a WebSocket.
    pub fn get(&self, path: &str, query: Option<&str>) -> Result<Vec<u8>, ClientError> {
        let (http, path, query) = (self.http()?, path.to_owned(), query.map(str::to_owned));
        Ok(self.wait(async move { http.get(&path, query.as_deref()).await })?)
    }
}

/// The address of a node, if it is one that can be asked.
fn node_url(url: &str) -> Result<reqwest::Url, ClientError> {
    let bad = |reason: String| ClientError::Url { url: RedactedUrl::new(url), reason };
    if url.starts_with(['/', '.']) {
        return Err(bad(
            "it is a path, and nodes are not asked over IPC: use HTTP or a WebSocket".to_owned()
        ));
    }
    // As in other tools, `localhost:8545` means an HTTP address.
    let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let parsed: reqwest::Url = whole
        .parse()
        .map_err(|error: <reqwest::Url as core::str::FromStr>::Err| bad(error.to_string()))?;
    if !["http", "https", "ws", "wss"].contains(&parsed.scheme()) {
        return Err(bad("it begins with none of http://, https://, ws:// and wss://".to_owned()));
    }
    Ok(parsed)
}

impl Drop for Client {
    fn drop(&mut self) {
        // A runtime must not be waited for in a thread of another one, where this may well be.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
