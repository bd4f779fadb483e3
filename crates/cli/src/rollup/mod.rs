//! Rollup commands: setup, operation, verification, and calldata for L1.

mod account;
mod allowance;
pub(crate) mod bond;
pub(crate) mod calldata;
pub(crate) mod exit;
mod fee_cap;
mod force;
pub(crate) mod genesis;
pub(crate) mod init;
mod key_source;
mod keys;
mod l1_slots;
mod meaning;
pub(crate) mod node;
mod plan;
pub(crate) mod prove;
pub(crate) mod snapshot;
pub(crate) mod verify;
pub(crate) mod watch;

use alloy_json_rpc::{RpcError, RpcRecv, RpcSend};
use alloy_primitives::{Address, B256, Bytes, U64};
use alloy_rpc_types_eth::Log;
use alloy_sol_types::SolCall;
use client::{Client, ClientError, ClientOptions};
use eyre::{Result, WrapErr as _, bail, eyre};
use serde_json::json;

/// Maximum number of `eth_getLogs` requests for the logs of a contract.
const MAX_LOG_REQUESTS: usize = 4_096;

/// Options of the clients. The nodes need not be trusted, so responses are shorter than the memory
/// of a small machine.
const OPTIONS: ClientOptions = ClientOptions { longest_answer: 64 << 20, ..ClientOptions::DEFAULT };

/// Client of a node of L1 or the L2.
struct Node {
    client: Client,
    /// Name of the chain in errors, `L1` or `L2`.
    name: &'static str,
}

impl Node {
    /// Connects to a node and checks its chain id, if one is expected.
    fn connect(name: &'static str, url: &str, chain_id: Option<u64>) -> Result<Self> {
        let node = Self { client: Client::new(url, OPTIONS)?, name };
        let got: U64 = node.request("eth_chainId", ())?;
        match chain_id {
            Some(expected) if got.to::<u64>() != expected => bail!(
                "{name} node at {} is on chain {got}, expected chain {expected}",
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
            format!("{to} returned no valid result of {}: is the contract deployed?", C::SIGNATURE)
        })
    }

    /// Passes the logs of a contract with these topics to `visit`, in their order, from block
    /// `first` to the latest one. Holds the logs of one response.
    fn each_log(
        &self,
        address: Address,
        topics: &[B256],
        first: u64,
        mut visit: impl FnMut(&Log) -> Result<()>,
    ) -> Result<()> {
        let latest: U64 = self.request("eth_blockNumber", ())?;
        // Nodes limit the block range and the number of logs of a response, so a rejected range is
        // halved. An attacker who makes a contract emit many logs only causes more requests.
        let mut ranges = vec![(first, latest.to::<u64>())];
        let mut requests = 0;
        while let Some((from, to)) = ranges.pop() {
            requests += 1;
            let filter = json!([{
                "address": address,
                "fromBlock": U64::from(from),
                "toBlock": U64::from(to),
                "topics": topics,
            }]);
            let logs: Result<Vec<Log>> = self.request("eth_getLogs", filter);
            match logs {
                Err(_) if from < to && requests < MAX_LOG_REQUESTS => {
                    let middle = from + (to - from) / 2;
                    ranges.extend([(middle + 1, to), (from, middle)]);
                }
                logs => logs?.iter().try_for_each(&mut visit)?,
            }
        }
        Ok(())
    }
}
