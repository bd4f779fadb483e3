//! Fork of another node's chain.
//!
//! The devnet requests accounts and slots when it needs them, and keeps them. The library of other forking nodes
//! needs a database of its own under the EVM. Here the state is a set of tries that request missing content, so a
//! plain client suffices.

use crate::{
    DevnetConfig, DevnetError,
    cache::Cache,
    history::{PastState, Values},
};
use alloy_consensus::Header;
use alloy_eips::{
    BlockId, BlockNumberOrTag, eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS,
};
use alloy_primitives::{
    Address, B256, Bytes, U64, U256, keccak256,
    map::{AddressMap, HashMap},
    uint,
};
use alloy_provider::{Provider as _, RootProvider};
use alloy_transport::TransportError;
use client::{Client, ClientError, ClientOptions, RedactedUrl};
use executor::ForkBackend;
use parking_lot::Mutex;
use revm::{bytecode::Bytecode, state::AccountInfo};
use rpc::CONSOLE_OUTPUT;
use serde_json::{Value, json};
use std::{
    iter,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::task::JoinSet;
use trie::SourceError;

/// Number of accounts that are requested concurrently.
const AT_ONCE: usize = 32;

/// Maximum number of requests in a batch, which every large provider accepts.
const BATCH: usize = 100;

/// The other node.
#[derive(Debug)]
pub(crate) struct Remote {
    /// URL of the other node.
    pub(crate) url: String,
    /// Chain id of the node.
    pub(crate) chain_id: u64,
    /// Number of the forked block.
    pub(crate) header: Header,
    /// Hash of the forked block.
    pub(crate) hash: B256,
    client: Client,
    accounts: Mutex<AddressMap<Option<AccountInfo>>>,
    slots: Mutex<HashMap<(Address, U256), U256>>,
    hashes: Mutex<HashMap<u64, B256>>,
    /// Numbers of blocks that requests have named by hash.
    numbers: Mutex<HashMap<B256, u64>>,
    /// Cache of answers, and the number of answers in it.
    cache: Option<(Cache, AtomicUsize)>,
}

/// Error from the other node, or of the connection to it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RemoteError {
    /// The node refuses the request.
    #[error("the forked node answers: {message} (code {code})")]
    Refused { code: i32, message: String, data: Option<Value> },
    /// The node does not answer, or not in a form that can be parsed.
    #[error("the forked node fails: {0}")]
    Failed(String),
    /// The node returns another block than the requested one.
    #[error("the forked node, asked for block {expected}, answers with {got}")]
    OtherBlock { got: u64, expected: u64 },
}

impl Remote {
    /// Connects to a node to fork its chain after a block: the given number, or counted back from the newest if
    /// negative, or the newest.
    pub(crate) fn connect(fork: &Fork) -> Result<Self, DevnetError> {
        let (url, at) = fork.url_and_block();
        let flag = |error: &dyn std::fmt::Display| DevnetError::Flag {
            flag: "--fork-url",
            reason: format!("{}: {error}", RedactedUrl::new(url)),
        };
        let options = ClientOptions {
            timeout: fork.timeout,
            tries: fork.retries.saturating_add(1),
            first_pause: fork.backoff,
            units_per_second: fork.units_per_second,
            batch: BATCH,
            ..ClientOptions::default()
        };
        let urls: Vec<&str> =
            std::iter::once(url).chain(fork.more_urls.iter().map(String::as_str)).collect();
        // What is wrong here names its address or header itself.
        let client = Client::of_several(&urls, &fork.headers, options).map_err(|error| {
            let is_header = matches!(error, ClientError::Header(_));
            let flag = if is_header { "--fork-header" } else { "--fork-url" };
            DevnetError::Flag { flag, reason: error.to_string() }
        })?;
        let shown = RedactedUrl::new(url);
        tracing::info!(target: CONSOLE_OUTPUT, text = format!("Forking {shown}"), url = %shown, "forking");
        let (block, known_id) = (fork.block.or(at), fork.chain_id);
        let asked = ask(&client, move |node| async move {
            let chain_id = async {
                match known_id {
                    Some(id) => Ok(id),
                    None => node.get_chain_id().await,
                }
            };
            let header = async {
                let wanted = match block {
                    None => BlockNumberOrTag::Latest,
                    Some(number) if number < 0 => {
                        let newest = node.get_block_number().await?;
                        newest.saturating_sub(number.unsigned_abs()).into()
                    }
                    Some(number) => number.unsigned_abs().into(),
                };
                // Not every provider has a method for headers alone.
                let block = node.get_block_by_number(wanted).await?;
                Ok((wanted, block.map(|block| block.header)))
            };
            // Together: each way there and back may take long.
            tokio::try_join!(chain_id, header)
        });
        let (chain_id, (wanted, header)) = asked.map_err(|error| flag(&error))?;
        let header = header.ok_or_else(|| flag(&format!("it has no block {wanted}")))?;
        if wanted.as_number().is_some_and(|number| number != header.number) {
            let number = header.number;
            return Err(flag(&format!("asked for block {wanted}, it answers with {number}")));
        }
        let cache = fork.cache.as_ref();
        let cache = cache.map(|folder| Cache::of(folder, chain_id, header.number, header.hash));
        let (mut accounts, mut slots, mut hashes) = Values::default();
        for known in cache.as_ref().map(Cache::read).unwrap_or_default() {
            let known = known.into_values();
            accounts.extend(known.0);
            slots.extend(known.1);
            hashes.extend(known.2);
        }
        let known = accounts.len() + slots.len() + hashes.len();
        let cache = cache.map(|cache| (cache, AtomicUsize::new(known)));
        Ok(Self {
            url: url.to_owned(),
            chain_id,
            hash: header.hash,
            header: header.inner,
            client,
            accounts: Mutex::new(accounts),
            slots: Mutex::new(slots),
            hashes: Mutex::new(hashes),
            numbers: Mutex::default(),
            cache,
        })
    }

    /// Requests accounts and slots ahead of their use, in one batch. A slot with an invalid answer is requested
    /// again when it is needed.
    pub(crate) fn fetch(
        &self,
        addresses: impl Iterator<Item = Address>,
        slots: impl Iterator<Item = (Address, U256)>,
    ) -> Result<(), RemoteError> {
        let wanted: Vec<_> = {
            let (accounts, known) = (self.accounts.lock(), self.slots.lock());
            let addresses = addresses.filter(|address| !accounts.contains_key(address));
            let slots = slots.filter(|slot| !known.contains_key(slot));
            addresses.map(Wanted::Account).chain(slots.map(Wanted::Slot)).collect()
        };
        for part in wanted.chunks(AT_ONCE) {
            let (part, at) = (part.to_vec(), self.state());
            let answers = ask(&self.client, move |node| async move {
                let mut asked = JoinSet::new();
                for wanted in part {
                    let node = node.clone();
                    asked.spawn(async move {
                        Ok(match wanted {
                            Wanted::Account(address) => {
                                Answer::Account(address, account(&node, address, at).await?)
                            }
                            Wanted::Slot(slot) => {
                                match node.get_storage_at(slot.0, slot.1).block_id(at).await {
                                    Ok(value) => Answer::Slot(slot, Some(value)),
                                    // No request is answered just now, in whichever form it is sent.
                                    Err(error @ TransportError::Transport(_)) => return Err(error),
                                    Err(_) => Answer::Slot(slot, None),
                                }
                            }
                        })
                    });
                }
                asked.join_all().await.into_iter().collect::<Result<Vec<_>, TransportError>>()
            })?;
            let (mut accounts, mut slots) = (self.accounts.lock(), self.slots.lock());
            for answer in answers {
                match answer {
                    Answer::Account(address, account) => drop(accounts.insert(address, account)),
                    Answer::Slot(slot, value) => slots.extend(value.map(|value| (slot, value))),
                }
            }
        }
        Ok(())
    }

    /// Number of the forked block.
    pub(crate) const fn number(&self) -> u64 {
        self.header.number
    }

    /// Sends a request to the other node.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Result<Value, RemoteError> {
        Ok(self.client.request(method, params.clone())?)
    }

    /// Number of its block with this hash, if it has one. If the block is after the forked one, it is not on the
    /// chain here.
    pub(crate) fn number_of(&self, hash: B256) -> Result<Option<u64>, RemoteError> {
        if hash == self.hash {
            return Ok(Some(self.number()));
        }
        if let Some(known) = self.numbers.lock().get(&hash) {
            return Ok(Some(*known));
        }
        let block = self.call("eth_getBlockByHash", &json!([hash, false]))?;
        if block.is_null() {
            return Ok(None);
        }
        let number = block.get("number").and_then(Value::as_str);
        let number = number.and_then(|text| text.parse::<U64>().ok()).ok_or_else(|| {
            RemoteError::Failed(format!("its block {hash} comes without a number"))
        })?;
        let number: u64 = number.to();
        self.numbers.lock().insert(hash, number);
        Ok(Some(number))
    }

    /// State after the forked block.
    const fn state(&self) -> BlockId {
        BlockId::Number(BlockNumberOrTag::Number(self.number()))
    }

    fn fetch_account(&self, address: Address) -> Result<Option<AccountInfo>, RemoteError> {
        let at = self.state();
        ask(&self.client, move |node| async move { account(&node, address, at).await })
    }
}

/// A value that is fetched ahead of use.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Account(Address),
    Slot((Address, U256)),
}

/// Answer of the other node.
#[derive(Debug)]
enum Answer {
    Account(Address, Option<AccountInfo>),
    Slot((Address, U256), Option<U256>),
}

/// An account of another node.
async fn account(
    node: &RootProvider,
    address: Address,
    at: BlockId,
) -> Result<Option<AccountInfo>, TransportError> {
    let (balance, nonce, code) = tokio::try_join!(
        node.get_balance(address).block_id(at).into_future(),
        node.get_transaction_count(address).block_id(at).into_future(),
        node.get_code_at(address).block_id(at).into_future(),
    )?;
    if balance.is_zero() && nonce == 0 && code.is_empty() {
        return Ok(None);
    }
    Ok(Some(AccountInfo {
        balance,
        nonce,
        code_hash: keccak256(&code),
        code: Some(bytecode(&code)),
        account_id: None,
    }))
}

/// A code in the form of the EVM.
pub(crate) fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.keep();
    }
}

impl Remote {
    /// Writes the node's answers to the cache for the next fork of the block, if there is a cache.
    pub(crate) fn keep(&self) {
        let Some((cache, kept)) = &self.cache else { return };
        let known = self.accounts.lock().len() + self.slots.lock().len() + self.hashes.lock().len();
        // Answers are only ever added.
        if kept.swap(known, Ordering::Relaxed) != known {
            let values = (
                self.accounts.lock().clone(),
                self.slots.lock().clone(),
                self.hashes.lock().clone(),
            );
            cache.write(PastState::of_values(&values));
        }
    }
}

/// Sends a request to a node and waits for the answer.
fn ask<T, F>(client: &Client, question: impl FnOnce(RootProvider) -> F) -> Result<T, RemoteError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, TransportError>> + Send + 'static,
{
    let answer = client.wait(question(client.provider().clone()));
    Ok(answer.map_err(ClientError::from)?)
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

/// Slots of a system contract that are requested together with another one: the beacon root with its timestamp
/// (EIP-4788), and the hashes of the next blocks with a block hash (EIP-2935).
fn asked_along(address: Address, slot: U256) -> Vec<U256> {
    /// Number of blocks in the ring of either contract (`HISTORY_BUFFER_LENGTH`, `HISTORY_SERVE_WINDOW`).
    const WINDOW: U256 = uint!(8191_U256);
    /// Number of block hashes that are requested together.
    const AHEAD: u64 = 8;
    match address {
        _ if slot >= WINDOW => Vec::new(),
        BEACON_ROOTS_ADDRESS => vec![slot + WINDOW],
        HISTORY_STORAGE_ADDRESS => {
            (1..AHEAD).map(|next| (slot + U256::from(next)) % WINDOW).collect()
        }
        _ => Vec::new(),
    }
}

impl ForkBackend for Remote {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SourceError> {
        if let Some(known) = self.accounts.lock().get(&address) {
            return Ok(known.clone());
        }
        let account = self.fetch_account(address).map_err(SourceError::new)?;
        self.accounts.lock().insert(address, account.clone());
        Ok(account)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, SourceError> {
        if let Some(known) = self.slots.lock().get(&(address, slot)) {
            return Ok(*known);
        }
        let along = asked_along(address, slot);
        if !along.is_empty() {
            let slots = iter::once(slot).chain(along).map(|slot| (address, slot));
            self.fetch(iter::empty(), slots).map_err(SourceError::new)?;
            if let Some(known) = self.slots.lock().get(&(address, slot)) {
                return Ok(*known);
            }
        }
        let at = self.state();
        let value = ask(&self.client, move |node| async move {
            node.get_storage_at(address, slot).block_id(at).await
        })
        .map_err(SourceError::new)?;
        self.slots.lock().insert((address, slot), value);
        Ok(value)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        if number == self.number() {
            return Ok(Some(self.hash));
        }
        if let Some(known) = self.hashes.lock().get(&number) {
            return Ok(Some(*known));
        }
        let header =
            ask(
                &self.client,
                move |node| async move { node.get_block_by_number(number.into()).await },
            )
            .map_err(SourceError::new)?;
        let header = header.map(|block| block.header);
        if let Some(header) = header.as_ref().filter(|header| header.number != number) {
            let (got, expected) = (header.number, number);
            return Err(SourceError::new(RemoteError::OtherBlock { got, expected }));
        }
        let hash = header.map(|header| header.hash);
        if let Some(hash) = hash {
            self.hashes.lock().insert(number, hash);
        }
        Ok(hash)
    }
}

/// A fork, and options of requests to its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// URL of the other node; `@number` at its end names the block.
    pub url: String,
    /// Further URLs of the same node, used in turn with the first.
    pub more_urls: Vec<String>,
    /// The block; counted back from the newest if negative.
    pub block: Option<i64>,
    /// Chain id, to save the request for it.
    pub chain_id: Option<u64>,
    /// Headers of each request: name and value.
    pub headers: Vec<(String, String)>,
    /// Timeout of a request.
    pub timeout: Duration,
    /// Number of retries of a request.
    pub retries: u32,
    /// First pause before a retry; it doubles each time.
    pub backoff: Duration,
    /// Compute units per second of the provider; `None` for no limit.
    pub units_per_second: Option<u64>,
    /// Gas limit of new blocks; by default the forked block's.
    pub gas_limit: Option<u64>,
    /// Base fee of the first new block, in wei; by default it follows from the forked block.
    pub base_fee: Option<u64>,
    /// Cache folder for the next fork of the same block, if there is a cache.
    pub cache: Option<PathBuf>,
}

impl Fork {
    /// The node at this URL, with anvil's defaults.
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

    /// Splits a URL and the block number at its end: `url@number` names a block, `user:password@host` does not.
    fn url_and_block(&self) -> (&str, Option<i64>) {
        match self.url.rsplit_once('@') {
            Some((url, number)) if number.parse::<u64>().is_ok() => (url, number.parse().ok()),
            _ => (&self.url, None),
        }
    }
}

impl DevnetConfig {
    /// The same devnet as a fork of another node.
    #[must_use]
    pub fn forking(mut self, url: impl Into<String>, block: Option<i64>) -> Self {
        self.origin = crate::Origin::Fork(Fork::at(url, block));
        self
    }
}
