//! Messages, claims and forced transactions of all of L1, for the RPC methods.

use crate::l1::{Events, L1Header, partition_point};
use alloy_primitives::{Address, B256, keccak256};
use alloy_sol_types::SolValue as _;
use contracts::{Message, bindings::IForcedInbox::ForcedTransaction};
use disk::{DiskError, Reader, Writer};
use imbl::{OrdMap, Vector};

/// Maximum number of records of each kind. It bounds memory, at some 200 bytes a record: sending a
/// message costs gas of L1, but anyone can. The oldest records are dropped.
const MAX_RECORDS: usize = 1 << 18;
/// Maximum number of remembered pauses.
const MAX_PAUSES: usize = 64;
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
    /// Hash of the message.
    pub(crate) hash: B256,
    pub(crate) l1_block: u64,
    pub(crate) timestamp: u64,
    pub(crate) transaction: B256,
}

/// A message to L1 that was claimed or refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClaimRecord {
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

/// A list whose oldest entries may be dropped.
#[derive(Debug, Clone)]
struct Records<T: Clone> {
    dropped: u64,
    entries: Vector<T>,
}

impl<T: Clone> Default for Records<T> {
    fn default() -> Self {
        Self { dropped: 0, entries: Vector::new() }
    }
}

impl<T: Clone> Records<T> {
    fn len(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.dropped)?).ok()
    }

    fn get(&self, index: u64) -> Option<&T> {
        self.entries.get(self.position(index)?)
    }

    fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
        if self.entries.len() > MAX_RECORDS {
            self.entries.pop_front();
            self.dropped += 1;
        }
    }
}

/// Records of all L1 blocks that were read. They are part of the checkpoint of L1's history, so
/// they survive a restart, and reorgs remove them. Clones share their data.
#[derive(Debug, Clone, Default)]
pub(crate) struct BridgeLog {
    sent: Records<SentRecord>,
    claims: OrdMap<u64, ClaimRecord>,
    forced: Records<ForcedRecord>,
    /// L1 block and end of each pause.
    pauses: Vector<(u64, u64)>,
}

impl BridgeLog {
    /// Adds the events of a block.
    pub(super) fn take(&mut self, header: &L1Header, events: &Events) {
        for sent in &events.messages {
            let Message { sender, to, refund_to, value, fee, gas_limit, data, .. } = &sent.message;
            self.sent.push(SentRecord {
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
            });
        }
        for claim in &events.claimed {
            self.claims.insert(
                claim.index,
                ClaimRecord {
                    is_refunded: claim.is_refunded,
                    l1_block: claim.l1_block,
                    transaction: claim.l1_transaction,
                },
            );
            if self.claims.len() > MAX_RECORDS {
                self.claims = self.claims.without_min().1;
            }
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
        for until in &events.pauses {
            self.pauses.push_back((header.number, *until));
            if self.pauses.len() > MAX_PAUSES {
                self.pauses.pop_front();
            }
        }
    }

    /// Undoes the blocks after this one.
    pub(super) fn cut_back(&mut self, stayed: u64) {
        let sent = partition_point(&self.sent.entries, |it| it.l1_block <= stayed);
        self.sent.entries.truncate(sent);
        let forced = partition_point(&self.forced.entries, |it| it.l1_block <= stayed);
        self.forced.entries.truncate(forced);
        let pauses = partition_point(&self.pauses, |(l1_block, _)| *l1_block <= stayed);
        self.pauses.truncate(pauses);
        if self.claims.values().any(|claim| claim.l1_block > stayed) {
            let kept = self.claims.iter().filter(|(_, claim)| claim.l1_block <= stayed);
            self.claims = kept.map(|(index, claim)| (*index, *claim)).collect();
        }
        // In the order of the queue: the discharged ones are the first.
        let mut at = partition_point(&self.forced.entries, |it| it.discharged.is_some());
        while let Some(last) = at.checked_sub(1)
            && let Some(entry) = self.forced.entries.get_mut(last)
            && entry.discharged.is_some_and(|(_, l1_block)| l1_block > stayed)
        {
            entry.discharged = None;
            at = last;
        }
    }

    /// Number of messages that were sent.
    pub(crate) fn sent_len(&self) -> u64 {
        self.sent.len()
    }

    /// Index of the oldest message with a record.
    pub(crate) const fn first_sent(&self) -> u64 {
        self.sent.dropped
    }

    /// Returns a message to the L2.
    pub(crate) fn sent(&self, index: u64) -> Option<&SentRecord> {
        self.sent.get(index)
    }

    /// Returns a function that finds sender, target and refund account of a message to the L2. It is
    /// fast for successive messages.
    pub(crate) fn sent_parties(&self) -> impl FnMut(u64) -> Option<[Address; 3]> {
        let mut entries = self.sent.entries.focus();
        move |index| {
            let sent = entries.get(self.sent.position(index)?)?;
            Some([sent.sender, sent.to, sent.refund_to])
        }
    }

    /// Returns what became of a message to L1, if it was claimed or refunded.
    pub(crate) fn claim(&self, index: u64) -> Option<&ClaimRecord> {
        self.claims.get(&index)
    }

    /// Number of forced transactions that were submitted.
    pub(crate) fn forced_len(&self) -> u64 {
        self.forced.len()
    }

    /// Index of the oldest forced transaction with a record.
    pub(crate) const fn first_forced(&self) -> u64 {
        self.forced.dropped
    }

    /// Returns a forced transaction.
    pub(crate) fn forced(&self, index: u64) -> Option<&ForcedRecord> {
        self.forced.get(index)
    }

    /// Returns the timestamp at which the last pause of the queue ends; zero without one.
    pub(crate) fn paused_until(&self) -> u64 {
        self.pauses.back().map_or(0, |(_, until)| *until)
    }

    /// Encodes the records.
    pub(super) fn save(&self, out: &mut Writer) {
        out.word(self.sent.dropped);
        out.length(self.sent.entries.len());
        for it in &self.sent.entries {
            for address in [it.sender, it.to, it.refund_to] {
                out.raw(address.as_slice());
            }
            out.raw(&it.value.to_be_bytes());
            out.raw(&it.fee.to_be_bytes());
            out.raw(&it.gas_limit.to_be_bytes());
            out.raw(it.data_hash.as_slice());
            out.raw(it.hash.as_slice());
            out.word(it.l1_block);
            out.word(it.timestamp);
            out.raw(it.transaction.as_slice());
        }
        out.length(self.claims.len());
        for (index, claim) in &self.claims {
            out.word(*index);
            out.byte(claim.is_refunded.into());
            out.word(claim.l1_block);
            out.raw(claim.transaction.as_slice());
        }
        out.word(self.forced.dropped);
        out.length(self.forced.entries.len());
        for it in &self.forced.entries {
            out.raw(&it.transaction.abi_encode());
            out.word(it.l1_block);
            out.raw(it.l1_transaction.as_slice());
            out.option(it.discharged.as_ref(), |out, (outcome, l1_block)| {
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

    /// Decodes the output of [`Self::save`].
    pub(super) fn load(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        let dropped = from.word()?;
        let sent = from.list(|from| {
            let mut address = || from.array().map(Address::new);
            let (sender, to, refund_to) = (address()?, address()?, address()?);
            Ok(SentRecord {
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
        })?;
        let sent = Records { dropped, entries: sent.into_iter().collect() };
        let claims = from.list(|from| {
            let index = from.word()?;
            let is_refunded = from.flag()?;
            let (l1_block, transaction) = (from.word()?, from.array()?.into());
            Ok((index, ClaimRecord { is_refunded, l1_block, transaction }))
        })?;
        let dropped = from.word()?;
        let forced = from.list(|from| {
            let words = from.array::<{ 32 * FORCED_WORDS }>()?;
            let transaction = ForcedTransaction::abi_decode_validate(&words)
                .map_err(|error| DiskError::malformed("forced transaction", error))?;
            let (l1_block, l1_transaction) = (from.word()?, from.array()?.into());
            let discharged = from.option(|from| Ok((from.byte()?, from.word()?)))?;
            Ok(ForcedRecord { transaction, l1_block, l1_transaction, discharged })
        })?;
        let forced = Records { dropped, entries: forced.into_iter().collect() };
        let pauses = from.list(|from| Ok((from.word()?, from.word()?)))?;
        Ok(Self {
            sent,
            claims: claims.into_iter().collect(),
            forced,
            pauses: pauses.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l1::{ClaimedMessage, Discharged, ForcedEntry, SentMessage};

    fn header(number: u64) -> L1Header {
        let (hash, parent) = (B256::ZERO, B256::ZERO);
        L1Header { number, hash, parent, timestamp: 12 * number, base_fee: 1 }
    }

    /// A block with two messages, a forced transaction, a claim and a pause; it discharges the
    /// forced transaction of the block before.
    fn events(number: u64) -> Events {
        let message = |index| Message {
            sender: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            refund_to: Address::ZERO,
            value: u128::from(number),
            fee: 3,
            gas_limit: 4,
            index,
            data: vec![5; 6].into(),
        };
        let sent = |index| SentMessage {
            message: message(index),
            l1_block: number,
            l1_timestamp: 12 * number,
            l1_transaction: B256::with_last_byte(number as u8),
        };
        let transaction = ForcedTransaction {
            hash: B256::repeat_byte(number as u8),
            sender: Address::repeat_byte(7),
            nonce: number,
            gasLimit: 21_000,
            maxFee: 9,
            cost: alloy_primitives::U256::from(10),
            submittedAt: 12 * number,
            bounded: false,
            to: Address::repeat_byte(8),
            footprint: 11,
            priced: true,
        };
        let forced = ForcedEntry {
            index: number,
            transaction,
            raw: Default::default(),
            l1_block: number,
            l1_transaction: B256::ZERO,
        };
        let claim = |index, is_refunded| ClaimedMessage {
            index,
            is_refunded,
            l1_block: number,
            l1_transaction: B256::ZERO,
        };
        let before = number.checked_sub(1);
        Events {
            messages: vec![sent(2 * number), sent(2 * number + 1)],
            forced: vec![forced],
            discharged: before.map(|index| Discharged { index, outcome: 1 }).into_iter().collect(),
            // In another order than the blocks.
            claimed: vec![claim(100 - number, number == 2)],
            pauses: vec![1_000 + number],
            ..Events::default()
        }
    }

    fn filled(blocks: u64) -> BridgeLog {
        let mut log = BridgeLog::default();
        (0..blocks).for_each(|number| log.take(&header(number), &events(number)));
        log
    }

    fn bytes(log: &BridgeLog) -> Vec<u8> {
        let mut out = Writer::default();
        log.save(&mut out);
        out.0
    }

    #[test]
    fn reverted_records_equal_those_never_added() {
        for stayed in 0..6 {
            let mut log = filled(6);
            log.cut_back(stayed);
            assert_eq!(bytes(&log), bytes(&filled(stayed + 1)), "{stayed}");
        }
    }

    #[test]
    fn saved_records_are_read_back_unchanged() {
        let log = filled(5);
        let saved = bytes(&log);
        let whole = saved.clone().into();
        let mut from = Reader::new("records", &whole);
        let read = BridgeLog::load(&mut from).unwrap();
        from.end().unwrap();
        assert_eq!(bytes(&read), saved);
        assert_eq!((read.sent_len(), read.forced_len(), read.paused_until()), (10, 5, 1_004));
        assert_eq!(read.sent(9), log.sent(9));
        assert_eq!(read.sent(9).map(|it| it.value), Some(4));
        assert_eq!((read.sent(10), read.sent(u64::MAX)), (None, None));
        assert!(read.claim(98).is_some_and(|it| it.is_refunded));
        assert!(read.claim(99).is_some_and(|it| !it.is_refunded));
        assert_eq!(read.forced(3).and_then(|it| it.discharged), Some((1, 4)));
        assert_eq!(read.forced(4).and_then(|it| it.discharged), None);
        for cut in [1, saved.len() / 2, saved.len() - 1] {
            let short = saved[..cut].to_vec().into();
            assert!(BridgeLog::load(&mut Reader::new("records", &short)).is_err(), "{cut}");
        }
    }
}
