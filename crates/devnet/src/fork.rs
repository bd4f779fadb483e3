//! Another node, whose chain this one continues.
//!
//! Its state is asked for account by account and slot by slot as somebody needs them, and kept. The
//! library that other forking nodes use for this wants a database of its own under the EVM; here the
//! state is one of tries, which ask for what they do not hold, so that a plain client is enough.

use crate::{Config, DevnetError};
use alloy_consensus::Header;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{
    Address, B256, U256, keccak256,
    map::{AddressMap, HashMap},
};
use alloy_provider::{Provider as _, RootProvider};
use alloy_transport::TransportError;
use client::{Client, ClientError, Options};
use executor::ForkBackend;
use parking_lot::Mutex;
use revm::{bytecode::Bytecode, state::AccountInfo};
use serde_json::Value;
use std::time::Duration;
use trie::SourceError;

/// How often a request is tried.
const TRIES: u32 = 5;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(45);

/// A node that is asked.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Where it answers.
    pub(crate) url: String,
    /// Its chain.
    pub(crate) chain_id: u64,
    /// The block that is continued.
    pub(crate) header: Header,
    /// Hash of that block.
    pub(crate) hash: B256,
    client: Client,
    accounts: Mutex<AddressMap<Option<AccountInfo>>>,
    slots: Mutex<HashMap<(Address, U256), U256>>,
    hashes: Mutex<HashMap<u64, B256>>,
}

/// An error of the other node, or on the way to it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct RemoteError {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl Remote {
    /// Connects to a node, to continue its chain behind a block: that number, or as many before the
    /// newest if it is negative, or the newest.
    pub(crate) fn connect(url: &str, block: Option<i64>) -> Result<Self, DevnetError> {
        let flag = |error: &dyn std::fmt::Display| DevnetError::Flag {
            flag: "--fork-url",
            reason: format!("{url}: {error}"),
        };
        // `url@number` names the block too; `user:password@host` does not.
        let (url, at) = match url.rsplit_once('@') {
            Some((url, number)) if number.parse::<u64>().is_ok() => (url, number.parse().ok()),
            _ => (url, None),
        };
        let options = Options { timeout: TIMEOUT, tries: TRIES, ..Options::default() };
        let client = Client::new(url, options).map_err(|error| flag(&error))?;
        let asked = ask(&client, move |node| async move {
            let newest = node.get_block_number().await?;
            let wanted = match block.or(at) {
                None => newest,
                Some(number) if number < 0 => newest.saturating_sub(number.unsigned_abs()),
                Some(number) => number.unsigned_abs(),
            };
            let chain_id = node.get_chain_id().await?;
            Ok((chain_id, wanted, node.get_header_by_number(wanted.into()).await?))
        });
        let (chain_id, wanted, header) = asked.map_err(|error| flag(&error))?;
        let header = header.ok_or_else(|| flag(&format!("it has no block {wanted}")))?;
        Ok(Self {
            url: url.to_owned(),
            chain_id,
            hash: header.hash,
            header: header.inner,
            client,
            accounts: Mutex::default(),
            slots: Mutex::default(),
            hashes: Mutex::default(),
        })
    }

    /// Number of the block that is continued.
    pub(crate) const fn number(&self) -> u64 {
        self.header.number
    }

    /// Asks the other node.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Result<Value, RemoteError> {
        Ok(self.client.request(method, params.clone())?)
    }

    /// The state behind the block that is continued.
    const fn state(&self) -> BlockId {
        BlockId::Number(BlockNumberOrTag::Number(self.number()))
    }

    fn fetch_account(&self, address: Address) -> Result<Option<AccountInfo>, RemoteError> {
        let at = self.state();
        let (balance, nonce, code) = ask(&self.client, move |node| async move {
            tokio::try_join!(
                node.get_balance(address).block_id(at).into_future(),
                node.get_transaction_count(address).block_id(at).into_future(),
                node.get_code_at(address).block_id(at).into_future(),
            )
        })?;
        if balance.is_zero() && nonce == 0 && code.is_empty() {
            return Ok(None);
        }
        let bytecode = Bytecode::new_raw_checked(code.clone())
            .unwrap_or_else(|_| Bytecode::new_legacy(code.clone()));
        Ok(Some(AccountInfo {
            balance,
            nonce,
            code_hash: keccak256(&code),
            code: Some(bytecode),
            account_id: None,
        }))
    }
}

/// Asks a node and waits for it.
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
            return Self { code: -32603, message: error.to_string(), data: None };
        };
        Self {
            code: refusal.code.try_into().unwrap_or(-32603),
            message: refusal.message.to_string(),
            data: refusal.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok()),
        }
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
                move |node| async move { node.get_header_by_number(number.into()).await },
            )
            .map_err(SourceError::new)?;
        let hash = header.map(|header| header.hash);
        if let Some(hash) = hash {
            self.hashes.lock().insert(number, hash);
        }
        Ok(hash)
    }
}

/// What a devnet continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Where the other node answers; `@number` at its end names the block too.
    pub url: String,
    /// The block; as many before the newest if it is negative.
    pub block: Option<i64>,
}

impl Config {
    /// The same devnet as a fork of another node.
    #[must_use]
    pub fn forking(mut self, url: impl Into<String>, block: Option<i64>) -> Self {
        self.origin = crate::Origin::Fork(Fork { url: url.into(), block });
        self
    }
}
