//! The bodies of the Engine API over REST: an envelope around a payload, and what is said of it.
//!
//! The containers are those of the REST and SSZ proposal of execution-apis: `Optional[T]` there is a
//! list of at most one.

use crate::{
    ByteLists, DecodeError, ExecutionPayload, ExecutionRequests, ExecutionWitness,
    NewPayloadRequest, OwnedWitness, PayloadShape, ProtocolFork, Records,
    list::{OFFSET, array_at, offset_at, put_offset, variable_fields},
};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// What `POST /engine/v1/payloads` and `…/payloads/witness` are called with
/// (`ExecutionPayloadEnvelope`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadEnvelope<'a> {
    /// The block.
    pub payload: ExecutionPayload<'a>,
    /// The header's `parent_beacon_block_root`; Cancun and later.
    pub parent_beacon_block_root: B256,
    /// Requests that the block causes, each with its type in front (EIP-7685); Prague and later.
    pub execution_requests: ByteLists<'a>,
}

impl<'a> PayloadEnvelope<'a> {
    const WHAT: &'static str = "payload envelope";
    /// Most execution requests.
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

    /// Encodes it for a fork.
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
        self.payload.encode(&mut out);
        if fork >= ProtocolFork::Prague {
            self.execution_requests.encode(&mut out);
        }
        out
    }

    /// The request that it stands for, given the versioned hashes of its transactions.
    pub fn request<'r>(
        &'r self,
        requests: &'r [&'a [u8]],
        versioned_hashes: &'r [[u8; 32]],
    ) -> Result<NewPayloadRequest<'r>, DecodeError> {
        Ok(NewPayloadRequest {
            payload: self.payload.clone(),
            versioned_hashes: Records::new(versioned_hashes),
            parent_beacon_block_root: self.parent_beacon_block_root,
            execution_requests: ExecutionRequests::from_typed(requests)?,
        })
    }
}

/// What a client makes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PayloadVerdict {
    /// It was executed, and all that it claims is true.
    Valid,
    /// It can never be part of a chain.
    #[serde(alias = "INVALID_BLOCK_HASH")]
    Invalid,
    /// What it builds on is not there.
    Syncing,
    /// It is well-formed, on a side branch, and not executed.
    Accepted,
}

impl PayloadVerdict {
    /// All of them, at their numbers in SSZ.
    const ALL: [Self; 4] = [Self::Valid, Self::Invalid, Self::Syncing, Self::Accepted];
}

/// A verdict, and its evidence (`PayloadStatusV1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadStatus {
    /// The verdict.
    pub status: PayloadVerdict,
    /// The newest valid block on the branch of the payload, if that is known.
    #[serde(default)]
    pub latest_valid_hash: Option<B256>,
    /// What is wrong with it.
    #[serde(default)]
    pub validation_error: Option<String>,
}

impl PayloadStatus {
    const WHAT: &'static str = "payload status";
    const FIXED: usize = 1 + 2 * OFFSET;
    /// Most bytes of an error in SSZ; it is cut to as many.
    pub const MAX_ERROR: usize = 1_024;

    /// The payload with this hash, and all before it, are valid.
    pub const fn valid(hash: B256) -> Self {
        Self {
            status: PayloadVerdict::Valid,
            latest_valid_hash: Some(hash),
            validation_error: None,
        }
    }

    /// The payload is not valid; the branch is up to this block, if that is known.
    pub const fn invalid(latest_valid_hash: Option<B256>, error: String) -> Self {
        let status = PayloadVerdict::Invalid;
        Self { status, latest_valid_hash, validation_error: Some(error) }
    }

    /// What the payload builds on is not known.
    pub const fn syncing() -> Self {
        Self { status: PayloadVerdict::Syncing, latest_valid_hash: None, validation_error: None }
    }

    /// Encodes it as SSZ.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.status as u8];
        put_offset(&mut out, Self::FIXED);
        let hash = self.latest_valid_hash;
        put_offset(&mut out, Self::FIXED + hash.map_or(0, |hash| hash.len()));
        out.extend(hash.iter().flatten());
        if let Some(error) = &self.validation_error {
            put_offset(&mut out, OFFSET);
            out.extend_from_slice(cut(error, Self::MAX_ERROR).as_bytes());
        }
        out
    }

    /// Decodes it from SSZ.
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

/// The longest beginning of a text that has at most so many bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// What `POST /engine/v1/payloads/witness` answers (`PayloadStatusWithWitness`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadStatusWithWitness {
    /// What is made of the payload.
    pub status: PayloadStatus,
    /// What it reads, if it is valid.
    pub witness: Option<OwnedWitness>,
    /// The uncompressed public key of each sender, if the payload is valid. Advice, as the witness is:
    /// who uses one has to check it against the signature.
    pub public_keys: Vec<[u8; Self::PUBLIC_KEY]>,
}

impl PayloadStatusWithWitness {
    const WHAT: &'static str = "payload status with witness";
    const FIXED: usize = 3 * OFFSET;
    /// Before there were public keys.
    const FIXED_WITHOUT_KEYS: usize = 2 * OFFSET;
    /// Bytes of an uncompressed public key, with the `0x04` in front.
    pub const PUBLIC_KEY: usize = 65;

    /// Encodes it as SSZ.
    pub fn encode(&self) -> Vec<u8> {
        let status = self.status.encode();
        let mut witness = Vec::new();
        if let Some(owned) = &self.witness {
            put_offset(&mut witness, OFFSET);
            owned.view().encode(&mut witness);
        }
        let mut out = Vec::new();
        put_offset(&mut out, Self::FIXED);
        put_offset(&mut out, Self::FIXED + status.len());
        put_offset(&mut out, Self::FIXED + status.len() + witness.len());
        out.extend(status);
        out.extend(witness);
        out.extend_from_slice(self.public_keys.as_flattened());
        out
    }

    /// Decodes it from SSZ; also in the form of clients that do not give public keys.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
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

impl OwnedWitness {
    /// A copy of a witness that is a view.
    pub fn of(view: &ExecutionWitness<'_>) -> Self {
        let owned = |list: &ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect();
        Self { state: owned(&view.state), codes: owned(&view.codes), headers: owned(&view.headers) }
    }
}
