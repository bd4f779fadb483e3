//! Client for signed prefixes of a sequencer, or of a node that forwards them.

use crate::{
    l2::{FeedError, contracts::proven_anchor, signed_blocks::FeedTrust},
    prefix::{Prefix, PublishedPrefix},
    service::node_handle::NodeHandle,
    watch::{Watch, WatchGap},
};
use alloy_consensus::Header;
use alloy_primitives::{Bytes, U64};
use alloy_provider::{Provider as _, ProviderBuilder, RootProvider, WsConnect, network::Ethereum};
use alloy_rlp::Decodable as _;
use chain::ChainError;
use client::RedactedUrl;
use codec::RawBlock;
use node::{Event, Node, NodeError};
use preconf::{ClientView, Domain, PrefixUpdate, Unacceptable, accept};
use rpc_types::{PrefixItem, methods::PREFIX};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{sleep, timeout},
};
use wire::DecodeError;

/// Pause before reconnecting, also if the other node signs no prefixes.
const RECONNECT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a WebSocket message in bytes, enough for a block in hexadecimal. Up to 16 of
/// them wait while the node executes one: of a lost update, a watcher would have no evidence.
const MAX_MESSAGE: usize = 4 << 20;

/// Reads, checks and executes the prefixes of other nodes.
#[derive(Debug, Clone)]
pub(crate) struct PrefixClient {
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<NodeHandle>,
    pub(crate) trust: Arc<FeedTrust>,
    pub(crate) domain: Domain,
    /// Stores all updates as evidence, if this node watches the sequencer.
    pub(crate) watch: Option<Arc<Watch>>,
}

/// Reason why a prefix is not applied.
#[derive(Debug, thiserror::Error)]
enum PrefixRejection {
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error(transparent)]
    Unacceptable(#[from] Unacceptable),
    #[error(transparent)]
    Signer(#[from] FeedError),
    #[error("L1 has not been read yet")]
    NoView,
    /// Transactions before the update are missing.
    #[error("update starts at transaction {first}, but only {known} are known")]
    Gap { first: u32, known: usize },
    /// The signed header is not the result of the transactions.
    #[error("the sequencer has signed a false result of block {number}: {source}")]
    Lie { number: u64, source: ChainError },
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Header(#[from] preconf::HeaderError),
}

type Handle = fn(&PrefixClient, &PrefixItem) -> Result<(), PrefixRejection>;

impl PrefixClient {
    /// Follows the prefixes of a node, and reconnects after errors. Never ends.
    pub(crate) async fn follow(&self, url: &str) {
        self.follow_by(url, Self::apply).await;
    }

    /// Like [`Self::follow`], but only stores the updates, because the node applies those of
    /// another node.
    pub(crate) async fn watch(&self, url: &str) {
        self.follow_by(url, Self::keep).await;
    }

    async fn follow_by(&self, url: &str, handle: Handle) {
        loop {
            if let Err(error) = self.listen(url, handle).await {
                let url = RedactedUrl::new(url);
                tracing::debug!(%error, %url, "failed to follow signed prefixes, retrying");
            }
            sleep(RECONNECT).await;
        }
    }

    async fn listen(&self, url: &str, handle: Handle) -> Result<(), FeedError> {
        let bounded = WsConnect::new(url).with_config(
            alloy_provider::WebSocketConfig::default()
                .max_message_size(Some(MAX_MESSAGE))
                .max_frame_size(Some(MAX_MESSAGE)),
        );
        let connect = ProviderBuilder::<_, _, Ethereum>::default().connect_ws(bounded);
        let provider = within(connect).await?.map_err(FeedError::request)?;
        let mut call = provider.client().request("rollup_subscribe", ("prefixes",));
        call.set_is_subscription();
        let id = within(call).await?.map_err(FeedError::request)?;
        let subscription = within(provider.get_subscription::<PrefixItem>(id)).await?;
        let mut updates = subscription.map_err(FeedError::request)?;
        let mut heads = self.node.subscribe();
        // Newest update whose parent is not imported yet.
        let mut waiting = None;
        loop {
            let update = tokio::select! {
                update = updates.recv() => match update {
                    Ok(item) => Some(item),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return Ok(()),
                },
                head = heads.recv() => match head {
                    Ok(Event::Head { .. }) => waiting.take(),
                    Ok(Event::Pooled(_)) | Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return Ok(()),
                },
            };
            let Some(update) = update else { continue };
            match self.run_on_worker(handle, update.clone()).await {
                Ok(()) => {}
                Err(PrefixRejection::Gap { .. }) => {
                    if let Some(whole) = self.whole(&provider, &update).await?
                        && let Err(refused) = self.run_on_worker(handle, whole).await
                    {
                        self.report(&refused);
                    }
                }
                Err(PrefixRejection::Unacceptable(Unacceptable::Parent { .. })) => {
                    waiting = Some(update);
                }
                Err(refused) => self.report(&refused),
            }
        }
    }

    /// Requests the complete prefix that an update belongs to.
    async fn whole(
        &self,
        provider: &RootProvider,
        update: &PrefixItem,
    ) -> Result<Option<PrefixItem>, FeedError> {
        let Ok(update) = PrefixUpdate::decode(&update.ssz) else { return Ok(None) };
        let Ok(header) = preconf::HeaderSummary::read(&update.header) else { return Ok(None) };
        let request =
            provider.raw_request(PREFIX.name.into(), (U64::from(header.number), U64::ZERO));
        let response: Result<Option<PrefixItem>, _> = within(request).await?;
        response.map_err(FeedError::request)
    }

    /// Runs the handler on a blocking thread, because the check may request the policy from L1.
    async fn run_on_worker(&self, handle: Handle, item: PrefixItem) -> Result<(), PrefixRejection> {
        let client = self.clone();
        let applied = tokio::task::spawn_blocking(move || handle(&client, &item)).await;
        applied.unwrap_or_else(|error| Err(FeedError::request(error).into()))
    }

    /// Stores an update, if this node watches the sequencer.
    fn keep(&self, item: &PrefixItem) -> Result<(), PrefixRejection> {
        self.keep_decoded(&PrefixUpdate::decode(&item.ssz)?)
    }

    fn keep_decoded(&self, update: &PrefixUpdate) -> Result<(), PrefixRejection> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let chain = self.node.read(|node| node.chain.reader().clone());
        let view = self.shared.view.lock().clone();
        let stored = watch.store(update, &self.trust, &chain, view.as_deref());
        stored.map_err(|WatchGap { first, known }| PrefixRejection::Gap { first, known })
    }

    /// Checks and executes an update, and sets its block as the pending block.
    fn apply(&self, item: &PrefixItem) -> Result<(), PrefixRejection> {
        let update = PrefixUpdate::decode(&item.ssz)?;
        // Stored before any check, because rejected prefixes are evidence too.
        self.keep_decoded(&update)?;
        let view = self.shared.view.lock().clone().ok_or(PrefixRejection::NoView)?;
        let chain = self.node.read(|node| node.chain.detached());
        let head = chain.head().num_hash();
        let spec = &chain.config().spec;
        let l1_head = view.head().map_or(0, |head| head.number);
        let view_of_client = ClientView {
            domain: self.domain,
            rollup: view.deployment().rollup,
            head: head.hash,
            number: head.number,
            schema_at: &|timestamp| spec.fork_at(timestamp).map(wire::ProtocolFork::schema),
            l1_head,
            is_canonical: &|number, hash| view.is_canonical(number, hash),
        };
        let (header, signer) = accept(&update, &view_of_client)?;
        self.trust.admits(signer, header.number)?;
        let transactions = self.transactions(&update, header.environment)?;
        let decoded = Header::decode(&mut &update.header[..]);
        let decoded = decoded.map_err(preconf::HeaderError::List)?;
        let raw = RawBlock {
            header: decoded,
            hash: header.hash,
            transactions: transactions.clone(),
            withdrawals: Some(Vec::new()),
            versioned_hashes: Vec::new(),
        };
        let number = header.number;
        let executed = chain.import(&raw);
        if let Some(watch) = &self.watch {
            watch.on_executed(&header.hash, executed.is_ok());
        }
        let executed = executed.map_err(|source| PrefixRejection::Lie { number, source })?;
        let block = &executed.block;
        let anchor = proven_anchor(&block.header, block.transactions.iter());
        self.node.set_pending(executed, None)?;
        let prefix = Prefix::new(update.message, update.header, transactions, anchor.as_ref())?;
        self.shared.prefixes.publish(PublishedPrefix { prefix, signature: update.signature });
        Ok(())
    }

    /// Returns all transactions of the prefix that an update extends.
    fn transactions(
        &self,
        update: &PrefixUpdate,
        environment: alloy_primitives::B256,
    ) -> Result<Vec<Bytes>, PrefixRejection> {
        let newest = self.shared.prefixes.newest();
        let same = newest.filter(|prefix| prefix.prefix.promised.header.environment == environment);
        let same_transactions =
            same.as_ref().map(|prefix| &prefix.prefix.transactions[..]).unwrap_or_default();
        let first =
            usize::try_from(update.first).ok().and_then(|first| same_transactions.get(..first));
        let first = first
            .ok_or(PrefixRejection::Gap { first: update.first, known: same_transactions.len() })?;
        Ok(first.iter().chain(&update.transactions).cloned().collect())
    }

    fn report(&self, refused: &PrefixRejection) {
        if matches!(refused, PrefixRejection::Lie { .. }) {
            tracing::error!(%refused, "rejected signed prefix");
            self.shared.set_feed_fault(refused);
        } else {
            tracing::debug!(%refused, "rejected signed prefix");
        }
    }
}

async fn within<T>(request: impl IntoFuture<Output = T>) -> Result<T, FeedError> {
    timeout(TIMEOUT, request).await.map_err(|_| FeedError::Silent(TIMEOUT.as_secs()))
}

#[cfg(test)]
mod tests;
