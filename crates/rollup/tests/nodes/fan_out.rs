//! Unsafe blocks that followers forward to each other, and forged ones from a malicious relay.

use crate::support::{
    DevnetRollup, is_settled, one_wei, provider_of, until, until_balance, until_status,
    until_synced,
};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, U256};
use alloy_provider::Provider as _;
use client::{Client, ClientOptions};
use enshrine_rollup::{ActorObserver, Config, Role, RollupNode, Signer};
use eyre::Result;
use rpc::{Api, Number, Registry, RpcError, RpcOptions, RunningServer, ServerConfig, Workers};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::{ETHER, Key, rich};

const TO: Address = Address::repeat_byte(0xb0);

fn url(node: &RollupNode) -> String {
    format!("ws://{}", node.server().addresses()[0])
}

fn accounts() -> Vec<(Address, alloy_genesis::GenesisAccount)> {
    vec![(Key::named("alice").address(), rich(ETHER))]
}

/// Starts a sequencer with this key that posts no blocks.
async fn sequencer(rollup: &DevnetRollup, key: Option<B256>) -> Result<RollupNode> {
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_secs(3_600);
    if let Some(key) = key {
        config.advance_key = Signer::new("advance_key", key)?;
    }
    rollup.start(config).await
}

async fn follower(
    rollup: &DevnetRollup,
    sequencer: &RollupNode,
    feeds: Vec<String>,
    signers: Vec<Address>,
) -> Result<RollupNode> {
    let config = rollup.config(Role::Follower { sequencer: Some(url(sequencer)) });
    let node = RollupNode::start(Config { feeds, feed_signers: signers, ..config }).await?;
    until_synced(&node).await?;
    Ok(node)
}

/// Sends a transfer to the node `given` and waits until the sequencer has included it.
async fn make_block(sequencer: &RollupNode, entry: &RollupNode, nonce: u64) -> Result<()> {
    let transfer = one_wei(&Key::named("alice"), nonce, TO);
    let _ = provider_of(entry)?.send_raw_transaction(&transfer.encoded_2718()).await?;
    until_balance("the block", sequencer, TO, U256::from(nonce + 1)).await
}

async fn until_at_head_of(node: &RollupNode, sequencer: &RollupNode) -> Result<()> {
    until_status("the head of the sequencer", node, |status| {
        status.unsafe_head == sequencer.status().unsafe_head
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_polls_node_without_free_subscription() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_secs(3_600);
    let mut config = rollup.config(Role::Sequencer(Box::new(config)));
    config.server.limits.subscriptions = 0;
    let sequencer = RollupNode::start(config).await?;
    let follower = follower(&rollup, &sequencer, Vec::new(), Vec::new()).await?;
    for nonce in 0..2 {
        make_block(&sequencer, &sequencer, nonce).await?;
        until_at_head_of(&follower, &sequencer).await?;
    }
    // Nothing is on L1, so the blocks came from the sequencer.
    assert_eq!(follower.status().safe_head.number, 0);
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// Changes the response to `rollup_signedInputsAfter`, whose parameter is the first argument.
type Lie = Box<dyn Fn(u64, Vec<Value>) -> Vec<Value> + Send>;

/// A node that forwards the blocks of another one after changing them.
struct Relay {
    server: RunningServer,
    lie: Arc<Mutex<Lie>>,
}

impl Relay {
    async fn over(node: &RollupNode) -> Result<Self> {
        let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(Box::new(|_, blocks| blocks)));
        let client = Client::new(
            &format!("http://{}", node.server().addresses()[0]),
            ClientOptions::default(),
        )?;
        let api = Api::new(Arc::clone(node.node()), RpcOptions::default());
        let workers = Arc::new(Workers::new(&rpc::WorkerOptions::default()));
        let context = Arc::new(api.clone());
        let style = rpc::ErrorStyle::Geth;
        let mut methods = Registry::new(context, Arc::clone(&workers), style);
        let own = Arc::clone(&lie);
        let method = rpc_types::methods::SIGNED_INPUTS_AFTER;
        methods.execute(method, move |_, args| {
            let Number(number) = args.required()?;
            let from = number.saturating_to::<u64>();
            let blocks = client.request::<_, Vec<Value>>(method.name, (format!("{from:#x}"),));
            let blocks = blocks.map_err(|error| RpcError::server(error.to_string()))?;
            let lie = own.lock().map_err(|_| RpcError::server("poisoned"))?;
            let blocks = serde_json::from_value(lie(from, blocks).into());
            blocks.map_err(|error| RpcError::server(error.to_string()))
        });
        let methods = rpc::overlaid(methods.into_methods(), &rpc::methods(api, workers));
        let config = ServerConfig { port: 0, ..ServerConfig::default() };
        let server = RunningServer::start(&config, methods).await?;
        Ok(Self { server, lie })
    }

    fn url(&self) -> String {
        format!("ws://{}", self.server.addresses()[0])
    }

    fn set(&self, lie: impl Fn(u64, Vec<Value>) -> Vec<Value> + Send + 'static) {
        if let Ok(mut current) = self.lie.lock() {
            *current = Box::new(lie);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_forward_blocks_signed_by_admitted_account() -> Result<()> {
    let key = Key::named("the sequencer");
    let rollup = DevnetRollup::with_sequencer(key.address()).await?;
    let sequencer = sequencer(&rollup, Some(key.secret())).await?;
    let first = follower(&rollup, &sequencer, Vec::new(), Vec::new()).await?;
    let second = follower(&rollup, &sequencer, vec![url(&first)], Vec::new()).await?;
    let third = follower(&rollup, &sequencer, vec![url(&second)], Vec::new()).await?;
    let alice = Key::named("alice");
    let l2 = provider_of(&sequencer)?;
    rollup.deposit_on(&sequencer, alice.address(), U256::from(ETHER)).await?;
    for nonce in 0..3 {
        // The last follower in the chain still forwards user transactions to the sequencer.
        until_at_head_of(&third, &sequencer).await?;
        make_block(&sequencer, &third, nonce).await?;
    }
    for node in [&first, &second, &third] {
        until_at_head_of(node, &sequencer).await?;
        assert_eq!(node.status().safe_head.number, 0);
        assert_eq!(node.status().warnings, Vec::<String>::new());
        let served: Value =
            provider_of(node)?.raw_request("rollup_signedInputsAfter".into(), ("0x0",)).await?;
        let own: Value = l2.raw_request("rollup_signedInputsAfter".into(), ("0x0",)).await?;
        assert!(served == own && served[0]["signature"].is_string(), "{served}");
    }
    // A restarted follower has stored blocks without signatures, and still serves them with
    // signatures.
    let folder = tempfile::tempdir()?;
    let start = async || {
        let config = rollup.config(Role::Follower { sequencer: Some(url(&sequencer)) });
        RollupNode::start(Config { data_dir: Some(folder.path().to_owned()), ..config }).await
    };
    let forwarder = start().await?;
    until_at_head_of(&forwarder, &sequencer).await?;
    forwarder.stop().await;
    let forwarder = start().await?;
    assert_eq!(forwarder.status().unsafe_head, sequencer.status().unsafe_head);
    let last = follower(&rollup, &sequencer, vec![url(&forwarder)], Vec::new()).await?;
    until_at_head_of(&last, &sequencer).await?;
    last.stop().await;
    forwarder.stop().await;

    // The signer is not in the follower's list of accepted signers.
    let other = follower(&rollup, &sequencer, Vec::new(), vec![Address::repeat_byte(1)]).await?;
    until("the refusal", &other, || async {
        let warnings = other.status().warnings.concat();
        Ok(warnings.contains(&format!("is signed by {}", key.address())))
    })
    .await?;
    assert_eq!(other.status().unsafe_head.number, 0);
    for node in [other, third, second, first, sequencer] {
        node.stop().await;
    }
    Ok(())
}

/// Covers relays that forge, withhold, reorder or replay blocks. The warning names the reason.
#[tokio::test(flavor = "multi_thread")]
async fn dishonest_relay_is_rejected_until_it_is_honest() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let sequencer = sequencer(&rollup, None).await?;
    let signer = rollup.l1.addresses()[1];
    let relay = Relay::over(&sequencer).await?;
    let node = follower(&rollup, &sequencer, vec![relay.url()], vec![signer]).await?;
    make_block(&sequencer, &sequencer, 0).await?;
    until_at_head_of(&node, &sequencer).await?;

    fn with(blocks: Vec<Value>, change: impl Fn(&mut Value)) -> Vec<Value> {
        let change = |mut block: Value| {
            change(&mut block);
            block
        };
        blocks.into_iter().map(change).collect()
    }
    type Case = (&'static str, fn(u64, Vec<Value>) -> Vec<Value>);
    let cases: [Case; 9] = [
        ("is not signed", |_, blocks| with(blocks, |block| block["signature"] = Value::Null)),
        ("is malformed", |_, blocks| with(blocks, |block| block["signature"] = json!("0x1234"))),
        // A valid signature of the sequencer on another block.
        ("is signed by", |_, mut blocks| {
            if let [first, second, ..] = &mut blocks[..] {
                first["signature"] = second["signature"].clone();
            }
            blocks
        }),
        // A signature that recovers to no key.
        ("is malformed", |_, blocks| {
            let made_up = format!("0x{}{}1b", "11".repeat(32), "22".repeat(32));
            with(blocks, |block| block["signature"] = json!(made_up))
        }),
        // A block with another recipient, under the hash and signature of the original.
        ("was altered", |_, blocks| {
            with(blocks, |block| {
                let input = block["input"].as_str().unwrap_or_default();
                block["input"] = json!(input.replace(&"b0".repeat(20), &"b1".repeat(20)));
            })
        }),
        ("expected block", |_, blocks| blocks.into_iter().rev().collect()),
        // Replays old blocks.
        (
            "expected block",
            |from, blocks| {
                if from > 0 { blocks.into_iter().skip(1).collect() } else { blocks }
            },
        ),
        ("expected at most", |_, blocks| blocks.iter().cycle().take(100).cloned().collect()),
        ("no block after", |_, _| Vec::new()),
    ];
    let mut nonce = 1;
    for (expected, lie) in cases {
        // Nothing is relayed yet, so both blocks are affected by the change.
        relay.set(|_, _| Vec::new());
        let before = node.status().unsafe_head;
        for _ in 0..2 {
            make_block(&sequencer, &sequencer, nonce).await?;
            nonce += 1;
        }
        relay.set(lie);
        until_status(expected, &node, |status| {
            status.warnings.iter().any(|warning| warning.contains(expected))
        })
        .await?;
        assert_eq!(node.status().unsafe_head, before, "{expected}");
        // Control: the unchanged blocks are accepted.
        relay.set(|_, blocks| blocks);
        until_at_head_of(&node, &sequencer).await?;
        until_status("no more warnings", &node, |status| status.warnings.is_empty()).await?;
    }
    assert!(node.status().safe_head.number == 0 && !is_settled(&sequencer));
    node.stop().await;
    relay.server.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn block_is_served_before_its_signature() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let sequencer = sequencer(&rollup, None).await?;
    let relay = Relay::over(&sequencer).await?;
    let signers = vec![rollup.l1.addresses()[1]];
    let node = follower(&rollup, &sequencer, vec![relay.url()], signers).await?;
    // The latest block has no signature in the first responses, as while a remote signer works.
    let late = Arc::new(Mutex::new(0));
    let answers = Arc::clone(&late);
    relay.set(move |_, mut blocks| {
        if let (Some(last), Ok(mut answers)) = (blocks.last_mut(), answers.lock()) {
            *answers += 1;
            if *answers % 5 != 0 {
                last["signature"] = Value::Null;
            }
        }
        blocks
    });
    for nonce in 0..3 {
        make_block(&sequencer, &sequencer, nonce).await?;
        until("the head of the sequencer", &node, || async {
            let status = node.status();
            assert_eq!(status.warnings, Vec::<String>::new());
            Ok(status.unsafe_head == sequencer.status().unsafe_head)
        })
        .await?;
    }
    assert!(late.lock().is_ok_and(|answers| *answers >= 15));
    node.stop().await;
    relay.server.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_switches_from_withholding_or_dead_relay() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let sequencer = sequencer(&rollup, None).await?;
    let signer = rollup.l1.addresses()[1];
    let honest = follower(&rollup, &sequencer, Vec::new(), vec![signer]).await?;
    let withholding = Relay::over(&sequencer).await?;
    withholding.set(|_, _| Vec::new());
    let feeds = vec!["ws://127.0.0.1:1".to_owned(), withholding.url(), url(&honest)];
    let node = follower(&rollup, &sequencer, feeds, vec![signer]).await?;
    for nonce in 0..3 {
        make_block(&sequencer, &sequencer, nonce).await?;
    }
    until_at_head_of(&node, &sequencer).await?;
    node.stop().await;
    honest.stop().await;
    withholding.server.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn long_response_of_relay_is_truncated_in_warning() -> Result<()> {
    const LONG: usize = 10 << 20;
    let rollup = DevnetRollup::with(accounts()).await?;
    let sequencer = sequencer(&rollup, None).await?;
    let api = Api::new(Arc::clone(sequencer.node()), RpcOptions::default());
    let workers = Arc::new(Workers::new(&rpc::WorkerOptions::default()));
    let style = rpc::ErrorStyle::Geth;
    let mut methods = Registry::new(Arc::new(api.clone()), Arc::clone(&workers), style);
    methods.execute("eth_getBlockByNumber", |_, _| Ok("x".repeat(LONG)));
    let methods = rpc::overlaid(methods.into_methods(), &rpc::methods(api, workers));
    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    let server = RunningServer::start(&config, methods).await?;
    let feed = format!("ws://{}", server.addresses()[0]);
    let node = follower(&rollup, &sequencer, vec![feed], Vec::new()).await?;
    until_status("the warning", &node, |status| {
        assert!(status.warnings.iter().all(|warning| warning.len() < 1_000));
        status
            .warnings
            .iter()
            .any(|warning| warning.contains("xxx") && warning.contains("more bytes"))
    })
    .await?;
    node.stop().await;
    server.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// Returns the number of inputs in a response of a node to a request for the blocks after one.
async fn count_after(node: &RollupNode, number: u64) -> Result<usize> {
    let method = "rollup_inputsAfter".into();
    let inputs: Vec<Value> =
        provider_of(node)?.raw_request(method, (format!("{number:#x}"),)).await?;
    Ok(inputs.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn served_inputs_end_at_call_timeout() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_secs(3_600);
    let mut config = rollup.config(Role::Sequencer(Box::new(config)));
    config.server.limits.call_time = Duration::ZERO;
    let sequencer = RollupNode::start(config).await?;
    let follower = follower(&rollup, &sequencer, Vec::new(), Vec::new()).await?;
    for nonce in 0..3 {
        make_block(&sequencer, &sequencer, nonce).await?;
    }
    // Each response has a block, so a follower still reaches the head.
    until_at_head_of(&follower, &sequencer).await?;
    let head = sequencer.status().unsafe_head.number;
    assert!(head >= 3);
    for number in 0..head {
        assert_eq!(count_after(&sequencer, number).await?, 1);
        assert_eq!(count_after(&follower, number).await? as u64, head - number);
    }
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// Observer that suspends the thread that imports blocks.
#[derive(Debug, Default)]
struct Suspension {
    wanted: AtomicBool,
    reached: AtomicBool,
}

impl ActorObserver for Suspension {
    fn turned(&self, actor: &'static str) {
        while actor == "blocks" && self.wanted.load(Ordering::Relaxed) {
            self.reached.store(true, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// While a follower executes blocks, a peer could otherwise fill its memory with responses.
#[tokio::test(flavor = "multi_thread")]
async fn busy_follower_requests_no_further_blocks() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let sequencer = sequencer(&rollup, None).await?;
    let relay = Relay::over(&sequencer).await?;
    let served = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&served);
    relay.set(move |_, blocks| {
        counted.fetch_add(usize::from(!blocks.is_empty()), Ordering::Relaxed);
        blocks
    });
    let suspension = Arc::<Suspension>::default();
    let config = rollup.config(Role::Follower { sequencer: Some(url(&sequencer)) });
    let feeds = vec![relay.url()];
    let config = Config { feeds, observer: Some(Arc::clone(&suspension) as _), ..config };
    let node = RollupNode::start(config).await?;
    until_synced(&node).await?;
    suspension.wanted.store(true, Ordering::Relaxed);
    until("the suspension", &node, || async { Ok(suspension.reached.load(Ordering::Relaxed)) })
        .await?;
    make_block(&sequencer, &sequencer, 0).await?;
    // One response is in the channel, and one waits for it.
    until("responses", &node, || async { Ok(served.load(Ordering::Relaxed) >= 2) }).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(served.load(Ordering::Relaxed), 2);
    suspension.wanted.store(false, Ordering::Relaxed);
    until_at_head_of(&node, &sequencer).await?;
    node.stop().await;
    relay.server.stop().await;
    sequencer.stop().await;
    Ok(())
}
