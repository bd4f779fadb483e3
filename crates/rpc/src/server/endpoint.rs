//! The HTTP and WebSocket server, which all addresses share.

use super::{
    HexIds, Pages, ServeError, ServerConfig,
    access::{Access, AccessLayer},
    connections::{Bounds, Connections},
    cors, http, listen,
    notifications::NotificationLayer,
    pages::PageLayer,
    transport::{ByTransport, Counted},
};
use jsonrpsee::{
    core::middleware::RpcServiceBuilder,
    server::{
        BatchRequestConfig, Methods, Server, ServerConfig as RpcConfig, StopHandle,
        serve_with_graceful_shutdown,
    },
};
use std::sync::Arc;
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;

/// Configuration, methods and connections of all addresses of a server.
#[derive(Debug)]
pub(super) struct Endpoint {
    rpc: RpcConfig,
    access: Arc<Access>,
    cors: Option<CorsLayer>,
    pages: Option<PageLayer>,
    http_methods: Methods,
    ws_methods: Methods,
    connections: Arc<Connections>,
    max_batch: usize,
    max_response: usize,
}

impl Endpoint {
    pub(super) fn new(
        config: &ServerConfig,
        methods: &Methods,
        pages: Option<Pages>,
    ) -> Result<Self, ServeError> {
        let rpc = RpcConfig::builder()
            .max_request_body_size(config.max_body)
            .max_response_body_size(config.max_response)
            // jsonrpsee would count concurrent requests; connections are counted when they are
            // accepted.
            .max_connections(u32::MAX)
            .max_subscriptions_per_connection(config.max_subscriptions)
            .set_batch_request_config(BatchRequestConfig::Limit(config.max_batch))
            .set_id_provider(HexIds)
            .build();
        let (wanted, open) =
            (config.max_connections, listen::allowed_connections(config.max_connections));
        if open < wanted {
            tracing::warn!(wanted, open, "reduced connection limit: too few open files");
        }
        let max_response = config.max_response as usize;
        let connections = Connections::new(Bounds {
            open: open as usize,
            per_address: config.max_connections_per_address as usize,
            queued: config.max_queued,
            total: config.max_held,
            request_timeout: config.request_timeout,
        });
        Ok(Self {
            rpc,
            access: Arc::new(config.access.clone()),
            cors: config.access.origin.as_deref().map(cors).transpose()?,
            pages: pages.map(|pages| PageLayer { pages, max_response }),
            http_methods: config.http_api.select(methods, "--http-api")?,
            ws_methods: config.ws_api.select(methods, "--ws-api")?,
            connections,
            max_batch: config.max_batch as usize,
            max_response,
        })
    }

    /// Accepts and serves connections until the server is stopped.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener, stop: StopHandle) {
        let middleware = tower::ServiceBuilder::new()
            .layer(AccessLayer(Arc::clone(&self.access)))
            .option_layer(self.cors.clone())
            .option_layer(self.pages.clone())
            .layer(NotificationLayer { max_batch: self.max_batch });
        let service = Server::builder()
            .set_config(self.rpc.clone())
            .set_http_middleware(middleware)
            .to_service_builder();
        let stopped = stop.clone().shutdown();
        tokio::pin!(stopped);
        loop {
            let connection = tokio::select! {
                connection = listen::accept(&listener, &self.connections) => connection,
                () = &mut stopped => break,
            };
            let (endpoint, service, stop) = (Arc::clone(&self), service.clone(), stop.clone());
            let serving = async move {
                let stopped = stop.clone().shutdown();
                tokio::pin!(stopped);
                let Self { access, http_methods, ws_methods, max_response, .. } = &*endpoint;
                let max_response = *max_response;
                let plain = http::Plain::new(connection, access, http_methods, max_response);
                let Some(rest) = plain.serve(&mut stopped).await? else { return Ok(()) };
                let control = Arc::clone(rest.control());
                let counting = Arc::clone(&control);
                // Both transports have the same kind of method under each name.
                let all = ws_methods.clone();
                let counted = RpcServiceBuilder::new().layer_fn(move |inner| Counted {
                    inner,
                    methods: all.clone(),
                    control: Arc::clone(&counting),
                    max_response,
                });
                let service = service.set_rpc_middleware(counted);
                let service = ByTransport {
                    http: service.clone().build(http_methods.clone(), stop.clone()),
                    ws: service.build(ws_methods.clone(), stop),
                    control,
                };
                serve_with_graceful_shutdown(rest, service, stopped).await
            };
            tokio::spawn(async move {
                // A broken connection only affects its own client.
                if let Err(error) = serving.await {
                    tracing::debug!(%error, "connection failed");
                }
            });
        }
        // Free the port before a caller that waits for the shutdown continues.
        drop(listener);
        drop(stop);
    }
}
