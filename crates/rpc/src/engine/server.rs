//! HTTP server of the authenticated port.

use super::{
    Engine, JwtSecret,
    methods::registry,
    rest::{PREFIX, Rest, response},
};
use crate::{Access, LogLimit, WorkerOptions, Workers, overlaid};
use futures_util::future::BoxFuture;
use jsonrpsee::{
    Methods,
    server::{
        BatchRequestConfig, HttpBody, HttpRequest, HttpResponse, Server, ServerConfig, ServerHandle,
    },
};
use std::{
    future::ready,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Maximum size of a request or response body, in bytes: a payload with its witness, in hex.
const LONGEST: u32 = 1 << 28;
/// Maximum number of requests in a JSON-RPC batch.
const MAX_BATCH_REQUESTS: u32 = 128;
/// Maximum number of concurrent connections. Only few clients have the secret.
const MAX_CONNECTIONS: u32 = 64;

static REFUSED: LogLimit = LogLimit::new();

/// The server cannot listen on its address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct EngineServerError {
    /// The address.
    pub address: SocketAddr,
    /// Error of the operating system.
    pub source: io::Error,
}

/// Engine API server for clients with the JWT secret. Runs until it is stopped or dropped.
#[derive(Debug)]
pub struct EngineServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl EngineServer {
    /// Starts a server for the methods of the Engine API, and for all other methods of the node,
    /// which consensus clients call on this port too. Rejects requests whose `Host` header contains
    /// neither an IP address nor one of `hosts`, and all requests from web pages. Must be called
    /// inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EngineServerError`] if the address cannot be bound.
    pub fn start(
        address: SocketAddr,
        secret: JwtSecret,
        hosts: Vec<String>,
        engine: Arc<Engine>,
    ) -> BoxFuture<'static, Result<Self, EngineServerError>> {
        Box::pin(async move {
            let workers = Arc::new(Workers::new(&WorkerOptions::default()));
            let others = crate::methods(engine.api.clone(), Arc::clone(&workers));
            let own = registry(Arc::clone(&engine), workers).into_methods();
            let access = Access { hosts, ..Access::local(None) };
            let gate = Gate { secret, access, rest: Some(Rest::new(engine)) };
            let server = listen(address, gate, overlaid(own, &others)).await?;
            tracing::info!(address = %server.address, "serving Engine API");
            Ok(server)
        })
    }

    /// Returns the address on which the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server and waits until its connections have ended.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // An error means that the server has already stopped.
            let _ = self.handle.stop();
            self.handle.stopped().await;
        })
    }
}

fn listen(
    address: SocketAddr,
    gate: Gate,
    methods: Methods,
) -> BoxFuture<'static, Result<EngineServer, EngineServerError>> {
    Box::pin(async move {
        let config = ServerConfig::builder()
            .max_request_body_size(LONGEST)
            .max_response_body_size(LONGEST)
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
        Ok(EngineServer { address, handle: server.start(methods) })
    })
}

/// Middleware that checks host, origin and token of a request, and routes REST paths.
#[derive(Debug, Clone)]
struct Gate {
    secret: JwtSecret,
    /// Hosts and origins of allowed requests.
    access: Access,
    /// Handler of the REST paths, if the port serves them.
    rest: Option<Rest>,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, rpc: S) -> Gated<S> {
        Gated { gate: self.clone(), rpc }
    }
}

/// JSON-RPC service behind a [`Gate`].
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
        let credentials =
            request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if let Err(error) = self.gate.secret.check(credentials) {
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
