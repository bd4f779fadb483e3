//! A deployed rollup, and its messages and anchors.

use crate::{HarnessError, Key, L1, L2, Sent, Transaction};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use chain::Block;
use contracts::{
    Anchor, Message,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{self, AnchorUpdate, Evidence},
    },
    exit::{AccountExit, ExitError, MessageSearch},
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

/// A rollup on an L1 with EXECUTE, with both chains in this process.
#[derive(Debug)]
pub struct InProcessRollup {
    /// The L1, which can also be that of a node.
    pub l1: L1,
    /// The L2.
    pub l2: L2,
    /// Contracts of the rollup.
    pub contracts: Rollup,
    /// Account that deployed the contracts.
    pub operator: Key,
    /// Messages of [`Self::send`] to the L2, with number and timestamp of their L1 block.
    pub sent: Vec<(Message, u64, u64)>,
}

impl InProcessRollup {
    /// Calls an L1 contract that sends messages to the L2.
    pub fn send<C: SolCall>(
        &mut self,
        from: &Key,
        to: Address,
        wei: U256,
        call: &C,
    ) -> Result<(), HarnessError> {
        let sent = self.l1.transact(from, to, wei, call)?;
        let (number, time) = (sent.block.header.number, sent.block.header.timestamp);
        let messages = self.contracts.messages_in(&sent.block);
        self.sent.extend(messages.into_iter().map(|message| (message, number, time)));
        Ok(())
    }

    /// Returns the messages of [`Self::send`] from this index on.
    pub fn messages_from(&self, index: usize) -> Vec<Message> {
        self.sent[index..].iter().map(|(message, ..)| message.clone()).collect()
    }

    /// Advances the rollup by a block of these transactions, all of which have to succeed.
    pub fn advance(
        &mut self,
        (anchor, update): (Anchor, AnchorUpdate),
        transactions: Vec<Transaction>,
    ) -> Result<(), HarnessError> {
        let time = self.l2.next_timestamp();
        let block = self.l2.seal_successes(time, anchor.hash(), transactions)?;
        let evidence = Evidence { updates: vec![update], ..Default::default() };
        self.contracts.advance(&mut self.l1, &self.operator, block.input()?, evidence)?;
        self.l2.append(block)?;
        Ok(())
    }

    /// Returns the exit of an account with its balance on the L2, or the reason why it has none.
    /// `l1` is the L1 contract of an alias account.
    pub fn exit(
        &self,
        address: Address,
        l1: Option<Address>,
    ) -> Result<Result<AccountExit, ExitError>, HarnessError> {
        let (code, proof) = (self.l2.chain().code(address)?, self.l2.prove(address, &[])?);
        Ok(AccountExit::new(self.l2.state_root(), address, l1, &code, proof))
    }

    /// Returns the search for a message among those of [`Self::send`].
    pub fn search(&self, index: u64) -> Result<MessageSearch, ExitError> {
        let mut search = MessageSearch::new(index);
        for (message, l1_block, timestamp) in &self.sent {
            search.push(message.clone(), *l1_block, *timestamp)?;
        }
        Ok(search)
    }
}
