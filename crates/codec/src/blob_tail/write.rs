//! Splitting of an input into the head in calldata and the tail in blobs.

use super::{BLOB_CAPACITY, BLOB_LEN, ELEMENT, MIN_HEAD, REQUEST_HEAD, blocks_of, list_of};
use wire::{
    layout::REQUEST_IN_CALLDATA,
    list::{OFFSET, offset_at},
};

/// Splits an input into the smallest head and its tail; `None` if the input is too short for a
/// head, or if it is a batch whose offsets are out of range.
pub fn cut(input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let Some(list) = list_of(input) else {
        let (head, tail) = input.split_at_checked(MIN_HEAD)?;
        return Some((head.to_vec(), tail.to_vec()));
    };
    let blocks = blocks_of(list).ok()?;
    // `blocks` is at most 256 here, which bounds the head; the tail is never longer than the input.
    let mut head = Vec::with_capacity(REQUEST_IN_CALLDATA + blocks * (OFFSET + REQUEST_HEAD));
    let mut tail = Vec::with_capacity(input.len());
    let starts = REQUEST_IN_CALLDATA + blocks * OFFSET;
    head.extend_from_slice(input.get(..starts)?);
    let mut at = starts;
    for index in 0..blocks {
        let start = REQUEST_IN_CALLDATA + offset_at(list, index * OFFSET);
        tail.extend_from_slice(input.get(at..start)?);
        at = start + REQUEST_HEAD;
        head.extend_from_slice(input.get(start..at)?);
    }
    tail.extend_from_slice(input.get(at..)?);
    Some((head, tail))
}

/// Encodes a tail as blobs.
pub fn to_blobs(tail: &[u8]) -> Vec<Vec<u8>> {
    let blob = |data: &[u8]| {
        let mut blob = vec![0; BLOB_LEN];
        for (element, data) in blob.chunks_exact_mut(ELEMENT).zip(data.chunks(ELEMENT - 1)) {
            element[1..=data.len()].copy_from_slice(data);
        }
        blob
    };
    tail.chunks(BLOB_CAPACITY).map(blob).collect()
}
