//! Making blocks and bringing them to L1.
//!
//! What a block is made of is in `sealing`, what goes to L1 and when in `submission`, which way in `planning`, and
//! what becomes of blocks that L1 can never take in `recovery`.

mod clock;
mod planning;
mod recovery;
mod sealing;
mod submission;

use crate::{
    Duties, RollupError, Rules, SequencerConfig, Submitter,
    l1::L1View,
    pool_log::PoolLog,
    status::SubmitterStatus,
    sync::{self, Sync},
};
use alloy_primitives::{Address, B256, Bytes, map::B256Map};
use chain::{Block, ChainReader, RecoveredTransaction};
use clock::L1Clock;
use contracts::posting::L1Limits;
use node::{MineRequest, Node, Posted, SetAttributes};
use planning::BlobTrust;
use std::{collections::BTreeSet, sync::Arc, time::Instant};

/// Makes the blocks of an L2.
#[derive(Debug)]
pub struct Sequencer {
    sync: Sync,
    rules: Rules,
    config: SequencerConfig,
    submitter: Submitter,
    /// Inputs of EXECUTE of blocks that L1 does not have yet.
    inputs: B256Map<Bytes>,
    /// What such a block takes of an L1 transaction if it goes alone, for those that this process has sealed.
    posted: B256Map<Posted>,
    /// Messages whose delivery makes a block that L1 cannot carry.
    parked: BTreeSet<u64>,
    /// Transactions of blocks that were given up. They may need what stood before them, a deposit for
    /// instance, so they wait here for the same place, and not in the pool.
    again: Vec<RecoveredTransaction>,
    last_block: Instant,
    last_submission: Instant,
    not_submitted: Option<String>,
    /// Blocks that the next `advance` has at most: fewer after one that L1 would not take.
    most_blocks: usize,
    blobs: BlobTrust,
    /// The L1 block from which on inputs name what L1 keeps.
    kept_again_at: u64,
    /// What L1 knew of the duties at its block with this hash.
    known: Option<(B256, Duties)>,
    clock: L1Clock,
    /// Since when L1's time has been behind that of the newest block.
    ahead_since: Option<Instant>,
    pool_log: Option<Arc<PoolLog>>,
    /// Whether L1 has taken blocks in the places of this node's since somebody looked.
    pub(crate) is_overtaken: bool,
}

impl Sequencer {
    /// A sequencer over a node and a view of L1.
    pub(crate) fn new(
        sync: Sync,
        rules: Rules,
        config: SequencerConfig,
        pool_log: Option<Arc<PoolLog>>,
    ) -> Self {
        let deployment = sync.view.deployment();
        let submitter = Submitter::new(
            config.advance_key.clone(),
            deployment.l1_chain_id,
            deployment.rollup,
            config.submitter.clone(),
        );
        let now = Instant::now();
        let sequencer = Self {
            sync,
            rules,
            config,
            submitter,
            inputs: B256Map::default(),
            posted: B256Map::default(),
            parked: BTreeSet::new(),
            again: Vec::new(),
            last_block: now,
            last_submission: now,
            not_submitted: None,
            most_blocks: submission::MAX_BLOCKS,
            blobs: BlobTrust::default(),
            kept_again_at: 0,
            known: None,
            clock: L1Clock::new(),
            ahead_since: None,
            pool_log,
            is_overtaken: false,
        };
        sequencer.expect_plain_block();
        sequencer
    }

    /// What another role goes on with, and the transactions that wait for their place in a block.
    pub(crate) fn into_parts(self) -> (Sync, Vec<RecoveredTransaction>) {
        self.expect_plain_block();
        (self.sync, self.again)
    }

    pub(crate) const fn sync(&self) -> &Sync {
        &self.sync
    }

    pub(crate) fn submitter_status(&self) -> SubmitterStatus {
        let head = self.chain().head().header.number;
        let safe = self.sync.view.advanced_head().map_or(0, |(number, _)| number);
        SubmitterStatus {
            address: self.submitter.address(),
            balance: self.submitter.balance(),
            spent_today: self.submitter.spent(),
            in_flight: self.submitter.in_flight().next().map(|sent| sent.hash),
            transactions_in_flight: self.submitter.in_flight().count(),
            unsafe_blocks: head.saturating_sub(safe),
        }
    }

    const fn node(&self) -> &Arc<Node> {
        &self.sync.node
    }

    fn chain(&self) -> ChainReader {
        self.sync.chain()
    }

    const fn view(&self) -> &L1View {
        &self.sync.view
    }

    const fn rollup(&self) -> Address {
        self.view().deployment().rollup
    }

    /// What a transaction on L1 may have.
    const fn limits(&self) -> &L1Limits {
        &self.config.submitter.limits
    }

    /// Reads L1 until nothing is left to be read, and does what follows from it: blocks that L1 cannot take
    /// any more are made again.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; whatever was done before stays, and the next call goes on.
    pub fn follow_l1(&mut self) -> Result<(), RollupError> {
        loop {
            let update = self.sync.poll()?;
            if update.reverted {
                self.submitter.forget();
            }
            self.is_overtaken |= !update.reverted && !update.displaced.is_empty();
            self.displace(update.displaced);
            if !update.more {
                break;
            }
        }
        self.set_clock()?;
        self.rebuild_lost()
    }

    /// Sets the clock by L1's head and the block that it would make now.
    fn set_clock(&mut self) -> Result<(), RollupError> {
        let Some(head) = self.view().head().map(|head| head.timestamp) else { return Ok(()) };
        let next = self.view().client().next_timestamp()?.unwrap_or(head);
        self.clock.set(head, next.max(head + 1));
        Ok(())
    }

    /// L1's time now: not later than that of its next block.
    fn l1_time(&self) -> u64 {
        self.clock.now()
    }

    /// What L1 knows of the duties: asked once for each of its blocks.
    fn known_duties(&mut self) -> Result<Duties, RollupError> {
        let head = self.view().head().map_or(B256::ZERO, |head| head.hash);
        match self.known {
            Some((at, known)) if at == head => Ok(known),
            _ => {
                let known = sync::duties(self.view().client(), self.rollup())?;
                self.known = Some((head, known));
                Ok(known)
            }
        }
    }

    /// Blocks that L1 does not have, oldest first.
    fn unsafe_blocks(&self) -> Result<Vec<Arc<Block>>, RollupError> {
        let (chain, safe) = (self.chain(), self.sync.safe()?);
        let numbers = safe.header.number + 1..=chain.head().header.number;
        let blocks = numbers.filter_map(|number| chain.canonical_block(number).transpose());
        Ok(blocks.collect::<Result<_, _>>()?)
    }

    /// Makes a block if one is due.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; no block is shown then.
    pub fn make_block(&mut self) -> Result<Option<Arc<Block>>, RollupError> {
        let chain = self.chain();
        let head = Arc::clone(chain.head());
        let time = self.l1_time();
        if self.ahead_since.is_some() {
            let (number, got) = (head.header.number, head.header.timestamp);
            return Err(RollupError::AheadOfL1 { number, got, expected: self.clock.next_block() });
        }
        if self.last_block.elapsed() < self.config.block_time || time <= head.header.timestamp {
            return Ok(None);
        }
        let sealed = self.seal(&chain, &head, time);
        let sealed = match sealed {
            Ok(Some(sealed)) => sealed,
            nothing => {
                self.expect_plain_block();
                return nothing.map(|_| None);
            }
        };
        let input = sealed.new.input().map_err(|source| RollupError::Input {
            number: sealed.new.block.header.number,
            source,
        })?;
        let (rejected, posted) = (sealed.rejected.clone(), sealed.posted);
        let block = self.node().append(sealed)?;
        self.last_block = Instant::now();
        self.inputs.insert(block.hash, input.into());
        self.posted.extend(posted.map(|posted| (block.hash, posted)));
        self.forget_kept(&block, &rejected)?;
        self.expect_plain_block();
        if let Some(log) = &self.pool_log {
            log.tidy(self.node(), self.sync.safe()?.header.number, &self.again);
        }
        Ok(Some(block))
    }

    /// Whoever asks for the pending block is shown one with the anchor of the head, until it is known what
    /// the next one begins with.
    fn expect_plain_block(&self) {
        let head = Arc::clone(self.chain().head());
        let anchor = head.header.parent_beacon_block_root.unwrap_or_default();
        let plain = MineRequest { parent_beacon_block_root: anchor, ..MineRequest::default() };
        let asked = self.node().read(|node| {
            let it = &node.attributes;
            it.timestamp.is_none()
                && it.transactions.is_empty()
                && it.parent_beacon_block_root == anchor
        });
        if !asked {
            self.node().execute(SetAttributes(plain));
        }
    }
}
