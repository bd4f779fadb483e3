//! Subscriptions over WebSocket and IPC.

use crate::{
    Api, Client, RpcLog, convert,
    log_matching::{changed_blocks, check_filter, matching},
};
use alloy_rpc_types_eth::{
    Filter,
    pubsub::{Params, SubscriptionKind},
};
use jsonrpsee::{
    Methods, PendingSubscriptionSink, RpcModule, SubscriptionSink, TrySendError,
    core::to_json_raw_value, types::ErrorObjectOwned,
};
use node::{Event, EventReceiver};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{
    Semaphore,
    broadcast::{Receiver, error::RecvError},
};

/// Bytes of a notification besides its item.
const FRAME: usize = 128;
/// Number of items that a subscription converts before others get a turn: some tens of
/// microseconds.
const ITEMS_PER_TURN: usize = 16;

/// Returns the module with `eth_subscribe` and `eth_unsubscribe`.
pub(crate) fn module(api: Api) -> RpcModule<Api> {
    let mut module = RpcModule::new(api);
    let registered = module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, api, extensions| async move {
            let parsed = {
                let mut sequence = params.sequence();
                let kind = sequence.next::<SubscriptionKind>();
                kind.and_then(|kind| Ok((kind, sequence.optional_next::<Params>()?)))
            };
            // The text of the request can be long, and the subscription lasts.
            drop(params);
            let (kind, params) = match parsed {
                Ok((kind, params)) => (kind, params.unwrap_or_default()),
                Err(error) => return pending.reject(error).await,
            };
            let client = extensions.get::<Client>().cloned();
            let _permit = match api.subscriptions.acquire(client.as_ref().map(Client::address)) {
                Ok(permit) => permit,
                Err(error) => return pending.reject(ErrorObjectOwned::from(error)).await,
            };
            start(pending, &api, client, kind, params).await;
        },
    );
    debug_assert!(registered.is_ok(), "eth_subscribe is registered twice");
    module
}

/// Names of a subscription's methods and its kind.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionNames {
    /// Method that subscribes, e.g. `rollup_subscribe`.
    pub subscribe: &'static str,
    /// Method of the notifications.
    pub notification: &'static str,
    /// Method that unsubscribes.
    pub unsubscribe: &'static str,
    /// The only kind of subscription, its first parameter.
    pub kind: &'static str,
}

/// Returns the methods of a subscription to the items of a channel. `source` subscribes to it.
pub fn channel<T>(
    api: Api,
    names: SubscriptionNames,
    source: impl Fn() -> Receiver<T> + Send + Sync + Clone + 'static,
) -> Methods
where
    T: Serialize + Clone + Send + 'static,
{
    let SubscriptionNames { subscribe, notification, unsubscribe, kind } = names;
    let mut module = RpcModule::new(api);
    let registered = module.register_subscription(
        subscribe,
        notification,
        unsubscribe,
        move |params, pending, api, extensions| {
            let source = source.clone();
            async move {
                let got = params.one::<String>();
                drop(params);
                if got.as_deref() != Ok(kind) {
                    let message = format!("no such subscription, expected \"{kind}\"");
                    let error = ErrorObjectOwned::owned(-32_602, message, None::<()>);
                    return pending.reject(error).await;
                }
                let client = extensions.get::<Client>().cloned();
                let address = client.as_ref().map(Client::address);
                let _permit = match api.subscriptions.acquire(address) {
                    Ok(permit) => permit,
                    Err(error) => return pending.reject(ErrorObjectOwned::from(error)).await,
                };
                let mut items = source();
                let Ok(sink) = pending.accept().await else { return };
                let senders = Arc::clone(&api.notifying);
                let mut subscriber = Subscriber { sink, client, senders };
                while let Some(item) = next_event(&subscriber, &mut items).await {
                    if !subscriber.send_all([item].into_iter()).await {
                        return;
                    }
                }
            }
        },
    );
    debug_assert!(registered.is_ok(), "{subscribe} is registered twice");
    module.into()
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
        Some(Subscriber { sink, client, senders: Arc::clone(&api.notifying) })
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
            let permit = check_filter(&filter).and_then(|items| api.reserve_filter_items(items));
            let _permit = match permit {
                Ok(permit) => permit,
                Err(error) => return pending.reject(ErrorObjectOwned::from(error)).await,
            };
            let Some(subscriber) = accept(pending).await else { return };
            send_logs(subscriber, events, &filter).await;
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
            let Some(mut subscriber) = accept(pending).await else { return };
            // The node never syncs, so a `syncing` subscription receives a single `false`.
            if subscriber.send_all([false].into_iter()).await {
                subscriber.sink.closed().await;
            }
        }
        (other, _) => {
            let message = format!("no \"{other:?}\" subscription in eth namespace");
            pending.reject(ErrorObjectOwned::owned(-32_602, message, None::<()>)).await;
        }
    }
}

/// Accepted subscription and its connection.
struct Subscriber {
    sink: SubscriptionSink,
    client: Option<Client>,
    /// Permits for subscriptions that convert and send items now.
    senders: Arc<Semaphore>,
}

impl Subscriber {
    /// Sends items, which are converted just before they are sent, because one transaction can emit
    /// tens of thousands of logs, and many subscriptions may be waiting for their clients. Returns
    /// `false` if the subscription or its connection has ended.
    ///
    /// Items of all subscriptions are converted by few tasks at a time, a few of them in a row: if
    /// thousands of subscriptions were ready at once, each request would wait for all of them.
    async fn send_all<T: Serialize>(&mut self, mut items: impl Iterator<Item = T>) -> bool {
        loop {
            let turn = self.senders.acquire().await;
            let mut unsent = None;
            for _ in 0..ITEMS_PER_TURN {
                let Some(item) = items.next() else { return true };
                let Ok(item) = to_json_raw_value(&item) else { return false };
                if let Some(Client(connection)) = &self.client {
                    connection.queue(FRAME + item.get().len());
                    if connection.is_closed() {
                        return false;
                    }
                }
                match self.sink.try_send(item) {
                    Ok(()) => {}
                    Err(TrySendError::Full(item)) => {
                        unsent = Some(item);
                        break;
                    }
                    Err(TrySendError::Closed(_)) => return false,
                }
            }
            // Not held while waiting for a client.
            drop(turn);
            if let Some(item) = unsent
                && self.sink.send(item).await.is_err()
            {
                return false;
            }
        }
    }
}

/// Sends the log changes that match a filter.
async fn send_logs(mut subscriber: Subscriber, mut events: EventReceiver, filter: &Filter) {
    while let Some(event) = next_event(&subscriber, &mut events).await {
        for (block, is_removed) in changed_blocks(&event, filter) {
            let matching = matching(block, filter);
            let changes = matching.map(|log| RpcLog { removed: is_removed, ..log });
            if !subscriber.send_all(changes).await {
                return;
            }
        }
    }
}

/// Sends the items that `items` derives from each event.
async fn send_all<T: Serialize>(
    mut subscriber: Subscriber,
    mut events: EventReceiver,
    items: impl Fn(&Event) -> Vec<T>,
) {
    while let Some(event) = next_event(&subscriber, &mut events).await {
        if !subscriber.send_all(items(&event).into_iter()).await {
            return;
        }
    }
}

/// Source of the events or items of a subscription.
trait Source {
    type Item;

    fn next(&mut self) -> impl Future<Output = Result<Self::Item, RecvError>> + Send;
}

impl Source for EventReceiver {
    type Item = Event;

    fn next(&mut self) -> impl Future<Output = Result<Event, RecvError>> + Send {
        self.recv()
    }
}

impl<T: Clone + Send + 'static> Source for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> impl Future<Output = Result<T, RecvError>> + Send {
        self.recv()
    }
}

/// Waits for the next event; `None` if the subscription or the node has ended.
async fn next_event<S: Source>(subscriber: &Subscriber, events: &mut S) -> Option<S::Item> {
    loop {
        let event = tokio::select! {
            () = subscriber.sink.closed() => return None,
            event = events.next() => event,
        };
        match event {
            Ok(event) => return Some(event),
            // A lagging subscriber continues with the oldest event that is still available.
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "slow subscriber missed events");
            }
            Err(RecvError::Closed) => return None,
        }
    }
}
