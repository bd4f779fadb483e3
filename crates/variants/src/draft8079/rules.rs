//! Rules of a chain under the EIP-8079 draft that differ from its forks.

use super::DraftBlock;
use crate::system_call::HookContract;
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, address, b256, hex};
use alloy_rlp::{Encodable as _, Header as RlpHeader};
use executor::{BlockError, EvmOverrides, ExecutionOutcome, HookState, Invalid};

/// Address of the contract that stores the anchor.
pub const ANCHOR_ADDRESS: Address = address!("0x8079000000000000000000000000000000000004");

/// Code of the contract that stores the anchor.
///
/// The system call sets it, and every other call returns it: one word, set for the block in which
/// the contract is called.
///
/// ```text
///       caller push20 SYSTEM_ADDRESS eq push1 set jumpi
///       push0 sload push0 mstore push1 32 push0 return
/// set:  jumpdest push0 calldataload push0 sstore stop
/// ```
pub const ANCHOR_CODE: &[u8] =
    &hex!("3373fffffffffffffffffffffffffffffffffffffffe146022575f545f5260205ff35b5f355f5500");

/// Keccak-256 of the code.
pub const ANCHOR_CODE_HASH: B256 =
    b256!("0xf7b3e3164851213b99c3da10a8367262b1596514f9971b251c7d933d3538e525");

/// Number of items in plain headers: of Paris, Shanghai, Cancun, Prague and Amsterdam.
const HEADER_ITEMS: [usize; 5] = [16, 17, 20, 21, 23];

impl EvmOverrides for DraftBlock {
    /// Stores the anchor in the state.
    fn begin_block(&self, _: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        let contract = HookContract { address: ANCHOR_ADDRESS, code_hash: ANCHOR_CODE_HASH };
        contract.call(state, Bytes::copy_from_slice(self.anchor.as_slice()))
    }

    fn check_outcome(&self, header: &Header, outcome: &ExecutionOutcome) -> Result<(), Invalid> {
        let burned = Self::burned(header, outcome);
        // A header cannot contain more, so such a block does not exist.
        let expected = u64::try_from(burned).map_err(|_| Invalid::HeaderRange {
            field: "burned fees",
            got: burned,
            min: U256::ZERO,
            max: U256::from(u64::MAX),
        })?;
        let (what, got) = ("burned fees", self.burned_fees);
        (got == expected).then_some(()).ok_or(Invalid::Amount { what, got, expected })
    }

    fn encode_header(&self, header: &Header) -> Vec<u8> {
        let plain = alloy_rlp::encode(header);
        let items = RlpHeader::decode_bytes(&mut &plain[..], true).unwrap_or_default();
        let mut items = items.to_vec();
        self.burned_fees.encode(&mut items);
        list(&items)
    }

    fn decode_header(&self, bytes: &[u8]) -> alloy_rlp::Result<Header> {
        let mut rest = bytes;
        let items = RlpHeader::decode_bytes(&mut rest, true)?;
        if !rest.is_empty() {
            return Err(alloy_rlp::Error::UnexpectedLength);
        }
        let (mut last, mut behind, mut count) = (items, items, 0);
        while !behind.is_empty() {
            (last, count) = (behind, count + 1);
            let item = RlpHeader::decode(&mut behind)?;
            behind = behind.get(item.payload_length..).ok_or(alloy_rlp::Error::InputTooShort)?;
        }
        // The fees of an ancestor are irrelevant, but a header without them belongs to another
        // chain. The last item of an Amsterdam header is an integer too, so only the number of
        // items distinguishes them.
        alloy_rlp::decode_exact::<u64>(last)?;
        if !HEADER_ITEMS.contains(&(count - 1)) {
            return Err(alloy_rlp::Error::Custom("a header without burned fees"));
        }
        alloy_rlp::decode_exact(list(&items[..items.len() - last.len()]))
    }
}

/// Returns the RLP list of these encoded items.
fn list(items: &[u8]) -> Vec<u8> {
    let head = RlpHeader { list: true, payload_length: items.len() };
    let mut list = Vec::with_capacity(head.length() + items.len());
    head.encode(&mut list);
    list.extend_from_slice(items);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;

    fn block(burned_fees: u64) -> DraftBlock {
        DraftBlock { burned_fees, ..Default::default() }
    }

    /// Returns a header with the items of Cancun, and one with those of Amsterdam.
    fn headers() -> [Header; 2] {
        let cancun = Header {
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::repeat_byte(1)),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::repeat_byte(2)),
            ..Default::default()
        };
        let amsterdam = Header {
            requests_hash: Some(B256::repeat_byte(3)),
            block_access_list_hash: Some(B256::repeat_byte(4)),
            slot_number: Some(5),
            ..cancun.clone()
        };
        [cancun, amsterdam]
    }

    #[test]
    fn anchor_code_hash_matches_anchor_code() {
        assert_eq!(keccak256(ANCHOR_CODE), ANCHOR_CODE_HASH);
    }

    #[test]
    fn encoding_appends_burned_fees_as_last_item() {
        for header in headers() {
            let plain = alloy_rlp::encode(&header);
            for burned in [0, 1, 0x7f, 0x80, u64::MAX] {
                let bytes = block(burned).encode_header(&header);
                let item = alloy_rlp::encode(burned);
                // Both lists are longer than 255 bytes, so their headers have three bytes.
                assert_eq!(bytes[3..], [&plain[3..], &item].concat());
                assert_eq!(usize::from(bytes[1]) << 8 | usize::from(bytes[2]), bytes.len() - 3);
                assert_eq!(block(0).decode_header(&bytes).unwrap(), header);
            }
        }
    }

    #[test]
    fn malformed_draft_headers_are_refused() {
        for header in headers() {
            let plain = alloy_rlp::encode(&header);
            let with = |item: &[u8]| list(&[&plain[3..], item].concat());
            let decode = |bytes: &[u8]| block(0).decode_header(bytes);
            assert_eq!(decode(&with(&[7])).unwrap(), header);
            // A plain header of Amsterdam ends with an integer too.
            for item in [&[][..], &[7, 7], &[0x00], &[0x81, 0x07], &[0xc0], &[0x89; 10], &[0x82, 1]]
            {
                assert!(decode(&with(item)).is_err(), "{item:02x?}");
            }
            assert!(decode(&plain).is_err(), "a plain header");
            assert!(decode(&[with(&[7]), vec![0x80]].concat()).is_err(), "a byte after the list");
        }
        for bytes in [&[][..], &[0xc0], &[0xc1, 7], &[0x80], &[0xf9, 0xff, 0xff]] {
            assert!(block(0).decode_header(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
