//! Inputs whose tails are in blobs. Verdict, answer and price are those of the same input in
//! calldata, and only blobs of the surrounding transaction count.

use crate::{
    PLENTY, PRICES,
    support::{
        host::{CALL, CallResult, Host, WARM_CALL},
        l2::L2,
    },
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256};
use codec::Encode as _;
use codec::blob_tail::{BLOB_CAPACITY, BlobTailError, MIN_HEAD, Trailer, cut, to_blobs};
use enshrine_execute::{Answer, Execute, ExecuteError, ExecutionSpecs, PrecompileCall, Refused};
use executor::InternalError;
use std::{collections::BTreeMap, sync::Arc};
use testkit::{mutations, mutations_of_batch};
use variants::{BLOB_EXECUTE_ADDRESS, BlobRefusal, BlobSource, BlobTail};
use wire::{ProtocolFork, StatelessInput};

/// An arbitrary hash: the source vouches for the content of its blobs.
const FIRST: B256 = b256!("0x0100000000000000000000000000000000000000000000000000000000000000");

/// Blobs that a node has.
#[derive(Debug, Clone, Default)]
struct Held(BTreeMap<B256, Bytes>);

impl BlobSource for Held {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        self.0.get(versioned_hash).cloned()
    }
}

fn hash_number(number: u64) -> B256 {
    B256::from(U256::from_be_bytes(FIRST.0) + U256::from(number))
}

/// Error for calldata and blobs that do not form an input.
fn bad_tail(error: BlobTailError) -> ExecuteError {
    BlobRefusal::from(error).into()
}

/// A call whose input ends in blobs, the versioned hashes of the surrounding transaction, and the
/// blobs that the node has.
#[derive(Debug, Clone)]
struct SplitCall {
    calldata: Vec<u8>,
    hashes: Vec<B256>,
    held: Held,
}

impl SplitCall {
    /// Splits an input at `at`. The transaction has `others` other blobs before those of the tail.
    fn split(input: &[u8], at: usize, others: u8) -> Self {
        let (head, tail) = input.split_at(at);
        Self::of(head, tail, others)
    }

    /// Splits an input with the smallest head.
    fn cut(input: &[u8]) -> Self {
        let (head, tail) = cut(input).unwrap();
        Self::of(&head, &tail, 0)
    }

    fn of(head: &[u8], tail: &[u8], others: u8) -> Self {
        let trailer = Trailer::new(tail.len(), others).unwrap().encode();
        let other = || vec![0x11; 131_072];
        let blobs = (0..others).map(|_| other()).chain(to_blobs(tail));
        let held: BTreeMap<_, _> = (0..).map(hash_number).zip(blobs.map(Bytes::from)).collect();
        let hashes = held.keys().copied().collect();
        Self { calldata: [head, &trailer].concat(), hashes, held: Held(held) }
    }

    fn dialect(&self) -> BlobTail {
        BlobTail::new(Arc::new(self.held.clone()))
    }

    fn execute(&self) -> Execute {
        let dialect = self.dialect();
        Execute {
            gas: Arc::new(PRICES),
            dialects: vec![Arc::new(ExecutionSpecs), Arc::new(dialect)],
            ..Execute::default()
        }
    }

    fn ask(&self, gas: u64) -> Result<Answer, ExecuteError> {
        let call = PrecompileCall { calldata: &self.calldata, blob_hashes: &self.hashes };
        self.execute().answer(&self.dialect(), call, gas)
    }
}

fn good() -> Vec<u8> {
    L2::new(ProtocolFork::Osaka).calldata(2)
}

/// A batch of blocks with this many transfers.
fn batch(transfers: &[u64]) -> Vec<u8> {
    L2::new(ProtocolFork::Osaka).batch(transfers).1
}

fn plain(input: &[u8]) -> Answer {
    let execute = Execute { gas: Arc::new(PRICES), ..Execute::default() };
    execute.answer(&ExecutionSpecs, input, PLENTY).unwrap()
}

/// Wherever the tail begins, the answer is that of the whole input, and each byte is paid for once.
#[test]
fn split_point_does_not_change_answer_or_price() {
    let input = good();
    let whole = plain(&input);
    for at in [MIN_HEAD, MIN_HEAD + 1, input.len() / 2, input.len() - 1, input.len()] {
        for others in [0, 3] {
            let answer = SplitCall::split(&input, at, others).ask(PLENTY).unwrap();
            assert_eq!(answer.output, whole.output, "{at}");
            // The trailer is calldata like any other.
            assert_eq!(answer.gas, whole.gas + 2 * 8, "{at}");
        }
    }
}

#[test]
fn tail_may_span_several_blobs() {
    // Surplus codes, which are allowed, make the witness long enough.
    let short = good();
    let mut input = StatelessInput::decode(&short).unwrap();
    let own = input.witness.codes.iter().map(Bytes::copy_from_slice);
    let codes: Vec<Bytes> = own.chain((1..=5).map(|byte| vec![byte; 60_000].into())).collect();
    input.witness.codes = codes.as_slice().into();
    let long = input.encode();
    assert!((2 * BLOB_CAPACITY..3 * BLOB_CAPACITY).contains(&(long.len() - MIN_HEAD)));
    let split_call = SplitCall::split(&long, MIN_HEAD, 1);
    assert_eq!(split_call.hashes.len(), 1 + 3);
    assert_eq!(split_call.ask(PLENTY).unwrap().output, plain(&long).output);
}

#[test]
fn batch_in_blobs_equals_batch_in_calldata() {
    for transfers in [&[2][..], &[0, 0, 0], &[3, 0, 1], &[1; 20]] {
        let batch = batch(transfers);
        let (split_call, whole) = (SplitCall::cut(&batch), plain(&batch));
        assert_eq!(split_call.calldata.len(), 18 + 588 * transfers.len() + 8);
        let answer = split_call.ask(PLENTY).unwrap();
        assert_eq!((answer.output, answer.gas), (whole.output, whole.gas + 2 * 8), "{transfers:?}");
        // Every other split of a batch is refused.
        for at in [MIN_HEAD, batch.len() / 2, batch.len()] {
            let refused = SplitCall::split(&batch, at, 0).ask(PLENTY);
            let expected = 18 + 588 * transfers.len();
            let (blocks, got) = (transfers.len(), at);
            let error = BlobTailError::HeadLength { blocks, got, expected };
            assert_eq!(refused, Err(bad_tail(error)), "{transfers:?}");
        }
    }
}

#[test]
fn batch_head_is_checked_before_blobs_are_fetched() {
    let batch = batch(&[1, 2]);
    let absent = |at: usize, bit: u8| {
        let mut split_call = SplitCall::cut(&batch);
        split_call.calldata[at] ^= bit;
        SplitCall { held: Held::default(), ..split_call }
    };
    let missing = Err(ExecuteError::Internal(InternalError::BlobAbsent(FIRST)));
    assert_eq!(absent(0, 0).ask(PLENTY), missing);
    let refused = absent(18, 4).ask(PLENTY);
    assert!(
        matches!(&refused, Err(ExecuteError::Variant { kind: "blobTail", reason }) if reason.contains("bytes in the head")),
        "{refused:?}"
    );
    let refused = absent(18 + 4 + 3, 1).ask(PLENTY);
    assert!(
        matches!(&refused, Err(ExecuteError::Variant { kind: "blobTail", reason }) if reason.contains("request 1 of")),
        "{refused:?}"
    );
    let reserve = 1_000 + 2 * (batch.len() as u64 + 8);
    for (at, bit) in [(0, 0), (18, 4), (18 + 4 + 3, 1)] {
        let short = Err(ExecuteError::OutOfGas { got: reserve - 1, reserve });
        assert_eq!(absent(at, bit).ask(reserve - 1), short);
    }
}

#[test]
fn tampered_batch_head_is_refused() {
    let batch = batch(&[2, 1, 2]);
    let split_call = SplitCall::cut(&batch);
    let output = plain(&batch).output;
    assert_eq!(split_call.ask(PLENTY).unwrap().output, output);
    // Changes a bit of the contents of the head, and of their offsets.
    for at in (2..split_call.calldata.len()).step_by(3) {
        let mut calldata = split_call.calldata.clone();
        calldata[at] ^= 1 << (at % 8);
        let answer = SplitCall { calldata, ..split_call.clone() }.ask(PLENTY);
        assert!(answer.is_err(), "{at}: {answer:?}");
    }
    // The parts of two blocks are swapped.
    let mut calldata = split_call.calldata.clone();
    let (first, second) = (18 + 12, 18 + 12 + 584);
    calldata[first..second + 584].rotate_left(584);
    assert!(SplitCall { calldata, ..split_call.clone() }.ask(PLENTY).is_err());
    // The boundaries are moved, so that each byte of the batch is still present.
    for shift in [-1_i32, 1, 584] {
        let mut calldata = split_call.calldata.clone();
        let at = 18 + 4;
        let offset = u32::from_le_bytes(calldata[at..at + 4].try_into().unwrap());
        calldata[at..at + 4].copy_from_slice(&(offset.wrapping_add_signed(shift)).to_le_bytes());
        assert!(SplitCall { calldata, ..split_call.clone() }.ask(PLENTY).is_err(), "{shift}");
    }
}

#[test]
fn batches_in_one_transaction_use_separate_blobs() {
    let (one, other) = (batch(&[1, 1]), batch(&[2, 3]));
    let (head, tail) = cut(&other).unwrap();
    let mut second = SplitCall::of(&head, &tail, 1);
    let first = SplitCall::cut(&one);
    second.held.0.insert(FIRST, first.held.blob(&FIRST).unwrap());
    let with = |split_call: &SplitCall, first: u8| {
        let mut calldata = split_call.calldata.clone();
        let at = calldata.len() - 4;
        calldata[at] = first;
        SplitCall { calldata, ..second.clone() }.ask(PLENTY)
    };
    assert_eq!(with(&first, 0).unwrap().output, plain(&one).output);
    assert_eq!(with(&second, 1).unwrap().output, plain(&other).output);
    // Each head with the blob of the other.
    assert!(with(&first, 1).is_err());
    assert!(with(&second, 0).is_err());
}

#[test]
fn contract_calls_use_blobs_of_their_transaction() {
    let input = good();
    let split_call = SplitCall::split(&input, MIN_HEAD, 0);
    let mut host = Host::new(split_call.execute());
    host.blob_hashes.clone_from(&split_call.hashes);
    let gas = WARM_CALL + plain(&input).gas + 2 * 8;
    let returned = plain(&input).output.to_vec();
    let outcome = host.call_at(BLOB_EXECUTE_ADDRESS, CALL, &split_call.calldata, PLENTY);
    assert_eq!(outcome, CallResult { success: true, returned, gas });
    // The node has the blob, but the transaction has no blob, or another one.
    let failed = CallResult { success: false, returned: vec![], gas: WARM_CALL + PLENTY };
    host.blob_hashes.clear();
    assert_eq!(host.call_at(BLOB_EXECUTE_ADDRESS, CALL, &split_call.calldata, PLENTY), failed);
    let mut held = split_call.held.clone();
    held.0.insert(hash_number(7), to_blobs(&input[MIN_HEAD + 1..])[0].clone().into());
    let mut host = Host::new(SplitCall { held, ..split_call.clone() }.execute());
    host.blob_hashes = vec![hash_number(7)];
    assert_eq!(host.call_at(BLOB_EXECUTE_ADDRESS, CALL, &split_call.calldata, PLENTY), failed);
    // Each address accepts only its own calldata.
    host.blob_hashes.clone_from(&split_call.hashes);
    assert!(host.call_at(BLOB_EXECUTE_ADDRESS, CALL, &split_call.calldata, PLENTY).success);
    assert_eq!(host.call_at(BLOB_EXECUTE_ADDRESS, CALL, &input, PLENTY), failed);
    assert_eq!(host.call(CALL, &split_call.calldata, PLENTY), failed);
    // Without the precompile, the address is an account like any other.
    let outcome = Host::new(Execute::default()).call_at(
        BLOB_EXECUTE_ADDRESS,
        CALL,
        &split_call.calldata,
        PLENTY,
    );
    assert!(outcome.success && outcome.returned.is_empty());
    assert_eq!(BLOB_EXECUTE_ADDRESS, Address::from_word(B256::from(U256::from(0x103))));
}

#[test]
fn absent_blob_yields_no_verdict() {
    let mut split_call = SplitCall::split(&good(), MIN_HEAD, 0);
    assert!(split_call.ask(PLENTY).is_ok());
    split_call.held = Held::default();
    let absent = InternalError::BlobAbsent(FIRST);
    assert_eq!(split_call.ask(PLENTY), Err(ExecuteError::Internal(absent)));
    let mut host = Host::new(split_call.execute());
    host.blob_hashes.clone_from(&split_call.hashes);
    let call = TxKind::Call(BLOB_EXECUTE_ADDRESS);
    let stopped = host.try_transact(call, &split_call.calldata, PLENTY).unwrap_err();
    assert!(stopped.contains(&format!("blob {FIRST} is not available")), "{stopped}");
}

#[test]
fn blob_index_out_of_range_fetches_nothing() {
    let mut split_call = SplitCall::split(&good(), MIN_HEAD, 2);
    assert!(split_call.ask(PLENTY).is_ok());
    split_call.hashes.pop();
    split_call.held = Held::default();
    assert_eq!(split_call.ask(PLENTY), Err(BlobRefusal::NoSuchBlob { needed: 3, has: 2 }.into()));
    split_call.hashes.clear();
    assert_eq!(split_call.ask(PLENTY), Err(BlobRefusal::NoSuchBlob { needed: 3, has: 0 }.into()));
}

#[test]
fn unpaid_calls_fetch_no_blobs() {
    let input = good();
    let split_call = SplitCall::split(&input, MIN_HEAD, 0);
    let reserve = 1_000 + 2 * (input.len() as u64 + 8);
    let absent = SplitCall { held: Held::default(), ..split_call };
    let short = Err(ExecuteError::OutOfGas { got: reserve - 1, reserve });
    assert_eq!(absent.ask(reserve - 1), short);
    assert!(matches!(absent.ask(reserve), Err(ExecuteError::Internal(_))));
}

#[test]
fn malformed_tail_blob_fails_the_call() {
    let input = good();
    let split_call = SplitCall::split(&input, MIN_HEAD, 0);
    assert!(split_call.ask(PLENTY).is_ok());
    let with = |at: usize, byte: u8| {
        let mut blob = split_call.held.blob(&FIRST).unwrap().to_vec();
        blob[at] = byte;
        let held = Held([(FIRST, blob.into())].into());
        SplitCall { held, ..split_call.clone() }.ask(PLENTY).unwrap_err()
    };
    let tail = u32::try_from(input.len() - MIN_HEAD).unwrap();
    assert_eq!(with(64, 1), bad_tail(BlobTailError::Element { blob: 0, element: 2, got: 1 }));
    assert_eq!(with(131_071, 1), bad_tail(BlobTailError::Padding { tail }));
    // The tail of another input is decoded as that input.
    assert!(matches!(with(1, 0xee), ExecuteError::Decode(_) | ExecuteError::Invalid(_)));
}

#[test]
fn overstated_tail_length_costs_gas_not_memory() {
    let mut split_call = SplitCall::split(&good(), MIN_HEAD, 0);
    let claimed = 255 * BLOB_CAPACITY;
    split_call.calldata.truncate(MIN_HEAD);
    split_call.calldata.extend(Trailer::new(claimed, 0).unwrap().encode());
    assert_eq!(split_call.ask(PLENTY), Err(BlobRefusal::NoSuchBlob { needed: 255, has: 1 }.into()));
    split_call.hashes = vec![FIRST; 255];
    let reserve = 1_000 + 2 * (claimed + MIN_HEAD + 8) as u64;
    assert_eq!(split_call.ask(PLENTY), Err(ExecuteError::OutOfGas { got: PLENTY, reserve }));
}

type Outcome = Result<Answer, ExecuteError>;

/// Asserts that the outcomes of a whole and of a split input are equal, but for the gas of the
/// trailer. Returns `true` if both are accepted.
#[track_caller]
fn is_equal(whole: Outcome, split: Outcome) -> bool {
    match (whole, split) {
        (Ok(whole), Ok(split)) => {
            assert_eq!((whole.output, whole.gas + 16), (split.output, split.gas));
            return true;
        }
        (Err(ExecuteError::OutOfGas { .. }), Err(ExecuteError::OutOfGas { .. })) => {}
        (whole, split) => assert_eq!(whole, split),
    }
    false
}

#[test]
fn mutated_batch_in_blobs_matches_calldata_outcome() {
    let good = batch(&[1, 2, 0]);
    let (mut valid, mut cuts) = (0, 0);
    for bad in mutations_of_batch(&good, 2_000) {
        // An input that cannot be split cannot be decoded either.
        let execute = Execute { gas: Arc::new(PRICES), ..Execute::default() };
        let whole = execute.answer(&ExecutionSpecs, &bad, PLENTY);
        let Some((head, tail)) = cut(&bad) else {
            assert!(whole.is_err());
            continue;
        };
        cuts += 1;
        valid += u64::from(is_equal(whole, SplitCall::of(&head, &tail, 0).ask(PLENTY)));
    }
    assert!(valid < cuts && cuts > 500, "{valid} of {cuts}");
}

#[test]
fn mutated_input_or_trailer_matches_calldata_outcome() {
    let good = good();
    let mut valid = 0;
    for bad in mutations(&good, 2_000) {
        if bad.len() < MIN_HEAD {
            continue;
        }
        let execute = Execute { gas: Arc::new(PRICES), ..Execute::default() };
        let whole = execute.answer(&ExecutionSpecs, &bad, PLENTY);
        valid += u64::from(is_equal(whole, SplitCall::split(&bad, MIN_HEAD, 0).ask(PLENTY)));
    }
    assert!(valid < 2_000);
    // Every bit of the trailer.
    let split_call = SplitCall::split(&good, MIN_HEAD, 0);
    let output = plain(&good).output;
    for at in MIN_HEAD..split_call.calldata.len() {
        for bit in 0..8 {
            let mut calldata = split_call.calldata.clone();
            calldata[at] ^= 1 << bit;
            let answer = SplitCall { calldata, ..split_call.clone() }.ask(PLENTY);
            assert!(answer.is_err(), "{at} {bit}: {answer:?} {output}");
        }
    }
}

#[test]
fn refused_call_has_paid_for_declared_bytes() {
    let input = good();
    let mut split_call = SplitCall::split(&input, MIN_HEAD, 0);
    let blob = to_blobs(&vec![0xee; input.len() - MIN_HEAD])[0].clone();
    split_call.held = Held([(FIRST, blob.into())].into());
    let call = PrecompileCall { calldata: &split_call.calldata, blob_hashes: &split_call.hashes };
    let outcome = split_call.execute().run_as(&split_call.dialect(), call, PLENTY, |_| {});
    let Refused { gas: held, .. } = outcome.unwrap_err();
    assert!(held >= 1_000 + 2 * (input.len() as u64 + 8));
}
