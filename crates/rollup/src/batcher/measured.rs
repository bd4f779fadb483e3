//! Costs of pending blocks, from the self-check at sealing or measured once.

use super::{Batcher, Work};
use crate::BatcherError;
use alloy_primitives::Bytes;
use chain::{Block, BlockFootprint, ChainError, ChainReader, shortest_input};
use contracts::advance_plan;
use execute::{Execute, UnderpricedWork, WorkGas};
use node::InputCost;
use std::sync::Arc;
use wire::ProtocolFork;

impl Batcher {
    /// Measures each block that has not been measured yet, because another process sealed it.
    pub(super) fn measure(
        &mut self,
        work: &Work,
        blocks: &[Arc<Block>],
    ) -> Result<(), BatcherError> {
        for block in blocks {
            if self.measured.contains_key(&block.hash) {
                continue;
            }
            let (chain, hash) = (&work.chain, block.hash);
            // One execution for the footprint, and one in EXECUTE for the underpriced work.
            self.executions += 2;
            let footprint = Arc::new(chain.footprint_of(block)?);
            let bytes = alone(chain, block, &footprint, shortest_input)?;
            let executed = self.execute().run(&bytes, u64::MAX);
            let executed = executed.map_err(|reason| BatcherError::Refused { hash, reason })?;
            let cost = InputCost { bytes: bytes.len(), gas: executed.reserve, work: executed.work };
            self.measured.insert(hash, (cost, footprint));
        }
        Ok(())
    }

    /// Returns EXECUTE with L1's rules.
    pub(super) fn execute(&self) -> Execute {
        self.profile.execute()
    }

    /// Returns the input for [measured](Self::measure) blocks, and its cost. Multiple blocks are
    /// encoded as one batch, a single block by `single`.
    pub(super) fn input_of(
        &self,
        chain: &ChainReader,
        blocks: &[Arc<Block>],
        single: SingleInput,
    ) -> Result<advance_plan::AdvanceInput, BatcherError> {
        let execute = self.execute();
        let measured = blocks.iter().map(|block| {
            let unknown = || ChainError::UnknownBlock(block.hash);
            Ok((block, self.measured.get(&block.hash).ok_or_else(unknown)?))
        });
        let measured = measured.collect::<Result<Vec<_>, ChainError>>()?;
        let works = measured.iter().map(|(_, (cost, _))| cost.work);
        let mut work = works.fold(WorkGas::default(), WorkGas::then);
        let used: u64 = blocks.iter().map(|block| block.header.gas_used).sum();
        let bytes = if let [(block, (_, footprint))] = &*measured {
            alone(chain, block, footprint, single)?
        } else {
            let parts = measured
                .iter()
                .map(|(block, (_, footprint))| (Arc::clone(block), Arc::clone(footprint)));
            let (batch, repeated) = chain.join(parts.collect())?;
            let again =
                repeated.iter().map(|bytes| UnderpricedWork::RepeatedNode { bytes: *bytes });
            let gas = again.map(|node| execute.gas.underpriced_work(&node)).sum();
            // As if all nodes were loaded before the first block, so the reserve is never too low.
            work = WorkGas { spent: gas, peak: gas }.then(work);
            let number = blocks.first().map_or(0, |first| first.header.number);
            let input = batch.input();
            input.map_err(|source| BatcherError::Input { number, source })?.into()
        };
        let hash = blocks.first().map(|first| first.hash).unwrap_or_default();
        // Computed from recorded measurements. Planning does not execute blocks, so a malicious
        // block cannot slow it down.
        let cost = variants::cost_of(&*execute.gas, &bytes, used, work);
        let cost = cost.map_err(|reason| BatcherError::Refused { hash, reason })?;
        Ok(advance_plan::AdvanceInput {
            bytes,
            blocks: blocks.len() as u64,
            charge: self.rate.gas_for(cost.charge),
            reserve: self.rate.gas_for(cost.reserve),
            trailer: self.rate.gas_for(variants::BlobTail::trailer_charge(&*execute.gas)),
        })
    }

    /// Returns `true` if these blocks, encoded one by one, would fill the bytes or the gas of an L1
    /// transaction, so that waiting for more blocks gains nothing. Blocks that were not measured
    /// yet are not counted.
    pub(super) fn fills_a_transaction(&self, blocks: &[Arc<Block>]) -> bool {
        let measured = blocks.iter().filter_map(|block| self.measured.get(&block.hash));
        let (mut bytes, mut gas) = (0_usize, 0_u64);
        for (cost, _) in measured {
            bytes += cost.bytes;
            gas = gas.saturating_add(cost.gas);
        }
        let capacity = self.rate.capacity(self.limits());
        bytes >= capacity.bytes || gas >= capacity.gas
    }
}

/// Encoding of a single block as an input.
pub(crate) type SingleInput =
    fn(&Block, ProtocolFork, u64, &codec::OwnedWitness) -> Result<Vec<u8>, wire::DecodeError>;

/// Encodes the input of a single block.
pub(crate) fn alone(
    chain: &ChainReader,
    block: &Block,
    footprint: &BlockFootprint,
    single: SingleInput,
) -> Result<Bytes, BatcherError> {
    let spec = &chain.config().spec;
    let time = block.header.timestamp;
    let fork = spec.fork_at(time).ok_or(ChainError::NoFork(time))?;
    let input = single(block, fork, spec.chain_id(), footprint.witness());
    let number = block.header.number;
    Ok(input.map_err(|source| BatcherError::Input { number, source })?.into())
}
