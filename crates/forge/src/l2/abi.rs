//! Requests and responses, read from the Solidity source, and the stored form of a block.

#![allow(missing_docs, reason = "the documentation stands in the Solidity source")]
#![allow(clippy::all, reason = "generated code")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]

use alloy_sol_types::sol;

sol!("../../test/utils/IL2.sol");

sol! {
    /// The state changes of a block; at genesis and at regular intervals, the whole state.
    struct StoredState {
        /// Number of blocks since the last one with the whole state; 0 for such a block.
        uint64 distance;
        uint64 chainId;
        uint16 schema;
        bytes header;
        /// With the whole state: headers of the ancestors that BLOCKHASH reaches, newest first.
        bytes[] ancestors;
        bytes[] nodes;
        bytes[] codes;
    }

    /// Other stored data of a block.
    struct StoredBody {
        /// The EXECUTE calldata; empty for genesis.
        bytes input;
        /// The return data of `IL2.receipts`.
        bytes receipts;
    }
}
