//! The exit on L1.

use crate::rollup::Node;
use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::Block;
use alloy_sol_types::{SolCall, SolEvent as _};
use contracts::{
    Deployment, Message,
    bindings::{
        IL1MessageQueue::{Checkpoint, MessageSent, checkpointCall},
        INativeRollup::{blockHashCall, headCall, stateRootCall},
        IRollupExit::{
            LOST_AFTERCall, ROLLUPCall, hasExitedCall, isReturnedCall,
            stateRootCall as lastRootCall,
        },
    },
};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};

/// The last block of a rollup on L1.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastBlock {
    pub(super) number: u64,
    pub(super) timestamp: u64,
    pub(super) block_hash: B256,
    pub(super) state_root: B256,
}

/// Client of L1 for the exit of a rollup.
pub(super) struct ExitOnL1 {
    node: Node,
    pub(super) exit: Address,
    message_queue: Address,
    l1_bridge: Address,
    /// An L1 block before the first message.
    first: u64,
    pub(super) last: LastBlock,
    pub(super) is_closed: bool,
}

impl ExitOnL1 {
    /// Connects to L1, and reads the last block.
    pub(super) fn connect(url: &str, deployment: &Deployment) -> Result<Self> {
        let node = Node::connect("L1", url, Some(deployment.l1_chain_id))?;
        let (exit, rollup) = (deployment.exit, deployment.rollup);
        ensure!(!exit.is_zero(), "the rollup of this deployment file has no exit");
        let got = node.call(exit, &ROLLUPCall {})?;
        ensure!(got == rollup, "the exit {exit} is that of the rollup {got}, expected {rollup}");
        let last_root = node.call(exit, &lastRootCall {})?;
        let head = node.call(rollup, &headCall {})?;
        let last = LastBlock {
            number: head.number,
            timestamp: head.timestamp,
            block_hash: node.call(rollup, &blockHashCall {})?,
            state_root: node.call(rollup, &stateRootCall {})?,
        };
        let is_closed = !last_root.is_zero();
        // A closed rollup accepts no blocks.
        let got = last.state_root;
        ensure!(
            !is_closed || got == last_root,
            "L1 node at {}: the rollup has the state root {got}, but was closed with {last_root}",
            node.client.address()
        );
        Ok(Self {
            node,
            exit,
            message_queue: deployment.message_queue,
            l1_bridge: deployment.l1_bridge,
            first: deployment.l1_block,
            last,
            is_closed,
        })
    }

    /// Returns the timestamp from which the rollup can be closed at the earliest, and that of L1.
    pub(super) fn closable(&self) -> Result<(u64, u64)> {
        let lost_after = self.node.call(self.exit, &LOST_AFTERCall {})?;
        let from = self.last.timestamp.saturating_add(lost_after);
        Ok((from, self.timestamp("latest")?))
    }

    /// Returns `true` if the ETH of an account has been paid.
    pub(super) fn has_exited(&self, account: Address) -> Result<bool> {
        Ok(self.is_closed && self.node.call(self.exit, &hasExitedCall { account })?)
    }

    /// Checks that a message has not been returned.
    pub(super) fn require_unreturned(&self, index: u64) -> Result<()> {
        ensure!(!self.is_returned(index)?, "the ETH of message {index} has already been returned");
        Ok(())
    }

    /// Returns `true` if the ETH of a message has been returned.
    pub(super) fn is_returned(&self, index: u64) -> Result<bool> {
        self.node.call(self.exit, &isReturnedCall { index })
    }

    /// Returns the bridge of the deployment.
    pub(super) fn bridge(&self) -> Result<Address> {
        let bridge = self.l1_bridge;
        ensure!(!bridge.is_zero(), "the deployment file has no token bridge (l1Bridge)");
        Ok(bridge)
    }

    /// Calls the bridge of the deployment; returns its address too.
    pub(super) fn call_bridge<C: SolCall>(&self, call: &C) -> Result<(Address, C::Return)> {
        let bridge = self.bridge()?;
        Ok((bridge, self.node.call(bridge, call)?))
    }

    /// Returns the state of the queue.
    pub(super) fn checkpoint(&self) -> Result<Checkpoint> {
        self.node.call(self.message_queue, &checkpointCall {})
    }

    /// Passes all messages to the L2 to `visit`, in their order, with the number and the timestamp
    /// of their L1 block. Holds the logs of one response.
    pub(super) fn each_message(
        &self,
        mut visit: impl FnMut(Message, u64, u64) -> Result<()>,
    ) -> Result<()> {
        // Nodes may omit the timestamps of logs.
        let mut last = (0, 0);
        let topic = MessageSent::SIGNATURE_HASH;
        self.node.each_log(self.message_queue, &[topic], self.first, |log| {
            let number = log.block_number.ok_or_eyre("a log of L1 without a block number")?;
            let event = MessageSent::decode_log(&log.inner).wrap_err("event of the queue")?;
            let message = Message::from_event(&event)
                .ok_or_eyre("a message of the queue with an excessive gas limit")?;
            if last.0 != number {
                let timestamp = match log.block_timestamp {
                    Some(timestamp) => timestamp,
                    None => self.timestamp(&format!("{number:#x}"))?,
                };
                last = (number, timestamp);
            }
            visit(message, number, last.1)
        })
    }

    fn timestamp(&self, block: &str) -> Result<u64> {
        let block: Option<Block<B256>> =
            self.node.request("eth_getBlockByNumber", (block.to_owned(), false))?;
        Ok(block.ok_or_eyre("the L1 node lacks a block of its logs")?.header.timestamp)
    }
}
