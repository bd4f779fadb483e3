//! Request and response bodies of the Engine API over REST: payload envelopes and payload statuses.
//!
//! The containers follow the REST and SSZ proposal of execution-apis, where `Optional[T]` is a list
//! of at most one element.

use crate::{
    OwnedWitness,
    encode::{lists, payload, put_offset, requests_from_typed, witness},
};
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use wire::{
    ByteLists, DecodeError, ExecutionPayload, ExecutionWitness, NewPayloadRequest, PayloadShape,
    ProtocolFork, Records,
    list::{OFFSET, array_at, offset_at, variable_fields},
};

/// Request body of `POST /engine/v1/payloads` and `…/payloads/witness`
/// (`ExecutionPayloadEnvelope`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadEnvelope<'a> {
    /// The block.
    pub payload: ExecutionPayload<'a>,
    /// The header's `parent_beacon_block_root`; Cancun and later.
    pub parent_beacon_block_root: B256,
    /// Execution requests of the block, each prefixed with its type byte (EIP-7685); Prague and
    /// later.
    pub execution_requests: ByteLists<'a>,
}

impl<'a> PayloadEnvelope<'a> {
    const WHAT: &'static str = "payload envelope";
    /// Maximum number of execution requests: one for each type byte.
    pub const MAX_REQUESTS: usize = 1 << 8;

    const fn fixed_len(fork: ProtocolFork) -> usize {
        match fork {
            ProtocolFork::Paris | ProtocolFork::Shanghai => OFFSET,
            ProtocolFork::Cancun => OFFSET + 32,
            _ => OFFSET + 32 + OFFSET,
        }
    }

    /// Decodes the envelope of a fork.
    pub fn decode(bytes: &'a [u8], fork: ProtocolFork) -> Result<Self, DecodeError> {
        let fixed = Self::fixed_len(fork);
        let (payload, requests) = if fork >= ProtocolFork::Prague {
            let [payload, requests] = variable_fields(Self::WHAT, bytes, fixed, [0, OFFSET + 32])?;
            (payload, requests)
        } else {
            let [payload] = variable_fields(Self::WHAT, bytes, fixed, [0])?;
            (payload, &[][..])
        };
        let root = (fork >= ProtocolFork::Cancun).then(|| array_at(bytes, OFFSET).into());
        Ok(Self {
            payload: ExecutionPayload::decode(payload, PayloadShape::of(fork))?,
            parent_beacon_block_root: root.unwrap_or_default(),
            execution_requests: ByteLists::decode(
                "execution requests",
                requests,
                Self::MAX_REQUESTS,
                usize::MAX,
            )?,
        })
    }

    /// Encodes the envelope for a fork.
    pub fn encode(&self, fork: ProtocolFork) -> Vec<u8> {
        let fixed = Self::fixed_len(fork);
        let mut out = Vec::new();
        put_offset(&mut out, fixed);
        if fork >= ProtocolFork::Cancun {
            out.extend_from_slice(self.parent_beacon_block_root.as_slice());
        }
        if fork >= ProtocolFork::Prague {
            put_offset(&mut out, fixed + self.payload.encoded_len());
        }
        payload(&self.payload, &mut out);
        if fork >= ProtocolFork::Prague {
            lists(self.execution_requests, &mut out);
        }
        out
    }

    /// Builds the request of this envelope from the versioned hashes of its transactions.
    pub fn request<'r>(
        &'r self,
        requests: &'r [&'a [u8]],
        versioned_hashes: &'r [[u8; 32]],
    ) -> Result<NewPayloadRequest<'r>, DecodeError> {
        Ok(NewPayloadRequest {
            payload: self.payload.clone(),
            versioned_hashes: Records::new(versioned_hashes),
            parent_beacon_block_root: self.parent_beacon_block_root,
            execution_requests: requests_from_typed(requests)?,
        })
    }
}

/// A client's verdict on a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PayloadVerdict {
    /// The payload was executed and is valid.
    Valid,
    /// The payload can never be part of a chain.
    #[serde(alias = "INVALID_BLOCK_HASH")]
    Invalid,
    /// The parent of the payload is unknown.
    Syncing,
    /// The payload is well-formed, on a side branch, and not executed.
    Accepted,
}

impl PayloadVerdict {
    /// All verdicts, indexed by their number in SSZ.
    const ALL: [Self; 4] = [Self::Valid, Self::Invalid, Self::Syncing, Self::Accepted];
}

/// A verdict on a payload and the reason for it (`PayloadStatusV1`).
///
/// The type of `alloy-rpc-types-engine` cannot replace it: that one rejects `INVALID` without an
/// error, which the Engine API allows, and `INVALID_BLOCK_HASH` of older clients; its form in SSZ
/// is another type, on another SSZ library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadStatus {
    /// The verdict.
    pub status: PayloadVerdict,
    /// Hash of the latest valid block on the branch of the payload, if known.
    #[serde(default)]
    pub latest_valid_hash: Option<B256>,
    /// Reason why the payload is invalid.
    #[serde(default)]
    pub validation_error: Option<String>,
}

impl PayloadStatus {
    const WHAT: &'static str = "payload status";
    const FIXED: usize = 1 + 2 * OFFSET;
    /// Maximum length of an error in SSZ, in bytes; longer errors are truncated.
    pub const MAX_ERROR: usize = 1_024;

    /// Status of a payload that is valid together with its ancestors.
    pub const fn valid(hash: B256) -> Self {
        Self {
            status: PayloadVerdict::Valid,
            latest_valid_hash: Some(hash),
            validation_error: None,
        }
    }

    /// Status of an invalid payload whose branch is valid up to `latest_valid_hash`, if known.
    pub const fn invalid(latest_valid_hash: Option<B256>, error: String) -> Self {
        let status = PayloadVerdict::Invalid;
        Self { status, latest_valid_hash, validation_error: Some(error) }
    }

    /// Status of a payload whose parent is unknown.
    pub const fn syncing() -> Self {
        Self { status: PayloadVerdict::Syncing, latest_valid_hash: None, validation_error: None }
    }

    /// Encodes the status as SSZ.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.status as u8];
        put_offset(&mut out, Self::FIXED);
        let hash = self.latest_valid_hash;
        put_offset(&mut out, Self::FIXED + hash.map_or(0, |hash| hash.len()));
        out.extend(hash.iter().flatten());
        if let Some(error) = &self.validation_error {
            put_offset(&mut out, OFFSET);
            out.extend_from_slice(truncated(error, Self::MAX_ERROR).as_bytes());
        }
        out
    }

    /// Decodes the status from SSZ.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let [hash, error] = variable_fields(Self::WHAT, bytes, Self::FIXED, [1, 1 + OFFSET])?;
        let mismatch = |what, got: String, expected: &str| DecodeError::Mismatch {
            what,
            got,
            expected: expected.to_owned(),
        };
        let status = *PayloadVerdict::ALL
            .get(usize::from(bytes[0]))
            .ok_or_else(|| mismatch("payload verdict", bytes[0].to_string(), "0 to 3"))?;
        let latest_valid_hash = match hash.len() {
            0 => None,
            32 => Some(B256::from_slice(hash)),
            got => {
                let what = "latest valid hash";
                return Err(DecodeError::Length { what, got, expected: 32 });
            }
        };
        let errors = ByteLists::decode("validation error", error, 1, Self::MAX_ERROR)?;
        let text = |bytes: &[u8]| {
            let text = str::from_utf8(bytes).map(ToOwned::to_owned);
            text.map_err(|error| mismatch("validation error", error.to_string(), "UTF-8"))
        };
        let validation_error = errors.get(0).map(text).transpose()?;
        Ok(Self { status, latest_valid_hash, validation_error })
    }
}

/// Returns the longest prefix of a text that has at most `maximum` bytes.
fn truncated(text: &str, maximum: usize) -> &str {
    // Truncated at a character boundary, because receivers reject text that is not UTF-8.
    &text[..text.floor_char_boundary(maximum)]
}

/// Response body of `POST /engine/v1/payloads/witness` (`PayloadStatusWithWitness`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadStatusWithWitness {
    /// Status of the payload.
    pub status: PayloadStatus,
    /// Witness of the payload, if it is valid.
    pub witness: Option<OwnedWitness>,
    /// Uncompressed public key of each sender, if the payload is valid. The keys are untrusted
    /// hints, like the witness: a consumer must check each key against the signature.
    pub public_keys: Vec<[u8; Self::PUBLIC_KEY]>,
}

impl PayloadStatusWithWitness {
    const WHAT: &'static str = "payload status with witness";
    const FIXED: usize = 3 * OFFSET;
    /// Length of the fixed part in the older form without public keys.
    const FIXED_WITHOUT_KEYS: usize = 2 * OFFSET;
    /// Length of an uncompressed public key in bytes, including the `0x04` prefix.
    pub const PUBLIC_KEY: usize = 65;

    /// Encodes the status and the witness as SSZ.
    pub fn encode(&self) -> Vec<u8> {
        let status = self.status.encode();
        let mut list = Vec::new();
        if let Some(owned) = &self.witness {
            put_offset(&mut list, OFFSET);
            witness(&owned.view(), &mut list);
        }
        let mut out = Vec::new();
        put_offset(&mut out, Self::FIXED);
        put_offset(&mut out, Self::FIXED + status.len());
        put_offset(&mut out, Self::FIXED + status.len() + list.len());
        out.extend(status);
        out.extend(list);
        out.extend_from_slice(self.public_keys.as_flattened());
        out
    }

    /// Decodes status and witness from SSZ, also in the older form without public keys.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        // Only the first offset distinguishes the two forms; bytes too short for an offset are
        // decoded in the current form, which rejects them.
        let has_keys = bytes.len() < OFFSET || offset_at(bytes, 0) != Self::FIXED_WITHOUT_KEYS;
        let (status, witness, keys) = if has_keys {
            let [status, witness, keys] =
                variable_fields(Self::WHAT, bytes, Self::FIXED, [0, OFFSET, 2 * OFFSET])?;
            (status, witness, keys)
        } else {
            let fixed = Self::FIXED_WITHOUT_KEYS;
            let [status, witness] = variable_fields(Self::WHAT, bytes, fixed, [0, OFFSET])?;
            (status, witness, &[][..])
        };
        let witnesses = ByteLists::decode("witness", witness, 1, usize::MAX)?;
        let witness = witnesses.get(0).map(ExecutionWitness::decode).transpose()?;
        let keys = Records::<{ Self::PUBLIC_KEY }>::from_bytes("public keys", keys)?;
        Ok(Self {
            status: PayloadStatus::decode(status)?,
            witness: witness.as_ref().map(OwnedWitness::of),
            public_keys: keys.iter().copied().collect(),
        })
    }
}
