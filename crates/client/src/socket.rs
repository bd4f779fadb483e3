//! JSON-RPC over one WebSocket, within bounds.

use crate::{ClientOptions, SocketError, batch::is_any_busy, patience::Patience};
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

/// A node at the other end of a WebSocket, which is connected to by the first request, and again by
/// the next one after the connection has ended; a transport of alloy's.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    url: Url,
    connection: Arc<Mutex<Option<PubSubFrontend>>>,
    /// `true` once there was a connection.
    has_connected: Arc<AtomicBool>,
    options: ClientOptions,
    patience: Patience,
}

impl Socket {
    pub(crate) fn new(url: Url, options: ClientOptions) -> Self {
        Self {
            url,
            connection: Arc::default(),
            has_connected: Arc::default(),
            options,
            patience: Patience::new(&options),
        }
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// Sends requests as often as it takes.
    async fn exchange(&self, requests: RequestPacket) -> TransportResult<ResponsePacket> {
        let tries_before_the_last = self.options.tries.saturating_sub(1) as usize;
        for pause in self.patience.pauses().take(tries_before_the_last) {
            match self.exchange_once(requests.clone()).await {
                Ok(answer) if !is_any_busy(&answer) => return Ok(answer),
                Err(error) if self.is_in_vain(&error) => return Err(error),
                Ok(_) | Err(_) => self.patience.wait(pause).await,
            }
        }
        self.exchange_once(requests).await
    }

    /// Returns `true` if there never was a connection and the error is not transient: the address,
    /// or the key in it, is probably wrong.
    fn is_in_vain(&self, error: &TransportError) -> bool {
        let RpcError::Transport(TransportErrorKind::Custom(error)) = error else { return false };
        let Some(error) = error.downcast_ref::<tungstenite::Error>() else { return false };
        let may_pass = match error {
            tungstenite::Error::Io(error) => error.kind() != io::ErrorKind::ConnectionRefused,
            tungstenite::Error::Http(answer) => {
                let status = answer.status();
                status.is_server_error() || status.as_u16() == 429
            }
            _ => false,
        };
        !may_pass && !self.has_connected.load(Ordering::Relaxed)
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
                // It may be silent for good without having ended. Those who wait for it still may.
                if let Ok(mut connection) = self.connection.try_lock() {
                    *connection = None;
                }
                Err(TransportErrorKind::custom(SocketError::Timeout(limit)))
            }
        }
    }

    /// The connection that there is, or a new one.
    async fn connect(&self) -> TransportResult<PubSubFrontend> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = connection.as_mut() {
            // Ready as long as it has not ended.
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

/// A connection that is not reopened unnoticed while callers wait for answers: each caller counts
/// its own tries, and a request whose answer is too long must not be repeated without end.
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
