//! Another node, whose chain this one continues.
//!
//! Its state is asked for account by account and slot by slot as somebody needs them, and kept. The
//! library that other forking nodes use for this wants a database of its own under the EVM; here the
//! state is one of tries, which ask for what they do not hold, so that a plain client is enough.

use crate::{Config, DevnetError};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, Bytes, U64, U256, keccak256,
    map::{AddressMap, HashMap},
};
use alloy_rpc_types_eth::Header as RpcHeader;
use executor::ForkBackend;
use parking_lot::Mutex;
use revm::{bytecode::Bytecode, state::AccountInfo};
use serde_json::{Value, json};
use std::{thread::sleep, time::Duration};
use trie::SourceError;

/// How often a request is tried.
const TRIES: u32 = 5;

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
    agent: ureq::Agent,
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

impl RemoteError {
    fn transport(message: impl std::fmt::Display) -> Self {
        Self { code: -32603, message: message.to_string(), data: None }
    }
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
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(45)))
            .build()
            .new_agent();
        let mut remote = Self {
            url: url.to_owned(),
            chain_id: 0,
            header: Header::default(),
            hash: B256::ZERO,
            agent,
            accounts: Mutex::default(),
            slots: Mutex::default(),
            hashes: Mutex::default(),
        };
        let number = |method: &str| -> Result<u64, DevnetError> {
            remote.typed::<U64>(method, &json!([])).map(|id| id.to()).map_err(|error| flag(&error))
        };
        let chain_id = number("eth_chainId")?;
        let newest = number("eth_blockNumber")?;
        let wanted = match block.or(at) {
            None => newest,
            Some(number) if number < 0 => newest.saturating_sub(number.unsigned_abs()),
            Some(number) => number.unsigned_abs(),
        };
        let header: Option<RpcHeader> = remote
            .typed("eth_getBlockByNumber", &json!([format!("{wanted:#x}"), false]))
            .map_err(|error| flag(&error))?;
        let header = header.ok_or_else(|| flag(&format!("it has no block {wanted}")))?;
        remote.chain_id = chain_id;
        remote.hash = header.hash;
        remote.header = header.inner;
        Ok(remote)
    }

    /// Number of the block that is continued.
    pub(crate) const fn number(&self) -> u64 {
        self.header.number
    }

    /// Asks the other node.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Result<Value, RemoteError> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut pause = Duration::from_millis(50);
        for again in 1..=TRIES {
            let answer =
                self.agent.post(&self.url).send_json(&request).and_then(|mut answer| {
                    answer.body_mut().with_config().limit(1 << 30).read_json()
                });
            let failure = match answer {
                Ok(answer) => return result(answer),
                Err(error) => error,
            };
            if again == TRIES {
                return Err(RemoteError::transport(failure));
            }
            sleep(pause);
            pause *= 2;
        }
        Err(RemoteError::transport("nothing was asked"))
    }

    fn typed<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<T, RemoteError> {
        serde_json::from_value(self.call(method, params)?).map_err(RemoteError::transport)
    }

    fn fetch_account(&self, address: Address) -> Result<Option<AccountInfo>, RemoteError> {
        let at = format!("{:#x}", self.number());
        let balance: U256 = self.typed("eth_getBalance", &json!([address, at]))?;
        let nonce: U64 = self.typed("eth_getTransactionCount", &json!([address, at]))?;
        let code: Bytes = self.typed("eth_getCode", &json!([address, at]))?;
        if balance.is_zero() && nonce.is_zero() && code.is_empty() {
            return Ok(None);
        }
        let bytecode = Bytecode::new_raw_checked(code.clone())
            .unwrap_or_else(|_| Bytecode::new_legacy(code.clone()));
        Ok(Some(AccountInfo {
            balance,
            nonce: nonce.to(),
            code_hash: keccak256(&code),
            code: Some(bytecode),
            account_id: None,
        }))
    }
}

fn result(mut answer: Value) -> Result<Value, RemoteError> {
    match answer.get_mut("error").map(Value::take) {
        Some(error) if !error.is_null() => Err(RemoteError {
            code: error["code"].as_i64().and_then(|code| code.try_into().ok()).unwrap_or(-32603),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            data: error.get("data").cloned(),
        }),
        _ => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
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
        let at = format!("{:#x}", self.number());
        let params = json!([address, B256::from(slot), at]);
        let value: B256 = self.typed("eth_getStorageAt", &params).map_err(SourceError::new)?;
        self.slots.lock().insert((address, slot), value.into());
        Ok(value.into())
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        if number == self.number() {
            return Ok(Some(self.hash));
        }
        if let Some(known) = self.hashes.lock().get(&number) {
            return Ok(Some(*known));
        }
        let params = json!([format!("{number:#x}"), false]);
        let block: Option<RpcHeader> =
            self.typed("eth_getBlockByNumber", &params).map_err(SourceError::new)?;
        let hash = block.map(|block| block.hash);
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
