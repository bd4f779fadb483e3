//! Batches of blocks with one witness, and rejected neighbours of them.

use super::{
    subject::Subjects,
    vector_chain::{Content, VectorChain},
};
use alloy_primitives::{B256, Bytes};
use codec::Encode as _;
use eyre::{OptionExt as _, Result};
use wire::{ByteLists, ProtocolFork, StatelessBatch, layout::REQUEST_IN_CALLDATA};

/// Forks with batches in the vectors.
const FORKS: [ProtocolFork; 4] =
    [ProtocolFork::Cancun, ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Returns all batches.
pub(super) fn subjects() -> Result<Subjects> {
    let mut all = Subjects::default();
    for fork in FORKS {
        let name = format!("{fork} batch, 2 blocks");
        let batch = of(fork, &[Content::Transfers(2), Content::Transfers(1)])?;
        all.valid(&name, &fork.to_string(), batch.clone());
        let wrong = relinked(&batch, |batch| batch.requests[1].payload.state_root = B256::ZERO)?;
        all.refused("another state root of the second", &name, "commitment", wrong)?;
    }
    let osaka = ProtocolFork::Osaka;
    all.valid("osaka batch, 1 block", "osaka", of(osaka, &[Content::Transfers(1)])?);
    all.valid("osaka batch, 8 empty blocks", "osaka", of(osaka, &[Content::Transfers(0); 8])?);
    blocks(&mut all)?;
    states(&mut all)?;
    Ok(all)
}

/// Returns a batch of blocks with these contents, on a chain that has two blocks before them.
fn of(fork: ProtocolFork, contents: &[Content]) -> Result<Vec<u8>> {
    let mut chain = VectorChain::new(fork)?;
    for _ in 0..2 {
        chain.block(Content::Transfers(1))?;
    }
    for content in contents {
        chain.block(*content)?;
    }
    chain.batch(contents.len())
}

fn relinked<'a>(batch: &'a [u8], change: impl FnOnce(&mut StatelessBatch<'a>)) -> Result<Vec<u8>> {
    testkit::relinked(batch, change).ok_or_eyre("a block without a header")
}

fn changed<'a>(batch: &'a [u8], change: impl FnOnce(&mut StatelessBatch<'a>)) -> Result<Vec<u8>> {
    let mut decoded = StatelessBatch::decode(batch)?;
    change(&mut decoded);
    Ok(decoded.encode())
}

/// Adds batches whose blocks do not form a chain.
fn blocks(all: &mut Subjects) -> Result<()> {
    let name = "osaka batch, 3 blocks";
    let contents = [Content::Transfers(1), Content::Transfers(0), Content::Transfers(2)];
    let batch = of(ProtocolFork::Osaka, &contents)?;
    all.valid(name, "osaka", batch.clone());
    let mut add = |what: &str, reason, input| all.refused(what, name, reason, input);
    let hash = changed(&batch, |batch| batch.requests[2].payload.block_hash = B256::ZERO)?;
    add("another hash of the last", "blockHash", hash)?;
    let parent = changed(&batch, |batch| batch.requests.swap(0, 1))?;
    add("the first two in another order", "brokenAncestry", parent)?;
    let gap = changed(&batch, |batch| _ = batch.requests.remove(1))?;
    add("without the second", "brokenAncestry", gap)?;
    let gap = relinked(&batch, |batch| _ = batch.requests.remove(1))?;
    add("without the second, with the hash of the first as parent", "header", gap)?;
    let time = relinked(&batch, |batch| {
        batch.requests[1].payload.timestamp = batch.requests[0].payload.timestamp;
    })?;
    add("two blocks of one second", "headerRange", time)?;
    let gas = relinked(&batch, |batch| batch.requests[2].payload.gas_used += 1)?;
    add("a gas used of one more in the last", "amount", gas)?;
    let mut single = batch.clone();
    single[1] = 0x01;
    add("schema id of a single block", "decode", single)?;
    let mut earlier = batch.clone();
    earlier[0] = 0x11;
    add("schema id of an earlier fork", "forkAt", earlier)?;
    let mut none = batch.clone();
    none[REQUEST_IN_CALLDATA..REQUEST_IN_CALLDATA + 4].fill(0);
    add("no blocks by the first offset", "decode", none)?;
    let mut order = batch;
    order[REQUEST_IN_CALLDATA + 4] ^= 1;
    add("another offset of the second", "decode", order)
}

/// Adds batches whose witness is malformed or incomplete.
fn states(all: &mut Subjects) -> Result<()> {
    let name = "osaka batch, calls of contracts";
    let batch = of(ProtocolFork::Osaka, &[Content::Ancestor, Content::Log])?;
    all.valid(name, "osaka", batch.clone());
    let decoded = StatelessBatch::decode(&batch)?;
    let witness = decoded.witness;
    let codes: Vec<_> = witness.codes.iter().map(Bytes::copy_from_slice).collect();
    let headers: Vec<_> = witness.headers.iter().map(Bytes::copy_from_slice).collect();
    let headers_less =
        changed(&batch, |batch| batch.witness.headers = (&headers[headers.len() - 1..]).into())?;
    all.refused("no header of the ancestor", name, "missingAncestor", headers_less)?;
    let none = changed(&batch, |batch| batch.witness.headers = ByteLists::EMPTY)?;
    all.refused("no headers", name, "noParent", none)?;
    let twice = [&codes[..], &codes[..1]].concat();
    let twice = changed(&batch, |batch| batch.witness.codes = (&twice).into())?;
    all.refused("a code twice", name, "decode", twice)?;
    let less = changed(&batch, |batch| batch.witness.codes = ByteLists::EMPTY)?;
    all.refused("no codes", name, "decode", less)?;

    let stream = witness.state.stream();
    let at = batch.windows(stream.len()).position(|window| window == stream);
    let at = at.ok_or_eyre("the batch does not contain the stream")?;
    let with = |at: usize, change: fn(&mut u8)| {
        let mut bytes = batch.clone();
        change(&mut bytes[at]);
        bytes
    };
    all.refused("one node more by its number", name, "decode", with(at - 4, |byte| *byte += 1))?;
    all.refused("one node less by its number", name, "decode", with(at - 4, |byte| *byte -= 1))?;
    all.refused("a first node of no kind", name, "decode", with(at, |byte| *byte = 0x1f))?;
    Ok(())
}
