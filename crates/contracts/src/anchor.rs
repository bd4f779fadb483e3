//! Anchors: the L1 state that an L2 block refers to.

use crate::bindings::{
    IL1Anchor,
    INativeRollup::{AnchorUpdate, Checkpoint},
};
use alloy_primitives::{B256, U256, keccak256};
use alloy_sol_types::SolValue;

/// The L1 state that an L2 block refers to. The block's `parent_beacon_block_root` is its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Number of the L1 block.
    pub l1_block_number: u64,
    /// Hash of the L1 block.
    pub l1_block_hash: B256,
    /// Number of messages sent up to the L1 block that the L2 may relay.
    pub message_count: u64,
    /// Rolling hash over these messages.
    pub message_root: B256,
}

impl Anchor {
    /// Returns `keccak256(abi.encode(l1BlockNumber, l1BlockHash, messageCount, messageRoot))`.
    pub fn hash(&self) -> B256 {
        let fields = (
            U256::from(self.l1_block_number),
            self.l1_block_hash,
            U256::from(self.message_count),
            self.message_root,
        );
        keccak256(fields.abi_encode())
    }

    /// Returns the call that proves the anchor to `L1Anchor` on the L2.
    pub const fn prove_call(&self) -> IL1Anchor::proveCall {
        IL1Anchor::proveCall {
            anchor: IL1Anchor::Anchor {
                l1BlockNumber: self.l1_block_number,
                l1BlockHash: self.l1_block_hash,
                messageCount: self.message_count,
                messageRoot: self.message_root,
            },
        }
    }

    /// Returns the anchor in the arguments of a [`Self::prove_call`].
    pub const fn of_call(call: &IL1Anchor::proveCall) -> Self {
        let IL1Anchor::Anchor { l1BlockNumber, l1BlockHash, messageCount, messageRoot } =
            call.anchor;
        Self {
            l1_block_number: l1BlockNumber,
            l1_block_hash: l1BlockHash,
            message_count: messageCount,
            message_root: messageRoot,
        }
    }

    /// Returns the argument of `advance` that describes this anchor for the block at `index`;
    /// `checkpoint` is the state of the queue that the anchor refers to.
    pub const fn update(&self, index: u64, checkpoint: &Checkpoint) -> AnchorUpdate {
        AnchorUpdate {
            index,
            l1BlockNumber: self.l1_block_number,
            messageCount: self.message_count,
            messageRoot: self.message_root,
            checkpointId: checkpoint.id,
            checkpointBlock: checkpoint.l1Block,
            checkpointTimestamp: checkpoint.timestamp,
        }
    }
}
