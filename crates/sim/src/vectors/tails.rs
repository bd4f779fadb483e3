//! Calls with inputs in blobs whose head, trailer or blobs are wrong.

use super::{
    forms::{Cases, Expected},
    subject::Subjects,
};
use codec::blob_tail::{BLOB_LEN, MIN_HEAD, Trailer, to_blobs};
use eyre::{OptionExt as _, Result};
use variants::{DialectCall, DialectName};

/// Offsets of the trailer's fields from the end of the calldata.
const TAIL: usize = Trailer::LEN;
const FIRST: usize = 4;
const COUNT: usize = 3;
const MAGIC: usize = 2;

/// Adds further valid encodings of a block, and invalid ones of a block and a batch.
pub(super) fn add(cases: &mut Cases, blocks: &Subjects, batches: &Subjects) -> Result<()> {
    let input = |subjects: &Subjects, name: &str| {
        let subject = subjects.0.iter().find(|subject| subject.name == name);
        subject.map(|subject| subject.input.clone()).ok_or_eyre("the subject has another name")
    };
    let (block, batch) = ("osaka block, 2 transfers", "osaka batch, 2 blocks");
    places(cases, &input(blocks, block)?)?;
    trailers(cases, block, &DialectName::Blobs.encode(&input(blocks, block)?)?)?;
    let call = DialectName::Blobs.encode(&input(batches, batch)?)?;
    trailers(cases, batch, &call)?;
    heads(cases, batch, &call)
}

/// Adds a block whose tail starts at another position or in another blob of the transaction.
fn places(cases: &mut Cases, input: &[u8]) -> Result<()> {
    for (name, at, others) in [
        ("osaka block, a longer head", MIN_HEAD + 1_000, 0),
        ("osaka block, without a tail", input.len(), 0),
        ("osaka block, behind another blob", MIN_HEAD, 1),
    ] {
        let (head, tail) = input.split_at(at);
        let trailer = Trailer::new(tail.len(), others).ok_or_eyre("a short tail")?;
        let calldata = [head, &trailer.encode()].concat();
        let others = (0..others).map(|_| vec![0x11; BLOB_LEN]);
        let call = DialectCall { calldata, blobs: others.chain(to_blobs(tail)).collect() };
        cases.accepted(name, "osaka", "default", &call)?;
    }
    Ok(())
}

/// Adds non-canonical trailers and blobs.
fn trailers(cases: &mut Cases, name: &str, good: &DialectCall) -> Result<()> {
    let mut add = |what: &str, reason, change: &dyn Fn(&mut DialectCall)| {
        let mut call = good.clone();
        change(&mut call);
        cases.refused(what, name, Expected::Failed(reason), &call)
    };
    let end = good.calldata.len();
    let (_, trailer) = Trailer::split(&good.calldata)?;
    add("no trailer", "blobTail", &|call| call.calldata.truncate(end - TAIL))?;
    add("a head too short", "blobTail", &|call| {
        _ = call.calldata.drain(..end - MIN_HEAD - TAIL + 1);
    })?;
    add("another magic", "blobTail", &|call| call.calldata[end - MAGIC] ^= 1)?;
    add("a tail of 2^24 bytes more", "blobTail", &|call| call.calldata[end - TAIL] ^= 1)?;
    let shorter = Trailer::new(trailer.tail_len() - 1, 0).ok_or_eyre("a short tail")?.encode();
    add("a byte less of tail", "blobTail", &|call| {
        call.calldata[end - TAIL..].copy_from_slice(&shorter);
    })?;
    add("two blobs for one", "blobTail", &|call| call.calldata[end - COUNT] = 2)?;
    add("no blob for one", "blobTail", &|call| call.calldata[end - COUNT] = 0)?;
    add("a blob behind the last", "noSuchBlob", &|call| call.calldata[end - FIRST] = 1)?;
    add("a transaction without blobs", "noSuchBlob", &|call| call.blobs.clear())?;
    add("a field element that begins with 1", "blobTail", &|call| call.blobs[0][0] = 1)?;
    add("a last field element that begins with 1", "blobTail", &|call| {
        call.blobs[0][BLOB_LEN - 32] = 1;
    })?;
    add("a byte behind the tail", "blobTail", &|call| call.blobs[0][BLOB_LEN - 1] = 1)
}

/// Adds heads of a batch whose offsets do not match their parts.
fn heads(cases: &mut Cases, name: &str, good: &DialectCall) -> Result<()> {
    let mut add = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut call = good.clone();
        change(&mut call.calldata);
        cases.refused(what, name, Expected::Failed("blobTail"), &call)
    };
    let list = wire::layout::REQUEST_IN_CALLDATA;
    add("a byte more of head", &|calldata| calldata.insert(calldata.len() - TAIL, 0))?;
    add("a byte less of head", &|calldata| _ = calldata.remove(calldata.len() - TAIL - 1))?;
    add("three blocks by the first offset", &|calldata| calldata[list] = 12)?;
    add("a second request within the first", &|calldata| {
        calldata[list + 4..list + 8].copy_from_slice(&9_u32.to_le_bytes());
    })
}
