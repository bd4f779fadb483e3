//! Blobs: checked when they come, served as long as the node lives.

use crate::{Api, Hash, Registry, RpcError};
use alloy_eips::{
    eip4844::{Blob, BlobTransactionSidecar, env_settings::EnvKzgSettings, kzg_to_versioned_hash},
    eip7594::BlobTransactionSidecarEip7594,
};
use alloy_primitives::B256;
use node::{Rejected, Sidecar};
use serde_json::{Value, json};
use std::sync::Arc;

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

/// The blobs of a transaction, of a block or of the pool.
pub(crate) fn sidecar(api: &Api, transaction: B256) -> Option<Arc<Sidecar>> {
    api.node().read(|node| {
        let waiting = || node.pool.get(&transaction)?.sidecar.as_ref();
        node.sidecars.get(&transaction).or_else(waiting).map(Arc::clone)
    })
}

/// The sidecar of blobs that come alone, with commitments and the proofs of EIP-7594 or EIP-4844.
///
/// # Errors
///
/// [`RpcError::params`] for one that is no list of field elements.
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

/// A sidecar as the fork wants it: before EIP-7594 blobs had a proof each, and those can be turned into
/// proofs of their cells.
///
/// # Errors
///
/// [`RpcError`] if the blobs are not those that the hashes name, or a proof does not hold.
pub fn of_fork(sidecar: Sidecar, hashes: &[B256], cells: bool) -> Result<Sidecar, RpcError> {
    check(&sidecar, hashes)?;
    if !cells {
        return Ok(sidecar);
    }
    sidecar
        .try_convert_into_eip7594_with_settings(EnvKzgSettings::Default.get())
        .map_err(|error| Rejected::Blobs(error.to_string()).into())
}

/// The blobs are those that a transaction names, and their proofs hold.
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
