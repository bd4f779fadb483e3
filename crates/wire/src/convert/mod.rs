//! Conversions from other formats of blocks and witnesses into a `StatelessInput`.

mod block;
mod bundle;
mod geth;
mod json;

pub use block::RawBlock;
pub use bundle::Bundle;

use crate::DecodeError;
use alloy_consensus::Header;
use alloy_primitives::Bytes;

/// Sorts headers, given as RLP in any order, from the lowest number to the highest.
fn ascending(headers: impl Iterator<Item = Bytes>) -> Result<Vec<Bytes>, DecodeError> {
    let mut numbered = headers
        .map(|rlp| match alloy_rlp::decode_exact::<Header>(&rlp) {
            Ok(header) => Ok((header.number, rlp)),
            Err(source) => Err(DecodeError::Rlp { what: "witness header", source }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, rlp)| rlp).collect())
}
