//! The Engine API of a rollup node: an unmodified client that the node drives, and calls by other
//! clients.

use crate::support::{
    DevnetRollup, L2_CHAIN, ethereumjs, provider_of, signed, submit, until, until_nonce,
    until_status,
};
use alloy_consensus::TxEip1559;
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256, hex};
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, TransactionReceipt, TransactionRequest};
use chain::{Block, Chain, ChainConfig, spec_of};
use codec::PayloadStatus;
use contracts::{Deployment, Predeploys, l2_chain_config, l2_genesis};
use enshrine_rollup::{EngineConfig, Role, RollupNode};
use eyre::{OptionExt, Result, ensure};
use node::{Clock, MineRequest, Mining, Node, SetHead, Settings};
use rpc::engine::{Driver, EngineClient, EngineError, ForkchoiceState, JwtSecret, NewPayload};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use testkit::{ETHER, FORCED_GAS, Key, Timeout, eip1559, rich};
use wire::ProtocolFork;

/// Minimum number of blocks that both clients must share.
const BLOCKS: u64 = 50;
/// Init code of a contract that logs its calldata as a topic, and stores and returns the number of
/// its calls.
pub(crate) const COUNTER: [u8; 28] =
    hex!("601380 6009 5f 39 5f f3" "5f35 5f5f a1 5f54 6001 01 80 5f55 5f52 6020 5f f3");

/// Sends an L2 transaction to the sequencer and returns its receipt.
pub(crate) async fn send(
    l2: &RootProvider,
    from: &Key,
    to: TxKind,
    value: u128,
    input: Bytes,
) -> Result<TransactionReceipt> {
    let transaction = from.sign(TxEip1559 {
        max_priority_fee_per_gas: 1_000_000,
        value: U256::from(value),
        input,
        ..eip1559(l2.get_transaction_count(from.address()).await?, to, 200_000)
    });
    let hash = submit(l2, &transaction).await?;
    let timeout = Timeout::begin();
    loop {
        if let Some(receipt) = l2.get_transaction_receipt(hash).await? {
            return Ok(receipt);
        }
        ensure!(timeout.lasts(), "no block includes {hash}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn hash_at(provider: &RootProvider, number: u64) -> Result<B256> {
    let block = provider.get_block_by_number(BlockNumberOrTag::Number(number)).await?;
    Ok(block.ok_or_eyre("no such block")?.header.hash)
}

/// Returns the head of a node's chain, which may be newer than the one in its status.
pub(crate) fn head_of(node: &RollupNode) -> Arc<Block> {
    node.node().read(|node| Arc::clone(node.chain.head()))
}

/// Asserts that both have the same blocks, and returns the number of the latest.
pub(crate) async fn assert_equal(ours: &RootProvider, theirs: &RootProvider) -> Result<u64> {
    // A block may be sealed meanwhile, and reaches the client a moment later.
    let timeout = Timeout::begin();
    let head = loop {
        let head = ours.get_block_number().await?;
        if theirs.get_block_number().await? == head {
            break head;
        }
        ensure!(timeout.lasts(), "the client is not at block {head}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for number in 0..=head {
        assert_eq!(hash_at(ours, number).await?, hash_at(theirs, number).await?, "{number}");
    }
    Ok(head)
}

/// Starts a follower of a sequencer with this Engine API configuration.
pub(crate) async fn follower(
    rollup: &DevnetRollup,
    sequencer: &RollupNode,
    engine: EngineConfig,
) -> Result<RollupNode> {
    let sequencer = Some(format!("ws://{}", sequencer.server().addresses()[0]));
    let mut config = rollup.config(Role::Follower { sequencer });
    config.engine = Some(engine);
    Ok(RollupNode::start(config).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn driven_ethereumjs_has_equal_blocks_and_serves_users() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let genesis = Deployment::read(&rollup.deployment())?.genesis;
    let theirs = ethereumjs::start(&genesis).await?;
    let sequencer = rollup.sequencer().await?;
    let driver = follower(&rollup, &sequencer, theirs.driven()?).await?;
    let (l2, users) = (provider_of(&sequencer)?, theirs.provider()?);
    assert_eq!(hash_at(&users, 0).await?, hash_at(&l2, 0).await?);

    let (alice, dave) = (Key::named("alice"), Key::named("dave"));
    let (bob, much) = (Address::repeat_byte(0xb0), U256::from(5 * ETHER));
    for account in [&alice, &dave] {
        rollup.deposit_on(&sequencer, account.address(), much).await?;
    }
    let deployed = send(&l2, &alice, TxKind::Create, 0, COUNTER.into()).await?;
    let counter = deployed.contract_address.ok_or_eyre("not deployed")?;
    let (mut calls, mut forced) = (0_u64, 0_u64);
    while l2.get_block_number().await? < BLOCKS {
        send(&l2, &alice, TxKind::Call(bob), 1, Bytes::new()).await?;
        calls += 1;
        let topic = B256::from(U256::from(calls));
        send(&l2, &alice, TxKind::Call(counter), 0, topic.into()).await?;
        if calls.is_multiple_of(8) {
            rollup.deposit(bob, U256::from(1_000)).await?;
            // A forced transaction, which was not sent to the sequencer.
            let raw = signed(&l2, &dave, bob, 7, Bytes::new(), FORCED_GAS).await?.encoded_2718();
            rollup.force(raw).await?;
            forced += 1;
            until_nonce("the forced transaction", &sequencer, dave.address(), forced).await?;
        }
    }
    assert!(forced >= 2, "{forced} forced transactions");
    let head = head_of(&sequencer);
    until_status("L1", &sequencer, |status| status.safe_head.hash == head.hash).await?;
    theirs.until_at(head.hash).await?;
    assert!(assert_equal(&l2, &users).await? >= BLOCKS);

    // Both clients return the same responses to users.
    assert_eq!(users.get_balance(bob).await?, l2.get_balance(bob).await?);
    assert_eq!(users.get_code_at(counter).await?, l2.get_code_at(counter).await?);
    let call = TransactionRequest::default().to(counter);
    let count = U256::from_be_slice(&users.call(call).latest().await?);
    assert_eq!(count, U256::from(calls + 1));
    let logs = users.get_logs(&Filter::new().address(counter).from_block(0)).await?;
    assert_eq!(logs.len() as u64, calls);
    let receipt = users.get_transaction_receipt(deployed.transaction_hash).await?;
    let receipt = receipt.ok_or_eyre("no receipt")?;
    assert_eq!(receipt.contract_address, Some(counter));
    assert_eq!(receipt.block_hash, deployed.block_hash);
    let driven = driver.status().driven.ok_or_eyre("no client is driven")?;
    assert_eq!((driven.number, driven.hash, driven.fault), (head.header.number, head.hash, None));

    // A follower with an empty database detects the client's head.
    driver.stop().await;
    send(&l2, &alice, TxKind::Call(bob), 1, Bytes::new()).await?;
    let driver = follower(&rollup, &sequencer, theirs.driven()?).await?;
    theirs.until_at(head_of(&sequencer).hash).await?;
    assert!(assert_equal(&l2, &users).await? > BLOCKS);
    driver.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_reorg_reaches_driven_client() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let genesis = Deployment::read(&rollup.deployment())?.genesis;
    let theirs = ethereumjs::start(&genesis).await?;
    let sequencer = rollup.sequencer().await?;
    let driver = follower(&rollup, &sequencer, theirs.driven()?).await?;
    let (l2, users) = (provider_of(&sequencer)?, theirs.provider()?);
    let alice = Key::named("alice").address();
    let arrived = async |ether: u128| {
        until("the deposits", &sequencer, || async {
            Ok(l2.get_balance(alice).await? == U256::from(ether * ETHER)
                && sequencer.status().safe_head.hash == head_of(&sequencer).hash)
        })
        .await
    };
    // These deposits and the contracts are older than the reorg.
    for ether in 1..=2 {
        rollup.deposit(alice, U256::from(ETHER)).await?;
        arrived(ether).await?;
    }
    rollup.provider.raw_request::<_, ()>("anvil_mine".into(), (8_u64,)).await?;
    for ether in 3..=4 {
        rollup.deposit(alice, U256::from(ETHER)).await?;
        arrived(ether).await?;
    }
    let before = head_of(&sequencer);
    theirs.until_at(before.hash).await?;
    // The latest L1 blocks are replaced by empty ones.
    rollup.reorg(8).await?;
    rollup.deposit(alice, U256::from(7 * ETHER)).await?;
    // Deposits in reorged blocks are removed.
    arrived(2 + 7).await?;
    assert_ne!(hash_at(&l2, before.header.number).await.ok(), Some(before.hash));
    theirs.until_at(head_of(&sequencer).hash).await?;
    assert_equal(&l2, &users).await?;
    assert_eq!(users.get_balance(alice).await?, l2.get_balance(alice).await?);
    driver.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_ignores_rewind_follows_sibling_block() -> Result<()> {
    let fork = ProtocolFork::Osaka;
    let mut genesis = l2_genesis(&Predeploys::built_in(), fork, 10_000_000, 1_700_000_000);
    genesis.config = l2_chain_config(L2_CHAIN, fork);
    let alice = Key::named("alice");
    genesis.alloc.insert(alice.address(), rich(ETHER));
    let theirs = ethereumjs::start(&genesis).await?;
    let chain = Chain::new(&genesis, ChainConfig::new(spec_of(&genesis.config)))?;
    let settings = Settings { mining: Mining::Manual, ..Settings::default() };
    let node = Node::new(chain, Clock::starting_at(1_700_000_000), settings);
    let make = |timestamp: u64| {
        let timestamp = Some(1_700_000_000 + timestamp);
        node.mine(&MineRequest { timestamp, ..MineRequest::default() })
    };
    let EngineConfig { secret, .. } = theirs.driven()?;
    let driver = Driver::new(Arc::clone(&node), &theirs.engine_url(), secret)?.start()?;
    let first = make(1)?;
    make(2)?;
    let third = make(3)?;
    theirs.until_at(third.hash).await?;

    // Rewinds to the first block and seals a sibling.
    node.execute(SetHead(first.hash))?;
    let timeout = Timeout::begin();
    while driver.driven().hash != first.hash {
        ensure!(timeout.lasts(), "{:?}", driver.driven());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sibling = make(9)?;
    assert_eq!(sibling.header.parent_hash, first.hash);
    theirs.until_at(sibling.hash).await?;
    // More than this client executes before it responds: it does not report `VALID` yet, and the
    // driver retries.
    for nonce in 0..250 {
        let transfer = alice.sign(TxEip1559 {
            value: U256::from(1),
            ..eip1559(nonce, Address::repeat_byte(0xb0), 21_000)
        });
        node.submit(rpc::decode_pooled(&transfer.encoded_2718().into())?)?;
    }
    let newest = make(10)?;
    assert_eq!(newest.transactions.len(), 250);
    theirs.until_at(newest.hash).await?;
    let timeout = Timeout::begin();
    while driver.driven().hash != newest.hash || driver.driven().fault.is_some() {
        ensure!(timeout.lasts(), "{:?}", driver.driven());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    driver.stop();

    // The driver refuses a client with another genesis and leaves its head unchanged.
    genesis.timestamp += 1;
    let chain = Chain::new(&genesis, ChainConfig::new(spec_of(&genesis.config)))?;
    let other = Node::new(chain, Clock::starting_at(1_700_000_001), Settings::default());
    let EngineConfig { secret, .. } = theirs.driven()?;
    let driver = Driver::new(other, &theirs.engine_url(), secret)?.start()?;
    let timeout = Timeout::begin();
    while !driver.driven().fault.is_some_and(|fault| fault.contains("first block is")) {
        ensure!(timeout.lasts(), "{:?}", driver.driven());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    driver.stop();
    assert_eq!(theirs.head().await?.1, newest.hash);
    Ok(())
}

/// Configuration of a served Engine API.
fn served() -> Result<EngineConfig> {
    let secret = JwtSecret::parse(&"5f".repeat(32))?;
    Ok(EngineConfig { secret, serve: Some(([127, 0, 0, 1], 0).into()), drive: None })
}

fn client_of(node: &RollupNode) -> Result<EngineClient> {
    let address = node.engine_address().ok_or_eyre("no Engine API")?;
    Ok(EngineClient::new(&format!("http://{address}"), served()?.secret)?)
}

const fn to(head: B256) -> ForkchoiceState {
    ForkchoiceState {
        head_block_hash: head,
        safe_block_hash: B256::ZERO,
        finalized_block_hash: B256::ZERO,
    }
}

/// Has the node build a payload on its head, which no other node has.
async fn build(client: &EngineClient, node: &RollupNode) -> Result<NewPayload> {
    let head = head_of(node);
    let attributes = json!({
        "timestamp": U64::from(head.header.timestamp + 1), "prevRandao": B256::ZERO,
        "suggestedFeeRecipient": Address::ZERO, "withdrawals": [],
        "parentBeaconBlockRoot": head.header.parent_beacon_block_root,
    });
    let fork = ProtocolFork::Osaka;
    let attributes = serde_json::from_value(attributes)?;
    let begun = client.forkchoice_updated(to(head.hash), Some(&attributes), fork);
    let id = begun.await?.payload_id.ok_or_eyre("no payload")?;
    let root = head.header.parent_beacon_block_root.unwrap_or_default();
    Ok(client.get_payload(id, fork).await?.into_new_payload(root))
}

async fn refused(client: &EngineClient, head: B256) -> Result<bool> {
    let params = json!([to(head), null]);
    match client.call::<Value>("engine_forkchoiceUpdatedV3", params).await {
        Err(EngineError::Refused { code: -38_002, .. }) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_api_cannot_replace_blocks_on_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.engine = Some(served()?);
    let sequencer = RollupNode::start(config).await?;
    let mut config = rollup.config(Role::Follower { sequencer: None });
    config.engine = Some(served()?);
    let follower = RollupNode::start(config).await?;
    let alice = Key::named("alice").address();
    rollup.deposit(alice, U256::from(ETHER)).await?;
    until_status("the deposit", &follower, |status| status.safe_head.number == 1).await?;
    let (ours, theirs) = (client_of(&sequencer)?, client_of(&follower)?);
    let genesis = Deployment::read(&rollup.deployment())?.genesis_hash;

    // Beyond the safe head a follower obeys the caller; below it, the head cannot be moved.
    let new = build(&theirs, &follower).await?;
    let hash = new.payload.block_hash;
    assert!(!refused(&theirs, hash).await?);
    assert_eq!(follower.status().unsafe_head.hash, hash);
    assert!(refused(&theirs, genesis).await?);

    // A sequencer builds and validates payloads for callers, but they cannot move its head.
    let offered = build(&ours, &sequencer).await?;
    for new in [&offered, &new] {
        let status = ours.new_payload(new, ProtocolFork::Osaka).await?;
        assert_eq!(status, PayloadStatus::valid(new.payload.block_hash));
        assert!(refused(&ours, new.payload.block_hash).await?);
    }
    assert!(!refused(&ours, sequencer.status().unsafe_head.hash).await?);

    // L1 includes another block in place of the one that the caller built.
    rollup.deposit(alice, U256::from(ETHER)).await?;
    until_status("the other block", &follower, |status| {
        status.safe_head.number == 2 && status.unsafe_head == status.safe_head
    })
    .await?;
    assert_ne!(follower.status().unsafe_head.hash, hash);
    assert!(refused(&theirs, hash).await?);
    // A head that was moved below L1's blocks is advanced to them again.
    follower.node().execute(SetHead(genesis))?;
    until_status("the blocks on L1", &follower, |status| {
        status.safe_head.number >= 2 && status.unsafe_head == status.safe_head
    })
    .await?;
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}
