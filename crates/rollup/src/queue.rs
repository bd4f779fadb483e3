//! The queue of messages to the L2, as `SendQueue` keeps it on L1.

use crate::L1Error;
use alloy_primitives::B256;
use contracts::{
    Message, bindings::INativeRollup::Checkpoint, capacity::CHECKPOINT_INTERVAL, extend,
};

/// All messages that were sent, and the states of the queue that an anchor may name.
#[derive(Debug, Clone, Default)]
pub struct MessageQueue {
    messages: Vec<(Message, u64)>,
    /// Rolling hash after each message.
    roots: Vec<B256>,
    /// States that are final; the last state is [`Self::state`].
    checkpoints: Vec<Checkpoint>,
    /// Number, L1 block and time of the last state.
    last: (u64, u64, u64),
}

impl MessageQueue {
    /// Whether these messages come next.
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

    /// Takes the next message, [which was accepted](Self::accepts), as `SendQueue._nextIndex` counts it.
    pub(crate) fn push(&mut self, message: Message, l1_block: u64, timestamp: u64) {
        let index = self.len();
        let (id, last_block, _) = self.last;
        if last_block != l1_block || index.is_multiple_of(CHECKPOINT_INTERVAL) {
            self.checkpoints.push(self.state());
            self.last = (id + 1, l1_block, timestamp);
        }
        self.roots.push(extend(self.root_at(index), message.hash()));
        self.messages.push((message, l1_block));
    }

    /// Forgets what was sent behind this L1 block.
    pub(crate) fn revert_to(&mut self, l1_block: u64) {
        let kept = self.messages.partition_point(|(_, at)| *at <= l1_block);
        if kept == self.messages.len() {
            return;
        }
        self.messages.truncate(kept);
        self.roots.truncate(kept);
        // The message behind it has made the state a checkpoint, unless that was of the same block.
        let first_gone = self.checkpoints.partition_point(|it| it.count < kept as u64);
        if let Some(state) = self.checkpoints.get(first_gone) {
            self.last = (state.id, state.l1Block, state.timestamp);
        }
        self.checkpoints.truncate(first_gone);
    }

    /// How many there are.
    pub const fn len(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Those with these numbers.
    pub fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Message> {
        let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let range = index(from)..index(to).min(self.messages.len());
        self.messages.get(range).unwrap_or_default().iter().map(|(message, _)| message)
    }

    /// Rolling hash over the first messages.
    pub fn root_at(&self, count: u64) -> B256 {
        let last = count.checked_sub(1).and_then(|last| usize::try_from(last).ok());
        last.and_then(|last| self.roots.get(last)).copied().unwrap_or_default()
    }

    /// The state of the queue now.
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

    /// The newest state that was there at the end of an L1 block, and that covers at most `most` messages.
    pub fn checkpoint_at(&self, l1_block: u64, most: u64) -> Checkpoint {
        let fits = |it: &Checkpoint| it.l1Block <= l1_block && it.count <= most;
        let now = self.state();
        if fits(&now) {
            return now;
        }
        let found = self.checkpoints.iter().rev().find(|it| fits(it)).cloned();
        found.unwrap_or(Checkpoint { id: 0, count: 0, l1Block: 0, timestamp: 0, root: B256::ZERO })
    }

    /// The state with exactly this count, if an anchor may name it.
    pub fn checkpoint_of(&self, count: u64) -> Option<Checkpoint> {
        let now = self.state();
        if now.count == count {
            return Some(now);
        }
        let position = self.checkpoints.binary_search_by_key(&count, |it| it.count).ok()?;
        Some(self.checkpoints[position].clone())
    }

    /// The two states between which a number of relayed messages lies, as `settle` asks for them: the last
    /// that covers no more, and the one that follows (the last one again if none does).
    pub fn around(&self, relayed: u64) -> (Checkpoint, Checkpoint) {
        let now = self.state();
        if now.count <= relayed {
            return (now.clone(), now);
        }
        let after = self.checkpoints.partition_point(|it| it.count <= relayed);
        let before = self.checkpoints[after.saturating_sub(1)].clone();
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
    fn states_lie_at_the_ends_of_blocks_and_behind_each_interval() {
        let queue = filled(&[(5, 2), (7, 300)]);
        let counts: Vec<_> =
            queue.checkpoints.iter().map(|it| (it.id, it.count, it.l1Block)).collect();
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
    fn a_queue_that_was_reverted_goes_on_as_one_that_never_saw_the_rest() {
        for stayed in 0..9 {
            let mut queue = filled(&[(2, 1), (5, 2), (7, 3)]);
            queue.revert_to(stayed);
            let blocks: Vec<_> =
                [(2, 1), (5, 2), (7, 3)].into_iter().filter(|(at, _)| *at <= stayed).collect();
            let mut fresh = filled(&blocks);
            for queue in [&mut queue, &mut fresh] {
                queue.push(message(queue.len()), 20, 1_020);
            }
            let states = |queue: &MessageQueue| {
                queue
                    .checkpoints
                    .iter()
                    .chain([&queue.state()])
                    .map(|it| (it.id, it.count, it.l1Block, it.root))
                    .collect::<Vec<_>>()
            };
            assert_eq!(states(&queue), states(&fresh), "{stayed}");
        }
    }

    #[test]
    fn a_message_that_is_not_the_next_is_refused() {
        let queue = filled(&[(1, 2)]);
        let accepted = |indexes: &[u64]| {
            let messages: Vec<_> = indexes.iter().map(|index| message(*index)).collect();
            queue.accepts(messages.iter()).is_ok()
        };
        assert!(accepted(&[]) && accepted(&[2]) && accepted(&[2, 3]));
        assert!(!accepted(&[3]) && !accepted(&[2, 4]) && !accepted(&[1]));
    }
}
