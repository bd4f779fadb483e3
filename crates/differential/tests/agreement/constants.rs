//! Constants of both verifiers.

use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{B256, Bytes, b256, hex};
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use codec::Encode as _;
use enshrine_differential::ethrex;
use ethrex_common::{
    H256,
    types::{BlockHeader, ChainConfig as EthrexConfig, ForkId},
};
use executor::{ChainSpec, SYSTEM_CONTRACTS};
use eyre::Result;
use std::collections::BTreeSet;
use testkit::{FORKS, Random, tampered::Draft};
use wire::{ProtocolFork, StatelessInput};

#[test]
fn system_contracts_have_same_address_and_fork() {
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let ours: BTreeSet<_> = SYSTEM_CONTRACTS
            .iter()
            .filter(|contract| contract.since <= fork)
            .map(|contract| contract.address.into_array())
            .collect();
        let theirs: BTreeSet<_> =
            ethrex_vm::system_contracts::system_contracts_for_fork(ethrex::fork_of(fork))
                .map(|contract| contract.address.0)
                .filter(|address| {
                    *address != testkit::vectors::fixture::DEPOSIT_CONTRACT.into_array()
                })
                .collect();
        assert_eq!(ours, theirs, "{fork}");
    }
}

#[test]
fn blob_parameters_are_the_same_in_every_fork() {
    for fork in FORKS {
        let ours = ChainSpec::constant(1, fork).blob_params_at(0).expect("blobs");
        let theirs = ethrex::constant(1, ethrex::fork_of(fork)).get_fork_blob_schedule(0);
        let theirs = theirs.expect("blobs");
        let BlobParams { target_blob_count, max_blob_count, update_fraction, .. } = ours;
        assert_eq!(target_blob_count, u64::from(theirs.target), "{fork}");
        assert_eq!(max_blob_count, u64::from(theirs.max), "{fork}");
        assert_eq!(update_fraction, u128::from(theirs.base_fee_update_fraction), "{fork}");
    }
}

/// A public network: the inputs of its fork ids (EIP-2124), and the published fork ids.
struct Network {
    chain_id: u64,
    genesis_hash: B256,
    genesis_time: u64,
    /// Forks before Shanghai, by block number, without those active at genesis.
    blocks: &'static [u64],
    /// Forks from Shanghai on.
    ids: &'static [(ProtocolFork, [u8; 4])],
}

const NETWORKS: [Network; 3] = [
    Network {
        chain_id: ChainSpec::MAINNET,
        genesis_hash: b256!("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
        genesis_time: 0,
        blocks: &[
            1_150_000, 1_920_000, 2_463_000, 2_675_000, 4_370_000, 7_280_000, 9_069_000, 9_200_000,
            12_244_000, 12_965_000, 13_773_000, 15_050_000,
        ],
        ids: &[
            (ProtocolFork::Shanghai, hex!("dce96c2d")),
            (ProtocolFork::Cancun, hex!("9f3d2254")),
            (ProtocolFork::Prague, hex!("c376cf8b")),
            (ProtocolFork::Osaka, hex!("5167e2a6")),
            (ProtocolFork::Bpo1, hex!("cba2a1c0")),
            (ProtocolFork::Bpo2, hex!("07c9462e")),
        ],
    },
    Network {
        chain_id: ChainSpec::SEPOLIA,
        genesis_hash: b256!("0x25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
        genesis_time: 1_633_267_481,
        blocks: &[1_735_371],
        ids: &[
            (ProtocolFork::Shanghai, hex!("f7f9bc08")),
            (ProtocolFork::Cancun, hex!("88cf81d9")),
            (ProtocolFork::Prague, hex!("ed88b5fd")),
            (ProtocolFork::Osaka, hex!("e2ae4999")),
            (ProtocolFork::Bpo1, hex!("56078a1e")),
            (ProtocolFork::Bpo2, hex!("268956b6")),
            (ProtocolFork::Amsterdam, hex!("6c1d9423")),
        ],
    },
    Network {
        chain_id: ChainSpec::HOODI,
        genesis_hash: b256!("0xbbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b"),
        genesis_time: 1_742_212_800,
        blocks: &[],
        ids: &[
            (ProtocolFork::Cancun, hex!("bef71d30")),
            (ProtocolFork::Prague, hex!("0929e24e")),
            (ProtocolFork::Osaka, hex!("e7e0e7ff")),
            (ProtocolFork::Bpo1, hex!("3893353e")),
            (ProtocolFork::Bpo2, hex!("23aa1351")),
        ],
    },
];

/// A fork id is a checksum over all activations up to a fork, so a schedule with the published fork
/// ids is the published schedule.
#[test]
fn fork_schedules_make_the_published_fork_ids() {
    for network in NETWORKS {
        let config = with_blocks(&network);
        let genesis = BlockHeader { timestamp: network.genesis_time, ..Default::default() };
        genesis.hash.set(H256(network.genesis_hash.0)).expect("an unset hash");
        for (fork, id) in network.ids {
            let since = config.get_activation_timestamp_for_fork(ethrex::fork_of(*fork));
            let time = since.expect("scheduled").max(network.genesis_time);
            let head = *network.blocks.last().unwrap_or(&0);
            let got = ForkId::new(config, genesis.clone(), time, head).fork_hash;
            assert_eq!(got.0, *id, "{fork} of chain {}", network.chain_id);
        }
    }
}

#[test]
fn public_networks_have_same_fork_timestamps() {
    for network in NETWORKS {
        let ours = ChainSpec::known(network.chain_id).expect("known");
        let theirs = ethrex::network(network.chain_id).expect("known");
        for fork in ProtocolFork::ALL.into_iter().filter(|fork| *fork > ProtocolFork::Paris) {
            let Some(since) = theirs.get_activation_timestamp_for_fork(ethrex::fork_of(fork))
            else {
                assert_ne!(ours.fork_at(u64::from(u32::MAX)), Some(fork), "not scheduled");
                continue;
            };
            for time in [since.saturating_sub(1), since, since + 1] {
                let fork = ours.fork_at(time).unwrap_or(ProtocolFork::Paris);
                assert_eq!(ethrex::fork_of(fork), theirs.fork(time), "at {time}");
            }
        }
    }
}

/// Returns a network's configuration with the forks by block number, of which only the numbers
/// matter here.
fn with_blocks(network: &Network) -> EthrexConfig {
    let mut config = ethrex::network(network.chain_id).expect("known");
    let fields = [
        &mut config.homestead_block,
        &mut config.dao_fork_block,
        &mut config.eip150_block,
        &mut config.eip155_block,
        &mut config.byzantium_block,
        &mut config.petersburg_block,
        &mut config.istanbul_block,
        &mut config.muir_glacier_block,
        &mut config.berlin_block,
        &mut config.london_block,
        &mut config.arrow_glacier_block,
        &mut config.gray_glacier_block,
    ];
    for (field, number) in fields.into_iter().zip(network.blocks) {
        *field = Some(*number);
    }
    config.dao_fork_support = true;
    config
}

/// Compares both SSZ implementations on requests of all sizes, which need not be valid.
#[test]
fn amsterdam_requests_have_the_same_root_and_bytes() -> Result<()> {
    let fork = ProtocolFork::Amsterdam;
    let chain = Chain::new(&empty_genesis(fork), ChainConfig::new(ChainSpec::constant(5, fork)))?;
    let (new, _) = chain.build(&BlockAttributes { timestamp: 1, ..Default::default() }, vec![])?;
    let calldata = new.input()?;
    let input = StatelessInput::decode(&calldata)?;
    for seed in 0..300 {
        let mut rng = Random::new(seed);
        let mut draft = Draft::new(&input);
        fill(&mut draft, &mut rng);
        let calldata = draft.encode().expect("an input");
        let input = StatelessInput::decode(&calldata)?;
        let ours = input.request.hash_tree_root(fork);
        assert_eq!(ours, ethrex::request_root(&calldata)?, "seed {seed}");
        assert_eq!(input.encode(), ethrex::encode_again(&calldata)?, "seed {seed}");
    }
    Ok(())
}

/// Fills the lists with random bytes, with lengths around the sizes of progressive subtrees among
/// others.
fn fill(draft: &mut Draft<'_>, rng: &mut Random) {
    const LENGTHS: [usize; 10] = [0, 1, 2, 4, 5, 6, 20, 21, 22, 90];
    let bytes =
        |length: usize, rng: &mut Random| -> Vec<u8> { (0..length).map(|_| rng.byte()).collect() };
    let lists = |rng: &mut Random| -> Vec<Bytes> {
        let count = *rng.pick(&LENGTHS);
        (0..count).map(|_| bytes(32 * rng.index(6) + rng.index(3), rng).into()).collect()
    };
    draft.chain_id = rng.next();
    draft.request.payload.gas_used = rng.next();
    draft.request.payload.slot_number = rng.next();
    draft.extra_data = bytes(rng.index(33), rng);
    draft.logs_bloom = core::array::from_fn(|_| rng.byte());
    draft.transactions = lists(rng);
    draft.withdrawals =
        (0..*rng.pick(&LENGTHS)).map(|_| core::array::from_fn(|_| rng.byte())).collect();
    draft.versioned_hashes =
        (0..*rng.pick(&LENGTHS)).map(|_| core::array::from_fn(|_| rng.byte())).collect();
    draft.access_list = bytes(32 * rng.pick(&LENGTHS) + rng.index(3), rng);
    for (list, length) in draft.requests.iter_mut().zip([192, 76, 116, 184, 68]) {
        list.truncate(1);
        list.extend(bytes(length * rng.pick(&LENGTHS), rng));
    }
    draft.witness.state = lists(rng);
    draft.witness.codes = lists(rng);
    draft.witness.headers = lists(rng);
}
