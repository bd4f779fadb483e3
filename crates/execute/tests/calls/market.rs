//! Calls sold by the market: in every dialect, at one price, within one limit. Work that was done
//! is counted even if the call fails.

use crate::{
    dialects::Claim,
    support::{
        host::{CALL, CallResult, Host, WARM_CALL, push},
        l2::L2,
    },
};
use alloy_primitives::{Address, B256, Bytes, U256, b256};
use codec::blob_tail::{MIN_HEAD, Trailer, to_blobs};
use enshrine_execute::{
    BlockTally, CallObserver, DeclaredGas, Dialect, EXECUTE_ADDRESS, Execute, ExecuteError,
    ExecutionSpecs, Items, ObservedCall, Pricing,
};
use revm::bytecode::opcode as op;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use variants::{
    BLOB_EXECUTE_ADDRESS, BlobSource, BlobTail, Drake, Flat,
    market::{BeyondLimit, LIMIT, MAX_EXCESS, Rate, TARGET, UPDATE_FRACTION, excess_at, price},
};
use wire::ProtocolFork;

const PLENTY: u64 = 500_000_000;
/// Each step of a call requires more gas than the one before it.
const PRICES: Items = Items { base: 1_000, request_byte: 3, witness_byte: 1, item: 100 };
/// An arbitrary hash: the source vouches for the content of its blobs.
const BLOB: B256 = b256!("0x0100000000000000000000000000000000000000000000000000000000000000");

/// A source that returns the same blob for every hash.
#[derive(Debug, Clone)]
struct OneBlob(Bytes);

impl BlobSource for OneBlob {
    fn blob(&self, _: &B256) -> Option<Bytes> {
        Some(self.0.clone())
    }
}

/// Reasons why calls were refused.
#[derive(Debug, Default)]
struct Refusals(Mutex<Vec<ExecuteError>>);

impl CallObserver for Refusals {
    fn called(&self, call: &ObservedCall<'_>) {
        self.0.lock().unwrap().extend(call.outcome.as_ref().err().cloned());
    }
}

/// A block with a number of transfers, and the calls for it in each dialect.
struct TransferBlock {
    input: Vec<u8>,
    /// Root of the state before the block.
    pre: B256,
}

/// A call in one of the dialects.
#[derive(Debug)]
struct Way {
    address: Address,
    calldata: Vec<u8>,
    /// Gas that the call must hold before its calldata is read, before its input is read, before
    /// its transactions are decoded, and before they are executed.
    steps: [u64; 4],
    charge: u64,
}

impl TransferBlock {
    fn new(transfers: u64) -> Self {
        let l2 = L2::new(ProtocolFork::Osaka);
        let pre = l2.chain.head().header.state_root;
        Self { input: l2.calldata(transfers), pre }
    }

    fn execute(&self, gas: impl Pricing + 'static) -> Execute {
        let blob = to_blobs(&self.input[MIN_HEAD..]).swap_remove(0);
        let blobs = BlobTail::new(Arc::new(OneBlob(blob.into())));
        Execute {
            gas: Arc::new(gas),
            dialects: vec![Arc::new(ExecutionSpecs), Arc::new(Drake), Arc::new(blobs)],
            ..Execute::default()
        }
    }

    /// Returns the EVM of a block with this tally, in a transaction that has the blob.
    fn host(&self, gas: impl Pricing + 'static, excess: U256, tally: &Arc<BlockTally>) -> Host {
        let mut host = Host::in_block(self.execute(gas), excess, tally);
        host.blob_hashes = vec![BLOB];
        host
    }

    /// Returns a call in each dialect. The bytes paid for are those of the calldata and of the
    /// blobs that it names.
    fn ways(&self) -> [Way; 3] {
        let (head, tail) = self.input.split_at(MIN_HEAD);
        let trailer = Trailer::new(tail.len(), 0).unwrap().encode();
        let claim = Claim::of(&self.input, self.pre);
        let of_block = DeclaredGas::of_calldata(&self.input).unwrap();
        [
            (EXECUTE_ADDRESS, self.input.clone(), 0),
            (Drake.address(), claim.encode(&self.input), 0),
            (BLOB_EXECUTE_ADDRESS, [head, &trailer].concat(), tail.len()),
        ]
        .map(|(address, calldata, named)| {
            let bytes = (calldata.len() + named) as u64;
            let declared = DeclaredGas { calldata: bytes, ..of_block };
            let steps = [
                PRICES.bytes(calldata.len() as u64),
                PRICES.bytes(bytes),
                PRICES.input(&declared),
                PRICES.reserve(&declared),
            ];
            let charge = PRICES.charge(&declared, claim.gas_used.to());
            Way { address, calldata, steps, charge }
        })
    }
}

impl Way {
    const fn reserve(&self) -> u64 {
        self.steps[3]
    }

    fn call(&self, host: &mut Host, gas: u64) -> CallResult {
        host.call_at(self.address, CALL, &self.calldata, gas)
    }
}

/// Tally of a block with `left` EXECUTE gas left, in which a unit of gas buys a unit of EXECUTE
/// gas.
fn at_par(left: u64) -> Arc<BlockTally> {
    let tally = BlockTally::new(price(0));
    tally.count(LIMIT - left);
    Arc::new(tally)
}

/// Result of a failed call, as a contract sees it.
const fn halted(gas: u64) -> CallResult {
    CallResult { success: false, returned: vec![], gas: WARM_CALL + gas }
}

#[test]
fn every_dialect_pays_market_price_and_is_counted() {
    let transfer = TransferBlock::new(2);
    for (wei, base_fee) in [(1, 1), (7, 2), (2, 7)] {
        let excess = excess_at(wei);
        let rate = Rate { price: price(excess), base_fee };
        for way in transfer.ways() {
            let tally = Arc::new(BlockTally::new(base_fee));
            let mut host = transfer.host(PRICES, U256::from(excess), &tally);
            let outcome = way.call(&mut host, PLENTY);
            let expected = (true, WARM_CALL + rate.gas(way.charge));
            assert_eq!((outcome.success, outcome.gas), expected, "{way:?}");
            assert_eq!(tally.used(), way.charge, "{way:?}");
            // The call needs exactly its price.
            let reserve = rate.gas(way.reserve());
            assert!(way.call(&mut host, reserve).success, "{way:?}");
            assert_eq!(way.call(&mut host, reserve - 1), halted(reserve - 1), "{way:?}");
        }
    }
}

#[test]
fn all_dialects_share_the_block_limit() {
    const THIRD: u64 = LIMIT / 3;
    let transfer = TransferBlock::new(0);
    let prices = Flat { base: THIRD, per_byte: 0 };
    for last in transfer.ways() {
        let tally = at_par(LIMIT);
        let mut host = transfer.host(prices, U256::ZERO, &tally);
        for (count, way) in (1..).zip(transfer.ways()) {
            assert!(way.call(&mut host, PLENTY).success, "{way:?}");
            assert_eq!(tally.used(), count * THIRD, "{way:?}");
        }
        // The gas of the block is exhausted in every dialect; in a new block the call succeeds.
        assert_eq!(last.call(&mut host, PLENTY), halted(PLENTY), "{last:?}");
        assert_eq!(tally.used(), LIMIT, "{last:?}");
        let mut next = transfer.host(prices, U256::ZERO, &at_par(LIMIT));
        assert!(last.call(&mut next, PLENTY).success, "{last:?}");
    }
}

#[test]
fn claims_halt_when_block_limit_is_exhausted() {
    let transfer = TransferBlock::new(2);
    let [_, way, _] = transfer.ways();
    let answer = |claim: &[u8], left| {
        let mut host = transfer.host(PRICES, U256::ZERO, &at_par(left));
        host.call_at(Drake.address(), CALL, claim, PLENTY)
    };
    let word = |answer: u8| (true, B256::with_last_byte(answer).to_vec());
    let reserve = way.reserve();
    let outcome = answer(&way.calldata, reserve);
    assert_eq!((outcome.success, outcome.returned), word(1));
    // A negative answer would claim that a valid block is invalid, only because other calls came
    // first.
    for left in way.steps.map(|step| step - 1).into_iter().chain([0]) {
        assert_eq!(answer(&way.calldata, left), halted(PLENTY), "{left}");
    }
    // A false claim is answered while the limit lasts, and halts when it is exhausted.
    let claim = Claim { gas_used: U256::ZERO, ..Claim::of(&transfer.input, transfer.pre) };
    let wrong = claim.encode(&transfer.input);
    let outcome = answer(&wrong, reserve);
    assert_eq!((outcome.success, outcome.returned), word(0));
    assert_eq!(answer(&wrong, reserve - 1), halted(PLENTY));
}

#[test]
fn failed_calls_count_the_gas_they_held() {
    let transfer = TransferBlock::new(2);
    for way in transfer.ways() {
        let [calldata, bytes, input, reserve] = way.steps;
        assert!(calldata <= bytes && bytes < input && input < way.charge && way.charge < reserve);
        for maximum in way.steps.into_iter().flat_map(|step| [step - 1, step]) {
            // An amount that the call cannot hold causes no work. The amounts that it held before
            // have paid for work.
            let held = way.steps.into_iter().filter(|step| *step <= maximum).max();
            let success = held == Some(reserve);
            let counted = if success { way.charge } else { held.unwrap_or(0) };
            for (gas, left) in [(maximum, LIMIT), (PLENTY, maximum), (maximum, maximum)] {
                let tally = at_par(left);
                let before = tally.used();
                let outcome = way.call(&mut transfer.host(PRICES, U256::ZERO, &tally), gas);
                assert_eq!(outcome.success, success, "{gas} {left} {way:?}");
                assert_eq!(tally.used() - before, counted, "{gas} {left} {way:?}");
            }
        }
    }
}

#[test]
fn out_of_gas_precedes_block_limit_error() {
    let transfer = TransferBlock::new(2);
    for way in transfer.ways() {
        let reserve = way.reserve();
        let refusal = |gas, left| {
            let refusals = Arc::new(Refusals::default());
            let execute =
                Execute { observer: Arc::clone(&refusals) as _, ..transfer.execute(PRICES) };
            let mut host = Host::in_block(execute, U256::ZERO, &at_par(left));
            host.blob_hashes = vec![BLOB];
            way.call(&mut host, gas);
            refusals.0.lock().unwrap().pop()
        };
        let short = ExecuteError::OutOfGas { got: reserve - 1, reserve };
        let full = ExecuteError::from(BeyondLimit { got: LIMIT + 1, limit: LIMIT });
        // If both are short, the error names the gas, which the caller can change.
        assert_eq!(refusal(reserve - 1, reserve), Some(short.clone()), "{way:?}");
        assert_eq!(refusal(reserve - 1, reserve - 1), Some(short), "{way:?}");
        for gas in [reserve, reserve + 1, PLENTY] {
            assert_eq!(refusal(gas, reserve - 1), Some(full.clone()), "{gas} {way:?}");
            assert_eq!(refusal(gas, reserve), None, "{gas} {way:?}");
        }
    }
}

/// A clock that advances by a second with each reading, and the call durations measured with it.
#[derive(Debug, Default)]
struct Durations {
    looks: AtomicU64,
    took: Mutex<Vec<Duration>>,
}

impl CallObserver for Durations {
    fn now(&self) -> Duration {
        Duration::from_secs(100 + self.looks.fetch_add(1, Ordering::Relaxed))
    }

    fn called(&self, call: &ObservedCall<'_>) {
        self.took.lock().unwrap().push(call.took);
    }
}

#[test]
fn call_duration_follows_observer_clock() {
    let transfer = TransferBlock::new(1);
    for way in transfer.ways() {
        let durations = Arc::new(Durations::default());
        let execute = Execute { observer: Arc::clone(&durations) as _, ..transfer.execute(PRICES) };
        let mut host = Host::in_block(execute, U256::ZERO, &at_par(LIMIT));
        host.blob_hashes = vec![BLOB];
        for gas in [PLENTY, 0] {
            way.call(&mut host, gas);
        }
        assert_eq!(*durations.took.lock().unwrap(), [Duration::from_secs(1); 2], "{way:?}");
    }
}

#[test]
fn price_is_capped_for_any_excess() {
    let transfer = TransferBlock::new(2);
    let [way, ..] = transfer.ways();
    let base_fee = 2 * price(MAX_EXCESS);
    let paid = |excess: U256| {
        let tally = Arc::new(BlockTally::new(base_fee));
        let outcome = way.call(&mut transfer.host(PRICES, excess, &tally), PLENTY);
        assert!(outcome.success, "{excess}: {outcome:?}");
        outcome.gas - WARM_CALL
    };
    let highest = way.charge.div_ceil(2);
    assert_eq!(paid(U256::from(MAX_EXCESS)), highest);
    assert!(paid(U256::from(MAX_EXCESS - UPDATE_FRACTION)) < highest / 2);
    // The slot is a word: a genesis can set it to a value that no block can write.
    let beyond = U256::from(u64::MAX);
    for excess in [
        U256::from(MAX_EXCESS + TARGET),
        beyond,
        beyond + U256::ONE,
        (U256::ONE << 64) + U256::from(TARGET),
        U256::MAX,
    ] {
        assert_eq!(paid(excess), highest, "{excess}");
    }
}

#[test]
fn calls_without_gas_do_not_affect_later_calls() {
    const CALLS: usize = 1_000;
    let transfer = TransferBlock::new(2);
    for (wei, base_fee) in [(1, 1), (7, 2), (2, 7)] {
        let excess = excess_at(wei);
        let rate = Rate { price: price(excess), base_fee };
        for way in transfer.ways() {
            let mut without_gas = Vec::new();
            for _ in 0..CALLS {
                without_gas.extend([op::PUSH0; 4]);
                push(&mut without_gas, way.address.as_slice());
                without_gas.extend([op::PUSH0, op::STATICCALL, op::POP]);
            }
            let see = |before: Vec<u8>| {
                let tally = Arc::new(BlockTally::new(base_fee));
                let refusals = Arc::new(Refusals::default());
                let execute =
                    Execute { observer: Arc::clone(&refusals) as _, ..transfer.execute(PRICES) };
                let mut host = Host::in_block(execute, U256::from(excess), &tally);
                host.blob_hashes = vec![BLOB];
                let outcome = host.call_after(before, way.address, CALL, &way.calldata, PLENTY);
                assert_eq!(tally.used(), way.charge, "{way:?}");
                let refusals = refusals.0.lock().unwrap().clone();
                (outcome, refusals)
            };
            let (first, none) = see(vec![]);
            assert_eq!((first.success, first.gas), (true, WARM_CALL + rate.gas(way.charge)));
            assert_eq!(none, []);
            let (behind, refusals) = see(without_gas);
            assert_eq!(behind, first, "{way:?}");
            let refused = ExecuteError::OutOfGas { got: 0, reserve: rate.gas(PRICES.bytes(0)) };
            assert_eq!(refusals, vec![refused; CALLS], "{way:?}");
        }
    }
}

#[test]
fn each_call_pays_price_of_its_state() {
    const BASE_FEE: u64 = 3;
    let transfer = TransferBlock::new(2);
    let [way, ..] = transfer.ways();
    let excesses = [0, excess_at(7), excess_at(7), excess_at(2), 0, excess_at(1_000)];
    let tally = Arc::new(BlockTally::new(BASE_FEE));
    let mut host = transfer.host(PRICES, U256::ZERO, &tally);
    let outcome = host.call_at_each(&excesses.map(U256::from), CALL, &way.calldata, PLENTY);
    for (excess, outcome) in excesses.into_iter().zip(&outcome) {
        let rate = Rate { price: price(excess), base_fee: BASE_FEE };
        let paid = (outcome.success, outcome.gas);
        assert_eq!(paid, (true, WARM_CALL + rate.gas(way.charge)), "{excess}");
    }
    assert_eq!(tally.used(), excesses.len() as u64 * way.charge);
}
