//! A chain that sells EXECUTE gas: the gas that its blocks count, the price of calls, and attempts
//! to evade payment.

use crate::support::market::{
    AROUND, CALL, CHAIN_ID, FORKS, GOES_ON, GWEI, L1, REVERTS, empty_l2_block, flat, genesis, send,
    verify,
};
use alloy_primitives::{B256, Bytes, U256};
use codec::RawBlock;
use enshrine_chain::{Call, CallBlock, Chain, ChainConfig, ChainError, ChainReader};
use execute::{EXECUTE_ADDRESS, Execute, ExecuteError};
use executor::{ChainSpec, Invalid};
use std::sync::Arc;
use variants::{
    ExecuteExtension,
    market::{
        MARKET_ADDRESS, MAX_EXCESS, RESERVE_RATIO, Rate, TARGET, excess_at, next_excess, price,
    },
};
use wire::ProtocolFork;

#[test]
fn call_pays_block_gas_and_raises_the_excess() {
    for fork in FORKS {
        let input = empty_l2_block(fork);
        let mut paid = Vec::new();
        for wei in [GWEI / 4, GWEI, 4 * GWEI] {
            let mut l1 = L1::new(fork, flat(1_000_000), excess_at(wei));
            let (rate, excess) = (l1.rate(), l1.excess());
            let (block, used) = l1.block(vec![send("alice", 0, GOES_ON.0, 5_000_000, &input)]);
            assert!(l1.reasons().is_empty());
            assert_eq!(rate.base_fee, block.block.header.base_fee_per_gas.unwrap());
            assert_eq!(l1.excess(), next_excess(excess, 1_000_000, rate.base_fee));
            paid.push((used[0], rate.gas(1_000_000)));
        }
        // All other costs of the transactions are equal.
        let besides: Vec<_> = paid.iter().map(|(used, charge)| used - charge).collect();
        assert_eq!(besides, [besides[0]; 3], "{fork}: {paid:?}");
        assert!(paid[2].1 > 15 * paid[0].1);
    }
}

#[test]
fn chain_without_market_ignores_its_contract() {
    let fork = ProtocolFork::Osaka;
    let l1 = L1::new(fork, flat(100_000), excess_at(GWEI));
    let execute = Execute { gas: flat(100_000).into(), ..Execute::on(fork) };
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))
        .with_extension(Arc::new(ExecuteExtension::new(execute)));
    let plain = Chain::new(&genesis(fork, excess_at(GWEI)), config).unwrap();
    let transactions = vec![send("alice", 0, GOES_ON.0, 5_000_000, &empty_l2_block(fork))];
    let (block, _) = plain.build(&l1.attributes(), transactions.clone()).unwrap();
    assert_eq!(verify(&block, plain.config()), Ok(()));
    let raw = RawBlock::decode(&block.block.rlp()).unwrap();
    // Only the market writes to the contract, so each chain rejects the blocks of the other.
    assert!(matches!(l1.chain.import(&raw), Err(ChainError::Invalid(_))));
    let (block, _) = l1.chain.build(&l1.attributes(), transactions).unwrap();
    let raw = RawBlock::decode(&block.block.rlp()).unwrap();
    assert!(matches!(plain.import(&raw), Err(ChainError::Invalid(_))));
    assert!(l1.chain.import(&raw).is_ok());
}

#[test]
fn work_of_reverting_caller_is_paid_and_counted() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    for (to, succeeds) in [(GOES_ON.0, true), (REVERTS.0, false), (AROUND.0, true)] {
        let mut l1 = L1::new(ProtocolFork::Osaka, flat(100_000), excess_at(GWEI));
        let (excess, rate) = (l1.excess(), l1.rate());
        let (block, used) = l1.block(vec![send("alice", 0, to, 5_000_000, &input)]);
        assert!(l1.reasons().is_empty(), "EXECUTE itself succeeds");
        assert_eq!(block.block.executed.receipts[0].success, succeeds);
        assert!(used[0] > rate.gas(100_000), "{to}: the work is paid");
        assert_eq!(l1.excess() + TARGET, excess + 100_000, "{to}");
    }
}

#[test]
fn failed_call_counts_its_whole_reserve() {
    let fork = ProtocolFork::Osaka;
    let valid = empty_l2_block(fork);
    let mut wrong = valid.clone();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    for (input, fails) in [(valid.clone(), false), (wrong, true), (valid[..2].to_vec(), true)] {
        let mut l1 = L1::new(fork, flat(100_000), excess_at(GWEI));
        let excess = l1.excess();
        let (_, used) = l1.block(vec![send("alice", 0, GOES_ON.0, 3_000_000, &input)]);
        assert_eq!(l1.reasons().len(), usize::from(fails));
        assert_eq!(l1.excess() + TARGET, excess + 100_000, "the reserve of a failed call counts");
        assert_eq!(used[0] > 2_900_000, fails, "all its gas is gone");
    }
    // A call that cannot pay does no work and does not count. Its error has both amounts in gas of
    // the block.
    let mut l1 = L1::new(fork, flat(100_000), excess_at(4 * GWEI));
    let excess = l1.excess();
    l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 100_000, &valid[..2])]);
    let reasons = l1.reasons();
    let [ExecuteError::OutOfGas { got, reserve }] = reasons[..] else { panic!("{reasons:?}") };
    assert!((70_000..100_000).contains(&got), "{got}");
    assert!(reserve.abs_diff(400_000) < 10, "{reserve}");
    assert_eq!(l1.excess() + TARGET, excess);
}

#[test]
fn calls_use_the_price_of_their_state() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let call = |chain: &ChainReader| {
        let call = Call {
            to: Some(EXECUTE_ADDRESS),
            data: input.clone().into(),
            gas: Some(100_000_000),
            block: CallBlock::Head,
            ..Default::default()
        };
        let done = chain.call(call).unwrap();
        assert!(done.success);
        done.gas_used
    };
    let cost = |l1: &L1| {
        let base_fee = l1.chain.head().header.base_fee_per_gas.unwrap();
        Rate { price: price(l1.excess()), base_fee }.gas(CALL)
    };
    let (before, expected) = (call(&l1.chain), cost(&l1));
    let besides = before - expected;
    let calls = (0..3).map(|at| send("alice", at, EXECUTE_ADDRESS, 16_000_000, &input));
    l1.block(calls.collect());
    assert_ne!(cost(&l1), expected);
    assert_eq!(call(&l1.chain) - cost(&l1), besides);
    assert_eq!(call(&l1.chain), call(&l1.chain), "each call finds the block empty");
}

#[test]
fn block_without_market_contract_cannot_be_sealed() {
    for other in [None, Some(Bytes::from_static(&[0]))] {
        let mut genesis = genesis(ProtocolFork::Osaka, 0);
        genesis.alloc.get_mut(&MARKET_ADDRESS).unwrap().code = other;
        let l1 = L1::of(&genesis, ProtocolFork::Osaka, flat(CALL));
        let refused = l1.chain.build(&l1.attributes(), vec![]).unwrap_err();
        let is_about_code = matches!(
            refused,
            ChainError::Invalid(Invalid::SystemCode { address, .. }) if address == MARKET_ADDRESS
        );
        assert!(is_about_code, "{refused}");
    }
    let l1 = L1::new(ProtocolFork::Osaka, flat(CALL), 0);
    assert!(l1.chain.build(&l1.attributes(), vec![]).is_ok());
}

#[test]
fn excess_above_the_maximum_is_capped() {
    let beyond = U256::from(u64::MAX);
    let maximum = U256::from(MAX_EXCESS);
    for (excess, next) in [
        // Up to here the excess falls by the target, as from any other value.
        (maximum - U256::from(TARGET), MAX_EXCESS - 2 * TARGET),
        (maximum, MAX_EXCESS - TARGET),
        (maximum + U256::from(TARGET - 1), MAX_EXCESS - 1),
        (maximum + U256::from(TARGET), MAX_EXCESS),
        // The slot is a 256-bit word, which a genesis can fill.
        (beyond, MAX_EXCESS),
        (beyond + U256::ONE, MAX_EXCESS),
        (U256::MAX, MAX_EXCESS),
    ] {
        let mut genesis = genesis(ProtocolFork::Osaka, 0);
        let contract = genesis.alloc.get_mut(&MARKET_ADDRESS).unwrap();
        contract.storage = Some([(B256::ZERO, excess.into())].into());
        let mut l1 = L1::of(&genesis, ProtocolFork::Osaka, flat(1));
        // A call uses the price in the state before the block.
        let input = empty_l2_block(ProtocolFork::Osaka);
        let (block, _) = l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 16_000_000, &input)]);
        let base_fee = block.block.header.base_fee_per_gas.unwrap();
        let rate = Rate { price: price(excess.saturating_to()), base_fee };
        let reasons = l1.reasons();
        let [ExecuteError::OutOfGas { reserve, .. }] = reasons[..] else { panic!("{reasons:?}") };
        assert_eq!((reserve, l1.excess()), (rate.gas(1), next), "{excess}");
        l1.block(vec![]);
        assert_eq!(l1.excess(), next - TARGET, "{excess}");
    }
}

#[test]
fn no_transaction_writes_to_the_contract() {
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI));
    let excess = l1.excess();
    let word = U256::from(1).to_be_bytes::<32>();
    let (block, _) = l1.block(vec![
        send("alice", 0, MARKET_ADDRESS, 100_000, &word),
        send("alice", 1, MARKET_ADDRESS, 100_000, &[]),
    ]);
    let succeeded: Vec<_> =
        block.block.executed.receipts.iter().map(|receipt| receipt.success).collect();
    assert_eq!(succeeded, [false, true], "it can be read and not written");
    assert_eq!(l1.excess(), excess - TARGET);
}

/// Below the reserve price, idle blocks leave the excess unchanged, and any use raises it.
#[test]
fn idle_blocks_lower_price_to_reserve() {
    let above = GWEI / RESERVE_RATIO + GWEI / 100;
    let below = GWEI / RESERVE_RATIO - GWEI / 100;
    for (wei, idle, used) in
        [(above, -(TARGET as i64), 100_000 - TARGET as i64), (below, 0, 50_000)]
    {
        let mut l1 = L1::new(ProtocolFork::Osaka, flat(100_000), excess_at(wei));
        let excess = l1.excess() as i64;
        let input = empty_l2_block(ProtocolFork::Osaka);
        let transactions = vec![send("alice", 0, EXECUTE_ADDRESS, 1_000_000, &input)];
        let (block, _) = l1.chain.build(&l1.attributes(), transactions).unwrap();
        assert_eq!(block.block.header.base_fee_per_gas, Some(GWEI));
        l1.block(vec![]);
        assert_eq!(l1.excess() as i64, excess + idle, "{wei}");
        let mut l1 = L1::new(ProtocolFork::Osaka, flat(100_000), excess_at(wei));
        l1.append(block);
        assert_eq!(l1.excess() as i64, excess + used, "{wei}");
    }
}
