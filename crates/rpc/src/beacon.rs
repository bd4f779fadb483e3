//! Endpoints `genesis`, `config/spec` and `blobs` of the Beacon API, from which rollup nodes read
//! blob data.
//!
//! The node has no consensus layer and no slots. Each second since genesis counts as one slot, so
//! clients derive the slot of a block from its timestamp, the genesis time and the slot length as
//! usual. Responses are JSON, or SSZ if the client prefers it; since blobs have a fixed length, the
//! SSZ list is their plain concatenation.

use crate::{
    Api, RpcError,
    server::{Content, MorePages, PageRequest},
};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockNumberOrTag, eip4844::DATA_GAS_PER_BLOB};
use alloy_primitives::{Address, B256};
use chain::store::Block;
use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// Slot length in seconds.
const SLOT: u64 = 1;
/// Minimum number of epochs for which a consensus client serves blobs (EIP-4844). This node keeps
/// blobs as long as their blocks.
const RETENTION: u64 = 4_096;

const BLOBS: &str = "/eth/v1/beacon/blobs/";
/// Endpoint that served blobs with proofs before EIP-7594.
const SIDECARS: &str = "/eth/v1/beacon/blob_sidecars/";

/// Beacon API endpoints of a node.
pub struct BeaconPages(Api);

impl BeaconPages {
    /// Creates the endpoints of a node.
    pub const fn new(api: Api) -> Self {
        Self(api)
    }
}

impl fmt::Debug for BeaconPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeaconPages").finish_non_exhaustive()
    }
}

/// HTTP status and message of a failed request.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: u16,
    message: String,
}

impl Refusal {
    const fn malformed(message: String) -> Self {
        Self { status: 400, message }
    }

    const fn absent(message: String) -> Self {
        Self { status: 404, message }
    }
}

impl From<RpcError> for Refusal {
    fn from(error: RpcError) -> Self {
        Self { status: 500, message: error.to_string() }
    }
}

impl MorePages for BeaconPages {
    fn page(&self, request: &PageRequest<'_>) -> Option<(u16, Content)> {
        let answer = match request.path {
            "/eth/v1/beacon/genesis" => self.genesis().map(Content::Json),
            "/eth/v1/config/spec" => Ok(Content::Json(json!({ "data": {
                "SECONDS_PER_SLOT": SLOT.to_string(),
                "MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS": RETENTION.to_string(),
            } }))),
            // There is no deposit contract; clients only compare the chain id.
            "/eth/v1/config/deposit_contract" => Ok(Content::Json(json!({ "data": {
                "chain_id": self.0.chain().config().spec.chain_id().to_string(),
                "address": Address::ZERO,
            } }))),
            path if path.starts_with(SIDECARS) => Err(Refusal {
                status: 410,
                message: format!("this endpoint is deprecated: use {BLOBS}{{block_id}}"),
            }),
            path => self.blobs(path.strip_prefix(BLOBS)?, request),
        };
        Some(match answer {
            Ok(answer) => (200, answer),
            Err(Refusal { status, message }) => {
                (status, Content::Json(json!({ "code": status, "message": message })))
            }
        })
    }
}

impl BeaconPages {
    fn genesis(&self) -> Result<Value, Refusal> {
        Ok(json!({ "data": {
            "genesis_time": self.first()?.header.timestamp.to_string(),
            "genesis_validators_root": B256::ZERO,
            "genesis_fork_version": "0x00000000",
        } }))
    }

    /// Returns the first block of the chain.
    fn first(&self) -> Result<Arc<Block>, Refusal> {
        let first = self.0.block_by_number(BlockNumberOrTag::Earliest)?;
        first.ok_or_else(|| Refusal::absent("there is no genesis".to_owned()))
    }

    fn blobs(&self, id: &str, request: &PageRequest<'_>) -> Result<Content, Refusal> {
        let wanted = requested_hashes(request.query.unwrap_or_default())?;
        let block = self.block(id)?.ok_or_else(|| Refusal::absent(format!("no block at {id}")))?;
        let finalized = self.0.number_of(BlockNumberOrTag::Finalized);
        let named: u64 =
            block.transactions.iter().filter_map(|transaction| transaction.blob_gas_used()).sum();
        let kept: Vec<_> = self.0.node().read(|node| {
            let hashes = block.transactions.iter().map(|transaction| transaction.hash());
            hashes.filter_map(|hash| node.sidecars.get(hash).map(Arc::clone)).collect()
        });
        let blobs = kept.iter().flat_map(|sidecar| sidecar.versioned_hashes().zip(sidecar.blobs()));
        let blobs: Vec<_> = blobs.collect();
        if blobs.len() as u64 != named / DATA_GAS_PER_BLOB {
            return Err(Refusal::absent(format!("the blobs of block {} are not kept", block.hash)));
        }
        let chosen = blobs
            .iter()
            .filter(|(hash, _)| wanted.is_empty() || wanted.contains(hash))
            .map(|(_, blob)| blob);
        if request.wants_bytes() {
            let bytes: Vec<&[u8]> = chosen.map(|blob| blob.as_slice()).collect();
            return Ok(Content::Bytes(bytes.concat()));
        }
        Ok(Content::Json(json!({
            "execution_optimistic": false,
            "finalized": block.header.number <= finalized,
            "data": chosen.collect::<Vec<_>>(),
        })))
    }

    /// Looks up a block by id: `head`, `finalized`, `justified`, `genesis`, the hash of an
    /// execution block, or a slot.
    fn block(&self, id: &str) -> Result<Option<Arc<Block>>, Refusal> {
        let tag = match id {
            "head" => BlockNumberOrTag::Latest,
            "finalized" => BlockNumberOrTag::Finalized,
            "justified" => BlockNumberOrTag::Safe,
            "genesis" => BlockNumberOrTag::Earliest,
            _ if id.starts_with("0x") => {
                let malformed = |_| Refusal::malformed(format!("{id} is not a block hash"));
                let hash = id.parse().map_err(malformed)?;
                return Ok(self.0.block_by_hash(hash)?);
            }
            _ => {
                let malformed = |_| Refusal::malformed(format!("{id} is not a block id"));
                return self.at_slot(id.parse().map_err(malformed)?);
            }
        };
        Ok(self.0.block_by_number(tag)?)
    }

    fn at_slot(&self, slot: u64) -> Result<Option<Arc<Block>>, Refusal> {
        let first = self.first()?;
        let Some(timestamp) = first.header.timestamp.checked_add(slot.saturating_mul(SLOT)) else {
            return Ok(None);
        };
        // Find the first block that is not older than the slot.
        let (mut low, mut high) = (first.header.number, self.0.number_of(BlockNumberOrTag::Latest));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.0.block_by_number(middle.into())? {
                Some(block) if block.header.timestamp >= timestamp => high = middle,
                _ => low = middle + 1,
            }
        }
        let found = self.0.block_by_number(low.into())?;
        Ok(found.filter(|block| block.header.timestamp == timestamp))
    }
}

/// Returns the versioned hashes in the query: `versioned_hashes`, comma-separated or repeated.
fn requested_hashes(query: &str) -> Result<Vec<B256>, Refusal> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("versioned_hashes="));
    let hashes = values.flat_map(|value| value.split(',').flat_map(|part| part.split("%2C")));
    hashes
        .map(|hash| {
            let malformed = |_| Refusal::malformed(format!("{hash} is not a versioned hash"));
            hash.parse().map_err(malformed)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioned_hashes_parse_in_any_list_format() {
        let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
        for query in [
            format!("versioned_hashes={a},{b}"),
            format!("versioned_hashes={a}%2C{b}"),
            format!("versioned_hashes={a}&other=1&versioned_hashes={b}"),
        ] {
            assert_eq!(requested_hashes(&query), Ok(vec![a, b]));
        }
        assert_eq!(requested_hashes(""), Ok(vec![]));
        assert_eq!(requested_hashes("versioned_hashes=0x12").unwrap_err().status, 400);
        assert_eq!(requested_hashes("versioned_hashes=").unwrap_err().status, 400);
    }
}
