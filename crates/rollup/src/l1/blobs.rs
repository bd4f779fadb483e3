//! Client of the Beacon API for the blobs of L1 transactions.

use crate::{L1Error, l1::L1Header};
use alloy_eips::eip4844::{c_kzg, env_settings::EnvKzgSettings, kzg_to_versioned_hash};
use alloy_primitives::{B256, Bytes};
use client::{Client, ClientOptions, RedactedUrl};
use codec::blob_tail::BLOB_LEN;
use parking_lot::Mutex;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Maximum number of blobs read from a response; more than any block has.
const MAX_BLOBS: usize = 128;

/// Client of one or more consensus clients of L1, tried in order. Blobs are verified: a blob is
/// accepted only if its commitment hashes to the versioned hash.
#[derive(Debug)]
pub struct BlobClient {
    nodes: Vec<BlobNode>,
}

#[derive(Debug)]
struct BlobNode {
    client: Client,
    /// Genesis time and slot length in seconds. Cached until a request for blobs fails.
    slots: Mutex<Option<(u64, u64)>>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Genesis {
    genesis_time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Spec {
    seconds_per_slot: String,
}

#[derive(Deserialize)]
struct DepositContract {
    chain_id: String,
}

/// A consensus client's facts about its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BeaconFacts {
    /// Time of the first slot, in seconds.
    pub(crate) genesis_time: u64,
    /// Length of a slot, never zero.
    pub(crate) seconds_per_slot: u64,
    /// Chain id of the execution chain, if the client reports it.
    pub(crate) chain_id: Option<u64>,
}

impl BlobClient {
    /// Creates a client for the nodes at these URLs.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if a URL is malformed. Nothing is sent yet.
    pub fn new<U: AsRef<str>>(urls: &[U], timeout: Duration) -> Result<Self, L1Error> {
        // Two hexadecimal digits per byte, and the JSON around them.
        let longest_answer = MAX_BLOBS * (2 * BLOB_LEN + 8) + 4_096;
        // With several nodes, fail over instead of retrying the same node.
        let tries = if urls.len() > 1 { 1 } else { 3 };
        let options = ClientOptions { timeout, tries, longest_answer, ..ClientOptions::default() };
        let node = |url: &U| {
            let client = Client::new(url.as_ref(), options)?;
            Ok(BlobNode { client, slots: Mutex::default() })
        };
        Ok(Self { nodes: urls.iter().map(node).collect::<Result<_, L1Error>>()? })
    }

    /// Requests the chain facts of each node, and returns them with the node's URL.
    pub(crate) fn facts(&self) -> Vec<(RedactedUrl, Result<BeaconFacts, L1Error>)> {
        let facts = |node: &BlobNode| (node.client.address(), node.facts());
        self.nodes.iter().map(facts).collect()
    }

    /// Returns the blobs with these versioned hashes, in order, of transactions of this L1 block,
    /// from the first node that has all of them.
    ///
    /// # Errors
    ///
    /// The error of the last node: [`L1Error::BlobsRefused`] if it does not respond, lacks all
    /// blobs or sends a malformed response, and [`L1Error::BlobMissing`] if its response lacks one
    /// of them.
    pub fn blobs(&self, header: &L1Header, hashes: &[B256]) -> Result<Vec<Bytes>, L1Error> {
        let mut result = Err(L1Error::Beacon("none is configured".to_owned()));
        for node in &self.nodes {
            result = node.blobs(header, hashes);
            if result.is_ok() {
                break;
            }
        }
        result
    }
}

impl BlobNode {
    fn blobs(&self, header: &L1Header, hashes: &[B256]) -> Result<Vec<Bytes>, L1Error> {
        let found = self.checked(header, hashes);
        if found.is_err() {
            // The slot may have been wrong, because the node had reported a wrong genesis time or
            // slot length.
            *self.slots.lock() = None;
        }
        found
    }

    fn checked(&self, header: &L1Header, hashes: &[B256]) -> Result<Vec<Bytes>, L1Error> {
        let (block, listed) = (header.number, hashes.iter().map(B256::to_string));
        let listed = listed.collect::<Vec<_>>().join(",");
        let blobs = self.request(header.timestamp, &listed).map_err(|source| {
            L1Error::BlobsRefused { block, hashes: listed, source: Box::new(source) }
        })?;
        let mut by_hash = BTreeMap::new();
        for blob in blobs.into_iter().take(MAX_BLOBS) {
            if let Some(hash) = versioned_hash(&blob) {
                by_hash.insert(hash, blob);
            }
        }
        let found = |hash: &B256| {
            let missing = L1Error::BlobMissing { block, hash: *hash };
            by_hash.get(hash).cloned().ok_or(missing)
        };
        hashes.iter().map(found).collect()
    }

    /// Requests the blobs with these hashes in the block with this timestamp. Unverified.
    fn request(&self, timestamp: u64, hashes: &str) -> Result<Vec<Bytes>, L1Error> {
        let (genesis, seconds) = self.slots()?;
        // Computed from the timestamp, since execution clients do not report slots.
        let slot = timestamp.saturating_sub(genesis) / seconds;
        let path = format!("/eth/v1/beacon/blobs/{slot}");
        self.get(&path, Some(&format!("versioned_hashes={hashes}")))
    }

    fn facts(&self) -> Result<BeaconFacts, L1Error> {
        let (genesis_time, seconds_per_slot) = self.slots()?;
        let contract = self.get::<DepositContract>("/eth/v1/config/deposit_contract", None);
        let chain_id = contract.ok().and_then(|contract| contract.chain_id.parse().ok());
        Ok(BeaconFacts { genesis_time, seconds_per_slot, chain_id })
    }

    /// Returns genesis time and slot length, in seconds.
    fn slots(&self) -> Result<(u64, u64), L1Error> {
        let cached = *self.slots.lock();
        if let Some(slots) = cached {
            return Ok(slots);
        }
        let Genesis { genesis_time } = self.get("/eth/v1/beacon/genesis", None)?;
        let Spec { seconds_per_slot } = self.get("/eth/v1/config/spec", None)?;
        let number = |text: String| {
            text.parse::<u64>().map_err(|_| L1Error::Beacon(format!("{text:?} is not a number")))
        };
        let (genesis, seconds) = (number(genesis_time)?, number(seconds_per_slot)?);
        // The value is untrusted, so avoid a division by zero.
        if seconds == 0 {
            return Err(L1Error::Beacon("seconds_per_slot is zero".to_owned()));
        }
        *self.slots.lock() = Some((genesis, seconds));
        Ok((genesis, seconds))
    }

    fn get<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        query: Option<&str>,
    ) -> Result<T, L1Error> {
        let response = self.client.get(path, query)?;
        let response: Data<T> = serde_json::from_slice(&response)
            .map_err(|error| L1Error::Beacon(format!("{path}: {error}")))?;
        Ok(response.data)
    }
}

/// Computes the versioned hash of a blob; `None` for bytes that are not a blob.
fn versioned_hash(blob: &[u8]) -> Option<B256> {
    let blob = c_kzg::Blob::from_bytes(blob).ok()?;
    let commitment = EnvKzgSettings::Default.get().blob_to_kzg_commitment(&blob).ok()?;
    Some(kzg_to_versioned_hash(commitment.to_bytes().as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::blob_tail::to_blobs;

    #[test]
    fn versioned_hash_is_that_of_commitment() {
        let zero = vec![0; BLOB_LEN];
        // The commitment to a blob of zeros is the point at infinity.
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        assert_eq!(versioned_hash(&zero), Some(kzg_to_versioned_hash(&infinity)));
        assert_ne!(versioned_hash(&to_blobs(b"words")[0]), versioned_hash(&zero));
        assert_eq!(versioned_hash(&zero[1..]), None);
        // Not canonical field elements.
        assert_eq!(versioned_hash(&vec![0xff; BLOB_LEN]), None);
    }
}
