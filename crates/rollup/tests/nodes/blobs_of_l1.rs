//! L2 blocks that come to L1 in blobs, and who reads them there.

use crate::support::{World, provider_of, signed, until};
use alloy_consensus::Transaction as _;
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::Provider;
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{OptionExt, Result};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::{ETHER, Key};

/// What becomes of the answer to a request for a path.
type Change = Box<dyn Fn(&str, String) -> String + Send>;

/// A consensus client that stands between a node and the devnet, and changes what the devnet says.
struct Beacon {
    url: String,
    change: Arc<Mutex<Change>>,
    asked: Arc<AtomicUsize>,
}

impl Beacon {
    fn before(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let upstream = upstream.replace("http://", "");
        let change: Arc<Mutex<Change>> = Arc::new(Mutex::new(Box::new(|_, body| body)));
        let asked = Arc::<AtomicUsize>::default();
        let (shared, counter) = (Arc::clone(&change), Arc::clone(&asked));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (upstream, change) = (upstream.clone(), Arc::clone(&shared));
                counter.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || drop(pass_on(connection, &upstream, &change)));
            }
        });
        Ok(Self { url, change, asked })
    }

    fn set(&self, change: impl Fn(&str, String) -> String + Send + 'static) {
        *self.change.lock().expect("no thread panics with it") = Box::new(change);
    }
}

fn pass_on(mut client: TcpStream, upstream: &str, change: &Mutex<Change>) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request)?;
    let path = request.split(' ').nth(1).ok_or_eyre("no path")?;
    let mut node = TcpStream::connect(upstream)?;
    write!(node, "GET {path} HTTP/1.1\r\nhost: l1\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    node.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_eyre("no body")?;
    let status = head.split("\r\n").next().ok_or_eyre("no status")?;
    let body = change.lock().expect("no thread panics with it")(path, body.to_owned());
    let length = body.len();
    write!(
        client,
        "{status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    Ok(())
}

fn with_beacon(config: Config, url: &str) -> Config {
    Config { l1_beacon: Some(url.to_owned()), ..config }
}

/// Blobs of the transactions that have advanced the rollup, and what those had as calldata.
async fn advances(world: &World) -> Result<Vec<(usize, usize)>> {
    let head = world.provider.get_block_number().await?;
    let mut found = Vec::new();
    for number in 0..=head {
        let block = world.provider.get_block_by_number(number.into()).full().await?;
        for transaction in block.ok_or_eyre("no block")?.transactions.into_transactions() {
            if transaction.inner.signer() == world.l1.addresses()[1] {
                let blobs = transaction.blob_versioned_hashes().unwrap_or_default().len();
                found.push((blobs, transaction.input().len()));
            }
        }
    }
    Ok(found)
}

async fn deposit_and_spend(world: &World, sequencer: &RollupNode) -> Result<()> {
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let l2 = provider_of(sequencer)?;
    world.deposit(alice.address(), U256::from(5 * ETHER)).await?;
    until("the deposit", sequencer, || async {
        Ok(l2.get_balance(alice.address()).await? == U256::from(5 * ETHER))
    })
    .await?;
    let transfer = signed(&l2, &alice, bob, ETHER, Bytes::new(), 21_000).await?;
    let hash = *l2.send_raw_transaction(&transfer.encoded_2718()).await?.tx_hash();
    until("the transfer on L1", sequencer, || async {
        let receipt = l2.get_transaction_receipt(hash).await?;
        let number = receipt.and_then(|receipt| receipt.block_number);
        Ok(number.is_some_and(|number| sequencer.status().safe_head.number >= number))
    })
    .await
}

async fn balance(node: &RollupNode, address: Address) -> Result<U256> {
    Ok(provider_of(node)?.get_balance(address).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_through_blobs_where_that_is_cheaper_and_a_follower_reads_them_there()
-> Result<()> {
    let world = World::with_blobs().await?;
    let role = Role::Sequencer(Box::new(world.sequencer_config()?));
    let config = with_beacon(world.config(role), &world.l1.endpoint());
    let sequencer = RollupNode::start(config).await?;
    deposit_and_spend(&world, &sequencer).await?;
    let advances = advances(&world).await?;
    assert!(!advances.is_empty());
    // A head for each block, and nothing of its witness.
    assert!(
        advances.iter().all(|(blobs, bytes)| (1..=6).contains(blobs) && *bytes < 8_000),
        "{advances:?}"
    );

    // Who does not know where blobs are does not get past them; who knows comes to the same.
    let blind = world.follower(None).await?;
    let config = world.config(Role::Follower { sequencer: None });
    let follower = RollupNode::start(with_beacon(config, &world.l1.endpoint())).await?;
    let safe = sequencer.status().safe_head;
    until("the follower", &follower, || async { Ok(follower.status().safe_head == safe) }).await?;
    let bob = Key::named("bob").address();
    assert_eq!(balance(&follower, bob).await?, U256::from(ETHER));
    assert_eq!(blind.status().safe_head.number, 0);
    for node in [blind, follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lying_consensus_client_gives_is_not_taken_for_a_blob() -> Result<()> {
    let world = World::with_blobs().await?;
    let role = Role::Sequencer(Box::new(world.sequencer_config()?));
    let config = with_beacon(world.config(role), &world.l1.endpoint());
    let sequencer = RollupNode::start(config).await?;
    deposit_and_spend(&world, &sequencer).await?;
    let safe = sequencer.status().safe_head;
    sequencer.stop().await;

    let lies: [fn(&str, String) -> String; 4] = [
        // A byte of each blob.
        |path, body| if path.contains("/blobs/") { body.replacen("00", "01", 1) } else { body },
        // None of them.
        |path, body| {
            if path.contains("/blobs/") { r#"{"data":[]}"#.to_owned() } else { body }
        },
        // No JSON of this kind.
        |_, _| r#"{"data":7}"#.to_owned(),
        // Other slots.
        |path, body| if path.ends_with("/spec") { body.replace(r#""1""#, r#""0""#) } else { body },
    ];
    for lie in lies {
        let beacon = Beacon::before(&world.l1.endpoint())?;
        beacon.set(lie);
        let config = world.config(Role::Follower { sequencer: None });
        let follower = RollupNode::start(with_beacon(config, &beacon.url)).await?;
        until("the question", &follower, || async { Ok(beacon.asked.load(Ordering::Relaxed) > 4) })
            .await?;
        assert_eq!(follower.status().safe_head.number, 0);
        // As soon as it tells the truth, it is believed.
        beacon.set(|_, body| body);
        until("the follower", &follower, || async { Ok(follower.status().safe_head == safe) })
            .await?;
        follower.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_other_address_of_execute_everything_goes_as_calldata() -> Result<()> {
    let world = World::new().await?;
    let mut sequencing = world.sequencer_config()?;
    sequencing.submit_interval = Duration::from_millis(100);
    let config = world.config(Role::Sequencer(Box::new(sequencing)));
    let sequencer = RollupNode::start(with_beacon(config, &world.l1.endpoint())).await?;
    deposit_and_spend(&world, &sequencer).await?;
    let advances = advances(&world).await?;
    assert!(!advances.is_empty() && advances.iter().all(|(blobs, _)| *blobs == 0), "{advances:?}");
    assert_ne!(sequencer.status().safe_head.hash, B256::ZERO);
    sequencer.stop().await;
    Ok(())
}
