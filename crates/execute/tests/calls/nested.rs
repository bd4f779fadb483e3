//! EXECUTE on an L2: a rollup on a rollup.

use crate::support::{
    host::{CALL, Host},
    l2::{CHAIN_ID, ETHER, L2, call, transfer},
};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use chain::{Block, BlockAttributes, Chain, ChainConfig, ExecutedBlock};
use enshrine_execute::{
    Answer, CallObserver, Dialect, EXECUTE_ADDRESS, Execute, ExecuteError, Executed,
    ExecutionSpecs, ObservedCall, PrecompileCall, Refused, WorkGas,
};
use executor::{ChainSpec, EvmOverrides};
use revm::bytecode::opcode as op;
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use testkit::{Key, Random, Transaction, rich_genesis};
use variants::{DialectName, ExecuteExtension, NESTED_REVISION, Nested};
use wire::{ProtocolFork, SchemaId, StatelessResult};

const PLENTY: u64 = 50_000_000;
/// Gas of a transaction that calls EXECUTE.
const CALL_GAS: u64 = 5_000_000;

/// An L1 that accepts L2s with EXECUTE.
fn l1() -> Execute {
    let plain = Execute::default();
    Execute { dialects: vec![Arc::new(Nested::new(&plain))], ..plain }
}

/// An L2 with EXECUTE and funded named accounts.
fn l2() -> Chain {
    let extension = ExecuteExtension::new(Nested::execute_of_l2(&l1()));
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka));
    let genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 1_000 * ETHER);
    Chain::new(&genesis, config.with_extension(Arc::new(extension))).unwrap()
}

fn build(chain: &Chain, transactions: Vec<Transaction>) -> ExecutedBlock {
    let attributes = BlockAttributes {
        timestamp: chain.head().header.timestamp + 12,
        slot_number: 1,
        ..Default::default()
    };
    let (block, rejected) = chain.build(&attributes, transactions).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    block
}

/// A transaction of Alice that calls EXECUTE.
fn execute(nonce: u64, input: &[u8], gas: u64) -> Transaction {
    let input = Bytes::copy_from_slice(input);
    Key::named("alice").sign(call(nonce, EXECUTE_ADDRESS, gas, U256::ZERO, input))
}

/// A transaction of Alice that hashes 1,024 bytes `times` times.
fn hash(nonce: u64, times: usize) -> Transaction {
    let code = [op::PUSH2, 4, 0, op::PUSH0, op::KECCAK256, op::POP].repeat(times);
    let gas = 2_000_000;
    Key::named("alice").sign(TxEip1559 {
        to: TxKind::Create,
        input: code.into(),
        ..call(nonce, EXECUTE_ADDRESS, gas, U256::ZERO, Bytes::new())
    })
}

fn nested(block: &ExecutedBlock) -> Vec<u8> {
    DialectName::Nested.encode(&block.input().unwrap()).unwrap().calldata
}

fn successes(block: &Block) -> Vec<bool> {
    block.executed.receipts.iter().map(|receipt| receipt.success).collect()
}

#[test]
fn nested_block_is_valid_only_under_nested_revision() {
    let l3 = L2::new(ProtocolFork::Osaka).calldata(2);
    let block = build(&l2(), vec![execute(0, &l3, CALL_GAS)]);
    assert_eq!(successes(&block.block), [true]);
    let mut host = Host::new(l1());
    let outcome = host.call(CALL, &nested(&block), PLENTY);
    assert!(outcome.success);
    let result = StatelessResult::decode(&outcome.returned).unwrap();
    assert_eq!(result.schema, SchemaId::new(0x1202));
    // Without EXECUTE the call goes to an empty account and uses other gas.
    let plain = block.input().unwrap();
    assert!(!host.call(CALL, &plain, PLENTY).success);
    // A plain block is accepted, and also under the other revision, since it does not call EXECUTE.
    let transfers = build(&l2(), vec![transfer(0, 25_000)]);
    for (input, revision) in [(transfers.input().unwrap(), 0x01), (nested(&transfers), 0x02)] {
        let outcome = host.call(CALL, &input, PLENTY);
        assert!(outcome.success);
        assert_eq!(outcome.returned[StatelessResult::SCHEMA..], [revision, 0x12]);
    }
    // An L1 without the dialect refuses the revision.
    let refused = Execute::default().run(&nested(&block), PLENTY);
    assert!(matches!(refused, Err(ExecuteError::Decode(_))), "{refused:?}");
    let calldata = nested(&block);
    let input = DialectName::Nested.decode(&calldata, &Vec::<Vec<u8>>::new()).unwrap();
    assert!(DialectName::Nested.run(&Execute::default(), &calldata, &input).is_ok());
    assert!(DialectName::Nested.run(&Execute::default(), &input, &input).is_err());
}

#[test]
fn changed_inner_block_invalidates_outer_block() {
    let l3 = L2::new(ProtocolFork::Osaka).calldata(2);
    let mut other = l3.clone();
    *other.last_mut().unwrap() ^= 1;
    let block = build(&l2(), vec![execute(0, &l3, CALL_GAS), execute(1, &other, CALL_GAS)]);
    // An invalid inner block fails its call, which is a valid transaction that failed.
    assert_eq!(successes(&block.block), [true, false]);
    let mut host = Host::new(l1());
    assert!(host.call(CALL, &nested(&block), PLENTY).success);
    // With one byte of the inner block changed, the outer block has another hash and is refused.
    let mut changed = nested(&block);
    let at = changed.windows(l3.len()).position(|window| window == l3).unwrap();
    changed[at + l3.len() - 1] ^= 1;
    assert!(!host.call(CALL, &changed, PLENTY).success);
}

#[test]
fn inner_execute_supports_neither_nesting_nor_batches() {
    let l4 = L2::new(ProtocolFork::Osaka).calldata(8);
    // A block of an L3 whose builder assumes that it has EXECUTE, and one of a builder that does
    // not.
    let third = build(&l2(), vec![execute(0, &l4, 2_000_000)]);
    let without = Chain::new(
        &rich_genesis(ProtocolFork::Osaka, ["alice"], 1_000 * ETHER),
        ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka)),
    );
    let honest = build(&without.unwrap(), vec![execute(0, &l4, 2_000_000)]);
    assert_ne!(third.block.header.gas_used, honest.block.header.gas_used);
    let calls = [third.input().unwrap(), nested(&third), honest.input().unwrap()];
    let calls = (0..).zip(&calls).map(|(nonce, input)| execute(nonce, input, CALL_GAS)).collect();
    let block = build(&l2(), calls);
    assert_eq!(successes(&block.block), [false, false, true]);
    assert!(Host::new(l1()).call(CALL, &nested(&block), PLENTY).success);
    // A batch cannot be encoded under this revision.
    let mut batch = block.input().unwrap();
    batch[1] = 0xba;
    assert!(DialectName::Nested.encode(&batch).is_err());
    batch[1] = NESTED_REVISION;
    assert!(DialectName::Nested.encode(&batch).is_err(), "it has this revision already");
}

#[test]
fn nested_calls_never_exceed_paid_work() {
    let (l1, inner) = (l1(), Nested::execute_of_l2(&l1()));
    let dialect = Arc::clone(&l1.dialects[0]);
    for seed in 0_u8..24 {
        let mut random = Random::from_hash(&B256::repeat_byte(seed));
        let (mut transactions, mut work, mut failed) = (Vec::new(), 0, false);
        for nonce in 0..1 + random.in_range(0..4) as u64 {
            let mut input = L2::new(ProtocolFork::Osaka).calldata(random.in_range(0..12) as u64);
            if random.in_range(0..4) == 0 {
                let at = random.in_range(2..input.len());
                input[at] ^= 1;
            }
            // Some calls do not hold their reserve.
            let gas = 300_000 + random.in_range(0..3_000_000) as u64;
            transactions.push(execute(nonce, &input, gas));
            let call = PrecompileCall::from(&input);
            let (answer, deducted) = inner.answer_counted(&ExecutionSpecs, call, gas - 21_000);
            // Failed calls did work for the gas that they were shown to hold.
            failed |= answer.is_err();
            work += deducted;
        }
        let block = build(&l2(), transactions);
        let calldata = nested(&block);
        let answer = l1.answer(&*dialect, &calldata, u64::MAX).unwrap();
        let used = block.block.header.gas_used;
        assert!(work <= used, "seed {seed}: {work} of {used} gas, failed calls: {failed}");
        assert!(used < answer.gas, "seed {seed}: {used} of {} gas", answer.gas);
        // The reserve of the outer call covers all of it.
        let short = l1.answer(&*dialect, &calldata, used);
        assert!(matches!(short, Err(ExecuteError::OutOfGas { .. })), "seed {seed}: {short:?}");
    }
}

/// The gas of such a call takes the time that it pays for, where other gas takes three quarters of
/// it at most. If it covered other work as well, a block of both would take 1.25 times what the
/// call on L1 pays.
#[test]
fn gas_of_nested_calls_covers_no_other_work() {
    let (l1, inner) = (l1(), Nested::execute_of_l2(&l1()));
    let dialect = Arc::clone(&l1.dialects[0]);
    let valid = L2::new(ProtocolFork::Osaka).calldata(12);
    let mut invalid = valid.clone();
    *invalid.last_mut().unwrap() ^= 1;
    let charge = inner.run(&valid, u64::MAX).unwrap().gas;
    let mut owing = 0;
    for (input, nested_gas) in [(&valid, Some(charge)), (&invalid, None)] {
        for times in [0, 1, 100, 400, 1_600] {
            let alone = nested(&build(&l2(), vec![hash(0, times)]));
            let hashing = l1.run_as(&*dialect, &alone, u64::MAX, |_| {}).unwrap().work.spent;
            let block = build(&l2(), vec![execute(0, input, CALL_GAS), hash(1, times)]);
            let calldata = nested(&block);
            let run = |gas| l1.run_as(&*dialect, &calldata, gas, |_| {});
            let executed = run(u64::MAX).unwrap();
            // A failed call burns what it was given, which is all that the transaction has left.
            let call_gas = block.block.transaction_gas(0);
            let work = executed.work.spent;
            let nested_gas = nested_gas.unwrap_or_else(|| work * 4 - hashing * 4);
            assert!(nested_gas <= call_gas && nested_gas > call_gas - 200_000);
            assert_eq!(work, hashing + nested_gas / 4);
            let used = block.block.header.gas_used;
            let plain = executed.gas - work.saturating_sub(used / 4);
            let covered = (used - nested_gas) / 4;
            let owed = hashing.saturating_sub(covered);
            owing += u32::from(owed > 0);
            assert!(executed.gas.abs_diff(plain + owed) <= 1, "{times} hashes");
            assert!(plain > used);
            // With just the reserve it succeeds, with one unit less it is out of gas.
            assert_eq!(run(executed.reserve).unwrap().gas, executed.gas);
            let short = run(executed.reserve - 1).unwrap_err().reason;
            assert!(matches!(short, ExecuteError::OutOfGas { .. }), "{short:?}");
        }
    }
    assert!((2..10).contains(&owing), "{owing} of ten blocks owe something");
}

/// [`Nested`], with a count of the calls of the L2's EXECUTE.
#[derive(Debug)]
struct Counted {
    nested: Nested,
    l2: ExecuteExtension,
}

#[derive(Debug, Default)]
struct CallCount(AtomicUsize);

impl CallObserver for CallCount {
    fn called(&self, _: &ObservedCall<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Dialect for Counted {
    fn name(&self) -> &'static str {
        self.nested.name()
    }

    fn address(&self) -> Address {
        self.nested.address()
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        self.nested.input(call)
    }

    fn evm(&self, _: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        Box::new(self.l2.clone())
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        self.nested.answer(calldata, outcome)
    }
}

/// A call on L1 that cannot pay must not run the nested block first: it would burn less gas than
/// its work takes.
#[test]
fn unpaid_nested_call_is_not_run() {
    let (l1, count) = (l1(), Arc::new(CallCount::default()));
    let observer = Arc::clone(&count) as Arc<dyn CallObserver>;
    let l2_execute = Execute { observer, ..Nested::execute_of_l2(&l1) };
    let dialect = Counted { nested: Nested::new(&l1), l2: ExecuteExtension::new(l2_execute) };
    let valid = L2::new(ProtocolFork::Osaka).calldata(12);
    let mut invalid = valid.clone();
    *invalid.last_mut().unwrap() ^= 1;
    for input in [&valid, &invalid] {
        let calldata = nested(&build(&l2(), vec![hash(0, 1_600), execute(1, input, CALL_GAS)]));
        let run = |gas| {
            let before = count.0.load(Ordering::Relaxed);
            let outcome = l1.run_as(&dialect, &calldata, gas, |_| {});
            (outcome, count.0.load(Ordering::Relaxed) - before)
        };
        let (executed, calls) = run(u64::MAX);
        let executed = executed.unwrap();
        assert_eq!(calls, 1);
        // The gas that a successful call leaves is not charged, but had to be held.
        let WorkGas { spent, peak } = executed.work;
        assert_eq!(spent < peak, input == &valid, "{spent} {peak}");
        let (exact, calls) = run(executed.reserve);
        assert_eq!((exact.unwrap().gas, calls), (executed.gas, 1));
        let (short, calls) = run(executed.reserve - 1);
        let reason = short.unwrap_err().reason;
        assert!(matches!(reason, ExecuteError::OutOfGas { .. }), "{reason:?}");
        assert_eq!(calls, 0);
    }
}
