//! Serving: HTTP and WebSocket on one port.

use jsonrpsee::{
    Methods,
    server::{BatchRequestConfig, Server, ServerConfig, ServerHandle},
};
use std::{io, net::SocketAddr};
use tower_http::cors::CorsLayer;

/// Limits and habits of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Most bytes of a request.
    pub max_request_bytes: u32,
    /// Most bytes of an answer.
    pub max_response_bytes: u32,
    /// Most connections at once.
    pub max_connections: u32,
    /// Most requests in a batch.
    pub max_batch: u32,
    /// Who may ask from a browser; `None` for nobody but the server's own origin.
    pub cors: Option<CorsLayer>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_request_bytes: 64 << 20,
            max_response_bytes: 512 << 20,
            max_connections: 10_000,
            max_batch: 10_000,
            cors: Some(CorsLayer::permissive()),
        }
    }
}

/// Serves methods at an address until the handle is stopped; also says at which address in the end.
pub async fn serve(
    address: SocketAddr,
    methods: impl Into<Methods>,
    options: ServerOptions,
) -> io::Result<(ServerHandle, SocketAddr)> {
    let config = ServerConfig::builder()
        .max_request_body_size(options.max_request_bytes)
        .max_response_body_size(options.max_response_bytes)
        .max_connections(options.max_connections)
        .set_batch_request_config(BatchRequestConfig::Limit(options.max_batch))
        .build();
    let middleware = tower::ServiceBuilder::new().option_layer(options.cors);
    let server =
        Server::builder().set_config(config).set_http_middleware(middleware).build(address).await?;
    let address = server.local_addr()?;
    Ok((server.start(methods), address))
}
