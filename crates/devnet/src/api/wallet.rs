//! Transactions and messages that the node signs with its accounts' keys, and unsigned ones of impersonated
//! accounts.

use super::{
    Method,
    args::{Args, internal, invalid},
    request::Request,
};
use crate::state::DevnetState;
use alloy_consensus::{SignableTransaction, TxType};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip2718::Encodable2718;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use chain::RecoveredTransaction;
use executor::Transaction;
use node::{PoolTransaction, Sidecar};
use rpc::{
    CallRequest, RpcError, blobs,
    typed::{Unsigned, with_signature, without_signature},
};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const METHODS: &[Method] = &[
    (&["eth_accounts", "eth_requestAccounts"], accounts),
    (&["eth_sendTransaction"], send),
    (&["eth_sendTransactionSync"], send_sync),
    (&["eth_sendUnsignedTransaction"], send_unsigned),
    (&["eth_signTransaction"], sign_transaction),
    (&["eth_fillTransaction"], fill_transaction),
    (&["eth_sign"], sign),
    (&["personal_sign"], personal_sign),
    (&["eth_signTypedData_v4"], sign_typed_data),
    (&["eth_signTypedData", "eth_signTypedData_v3"], old_typed_data),
];

fn accounts(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    let mut all = devnet.addresses.clone();
    let mut others: Vec<Address> = devnet.impersonation.lock().accounts.iter().copied().collect();
    others.retain(|address| !all.contains(address));
    others.sort_unstable();
    all.extend(others);
    Ok(json!(all))
}

fn no_signer() -> RpcError {
    invalid("No Signer available")
}

fn signer(devnet: &DevnetState, address: Address) -> Result<&PrivateKeySigner, RpcError> {
    devnet.signers.get(&address).ok_or_else(no_signer)
}

/// Treatment of a request whose estimate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// Sent with the maximum gas, so that it fails on chain.
    Goes,
    /// Refused.
    Stops,
}

/// A transaction request without missing fields.
#[derive(Debug)]
struct Filled {
    from: Address,
    request: TransactionRequest,
    sidecar: Option<Sidecar>,
}

/// Fills in missing fields: sender, nonce, fees, chain and gas.
fn filled(devnet: &DevnetState, request: Request, failing: Failing) -> Result<Filled, RpcError> {
    let (mut request, sidecar) = request.split(devnet)?;
    let first = devnet.addresses.first().copied();
    let from = request.from.or(first).ok_or_else(no_signer)?;
    request.from = Some(from);
    let chain_id = devnet.node.read(|node| node.chain.config().spec.chain_id());
    let nonce = match request.nonce {
        Some(nonce) => nonce,
        None => next_nonce(devnet, from)?,
    };
    request.nonce = Some(nonce);
    request.chain_id.get_or_insert(chain_id);
    if request.blob_versioned_hashes.is_some() && request.max_fee_per_blob_gas.is_none() {
        request.max_fee_per_blob_gas = rpc::fees::blob_base_fee(&devnet.api);
    }
    check_type(devnet, &request)?;
    let has_base_fee = devnet.node.read(|node| node.chain.state().has_base_fee());
    let dynamic = (request.gas_price.is_none() && has_base_fee)
        || request.max_fee_per_gas.is_some()
        || request.max_priority_fee_per_gas.is_some();
    if request.gas.is_none() {
        let mut transaction = request.clone();
        // The estimate is one of gas: it must not fail for want of fees that are not known yet.
        transaction.nonce = None;
        let fee = transaction.max_fee_per_gas.unwrap_or(u128::MAX);
        let is_tip_above_fee = transaction.max_priority_fee_per_gas.is_some_and(|tip| tip > fee);
        // What is sent is refused for it later.
        if is_tip_above_fee && failing == Failing::Goes {
            transaction.max_fee_per_gas = None;
            transaction.max_priority_fee_per_gas = None;
        }
        let call = CallRequest { transaction, ..CallRequest::default() };
        request.gas = Some(match rpc::estimate(&devnet.api, &call) {
            Err(error) if failing == Failing::Stops => return Err(error),
            estimated => estimated.unwrap_or_else(|_| most_gas(devnet)),
        });
    }
    if dynamic {
        request.gas_price = None;
        let price = rpc::fees::gas_price(&devnet.api);
        let fee = *request.max_fee_per_gas.get_or_insert(price);
        let tip = match failing {
            Failing::Goes => devnet.config.suggested_tip.min(fee),
            // Nothing is sent: as in anvil, the tip is the suggested one even if it exceeds the fee.
            Failing::Stops => devnet.config.suggested_tip,
        };
        request.max_priority_fee_per_gas.get_or_insert(tip);
    } else if request.gas_price.is_none() {
        request.gas_price = Some(rpc::fees::gas_price(&devnet.api));
    }
    Ok(Filled { from, request, sidecar })
}

/// Checks that the fork of the next block has the transaction type of a request.
fn check_type(devnet: &DevnetState, request: &TransactionRequest) -> Result<(), RpcError> {
    let (what, since) = match rpc::typed::tx_type(request) {
        // An empty list makes no transaction of that type, but says what is wanted.
        _ if request.authorization_list.is_some() => {
            ("authorizationList", EthereumHardfork::Prague)
        }
        TxType::Legacy => return Ok(()),
        TxType::Eip2930 => ("accessList", EthereumHardfork::Berlin),
        TxType::Eip1559 => ("maxFeePerGas and maxPriorityFeePerGas", EthereumHardfork::London),
        TxType::Eip4844 => ("blobVersionedHashes", EthereumHardfork::Cancun),
        TxType::Eip7702 => ("authorizationList", EthereumHardfork::Prague),
    };
    let fork = devnet.node.read(|node| {
        let head = &node.chain.head().header;
        node.chain.config().spec.hardfork_at(head.number + 1, node.clock.peek(head.timestamp))
    });
    if fork >= since {
        return Ok(());
    }
    let name = since.name().to_lowercase();
    Err(invalid(format!(
        "{what} is not supported by the current hardfork: use --hardfork {name} or later"
    )))
}

/// Maximum gas limit of a transaction.
fn most_gas(devnet: &DevnetState) -> u64 {
    devnet.node.read(|node| node.next_gas_limit().min(node.chain.state().transaction_gas_cap()))
}

/// The transaction of a complete request.
fn typed(request: TransactionRequest) -> Result<Unsigned, RpcError> {
    if let (Some(input), Some(data)) = (&request.input.input, &request.input.data)
        && input != data
    {
        return Err(invalid("input and data differ: give one of them"));
    }
    let kind = rpc::typed::tx_type(&request);
    if kind == TxType::Eip7702 && request.blob_versioned_hashes.is_some() {
        return Err(invalid("a transaction has blobs or authorizations, not both"));
    }
    rpc::typed::typed(request, kind)
}

/// An unsigned transaction. Its hash covers the sender, since two senders may send the same transaction: as in
/// anvil, the sender follows the network encoding.
fn unsigned(transaction: Unsigned, sender: Address) -> Transaction {
    let signature = Signature::new(U256::ZERO, U256::ZERO, false);
    let mut encoded = Vec::new();
    without_signature(transaction.clone()).network_encode(&mut encoded);
    encoded.extend_from_slice(sender.as_slice());
    with_signature(transaction, signature, Some(keccak256(encoded)))
}

fn signed(signer: &PrivateKeySigner, transaction: Unsigned) -> Result<Transaction, RpcError> {
    let digest = transaction.signature_hash();
    let signature = signer.sign_hash_sync(&digest).map_err(internal)?;
    Ok(with_signature(transaction, signature, None))
}

fn submit(
    devnet: &DevnetState,
    transaction: Transaction,
    sidecar: Option<Sidecar>,
    sender: Address,
    signed: bool,
) -> Result<B256, RpcError> {
    let transaction = transaction.into();
    let raw = blobs::encoded(&transaction, sidecar.as_ref());
    let recovered = RecoveredTransaction { transaction, sender, signed };
    devnet.api.submit(PoolTransaction::new(recovered, sidecar.map(Arc::new), raw))
}

/// Signs a request, if the sender's key is here or the sender is impersonated, and sends it.
pub(super) fn send_request(devnet: &DevnetState, request: Request) -> Result<B256, RpcError> {
    let from = request.transaction.from;
    let from = from.or_else(|| devnet.addresses.first().copied()).ok_or_else(no_signer)?;
    let impersonated = devnet.impersonation.lock().allows(&from);
    // Who it is is told before anything is estimated.
    let key = if impersonated { None } else { Some(signer(devnet, from)?) };
    let wants_nonce = request.transaction.nonce.is_none();
    let Filled { from, mut request, sidecar } = filled(devnet, request, Failing::Goes)?;
    // Of two that want the next nonce, the second one gets it once the first one has taken it.
    let _turn = wants_nonce.then(|| devnet.nonces.lock());
    if wants_nonce {
        request.nonce = Some(next_nonce(devnet, from)?);
    }
    let transaction = typed(request)?;
    match key {
        Some(key) => submit(devnet, signed(key, transaction)?, sidecar, from, true),
        None => submit(devnet, unsigned(transaction, from), sidecar, from, false),
    }
}

/// Nonce of the next transaction of a sender, after those in the pool.
fn next_nonce(devnet: &DevnetState, from: Address) -> Result<u64, RpcError> {
    let next = devnet
        .node
        .read(|node| node.chain.nonce(from).map(|nonce| node.pool.next_nonce(from, nonce)));
    Ok(next?)
}

fn send(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    Ok(json!(send_request(devnet, args.required()?)?))
}

fn send_sync(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let hash = send_request(devnet, args.required()?)?;
    Ok(json!(rpc::wait_for_receipt(&devnet.api, hash, devnet.config.server.limits.sync_time)?))
}

fn send_unsigned(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let request: Request = args.required()?;
    // Whose it is to be follows from no signature.
    request.transaction.from.ok_or_else(no_signer)?;
    let wants_nonce = request.transaction.nonce.is_none();
    let Filled { from, mut request, sidecar } = filled(devnet, request, Failing::Goes)?;
    let _turn = wants_nonce.then(|| devnet.nonces.lock());
    if wants_nonce {
        request.nonce = Some(next_nonce(devnet, from)?);
    }
    let transaction = unsigned(typed(request)?, from);
    Ok(json!(submit(devnet, transaction, sidecar, from, false)?))
}

fn sign_transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let Filled { from, request, sidecar } = filled(devnet, args.required()?, Failing::Goes)?;
    let transaction = signed(signer(devnet, from)?, typed(request)?)?.into();
    Ok(json!(blobs::encoded(&transaction, sidecar.as_ref())))
}

fn fill_transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let Filled { from, request, sidecar } = filled(devnet, args.required()?, Failing::Stops)?;
    let transaction = without_signature(typed(request)?).into();
    let raw = blobs::encoded(&transaction, sidecar.as_ref());
    Ok(json!({ "raw": raw, "tx": rpc::convert::pooled(&transaction, from) }))
}

fn sign(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (address, message): (Address, Bytes) = (args.required()?, args.required()?);
    sign_message(devnet, address, &message)
}

fn personal_sign(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (message, address): (Bytes, Address) = (args.required()?, args.required()?);
    sign_message(devnet, address, &message)
}

fn sign_message(
    devnet: &DevnetState,
    address: Address,
    message: &Bytes,
) -> Result<Value, RpcError> {
    let signature = signer(devnet, address)?.sign_message_sync(message).map_err(internal)?;
    Ok(json!(Bytes::from(signature.as_bytes())))
}

fn sign_typed_data(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (address, data): (Address, TypedData) = (args.required()?, args.required()?);
    let digest = data.eip712_signing_hash().map_err(|error| invalid(error.to_string()))?;
    let signature = signer(devnet, address)?.sign_hash_sync(&digest).map_err(internal)?;
    Ok(json!(Bytes::from(signature.as_bytes())))
}

fn old_typed_data(_: &DevnetState, _: &mut Args) -> Result<Value, RpcError> {
    Err(RpcError::failed("Not implemented"))
}
