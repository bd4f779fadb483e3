//! RPC server: HTTP and WebSocket on one port, and IPC.
//!
//! jsonrpsee serves HTTP and WebSocket. Plain requests, which most clients send, bypass it at half
//! the cost.

mod access;
mod connections;
mod endpoint;
mod frames;
mod http;
mod ids;
mod ipc;
mod listen;
mod namespaces;
mod notifications;
mod pages;
mod signals;
mod transport;

pub use access::{Access, AccessError, AccessToken};
pub use listen::allow_open_files;
pub use namespaces::Namespaces;
pub use pages::{Content, Health, MorePages, PageRequest, Pages};
pub use signals::termination;
pub(crate) use transport::Client;

use crate::RequestLimits;
use endpoint::Endpoint;
use futures_util::future::BoxFuture;
use jsonrpsee::{
    ConnectionId, Extensions, MethodResponse,
    core::{server::MethodCallback, traits::IdProvider},
    server::{Methods, ServerHandle, stop_channel},
    types::{Params, Request, SubscriptionId},
};
use listen::Handover;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tracing::Instrument as _;

/// Addresses and limits of a server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Addresses to listen on; all of them use the same port.
    pub hosts: Vec<IpAddr>,
    /// Port of HTTP and WebSocket; 0 selects a free one.
    pub port: u16,
    /// Path of the IPC socket; `None` disables IPC.
    pub ipc: Option<PathBuf>,
    /// Hosts, web origins and bearer token of requests that are allowed. The CORS headers follow
    /// from the allowed origin.
    pub access: Access,
    /// Maximum size of a request body, in bytes.
    pub max_body: u32,
    /// Maximum size of a response, in bytes.
    pub max_response: u32,
    /// Maximum number of requests in a batch.
    pub max_batch: u32,
    /// Maximum number of open connections, including idle ones.
    pub max_connections: u32,
    /// Maximum number of open connections per address; the first 64 bits of an IPv6 address count
    /// as one.
    pub max_connections_per_address: u32,
    /// Timeout for receiving a whole request, and for a client to read any part of its response.
    pub request_timeout: Duration,
    /// Maximum number of bytes queued for the client of one connection.
    pub max_queued: usize,
    /// Maximum number of bytes of requests and responses, over all connections.
    pub max_held: usize,
    /// Maximum number of subscriptions per connection.
    pub max_subscriptions: u32,
    /// Limits of each request.
    pub limits: RequestLimits,
    /// Namespaces served over HTTP. IPC serves all.
    pub http_api: Namespaces,
    /// Namespaces served over WebSocket.
    pub ws_api: Namespaces,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            hosts: vec![IpAddr::from([127, 0, 0, 1])],
            port: 8545,
            ipc: None,
            access: Access { origin: Some("*".to_owned()), ..Access::local(None) },
            max_body: 16 << 20,
            max_response: 256 << 20,
            max_batch: 100_000,
            max_connections: 4096,
            max_connections_per_address: 4096,
            request_timeout: Duration::from_secs(30),
            max_queued: 256 << 20,
            max_held: 1 << 30,
            max_subscriptions: 1024,
            limits: RequestLimits::default(),
            http_api: Namespaces::All,
            ws_api: Namespaces::All,
        }
    }
}

/// Error when starting a server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The server cannot listen on the IPC socket.
    #[error("cannot listen on {}: {source}", path.display())]
    Ipc {
        /// Path of the socket.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The allowed origin cannot be used as a header value.
    #[error("{0:?} is not allowed in a header")]
    Origin(String),
    /// A flag lists a namespace without any method in this node.
    #[error("{flag}: unknown namespace {got:?}, expected one of {expected}")]
    Namespace {
        /// The flag.
        flag: &'static str,
        /// The unknown namespace.
        got: String,
        /// The namespaces of the node.
        expected: String,
    },
}

/// Running server, stopped when dropped.
#[derive(Debug)]
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    handles: Vec<ServerHandle>,
    ipc: Option<ipc::IpcServer>,
}

/// Generates hexadecimal subscription ids, as Ethereum clients do.
#[derive(Debug, Clone, Copy)]
struct HexIds;

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(format!("{:#x}", rand::random::<u128>()).into())
    }
}

impl RunningServer {
    /// Starts serving `methods`. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the server could not be started.
    pub fn start(
        config: &ServerConfig,
        methods: Methods,
    ) -> BoxFuture<'_, Result<Self, ServeError>> {
        Self::start_with_pages(config, methods, None)
    }

    /// Like [`Self::start`], with additional pages for GET requests.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the server could not be started.
    pub fn start_with_pages(
        config: &ServerConfig,
        methods: Methods,
        pages: Option<Pages>,
    ) -> BoxFuture<'_, Result<Self, ServeError>> {
        Box::pin(Self::listen(config, methods, pages))
    }

    async fn listen(
        config: &ServerConfig,
        methods: Methods,
        pages: Option<Pages>,
    ) -> Result<Self, ServeError> {
        let endpoint = Arc::new(Endpoint::new(config, &methods, pages)?);
        let mut running = Self { addresses: Vec::new(), handles: Vec::new(), ipc: None };
        let mut port = config.port;
        for host in &config.hosts {
            let address = SocketAddr::new(*host, port);
            let failed = |source| ServeError::Address { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            // Additional addresses use the port that the first one was given.
            port = bound.port();
            tracing::info!(address = %bound, "listening");
            running.addresses.push(bound);
            let (stop, handle) = stop_channel();
            running.handles.push(handle);
            let accepting = Arc::clone(&endpoint).accept(listener, stop);
            tokio::spawn(accepting.instrument(tracing::info_span!("server", address = %bound)));
        }
        if let Some(path) = &config.ipc {
            let methods = Namespaces::All.select(&methods, "--ipc")?;
            let limits = ipc::IpcLimits {
                max_request: config.max_body as usize,
                max_response: config.max_response as usize,
                max_batch: config.max_batch as usize,
                max_subscriptions: config.max_subscriptions,
            };
            let failed = |source| ServeError::Ipc { path: path.clone(), source };
            let started = ipc::IpcServer::start(path, methods, limits).map_err(failed)?;
            tracing::info!(path = %path.display(), "listening");
            running.ipc = Some(started);
        }
        Ok(running)
    }

    /// Returns the addresses that the server listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops the server and waits until its connections have ended.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            drop(self.ipc);
            for handle in self.handles {
                // An error means that the server has already stopped.
                let _ = handle.stop();
                handle.stopped().await;
            }
        })
    }
}

/// Allocates a connection id from the top of the range; jsonrpsee's own ids count up from zero.
fn next_connection() -> ConnectionId {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    ConnectionId(usize::MAX - COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Calls a method that returns a value; `None` for subscriptions and unknown methods.
async fn call(
    methods: &Methods,
    request: &Request<'_>,
    connection: ConnectionId,
    max_response: usize,
    extensions: Extensions,
) -> Option<MethodResponse> {
    let Some(MethodCallback::Async(method)) = methods.method(&request.method) else { return None };
    let params = request.params.as_ref().map(|params| params.get());
    let params = Params::new(params).into_owned();
    let id = request.id.clone().into_owned();
    Some(method(id, params, connection, max_response, extensions).await)
}

fn cors(origin: &str) -> Result<CorsLayer, ServeError> {
    let origin = match origin {
        "*" => AllowOrigin::any(),
        other => {
            AllowOrigin::exact(other.parse().map_err(|_| ServeError::Origin(other.to_owned()))?)
        }
    };
    Ok(CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(AllowMethods::any())
        .allow_headers(AllowHeaders::any()))
}
