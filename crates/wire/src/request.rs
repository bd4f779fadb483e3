//! The `engine_newPayload` request around a payload, and the execution requests in it.

use crate::{
    DecodeError, ExecutionPayload, PayloadShape, ProtocolFork,
    layout::request as at,
    list::{Records, array_at, variable_fields},
};
use alloy_primitives::B256;
use sha2::{Digest, Sha256};

const WHAT: &str = "new payload request";

/// The parameters of `engine_newPayload`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayloadRequest<'a> {
    /// The block.
    pub payload: ExecutionPayload<'a>,
    /// Blob versioned hashes of all transactions in order (Cancun and later).
    pub versioned_hashes: Records<'a, 32>,
    /// The header's `parent_beacon_block_root` (EIP-4788; Cancun and later): the anchor of a
    /// rollup.
    pub parent_beacon_block_root: B256,
    /// Execution requests of the block (EIP-7685; Prague and later).
    pub execution_requests: ExecutionRequests<'a>,
}

impl<'a> NewPayloadRequest<'a> {
    /// Length of the fixed part in bytes.
    pub const fn fixed_len(fork: ProtocolFork) -> usize {
        match fork {
            ProtocolFork::Paris | ProtocolFork::Shanghai => at::FIXED_PARIS,
            ProtocolFork::Cancun => at::FIXED_CANCUN,
            _ => at::FIXED,
        }
    }

    /// Decodes the request of a fork.
    pub(crate) fn decode(bytes: &'a [u8], fork: ProtocolFork) -> Result<Self, DecodeError> {
        let fixed = Self::fixed_len(fork);
        let shape = PayloadShape::of(fork);
        let none = &[][..];
        let (payload, hashes, requests) = match fork {
            ProtocolFork::Paris | ProtocolFork::Shanghai => {
                let [payload] = variable_fields(WHAT, bytes, fixed, [at::PAYLOAD])?;
                (payload, none, None)
            }
            ProtocolFork::Cancun => {
                let [payload, hashes] =
                    variable_fields(WHAT, bytes, fixed, [at::PAYLOAD, at::VERSIONED_HASHES])?;
                (payload, hashes, None)
            }
            _ => {
                let [payload, hashes, requests] = variable_fields(
                    WHAT,
                    bytes,
                    fixed,
                    [at::PAYLOAD, at::VERSIONED_HASHES, at::EXECUTION_REQUESTS],
                )?;
                (payload, hashes, Some(requests))
            }
        };
        Ok(Self {
            payload: ExecutionPayload::decode(payload, shape)?,
            versioned_hashes: Records::from_bytes("versioned hashes", hashes)?,
            parent_beacon_block_root: if shape >= PayloadShape::V3 {
                array_at(bytes, at::PARENT_BEACON_BLOCK_ROOT).into()
            } else {
                B256::ZERO
            },
            execution_requests: requests
                .map(|bytes| ExecutionRequests::decode(bytes, fork))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// Bytes of the SSZ encoding for a fork.
    pub fn encoded_len(&self, fork: ProtocolFork) -> usize {
        let mut len = Self::fixed_len(fork) + self.payload.encoded_len();
        if fork >= ProtocolFork::Cancun {
            len += self.versioned_hashes.as_bytes().len();
        }
        if fork >= ProtocolFork::Prague {
            len += self.execution_requests.encoded_len(fork);
        }
        len
    }
}

/// Requests from the execution layer to the consensus layer (EIP-7685), by type.
///
/// The SSZ record of each kind equals its EIP-7685 encoding, so the same bytes serve both
/// encodings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRequests<'a> {
    /// Type 0x00 (EIP-6110).
    pub deposits: Records<'a, 192>,
    /// Type 0x01 (EIP-7002).
    pub withdrawals: Records<'a, 76>,
    /// Type 0x02 (EIP-7251).
    pub consolidations: Records<'a, 116>,
    /// Type 0x03 (EIP-8282), Amsterdam and later.
    pub builder_deposits: Records<'a, 184>,
    /// Type 0x04 (EIP-8282), Amsterdam and later.
    pub builder_exits: Records<'a, 68>,
}

impl Default for ExecutionRequests<'_> {
    fn default() -> Self {
        Self {
            deposits: Records::EMPTY,
            withdrawals: Records::EMPTY,
            consolidations: Records::EMPTY,
            builder_deposits: Records::EMPTY,
            builder_exits: Records::EMPTY,
        }
    }
}

impl<'a> ExecutionRequests<'a> {
    const FIXED_PRAGUE: usize = 12;
    const FIXED_AMSTERDAM: usize = 20;

    fn decode(bytes: &'a [u8], fork: ProtocolFork) -> Result<Self, DecodeError> {
        const WHAT: &str = "execution requests";
        let none = &[][..];
        let (deposits, withdrawals, consolidations, builder_deposits, builder_exits) =
            if fork >= ProtocolFork::Amsterdam {
                let [a, b, c, d, e] =
                    variable_fields(WHAT, bytes, Self::FIXED_AMSTERDAM, [0, 4, 8, 12, 16])?;
                (a, b, c, d, e)
            } else {
                let [a, b, c] = variable_fields(WHAT, bytes, Self::FIXED_PRAGUE, [0, 4, 8])?;
                (a, b, c, none, none)
            };
        Ok(Self {
            deposits: Records::from_bytes("deposit requests", deposits)?,
            withdrawals: Records::from_bytes("withdrawal requests", withdrawals)?,
            consolidations: Records::from_bytes("consolidation requests", consolidations)?,
            builder_deposits: Records::from_bytes("builder deposit requests", builder_deposits)?,
            builder_exits: Records::from_bytes("builder exit requests", builder_exits)?,
        })
    }

    /// Returns each type byte with the records of that type, in order, including empty types.
    pub const fn typed(&self) -> [(u8, &'a [u8]); 5] {
        [
            (0, self.deposits.as_bytes()),
            (1, self.withdrawals.as_bytes()),
            (2, self.consolidations.as_bytes()),
            (3, self.builder_deposits.as_bytes()),
            (4, self.builder_exits.as_bytes()),
        ]
    }

    /// Returns the header's `requests_hash` (EIP-7685), which leaves out empty types.
    pub fn requests_hash(&self) -> B256 {
        let mut all = Sha256::new();
        for (kind, data) in self.typed() {
            // EIP-7685 leaves out types without data; hashing the type byte alone would change the
            // hash.
            if !data.is_empty() {
                all.update(Sha256::new().chain_update([kind]).chain_update(data).finalize());
            }
        }
        B256::from_slice(&all.finalize())
    }

    /// Returns `true` if the block has no requests.
    pub fn is_empty(&self) -> bool {
        self.typed().iter().all(|(_, data)| data.is_empty())
    }

    /// Number of lists that the requests of a fork have.
    pub const fn lists_of(fork: ProtocolFork) -> usize {
        // Compared as numbers because the function is `const`; the forks are declared in the order
        // of the specification.
        if fork as u8 >= ProtocolFork::Amsterdam as u8 { 5 } else { 3 }
    }

    fn encoded_len(&self, fork: ProtocolFork) -> usize {
        let lists = Self::lists_of(fork);
        lists * 4 + self.typed()[..lists].iter().map(|(_, data)| data.len()).sum::<usize>()
    }
}
