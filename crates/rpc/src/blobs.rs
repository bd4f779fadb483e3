//! Blobs: checked when they come, served as long as the node lives.

use crate::{Api, Hash, Registry, RpcError};
use alloy_eips::eip4844::kzg_to_versioned_hash;
use alloy_primitives::B256;
use node::{Rejected, Sidecar};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.read("eth_getBlobSidecars", |api, args| {
        let Some(block) = api.find_block(args.next()?)? else { return Ok(None) };
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
        let Hash(hash) = args.next()?;
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
    let settings = alloy_eips::eip4844::env_settings::EnvKzgSettings::Default;
    sidecar
        .validate(hashes, settings.get())
        .map_err(|error| Rejected::Blobs(error.to_string()).into())
}
