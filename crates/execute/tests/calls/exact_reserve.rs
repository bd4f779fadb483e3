//! The reserve computed with unlimited gas is exact: a call with it succeeds, and a call with less
//! does not.

use crate::{
    support::l2::{L2, call},
    underpriced_work::{WORKER, contract},
};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U256, hex};
use enshrine_execute::{Execute, ExecuteError};
use revm::bytecode::opcode as op;
use std::num::NonZeroU32;
use testkit::{Key, Random};
use wire::ProtocolFork;

/// Contract that calls [`WORKER`], for precompiles in nested frames.
const OUTER: Address = Address::repeat_byte(0x78);
/// Gas limit of each transaction.
const GAS_LIMIT: u64 = 3_000_000;
/// Random blocks and batches per fork.
const ROUNDS: u64 = 40;

const FORKS: [ProtocolFork; 4] =
    [ProtocolFork::Cancun, ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Asserts that a call with exactly the reserve succeeds at the same charge, and that one with less
/// runs out of gas.
fn assert_exact(execute: &Execute, calldata: &[u8], what: &str) {
    let free = execute.run(calldata, u64::MAX).unwrap();
    let exact =
        execute.run(calldata, free.reserve).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!((exact.gas, exact.reserve), (free.gas, free.reserve), "{what}");
    match execute.run(calldata, free.reserve - 1).unwrap_err() {
        ExecuteError::OutOfGas { got, reserve } => {
            assert!(got + 1 == free.reserve && reserve > got, "{what}: {got}, {reserve}");
        }
        other => panic!("{what}: {other}"),
    }
}

/// Code that calls a precompile with this input, and with this gas or all remaining gas.
fn calling(address: u16, input: &[u8], gas: Option<NonZeroU32>) -> Vec<u8> {
    let mut code = Vec::new();
    for (index, word) in input.chunks(32).enumerate() {
        let mut padded = [0; 32];
        padded[..word.len()].copy_from_slice(word);
        code.push(op::PUSH32);
        code.extend(padded);
        code.push(op::PUSH2);
        code.extend(u16::try_from(32 * index).unwrap().to_be_bytes());
        code.push(op::MSTORE);
    }
    code.extend([op::PUSH0, op::PUSH0, op::PUSH2]);
    code.extend(u16::try_from(input.len()).unwrap().to_be_bytes());
    code.extend([op::PUSH0, op::PUSH2]);
    code.extend(address.to_be_bytes());
    match gas {
        Some(gas) => {
            code.push(op::PUSH4);
            code.extend(gas.get().to_be_bytes());
        }
        None => code.push(op::GAS),
    }
    code.extend([op::STATICCALL, op::POP]);
    code
}

/// Code of a frame that calls [`WORKER`] with a part of its gas.
fn outer(gas: u32) -> Vec<u8> {
    let mut code = vec![op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH20];
    code.extend(WORKER);
    code.push(op::PUSH4);
    code.extend(gas.to_be_bytes());
    code.extend([op::CALL, op::POP]);
    code
}

fn blake2f(rounds: u32, is_last: u8) -> Vec<u8> {
    let mut input = vec![0; 213];
    input[..4].copy_from_slice(&rounds.to_be_bytes());
    input[212] = is_last;
    input
}

fn modexp(lengths: [u16; 3], fill: u8) -> Vec<u8> {
    let words = lengths.map(|length| U256::from(length).to_be_bytes::<32>());
    let bytes: usize = lengths.iter().map(|length| usize::from(*length)).sum();
    let mut input = words.as_flattened().to_vec();
    input.resize(96 + bytes.min(512), fill);
    input
}

/// A precompile with an input that it accepts, refuses, or cannot pay for.
fn precompile(rng: &mut Random) -> (u16, Vec<u8>) {
    let address =
        *rng.pick(&[1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 9, 9, 10, 11, 12, 13, 14, 15, 16, 17, 256]);
    let fill = *rng.pick(&[0_u8, 0, 1, 0xff]);
    let flat = |length: u16| vec![fill; usize::from(length)];
    let input = match address {
        5 => {
            modexp(*rng.pick(&[[32; 3], [1, 1, 1], [256; 3], [1_024, 96, 1_024], [0, 0, 0]]), fill)
        }
        8 => flat(*rng.pick(&[0, 192, 384, 100])),
        9 => {
            let rounds = *rng.pick(&[0, 12, 60_000, 200_000, 1_000_000, u32::MAX]);
            blake2f(rounds, *rng.pick(&[0, 1, 2]))
        }
        10 => flat(192),
        12 | 14 => flat(*rng.pick(&[160, 288, 320, 576])),
        15 => flat(*rng.pick(&[0, 384, 768])),
        _ => flat(*rng.pick(&[0, 32, 64, 96, 128, 160, 256, 512])),
    };
    (address, input)
}

/// Code with random calls of precompiles, each with a random amount of gas.
fn random_code(rng: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..rng.in_range(1..6) {
        let (address, input) = precompile(rng);
        let gas = match rng.index(4) {
            0 => None,
            1 => NonZeroU32::new(u32::try_from(rng.below(2_000)).unwrap()),
            2 => NonZeroU32::new(u32::try_from(rng.below(200_000)).unwrap()),
            _ => NonZeroU32::new(u32::try_from(rng.below(2_500_000)).unwrap()),
        };
        code.extend(calling(address, &input, gas));
    }
    if rng.one_in(4) {
        code.extend([op::PUSH0, op::PUSH0, op::REVERT]);
    }
    code
}

/// A chain with this code at [`WORKER`].
fn chain(fork: ProtocolFork, code: Vec<u8>, outer_gas: u32) -> L2 {
    L2::with_genesis(fork, |genesis| {
        genesis.alloc.insert(WORKER, contract(code));
        genesis.alloc.insert(OUTER, contract(outer(outer_gas)));
        let rich = GenesisAccount { balance: U256::MAX >> 8, ..Default::default() };
        genesis.alloc.insert(Key::named("bob").address(), rich);
    })
}

fn worker_call(rng: &mut Random, nonce: u64) -> testkit::Transaction {
    let to = *rng.pick(&[WORKER, WORKER, OUTER]);
    Key::named("alice").sign(call(nonce, to, GAS_LIMIT, U256::ZERO, Bytes::new()))
}

#[test]
fn failing_blake2f_leaves_the_reserve_exact() {
    // A call of BLAKE2F with 2^32 - 1 rounds, which always runs out of gas.
    let code = hex!("63ffffffff60e01b5f52600160d4535f5f60d55f60095afa5000").to_vec();
    for fork in FORKS {
        for gas_limit in [100_000, 300_000, 1_000_000, 9_000_000] {
            let l2 = chain(fork, code.clone(), 0);
            let tx = call(0, WORKER, gas_limit, U256::ZERO, Bytes::new());
            let block = l2.build(vec![Key::named("alice").sign(tx)]);
            let what = format!("{fork}, {gas_limit} gas");
            assert_exact(&Execute::on(fork), &block.input().unwrap(), &what);
        }
    }
}

#[test]
fn reserve_of_random_blocks_is_exact() {
    for fork in FORKS {
        for seed in 0..ROUNDS {
            let mut rng = Random::new(seed << 8 | fork as u64);
            let code = random_code(&mut rng);
            let l2 = chain(fork, code, u32::try_from(rng.below(2_000_000)).unwrap());
            let calls = rng.in_range(1..4) as u64;
            let transactions = (0..calls).map(|nonce| worker_call(&mut rng, nonce)).collect();
            let block = l2.build(transactions);
            assert_exact(&Execute::on(fork), &block.input().unwrap(), &format!("{fork}, {seed}"));
        }
    }
}

#[test]
fn reserve_of_random_batches_is_exact() {
    for fork in FORKS {
        for seed in 0..ROUNDS / 4 {
            let mut rng = Random::new(!(seed << 8 | fork as u64));
            let code = random_code(&mut rng);
            let mut l2 = chain(fork, code, u32::try_from(rng.below(2_000_000)).unwrap());
            let mut blocks = Vec::new();
            for nonce in 0..rng.in_range(2..5) as u64 {
                let built = l2.build(vec![worker_call(&mut rng, nonce)]);
                blocks.push(l2.chain.append(built).unwrap());
            }
            let calldata = l2.chain.batch(blocks).unwrap().input().unwrap();
            assert_exact(&Execute::on(fork), &calldata, &format!("{fork}, batch {seed}"));
        }
    }
}
