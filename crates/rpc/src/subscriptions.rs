//! Subscriptions, over connections that last.

use crate::{Api, convert, filters};
use alloy_rpc_types_eth::{
    Filter,
    pubsub::{Params, SubscriptionKind},
};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, SubscriptionSink,
    types::{ErrorObjectOwned, SubscriptionId},
};
use node::Event;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// `eth_subscribe`.
pub(crate) fn module(api: Api) -> RpcModule<Api> {
    let mut module = RpcModule::new(api);
    let registered = module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, api, _| async move {
            let mut sequence = params.sequence();
            let kind = match sequence.next::<SubscriptionKind>() {
                Ok(kind) => kind,
                Err(error) => return pending.reject(error).await,
            };
            let params = match sequence.optional_next::<Params>() {
                Ok(params) => params.unwrap_or_default(),
                Err(error) => return pending.reject(error).await,
            };
            start(pending, &api, kind, params).await;
        },
    );
    debug_assert!(registered.is_ok(), "eth_subscribe is new");
    module
}

async fn start(
    pending: PendingSubscriptionSink,
    api: &Api,
    kind: SubscriptionKind,
    params: Params,
) {
    let events = api.node().subscribe();
    match (kind, params) {
        (SubscriptionKind::NewHeads, _) => {
            let Ok(sink) = pending.accept().await else { return };
            send_all(sink, events, |event| match event {
                Event::Head { added, .. } => {
                    added.iter().map(|block| convert::header(block)).collect()
                }
                Event::Pooled(_) => Vec::new(),
            })
            .await;
        }
        (SubscriptionKind::Logs, params) => {
            let filter = match params {
                Params::Logs(filter) => *filter,
                _ => Filter::default(),
            };
            let Ok(sink) = pending.accept().await else { return };
            send_all(sink, events, |event| filters::log_changes([event], &filter)).await;
        }
        (SubscriptionKind::NewPendingTransactions, Params::Bool(true)) => {
            let Ok(sink) = pending.accept().await else { return };
            send_all(sink, events, |event| match event {
                Event::Pooled(new) => {
                    vec![convert::pooled(&new.recovered.transaction, new.sender())]
                }
                Event::Head { .. } => Vec::new(),
            })
            .await;
        }
        (SubscriptionKind::NewPendingTransactions, _) => {
            let Ok(sink) = pending.accept().await else { return };
            send_all(sink, events, |event| match event {
                Event::Pooled(new) => vec![*new.hash()],
                Event::Head { .. } => Vec::new(),
            })
            .await;
        }
        (SubscriptionKind::Syncing, _) => {
            let Ok(sink) = pending.accept().await else { return };
            // It never syncs, so it says so once and no more.
            if send(&sink, &false).await {
                sink.closed().await;
            }
        }
        (other, _) => {
            let message = format!("no \"{other:?}\" subscription in eth namespace");
            pending.reject(ErrorObjectOwned::owned(-32_602, message, None::<()>)).await;
        }
    }
}

async fn send(sink: &SubscriptionSink, item: &impl Serialize) -> bool {
    let id: SubscriptionId<'_> = sink.subscription_id();
    let Ok(message) = SubscriptionMessage::new(sink.method_name(), id, item) else { return false };
    sink.send(message).await.is_ok()
}

async fn send_all<T: Serialize>(
    sink: SubscriptionSink,
    mut events: Receiver<Event>,
    items: impl Fn(&Event) -> Vec<T>,
) {
    loop {
        let event = tokio::select! {
            () = sink.closed() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(event) => {
                for item in items(&event) {
                    if !send(&sink, &item).await {
                        return;
                    }
                }
            }
            // A listener that is too slow goes on with what is there.
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "a subscriber is too slow and has missed events");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
