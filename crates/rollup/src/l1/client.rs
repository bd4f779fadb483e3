//! Client of L1 nodes, whose responses are verified against headers.

use crate::{
    L1Error,
    l1::{Answered, L1Cost, L1Header, L1Transaction, ReadHeader, Silence, vote},
};
use alloy_consensus::{
    Header, Transaction as _,
    constants::EMPTY_RECEIPTS,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718};
use alloy_primitives::{Address, B256, BloomInput, Bytes, keccak256};
use alloy_provider::Provider as _;
use client::{Client, ClientOptions, Rotation};
use rpc::{
    RpcBlock, RpcTransaction,
    convert::{BareReceipt, trie_receipt},
};
use std::{
    sync::{Arc, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

/// Maximum number of headers, or blocks, requested at once.
pub(super) const PARALLEL: usize = 16;

/// Maximum length of a response in bytes; more than the JSON of all logs of a full L1 block.
const LONGEST_ANSWER: usize = 256 << 20;
/// Timeout of a request if there is another node.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length in bytes of a response to a question that all nodes get: the JSON of a block with
/// 100,000 transaction hashes. A hostile node sends a longer one in vain.
const LONGEST_VOTE: usize = 8 << 20;

/// Client of one or several L1 nodes. It uses one of them until it fails, then the next one.
#[derive(Debug)]
pub struct L1Client {
    pub(super) client: Client,
    /// Clients of the single nodes, if there are several.
    pub(super) nodes: Vec<Arc<Client>>,
    pub(super) silent: vote::Silent,
    pub(super) answered: Answered,
}

impl L1Client {
    /// Creates a client of the nodes at these URLs. It uses the first until that fails or does not
    /// answer for five seconds, then the next one.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if a URL is malformed, or there is none. Nothing is sent yet.
    pub fn new<U: AsRef<str>>(urls: &[U], timeout: Duration) -> Result<Self, L1Error> {
        let urls: Vec<&str> = urls.iter().map(AsRef::as_ref).collect();
        let mut options = ClientOptions {
            timeout,
            tries: 3,
            rotation: Rotation::OnFailure,
            longest_answer: LONGEST_ANSWER,
            ..ClientOptions::default()
        };
        let mut nodes = Vec::new();
        if urls.len() > 1 {
            // With another node to fall back on, a longer wait for this one would only delay
            // blocks.
            options.timeout = timeout.min(FAILOVER_TIMEOUT);
            options.tries = options.tries.max(u32::try_from(urls.len()).unwrap_or(u32::MAX));
            let options = ClientOptions { tries: 1, longest_answer: LONGEST_VOTE, ..options };
            for url in &urls {
                nodes.push(Arc::new(Client::new(url, options)?));
            }
        }
        let client = Client::of_several(&urls, &[], options)?;
        let silent = vote::Silent::of(nodes.len());
        Ok(Self { client, nodes, silent, answered: Answered::default() })
    }

    /// Runs a request with a verified response, and repeats it with the next node if a node
    /// contradicts itself or lacks data that it should have. Such a node is used again only after
    /// all others have failed too.
    fn verified<T>(&self, ask: impl Fn() -> Result<T, L1Error>) -> Result<T, L1Error> {
        let mut turn = self.client.turn();
        let mut answer = ask();
        for _ in 1..self.nodes.len() {
            match &answer {
                Err(error) if error.is_of_this_node() => {
                    tracing::warn!(%error, "L1 node contradicts itself, trying the next one");
                }
                _ => break,
            }
            self.client.leave_address(turn);
            turn = self.client.turn();
            answer = ask();
        }
        answer
    }

    /// Switches to the next L1 node. Returns `false` if there is no other.
    pub(crate) fn leave_node(&self) -> bool {
        self.client.leave_address(self.client.turn());
        self.nodes.len() > 1
    }

    /// Returns the turn of the node in use, which changes when that node is left.
    pub(crate) fn turn(&self) -> usize {
        self.client.turn()
    }

    /// Returns the number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len().max(1)
    }

    /// Returns `true` if the L1 nodes agree on a header: more than half of those that answer have
    /// it. Returns `false` if nodes lag behind and none has another header at that height. A single
    /// node always agrees. Without agreement the next node is used from then on, since the current
    /// one may stay ahead of the others.
    ///
    /// # Errors
    ///
    /// [`L1Error::Disagreement`] if too few nodes have the header and one has another.
    pub(crate) fn is_agreed(&self, header: &L1Header) -> Result<bool, L1Error> {
        let number = BlockNumberOrTag::Number(header.number);
        let (sender, answered) = channel();
        for node in self.nodes.iter().map(Arc::clone) {
            let sender = sender.clone();
            thread::spawn(move || {
                // Fails if enough other nodes have answered, so that the receiver was dropped.
                let _ = sender.send(hash_at(&node, number));
            });
        }
        drop(sender);
        let turn = self.client.turn();
        let (mut answers, mut same) = (Vec::new(), 0);
        for hash in answered.iter().flatten() {
            same += usize::from(hash == Some(header.hash));
            answers.push(hash);
            // A majority of all nodes decides at once, so that a node that hangs causes no delay.
            if 2 * same > self.nodes.len() {
                return Ok(true);
            }
        }
        // Nodes that do not answer have no vote: with two of three nodes down, the third is still
        // followed.
        if answers.is_empty() || 2 * same > answers.len() {
            return Ok(true);
        }
        self.client.leave_address(turn);
        match answers.iter().flatten().find(|hash| **hash != header.hash) {
            None => Ok(false),
            Some(other) => Err(L1Error::Disagreement {
                number: header.number,
                got: header.hash,
                expected: *other,
                same,
                nodes: answers.len(),
            }),
        }
    }

    /// Returns the time of L1's last response.
    pub(crate) const fn answered(&self) -> &Answered {
        &self.answered
    }

    /// Waits for a request, and records any response of L1, including errors.
    pub(crate) fn wait<T, E, F>(&self, request: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Silence + Send + 'static,
    {
        let answer = self.client.wait(request);
        if !answer.as_ref().is_err_and(Silence::is_silence) {
            self.answered.note(Instant::now());
        }
        answer
    }

    /// Returns the underlying client, whose responses are not verified.
    pub const fn inner(&self) -> &Client {
        &self.client
    }

    /// Returns the chain id of L1. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer.
    pub fn chain_id(&self) -> Result<u64, L1Error> {
        let provider = self.client.provider().clone();
        Ok(self.wait(async move { provider.get_chain_id().await })?)
    }

    /// Returns the sender of the transaction with this hash, recovered from its signature; `None`
    /// if L1 does not have the transaction, or its signature is invalid.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer, and [`L1Error::Mismatch`] if its response is a
    /// transaction with another hash.
    pub(crate) fn sender_of(&self, hash: B256) -> Result<Option<Address>, L1Error> {
        self.verified(|| self.sender_of_once(hash))
    }

    fn sender_of_once(&self, hash: B256) -> Result<Option<Address>, L1Error> {
        let provider = self.client.provider().clone();
        // Decoded here, since the provider does not support transactions of type `0x05`.
        let found = self.wait(async move {
            let method = "eth_getTransactionByHash".into();
            provider.raw_request::<_, Option<RpcTransaction>>(method, (hash,)).await
        })?;
        let Some(found) = found else { return Ok(None) };
        let transaction = found.inner.inner();
        // A sequencer stops if this account is its own. So neither the `hash` nor the `from` of the
        // response is trusted: with them a lying node could stop the sequencer.
        let got = keccak256(transaction.encoded_2718());
        if got != hash {
            return Err(L1Error::mismatch("transaction hash", got, hash));
        }
        Ok(transaction.sender())
    }

    /// Returns the code of an account at the newest block. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer.
    pub(crate) fn code(&self, account: Address) -> Result<Bytes, L1Error> {
        self.verified(|| {
            let provider = self.client.provider().clone();
            Ok(self.wait(async move { provider.get_code_at(account).await })?)
        })
    }

    /// Returns the codes of accounts at the newest block, requested concurrently. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer.
    pub(crate) fn codes(&self, accounts: &[Address]) -> Result<Vec<Bytes>, L1Error> {
        self.verified(|| {
            let (provider, accounts) = (self.client.provider().clone(), accounts.to_vec());
            let requests = async move {
                let codes = accounts.into_iter().map(|account| provider.get_code_at(account));
                futures_util::future::try_join_all(codes.map(IntoFuture::into_future)).await
            };
            Ok(self.wait(requests)?)
        })
    }

    /// Returns the latest and the finalized header, requested concurrently. The second is `None` if
    /// no block has been finalized yet, or the request for it fails.
    ///
    /// # Errors
    ///
    /// Errors of [`Self::header`] for the latest header.
    pub(crate) fn newest(&self) -> Result<(Option<ReadHeader>, Option<ReadHeader>), L1Error> {
        thread::scope(|scope| {
            let finalized = scope.spawn(|| self.header(BlockNumberOrTag::Finalized));
            let latest = self.header(BlockNumberOrTag::Latest)?;
            Ok((latest, finalized.join().ok().and_then(Result::ok).flatten()))
        })
    }

    /// Returns the header with this number or tag, if there is one, verified against its hash.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer, and [`L1Error::Mismatch`] if the header has
    /// another hash or number.
    pub fn header(&self, tag: BlockNumberOrTag) -> Result<Option<ReadHeader>, L1Error> {
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

    /// Returns the timestamp of the pending block, if the node reports one. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer.
    pub fn next_timestamp(&self) -> Result<Option<u64>, L1Error> {
        self.verified(|| {
            let block = self.wait(vote::pending(self.client.provider().clone()))?;
            Ok(block.map(|block| block.timestamp()))
        })
    }

    /// Returns `count` headers from this number on, requested concurrently. Stops before the first
    /// header that does not exist or cannot be fetched.
    ///
    /// # Errors
    ///
    /// Errors of [`Self::header`] for the first header.
    pub fn headers(&self, from: u64, count: usize) -> Result<Vec<ReadHeader>, L1Error> {
        let numbers: Vec<u64> = (from..).take(count).collect();
        let asked = thread::scope(|scope| {
            // Bounds the number of threads for any number of headers.
            let share = numbers.len().div_ceil(PARALLEL).max(1);
            let asking: Vec<_> = numbers
                .chunks(share)
                .map(|numbers| {
                    scope.spawn(move || {
                        let headers = numbers.iter().map(|number| self.header((*number).into()));
                        headers.collect::<Vec<_>>()
                    })
                })
                .collect();
            let joined = asking
                .into_iter()
                .flat_map(|asking| asking.join().unwrap_or_else(|_| vec![Err(L1Error::Thread)]));
            joined.collect::<Vec<_>>()
        });
        let mut headers = Vec::new();
        for header in asked {
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

    /// Fetches [`Self::transactions`] of several blocks concurrently. Skips blocks whose bloom
    /// filter contains none of the addresses.
    pub(super) fn transactions_of(
        &self,
        headers: &[ReadHeader],
        addresses: &[Address],
    ) -> Vec<Result<Vec<L1Transaction>, L1Error>> {
        thread::scope(|scope| {
            let asking: Vec<_> = headers
                .iter()
                .map(|header| {
                    let asks = may_concern(header, addresses);
                    asks.then(|| scope.spawn(move || self.transactions(header, addresses)))
                })
                .collect();
            let joined = asking.into_iter().map(|asking| match asking {
                Some(asking) => asking.join().unwrap_or_else(|_| Err(L1Error::Thread)),
                None => Ok(Vec::new()),
            });
            joined.collect()
        })
    }

    /// Returns the transactions of a block that have logs of these addresses.
    ///
    /// The block's transactions and receipts are verified against the roots in its header.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not answer, [`L1Error::Gone`] if the node no longer has the
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
        let priced = receipts.into_iter().map(|it| (it.blob_gas_price, trie_receipt(it)));
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
                // The root commits to the cumulative gas, not to the gas of each transaction.
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
                    is_partial: execute.is_some_and(|it| it.inner().tx.allowance().is_some()),
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
            .filter(|it| it.logs.iter().any(|log| addresses.contains(&log.address)))
            .collect())
    }
}

/// Returns the hash of a node's block with this number, computed from its header; `Some(None)` if
/// the node has no such block, and `None` if it does not answer.
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
    // All other data are verified against this hash, so it is computed from the fields and never
    // taken from the response.
    let hash = header.hash_slow();
    if hash != claimed {
        return Err(L1Error::mismatch("block hash", claimed, hash));
    }
    let kept = L1Header {
        number: header.number,
        hash,
        parent: header.parent_hash,
        timestamp: header.timestamp,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
    };
    Ok(ReadHeader {
        header: kept,
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
    // Without this check a node could put other L2 blocks into the calldata of a real transaction.
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
mod tests;
