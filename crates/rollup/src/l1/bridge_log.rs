//! Records of all messages, claims and forced transactions on L1, for the RPC methods.

use crate::{
    l1::{
        Events, L1Header,
        history::{History, MAX_HEADERS, MAX_RECORDS, Record, with_reserve},
        partition_point,
    },
    parties::Parties,
    service::data_dir::{CLAIMS, L1_MESSAGES},
};
use alloy_primitives::{Address, B256, keccak256};
use alloy_sol_types::SolValue as _;
use contracts::{Message, bindings::IForcedInbox::ForcedTransaction};
use disk::{DiskError, Reader, SlotFile, Writer};
use imbl::{OrdMap, Vector};
use std::{path::Path, sync::Arc};

/// Length of an encoded [`SentRecord`], in bytes.
const SENT_BYTES: usize = 3 * 20 + 16 + 16 + 4 + 32 + 32 + 8 + 8 + 32;
/// Length of an encoded [`ClaimRecord`], in bytes.
const CLAIM_BYTES: usize = 8 + 1 + 8 + 32;
/// Maximum number of remembered pauses, one per L1 block. Exceeds the depth of followed reorgs, so
/// at least one of them remains after a reorg.
const MAX_PAUSES: usize = 2 * MAX_HEADERS + 1;
/// Number of 32-byte words of the ABI encoding of a [`ForcedTransaction`].
const FORCED_WORDS: usize = 11;

/// A message that was sent on L1, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentRecord {
    pub(crate) sender: Address,
    pub(crate) to: Address,
    pub(crate) refund_to: Address,
    pub(crate) value: u128,
    pub(crate) fee: u128,
    pub(crate) gas_limit: u32,
    pub(crate) data_hash: B256,
    pub(crate) hash: B256,
    pub(crate) l1_block: u64,
    pub(crate) timestamp: u64,
    pub(crate) transaction: B256,
}

impl SentRecord {
    const fn parties(&self) -> Parties {
        Parties::new(self.sender, self.to, self.refund_to)
    }
}

/// A message to L1 that was claimed or refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClaimRecord {
    pub(crate) index: u64,
    pub(crate) is_refunded: bool,
    pub(crate) l1_block: u64,
    pub(crate) transaction: B256,
}

/// A forced transaction, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForcedRecord {
    pub(crate) transaction: ForcedTransaction,
    pub(crate) l1_block: u64,
    pub(crate) l1_transaction: B256,
    /// Outcome, and the L1 block that discharged it.
    pub(crate) discharged: Option<(u8, u64)>,
}

/// List whose lookups return only the newest `limit` entries.
#[derive(Debug, Clone)]
struct Records<T: Clone> {
    dropped: u64,
    entries: Vector<T>,
    /// Maximum number of entries that lookups return.
    limit: usize,
}

impl<T: Clone> Default for Records<T> {
    fn default() -> Self {
        Self { dropped: 0, entries: Vector::new(), limit: MAX_RECORDS }
    }
}

impl<T: Clone> Records<T> {
    fn len(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    /// Returns the index of the oldest entry that a lookup returns.
    fn first(&self) -> u64 {
        self.dropped.max(self.len().saturating_sub(self.limit as u64))
    }

    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.dropped)?).ok()
    }

    fn get(&self, index: u64) -> Option<&T> {
        self.entries.get(self.position(index).filter(|_| index >= self.first())?)
    }

    fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
        if self.entries.len() > with_reserve(self.limit) {
            self.entries.pop_front();
            self.dropped += 1;
        }
    }

    /// Truncates the list to this length, which counts dropped entries.
    fn truncate(&mut self, length: u64) {
        self.dropped = self.dropped.min(length);
        self.entries.truncate(self.position(length).unwrap_or_default());
    }
}

/// Positions of the claims of the messages with the highest indexes.
#[derive(Debug, Clone, Default)]
struct Claimed {
    /// Message index from which all claims are known.
    from: u64,
    positions: OrdMap<u64, u64>,
}

impl Claimed {
    /// Sets the position of the claim of a message, and drops those of the lowest indexes beyond
    /// the limit.
    fn insert(&mut self, index: u64, position: u64, limit: usize) {
        if index < self.from {
            return;
        }
        self.positions.insert(index, position);
        while self.positions.len() > with_reserve(limit)
            && let Some((lowest, _)) = self.positions.get_min().copied()
        {
            self.positions.remove(&lowest);
            self.from = lowest.saturating_add(1);
        }
    }
}

impl Record<SENT_BYTES> for SentRecord {
    const WHAT: &'static str = "message on L1";

    fn l1_block(&self) -> u64 {
        self.l1_block
    }

    fn put(&self, out: &mut Writer) {
        for address in [self.sender, self.to, self.refund_to] {
            out.raw(address.as_slice());
        }
        out.raw(&self.value.to_be_bytes());
        out.raw(&self.fee.to_be_bytes());
        out.raw(&self.gas_limit.to_be_bytes());
        out.raw(self.data_hash.as_slice());
        out.raw(self.hash.as_slice());
        out.word(self.l1_block);
        out.word(self.timestamp);
        out.raw(self.transaction.as_slice());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        let mut address = || from.array().map(Address::new);
        let (sender, to, refund_to) = (address()?, address()?, address()?);
        Ok(Self {
            sender,
            to,
            refund_to,
            value: u128::from_be_bytes(from.array()?),
            fee: u128::from_be_bytes(from.array()?),
            gas_limit: u32::from_be_bytes(from.array()?),
            data_hash: from.array()?.into(),
            hash: from.array()?.into(),
            l1_block: from.word()?,
            timestamp: from.word()?,
            transaction: from.array()?.into(),
        })
    }
}

impl Record<CLAIM_BYTES> for ClaimRecord {
    const WHAT: &'static str = "claim on L1";

    fn l1_block(&self) -> u64 {
        self.l1_block
    }

    fn put(&self, out: &mut Writer) {
        out.word(self.index);
        out.byte(self.is_refunded.into());
        out.word(self.l1_block);
        out.raw(self.transaction.as_slice());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        let (index, is_refunded) = (from.word()?, from.flag()?);
        let (l1_block, transaction) = (from.word()?, from.array()?.into());
        Ok(Self { index, is_refunded, l1_block, transaction })
    }
}

/// Files of the records that no reorg can remove.
#[derive(Debug)]
pub(crate) struct BridgeFiles {
    sent: Arc<SlotFile<SENT_BYTES>>,
    claims: Arc<SlotFile<CLAIM_BYTES>>,
}

impl BridgeFiles {
    /// Opens or creates the files of a deployment next to this file.
    pub(crate) fn open_next_to(path: &Path, subject: B256) -> Result<Self, DiskError> {
        Ok(Self {
            sent: Arc::new(SlotFile::open(&path.with_file_name(L1_MESSAGES), subject)?),
            claims: Arc::new(SlotFile::open(&path.with_file_name(CLAIMS), subject)?),
        })
    }
}

/// Records of all L1 blocks that were read. They are stored in files and in the checkpoint of L1's
/// history, so they survive a restart. Clones share their data.
#[derive(Debug, Clone, Default)]
pub(crate) struct BridgeLog {
    /// Messages to the L2, each at the position of its index.
    sent: History<SentRecord, SENT_BYTES>,
    /// Accounts of these messages.
    parties: Records<Parties>,
    claims: History<ClaimRecord, CLAIM_BYTES>,
    claimed: Claimed,
    forced: Records<ForcedRecord>,
    /// L1 block and end of the last pause in it.
    pauses: Vector<(u64, u64)>,
}

impl BridgeLog {
    /// Attaches the files with the settled records, and reads them.
    ///
    /// # Errors
    ///
    /// [`DiskError`] if a record is missing or corrupted.
    pub(crate) fn attach(&mut self, files: &BridgeFiles) -> Result<(), DiskError> {
        self.sent.set_file(&files.sent);
        self.claims.set_file(&files.claims);
        let limit = self.parties.limit;
        let dropped = self.sent.len().saturating_sub(limit as u64);
        self.parties = Records { dropped, entries: Vector::new(), limit };
        for index in dropped..self.sent.len() {
            if let Some(sent) = self.sent.get(index)? {
                self.parties.push(sent.parties());
            }
        }
        self.claimed = self.first_claimed(self.claims.len())?;
        Ok(())
    }

    /// Reads the oldest `count` claims.
    fn first_claimed(&self, count: u64) -> Result<Claimed, DiskError> {
        let mut claimed = Claimed::default();
        for position in 0..count {
            if let Some(claim) = self.claims.get(position)? {
                claimed.insert(claim.index, position, self.claims.limit);
            }
        }
        Ok(claimed)
    }

    /// Returns an empty log with the same files.
    pub(super) fn to_empty(&self) -> Self {
        Self {
            sent: self.sent.to_empty(),
            parties: Records { limit: self.parties.limit, ..Records::default() },
            claims: self.claims.to_empty(),
            forced: Records { limit: self.forced.limit, ..Records::default() },
            ..Self::default()
        }
    }

    /// Moves messages and claims before this L1 block to the files.
    pub(crate) fn settle(&mut self, oldest: u64) {
        let settled = self.sent.settle(oldest).and_then(|()| self.claims.settle(oldest));
        if let Err(error) = settled {
            tracing::warn!(%error, "failed to record settled messages, retrying at the next block");
        }
    }

    /// Makes the settled records durable.
    pub(super) fn sync(&self) -> Result<(), DiskError> {
        self.sent.sync().and_then(|()| self.claims.sync())
    }

    /// Adds the events of a block.
    pub(crate) fn apply(&mut self, header: &L1Header, events: &Events) {
        for sent in &events.messages {
            let Message { sender, to, refund_to, value, fee, gas_limit, data, .. } = &sent.message;
            let record = SentRecord {
                sender: *sender,
                to: *to,
                refund_to: *refund_to,
                value: *value,
                fee: *fee,
                gas_limit: *gas_limit,
                data_hash: keccak256(data),
                hash: sent.message.hash(),
                l1_block: sent.l1_block,
                timestamp: sent.l1_timestamp,
                transaction: sent.l1_transaction,
            };
            self.parties.push(record.parties());
            self.sent.push(record);
        }
        for claim in &events.claimed {
            self.claimed.insert(claim.index, self.claims.len(), self.claims.limit);
            self.claims.push(ClaimRecord {
                index: claim.index,
                is_refunded: claim.is_refunded,
                l1_block: claim.l1_block,
                transaction: claim.l1_transaction,
            });
        }
        for entry in &events.forced {
            self.forced.push(ForcedRecord {
                transaction: entry.transaction.clone(),
                l1_block: entry.l1_block,
                l1_transaction: entry.l1_transaction,
                discharged: None,
            });
        }
        for discharged in &events.discharged {
            let position = self.forced.position(discharged.index);
            if let Some(entry) = position.and_then(|at| self.forced.entries.get_mut(at)) {
                entry.discharged = Some((discharged.outcome, header.number));
            }
        }
        if let Some(until) = events.pauses.last() {
            self.pauses.push_back((header.number, *until));
            if self.pauses.len() > MAX_PAUSES {
                self.pauses.pop_front();
            }
        }
    }

    /// Reads the records that [`Self::cut_back`] needs back into memory: those after this L1 block
    /// that were written to the files early, and dropped ones that will be within the limit again.
    /// The log contains the same records before and after.
    pub(super) fn reload(&mut self, common: u64) -> Result<(), DiskError> {
        self.sent.reload(common)?;
        self.claims.reload(common)?;
        let remaining = self.sent.len() - self.sent.after(common).len() as u64;
        while self.parties.dropped > remaining.saturating_sub(self.parties.limit as u64)
            && let Some(last) = self.sent.get(self.parties.dropped - 1)?
        {
            self.parties.entries.push_front(last.parties());
            self.parties.dropped -= 1;
        }
        let removed = self.claims.after(common);
        let is_known = |claim: &&ClaimRecord| claim.index >= self.claimed.from;
        let count = removed.iter().filter(is_known).count();
        let remaining_claims = self.claimed.positions.len().saturating_sub(count);
        if self.claimed.from > 0 && remaining_claims < self.claims.limit {
            // Claims are not ordered by message index, so all are read, as at a start.
            let Claimed { from, positions } =
                self.first_claimed(self.claims.len() - removed.len() as u64)?;
            let positions = positions.union(self.claimed.positions.clone());
            self.claimed = Claimed { from, positions };
        }
        Ok(())
    }

    /// Removes the records of the blocks after this one, which [`Self::reload`] must have read into
    /// memory. `forced` is the number of forced transactions up to this block.
    pub(super) fn cut_back(&mut self, common: u64, forced: u64) {
        self.sent.cut_back(common);
        self.parties.truncate(self.sent.len());
        for claim in self.claims.cut_back(common) {
            self.claimed.positions.remove(&claim.index);
        }
        self.forced.truncate(forced);
        let pauses = partition_point(&self.pauses, |(l1_block, _)| *l1_block <= common);
        self.pauses.truncate(pauses);
        // Entries are discharged in queue order, so the discharged ones come first.
        let mut at = partition_point(&self.forced.entries, |entry| entry.discharged.is_some());
        while let Some(last) = at.checked_sub(1)
            && let Some(entry) = self.forced.entries.get_mut(last)
            && entry.discharged.is_some_and(|(_, l1_block)| l1_block > common)
        {
            entry.discharged = None;
            at = last;
        }
    }

    pub(crate) fn sent_len(&self) -> u64 {
        self.sent.len()
    }

    /// Returns the index of the oldest message that a search covers. The files also contain older
    /// ones.
    pub(crate) fn first_sent(&self) -> u64 {
        self.parties.first().max(self.sent.first())
    }

    /// Returns a message to the L2.
    pub(crate) fn sent(&self, index: u64) -> Result<Option<SentRecord>, DiskError> {
        self.sent.get(index)
    }

    /// Returns a function that looks up the accounts of a message to the L2, which is fast for
    /// successive indexes.
    pub(crate) fn sent_parties(&self) -> impl FnMut(u64) -> Option<Parties> {
        let mut entries = self.parties.entries.focus();
        move |index| entries.get(self.parties.position(index)?).copied()
    }

    /// Returns the claim or refund of a message to L1, if there is one.
    pub(crate) fn claim(&self, index: u64) -> Result<Option<ClaimRecord>, DiskError> {
        let Some(position) = self.claimed.positions.get(&index) else { return Ok(None) };
        let dropped = || DiskError::malformed(ClaimRecord::WHAT, "dropped for lack of a file");
        self.claims.get(*position)?.ok_or_else(dropped).map(Some)
    }

    /// Returns the number of submitted forced transactions.
    pub(crate) fn forced_len(&self) -> u64 {
        self.forced.len()
    }

    /// Returns the index of the oldest forced transaction with a record.
    pub(crate) fn first_forced(&self) -> u64 {
        self.forced.first()
    }

    pub(crate) fn forced(&self, index: u64) -> Option<&ForcedRecord> {
        self.forced.get(index)
    }

    /// Returns the timestamp at which the last pause of the queue ends; zero without one.
    pub(crate) fn paused_until(&self) -> u64 {
        self.pauses.back().map_or(0, |(_, until)| *until)
    }

    pub(super) fn save(&self, out: &mut Writer) {
        self.sent.save(out);
        self.claims.save(out);
        out.word(self.forced.dropped);
        out.length(self.forced.entries.len());
        for entry in &self.forced.entries {
            out.raw(&entry.transaction.abi_encode());
            out.word(entry.l1_block);
            out.raw(entry.l1_transaction.as_slice());
            out.option(entry.discharged.as_ref(), |out, (outcome, l1_block)| {
                out.byte(*outcome);
                out.word(*l1_block);
            });
        }
        out.length(self.pauses.len());
        for (l1_block, until) in &self.pauses {
            out.word(*l1_block);
            out.word(*until);
        }
    }

    /// Decodes the output of [`Self::save`]. The result needs [`Self::attach`].
    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        let (sent, claims) = (History::load(from)?, History::load(from)?);
        let dropped = from.word()?;
        let forced = from.list(|from| {
            let words = from.array::<{ 32 * FORCED_WORDS }>()?;
            let transaction = ForcedTransaction::abi_decode_validate(&words)
                .map_err(|error| DiskError::malformed("forced transaction", error))?;
            let (l1_block, l1_transaction) = (from.word()?, from.array()?.into());
            let discharged = from.option(|from| Ok((from.byte()?, from.word()?)))?;
            Ok(ForcedRecord { transaction, l1_block, l1_transaction, discharged })
        })?;
        let forced =
            Records { dropped, entries: forced.into_iter().collect(), ..Records::default() };
        let pauses = from.list(|from| Ok((from.word()?, from.word()?)))?;
        let pauses = pauses.into_iter().collect();
        Ok(Self { sent, claims, forced, pauses, ..Self::default() })
    }
}

#[cfg(test)]
mod rebuilt;
#[cfg(test)]
mod tests;
