//! Accounts of the L2 that L1 accounts control.

use alloy_primitives::{Address, address, hex};

/// `L2Accounts`: creates alias accounts, each controlled by the messages of one L1 sender.
pub const L2_ACCOUNTS: Address = address!("0x8079000000000000000000000000000000000003");

/// Code of an alias account: the minimal proxy that `L2Accounts` creates, with itself as the
/// implementation, in the middle.
const ALIAS_CODE: ([u8; 9], [u8; 16]) =
    (hex!("5f5f365f5f37365f73"), hex!("5af43d5f5f3e6029573d5ffd5b3d5ff3"));

/// Start of the code of an account that delegates to a contract (EIP-7702), and its length.
const DELEGATION: ([u8; 3], usize) = ([0xef, 0x01, 0x00], 23);

/// Returns the code of an alias account that has sent a message.
pub fn alias_code() -> Vec<u8> {
    let (head, tail) = ALIAS_CODE;
    [head.as_slice(), L2_ACCOUNTS.as_slice(), tail.as_slice()].concat()
}

/// Returns the address of the alias account of an L1 sender, which is the same on every L2.
pub fn alias_account(l1_sender: Address) -> Address {
    // Returns the code after it.
    const CREATION: [u8; 9] = hex!("602d5f8160095f39f3");
    let init_code = [CREATION.as_slice(), &alias_code()].concat();
    L2_ACCOUNTS.create2_from_code(l1_sender.into_word(), init_code)
}

/// Returns `true` if a key controls an account with this code: it has none, or delegates to a
/// contract (EIP-7702).
pub(crate) fn is_key(code: &[u8]) -> bool {
    let (start, length) = DELEGATION;
    code.is_empty() || (code.len() == length && code.starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delegation_counts_as_key() {
        let delegation = [hex!("ef0100").as_slice(), &[7; 20]].concat();
        assert!(is_key(&[]) && is_key(&delegation));
        assert!(!is_key(&delegation[..22]));
        assert!(!is_key(&[delegation.as_slice(), &[0]].concat()));
        assert!(!is_key(&[0x60; 23]));
    }
}
