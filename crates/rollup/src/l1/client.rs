//! Client of L1 nodes, whose responses are verified against headers.

mod chain;

use crate::l1::{L1Error, LastResponse, Silence, vote};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_provider::Provider as _;
use client::{Client, ClientOptions, Rotation};
use rpc::RpcTransaction;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Maximum number of headers, or blocks, requested at once.
pub(super) const PARALLEL: usize = 16;

/// Maximum length of a response in bytes; more than the JSON of all logs of a full L1 block.
const LONGEST_ANSWER: usize = 256 << 20;
/// Timeout of a request if there is another node.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length in bytes of a response to a request that is sent to all nodes: the JSON of a
/// block with 100,000 transaction hashes. Bounds what a malicious node can make this one buffer.
const LONGEST_VOTE: usize = 8 << 20;

/// Client of one or more L1 nodes. It uses one of them until it fails, then the next one.
#[derive(Debug)]
pub struct L1Client {
    pub(super) client: Client,
    /// Clients of the single nodes, if there are multiple.
    pub(super) nodes: Vec<Arc<Client>>,
    pub(super) silent: vote::UnresponsiveNodes,
    pub(super) answered: LastResponse,
}

impl L1Client {
    /// Creates a client for the nodes at these URLs. It uses the first node until that fails or
    /// does not respond for five seconds, then the next one.
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
        let silent = vote::UnresponsiveNodes::of(nodes.len());
        Ok(Self { client, nodes, silent, answered: LastResponse::default() })
    }

    /// Runs a request with a verified response, and repeats it with the next node if a node
    /// contradicts itself or lacks data that it should have. Such a node is used again only after
    /// all others have failed too.
    fn verified<T>(&self, request: impl Fn() -> Result<T, L1Error>) -> Result<T, L1Error> {
        let mut turn = self.client.turn();
        let mut result = request();
        for _ in 1..self.nodes.len() {
            match &result {
                Err(error) if error.is_of_this_node() => {
                    tracing::warn!(%error, "L1 node contradicts itself, trying the next one");
                }
                _ => break,
            }
            self.client.leave_address(turn);
            turn = self.client.turn();
            result = request();
        }
        result
    }

    /// Returns the turn of the node in use, which changes with each failover.
    pub(crate) fn turn(&self) -> usize {
        self.client.turn()
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len().max(1)
    }

    /// Returns the time of L1's last response.
    pub(crate) const fn answered(&self) -> &LastResponse {
        &self.answered
    }

    /// Waits for a request, and records any response of L1, including errors.
    pub(crate) fn wait<T, E, F>(&self, request: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Silence + Send + 'static,
    {
        let result = self.client.wait(request);
        if !result.as_ref().is_err_and(Silence::is_silence) {
            self.answered.note(Instant::now());
        }
        result
    }

    /// Returns the underlying client, whose responses are not verified.
    pub const fn inner(&self) -> &Client {
        &self.client
    }

    /// Returns the chain id of L1. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond.
    pub fn chain_id(&self) -> Result<u64, L1Error> {
        let provider = self.client.provider().clone();
        Ok(self.wait(async move { provider.get_chain_id().await })?)
    }

    /// Returns the sender of the transaction with this hash, recovered from its signature; `None`
    /// if L1 does not have the transaction, or its signature is invalid.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond, and [`L1Error::Mismatch`] if its response is a
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
        // A sequencer stops if this account is its own, so neither `hash` nor `from` of the
        // response is trusted: a malicious node could otherwise stop the sequencer.
        let got = keccak256(transaction.encoded_2718());
        if got != hash {
            return Err(L1Error::mismatch("transaction hash", got, hash));
        }
        Ok(transaction.sender())
    }

    /// Returns the codes of accounts at the latest block, requested concurrently. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond.
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

    /// Returns the timestamp of the pending block, if the node reports one. Unverified.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond.
    pub fn next_timestamp(&self) -> Result<Option<u64>, L1Error> {
        self.verified(|| {
            let block = self.wait(vote::pending(self.client.provider().clone()))?;
            Ok(block.map(|block| block.timestamp()))
        })
    }
}

#[cfg(test)]
mod tests;
