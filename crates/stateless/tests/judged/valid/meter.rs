//! Metered work, paid for piece by piece: a block ends at the first unpaid piece, and the meter is
//! not called again.

use alloy_genesis::GenesisAccount;
use alloy_primitives::Address;
use enshrine_stateless::{
    BlockError, ChainSpec, EvmOverrides, InsufficientGas, InternalError, UncheckedBlocks,
    UnderpricedWork, VerifyOptions, WorkMeter,
};
use revm::bytecode::opcode as op;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use testkit::{CHAIN_ID, ETHER, Forgery, Key, eip1559, rich_genesis, uniform_storage};
use wire::{ProtocolFork, StatelessInput};

const FORK: ProtocolFork = ProtocolFork::Osaka;
const WORKER: Address = Address::repeat_byte(0x77);
const HASHER: Address = Address::repeat_byte(0x78);
const HASH: [u8; 5] = [op::PUSH1, 32, op::PUSH0, op::KECCAK256, op::POP];

/// A meter that pays for a limited number of pieces.
#[derive(Debug)]
struct Payer {
    pieces: u64,
    asked: AtomicU64,
}

impl WorkMeter for Payer {
    fn spend(&self, _: UnderpricedWork) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) < self.pieces
    }
}

/// A chain with a meter for its blocks.
#[derive(Debug)]
struct Paid(Arc<Payer>);

impl EvmOverrides for Paid {
    fn meter(&self) -> Option<Arc<dyn WorkMeter>> {
        Some(Arc::clone(&self.0) as _)
    }
}

/// A block in which Alice calls a contract with this code and a storage in which every path has 64
/// branches with equal children.
fn block(code: Vec<u8>) -> Vec<u8> {
    let contract = |code: Vec<u8>| GenesisAccount {
        nonce: Some(1),
        code: Some(code.into()),
        ..Default::default()
    };
    let mut genesis = rich_genesis(FORK, ["alice"], ETHER);
    genesis.alloc.insert(WORKER, contract(code));
    genesis.alloc.insert(HASHER, contract(HASH.to_vec()));
    let (root, nodes) = uniform_storage();
    let call = Key::named("alice").sign(eip1559(0, WORKER, 500_000));
    let storage_roots = BTreeMap::from([(WORKER, root)]);
    let forgery = Forgery { genesis, fork: FORK, storage_roots, nodes, transactions: vec![call] };
    forgery.input().expect("a block")
}

/// Returns the verdict on a block with `pieces` paid pieces of work, and the number of pieces
/// requested.
fn verify(calldata: &[u8], pieces: u64) -> (Result<(), BlockError>, u64) {
    let payer = Arc::new(Payer { pieces, asked: AtomicU64::new(0) });
    let input = StatelessInput::decode(calldata).expect("decodes");
    let (spec, evm) = (ChainSpec::constant(CHAIN_ID, FORK), Paid(Arc::clone(&payer)));
    let options = VerifyOptions { evm: &evm, ..Default::default() };
    let blocks = UncheckedBlocks::decode(&input).expect("a block");
    let outcome = blocks.verify(&spec, options, |_| {});
    (outcome.map(drop).map_err(BlockError::from), payer.asked.load(Ordering::Relaxed))
}

/// Asserts that with any smaller number of pieces than `all`, execution stops at the first unpaid
/// one, without a verdict on the block.
fn assert_ends_where_it_is_not_paid(calldata: &[u8], all: u64) {
    assert_eq!(verify(calldata, all), (Ok(()), all));
    for pieces in 0..all {
        let (outcome, asked) = verify(calldata, pieces);
        match outcome {
            Err(BlockError::Internal(InternalError::Source(error))) => {
                assert!(error.fault().is::<InsufficientGas>(), "{error}");
            }
            other => panic!("{pieces} of {all}: {other:?}"),
        }
        assert_eq!(asked, pieces + 1, "of {all}");
    }
}

#[test]
fn execution_stops_at_first_unpaid_piece() {
    // A slot is read after each hash, so that a frame that continued would also request that work.
    let read = |slot| [op::PUSH1, slot, op::SLOAD, op::POP];
    let code = (1..=3).flat_map(|slot| [&HASH[..], &read(slot)].concat()).collect();
    let calldata = block(code);
    let (outcome, all) = verify(&calldata, u64::MAX);
    assert_eq!(outcome, Ok(()));
    assert!((100..200).contains(&all), "three hashes, and the paths to two slots again: {all}");
    assert_ends_where_it_is_not_paid(&calldata, all);
}

#[test]
fn no_frame_hashes_after_unpaid_work() {
    const CALLS: u64 = 5;
    let mut call = vec![op::PUSH0; 5];
    call.push(op::PUSH20);
    call.extend(HASHER.as_slice());
    call.extend([op::PUSH2, 0x27, 0x10, op::CALL, op::POP]);
    let calldata = block(call.repeat(CALLS as usize));
    assert_ends_where_it_is_not_paid(&calldata, CALLS);
}
