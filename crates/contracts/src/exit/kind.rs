//! Kinds of L2 accounts.

use alloy_primitives::Address;
use sdk::alias_code;

/// Kind of an L2 account, which decides whether and how an exit pays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// Account without code. It can be the alias account of an L1 contract that has never sent a
    /// message.
    Plain,
    /// Account with a delegation to this address (EIP-7702).
    Delegating(Address),
    /// Alias account of an L1 contract.
    Alias,
    /// Contract of the L2, which no exit pays.
    Contract,
}

impl AccountKind {
    /// Returns the kind of the account with this code.
    pub fn of(code: &[u8]) -> Self {
        match code {
            [] => Self::Plain,
            [0xef, 0x01, 0x00, delegate @ ..] if delegate.len() == 20 => {
                Self::Delegating(Address::from_slice(delegate))
            }
            code if code == alias_code() => Self::Alias,
            _ => Self::Contract,
        }
    }
}
