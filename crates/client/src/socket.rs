//! JSON-RPC over a WebSocket, with timeouts and size limits.

use crate::{ClientOptions, SocketError, busy::is_any_busy, retry_policy::RetryPolicy};
use alloy_json_rpc::{RequestPacket, ResponsePacket, RpcError};
use alloy_pubsub::{ConnectionHandle, PubSubConnect, PubSubFrontend};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut, TransportResult};
use alloy_transport_ws::{WebSocketConfig, WsConnect};
use core::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};
use reqwest::Url;
use std::{io, sync::Arc};
use tokio::{sync::Mutex, time::timeout};
use tokio_tungstenite::tungstenite;
use tower::Service;

/// WebSocket transport for alloy. The first request opens the connection, and the first request
/// after the connection has ended reopens it.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    url: Url,
    connection: Arc<Mutex<Option<PubSubFrontend>>>,
    /// Set once a connection was established.
    has_connected: Arc<AtomicBool>,
    options: ClientOptions,
    retry_policy: RetryPolicy,
}

impl Socket {
    pub(crate) fn new(url: Url, options: ClientOptions) -> Self {
        Self {
            url,
            connection: Arc::default(),
            has_connected: Arc::default(),
            options,
            retry_policy: RetryPolicy::new(&options),
        }
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// Sends requests, with retries.
    async fn exchange(&self, requests: RequestPacket) -> TransportResult<ResponsePacket> {
        let tries_before_the_last = self.options.tries.saturating_sub(1) as usize;
        for pause in self.retry_policy.pauses().take(tries_before_the_last) {
            match self.exchange_once(requests.clone()).await {
                Ok(answer) if !is_any_busy(&answer) => return Ok(answer),
                Err(error) if self.is_permanent(&error) => return Err(error),
                Ok(_) | Err(_) => self.retry_policy.wait(pause).await,
            }
        }
        self.exchange_once(requests).await
    }

    /// Returns `true` if no connection was ever established and the error is not transient: the
    /// URL, or the API key in it, is probably wrong.
    fn is_permanent(&self, error: &TransportError) -> bool {
        let RpcError::Transport(TransportErrorKind::Custom(error)) = error else { return false };
        let Some(error) = error.downcast_ref::<tungstenite::Error>() else { return false };
        let is_transient = match error {
            tungstenite::Error::Io(error) => error.kind() != io::ErrorKind::ConnectionRefused,
            tungstenite::Error::Http(answer) => {
                let status = answer.status();
                status.is_server_error() || status.as_u16() == 429
            }
            _ => false,
        };
        !is_transient && !self.has_connected.load(Ordering::Relaxed)
    }

    async fn exchange_once(&self, requests: RequestPacket) -> TransportResult<ResponsePacket> {
        let ClientOptions { timeout: limit, longest_answer, .. } = self.options;
        let answer = timeout(limit, async {
            let connection = self.connect().await?;
            let answer = connection.send_packet(requests).await;
            answer.map_err(|error| match error {
                RpcError::Transport(kind) if kind.is_backend_gone() => {
                    TransportErrorKind::custom(SocketError::Ended(longest_answer))
                }
                error => error,
            })
        });
        match answer.await {
            Ok(answer) => answer,
            Err(_) => {
                // The connection may be dead without being closed. Drop it for new requests;
                // pending callers keep their handle.
                if let Ok(mut connection) = self.connection.try_lock() {
                    *connection = None;
                }
                Err(TransportErrorKind::custom(SocketError::Timeout(limit)))
            }
        }
    }

    /// Returns the open connection, or opens a new one.
    async fn connect(&self) -> TransportResult<PubSubFrontend> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = connection.as_mut() {
            // Fails if the connection has ended.
            let ready = poll_fn(|context| connection.poll_ready(context)).await;
            if ready.is_ok() {
                return Ok(connection.clone());
            }
        }
        let config = WebSocketConfig::default().max_message_size(Some(self.options.longest_answer));
        let config = config.max_frame_size(Some(self.options.longest_answer));
        let made =
            Once(WsConnect::new(self.url.as_str()).with_config(config)).into_service().await?;
        self.has_connected.store(true, Ordering::Relaxed);
        Ok(connection.insert(made).clone())
    }
}

impl Service<RequestPacket> for Socket {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, requests: RequestPacket) -> Self::Future {
        let socket = self.clone();
        Box::pin(async move { socket.exchange(requests).await })
    }
}

/// Connector without reconnection: each caller counts its own attempts, and alloy would otherwise
/// resend a request whose response is too long forever.
#[derive(Debug, Clone)]
struct Once(WsConnect);

impl PubSubConnect for Once {
    fn is_local(&self) -> bool {
        self.0.is_local()
    }

    async fn connect(&self) -> TransportResult<ConnectionHandle> {
        self.0.connect().await
    }

    async fn try_reconnect(&self) -> TransportResult<ConnectionHandle> {
        Err(TransportErrorKind::non_retryable_str("the connection has ended"))
    }
}
