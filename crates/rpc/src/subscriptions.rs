//! Subscriptions over WebSocket and IPC.

use crate::{Api, Client, RpcError, convert, filters};
use alloy_rpc_types_eth::{
    Filter,
    pubsub::{Params, SubscriptionKind},
};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionSink, core::to_json_raw_value,
    types::ErrorObjectOwned,
};
use node::Event;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Bytes of a notification around its item.
const FRAME: usize = 128;

/// `eth_subscribe`.
pub(crate) fn module(api: Api) -> RpcModule<Api> {
    let mut module = RpcModule::new(api);
    let registered = module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, api, extensions| async move {
            let mut sequence = params.sequence();
            let kind = match sequence.next::<SubscriptionKind>() {
                Ok(kind) => kind,
                Err(error) => return pending.reject(error).await,
            };
            let params = match sequence.optional_next::<Params>() {
                Ok(params) => params.unwrap_or_default(),
                Err(error) => return pending.reject(error).await,
            };
            let limit = api.options().limits.subscriptions;
            let Ok(_place) = api.subscriptions.try_acquire() else {
                let advice = "end one, or ask again later";
                let error = RpcError::exceeded(
                    "too many subscriptions of all connections",
                    limit as u128 + 1,
                    limit as u128,
                    advice,
                );
                return pending.reject(ErrorObjectOwned::from(error)).await;
            };
            let client = extensions.get::<Client>().cloned();
            start(pending, &api, client, kind, params).await;
        },
    );
    debug_assert!(registered.is_ok(), "eth_subscribe is new");
    module
}

async fn start(
    pending: PendingSubscriptionSink,
    api: &Api,
    client: Option<Client>,
    kind: SubscriptionKind,
    params: Params,
) {
    let events = api.node().subscribe();
    let accept = async |pending: PendingSubscriptionSink| {
        let sink = pending.accept().await.ok()?;
        Some(Subscriber { sink, client })
    };
    match (kind, params) {
        (SubscriptionKind::NewHeads, _) => {
            let Some(subscriber) = accept(pending).await else { return };
            send_all(subscriber, events, |event| match event {
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
            let Some(subscriber) = accept(pending).await else { return };
            send_all(subscriber, events, |event| filters::log_changes([event], &filter)).await;
        }
        (SubscriptionKind::NewPendingTransactions, Params::Bool(true)) => {
            let Some(subscriber) = accept(pending).await else { return };
            send_all(subscriber, events, |event| match event {
                Event::Pooled(new) => {
                    vec![convert::pooled(&new.recovered.transaction, new.sender())]
                }
                Event::Head { .. } => Vec::new(),
            })
            .await;
        }
        (SubscriptionKind::NewPendingTransactions, _) => {
            let Some(subscriber) = accept(pending).await else { return };
            send_all(subscriber, events, |event| match event {
                Event::Pooled(new) => vec![*new.hash()],
                Event::Head { .. } => Vec::new(),
            })
            .await;
        }
        (SubscriptionKind::Syncing, _) => {
            let Some(subscriber) = accept(pending).await else { return };
            // It never syncs, so it says so once and no more.
            if subscriber.send(&false).await {
                subscriber.sink.closed().await;
            }
        }
        (other, _) => {
            let message = format!("no \"{other:?}\" subscription in eth namespace");
            pending.reject(ErrorObjectOwned::owned(-32_602, message, None::<()>)).await;
        }
    }
}

/// An accepted subscription with its connection.
struct Subscriber {
    sink: SubscriptionSink,
    client: Option<Client>,
}

impl Subscriber {
    /// Sends an item. Returns `false` if the subscription or its connection has ended.
    async fn send(&self, item: &impl Serialize) -> bool {
        let Ok(item) = to_json_raw_value(item) else { return false };
        if let Some(Client(connection)) = &self.client {
            connection.queue(FRAME + item.get().len());
            if connection.is_closed() {
                return false;
            }
        }
        self.sink.send(item).await.is_ok()
    }
}

async fn send_all<T: Serialize>(
    subscriber: Subscriber,
    mut events: Receiver<Event>,
    items: impl Fn(&Event) -> Vec<T>,
) {
    loop {
        let event = tokio::select! {
            () = subscriber.sink.closed() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(event) => {
                for item in items(&event) {
                    if !subscriber.send(&item).await {
                        return;
                    }
                }
            }
            // A listener that is too slow goes on with what is there.
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "slow subscriber missed events");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
