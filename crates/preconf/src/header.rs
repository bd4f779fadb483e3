//! Strict decoding of a header, and two fingerprints of it.

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{Decodable, Header};

/// Index of the state root.
const STATE_ROOT: usize = 3;
/// Index of the transactions root.
const TRANSACTIONS_ROOT: usize = 4;
/// Index of the block number.
const NUMBER: usize = 8;
/// Index of the timestamp.
const TIMESTAMP: usize = 11;
/// Indices of the outcomes of execution: state root, receipts root, logs bloom, gas used, requests
/// hash, hash of the block access list.
const OUTCOMES: [usize; 6] = [STATE_ROOT, 5, 6, 10, 20, 21];

/// Header fields that determine whether a preconfirmation is a fault.
///
/// The outcome of execution depends only on the schema id and the items that `inputs` covers, so of
/// two headers with equal `inputs` and different hashes, at most one is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeaderSummary {
    /// Hash of the header.
    pub hash: B256,
    /// Hash of the parent.
    pub parent: B256,
    /// Block number.
    pub number: u64,
    /// Timestamp in seconds.
    pub timestamp: u64,
    /// Root of the trie of transactions.
    pub transactions_root: B256,
    /// Fingerprint of all items that are not outcomes of execution:
    /// `keccak256(number of items ‖ RLP of each item)`.
    pub inputs: B256,
    /// Fingerprint without the transactions root, which is equal for all prefixes of a block.
    pub environment: B256,
}

impl HeaderSummary {
    /// Maximum length of a header, in bytes.
    pub const MAX_LEN: usize = 1024;
    /// Minimum number of items, up to the withdrawals root (Shanghai).
    pub const MIN_ITEMS: usize = 17;
    /// Maximum number of items, up to the slot number (Amsterdam).
    pub const MAX_ITEMS: usize = 23;

    /// Reads a header from RLP, which must be one list of strings in canonical form.
    ///
    /// Items that are not fields of the summary are not interpreted.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if the contracts reject the header.
    pub fn read(rlp: &[u8]) -> Result<Self, HeaderError> {
        if rlp.len() > Self::MAX_LEN {
            return Err(HeaderError::TooLong { got: rlp.len(), limit: Self::MAX_LEN });
        }
        let (items, count) = items(rlp)?;
        let items = &items[..count];
        if count < Self::MIN_ITEMS {
            let (min, max) = (Self::MIN_ITEMS, Self::MAX_ITEMS);
            return Err(HeaderError::Items { got: count, min, max });
        }
        let number = decode::<u64>(items, NUMBER)?;
        let timestamp = decode::<u64>(items, TIMESTAMP)?;
        Ok(Self {
            hash: keccak256(rlp),
            parent: decode(items, 0)?,
            number,
            timestamp,
            transactions_root: decode(items, TRANSACTIONS_ROOT)?,
            inputs: fingerprint(items, |index| !OUTCOMES.contains(&index)),
            environment: fingerprint(items, |index| {
                index != TRANSACTIONS_ROOT && !OUTCOMES.contains(&index)
            }),
        })
    }
}

/// Returns the RLP of each item, and their number.
fn items(mut rlp: &[u8]) -> Result<([&[u8]; HeaderSummary::MAX_ITEMS], usize), HeaderError> {
    let malformed = |item| move |reason| HeaderError::Rlp { item, reason };
    let list = Header::decode(&mut rlp).map_err(HeaderError::List)?;
    if !list.list {
        return Err(HeaderError::List(alloy_rlp::Error::UnexpectedString));
    }
    if rlp.len() != list.payload_length {
        return Err(HeaderError::Trailing { got: rlp.len() - list.payload_length });
    }
    let (mut items, mut count) = ([&[][..]; HeaderSummary::MAX_ITEMS], 0);
    while !rlp.is_empty() {
        let Some(slot) = items.get_mut(count) else {
            let (min, max) = (HeaderSummary::MIN_ITEMS, HeaderSummary::MAX_ITEMS);
            return Err(HeaderError::Items { got: count + 1, min, max });
        };
        let mut rest = rlp;
        let item = Header::decode(&mut rest).map_err(malformed(count))?;
        if item.list {
            return Err(malformed(count)(alloy_rlp::Error::UnexpectedList));
        }
        // `decode` has checked that the payload is within `rest`.
        let end = rlp.len() - rest.len() + item.payload_length;
        (*slot, rlp) = rlp.split_at(end);
        count += 1;
    }
    Ok((items, count))
}

fn decode<T: Decodable>(items: &[&[u8]], item: usize) -> Result<T, HeaderError> {
    let mut rest = items[item];
    T::decode(&mut rest).map_err(|reason| HeaderError::Rlp { item, reason })
}

fn fingerprint(items: &[&[u8]], is_covered: impl Fn(usize) -> bool) -> B256 {
    let mut preimage = Vec::with_capacity(HeaderSummary::MAX_LEN);
    // At most `MAX_ITEMS`.
    preimage.push(items.len() as u8);
    for (_, item) in items.iter().enumerate().filter(|(index, _)| is_covered(*index)) {
        preimage.extend_from_slice(item);
    }
    keccak256(preimage)
}

/// Reasons why a header is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The header exceeds the maximum length.
    #[error("header: {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// Bytes found.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes do not begin with a list.
    #[error("header: {0}")]
    List(alloy_rlp::Error),
    /// Bytes follow the list.
    #[error("header: {got} bytes follow the list")]
    Trailing {
        /// Number of such bytes.
        got: usize,
    },
    /// The list has too few or too many items.
    #[error("header: {got} items, expected {min} to {max}")]
    Items {
        /// Number of items, counted up to the first excess one.
        got: usize,
        /// Minimum number.
        min: usize,
        /// Maximum number.
        max: usize,
    },
    /// An item is malformed.
    #[error("header: item {item}: {reason}")]
    Rlp {
        /// Index of the item.
        item: usize,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
}

#[cfg(test)]
mod tests;
