//! Calls in Drake's dialect with a false claim or a wrong encoding.

use super::{
    forms::{Cases, Expected},
    subject::Subjects,
};
use eyre::{OptionExt as _, Result};
use variants::{DialectCall, DialectName};

/// Offsets of the words of a call.
const PRE: usize = 0;
const POST: usize = 32;
const OFFSET: usize = 64;
const GAS_USED: usize = 96;
const LENGTH: usize = 128;
const TRACE: usize = 160;
/// Offset of the least significant byte in a word.
const LOW: usize = 31;

/// Adds false claims and non-canonical encodings, for a block and for a batch.
pub(super) fn add(cases: &mut Cases, blocks: &Subjects, batches: &Subjects) -> Result<()> {
    for (subjects, name) in
        [(blocks, "osaka block, 2 transfers"), (batches, "osaka batch, 2 blocks")]
    {
        let subject = subjects.0.iter().find(|subject| subject.name == name);
        let subject = subject.ok_or_eyre("the subject has another name")?;
        let good = DialectName::Drake.encode(&subject.input)?.calldata;
        claims(cases, name, &good)?;
        encodings(cases, name, &good)?;
    }
    Ok(())
}

/// Adds false claims.
fn claims(cases: &mut Cases, name: &str, good: &[u8]) -> Result<()> {
    for (what, at) in [
        ("another state root before", PRE),
        ("another state root after", POST),
        ("other gas", GAS_USED + LOW),
        // The lower 64 bits are correct.
        ("gas of 2^64 more", GAS_USED + LOW - 8),
    ] {
        let call = with(good, |bytes| bytes[at] ^= 1);
        cases.refused(what, name, Expected::Denied("falseClaim"), &call)?;
    }
    let call = with(good, |bytes| {
        let (pre, post) = bytes.split_at_mut(POST);
        pre[..32].swap_with_slice(&mut post[..32]);
    });
    cases.refused("the state roots exchanged", name, Expected::Denied("falseClaim"), &call)
}

/// Adds calldata that an ABI decoder may accept, but that is not the canonical encoding.
fn encodings(cases: &mut Cases, name: &str, good: &[u8]) -> Result<()> {
    let mut add = |what: &str, call: DialectCall| {
        cases.refused(what, name, Expected::Failed("calldata"), &call)
    };
    add("nothing", with(good, Vec::clear))?;
    add("half of the head", with(good, |bytes| bytes.truncate(TRACE / 2)))?;
    add("another offset of the trace", with(good, |bytes| bytes[OFFSET + LOW] = 0xa0))?;
    add("an offset of 2^64 more", with(good, |bytes| bytes[OFFSET + LOW - 8] = 1))?;
    add("a longer trace by its length", with(good, |bytes| bytes[LENGTH] = 1))?;
    add("a word more", with(good, |bytes| bytes.extend([0; 32])))?;
    add("a word less", with(good, |bytes| bytes.truncate(bytes.len() - 32)))?;
    add("a byte more", with(good, |bytes| bytes.push(0)))?;
    add("a selector in front", with(good, |bytes| _ = bytes.splice(..0, [1, 2, 3, 4])))
}

fn with(good: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> DialectCall {
    let mut calldata = good.to_vec();
    change(&mut calldata);
    DialectCall { calldata, blobs: Vec::new() }
}
