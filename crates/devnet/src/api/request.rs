//! Transaction requests with blobs, or with the fields of type `0x05`.

use crate::state::DevnetState;
use alloy_eips::eip4844::Blob;
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::TransactionRequest;
use chain::store::ExecuteFields;
use node::{Rejected, Sidecar};
use rpc::{RpcError, blobs};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// Transaction request. Its blobs may lack commitments and proofs, which the node then computes.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) transaction: TransactionRequest,
    /// Fields of type `0x05`, if the request has them.
    pub(super) execute: Option<ExecuteFields>,
    bare: Vec<Bytes>,
}

impl From<TransactionRequest> for Request {
    fn from(transaction: TransactionRequest) -> Self {
        Self { transaction, execute: None, bare: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(from)?;
        // Remove the sidecar fields first: left in the request, a malformed sidecar would be
        // ignored silently.
        let mut sidecar = Map::new();
        let mut execute = None;
        if let Some(fields) = value.as_object_mut() {
            execute = fields.remove("execute").filter(|field| !field.is_null());
            for name in ["blobs", "commitments", "proofs", "cellProofs"] {
                let field = fields.remove(name).filter(|field| !field.is_null());
                sidecar.extend(field.map(|field| (name.to_owned(), field)));
            }
        }
        let proven = sidecar.contains_key("proofs") || sidecar.contains_key("cellProofs");
        let execute = execute.map(serde_json::from_value).transpose().map_err(D::Error::custom)?;
        let transaction = serde_json::from_value(value).map_err(D::Error::custom)?;
        let mut request = Self { transaction, execute, bare: Vec::new() };
        if proven && sidecar.contains_key("commitments") {
            let sidecar = serde_json::from_value(sidecar.into()).map_err(D::Error::custom)?;
            request.transaction.sidecar = Some(sidecar);
        } else if let Some(blobs) = sidecar.remove("blobs") {
            request.bare = serde_json::from_value(blobs).map_err(D::Error::custom)?;
        }
        Ok(request)
    }
}

impl Request {
    /// Splits into the transaction with its versioned hashes, and the sidecar with the proofs that
    /// the next block's fork requires.
    pub(super) fn split(
        self,
        devnet: &DevnetState,
    ) -> Result<(TransactionRequest, Option<Sidecar>), RpcError> {
        let Self { mut transaction, bare, .. } = self;
        let sidecar = transaction.sidecar.take();
        if sidecar.is_none() && bare.is_empty() {
            return Ok((transaction, None));
        }
        let (cells, most) = blobs::limits(&devnet.api);
        let got = sidecar.as_ref().map_or(bare.len(), |sidecar| sidecar.blobs().len());
        // Proving a blob takes as long as executing a small block, so check the number first.
        if got as u64 > most {
            return Err(Rejected::TooManyBlobs { got, limit: most }.into());
        }
        let sidecar = match sidecar {
            Some(sidecar) => sidecar,
            None => {
                let whole = |blob: Bytes| Blob::try_from(&blob[..]).map(Box::new);
                let bare: Vec<Box<Blob>> =
                    bare.into_iter().map(whole).collect::<Result<_, _>>().map_err(|_| {
                        RpcError::params(format!("a blob has {} bytes", Blob::len_bytes()))
                    })?;
                blobs::of_blobs(bare.into_iter().map(|blob| *blob).collect(), cells)?
            }
        };
        let named: Vec<_> = sidecar.versioned_hashes().collect();
        let hashes = transaction.blob_versioned_hashes.get_or_insert(named);
        let sidecar = blobs::of_fork(sidecar, hashes, cells)?;
        Ok((transaction, Some(sidecar)))
    }
}
