//! Requests to the nodes of a rollup: heads and states, signed transactions, and polling.

use crate::{ETHER, Key};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use alloy_rpc_types_eth::{Block, TransactionReceipt};
use alloy_sol_types::SolCall;
use client::Client;
use contracts::bindings::IL1MessageQueue;
use eyre::{OptionExt, Result, WrapErr as _, ensure, eyre};
use rpc_types::SyncStatus;
use serde_json::{Value, json};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Maximum time that a run waits for progress of the nodes.
pub(crate) const RETRY_TIMEOUT: Duration = Duration::from_secs(120);

/// Returns the fee of a message to the L2, in wei: enough for any gas limit at several times L1's
/// initial base fee, or zero if messages are free.
pub fn message_fee(l1: &Client, message_queue: Address) -> Result<u128> {
    let percent = ask(l1, message_queue, &IL1MessageQueue::FEE_PERCENTCall {})?;
    Ok(if percent == 0 { 0 } else { ETHER / 100 })
}

/// Sends a deposit and returns its hash without waiting for its inclusion. The fee is added to
/// `value`.
pub fn send_deposit(
    l1: &Client,
    chain_id: u64,
    message_queue: Address,
    from: &Key,
    to: Address,
    value: u128,
) -> Result<B256> {
    let fee = message_fee(l1, message_queue)?;
    let call = IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee, data: Bytes::new() };
    send(l1, chain_id, from, message_queue.into(), value + fee, call.abi_encode().into(), 300_000)
}

/// Requests a node's sync status.
pub fn status(node: &Client) -> Result<SyncStatus> {
    Ok(node.request("rollup_syncStatus", ())?)
}

/// Waits until all blocks of a node are on L1, and returns the number of the last.
pub fn until_safe(node: &Client) -> Result<u64> {
    let mut last = None;
    let all = until("L1 to have all blocks", || {
        let status = status(node)?;
        let done = status.safe_head.number >= status.unsafe_head.number;
        last = Some(status);
        Ok(done)
    });
    let last = last.ok_or_eyre("no status")?;
    all.wrap_err_with(|| format!("{:?}", last.fault))?;
    Ok(last.safe_head.number)
}

/// Polls a condition until it holds.
///
/// # Errors
///
/// If the condition fails, or does not hold within the time limit.
pub fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        ensure!(begun.elapsed() < RETRY_TIMEOUT, "timed out waiting for {what}");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Returns an account's balance in wei.
pub fn balance(node: &Client, account: Address) -> Result<U256> {
    Ok(node.request("eth_getBalance", (account, "latest"))?)
}

/// Calls a contract at the latest block.
pub fn ask<C: SolCall>(node: &Client, to: Address, call: &C) -> Result<C::Return> {
    let request = json!({ "to": to, "input": Bytes::from(call.abi_encode()) });
    let answer: Bytes = node.request("eth_call", (request, "latest"))?;
    Ok(C::abi_decode_returns(&answer)?)
}

/// Returns the number of the latest block.
pub fn number(node: &Client) -> Result<u64> {
    Ok(node.request::<_, U64>("eth_blockNumber", ())?.to())
}

/// Returns the timestamp of the latest block.
pub fn block_time(node: &Client) -> Result<u64> {
    let block: Block = node.request("eth_getBlockByNumber", ("latest", false))?;
    Ok(block.header.timestamp)
}

/// Returns the nonce of an account's next transaction.
pub fn nonce(node: &Client, account: Address) -> Result<u64> {
    let nonce: U64 = node.request("eth_getTransactionCount", (account, "latest"))?;
    Ok(nonce.to())
}

/// Returns the hash of a block.
pub fn block_hash(node: &Client, number: u64) -> Result<B256> {
    find_hash(node, number)?.ok_or_else(|| eyre!("there is no block {number}"))
}

/// Returns the hash of a block, or `None` if the node does not have it yet.
pub fn find_hash(node: &Client, number: u64) -> Result<Option<B256>> {
    let block: Value = node.request("eth_getBlockByNumber", (format!("{number:#x}"), false))?;
    Ok(serde_json::from_value(block["hash"].clone())?)
}

/// Waits for the receipt of a transaction.
pub fn receipt(node: &Client, hash: B256) -> Result<TransactionReceipt> {
    let mut found = None;
    until("a receipt", || {
        found = node.request("eth_getTransactionReceipt", (hash,))?;
        Ok(found.is_some())
    })?;
    found.ok_or_eyre("no receipt")
}

/// Signs and sends a transaction with the account's next nonce; returns its hash.
pub fn send(
    node: &Client,
    chain_id: u64,
    from: &Key,
    to: TxKind,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Result<B256> {
    let nonce = nonce(node, from.address())?;
    let raw = signed(chain_id, from, nonce, to, value, input, gas_limit);
    Ok(node.request("eth_sendRawTransaction", (raw,))?)
}

/// Signs an EIP-1559 transaction; returns its encoding.
pub fn signed(
    chain_id: u64,
    from: &Key,
    nonce: u64,
    to: TxKind,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Bytes {
    let transaction = from.sign(TxEip1559 {
        chain_id,
        nonce,
        gas_limit,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to,
        value: U256::from(value),
        input,
        ..Default::default()
    });
    transaction.encoded_2718().into()
}

/// Signs a transfer of 1 wei with this tip; returns its encoding.
pub fn transfer(chain_id: u64, from: &Key, nonce: u64, to: Address, tip: u128) -> Bytes {
    let transaction = from.sign(TxEip1559 {
        chain_id,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: tip,
        to: to.into(),
        value: U256::from(1),
        ..Default::default()
    });
    transaction.encoded_2718().into()
}

/// Formats the time since an instant in seconds.
pub fn shown(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}

/// Returns `true` if an L1 block contains a log of the message queue.
pub fn has_deposit(l1: &Client, message_queue: Address, number: u64) -> Result<bool> {
    let number = format!("{number:#x}");
    let filter = json!({ "address": message_queue, "fromBlock": number, "toBlock": number });
    Ok(!l1.request::<_, Vec<Value>>("eth_getLogs", (filter,))?.is_empty())
}
