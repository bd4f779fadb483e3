//! Message that a sequencer publishes for each prefix.

use crate::{HeaderSummary, Preconfirmation};
use alloy_primitives::{Bytes, FixedBytes};
use wire::{
    ByteLists, DecodeError, SchemaId,
    list::{OFFSET, array_at, u64_at, variable_fields},
};

/// A signed prefix with the transactions that it adds, as SSZ:
///
/// ```text
/// PrefixUpdate { rollup: Bytes20, block_hash: Bytes32, schema: uint16, is_sealed: boolean,
///                l1_block: uint64, l1_hash: Bytes32, signature: Bytes65,
///                header: ByteList[1024], first: uint32,
///                transactions: List[ByteList[2^20], 2^16], tip: uint128, floor: uint128 }
/// ```
///
/// Decoding checks the format only. The receiver checks signature, header and transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixUpdate {
    /// The signed message.
    pub message: Preconfirmation,
    /// Its signature: r, s and v.
    pub signature: FixedBytes<65>,
    /// RLP of the header whose hash the message contains.
    pub header: Bytes,
    /// Number of transactions of the block before `transactions`.
    pub first: u32,
    /// Transactions from index `first` to the end of the prefix, as EIP-2718 encodings.
    pub transactions: Vec<Bytes>,
    /// Tip that the sequencer suggests, in wei per gas.
    pub tip: u128,
    /// Lowest tip that the sequencer includes, in wei per gas.
    pub floor: u128,
}

const WHAT: &str = "prefix update";
const HEADER: &str = "header of the prefix update";
const TRANSACTIONS: &str = "transactions of the prefix update";

/// Positions of the fields.
mod at {
    pub(super) const BLOCK_HASH: usize = 20;
    pub(super) const SCHEMA: usize = BLOCK_HASH + 32;
    pub(super) const IS_SEALED: usize = SCHEMA + 2;
    pub(super) const L1_BLOCK: usize = IS_SEALED + 1;
    pub(super) const L1_HASH: usize = L1_BLOCK + 8;
    pub(super) const SIGNATURE: usize = L1_HASH + 32;
    pub(super) const HEADER: usize = SIGNATURE + 65;
    pub(super) const FIRST: usize = HEADER + 4;
    pub(super) const TRANSACTIONS: usize = FIRST + 4;
    pub(super) const TIP: usize = TRANSACTIONS + 4;
    pub(super) const FLOOR: usize = TIP + 16;
    /// Length of the fixed part.
    pub(super) const FIXED: usize = FLOOR + 16;
}

impl PrefixUpdate {
    /// Maximum number of transactions.
    pub const MAX_TRANSACTIONS: usize = 1 << 16;
    /// Maximum length of a transaction, in bytes.
    pub const MAX_TRANSACTION_LEN: usize = 1 << 20;

    /// Encodes the update.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if a list is longer than the format allows, so that decoding would fail.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let transactions = ByteLists::from(&self.transactions);
        self.check_lengths(&transactions)?;
        let len = at::FIXED + self.header.len() + transactions.encoded_len();
        let mut out = Vec::with_capacity(len);
        let message = &self.message;
        out.extend_from_slice(message.rollup.as_slice());
        out.extend_from_slice(message.block_hash.as_slice());
        out.extend_from_slice(&message.schema.get().to_le_bytes());
        out.push(u8::from(message.is_sealed));
        out.extend_from_slice(&message.l1_block.to_le_bytes());
        out.extend_from_slice(message.l1_hash.as_slice());
        out.extend_from_slice(self.signature.as_slice());
        put_offset(&mut out, at::FIXED);
        out.extend_from_slice(&self.first.to_le_bytes());
        put_offset(&mut out, at::FIXED + self.header.len());
        out.extend_from_slice(&self.tip.to_le_bytes());
        out.extend_from_slice(&self.floor.to_le_bytes());
        out.extend_from_slice(&self.header);
        let mut offset = transactions.len() * OFFSET;
        for transaction in transactions.iter() {
            put_offset(&mut out, offset);
            offset += transaction.len();
        }
        for transaction in transactions.iter() {
            out.extend_from_slice(transaction);
        }
        debug_assert_eq!(out.len(), len);
        Ok(out)
    }

    /// Decodes an update. Header and transactions share the memory of `ssz`, so no allocation
    /// depends on a length that it only declares.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not the canonical encoding of an update.
    pub fn decode(ssz: &Bytes) -> Result<Self, DecodeError> {
        let [header, transactions] =
            variable_fields(WHAT, ssz, at::FIXED, [at::HEADER, at::TRANSACTIONS])?;
        check_header(header)?;
        let transactions = ByteLists::decode(
            TRANSACTIONS,
            transactions,
            Self::MAX_TRANSACTIONS,
            Self::MAX_TRANSACTION_LEN,
        )?;
        let is_sealed = match ssz[at::IS_SEALED] {
            0 => false,
            1 => true,
            got => return Err(DecodeError::Boolean { what: "is_sealed", got }),
        };
        Ok(Self {
            message: Preconfirmation {
                rollup: array_at(ssz, 0).into(),
                block_hash: array_at(ssz, at::BLOCK_HASH).into(),
                schema: SchemaId::new(u16::from_le_bytes(array_at(ssz, at::SCHEMA))),
                is_sealed,
                l1_block: u64_at(ssz, at::L1_BLOCK),
                l1_hash: array_at(ssz, at::L1_HASH).into(),
            },
            signature: array_at(ssz, at::SIGNATURE).into(),
            header: ssz.slice_ref(header),
            first: u32::from_le_bytes(array_at(ssz, at::FIRST)),
            transactions: transactions.iter().map(|tx| ssz.slice_ref(tx)).collect(),
            tip: u128::from_le_bytes(array_at(ssz, at::TIP)),
            floor: u128::from_le_bytes(array_at(ssz, at::FLOOR)),
        })
    }

    fn check_lengths(&self, transactions: &ByteLists<'_>) -> Result<(), DecodeError> {
        check_header(&self.header)?;
        if transactions.len() > Self::MAX_TRANSACTIONS {
            let (got, limit) = (transactions.len(), Self::MAX_TRANSACTIONS);
            return Err(DecodeError::TooMany { what: TRANSACTIONS, got, limit });
        }
        for (index, transaction) in transactions.iter().enumerate() {
            if transaction.len() > Self::MAX_TRANSACTION_LEN {
                let (got, limit) = (transaction.len(), Self::MAX_TRANSACTION_LEN);
                return Err(DecodeError::TooLong { what: TRANSACTIONS, index, got, limit });
            }
        }
        // Offsets have 32 bits.
        let (got, limit) = (transactions.encoded_len(), u32::MAX as usize - 2 * at::FIXED);
        if got > limit {
            return Err(DecodeError::TooLong { what: TRANSACTIONS, index: 0, got, limit });
        }
        Ok(())
    }
}

const fn check_header(header: &[u8]) -> Result<(), DecodeError> {
    let (got, limit) = (header.len(), HeaderSummary::MAX_LEN);
    if got > limit {
        return Err(DecodeError::TooLong { what: HEADER, index: 0, got, limit });
    }
    Ok(())
}

/// Appends an offset; `check_lengths` has bounded it.
fn put_offset(out: &mut Vec<u8>, offset: usize) {
    out.extend_from_slice(&(offset as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B256, hex};
    use proptest::prelude::*;

    fn update() -> PrefixUpdate {
        PrefixUpdate {
            message: Preconfirmation {
                rollup: Address::repeat_byte(0xa0),
                block_hash: B256::repeat_byte(0x11),
                schema: SchemaId::OSAKA,
                is_sealed: true,
                l1_block: 100,
                l1_hash: B256::repeat_byte(0x22),
            },
            signature: FixedBytes::repeat_byte(0x33),
            header: vec![0x44; 5].into(),
            first: 7,
            transactions: vec![vec![0x55; 3].into(), Bytes::new(), vec![0x66; 2].into()],
            tip: 8,
            floor: 9,
        }
    }

    #[test]
    fn encoding_follows_the_layout() {
        let expected = hex!(
            "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
            "1111111111111111111111111111111111111111111111111111111111111111"
            "0112" "01" "6400000000000000"
            "2222222222222222222222222222222222222222222222222222222222222222"
            "3333333333333333333333333333333333333333333333333333333333333333"
            "3333333333333333333333333333333333333333333333333333333333333333" "33"
            "cc000000" "07000000" "d1000000"
            "08000000000000000000000000000000" "09000000000000000000000000000000"
            "4444444444"
            "0c000000" "0f000000" "0f000000" "555555" "6666"
        );
        let encoded = update().encode().unwrap();
        assert_eq!(encoded, expected);
        assert_eq!(PrefixUpdate::decode(&encoded.into()), Ok(update()));
    }

    #[test]
    fn lists_beyond_their_limits_are_refused() {
        let longest = |length: usize| PrefixUpdate { header: vec![0; length].into(), ..update() };
        let encoded = longest(1024).encode().unwrap();
        assert!(PrefixUpdate::decode(&encoded.clone().into()).is_ok());
        assert!(matches!(longest(1025).encode(), Err(DecodeError::TooLong { got: 1025, .. })));
        // One byte of the transactions becomes one of the header.
        let mut moved = encoded;
        moved[at::TRANSACTIONS] += 1;
        let refused = PrefixUpdate::decode(&moved.into());
        assert!(matches!(refused, Err(DecodeError::TooLong { got: 1025, .. })), "{refused:?}");

        let largest = PrefixUpdate { transactions: vec![Bytes::new(); 1 << 16], ..update() };
        let encoded = largest.encode().unwrap();
        assert_eq!(PrefixUpdate::decode(&encoded.into()), Ok(largest));
        let more = PrefixUpdate { transactions: vec![Bytes::new(); (1 << 16) + 1], ..update() };
        assert!(matches!(more.encode(), Err(DecodeError::TooMany { got: 65_537, .. })));

        let long = PrefixUpdate { transactions: vec![vec![0; (1 << 20) + 1].into()], ..update() };
        assert!(matches!(long.encode(), Err(DecodeError::TooLong { .. })));
    }

    #[test]
    fn other_booleans_are_refused() {
        let mut encoded = update().encode().unwrap();
        encoded[at::IS_SEALED] = 2;
        let refused = PrefixUpdate::decode(&encoded.into());
        assert_eq!(refused, Err(DecodeError::Boolean { what: "is_sealed", got: 2 }));
    }

    proptest! {
        #[test]
        fn decoding_inverts_encoding(
            header in prop::collection::vec(any::<u8>(), 0..1025),
            transactions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..9),
            (first, l1_block, schema) in any::<(u32, u64, u16)>(),
            (tip, floor, is_sealed) in any::<(u128, u128, bool)>(),
        ) {
            let before = PrefixUpdate {
                message: Preconfirmation {
                    schema: SchemaId::new(schema),
                    is_sealed,
                    l1_block,
                    ..update().message
                },
                header: header.into(),
                first,
                transactions: transactions.into_iter().map(Bytes::from).collect(),
                tip,
                floor,
                ..update()
            };
            let encoded = Bytes::from(before.encode().unwrap());
            prop_assert_eq!(PrefixUpdate::decode(&encoded), Ok(before));
        }

        /// Decoding only accepts the canonical encoding.
        #[test]
        fn changed_updates_never_panic(
            position in 0usize..230,
            value: u8,
            length in 0usize..240,
        ) {
            let mut changed = update().encode().unwrap();
            let at = position % changed.len();
            changed[at] = value;
            changed.truncate(length);
            let changed = Bytes::from(changed);
            if let Ok(update) = PrefixUpdate::decode(&changed) {
                prop_assert_eq!(Bytes::from(update.encode().unwrap()), changed);
            }
        }
    }
}
