//! A driven node follows every change of the driving node's head.

use crate::support::{BOB, Peer, secret};
use alloy_primitives::B256;
use chain::{Block, ChainReader};
use enshrine_rpc::engine::{Driven, Driver, HeadPolicy, JwtSecret, RunningDriver};
use eyre::{Result, ensure};
use node::{Forkchoice, SetForkchoice, SetHead};
use std::{sync::Arc, time::Duration};
use testkit::Timeout;

fn drive(maker: &Peer, taker: &Peer) -> Result<RunningDriver> {
    Ok(Driver::new(Arc::clone(&maker.node), &taker.url(), secret())?.start()?)
}

async fn until(driver: &RunningDriver, holds: impl Fn(&Driven) -> bool) -> Result<Driven> {
    let timeout = Timeout::begin();
    loop {
        let driven = driver.driven();
        if holds(&driven) {
            return Ok(driven);
        }
        ensure!(timeout.lasts(), "{driven:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn driven_node_follows_driving_node() -> Result<()> {
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    // The driven node is on another branch.
    taker.offer(0, BOB)?;
    taker.make(5_000)?;
    let mut blocks = vec![maker.head()];
    for number in 1..=70 {
        blocks.push(maker.make(2_000 + number)?);
    }
    let at = |block: &Arc<Block>| {
        let hash = block.hash;
        move |driven: &Driven| driven.hash == hash && driven.fault.is_none()
    };
    let driver = drive(&maker, &taker)?;
    until(&driver, at(&blocks[70])).await?;
    assert_eq!(taker.head().hash, blocks[70].hash);

    maker.node.execute(SetForkchoice(Forkchoice { safe: 60, finalized: 50 }));
    maker.offer(0, BOB)?;
    let next = maker.make(3_000)?;
    until(&driver, at(&next)).await?;
    assert_eq!(
        taker.node.read(|node| node.forkchoice),
        Some(Forkchoice { safe: 60, finalized: 50 })
    );

    // Reorg back to an ancestor, then onto a sibling.
    maker.node.execute(SetHead(blocks[65].hash))?;
    until(&driver, at(&blocks[65])).await?;
    assert_eq!(taker.head().hash, blocks[65].hash);
    let sibling = maker.make(4_000)?;
    until(&driver, at(&sibling)).await?;
    assert_eq!(taker.head().hash, sibling.hash);
    driver.stop();

    // A new driver finds the common block with the client.
    let newest = maker.make(4_001)?;
    let driver = drive(&maker, &taker)?;
    until(&driver, at(&newest)).await?;
    driver.stop();
    Ok(())
}

/// Policy that rejects every head.
#[derive(Debug)]
struct Never;

impl HeadPolicy for Never {
    fn check(&self, _: &ChainReader, _: &Block) -> Result<(), String> {
        Err("never".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn driver_reports_faults_of_client() -> Result<()> {
    let maker = Peer::new().await?;
    maker.make(2_000)?;
    let refuses = Peer::with(maker.fork, Default::default(), Arc::new(Never)).await?;
    let driver = drive(&maker, &refuses)?;
    let driven = until(&driver, |driven| driven.fault.is_some()).await?;
    assert!(driven.fault.is_some_and(|fault| fault.contains("-38002") && fault.contains("never")));
    assert_eq!(driven.hash, B256::ZERO);
    driver.stop();

    let stranger = JwtSecret::parse(&"00".repeat(32))?;
    let driver = Driver::new(Arc::clone(&maker.node), &refuses.url(), stranger)?.start()?;
    let driven = until(&driver, |driven| driven.fault.is_some()).await?;
    assert!(driven.fault.is_some_and(|fault| fault.contains("401")));
    driver.stop();

    let other = Peer::with(wire::ProtocolFork::Cancun, Default::default(), Arc::new(())).await?;
    let driver = drive(&maker, &other)?;
    let driven = until(&driver, |driven| driven.fault.is_some()).await?;
    assert!(driven.fault.is_some_and(|fault| fault.contains("first block")));
    assert_eq!(other.head().header.number, 0);
    driver.stop();
    assert!(Driver::new(Arc::clone(&maker.node), "ftp://x", secret()).is_err());
    Ok(())
}
