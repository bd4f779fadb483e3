// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Execute} from "../../contracts/libraries/Execute.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ForgeryAttack} from "./ForgeryAttack.sol";

/// @title Replacing one hash and nothing else
/// @notice A rollup stores two hashes of a block: the block hash, which the next block must have as
/// its parent hash, and the state root, against which claims are proven. If either could be
/// replaced on its own, by an argument of `advance` or in an otherwise honest input, the operator
/// could drain the escrow with a state root, and halt the chain with the hash of a block that does
/// not exist. Both are read from the input that EXECUTE verifies, which compares each with the
/// value that it computes; the preimage of a replaced hash does not matter.
contract HashOnlyReplacementTest is ForgeryAttack {
    function testFuzz_forged_block_hash_is_rejected(bytes32 hash) public {
        vm.assume(hash != l2.head.hash);
        bytes memory bad = L2.broken(honest, IL2.Field.BlockHash, hash, false);
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    function testFuzz_another_root_under_same_hash_is_rejected(bytes32 root, uint8 which) public {
        IL2.Field[3] memory fields =
            [IL2.Field.StateRoot, IL2.Field.ReceiptsRoot, IL2.Field.PrevRandao];
        bytes memory bad = L2.broken(honest, fields[which % 3], root, false);
        vm.assume(keccak256(bad) != keccak256(honest));
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    /// @dev The block hash fits, and everything else does not.
    function testFuzz_other_root_with_matching_hash_is_rejected(bytes32 root) public {
        bytes memory bad = L2.broken(honest, IL2.Field.StateRoot, root, true);
        vm.assume(keccak256(bad) != keccak256(honest));
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    function test_honest_block_can_be_extended() public {
        rollup.advance(one(honest), none());
        nextL1Block();
        advance();
        assertHead();
    }
}
