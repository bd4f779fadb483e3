//! The commands of a rollup: what makes one, and what its users send to L1.

mod account;
mod allowance;
pub(crate) mod calldata;
mod fee_cap;
mod force;
pub(crate) mod genesis;
pub(crate) mod init;
mod key_source;
mod keys;
pub(crate) mod lease_witness;
mod meaning;
pub(crate) mod node;
mod plan;
pub(crate) mod prove;
pub(crate) mod snapshot;
pub(crate) mod verify;

use alloy_json_rpc::{RpcError, RpcRecv, RpcSend};
use alloy_primitives::{Address, Bytes, U64};
use alloy_sol_types::SolCall;
use client::{Client, ClientError, ClientOptions};
use eyre::{Result, WrapErr as _, bail, eyre};
use serde_json::json;

/// A node of one of the two chains.
struct Node {
    client: Client,
    /// Name in errors.
    name: &'static str,
}

impl Node {
    /// The node at a URL, which has to be on the chain with this id.
    fn connect(name: &'static str, url: &str, chain_id: Option<u64>) -> Result<Self> {
        let node = Self { client: Client::new(url, ClientOptions::default())?, name };
        let got: U64 = node.request("eth_chainId", ())?;
        match chain_id {
            Some(expected) if got.to::<u64>() != expected => bail!(
                "{name} node at {} is on chain {got}, but the deployment file says {expected}",
                node.client.address()
            ),
            _ => Ok(node),
        }
    }

    fn request<R: RpcRecv>(&self, method: &str, params: impl RpcSend + 'static) -> Result<R> {
        let explain = |error| match error {
            ClientError::Rpc(RpcError::ErrorResp(refusal)) => eyre!("{refusal}"),
            other => eyre::Report::from(other),
        };
        self.client.request(method, params).map_err(explain).wrap_err_with(|| {
            format!("{method} of the {} node at {}", self.name, self.client.address())
        })
    }

    /// Calls a contract at the latest block.
    fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return> {
        let data = Bytes::from(call.abi_encode());
        let answer: Bytes = self
            .request("eth_call", json!([{ "to": to, "data": data }, "latest"]))
            .wrap_err_with(|| format!("{} at {to}", C::SIGNATURE))?;
        C::abi_decode_returns(&answer).wrap_err_with(|| {
            format!("{to} has not answered as {} does: is the contract there?", C::SIGNATURE)
        })
    }
}
