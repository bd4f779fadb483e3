//! The execution payload in its four shapes.

use crate::{
    DecodeError, ProtocolFork,
    layout::payload as at,
    list::{ByteLists, Records, array_at, u64_at, variable_fields},
};
use alloy_primitives::{Address, B256, U256};

const WHAT: &str = "execution payload";
// The limit of the Yellow Paper: longer extra data makes a header invalid.
const MAX_EXTRA_DATA: usize = 32;

/// The shape of a payload: which fields it has (`ExecutionPayloadV1` to `V4` of the Engine API).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadShape {
    /// Paris.
    V1,
    /// Shanghai: adds withdrawals.
    V2,
    /// Cancun, Prague, Osaka and its blob-parameter forks: adds the blob gas fields.
    V3,
    /// Amsterdam: adds the block access list and the slot number.
    V4,
}

impl PayloadShape {
    /// Returns the shape that a fork uses.
    pub const fn of(fork: ProtocolFork) -> Self {
        match fork {
            ProtocolFork::Paris => Self::V1,
            ProtocolFork::Shanghai => Self::V2,
            ProtocolFork::Cancun
            | ProtocolFork::Prague
            | ProtocolFork::Osaka
            | ProtocolFork::Bpo1
            | ProtocolFork::Bpo2 => Self::V3,
            ProtocolFork::Amsterdam => Self::V4,
        }
    }

    /// Length of the fixed part in bytes.
    pub const fn fixed_len(self) -> usize {
        match self {
            Self::V1 => at::FIXED_V1,
            Self::V2 => at::FIXED_V2,
            Self::V3 => at::FIXED_V3,
            Self::V4 => at::FIXED_V4,
        }
    }
}

/// An execution payload: a block as the Engine API carries it.
///
/// Fields that a shape lacks are empty or zero, and are not encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the Engine API, by their names there")]
pub struct ExecutionPayload<'a> {
    pub shape: PayloadShape,
    pub parent_hash: B256,
    pub fee_recipient: Address,
    pub state_root: B256,
    pub receipts_root: B256,
    pub logs_bloom: &'a [u8; 256],
    pub prev_randao: B256,
    pub block_number: u64,
    pub gas_limit: u64,
    pub gas_used: u64,
    pub timestamp: u64,
    pub extra_data: &'a [u8],
    pub base_fee_per_gas: U256,
    pub block_hash: B256,
    /// Transactions: each is the raw RLP list of a legacy transaction, or type byte and payload
    /// (EIP-2718).
    pub transactions: ByteLists<'a>,
    /// Withdrawals (V2 and later); [`Withdrawal::from_record`] decodes one.
    pub withdrawals: Records<'a, { Withdrawal::LEN }>,
    /// Blob gas used (V3 and later).
    pub blob_gas_used: u64,
    /// Excess blob gas (V3 and later).
    pub excess_blob_gas: u64,
    /// RLP of the block access list (V4, EIP-7928).
    pub block_access_list: &'a [u8],
    /// Slot number (V4, EIP-7843).
    pub slot_number: u64,
}

impl<'a> ExecutionPayload<'a> {
    /// Decodes a payload of the given shape.
    // The caller passes the shape of the schema id's fork, because a payload does not declare its
    // fields.
    pub fn decode(bytes: &'a [u8], shape: PayloadShape) -> Result<Self, DecodeError> {
        let fixed = shape.fixed_len();
        let none = &[][..];
        let (extra_data, transactions, withdrawals, block_access_list) = match shape {
            PayloadShape::V1 => {
                let [extra, txs] =
                    variable_fields(WHAT, bytes, fixed, [at::EXTRA_DATA, at::TRANSACTIONS])?;
                (extra, txs, none, none)
            }
            PayloadShape::V2 | PayloadShape::V3 => {
                let [extra, txs, withdrawals] = variable_fields(
                    WHAT,
                    bytes,
                    fixed,
                    [at::EXTRA_DATA, at::TRANSACTIONS, at::WITHDRAWALS],
                )?;
                (extra, txs, withdrawals, none)
            }
            PayloadShape::V4 => {
                let [extra, txs, withdrawals, bal] = variable_fields(
                    WHAT,
                    bytes,
                    fixed,
                    [at::EXTRA_DATA, at::TRANSACTIONS, at::WITHDRAWALS, at::BLOCK_ACCESS_LIST],
                )?;
                (extra, txs, withdrawals, bal)
            }
        };
        if extra_data.len() > MAX_EXTRA_DATA {
            return Err(DecodeError::TooLong {
                what: "extra data",
                index: 0,
                got: extra_data.len(),
                limit: MAX_EXTRA_DATA,
            });
        }
        let blobs = shape >= PayloadShape::V3;
        Ok(Self {
            shape,
            parent_hash: array_at(bytes, at::PARENT_HASH).into(),
            fee_recipient: array_at(bytes, at::FEE_RECIPIENT).into(),
            state_root: array_at(bytes, at::STATE_ROOT).into(),
            receipts_root: array_at(bytes, at::RECEIPTS_ROOT).into(),
            logs_bloom: bytes[at::LOGS_BLOOM..]
                .first_chunk()
                .expect("the fixed part has been checked to be there"),
            prev_randao: array_at(bytes, at::PREV_RANDAO).into(),
            block_number: u64_at(bytes, at::BLOCK_NUMBER),
            gas_limit: u64_at(bytes, at::GAS_LIMIT),
            gas_used: u64_at(bytes, at::GAS_USED),
            timestamp: u64_at(bytes, at::TIMESTAMP),
            extra_data,
            base_fee_per_gas: U256::from_le_bytes(array_at::<32>(bytes, at::BASE_FEE_PER_GAS)),
            block_hash: array_at(bytes, at::BLOCK_HASH).into(),
            // Progressive lists have no limit of their own: the length of the input bounds them.
            transactions: ByteLists::decode("transactions", transactions, usize::MAX, usize::MAX)?,
            withdrawals: Records::from_bytes("withdrawals", withdrawals)?,
            // Zero where the shape lacks the field, so that every consumer can read it without
            // knowing the shape.
            blob_gas_used: if blobs { u64_at(bytes, at::BLOB_GAS_USED) } else { 0 },
            excess_blob_gas: if blobs { u64_at(bytes, at::EXCESS_BLOB_GAS) } else { 0 },
            block_access_list,
            slot_number: if shape >= PayloadShape::V4 { u64_at(bytes, at::SLOT_NUMBER) } else { 0 },
        })
    }

    /// Bytes of the SSZ encoding.
    pub fn encoded_len(&self) -> usize {
        let mut len =
            self.shape.fixed_len() + self.extra_data.len() + self.transactions.encoded_len();
        if self.shape >= PayloadShape::V2 {
            len += self.withdrawals.as_bytes().len();
        }
        if self.shape >= PayloadShape::V4 {
            len += self.block_access_list.len();
        }
        len
    }
}

/// A withdrawal (EIP-4895).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawal {
    /// Running number of the withdrawal.
    pub index: u64,
    /// The validator it comes from.
    pub validator_index: u64,
    /// Recipient of the ETH.
    pub address: Address,
    /// Amount in gwei.
    pub amount: u64,
}

impl Withdrawal {
    /// Bytes of one SSZ record.
    pub const LEN: usize = 44;

    /// Reads an SSZ record.
    pub fn from_record(record: &[u8; Self::LEN]) -> Self {
        Self {
            index: u64_at(record, 0),
            validator_index: u64_at(record, 8),
            address: array_at(record, 16).into(),
            amount: u64_at(record, 36),
        }
    }
}
