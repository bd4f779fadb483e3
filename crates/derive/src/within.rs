//! Search for inputs that another contract has passed to the rollup, in the calldata of the outer
//! transaction.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use contracts::code_reference::References;
use wire::SchemaId;

/// Maximum number of candidates in the calldata of one transaction. Further inputs are only found
/// by tracing.
const MAX_CANDIDATES: usize = 64;
/// Maximum number of code references of all candidates. Each may cause a request, and adds up to
/// 24 kB to an assembled candidate. Two inputs may have as many references as their formats allow.
const MAX_REFERENCES: usize = 512;

/// Returns candidates for inputs in the calldata of a transaction to another contract: byte strings
/// with a length prefix, as in every ABI. Their number is bounded, because an attacker can choose
/// the calldata.
pub(super) fn candidates(data: &Bytes) -> Vec<Bytes> {
    let mut references = 0;
    let bounded = byte_strings(data).take(MAX_CANDIDATES).take_while(|candidate| {
        let of = References::of(candidate).ok().flatten();
        references += of.map_or(0, |it| it.accounts().count());
        references <= MAX_REFERENCES
    });
    bounded.collect()
}

/// Returns the assembled candidates whose rolling hashes the rollup has logged. Returns `None` if
/// candidates of a logged hash are missing, i.e. the contract has changed the bytes or read them
/// elsewhere.
pub(super) fn logged(candidates: Vec<Bytes>, input_hashes: &[B256]) -> Option<Vec<Bytes>> {
    let candidates: Vec<_> = candidates.into_iter().map(|it| (keccak256(&it), it)).collect();
    let mut inputs = Vec::new();
    for expected in input_hashes {
        let run = run_of(&candidates, *expected)?;
        inputs.extend(run.iter().map(|(_, input)| input.clone()));
    }
    (!inputs.is_empty()).then_some(inputs)
}

/// Returns the consecutive candidates that have this rolling hash.
fn run_of(candidates: &[(B256, Bytes)], expected: B256) -> Option<&[(B256, Bytes)]> {
    (0..candidates.len()).find_map(|first| {
        let mut hash = B256::ZERO;
        // The inputs of one call are consecutive in its calldata.
        let last = candidates[first..].iter().position(|(input, _)| {
            hash = keccak256([hash, *input].concat());
            hash == expected
        })?;
        Some(&candidates[first..=first + last])
    })
}

/// Returns the byte strings in calldata, prefixed by their length, that begin like an EXECUTE
/// input.
fn byte_strings(data: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    const WORD: usize = 32;
    (WORD..data.len()).filter_map(|start| {
        let length = U256::from_be_slice(&data[start - WORD..start]);
        let end = usize::try_from(length).ok()?.checked_add(start)?;
        (end <= data.len() && is_input(&data[start..end])).then(|| data.slice(start..end))
    })
}

/// Returns `true` if bytes begin like an EXECUTE input, or have code references.
fn is_input(bytes: &[u8]) -> bool {
    let is_known = |schema: SchemaId| schema.fork().is_some() || schema.batch_fork().is_some();
    SchemaId::of(bytes).is_ok_and(is_known)
        || References::of(bytes).is_ok_and(|references| references.is_some())
}
