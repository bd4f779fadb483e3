//! A rollup on an L1, and the way from its messages to anchors.

use crate::{Artifacts, HarnessError, Key, L1};
use alloy_primitives::{Address, Bytes};
use chain::Block;
use contracts::{
    Anchor, Message, RollupConfig,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{self, AnchorUpdate},
    },
    sent_in,
};

/// The contracts of a rollup on L1.
#[derive(Debug, Clone, Copy)]
pub struct Rollup {
    /// `NativeRollup`.
    pub address: Address,
    /// `L1MessageQueue`.
    pub message_queue: Address,
    /// `ForcedInbox`.
    pub forced: Address,
}

impl Rollup {
    /// Deploys the contracts for an L2 that starts at `genesis`.
    pub fn deploy(
        l1: &mut L1,
        artifacts: &Artifacts,
        deployer: &Key,
        genesis: &Block,
        config: &RollupConfig,
    ) -> Result<Self, HarnessError> {
        let with_arguments = |name: &str, arguments: Vec<u8>| {
            let init_code = &artifacts.get(name)?.init_code;
            Ok::<_, HarnessError>(Bytes::from([&init_code[..], &arguments].concat()))
        };
        // The queues name the rollup, which comes after them.
        let rollup = deployer.address().create(l1.chain().nonce(deployer.address())? + 2);
        let arguments = config.message_queue_arguments(rollup);
        let message_queue = l1.deploy(deployer, with_arguments("L1MessageQueue", arguments)?)?;
        let arguments = config.forced_inbox_arguments(rollup);
        let forced = l1.deploy(deployer, with_arguments("ForcedInbox", arguments)?)?;
        let arguments = config.rollup_arguments(genesis, message_queue, forced);
        let address = l1.deploy(deployer, with_arguments("NativeRollup", arguments)?)?;
        Ok(Self { address, message_queue, forced })
    }

    /// Messages that were sent in an L1 block, in order.
    pub fn messages_in(&self, block: &Block) -> Vec<Message> {
        sent_in(
            self.message_queue,
            block.executed.receipts.iter().flat_map(|receipt| &receipt.logs),
        )
    }

    /// The newest anchor that the next L1 block can name: the head of L1 with all messages sent so
    /// far. Returns the update to give to `advance` for the input with this index.
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

    /// The head of the L2 as L1 knows it.
    pub fn head(&self, l1: &L1) -> Result<INativeRollup::Head, HarnessError> {
        l1.read(self.address, &INativeRollup::headCall {})
    }
}
