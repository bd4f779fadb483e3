//! Inputs of EXECUTE that are nearly valid.

use crate::draft_resealed;
use alloy_primitives::{U256, keccak256};
use codec::Encode as _;
use wire::{StatelessBatch, StatelessInput};

/// Changes the input of one block, seals its header again, and encodes it; `None` if the bytes are
/// no such input, or if the changed payload has no header.
pub fn resealed<'a>(
    calldata: &'a [u8],
    change: impl FnOnce(&mut StatelessInput<'a>),
) -> Option<Vec<u8>> {
    let mut input = StatelessInput::decode(calldata).ok()?;
    change(&mut input);
    let header = stateless::header_of(&input.request, input.fork)?;
    input.request.payload.block_hash = header.hash_slow();
    Some(input.encode())
}

/// Changes a batch, seals each header again, makes each block a child of the one before, and
/// encodes the batch; `None` if the bytes are no batch, or if a changed payload has no header.
pub fn relinked<'a>(
    calldata: &'a [u8],
    change: impl FnOnce(&mut StatelessBatch<'a>),
) -> Option<Vec<u8>> {
    let mut batch = StatelessBatch::decode(calldata).ok()?;
    change(&mut batch);
    let mut parent = None;
    for request in &mut batch.requests {
        if let Some(parent) = parent {
            request.payload.parent_hash = parent;
        }
        request.payload.block_hash = stateless::header_of(request, batch.fork)?.hash_slow();
        parent = Some(request.payload.block_hash);
    }
    Some(batch.encode())
}

/// Inputs or calls that are nearly `good`, which come out the same in every run: single bytes are
/// changed, and every other time the header of an input is sealed again, so that not only its hash
/// is wrong.
pub fn mutations(good: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..count).map(|number| {
        let bytes = with_one_byte_changed(good, number, good.len());
        let sealed = if number % 2 == 0 { resealed(&bytes, |_| {}) } else { None };
        sealed.unwrap_or(bytes)
    })
}

/// Calls in the form of the EIP-8079 draft that are nearly `good`, like [`mutations`].
pub fn mutations_of_draft(good: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..count).map(|number| {
        let bytes = with_one_byte_changed(good, number, good.len());
        let sealed = if number % 2 == 0 { draft_resealed(&bytes, |_, _| {}) } else { None };
        sealed.unwrap_or(bytes)
    })
}

/// Batches that are nearly `good`, which come out the same in every run: single bytes are changed,
/// where the offsets stand more often than elsewhere, and every other time the headers are sealed
/// again and name each other again.
///
/// # Panics
///
/// If `good` is no batch.
pub fn mutations_of_batch(good: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    let whole = StatelessBatch::decode(good).expect("a batch");
    let head = wire::layout::REQUEST_IN_CALLDATA + 4 * whole.requests.len();
    (0..count).map(move |number| {
        let among = if number % 8 == 0 { head } else { good.len() };
        let bytes = with_one_byte_changed(good, number, among);
        let sealed = if number % 2 == 0 { relinked(&bytes, |_| {}) } else { None };
        sealed.unwrap_or(bytes)
    })
}

/// Returns the bytes with another value at one of the first `among`, which follows from the number.
fn with_one_byte_changed(good: &[u8], number: u64, among: usize) -> Vec<u8> {
    let random = keccak256(number.to_be_bytes());
    let mut bytes = good.to_vec();
    let place = U256::from_be_slice(&random[..8]) % U256::from(among);
    bytes[place.to::<usize>()] ^= random[8].max(1);
    bytes
}
