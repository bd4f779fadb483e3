//! The contracts' interfaces as Rust types, read from the Solidity sources.

#![allow(missing_docs, reason = "the documentation stands in the Solidity sources")]
#![allow(clippy::all, reason = "generated code")]

use alloy_sol_types::sol;

sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "../../contracts/interfaces/INativeRollup.sol"
);
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

impl Default for INativeRollup::Evidence {
    /// Nothing that goes with the inputs of `advance`.
    fn default() -> Self {
        Self { updates: Vec::new(), forced: Vec::new(), relays: Vec::new() }
    }
}
