//! Reading of L1: headers, transactions of the rollup, and the file that stores them.

use crate::{
    L1Error,
    l1::{
        BlobClient, L1Client, L1Header, L1Provider, L1Transaction, L1View, PostedBlock, PostedFile,
        ReadHeader, bridge_log::BridgeFiles, client::PARALLEL, code_cache::CodeCache,
        history::MAX_HEADERS, log::L1Log, saved::Saved,
    },
    service::data_dir::POSTED,
};
use alloy_primitives::B256;
use contracts::Deployment;
use derive::{Derived, Events, FetchedData, RequiredData, derive};
use disk::DiskError;
use std::{path::Path, sync::Arc};

/// Number of headers requested at once.
const BATCH: usize = 256;

/// Name of a record in error messages.
const RECORD: &str = "an L1 block";

/// Point at which a view and the chain of its L1 node diverge.
enum Common {
    /// After the head of the view.
    Head,
    /// After the block with this number.
    Block(u64),
    /// They have no common block.
    Nothing,
}

/// Result of reading L1.
#[derive(Debug, Default)]
pub struct L1Update {
    /// Number of the last common L1 block, if L1 was reorganised; 0 if there is none.
    pub reverted_to: Option<u64>,
    /// New L2 blocks on L1, in order.
    pub advanced: Vec<PostedBlock>,
    /// `true` if L1 has more blocks to read now.
    pub more: bool,
}

/// Reads L1 into an [`L1View`], from a node by default.
#[derive(Debug)]
pub struct L1Reader<P = L1Client> {
    client: Arc<P>,
    /// Consensus client for blobs.
    blobs: Option<BlobClient>,
    /// Cache of the codes that inputs reference.
    codes: CodeCache,
    /// File of the L1 blocks that were read.
    log: Option<L1Log>,
    /// File of the settled L2 blocks.
    posted: Option<Arc<PostedFile>>,
    view: Arc<L1View>,
    /// Result that was not handed over yet.
    update: L1Update,
    /// `true` until L1 is known to have a block of the file. If a reorg replaced all of them while
    /// the node was down, the node reads L1 again from the deployment on.
    may_start_anew: bool,
    /// Number of the first block of this node's L2 chain. Earlier L2 blocks are not needed.
    first: u64,
}

/// Drops L2 blocks that were added before the oldest remembered header, except the newest of them.
fn forget_settled(advanced: &mut Vec<PostedBlock>, view: &L1View) {
    let oldest = view.oldest().map_or(0, |header| header.number);
    let settled = advanced.iter().take_while(|block| block.l1_block < oldest).count();
    advanced.drain(..settled.min(advanced.len().saturating_sub(1)));
}

impl<P: L1Provider> L1Reader<P> {
    /// Creates a reader that has not read any block.
    pub fn new(client: P, deployment: Deployment) -> Self {
        Self {
            client: Arc::new(client),
            blobs: None,
            codes: CodeCache::default(),
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

    /// Sets the number of the first block of this node's L2 chain. Earlier L2 blocks are not
    /// needed, and count as known.
    #[must_use]
    pub fn with_first(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Stores L1 blocks in a file and continues after those in it, up to the first L1 block whose
    /// L2 blocks are not all known to the chain (`is_known`), since the file has no inputs.
    ///
    /// Settled L2 blocks, messages and claims are written to files next to it, which are read only
    /// for RPC responses.
    ///
    /// # Errors
    ///
    /// [`L1Error::Log`] if a file cannot be read or written. A corrupted log is truncated.
    pub fn with_log(
        mut self,
        path: &Path,
        is_known: &dyn Fn(&B256) -> bool,
    ) -> Result<Self, L1Error> {
        let subject = L1Log::subject(self.view.deployment());
        let posted = Arc::new(PostedFile::open(&path.with_file_name(POSTED), subject)?);
        let first = self.first;
        let is_known = |number: u64, hash: &B256| number < first || is_known(hash);
        let Self { view, update, .. } = &mut self;
        let view = Arc::make_mut(view);
        let files = BridgeFiles::open_next_to(path, subject)?;
        view.bridge_mut().attach(&files)?;
        let log = L1Log::open(path, subject, |saved| {
            let refused = |error: L1Error| DiskError::malformed(RECORD, error);
            match saved {
                Saved::Checkpoint(mut checkpoint) => {
                    checkpoint.bridge.attach(&files)?;
                    view.apply_checkpoint(*checkpoint).map_err(refused)?;
                }
                Saved::Block(header, events) => {
                    view.accepts(&header, &events).map_err(refused)?;
                    // L2 blocks on L1 are handed over again, since they must be compared with the
                    // chain on disk.
                    update.advanced.extend(events.advanced.iter().cloned());
                    view.apply(header, *events);
                }
            }
            // The file may be long, so memory is bounded as it is while reading from L1.
            if view.remembered() >= 2 * MAX_HEADERS {
                if let Some((number, _)) = view.first_unknown(&is_known) {
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
        if let Some((number, l1_block)) = self.view.first_unknown(&is_known) {
            tracing::warn!(number, l1_block, "L2 block missing on disk, reading L1 again");
            let oldest = self.view.oldest().map_or(0, |header| header.number);
            self.cut_back(l1_block.checked_sub(1).filter(|common| *common >= oldest))?;
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

    /// Returns the file of the settled L2 blocks, if there is one.
    pub(crate) const fn posted(&self) -> Option<&Arc<PostedFile>> {
        self.posted.as_ref()
    }

    /// Returns the client of L1.
    pub const fn client(&self) -> &Arc<P> {
        &self.client
    }

    /// Returns the view of the blocks that were read.
    pub const fn view(&self) -> &Arc<L1View> {
        &self.view
    }

    /// Reads at most 256 further L1 blocks. Does not request blobs of L2 blocks that are known
    /// (`is_known`).
    ///
    /// # Errors
    ///
    /// [`L1Error`] if L1 cannot be read or contradicts itself. Results before the error are
    /// kept, and the next successful call returns them.
    pub fn poll(&mut self, is_known: &dyn Fn(&B256) -> bool) -> Result<L1Update, L1Error> {
        let more = self.read_more(is_known)?;
        Ok(L1Update { more, ..self.take_update() })
    }

    /// Reads like [`Self::poll`], but keeps the result for [`Self::take_update`]. Returns `true` if
    /// there are more blocks to read.
    pub(crate) fn read_more(&mut self, is_known: &dyn Fn(&B256) -> bool) -> Result<bool, L1Error> {
        let newest = self.client.newest()?;
        self.read_up_to(newest, is_known)
    }

    /// Reads like [`Self::read_more`], with the latest and the finalized header that were requested
    /// before.
    pub(crate) fn read_up_to(
        &mut self,
        (latest, finalized): (Option<ReadHeader>, Option<ReadHeader>),
        is_known: &dyn Fn(&B256) -> bool,
    ) -> Result<bool, L1Error> {
        if let Some(latest) = latest {
            self.read_blocks_to(latest, is_known)?;
        }
        self.take_finalized(finalized);
        Ok(self.view.head().is_some_and(|head| head.number < self.view.latest()))
    }

    /// Returns the number of the last common L1 block, if L1 was reorganised since the last
    /// [`Self::take_update`].
    pub(crate) const fn reverted_to(&self) -> Option<u64> {
        self.update.reverted_to
    }

    /// Returns the result accumulated since the last call.
    pub(crate) fn take_update(&mut self) -> L1Update {
        core::mem::take(&mut self.update)
    }

    fn read_blocks_to(
        &mut self,
        latest: ReadHeader,
        is_known: &dyn Fn(&B256) -> bool,
    ) -> Result<(), L1Error> {
        let is_head = self.view.head().is_some_and(|head| head.hash == latest.header.hash);
        // Do not change the view for a header that only one of multiple nodes reports.
        if !is_head && !self.client.is_agreed(&latest.header)? {
            return Ok(());
        }
        if self.view.latest() != latest.header.number {
            Arc::make_mut(&mut self.view).set_latest(latest.header.number);
        }
        if is_head {
            // L1 has the latest block of the file.
            self.may_start_anew = false;
            self.forget_old_headers();
            return Ok(());
        }
        let common = match self.last_common(&latest.header) {
            Err(L1Error::TooDeep(_)) if self.may_start_anew => Common::Nothing,
            found => found?,
        };
        self.may_start_anew = false;
        match common {
            Common::Head => {}
            Common::Block(common) => self.revert_to(Some(common))?,
            Common::Nothing => self.revert_to(None)?,
        }
        self.forget_old_headers();
        let first = self.view.deployment().l1_block;
        let next = self.view.head().map_or(first, |head| head.number + 1);
        let missing = self.view.latest().saturating_add(1).saturating_sub(next);
        let count = usize::try_from(missing).unwrap_or(BATCH).min(BATCH);
        let mut headers = match missing {
            0 => Vec::new(),
            1 if next == self.view.latest() => vec![latest],
            _ => self.client.headers(next, count)?,
        };
        // Headers that do not follow were fetched after another reorg, which the next poll handles.
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
        // While syncing, the headers are not yet known to be ancestors of the head, so a majority
        // of nodes must confirm the last one. A node that lacks it does not count as a dissent,
        // since most nodes have the head.
        if let Some(last) = headers.last().filter(|block| block.header.number < self.view.latest())
        {
            self.client.is_agreed(&last.header)?;
        }
        let &Deployment { rollup, message_queue, forced, .. } = self.view.deployment();
        for chunk in headers.chunks(PARALLEL) {
            let results = self.client.transactions_of(chunk, &[rollup, message_queue, forced]);
            for (read, transactions) in chunk.iter().zip(results) {
                self.read(read.header.clone(), &transactions?, is_known)?;
            }
        }
        Ok(())
    }

    /// Finds the latest block of this view on the chain of `latest`, with doubling steps back and
    /// then bisection.
    fn last_common(&self, latest: &L1Header) -> Result<Common, L1Error> {
        let (Some(first), Some(head)) = (self.view.oldest(), self.view.head()) else {
            return Ok(Common::Head);
        };
        // The node lags behind: blocks that it does not have yet were not reorged out.
        if latest.number <= head.number && self.view.is_canonical(latest.number, latest.hash) {
            return Ok(Common::Head);
        }
        let too_deep = L1Error::TooDeep(first.number);
        let top = head.number.min(latest.number);
        if top < first.number {
            return Err(too_deep);
        }
        if self.is_shared(top, latest)? {
            return Ok(if top == head.number { Common::Head } else { Common::Block(top) });
        }
        let (mut missing, mut step) = (top, 1);
        let mut common = loop {
            if missing == first.number {
                // If all headers from the deployment on are remembered, L1 can be read again from
                // there.
                let all = first.number == self.view.deployment().l1_block;
                return if all { Ok(Common::Nothing) } else { Err(too_deep) };
            }
            let number = missing.saturating_sub(step).max(first.number);
            if self.is_shared(number, latest)? {
                break number;
            }
            (missing, step) = (number, step.saturating_mul(2));
        };
        while missing - common > 1 {
            let middle = common + (missing - common) / 2;
            if self.is_shared(middle, latest)? { common = middle } else { missing = middle }
        }
        Ok(Common::Block(common))
    }

    /// Returns `true` if a remembered block is on the chain of `latest`.
    fn is_shared(&self, number: u64, latest: &L1Header) -> Result<bool, L1Error> {
        let theirs = match number == latest.number {
            true => Some(latest.hash),
            false => self.client.header(number.into())?.map(|read| read.header.hash),
        };
        Ok(theirs.is_some() && theirs == self.view.header(number).map(|own| own.hash))
    }

    /// Handles an L1 reorg with this last common block; `None` if there is none since the
    /// deployment.
    fn revert_to(&mut self, common: Option<u64>) -> Result<(), L1Error> {
        let from = self.view.head().map(|head| head.number);
        tracing::warn!(from, common, "L1 reorg detected");
        self.cut_back(common)?;
        let number = common.unwrap_or_default();
        let before = self.update.reverted_to.unwrap_or(number);
        self.update.reverted_to = Some(before.min(number));
        Ok(())
    }

    /// Drops the blocks after this one, or all blocks for `None`.
    fn cut_back(&mut self, common: Option<u64>) -> Result<(), L1Error> {
        let is_kept = |number: u64| common.is_some_and(|common| number <= common);
        // Must come first: if it fails, neither the log nor the view has changed, and the next poll
        // retries.
        Arc::make_mut(&mut self.view).reload(common)?;
        if let Some(log) = &mut self.log {
            match common {
                Some(_) => log.keep(self.view.headers_up_to(common))?,
                None => log.clear()?,
            }
        }
        Arc::make_mut(&mut self.view).cut_back(common);
        // These L2 blocks were not handed over yet, so no other thread has seen them.
        self.update.advanced.retain(|block| is_kept(block.l1_block));
        Ok(())
    }

    /// Adds the next block, with its transactions that concern the rollup.
    fn read(
        &mut self,
        header: L1Header,
        transactions: &[L1Transaction],
        is_known: &dyn Fn(&B256) -> bool,
    ) -> Result<(), L1Error> {
        let mut events = Events::default();
        if !transactions.is_empty() {
            let first = self.first;
            let is_known = |number: u64, hash: &B256| number < first || is_known(hash);
            // Data of this block only, because the blobs of many blocks would fill memory while L1
            // is read from the start.
            let mut data = FetchedData::default();
            events = loop {
                let deployment = self.view.deployment();
                match derive(deployment, &header, transactions, &data, is_known) {
                    Ok(Derived::Complete(events)) => break events,
                    Ok(Derived::Missing(need)) => self.fetch(need, &header, &mut data)?,
                    Err(missing) => {
                        // A header does not prove the absence of code, and the same node would
                        // return the same data at the next poll.
                        if !data.codes.is_empty() {
                            self.client.leave_node();
                        }
                        return Err(missing.into());
                    }
                }
            };
        }
        self.accept(header, events)
    }

    /// Adds the events of the next block.
    pub(super) fn accept(&mut self, header: L1Header, events: Events) -> Result<(), L1Error> {
        self.view.accepts(&header, &events)?;
        if let Some(log) = &mut self.log {
            // Appended before the view changes: if this fails, the block is read again. In the
            // reverse order a failure would leave a gap in the file.
            log.append(&header, &events)?;
        }
        self.update.advanced.extend(events.advanced.iter().cloned());
        Arc::make_mut(&mut self.view).apply(header, events);
        self.forget_old_headers();
        Ok(())
    }

    /// Fetches the data that a derivation lacks. Each call resolves a missing item, so the
    /// derivation ends.
    fn fetch(
        &self,
        need: RequiredData,
        header: &L1Header,
        data: &mut FetchedData,
    ) -> Result<(), L1Error> {
        match need {
            RequiredData::Blobs(transaction, hashes) => {
                let client = self.blobs.as_ref().ok_or(L1Error::NoBeacon(transaction))?;
                let blobs = client.blobs(header, &hashes)?;
                data.blobs.extend(hashes.into_iter().zip(blobs));
            }
            RequiredData::Codes(accounts) => {
                for account in accounts {
                    let code = self.codes.kept_at(account, &|account| self.client.code(account))?;
                    data.codes.insert(account, code);
                }
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
        // The checkpoint drops the settled entries from the log, so their files are synced first.
        let synced = self.posted.as_ref().map_or(Ok(()), |posted| posted.sync());
        let synced = synced.and_then(|()| self.view.bridge().sync());
        let checkpoint = synced.and_then(|()| self.view.checkpoint()).map_err(L1Error::from);
        let compacted = checkpoint.and_then(|checkpoint| {
            checkpoint.map_or(Ok(()), |checkpoint| log.compact(&checkpoint.encode()))
        });
        if let Err(error) = compacted {
            tracing::warn!(%error, "failed to compact L1 history file, retrying when it has grown");
        }
    }

    /// Drops the messages before this index, which the L2 has relayed as of an L1 block that no
    /// followed reorg can remove. `kept` are those that the messenger stores for a retry.
    pub(super) fn forget_messages(
        &mut self,
        relayed: u64,
        kept: impl IntoIterator<Item = (u64, B256)>,
    ) {
        Arc::make_mut(&mut self.view).messages_mut().forget(relayed, kept);
    }

    /// Drops messages that the messenger no longer stores for a retry.
    pub(super) fn forget_retryable(&mut self, indexes: &[u64]) {
        Arc::make_mut(&mut self.view).messages_mut().forget_retryable(indexes);
    }

    fn take_finalized(&mut self, finalized: Option<ReadHeader>) {
        if let Some(ReadHeader { header, .. }) = finalized
            && header.number > self.view.finalized()
            && self.view.is_canonical(header.number, header.hash)
        {
            Arc::make_mut(&mut self.view).set_finalized(header.number);
        }
    }
}

#[cfg(test)]
mod tests;
