// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollupExit} from "../interfaces/IRollupExit.sol";
import {StateProof} from "../libraries/StateProof.sol";

/// @title Accounts of a closed rollup, as proven against its last state root
/// @notice Used for ETH (`RollupExit`) and for tokens (`TokenExit`).
library ExitAccounts {
    /// @dev First bytes of the code of an account that delegates (EIP-7702). No contract can be
    /// deployed with code that starts with 0xef (EIP-3541).
    bytes3 private constant DELEGATION = 0xef0100;

    /// @notice Reverts unless the caller may have the L2 assets of an account paid to the same
    /// address on L1.
    /// @param a Proven account.
    /// @param delegate Address to which it delegates (EIP-7702); zero for none.
    function requireOwner(StateProof.Account memory a, address account, address delegate)
        internal
        view
    {
        bytes32 codeHash = delegate == address(0)
            ? StateProof.EMPTY_CODE_HASH
            : keccak256(abi.encodePacked(DELEGATION, delegate));
        if (a.codeHash != codeHash) revert IRollupExit.AccountHasCode(account, a.codeHash);
        // An account with nonce zero may be the alias account of an L1 contract, which has no code
        // before its first message. Nobody controls the address of such an account on L1.
        if (a.nonce == 0 && msg.sender != account) {
            revert IRollupExit.CallerNotAccount(msg.sender, account);
        }
    }

    /// @notice Returns `true` if the account is a contract on the L2: it has code, and not the code
    /// of an account that delegates. Reverts unless the given code is that of the account.
    /// @dev The hash of a code does not distinguish the two, so the code itself is needed.
    /// @param proof Proof of the account, or of its absence, followed by its code.
    function isContract(bytes32 stateRoot, address account, bytes[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (proof.length == 0) revert StateProof.ProofIncomplete(0);
        uint256 last = proof.length - 1;
        bytes calldata code = proof[last];
        // The code is the last item. Offsets of the items are relative to the first one, so a
        // shorter length is sufficient to drop it.
        bytes[] calldata nodes;
        assembly ("memory-safe") {
            nodes.offset := proof.offset
            nodes.length := last
        }
        (, StateProof.Account memory a) = StateProof.account(stateRoot, account, nodes);
        bytes32 codeHash = keccak256(code);
        if (codeHash != a.codeHash) {
            revert IRollupExit.AccountCodeMismatch(account, codeHash, a.codeHash);
        }
        // Truncates to the first bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        return code.length != 0 && bytes3(code) != DELEGATION;
    }
}
