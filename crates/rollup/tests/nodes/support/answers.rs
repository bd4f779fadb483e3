//! Comparison of all answers that a test receives with the OpenRPC document.

use super::described::{mismatch, schema_of};
use alloy_json_rpc::{Id, RequestPacket, ResponsePacket, ResponsePayload};
use alloy_provider::{Provider as _, RootProvider, network::Ethereum};
use alloy_rpc_client::RpcClient;
use alloy_transport::{BoxTransport, TransportError, TransportFut};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::LazyLock,
    task::{Context, Poll},
};
use tower::Service;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| rpc_types::document(|_| true));

/// Transport that panics if an answer does not match the schema of its method. The document has no
/// schemas of Ethereum's methods.
#[derive(Debug, Clone)]
struct Checked(BoxTransport);

impl Service<RequestPacket> for Checked {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let method = |request: &alloy_json_rpc::SerializedRequest| {
            (request.id().clone(), request.method().to_owned())
        };
        let methods: HashMap<Id, String> = packet.requests().iter().map(method).collect();
        let answers = self.0.call(packet);
        Box::pin(async move {
            let answers = answers.await?;
            for response in answers.responses() {
                let Some(method) = methods.get(&response.id) else { continue };
                if let ResponsePayload::Success(response) = &response.payload
                    && let Some(schema) = schema_of(&DOCUMENT, method)
                {
                    let response: Value = serde_json::from_str(response.get()).unwrap();
                    assert_eq!(mismatch(&DOCUMENT, schema, &response), None, "{method}");
                }
            }
            Ok(answers)
        })
    }
}

/// Returns a provider that checks the form of all answers of the node's own methods.
pub(crate) fn checked(provider: &RootProvider) -> RootProvider<Ethereum> {
    let transport = Checked(provider.client().transport().clone());
    RootProvider::new(RpcClient::new(transport, true))
}
