//! Accounts of the L2 that L1 accounts control.

use alloy_primitives::{Address, address, hex};

/// `L2Accounts`: creates alias accounts, each controlled by the messages of one L1 sender.
pub const L2_ACCOUNTS: Address = address!("0x8079000000000000000000000000000000000003");

/// Code of an alias account: the minimal proxy that `L2Accounts` creates, with itself as the
/// implementation, in the middle.
const ALIAS_CODE: ([u8; 9], [u8; 16]) =
    (hex!("5f5f365f5f37365f73"), hex!("5af43d5f5f3e6029573d5ffd5b3d5ff3"));

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
