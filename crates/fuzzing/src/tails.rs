//! Inputs whose tail is in blobs.

use crate::{
    Outcome,
    cached_execute::{assert_no_fault, is_in_sample},
    calls::TransactionBlobs,
    choices::Choices,
    forked_chain::ForkedChain,
};
use alloy_primitives::Bytes;
use codec::blob_tail::{BLOB_LEN, MIN_HEAD, Trailer, cut, to_blobs};
use execute::{Answer, Dialect as _, ExecuteError, ExecutionSpecs, PrecompileCall};
use std::sync::{Arc, LazyLock};
use variants::{BlobTail, DialectName};
use wire::SchemaId;

/// Gas that no call can exhaust.
const PLENTY: u64 = u64::MAX;
/// Maximum number of blobs before those of the tail.
const MAX_OTHERS: usize = 4;
/// Length of a field element in bytes, of which the first is zero.
const ELEMENT: usize = 32;
/// A blob before those of the tail.
static OTHER: LazyLock<Bytes> = LazyLock::new(|| vec![0x11; BLOB_LEN].into());

/// Checks an input whose tail is in blobs, split and corrupted by the bytes.
///
/// The answer equals that of the whole input, wherever the tail begins. An accepted call has
/// exactly the calldata and blobs of an input that is accepted as a whole with the same answer, so
/// every byte of a blob matters.
pub fn blob_tails(data: &[u8]) -> Outcome {
    let mut choices = Choices::new(data);
    let forked = choices.pick(ForkedChain::all());
    let mut input = choices.pick(&forked.inputs()).to_vec();
    let is_damaged_before = choices.byte() % 4 == 3;
    if is_damaged_before {
        choices.edit(&mut input, 2);
    }
    let Some((head, tail)) = cut_somewhere(&input, &mut choices) else {
        return Outcome::Unreadable;
    };
    let others = choices.index(MAX_OTHERS);
    let trailer = Trailer::new(tail.len(), others as u8).expect("a short tail");
    let mut calldata = [&head[..], &trailer.encode()].concat();
    let mut blobs = vec![OTHER.clone(); others];
    blobs.extend(to_blobs(&tail).into_iter().map(Bytes::from));

    let whole = run_whole(forked, &input);
    let untouched = (calldata.clone(), blobs.clone());
    damage(&mut calldata, &mut blobs, tail.len(), &mut choices);
    let answer = ask(forked, &calldata, &blobs, (&input, &whole));
    if calldata == untouched.0 && are_same(&blobs, &untouched.1) {
        let is_own_cut = cut(&input).is_some_and(|(own, _)| own == head) || !is_batch(&input);
        let expected = whole.as_ref().ok().filter(|_| is_own_cut);
        assert_eq!(
            answer.as_ref().ok().map(|answer| &answer.output),
            expected.map(|answer| &answer.output)
        );
        if let (Ok(answer), Some(whole)) = (&answer, expected) {
            assert_eq!(answer.gas, whole.gas + 2 * Trailer::LEN as u64, "each byte is paid once");
        }
    } else if let Ok(answer) = &answer {
        assert_is_canonical(forked, &calldata, &blobs, answer);
    }
    Outcome::of(answer.is_ok())
}

/// Compares blobs, most of which share their memory.
fn are_same(some: &[Bytes], others: &[Bytes]) -> bool {
    let is_same = |(a, b): (&Bytes, &Bytes)| a.as_ptr() == b.as_ptr() || a == b;
    some.len() == others.len() && some.iter().zip(others).all(is_same)
}

fn is_batch(input: &[u8]) -> bool {
    SchemaId::of(input).is_ok_and(|schema| schema.batch_fork().is_some())
}

/// Splits an input: a block anywhere after the shortest head, a batch mostly at the end of its
/// head.
fn cut_somewhere(input: &[u8], choices: &mut Choices<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    if is_batch(input) && choices.byte() % 8 != 7 {
        return cut(input);
    }
    let at = MIN_HEAD + choices.index(input.len().checked_sub(MIN_HEAD)? + 1);
    let (head, tail) = input.split_at_checked(at)?;
    Some((head.to_vec(), tail.to_vec()))
}

/// Changes calldata and blobs.
fn damage(calldata: &mut Vec<u8>, blobs: &mut Vec<Bytes>, tail: usize, choices: &mut Choices<'_>) {
    for _ in 0..choices.index(3) {
        let at = choices.index(blobs.len());
        match choices.byte() % 8 {
            0 => choices.edit(calldata, 2),
            // Damages the trailer.
            1 => {
                let from = calldata.len() - Trailer::LEN.min(calldata.len());
                let at = from + choices.index(Trailer::LEN);
                let byte = choices.byte();
                calldata.iter_mut().skip(at).take(1).for_each(|target| *target = byte);
            }
            2 if !blobs.is_empty() => _ = blobs.remove(at),
            3 if !blobs.is_empty() => blobs.insert(at, blobs[at].clone()),
            4 => {
                let to = choices.index(blobs.len());
                if !blobs.is_empty() {
                    blobs.swap(at, to);
                }
            }
            // Damages the tail, first bytes of field elements, or the padding after the tail.
            kind => {
                let Some(blob) = blobs.get_mut(at) else { continue };
                let used = (tail.div_ceil(ELEMENT - 1) + 1) * ELEMENT;
                let place = match kind {
                    5 => choices.index(used.min(BLOB_LEN)),
                    6 => choices.index(used.min(BLOB_LEN)) / ELEMENT * ELEMENT,
                    _ => choices.index(BLOB_LEN),
                };
                let mask = choices.byte().max(1);
                let mut changed = blob.to_vec();
                changed[place] ^= mask;
                *blob = changed.into();
            }
        }
    }
}

/// Returns the answer to the whole input as calldata.
fn run_whole(forked: &ForkedChain, input: &[u8]) -> Result<Answer, ExecuteError> {
    let key = (DialectName::Specs, input);
    forked.answers.get_or(key, || {
        let answer = forked.priced.execute.answer(&ExecutionSpecs, input, PLENTY);
        assert_no_fault(&answer);
        answer
    })
}

/// Returns the answer to a call in a transaction with these blobs, given the answer to a whole
/// input.
///
/// Most calls with the same input are not executed again: their answer is that of the whole input,
/// plus the price of the trailer.
fn ask(
    forked: &ForkedChain,
    calldata: &[u8],
    blobs: &[Bytes],
    (input, whole): (&[u8], &Result<Answer, ExecuteError>),
) -> Result<Answer, ExecuteError> {
    let held = TransactionBlobs(blobs.to_vec());
    let hashes = held.hashes();
    let call = PrecompileCall { calldata, blob_hashes: &hashes };
    let dialect = BlobTail::new(Arc::new(held));
    if !is_in_sample(calldata) && dialect.input(&call).is_ok_and(|joined| joined == input) {
        let in_blobs =
            |answer: Answer| Answer { gas: answer.gas + 2 * Trailer::LEN as u64, ..answer };
        return whole.clone().map(in_blobs);
    }
    let answer = forked.priced.execute.answer(&dialect, call, PLENTY);
    assert_no_fault(&answer);
    answer
}

/// Checks that an accepted call is the canonical encoding of an input with the same answer.
fn assert_is_canonical(forked: &ForkedChain, calldata: &[u8], blobs: &[Bytes], answer: &Answer) {
    let (head, trailer) = Trailer::split(calldata).expect("an accepted call");
    let used = &blobs[trailer.blobs()];
    // Decoded independently: the data of all elements, up to the length in the trailer.
    let data = used.iter().flat_map(|blob| blob.chunks(ELEMENT)).flat_map(|element| &element[1..]);
    let tail: Vec<_> = data.copied().take(trailer.tail_len()).collect();
    assert_eq!(to_blobs(&tail), used, "the blobs are those of the tail");
    let input =
        trailer.pieces(head).and_then(|pieces| pieces.join(used)).expect("an accepted call");
    if is_batch(&input) {
        assert_eq!(cut(&input), Some((head.to_vec(), tail)), "a batch has one cut");
    } else {
        assert_eq!(input, [head, &tail].concat(), "a block is head and tail");
    }
    let whole = run_whole(forked, &input).expect("an input that is accepted in blobs");
    assert_eq!((&answer.output, answer.gas), (&whole.output, whole.gas + 2 * Trailer::LEN as u64));
}
