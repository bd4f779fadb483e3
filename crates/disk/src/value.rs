//! Encoding of a trie node as a value of the state store.
//!
//! ```text
//! head     u8    bits 0 to 3: bytes of the epoch; bit 7: the tail is left out
//! epoch          big endian, without leading zeros
//! RLP of the node, which may lack its tail
//! ```
//!
//! The tail is the common end of the leaves of all accounts without code and storage: 66 of the 104
//! bytes of most leaves.

use crate::DiskError;
use alloy_primitives::{Bytes, hex};

/// Root of the empty trie and hash of the empty code, each as an RLP string.
const TAIL: [u8; 66] = hex!(
    "a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    "a0c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
);
const LACKS_TAIL: u8 = 0x80;

/// Encodes the value of a node that was last written in this epoch.
pub(crate) fn node_value(epoch: u64, node: &[u8]) -> Vec<u8> {
    let bytes = epoch.to_be_bytes();
    let epoch = &bytes[epoch.leading_zeros() as usize / 8..];
    let (node, flag) = match node.strip_suffix(&TAIL) {
        Some(rest) => (rest, LACKS_TAIL),
        None => (node, 0),
    };
    // At most eight bytes.
    let head = flag | epoch.len() as u8;
    [&[head], epoch, node].concat()
}

/// Decodes epoch and node of a value, without checking the hash of the node.
pub(crate) fn read_node(value: &Bytes) -> Result<(u64, Bytes), DiskError> {
    let malformed = |reason: &str| DiskError::malformed("node", reason);
    let (head, rest) = value.split_first().ok_or_else(|| malformed("an empty value"))?;
    let (flag, length) = (head & !0x0f, usize::from(head & 0x0f));
    if length > 8 || flag & !LACKS_TAIL != 0 {
        return Err(malformed(&format!("it begins with {head:#04x}")));
    }
    let (bytes, node) =
        rest.split_at_checked(length).ok_or_else(|| malformed("it ends in its epoch"))?;
    let epoch = bytes.iter().fold(0, |epoch, byte| epoch << 8 | u64::from(*byte));
    let node =
        if flag == LACKS_TAIL { [node, &TAIL].concat().into() } else { value.slice(1 + length..) };
    Ok((epoch, node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{KECCAK256_EMPTY, U256};
    use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};

    #[test]
    fn value_roundtrips_epoch_and_node() {
        let account = |nonce| {
            let account = TrieAccount { nonce, balance: U256::from(77), ..Default::default() };
            alloy_rlp::encode(account)
        };
        let mut contract = account(1);
        *contract.last_mut().unwrap() ^= 1;
        for (node, saved) in [
            (account(0), 66),
            (account(u64::MAX), 66),
            (TAIL.to_vec(), 66),
            (contract, 0),
            (TAIL[1..].to_vec(), 0),
            (b"a node".to_vec(), 0),
            (vec![], 0),
        ] {
            let node = Bytes::from(node);
            for (epoch, bytes) in [(0, 0), (1, 1), (255, 1), (256, 2), (1 << 40, 6), (u64::MAX, 8)]
            {
                let value = Bytes::from(node_value(epoch, &node));
                assert_eq!(read_node(&value).unwrap(), (epoch, node.clone()));
                assert_eq!(value.len(), 1 + bytes + node.len() - saved);
            }
        }
    }

    #[test]
    fn tail_matches_account_without_code_and_storage() {
        assert_eq!(TAIL[1..33], EMPTY_ROOT_HASH[..]);
        assert_eq!(TAIL[34..], KECCAK256_EMPTY[..]);
    }

    #[test]
    fn malformed_value_is_an_error() {
        let read = |value: &[u8]| read_node(&Bytes::copy_from_slice(value));
        assert_eq!(read(&[0x02, 1, 2]).unwrap(), (0x0102, Bytes::new()));
        for value in [&[][..], &[0x03, 1, 2], &[0x09, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[0x12, 1, 2]] {
            assert!(read(value).is_err(), "{value:?}");
        }
        for head in 0..=255_u8 {
            let value = [vec![head], vec![7; 20]].concat();
            assert_eq!(read(&value).is_ok(), head & 0x7f <= 8, "{head:#04x}");
        }
    }
}
