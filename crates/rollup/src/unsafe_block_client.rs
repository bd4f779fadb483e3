//! Listening to a sequencer for blocks that L1 does not have yet.

use crate::rpc_methods::Shared;
use alloy_primitives::Bytes;
use alloy_provider::{Provider as _, ProviderBuilder, WsConnect, network::Ethereum};
use alloy_rpc_types_eth::Block;
use node::Node;
use std::{
    sync::{Arc, mpsc::Sender},
    time::Duration,
};
use tokio::sync::watch;

/// The pause before a sequencer that is gone is looked for again.
const RECONNECT: Duration = Duration::from_secs(1);
/// The moment that the thread which takes blocks needs.
const PAUSE: Duration = Duration::from_millis(20);

/// The node whose unsafe blocks a follower takes, if it takes any.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnsafeBlockClient(Arc<watch::Sender<Option<String>>>);

impl UnsafeBlockClient {
    /// Listens to the node at this URL from now on, or to none.
    pub(crate) fn follow(&self, url: Option<String>) {
        self.0.send_replace(url);
    }

    /// URL of the sequencer that the node follows, if it follows one.
    pub(crate) fn sequencer(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Hands on the inputs of blocks that this node does not have, without end.
    pub(crate) async fn read(
        self,
        node: Arc<Node>,
        shared: Arc<Shared>,
        inputs: Sender<Vec<Bytes>>,
    ) {
        let mut followed = self.0.subscribe();
        loop {
            let url = followed.borrow_and_update().clone();
            let listening = async {
                let Some(url) = &url else { return core::future::pending().await };
                if let Err(error) = listen(url, &node, &shared, &inputs).await {
                    tracing::warn!(%error, url, "subscription to the sequencer failed, reconnecting");
                }
                tokio::time::sleep(RECONNECT).await;
            };
            // A change of role ends the wait for the old sequencer at once, wherever it hangs.
            tokio::select! {
                () = listening => {}
                changed = followed.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn listen(
    url: &str,
    node: &Node,
    shared: &Shared,
    inputs: &Sender<Vec<Bytes>>,
) -> Result<(), alloy_provider::transport::TransportError> {
    let provider =
        ProviderBuilder::<_, _, Ethereum>::default().connect_ws(WsConnect::new(url)).await?;
    // Before the first question, so that a block sealed between the two is not missed.
    let mut heads = provider.subscribe_blocks().await?;
    loop {
        // Asked anew in each round: the node may have gone back with L1 while this waited.
        let own = node.read(|node| Arc::clone(node.chain.head()));
        let theirs: Option<Block> = provider.get_block_by_number(own.header.number.into()).await?;
        // Above what both have; if they have another block there, above what L1 has.
        let agreed = theirs.is_some_and(|theirs| theirs.header.hash == own.hash);
        let from = if agreed { own.header.number } else { shared.status.lock().safe_head.number };
        let new: Vec<Bytes> =
            provider.raw_request("rollup_inputsAfter".into(), (format!("{from:#x}"),)).await?;
        let is_behind = !new.is_empty();
        // The channel is drained by one thread; the pause below keeps it at a few answers of bounded size.
        if is_behind && inputs.send(new).is_err() {
            return Ok(());
        }
        if is_behind {
            // The thread that takes them needs a moment.
            tokio::time::sleep(PAUSE).await;
        } else if heads.recv().await.is_err() {
            return Ok(());
        }
    }
}
