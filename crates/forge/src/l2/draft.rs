//! Chains of the EIP-8079 draft, which have their own revision in schema ids.
//!
//! Their headers have the burned fees as the last item, so the workspace stores headers as they are
//! hashed. Only BLOCKHASH of the parent differs from the draft: chains of this project compute it
//! from the plain header.

use crate::ForgeError;
use alloy_consensus::Header;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{B256, Bytes};
use chain::{Block, ExecutedBlock};
use codec::{Encode as _, OwnedWitness};
use executor::EvmOverrides as _;
use keccak::keccak256;
use std::{borrow::Cow, collections::BTreeMap};
use variants::{ANCHOR_CODE, Draft8079, DraftBlock};
use wire::{ProtocolFork, SchemaId, StatelessInput};

/// Returns the fork of a schema id of the draft.
pub(super) fn fork_of(schema: SchemaId) -> Option<ProtocolFork> {
    ProtocolFork::ALL.into_iter().find(|fork| Draft8079::schema(*fork) == schema)
}

/// Returns `true` if blocks under this schema id are of a chain of the draft.
pub(super) fn is_draft(schema: u16) -> bool {
    fork_of(SchemaId::new(schema)).is_some()
}

/// Returns the account of the contract that stores the anchor.
pub(super) fn anchor_contract() -> GenesisAccount {
    let code = Some(Bytes::from_static(ANCHOR_CODE));
    GenesisAccount { nonce: Some(1), code, ..Default::default() }
}

/// Encodes the header of a genesis as it is hashed.
pub(super) fn genesis_header(header: &Header, schema: u16) -> Bytes {
    if is_draft(schema) {
        DraftBlock::default().encode_header(header).into()
    } else {
        alloy_rlp::encode(header).into()
    }
}

/// Decodes the block with this header, which is encoded as it is hashed.
pub(super) fn block_of(header: &[u8], schema: u16) -> alloy_rlp::Result<Block> {
    let decoded = if is_draft(schema) {
        DraftBlock::default().decode_header(header)?
    } else {
        alloy_rlp::decode_exact(header)?
    };
    let mut block = Block::from_header(decoded);
    block.hash = keccak256(header);
    Ok(block)
}

/// Returns header and input of a built block, and sets its hash to that of this header.
///
/// `ancestors` are the headers of its ancestors by number, as they are hashed.
pub(super) fn seal(
    new: &mut ExecutedBlock,
    anchor: B256,
    ancestors: &BTreeMap<u64, Bytes>,
) -> Result<(Bytes, Vec<u8>), ForgeError> {
    let header = &new.block.header;
    let burned = DraftBlock::burned(header, &new.block.executed);
    let burned_fees = u64::try_from(burned).map_err(|_| {
        ForgeError::Refused(format!(
            "the block burns {burned} wei, and a header has 64 bits for it"
        ))
    })?;
    let values = DraftBlock { anchor, burned_fees };
    let encoded = Bytes::from(values.encode_header(header));
    // The witness has consecutive headers up to the parent, without burned fees.
    let known = ancestors.range(..header.number).rev().take(new.witness.headers.len());
    let mut headers: Vec<_> = known.map(|(_, header)| header.clone()).collect();
    headers.reverse();
    new.block.hash = keccak256(&encoded);
    let witness = OwnedWitness { headers, ..new.witness.clone() };
    let refused = |error: wire::DecodeError| ForgeError::Refused(error.to_string());
    let plain = new.input_with(&witness).map_err(refused)?;
    let mut input = StatelessInput::decode(&plain).map_err(refused)?;
    input.request.payload.block_hash = new.block.hash;
    Ok((encoded, join(input.encode(), Some(values))?))
}

/// Splits an input into a stateless input and the additional values of the draft.
pub(super) fn split(input: &[u8]) -> Result<(Cow<'_, [u8]>, Option<DraftBlock>), ForgeError> {
    if !SchemaId::of(input).is_ok_and(|schema| is_draft(schema.get())) {
        return Ok((input.into(), None));
    }
    let (plain, values) =
        DraftBlock::decode(input).map_err(|error| ForgeError::Refused(error.to_string()))?;
    Ok((plain.into(), Some(values)))
}

/// Reverses [`split`].
pub(super) fn join(input: Vec<u8>, values: Option<DraftBlock>) -> Result<Vec<u8>, ForgeError> {
    let Some(values) = values else { return Ok(input) };
    values.encode(&input).ok_or_else(|| {
        ForgeError::Refused("the input has no form in the EIP-8079 draft".to_owned())
    })
}
