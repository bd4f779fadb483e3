//! Blobs: verified on arrival and served as long as the node runs.

use crate::{Api, Hash, Registry, RpcError};
use alloy_consensus::{
    Signed, Transaction as _, TxEip4844Variant, TxEip4844WithSidecar, TxEnvelope,
};
use alloy_eips::{
    eip2718::Encodable2718,
    eip4844::{Blob, BlobTransactionSidecar, env_settings::EnvKzgSettings, kzg_to_versioned_hash},
    eip7594::BlobTransactionSidecarEip7594,
};
use alloy_primitives::{B256, Bytes};
use chain::Transaction;
use executor::Transaction as Ethereum;
use node::{PoolTransaction, Rejected, Sidecar};
use serde_json::{Value, json};
use std::sync::Arc;
use wire::ProtocolFork;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.read("eth_getBlobSidecars", |api, args| {
        let Some(block) = api.find_block(args.required()?)? else { return Ok(None) };
        Ok(Some(api.node().read(|node| {
            let with_blobs = block
                .transactions
                .iter()
                .filter_map(|transaction| node.sidecars.get(transaction.hash()));
            let sidecars: Vec<Value> = with_blobs.map(|sidecar| json!(**sidecar)).collect();
            sidecars
        })))
    });
    methods.read("eth_getBlobSidecarByTxHash", |api, args| {
        let Hash(hash) = args.required()?;
        Ok(sidecar(api, hash).map(|sidecar| json!(*sidecar)))
    });
}

/// Returns the sidecar of a transaction in a block or in the pool.
pub(crate) fn sidecar(api: &Api, transaction: B256) -> Option<Arc<Sidecar>> {
    api.node().read(|node| {
        let waiting = || node.pool.get(&transaction)?.sidecar.as_ref();
        node.sidecars.get(&transaction).or_else(waiting).map(Arc::clone)
    })
}

/// Builds the sidecar for blobs that were sent without commitments and proofs, with cell proofs
/// (EIP-7594) if `cells` is set, otherwise with blob proofs (EIP-4844).
///
/// # Errors
///
/// [`RpcError::params`] if a blob contains an element outside the field.
pub fn of_blobs(blobs: Vec<Blob>, cells: bool) -> Result<Sidecar, RpcError> {
    let settings = EnvKzgSettings::Default.get();
    let made = match cells {
        true => BlobTransactionSidecarEip7594::try_from_blobs_with_settings(blobs, settings)
            .map(Sidecar::Eip7594),
        false => BlobTransactionSidecar::try_from_blobs_with_settings(blobs, settings)
            .map(Sidecar::Eip4844),
    };
    made.map_err(|error| RpcError::params(format!("blobs: {error}")))
}

/// Converts a sidecar to the form that the fork requires: blob proofs from before EIP-7594 become
/// cell proofs.
///
/// # Errors
///
/// [`RpcError`] if the blobs do not match the hashes, or a proof is invalid.
pub fn of_fork(sidecar: Sidecar, hashes: &[B256], cells: bool) -> Result<Sidecar, RpcError> {
    check(&sidecar, hashes)?;
    if !cells {
        return Ok(sidecar);
    }
    sidecar
        .try_convert_into_eip7594_with_settings(EnvKzgSettings::Default.get())
        .map_err(|error| Rejected::Blobs(error.to_string()).into())
}

/// Returns whether the next block requires cell proofs (EIP-7594) instead of blob proofs, and the
/// maximum number of blobs per transaction.
pub fn limits(api: &Api) -> (bool, u64) {
    api.node().read(|node| {
        let spec = &node.chain.config().spec;
        let timestamp = node.clock.peek(node.chain.head().header.timestamp);
        let cells = spec.fork_at(timestamp).is_some_and(|fork| fork >= ProtocolFork::Osaka);
        let most = spec.blob_params_at(timestamp).map_or(0, |params| params.max_blobs_per_tx);
        (cells, most)
    })
}

/// Replaces the blob proofs of a transaction with cell proofs if the next block requires them.
pub(crate) fn renewed(api: &Api, mut pooled: PoolTransaction) -> Result<PoolTransaction, RpcError> {
    let hashes = pooled.recovered.transaction.blob_versioned_hashes().unwrap_or_default();
    let Some(old) = pooled.sidecar.as_deref().filter(|sidecar| !sidecar.is_eip7594()) else {
        return Ok(pooled);
    };
    let (cells, limit) = limits(api);
    // Computing cell proofs is slow, so check the number of blobs first.
    if hashes.len() as u64 > limit {
        return Err(Rejected::TooManyBlobs { got: hashes.len(), limit }.into());
    }
    if cells {
        let sidecar = of_fork(old.clone(), hashes, cells)?;
        pooled.raw = encoded(&pooled.recovered.transaction, Some(&sidecar));
        pooled.sidecar = Some(Arc::new(sidecar));
    }
    Ok(pooled)
}

/// Encodes a transaction in its network form, with its sidecar if it has one.
pub fn encoded(transaction: &Transaction, sidecar: Option<&Sidecar>) -> Bytes {
    match (transaction, sidecar) {
        (Transaction::Ethereum(Ethereum::Eip4844(signed)), Some(sidecar)) => {
            let (tx, signature, hash) = signed.clone().into_parts();
            let whole = TxEip4844WithSidecar { tx, sidecar: sidecar.clone() };
            let whole = TxEip4844Variant::TxEip4844WithSidecar(whole);
            TxEnvelope::Eip4844(Signed::new_unchecked(whole, signature, hash)).encoded_2718().into()
        }
        _ => transaction.encoded_2718().into(),
    }
}

/// Checks that the blobs match the transaction's hashes, and verifies their proofs.
pub(crate) fn check(sidecar: &Sidecar, hashes: &[B256]) -> Result<(), RpcError> {
    let commitments = match sidecar {
        Sidecar::Eip4844(sidecar) => &sidecar.commitments,
        Sidecar::Eip7594(sidecar) => &sidecar.commitments,
    };
    let named = commitments.iter().map(|commitment| kzg_to_versioned_hash(commitment.as_slice()));
    if !named.eq(hashes.iter().copied()) {
        let reason = "the commitments are not those that the transaction names".to_owned();
        return Err(Rejected::Blobs(reason).into());
    }
    sidecar
        .validate(hashes, EnvKzgSettings::Default.get())
        .map_err(|error| Rejected::Blobs(error.to_string()).into())
}
