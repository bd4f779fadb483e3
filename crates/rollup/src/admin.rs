//! Who makes the blocks: a node that changes its role while it runs, and the port at which that is asked of it.

use crate::{RollupError, status::BlockId};
use alloy_provider::{Provider as _, ProviderBuilder, WsConnect, network::Ethereum};
use rpc::{Context, Registry, RpcError, RunningServer, ServerConfig, Wording, Workers};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Sender, SyncSender, sync_channel},
    },
    time::Duration,
};

/// How long the thread that works is waited for: it may be at an L1 that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long another node is waited for when it is asked for its role.
const PEER_PATIENCE: Duration = Duration::from_secs(3);

/// Why a node does not change its role.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// It has that role.
    #[error("this node is a {got} already")]
    Already {
        /// Its role.
        got: &'static str,
    },
    /// It has no keys to make blocks with.
    #[error("this node was started without the keys of a sequencer")]
    NoKeys,
    /// It has not read all of L1, or could not do what it should.
    #[error("L1 is read up to block {got} of {expected}{}", fault.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
    NotSynced {
        /// The newest L1 block that it has read.
        got: u64,
        /// The newest that there is.
        expected: u64,
        /// What is wrong, if anything is.
        fault: Option<String>,
    },
    /// The sequencer that it follows is there, and makes blocks.
    #[error("{url} is the sequencer, and at block {head}: end or demote it first")]
    SequencerLives {
        /// Where.
        url: String,
        /// Its newest block.
        head: u64,
    },
    /// Transactions of its account wait at L1: those of whoever used the key before.
    #[error(
        "the account that advances has used {got} nonces on L1, and {expected} with what waits there"
    )]
    Nonce {
        /// Nonces that are used.
        got: u64,
        /// Nonces that are used or taken.
        expected: u64,
    },
    /// Its account on L1 has nothing to pay with, or may not advance, or L1 cannot be asked.
    #[error(transparent)]
    Unready(#[from] RollupError),
    /// The thread that works has ended, or hangs.
    #[error("the node does not answer itself: L1 may hang")]
    Silent,
}

/// What is asked of the thread that works.
#[derive(Debug)]
pub(crate) enum Order {
    /// To make blocks, even though transactions of its account wait at L1 if `force` is set.
    Promote { force: bool },
    /// To make none, and to listen to another sequencer if there is one.
    Demote { sequencer: Option<String> },
}

/// An order, and who waits for what becomes of it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) order: Order,
    pub(crate) answer: SyncSender<Result<BlockId, RoleError>>,
}

/// Gives orders to the thread that works.
#[derive(Debug, Clone)]
pub(crate) struct Orders(pub(crate) Sender<Asked>);

impl Orders {
    /// The head of the L2 at which the node has changed its role.
    pub(crate) fn give(&self, order: Order) -> Result<BlockId, RoleError> {
        let (answer, answered) = sync_channel(1);
        self.0.send(Asked { order, answer }).map_err(|_| RoleError::Silent)?;
        answered.recv_timeout(PATIENCE).map_err(|_| RoleError::Silent)?
    }
}

impl Context for Orders {
    fn reads_may_wait(&self) -> bool {
        true
    }
}

/// Refuses an address that others than this machine can reach.
pub(crate) fn check(address: Option<SocketAddr>) -> Result<(), RollupError> {
    let Some(address) = address.filter(|address| !address.ip().is_loopback()) else {
        return Ok(());
    };
    let reason = format!("{address} can be reached from elsewhere: give a loopback address");
    Err(RollupError::Config { field: "admin_addr", reason })
}

/// Serves the methods that change the role, at an address that was [checked](check).
///
/// # Errors
///
/// [`RollupError`] if the address cannot be had.
pub(crate) async fn serve(
    address: SocketAddr,
    orders: Orders,
    workers: Arc<Workers>,
) -> Result<RunningServer, RollupError> {
    let mut methods = Registry::new(Arc::new(orders), workers, Wording::Geth);
    methods.execute("rollup_promote", |orders: &Orders, args| {
        let force = args.optional()?.unwrap_or(false);
        orders.give(Order::Promote { force }).map_err(refused)
    });
    methods.execute("rollup_demote", |orders: &Orders, args| {
        let sequencer = args.optional()?;
        orders.give(Order::Demote { sequencer }).map_err(refused)
    });
    let config = ServerConfig {
        hosts: vec![address.ip()],
        port: address.port(),
        // No page that a browser shows has anything to ask here.
        allow_origin: None,
        max_connections: 8,
        ..ServerConfig::default()
    };
    Ok(RunningServer::start_with_pages(&config, methods.into_methods(), None).await?)
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn refused(error: RoleError) -> RpcError {
    RpcError::server(error.to_string())
}

/// What a node says of itself, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeerStatus {
    role: String,
    unsafe_head: PeerHead,
}

#[derive(Debug, Deserialize)]
struct PeerHead {
    number: u64,
}

/// The newest block of the node at a URL, if that answers and makes blocks. Who says nothing makes none.
pub(crate) async fn sequencer_at(url: &str) -> Option<u64> {
    let asked = async {
        let provider =
            ProviderBuilder::<_, _, Ethereum>::default().connect_ws(WsConnect::new(url)).await?;
        provider.raw_request::<_, PeerStatus>("rollup_syncStatus".into(), ()).await
    };
    let status = tokio::time::timeout(PEER_PATIENCE, asked).await.ok()?.ok()?;
    (status.role == "sequencer").then_some(status.unsafe_head.number)
}
