//! Inputs that are brought in another way: what finding them takes has to be paid for, too.

use super::inputs::{Input, Rows};
use alloy_primitives::{B256, Bytes, U256};
use codec::blob_tail::{Trailer, cut, to_blobs};
use execute::Execute;
use eyre::{OptionExt as _, Result};
use std::{collections::HashMap, sync::Arc};
use variants::{BlobSource, BlobTail, Drake};
use wire::StatelessInput;

/// The blobs that a node holds.
#[derive(Debug)]
struct Held(HashMap<B256, Bytes>);

impl BlobSource for Held {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        self.0.get(versioned_hash).cloned()
    }
}

/// Measures an input whose bytes, except for its head, are in blobs.
pub(crate) fn in_blobs(rows: &mut Rows<'_>, name: &str, input: &[u8]) -> Result<()> {
    let (head, tail) = cut(input).ok_or_eyre("an input has a head")?;
    let trailer = Trailer::new(tail.len(), 0).ok_or_eyre("the tail fits")?;
    let blobs = to_blobs(&tail).into_iter().map(Bytes::from);
    let held: Vec<_> = (0..=u8::MAX).map(B256::repeat_byte).zip(blobs).collect();
    (rows.measure)(Input {
        blob_hashes: held.iter().map(|(hash, _)| *hash).collect(),
        dialect: Arc::new(BlobTail::new(Arc::new(Held(held.into_iter().collect())))),
        ..Input::new(
            &format!("in blobs: {name}"),
            Execute::on(rows.fork),
            [head, trailer.encode().to_vec()].concat(),
        )
    })
}

/// Measures an input in the form of Drake's proposal, with a true and with a false claim.
pub(crate) fn claimed(rows: &mut Rows<'_>, name: &str, input: &[u8]) -> Result<()> {
    let executed = Execute::on(rows.fork).run(input, u64::MAX)?;
    let gas_used = StatelessInput::decode(input)?.request.payload.gas_used;
    for (what, gas_used) in [("claimed", gas_used), ("falsely claimed", gas_used + 1)] {
        let words = [
            executed.pre_state_root(),
            executed.verdict.header.state_root,
            B256::from(U256::from(128)),
            B256::from(U256::from(gas_used)),
            B256::from(U256::from(input.len())),
        ];
        let mut calldata: Vec<u8> = words.iter().flatten().copied().collect();
        calldata.extend_from_slice(input);
        calldata.resize(calldata.len().next_multiple_of(32), 0);
        (rows.measure)(Input {
            dialect: Arc::new(Drake),
            ..Input::new(&format!("{what}: {name}"), Execute::on(rows.fork), calldata)
        })?;
    }
    Ok(())
}
