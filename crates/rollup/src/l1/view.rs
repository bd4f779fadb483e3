//! The node's view of L1: headers, and the rollup's state derived from their blocks.

use crate::{
    L1Error,
    l1::{
        Events, ForcedEntry, L1Header, PostedBlock, SentMessage, bridge_log::BridgeLog,
        history::MAX_HEADERS, partition_point, queue::MessageQueue, saved::Checkpoint,
    },
};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use contracts::Deployment;
use disk::DiskError;
use imbl::{Vector, vector};

/// L1 since the deployment: the latest headers, and the entries that are still open. Clones share
/// all unchanged data: the polling thread publishes clones, so readers of the view never wait for
/// L1.
#[derive(Debug, Clone)]
pub struct L1View {
    deployment: Deployment,
    headers: Vector<L1Header>,
    messages: MessageQueue,
    /// Records of all messages and forced transactions.
    bridge: BridgeLog,
    /// Forced transactions, except the oldest ones whose discharge is
    /// [settled](Self::forget_settled).
    forced: Vector<ForcedEntry>,
    /// Number of dropped forced transactions.
    forced_forgotten: u64,
    /// The latest L2 blocks on L1, without inputs.
    advanced: Vector<PostedBlock>,
    /// The latest finalized block among the dropped L2 blocks.
    final_before: Option<BlockNumHash>,
    /// Indexes of recently discharged forced transactions, with the numbers of the L1 blocks.
    discharged: Vector<(u64, u64)>,
    /// Number of the latest finalized L1 block.
    finalized: u64,
    /// Number of the latest L1 block, as last reported.
    latest: u64,
}

impl L1View {
    pub(crate) fn new(deployment: Deployment) -> Self {
        Self {
            deployment,
            headers: Vector::new(),
            messages: MessageQueue::default(),
            bridge: BridgeLog::default(),
            forced: Vector::new(),
            forced_forgotten: 0,
            advanced: Vector::new(),
            final_before: None,
            discharged: Vector::new(),
            finalized: 0,
            latest: 0,
        }
    }

    /// Returns the rollup's deployment.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Returns the latest header that was read.
    pub fn head(&self) -> Option<&L1Header> {
        self.headers.back()
    }

    /// Returns the header with this number, if it is remembered.
    pub fn header(&self, number: u64) -> Option<&L1Header> {
        let first = self.headers.front()?.number;
        self.headers.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Returns `true` if this block is on the chain that was read. Any block before the oldest
    /// remembered header counts as canonical.
    pub fn is_canonical(&self, number: u64, hash: B256) -> bool {
        match self.header(number) {
            Some(header) => header.hash == hash,
            None => self.headers.front().is_some_and(|first| number < first.number),
        }
    }

    /// Returns the number of the latest finalized L1 block.
    pub const fn finalized(&self) -> u64 {
        self.finalized
    }

    /// Returns the number of the latest L1 block, read or not. Unverified.
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// Returns the queue of messages to the L2.
    pub const fn messages(&self) -> &MessageQueue {
        &self.messages
    }

    /// Returns the records of all messages, claims and forced transactions.
    pub(crate) const fn bridge(&self) -> &BridgeLog {
        &self.bridge
    }

    /// Returns the records, to attach their files.
    pub(super) const fn bridge_mut(&mut self) -> &mut BridgeLog {
        &mut self.bridge
    }

    /// Returns the forced transactions from this index on; none if the first of them was dropped.
    pub fn forced_from(&self, index: u64) -> impl Iterator<Item = &ForcedEntry> {
        let at = index.checked_sub(self.forced_forgotten).and_then(|at| usize::try_from(at).ok());
        let first = at.unwrap_or(usize::MAX).min(self.forced.len());
        (first..self.forced.len()).filter_map(|at| self.forced.get(at))
    }

    /// Returns the number of forced transactions that were submitted, including dropped ones.
    pub fn forced_len(&self) -> u64 {
        self.forced_forgotten + self.forced.len() as u64
    }

    /// Returns the index of the first forced transaction that is not discharged on L1.
    pub fn forced_next(&self) -> u64 {
        self.discharged.back().map_or(self.forced_forgotten, |(index, _)| index + 1)
    }

    /// Returns number and hash of the latest L2 block on L1, the safe head.
    pub fn advanced_head(&self) -> Option<BlockNumHash> {
        self.advanced.back().map(PostedBlock::num_hash)
    }

    /// Returns number and hash of the latest L2 block in a finalized L1 block.
    pub fn finalized_head(&self) -> Option<BlockNumHash> {
        let last = partition_point(&self.advanced, |block| block.l1_block <= self.finalized);
        let newest = last.checked_sub(1).and_then(|last| self.advanced.get(last));
        newest.map(PostedBlock::num_hash).or(self.final_before)
    }

    /// Returns the hash of the L2 block with this number on L1; `None` if it is not on L1, or was
    /// dropped.
    pub fn advanced_hash(&self, number: u64) -> Option<B256> {
        self.posted(number).map(|block| block.hash)
    }

    /// Returns the L2 block with this number on L1; `None` if it is not on L1, or was dropped.
    pub(crate) fn posted(&self, number: u64) -> Option<&PostedBlock> {
        let first = self.advanced.front()?.number;
        self.advanced.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(crate) fn oldest(&self) -> Option<&L1Header> {
        self.headers.front()
    }

    /// Returns the number of remembered headers.
    pub(super) fn remembered(&self) -> usize {
        self.headers.len()
    }

    /// Returns the number of headers up to this L1 block; zero for `None`.
    pub(super) fn headers_up_to(&self, common: Option<u64>) -> usize {
        partition_point(&self.headers, |header| {
            common.is_some_and(|common| header.number <= common)
        })
    }

    /// Returns the numbers of the first L2 block on L1 for which `is_known` returns `false`, and of
    /// its L1 block. A node that has a block also has all earlier ones.
    pub(super) fn first_unknown(
        &self,
        is_known: &dyn Fn(u64, &B256) -> bool,
    ) -> Option<(u64, u64)> {
        let count = partition_point(&self.advanced, |block| is_known(block.number, &block.hash));
        self.advanced.get(count).map(|block| (block.number, block.l1_block))
    }

    /// Reads the records that [`Self::cut_back`] removes from the files into memory.
    ///
    /// # Errors
    ///
    /// [`DiskError`] if a file cannot be read. The view is then as before.
    pub(super) fn reload(&mut self, common: Option<u64>) -> Result<(), DiskError> {
        // Without a common block, all records are dropped.
        common.map_or(Ok(()), |common| self.bridge.reload(common))
    }

    /// Drops the blocks after this one, or all blocks for `None`, even finalized ones. A view with
    /// files needs [`Self::reload`] first.
    pub(crate) fn cut_back(&mut self, common: Option<u64>) {
        let Some(common) = common else {
            let (latest, bridge) = (self.latest, self.bridge.to_empty());
            *self = Self { latest, bridge, ..Self::new(self.deployment.clone()) };
            return;
        };
        let is_kept = |number: u64| number <= common;
        // All lists are ordered by L1 block.
        self.headers.truncate(self.headers_up_to(Some(common)));
        self.messages.revert_to(common);
        let forced = partition_point(&self.forced, |entry| is_kept(entry.l1_block));
        self.forced.truncate(forced);
        self.bridge.cut_back(common, self.forced_len());
        let advanced = partition_point(&self.advanced, |block| is_kept(block.l1_block));
        self.advanced.truncate(advanced);
        let discharged = partition_point(&self.discharged, |(_, l1_block)| is_kept(*l1_block));
        self.discharged.truncate(discharged);
        self.finalized = self.finalized.min(common);
    }

    /// Returns the open entries at the oldest remembered header. No other earlier data is needed.
    ///
    /// # Errors
    ///
    /// [`DiskError`] if a file of records cannot be read.
    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, DiskError> {
        let Some(oldest) = self.oldest().cloned() else { return Ok(None) };
        let mut base = self.clone();
        base.reload(Some(oldest.number))?;
        base.cut_back(Some(oldest.number));
        Ok(Some(Checkpoint {
            header: Some(oldest),
            messages: base.messages,
            bridge: base.bridge,
            forced: base.forced.into_iter().collect(),
            forced_forgotten: base.forced_forgotten,
            advanced: base.advanced.into_iter().collect(),
            final_before: base.final_before,
            discharged: base.discharged.into_iter().collect(),
        }))
    }

    /// Restores a checkpoint into an empty view.
    ///
    /// # Errors
    ///
    /// [`L1Error::Mismatch`] if the view is not empty.
    pub(super) fn apply_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), L1Error> {
        if let Some(head) = self.head() {
            return Err(L1Error::mismatch("number of a checkpoint's block", head.number, 0));
        }
        let Checkpoint {
            header,
            messages,
            bridge,
            forced,
            forced_forgotten,
            advanced,
            final_before,
            discharged,
        } = checkpoint;
        *self = Self {
            deployment: self.deployment.clone(),
            headers: header.into_iter().collect(),
            messages,
            bridge,
            forced: forced.into_iter().collect(),
            forced_forgotten,
            advanced: advanced.into_iter().collect(),
            final_before,
            discharged: discharged.into_iter().collect(),
            finalized: 0,
            latest: self.latest,
        };
        Ok(())
    }

    /// Checks that a block and its events follow the head.
    ///
    /// # Errors
    ///
    /// [`L1Error::Mismatch`] if they do not.
    pub(crate) fn accepts(&self, header: &L1Header, events: &Events) -> Result<(), L1Error> {
        // Checked by number and by parent: a gap could omit a message, and the rolling hash of all
        // later ones would be wrong.
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

    /// Adds a block with its events, which [`Self::accepts`] has checked.
    pub(crate) fn apply(&mut self, header: L1Header, events: Events) {
        self.bridge.apply(&header, &events);
        for SentMessage { message, l1_block, l1_timestamp, .. } in events.messages {
            self.messages.push(message, l1_block, l1_timestamp);
        }
        self.forced.extend(events.forced);
        self.discharged.extend(
            events.discharged.into_iter().map(|transaction| (transaction.index, header.number)),
        );
        self.advanced.extend(events.advanced.into_iter().map(PostedBlock::without_input));
        self.headers.push_back(header);
    }

    /// Returns the number of remembered headers beyond [`MAX_HEADERS`].
    pub(super) fn surplus_headers(&self) -> usize {
        self.headers.len().saturating_sub(MAX_HEADERS)
    }

    pub(super) fn forget_oldest(&mut self, count: usize) {
        self.headers = self.headers.split_off(count.min(self.headers.len()));
    }

    /// Returns the L2 blocks settled before the oldest remembered header, oldest first.
    pub(super) fn settled(&self) -> impl Iterator<Item = &PostedBlock> {
        let oldest = self.oldest().map_or(0, |header| header.number);
        let settled = partition_point(&self.advanced, |block| block.l1_block < oldest);
        self.advanced.iter().take(settled)
    }

    /// Drops the L2 blocks and forced transactions that are settled before the oldest remembered
    /// header, where no followed reorg can reach them, and moves records of messages to their
    /// files. Keeps the newest of these blocks.
    pub(super) fn forget_settled(&mut self) {
        let Some(oldest) = self.oldest().map(|header| header.number) else { return };
        self.bridge.settle(oldest);
        // One block is kept, since the safe head of an L2 that has been idle for long is older than
        // all remembered headers.
        let advanced = self.settled().count();
        if advanced > 1 {
            let newest = self.advanced.split_off(advanced - 1);
            // A dropped block that is not finalized yet is reported as finalized only together with
            // a later block.
            self.final_before = self.finalized_head();
            self.advanced = newest;
        }
        let discharged = partition_point(&self.discharged, |(_, at)| *at < oldest);
        let Some(&(index, at)) = discharged.checked_sub(1).and_then(|at| self.discharged.get(at))
        else {
            return;
        };
        self.discharged = vector![(index, at)] + self.discharged.split_off(discharged);
        let settled = (index + 1).saturating_sub(self.forced_forgotten);
        let settled = usize::try_from(settled).unwrap_or(usize::MAX).min(self.forced.len());
        // Entries are discharged in the order of the queue, so none before this one is open.
        self.forced = self.forced.split_off(settled);
        self.forced_forgotten += settled as u64;
    }

    /// Returns the queue of messages, to drop relayed ones.
    pub(super) const fn messages_mut(&mut self) -> &mut MessageQueue {
        &mut self.messages
    }

    /// Returns the number of entries in memory, without headers.
    pub fn entries(&self) -> usize {
        self.messages.entries() + self.forced.len() + self.advanced.len() + self.discharged.len()
    }

    pub(super) const fn set_latest(&mut self, latest: u64) {
        self.latest = latest;
    }

    pub(crate) const fn set_finalized(&mut self, finalized: u64) {
        self.finalized = finalized;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batcher::tests::header;
    use alloy_primitives::Address;
    use testkit::bare_deployment;

    #[test]
    fn dropped_blocks_are_not_finalized() {
        let address = Address::repeat_byte(1);
        let mut view = L1View::new(bare_deployment(address, address));
        (1..=5).for_each(|number| view.apply(header(number), Events::default()));
        view.set_finalized(4);
        for (common, finalized) in [(Some(5), 4), (Some(4), 4), (Some(2), 2), (None, 0)] {
            view.cut_back(common);
            assert_eq!(view.finalized(), finalized, "{common:?}");
        }
    }
}
