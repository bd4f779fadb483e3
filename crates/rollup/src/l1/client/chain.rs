//! The chain of L1 over JSON-RPC, verified against hashes and roots.

use super::{L1Client, PARALLEL};
use crate::{
    l1::{L1Cost, L1Error, L1Header, L1Provider, L1Transaction, ReadHeader},
    threads,
};
use alloy_consensus::{
    Header, Transaction as _,
    constants::EMPTY_RECEIPTS,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718};
use alloy_primitives::{Address, B256, BloomInput, Bytes};
use alloy_provider::Provider as _;
use client::Client;
use rpc::{
    RpcBlock,
    convert::{BareReceipt, trie_receipt},
};
use std::{
    sync::{Arc, mpsc::channel},
    thread,
};

impl L1Provider for L1Client {
    fn newest(&self) -> Result<(Option<ReadHeader>, Option<ReadHeader>), L1Error> {
        thread::scope(|scope| {
            let finalized = threads::spawn(scope, || self.header(BlockNumberOrTag::Finalized));
            let latest = self.header(BlockNumberOrTag::Latest)?;
            Ok((latest, finalized.join().ok().and_then(Result::ok).flatten()))
        })
    }

    fn header(&self, tag: BlockNumberOrTag) -> Result<Option<ReadHeader>, L1Error> {
        let found = self.verified(|| match self.header_once(tag) {
            // Every chain has a head, so a node without one is faulty, and the next one is used.
            Ok(None) if tag.is_latest() && !self.nodes.is_empty() => Err(L1Error::NoHead),
            found => found,
        });
        match found {
            Err(L1Error::NoHead) => Ok(None),
            found => found,
        }
    }

    fn headers(&self, from: u64, count: usize) -> Result<Vec<ReadHeader>, L1Error> {
        let numbers: Vec<u64> = (from..).take(count).collect();
        let results = thread::scope(|scope| {
            // Bounds the number of threads for any number of headers.
            let share = numbers.len().div_ceil(PARALLEL).max(1);
            let threads: Vec<_> = numbers
                .chunks(share)
                .map(|numbers| {
                    threads::spawn(scope, move || {
                        let headers = numbers.iter().map(|number| self.header((*number).into()));
                        headers.collect::<Vec<_>>()
                    })
                })
                .collect();
            let joined = threads
                .into_iter()
                .flat_map(|threads| threads.join().unwrap_or_else(|_| vec![Err(L1Error::Thread)]));
            joined.collect::<Vec<_>>()
        });
        let mut headers = Vec::new();
        for header in results {
            match header {
                Ok(Some(header)) => headers.push(header),
                Ok(None) => break,
                Err(error) if headers.is_empty() => return Err(error),
                // The headers before it are valid; the next poll requests the rest.
                Err(_) => break,
            }
        }
        Ok(headers)
    }

    fn is_agreed(&self, header: &L1Header) -> Result<bool, L1Error> {
        let number = BlockNumberOrTag::Number(header.number);
        let (sender, answered) = channel();
        for node in self.nodes.iter().map(Arc::clone) {
            let sender = sender.clone();
            let request = move || {
                // Fails if the receiver was dropped because enough other nodes have responded.
                let _ = sender.send(hash_at(&node, number));
            };
            // A node that is not asked must not count as one that does not respond.
            thread::Builder::new().spawn(request).map_err(|_| L1Error::Thread)?;
        }
        drop(sender);
        let turn = self.client.turn();
        let (mut hashes, mut same) = (Vec::new(), 0);
        for hash in answered.iter().flatten() {
            same += usize::from(hash == Some(header.hash));
            hashes.push(hash);
            // A majority of all nodes decides at once, so that a node that hangs causes no delay.
            if 2 * same > self.nodes.len() {
                return Ok(true);
            }
        }
        // Nodes that do not respond have no vote: with two of three nodes down, the third is still
        // followed.
        if hashes.is_empty() || 2 * same > hashes.len() {
            return Ok(true);
        }
        self.client.leave_address(turn);
        match hashes.iter().flatten().find(|hash| **hash != header.hash) {
            None => Ok(false),
            Some(other) => Err(L1Error::Disagreement {
                number: header.number,
                got: header.hash,
                expected: *other,
                same,
                nodes: hashes.len(),
            }),
        }
    }

    fn transactions_of(
        &self,
        headers: &[ReadHeader],
        addresses: &[Address],
    ) -> Vec<Result<Vec<L1Transaction>, L1Error>> {
        thread::scope(|scope| {
            let threads: Vec<_> = headers
                .iter()
                .map(|header| {
                    let is_needed = may_concern(header, addresses);
                    is_needed.then(|| {
                        threads::spawn(scope, move || self.transactions(header, addresses))
                    })
                })
                .collect();
            let joined = threads.into_iter().map(|threads| match threads {
                Some(threads) => threads.join().unwrap_or_else(|_| Err(L1Error::Thread)),
                None => Ok(Vec::new()),
            });
            joined.collect()
        })
    }

    fn code(&self, account: Address) -> Result<Bytes, L1Error> {
        self.verified(|| {
            let provider = self.client.provider().clone();
            Ok(self.wait(async move { provider.get_code_at(account).await })?)
        })
    }

    fn leave_node(&self) -> bool {
        self.client.leave_address(self.client.turn());
        self.nodes.len() > 1
    }
}

impl L1Client {
    fn header_once(&self, tag: BlockNumberOrTag) -> Result<Option<ReadHeader>, L1Error> {
        let provider = self.client.provider().clone();
        let block = self.wait(async move { provider.get_block_by_number(tag).await })?;
        let Some(block) = block else { return Ok(None) };
        let read = checked(&block.header.inner, block.header.hash)?;
        let got = read.header.number;
        if let BlockNumberOrTag::Number(expected) = tag
            && got != expected
        {
            return Err(L1Error::mismatch("block number", got, expected));
        }
        Ok(Some(read))
    }

    /// Returns the transactions of a block that have logs of these addresses.
    ///
    /// The block's transactions and receipts are verified against the roots in its header.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond, [`L1Error::Gone`] if the node no longer has the
    /// block, and [`L1Error::Mismatch`] if the data do not match the header.
    pub fn transactions(
        &self,
        header: &ReadHeader,
        addresses: &[Address],
    ) -> Result<Vec<L1Transaction>, L1Error> {
        self.verified(|| self.transactions_once(header, addresses))
    }

    fn transactions_once(
        &self,
        header: &ReadHeader,
        addresses: &[Address],
    ) -> Result<Vec<L1Transaction>, L1Error> {
        let hash = header.header.hash;
        let provider = self.client.provider().clone();
        // Decoded here: the provider does not support type `0x05`, so a single transaction of this
        // type would make the whole block unreadable.
        let (block, receipts) = self.wait(async move {
            let block = provider
                .raw_request::<_, Option<RpcBlock>>("eth_getBlockByHash".into(), (hash, true));
            let receipts = provider.raw_request::<_, Option<Vec<BareReceipt>>>(
                "eth_getBlockReceipts".into(),
                (BlockId::hash(hash),),
            );
            tokio::try_join!(block, receipts)
        })?;
        // Requested by hash and not by number, so that a reorg between the two requests cannot mix
        // two blocks.
        let (Some(block), Some(receipts)) = (block, receipts) else {
            return Err(L1Error::Gone(hash));
        };
        let priced =
            receipts.into_iter().map(|receipt| (receipt.blob_gas_price, trie_receipt(receipt)));
        let (blob_gas_prices, receipts): (Vec<_>, Vec<_>) = priced.unzip();
        check_lists(header, &block, &receipts)?;
        let mut used = 0;
        Ok(block
            .transactions
            .into_transactions()
            .zip(receipts)
            .zip(blob_gas_prices)
            .map(|((transaction, receipt), blob_gas_price)| {
                let before = used;
                // The root commits to the cumulative gas, not to each transaction's gas.
                used = receipt.cumulative_gas_used();
                // The price follows from the signed fields and the verified header. The
                // `effectiveGasPrice` of the response is not used.
                let base_fee = Some(header.header.base_fee);
                let execute = transaction.inner.inner().as_execute();
                let cost = L1Cost {
                    gas: used.saturating_sub(before),
                    gas_price: transaction.inner.effective_gas_price(base_fee),
                    blob_gas: transaction.blob_gas_used().unwrap_or_default(),
                    blob_gas_price,
                    is_partial: execute
                        .is_some_and(|execute| execute.inner().tx.allowance().is_some()),
                };
                L1Transaction {
                    hash: *transaction.inner.inner().hash(),
                    to: transaction.to(),
                    input: transaction.input().clone(),
                    blob_hashes: transaction.blob_versioned_hashes().unwrap_or_default().to_vec(),
                    execute: execute.map(Arc::clone),
                    logs: receipt.inner.receipt.logs,
                    cost,
                }
            })
            .filter(|transaction| {
                transaction.logs.iter().any(|log| addresses.contains(&log.address))
            })
            .collect())
    }
}

/// Returns the hash of a node's block with this number, computed from its header; `Some(None)` if
/// the node has no such block, and `None` if it does not respond.
fn hash_at(node: &Client, number: BlockNumberOrTag) -> Option<Option<B256>> {
    let provider = node.provider().clone();
    let block = node.wait(async move { provider.get_block_by_number(number).await }).ok()?;
    Some(block.map(|block| block.header.inner.hash_slow()))
}

/// Returns `false` if a block has no logs of these addresses; `true` if it may have some.
///
/// An empty bloom filter excludes logs only if the block has no receipts, since EIP-7668 leaves the
/// filters of all blocks empty.
fn may_concern(header: &ReadHeader, addresses: &[Address]) -> bool {
    let bloom = &header.bloom;
    if bloom.is_zero() {
        return header.receipts_root != EMPTY_RECEIPTS;
    }
    addresses.iter().any(|address| bloom.contains_input(BloomInput::Raw(address.as_slice())))
}

fn checked(header: &Header, claimed: B256) -> Result<ReadHeader, L1Error> {
    // All other data is verified against this hash, so it is computed from the fields and never
    // taken from the response.
    let hash = header.hash_slow();
    if hash != claimed {
        return Err(L1Error::mismatch("block hash", claimed, hash));
    }
    let fields = L1Header {
        number: header.number,
        hash,
        parent: header.parent_hash,
        timestamp: header.timestamp,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
    };
    Ok(ReadHeader {
        header: fields,
        transactions_root: header.transactions_root,
        receipts_root: header.receipts_root,
        bloom: header.logs_bloom,
    })
}

fn check_lists(
    header: &ReadHeader,
    block: &RpcBlock,
    receipts: &[impl Encodable2718],
) -> Result<(), L1Error> {
    let transactions: Vec<_> =
        block.transactions.txns().map(|transaction| transaction.inner.inner().clone()).collect();
    let root = calculate_transaction_root(&transactions);
    // Without this check, an L1 node could replace the L2 blocks in the calldata of a real
    // transaction.
    if root != header.transactions_root {
        return Err(L1Error::mismatch("transactions root", root, header.transactions_root));
    }
    let root = calculate_receipt_root(receipts);
    // Messages and L2 blocks are derived from logs: a forged log would mint ether on the L2.
    if root != header.receipts_root {
        return Err(L1Error::mismatch("receipts root", root, header.receipts_root));
    }
    if receipts.len() != transactions.len() {
        return Err(L1Error::mismatch("receipts", receipts.len(), transactions.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bloom;

    #[test]
    fn empty_blooms_exclude_only_blocks_without_receipts() {
        let address = Address::repeat_byte(1);
        let header = |logs_bloom: Bloom, receipts_root: B256| {
            let header = Header { logs_bloom, receipts_root, ..Header::default() };
            checked(&header, header.hash_slow()).unwrap()
        };
        let mut other = Bloom::ZERO;
        other.accrue(BloomInput::Raw(Address::repeat_byte(2).as_slice()));
        let mut own = other;
        own.accrue(BloomInput::Raw(address.as_slice()));
        let receipts = B256::repeat_byte(7);
        for (bloom, root, concerns) in [
            (own, receipts, true),
            (other, receipts, false),
            (Bloom::ZERO, receipts, true),
            (Bloom::ZERO, EMPTY_RECEIPTS, false),
        ] {
            assert_eq!(may_concern(&header(bloom, root), &[address]), concerns, "{root}");
        }
    }
}
