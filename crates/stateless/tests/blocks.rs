//! Real blocks, from the vectors.

use enshrine_stateless::{ChainSpec, complete, verify};
use eyre::Result;
use wire::{StatelessInput, convert::RawBlock};

fn input_of(block: &vectors::Block) -> Result<Vec<u8>> {
    let raw = RawBlock::decode(&block.bundle.block)?;
    let spec = ChainSpec::known(block.bundle.chain_id).expect("a known network");
    Ok(complete(&raw, &block.bundle.witness, &spec)?)
}

#[test]
fn every_real_block_verifies() -> Result<()> {
    for block in vectors::blocks("blocks", "real blocks")? {
        let bytes = input_of(&block)?;
        let input = StatelessInput::decode(&bytes)?;
        let spec = ChainSpec::for_input(input.chain_id, input.fork);
        let start = std::time::Instant::now();
        let verdict = verify(&input, &spec);
        println!(
            "{} {:?} {:?}",
            block.name,
            verdict.as_ref().map(|v| v.header.gas_used),
            start.elapsed()
        );
        verdict?;
    }
    Ok(())
}
