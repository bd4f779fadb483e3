//! Reading of L1: headers, transactions of the rollup, and the file that stores them.

use crate::{
    L1Error, RollupError,
    data_dir::POSTED,
    derive::{Derived, FetchedData, Need, derive},
    l1::{
        Advanced, BlobClient, L1Client, L1Header, L1Transaction, L1View, PostedFile, ReadHeader,
        client::PARALLEL, events::Events, kept::KeptCodes, log::L1Log, saved::Saved,
        view::MAX_HEADERS,
    },
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_trace::geth::{CallFrame, GethDebugTracingOptions};
use contracts::Deployment;
use disk::DiskError;
use std::{path::Path, sync::Arc};

/// Number of headers requested at once.
const BATCH: usize = 256;

/// Source of a block from the file, for errors.
const RECORD: &str = "an L1 block";

/// Point at which a view and the chain of its L1 node diverge.
enum Common {
    /// After the head of the view.
    Head,
    /// After this block.
    Block(u64),
    /// They have no common block.
    Nothing,
}

/// Result of reading L1.
#[derive(Debug, Default)]
pub struct L1Update {
    /// Number of the last L1 block that stayed, if L1 was reorganised.
    pub reverted_to: Option<u64>,
    /// L2 blocks that L1 has added, in order.
    pub advanced: Vec<Advanced>,
    /// `true` if L1 has more blocks to read now.
    pub more: bool,
}

/// Reads L1 into an [`L1View`].
#[derive(Debug)]
pub struct L1Reader {
    client: Arc<L1Client>,
    /// Consensus client for the blobs of L1.
    blobs: Option<BlobClient>,
    /// Codes that inputs reference.
    kept: KeptCodes,
    /// File of the L1 blocks that were read.
    log: Option<L1Log>,
    /// File of the settled L2 blocks.
    posted: Option<Arc<PostedFile>>,
    view: Arc<L1View>,
    /// Result not yet handed over, because reading L1 further failed.
    update: L1Update,
    /// `true` until L1 is known to have a block of the file. If a reorganisation replaced all of
    /// them while the node was down, it reads L1 from the deployment on.
    may_start_anew: bool,
    /// Number of the first block of the chain; earlier ones are not needed.
    first: u64,
}

/// Drops L2 blocks that L1 added before the oldest remembered header, except the newest.
fn forget_settled(advanced: &mut Vec<Advanced>, view: &L1View) {
    let oldest = view.oldest().map_or(0, |header| header.number);
    let settled = advanced.iter().take_while(|block| block.l1_block < oldest).count();
    advanced.drain(..settled.min(advanced.len().saturating_sub(1)));
}

impl L1Reader {
    /// A reader that has not read any block.
    pub fn new(client: L1Client, deployment: Deployment) -> Self {
        Self {
            client: Arc::new(client),
            blobs: None,
            kept: KeptCodes::default(),
            log: None,
            posted: None,
            view: Arc::new(L1View::new(deployment)),
            update: L1Update::default(),
            may_start_anew: false,
            first: 0,
        }
    }

    /// Sets the consensus client, for a rollup whose data may be in blobs.
    #[must_use]
    pub fn with_blobs(self, blobs: Option<BlobClient>) -> Self {
        Self { blobs, ..self }
    }

    /// Sets the first block of the chain. Earlier L2 blocks are not needed, and count as known.
    #[must_use]
    pub fn with_first(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Stores L1 blocks in a file and continues after those in it, up to the first L1 block whose
    /// L2 blocks are not all `known`, since the file has no inputs.
    ///
    /// Settled L2 blocks are written to the file `posted` beside it, which serves only answers to
    /// users.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1Log`] if a file cannot be read or written. A damaged log is truncated.
    pub fn with_log(
        mut self,
        path: &Path,
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<Self, RollupError> {
        let subject = L1Log::subject(self.view.deployment());
        let posted = Arc::new(PostedFile::open(&path.with_file_name(POSTED), subject)?);
        let first = self.first;
        let known = |number: u64, hash: &B256| number < first || known(hash);
        let Self { view, update, .. } = &mut self;
        let view = Arc::make_mut(view);
        let log = L1Log::open(path, subject, |saved| {
            let refused = |error: L1Error| DiskError::malformed(RECORD, error);
            match saved {
                Saved::Checkpoint(checkpoint) => {
                    view.take_checkpoint(*checkpoint).map_err(refused)?;
                }
                Saved::Block(header, events) => {
                    view.accepts(&header, &events).map_err(refused)?;
                    // Positions in the L2 have to be checked again.
                    update.advanced.extend(events.advanced.iter().cloned());
                    view.take(header, events);
                }
            }
            // The file may be long: no more of it is held than of L1 itself.
            if view.remembered() >= 2 * MAX_HEADERS {
                if let Some((number, _)) = view.first_unknown(&known) {
                    let reason = format!("L2 block {number} is missing");
                    return Err(DiskError::malformed(RECORD, reason));
                }
                view.forget_oldest(view.surplus_headers());
                posted.note_all(view.settled());
                view.forget_settled();
                forget_settled(&mut update.advanced, view);
            }
            Ok(view.remembered())
        })?;
        (self.log, self.posted) = (Some(log), Some(posted));
        self.may_start_anew = true;
        if let Some((number, l1_block)) = self.view.first_unknown(&known) {
            tracing::warn!(
                number,
                l1_block,
                "L2 block missing on disk, reading L1 again from its L1 block"
            );
            let oldest = self.view.oldest().map_or(0, |header| header.number);
            self.cut_back(l1_block.checked_sub(1).filter(|stayed| *stayed >= oldest))?;
        }
        if let Some(head) = self.view.head() {
            let (number, blocks) = (head.number, self.view.remembered());
            tracing::info!(number, blocks, "loaded L1 history from disk");
        }
        Ok(self)
    }

    /// Returns `true` if the reader has a consensus client for L2 blocks in blobs.
    pub const fn reads_blobs(&self) -> bool {
        self.blobs.is_some()
    }

    /// The file of the settled L2 blocks, if there is one.
    pub(crate) const fn posted(&self) -> Option<&Arc<PostedFile>> {
        self.posted.as_ref()
    }

    /// Client of L1.
    pub const fn client(&self) -> &Arc<L1Client> {
        &self.client
    }

    /// The view of what was read.
    pub const fn view(&self) -> &Arc<L1View> {
        &self.view
    }

    /// Reads at most 256 further blocks. Does not request blobs of L2 blocks that are `known`.
    ///
    /// # Errors
    ///
    /// [`RollupError::L1`] if L1 cannot be read or contradicts itself. Earlier results stay, and
    /// the next successful call hands them over.
    pub fn poll(&mut self, known: &dyn Fn(&B256) -> bool) -> Result<L1Update, RollupError> {
        let more = self.read_more(known)?;
        Ok(L1Update { more, ..self.hand_over() })
    }

    /// Reads like [`Self::poll`], but keeps the result for [`Self::hand_over`]. Returns `true` if
    /// there are more blocks to read.
    pub(crate) fn read_more(&mut self, known: &dyn Fn(&B256) -> bool) -> Result<bool, RollupError> {
        let newest = self.client.newest()?;
        self.read_up_to(newest, known)
    }

    /// Reads on like [`Self::read_more`] up to the newest header, which was asked for with the
    /// newest final one.
    pub(crate) fn read_up_to(
        &mut self,
        (latest, finalized): (Option<ReadHeader>, Option<ReadHeader>),
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<bool, RollupError> {
        if let Some(latest) = latest {
            self.read_on(latest, known)?;
        }
        self.take_finalized(finalized);
        Ok(self.view.head().is_some_and(|head| head.number < self.view.latest()))
    }

    /// Number of the last L1 block that stayed, if L1 was reorganised since the last
    /// [`Self::hand_over`].
    pub(crate) const fn reverted_to(&self) -> Option<u64> {
        self.update.reverted_to
    }

    /// Takes the result since the last call.
    pub(crate) fn hand_over(&mut self) -> L1Update {
        core::mem::take(&mut self.update)
    }

    fn read_on(
        &mut self,
        latest: ReadHeader,
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<(), RollupError> {
        let is_known = self.view.head().is_some_and(|head| head.hash == latest.header.hash);
        // Nothing is given up or taken for a header that one of several nodes makes up.
        if !is_known && !self.client.is_agreed(&latest.header)? {
            return Ok(());
        }
        if self.view.latest() != latest.header.number {
            Arc::make_mut(&mut self.view).set_latest(latest.header.number);
        }
        if is_known {
            // L1 has the newest block of the file.
            self.may_start_anew = false;
            self.forget_old_headers();
            return Ok(());
        }
        let common = match self.last_common(&latest.header) {
            Err(RollupError::L1(L1Error::TooDeep(_))) if self.may_start_anew => Common::Nothing,
            found => found?,
        };
        self.may_start_anew = false;
        match common {
            Common::Head => {}
            Common::Block(stayed) => self.revert_to(Some(stayed))?,
            Common::Nothing => self.revert_to(None)?,
        }
        self.forget_old_headers();
        let first = self.view.deployment().l1_block;
        let next = self.view.head().map_or(first, |head| head.number + 1);
        let missing = (self.view.latest() + 1).saturating_sub(next);
        let count = usize::try_from(missing).unwrap_or(BATCH).min(BATCH);
        let mut headers = match missing {
            0 => Vec::new(),
            1 if next == self.view.latest() => vec![latest],
            _ => self.client.headers(next, count)?,
        };
        // What does not follow was reorganised meanwhile: the next look finds that.
        let mut parent = self.view.head().map(|head| head.hash);
        let following = headers
            .iter()
            .position(|ReadHeader { header, .. }| {
                let follows = parent.is_none_or(|parent| header.parent == parent);
                parent = Some(header.hash);
                !follows
            })
            .unwrap_or(headers.len());
        headers.truncate(following);
        // Far behind L1's head, nothing says yet that what was read leads to it. A node without the
        // block says nothing against it: most nodes have the head.
        if let Some(last) = headers.last().filter(|it| it.header.number < self.view.latest()) {
            self.client.is_agreed(&last.header)?;
        }
        let &Deployment { rollup, message_queue, forced, .. } = self.view.deployment();
        for some in headers.chunks(PARALLEL) {
            let logged = self.client.transactions_of(some, &[rollup, message_queue, forced]);
            for (read, transactions) in some.iter().zip(logged) {
                self.read(read.header.clone(), &transactions?, known)?;
            }
        }
        Ok(())
    }

    /// The newest block of this view on the chain of `latest`, found by doubling steps back and
    /// then bisection.
    fn last_common(&self, latest: &L1Header) -> Result<Common, RollupError> {
        let (Some(first), Some(head)) = (self.view.oldest(), self.view.head()) else {
            return Ok(Common::Head);
        };
        // A node that lags behind: what it does not know is not gone.
        if latest.number <= head.number && self.view.is_canonical(latest.number, latest.hash) {
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
                let all = first.number == self.view.deployment().l1_block;
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

    /// Returns `true` if a remembered block is on the chain of `latest`.
    fn is_shared(&self, number: u64, latest: &L1Header) -> Result<bool, RollupError> {
        let theirs = match number == latest.number {
            true => Some(latest.hash),
            false => self.client.header(number.into())?.map(|read| read.header.hash),
        };
        Ok(theirs.is_some() && theirs == self.view.header(number).map(|own| own.hash))
    }

    /// Handles a reorganisation of L1 down to this block; to before the deployment if there is
    /// none.
    fn revert_to(&mut self, stayed: Option<u64>) -> Result<(), RollupError> {
        let from = self.view.head().map(|head| head.number);
        tracing::warn!(from, stayed, "L1 reorg detected");
        self.cut_back(stayed)?;
        let number = stayed.unwrap_or_default();
        let before = self.update.reverted_to.unwrap_or(number);
        self.update.reverted_to = Some(before.min(number));
        Ok(())
    }

    /// Drops the blocks after this one, or all.
    fn cut_back(&mut self, stayed: Option<u64>) -> Result<(), RollupError> {
        let is_kept = |number: u64| stayed.is_some_and(|stayed| number <= stayed);
        if let Some(log) = &mut self.log {
            match stayed {
                Some(_) => log.keep(self.view.headers_up_to(stayed))?,
                None => log.clear()?,
            }
        }
        Arc::make_mut(&mut self.view).cut_back(stayed);
        // They were not handed over yet, so no room has seen them.
        self.update.advanced.retain(|block| is_kept(block.l1_block));
        Ok(())
    }

    /// Adds the block after the head, with its transactions of the rollup.
    fn read(
        &mut self,
        header: L1Header,
        transactions: &[L1Transaction],
        known: &dyn Fn(&B256) -> bool,
    ) -> Result<(), RollupError> {
        let mut events = Events::default();
        if !transactions.is_empty() {
            let first = self.first;
            let known = |number: u64, hash: &B256| number < first || known(hash);
            // For this block alone: blobs of many blocks would fill memory while L1 is read from
            // the start.
            let mut data = FetchedData::default();
            events = loop {
                let deployment = self.view.deployment();
                match derive(deployment, &header, transactions, &data, known)? {
                    Derived::Whole(events) => break events,
                    Derived::Lacks(need) => self.fetch(need, &header, &mut data)?,
                }
            };
        }
        self.accept(header, events)
    }

    /// Adds the events of the block after the head.
    pub(super) fn accept(&mut self, header: L1Header, events: Events) -> Result<(), RollupError> {
        self.view.accepts(&header, &events)?;
        if let Some(log) = &mut self.log {
            // Before the view moves: what is in memory and not in the file would be read again
            // after a restart, and nothing is lost; the other way round the file would have a hole.
            log.append(&header, &events)?;
        }
        self.update.advanced.extend(events.advanced.iter().cloned());
        Arc::make_mut(&mut self.view).take(header, events);
        self.forget_old_headers();
        Ok(())
    }

    /// Fetches the data that a derivation lacks. Each missing item is resolved by this, so a
    /// derivation ends.
    fn fetch(
        &self,
        need: Need,
        header: &L1Header,
        data: &mut FetchedData,
    ) -> Result<(), RollupError> {
        match need {
            Need::Calls(transaction) => {
                let calls = self.calls_of(self.view.deployment().rollup, transaction)?;
                data.calls.insert(transaction, calls);
            }
            Need::Blobs(transaction, hashes) => {
                let client = self.blobs.as_ref().ok_or(L1Error::NoBeacon(transaction))?;
                let blobs = client.blobs(header, &hashes)?;
                data.blobs.extend(hashes.into_iter().zip(blobs));
            }
            Need::Code(account) => {
                let code = self.kept.kept_at(account, &|account| self.client.code(account))?;
                data.codes.insert(account, code);
            }
        }
        Ok(())
    }

    fn forget_old_headers(&mut self) {
        let old = self.view.surplus_headers();
        if old == 0 {
            return;
        }
        let view = Arc::make_mut(&mut self.view);
        view.forget_oldest(old);
        if let Some(posted) = &self.posted {
            posted.note_all(view.settled());
        }
        view.forget_settled();
        let Some(log) = &mut self.log else { return };
        log.forget_oldest(old);
        if !log.wants_checkpoint() {
            return;
        }
        // The log has them no more from here on.
        let synced = self.posted.as_ref().map_or(Ok(()), |posted| posted.sync());
        if let Some(checkpoint) = self.view.checkpoint()
            && let Err(error) =
                synced.map_err(RollupError::from).and_then(|()| log.compact(&checkpoint.encode()))
        {
            tracing::warn!(%error, "failed to compact L1 history file, retrying when it has grown");
        }
    }

    /// Forgets the messages up to this index, which the L2 has relayed as of an L1 block that no
    /// reorganisation can remove. `kept` are the ones that the L2 keeps for a retry.
    pub(super) fn forget_messages(
        &mut self,
        relayed: u64,
        kept: impl IntoIterator<Item = (u64, B256)>,
    ) {
        Arc::make_mut(&mut self.view).messages_mut().forget(relayed, kept);
    }

    /// Forgets messages that the L2 no longer keeps.
    pub(super) fn forget_kept(&mut self, indexes: &[u64]) {
        Arc::make_mut(&mut self.view).messages_mut().forget_kept(indexes);
    }

    fn take_finalized(&mut self, finalized: Option<ReadHeader>) {
        if let Some(ReadHeader { header, .. }) = finalized
            && header.number > self.view.finalized()
            && self.view.is_canonical(header.number, header.hash)
        {
            Arc::make_mut(&mut self.view).set_finalized(header.number);
        }
    }

    /// Calldata of all successful calls of the rollup in a transaction, in order.
    fn calls_of(&self, rollup: Address, transaction: B256) -> Result<Vec<Bytes>, RollupError> {
        let options = GethDebugTracingOptions::call_tracer(Default::default());
        let frame: CallFrame = self
            .client
            .inner()
            .request("debug_traceTransaction", (transaction, options))
            .map_err(L1Error::from)?;
        let (mut calls, mut waiting) = (Vec::new(), vec![frame]);
        while let Some(frame) = waiting.pop() {
            // What a failed call did was undone, and so was all that it called.
            if frame.error.is_some() {
                continue;
            }
            // A call that runs the rollup's code on other storage advances nothing, for any
            // calldata.
            if frame.to == Some(rollup) && frame.typ == "CALL" {
                calls.push(frame.input.clone());
            }
            // Calls are visited in the order in which they ran, which is that of the logs.
            waiting.extend(frame.calls.into_iter().rev());
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests;
