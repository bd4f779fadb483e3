//! The contracts' interfaces as Rust types, read from the Solidity sources.

#![allow(missing_docs, reason = "the documentation stands in the Solidity sources")]
#![allow(clippy::all, reason = "generated code")]

use alloy_sol_types::sol;

// `INativeRollup` with the members of `IRollup`, from `build.rs`.
include!(concat!(env!("OUT_DIR"), "/INativeRollup.rs"));
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/IL1MessageQueue.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/IForcedInbox.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/ISequencing.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/IL1Anchor.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/IL2Messenger.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/IL2Accounts.sol"
);

impl Default for INativeRollup::Evidence {
    /// Empty evidence for the inputs of `advance`.
    fn default() -> Self {
        Self { updates: Vec::new(), forced: Vec::new(), relays: Vec::new() }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<IL1MessageQueue::Checkpoint> for INativeRollup::Checkpoint {
    fn from(it: IL1MessageQueue::Checkpoint) -> Self {
        let IL1MessageQueue::Checkpoint { id, count, l1Block, timestamp, root } = it;
        Self { id, count, l1Block, timestamp, root }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<&IForcedInbox::ForcedTransaction> for INativeRollup::ForcedTransaction {
    fn from(it: &IForcedInbox::ForcedTransaction) -> Self {
        Self {
            hash: it.hash,
            sender: it.sender,
            nonce: it.nonce,
            gasLimit: it.gasLimit,
            maxFee: it.maxFee,
            cost: it.cost,
            submittedAt: it.submittedAt,
            bounded: it.bounded,
            to: it.to,
            footprint: it.footprint,
            priced: it.priced,
        }
    }
}
