//! Limit of the EXECUTE gas that the calls of one block may use, and the price of filling it.

use crate::support::market::{
    CALL, CHAIN_ID, FORKS, FOUR_TIMES, FULL, GWEI, L1, empty_l2_block, flat, genesis, send,
};
use alloy_consensus::TxEip1559;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use codec::blob_tail::Trailer;
use enshrine_chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use execute::{
    DeclaredGas, Dialect, EXECUTE_ADDRESS, ExecuteError, ExecutionSpecs, Pricing, UnderpricedWork,
};
use executor::ChainSpec;
use std::sync::Arc;
use testkit::Key;
use variants::{
    BLOB_EXECUTE_ADDRESS, BlobTail, Drake,
    market::{BeyondLimit, LIMIT, TARGET, excess_at, price},
};
use wire::{ProtocolFork, StatelessInput};

/// Returns the error for a call with which its block would use `got` EXECUTE gas.
fn beyond_limit(got: u64) -> ExecuteError {
    BeyondLimit { got, limit: LIMIT }.into()
}

#[test]
fn call_beyond_block_limit_consumes_all_gas() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let calls = |nonce: u64, count: u64| {
        (0..count).map(move |at| (nonce + at, 10_000_000)).collect::<Vec<_>>()
    };
    let of_alice = |(nonce, gas): (u64, u64)| send("alice", nonce, EXECUTE_ADDRESS, gas, &input);
    let mut transactions: Vec<_> = calls(0, 3).into_iter().map(of_alice).collect();
    transactions.push(send("bob", 0, EXECUTE_ADDRESS, 9_000_000, &input));
    let excess = l1.excess();
    let (block, used) = l1.block(transactions);
    let succeeded: Vec<_> =
        block.block.executed.receipts.iter().map(|receipt| receipt.success).collect();
    assert_eq!(succeeded, [true, true, true, false]);
    assert_eq!(used[3], 9_000_000, "all its gas is gone");
    assert_eq!(l1.reasons(), [beyond_limit(LIMIT + CALL)]);
    assert_eq!(l1.excess(), excess + LIMIT - TARGET, "the fourth did no work and counts nothing");
    let (block, _) = l1.block(vec![send("bob", 1, EXECUTE_ADDRESS, 9_000_000, &input)]);
    assert!(block.block.executed.receipts[0].success && l1.reasons().is_empty());
    // A call that needs more than the whole limit causes no work in any block.
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(LIMIT + 1), excess_at(GWEI / 8));
    l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 10_000_000, &input)]);
    assert_eq!(l1.reasons(), [beyond_limit(LIMIT + 1)]);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(LIMIT), excess_at(GWEI / 8));
    let (block, _) = l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 10_000_000, &input)]);
    assert!(block.block.executed.receipts[0].success);
}

#[test]
fn calls_of_one_transaction_share_the_block_limit() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let excess = l1.excess();
    let (block, used) = l1.block(vec![send("alice", 0, FOUR_TIMES.0, 14_000_000, &input)]);
    assert!(block.block.executed.receipts[0].success);
    assert_eq!(l1.reasons(), [beyond_limit(LIMIT + CALL)]);
    assert_eq!(l1.excess(), excess + LIMIT - TARGET, "three calls count, the fourth does not");
    assert!(used[0] > 10_000_000, "the fourth call loses all its gas: {used:?}");
    // Four smaller calls are within the limit.
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(LIMIT / 4), excess_at(GWEI / 8));
    l1.block(vec![send("alice", 0, FOUR_TIMES.0, 14_000_000, &input)]);
    assert_eq!((l1.reasons(), l1.excess()), (vec![], excess + LIMIT - TARGET));
}

/// Returns a true claim about an L2 block without transactions, in Drake's form.
fn claim(input: &[u8], pre: B256) -> Vec<u8> {
    let post = StatelessInput::decode(input).unwrap().request.payload.state_root;
    let words = [pre, post, U256::from(128).into(), B256::ZERO, U256::from(input.len()).into()];
    let mut claim = [&words.concat(), input].concat();
    claim.resize(claim.len().next_multiple_of(32), 0);
    claim
}

#[test]
fn calls_of_all_dialects_share_one_limit() {
    for fork in FORKS {
        let input = empty_l2_block(fork);
        let config = ChainConfig::new(ChainSpec::constant(9_999, fork));
        let l2 = Chain::new(&empty_genesis(fork), config).unwrap();
        let trailer = Trailer::new(0, 0).unwrap().encode();
        let ways = [
            (EXECUTE_ADDRESS, input.clone()),
            (Drake.address(), claim(&input, l2.head().header.state_root)),
            // The whole input is in calldata, so the transaction needs no blobs.
            (BLOB_EXECUTE_ADDRESS, [&input[..], &trailer].concat()),
        ];
        // Each dialect is once the one that exceeds the limit.
        for (last, calldata) in &ways {
            let mut l1 = L1::new(fork, flat(CALL), excess_at(GWEI / 8)).with(|execute| {
                let blobs = BlobTail::new(Arc::new(()));
                execute.dialects = vec![Arc::new(ExecutionSpecs), Arc::new(Drake), Arc::new(blobs)];
            });
            let excess = l1.excess();
            let calls = (0..)
                .zip(&ways)
                .map(|(nonce, (to, calldata))| send("alice", nonce, *to, 10_000_000, calldata));
            let mut transactions: Vec<_> = calls.collect();
            transactions.push(send("bob", 0, *last, 10_000_000, calldata));
            let (block, used) = l1.block(transactions);
            let receipts = &block.block.executed.receipts;
            let succeeded: Vec<_> = receipts.iter().map(|receipt| receipt.success).collect();
            assert_eq!(succeeded, [true, true, true, false], "{fork} {last}");
            assert_eq!(used[3], 10_000_000, "{fork} {last}: all its gas is gone");
            let refused = beyond_limit(LIMIT + CALL);
            assert_eq!(l1.reasons(), [refused], "{fork} {last}");
            assert_eq!(l1.excess(), excess + LIMIT - TARGET, "{fork} {last}");
            let (block, _) = l1.block(vec![send("bob", 1, *last, 10_000_000, calldata)]);
            assert!(block.block.executed.receipts[0].success, "{fork} {last}: there is room again");
        }
    }
}

/// Pricing with a flat price per call, and this extra price per hash on the L2.
#[derive(Debug)]
struct ExpensiveHashes(u64);

impl Pricing for ExpensiveHashes {
    fn bytes(&self, _: u64) -> u64 {
        100_000
    }

    fn reserve(&self, _: &DeclaredGas) -> u64 {
        100_000
    }

    fn charge(&self, _: &DeclaredGas, _: u64) -> u64 {
        100_000
    }

    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        if matches!(work, UnderpricedWork::Keccak { .. }) { self.0 } else { 0 }
    }
}

#[test]
fn underpriced_work_found_during_execution_respects_the_limit() {
    let fork = ProtocolFork::Osaka;
    let hashes = Address::repeat_byte(0x20);
    let mut of_l2 = genesis(fork, 0);
    let code = Some(Bytes::from_static(&hex!("5f5f2000")));
    of_l2.alloc.insert(hashes, GenesisAccount { code, ..Default::default() });
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
    let l2 = Chain::new(&of_l2, config).unwrap();
    let attributes = BlockAttributes { timestamp: 12, ..Default::default() };
    let (block, rejected) =
        l2.build(&attributes, vec![send("alice", 0, hashes, 100_000, &[])]).unwrap();
    assert!(rejected.is_empty());
    let input = block.input().unwrap();
    for (beyond, reason) in [(0, None), (1, Some(beyond_limit(LIMIT + 1)))] {
        let expensive = Arc::new(ExpensiveHashes(LIMIT - 100_000 + beyond));
        let mut l1 =
            L1::new(fork, flat(0), excess_at(GWEI / 8)).with(|execute| execute.gas = expensive);
        let excess = l1.excess();
        let (block, _) = l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 16_000_000, &input)]);
        assert_eq!(block.block.executed.receipts[0].success, beyond == 0);
        assert_eq!(l1.reasons(), Vec::from_iter(reason));
        // The amount of work done is unknown, so the call pays with everything that was left.
        assert_eq!(l1.excess(), excess + LIMIT - TARGET);
    }
}

#[test]
fn filling_the_limit_raises_price_by_one_eighth() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 50));
    let mut wei = Vec::new();
    for block in 0..12 {
        let price = price(l1.excess());
        let calls =
            (0..3).map(|at| send("alice", 3 * block + at, EXECUTE_ADDRESS, 16_000_000, &input));
        let (built, used) = l1.block(calls.collect());
        let success = built.block.executed.receipts.iter().all(|receipt| receipt.success);
        assert!(success && l1.reasons().is_empty());
        // The gas that EXECUTE has charged, at the block's base fee, without intrinsic gas.
        let base_fee = u128::from(built.block.header.base_fee_per_gas.unwrap());
        let paid: u128 = used.iter().map(|gas| u128::from(*gas) * base_fee).sum();
        assert!(paid >= u128::from(LIMIT) * u128::from(price), "block {block}");
        wei.push(u128::from(LIMIT) * u128::from(price));
    }
    for pair in wei.windows(2) {
        let ratio = pair[1] as f64 / pair[0] as f64;
        assert!((ratio - 1.125).abs() < 1e-3, "{ratio}");
    }
    // Twelve blocks cost the sum of the geometric series.
    let (sum, first) = (wei.iter().sum::<u128>() as f64, wei[0] as f64);
    let expected = first * (1.125_f64.powi(12) - 1.0) / 0.125;
    assert!((sum / expected - 1.0).abs() < 1e-2, "{sum} {expected}");
}

#[test]
fn rejected_transaction_does_not_count_for_the_limit() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let tipped = |nonce| {
        Key::named("bob").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 10_000_000,
            max_fee_per_gas: 100 * u128::from(GWEI),
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(EXECUTE_ADDRESS),
            input: input.clone().into(),
            ..Default::default()
        })
    };
    let alice = |nonce| send("alice", nonce, EXECUTE_ADDRESS, 10_000_000, &input);
    // The transaction fails only after its execution, because its fees would overflow the balance
    // of their recipient.
    let attributes = BlockAttributes { fee_recipient: FULL, ..l1.attributes() };
    let offered = vec![tipped(0), alice(0), tipped(0), alice(1), alice(2), tipped(0)];
    let (block, rejected) = l1.chain.build(&attributes, offered).unwrap();
    assert_eq!(rejected.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2, 5]);
    assert!(
        block.block.executed.receipts.iter().all(|receipt| receipt.success),
        "there was room for all"
    );
    let excess = l1.excess();
    l1.append(block);
    assert_eq!(l1.excess(), excess + LIMIT - TARGET);
}
