//! Transactions and messages signed by the node: by accounts whose keys it has, or by nobody for
//! accounts that are impersonated.

use super::{
    Method,
    args::{Args, internal, invalid},
};
use crate::world::World;
use alloy_consensus::{SignableTransaction, TxType};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use chain::Candidate;
use jsonrpsee::types::ErrorObjectOwned;
use node::{Event, PoolTransaction};
use rpc::{
    CallRequest, codes,
    typed::{Unsigned, nobody, with_signature},
};
use serde_json::{Value, json};
use stateless::Transaction;
use std::time::{Duration, Instant};

pub(super) const METHODS: &[Method] = &[
    (&["eth_accounts", "eth_requestAccounts"], accounts),
    (&["eth_sendTransaction"], send),
    (&["eth_sendTransactionSync"], send_sync),
    (&["eth_sendRawTransactionSync"], send_raw_sync),
    (&["eth_sendUnsignedTransaction"], send_unsigned),
    (&["eth_signTransaction"], sign_transaction),
    (&["eth_fillTransaction"], fill_transaction),
    (&["eth_sign"], sign),
    (&["personal_sign"], personal_sign),
    (&["eth_signTypedData_v4"], sign_typed_data),
    (&["eth_signTypedData", "eth_signTypedData_v3"], old_typed_data),
];

/// Wei per gas that a transaction tips which does not say.
const DEFAULT_TIP: u128 = 1_000_000_000;

/// How long a synchronous sender waits at most for a block.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

fn accounts(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.none()?;
    let mut all = world.addresses.clone();
    let mut others: Vec<Address> =
        world.node.read(|node| node.settings.impersonated.iter().copied().collect());
    others.retain(|address| !all.contains(address));
    others.sort_unstable();
    all.extend(others);
    Ok(json!(all))
}

fn no_signer() -> ErrorObjectOwned {
    invalid("No Signer available")
}

fn signer(world: &World, address: Address) -> Result<&PrivateKeySigner, ErrorObjectOwned> {
    world.signers.get(&address).ok_or_else(no_signer)
}

/// A request with all that was left out filled in: sender, nonce, fees, chain and gas.
fn filled(
    world: &World,
    mut request: TransactionRequest,
) -> Result<(Address, TransactionRequest), ErrorObjectOwned> {
    let first = world.addresses.first().copied();
    let from = request.from.or(first).ok_or_else(no_signer)?;
    request.from = Some(from);
    let (chain_id, next) = world.node.read(|node| {
        let next = node.chain.nonce(from).map(|nonce| node.pool.next_nonce(from, nonce));
        (node.chain.config().spec.chain_id(), next)
    });
    let nonce = match request.nonce {
        Some(nonce) => nonce,
        None => next.map_err(internal)?,
    };
    request.nonce = Some(nonce);
    request.chain_id.get_or_insert(chain_id);
    let dynamic = request.gas_price.is_none()
        || request.max_fee_per_gas.is_some()
        || request.max_priority_fee_per_gas.is_some();
    if request.gas.is_none() {
        let mut transaction = request.clone();
        // The estimate is one of gas: it must not fail for want of fees that are not known yet.
        transaction.nonce = None;
        let call = CallRequest { transaction, ..CallRequest::default() };
        // What fails is sent with all the gas there is, so that it fails on the chain.
        let estimated = rpc::estimate(&world.api, &call);
        request.gas = Some(estimated.unwrap_or_else(|_| most_gas(world)));
    }
    if dynamic {
        request.gas_price = None;
        let price = rpc::fees::gas_price(&world.api);
        let fee = *request.max_fee_per_gas.get_or_insert(price);
        request.max_priority_fee_per_gas.get_or_insert(DEFAULT_TIP.min(fee));
    }
    Ok((from, request))
}

/// The most gas that a transaction may ask for.
fn most_gas(world: &World) -> u64 {
    world.node.read(|node| {
        let state = node.chain.state();
        let limit = node.settings.gas_limit.unwrap_or(state.block().header.gas_limit);
        limit.min(state.transaction_gas_cap())
    })
}

/// The transaction that a filled request describes.
fn typed(request: TransactionRequest) -> Result<Unsigned, ErrorObjectOwned> {
    if let (Some(input), Some(data)) = (&request.input.input, &request.input.data)
        && input != data
    {
        return Err(invalid("input and data differ: give one of them"));
    }
    let kind = if request.authorization_list.as_ref().is_some_and(|list| !list.is_empty()) {
        TxType::Eip7702
    } else if request.blob_versioned_hashes.is_some() || request.sidecar.is_some() {
        return Err(invalid("blobs are sent signed: use eth_sendRawTransaction"));
    } else if request.max_fee_per_gas.is_some() {
        TxType::Eip1559
    } else if request.access_list.is_some() {
        TxType::Eip2930
    } else {
        TxType::Legacy
    };
    Ok(rpc::typed::typed(request, kind)?)
}

/// A transaction that its sender has not signed. Two senders may send the same one, so its hash
/// covers the sender: as in anvil, behind the encoding that peers send each other.
fn unsigned(transaction: Unsigned, sender: Address) -> Transaction {
    let signature = Signature::new(U256::ZERO, U256::ZERO, false);
    let mut encoded = Vec::new();
    nobody(transaction.clone()).network_encode(&mut encoded);
    encoded.extend_from_slice(sender.as_slice());
    with_signature(transaction, signature, Some(keccak256(encoded)))
}

fn signed(
    signer: &PrivateKeySigner,
    transaction: Unsigned,
) -> Result<Transaction, ErrorObjectOwned> {
    let digest = transaction.signature_hash();
    let signature = signer.sign_hash_sync(&digest).map_err(internal)?;
    Ok(with_signature(transaction, signature, None))
}

fn submit(
    world: &World,
    transaction: Transaction,
    sender: Address,
    signed: bool,
) -> Result<B256, ErrorObjectOwned> {
    let raw = Bytes::from(transaction.encoded_2718());
    let candidate = Candidate { transaction, sender, signed };
    let hash = world.node.submit(PoolTransaction::new(candidate, None, raw));
    hash.map_err(|reason| rpc::RpcError::from(reason).into())
}

/// Signs a request, if its sender's key is here or the sender is impersonated, and sends it.
pub(super) fn send_request(
    world: &World,
    request: TransactionRequest,
) -> Result<B256, ErrorObjectOwned> {
    let from = request.from.or_else(|| world.addresses.first().copied()).ok_or_else(no_signer)?;
    let impersonated = world
        .node
        .read(|node| node.settings.impersonate_all || node.settings.impersonated.contains(&from));
    // Who it is is told before anything is estimated.
    let key = if impersonated { None } else { Some(signer(world, from)?) };
    let (from, request) = filled(world, request)?;
    let transaction = typed(request)?;
    match key {
        Some(key) => submit(world, signed(key, transaction)?, from, true),
        None => submit(world, unsigned(transaction, from), from, false),
    }
}

fn send(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    Ok(json!(send_request(world, args.next()?)?))
}

/// The receipt of a transaction, as soon as it stands in a block.
fn receipt(world: &World, hash: B256, wait: Duration) -> Result<Value, ErrorObjectOwned> {
    let mut events = world.node.subscribe();
    let begun = Instant::now();
    loop {
        if let Some(receipt) = rpc::receipt(&world.api, hash) {
            return Ok(json!(receipt));
        }
        let left = wait.saturating_sub(begun.elapsed());
        let next = tokio::time::timeout(left, async {
            while let Ok(event) = events.recv().await {
                if matches!(event, Event::Head { .. }) {
                    break;
                }
            }
        });
        if tokio::runtime::Handle::current().block_on(next).is_err() {
            let message =
                format!("transaction {hash} was not mined within {} ms", wait.as_millis());
            return Err(ErrorObjectOwned::owned(codes::REJECTED, message, Some(hash)));
        }
    }
}

fn send_sync(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let hash = send_request(world, args.next()?)?;
    receipt(world, hash, LONGEST_WAIT)
}

fn send_raw_sync(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let raw: Bytes = args.next()?;
    let wait = args.optional::<u64>()?.map_or(LONGEST_WAIT, Duration::from_millis);
    let pooled = rpc::decode_pooled(&raw)?;
    let hash = world.node.submit(pooled).map_err(rpc::RpcError::from)?;
    receipt(world, hash, wait.min(LONGEST_WAIT))
}

fn send_unsigned(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let (from, request) = filled(world, args.next()?)?;
    let transaction = unsigned(typed(request)?, from);
    Ok(json!(submit(world, transaction, from, false)?))
}

fn sign_transaction(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let (from, request) = filled(world, args.next()?)?;
    let transaction = signed(signer(world, from)?, typed(request)?)?;
    Ok(json!(Bytes::from(transaction.encoded_2718())))
}

fn fill_transaction(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let (from, request) = filled(world, args.next()?)?;
    let transaction = nobody(typed(request)?);
    let raw = Bytes::from(transaction.encoded_2718());
    Ok(json!({ "raw": raw, "tx": rpc::convert::pooled(&transaction, from) }))
}

fn sign(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let (address, message): (Address, Bytes) = (args.next()?, args.next()?);
    sign_message(world, address, &message)
}

fn personal_sign(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let (message, address): (Bytes, Address) = (args.next()?, args.next()?);
    sign_message(world, address, &message)
}

fn sign_message(
    world: &World,
    address: Address,
    message: &Bytes,
) -> Result<Value, ErrorObjectOwned> {
    let signature = signer(world, address)?.sign_message_sync(message).map_err(internal)?;
    Ok(json!(Bytes::from(signature.as_bytes())))
}

fn sign_typed_data(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let (address, data): (Address, TypedData) = (args.next()?, args.next()?);
    let digest = data.eip712_signing_hash().map_err(|error| invalid(error.to_string()))?;
    let signature = signer(world, address)?.sign_hash_sync(&digest).map_err(internal)?;
    Ok(json!(Bytes::from(signature.as_bytes())))
}

fn old_typed_data(_: &World, _: &mut Args) -> Result<Value, ErrorObjectOwned> {
    Err(internal("Not implemented"))
}
