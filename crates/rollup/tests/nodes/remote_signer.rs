//! A sequencer with a key at a Web3Signer that is slow, wrong or gone.

use crate::support::{World, is_settled, provider_of, signed_with, until};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, hex, keccak256, uint};
use alloy_provider::Provider as _;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use enshrine_rollup::{Role, RollupNode, Signer};
use eyre::Result;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::{ETHER, Key, rich};

uint! {
/// Order of secp256k1.
const SECP256K1_ORDER: U256 =
    0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256;
}
const GOOD: u8 = 0;
const SLOW: u8 = 1;
const WRONG: u8 = 2;
const GONE: u8 = 3;
/// Returns the higher s, as key managers of clouds may.
const HIGH_S: u8 = 4;

/// Web3Signer's API for eth1 keys, over a real socket.
struct SmallWeb3Signer {
    url: String,
    mode: Arc<AtomicU8>,
    signed: Arc<AtomicUsize>,
}

impl SmallWeb3Signer {
    fn start(key: &PrivateKeySigner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (mode, signed) = (Arc::<AtomicU8>::default(), Arc::<AtomicUsize>::default());
        let (key, its_mode, its_signed) = (key.clone(), Arc::clone(&mode), Arc::clone(&signed));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (key, mode, signed) =
                    (key.clone(), Arc::clone(&its_mode), Arc::clone(&its_signed));
                // The client may have gone away.
                thread::spawn(move || serve(stream, &key, &mode, &signed).unwrap_or_default());
            }
        });
        Ok(Self { url, mode, signed })
    }
}

fn serve(
    mut stream: TcpStream,
    key: &PrivateKeySigner,
    mode: &AtomicU8,
    signed: &AtomicUsize,
) -> std::io::Result<()> {
    let mode = mode.load(Ordering::SeqCst);
    if mode == GONE {
        return Ok(());
    }
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut request)?;
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if mode == SLOW {
        thread::sleep(Duration::from_secs(4));
    }
    let public = hex::encode_prefixed(key.public_key());
    let answer = if request.starts_with("GET /api/v1/eth1/publicKeys ") {
        format!("[\"{public}\"]")
    } else if request.starts_with(&format!("POST /api/v1/eth1/sign/{public} ")) {
        let body: serde_json::Value = serde_json::from_slice(&body)?;
        let data = hex::decode(body["data"].as_str().unwrap()).unwrap();
        let hash = if mode == WRONG { B256::ZERO } else { keccak256(data) };
        signed.fetch_add(1, Ordering::SeqCst);
        let mut signature = key.sign_hash_sync(&hash).unwrap();
        if mode == HIGH_S {
            let s = SECP256K1_ORDER - signature.s();
            signature = Signature::new(signature.r(), s, !signature.v());
        }
        hex::encode_prefixed(signature.as_bytes())
    } else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
    stream.write_all((head + &answer).as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_on_while_a_remote_signer_is_slow_wrong_or_gone_and_posting_follows_when_it_is_back()
-> Result<()> {
    let world = World::new().await?;
    let key = PrivateKeySigner::from_slice(&world.l1.keys()[1].to_bytes()[..])?;
    let signer = SmallWeb3Signer::start(&key)?;
    let mut config = world.sequencer_config()?;
    config.advance_key = Signer::remote(&signer.url, key.address())?;
    let node = RollupNode::start(world.config(Role::Sequencer(Box::new(config)))).await?;
    assert!(node.status().warnings.is_empty(), "{:?}", node.status().warnings);
    let head = || node.status().unsafe_head.number;
    let to = Address::repeat_byte(0xb0);
    let mut blocks = 0;
    for (mode, expected) in [
        (GOOD, None),
        (HIGH_S, None),
        (WRONG, Some("has signed for")),
        (SLOW, Some("no answer within 2s")),
        (GONE, Some("does not answer")),
    ] {
        signer.mode.store(mode, Ordering::SeqCst);
        world.deposit(to, U256::ONE).await?;
        blocks += 1;
        until("a block", &node, || async { Ok(head() >= blocks) }).await?;
        if let Some(expected) = expected {
            let is_told = || node.status().fault.is_some_and(|fault| fault.contains(expected));
            until(expected, &node, || async { Ok(is_told()) }).await?;
            // The next block does not wait for the signer.
            world.deposit(to, U256::ONE).await?;
            blocks += 1;
            until("the next block", &node, || async { Ok(head() >= blocks) }).await?;
            assert!(!is_settled(&node));
        }
        signer.mode.store(GOOD, Ordering::SeqCst);
        until("the blocks on L1", &node, || async {
            Ok(is_settled(&node) && node.status().fault.is_none())
        })
        .await?;
    }
    assert!(signer.signed.load(Ordering::SeqCst) >= 4);
    node.stop().await;

    // A signer with another key is refused at once.
    let mut config = world.sequencer_config()?;
    config.advance_key = Signer::remote(&signer.url, Key::named("another").address())?;
    let refused = RollupNode::start(world.config(Role::Sequencer(Box::new(config)))).await;
    let error = refused.map(drop).unwrap_err().to_string();
    assert!(error.contains("signer of the advance key") && error.contains("has 1 keys"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_users_go_on_while_the_operator_s_remote_signer_hangs_and_deposits_follow_when_it_is_back()
-> Result<()> {
    let alice = Key::named("alice");
    let world = World::with(vec![(alice.address(), rich(ETHER))]).await?;
    let operator = Key::named("operator");
    let signer = SmallWeb3Signer::start(&PrivateKeySigner::from_bytes(&operator.secret())?)?;
    let mut config = world.sequencer_config()?;
    config.operator_key = Signer::remote(&signer.url, operator.address())?;
    let node = RollupNode::start(world.config(Role::Sequencer(Box::new(config)))).await?;
    let l2 = provider_of(&node)?;
    let to = Address::repeat_byte(0xb0);
    signer.mode.store(SLOW, Ordering::SeqCst);
    world.deposit(to, U256::ONE).await?;
    for nonce in 0..3 {
        let transfer = signed_with(&alice, nonce, to, 2, Bytes::new(), 21_000);
        let _ = l2.send_raw_transaction(&transfer.encoded_2718()).await?;
        until("a block with the transfer", &node, || async {
            Ok(l2.get_transaction_count(alice.address()).await? > nonce)
        })
        .await?;
    }
    assert_eq!(l2.get_balance(to).await?, U256::from(6), "the deposit cannot have been relayed");
    signer.mode.store(GOOD, Ordering::SeqCst);
    until("the deposit", &node, || async { Ok(l2.get_balance(to).await? == U256::from(7)) })
        .await?;
    // The operator's transactions of a block too have the lower s, so L1 accepts the block.
    signer.mode.store(HIGH_S, Ordering::SeqCst);
    world.deposit(to, U256::ONE).await?;
    until("the deposit", &node, || async { Ok(l2.get_balance(to).await? == U256::from(8)) })
        .await?;
    until("L1", &node, || async { Ok(is_settled(&node)) }).await?;
    node.stop().await;
    Ok(())
}
