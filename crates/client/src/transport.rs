//! HTTP as a transport for alloy.

use crate::Http;
use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportFut};
use core::task::{Context, Poll};

impl tower::Service<RequestPacket> for Http {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let http = self.clone();
        Box::pin(async move {
            match request {
                RequestPacket::Single(request) => {
                    http.request_batched(request).await.map(ResponsePacket::Single)
                }
                RequestPacket::Batch(_) => http.exchange(&request).await,
            }
        })
    }
}
