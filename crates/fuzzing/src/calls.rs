//! EXECUTE calls in each dialect.

use crate::{
    Outcome,
    cached_execute::{assert_no_fault, is_in_sample},
    choices::Choices,
    forked_chain::ForkedChain,
};
use alloy_primitives::{B256, Bytes};
use execute::{Answer, ExecuteError, PrecompileCall};
use std::sync::Arc;
use testkit::{draft_resealed, relinked, resealed};
use variants::{
    BlobSource, DialectCall, DialectEncodeError, DialectName, Dialects, Draft8079, Headers,
};
use wire::StatelessResult;

/// Gas that no call can exhaust.
const PLENTY: u64 = u64::MAX;
/// Maximum gas that a call on an input of a chain reserves.
const MAX_RESERVE: u64 = 24_000;

/// Blobs of a transaction; the first byte of a versioned hash is the index of its blob.
#[derive(Debug)]
pub(crate) struct TransactionBlobs(pub(crate) Vec<Bytes>);

impl TransactionBlobs {
    /// Returns the versioned hashes of the blobs.
    pub(crate) fn hashes(&self) -> Vec<B256> {
        (0..=u8::MAX).take(self.0.len()).map(B256::repeat_byte).collect()
    }
}

impl BlobSource for TransactionBlobs {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        self.0.get(usize::from(versioned_hash[0])).cloned()
    }
}

/// Checks calls in each dialect: arbitrary calldata, mutated calldata of a valid call, and calls
/// with a mutated input.
///
/// A call never causes an internal error. It is accepted if and only if its inner input is accepted
/// in the form of the execution-specs and its other claims are true. With any amount of gas, it has
/// the same result or runs out of gas.
pub fn dialects(data: &[u8]) -> Outcome {
    let mut choices = Choices::new(data);
    let dialect = *choices.pick(&DialectName::OF_ETHEREUM);
    let forked = choices.pick(ForkedChain::all());
    let good = forked.inputs();
    let kind = choices.byte() % 4;
    let gas = if choices.flag() { PLENTY } else { u64::from(choices.number()) % (2 * MAX_RESERVE) };
    if kind == 0 {
        let calldata = choices.rest().to_vec();
        return compare(forked, dialect, DialectCall { calldata, blobs: Vec::new() }, gas);
    }
    if dialect == DialectName::Draft8079 {
        // Blocks of the draft are from another chain, so none of the inputs below has this form.
        let mut calldata = forked.draft.clone();
        choices.edit(&mut calldata, 4);
        if choices.flag() {
            calldata = draft_resealed(&calldata, |_, _| {}).unwrap_or(calldata);
        }
        return compare(forked, dialect, DialectCall { calldata, blobs: Vec::new() }, gas);
    }
    let mut input = choices.pick(&good).to_vec();
    if kind == 1 {
        let call = match dialect.encode(&input) {
            Err(DialectEncodeError::Batch(_)) => return Outcome::Unreadable,
            call => call,
        };
        let mut call = call.expect("a good input has a form in each dialect");
        choices.edit(&mut call.calldata, 4);
        if choices.flag() {
            let sealed = resealed(&call.calldata, |_| {});
            let sealed = sealed.or_else(|| relinked(&call.calldata, |_| {}));
            call.calldata = sealed.unwrap_or(call.calldata);
        }
        return compare(forked, dialect, call, gas);
    }
    choices.edit(&mut input, 4);
    if choices.flag() {
        let sealed = resealed(&input, |_| {}).or_else(|| relinked(&input, |_| {}));
        input = sealed.unwrap_or(input);
    }
    // Some dialects also accept blocks of nested L2s, which are compared under the revision of the
    // execution-specs.
    let readable = match dialect {
        DialectName::Blobs | DialectName::Headers | DialectName::HeadersBlobs => {
            DialectName::Nested.decode(&input, &[] as &[Bytes])
        }
        _ => Ok(input.clone()),
    };
    let readable = readable.expect("an input of either revision has this form");
    let accepted = forked.priced.verdict(&readable).is_ok();
    let call = match dialect.encode(&input) {
        Ok(call) => call,
        // The input cannot be compared, because the dialect has no batches.
        Err(DialectEncodeError::Batch(_)) => return Outcome::Unreadable,
        Err(reason) => {
            assert!(!accepted, "an accepted input has a form in {dialect}: {reason}");
            return Outcome::Refused;
        }
    };
    let outcome = compare(forked, dialect, call, gas);
    assert_eq!(outcome, Outcome::of(accepted), "{dialect}, and the execution-specs");
    outcome
}

/// Compares the verdict on a call with that on its inner input.
fn compare(forked: &ForkedChain, dialect: DialectName, call: DialectCall, gas: u64) -> Outcome {
    let execute = &forked.priced.execute;
    let DialectCall { calldata, blobs } = call;
    let held = TransactionBlobs(blobs.into_iter().map(Bytes::from).collect());
    let hashes = held.hashes();
    let precompile = PrecompileCall { calldata: &calldata, blob_hashes: &hashes };
    let blobs = held.0.clone();
    let source: Arc<dyn BlobSource> = Arc::new(held);
    // With the nested dialect installed, these dialects also accept blocks of nested L2s.
    let installed = match dialect {
        DialectName::Blobs | DialectName::Headers | DialectName::HeadersBlobs => {
            Dialects::usual(&[dialect, DialectName::Nested])
        }
        dialect => Dialects::usual(&[dialect]),
    };
    let mut dialects = installed.of(execute.clone(), &source).dialects;
    dialects.retain(|known| known.address() == dialect.address());
    let own = dialects.remove(0);
    let full = forked.answers.get_or((dialect, &calldata, &blobs), || {
        let decoded = dialect.decode(&calldata, &blobs);
        let expected = decoded.and_then(|input| dialect.run(execute, &calldata, &input));
        assert_no_fault(&expected);
        let full = execute.answer(&*own, precompile, PLENTY);
        assert_no_fault(&full);
        let accepted = full.as_ref().is_ok_and(is_positive);
        assert_eq!(accepted, expected.is_ok(), "{dialect}: {:?}", expected.err());
        full
    });
    let outcome = Outcome::of(full.as_ref().is_ok_and(is_positive));
    // With more gas than its charge, a call runs like the one before, so most calls are not
    // executed again.
    let charge = full.as_ref().map_or(MAX_RESERVE, |answer| answer.gas);
    if gas == PLENTY || gas > charge && !is_in_sample(&calldata) {
        return outcome;
    }
    match execute.answer(&*own, precompile, gas) {
        Ok(answer) => {
            assert!(answer.gas <= gas, "a call is charged what it holds, at most");
            assert_eq!(Ok(answer), full, "with {gas} gas");
        }
        Err(ExecuteError::OutOfGas { got, reserve }) => {
            assert!(got == gas && reserve > gas, "{reserve} reserved, {gas} given");
        }
        refused => assert_eq!(refused, full, "with {gas} gas"),
    }
    outcome
}

/// Returns `true` if the answer declares the block valid: a result, with headers in some dialects,
/// or the word 1 in Drake's dialect.
fn is_positive(answer: &Answer) -> bool {
    let output = &answer.output;
    let is_known = [StatelessResult::LEN, Draft8079::ANSWER_LEN, 32].contains(&output.len());
    assert!(is_known || Headers::split(output).is_some(), "{output}");
    output.len() >= StatelessResult::LEN || output[..] == B256::with_last_byte(1)[..]
}
