//! Chain configurations for ethrex, from the published fork schedules.

use alloy_primitives::{Address, address};
use ethrex_common::{
    H160,
    types::{ChainConfig, Fork},
};

/// Activation timestamps since Shanghai; `None` if a fork is not scheduled.
struct Schedule {
    chain_id: u64,
    deposit_contract: Address,
    /// Activation of Shanghai; the genesis, if the network started after the merge.
    shanghai: u64,
    cancun: u64,
    prague: u64,
    osaka: u64,
    bpo1: u64,
    bpo2: u64,
    amsterdam: Option<u64>,
}

const NETWORKS: [Schedule; 3] = [
    Schedule {
        chain_id: 1,
        deposit_contract: address!("0x00000000219ab540356cbb839cbe05303d7705fa"),
        shanghai: 1_681_338_455,
        cancun: 1_710_338_135,
        prague: 1_746_612_311,
        osaka: 1_764_798_551,
        bpo1: 1_765_290_071,
        bpo2: 1_767_747_671,
        amsterdam: None,
    },
    Schedule {
        chain_id: 11_155_111,
        deposit_contract: address!("0x7f02c3e3c98b133055b8b348b2ac625669ed295d"),
        shanghai: 1_677_557_088,
        cancun: 1_706_655_072,
        prague: 1_741_159_776,
        osaka: 1_760_427_360,
        bpo1: 1_761_017_184,
        bpo2: 1_761_607_008,
        amsterdam: Some(1_791_294_816),
    },
    Schedule {
        chain_id: 560_048,
        deposit_contract: address!("0x00000000219ab540356cbb839cbe05303d7705fa"),
        shanghai: 0,
        cancun: 0,
        prague: 1_742_999_832,
        osaka: 1_761_677_592,
        bpo1: 1_762_365_720,
        bpo2: 1_762_955_544,
        amsterdam: None,
    },
];

/// Returns the configuration of the public network with this chain id: mainnet, Sepolia or Hoodi.
pub fn network(chain_id: u64) -> Option<ChainConfig> {
    let schedule = NETWORKS.iter().find(|schedule| schedule.chain_id == chain_id)?;
    Some(ChainConfig {
        shanghai_time: Some(schedule.shanghai),
        cancun_time: Some(schedule.cancun),
        prague_time: Some(schedule.prague),
        osaka_time: Some(schedule.osaka),
        bpo1_time: Some(schedule.bpo1),
        bpo2_time: Some(schedule.bpo2),
        amsterdam_time: schedule.amsterdam,
        deposit_contract_address: H160(schedule.deposit_contract.into_array()),
        ..merged(chain_id)
    })
}

/// Returns the configuration of a chain with `fork` active from genesis, without a deposit
/// contract.
pub fn constant(chain_id: u64, fork: Fork) -> ChainConfig {
    scheduled(chain_id, fork, &[])
}

/// Returns the configuration of a chain with `first` active from genesis and `later` forks from
/// their timestamps on, without a deposit contract.
pub fn scheduled(chain_id: u64, first: Fork, later: &[(Fork, u64)]) -> ChainConfig {
    let activation = |fork| {
        let from_genesis = (first >= fork).then_some(0);
        let later = later.iter().filter(|(later, _)| *later >= fork).map(|(_, since)| *since);
        from_genesis.or_else(|| later.min())
    };
    ChainConfig {
        shanghai_time: activation(Fork::Shanghai),
        cancun_time: activation(Fork::Cancun),
        prague_time: activation(Fork::Prague),
        osaka_time: activation(Fork::Osaka),
        bpo1_time: activation(Fork::BPO1),
        bpo2_time: activation(Fork::BPO2),
        amsterdam_time: activation(Fork::Amsterdam),
        // An address without a known key, at which no code can be deployed.
        deposit_contract_address: H160::repeat_byte(0xff),
        ..merged(chain_id)
    }
}

/// Returns the configuration of a chain that started after the merge.
fn merged(chain_id: u64) -> ChainConfig {
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
        berlin_block: Some(0),
        london_block: Some(0),
        terminal_total_difficulty: Some(0),
        terminal_total_difficulty_passed: true,
        ..Default::default()
    }
}
