//! The genesis of an L2.

use alloy_eips::eip7840::BlobParams;
use alloy_genesis::{ChainConfig, Genesis, GenesisAccount};
use alloy_primitives::{Address, Bytes, U256, address, hex};
use chain::empty_genesis;
use sdk::{L2_ACCOUNTS, L2_MESSENGER};
use wire::ProtocolFork;

/// `L1Anchor`: the L2's view of L1.
pub const L1_ANCHOR: Address = address!("0x8079000000000000000000000000000000000001");

/// Balance of `L2Messenger` at genesis, in wei: more than the supply of ETH on L1 can ever be.
pub const PREMINT: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Code of the contracts that an L2 has at genesis. Their constructors do not run, so they have no
/// immutables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predeploys {
    /// Code of `L1Anchor`.
    pub l1_anchor: Bytes,
    /// Code of `L2Messenger`.
    pub l2_messenger: Bytes,
    /// Code of `L2Accounts`.
    pub l2_accounts: Bytes,
}

impl Predeploys {
    /// Returns the code that is built into this crate, so that creating a genesis does not need a
    /// compiler. A test compares it with the compiled contracts of `contracts/l2`.
    pub fn built_in() -> Self {
        let code = |text: &str| {
            let code = hex::decode(text.trim_ascii());
            Bytes::from(code.expect("the file holds what the compiler has written"))
        };
        Self {
            l1_anchor: code(include_str!("../predeploys/L1Anchor.hex")),
            l2_messenger: code(include_str!("../predeploys/L2Messenger.hex")),
            l2_accounts: code(include_str!("../predeploys/L2Accounts.hex")),
        }
    }
}

/// Creates a genesis with the system contracts of `fork` and the rollup's predeploys.
///
/// All ETH is in `L2Messenger`. Balances that a caller adds are not backed by ETH on L1.
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
        (L2_ACCOUNTS, &predeploys.l2_accounts, U256::ZERO),
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

/// Returns the configuration for the genesis file of an L2 with the rules of `fork` from its first
/// block, in the form of common clients: the rules that EXECUTE assumes for a private chain, so no
/// deposit contract, and the blob parameters of Ethereum.
pub fn l2_chain_config(chain_id: u64, fork: ProtocolFork) -> ChainConfig {
    l2_chain_config_following(chain_id, fork, &[])
}

/// Returns the chain configuration of an L2 whose L1 has a fork schedule: `later` lists forks with
/// their activation timestamps, oldest first. A fork that the list skips activates with the next
/// one.
///
/// Clients driven over the Engine API need the schedule to activate the forks.
pub fn l2_chain_config_following(
    chain_id: u64,
    fork: ProtocolFork,
    later: &[(ProtocolFork, u64)],
) -> ChainConfig {
    let start = |first: ProtocolFork| {
        let begins = later.iter().find(|(later, _)| *later >= first);
        if fork >= first { Some(0) } else { begins.map(|(_, timestamp)| *timestamp) }
    };
    let blobs = [
        (ProtocolFork::Cancun, BlobParams::cancun()),
        (ProtocolFork::Prague, BlobParams::prague()),
        (ProtocolFork::Osaka, BlobParams::osaka()),
        (ProtocolFork::Bpo1, BlobParams::bpo1()),
        (ProtocolFork::Bpo2, BlobParams::bpo2()),
        (ProtocolFork::Amsterdam, BlobParams::bpo2()),
    ];
    let blobs = blobs.into_iter().filter(|(first, _)| start(*first).is_some());
    ChainConfig {
        chain_id,
        homestead_block: Some(0),
        eip150_block: Some(0),
        eip155_block: Some(0),
        eip158_block: Some(0),
        byzantium_block: Some(0),
        constantinople_block: Some(0),
        petersburg_block: Some(0),
        istanbul_block: Some(0),
        muir_glacier_block: Some(0),
        berlin_block: Some(0),
        london_block: Some(0),
        arrow_glacier_block: Some(0),
        gray_glacier_block: Some(0),
        merge_netsplit_block: Some(0),
        terminal_total_difficulty: Some(U256::ZERO),
        terminal_total_difficulty_passed: true,
        shanghai_time: start(ProtocolFork::Shanghai),
        cancun_time: start(ProtocolFork::Cancun),
        prague_time: start(ProtocolFork::Prague),
        osaka_time: start(ProtocolFork::Osaka),
        bpo1_time: start(ProtocolFork::Bpo1),
        bpo2_time: start(ProtocolFork::Bpo2),
        amsterdam_time: start(ProtocolFork::Amsterdam),
        blob_schedule: blobs.map(|(first, params)| (first.name().to_owned(), params)).collect(),
        ..Default::default()
    }
}
