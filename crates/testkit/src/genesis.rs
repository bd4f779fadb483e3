//! Accounts that tests start with.

use crate::Key;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, Bytes, U256, hex};
use chain::empty_genesis;
use wire::ProtocolFork;

/// Wei of an ether.
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// Wei of a gwei.
pub const GWEI: u128 = 1_000_000_000;
/// EIP-155 id of the chains of tests that need no other.
pub const CHAIN_ID: u64 = 8_079;

/// Where [`logger`] stands by custom.
pub const LOGGER: Address = Address::repeat_byte(0x10);

/// An account with this much wei.
pub fn rich(wei: u128) -> GenesisAccount {
    GenesisAccount { balance: U256::from(wei), ..Default::default() }
}

/// A contract that emits a log with its calldata's first word as topic, then returns slot 0.
pub fn logger() -> GenesisAccount {
    const CODE: [u8; 13] = hex!("5f35 5f 5f a1 5f54 5f52 60205f f3");
    GenesisAccount { nonce: Some(1), code: Some(Bytes::from_static(&CODE)), ..Default::default() }
}

/// A genesis with the system contracts of `fork`, where each of these names has that much wei.
pub fn rich_genesis<'n>(
    fork: ProtocolFork,
    names: impl IntoIterator<Item = &'n str>,
    wei: u128,
) -> Genesis {
    let mut genesis = empty_genesis(fork);
    genesis.alloc.extend(names.into_iter().map(|name| (Key::named(name).address(), rich(wei))));
    genesis
}
