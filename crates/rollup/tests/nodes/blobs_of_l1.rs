//! L2 blocks in blobs on L1, and the nodes that read them.

use crate::support::{
    DevnetRollup, Setup, json_response, provider_of, refusal, signed, submit, until,
    until_included, until_posted, until_status,
};
use alloy_consensus::{Transaction as _, TxEip4844, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_provider::{Provider, ext::AnvilApi as _};
use alloy_sol_types::SolCall as _;
use codec::blob_tail::{REQUEST_HEAD, Trailer};
use contracts::bindings::INativeRollup::{self, Evidence, Outcome};
use enshrine_rollup::{Config, Role, RollupNode, SubmitterConfig};
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
use testkit::{ETHER, FORCED_GAS, Key};
use variants::BLOB_EXECUTE_ADDRESS;
use wire::SchemaId;

/// Changes the body of the response to a path. `None` becomes a 404.
type Change = Box<dyn Fn(&str, String) -> Option<String> + Send>;

/// A proxy in front of the devnet's beacon API that changes its responses.
pub(crate) struct Beacon {
    pub(crate) url: String,
    change: Arc<Mutex<Change>>,
}

impl Beacon {
    pub(crate) fn before(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let upstream = upstream.replace("http://", "");
        let change: Arc<Mutex<Change>> = Arc::new(Mutex::new(Box::new(|_, body| Some(body))));
        let shared = Arc::clone(&change);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (upstream, change) = (upstream.clone(), Arc::clone(&shared));
                thread::spawn(move || drop(pass_on(connection, &upstream, &change)));
            }
        });
        Ok(Self { url, change })
    }

    pub(crate) fn set(&self, change: impl Fn(&str, String) -> Option<String> + Send + 'static) {
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
    write!(node, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    node.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or_eyre("no body")?;
    let status = head.split("\r\n").next().ok_or_eyre("no status")?;
    let body = change.lock().expect("no thread panics with it")(path, body.to_owned());
    let (status, body) = match body {
        Some(body) => (status.to_owned(), body),
        None => ("HTTP/1.1 404 Not Found".to_owned(), r#"{"code":404}"#.to_owned()),
    };
    let length = body.len();
    write!(
        client,
        "{status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    Ok(())
}

pub(crate) fn with_beacon(config: Config, url: &str) -> Config {
    Config { l1_beacon: vec![url.to_owned()], ..config }
}

/// An L1 transaction of the account that advances the rollup.
#[derive(Debug)]
struct Advance {
    block: u64,
    nonce: u64,
    hashes: Vec<B256>,
    inputs: Vec<Bytes>,
    evidence: Evidence,
    max_fee: u128,
    success: bool,
}

/// Returns all L1 transactions of the account that advances the rollup.
async fn advances(rollup: &DevnetRollup) -> Result<Vec<Advance>> {
    let head = rollup.provider.get_block_number().await?;
    let mut found = Vec::new();
    for number in 0..=head {
        let block = rollup.provider.get_block_by_number(number.into()).full().await?;
        for transaction in block.ok_or_eyre("no block")?.transactions.into_transactions() {
            if transaction.inner.signer() == rollup.l1.addresses()[1] {
                let hash = *transaction.inner.tx_hash();
                let receipt = rollup.provider.get_transaction_receipt(hash).await?;
                let call = INativeRollup::advanceCall::abi_decode(transaction.input())?;
                found.push(Advance {
                    block: number,
                    nonce: transaction.nonce(),
                    hashes: transaction.blob_versioned_hashes().unwrap_or_default().to_vec(),
                    inputs: call.inputs,
                    evidence: call.evidence,
                    max_fee: transaction.max_fee_per_gas(),
                    success: receipt.ok_or_eyre("no receipt")?.status(),
                });
            }
        }
    }
    Ok(found)
}

/// Returns the number of blocks in this input, or `None` if its calldata contains bytes that could
/// be in blobs.
fn blocks_of_heads(input: &Bytes) -> Option<usize> {
    let (head, _) = Trailer::split(input).ok()?;
    let is_batch = SchemaId::of(head).ok()?.batch_fork().is_some();
    let blocks = if is_batch { usize::from(head[18]) / 4 } else { 1 };
    let expected = 18 + blocks * (if is_batch { 4 } else { 0 } + REQUEST_HEAD);
    (head.len() == expected).then_some(blocks)
}

/// Returns `true` if the transaction has no blobs and succeeded.
const fn is_calldata(advance: &Advance) -> bool {
    advance.hashes.is_empty() && advance.success
}

/// Returns the raw transaction if a request is `eth_sendRawTransaction`.
fn sent(request: &str) -> Option<Vec<u8>> {
    let (_, raw) = request.split_once("eth_sendRawTransaction")?;
    let raw = &raw[raw.find("0x")?..];
    hex::decode(&raw[..raw.find('"')?]).ok()
}

/// Returns the transaction if a request sends a blob transaction.
fn sent_with_blobs(request: &str) -> Option<TxEip4844> {
    let raw = sent(request)?;
    let TxEnvelope::Eip4844(signed) = TxEnvelope::decode_2718_exact(&raw).ok()? else {
        return None;
    };
    Some(signed.tx().tx().clone())
}

/// L1 pool of one account in a node that has a separate pool for blob transactions, as geth does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pool {
    Empty,
    /// A blob transaction that no block includes at its price, so that the pool refuses other
    /// kinds.
    Holds(Bytes),
    /// The pool accepts any transaction.
    Open,
}

pub(crate) async fn deposit_and_spend(rollup: &DevnetRollup, sequencer: &RollupNode) -> Result<()> {
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let l2 = provider_of(sequencer)?;
    rollup.deposit_on(sequencer, alice.address(), U256::from(5 * ETHER)).await?;
    // Bob is a new account, and creating one costs more than 21,000 gas at Amsterdam.
    let transfer = signed(&l2, &alice, bob, ETHER, Bytes::new(), 300_000).await?;
    let hash = submit(&l2, &transfer).await?;
    until_posted("the transfer on L1", sequencer, hash).await
}

/// Deposits again and waits until the block that relays the deposit is on L1.
pub(crate) async fn deposit_once_more(rollup: &DevnetRollup, sequencer: &RollupNode) -> Result<()> {
    let to = Address::repeat_byte(0xa2);
    rollup.deposit(to, U256::ONE).await?;
    until("another deposit", sequencer, || async {
        Ok(balance(sequencer, to).await? == U256::ONE)
    })
    .await?;
    let head = sequencer.status().unsafe_head.number;
    until_status("it on L1", sequencer, |status| status.safe_head.number >= head).await
}

pub(crate) async fn balance(node: &RollupNode, address: Address) -> Result<U256> {
    Ok(provider_of(node)?.get_balance(address).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn cheaper_blobs_are_posted_and_read_by_follower() -> Result<()> {
    assert_blocks_go_through_blobs(DevnetRollup::with_blobs().await?).await
}

/// The calldata floor does not outweigh Amsterdam's higher price of storage.
#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_posted_at_amsterdam() -> Result<()> {
    assert_blocks_go_through_blobs(Setup::at_amsterdam().deploy().await?).await
}

async fn assert_blocks_go_through_blobs(rollup: DevnetRollup) -> Result<()> {
    let config = with_beacon(rollup.config(rollup.sequencer_role()?), &rollup.l1.endpoint());
    let sequencer = RollupNode::start(config).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let advances = advances(&rollup).await?;
    assert!(!advances.is_empty());
    // The calldata contains a head for each block, and nothing of its witness.
    let is_small = |advance: &Advance| {
        (1..=6).contains(&advance.hashes.len())
            && advance.inputs.iter().all(|input| blocks_of_heads(input).is_some())
    };
    assert!(advances.iter().all(|advance| advance.success && is_small(advance)), "{advances:?}");

    // A follower without a beacon API reports a fault at the first blob; one with it derives the
    // same chain.
    let blind = rollup.follower(None).await?;
    let config = rollup.config(Role::Follower { sequencer: None });
    let follower = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    let safe = sequencer.status().safe_head;
    until_status("the follower", &follower, |status| status.safe_head == safe).await?;
    let bob = Key::named("bob").address();
    assert_eq!(balance(&follower, bob).await?, U256::from(ETHER));
    assert_eq!(blind.status().safe_head.number, 0);
    let fault = blind.status().fault.unwrap_or_default();
    assert!(fault.contains("l1_beacon"), "{fault}");
    for node in [blind, follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_blocks_are_posted_as_one_blob_batch() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_secs(8);
    let config = rollup.config(Role::Sequencer(Box::new(config)));
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let l2 = provider_of(&sequencer)?;
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    for _ in 0..4 {
        let transfer = signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?;
        let hash = submit(&l2, &transfer).await?;
        // Wait, so that each transfer gets its own block.
        until_included("the transfer", &sequencer, hash).await?;
    }
    let last = l2.get_block_number().await?;
    until_status("L1", &sequencer, |status| status.safe_head.number >= last).await?;
    let advances = advances(&rollup).await?;
    let inputs =
        || advances.iter().filter(|advance| advance.success).flat_map(|advance| &advance.inputs);
    let longest = inputs().filter_map(blocks_of_heads).max();
    assert!(longest >= Some(2), "{advances:?}");

    let config = rollup.config(Role::Follower { sequencer: None });
    let follower = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    let safe = sequencer.status().safe_head;
    until_status("the follower", &follower, |status| status.safe_head == safe).await?;
    assert_eq!(balance(&follower, bob).await?, U256::from(ETHER + 4));
    for node in [follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_rejects_blobs_of_lying_consensus_client() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let config = with_beacon(rollup.config(rollup.sequencer_role()?), &rollup.l1.endpoint());
    let sequencer = RollupNode::start(config).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let safe = sequencer.status().safe_head;
    sequencer.stop().await;

    let lies: [fn(&str, String) -> Option<String>; 6] = [
        // A changed byte in each blob.
        |path, body| {
            Some(if path.contains("/blobs/") { body.replacen("00", "01", 1) } else { body })
        },
        // No blobs.
        |path, body| {
            Some(if path.contains("/blobs/") { r#"{"data":[]}"#.to_owned() } else { body })
        },
        // The blobs have expired.
        |path, body| (!path.contains("/blobs/")).then_some(body),
        // JSON of another shape.
        |_, _| Some(r#"{"data":7}"#.to_owned()),
        // A doubled slot time, which is noticed only when a blob is not found.
        |path, body| {
            Some(if path.ends_with("/spec") { body.replace(r#""1""#, r#""2""#) } else { body })
        },
        // A slot time of zero.
        |path, body| {
            Some(if path.ends_with("/spec") { body.replace(r#""1""#, r#""0""#) } else { body })
        },
    ];
    let advances = advances(&rollup).await?;
    let first = advances.first().ok_or_eyre("nothing is on L1")?;
    let (block, hash) = (format!("L1 block {}", first.block), first.hashes[0].to_string());
    for lie in lies {
        let beacon = Beacon::before(&rollup.l1.endpoint())?;
        beacon.set(lie);
        let config = rollup.config(Role::Follower { sequencer: None });
        let follower = RollupNode::start(with_beacon(config, &beacon.url)).await?;
        // The number of requests is no criterion, because the start sends requests too.
        until("a fault that names block and blob", &follower, || async {
            let fault = follower.status().fault.unwrap_or_default();
            Ok(fault.contains(&block) && fault.contains(&hash))
        })
        .await?;
        assert_eq!(follower.status().safe_head.number, 0);
        // Once the responses are correct, the follower uses them.
        beacon.set(|_, body| Some(body));
        until_status("the follower", &follower, |status| status.safe_head == safe).await?;
        follower.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn block_in_blobs_includes_forced_transaction() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let config = rollup.config(rollup.sequencer_role()?);
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let before = advances(&rollup).await?;
    assert!(!before.is_empty() && !before.iter().any(is_calldata), "{before:?}");
    let l2 = provider_of(&sequencer)?;
    let bob = Key::named("bob").address();
    let forced = signed(&l2, &Key::named("alice"), bob, 1, Bytes::new(), FORCED_GAS).await?;
    rollup.force(forced.encoded_2718()).await?;
    until_posted("the forced transaction on L1", &sequencer, *forced.tx_hash()).await?;
    let advances = advances(&rollup).await?;
    assert!(advances.iter().all(|advance| advance.success), "{advances:?}");
    assert!(!advances.iter().any(is_calldata), "{advances:?}");
    let discharges = advances.iter().flat_map(|advance| &advance.evidence.forced);
    let outcomes: Vec<_> = discharges
        .flat_map(|range| &range.discharges)
        .map(|discharge| &discharge.outcome)
        .collect();
    assert_eq!(outcomes, [&Outcome::Included]);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn node_with_blocks_does_not_need_blobs() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let folder = tempfile::tempdir()?;
    let beacon = Beacon::before(&rollup.l1.endpoint())?;
    let mut config = with_beacon(rollup.config(rollup.sequencer_role()?), &beacon.url);
    config.data_dir = Some(folder.path().join("data"));
    let sequencer = RollupNode::start(config.clone()).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let safe = sequencer.status().safe_head;
    sequencer.stop().await;
    // Weeks later no client has the blobs, and the node reads L1 from the beginning.
    beacon.set(|_, _| None);
    let sequencer = RollupNode::start(config).await?;
    until_status("the sequencer", &sequencer, |status| status.safe_head == safe).await?;
    assert_eq!(sequencer.status().fault, None);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calldata_is_posted_without_blob_execute_address() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let config = rollup.config(rollup.sequencer_role()?);
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let advances = advances(&rollup).await?;
    assert!(!advances.is_empty() && advances.iter().all(is_calldata), "{advances:?}");
    sequencer.stop().await;
    Ok(())
}

/// The sequencer does not retry blobs soon after the L1 node has rejected them.
#[tokio::test(flavor = "multi_thread")]
async fn rejected_blobs_fall_back_to_calldata() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let refused = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&refused);
    proxy.intercept(move |request| {
        sent_with_blobs(request)?;
        count.fetch_add(1, Ordering::Relaxed);
        Some(refusal(request, "no blobs here"))
    });
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let advances = advances(&rollup).await?;
    assert!(!advances.is_empty() && advances.iter().all(is_calldata), "{advances:?}");
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    sequencer.stop().await;
    Ok(())
}

/// Some pools let only a blob transaction replace a blob transaction.
#[tokio::test(flavor = "multi_thread")]
async fn irreplaceable_blob_transaction_delays_its_blocks() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let mut config = rollup.sequencer_config()?;
    // The first offer is at the limit, and the submitter soon tries to replace it by calldata.
    config.submitter.max_blob_fee = rollup.provider.get_blob_base_fee().await?;
    config.submitter.bump_after = 2;
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    let (pool, refused) = (Arc::new(Mutex::new(Pool::Empty)), Arc::<AtomicUsize>::default());
    let (geth, count) = (Arc::clone(&pool), Arc::clone(&refused));
    proxy.intercept(move |request| {
        let raw = sent(request)?;
        let mut pool = geth.lock().expect("no thread panics with it");
        if *pool == Pool::Open {
            return None;
        }
        if let Ok(TxEnvelope::Eip4844(pending)) = TxEnvelope::decode_2718_exact(&raw) {
            *pool = Pool::Holds(raw.into());
            return Some(json_response(request, pending.hash()));
        }
        // geth's error for an account that has a transaction in the other pool.
        count.fetch_add(usize::from(*pool != Pool::Empty), Ordering::Relaxed);
        Some(refusal(request, "address already reserved"))
    });
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    let alice = Key::named("alice").address();
    rollup.deposit(alice, U256::from(ETHER)).await?;
    until("a refusal", &sequencer, || async {
        rollup.provider.anvil_mine(Some(1), None).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(refused.load(Ordering::Relaxed) > 1)
    })
    .await?;
    let status = sequencer.status();
    assert_eq!(status.safe_head.number, 0);
    let fault = status.fault.unwrap_or_default();
    assert!(fault.contains("address already reserved"), "{fault}");
    assert_eq!(advances(&rollup).await?.len(), 0);

    // L1 includes the blob transaction first. The following ones have the next nonces and no blobs.
    let pooled = pool.lock().expect("no thread panics with it").clone();
    let Pool::Holds(raw) = pooled else { panic!("{pooled:?}") };
    let _ = rollup.provider.send_raw_transaction(&raw).await?;
    *pool.lock().expect("no thread panics with it") = Pool::Open;
    until_status("L1", &sequencer, |status| status.safe_head.number > 0).await?;
    deposit_once_more(&rollup, &sequencer).await?;
    let advances = advances(&rollup).await?;
    let [first, others @ ..] = &advances[..] else { panic!("nothing is on L1") };
    assert!(first.success && !first.hashes.is_empty(), "{first:?}");
    assert!(!others.is_empty() && others.iter().all(is_calldata), "{others:?}");
    let nonces: Vec<_> = advances.iter().map(|advance| advance.nonce - first.nonce).collect();
    assert_eq!(nonces, (0..advances.len() as u64).collect::<Vec<_>>());
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reverting_blob_advance_is_paid_once() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    // Rejects empty calls, which makes it look like EXECUTE, and all other calls as well.
    let always_reverts = Bytes::from_static(&[0x5f, 0x5f, 0xfd]);
    rollup.provider.anvil_set_code(BLOB_EXECUTE_ADDRESS, always_reverts).await?;
    let config = rollup.config(rollup.sequencer_role()?);
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let advances = advances(&rollup).await?;
    let [failed, others @ ..] = &advances[..] else { panic!("nothing is on L1") };
    assert!(!failed.success && !failed.hashes.is_empty(), "{failed:?}");
    assert!(!others.is_empty() && others.iter().all(is_calldata), "{others:?}");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_above_fee_limit_fall_back_to_calldata() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let price = rollup.provider.get_blob_base_fee().await?;
    for (limit, by_blobs) in [(price - 1, false), (price, true)] {
        let before = advances(&rollup).await?.len();
        let mut config = rollup.sequencer_config()?;
        config.submitter.max_blob_fee = limit;
        let config = rollup.config(Role::Sequencer(Box::new(config)));
        let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
        rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
        until("L1", &sequencer, || async { Ok(advances(&rollup).await?.len() > before) }).await?;
        sequencer.stop().await;
        let advances = advances(&rollup).await?;
        assert!(advances[before..].iter().all(|advance| advance.success), "{advances:?}");
        assert!(
            advances[before..].iter().all(|advance| is_calldata(advance) != by_blobs),
            "{advances:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn underpriced_blobs_are_replaced_by_calldata() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let mut config = rollup.sequencer_config()?;
    // The first offer is twice the price, and the limit allows doubling it once.
    let limit = 5 * rollup.provider.get_blob_base_fee().await?;
    config.submitter = SubmitterConfig { max_blob_fee: limit, bump_after: 2, ..config.submitter };
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    // The L1 node accepts them, and L1 includes none.
    let offered = Arc::<Mutex<Vec<TxEip4844>>>::default();
    let recorded = Arc::clone(&offered);
    proxy.intercept(move |request| {
        let transaction = sent_with_blobs(request)?;
        recorded.lock().ok()?.push(transaction);
        Some(json_response(request, B256::ZERO))
    });
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    let count = || offered.lock().map_or(0, |offered| offered.len());
    until("blobs", &sequencer, || async { Ok(count() > 0) }).await?;
    until("L1", &sequencer, || async {
        rollup.provider.anvil_mine(Some(1), None).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(sequencer.status().safe_head.number > 0)
    })
    .await?;
    let offered = offered.lock().map_or_else(|_| Vec::new(), |offered| offered.clone());
    assert!(offered.iter().all(|tx| tx.max_fee_per_blob_gas <= limit), "{offered:?}");
    let max_fee = offered.iter().map(|tx| tx.max_fee_per_blob_gas).max();
    assert!(max_fee > offered.first().map(|tx| tx.max_fee_per_blob_gas), "{offered:?}");
    let advances = advances(&rollup).await?;
    let first = advances.first().ok_or_eyre("nothing is on L1")?;
    let last = offered.last().ok_or_eyre("nothing was left")?;
    // The replacement has the same nonce, and pays enough for a pool to accept it.
    assert!(is_calldata(first) && first.nonce == last.nonce, "{first:?}");
    assert!(first.max_fee >= 2 * last.max_fee_per_gas, "{first:?}");
    sequencer.stop().await;
    Ok(())
}
