//! Known answers published by other projects: our chain builds the same block, and EXECUTE returns
//! the same root.

use alloy_consensus::{Header, constants::EMPTY_WITHDRAWALS};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{B256, Bytes, address, b256, hex, keccak256};
use chain::{
    BlockAttributes, Chain, ChainConfig,
    store::{Block, Changes, MemoryStore, Store as _},
};
use execute::{Execute, Networks};
use executor::{ChainSpec, SYSTEM_CONTRACTS, SystemContract};
use std::sync::Arc;
use wire::ProtocolFork;

const STATE_ROOT: B256 =
    b256!("0x3f3aed6afee9eddb311bd506b4755503fc6451ad60cdd68aca6dd1e2ccc0df77");
/// The root of the state, and three branches below it, each with two children. Of two accounts of
/// the test, only the hashed addresses are known.
const ROOT: [u8; 147] = hex!(
    "f891a0b6a6f22c2cf6b4b2062fc452b98945f8451deca4ce2ce3f28c3410a8cd6f5fec808080a0aa67a1dbdbf9f311"
    "649479ca0871cd274a36fe84de872b4fe94b979a614eefdc80a039e4714d1eb6e1d5b21ca2bffd56333a7cd697596f"
    "f64317d1ae21ffd048e6ca808080808080a09b4685892e72ca6514d2edd9db6048b065269ae799df7e330f9f11bb73"
    "b72033808080"
);
const BRANCHES: [(usize, B256, usize, B256); 3] = [
    (
        12,
        b256!("0x31357c4a138624e300159fc631211a29d8373db4bdf59b80dad6e816593d0bcb"),
        2,
        b256!("0xb5790ff14363bee5d40c4a9fd9d6a515fc44683cc4d46666b4d9c775dded1017"),
    ),
    (
        10,
        b256!("0x64f90fd920c487afce0f7dbe6d9c8fc7a9b93366b10021ad40155aed5d29cdad"),
        2,
        b256!("0xf215e6bc9ca85972bc2488943dca80313a019f5eb569cc6ee3dc8c2af68734af"),
    ),
    (
        7,
        b256!("0xf831fc03dc86bf674860dd72b4a6d62c4cc677a61171addd17fcca8773984674"),
        7,
        b256!("0x105bafd3bfbb01dd5f28afe06b314ccf6d5f1bddd1e2135dcc010cb3aedd1d43"),
    ),
];

/// The block of `guest-smoke.json` of paradigmxyz/stateless, commit `3e430006`: the test
/// `test_bal_4788_absent_contract` of execution-specs for Amsterdam. The file also has a list of
/// public keys, which the input of EXECUTE no longer has.
#[test]
fn published_guest_block_has_same_hash_and_root() {
    let fork = ProtocolFork::Amsterdam;
    let system =
        || SYSTEM_CONTRACTS.iter().filter(|contract| contract.since != ProtocolFork::Cancun);
    let mut changes = Changes::default();
    let mut nodes: Vec<_> = system().map(leaf).collect();
    nodes.extend(BRANCHES.map(|(first, left, between, right)| {
        let last = 15 - first - between;
        let children = [vec![0x80; first], child(left), vec![0x80; between], child(right)];
        Bytes::from([vec![0xf8, 0x51], children.concat(), vec![0x80; last]].concat())
    }));
    nodes.push(Bytes::from_static(&ROOT));
    changes.put_nodes(nodes);
    for contract in system() {
        changes.put_code(contract.code());
    }
    let store = MemoryStore::default();
    store.commit(changes).unwrap();
    let parent = Header {
        state_root: STATE_ROOT,
        gas_limit: 120_000_000,
        base_fee_per_gas: Some(7),
        extra_data: vec![0].into(),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        block_access_list_hash: Some(keccak256([alloy_rlp::EMPTY_LIST_CODE])),
        slot_number: Some(0),
        ..Default::default()
    };
    let spec = ChainSpec::constant(1, fork);
    let blocks = [Arc::new(Block::from_header(parent))];
    let config = ChainConfig::new(spec.clone());
    let chain = Chain::from_parts(blocks, Arc::new(store), config).unwrap().unwrap();
    let hash = b256!("0xa5a12380a0a270efcd39e915371f14a06fb9bed3555d310c4441e734c16a6656");
    assert_eq!(chain.head().hash, hash);
    let attributes = BlockAttributes {
        timestamp: 12,
        fee_recipient: address!("0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba"),
        ..Default::default()
    };
    let (built, _) = chain.build(&attributes, Vec::new()).unwrap();
    let hash = b256!("0xb853681047e9f6e7742bea689325518317c27cf695640bdfce2ec08589f69101");
    assert_eq!(built.block.hash, hash);
    let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::on(fork) };
    let input = built.input().unwrap();
    // The published input has 4,571 bytes, of which four are the offset of the public keys.
    assert_eq!(input.len(), 4_567);
    let got = execute.run(&input, u64::MAX).unwrap().result;
    let root = b256!("0x011f185472e68b558940a818c5c879dd590f03e638ba876aac2c33f5bf86f8e7");
    assert_eq!((got.request_root, got.valid, got.chain_id), (root, true, 1));
    assert_eq!(got.schema, fork.schema());
}

/// A reference to a node.
fn child(hash: B256) -> Vec<u8> {
    [&[0xa0][..], hash.as_slice()].concat()
}

/// Leaf of a contract with nonce 1, below two nibbles.
fn leaf(contract: &SystemContract) -> Bytes {
    let path = keccak256(contract.address);
    let mut leaf = hex!("f869a020").to_vec();
    leaf.extend(&path[1..]);
    leaf.extend(hex!("b846f8440180a0"));
    leaf.extend(alloy_consensus::EMPTY_ROOT_HASH);
    leaf.push(0xa0);
    leaf.extend(contract.code_hash);
    leaf.into()
}
