//! The real blocks of the vectors as EXECUTE inputs.

use alloy_primitives::Bytes;
use chain::to_stateless_input;
use codec::RawBlock;
use executor::ChainSpec;
use eyre::{Result, WrapErr, eyre};

/// A real block as EXECUTE calldata.
#[derive(Debug, Clone)]
pub struct RealBlock {
    /// Chain and number.
    pub name: String,
    /// Schema id and stateless input.
    pub calldata: Bytes,
}

/// Returns all valid real blocks of the vectors. Without vectors, returns none and prints that
/// `what` is skipped.
pub fn real_blocks(what: &str) -> Result<Vec<RealBlock>> {
    let blocks = testkit::vectors::blocks("blocks", what)?.into_iter().map(|block| {
        let bundle = &block.bundle;
        let spec = ChainSpec::known(bundle.chain_id)
            .ok_or_else(|| eyre!("chain {} is not a public network", bundle.chain_id))?;
        let calldata =
            to_stateless_input(&RawBlock::decode(&bundle.block)?, &bundle.witness, &spec)?.into();
        Ok(RealBlock { name: block.name.clone(), calldata })
    });
    blocks.collect::<Result<_>>().wrap_err("cannot make inputs of the blocks in the vectors")
}
