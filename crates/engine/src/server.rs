//! The authenticated port.

use crate::{
    Engine, JwtSecret,
    methods::registry,
    rest::{PREFIX, Rest, response},
};
use futures_util::future::BoxFuture;
use jsonrpsee::{
    Methods,
    server::{
        BatchRequestConfig, HttpBody, HttpRequest, HttpResponse, Server, ServerConfig, ServerHandle,
    },
};
use rpc::{Access, LogLimit, WorkerOptions, Workers, overlaid};
use std::{
    future::ready,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Most bytes of a request and of an answer: a payload with its witness, in hexadecimal.
const LONGEST: u32 = 1 << 28;
/// Requests in a batch.
const MAX_BATCH_REQUESTS: u32 = 128;
/// Maximum number of simultaneous connections: few clients know the secret.
const MAX_CONNECTIONS: u32 = 64;

static REFUSED: LogLimit = LogLimit::new();

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct EngineServerError {
    /// The address.
    pub address: SocketAddr,
    /// Error of the operating system.
    pub source: io::Error,
}

/// A port that serves JSON-RPC to clients with the secret, until it is stopped or dropped.
#[derive(Debug)]
pub struct AuthenticatedServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl AuthenticatedServer {
    /// Starts to serve these methods. Requests and answers have at most `max_bytes`. Must be called
    /// inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EngineServerError`]; nothing runs then.
    pub fn start(
        address: SocketAddr,
        secret: JwtSecret,
        methods: Methods,
        max_bytes: u32,
    ) -> BoxFuture<'static, Result<Self, EngineServerError>> {
        // Its clients run on other machines, which know it by any name.
        let access = Access { hosts: vec!["*".to_owned()], ..Access::local(None) };
        listen(address, Gate { secret, access, rest: None }, methods, max_bytes)
    }

    /// Returns the address of the port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and waits until its connections have ended.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // An error says that it has stopped already.
            let _ = self.handle.stop();
            self.handle.stopped().await;
        })
    }
}

/// A port that serves the Engine API to clients with the secret, until it is stopped or dropped.
#[derive(Debug)]
pub struct EngineServer(AuthenticatedServer);

impl EngineServer {
    /// Starts to serve: the methods of the Engine API, and all others of a node, which consensus
    /// clients ask at this port too. Requests whose Host header names neither an IP address nor one
    /// of `hosts` are refused, and so are all requests of web pages. Must be called inside a Tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`EngineServerError`]; nothing runs then.
    pub fn start(
        address: SocketAddr,
        secret: JwtSecret,
        hosts: Vec<String>,
        engine: Arc<Engine>,
    ) -> BoxFuture<'static, Result<Self, EngineServerError>> {
        Box::pin(async move {
            let workers = Arc::new(Workers::new(&WorkerOptions::default()));
            let others = rpc::methods(engine.api.clone(), Arc::clone(&workers));
            let own = registry(Arc::clone(&engine), workers).into_methods();
            let access = Access { hosts, ..Access::local(None) };
            let gate = Gate { secret, access, rest: Some(Rest::new(engine)) };
            let server = listen(address, gate, overlaid(own, &others), LONGEST).await?;
            tracing::info!(address = %server.address, "serving Engine API");
            Ok(Self(server))
        })
    }

    /// Returns the address of the port.
    pub const fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Stops it, and waits until its connections have ended.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        self.0.stop()
    }
}

fn listen(
    address: SocketAddr,
    gate: Gate,
    methods: Methods,
    max_bytes: u32,
) -> BoxFuture<'static, Result<AuthenticatedServer, EngineServerError>> {
    Box::pin(async move {
        let config = ServerConfig::builder()
            .max_request_body_size(max_bytes)
            .max_response_body_size(max_bytes)
            .max_connections(MAX_CONNECTIONS)
            .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH_REQUESTS))
            .build();
        let failed = |source| EngineServerError { address, source };
        let server = Server::builder()
            .set_config(config)
            .set_http_middleware(tower::ServiceBuilder::new().layer(gate))
            .build(address)
            .await
            .map_err(failed)?;
        let address = server.local_addr().map_err(failed)?;
        Ok(AuthenticatedServer { address, handle: server.start(methods) })
    })
}

/// Admits requests of programs with a valid token, and routes those for REST.
#[derive(Debug, Clone)]
struct Gate {
    secret: JwtSecret,
    /// Hosts and origins of allowed requests.
    access: Access,
    /// Paths for REST, if the port serves any.
    rest: Option<Rest>,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, rpc: S) -> Gated<S> {
        Gated { gate: self.clone(), rpc }
    }
}

/// JSON-RPC behind a [`Gate`].
#[derive(Debug, Clone)]
struct Gated<S> {
    gate: Gate,
    rpc: S,
}

impl<S, B> Service<HttpRequest<B>> for Gated<S>
where
    S: Service<HttpRequest<HttpBody>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Into<HttpBody>,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.rpc.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        if let Err(error) = self.gate.access.check(&request) {
            tracing::debug!(%error, "refused request to an authenticated port");
            let body = error.to_string().into_bytes();
            return Box::pin(ready(Ok(response(403, "text/plain; charset=utf-8", body))));
        }
        let shown = request.headers().get("authorization").and_then(|it| it.to_str().ok());
        if let Err(error) = self.gate.secret.check(shown) {
            if let Some(left_out) = REFUSED.admit() {
                tracing::warn!(%error, left_out, "refused request to an authenticated port");
            }
            let body = error.to_string().into_bytes();
            return Box::pin(ready(Ok(response(401, "text/plain; charset=utf-8", body))));
        }
        let request = request.map(Into::into);
        if let Some(rest) = &self.gate.rest
            && request.uri().path().starts_with(PREFIX)
        {
            let rest = rest.clone();
            return Box::pin(async move { Ok(rest.answer(request).await) });
        }
        Box::pin(self.rpc.call(request))
    }
}
