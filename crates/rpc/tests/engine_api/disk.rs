//! Payloads on a chain that is stored on disk.

use crate::support::{BOB, Peer};
use chain::{Chain, ChainConfig};
use execute::Rules;
use executor::ChainSpec;
use eyre::Result;
use std::{path::Path, sync::Arc};
use testkit::{CHAIN_ID, ETHER, LOGGER, logger, rich_genesis};
use wire::ProtocolFork;

/// Opens the test chain in a folder.
fn open(folder: &Path) -> Result<Chain> {
    let fork = ProtocolFork::Osaka;
    let mut genesis = rich_genesis(fork, ["alice", "carol"], 100 * ETHER);
    genesis.alloc.insert(LOGGER, logger());
    Ok(disk::open_chain(folder, &genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_node_keeps_head_and_accepts_siblings() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let maker = Peer::new().await?;
    maker.offer(0, BOB)?;
    let first = maker.make(2_000)?;
    let second = maker.make(2_001)?;
    let other = Peer::new().await?;
    other.offer(0, LOGGER)?;
    let sibling = other.make(2_005)?;

    let start = async || {
        let chain = open(folder.path())?;
        Peer::on(chain, ProtocolFork::Osaka, Rules::default(), Arc::new(())).await
    };
    let taker = start().await?;
    for block in [&first, &sibling, &second] {
        taker.take(block).await?;
    }
    taker.follow(&second).await?;
    taker.server.stop().await;
    drop(taker.node);

    let taker = start().await?;
    assert_eq!(taker.head().hash, second.hash);
    taker.take(&sibling).await?;
    taker.follow(&sibling).await?;
    let balance = taker.node.read(|node| node.chain.reader().balance(BOB))?;
    assert!(balance.is_zero());
    taker.follow(&second).await?;
    let balance = taker.node.read(|node| node.chain.reader().balance(BOB))?;
    assert_eq!(balance.to::<u64>(), 1);
    Ok(())
}
