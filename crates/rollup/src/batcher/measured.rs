//! Costs of pending blocks, from the self-check at sealing or measured here.

use crate::{BatcherError, L1Profile, l1::execute_rate::ExecuteRate};
use alloy_primitives::{B256, Bytes, map::B256Map};
use chain::{Block, BlockFootprint, ChainError, ChainReader, shortest_input};
use contracts::advance_plan;
use execute::{Execute, UnderpricedWork, WorkGas};
use node::InputCost;
use std::sync::Arc;
use wire::ProtocolFork;

#[derive(Debug, Clone)]
pub(super) struct MeasuredBlock {
    pub(super) cost: InputCost,
    pub(super) footprint: Arc<BlockFootprint>,
}

/// Costs and footprints of blocks that are not on L1 yet. Used to plan transactions without
/// executing the blocks again.
#[derive(Debug)]
pub(super) struct MeasuredBlocks {
    blocks: B256Map<MeasuredBlock>,
    profile: L1Profile,
    pub(super) rate: ExecuteRate,
    /// Number of executions for measuring blocks.
    executions: u64,
}

impl MeasuredBlocks {
    pub(super) fn new(profile: L1Profile) -> Self {
        let (blocks, rate) = (B256Map::default(), ExecuteRate::default());
        Self { blocks, profile, rate, executions: 0 }
    }

    pub(super) const fn executions(&self) -> u64 {
        self.executions
    }

    pub(super) fn get(&self, hash: &B256) -> Option<&MeasuredBlock> {
        self.blocks.get(hash)
    }

    pub(super) fn extend(&mut self, sealed: impl IntoIterator<Item = (B256, MeasuredBlock)>) {
        self.blocks.extend(sealed);
    }

    /// Keeps the blocks for whose number and hash `is_kept` returns `true`.
    pub(super) fn retain(&mut self, is_kept: impl Fn(u64, &B256) -> bool) {
        self.blocks.retain(|hash, block| is_kept(block.footprint.number(), hash));
    }

    /// Measures each block that has not been measured yet, because another process sealed it.
    pub(super) fn measure(
        &mut self,
        chain: &ChainReader,
        blocks: &[Arc<Block>],
    ) -> Result<(), BatcherError> {
        for block in blocks {
            if self.blocks.contains_key(&block.hash) {
                continue;
            }
            let hash = block.hash;
            // One execution for the footprint, and one in EXECUTE for the gas of underpriced work.
            self.executions += 2;
            let footprint = Arc::new(chain.footprint_of(block)?);
            let bytes = alone(chain, block, &footprint, shortest_input)?;
            let executed = self.execute().run(&bytes, u64::MAX);
            let executed = executed.map_err(|reason| BatcherError::Refused { hash, reason })?;
            let cost = InputCost { bytes: bytes.len(), gas: executed.reserve, work: executed.work };
            self.blocks.insert(hash, MeasuredBlock { cost, footprint });
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
            Ok((block, self.get(&block.hash).ok_or_else(unknown)?))
        });
        let measured = measured.collect::<Result<Vec<_>, ChainError>>()?;
        let works = measured.iter().map(|(_, entry)| entry.cost.work);
        let mut work = works.fold(WorkGas::default(), WorkGas::then);
        let used: u64 = blocks.iter().map(|block| block.header.gas_used).sum();
        let bytes = if let [(block, entry)] = &*measured {
            alone(chain, block, &entry.footprint, single)?
        } else {
            let parts = measured
                .iter()
                .map(|(block, entry)| (Arc::clone(block), Arc::clone(&entry.footprint)));
            let (batch, repeated) = chain.join(parts.collect())?;
            let again =
                repeated.iter().map(|bytes| UnderpricedWork::RepeatedNode { bytes: *bytes });
            let gas = again.map(|node| execute.gas.underpriced_work(&node)).sum();
            // Assumes that all nodes are loaded before the first block, so the reserve is never too
            // low.
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
    /// transaction, so that waiting for more blocks has no benefit. Ignores blocks that were not
    /// measured yet.
    pub(super) fn fills_a_transaction(&self, blocks: &[Arc<Block>]) -> bool {
        let measured = blocks.iter().filter_map(|block| self.get(&block.hash));
        let (mut bytes, mut gas) = (0_usize, 0_u64);
        for MeasuredBlock { cost, .. } in measured {
            bytes += cost.bytes;
            gas = gas.saturating_add(cost.gas);
        }
        let capacity = self.rate.capacity(&self.profile.limits);
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
