//! Transactions and messages signed with the test accounts' keys, and unsigned transactions of
//! impersonated accounts.

use super::{
    Method,
    args::{Args, internal, not_implemented},
    request::Request,
};
use crate::state::DevnetState;
use alloy_consensus::{SignableTransaction, TxType};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip2718::Encodable2718;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use chain::store::ExecuteFields;
use chain::{RecoveredTransaction, Transaction};
use codec::{ExecuteTx, SignedExecuteTx};
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
    (&["eth_signTypedData", "eth_signTypedData_v3"], not_implemented),
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
    RpcError::params("No Signer available")
}

fn signer(devnet: &DevnetState, address: Address) -> Result<&PrivateKeySigner, RpcError> {
    devnet.signers.get(&address).ok_or_else(no_signer)
}

/// How to treat a request whose gas estimate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// Send it with the maximum gas limit, so that it fails on chain.
    Goes,
    /// Return the error of the estimate.
    Stops,
}

/// Transaction request whose fields are all filled in.
#[derive(Debug)]
struct Filled {
    from: Address,
    request: TransactionRequest,
    /// Fields of type `0x05`, if the transaction has that type.
    execute: Option<ExecuteFields>,
    sidecar: Option<Sidecar>,
}

/// Fills in missing fields: sender, nonce, fees, chain id and gas limit.
fn filled(
    devnet: &DevnetState,
    mut request: Request,
    failing: Failing,
) -> Result<Filled, RpcError> {
    let execute = request.execute.take();
    if execute.is_some() {
        check_execute(&request.transaction)?;
        // A gas estimate would run without the witness.
        request.transaction.gas.get_or_insert_with(|| most_gas(devnet));
    }
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
    let dynamic = execute.is_some()
        || (request.gas_price.is_none() && has_base_fee)
        || request.max_fee_per_gas.is_some()
        || request.max_priority_fee_per_gas.is_some();
    if request.gas.is_none() {
        let mut transaction = request.clone();
        // The estimate must not fail because the nonce or the fees are not yet final.
        transaction.nonce = None;
        let fee = transaction.max_fee_per_gas.unwrap_or(u128::MAX);
        let is_tip_above_fee = transaction.max_priority_fee_per_gas.is_some_and(|tip| tip > fee);
        // The transaction is rejected for this later.
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
            // Nothing is sent: as in anvil, return the suggested tip even if it exceeds the fee
            // cap.
            Failing::Stops => devnet.config.suggested_tip,
        };
        request.max_priority_fee_per_gas.get_or_insert(tip);
    } else if request.gas_price.is_none() {
        request.gas_price = Some(rpc::fees::gas_price(&devnet.api));
    }
    Ok(Filled { from, request, execute, sidecar })
}

/// Checks that a request for type `0x05` has no field of another type. A `gasPrice` next to the fee
/// fields, as in the response of `eth_getTransactionByHash`, is ignored.
fn check_execute(request: &TransactionRequest) -> Result<(), RpcError> {
    let of_another = [
        ("gasPrice", request.gas_price.is_some() && request.max_fee_per_gas.is_none()),
        ("accessList", request.access_list.is_some()),
        ("blobs", request.blob_versioned_hashes.is_some() || request.sidecar.is_some()),
        ("authorizationList", request.authorization_list.is_some()),
    ];
    match of_another.into_iter().find(|(_, is_present)| *is_present) {
        Some((field, _)) => Err(RpcError::params(format!(
            "{field} beside execute: a transaction of type 0x05 has no such field"
        ))),
        None => Ok(()),
    }
}

/// Checks that the next block's fork supports the transaction type of a request.
fn check_type(devnet: &DevnetState, request: &TransactionRequest) -> Result<(), RpcError> {
    let (what, since) = match rpc::typed::tx_type(request) {
        // An empty authorization list does not determine the type, but the sender intended this
        // type.
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
    Err(RpcError::params(format!(
        "{what} is not supported by the current hardfork: use --hardfork {name} or later"
    )))
}

/// Returns the maximum gas limit of a transaction.
fn most_gas(devnet: &DevnetState) -> u64 {
    devnet.node.read(|node| node.next_gas_limit().min(node.chain.state().transaction_gas_cap()))
}

/// Checks that `input` and `data` do not contradict each other.
fn check_input(request: &TransactionRequest) -> Result<(), RpcError> {
    match (&request.input.input, &request.input.data) {
        (Some(input), Some(data)) if input != data => {
            Err(RpcError::params("input and data differ: give one of them"))
        }
        _ => Ok(()),
    }
}

/// Builds the transaction of a complete request.
fn typed(request: TransactionRequest) -> Result<Unsigned, RpcError> {
    check_input(&request)?;
    let kind = rpc::typed::tx_type(&request);
    if kind == TxType::Eip7702 && request.blob_versioned_hashes.is_some() {
        return Err(RpcError::params("a transaction has blobs or authorizations, not both"));
    }
    rpc::typed::typed(request, kind)
}

/// Builds the transaction of type `0x05` of a complete request.
fn execute_tx(request: TransactionRequest, fields: ExecuteFields) -> Result<ExecuteTx, RpcError> {
    check_input(&request)?;
    Ok(ExecuteTx {
        chain_id: request.chain_id.unwrap_or_default(),
        nonce: request.nonce.unwrap_or_default(),
        max_priority_fee_per_gas: request.max_priority_fee_per_gas.unwrap_or_default(),
        max_fee_per_gas: request.max_fee_per_gas.unwrap_or_default(),
        gas_limit: request.gas.unwrap_or_default(),
        to: request.to.unwrap_or(TxKind::Create),
        value: request.value.unwrap_or_default(),
        input: request.input.into_input().unwrap_or_default(),
        ..fields.into_tx().map_err(RpcError::params)?
    })
}

/// Builds an unsigned transaction. Two senders may send equal ones, so the hash covers the sender,
/// which follows the network encoding, as in anvil.
fn unsigned(filled: Filled) -> Result<Transaction, RpcError> {
    if filled.execute.is_some() {
        return Err(RpcError::params(
            "a transaction of type 0x05 needs a signature: an impersonated sender has none",
        ));
    }
    let (transaction, sender) = (typed(filled.request)?, filled.from);
    let signature = Signature::new(U256::ZERO, U256::ZERO, false);
    let mut encoded = Vec::new();
    without_signature(transaction.clone()).network_encode(&mut encoded);
    encoded.extend_from_slice(sender.as_slice());
    Ok(with_signature(transaction, signature, Some(keccak256(encoded))).into())
}

fn signed(
    signer: &PrivateKeySigner,
    request: TransactionRequest,
    execute: Option<ExecuteFields>,
) -> Result<Transaction, RpcError> {
    let sign = |digest: B256| signer.sign_hash_sync(&digest).map_err(internal);
    if let Some(fields) = execute {
        let tx = execute_tx(request, fields)?;
        let signature = sign(tx.signing_hash())?;
        return Ok(SignedExecuteTx { tx, signature }.into());
    }
    let transaction = typed(request)?;
    let signature = sign(transaction.signature_hash())?;
    Ok(with_signature(transaction, signature, None).into())
}

fn submit(
    devnet: &DevnetState,
    transaction: Transaction,
    sidecar: Option<Sidecar>,
    sender: Address,
    signed: bool,
) -> Result<B256, RpcError> {
    let raw = blobs::encoded(&transaction, sidecar.as_ref());
    let recovered = RecoveredTransaction { transaction, sender, signed };
    rpc::submit(&devnet.api, PoolTransaction::new(recovered, sidecar.map(Arc::new), raw))
}

/// Signs a request with the sender's key, unless the sender is impersonated, and submits it.
pub(super) fn send_request(devnet: &DevnetState, request: Request) -> Result<B256, RpcError> {
    let from = request.transaction.from;
    let from = from.or_else(|| devnet.addresses.first().copied()).ok_or_else(no_signer)?;
    let impersonated = devnet.impersonation.lock().allows(&from);
    // Resolve the sender before estimating gas.
    let key = if impersonated { None } else { Some(signer(devnet, from)?) };
    let wants_nonce = request.transaction.nonce.is_none();
    let mut filled = filled(devnet, request, Failing::Goes)?;
    // Serialise requests without a nonce: each must see the previous one in the pool.
    let _turn = wants_nonce.then(|| devnet.nonces.lock());
    if wants_nonce {
        filled.request.nonce = Some(next_nonce(devnet, from)?);
    }
    let sidecar = filled.sidecar.take();
    let transaction = match key {
        Some(key) => signed(key, filled.request, filled.execute)?,
        None => unsigned(filled)?,
    };
    submit(devnet, transaction, sidecar, from, key.is_some())
}

/// Returns the nonce of a sender's next transaction, after those in the pool.
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
    // No signature determines the sender, so the request must.
    request.transaction.from.ok_or_else(no_signer)?;
    let wants_nonce = request.transaction.nonce.is_none();
    let mut filled = filled(devnet, request, Failing::Goes)?;
    let _turn = wants_nonce.then(|| devnet.nonces.lock());
    let from = filled.from;
    if wants_nonce {
        filled.request.nonce = Some(next_nonce(devnet, from)?);
    }
    let sidecar = filled.sidecar.take();
    Ok(json!(submit(devnet, unsigned(filled)?, sidecar, from, false)?))
}

fn sign_transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let Filled { from, request, execute, sidecar } =
        filled(devnet, args.required()?, Failing::Goes)?;
    let transaction = signed(signer(devnet, from)?, request, execute)?;
    Ok(json!(blobs::encoded(&transaction, sidecar.as_ref())))
}

fn fill_transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let Filled { from, request, execute, sidecar } =
        filled(devnet, args.required()?, Failing::Stops)?;
    let transaction = match execute {
        Some(fields) => {
            let (tx, zero) = (execute_tx(request, fields)?, U256::ZERO);
            SignedExecuteTx { tx, signature: Signature::new(zero, zero, false) }.into()
        }
        None => without_signature(typed(request)?).into(),
    };
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
    let digest = data.eip712_signing_hash().map_err(|error| RpcError::params(error.to_string()))?;
    let signature = signer(devnet, address)?.sign_hash_sync(&digest).map_err(internal)?;
    Ok(json!(Bytes::from(signature.as_bytes())))
}
