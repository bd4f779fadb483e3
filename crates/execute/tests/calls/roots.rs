//! Roots of receipts and state, which two threads compute in parallel.

use crate::support::l2::{L2, call, resealed};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256};
use enshrine_execute::{Execute, ExecuteError, ExecutionSpecs};
use executor::Invalid;
use revm::bytecode::opcode as op;
use std::num::NonZeroUsize;
use testkit::Key;
use wire::{ByteLists, ProtocolFork, StatelessInput};

const FORK: ProtocolFork = ProtocolFork::Osaka;
const WORKER: Address = Address::repeat_byte(0x77);

/// Returns the verdict and the gas of an input, which must be equal on one, two and three threads.
fn judged(calldata: &[u8]) -> Result<u64, (ExecuteError, u64)> {
    let on = |threads| {
        let threads = NonZeroUsize::new(threads).unwrap();
        Execute { threads, ..Execute::on(FORK) }
            .run_as(&ExecutionSpecs, calldata, u64::MAX, |_| {})
            .map(|executed| executed.gas)
            .map_err(|refused| (refused.reason, refused.gas))
    };
    let alone = on(1);
    for threads in [2, 3] {
        assert_eq!(on(threads), alone, "{threads} threads");
    }
    alone
}

/// Returns the commitment that the error of an input names, and the gas that the call held.
fn violated(calldata: &[u8]) -> (&'static str, u64) {
    match judged(calldata).unwrap_err() {
        (ExecuteError::Invalid(Invalid::Commitment { what, .. }), held) => (what, held),
        (ExecuteError::Invalid(Invalid::LogsBloom), held) => ("logs bloom", held),
        (ExecuteError::Invalid(Invalid::State(_)), held) => ("state", held),
        (other, _) => panic!("{other}"),
    }
}

#[test]
fn reported_root_does_not_depend_on_thread_count() {
    // Few receipts are hashed on the calling thread, many on another thread.
    for count in [1, 200] {
        let good = L2::new(FORK).calldata(count);
        let gas = judged(&good).unwrap();
        let wrong = |receipts: bool, bloom: bool, state: bool| {
            let calldata = resealed(&good, |input| {
                let payload = &mut input.request.payload;
                payload.receipts_root.0[0] ^= u8::from(receipts);
                payload.state_root.0[0] ^= u8::from(state);
                if bloom {
                    payload.logs_bloom = &[1; 256];
                }
            });
            violated(&calldata)
        };
        let (named, held) = wrong(true, true, true);
        assert_eq!(named, "receipts root");
        assert!(held >= gas, "{held} of {gas}");
        assert_eq!(wrong(true, false, false), (named, held));
        assert_eq!(wrong(false, true, true), ("logs bloom", held));
        assert_eq!(wrong(false, false, true), ("state root", held));
    }
}

/// A missing node that only the post-state root needs is reported once the receipts root is
/// correct.
#[test]
fn missing_post_state_node_follows_receipts_check() {
    // A slot is set to zero: its sibling in the trie is read only for the new root.
    let l2 = L2::with_genesis(FORK, |genesis| {
        let account = GenesisAccount {
            code: Some([op::PUSH0, op::PUSH0, op::SSTORE].to_vec().into()),
            storage: Some(
                [0, 1].map(|key| (B256::with_last_byte(key), B256::with_last_byte(1))).into(),
            ),
            ..GenesisAccount::default()
        };
        genesis.alloc.insert(WORKER, account);
    });
    let call = Key::named("alice").sign(call(0, WORKER, 100_000, U256::ZERO, Bytes::new()));
    let good = l2.build(vec![call]).input().unwrap();
    judged(&good).unwrap();
    let input = StatelessInput::decode(&good).unwrap();
    let nodes: Vec<&[u8]> = input.witness.state.iter().collect();
    let mut missed = 0;
    for left_out in 0..nodes.len() {
        let others: Vec<&[u8]> =
            (0..nodes.len()).filter(|index| *index != left_out).map(|index| nodes[index]).collect();
        let without = |receipts: bool| {
            let calldata = resealed(&good, |input| {
                input.request.payload.receipts_root.0[0] ^= u8::from(receipts);
                input.witness.state = ByteLists::from(&*others);
            });
            violated(&calldata).0
        };
        assert_eq!(without(false), "state");
        missed += usize::from(without(true) == "receipts root");
    }
    assert_eq!(missed, 1, "of {} nodes", nodes.len());
}
