//! ethrex's published crates, assembled into an execution client: storage in memory, blockchain,
//! RPC and Engine API.
//!
//! `ethrex-client GENESIS JWT_SECRET RPC_ADDRESS ENGINE_ADDRESS` serves the chain of a geth genesis
//! file until it is killed. ethrex's own program is not published as a crate. Its RPC requires a
//! syncer and a peer table, which exist here without a network, so blocks with a missing parent are
//! never fetched.

use ethrex_blockchain::Blockchain;
use ethrex_common::{
    H512,
    types::{DEFAULT_BUILDER_GAS_CEIL, Genesis},
};
use ethrex_p2p::{
    network::P2PContext,
    peer_handler::PeerHandler,
    peer_table::{PeerTableServer, TARGET_PEERS},
    rlpx::initiator::RLPxInitiator,
    sync::SyncMode,
    sync_manager::SyncManager,
    types::{NetworkConfig, Node, NodeRecord},
};
use ethrex_rpc::{ClientVersion, DEFAULT_HTTP_API, start_api};
use ethrex_storage::{EngineType, Store};
use eyre::{Result, bail, eyre};
use secp256k1::{PublicKey, SECP256K1, SecretKey};
use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::EnvFilter;

/// Node key of a network identity that is never used.
const NODE_KEY: [u8; 32] = [0xcd; 32];
/// Port of this identity, on which nothing listens.
const NO_PORT: u16 = 30_303;
/// Interval of transaction broadcasts and peer lookups in milliseconds. There are no peers.
const INTERVAL: u64 = 60_000;

#[tokio::main]
async fn main() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).init();
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [genesis, secret, rpc, engine] = &*arguments else {
        bail!("usage: ethrex-client GENESIS JWT_SECRET RPC_ADDRESS ENGINE_ADDRESS");
    };
    let secret = hex::decode(fs::read_to_string(secret)?.trim().trim_start_matches("0x"))?;
    serve(Path::new(genesis), secret, rpc.parse()?, engine.parse()?).await
}

/// Serves RPC and Engine API of a new chain.
async fn serve(genesis: &Path, secret: Vec<u8>, rpc: SocketAddr, engine: SocketAddr) -> Result<()> {
    let mut store = Store::new(PathBuf::new(), EngineType::InMemory)?;
    store.add_initial_state(Genesis::try_from(genesis)?).await?;
    let blockchain = Arc::new(Blockchain::default_with_store(store.clone()));

    let key = SecretKey::from_byte_array(&NODE_KEY)?;
    // The format byte before the point is not part of a node id.
    let point = PublicKey::from_secret_key(SECP256K1, &key).serialize_uncompressed();
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let node = Node::new(host, NO_PORT, NO_PORT, H512::from_slice(&point[1..]));
    let record = NodeRecord::from_node(&node, 1, &key).map_err(|error| eyre!("{error:?}"))?;
    let table = PeerTableServer::spawn(node.node_id(), TARGET_PEERS, store.clone());
    let network = P2PContext::new(
        node.clone(),
        NetworkConfig::from_node(&node),
        TaskTracker::new(),
        key,
        table.clone(),
        store.clone(),
        Arc::clone(&blockchain),
        "ethrex".to_owned(),
        None,
        INTERVAL,
        INTERVAL as f64,
    )?;
    let peers = PeerHandler::new(table, RLPxInitiator::spawn(network));
    let cancel = CancellationToken::new();
    let syncer = SyncManager::new(
        peers.clone(),
        &SyncMode::Full,
        cancel.clone(),
        Arc::clone(&blockchain),
        store.clone(),
        PathBuf::new(),
    )
    .await;
    let text = str::to_owned;
    let version = ClientVersion::new(
        text("ethrex"),
        text("24.0.0"),
        text("crates.io"),
        text("0"),
        text(env::consts::OS),
        text("stable"),
    );
    start_api(
        rpc,
        None,
        engine,
        store,
        blockchain,
        secret.into(),
        node,
        record,
        syncer,
        peers,
        version,
        None,
        DEFAULT_BUILDER_GAS_CEIL,
        String::new(),
        DEFAULT_HTTP_API.iter().copied().collect(),
        cancel,
    )
    .await?;
    Ok(())
}
