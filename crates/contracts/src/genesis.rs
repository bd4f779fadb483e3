//! The genesis of an L2.

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, Bytes, U256, address};
use chain::empty_genesis;
use wire::ProtocolFork;

/// `L1Anchor`: what the L2 knows of L1.
pub const L1_ANCHOR: Address = address!("0x8079000000000000000000000000000000000001");
/// `L2Messenger`: delivers L1 messages, and holds the ETH of the L2 until then.
pub const L2_MESSENGER: Address = address!("0x8079000000000000000000000000000000000002");

/// ETH in `L2Messenger` at genesis, in wei: more than there will ever be on L1.
pub const PREMINT: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Codes of the contracts that an L2 has from genesis on: no constructor runs for them, so they have
/// no immutables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predeploys {
    /// Code of `L1Anchor`.
    pub l1_anchor: Bytes,
    /// Code of `L2Messenger`.
    pub l2_messenger: Bytes,
}

/// A genesis with the system contracts of `fork` and the rollup's predeploys.
///
/// All ETH is in `L2Messenger`; whoever adds accounts with a balance adds ETH that nothing on L1
/// backs.
pub fn l2_genesis(
    predeploys: &Predeploys,
    fork: ProtocolFork,
    gas_limit: u64,
    timestamp: u64,
) -> Genesis {
    let mut genesis = empty_genesis(fork);
    genesis.gas_limit = gas_limit;
    genesis.timestamp = timestamp;
    for (address, code, balance) in [
        (L1_ANCHOR, &predeploys.l1_anchor, U256::ZERO),
        (L2_MESSENGER, &predeploys.l2_messenger, PREMINT),
    ] {
        let account = GenesisAccount {
            nonce: Some(1),
            balance,
            code: Some(code.clone()),
            ..Default::default()
        };
        genesis.alloc.insert(address, account);
    }
    genesis
}
