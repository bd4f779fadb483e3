//! Multiple blocks in one call: one payment, one answer, and a refusal if any block is invalid.

use crate::{
    PLENTY, PRICES, execute,
    support::{
        host::{CALL, CallResult, Host, WARM_CALL},
        l2::{L2, transfer},
    },
};
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::{Block, ExecutedBlock};
use codec::Encode as _;
use codec::RawBlock;
use enshrine_execute::{
    Answer, DeclaredGas, Dialect, Execute, ExecuteError, FURTHER_BLOCK_GAS, Items, Pricing,
    RuleViolation,
};
use executor::{Invalid, StateError};
use stateless::Stage;
use std::sync::Arc;
use variants::{Drake, GasSchedule};
use wire::{
    DecodeError, ExecutionWitness, ProtocolFork, Records, SchemaId, StatelessBatch, StatelessInput,
    StatelessResult,
};

/// A chain with one block for each of these numbers of transfers, and a batch of these blocks.
fn batch_on(fork: ProtocolFork, transfers: &[u64]) -> (L2, Vec<ExecutedBlock>, Vec<u8>) {
    let mut l2 = L2::new(fork);
    let (blocks, batch) = l2.batch(transfers);
    (l2, blocks, batch)
}

fn batch(transfers: &[u64]) -> (Vec<ExecutedBlock>, Vec<u8>) {
    let (_, blocks, batch) = batch_on(ProtocolFork::Osaka, transfers);
    (blocks, batch)
}

/// Reserve and charge of a call with this calldata, by [`PRICES`].
fn prices(calldata: &[u8], transfers: &[u64]) -> (u64, u64) {
    let further = FURTHER_BLOCK_GAS * (transfers.len() as u64 - 1);
    let all: u64 = transfers.iter().sum();
    let bytes = 1_000 + 2 * calldata.len() as u64 + further;
    (bytes + 25_000 * all, bytes + 21_000 * all)
}

#[test]
fn batch_returns_one_result_for_all_blocks() {
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let (_, blocks, calldata) = batch_on(fork, &[2, 0, 1]);
        let mut host = Host::new(Execute { gas: Arc::new(PRICES), ..Execute::on(fork) });
        let outcome = host.call(CALL, &calldata, PLENTY);
        let decoded = StatelessBatch::decode(&calldata).unwrap();
        let result = StatelessResult {
            request_root: decoded.requests_root(),
            valid: true,
            chain_id: decoded.chain_id,
            schema: SchemaId::new((fork as u16) << 8 | 0xba),
        };
        assert_eq!(outcome.returned, result.encode(), "{fork}");
        let executed = Execute::on(fork).run(&calldata, u64::MAX).unwrap();
        let hashes: Vec<_> = executed.verdicts().map(|verdict| verdict.block_hash).collect();
        let expected: Vec<_> = blocks.iter().map(|new| new.block.hash).collect();
        assert_eq!(hashes, expected);
        assert_eq!(executed.verdict.block_hash, *expected.last().unwrap());
        assert_eq!(executed.pre_state_root(), blocks[0].block.pre_state_root);
        let gas_used: u64 = blocks.iter().map(|new| new.block.header.gas_used).sum();
        assert_eq!(executed.gas_used(), gas_used);
    }
}

#[test]
fn further_blocks_pay_only_their_own_work() {
    for transfers in [&[3][..], &[2, 1], &[0, 0, 0, 0], &[1, 0, 5]] {
        let (_, calldata) = batch(transfers);
        let (reserve, charge) = prices(&calldata, transfers);
        // A block that walks nodes that an earlier block has walked pays for it as underpriced
        // work, unless the gas of the blocks covers it.
        let executed = execute().run(&calldata, u64::MAX).unwrap();
        let again = executed.reserve - reserve;
        assert!(again == 0 || transfers.len() > 1, "{transfers:?}");
        assert!(again > 0 || transfers.iter().any(|count| *count > 0), "{transfers:?}");
        assert!((charge..=charge + again).contains(&executed.gas), "{transfers:?}");
        let outcome = Host::new(execute()).call(CALL, &calldata, executed.reserve);
        assert!(outcome.success);
        assert_eq!(outcome.gas, WARM_CALL + executed.gas, "{transfers:?}");
        if again > 0 {
            assert!(!Host::new(execute()).call(CALL, &calldata, executed.reserve - 1).success);
        }
        let mut stages = Vec::new();
        let short =
            execute().run_observed(&calldata, reserve - 1, |stage| stages.push(stage)).unwrap_err();
        assert_eq!(short, ExecuteError::OutOfGas { got: reserve - 1, reserve });
        assert_eq!(stages, [], "no stage was reached");
    }
}

#[test]
fn expanded_nodes_cost_as_much_as_carried_ones() {
    let (l2, blocks, calldata) = batch_on(ProtocolFork::Osaka, &[2, 1]);
    let StatelessBatch { witness, requests, .. } = StatelessBatch::decode(&calldata).unwrap();
    let known = |new: &ExecutedBlock| l2.chain.block(&new.block.hash).unwrap();
    let listed = l2.chain.batch(blocks.iter().map(known).collect()).unwrap().witness.state;
    assert_eq!(listed.len(), witness.state.len(), "none is embedded");
    let rlp: usize = listed.iter().map(|node| node.len()).sum();
    // The bound counts one or two bytes too many for the headers of short items.
    let bound = witness.state.expanded_len();
    assert!((rlp..=rlp + 2 * listed.len()).contains(&bound), "{rlp} bytes, at most {bound}");
    let transactions: usize =
        requests.iter().map(|request| request.payload.transactions.len()).sum();
    let items = listed.len() + witness.codes.len() + witness.headers.len() + transactions;
    let carried = calldata.len() + bound - witness.state.stream().len();
    let prices = Items { base: 5, request_byte: 1, witness_byte: 1, item: 1_000 };
    let execute = Execute { gas: Arc::new(prices), ..execute() };
    // The call holds the price of its bytes, but not that of the input.
    let got = 5 + calldata.len() as u64;
    let input = 5 + (carried + 1_000 * items) as u64;
    let short = |got, reserve| ExecuteError::OutOfGas { got, reserve };
    assert_eq!(execute.run(&calldata, got).unwrap_err(), short(got, input));
    assert_eq!(execute.run(&calldata, input - 1).unwrap_err(), short(input - 1, input));
    let next = input + FURTHER_BLOCK_GAS + 3 * 25_000;
    assert_eq!(execute.run(&calldata, input).unwrap_err(), short(input, next));
}

#[test]
fn batch_requests_are_priced_per_request_byte() {
    let prices = Items { base: 5, request_byte: 3, witness_byte: 1, item: 100 };
    let execute = Execute { gas: Arc::new(prices), ..execute() };
    for transfers in [&[3][..], &[3, 0], &[0, 3], &[1, 5, 2]] {
        let (_, blocks, calldata) = batch_on(ProtocolFork::Osaka, transfers);
        // A single block has only its own request.
        let request_bytes = |new: &ExecutedBlock| {
            DeclaredGas::of_calldata(&new.input().unwrap()).unwrap().request_bytes
        };
        let requests: u64 = blocks.iter().map(request_bytes).sum();
        assert!(requests > 500 * transfers.len() as u64, "{requests}");
        let declared = DeclaredGas::of_calldata(&calldata).unwrap();
        let rest = declared.calldata - requests + declared.expansion_bytes;
        let input = 5 + 3 * requests + rest + 100 * declared.items();
        // Amount that the call must hold before any transaction is decoded.
        let reserve = input
            + FURTHER_BLOCK_GAS * (transfers.len() as u64 - 1)
            + 25_000 * transfers.iter().sum::<u64>();
        let short = |got, reserve| ExecuteError::OutOfGas { got, reserve };
        let refused = |gas| execute.run(&calldata, gas).unwrap_err();
        assert_eq!(refused(input - 1), short(input - 1, input), "{transfers:?}");
        assert_eq!(refused(input), short(input, reserve), "{transfers:?}");
        assert!(execute.run(&calldata, PLENTY).is_ok(), "{transfers:?}");
    }
}

#[test]
fn block_reserve_is_capped_by_its_gas_limit() {
    let (blocks, calldata) = batch(&[1, 1]);
    let limit = blocks[1].block.header.gas_limit;
    let mut decoded = StatelessBatch::decode(&calldata).unwrap();
    // A transaction that declares more gas than any block has.
    let greedy = Bytes::from(raw_transfer(u64::MAX));
    let transactions = [greedy];
    decoded.requests[1].payload.transactions = transactions[..].into();
    let calldata = decoded.encode();
    let (_, one) = prices(&calldata, &[1, 0]);
    let reserve = one + 4_000 + limit;
    let refused = |gas| execute().run(&calldata, gas).unwrap_err();
    assert_eq!(refused(reserve - 1), ExecuteError::OutOfGas { got: reserve - 1, reserve });
    assert!(!matches!(refused(reserve), ExecuteError::OutOfGas { .. }));
}

fn raw_transfer(gas_limit: u64) -> Vec<u8> {
    use alloy_eips::eip2718::Encodable2718;
    transfer(1, gas_limit).encoded_2718()
}

#[test]
fn every_schedule_charges_for_batch_bytes() {
    let (_, calldata) = batch(&[1, 1, 1]);
    for (name, schedule) in GasSchedule::NAMED {
        let execute = Execute { gas: schedule.into(), ..Execute::default() };
        let gas: Arc<dyn Pricing> = schedule.into();
        let executed = execute.run(&calldata, u64::MAX).unwrap();
        assert!(executed.gas >= gas.bytes(calldata.len() as u64) + 63_000, "{name}");
        assert!(executed.reserve >= executed.gas, "{name}");
    }
}

#[test]
fn batches_require_option_and_accepted_fork() {
    let (blocks, calldata) = batch(&[1, 1]);
    let schema = ProtocolFork::Osaka.batch_schema();
    let without = Execute { batches: false, ..execute() };
    assert_eq!(without.run(&calldata, PLENTY).unwrap_err(), ExecuteError::Schema(schema));
    assert!(without.run(&blocks[0].input().unwrap(), PLENTY).is_ok());
    assert!(execute().run(&calldata, PLENTY).is_ok());
    let (_, blocks, amsterdam) = batch_on(ProtocolFork::Amsterdam, &[1, 1]);
    let got = ProtocolFork::Amsterdam.batch_schema();
    let timestamp = blocks[0].block.header.timestamp;
    let reason = ExecuteError::ForkAt { got, expected: Some(ProtocolFork::Osaka), timestamp };
    let expected = ExecuteError::InBatch { block: 0, reason: Box::new(reason) };
    assert_eq!(execute().run(&amsterdam, PLENTY).unwrap_err(), expected);
}

#[test]
fn thread_count_does_not_change_results() {
    // The requests are long enough for a separate thread.
    let (blocks, batch) = batch(&[400, 1, 400]);
    let single = blocks[0].input().unwrap();
    assert!(single.len() > 40_000);
    for calldata in [&single, &batch] {
        let mut spoilt = calldata.clone();
        *spoilt.last_mut().unwrap() ^= 1;
        let run = |threads, calldata: &[u8]| {
            let threads = core::num::NonZeroUsize::new(threads).unwrap();
            let done = Execute { threads, ..execute() }.run(calldata, u64::MAX);
            done.map(|done| (done.result, done.gas, done.reserve, done.verdict))
        };
        let (accepted, refused) = (run(1, calldata), run(1, &spoilt));
        assert!(accepted.is_ok() && refused.is_err(), "{accepted:?} {refused:?}");
        for threads in [2, 4] {
            assert_eq!(run(threads, calldata), accepted);
            assert_eq!(run(threads, &spoilt), refused);
        }
    }
}

#[test]
fn refusal_names_the_invalid_block() {
    let (_, calldata) = batch(&[1, 1, 1]);
    let refused = |block: usize, change: &dyn Fn(&mut StatelessBatch<'_>)| {
        let mut batch = StatelessBatch::decode(&calldata).unwrap();
        change(&mut batch);
        match execute().run(&batch.encode(), PLENTY).unwrap_err() {
            ExecuteError::InBatch { block: got, reason } => {
                assert_eq!(got, block, "{reason}");
                *reason
            }
            other => panic!("{other}"),
        }
    };
    for block in 0..3 {
        let reason = refused(block, &|batch| {
            batch.requests[block].payload.blob_gas_used = 1;
        });
        let field = "blob_gas_used";
        assert_eq!(reason, RuleViolation::BlobField { field, got: 1 }.into());
        let reason = refused(block, &|batch| {
            batch.requests[block].payload.withdrawals = Records::new(&[[0; 44]]);
        });
        assert_eq!(reason, RuleViolation::Withdrawals(1).into());
        let reason = refused(block, &|batch| {
            batch.requests[block].payload.block_hash = B256::ZERO;
        });
        assert!(matches!(reason, ExecuteError::Invalid(Invalid::BlockHash { .. })), "{reason}");
        let reason = refused(block, &|batch| {
            const MALFORMED: &[&[u8]] = &[&[9]];
            batch.requests[block].payload.transactions = MALFORMED.into();
        });
        let index = 0;
        assert!(
            matches!(
                reason,
                ExecuteError::Invalid(Invalid::MalformedTransaction { index: at, .. })
                    if at == index
            ),
            "{reason}"
        );
    }
    let mut batch = StatelessBatch::decode(&calldata).unwrap();
    batch.requests.clear();
    let what = "requests of the batch";
    let refused = execute().run(&batch.encode(), PLENTY).unwrap_err();
    assert_eq!(refused, DecodeError::Empty { what }.into());
    // A contract sees it like any other failed call.
    let outcome = Host::new(execute()).call(CALL, &batch.encode(), PLENTY);
    assert_eq!(outcome, CallResult { success: false, returned: vec![], gas: WARM_CALL + PLENTY });
}

#[test]
fn signature_error_names_index_within_its_block() {
    let (_, calldata) = batch(&[2, 2]);
    let mut batch = StatelessBatch::decode(&calldata).unwrap();
    let mut transactions: Vec<Vec<u8>> =
        batch.requests[1].payload.transactions.iter().map(<[u8]>::to_vec).collect();
    // The s of the signature is its last field.
    let bytes = &mut transactions[1];
    let len = bytes.len();
    bytes[len - 32..].fill(0xff);
    let slices: Vec<_> = transactions.iter().map(Vec::as_slice).collect();
    batch.requests[1].payload.transactions = slices[..].into();
    let mut single = StatelessInput {
        fork: batch.fork,
        request: batch.requests[1].clone(),
        witness: ExecutionWitness::EMPTY,
        chain_id: batch.chain_id,
    };
    let header = stateless::header_of(&single.request, single.fork).unwrap();
    single.request.payload.block_hash = header.hash_slow();
    batch.requests[1] = single.request;
    let refused = execute().run(&batch.encode(), PLENTY).unwrap_err();
    let reason = Box::new(Invalid::Signature { index: 1 }.into());
    assert_eq!(refused, ExecuteError::InBatch { block: 1, reason });
}

#[test]
fn drake_claim_may_cover_a_batch() {
    let (blocks, input) = batch(&[2, 0, 1]);
    let state = |block: &Block| block.header.state_root;
    let (pre, post) = (blocks[0].block.pre_state_root, state(&blocks[2].block));
    let ask = |pre: B256, post: B256, gas_used: u64| {
        let head = [pre, post, U256::from(0x80).into(), U256::from(gas_used).into()].concat();
        let mut calldata =
            [head, U256::from(input.len()).to_be_bytes_vec(), input.clone()].concat();
        calldata.resize(calldata.len().next_multiple_of(32), 0);
        let Answer { gas, output } = execute().answer(&Drake, &calldata, PLENTY).unwrap();
        (U256::from_be_slice(&output) == U256::ONE, gas, prices(&calldata, &[2, 0, 1]))
    };
    let (answer, gas, (reserve, charge)) = ask(pre, post, 63_000);
    assert_eq!((answer, gas), (true, charge));
    for (pre, post, gas_used) in [
        (blocks[1].block.pre_state_root, post, 63_000),
        (pre, state(&blocks[1].block), 63_000),
        (pre, post, 21_000),
        (pre, post, 63_001),
    ] {
        let (answer, gas, _) = ask(pre, post, gas_used);
        assert_eq!((answer, gas), (false, reserve));
    }
    assert_eq!(Drake.name(), "EXECUTE (Drake)");
}

#[test]
fn mutated_batches_cause_no_internal_errors() {
    let (blocks, good) = batch(&[2, 0, 1, 1]);
    let execute = execute();
    let mut reasons = std::collections::BTreeMap::<_, usize>::new();
    for mutated in testkit::mutations_of_batch(&good, 20_000) {
        let kind = match execute.run(&mutated, PLENTY) {
            Err(reason @ (ExecuteError::Internal(_) | ExecuteError::Panic(_))) => {
                panic!("{reason}")
            }
            Err(ExecuteError::InBatch { .. }) => "a block",
            Err(ExecuteError::Decode(_)) => "decode",
            Err(_) => "other",
            Ok(executed) => {
                let hashes: Vec<_> = executed.verdicts().map(|one| one.block_hash).collect();
                let built: Vec<_> = blocks.iter().map(|new| new.block.hash).collect();
                // Changing a free field of a header yields another block, and changes the blocks
                // after it.
                if hashes == built { "the same" } else { "another" }
            }
        };
        *reasons.entry(kind).or_default() += 1;
    }
    println!("{reasons:?}");
    assert!(["a block", "decode"].iter().all(|kind| reasons.contains_key(kind)));
}

#[test]
fn batch_blocks_equal_built_raw_blocks() {
    let (blocks, calldata) = batch(&[1, 2]);
    let decoded = StatelessBatch::decode(&calldata).unwrap();
    for (request, new) in decoded.requests.iter().zip(&blocks) {
        let raw = RawBlock::decode(&new.block.rlp()).unwrap();
        assert_eq!(request.payload.block_hash, raw.hash);
        let single = new.input().unwrap();
        assert_eq!(*request, StatelessInput::decode(&single).unwrap().request);
    }
    let stage_order = [Stage::Header, Stage::Link, Stage::Senders, Stage::Execution, Stage::Roots];
    let mut stages = Vec::new();
    execute().run_observed(&calldata, PLENTY, |stage| stages.push(stage)).unwrap();
    let expected = [&stage_order[..], &[Stage::Execution, Stage::Roots, Stage::Done]].concat();
    assert_eq!(stages, expected, "linked once");
}

#[test]
fn batch_lacks_witness_if_any_block_does() {
    let state = |missing| ExecuteError::Invalid(Invalid::State(missing));
    let malformed = alloy_rlp::Error::Overflow;
    for (reason, expected) in [
        (state(StateError::MissingCode(B256::ZERO)), true),
        (state(StateError::MalformedAccount { address: Address::ZERO, reason: malformed }), false),
        (ExecuteError::Invalid(Invalid::NoParent), true),
        (ExecuteError::Rules(RuleViolation::Requests), false),
        (ExecuteError::OutOfGas { got: 1, reserve: 2 }, false),
    ] {
        assert_eq!(reason.lacks_witness(), expected, "{reason}");
        let in_batch = ExecuteError::InBatch { block: 1, reason: Box::new(reason) };
        assert_eq!(in_batch.lacks_witness(), expected, "{in_batch}");
    }
}
