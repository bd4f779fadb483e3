//! Conversions of blocks, transactions, receipts and logs to the JSON types of the specification.

use alloy_consensus::{
    Eip658Value, ReceiptWithBloom, Transaction as _, TxReceipt, transaction::Recovered,
};
use alloy_consensus_any::AnyReceiptEnvelope;
use alloy_eips::Typed2718 as _;
use alloy_primitives::{Address, B256, Log, U64};
use alloy_rpc_types_eth::{
    Block as BlockShape, BlockTransactions, Header as HeaderShape, Log as LogShape,
    Transaction as TransactionShape, TransactionReceipt,
};
use alloy_serde::WithOtherFields;
use chain::{Block, ChainConfig, ExecuteDraw, Transaction};
use serde_json::json;

/// Transaction as JSON.
pub type RpcTransaction = TransactionShape<Transaction>;
/// Block as JSON.
pub type RpcBlock = BlockShape<RpcTransaction>;
/// Receipt of any transaction type, with only the fields of the specification.
pub type BareReceipt = TransactionReceipt<AnyReceiptEnvelope<LogShape>>;
/// Receipt as JSON, with fields beyond the specification.
pub type RpcReceipt = WithOtherFields<BareReceipt>;
/// Log as JSON.
pub type RpcLog = LogShape;

/// Converts the transaction at `index` of a block.
pub fn transaction(block: &Block, index: usize) -> RpcTransaction {
    let inner = Recovered::new_unchecked(block.transactions[index].clone(), block.senders[index]);
    RpcTransaction {
        effective_gas_price: Some(inner.effective_gas_price(block.header.base_fee_per_gas)),
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.header.timestamp),
        transaction_index: Some(index as u64),
    }
}

/// Converts a pending transaction, which has no block.
pub fn pooled(transaction: &Transaction, sender: Address) -> RpcTransaction {
    let inner = Recovered::new_unchecked(transaction.clone(), sender);
    RpcTransaction {
        effective_gas_price: Some(inner.max_fee_per_gas()),
        inner,
        block_hash: None,
        block_number: None,
        block_timestamp: None,
        transaction_index: None,
    }
}

/// Converts the header of a block.
pub fn header(block: &Block) -> HeaderShape {
    HeaderShape {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: None,
        size: Some(alloy_primitives::U256::from(block.size())),
    }
}

/// Converts a block, with full transactions or only their hashes.
pub fn block(block: &Block, full: bool) -> RpcBlock {
    let transactions = if full {
        let all = 0..block.transactions.len();
        BlockTransactions::Full(all.map(|index| transaction(block, index)).collect())
    } else {
        let hashes = block.transactions.iter().map(|transaction| *transaction.hash());
        BlockTransactions::Hashes(hashes.collect())
    };
    RpcBlock {
        header: header(block),
        uncles: block.ommers.iter().map(|ommer| ommer.hash_slow()).collect(),
        transactions,
        withdrawals: block.header.withdrawals_root.map(|_| block.withdrawals.clone().into()),
    }
}

/// Converts the logs of a transaction; `first` is the index of its first log in the block.
pub fn logs(block: &Block, index: usize, first: u64) -> impl Iterator<Item = RpcLog> {
    let hash = *block.transactions[index].hash();
    let logs = block.executed.receipts[index].logs.iter().zip(first..);
    logs.map(move |(log, position)| log_at(block, hash, index, position, log))
}

fn log_at(block: &Block, transaction: B256, index: usize, position: u64, log: &Log) -> RpcLog {
    RpcLog {
        inner: log.clone(),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: Some(transaction),
        transaction_index: Some(index as u64),
        log_index: Some(position),
        removed: false,
    }
}

/// Converts the receipt of a transaction; `first` is the index of its first log in the block. If
/// the transaction has an allowance of EXECUTE gas and the block recorded how much it drew, the
/// receipt also contains that amount and its price.
pub fn receipt(block: &Block, index: usize, first: u64, config: &ChainConfig) -> RpcReceipt {
    let (transaction, sender) = (&block.transactions[index], block.senders[index]);
    let receipt = &block.executed.receipts[index];
    let status = match block.executed.roots.get(index) {
        Some(root) => Eip658Value::PostState(*root),
        None => Eip658Value::Eip658(receipt.success),
    };
    let logs_bloom = receipt.bloom();
    let inner = alloy_consensus::Receipt {
        status,
        cumulative_gas_used: receipt.cumulative_gas_used,
        logs: logs(block, index, first).collect(),
    };
    let inner = AnyReceiptEnvelope {
        inner: ReceiptWithBloom { receipt: inner, logs_bloom },
        r#type: transaction.ty(),
    };
    let blob_gas_used = transaction.blob_gas_used();
    let blob_gas_price = blob_gas_used.and_then(|_| {
        let params = config.spec.blob_params_at(block.header.timestamp)?;
        block.header.blob_fee(params)
    });
    let created = || sender.create(transaction.nonce());
    let mut receipt = WithOtherFields::new(TransactionReceipt {
        inner,
        transaction_hash: *transaction.hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        gas_used: block.transaction_gas(index),
        effective_gas_price: transaction.effective_gas_price(block.header.base_fee_per_gas),
        blob_gas_used,
        blob_gas_price,
        from: sender,
        to: transaction.to(),
        contract_address: transaction.to().is_none().then(created),
    });
    if let Some(ExecuteDraw { gas, price, .. }) = block.execute_draw(index) {
        receipt.other.insert("executeGasUsed".to_owned(), json!(U64::from(gas)));
        receipt.other.insert("executeGasPrice".to_owned(), json!(U64::from(price)));
    }
    receipt
}

/// Returns the consensus part of a receipt, as the receipts trie contains it.
pub fn trie_receipt(receipt: BareReceipt) -> AnyReceiptEnvelope {
    let AnyReceiptEnvelope { inner, r#type } = receipt.inner;
    AnyReceiptEnvelope { inner: inner.into_primitives_receipt(), r#type }
}

/// Converts all receipts of a block.
pub fn receipts(block: &Block, config: &ChainConfig) -> Vec<RpcReceipt> {
    let mut first = 0;
    (0..block.executed.receipts.len())
        .map(|index| {
            let receipt = receipt(block, index, first, config);
            first += block.executed.receipts[index].logs.len() as u64;
            receipt
        })
        .collect()
}

/// Returns the index of a transaction's first log in its block.
pub fn first_log(block: &Block, index: usize) -> u64 {
    block.executed.receipts[..index].iter().map(|receipt| receipt.logs.len() as u64).sum()
}
