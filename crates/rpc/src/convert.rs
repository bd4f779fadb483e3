//! Blocks, transactions, receipts and logs in the JSON shapes of the specification.

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

/// A transaction.
pub type RpcTransaction = TransactionShape<Transaction>;
/// A block.
pub type RpcBlock = BlockShape<RpcTransaction>;
/// A receipt of a transaction of any type, with the fields of the specification alone.
pub type BareReceipt = TransactionReceipt<AnyReceiptEnvelope<LogShape>>;
/// A receipt.
pub type RpcReceipt = WithOtherFields<BareReceipt>;
/// A log.
pub type RpcLog = LogShape;

/// A transaction of a block.
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

/// A pending transaction.
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

/// A header.
pub fn header(block: &Block) -> HeaderShape {
    HeaderShape {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: None,
        size: Some(alloy_primitives::U256::from(block.size())),
    }
}

/// A block, with full transactions or their hashes.
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

/// Logs of a transaction in a block; `first` is the index of its first log in the block.
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

/// Receipt of a transaction; `first` is the index of its first log in the block. If the transaction
/// has an allowance of EXECUTE gas, and the block has what it has drawn, the receipt has that
/// amount and its price too.
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

/// Returns the part of a receipt that the trie of receipts has.
pub fn trie_receipt(receipt: BareReceipt) -> AnyReceiptEnvelope {
    let AnyReceiptEnvelope { inner, r#type } = receipt.inner;
    AnyReceiptEnvelope { inner: inner.into_primitives_receipt(), r#type }
}

/// All receipts of a block.
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

/// Index in the block of the first log of a transaction.
pub fn first_log(block: &Block, index: usize) -> u64 {
    block.executed.receipts[..index].iter().map(|receipt| receipt.logs.len() as u64).sum()
}
