//! Client of unsafe blocks, from a sequencer or from a node that forwards them.

use crate::{
    error::FeedError,
    rpc_methods::{MAX_INPUTS, Shared},
    signed_blocks::{FeedTrust, SignedInput},
};
use alloy_primitives::Bytes;
use alloy_provider::{Provider as _, ProviderBuilder, WsConnect, network::Ethereum};
use alloy_rpc_types_eth::Block;
use client::RedactedUrl;
use node::Node;
use std::{
    sync::{Arc, mpsc::Sender},
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout};

/// Pause before a node that is gone is contacted again.
const RECONNECT: Duration = Duration::from_secs(1);
/// Pause for the thread that imports blocks.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without a new head after which the client requests the node's head.
const QUIET: Duration = Duration::from_secs(3);
/// Maximum wait for the signature of a block that the sequencer serves: its signer may be a remote
/// one.
const SIGNATURE_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of consecutive answers that do not move this node's head.
const MAX_VAIN: usize = 100;
/// Maximum length of a node's message: the inputs of an answer in hexadecimal, of which the last
/// may be long.
const MAX_MESSAGE: usize = 64 << 20;

/// Sources of a follower's unsafe blocks, if there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Followed {
    sequencer: Option<String>,
    /// `true` while this node makes the blocks.
    leads: bool,
}

/// The sequencer that a follower follows, if there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnsafeBlockClient {
    followed: Arc<watch::Sender<Followed>>,
    /// URLs of nodes that forward unsafe blocks, used instead of the sequencer.
    relays: Arc<Vec<String>>,
}

impl UnsafeBlockClient {
    /// A client of these nodes or, if there are none, of the sequencer.
    pub(crate) fn new(relays: Vec<String>) -> Self {
        Self { relays: Arc::new(relays), ..Self::default() }
    }

    /// Sets the URL of the sequencer, if there is one.
    pub(crate) fn follow(&self, sequencer: Option<String>) {
        self.followed.send_replace(Followed { sequencer, leads: false });
    }

    /// Stops taking blocks, since this node makes them.
    pub(crate) fn rest(&self) {
        self.followed.send_replace(Followed { sequencer: None, leads: true });
    }

    /// URL of the sequencer that the node follows, if it follows one.
    pub(crate) fn sequencer(&self) -> Option<String> {
        self.followed.borrow().sequencer.clone()
    }

    /// Returns `true` if other nodes than the sequencer forward blocks.
    pub(crate) fn has_relays(&self) -> bool {
        !self.relays.is_empty()
    }

    /// URL of the node to contact after this number of failures.
    fn url(&self, followed: &Followed, failures: usize) -> Option<String> {
        if followed.leads {
            return None;
        }
        // In turn, and not at random: the first of the list is the one that the operator prefers.
        let relay = self.relays.get(failures % self.relays.len().max(1));
        relay.cloned().or_else(|| followed.sequencer.clone())
    }

    /// Passes on the inputs of blocks that this node does not have, without end.
    pub(crate) async fn read(
        self,
        node: Arc<Node>,
        shared: Arc<Shared>,
        trust: Arc<FeedTrust>,
        inputs: Sender<Vec<Bytes>>,
    ) {
        let mut changes = self.followed.subscribe();
        let mut failures = 0;
        loop {
            let url = self.url(&changes.borrow_and_update().clone(), failures);
            let listening = async {
                let Some(url) = &url else { return core::future::pending().await };
                if let Err(error) = listen(url, &node, &shared, &trust, &inputs).await {
                    let url = RedactedUrl::new(url);
                    tracing::warn!(%error, %url, "feed of unsafe blocks failed, reconnecting");
                    *shared.feed_fault.lock() =
                        Some(format!("feed of unsafe blocks at {url}: {error}"));
                }
                tokio::time::sleep(RECONNECT).await;
            };
            // A change of role ends the wait for the old sequencer at once, wherever it hangs.
            tokio::select! {
                () = listening => failures += 1,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// Sends a request to a node, with [`ANSWER_TIMEOUT`].
async fn asked<T>(
    request: impl Future<Output = Result<T, alloy_provider::transport::TransportError>>,
) -> Result<T, FeedError> {
    match timeout(ANSWER_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|error| FeedError::Request(error.to_string())),
        Err(_) => Err(FeedError::Silent(ANSWER_TIMEOUT.as_secs())),
    }
}

async fn listen(
    url: &str,
    node: &Node,
    shared: &Arc<Shared>,
    trust: &Arc<FeedTrust>,
    inputs: &Sender<Vec<Bytes>>,
) -> Result<(), FeedError> {
    let bounded = WsConnect::new(url).with_config(
        alloy_provider::WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE)),
    );
    let provider = asked(ProviderBuilder::<_, _, Ethereum>::default().connect_ws(bounded)).await?;
    // Before the first question, so that a block sealed between the two is not missed.
    let mut heads = asked(provider.subscribe_blocks().into_future()).await?;
    let (mut in_vain, mut last, mut cursor) = (0, None, 0);
    let mut unsigned_since: Option<Instant> = None;
    loop {
        // Asked anew in each round: the node may have gone back with L1 while this waited.
        let own = node.read(|node| Arc::clone(node.chain.head()));
        let theirs: Option<Block> =
            asked(provider.get_block_by_number(own.header.number.into()).into_future()).await?;
        // Above what both have; if they have another block there, above what L1 has.
        let agreed = theirs.is_some_and(|theirs| theirs.header.hash == own.hash);
        let safe = shared.status.lock().safe_head.number;
        let from = match agreed {
            false => safe,
            true if shared.signed.has(&own.hash) => own.header.number,
            // Blocks from before the last start: without their signatures this node could not pass
            // them on.
            true => safe.max(cursor).min(own.header.number),
        };
        in_vain = if last == Some((own.hash, from)) { in_vain + 1 } else { 0 };
        last = Some((own.hash, from));
        let head = asked(provider.get_block_number().into_future()).await?;
        let method = "rollup_signedInputsAfter".into();
        let answer: Vec<SignedInput> =
            asked(provider.raw_request(method, (format!("{from:#x}"),))).await?;
        if answer.is_empty() {
            // Asked for before the blocks, so that none can have come between.
            if head > from {
                return Err(FeedError::Withheld { from, head });
            }
            // L1 is read with or without it: one that is behind that keeps blocks back, or is of no
            // use yet.
            if head < safe {
                return Err(FeedError::Behind { got: head, expected: safe });
            }
            *shared.feed_fault.lock() = None;
            in_vain = 0;
            match timeout(QUIET, heads.recv()).await {
                Ok(Ok(_)) | Err(_) => continue,
                Ok(Err(_)) => return Ok(()),
            }
        }
        // Blocks that are signed and do not fit, of a branch that the sequencer gave up or under a
        // hash that is not theirs.
        if in_vain > MAX_VAIN {
            return Err(FeedError::InVain(in_vain));
        }
        // The policy may have to be asked for.
        let (trust, own) = (Arc::clone(trust), Arc::clone(shared));
        let checked = tokio::task::spawn_blocking(move || {
            trust.check(&own.signed, from, MAX_INPUTS as usize, answer)
        });
        let checked = checked.await.map_err(|error| FeedError::Request(error.to_string()))?;
        if matches!(checked, Err(FeedError::Unsigned { .. })) {
            let since = *unsigned_since.get_or_insert_with(Instant::now);
            if since.elapsed() < SIGNATURE_TIMEOUT {
                in_vain = 0;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        }
        unsigned_since = None;
        let new: Vec<Bytes> = checked?;
        cursor = from + new.len() as u64;
        // The channel is drained by one thread; the pause below keeps it at a few answers of
        // bounded size.
        if inputs.send(new).is_err() {
            return Ok(());
        }
        // The thread that takes them needs a moment.
        tokio::time::sleep(PAUSE).await;
    }
}
