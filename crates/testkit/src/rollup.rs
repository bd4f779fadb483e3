//! A deployed rollup, and its messages and anchors.

use crate::{HarnessError, Key, L1, Sent};
use alloy_primitives::{Address, Bytes, U256};
use chain::Block;
use contracts::{
    Anchor, Message,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{self, AnchorUpdate, Evidence},
    },
    sent_in,
};

/// Addresses of a rollup's contracts on L1.
#[derive(Debug, Clone, Copy)]
pub struct Rollup {
    /// `NativeRollup`.
    pub address: Address,
    /// `L1MessageQueue`.
    pub message_queue: Address,
    /// `ForcedInbox`.
    pub forced: Address,
    /// `RollupExit`, or zero.
    pub exit: Address,
}

impl Rollup {
    /// Returns the messages that were sent in an L1 block, in order.
    pub fn messages_in(&self, block: &Block) -> Vec<Message> {
        sent_in(
            self.message_queue,
            block.executed.receipts.iter().flat_map(|receipt| &receipt.logs),
        )
    }

    /// Returns the latest anchor that the next L1 block can use, i.e. the L1 head with all messages
    /// so far, and the update for the input with this index in `advance`.
    pub fn newest_anchor(
        &self,
        l1: &L1,
        index: u64,
    ) -> Result<(Anchor, AnchorUpdate), HarnessError> {
        let head = l1.chain().head();
        let checkpoint = l1.read(self.message_queue, &IL1MessageQueue::checkpointCall {})?;
        let anchor = Anchor {
            l1_block_number: head.header.number,
            l1_block_hash: head.hash,
            message_count: checkpoint.count,
            message_root: checkpoint.root,
        };
        let update = anchor.update(index, &checkpoint.into());
        Ok((anchor, update))
    }

    /// Advances the rollup by an input. A revert is an error that contains the revert data.
    pub fn advance(
        &self,
        l1: &mut L1,
        from: &Key,
        input: impl Into<Bytes>,
        evidence: Evidence,
    ) -> Result<Sent, HarnessError> {
        let call = INativeRollup::advanceCall { inputs: vec![input.into()], evidence };
        l1.transact(from, self.address, U256::ZERO, &call)
    }

    /// Returns the L2 head according to the rollup contract.
    pub fn head(&self, l1: &L1) -> Result<INativeRollup::Head, HarnessError> {
        l1.read(self.address, &INativeRollup::headCall {})
    }
}
