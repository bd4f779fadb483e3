//! Genesis accounts for tests.

use crate::Key;
use alloy_eips::{eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use chain::empty_genesis;
use contracts::{GenesisAllowance, GenesisFinding, check_genesis};
use wire::ProtocolFork;

/// Wei per ether.
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// Wei per gwei.
pub const GWEI: u128 = 1_000_000_000;
/// Forks whose blocks EXECUTE verifies.
pub const FORKS: [ProtocolFork; 6] = [
    ProtocolFork::Cancun,
    ProtocolFork::Prague,
    ProtocolFork::Osaka,
    ProtocolFork::Bpo1,
    ProtocolFork::Bpo2,
    ProtocolFork::Amsterdam,
];

/// Default EIP-155 chain id of tests.
pub const CHAIN_ID: u64 = 8_079;

/// Number of slots in the ring buffers of EIP-4788 (one for timestamps, then one for roots) and of
/// EIP-2935.
const SYSTEM_RING: u64 = 8_191;

/// Default address of [`logger`].
pub const LOGGER: Address = Address::repeat_byte(0x10);

/// Returns an account with this balance in wei.
pub fn rich(wei: u128) -> GenesisAccount {
    GenesisAccount { balance: U256::from(wei), ..Default::default() }
}

/// Returns a contract that emits a log with the first word of its calldata as the topic, then
/// returns slot 0.
pub fn logger() -> GenesisAccount {
    const CODE: [u8; 13] = hex!("5f35 5f 5f a1 5f54 5f52 60205f f3");
    GenesisAccount { nonce: Some(1), code: Some(Bytes::from_static(&CODE)), ..Default::default() }
}

/// Returns a genesis with the system contracts of `fork`, where each named account has this many
/// wei.
pub fn rich_genesis<'n>(
    fork: ProtocolFork,
    names: impl IntoIterator<Item = &'n str>,
    wei: u128,
) -> Genesis {
    let mut genesis = empty_genesis(fork);
    genesis.alloc.extend(names.into_iter().map(|name| (Key::named(name).address(), rich(wei))));
    genesis
}

/// Returns an allowance for all balances and codes of a genesis outside the protocol's contracts.
pub fn allow_all(genesis: &Genesis) -> GenesisAllowance {
    let mut allowance = GenesisAllowance::default();
    for finding in check_genesis(genesis, &allowance) {
        match finding {
            GenesisFinding::Balance { address, wei } => {
                allowance.balances.insert(address, wei);
            }
            GenesisFinding::ForeignCode { address, code_hash, .. } => {
                allowance.codes.insert(address, code_hash);
            }
            _ => {}
        }
    }
    allowance
}

/// Formats the balances that [`allow_all`] allows for `--allow-balance`.
pub fn allowed_balances(genesis: &Genesis) -> String {
    let balances = allow_all(genesis).balances.into_iter();
    balances.map(|(address, wei)| format!("{address}={wei}")).collect::<Vec<_>>().join(",")
}

/// Fills the ring buffers of EIP-4788 and EIP-2935 in a genesis, as they are on any chain older
/// than 8,191 blocks.
pub fn fill_system_rings(genesis: &mut Genesis) {
    let mut fill = |contract: Address, slots: &mut dyn Iterator<Item = (u64, B256)>| {
        let account = genesis.alloc.entry(contract).or_default();
        let storage = account.storage.get_or_insert_default();
        storage.extend(slots.map(|(slot, value)| (U256::from(slot).into(), value)));
    };
    let time = |slot| U256::from(1_700_000_000 / SYSTEM_RING * SYSTEM_RING + slot).into();
    let hash = |slot: u64| keccak256(slot.to_be_bytes());
    let times = (0..SYSTEM_RING).map(|slot| (slot, time(slot)));
    let roots = (SYSTEM_RING..2 * SYSTEM_RING).map(|slot| (slot, hash(slot)));
    fill(BEACON_ROOTS_ADDRESS, &mut times.chain(roots));
    fill(HISTORY_STORAGE_ADDRESS, &mut (0..SYSTEM_RING).map(|slot| (slot, hash(slot))));
}
