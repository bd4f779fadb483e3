//! Queue of messages to the L2, a mirror of `SendQueue` on L1.

use crate::{L1Error, l1::partition_point};
use alloy_primitives::B256;
use contracts::{
    Message, bindings::INativeRollup::Checkpoint, capacity::CHECKPOINT_INTERVAL, extend,
};
use imbl::{OrdMap, Vector};

mod saved;

/// Maximum number of stored hashes of messages that the L2 keeps for a retry. It is bounded because
/// anyone can send messages that fail.
const MAX_KEPT: usize = 1 << 16;

#[derive(Debug, Clone)]
struct Sent {
    message: Message,
    l1_block: u64,
    /// Rolling hash up to and including the message.
    root: B256,
}

/// Result of looking up a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownMessage {
    /// Hash of a message in the queue, or of one that the L2 keeps because its delivery failed.
    Hash(B256),
    /// The message was delivered, refunded or retried, and dropped from the queue.
    Settled,
    /// The message and its hash were dropped because of its age; the L2 may still keep it for a
    /// retry.
    Forgotten,
    /// No such message was sent.
    Unknown,
}

/// Messages that may still be relayed, and the checkpoints of the queue to which an anchor may
/// refer.
///
/// Messages whose relay is final are dropped, so that the queue contains only open entries. Clones
/// share their entries.
#[derive(Debug, Clone, Default)]
pub struct MessageQueue {
    /// Number of dropped messages.
    forgotten: u64,
    /// Rolling hash over the dropped messages.
    forgotten_root: B256,
    messages: Vector<Sent>,
    /// Hashes of the dropped messages that the L2 keeps for a retry, at most [`MAX_KEPT`].
    kept: OrdMap<u64, B256>,
    /// Message index from which these hashes are complete.
    kept_from: u64,
    /// Completed checkpoints, starting with the latest one that covers only dropped messages. The
    /// last, open one is [`Self::state`].
    checkpoints: Vector<Checkpoint>,
    /// Id, L1 block and timestamp of the open checkpoint.
    last: (u64, u64, u64),
}

impl MessageQueue {
    /// Checks that these messages continue the queue.
    ///
    /// # Errors
    ///
    /// [`L1Error`] if an index is not the next one.
    pub(crate) fn accepts<'m>(
        &self,
        messages: impl Iterator<Item = &'m Message>,
    ) -> Result<(), L1Error> {
        for (message, next) in messages.zip(self.len()..) {
            if message.index != next {
                return Err(L1Error::mismatch("index of a message", message.index, next));
            }
        }
        Ok(())
    }

    /// Appends a message that was [accepted](Self::accepts), and creates checkpoints as
    /// `SendQueue._nextIndex` does.
    pub(crate) fn push(&mut self, message: Message, l1_block: u64, timestamp: u64) {
        let index = self.len();
        // The contract writes a checkpoint only if the block changes or an interval is full. With
        // other checkpoint ids than the contract's every proof would fail.
        let (id, last_block, _) = self.last;
        if last_block != l1_block || index.is_multiple_of(CHECKPOINT_INTERVAL) {
            self.checkpoints.push_back(self.state());
            self.last = (id + 1, l1_block, timestamp);
        }
        let root = extend(self.root_at(index), message.hash());
        self.messages.push_back(Sent { message, l1_block, root });
    }

    /// Drops messages sent after this L1 block. It must not be before the block of a message that
    /// [`Self::forget`] has dropped.
    pub(crate) fn revert_to(&mut self, l1_block: u64) {
        let remaining = partition_point(&self.messages, |entry| entry.l1_block <= l1_block);
        if remaining == self.messages.len() {
            return;
        }
        self.messages.truncate(remaining);
        let count = self.len();
        // The first dropped message has completed the checkpoint of this state, unless both are of
        // the same L1 block.
        let first_removed =
            partition_point(&self.checkpoints, |checkpoint| checkpoint.count < count);
        if let Some(state) = self.checkpoints.get(first_removed) {
            self.last = (state.id, state.l1Block, state.timestamp);
        }
        self.checkpoints.truncate(first_removed);
    }

    /// Returns at most `limit` messages below this index, starting with the first that was not
    /// dropped.
    pub(crate) fn settled(&self, relayed: u64, limit: usize) -> impl Iterator<Item = &Message> {
        let count = usize::try_from(relayed.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        self.messages.iter().take(count.min(limit)).map(|entry| &entry.message)
    }

    /// Drops the messages below this index, whose relay no reorg can revert, and stores the hashes
    /// of those that the L2 keeps for a retry.
    pub(crate) fn forget(&mut self, relayed: u64, kept: impl IntoIterator<Item = (u64, B256)>) {
        let count = relayed.saturating_sub(self.forgotten);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.messages.len());
        if count == 0 {
            return;
        }
        // The rolling hash continues from here, so it is read before the messages are dropped.
        self.forgotten_root = self.root_at(self.forgotten + count as u64);
        self.forgotten += count as u64;
        self.messages = self.messages.split_off(count);
        self.kept.extend(kept);
        while self.kept.len() > MAX_KEPT
            && let Some((oldest, _)) = self.kept.get_min().copied()
        {
            self.kept.remove(&oldest);
            self.kept_from = oldest + 1;
        }
        // `settle` also needs the checkpoint before the first remaining message.
        let after =
            partition_point(&self.checkpoints, |checkpoint| checkpoint.count <= self.forgotten);
        self.checkpoints = self.checkpoints.split_off(after.saturating_sub(1));
    }

    /// Returns the hashes of the dropped messages that the L2 keeps for a retry, by index.
    pub(crate) const fn kept(&self) -> &OrdMap<u64, B256> {
        &self.kept
    }

    /// Removes hashes of messages that the L2 no longer keeps.
    pub(crate) fn forget_retryable(&mut self, indexes: &[u64]) {
        for index in indexes {
            self.kept.remove(index);
        }
    }

    /// Returns the number of sent messages.
    pub fn len(&self) -> u64 {
        self.forgotten + self.messages.len() as u64
    }

    /// Returns `true` if no message was sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of messages, checkpoints and hashes in memory.
    pub fn entries(&self) -> usize {
        self.messages.len() + self.checkpoints.len() + self.kept.len()
    }

    /// Looks up the message with this index.
    pub fn find(&self, index: u64) -> KnownMessage {
        match self.position(index).and_then(|at| self.messages.get(at)) {
            Some(sent) => KnownMessage::Hash(sent.message.hash()),
            None if index >= self.forgotten => KnownMessage::Unknown,
            None if index < self.kept_from => KnownMessage::Forgotten,
            None => self
                .kept
                .get(&index)
                .map_or(KnownMessage::Settled, |hash| KnownMessage::Hash(*hash)),
        }
    }

    /// Returns the messages with indexes in `from..to`; none if the first was dropped.
    pub fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Message> {
        // A range that begins with a dropped message is empty, because the rest would be relayed
        // with wrong indexes.
        let skipped = self.position(from).unwrap_or(usize::MAX);
        let count = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let from = skipped.min(self.messages.len());
        // Lookups by position, in logarithmic time: `skip` would iterate from the front.
        let to = from.saturating_add(count).min(self.messages.len());
        (from..to).filter_map(|at| self.messages.get(at)).map(|entry| &entry.message)
    }

    /// Returns the position in `messages` of the message with this index, if it was not dropped.
    /// The position may be beyond the end.
    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.forgotten)?).ok()
    }

    /// Returns the rolling hash over the first `count` messages; zero if it was dropped or is
    /// unknown.
    pub fn root_at(&self, count: u64) -> B256 {
        if count == self.forgotten {
            return self.forgotten_root;
        }
        let last = count.checked_sub(1).and_then(|last| self.position(last));
        last.and_then(|last| self.messages.get(last)).map(|entry| entry.root).unwrap_or_default()
    }

    /// Returns the open checkpoint, i.e. the current state of the queue.
    pub fn state(&self) -> Checkpoint {
        let (id, l1_block, timestamp) = self.last;
        Checkpoint {
            id,
            count: self.len(),
            l1Block: l1_block,
            timestamp,
            root: self.root_at(self.len()),
        }
    }

    /// Returns the latest checkpoint up to the end of an L1 block that covers at most
    /// `max_messages` messages.
    pub fn checkpoint_at(&self, l1_block: u64, max_messages: u64) -> Checkpoint {
        let fits = |checkpoint: &Checkpoint| {
            checkpoint.l1Block <= l1_block && checkpoint.count <= max_messages
        };
        let now = self.state();
        if fits(&now) {
            return now;
        }
        let found = self.checkpoints.iter().rev().find(|checkpoint| fits(checkpoint)).cloned();
        found.unwrap_or(Checkpoint { id: 0, count: 0, l1Block: 0, timestamp: 0, root: B256::ZERO })
    }

    /// Returns the checkpoint with exactly this number of messages, if an anchor may refer to it.
    pub fn checkpoint_of(&self, count: u64) -> Option<Checkpoint> {
        let now = self.state();
        if now.count == count {
            return Some(now);
        }
        let position =
            self.checkpoints.binary_search_by_key(&count, |checkpoint| checkpoint.count).ok()?;
        self.checkpoints.get(position).cloned()
    }

    /// Returns the two checkpoints around a number of relayed messages, for `settle`: the last one
    /// that covers at most this number, and the next one (or the last one again, if there is none).
    pub fn around(&self, relayed: u64) -> (Checkpoint, Checkpoint) {
        let now = self.state();
        if now.count <= relayed {
            return (now.clone(), now);
        }
        let after = partition_point(&self.checkpoints, |checkpoint| checkpoint.count <= relayed);
        let before = self.checkpoints.get(after.saturating_sub(1)).unwrap_or(&now).clone();
        let next = self.checkpoints.get(after).cloned().unwrap_or(now);
        (before, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, Bytes};

    fn message(index: u64) -> Message {
        Message {
            sender: Address::ZERO,
            to: Address::repeat_byte(1),
            refund_to: Address::ZERO,
            value: 1,
            fee: 0,
            gas_limit: 0,
            index,
            data: Bytes::new(),
        }
    }

    #[test]
    fn evicted_hashes_of_failed_messages_are_forgotten() {
        let mut queue = MessageQueue::default();
        let count = MAX_KEPT as u64 + 10;
        for index in 0..count + 5 {
            queue.push(message(index), 1 + index / 100, 1_000);
        }
        // Every second message fails, and then all of them.
        queue.forget(10, (0..10).step_by(2).map(|index| (index, message(index).hash())));
        assert_eq!(queue.find(2), KnownMessage::Hash(message(2).hash()));
        assert_eq!(queue.find(3), KnownMessage::Settled);
        queue.forget(count, (10..count).map(|index| (index, B256::ZERO)));
        assert_eq!(queue.kept().len(), MAX_KEPT);
        assert_eq!(
            (queue.find(2), queue.find(3)),
            (KnownMessage::Forgotten, KnownMessage::Forgotten)
        );
        assert_eq!(queue.find(count - 1), KnownMessage::Hash(B256::ZERO));
        assert_eq!(queue.find(count), KnownMessage::Hash(message(count).hash()));
        assert!(queue.entries() < MAX_KEPT + 20);
    }

    fn filled(blocks: &[(u64, u64)]) -> MessageQueue {
        let mut queue = MessageQueue::default();
        for (l1_block, count) in blocks {
            for _ in 0..*count {
                queue.push(message(queue.len()), *l1_block, 1_000 + l1_block);
            }
        }
        queue
    }

    #[test]
    fn checkpoints_end_blocks_and_intervals() {
        let queue = filled(&[(5, 2), (7, 300)]);
        let counts: Vec<_> = queue
            .checkpoints
            .iter()
            .map(|checkpoint| (checkpoint.id, checkpoint.count, checkpoint.l1Block))
            .collect();
        assert_eq!(counts, [(0, 0, 0), (1, 2, 5), (2, 256, 7)]);
        assert_eq!((queue.state().id, queue.state().count, queue.state().l1Block), (3, 302, 7));
        assert_eq!(queue.checkpoint_at(6, 1_000).count, 2);
        assert_eq!(queue.checkpoint_at(7, 300).count, 256);
        assert_eq!(queue.checkpoint_at(7, 302).count, 302);
        assert_eq!(queue.checkpoint_at(4, 302).count, 0);
        let (before, next) = queue.around(2);
        assert_eq!((before.count, next.count), (2, 256));
        let (before, next) = queue.around(302);
        assert_eq!((before.count, next.count), (302, 302));
    }

    #[test]
    fn reverted_queue_continues_like_fresh_one() {
        for common in 0..9 {
            let mut queue = filled(&[(2, 1), (5, 2), (7, 3)]);
            queue.revert_to(common);
            let blocks: Vec<_> =
                [(2, 1), (5, 2), (7, 3)].into_iter().filter(|(at, _)| *at <= common).collect();
            let mut fresh = filled(&blocks);
            for queue in [&mut queue, &mut fresh] {
                queue.push(message(queue.len()), 20, 1_020);
            }
            let states = |queue: &MessageQueue| {
                queue
                    .checkpoints
                    .iter()
                    .chain([&queue.state()])
                    .map(|checkpoint| {
                        (checkpoint.id, checkpoint.count, checkpoint.l1Block, checkpoint.root)
                    })
                    .collect::<Vec<_>>()
            };
            assert_eq!(states(&queue), states(&fresh), "{common}");
        }
    }

    /// Lookups of open messages return the same as before the others were dropped.
    #[test]
    fn pruned_queue_holds_only_open_messages() {
        let sent = [(2, 1), (5, 2), (7, 300), (9, 4)];
        let whole = filled(&sent);
        for relayed in [0, 1, 2, 3, 4, 255, 256, 257, 303, 307, 400] {
            let mut queue = whole.clone();
            let failed = relayed.min(2);
            queue.forget(relayed, (0..failed).map(|index| (index, message(index).hash())));
            let relayed = relayed.min(whole.len());
            assert_eq!(queue.len(), whole.len());
            for index in relayed..=whole.len() {
                assert_eq!(queue.find(index), whole.find(index), "{relayed} {index}");
                assert_eq!(queue.root_at(index), whole.root_at(index), "{relayed} {index}");
                assert_eq!(queue.around(index), whole.around(index), "{relayed} {index}");
                assert_eq!(queue.checkpoint_of(index), whole.checkpoint_of(index));
                assert!(queue.range(index, u64::MAX).eq(whole.range(index, u64::MAX)));
                assert!(queue.range(index, index + 1).eq(whole.range(index, index + 1)));
            }
            for l1_block in 7..10 {
                let (got, expected) =
                    (queue.checkpoint_at(l1_block, 400), whole.checkpoint_at(l1_block, 400));
                assert_eq!(got, expected, "{relayed} {l1_block}");
            }
            for index in 0..relayed {
                let expected = match index < failed {
                    true => whole.find(index),
                    false => KnownMessage::Settled,
                };
                assert_eq!(queue.find(index), expected, "{relayed} {index}");
                assert_eq!(queue.range(index, u64::MAX).count(), 0, "{relayed} {index}");
            }
            queue.forget_retryable(&[0, 1]);
            assert!(queue.entries() as u64 <= whole.len() - relayed + 5, "{relayed}");
            // It is extended and reverted like the other one.
            let mut longer = whole.clone();
            for queue in [&mut queue, &mut longer] {
                queue.push(message(307), 20, 1_020);
            }
            assert_eq!((queue.state(), queue.around(307)), (longer.state(), longer.around(307)));
            queue.revert_to(9);
            assert_eq!(
                (queue.state(), queue.around(relayed)),
                (whole.state(), whole.around(relayed))
            );
        }
        assert_eq!(whole.find(307), KnownMessage::Unknown);
    }

    #[test]
    fn relayed_messages_use_no_memory() {
        let (mut queue, mut peak) = (MessageQueue::default(), 0);
        for l1_block in 0..1_000 {
            for _ in 0..100 {
                queue.push(message(queue.len()), l1_block, l1_block);
            }
            // The L2 is ten L1 blocks behind.
            queue.forget(queue.len().saturating_sub(1_000), []);
            peak = peak.max(queue.entries());
        }
        assert_eq!(queue.len(), 100_000);
        assert!(peak <= 1_100 + 20, "{peak}");
    }

    #[test]
    fn accepts_rejects_wrong_index() {
        let queue = filled(&[(1, 2)]);
        let accepted = |indexes: &[u64]| {
            let messages: Vec<_> = indexes.iter().map(|index| message(*index)).collect();
            queue.accepts(messages.iter()).is_ok()
        };
        assert!(accepted(&[]) && accepted(&[2]) && accepted(&[2, 3]));
        assert!(!accepted(&[3]) && !accepted(&[2, 4]) && !accepted(&[1]));
    }
}
