//! The chain of L1 headers, and what follows from it for the rollup.

use crate::{
    L1Error, RollupError,
    l1::{
        Advanced, BlobClient, ForcedEntry, L1Client, L1Header, L1Transaction, SentMessage,
        client::PARALLEL, events::Events,
    },
    queue::MessageQueue,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_trace::geth::{CallFrame, GethDebugTracingOptions};
use contracts::Deployment;
use std::collections::VecDeque;

/// Headers that are remembered: reorganisations below them are refused.
const REMEMBERED: usize = 1_024;

/// Headers that are asked for in one go.
const BATCH: usize = 256;

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
    deployment: Deployment,
    headers: VecDeque<L1Header>,
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
            deployment,
            headers: VecDeque::new(),
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

    /// Whether L2 blocks that lie in blobs can be read.
    pub const fn reads_blobs(&self) -> bool {
        self.blobs.is_some()
    }

    /// The node behind it.
    pub const fn client(&self) -> &L1Client {
        &self.client
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
        self.latest = latest.number;
        if self.head().is_some_and(|head| head.hash == latest.hash) {
            return Ok(());
        }
        if let Some(stayed) = self.last_common(&latest)? {
            self.revert_to(stayed);
        }
        let next = self.head().map_or(self.deployment.l1_block, |head| head.number + 1);
        let missing = (latest.number + 1).saturating_sub(next);
        let count = usize::try_from(missing).unwrap_or(BATCH).min(BATCH);
        let mut headers = match missing {
            0 => Vec::new(),
            1 if next == latest.number => vec![latest],
            _ => self.client.headers(next, count)?,
        };
        // What does not follow was reorganised meanwhile: the next look finds that.
        let mut parent = self.head().map(|head| head.hash);
        let following = headers
            .iter()
            .position(|header| {
                let follows = parent.is_none_or(|parent| header.parent == parent);
                parent = Some(header.hash);
                !follows
            })
            .unwrap_or(headers.len());
        headers.truncate(following);
        let Deployment { rollup, inbox, forced, .. } = self.deployment;
        for some in headers.chunks(PARALLEL) {
            let logged = self.client.transactions_of(some, &[rollup, inbox, forced]);
            for (header, transactions) in some.iter().zip(logged) {
                self.read(header.clone(), &transactions?, known)?;
            }
        }
        Ok(())
    }

    /// The last block of this view on the chain of `latest`, if it is not the head.
    fn last_common(&self, latest: &L1Header) -> Result<Option<u64>, RollupError> {
        let Some(head) = self.head() else { return Ok(None) };
        // A node that lags behind: what it does not know is not gone.
        if latest.number <= head.number && self.is_canonical(latest.number, latest.hash) {
            return Ok(None);
        }
        let mut number = head.number.min(latest.number);
        loop {
            let own = self.header(number).ok_or(L1Error::TooDeep(number + 1))?;
            let theirs = if number == latest.number {
                Some(latest.clone())
            } else {
                self.client.header(number.into())?
            };
            if theirs.is_some_and(|theirs| theirs.hash == own.hash) {
                return Ok((number != head.number).then_some(number));
            }
            number = number.checked_sub(1).ok_or(L1Error::TooDeep(0))?;
        }
    }

    fn revert_to(&mut self, number: u64) {
        tracing::warn!(stayed = number, "L1 was reorganised");
        self.headers.retain(|header| header.number <= number);
        self.messages.revert_to(number);
        self.forced.retain(|entry| entry.l1_block <= number);
        self.advanced.retain(|(_, _, l1_block)| *l1_block <= number);
        self.discharged.retain(|(_, l1_block)| *l1_block <= number);
        self.update.advanced.retain(|block| block.l1_block <= number);
        let before = self.update.reverted_to.unwrap_or(number);
        self.update.reverted_to = Some(before.min(number));
    }

    /// Takes a block that follows the head, and its transactions that concern the rollup.
    fn read(
        &mut self,
        header: L1Header,
        transactions: &[L1Transaction],
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<(), RollupError> {
        if !transactions.is_empty() {
            let trace = |transaction| self.calls_of(self.deployment.rollup, transaction);
            let blobs = |transaction, hashes: &[B256]| {
                let client = self.blobs.as_ref().ok_or(L1Error::NoBeacon(transaction))?;
                client.blobs(&header, hashes)
            };
            let events =
                Events::read(&self.deployment, &header, transactions, trace, blobs, known)?;
            for SentMessage { message, l1_block, l1_timestamp } in events.messages {
                self.messages.push(message, l1_block, l1_timestamp)?;
            }
            self.forced.extend(events.forced);
            self.discharged.extend(events.discharged.iter().map(|index| (*index, header.number)));
            for block in &events.advanced {
                self.advanced.push((block.number, block.hash, header.number));
            }
            self.update.advanced.extend(events.advanced);
        }
        self.headers.push_back(header);
        if self.headers.len() > REMEMBERED {
            self.headers.pop_front();
        }
        Ok(())
    }

    fn read_finalized(&mut self) -> Result<(), RollupError> {
        // A chain that has never been final does not know the tag.
        let known = self.client.header(BlockNumberOrTag::Finalized);
        if let Ok(Some(header)) = known
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
            if frame.to == Some(rollup) {
                calls.push(frame.input.clone());
            }
            waiting.extend(frame.calls.into_iter().rev());
        }
        Ok(calls)
    }
}
