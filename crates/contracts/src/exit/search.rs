//! Search for a message to the L2 among all that were sent, with the checkpoints around it.

use super::ExitError;
use crate::{
    Message, bindings::IL1MessageQueue::Checkpoint, capacity::CHECKPOINT_INTERVAL, extend,
};
use alloy_primitives::B256;

/// A message to the L2, and what proves to L1 that it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMessage {
    /// The message.
    pub message: Message,
    /// Last checkpoint of the queue before the message.
    pub before: Checkpoint,
    /// First checkpoint after it.
    pub next: Checkpoint,
    /// Hashes of all messages between the two checkpoints.
    pub hashes: Vec<B256>,
}

/// Search for the message with an index. It receives all messages of a queue in their order, and
/// holds the hashes of at most one interval between checkpoints.
#[derive(Debug, Clone)]
pub struct MessageSearch {
    index: u64,
    found: Option<Message>,
    before: Checkpoint,
    next: Option<Checkpoint>,
    hashes: Vec<B256>,
    /// State of the queue after the messages so far.
    state: Checkpoint,
}

impl MessageSearch {
    /// Starts the search for the message with this index.
    pub const fn new(index: u64) -> Self {
        let start = Checkpoint { id: 0, count: 0, l1Block: 0, timestamp: 0, root: B256::ZERO };
        let state = Checkpoint { ..start };
        Self { index, found: None, before: start, next: None, hashes: Vec::new(), state }
    }

    /// Receives the next message, with the number and the timestamp of its L1 block.
    ///
    /// # Errors
    ///
    /// [`ExitError::MessageOrder`] if it is not the next one.
    pub fn push(
        &mut self,
        message: Message,
        l1_block: u64,
        timestamp: u64,
    ) -> Result<(), ExitError> {
        let index = self.state.count;
        if message.index != index {
            return Err(ExitError::MessageOrder { got: message.index, expected: index });
        }
        // `SendQueue._nextIndex` creates a checkpoint of the state so far in these cases.
        if self.state.l1Block != l1_block || index.is_multiple_of(CHECKPOINT_INTERVAL) {
            if index <= self.index {
                self.before = self.state.clone();
                self.hashes.clear();
            } else if self.next.is_none() {
                self.next = Some(self.state.clone());
            }
            self.state.id += 1;
            (self.state.l1Block, self.state.timestamp) = (l1_block, timestamp);
        }
        let hash = message.hash();
        if self.next.is_none() {
            self.hashes.push(hash);
        }
        self.state.root = extend(self.state.root, hash);
        self.state.count += 1;
        if index == self.index {
            self.found = Some(message);
        }
        Ok(())
    }

    /// Returns the state of the queue after the messages so far. It equals
    /// `L1MessageQueue.checkpoint` if these are all.
    pub const fn state(&self) -> &Checkpoint {
        &self.state
    }

    /// Returns the message.
    ///
    /// # Errors
    ///
    /// [`ExitError::NoMessage`] if it was not among those received.
    pub fn finish(self) -> Result<FoundMessage, ExitError> {
        let Self { index, found, before, next, hashes, state } = self;
        let message = found.ok_or(ExitError::NoMessage { index, count: state.count })?;
        Ok(FoundMessage { message, before, next: next.unwrap_or(state), hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, Bytes};

    fn message(index: u64) -> Message {
        Message {
            sender: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            refund_to: Address::repeat_byte(3),
            value: 4,
            fee: 5,
            gas_limit: 6,
            index,
            data: Bytes::new(),
        }
    }

    /// Returns the search after two messages in L1 block 5, 300 in block 7 and one in block 9.
    fn searched(index: u64) -> MessageSearch {
        let mut search = MessageSearch::new(index);
        for (l1_block, count) in [(5, 2), (7, 300), (9, 1)] {
            for _ in 0..count {
                search.push(message(search.state.count), l1_block, 12 * l1_block).unwrap();
            }
        }
        search
    }

    #[test]
    fn message_is_between_adjacent_checkpoints() {
        for (index, before, next) in [
            (0, (0, 0, 0), (1, 2, 5)),
            (1, (0, 0, 0), (1, 2, 5)),
            (2, (1, 2, 5), (2, 256, 7)),
            (255, (1, 2, 5), (2, 256, 7)),
            (256, (2, 256, 7), (3, 302, 7)),
            (302, (3, 302, 7), (4, 303, 9)),
        ] {
            let search = searched(index);
            let state = search.state().clone();
            let found = search.finish().unwrap();
            assert_eq!(found.message.index, index);
            let place =
                |checkpoint: &Checkpoint| (checkpoint.id, checkpoint.count, checkpoint.l1Block);
            assert_eq!((place(&found.before), place(&found.next)), (before, next), "{index}");
            assert_eq!(found.next.timestamp, 12 * found.next.l1Block);
            assert_eq!(found.hashes.len() as u64, next.1 - before.1);
            let root =
                found.hashes.iter().fold(found.before.root, |root, hash| extend(root, *hash));
            assert_eq!(root, found.next.root);
            assert_eq!((state.id, state.count), (4, 303));
        }
    }

    #[test]
    fn search_rejects_gaps_and_unknown_index() {
        let error = searched(303).finish().unwrap_err();
        assert!(matches!(error, ExitError::NoMessage { index: 303, count: 303 }), "{error}");
        for index in [302, 304] {
            let error = searched(7).push(message(index), 9, 108).unwrap_err();
            assert!(matches!(error, ExitError::MessageOrder { expected: 303, .. }), "{error}");
        }
        searched(7).push(message(303), 9, 108).unwrap();
    }
}
