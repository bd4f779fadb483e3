//! The server: HTTP and WebSocket on one port, and IPC.

use crate::{DevnetError, ServerConfig, ipc, listen};
use jsonrpsee::{
    core::traits::IdProvider,
    server::{
        BatchRequestConfig, Methods, Server, ServerConfig as RpcConfig, ServerHandle,
        serve_with_graceful_shutdown, stop_channel,
    },
    types::SubscriptionId,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::Semaphore};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

/// Largest answer in bytes: a trace of a full block fits.
const MAX_RESPONSE: u32 = 1 << 30;

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    handles: Vec<ServerHandle>,
    ipc: Option<ipc::IpcServer>,
}

/// Ids of subscriptions as Ethereum's clients write them.
#[derive(Debug, Clone, Copy)]
struct HexIds;

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(format!("{:#x}", rand::random::<u128>()).into())
    }
}

impl RunningServer {
    /// Starts to serve `methods`.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Listen`] when an address is taken, [`DevnetError::Flag`] for an origin that is
    /// no header value. Nothing runs then.
    pub async fn start(config: &ServerConfig, methods: Methods) -> Result<Self, DevnetError> {
        let rpc = RpcConfig::builder()
            .max_request_body_size(config.max_body)
            .max_response_body_size(MAX_RESPONSE)
            // It would count requests at work; sockets are counted where they are accepted.
            .max_connections(u32::MAX)
            .max_subscriptions_per_connection(4096)
            .set_batch_request_config(BatchRequestConfig::Unlimited)
            .set_id_provider(HexIds)
            .build();
        let cors = config.allow_origin.as_deref().map(cors).transpose()?;
        let mut running = Self { addresses: Vec::new(), handles: Vec::new(), ipc: None };
        let mut port = config.port;
        let places = config.max_connections.try_into().unwrap_or(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        for host in &config.hosts {
            let address = SocketAddr::new(*host, port);
            let listen = |source| DevnetError::Listen {
                address: address.to_string(),
                flag: "--port",
                source,
            };
            let middleware = tower::ServiceBuilder::new().option_layer(cors.clone());
            let service = Server::builder()
                .set_config(rpc.clone())
                .set_http_middleware(middleware)
                .to_service_builder();
            let listener = TcpListener::bind(address).await.map_err(listen)?;
            let bound = listener.local_addr().map_err(listen)?;
            // Further addresses share the port that the first one got.
            port = bound.port();
            running.addresses.push(bound);
            let (stop, handle) = stop_channel();
            running.handles.push(handle);
            let (methods, places) = (methods.clone(), Arc::clone(&places));
            tokio::spawn(async move {
                let stopped = stop.clone().shutdown();
                tokio::pin!(stopped);
                loop {
                    let connection = tokio::select! {
                        connection = listen::accept(&listener, &places) => connection,
                        () = &mut stopped => return,
                    };
                    let service = service.clone().build(methods.clone(), stop.clone());
                    let stopped = stop.clone().shutdown();
                    // A connection that breaks concerns nobody but its client.
                    tokio::spawn(async move {
                        drop(serve_with_graceful_shutdown(connection, service, stopped).await);
                    });
                }
            });
        }
        if let Some(path) = &config.ipc {
            running.ipc = Some(ipc::IpcServer::start(path, methods, config.max_body)?);
        }
        Ok(running)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops it, and waits until its connections have ended.
    pub async fn stop(self) {
        drop(self.ipc);
        for handle in self.handles {
            // An error says that it has stopped already.
            let _ = handle.stop();
            handle.stopped().await;
        }
    }
}

fn cors(origin: &str) -> Result<CorsLayer, DevnetError> {
    let origin = match origin {
        "*" => AllowOrigin::any(),
        other => AllowOrigin::exact(other.parse().map_err(|_| DevnetError::Flag {
            flag: "--allow-origin",
            reason: format!("{other:?} cannot stand in a header"),
        })?),
    };
    Ok(CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(AllowMethods::any())
        .allow_headers(AllowHeaders::any()))
}
