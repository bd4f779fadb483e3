//! Client for the forked node, and errors of requests to it.

use alloy_primitives::B256;
use alloy_provider::{Provider as _, RootProvider};
use alloy_transport::TransportError;
use client::{Client, ClientError, ClientOptions};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// Maximum number of requests in a batch; all large providers accept this size.
const BATCH: usize = 100;

/// What to fork, and options for requests to the forked node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// URL of the node; `@number` at its end sets the block.
    pub url: String,
    /// Additional URLs of the same chain, used in rotation with the first one.
    pub more_urls: Vec<String>,
    /// Number of the block to fork; counted back from the latest if negative.
    pub block: Option<i64>,
    /// Chain id; `None` requests it from the node.
    pub chain_id: Option<u64>,
    /// Headers sent with each request: name and value.
    pub headers: Vec<(String, String)>,
    /// Timeout per request.
    pub timeout: Duration,
    /// Number of retries per request.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each retry.
    pub backoff: Duration,
    /// Compute units per second that the provider allows; `None` for no limit.
    pub units_per_second: Option<u64>,
    /// Gas limit of new blocks; `None` keeps the forked block's.
    pub gas_limit: Option<u64>,
    /// Base fee of the first new block, in wei; `None` derives it from the forked block.
    pub base_fee: Option<u64>,
    /// Cache directory for later forks of the same block; `None` disables the cache.
    pub cache: Option<PathBuf>,
}

impl Fork {
    /// Returns the fork of a node with anvil's defaults.
    pub fn at(url: impl Into<String>, block: Option<i64>) -> Self {
        Self {
            url: url.into(),
            more_urls: Vec::new(),
            block,
            chain_id: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(45),
            retries: 5,
            backoff: Duration::from_secs(1),
            units_per_second: Some(330),
            gas_limit: None,
            base_fee: None,
            cache: None,
        }
    }

    /// Splits a URL and the block number at its end: in `url@number` there is one, in
    /// `user:password@host` there is none.
    pub(crate) fn url_and_block(&self) -> (&str, Option<i64>) {
        match self.url.rsplit_once('@') {
            Some((url, number)) if number.parse::<u64>().is_ok() => (url, number.parse().ok()),
            _ => (&self.url, None),
        }
    }
}

/// Error of the forked node or of the connection to it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RemoteError {
    /// The node returned an error.
    #[error("the forked node returned an error: {message} (code {code})")]
    Refused { code: i32, message: String, data: Option<Value> },
    /// The node did not respond, or its response could not be parsed.
    #[error("request to the forked node failed: {0}")]
    Failed(String),
    /// The node returned another block than the requested one.
    #[error("the forked node returned block {got}, expected {expected}")]
    OtherBlock { got: u64, expected: u64 },
    /// The node has replaced the forked block, so responses by number would belong to another
    /// chain.
    #[error(
        "the forked node has replaced block {number}: got {}, expected {expected}; anvil_reset forks its new chain",
        hash_or_none(.got.as_ref())
    )]
    Replaced { number: u64, got: Option<B256>, expected: B256 },
    /// The new URL is of a node without the forked block.
    #[error(
        "the node does not have the forked block {number}: got {}, expected {expected}",
        hash_or_none(.got.as_ref())
    )]
    OtherChain { number: u64, got: Option<B256>, expected: B256 },
}

fn hash_or_none(hash: Option<&B256>) -> String {
    hash.map_or_else(|| "no block".to_owned(), B256::to_string)
}

impl RemoteError {
    /// Returns `true` if the node rejected the format of the parameters.
    pub(crate) const fn is_of_params(&self) -> bool {
        matches!(self, Self::Refused { code: -32_602 | -32_600 | -32_700, .. })
    }

    /// Returns the actual and the expected hash of the forked block, as the error's data.
    pub(crate) fn hashes(&self) -> Option<Value> {
        match self {
            Self::Replaced { got, expected, .. } | Self::OtherChain { got, expected, .. } => {
                Some(json!({ "got": got, "expected": expected }))
            }
            Self::Refused { .. } | Self::Failed(_) | Self::OtherBlock { .. } => None,
        }
    }
}

impl From<ClientError> for RemoteError {
    fn from(error: ClientError) -> Self {
        let ClientError::Rpc(TransportError::ErrorResp(refusal)) = &error else {
            return Self::Failed(error.to_string());
        };
        Self::Refused {
            code: refusal.code.try_into().unwrap_or(-32603),
            message: refusal.message.to_string(),
            data: refusal.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok()),
        }
    }
}

/// Client for the forked node, and the options of requests to it.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Options of the fork; the URL has no block number.
    pub(crate) fork: Fork,
    client: Client,
    /// `true` once the node has failed to read a state by block hash (EIP-1898).
    reads_by_number: AtomicBool,
}

impl Upstream {
    /// Creates the client for a fork without sending any request.
    pub(crate) fn new(fork: &Fork) -> Result<Self, ClientError> {
        let (url, _) = fork.url_and_block();
        let fork = Fork { url: url.to_owned(), ..fork.clone() };
        let options = ClientOptions {
            timeout: fork.timeout,
            tries: fork.retries.saturating_add(1),
            first_pause: fork.backoff,
            units_per_second: fork.units_per_second,
            batch: BATCH,
            ..ClientOptions::default()
        };
        let more = fork.more_urls.iter().map(String::as_str);
        let urls: Vec<&str> = std::iter::once(fork.url.as_str()).chain(more).collect();
        let client = Client::of_several(&urls, &fork.headers, options)?;
        Ok(Self { fork, client, reads_by_number: AtomicBool::new(false) })
    }

    /// Sends a request and blocks until the response arrives.
    pub(crate) fn ask<T, F>(
        &self,
        question: impl FnOnce(RootProvider) -> F,
    ) -> Result<T, RemoteError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TransportError>> + Send + 'static,
    {
        let answer = self.client.wait(question(self.client.provider().clone()));
        Ok(answer.map_err(ClientError::from)?)
    }

    /// Sends a request for any method.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Result<Value, RemoteError> {
        Ok(self.client.request(method, params.clone())?)
    }

    /// Returns the hash of the block with this number, if it exists.
    pub(crate) fn hash_of(&self, number: u64) -> Result<Option<B256>, RemoteError> {
        let block =
            self.ask(move |node| async move { node.get_block_by_number(number.into()).await })?;
        Ok(block.map(|block| block.header.hash))
    }

    /// Returns `true` if states are read by block number.
    pub(crate) fn reads_by_number(&self) -> bool {
        self.reads_by_number.load(Relaxed)
    }

    /// Switches to reading states by block number.
    pub(crate) fn read_by_number(&self) {
        if !self.reads_by_number.swap(true, Relaxed) {
            tracing::info!("forked node cannot read state by block hash, using block number");
        }
    }
}
