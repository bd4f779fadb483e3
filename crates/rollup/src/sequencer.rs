//! Making blocks and bringing them to L1.

use crate::{
    Duties, DutyError, RollupError, Rules, SequencerConfig, Submitter,
    anchor::{self, Opening, Operator, anchor_of},
    duties::{DUTY_GAS, evidence},
    l1::L1View,
    status::SubmitterStatus,
    submitter::Progress,
    sync::{self, Sync, relayed_after},
};
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, map::B256Map};
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainReader, RecoveredTransaction, Rejection};
use contracts::{Anchor, L1_ANCHOR, L2_MESSENGER, bindings::INativeRollup::advanceCall};
use executor::{Transaction, recover_sender};
use node::{MineRequest, Node, SealedBlock, SetAttributes, SetCoinbase};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Most bytes of calldata of an `advance` that public pools of L1 take, around them the transaction.
pub(crate) const MAX_CALLDATA: usize = 131_072 - 1_072;
/// Bytes that evidence and encoding take beside the inputs, as far as `Capacity` knows.
const EVIDENCE: usize = 6_000;
/// Gas that EXECUTE may ask for a block: what an L1 transaction has (EIP-7825), without its calldata, which
/// may be 16 gas a byte, and half a million for the contract; and 63/64 of that.
pub(crate) const MAX_EXECUTE_GAS: u64 = ((1 << 24) - 16 * 131_072 - 500_000) / 64 * 63;
/// L2 blocks in one `advance` at most.
const MAX_BLOCKS: usize = 32;
/// Seconds before it is too old for L1 in which a block is given up.
const LAG_MARGIN: u64 = 12;
/// Bytes of forced transactions that a block starts with at most.
const FORCED_BYTES: usize = 32_000;

/// Makes the blocks of an L2.
#[derive(Debug)]
pub struct Sequencer {
    sync: Sync,
    rules: Rules,
    config: SequencerConfig,
    submitter: Submitter,
    /// Inputs of EXECUTE of blocks that L1 does not have yet.
    inputs: B256Map<Bytes>,
    /// Messages whose delivery makes a block that L1 cannot carry.
    parked: BTreeSet<u64>,
    /// Transactions of blocks that were given up. They may need what stood before them, a deposit for
    /// instance, so they wait here for the same place, and not in the pool.
    again: Vec<RecoveredTransaction>,
    last_block: Instant,
    last_submission: Instant,
    /// Blocks that the next `advance` has at most: fewer after one that L1 would not take.
    most_blocks: usize,
    /// Seconds of L1's clock before the clock of this machine.
    clock_offset: i128,
    seen_l1: B256,
}

impl Sequencer {
    /// A sequencer over a node and a view of L1.
    pub(crate) fn new(sync: Sync, rules: Rules, config: SequencerConfig) -> Self {
        let deployment = sync.view.deployment();
        let submitter = Submitter::new(
            config.advance_key.clone(),
            deployment.l1_chain_id,
            deployment.rollup,
            config.submitter.clone(),
        );
        let now = Instant::now();
        Self {
            sync,
            rules,
            config,
            submitter,
            inputs: B256Map::default(),
            parked: BTreeSet::new(),
            again: Vec::new(),
            last_block: now,
            last_submission: now,
            most_blocks: MAX_BLOCKS,
            clock_offset: 0,
            seen_l1: B256::ZERO,
        }
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
            in_flight: self.submitter.in_flight().map(|sent| sent.hash),
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

    /// Reads L1 until nothing is left to be read, and does what follows from it: blocks that L1 cannot take
    /// any more are made again.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; whatever was done before stays, and the next call goes on.
    pub fn follow_l1(&mut self) -> Result<(), RollupError> {
        loop {
            let update = self.sync.poll()?;
            if update.reverted_to.is_some() {
                self.submitter.forget();
            }
            if !update.more {
                break;
            }
        }
        let head = self.view().head().map(|head| (head.hash, head.timestamp));
        if let Some((hash, timestamp)) = head.filter(|(hash, _)| *hash != self.seen_l1) {
            self.clock_offset = i128::from(timestamp) - time_of_day();
            self.seen_l1 = hash;
        }
        self.rebuild_lost()
    }

    /// L1's time now, as far as this machine can tell: never later than the next L1 block.
    fn l1_time(&self) -> u64 {
        let head = self.view().head().map_or(0, |head| head.timestamp);
        // A clock that runs behind L1's is put forward; one that runs before it is not: a head that is an
        // hour old says that no block came for an hour.
        let now = time_of_day() + self.clock_offset.max(0);
        u64::try_from(now.max(0)).unwrap_or(0).max(head)
    }

    /// Goes back below the first block that L1 can never take: because it is too old, or because its anchor
    /// names an L1 block that is gone. Transactions go back to the pool.
    fn rebuild_lost(&mut self) -> Result<(), RollupError> {
        let chain = self.chain();
        let now = self.l1_time();
        let mut parent = self.sync.safe()?.hash;
        for block in self.unsafe_blocks()? {
            let too_old = block.header.timestamp + self.rules.max_lag < now + LAG_MARGIN;
            let lost = anchor_of(&block).is_some_and(|anchor| !self.is_nameable(&anchor));
            if too_old || lost {
                let reason = if too_old { "too old for L1" } else { "its anchor is gone" };
                tracing::warn!(number = block.header.number, reason, "blocks are made again");
                self.submitter.forget();
                self.keep_transactions(&block)?;
                self.sync.set_head(parent)?;
                break;
            }
            parent = block.hash;
        }
        let gone: Vec<_> = self.inputs.keys().copied().collect();
        for hash in gone {
            let block = chain.find_block(&hash)?;
            let canonical = block.map(|block| self.chain().canonical_hash(block.header.number));
            if canonical.transpose()?.flatten() != Some(hash) {
                self.inputs.remove(&hash);
            }
        }
        Ok(())
    }

    /// Keeps the transactions of a block, and of those on top of it, for the blocks that replace them.
    fn keep_transactions(&mut self, first: &Arc<Block>) -> Result<(), RollupError> {
        let chain = self.chain();
        let operator = self.config.operator_key.address();
        let mut kept = Vec::new();
        for number in first.header.number..=chain.head().header.number {
            let Some(block) = chain.canonical_block(number)? else { break };
            for (transaction, sender) in block.transactions.iter().zip(&block.senders) {
                if *sender != operator {
                    let (transaction, sender) = (transaction.clone(), *sender);
                    kept.push(RecoveredTransaction { transaction, sender, signed: true });
                }
            }
        }
        kept.append(&mut self.again);
        self.again = kept;
        Ok(())
    }

    /// Forgets kept transactions that stand in a block now, or that no block can hold any more.
    fn forget_kept(&mut self, sealed: &SealedBlock) {
        self.again.retain(|kept| {
            let hash = kept.transaction.hash();
            let included = sealed.new.block.transactions.iter().any(|it| it.hash() == hash);
            let reason = sealed.rejected.iter().find(|(rejected, _)| rejected == hash);
            let impossible = match reason {
                Some((transaction, reason @ Rejection::Invalid(_))) => {
                    tracing::warn!(%transaction, %reason, "a transaction fell out");
                    true
                }
                _ => false,
            };
            !included && !impossible
        });
    }

    /// Whether L1 still names this block and these messages.
    fn is_nameable(&self, anchor: &Anchor) -> bool {
        let messages = self.view().messages();
        self.view().is_canonical(anchor.l1_block_number, anchor.l1_block_hash)
            && messages.checkpoint_of(anchor.message_count).is_some()
            && messages.root_at(anchor.message_count) == anchor.message_root
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
        if self.last_block.elapsed() < self.config.block_time || time <= head.header.timestamp {
            return Ok(None);
        }
        let Some(sealed) = self.seal(&chain, &head, time)? else { return Ok(None) };
        self.last_block = Instant::now();
        self.forget_kept(&sealed);
        let input = sealed.new.input().map_err(|source| RollupError::Input {
            number: sealed.new.block.header.number,
            source,
        })?;
        let block = self.node().append(sealed)?;
        self.inputs.insert(block.hash, input.into());
        Ok(Some(block))
    }

    /// Seals the next block, if there is anything to put into it or it is time.
    fn seal(
        &mut self,
        chain: &ChainReader,
        head: &Arc<Block>,
        time: u64,
    ) -> Result<Option<SealedBlock>, RollupError> {
        let relayed = relayed_after(chain, head)?;
        let known = sync::duties(self.view().client(), self.view().deployment().rollup)?;
        let anchor = self.next_anchor(chain, head, relayed, &known)?;
        let covered = match &anchor {
            Some(anchor) => anchor.message_count,
            None => covered_by(chain, head)?,
        };
        let forced = self.forced(chain, &known)?;
        let idle = anchor.is_none()
            && covered <= relayed
            && forced.is_empty()
            && self.again.is_empty()
            && self.node().read(|node| node.pool.is_empty());
        if idle && self.last_block.elapsed() < self.config.idle_block_time {
            return Ok(None);
        }
        let recipient = sync::fee_recipient(
            self.view().client(),
            self.view().deployment().rollup,
            self.submitter.address(),
            &self.rules,
            time,
        )?;
        let coinbase = recipient.unwrap_or(self.config.operator_key.address());
        if self.node().read(|node| node.settings.coinbase) != coinbase {
            self.node().execute(SetCoinbase(coinbase));
        }
        let again = self.again.iter().filter(|kept| {
            forced.iter().all(|forced| forced.transaction.hash() != kept.transaction.hash())
        });
        let fixed: Vec<_> = forced.iter().chain(again).cloned().collect();
        let mut most = usize::MAX;
        loop {
            let opening = self.opening(chain, anchor.as_ref(), covered, relayed, most)?;
            let request = MineRequest {
                timestamp: Some(time),
                parent_beacon_block_root: match &anchor {
                    Some(anchor) => anchor.hash(),
                    None => head.header.parent_beacon_block_root.unwrap_or_default(),
                },
                transactions: opening.transactions.into_iter().chain(fixed.clone()).collect(),
                ..MineRequest::default()
            };
            self.node().execute(SetAttributes(request.clone()));
            let sealed = self.node().seal(&request)?;
            let count = usize::try_from(opening.relayed - relayed).unwrap_or(usize::MAX);
            if self.has_opened(&sealed, anchor.as_ref(), count) {
                return self.judged(sealed, known).map(Some);
            }
            // Fewer messages, and in the end one that is kept for others to deliver.
            match count {
                0 => return Err(self.too_large(&sealed)),
                1 if !self.parked.insert(relayed) => return Err(self.too_large(&sealed)),
                1 => tracing::warn!(index = relayed, "a message is parked: it needs too much"),
                _ => most = count / 2,
            }
        }
    }

    /// The anchor of the next block, if it gets a new one: if there are messages that the last one does not
    /// cover.
    fn next_anchor(
        &self,
        chain: &ChainReader,
        head: &Arc<Block>,
        relayed: u64,
        known: &Duties,
    ) -> Result<Option<Anchor>, RollupError> {
        let Some(l1_head) = self.view().head() else { return Ok(None) };
        let Some(named) = l1_head.number.checked_sub(self.config.confirmations) else {
            return Ok(None);
        };
        let covered = covered_by(chain, head)?;
        // What the last one covers is relayed before the next is taken.
        if relayed < covered {
            return Ok(None);
        }
        let anchor = anchor::newest(self.view(), named, known.relayed);
        Ok(anchor.filter(|anchor| anchor.message_count > covered))
    }

    fn opening(
        &self,
        chain: &ChainReader,
        anchor: Option<&Anchor>,
        covered: u64,
        relayed: u64,
        most: usize,
    ) -> Result<Opening, RollupError> {
        let key = self.config.operator_key.clone();
        let mut operator = Operator {
            nonce: chain.nonce(key.address())?,
            base_fee: chain.state().next_base_fee()?,
            chain_id: chain.config().spec.chain_id(),
            key,
        };
        let parked = |index| self.parked.contains(&index);
        anchor::opening(self.view(), &mut operator, anchor, covered, relayed, most, parked)
    }

    /// Forced transactions that the next block can begin with, in the order of the queue, as many as one
    /// can be asked for.
    fn forced(
        &self,
        chain: &ChainReader,
        known: &Duties,
    ) -> Result<Vec<RecoveredTransaction>, RollupError> {
        let confirmed = self
            .view()
            .head()
            .map_or(0, |head| head.number.saturating_sub(self.config.confirmations));
        let state = chain.state();
        let mut nonces: Vec<(Address, u64)> = Vec::new();
        let (mut forced, mut gas, mut bytes) = (Vec::new(), 0, 0);
        for entry in self.view().forced_from(known.forced_next) {
            let t = &entry.transaction;
            gas += t.gasLimit;
            bytes += entry.raw.len();
            if entry.l1_block > confirmed || gas > DUTY_GAS || bytes > FORCED_BYTES {
                break;
            }
            let Ok(transaction) = Transaction::decode_2718_exact(&entry.raw) else { continue };
            let Some(sender) = recover_sender(&transaction) else { continue };
            let expected = match nonces.iter().find(|(of, _)| *of == sender) {
                Some((_, next)) => *next,
                None => state.nonce(sender)?,
            };
            // One that cannot stand in the block is not tried: the record of the block starts afresh then.
            if t.nonce != expected || state.balance(sender)? < t.cost {
                continue;
            }
            nonces.retain(|(of, _)| *of != sender);
            nonces.push((sender, expected + 1));
            forced.push(RecoveredTransaction { transaction, sender, signed: true });
        }
        Ok(forced)
    }

    /// Whether a block has taken over from L1 what it was to, and L1 can carry it.
    fn has_opened(&self, sealed: &SealedBlock, anchor: Option<&Anchor>, relayed: usize) -> bool {
        let block = &sealed.new.block;
        let operator = self.config.operator_key.address();
        let expected = usize::from(anchor.is_some()) + usize::from(relayed > 0);
        let done = block
            .transactions
            .iter()
            .zip(&block.senders)
            .zip(&block.executed.receipts)
            .filter(|((transaction, sender), receipt)| {
                let to: Option<Address> = (**transaction).to();
                let ours = to.is_some_and(|to| to == L1_ANCHOR || to == L2_MESSENGER);
                ours && **sender == operator && receipt.success
            })
            .count();
        let length = sealed.new.input().map_or(usize::MAX, |input| input.len());
        done >= expected && length <= max_input()
    }

    fn too_large(&self, sealed: &SealedBlock) -> RollupError {
        let got = sealed.new.input().map_or(0, |input| input.len());
        RollupError::TooLarge { got, max: max_input() }
    }

    /// A sealed block, if it owes nothing that it has not done.
    fn judged(&self, sealed: SealedBlock, known: Duties) -> Result<SealedBlock, RollupError> {
        let mut after = self.node().read(|node| node.chain.detached());
        let block = after.append(sealed.new.clone())?;
        let mut blocks = self.unsafe_blocks()?;
        blocks.push(block);
        match evidence(after.reader(), self.view(), &self.rules, known, &blocks)? {
            Ok(_) => Ok(sealed),
            Err(reason) => Err(reason.into()),
        }
    }

    /// Brings blocks to L1, if any wait and it is time.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; the blocks wait for the next call.
    pub fn submit(&mut self) -> Result<(), RollupError> {
        match self.submitter.step(&self.sync.view)? {
            Progress::Waiting => return Ok(()),
            Progress::Done(blocks) => {
                for (_, hash) in &blocks {
                    self.inputs.remove(hash);
                }
            }
            Progress::Idle | Progress::Failed(_) => {}
        }
        let blocks = self.unsafe_blocks()?;
        let full = blocks.len() >= MAX_BLOCKS;
        if blocks.is_empty()
            || !full && self.last_submission.elapsed() < self.config.submit_interval
        {
            return Ok(());
        }
        self.last_submission = Instant::now();
        let Some((blocks, inputs)) = self.what_fits(blocks)? else { return Ok(()) };
        let chain = self.chain();
        let known = sync::duties(self.view().client(), self.view().deployment().rollup)?;
        let (evidence, _) = evidence(&chain, self.view(), &self.rules, known, &blocks)?
            .map_err(RollupError::from)?;
        let call = advanceCall { inputs, evidence }.abi_encode();
        let ids = blocks.iter().map(|block| (block.header.number, block.hash)).collect();
        let count = blocks.len();
        let sent = self.submitter.submit(&self.sync.view, call.into(), ids);
        // What L1 does not take of several blocks, it may take of fewer.
        self.most_blocks = if sent.is_ok() { MAX_BLOCKS } else { (count / 2).max(1) };
        sent
    }

    /// As many of the oldest blocks as one L1 transaction carries, and what it carries: one input for one
    /// block, and one batch for several, which share a witness.
    fn what_fits(&mut self, mut blocks: Vec<Arc<Block>>) -> Result<Option<Load>, RollupError> {
        let time = self.l1_time();
        blocks.truncate(self.most_blocks);
        let mut gas = 0_u64;
        let fitting = blocks.iter().take_while(|block| {
            gas = gas.saturating_add(block.header.gas_used);
            block.header.timestamp <= time && gas <= block.header.gas_limit
        });
        let mut count = fitting.count();
        let chain = self.chain();
        while count > 1 {
            let batch = chain.batch(blocks[..count].to_vec())?;
            let number = blocks[0].header.number;
            let input = batch.input().map_err(|source| RollupError::Input { number, source })?;
            if input.len() <= max_input() {
                blocks.truncate(count);
                return Ok(Some((blocks, vec![input.into()])));
            }
            // As if all were alike, and at least one fewer.
            count = (count * max_input() / input.len()).min(count - 1).max(1);
        }
        blocks.truncate(count);
        match blocks.first().map(Arc::clone) {
            Some(block) => {
                let input = self.input_of(&block)?;
                Ok(Some((blocks, vec![input])))
            }
            None => Ok(None),
        }
    }

    /// The input of EXECUTE for a block; made again if it was lost with a process.
    fn input_of(&mut self, block: &Arc<Block>) -> Result<Bytes, RollupError> {
        if let Some(input) = self.inputs.get(&block.hash) {
            return Ok(input.clone());
        }
        let input = crate::feed::input_of(&self.chain(), block)?;
        self.inputs.insert(block.hash, input.clone());
        Ok(input)
    }
}

/// Blocks, and their inputs.
type Load = (Vec<Arc<Block>>, Vec<Bytes>);

/// Most bytes of the inputs of one `advance`.
pub(crate) const fn max_input() -> usize {
    MAX_CALLDATA - EVIDENCE
}

/// How many messages the anchor of a block covers, as its state knows.
fn covered_by(chain: &ChainReader, block: &Arc<Block>) -> Result<u64, RollupError> {
    let slot = chain.state_after(block).storage(L1_ANCHOR, Default::default())?;
    Ok(slot.as_limbs()[1])
}

fn time_of_day() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::from(since.as_secs())
}

impl From<DutyError> for RollupError {
    fn from(error: DutyError) -> Self {
        Self::Duty(error)
    }
}
