//! Search for inputs that another contract has passed to the rollup, in the calldata of the outer
//! transaction.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use contracts::code_reference::References;
use wire::SchemaId;

/// Maximum number of candidates in the calldata of one transaction. Further inputs are only found
/// by tracing.
const MAX_CANDIDATES: usize = 64;

/// Finds inputs in the calldata of a transaction to another contract: byte strings with a length
/// prefix, as in every ABI, whose rolling hash the rollup has logged. Returns `None` if no
/// candidates have a logged hash, i.e. the contract has changed the bytes or read them elsewhere.
///
/// # Errors
///
/// The first error of assembling a candidate.
pub(super) fn inputs_within<E>(
    data: &Bytes,
    input_hashes: &[B256],
    assemble: impl Fn(Bytes) -> Result<Option<Bytes>, E>,
) -> Result<Option<Vec<Bytes>>, E> {
    let mut candidates = Vec::new();
    // Bounded, because an attacker can choose the calldata, and each candidate may cause requests
    // for codes.
    for candidate in byte_strings(data).take(MAX_CANDIDATES) {
        if let Some(input) = assemble(candidate)? {
            candidates.push((keccak256(&input), input));
        }
    }
    let mut inputs = Vec::new();
    for expected in input_hashes {
        let Some(run) = run_of(&candidates, *expected) else { return Ok(None) };
        inputs.extend(run.iter().map(|(_, input)| input.clone()));
    }
    Ok((!inputs.is_empty()).then_some(inputs))
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
