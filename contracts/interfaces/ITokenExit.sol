// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "./IL1MessageQueue.sol";
import {IL2TokenBridge} from "./IL2TokenBridge.sol";

/// @title Exit of bridged tokens from a closed rollup, a part of `L1TokenBridge`
interface ITokenExit {
    /// @notice Proof of the balance of an L2 account, against the last state root of a closed
    /// rollup (`IRollupExit.stateRoot`).
    struct TokenProof {
        /// Proof of the account that holds the tokens; not read for an alias account.
        bytes[] accountProof;
        /// Proof of the account of the token on the L2. May be empty once a call has proven it.
        bytes[] tokenProof;
        /// Proof of the slot of the token with the balance.
        bytes[] storageProof;
    }

    /// @notice No call has proven the storage root of the token on the L2.
    error TokenRootUnknown(address l1Token);

    /// @notice Pays the last balance of an L2 account without code, or with a delegation (EIP-7702),
    /// to the same address on L1, once the rollup is closed (see `IRollupExit`). Any account may
    /// call it for one that has signed a transaction on the L2; otherwise the account itself.
    /// @param l1Token Token on L1.
    /// @param account Account on the L2.
    /// @param delegate Address to which the account delegates; zero for none.
    /// @param proof Proof of the account, of the token and of the balance.
    function exitToken(
        address l1Token,
        address account,
        address delegate,
        TokenProof calldata proof
    ) external;

    /// @notice Pays the last balance of the alias account of an L1 address to that address, once the
    /// rollup is closed. Any account may call it.
    /// @param l1Token Token on L1.
    /// @param l1Account Account on L1.
    /// @param proof Proof of the token and of the balance.
    function exitTokenAlias(address l1Token, address l1Account, TokenProof calldata proof) external;

    /// @notice Returns the tokens and the fee of a deposit that was never relayed, once the rollup
    /// is closed: to the account that `IRollupExit.returnMessage` would pay if the depositor were
    /// the sender. Only the accounts that may call that function may call this one. If the L2 bridge
    /// has no code, the fee is not returned.
    /// @dev Also returns a withdrawal that `refund` has sent back: its depositor is the account
    /// that called `refund`, and all other accounts are the one that withdrew. The recipient is
    /// paid by a call, so a recipient that rejects ETH cannot receive a deposit with a fee.
    /// @param deposit_ The deposit.
    /// @param before Checkpoint of the queue before its message.
    /// @param next Checkpoint after it.
    /// @param hashes Hashes of all messages between the two checkpoints.
    /// @param bridgeProof Proof of the account of the L2 bridge against the last state root,
    /// followed by its code.
    function returnDeposit(
        IL2TokenBridge.Deposit calldata deposit_,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes,
        bytes[] calldata bridgeProof
    ) external;

    /// @notice Returns the tokens of a deposit that the L2 has kept as failed or parked, as
    /// `returnDeposit` does. The fee of a failed one was paid to its relayer.
    /// @param deposit_ The deposit.
    /// @param storageProof Proof of the messenger's slot for its message.
    /// @param bridgeProof Proof of the account of the L2 bridge against the last state root,
    /// followed by its code.
    function returnKeptDeposit(
        IL2TokenBridge.Deposit calldata deposit_,
        bytes[] calldata storageProof,
        bytes[] calldata bridgeProof
    ) external;
}
