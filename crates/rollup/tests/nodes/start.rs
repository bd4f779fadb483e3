//! The order of a start: no port answers before the pool's file is open.

use crate::support::{World, provider_of, signed_with};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, hex};
use alloy_provider::Provider as _;
use contracts::{L2_MESSENGER, Predeploys, l2_genesis};
use enshrine_rollup::{Config, Role, RollupError, RollupNode};
use eyre::{OptionExt as _, Result, bail, ensure};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};
use tempfile::TempDir;
use testkit::{ETHER, Key, Patience, rich};
use wire::ProtocolFork;

/// Transactions in the pool's file, so that reading it takes a while.
const WAITING: u64 = 600;

fn transfer(nonce: u64) -> Bytes {
    let to = Address::repeat_byte(0xb0);
    signed_with(&Key::named("alice"), nonce, to, 1, Bytes::new(), 21_000).encoded_2718().into()
}

/// A sequencer that makes no block soon, at a port that is known before it starts.
async fn world() -> Result<(World, TempDir, Config)> {
    let world = World::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let mut sequencing = world.sequencer_config()?;
    sequencing.block_time = Duration::from_secs(3_600);
    let mut config = world.config(Role::Sequencer(Box::new(sequencing)));
    let folder = tempfile::tempdir()?;
    config.data_dir = Some(folder.path().to_owned());
    config.server.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok((world, folder, config))
}

/// Sends a transaction over a connection of its own; the answer.
fn send(port: u16, raw: &Bytes) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Patience::LIMIT))?;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["{}"]}}"#,
        hex::encode_prefixed(raw)
    );
    let length = body.len();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns `true` if the pool's file in this folder holds a transaction.
fn holds(folder: &Path, raw: &Bytes) -> Result<bool> {
    let found = fs::read(folder.join("pool"))?;
    Ok(found.windows(raw.len()).any(|window| window == &raw[..]))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_port_answers_before_the_pools_file_is_open() -> Result<()> {
    let (_world, folder, config) = world().await?;
    let (port, pipe) = (config.server.port, folder.path().join("pool"));
    ensure!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let starting = tokio::spawn(RollupNode::start(config.clone()));
    // A pipe is open for writing once the node opens it for reading, and what the node reads of it comes from here.
    let (opened, path) = (tokio::task::spawn_blocking, pipe.clone());
    let mut writer = opened(move || OpenOptions::new().write(true).open(path)).await??;
    let early = send(port, &transfer(0));
    fs::remove_file(&pipe)?;
    writer.write_all(&[0; 64])?;
    drop(writer);
    if let Ok(node) = starting.await? {
        node.stop().await;
    }
    ensure!(early.is_err(), "a transaction was answered before it could be kept: {early:?}");

    // With a file in its place the same port answers.
    let node = RollupNode::start(config).await?;
    let answer = send(port, &transfer(0))?;
    ensure!(answer.contains("result"), "{answer}");
    ensure!(holds(folder.path(), &transfer(0))?);
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_as_early_as_the_port_accepts_is_in_the_pools_file() -> Result<()> {
    let (_world, folder, config) = world().await?;
    let node = RollupNode::start(config.clone()).await?;
    let l2 = provider_of(&node)?;
    for nonce in 0..WAITING {
        let _ = l2.send_raw_transaction(&transfer(nonce)).await?;
    }
    node.stop().await;

    let (port, path) = (config.server.port, folder.path().to_owned());
    let client = thread::spawn(move || -> Result<Vec<(u64, bool)>> {
        let (patience, mut acknowledged, mut nonce) = (Patience::begin(), Vec::new(), WAITING);
        while acknowledged.len() < 20 {
            ensure!(patience.lasts(), "no node answers");
            let Ok(answer) = send(port, &transfer(nonce)) else { continue };
            ensure!(answer.contains("result"), "{answer}");
            acknowledged.push((nonce, holds(&path, &transfer(nonce))?));
            nonce += 1;
        }
        Ok(acknowledged)
    });
    let node = RollupNode::start(config).await?;
    let acknowledged = tokio::task::spawn_blocking(move || client.join()).await?;
    let acknowledged = acknowledged.ok().ok_or_eyre("the client has panicked")??;
    let lost: Vec<_> = acknowledged.iter().filter(|(_, is_kept)| !is_kept).collect();
    ensure!(lost.is_empty(), "acknowledged and not in the file: {lost:?}");
    let waiting = node.node().read(|node| node.pool.len());
    ensure!(waiting as u64 == WAITING + 20, "{waiting}");
    node.stop().await;
    Ok(())
}

/// The code of the messenger decides who gets the escrow, and no follower could tell from the blocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_refuses_a_genesis_with_another_messenger_unless_a_flag_allows_it() -> Result<()> {
    let mut messenger = l2_genesis(&Predeploys::built_in(), ProtocolFork::Osaka, 10_000_000, 0)
        .alloc
        .remove(&L2_MESSENGER)
        .ok_or_eyre("a new L2 has a messenger")?;
    messenger.storage = Some([(B256::with_last_byte(4), B256::with_last_byte(1))].into());
    // A premine is a warning: only its deployers can say if it is meant.
    let world = World::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    RollupNode::start(world.config(Role::Follower { sequencer: None })).await?.stop().await;

    let world = World::with(vec![(L2_MESSENGER, messenger)]).await?;
    let mut config = world.config(Role::Follower { sequencer: None });
    let refused = RollupNode::start(config.clone()).await;
    let Err(RollupError::AlteredGenesis { findings }) = refused else { bail!("it starts") };
    ensure!(findings.contains(&L2_MESSENGER.to_string()) && findings.contains("storage"), findings);
    config.allow_altered_genesis = true;
    RollupNode::start(config).await?.stop().await;
    Ok(())
}
