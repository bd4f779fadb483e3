//! Real blocks.

use crate::judges::{Judges, Tally};
use codec::RawBlock;
use enshrine_differential::real_blocks;
use executor::ChainSpec;
use eyre::Result;

#[test]
fn both_accept_every_real_block() -> Result<()> {
    let (judges, mut tally) = (Judges::by_id(), Tally::default());
    let blocks = real_blocks("real blocks, by two verifiers")?;
    for block in &blocks {
        tally.ask(&judges, || block.name.clone(), &block.calldata);
    }
    tally.assert_agreement("real blocks");
    assert_eq!(tally.accepted, blocks.len());
    Ok(())
}

#[test]
fn both_reject_incomplete_real_witnesses() -> Result<()> {
    let (judges, mut tally) = (Judges::by_id(), Tally::default());
    let blocks = testkit::vectors::blocks("negative", "real blocks with too small a witness")?;
    for block in &blocks {
        let raw = RawBlock::decode(&block.bundle.block)?;
        let spec = ChainSpec::known(block.bundle.chain_id).expect("a known network");
        let fork = spec.fork_at(raw.header.timestamp).expect("a fork with a schema");
        let input = raw.to_input(fork, spec.chain_id(), &block.bundle.witness, &[], &[])?.into();
        tally.ask(&judges, || block.name.clone(), &input);
    }
    tally.assert_agreement("too small witnesses");
    assert_eq!(tally.refused.len(), blocks.len());
    Ok(())
}
