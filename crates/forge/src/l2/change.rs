//! Modification of inputs, for tests of invalid blocks.

use super::{
    abi::IL2::{Change, Field},
    draft::{join, split},
};
use crate::ForgeError;
use alloy_primitives::{Address, B256, Bytes, U256};
use codec::Encode as _;
use codec::OwnedWitness;
use executor::EvmOverrides as _;
use keccak::keccak256;
use stateless::header_of;
use wire::{ByteLists, Records, SchemaId, StatelessInput, Withdrawal};

/// The parts of an input that are lists or slices, as values.
struct Parts {
    extra_data: Bytes,
    logs_bloom: [u8; 256],
    transactions: Vec<Bytes>,
    withdrawals: Vec<[u8; Withdrawal::LEN]>,
    versioned_hashes: Vec<[u8; 32]>,
    block_access_list: Bytes,
    witness: OwnedWitness,
}

/// Applies changes to an input, in order. With `rehash`, the block hash is recomputed for the
/// changed block, unless the block hash itself is changed.
pub(super) fn change(bytes: &[u8], changes: &[Change], rehash: bool) -> Result<Bytes, ForgeError> {
    let (plain, mut values) = split(bytes)?;
    let mut input = StatelessInput::decode(&plain)
        .map_err(|error| ForgeError::Refused(format!("the input to be changed: {error}")))?;
    let payload = &input.request.payload;
    let owned = |list: ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect::<Vec<_>>();
    let mut parts = Parts {
        extra_data: Bytes::copy_from_slice(payload.extra_data),
        logs_bloom: *payload.logs_bloom,
        transactions: owned(payload.transactions),
        withdrawals: payload.withdrawals.iter().copied().collect(),
        versioned_hashes: input.request.versioned_hashes.iter().copied().collect(),
        block_access_list: Bytes::copy_from_slice(payload.block_access_list),
        witness: OwnedWitness {
            state: owned(input.witness.state),
            codes: owned(input.witness.codes),
            headers: owned(input.witness.headers),
        },
    };
    let mut schema = None;
    let mut block_hash = None;
    for change in changes {
        match change.field {
            Field::Schema => schema = Some(SchemaId::new(number(change)?)),
            Field::BlockHash => block_hash = Some(word(change)?),
            Field::BurnedFees => {
                let values = values.as_mut().ok_or_else(|| {
                    ForgeError::Refused(format!(
                        "change {}: only blocks of the EIP-8079 draft have burned fees",
                        name(change)
                    ))
                })?;
                values.burned_fees = number(change)?;
            }
            _ if apply_scalar(&mut input, change)? => {}
            _ => parts.apply(change)?,
        }
    }

    let fork = input.fork;
    let request = &mut input.request;
    let payload = &mut request.payload;
    payload.extra_data = &parts.extra_data;
    payload.logs_bloom = &parts.logs_bloom;
    payload.transactions = ByteLists::from(&parts.transactions);
    payload.withdrawals = Records::new(&parts.withdrawals);
    payload.block_access_list = &parts.block_access_list;
    request.versioned_hashes = Records::new(&parts.versioned_hashes);
    input.witness = parts.witness.view();
    if rehash {
        let header = header_of(&input.request, fork).ok_or_else(|| {
            ForgeError::Refused("a base fee beyond 64 bits cannot be hashed anew".to_owned())
        })?;
        input.request.payload.block_hash = match values {
            Some(values) => keccak256(&values.encode_header(&header)),
            None => header.hash_slow(),
        };
    }
    if let Some(hash) = block_hash {
        input.request.payload.block_hash = hash;
    }
    let mut encoded = join(input.encode(), values)?;
    if let Some(schema) = schema {
        encoded[..SchemaId::LEN].copy_from_slice(&schema.to_be_bytes());
    }
    Ok(encoded.into())
}

/// Changes a field of fixed size; returns `false` for any other kind of change.
fn apply_scalar(input: &mut StatelessInput<'_>, change: &Change) -> Result<bool, ForgeError> {
    let request = &mut input.request;
    let payload = &mut request.payload;
    match change.field {
        Field::ChainId => input.chain_id = number(change)?,
        Field::Anchor => request.parent_beacon_block_root = word(change)?,
        Field::ParentHash => payload.parent_hash = word(change)?,
        Field::FeeRecipient => payload.fee_recipient = Address::from_word(word(change)?),
        Field::StateRoot => payload.state_root = word(change)?,
        Field::ReceiptsRoot => payload.receipts_root = word(change)?,
        Field::PrevRandao => payload.prev_randao = word(change)?,
        Field::Number => payload.block_number = number(change)?,
        Field::GasLimit => payload.gas_limit = number(change)?,
        Field::GasUsed => payload.gas_used = number(change)?,
        Field::Timestamp => payload.timestamp = number(change)?,
        Field::BaseFee => payload.base_fee_per_gas = word(change)?.into(),
        Field::BlobGasUsed => payload.blob_gas_used = number(change)?,
        Field::ExcessBlobGas => payload.excess_blob_gas = number(change)?,
        Field::SlotNumber => payload.slot_number = number(change)?,
        _ => return Ok(false),
    }
    Ok(true)
}

impl Parts {
    fn apply(&mut self, change: &Change) -> Result<(), ForgeError> {
        let value = change.value.clone();
        match change.field {
            Field::ExtraData => self.extra_data = value,
            Field::LogsBloom => {
                self.logs_bloom = value.as_ref().try_into().map_err(|_| length(change, "256"))?;
            }
            Field::BlockAccessList => self.block_access_list = value,
            Field::VersionedHashAdded => self.versioned_hashes.push(word(change)?.0),
            Field::WithdrawalAdded => self
                .withdrawals
                .push(value.as_ref().try_into().map_err(|_| length(change, "44 (an SSZ record)"))?),
            Field::Transaction => *item(&mut self.transactions, change)? = value,
            Field::TransactionDropped => drop_item(&mut self.transactions, change)?,
            Field::TransactionAdded => {
                let at = change.index.saturating_to::<usize>().min(self.transactions.len());
                self.transactions.insert(at, value);
            }
            Field::TransactionSwapped => {
                let with: u64 = number(change)?;
                let other = Change { index: U256::from(with), ..change.clone() };
                item(&mut self.transactions, change)?;
                item(&mut self.transactions, &other)?;
                self.transactions.swap(change.index.saturating_to(), other.index.saturating_to());
            }
            Field::Node => *item(&mut self.witness.state, change)? = value,
            Field::NodeDropped => drop_item(&mut self.witness.state, change)?,
            Field::Code => *item(&mut self.witness.codes, change)? = value,
            Field::CodeDropped => drop_item(&mut self.witness.codes, change)?,
            Field::Header => *item(&mut self.witness.headers, change)? = value,
            Field::HeaderDropped => drop_item(&mut self.witness.headers, change)?,
            _ => {
                return Err(ForgeError::Request(format!("field {:?}", change.field as u8)));
            }
        }
        Ok(())
    }
}

fn item<'l>(list: &'l mut [Bytes], change: &Change) -> Result<&'l mut Bytes, ForgeError> {
    let length = list.len();
    list.get_mut(change.index.saturating_to::<usize>()).ok_or_else(|| {
        ForgeError::Refused(format!(
            "change {}: there is no item {}, only {length} of them",
            name(change),
            change.index
        ))
    })
}

fn drop_item(list: &mut Vec<Bytes>, change: &Change) -> Result<(), ForgeError> {
    item(list, change)?;
    list.remove(change.index.saturating_to());
    Ok(())
}

fn word(change: &Change) -> Result<B256, ForgeError> {
    B256::try_from(change.value.as_ref()).map_err(|_| length(change, "32"))
}

fn number<T: TryFrom<U256>>(change: &Change) -> Result<T, ForgeError> {
    let word = U256::from_be_bytes(word(change)?.0);
    T::try_from(word).map_err(|_| {
        ForgeError::Refused(format!("change {}: {word} does not fit the field", name(change)))
    })
}

fn length(change: &Change, expected: &str) -> ForgeError {
    let got = change.value.len();
    ForgeError::Refused(format!(
        "change {}: the value has {got} bytes, expected {expected}",
        name(change)
    ))
}

fn name(change: &Change) -> String {
    format!("of field {}", change.field as u8)
}
