//! The requests that the indexer of Blockscout makes of a node of the variants `geth` and `erigon`
//! (`apps/ethereum_jsonrpc` of its repository), in batches and with its upper-case numbers.

use crate::process::Localnet;
use alloy_primitives::{Address, U64};
use alloy_provider::{Provider as _, RootProvider};
use alloy_rpc_client::BatchRequest;
use eyre::{Result, WrapErr as _, ensure};
use rpc_types::SyncStatus;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// Members without which Blockscout rejects a block.
const BLOCK: &[&str] = &[
    "difficulty",
    "extraData",
    "gasLimit",
    "gasUsed",
    "hash",
    "logsBloom",
    "miner",
    "number",
    "parentHash",
    "receiptsRoot",
    "sha3Uncles",
    "size",
    "stateRoot",
    "timestamp",
    "transactionsRoot",
    "uncles",
];
/// The same of a transaction.
const TRANSACTION: &[&str] = &[
    "blockHash",
    "blockNumber",
    "from",
    "gas",
    "gasPrice",
    "hash",
    "input",
    "nonce",
    "r",
    "s",
    "to",
    "transactionIndex",
    "v",
    "value",
];
/// The same of a receipt.
const RECEIPT: &[&str] = &[
    "contractAddress",
    "cumulativeGasUsed",
    "gasUsed",
    "logs",
    "status",
    "transactionHash",
    "transactionIndex",
];
/// The same of a log.
const LOG: &[&str] =
    &["address", "blockHash", "blockNumber", "data", "logIndex", "topics", "transactionHash"];
/// The same of a call of the tracer.
const CALL: &[&str] = &["from", "gas", "gasUsed", "input", "type", "value"];

/// Number of blocks that Blockscout requests at once.
const BLOCKS: usize = 10;

fn number(number: u64) -> String {
    format!("0x{number:X}")
}

fn require(members: &[&str], of: &Value) -> Result<()> {
    let missing: Vec<_> = members.iter().filter(|name| of.get(**name).is_none()).collect();
    ensure!(missing.is_empty(), "{of} lacks {missing:?}");
    Ok(())
}

/// Sends requests as one batch, and returns their results. None may fail.
async fn batch(node: &RootProvider, requests: &[(&'static str, Value)]) -> Result<Vec<Value>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let mut batch = BatchRequest::new(node.client());
    let mut waiters = Vec::new();
    for (method, params) in requests {
        waiters.push(batch.add_call::<_, Value>(*method, params)?);
    }
    batch.send().await?;
    let mut results = Vec::new();
    for (waiter, (method, params)) in waiters.into_iter().zip(requests) {
        results.push(waiter.await.wrap_err_with(|| format!("{method} {params}"))?);
    }
    Ok(results)
}

/// Requests what Blockscout stores of a block. Returns its number of transactions.
async fn index_block(node: &RootProvider, block: &Value) -> Result<usize> {
    require(BLOCK, block)?;
    let at: U64 = serde_json::from_value(block["number"].clone())?;
    let at = number(at.to());
    let tracer = json!({ "tracer": "callTracer", "timeout": "60s" });
    let (mut receipts, mut traces, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
    let transactions = block["transactions"].as_array().cloned().unwrap_or_default();
    for transaction in &transactions {
        require(TRANSACTION, transaction)?;
        let hash = &transaction["hash"];
        receipts.push(("eth_getTransactionReceipt", json!([hash])));
        traces.push(("debug_traceTransaction", json!([hash, tracer])));
        let known = [&transaction["from"], &transaction["to"]].into_iter().cloned();
        accounts.extend(known.filter(|account| !account.is_null()));
    }
    let receipts = batch(node, &receipts).await?;
    for receipt in &receipts {
        require(RECEIPT, receipt)?;
        for log in receipt["logs"].as_array().into_iter().flatten() {
            require(LOG, log)?;
            accounts.push(log["address"].clone());
        }
        let created = receipt["contractAddress"].clone();
        accounts.extend(Some(created).filter(|account| !account.is_null()));
    }
    for call in &batch(node, &traces).await? {
        require(CALL, call)?;
    }
    let whole = batch(
        node,
        &[
            ("eth_getBlockReceipts", json!([at])),
            ("debug_traceBlockByNumber", json!([at, tracer])),
            ("trace_replayBlockTransactions", json!([at, ["trace"]])),
            ("eth_getLogs", json!([{ "fromBlock": at, "toBlock": at }])),
        ],
    )
    .await?;
    assert_eq!(whole[0], json!(receipts));
    for results in &whole[1..3] {
        assert_eq!(results.as_array().map(Vec::len), Some(transactions.len()));
    }
    batch(node, &[("trace_block", json!([at]))]).await?;
    for account in &accounts {
        let of_account = [
            ("eth_getBalance", json!([account, at])),
            ("eth_getTransactionCount", json!([account, at])),
            ("eth_getCode", json!([account, at])),
            // The slot of EIP-1967, by which it recognizes proxies.
            (
                "eth_getStorageAt",
                json!([
                    account,
                    "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc",
                    "latest"
                ]),
            ),
        ];
        batch(node, &of_account).await?;
    }
    Ok(transactions.len())
}

/// Indexes the blocks from `first` on. Returns the number of transactions.
async fn index(node: &RootProvider, first: u64) -> Result<usize> {
    let newest = batch(node, &[("eth_getBlockByNumber", json!(["latest", false]))]).await?;
    let newest: U64 = serde_json::from_value(newest[0]["number"].clone())?;
    let all: Vec<_> = (first..=newest.to()).collect();
    let mut transactions = 0;
    for numbers in all.chunks(BLOCKS) {
        let of = |at: &u64| ("eth_getBlockByNumber", json!([number(*at), true]));
        let requests: Vec<_> = numbers.iter().map(of).collect();
        for block in &batch(node, &requests).await? {
            transactions += index_block(node, block).await?;
            let again =
                batch(node, &[("eth_getBlockByHash", json!([block["hash"], true]))]).await?;
            assert_eq!(again[0]["hash"], block["hash"]);
        }
    }
    let content = batch(node, &[("txpool_content", json!([]))]).await?;
    require(&["pending", "queued"], &content[0])?;
    Ok(transactions)
}

/// Returns the number of the first block whose state and parent's state are stored.
async fn first_with_states(node: &RootProvider) -> Result<u64> {
    let mut first = 0;
    while node.get_balance(Address::ZERO).number(first).await.is_err() {
        ensure!(first < 1_000, "no state is stored");
        first += 1;
    }
    Ok(first + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn blockscout_indexes_both_chains() -> Result<()> {
    let localnet = Localnet::start(&[]);
    let provider = |key: &str| -> Result<RootProvider> {
        let url = localnet.report[key].as_str().unwrap_or_default();
        Ok(RootProvider::new_http(url.parse()?))
    };
    let (l1, l2) = (provider("l1Url")?, provider("l2Url")?);
    let payment = json!({
        "from": localnet.user(0), "to": Address::repeat_byte(0x0e), "value": "0x1"
    });
    let sent: Value = l1.raw_request("eth_sendTransaction".into(), (payment,)).await?;
    while l1.raw_request::<_, Value>("eth_getTransactionReceipt".into(), (&sent,)).await?.is_null()
    {
        sleep(Duration::from_millis(50)).await;
    }
    // L1 also has a transaction with the first L2 block, which the localnet posts after its start.
    while l2.raw_request::<_, SyncStatus>("rollup_syncStatus".into(), ()).await?.safe_head.number
        == 0
    {
        sleep(Duration::from_millis(50)).await;
    }
    let first = first_with_states(&l1).await?;
    // The blocks of the state file, which have the deployment, are not indexed.
    ensure!(first > 10, "L1 has the states from block {first} on");
    ensure!(index(&l1, first).await? > 1);
    ensure!(index(&l2, 1).await? > 3);

    // Blockscout calls each token like this.
    for (node, token) in [(&l1, "l1Token"), (&l2, "l2Token")] {
        let call = |data: &str| {
            let call = json!({ "to": localnet.address(token), "data": data });
            ("eth_call", json!([call, "latest"]))
        };
        let calls = ["0x06fdde03", "0x95d89b41", "0x313ce567", "0x18160ddd"].map(call);
        let results = batch(node, &calls).await?;
        ensure!(
            results.iter().all(|result| result.as_str().is_some_and(|result| result.len() > 2)),
            "{token}"
        );
    }
    Ok(())
}
