//! Requests and answers, read from the Solidity source, and the stored form of a block.

#![allow(missing_docs, reason = "the documentation stands in the Solidity source")]
#![allow(clippy::all, reason = "generated code")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]

use alloy_sol_types::sol;

sol!("../../test/utils/IL2.sol");

sol! {
    /// Changes of the state by a block; at regular intervals and at genesis, the whole state.
    struct StoredState {
        /// Blocks since one with the whole state; 0 if it is this one.
        uint64 distance;
        uint64 chainId;
        uint16 schema;
        bytes header;
        /// Together with the whole state: headers of the previous blocks, as far as BLOCKHASH
        /// reaches, newest first.
        bytes[] ancestors;
        bytes[] nodes;
        bytes[] codes;
    }

    /// Other stored data of a block.
    struct StoredBody {
        /// The calldata of EXECUTE; nothing for genesis.
        bytes input;
        /// The answer to `IL2.receipts`.
        bytes receipts;
    }
}
