//! Transactions of an account on L1.

use crate::rollup::Node;
use ::rollup::{Signer, revert_data};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U64, U256, hex};
use alloy_rpc_types_eth::{Block, TransactionReceipt};
use alloy_sol_types::{SolCall, SolInterface as _};
use client::ClientError;
use contracts::bindings::IPreconfBonds::IPreconfBondsErrors;
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use serde_json::json;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Maximum time for which a transaction is awaited: 15 slots of Ethereum.
const WAIT: Duration = Duration::from_secs(180);
/// Time between two requests for a receipt.
const PAUSE: Duration = Duration::from_millis(500);

/// An account that sends transactions.
pub(super) struct Account {
    pub(super) signer: Signer,
    pub(super) chain_id: u64,
}

impl Account {
    pub(super) fn address(&self) -> Address {
        self.signer.address()
    }

    /// Sends a call of the registry, and waits until L1 has included it.
    pub(super) fn send<C: SolCall>(
        &self,
        l1: &Node,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<B256> {
        let from = self.address();
        let input = Bytes::from(call.abi_encode());
        let gas = estimate::<C>(l1, from, to, &input, value)?;
        let latest: Block = l1.request("eth_getBlockByNumber", ("latest", false))?;
        let base_fee = latest.header.base_fee_per_gas.ok_or_eyre("an L1 without EIP-1559")?;
        let tip: U256 = l1.request("eth_maxPriorityFeePerGas", ())?;
        let tip = u128::try_from(tip).wrap_err("eth_maxPriorityFeePerGas")?;
        let signed = self.signer.sign(TxEip1559 {
            chain_id: self.chain_id,
            nonce: l1.request::<U64>("eth_getTransactionCount", (from, "pending"))?.to(),
            // A later block may have different storage; unused gas is not charged.
            gas_limit: gas.saturating_add(gas / 4),
            max_fee_per_gas: u128::from(base_fee).saturating_mul(2).saturating_add(tip),
            max_priority_fee_per_gas: tip,
            to: to.into(),
            value,
            input,
            ..Default::default()
        })?;
        let raw = Bytes::from(signed.encoded_2718());
        let hash: B256 = l1.request("eth_sendRawTransaction", (raw,))?;
        let receipt = included(l1, hash)?;
        ensure!(receipt.status(), "transaction {hash} of {from} failed on L1");
        Ok(hash)
    }
}

/// Returns the gas of a call, or the reason why the registry rejects it.
fn estimate<C: SolCall>(
    l1: &Node,
    from: Address,
    to: Address,
    input: &Bytes,
    value: U256,
) -> Result<u64> {
    let transaction = json!({ "from": from, "to": to, "data": input, "value": value });
    match l1.client.request::<_, U64>("eth_estimateGas", [transaction]) {
        Ok(gas) => Ok(gas.to()),
        Err(error) => {
            let ClientError::Rpc(rpc) = &error else { return Err(error.into()) };
            match revert_data(rpc).map(|data| (IPreconfBondsErrors::abi_decode(&data), data)) {
                Some((Ok(reason), _)) => {
                    bail!("the registry {to} rejects {} of {from}: {reason:?}", C::SIGNATURE)
                }
                Some((Err(_), data)) if !data.is_empty() => bail!(
                    "{to} rejects {} of {from} with the error {}",
                    C::SIGNATURE,
                    hex::encode_prefixed(&data)
                ),
                _ => Err(error).wrap_err_with(|| format!("{} at {to}", C::SIGNATURE)),
            }
        }
    }
}

/// Waits for the receipt of a transaction.
fn included(l1: &Node, hash: B256) -> Result<TransactionReceipt> {
    let begun = Instant::now();
    while begun.elapsed() < WAIT {
        if let Some(receipt) = l1.request("eth_getTransactionReceipt", (hash,))? {
            return Ok(receipt);
        }
        sleep(PAUSE);
    }
    bail!("L1 has not included transaction {hash} within {} s; it may do so later", WAIT.as_secs())
}
