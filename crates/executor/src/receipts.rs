//! Results of execution other than the state: receipts, requests, gas.

use crate::Transaction;
use alloc::vec::Vec;
use alloy_consensus::{
    Eip658Value, EthereumReceipt, ReceiptWithBloom, TxReceipt, TxType,
    proofs::calculate_receipt_root,
};
use alloy_eips::{eip2718::Encodable2718, eip7685::Requests};
use alloy_evm::{
    Evm,
    eth::receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
};
use alloy_primitives::{B256, Bloom, Bytes};
use alloy_trie::root::ordered_trie_root_with_encoder;

/// The receipt of a transaction, without its bloom filter.
pub type Receipt = EthereumReceipt<TxType>;

/// Builder of receipts without bloom filters, which are computed later for all receipts together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipts;

impl ReceiptBuilder for Receipts {
    type Transaction = Transaction;
    type Receipt = Receipt;

    fn build_receipt<E: Evm>(&self, ctx: ReceiptBuilderCtx<'_, TxType, E>) -> Receipt {
        Receipt {
            tx_type: ctx.tx_type,
            success: ctx.result.is_success(),
            cumulative_gas_used: ctx.cumulative_gas_used,
            logs: ctx.result.into_logs(),
        }
    }
}

/// Results of executing a block, except for its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionOutcome {
    /// One receipt per transaction.
    pub receipts: Vec<Receipt>,
    /// Positions of the receipts whose EIP-2718 type is not one of Ethereum's, ascending, with the
    /// type.
    pub foreign_types: Vec<(usize, u8)>,
    /// State root after each transaction, which receipts contain before Byzantium; empty from then
    /// on.
    pub roots: Vec<B256>,
    /// Gas used by the block.
    pub gas_used: u64,
    /// Blob gas used by the block.
    pub blob_gas_used: u64,
    /// EIP-7685 requests, type byte first; `None` before Prague.
    pub requests: Option<Requests>,
    /// RLP of the block access list (EIP-7928); `None` before Amsterdam.
    pub block_access_list: Option<Bytes>,
    /// Number of items in the block access list, which the gas limit must pay for.
    pub access_list_items: u64,
}

impl ExecutionOutcome {
    /// Returns the receipts with their bloom filters.
    fn with_blooms(&self) -> Vec<ReceiptWithBloom<&Receipt>> {
        self.receipts
            .iter()
            .map(|receipt| ReceiptWithBloom { logs_bloom: receipt.bloom(), receipt })
            .collect()
    }

    /// Returns the root of the receipts trie and the bloom filter of all logs.
    pub fn receipts_root_and_bloom(&self) -> (B256, Bloom) {
        let receipts = self.with_blooms();
        let bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.logs_bloom);
        // alloy's function encodes neither a root instead of the status, which receipts contain
        // before Byzantium, nor foreign types.
        let root = if self.roots.is_empty() && self.foreign_types.is_empty() {
            calculate_receipt_root(&receipts)
        } else {
            let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
            ordered_trie_root_with_encoder(&self.raw_receipts(), put)
        };
        (root, bloom)
    }

    /// Returns the EIP-2718 encodings of the receipts, which are the values of the receipts trie.
    pub fn raw_receipts(&self) -> Vec<Bytes> {
        let receipts = self.with_blooms().into_iter();
        if self.roots.is_empty() {
            let mut raw: Vec<_> = receipts.map(|receipt| receipt.encoded_2718()).collect();
            for (index, foreign) in &self.foreign_types {
                if let Some(first) = raw.get_mut(*index).and_then(|receipt| receipt.first_mut()) {
                    *first = *foreign;
                }
            }
            return raw.into_iter().map(Into::into).collect();
        }
        let rooted = |(receipt, root): (ReceiptWithBloom<&Receipt>, &B256)| {
            let with_root = alloy_consensus::Receipt {
                status: Eip658Value::PostState(*root),
                cumulative_gas_used: receipt.receipt.cumulative_gas_used,
                logs: receipt.receipt.logs.clone(),
            };
            alloy_rlp::encode(with_root.with_bloom()).into()
        };
        receipts.zip(&self.roots).map(rooted).collect()
    }
}
