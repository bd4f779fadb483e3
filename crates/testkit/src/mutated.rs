//! EXECUTE inputs that are nearly valid.

use crate::draft_resealed;
use alloy_primitives::{U256, keccak256};
use codec::Encode as _;
use wire::{StatelessBatch, StatelessInput};

/// Changes the input of one block, recomputes its block hash, and encodes it. Returns `None` if the
/// bytes are not such an input, or if the changed payload has no header.
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

/// Changes a batch, recomputes each block hash, makes each block a child of the previous one, and
/// encodes the batch. Returns `None` if the bytes are not a batch, or if a changed payload has no
/// header.
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

/// Returns deterministic mutations of an input or a call: one byte is changed, and for every other
/// mutation the block hash is recomputed, so that more than the hash is wrong.
pub fn mutations(good: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..count).map(|number| {
        let bytes = with_one_byte_changed(good, number, good.len());
        let sealed = if number % 2 == 0 { resealed(&bytes, |_| {}) } else { None };
        sealed.unwrap_or(bytes)
    })
}

/// Returns deterministic mutations of a call in the encoding of the EIP-8079 draft, like
/// [`mutations`].
pub fn mutations_of_draft(good: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..count).map(|number| {
        let bytes = with_one_byte_changed(good, number, good.len());
        let sealed = if number % 2 == 0 { draft_resealed(&bytes, |_, _| {}) } else { None };
        sealed.unwrap_or(bytes)
    })
}

/// Returns deterministic mutations of a batch: one byte is changed, more often in the part with the
/// offsets than elsewhere, and for every other mutation the block and parent hashes are recomputed.
///
/// # Panics
///
/// If `good` is not a batch.
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

/// Changes one of the first `among` bytes. Position and value are derived from the number.
fn with_one_byte_changed(good: &[u8], number: u64, among: usize) -> Vec<u8> {
    let random = keccak256(number.to_be_bytes());
    let mut bytes = good.to_vec();
    let place = U256::from_be_slice(&random[..8]) % U256::from(among);
    bytes[place.to::<usize>()] ^= random[8].max(1);
    bytes
}
