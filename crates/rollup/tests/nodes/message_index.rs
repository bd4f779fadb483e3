//! The index of messages over a long chain on disk, after restarts and damage.

use crate::support::{DevnetRollup, Setup, provider_of, until};
use alloy_consensus::{Header, TxEip1559, TxType};
use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_provider::{Provider as _, RootProvider, ext::AnvilApi as _};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::{SolCall as _, SolEvent as _};
use chain::{
    Block, Chain, ChainConfig, spec_of,
    store::{CanonicalChange, Changes},
};
use contracts::{
    Deployment, L1_ANCHOR, L2_MESSENGER,
    bindings::{
        IL1MessageQueue::sendCall,
        IL2Messenger::{MessageDelivered, MessageSent},
    },
};
use disk::open_chain;
use enshrine_rollup::{Config, Role, RollupNode};
use executor::{ExecutionOutcome, Receipt};
use eyre::{OptionExt as _, Result, ensure, eyre};
use rpc_types::{Direction, MessageInfo, MessagePage, MessageState};
use serde_json::{Value, json};
use std::{env, fs, path::Path, sync::Arc, time::Duration};
use testkit::{ETHER, Key, Timeout, rich};

/// Environment variable for the number of L2 blocks; with it, the test prints its times.
const BLOCKS: &str = "ENSHRINE_MESSAGE_BLOCKS";
/// Number of blocks without it: more than the index writes at once.
const DEFAULT_BLOCKS: u64 = 1_000;
/// Number of blocks for each message in both directions.
const DISTANCE: u64 = 10;
/// Messages of an L1 transaction.
const BATCH: u64 = 100;
/// Blocks of a commit.
const COMMIT: u64 = 1_000;
/// Number of requests of each kind.
const REQUESTS: u64 = 2_000;
const SENDER: Address = Address::repeat_byte(0x5e);
/// Account of one message in each thousand.
const RARE: Address = Address::repeat_byte(0x4a);

fn recipient(index: u64) -> Address {
    match index % 1_000 {
        7 => RARE,
        8 => alike(RARE),
        _ => Address::from_word(U256::from(index + 1_000).into()),
    }
}

/// Another account with the bytes that the indexes have of this one.
fn alike(account: Address) -> Address {
    let mut other = account.into_array();
    other[0] ^= 1;
    other.into()
}

/// A block with two transactions that deliver and send a message with this index.
fn with_messages(header: Header, index: u64, key: &Key) -> Block {
    let to = recipient(index);
    let delivered = MessageDelivered { index };
    let sent = MessageSent {
        index,
        sender: SENDER,
        to,
        refundTo: to,
        value: index.into(),
        fee: 0,
        gasLimit: 0,
        data: Bytes::new(),
    };
    let receipt = |number: u64, data| Receipt {
        tx_type: TxType::Eip1559,
        success: true,
        cumulative_gas_used: number * 100_000,
        logs: vec![Log { address: L2_MESSENGER, data }],
    };
    let receipts =
        vec![receipt(1, delivered.encode_log_data()), receipt(2, sent.encode_log_data())];
    let executed = ExecutionOutcome { receipts, gas_used: 200_000, ..Default::default() };
    let logs_bloom = executed.receipts_root_and_bloom().1;
    let transactions: Vec<_> = (2 * index..2 * index + 2)
        .map(|nonce| key.sign(TxEip1559 { nonce, gas_limit: 100_000, ..Default::default() }))
        .map(|transaction| transaction.into())
        .collect();
    let senders = vec![key.address(); transactions.len()];
    Block::sealed(Header { logs_bloom, ..header }, transactions, senders, vec![], executed)
}

/// Adds blocks to the chain of a data directory, without executing them.
fn grow(folder: &Path, deployment: &Deployment, blocks: u64) -> Result<()> {
    let config = ChainConfig::new(spec_of(&deployment.genesis.config));
    let chain: Chain = open_chain(folder, &deployment.genesis, config)?;
    let (mut parent, key) = (Arc::clone(chain.head()), Key::named("alice"));
    while parent.header.number < blocks {
        let mut batch = Vec::new();
        for _ in 0..COMMIT {
            let number = parent.header.number + 1;
            let header = Header {
                parent_hash: parent.hash,
                number,
                timestamp: parent.header.timestamp + 1,
                ..parent.header.clone()
            };
            let header = Header { logs_bloom: Default::default(), ..header };
            let mut block = match number % DISTANCE {
                0 => with_messages(header, number / DISTANCE - 1, &key),
                _ => Block::from_header(header),
            };
            block.pre_state_root = block.header.state_root;
            block.provable = false;
            parent = Arc::new(block);
            batch.push(Arc::clone(&parent));
        }
        let from = batch.first().map_or(0, |block| block.header.number);
        let canonical = Some(CanonicalChange { from, blocks: batch.clone() });
        chain.store().commit(Changes { blocks: batch, canonical, ..Changes::default() })?;
    }
    Ok(())
}

/// Sends this number of messages on L1, by a contract that repeats a call.
async fn send_all(rollup: &DevnetRollup, count: u64) -> Result<()> {
    let contract = Address::repeat_byte(0x77);
    // CALL(GAS, queue, 1, 0, CALLDATASIZE, 0, 0) with the calldata, BATCH times; a failure reverts.
    let code = [
        &[0x36, 0x5f, 0x5f, 0x37, 0x60, BATCH as u8, 0x5b][..],
        &[0x5f, 0x5f, 0x36, 0x5f, 0x60, 1, 0x73],
        rollup.message_queue.as_slice(),
        &[0x5a, 0xf1, 0x15, 0x60, 0x31, 0x57],
        &[0x60, 1, 0x90, 0x03, 0x80, 0x60, 0x06, 0x57, 0x00],
        &[0x5b, 0x5f, 0x5f, 0xfd],
    ]
    .concat();
    rollup.provider.anvil_set_code(contract, code.into()).await?;
    rollup.provider.anvil_set_balance(contract, rich(ETHER).balance).await?;
    let to = recipient(0);
    let call = sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
    let from = rollup.l1.addresses()[0];
    for _ in 0..count / BATCH {
        let request = TransactionRequest::default()
            .from(from)
            .to(contract)
            .gas_limit(16_000_000)
            .input(call.abi_encode().into());
        let receipt = rollup.provider.send_transaction(request).await?.get_receipt().await?;
        ensure!(receipt.status(), "the messages are not sent");
    }
    Ok(())
}

async fn message(l2: &RootProvider, direction: Direction, index: u64) -> Result<MessageInfo> {
    let parameters = (direction, format!("{index:#x}"));
    let found: Option<MessageInfo> = l2.raw_request("rollup_getMessage".into(), parameters).await?;
    found.ok_or_eyre("no such message")
}

async fn page(l2: &RootProvider, direction: Direction, filter: Value) -> Result<MessagePage> {
    Ok(l2.raw_request("rollup_getMessages".into(), (direction, filter)).await?)
}

/// Requires the answers about all messages, or about some of many.
async fn check(l2: &RootProvider, messages: u64) -> Result<()> {
    for index in (0..messages).step_by((messages / 100) as usize) {
        let sent = message(l2, Direction::L2ToL1, index).await?;
        assert_eq!((sent.state, sent.sent.block), (MessageState::Unsafe, (index + 1) * DISTANCE));
        assert_eq!((sent.message.to, sent.message.value), (recipient(index), index.into()));
        let relayed = message(l2, Direction::L1ToL2, index).await?;
        let block = relayed.delivered.ok_or_eyre("it is delivered")?.block;
        assert_eq!((relayed.state, block), (MessageState::Relayed, (index + 1) * DISTANCE));
    }
    let newest = page(l2, Direction::L2ToL1, json!({ "limit": "0x2" })).await?;
    let indexes: Vec<_> = newest.messages.iter().map(|message| message.index).collect();
    assert_eq!(indexes, [messages - 1, messages - 2]);
    let found = listed(l2, Direction::L2ToL1, RARE).await?;
    let expected: Vec<_> = (0..messages).filter(|index| recipient(*index) == RARE).rev().collect();
    assert_eq!(found, expected);
    for (direction, account) in [(Direction::L2ToL1, SENDER), (Direction::L1ToL2, recipient(0))] {
        let own = page(l2, direction, json!({ "account": account })).await?;
        assert_eq!(own.messages.len(), 25);
        assert!(listed(l2, direction, alike(account)).await?.is_empty());
    }
    Ok(())
}

/// Returns the indexes of all messages of an account.
async fn listed(l2: &RootProvider, direction: Direction, account: Address) -> Result<Vec<u64>> {
    let mut filter = json!({ "account": account, "limit": "0x64" });
    let mut found = Vec::new();
    loop {
        let page = page(l2, direction, filter.clone()).await?;
        found.extend(page.messages.iter().map(|message| message.index));
        let Some(next) = page.next else { return Ok(found) };
        filter["before"] = json!(format!("{next:#x}"));
    }
}

/// The newest message of an account follows one of another account with the same bytes.
async fn check_full_page(l2: &RootProvider, node: &RollupNode) -> Result<()> {
    // A slow node may end the page early.
    until("a full page", node, || async {
        let page = page(l2, Direction::L2ToL1, json!({ "account": RARE, "limit": "0x1" })).await?;
        Ok(page.messages.iter().map(|message| message.index).eq([7]))
    })
    .await
}

/// Prints median and 99th percentile of requests.
async fn time<T>(what: &str, mut request: impl AsyncFnMut(u64) -> Result<T>) -> Result<()> {
    let mut times = Vec::new();
    for number in 0..REQUESTS {
        let begun = Timeout::begin();
        request(number).await?;
        times.push(begun.spent());
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: median {:.2?}, p99 {:.2?}", at(50), at(99));
    Ok(())
}

/// Prints the times of requests about this number of messages.
async fn print_times(l2: &RootProvider, messages: u64) -> Result<()> {
    use Direction::{L1ToL2, L2ToL1};
    let some = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % messages;
    for (name, direction) in [("to L1", L2ToL1), ("to the L2", L1ToL2)] {
        time(&format!("getMessage, {name}"), async |index| {
            message(l2, direction, some(index)).await
        })
        .await?;
        let filters = [
            ("newest 25", json!({})),
            ("100 of an account", json!({ "account": RARE, "limit": "0x64" })),
            ("of no account", json!({ "account": Address::repeat_byte(1) })),
        ];
        for (what, filter) in filters {
            let name = format!("getMessages, {name}, {what}");
            time(&name, async |_| page(l2, direction, filter.clone()).await).await?;
        }
        let name = format!("getMessages, {name}, 25 before any");
        time(&name, async |index| {
            page(l2, direction, json!({ "before": format!("{:#x}", some(index)) })).await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn index_of_long_chain_survives_restart_and_damage() -> Result<()> {
    let measured = env::var(BLOCKS).ok();
    let blocks = measured.as_ref().map_or(Ok(DEFAULT_BLOCKS), |text| text.parse())?;
    let messages = blocks / DISTANCE;
    ensure!(blocks.is_multiple_of(COMMIT), "{BLOCKS} is a multiple of {COMMIT}");
    // The state of the genesis has the numbers of relayed and sent messages, and that of the
    // messages that the anchor covers.
    let setup = Setup::new().change(move |fixture| {
        fixture.with_genesis(|genesis| {
            let word = |low: u64, high: u64| B256::from(U256::from_limbs([low, high, 0, 0]));
            let slots = [(L2_MESSENGER, word(messages, messages)), (L1_ANCHOR, word(0, messages))];
            for (contract, value) in slots {
                let account = genesis.alloc.entry(contract).or_default();
                account.storage.get_or_insert_default().insert(B256::ZERO, value);
            }
        })
    });
    let rollup = setup.deploy().await?;
    let folder = tempfile::tempdir()?;
    let (deployment, path) = (Deployment::read(&rollup.deployment())?, folder.path().to_owned());
    tokio::task::spawn_blocking(move || grow(&path, &deployment, blocks)).await??;
    send_all(&rollup, messages).await?;
    // No reorg can remove the messages of any L1 block.
    rollup.provider.anvil_mine(Some(1_100), None).await?;
    let l1_head = rollup.provider.get_block_number().await?;

    let file = folder.path().join("messages.log");
    let config = || {
        let role = Role::Follower { sequencer: None };
        let data_dir = Some(folder.path().to_owned());
        Config { data_dir, allow_altered_genesis: true, ..rollup.config(role) }
    };
    let start = async |what: &str| -> Result<RollupNode> {
        let begun = Timeout::begin();
        let node = RollupNode::start(config()).await?;
        let started = begun.spent();
        let l2 = provider_of(&node)?;
        let is_ready = async || -> Result<bool> {
            let last = messages - 1;
            if node.status().l1_head.is_none_or(|head| head.number < l1_head) {
                return Ok(false);
            }
            let on_l1 = message(&l2, Direction::L1ToL2, last).await.is_ok();
            Ok(on_l1 && message(&l2, Direction::L2ToL1, last).await.is_ok())
        };
        if measured.is_some() {
            while message(&l2, Direction::L2ToL1, messages - 1).await.is_err() {}
            let (answered, l1) = (begun.spent(), node.status().l1_head);
            println!("{what}: started in {started:.2?}, answers after {answered:.2?}, {l1:?}");
            while !is_ready().await? {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        } else {
            until("the messages", &node, is_ready).await?;
        }
        assert_eq!(node.status().unsafe_head.number, blocks);
        Ok(node)
    };
    let node = start("no file").await?;
    check(&provider_of(&node)?, messages).await?;
    if measured.is_none() {
        check_full_page(&provider_of(&node)?, &node).await?;
    }
    node.stop().await;
    let content = fs::read(&file)?;
    let node = start("with the file").await?;
    check(&provider_of(&node)?, messages).await?;
    if measured.is_some() {
        println!("{blocks} blocks, {messages} messages, file of {} bytes", content.len());
        print_times(&provider_of(&node)?, messages).await?;
    }
    node.stop().await;
    if measured.is_some() {
        // The rest of a start is reading the other files.
        fs::remove_file(&file)?;
        let begun = Timeout::begin();
        let node = RollupNode::start(config()).await?;
        println!("without the file again: started in {:.2?}", begun.spent());
        node.stop().await;
        return Ok(());
    }

    let is_lost = |node: &RollupNode| {
        node.status().warnings.iter().any(|warning| warning.starts_with("messages.log is missing"))
    };
    let mut damaged = content.clone();
    damaged[content.len() / 3] ^= 4;
    for (what, bytes) in [
        ("a flipped bit", Some(&damaged[..])),
        ("a killed write", Some(&content[..content.len() / 2])),
        ("a deleted file", None),
    ] {
        match bytes {
            Some(bytes) => fs::write(&file, bytes)?,
            None => fs::remove_file(&file)?,
        }
        let node = start(what).await?;
        check(&provider_of(&node)?, messages).await?;
        assert_eq!(is_lost(&node), bytes.is_none(), "{what}");
        node.stop().await;
        let again = fs::read(&file)?;
        ensure!(again == content, eyre!("{what}: {} of {} bytes", again.len(), content.len()));
    }
    Ok(())
}
