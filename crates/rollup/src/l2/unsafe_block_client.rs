//! Client for unsafe blocks of a sequencer, or of a node that forwards them.

use crate::{
    l2::{
        FeedError,
        signed_blocks::{FeedTrust, MAX_INPUTS},
    },
    prefix::PrefixClient,
    rpc::MAX_INPUT_BYTES,
    service::node_handle::NodeHandle,
};
use alloy_primitives::{B256, Bytes};
use alloy_provider::{Provider as _, ProviderBuilder, RootProvider, WsConnect, network::Ethereum};
use alloy_rpc_types_eth::Block;
use client::RedactedUrl;
use node::Node;
use rpc::LogLimit;
use rpc_types::{SignedInput, methods::SIGNED_INPUTS_AFTER};
use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    time::{sleep, timeout},
};

const RECONNECT: Duration = Duration::from_secs(1);
/// Pause after a response with blocks, in which the worker imports them.
const PAUSE: Duration = Duration::from_millis(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without a new head after which the client requests the node's head.
const QUIET: Duration = Duration::from_secs(3);
/// Polling interval without a subscription.
const POLL: Duration = Duration::from_secs(1);
/// Maximum wait for the signature of a served block, since the sequencer's signer may be remote.
const SIGNATURE_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of consecutive responses that do not advance this node's head.
const MAX_VAIN: usize = 100;
/// Maximum length of a WebSocket message: the inputs of a response in hexadecimal, where the last
/// input begins within [`MAX_INPUT_BYTES`] and may be as long itself.
const MAX_MESSAGE: usize = 4 * MAX_INPUT_BYTES;
/// Minimum time between two log lines about failures, since the client reconnects to a hostile node
/// each second.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

static FAILED: LogLimit = LogLimit::every(LOG_INTERVAL);
static UNSUBSCRIBED: LogLimit = LogLimit::every(LOG_INTERVAL);

/// Source of unsafe blocks, depending on the node's role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Followed {
    /// WebSocket URL of the sequencer, if it is known.
    sequencer: Option<String>,
    /// `true` while this node is the sequencer.
    leads: bool,
}

/// Client for unsafe blocks; clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnsafeBlockClient {
    followed: Arc<watch::Sender<Followed>>,
    /// URLs of nodes that forward unsafe blocks, used instead of the sequencer.
    relays: Arc<Vec<String>>,
}

impl UnsafeBlockClient {
    /// Creates a client for these nodes or, if there are none, for the sequencer.
    pub(crate) fn new(relays: Vec<String>) -> Self {
        Self { relays: Arc::new(relays), ..Self::default() }
    }

    /// Sets the URL of the sequencer, if there is one.
    pub(crate) fn follow(&self, sequencer: Option<String>) {
        self.followed.send_replace(Followed { sequencer, leads: false });
    }

    /// Disconnects while this node is the sequencer.
    pub(crate) fn rest(&self) {
        self.followed.send_replace(Followed { sequencer: None, leads: true });
    }

    /// Returns the URL of the sequencer that the node follows, if it follows one.
    pub(crate) fn sequencer(&self) -> Option<String> {
        self.followed.borrow().sequencer.clone()
    }

    /// Returns `true` if nodes that forward blocks are configured.
    pub(crate) fn has_relays(&self) -> bool {
        !self.relays.is_empty()
    }

    /// Returns the URL of the node to connect to after this number of failures.
    fn url(&self, followed: &Followed, failures: usize) -> Option<String> {
        if followed.leads {
            return None;
        }
        // In order rather than at random, because the operator lists the preferred node first.
        let relay = self.relays.get(failures % self.relays.len().max(1));
        relay.cloned().or_else(|| followed.sequencer.clone())
    }

    /// Sends the inputs of new unsafe blocks to `inputs`, passes signed prefixes of the next block
    /// to the node, and reconnects after errors.
    pub(crate) async fn read(self, prefixes: PrefixClient, inputs: SyncSender<Vec<Bytes>>) {
        let PrefixClient { node, shared, trust, .. } = &prefixes;
        let mut changes = self.followed.subscribe();
        let mut failures = 0;
        loop {
            let url = self.url(&changes.borrow_and_update().clone(), failures);
            let listening = async {
                let Some(url) = &url else { return core::future::pending().await };
                let listened = tokio::select! {
                    listened = listen(url, node, shared, trust, &inputs) => listened,
                    () = prefixes.follow(url) => Ok(()),
                };
                if let Err(error) = listened {
                    let url = RedactedUrl::new(url);
                    if let Some(left_out) = FAILED.admit() {
                        tracing::warn!(
                            %error, %url, left_out,
                            "feed of unsafe blocks failed, reconnecting"
                        );
                    }
                    shared.set_feed_fault(format_args!("feed of unsafe blocks at {url}: {error}"));
                }
                sleep(RECONNECT).await;
            };
            // A role change drops the connection to the old sequencer at once, even if it hangs.
            tokio::select! {
                () = listening => failures += 1,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn with_timeout<T>(
    request: impl Future<Output = Result<T, alloy_provider::transport::TransportError>>,
) -> Result<T, FeedError> {
    match timeout(ANSWER_TIMEOUT, request).await {
        Ok(result) => result.map_err(FeedError::request),
        Err(_) => Err(FeedError::Silent(ANSWER_TIMEOUT.as_secs())),
    }
}

/// Connects to a node over WebSocket. The length of its messages is bounded.
async fn connect(url: &str) -> Result<RootProvider, FeedError> {
    let bounded = WsConnect::new(url).with_config(
        alloy_provider::WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE)),
    );
    with_timeout(ProviderBuilder::<_, _, Ethereum>::default().connect_ws(bounded)).await
}

/// Passes the unsafe blocks of a node to `inputs` until the connection ends.
async fn listen(
    url: &str,
    node: &Node,
    shared: &Arc<NodeHandle>,
    trust: &Arc<FeedTrust>,
    inputs: &SyncSender<Vec<Bytes>>,
) -> Result<(), FeedError> {
    let provider = connect(url).await?;
    // Subscribe before the first request, so that no block in between is missed. If the other node
    // has no subscription left, poll it: receiving its blocks late is better than not at all.
    // Of the heads that arrive during a request, one is enough to continue, and a node may send
    // them faster than they are read, each as long as a response.
    let subscription = provider.subscribe_blocks().channel_size(1);
    let mut heads = match with_timeout(subscription.into_future()).await {
        Ok(heads) => Some(heads),
        Err(FeedError::Request(error)) => {
            if let Some(left_out) = UNSUBSCRIBED.admit() {
                tracing::warn!(error, left_out, "failed to subscribe to unsafe blocks, polling");
            }
            None
        }
        Err(error) => return Err(error),
    };
    let (mut in_vain, mut last, mut cursor) = (0, None, 0);
    let mut unsigned_since: Option<Instant> = None;
    loop {
        // Read in each round, since an L1 reorg may have changed the head meanwhile.
        let own = node.read(|node| Arc::clone(node.chain.head()));
        // Request the blocks after the common head; if theirs differs, those after the safe head.
        let is_common = has_block(&provider, own.header.number, own.hash).await?;
        let safe = shared.status.lock().safe_head.number;
        let from = match is_common {
            false => safe,
            true if shared.signed.has(&own.hash) => own.header.number,
            // Blocks from before the last start are requested again: without their signatures this
            // node could not forward them.
            true => safe.max(cursor).min(own.header.number),
        };
        in_vain = if last == Some((own.hash, from)) { in_vain + 1 } else { 0 };
        last = Some((own.hash, from));
        let (head, served) = request_inputs(&provider, from).await?;
        if served.is_empty() {
            check_idle(head, from, safe)?;
            *shared.feed_fault.lock() = None;
            in_vain = 0;
            let Some(heads) = &mut heads else {
                sleep(POLL).await;
                continue;
            };
            match timeout(QUIET, heads.recv()).await {
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => continue,
                Ok(Err(RecvError::Closed)) => return Ok(()),
            }
        }
        // These are signed blocks that do not extend this chain, e.g. of a fork that the sequencer
        // has abandoned, or with a wrong hash.
        if in_vain > MAX_VAIN {
            return Err(FeedError::InVain(in_vain));
        }
        // Runs on a blocking thread, since the check may request the policy from L1.
        let (trust, own) = (Arc::clone(trust), Arc::clone(shared));
        let checked = tokio::task::spawn_blocking(move || {
            trust.check(&own.signed, from, MAX_INPUTS as usize, served)
        });
        let checked = checked.await.map_err(FeedError::request)?;
        if matches!(checked, Err(FeedError::Unsigned { .. })) {
            let since = *unsigned_since.get_or_insert_with(Instant::now);
            if since.elapsed() < SIGNATURE_TIMEOUT {
                in_vain = 0;
                sleep(PAUSE).await;
                continue;
            }
        }
        unsigned_since = None;
        let new: Vec<Bytes> = checked?;
        cursor = from + new.len() as u64;
        if !send(inputs, new).await {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

/// Returns `true` if the node has our block at this height.
async fn has_block(provider: &RootProvider, number: u64, hash: B256) -> Result<bool, FeedError> {
    let request = provider.get_block_by_number(number.into()).into_future();
    let theirs: Option<Block> = with_timeout(request).await?;
    Ok(theirs.is_some_and(|theirs| theirs.header.hash == hash))
}

/// Requests the node's head, and then its signed blocks after `from`.
async fn request_inputs(
    provider: &RootProvider,
    from: u64,
) -> Result<(u64, Vec<SignedInput>), FeedError> {
    let head = with_timeout(provider.get_block_number().into_future()).await?;
    let method = SIGNED_INPUTS_AFTER.name.into();
    let inputs = with_timeout(provider.raw_request(method, (format!("{from:#x}"),))).await?;
    Ok((head, inputs))
}

/// Checks that a node with this head may have no blocks after `from`. `safe` is the number of this
/// node's safe head.
const fn check_idle(head: u64, from: u64, safe: u64) -> Result<(), FeedError> {
    // The head was requested before the blocks, so the node withholds them.
    if head > from {
        return Err(FeedError::Withheld { from, head });
    }
    // This node derives blocks from L1 in any case. A peer that is behind L1 withholds blocks or is
    // still syncing.
    if head < safe {
        return Err(FeedError::Behind { got: head, expected: safe });
    }
    Ok(())
}

/// Sends inputs to the worker once it has received the previous ones, which may take long: no
/// further response is requested until then. Returns `false` if the worker has ended.
async fn send(inputs: &SyncSender<Vec<Bytes>>, mut new: Vec<Bytes>) -> bool {
    loop {
        match inputs.try_send(new) {
            Ok(()) => return true,
            Err(TrySendError::Full(unsent)) => new = unsent,
            Err(TrySendError::Disconnected(_)) => return false,
        }
        sleep(PAUSE).await;
    }
}
