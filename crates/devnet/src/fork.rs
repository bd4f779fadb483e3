//! Fork of another node's chain.
//!
//! The devnet requests accounts and slots when they are first needed, and caches them. The state is
//! a set of tries that request missing entries, so there is no separate database below the EVM as
//! in other forking nodes.

use crate::{
    DevnetError,
    cache::Cache,
    history::{PastState, Values, bytecode},
    upstream::{Fork, RemoteError, Upstream},
};
use alloy_consensus::Header;
use alloy_eips::{
    BlockId, BlockNumberOrTag, eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS,
};
use alloy_primitives::{
    Address, B256, U64, U256, keccak256,
    map::{AddressMap, HashMap},
    uint,
};
use alloy_provider::{Provider as _, RootProvider};
use alloy_transport::TransportError;
use chain::store::Preimages;
use client::{ClientError, RedactedUrl};
use executor::ForkBackend;
use parking_lot::{Mutex, RwLock};
use revm::state::AccountInfo;
use rpc::CONSOLE_OUTPUT;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::task::JoinSet;
use trie::SourceError;

/// Maximum number of concurrent requests for accounts and slots.
const AT_ONCE: usize = 32;

/// The forked node, with the values read from it.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Chain id of the forked node.
    pub(crate) chain_id: u64,
    /// Header of the forked block.
    pub(crate) header: Header,
    /// Hash of the forked block.
    pub(crate) hash: B256,
    upstream: RwLock<Arc<Upstream>>,
    accounts: Mutex<AddressMap<Option<AccountInfo>>>,
    slots: Mutex<HashMap<(Address, U256), U256>>,
    hashes: Mutex<HashMap<u64, B256>>,
    /// Numbers of blocks that requests referred to by hash.
    numbers: Mutex<HashMap<B256, u64>>,
    /// Cache file, and the number of values that it contains.
    cache: Option<(Cache, AtomicUsize)>,
}

impl Remote {
    /// Connects to a node to fork its chain at a block: the given number, counted back from the
    /// latest block if negative, or the latest block.
    pub(crate) fn connect(fork: &Fork) -> Result<Self, DevnetError> {
        let (url, at) = fork.url_and_block();
        let flag = |error: &dyn std::fmt::Display| DevnetError::Flag {
            flag: "--fork-url",
            reason: format!("{}: {error}", RedactedUrl::new(url)),
        };
        // These errors already contain the URL or header in question.
        let upstream = Upstream::new(fork).map_err(|error| {
            let is_header = matches!(error, ClientError::Header(_));
            let flag = if is_header { "--fork-header" } else { "--fork-url" };
            DevnetError::Flag { flag, reason: error.to_string() }
        })?;
        let redacted = RedactedUrl::new(url);
        tracing::info!(target: CONSOLE_OUTPUT, text = format!("Forking {redacted}"), url = %redacted, "forking");
        let (block, known_id) = (fork.block.or(at), fork.chain_id);
        let response = upstream.ask(move |node| async move {
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
                // Not every provider supports requests for headers alone.
                let block = node.get_block_by_number(wanted).await?;
                Ok((wanted, block.map(|block| block.header)))
            };
            // Concurrent, because each round trip may be slow.
            tokio::try_join!(chain_id, header)
        });
        let (chain_id, (wanted, header)) = response.map_err(|error| flag(&error))?;
        let header = header.ok_or_else(|| flag(&format!("it has no block {wanted}")))?;
        if wanted.as_number().is_some_and(|number| number != header.number) {
            let number = header.number;
            return Err(flag(&format!("the node returned block {number}, expected {wanted}")));
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
            chain_id,
            hash: header.hash,
            header: header.inner,
            upstream: RwLock::new(Arc::new(upstream)),
            accounts: Mutex::new(accounts),
            slots: Mutex::new(slots),
            hashes: Mutex::new(hashes),
            numbers: Mutex::default(),
            cache,
        })
    }

    /// Requests accounts and slots before they are needed, in batches. A slot with an invalid
    /// response is requested again when it is needed.
    pub(crate) fn fetch(
        &self,
        addresses: impl Iterator<Item = Address>,
        slots: impl Iterator<Item = (Address, U256)>,
    ) -> Result<(), RemoteError> {
        let wanted: Vec<_> = {
            let (accounts, known) = (self.accounts.lock(), self.slots.lock());
            let addresses = addresses.filter(|address| !accounts.contains_key(address));
            let slots = slots.filter(|slot| !known.contains_key(slot));
            addresses.map(Prefetch::Account).chain(slots.map(Prefetch::Slot)).collect()
        };
        for part in wanted.chunks(AT_ONCE) {
            let answers = self.read(|node, at| answers_to(node, part.to_vec(), at))?;
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

    /// Adds the accounts and slots that were read from the forked node.
    pub(crate) fn add_known(&self, preimages: &mut Preimages) {
        let slots: Vec<_> = self.slots.lock().keys().copied().collect();
        // A slot may have been read without its account. It is omitted if the request for the
        // account fails, because it cannot be used without it.
        let owners: BTreeSet<_> = slots.iter().map(|(address, _)| *address).collect();
        if let Err(error) = self.fetch(owners.into_iter(), iter::empty()) {
            tracing::warn!(%error, "failed to read accounts of known slots");
        }
        let accounts = self.accounts.lock();
        let there = |address: &Address| accounts.get(address).is_some_and(Option::is_some);
        for address in accounts.keys().filter(|address| there(address)) {
            preimages.entry(*address).or_default();
        }
        for (address, slot) in slots.into_iter().filter(|(address, _)| there(address)) {
            preimages.entry(address).or_default().insert(slot);
        }
    }

    /// Returns the number of the forked block.
    pub(crate) const fn number(&self) -> u64 {
        self.header.number
    }

    /// Returns the client for the node that requests are currently sent to.
    pub(crate) fn upstream(&self) -> Arc<Upstream> {
        Arc::clone(&self.upstream.read())
    }

    /// Returns the URL of the forked node, which may contain secrets.
    pub(crate) fn url(&self) -> String {
        self.upstream().fork.url.clone()
    }

    /// Redirects further requests to another node of the same chain.
    pub(crate) fn set_url(&self, url: String) -> Result<(), RemoteError> {
        let known = self.upstream().fork.clone();
        // The headers may contain credentials of the previous node.
        let (more_urls, headers) = (Vec::new(), Vec::new());
        let upstream = Upstream::new(&Fork { url, more_urls, headers, ..known })?;
        let (number, expected) = (self.number(), self.hash);
        match upstream.hash_of(number)? {
            Some(hash) if hash == expected => {}
            got => return Err(RemoteError::OtherChain { number, got, expected }),
        }
        *self.upstream.write() = Arc::new(upstream);
        Ok(())
    }

    /// Sends a request to the forked node.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Result<Value, RemoteError> {
        self.upstream().call(method, params)
    }

    /// Checks that the forked block is still on the forked node's chain, which implies that its
    /// ancestors are too.
    pub(crate) fn check_block(&self) -> Result<(), RemoteError> {
        let (number, expected) = (self.number(), self.hash);
        match self.upstream().hash_of(number)? {
            Some(hash) if hash == expected => Ok(()),
            got => Err(RemoteError::Replaced { number, got, expected }),
        }
    }

    /// Returns the number of the forked node's block with this hash, if it exists. A block after
    /// the forked one is not part of this chain.
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

    /// Reads from the state after the forked block, by its hash, so that a reorg on the forked node
    /// cannot mix the states of two chains. If the node does not support reads by hash (EIP-1898),
    /// reads by number and checks the hash after each response.
    fn read<T, F>(&self, question: impl Fn(RootProvider, BlockId) -> F) -> Result<T, RemoteError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TransportError>> + Send + 'static,
    {
        let upstream = self.upstream();
        if !upstream.reads_by_number() {
            // The forked node may still have the state of a replaced block, so `requireCanonical`
            // is false. Without the field, alloy would not send the object of EIP-1898.
            let by_hash = BlockId::from((self.hash, Some(false)));
            let refused = match upstream.ask(|node| question(node, by_hash)) {
                Err(error @ RemoteError::Refused { .. }) => error,
                answer => return answer,
            };
            // Most nodes drop the state of a replaced block, with differing error messages.
            if let Err(error @ RemoteError::Replaced { .. }) = self.check_block() {
                return Err(error);
            }
            if !refused.is_of_params() {
                return Err(refused);
            }
            upstream.read_by_number();
        }
        let answer = upstream.ask(|node| question(node, self.number().into()))?;
        self.check_block()?;
        Ok(answer)
    }
}

/// Value to fetch before it is needed.
#[derive(Debug, Clone, Copy)]
enum Prefetch {
    Account(Address),
    Slot((Address, U256)),
}

/// Response of the forked node.
#[derive(Debug)]
enum Answer {
    Account(Address, Option<AccountInfo>),
    Slot((Address, U256), Option<U256>),
}

/// Responses to concurrent requests.
async fn answers_to(
    node: RootProvider,
    wanted: Vec<Prefetch>,
    at: BlockId,
) -> Result<Vec<Answer>, TransportError> {
    let mut requests = JoinSet::new();
    for wanted in wanted {
        let node = node.clone();
        requests.spawn(async move {
            Ok(match wanted {
                Prefetch::Account(address) => {
                    Answer::Account(address, account(&node, address, at).await?)
                }
                Prefetch::Slot(slot) => {
                    match node.get_storage_at(slot.0, slot.1).block_id(at).await {
                        Ok(value) => Answer::Slot(slot, Some(value)),
                        // The connection failed, so sending the request in another form would not
                        // help.
                        Err(error @ TransportError::Transport(_)) => return Err(error),
                        Err(_) => Answer::Slot(slot, None),
                    }
                }
            })
        });
    }
    requests.join_all().await.into_iter().collect()
}

/// Requests an account of the forked node.
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

impl Drop for Remote {
    fn drop(&mut self) {
        self.keep();
    }
}

impl Remote {
    /// Writes the node's responses to the cache for later forks of the block, if the cache is
    /// enabled.
    pub(crate) fn keep(&self) {
        let Some((cache, kept)) = &self.cache else { return };
        let known = self.accounts.lock().len() + self.slots.lock().len() + self.hashes.lock().len();
        // Values are only ever added, so an equal number means equal content.
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

/// Slots of a system contract that are requested together with another one: the beacon root with
/// its timestamp (EIP-4788), and the hashes of the following blocks with a block hash (EIP-2935).
fn related_slots(address: Address, slot: U256) -> Vec<U256> {
    /// Ring buffer size of both contracts (`HISTORY_BUFFER_LENGTH`, `HISTORY_SERVE_WINDOW`).
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
        let read = |node: RootProvider, at| async move { account(&node, address, at).await };
        let account = self.read(read).map_err(SourceError::new)?;
        self.accounts.lock().insert(address, account.clone());
        Ok(account)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, SourceError> {
        if let Some(known) = self.slots.lock().get(&(address, slot)) {
            return Ok(*known);
        }
        let along = related_slots(address, slot);
        if !along.is_empty() {
            let slots = iter::once(slot).chain(along).map(|slot| (address, slot));
            self.fetch(iter::empty(), slots).map_err(SourceError::new)?;
            if let Some(known) = self.slots.lock().get(&(address, slot)) {
                return Ok(*known);
            }
        }
        let read = |node: RootProvider, at| async move {
            node.get_storage_at(address, slot).block_id(at).await
        };
        let value = self.read(read).map_err(SourceError::new)?;
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
        if number.checked_add(1) == Some(self.number()) {
            return Ok(Some(self.header.parent_hash));
        }
        let read =
            |node: RootProvider| async move { node.get_block_by_number(number.into()).await };
        let header = self.upstream().ask(read).map_err(SourceError::new)?.map(|block| block.header);
        if let Some(header) = header.as_ref().filter(|header| header.number != number) {
            let (got, expected) = (header.number, number);
            return Err(SourceError::new(RemoteError::OtherBlock { got, expected }));
        }
        self.check_block().map_err(SourceError::new)?;
        let hash = header.map(|header| header.hash);
        if let Some(hash) = hash {
            self.hashes.lock().insert(number, hash);
        }
        Ok(hash)
    }
}
