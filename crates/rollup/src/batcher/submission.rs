//! What goes to L1, and when.

use super::{Batcher, Work, planning::Plan};
use crate::{
    RollupError,
    duties::evidence,
    feed,
    submitter::{InFlight, Load, Progress, Shipment},
};
use alloy_primitives::{Bytes, map::B256Set};
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainError, ChainReader, shortest_input};
use contracts::bindings::INativeRollup::advanceCall;
use std::{sync::Arc, time::Instant};
use wire::ProtocolFork;

/// L2 blocks in one `advance` at most.
pub(super) const MAX_BLOCKS: usize = 32;

/// Blocks, and their inputs.
type Fitting = (Vec<Arc<Block>>, Vec<Bytes>);

/// What a look at the blocks that wait has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of them are at L1 or on their way, or the next of them are now.
    Brought,
    /// It was not time to try, or L1 has not said yet.
    Untried,
}

impl Batcher {
    /// Brings blocks to L1, if any wait and it is time.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; the blocks wait for the next call.
    pub(super) fn submit(&mut self, work: &Work) -> Result<Outcome, RollupError> {
        let had_blobs = self.submitter.in_flight().any(InFlight::has_blobs);
        let mut has_news = false;
        match self.submitter.step(&self.client, &work.view)? {
            Progress::Done(_) => {
                has_news = true;
                if had_blobs {
                    self.blobs.has_worked();
                }
            }
            Progress::NotByBlobs => self.blobs.has_failed(work.l1_head()),
            Progress::Failed(_) => self.distrust_kept(work),
            Progress::Waiting | Progress::Idle => {}
        }
        let mut blocks = work.unsafe_blocks()?;
        self.forget_others(work, &blocks);
        let on_their_way = self.submitter.in_flight().flat_map(|sent| &sent.blocks);
        let on_their_way: B256Set = on_their_way.map(|(_, hash)| *hash).collect();
        blocks.retain(|block| !on_their_way.contains(&block.hash));
        let is_first = self.submitter.in_flight().next().is_none();
        // Which way is cheaper is decided for what comes first: transactions of both kinds do not wait together.
        let has_room = is_first || self.submitter.has_room() && !self.may_use_blobs(work);
        let is_due = self.last_submission.elapsed() >= self.config.submit_interval;
        let is_full = blocks.len() >= MAX_BLOCKS || self.fills_a_transaction(&blocks);
        if blocks.is_empty() && (is_first || has_news) {
            return Ok(Outcome::Brought);
        }
        if blocks.is_empty() || !has_room || !is_full && !is_due {
            return Ok(Outcome::Untried);
        }
        self.last_submission = Instant::now();
        let waiting = blocks.clone();
        let Some((blocks, inputs)) = self.what_fits(work, blocks)? else {
            return Ok(Outcome::Untried);
        };
        let kept = self.kept_of(work, &inputs);
        let known = work.duties;
        let by_blobs = match is_first {
            true => self.by_blobs(work, &waiting, &inputs, &kept)?,
            false => None,
        };
        let id = |block: &Arc<Block>| (block.header.number, block.hash);
        let shipment = match by_blobs {
            Some(Plan { blocks, load }) => {
                let gas_limit = load.blobs.as_ref().map(|blobs| blobs.gas_limit);
                let blocks = blocks.iter().map(id).collect();
                Shipment { blocks, load, gas_limit, can_be_tried: false, goes_alone: true }
            }
            None => {
                let evidence = evidence(&work.chain, &work.view, &self.rules, known, &blocks);
                let (evidence, _) = evidence??;
                // What L1 will know of the duties then is not known yet.
                let goes_alone = !evidence.relays.is_empty() || !evidence.forced.is_empty();
                if goes_alone && !is_first {
                    return Ok(Outcome::Untried);
                }
                // Checking evidence takes what only L1 can tell.
                let is_plain = evidence.updates.is_empty() && !goes_alone;
                let (inputs, gas_limit) =
                    self.in_calldata(work, &blocks, inputs, &kept, &evidence, is_first)?;
                let gas_limit = gas_limit.filter(|_| is_plain || !is_first);
                let input = advanceCall { inputs, evidence }.abi_encode().into();
                let blocks = blocks.iter().map(id).collect();
                let load = Load { input, blobs: None };
                Shipment { blocks, load, gas_limit, can_be_tried: is_first, goes_alone }
            }
        };
        let count = shipment.blocks.len();
        if self.is_outdated() {
            return Ok(Outcome::Untried);
        }
        let sent = self.submitter.submit(&self.client, &work.view, shipment);
        if let Err(RollupError::BlobsRefused(_)) = &sent {
            self.blobs.has_failed(work.l1_head());
            return sent.map(|()| Outcome::Brought);
        }
        if sent.is_err() {
            self.distrust_kept(work);
        }
        // What L1 does not take of several blocks, it may take of fewer.
        self.most_blocks = if sent.is_ok() { MAX_BLOCKS } else { (count / 2).max(1) };
        sent.map(|()| Outcome::Brought)
    }

    /// Whether these blocks, each by itself, would fill an L1 transaction: nothing is gained by waiting for more. Of
    /// blocks that were not sealed by this process nothing is known.
    fn fills_a_transaction(&self, blocks: &[Arc<Block>]) -> bool {
        let posted = |block: &Arc<Block>| self.posted.get(&block.hash).map(|it| it.posted.bytes);
        let bytes: usize = blocks.iter().filter_map(posted).sum();
        bytes >= self.limits().input_bytes()
    }

    /// As many of the oldest blocks as one L1 transaction carries, and what it carries: one batch of all, which
    /// share a witness and a fork, or of one block its shortest input.
    fn what_fits(
        &self,
        work: &Work,
        mut blocks: Vec<Arc<Block>>,
    ) -> Result<Option<Fitting>, RollupError> {
        let (chain, time) = (&work.chain, work.l1_time());
        blocks.truncate(self.most_blocks);
        let fork_of = |block: &Arc<Block>| chain.config().spec.fork_at(block.header.timestamp);
        let fork = blocks.first().and_then(fork_of);
        let mut gas = 0_u64;
        let fitting = blocks.iter().take_while(|block| {
            gas = gas.saturating_add(block.header.gas_used);
            let header = &block.header;
            header.timestamp <= time && gas <= header.gas_limit && fork_of(block) == fork
        });
        let mut count = fitting.count();
        let max_bytes = self.limits().input_bytes();
        while count > 1 {
            let batch = chain.batch(blocks[..count].to_vec())?;
            let number = blocks[0].header.number;
            let input = batch.input().map_err(|source| RollupError::Input { number, source })?;
            if input.len() <= max_bytes {
                blocks.truncate(count);
                return Ok(Some((blocks, vec![input.into()])));
            }
            // As if all were alike, and at least one fewer.
            count = (count * max_bytes / input.len()).clamp(1, count - 1);
        }
        blocks.truncate(count);
        let Some(block) = blocks.first().map(Arc::clone) else { return Ok(None) };
        Ok(Some((blocks, vec![input_alone(chain, &block)?])))
    }

    /// The input of EXECUTE for a block; made once.
    pub(super) fn input_of(
        &mut self,
        work: &Work,
        block: &Arc<Block>,
    ) -> Result<Bytes, RollupError> {
        if let Some(input) = self.inputs.get(&block.hash) {
            return Ok(input.clone());
        }
        let input = feed::input_of(&work.chain, block)?;
        self.inputs.insert(block.hash, input.clone());
        Ok(input)
    }
}

/// The input with which a block goes to L1 as calldata if it goes alone. It had room there when it was sealed.
fn input_alone(chain: &ChainReader, block: &Arc<Block>) -> Result<Bytes, RollupError> {
    let number = block.header.number;
    let witness = chain.witness_of(block)?.ok_or(ChainError::Pruned(number))?;
    let spec = &chain.config().spec;
    let fork = spec.fork_at(block.header.timestamp).unwrap_or(ProtocolFork::Paris);
    let input = shortest_input(block, fork, spec.chain_id(), &witness);
    Ok(input.map_err(|source| RollupError::Input { number, source })?.into())
}
