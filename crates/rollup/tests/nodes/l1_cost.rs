//! The L1 transaction of a block and its cost, as the sequencer and followers report it.

use crate::{
    blobs_of_l1::with_beacon,
    support::{
        DevnetRollup, Setup, is_settled, provider_of, signed_with, until, until_included,
        until_status, until_synced,
    },
};
use alloy_eips::{BlockNumberOrTag, eip2718::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, RootProvider};
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{OptionExt as _, Result, ensure, eyre};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, time::Duration};
use testkit::{ETHER, Key, rich};

/// Fields of a response about a block that is on L1.
const FIELDS: [&str; 7] = [
    "l1TransactionHash",
    "l1BlockNumber",
    "l1GasUsed",
    "l1GasPrice",
    "l1BlobGasUsed",
    "l1BlobGasPrice",
    "l1Cost",
];

fn keys() -> [Key; 3] {
    [Key::named("alice"), Key::named("bob"), Key::named("carol")]
}

fn accounts() -> Vec<(Address, alloy_genesis::GenesisAccount)> {
    keys().iter().map(|key| (key.address(), rich(ETHER))).collect()
}

async fn ask(l2: &RootProvider, method: &'static str, params: Value) -> Result<Value> {
    Ok(l2.raw_request(method.into(), params).await?)
}

fn number(value: &Value) -> Result<U256> {
    let text = value.as_str().ok_or_else(|| eyre!("no number: {value}"))?;
    Ok(text.parse()?)
}

/// Sends transfers in blocks of different sizes, several of which are posted together.
async fn send(node: &RollupNode, nonce: u64) -> Result<()> {
    let l2 = provider_of(node)?;
    for (round, size) in (nonce..).zip([1, 3, 2, 3]) {
        let mut last = B256::ZERO;
        for key in &keys()[..size] {
            let to = Address::repeat_byte(0xb0);
            let data = Bytes::from(vec![1; 100 * size]);
            let transfer = signed_with(key, round, to, 1, data, 60_000).encoded_2718();
            last = *l2.send_raw_transaction(&transfer).await?.tx_hash();
        }
        // Waits, so that each round gets its own block.
        until_included("the transfers", node, last).await?;
        // Advances the nonces of the other accounts.
        for key in &keys()[size..] {
            let filler = signed_with(key, round, key.address(), 0, Bytes::new(), 21_000);
            drop(l2.send_raw_transaction(&filler.encoded_2718()).await?);
        }
    }
    until("all on L1", node, || async {
        let waiting: Value = ask(&l2, "txpool_status", json!([])).await?;
        Ok(waiting["pending"] == "0x0" && is_settled(node))
    })
    .await
}

/// Asserts that the cost shares of each L1 transaction add up to the cost in its receipt. Returns
/// the blocks, and the number of blocks in the largest transaction.
async fn assert_shares_are_the_cost(
    rollup: &DevnetRollup,
    node: &RollupNode,
) -> Result<(Vec<Value>, usize)> {
    let l2 = provider_of(node)?;
    let head = l2.get_block_number().await?;
    let (mut blocks, mut shares) = (Vec::new(), BTreeMap::<B256, Vec<U256>>::new());
    for at in 1..=head {
        let at = format!("{at:#x}");
        let block = ask(&l2, "eth_getBlockByNumber", json!([at, true])).await?;
        let cost = number(&block["l1Cost"])?;
        let hash: B256 = serde_json::from_value(block["l1TransactionHash"].clone())?;
        shares.entry(hash).or_default().push(cost);

        let by_hash = ask(&l2, "eth_getBlockByHash", json!([block["hash"], true])).await?;
        assert_eq!(by_hash, block);
        let receipts = ask(&l2, "eth_getBlockReceipts", json!([at])).await?;
        let receipts = receipts.as_array().ok_or_eyre("no receipts")?;
        let mut sum = U256::ZERO;
        for receipt in receipts {
            let by_hash = json!([receipt["transactionHash"]]);
            assert_eq!(&ask(&l2, "eth_getTransactionReceipt", by_hash.clone()).await?, receipt);
            let status = ask(&l2, "rollup_transactionStatus", by_hash).await?;
            assert_eq!(status["status"], "posted");
            for field in FIELDS {
                assert_eq!(receipt[field], status[field], "{field}");
                assert!(field == "l1Cost" || receipt[field] == block[field], "{field}");
            }
            sum += number(&receipt["l1Cost"])?;
        }
        assert!(!receipts.is_empty() && sum == cost, "block {at}: {sum} of {cost}");

        let in_full = ask(&l2, "rollup_blockCost", json!([at])).await?;
        assert_eq!(in_full["l1Cost"], block["l1Cost"]);
        assert!(number(&in_full["firstBlock"])? <= number(&block["number"])?);
        assert!(number(&in_full["lastBlock"])? >= number(&block["number"])?);
        blocks.push(json!([block, receipts, in_full]));
    }
    for (hash, shares) in &shares {
        let receipt = rollup.provider.get_transaction_receipt(*hash).await?;
        let receipt = receipt.ok_or_eyre("the transaction is not on L1")?;
        let of = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
        let blobs = receipt.blob_gas_used.unwrap_or_default();
        let cost = of(receipt.gas_used, receipt.effective_gas_price)
            + of(blobs, receipt.blob_gas_price.unwrap_or_default());
        assert_eq!(shares.iter().sum::<U256>(), cost, "{hash}: {shares:?}");
    }
    let largest = shares.values().map(Vec::len).max().unwrap_or_default();
    Ok((blocks, largest))
}

fn sequencing(rollup: &DevnetRollup) -> Result<Role> {
    let mut config = rollup.sequencer_config()?;
    config.submit_interval = Duration::from_secs(4);
    Ok(Role::Sequencer(Box::new(config)))
}

fn follower(rollup: &DevnetRollup, folder: &Path) -> Config {
    let config = rollup.config(Role::Follower { sequencer: None });
    Config { data_dir: Some(folder.to_owned()), ..config }
}

/// Exact to the wei, and the same at a follower, after a restart and after an L1 reorg.
#[tokio::test(flavor = "multi_thread")]
async fn calldata_cost_shares_sum_to_l1_receipt() -> Result<()> {
    let rollup = DevnetRollup::with(accounts()).await?;
    let sequencer = RollupNode::start(rollup.config(sequencing(&rollup)?)).await?;
    let l2 = provider_of(&sequencer)?;
    // The genesis block is not on L1, so it has no L1 transaction.
    let genesis = ask(&l2, "eth_getBlockByNumber", json!(["0x0", false])).await?;
    assert!(genesis["hash"].is_string() && genesis.get("l1Cost").is_none(), "{genesis}");
    assert_eq!(ask(&l2, "rollup_blockCost", json!(["0x0"])).await?, Value::Null);
    send(&sequencer, 0).await?;
    let (reported, largest) = assert_shares_are_the_cost(&rollup, &sequencer).await?;
    ensure!(largest >= 2, "no two blocks were posted together");
    for block in &reported {
        assert_eq!(block[0]["l1BlobGasUsed"], "0x0");
        assert_eq!(block[0]["l1BlobGasPrice"], Value::Null);
    }

    let folder = tempfile::tempdir()?;
    for _ in 0..2 {
        let node = RollupNode::start(follower(&rollup, folder.path())).await?;
        let safe = sequencer.status().safe_head;
        until_status("the follower", &node, |status| status.safe_head == safe).await?;
        assert_eq!(assert_shares_are_the_cost(&rollup, &node).await?.0, reported);
        node.stop().await;
    }

    // A reorg removes the transactions. L1 then includes the blocks in other transactions or in
    // other L1 blocks.
    let node = RollupNode::start(follower(&rollup, folder.path())).await?;
    until_synced(&node).await?;
    let first_block = number(&reported[0][0]["l1BlockNumber"])?;
    let head = rollup.provider.get_block_number().await?;
    let depth = head + 1 - first_block.to::<u64>();
    rollup.reorg(depth).await?;
    until("the blocks on L1 again", &node, || async {
        let head = rollup.provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
        let head = head.map(|head| head.header.hash);
        let (ours, theirs) = (sequencer.status(), node.status());
        let have_read =
            [&ours, &theirs].iter().all(|status| status.l1_head.map(|head| head.hash) == head);
        Ok(have_read && is_settled(&sequencer) && ours.safe_head == theirs.safe_head)
    })
    .await?;
    let (again, _) = assert_shares_are_the_cost(&rollup, &sequencer).await?;
    assert_eq!(assert_shares_are_the_cost(&rollup, &node).await?.0, again);
    let place =
        |block: &Value| (block["l1BlockNumber"].clone(), block["l1TransactionHash"].clone());
    assert_ne!(place(&again[0][0]), place(&reported[0][0]));
    node.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// Exact to the wei, including the cost of the blob gas.
#[tokio::test(flavor = "multi_thread")]
async fn blob_cost_shares_sum_to_l1_receipt() -> Result<()> {
    let rollup = Setup::new().blobs().accounts(accounts()).deploy().await?;
    let config = rollup.config(sequencing(&rollup)?);
    let sequencer = RollupNode::start(with_beacon(config, &rollup.l1.endpoint())).await?;
    send(&sequencer, 0).await?;
    let (reported, largest) = assert_shares_are_the_cost(&rollup, &sequencer).await?;
    ensure!(largest >= 2, "no two blocks were posted together");
    for block in &reported {
        let blob_gas = number(&block[0]["l1BlobGasUsed"])?;
        assert!(!blob_gas.is_zero() && number(&block[0]["l1BlobGasPrice"]).is_ok(), "{block}");
    }
    let folder = tempfile::tempdir()?;
    let config = with_beacon(follower(&rollup, folder.path()), &rollup.l1.endpoint());
    let node = RollupNode::start(config).await?;
    let safe = sequencer.status().safe_head;
    until_status("the follower", &node, |status| status.safe_head == safe).await?;
    assert_eq!(assert_shares_are_the_cost(&rollup, &node).await?.0, reported);
    node.stop().await;
    sequencer.stop().await;
    Ok(())
}
