//! The chain of L1 headers, and what follows from it for the rollup.

use crate::{
    L1Error, RollupError,
    l1::{
        Advanced, BlobClient, ForcedEntry, L1Client, L1Header, L1Transaction, ReadHeader,
        SentMessage, client::PARALLEL, events::Events, kept::KeptCodes, log::L1Log,
    },
    queue::MessageQueue,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_trace::geth::{CallFrame, GethDebugTracingOptions};
use contracts::{Deployment, kept::KeptCode};
use disk::DiskError;
use std::{collections::VecDeque, path::Path};

/// Headers that are remembered: reorganisations below them are refused.
const REMEMBERED: usize = 1_024;

/// Headers that are asked for in one go.
const BATCH: usize = 256;

/// What errors call a block of the file.
const RECORD: &str = "an L1 block";

/// Where a view and the chain of its node part.
enum Common {
    /// Behind the head of the view.
    Head,
    /// Behind this block.
    Block(u64),
    /// They never met.
    Nothing,
}

/// What a look at L1 has brought.
#[derive(Debug, Default)]
pub struct L1Update {
    /// Number of the last L1 block that stayed, if L1 was reorganised.
    pub reverted_to: Option<u64>,
    /// The L2 blocks that L1 has taken since, in order.
    pub advanced: Vec<Advanced>,
    /// Whether there is more to be read already.
    pub more: bool,
}

/// L1 from the block of the deployment on, as far as it has been read.
#[derive(Debug)]
pub struct L1View {
    client: L1Client,
    /// Whoever keeps the blobs of L1.
    blobs: Option<BlobClient>,
    /// What inputs refer to.
    kept: KeptCodes,
    deployment: Deployment,
    /// The newest ones. Of those that were kept in a file all, until the node of L1 has said where its chain is.
    headers: VecDeque<L1Header>,
    /// What was read, in a file.
    log: Option<L1Log>,
    messages: MessageQueue,
    forced: Vec<ForcedEntry>,
    /// Number, hash and L1 block of each L2 block that L1 has taken.
    advanced: Vec<(u64, B256, u64)>,
    /// Number of each forced transaction that was discharged, and the L1 block of that.
    discharged: Vec<(u64, u64)>,
    finalized: u64,
    /// Number of the newest L1 block there is, as the node said last.
    latest: u64,
    /// What was read and not handed over yet, because something behind it could not be read.
    update: L1Update,
}

impl L1View {
    /// A view that has read nothing yet.
    pub fn new(client: L1Client, deployment: Deployment) -> Self {
        Self {
            client,
            blobs: None,
            kept: KeptCodes::default(),
            deployment,
            headers: VecDeque::new(),
            log: None,
            messages: MessageQueue::default(),
            forced: Vec::new(),
            advanced: Vec::new(),
            discharged: Vec::new(),
            finalized: 0,
            latest: 0,
            update: L1Update::default(),
        }
    }

    /// The same view, for a rollup whose data may lie in blobs, which this client has.
    #[must_use]
    pub fn with_blobs(self, blobs: Option<BlobClient>) -> Self {
        Self { blobs, ..self }
    }

    /// The same view, which keeps what it reads in a file and goes on from what is in it: as far as it holds, and
    /// before the first block of L1 that has taken an L2 block which is not `known`, since inputs are not in it.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1Log`] if the file cannot be read or written. One that is damaged is cut back.
    pub fn with_log(
        mut self,
        path: &Path,
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<Self, RollupError> {
        let subject = L1Log::subject(&self.deployment);
        let log = L1Log::open(path, subject, |header, events| {
            self.accepts(&header, &events).map_err(|error| DiskError::malformed(RECORD, error))?;
            // Whether they are where they should be in the L2 has to be looked at again.
            self.update.advanced.extend(events.advanced.iter().cloned());
            self.take(header, events);
            Ok(())
        })?;
        self.log = Some(log);
        // Who has a block has those before it.
        let held = self.advanced.partition_point(|(_, hash, _)| known(hash));
        if let Some((number, _, l1_block)) = self.advanced.get(held).copied() {
            tracing::warn!(
                number,
                l1_block,
                "an L2 block is missing: L1 is read again from there on"
            );
            self.cut_back(l1_block.checked_sub(1))?;
        }
        if let Some(head) = self.head() {
            let (number, blocks) = (head.number, self.headers.len());
            tracing::info!(number, blocks, "L1 was read up to here before");
        }
        Ok(self)
    }

    /// Whether L2 blocks that lie in blobs can be read.
    pub const fn reads_blobs(&self) -> bool {
        self.blobs.is_some()
    }

    /// The node behind it.
    pub const fn client(&self) -> &L1Client {
        &self.client
    }

    /// What L1 keeps of the codes of this input, all together or each by itself.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`].
    pub(crate) fn kept_of(&self, input: &[u8]) -> Result<Vec<KeptCode>, L1Error> {
        let codes = [KeptCode::of_codes_in(input), KeptCode::of_each_code_in(input)].concat();
        self.kept.among(codes, self.latest, |account| self.client.code(account))
    }

    /// Has L1 asked again for what it keeps: it may have been in a block that is gone.
    pub(crate) fn forget_kept(&self) {
        self.kept.forget();
    }

    /// The deployment that it looks at.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The newest header that was read.
    pub fn head(&self) -> Option<&L1Header> {
        self.headers.back()
    }

    /// The header with this number, if it is remembered.
    pub fn header(&self, number: u64) -> Option<&L1Header> {
        let first = self.headers.front()?.number;
        self.headers.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Whether this block is on the chain that was read. Those that are forgotten are taken to be.
    pub fn is_canonical(&self, number: u64, hash: B256) -> bool {
        match self.header(number) {
            Some(header) => header.hash == hash,
            None => self.headers.front().is_some_and(|first| number < first.number),
        }
    }

    /// Number of the newest L1 block that is final.
    pub const fn finalized(&self) -> u64 {
        self.finalized
    }

    /// Number of the newest L1 block, read or not. Nothing proves it.
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// The queue of messages to the L2.
    pub const fn messages(&self) -> &MessageQueue {
        &self.messages
    }

    /// The forced transactions from this number on.
    pub fn forced_from(&self, index: u64) -> &[ForcedEntry] {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.forced.get(index..).unwrap_or_default()
    }

    /// Number of the first forced transaction that L1 does not know to be dealt with.
    pub fn forced_next(&self) -> u64 {
        self.discharged.last().map_or(0, |(index, _)| index + 1)
    }

    /// The newest L2 block that L1 has taken, as number and hash.
    pub fn advanced_head(&self) -> Option<(u64, B256)> {
        self.advanced.last().map(|(number, hash, _)| (*number, *hash))
    }

    /// The newest L2 block that a final L1 block has taken, as number and hash.
    pub fn finalized_head(&self) -> Option<(u64, B256)> {
        let last = self.advanced.partition_point(|(_, _, l1_block)| *l1_block <= self.finalized);
        let (number, hash, _) = self.advanced.get(last.checked_sub(1)?)?;
        Some((*number, *hash))
    }

    /// Hash of the L2 block with this number that L1 has taken.
    pub fn advanced_hash(&self, number: u64) -> Option<B256> {
        let first = self.advanced.first()?.0;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.advanced.get(index).map(|(_, hash, _)| *hash)
    }

    /// Reads on, at most 256 blocks. Blobs of L2 blocks that are `known` are not asked for.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] if L1 cannot be read or contradicts itself; what was read before stays, and the
    /// next call that does not fail hands it over.
    pub fn poll(&mut self, known: &dyn Fn(&B256) -> bool) -> Result<L1Update, RollupError> {
        self.read_on(known)?;
        self.read_finalized()?;
        let more = self.head().is_some_and(|head| head.number < self.latest);
        Ok(L1Update { more, ..core::mem::take(&mut self.update) })
    }

    fn read_on(&mut self, known: &dyn Fn(&B256) -> bool) -> Result<(), RollupError> {
        let Some(latest) = self.client.header(BlockNumberOrTag::Latest)? else { return Ok(()) };
        self.latest = latest.header.number;
        if self.head().is_some_and(|head| head.hash == latest.header.hash) {
            self.forget_old_headers();
            return Ok(());
        }
        match self.last_common(&latest.header)? {
            Common::Head => {}
            Common::Block(stayed) => self.revert_to(Some(stayed))?,
            Common::Nothing => self.revert_to(None)?,
        }
        self.forget_old_headers();
        let next = self.head().map_or(self.deployment.l1_block, |head| head.number + 1);
        let missing = (self.latest + 1).saturating_sub(next);
        let count = usize::try_from(missing).unwrap_or(BATCH).min(BATCH);
        let mut headers = match missing {
            0 => Vec::new(),
            1 if next == self.latest => vec![latest],
            _ => self.client.headers(next, count)?,
        };
        // What does not follow was reorganised meanwhile: the next look finds that.
        let mut parent = self.head().map(|head| head.hash);
        let following = headers
            .iter()
            .position(|ReadHeader { header, .. }| {
                let follows = parent.is_none_or(|parent| header.parent == parent);
                parent = Some(header.hash);
                !follows
            })
            .unwrap_or(headers.len());
        headers.truncate(following);
        let Deployment { rollup, message_queue, forced, .. } = self.deployment;
        for some in headers.chunks(PARALLEL) {
            let logged = self.client.transactions_of(some, &[rollup, message_queue, forced]);
            for (read, transactions) in some.iter().zip(logged) {
                self.read(read.header.clone(), &transactions?, known)?;
            }
        }
        Ok(())
    }

    /// The newest block of this view on the chain of `latest`: looked for in steps that double, and then between
    /// the last two of them.
    fn last_common(&self, latest: &L1Header) -> Result<Common, RollupError> {
        let (Some(first), Some(head)) = (self.headers.front(), self.headers.back()) else {
            return Ok(Common::Head);
        };
        // A node that lags behind: what it does not know is not gone.
        if latest.number <= head.number && self.is_canonical(latest.number, latest.hash) {
            return Ok(Common::Head);
        }
        let too_deep = L1Error::TooDeep(first.number);
        let top = head.number.min(latest.number);
        if top < first.number {
            return Err(too_deep.into());
        }
        if self.is_shared(top, latest)? {
            return Ok(if top == head.number { Common::Head } else { Common::Block(top) });
        }
        let (mut gone, mut step) = (top, 1);
        let mut stayed = loop {
            if gone == first.number {
                // Who remembers all from the deployment on can do without any of it.
                let all = first.number == self.deployment.l1_block;
                return if all { Ok(Common::Nothing) } else { Err(too_deep.into()) };
            }
            let number = gone.saturating_sub(step).max(first.number);
            if self.is_shared(number, latest)? {
                break number;
            }
            (gone, step) = (number, step.saturating_mul(2));
        };
        while gone - stayed > 1 {
            let middle = stayed + (gone - stayed) / 2;
            if self.is_shared(middle, latest)? { stayed = middle } else { gone = middle }
        }
        Ok(Common::Block(stayed))
    }

    /// Whether a remembered block is on the chain of `latest`.
    fn is_shared(&self, number: u64, latest: &L1Header) -> Result<bool, RollupError> {
        let theirs = match number == latest.number {
            true => Some(latest.hash),
            false => self.client.header(number.into())?.map(|read| read.header.hash),
        };
        Ok(theirs.is_some() && theirs == self.header(number).map(|own| own.hash))
    }

    /// L1 was reorganised down to this block; to before the deployment if there is none.
    fn revert_to(&mut self, stayed: Option<u64>) -> Result<(), RollupError> {
        let from = self.head().map(|head| head.number);
        tracing::warn!(from, stayed, "L1 was reorganised");
        self.cut_back(stayed)?;
        let number = stayed.unwrap_or_default();
        let before = self.update.reverted_to.unwrap_or(number);
        self.update.reverted_to = Some(before.min(number));
        Ok(())
    }

    /// Forgets what was read behind this block, or all of it.
    fn cut_back(&mut self, stayed: Option<u64>) -> Result<(), RollupError> {
        let is_kept = |number: u64| stayed.is_some_and(|stayed| number <= stayed);
        let headers = self.headers.partition_point(|header| is_kept(header.number));
        if let Some(log) = &mut self.log {
            log.keep(headers)?;
        }
        self.headers.truncate(headers);
        match stayed {
            Some(number) => self.messages.revert_to(number),
            None => self.messages = MessageQueue::default(),
        }
        self.forced.retain(|entry| is_kept(entry.l1_block));
        self.advanced.retain(|(_, _, l1_block)| is_kept(*l1_block));
        self.discharged.retain(|(_, l1_block)| is_kept(*l1_block));
        self.update.advanced.retain(|block| is_kept(block.l1_block));
        Ok(())
    }

    /// Takes a block that follows the head, and its transactions that concern the rollup.
    fn read(
        &mut self,
        header: L1Header,
        transactions: &[L1Transaction],
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<(), RollupError> {
        let mut events = Events::default();
        if !transactions.is_empty() {
            let trace = |transaction| self.calls_of(self.deployment.rollup, transaction);
            let blobs = |transaction, hashes: &[B256]| {
                let client = self.blobs.as_ref().ok_or(L1Error::NoBeacon(transaction))?;
                client.blobs(&header, hashes)
            };
            let assemble = |input| self.kept.whole_input(&self.client, input);
            events = Events::read(
                &self.deployment,
                &header,
                transactions,
                trace,
                assemble,
                blobs,
                known,
            )?;
        }
        self.accepts(&header, &events)?;
        if let Some(log) = &mut self.log {
            log.append(&header, &events)?;
        }
        self.update.advanced.extend(events.advanced.iter().cloned());
        self.take(header, events);
        self.forget_old_headers();
        Ok(())
    }

    /// Whether a block, and what it says, comes next.
    fn accepts(&self, header: &L1Header, events: &Events) -> Result<(), L1Error> {
        let number = self.head().map_or(self.deployment.l1_block, |head| head.number + 1);
        if header.number != number {
            return Err(L1Error::mismatch("number of a block", header.number, number));
        }
        if let Some(head) = self.head()
            && header.parent != head.hash
        {
            return Err(L1Error::mismatch("parent of a block", header.parent, head.hash));
        }
        self.messages.accepts(events.messages.iter().map(|sent| &sent.message))
    }

    /// Takes over what a block says that was accepted.
    fn take(&mut self, header: L1Header, events: Events) {
        for SentMessage { message, l1_block, l1_timestamp } in events.messages {
            self.messages.push(message, l1_block, l1_timestamp);
        }
        self.forced.extend(events.forced);
        self.discharged.extend(events.discharged.into_iter().map(|index| (index, header.number)));
        let advanced = events.advanced.iter().map(|it| (it.number, it.hash, header.number));
        self.advanced.extend(advanced);
        self.headers.push_back(header);
    }

    fn forget_old_headers(&mut self) {
        let old = self.headers.len().saturating_sub(REMEMBERED);
        if old == 0 {
            return;
        }
        self.headers.drain(..old);
        // There may have been those of a whole file.
        self.headers.shrink_to(2 * REMEMBERED);
        if let Some(log) = &mut self.log {
            log.forget_oldest(old);
        }
    }

    fn read_finalized(&mut self) -> Result<(), RollupError> {
        // A chain that has never been final does not know the tag.
        let known = self.client.header(BlockNumberOrTag::Finalized);
        if let Ok(Some(ReadHeader { header, .. })) = known
            && self.is_canonical(header.number, header.hash)
        {
            self.finalized = self.finalized.max(header.number);
        }
        Ok(())
    }

    /// Calldata of all calls of the rollup in a transaction that did not fail, in order.
    fn calls_of(&self, rollup: Address, transaction: B256) -> Result<Vec<Bytes>, RollupError> {
        let options = GethDebugTracingOptions::call_tracer(Default::default());
        let frame: CallFrame = self
            .client
            .inner()
            .request("debug_traceTransaction", (transaction, options))
            .map_err(L1Error::from)?;
        let (mut calls, mut waiting) = (Vec::new(), vec![frame]);
        while let Some(frame) = waiting.pop() {
            if frame.error.is_some() {
                continue;
            }
            // What runs its code elsewhere moves nothing, whatever it is given.
            if frame.to == Some(rollup) && frame.typ == "CALL" {
                calls.push(frame.input.clone());
            }
            waiting.extend(frame.calls.into_iter().rev());
        }
        Ok(calls)
    }
}
