//! Commitments to the inputs of a rollup, as in `contracts/libraries/Commitments.sol`.

use alloy_primitives::{B256, keccak256};
use codec::blob_tail::{BlobTailError, Trailer};

/// First byte of the preimage of an input that is completely in the calldata.
const PLAIN: u8 = 1;
/// First byte of the preimage of an input whose tail is in blobs.
const IN_BLOBS: u8 = 2;

/// Reasons for which the contracts have no commitment to an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// The transaction has blobs, and the input is not a head with a canonical trailer.
    #[error(transparent)]
    Trailer(#[from] BlobTailError),
    /// The trailer names a blob that the transaction does not have.
    #[error("the transaction has {count} blobs, the input names blob {index}")]
    BlobHashAbsent {
        /// Index of the blob.
        index: usize,
        /// Number of blobs of the transaction.
        count: usize,
    },
}

/// Returns the commitment to an input in the calldata. `input` is the input's Keccak-256 hash.
pub fn plain(input: B256) -> B256 {
    keccak256([&[PLAIN], input.as_slice()].concat())
}

/// Returns the commitment to an input whose tail is in blobs.
///
/// `head` is the Keccak-256 hash of the head without its trailer, `tail` the length of the tail in
/// bytes, and `hashes` the versioned hashes of the tail's blobs in order.
pub fn in_blobs(head: B256, tail: u32, hashes: &[B256]) -> B256 {
    let mut preimage = [&[IN_BLOBS], head.as_slice(), &tail.to_be_bytes()].concat();
    preimage.extend(hashes.iter().flatten());
    keccak256(preimage)
}

/// Returns the commitment to an input in the calldata of a transaction with these blobs.
///
/// # Errors
///
/// [`CommitmentError`] if the transaction has blobs, and the input is not a head with a trailer
/// that names some of them.
pub fn of_call(input: &[u8], blobs: &[B256]) -> Result<B256, CommitmentError> {
    if blobs.is_empty() {
        return Ok(plain(keccak256(input)));
    }
    let (head, trailer) = Trailer::split(input)?;
    let named = trailer.blobs();
    let hashes = blobs.get(named.clone()).ok_or_else(|| CommitmentError::BlobHashAbsent {
        index: named.start.max(blobs.len()),
        count: blobs.len(),
    })?;
    // A trailer has four bytes for the length.
    Ok(in_blobs(keccak256(head), trailer.tail_len() as u32, hashes))
}

/// Returns the rolling hash over commitments after one more; it starts at zero.
pub fn extend(all: B256, one: B256) -> B256 {
    keccak256([all, one].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;
    use serde_json::Value;

    /// The vectors, which `test/libraries/Commitments.t.sol` reads as well.
    fn vectors(kind: &str) -> Vec<Value> {
        let all: Value =
            serde_json::from_str(include_str!("../../../test/vectors/commitments.json")).unwrap();
        let of_kind = all[kind].as_array().unwrap().clone();
        assert!(of_kind.len() >= 3);
        of_kind
    }

    fn input(vector: &Value) -> Bytes {
        serde_json::from_value(vector["input"].clone()).unwrap()
    }

    fn blobs(vector: &Value) -> Vec<B256> {
        serde_json::from_value(vector["blobs"].clone()).unwrap()
    }

    fn word(vector: &Value, key: &str) -> B256 {
        serde_json::from_value(vector[key].clone()).unwrap()
    }

    #[test]
    fn commitments_match_the_vectors() {
        for vector in vectors("plain") {
            assert_eq!(of_call(&input(&vector), &[]).unwrap(), word(&vector, "commitment"));
        }
        for vector in vectors("inBlobs") {
            let commitment = of_call(&input(&vector), &blobs(&vector)).unwrap();
            assert_eq!(commitment, word(&vector, "commitment"));
            // The same bytes in a transaction without blobs are another input.
            assert_ne!(of_call(&input(&vector), &[]).unwrap(), commitment);
        }
        let mut all = B256::ZERO;
        for vector in vectors("extended") {
            assert_eq!(all, word(&vector, "all"));
            all = extend(all, word(&vector, "one"));
            assert_eq!(all, word(&vector, "result"));
        }
    }

    #[test]
    fn inputs_without_a_commitment_are_rejected() {
        for vector in vectors("rejected") {
            assert!(of_call(&input(&vector), &blobs(&vector)).is_err(), "{}", vector["why"]);
        }
        let vector = &vectors("inBlobs")[3];
        let (input, blobs) = (input(vector), blobs(vector));
        // The first blobs of the transaction do not contain the tail.
        let moved = of_call(&input, &[&blobs[1..], &blobs[..1]].concat()).unwrap();
        assert_ne!(moved, word(vector, "commitment"));
        let absent = of_call(&input, &blobs[..2]).unwrap_err();
        assert_eq!(absent, CommitmentError::BlobHashAbsent { index: 2, count: 2 });
    }
}
