//! A witness contains everything that the specification reads, even if the instruction then runs
//! out of gas: an L1 with another client may need it.

use super::test_chain::{FORKS, TestChain, contract};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain::ExecutedBlock;
use revm::bytecode::opcode as op;
use wire::ProtocolFork;

const CALLER: Address = Address::repeat_byte(0xca);
const CALLEE: Address = Address::repeat_byte(0xce);
/// Account that the callee reads.
const TARGET: Address = Address::repeat_byte(0x7a);
/// Delegation target of `TARGET`.
const DELEGATE: Address = Address::repeat_byte(0xde);
const SLOT: u8 = 9;

fn push(code: &mut Vec<u8>, bytes: &[u8]) {
    code.push(op::PUSH0 + u8::try_from(bytes.len()).expect("at most 32"));
    code.extend(bytes);
}

/// Calls the callee with this much gas and ignores the result.
fn calls(gas: u32, kind: u8) -> Vec<u8> {
    let mut code = vec![op::PUSH0; if kind == op::CALL { 5 } else { 4 }];
    push(&mut code, CALLEE.as_slice());
    push(&mut code, &gas.to_be_bytes());
    code.extend([kind, op::POP, op::STOP]);
    code
}

/// One instruction on the target, with all its arguments; calls transfer a value if they can.
fn on_target(instruction: u8, value: u8) -> Vec<u8> {
    let mut code = Vec::new();
    match instruction {
        op::SSTORE => {
            push(&mut code, &[1]);
            push(&mut code, &[SLOT]);
        }
        op::SELFDESTRUCT => push(&mut code, TARGET.as_slice()),
        _ => {
            code.extend([op::PUSH0; 4]);
            if matches!(instruction, op::CALL | op::CALLCODE) {
                push(&mut code, &[value]);
            }
            push(&mut code, TARGET.as_slice());
            code.push(op::PUSH0);
        }
    }
    code.push(instruction);
    code
}

fn genesis(callee: &[u8], caller: &[u8]) -> impl FnOnce(&mut Genesis) {
    move |genesis| {
        // Other accounts and slots, so that each path has its own nodes.
        for number in 0..300_u64 {
            let address = Address::from_word(keccak256(number.to_be_bytes()));
            let account = GenesisAccount { balance: U256::ONE, ..Default::default() };
            genesis.alloc.insert(address, account);
        }
        let storage = (0..300_u64).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1)));
        let mut callee = contract(callee);
        callee.storage = Some(storage.collect());
        genesis.alloc.insert(CALLEE, callee);
        genesis.alloc.insert(CALLER, contract(caller));
        let delegation = [&[0xef, 0x01, 0x00][..], DELEGATE.as_slice()].concat();
        genesis.alloc.insert(TARGET, contract(&delegation));
        genesis.alloc.insert(DELEGATE, contract(&[op::JUMPDEST, op::STOP]));
    }
}

/// Returns the block in which Alice calls the caller, and the chain before it.
fn block(fork: ProtocolFork, instruction: u8, gas: u32, kind: u8) -> (TestChain, ExecutedBlock) {
    block_of(fork, &on_target(instruction, 0), gas, kind)
}

/// Like [`block`], with this code of the callee.
fn block_of(fork: ProtocolFork, callee: &[u8], gas: u32, kind: u8) -> (TestChain, ExecutedBlock) {
    let caller = calls(gas, kind);
    let mut chain = TestChain::new(fork, genesis(callee, &caller));
    let call = chain.call(CALLER, 1_000_000, vec![]);
    let (block, rejected) = chain.offer(vec![call]);
    assert!(rejected.is_empty(), "{rejected:?}");
    assert!(block.block.executed.receipts[0].success);
    (chain, block)
}

/// Returns `true` if the witness of a block holds all nodes on the path to an account and to one of
/// its slots.
fn holds(chain: &TestChain, block: &ExecutedBlock, address: Address, slot: Option<u8>) -> bool {
    let slots: Vec<_> = slot.into_iter().map(U256::from).collect();
    let head = chain.chain.head();
    let proof = chain.chain.prove(head, address, &slots).expect("proves");
    let nodes = proof.nodes.iter().chain(proof.slots.iter().flat_map(|slot| &slot.nodes));
    let held = |node: &Bytes| block.witness.state.binary_search(node).is_ok();
    nodes.into_iter().all(held)
}

const CALLS: [u8; 4] = [op::CALL, op::CALLCODE, op::DELEGATECALL, op::STATICCALL];

#[test]
fn out_of_gas_call_reads_callee_and_delegate() {
    // Gas for the pushes, but too little for a warm account, a cold account, or a cold delegation.
    for (fork, instruction) in FORKS.into_iter().flat_map(|fork| CALLS.map(|kind| (fork, kind))) {
        for gas in [50, 400, 2_800] {
            let (chain, block) = block(fork, instruction, gas, op::CALL);
            let read = (ProtocolFork::Prague..ProtocolFork::Amsterdam).contains(&fork);
            let what = format!("{fork}, {instruction:#x} with {gas}");
            if read {
                assert!(holds(&chain, &block, TARGET, None), "{what}");
                assert!(holds(&chain, &block, DELEGATE, None), "{what}");
                let code = Bytes::from_static(&[op::JUMPDEST, op::STOP]);
                assert!(block.witness.codes.contains(&code), "{what}");
            } else if gas < 2_000 {
                assert!(!holds(&chain, &block, TARGET, None), "{what}");
            }
        }
    }
}

#[test]
fn pre_prague_value_call_reads_only_callee() {
    for (instruction, value) in CALLS.into_iter().flat_map(|kind| [(kind, 0), (kind, 1)]) {
        let callee = on_target(instruction, value);
        let (chain, block) = block_of(ProtocolFork::Cancun, &callee, 400, op::CALL);
        let read = (instruction, value) == (op::CALL, 1);
        let what = format!("{instruction:#x} with a value of {value}");
        assert_eq!(holds(&chain, &block, TARGET, None), read, "{what}");
        assert!(!holds(&chain, &block, DELEGATE, None), "{what}");
        let delegation = [&[0xef, 0x01, 0x00][..], DELEGATE.as_slice()].concat();
        assert!(!block.witness.codes.contains(&Bytes::from(delegation)), "{what}");
    }
}

#[test]
fn out_of_gas_selfdestruct_reads_beneficiary() {
    for fork in FORKS {
        for (gas, kind) in [(1_000, op::CALL), (5_100, op::CALL), (50_000, op::STATICCALL)] {
            let (chain, block) = block(fork, op::SELFDESTRUCT, gas, kind);
            let read = fork < ProtocolFork::Amsterdam;
            assert_eq!(holds(&chain, &block, TARGET, None), read, "{fork} with {gas}");
        }
    }
}

#[test]
fn sstore_in_static_call_reads_slot() {
    for fork in FORKS {
        for (gas, kind, enough) in [
            (50_000, op::STATICCALL, true),
            // No more than the stipend: execution stops before the read.
            (2_300, op::STATICCALL, false),
        ] {
            let (chain, block) = block(fork, op::SSTORE, gas, kind);
            let read = enough && fork < ProtocolFork::Amsterdam;
            assert_eq!(holds(&chain, &block, CALLEE, Some(SLOT)), read, "{fork} with {gas}");
        }
    }
}

#[test]
fn witness_contains_no_unspecified_reads() {
    // With too few arguments, the instruction reads nothing.
    for fork in FORKS {
        for instruction in CALLS {
            let mut code = on_target(instruction, 0);
            code.remove(0);
            let caller = calls(50_000, op::CALL);
            let mut chain = TestChain::new(fork, genesis(&code, &caller));
            let call = chain.call(CALLER, 1_000_000, vec![]);
            let (block, _) = chain.offer(vec![call]);
            assert!(!holds(&chain, &block, TARGET, None), "{fork} {instruction:#x}");
        }
    }
}
