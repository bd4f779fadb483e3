// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Execute} from "../../contracts/libraries/Execute.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ForgeryAttack} from "./ForgeryAttack.sol";

/// @title A hash in place of another, and nothing else changed
/// @notice A rollup keeps two hashes of a block: that of the block, which the next one must name as
/// its parent, and the state root, against which claims are proven. If either could be replaced on
/// its own, by an argument of `advance` or in an input whose other fields are those of an honest
/// block, the operator would own the escrow with a state root, and halt the chain with the hash of
/// a block that does not exist. Both are read from the input that EXECUTE judges, which compares
/// each with what it computes itself; what a replaced hash stands for is never asked.
contract HashOnlyReplacementTest is ForgeryAttack {
    function testFuzz_a_block_hash_of_ones_own_is_refused(bytes32 hash) public {
        vm.assume(hash != l2.head.hash);
        bytes memory bad = L2.broken(honest, IL2.Field.BlockHash, hash, false);
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    function testFuzz_another_root_under_the_same_hash_is_refused(bytes32 root, uint8 which)
        public
    {
        IL2.Field[3] memory fields =
            [IL2.Field.StateRoot, IL2.Field.ReceiptsRoot, IL2.Field.PrevRandao];
        bytes memory bad = L2.broken(honest, fields[which % 3], root, false);
        vm.assume(keccak256(bad) != keccak256(honest));
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    /// @dev The hash fits then, and nothing else does.
    function testFuzz_another_root_with_a_hash_that_fits_is_refused(bytes32 root) public {
        bytes memory bad = L2.broken(honest, IL2.Field.StateRoot, root, true);
        vm.assume(keccak256(bad) != keccak256(honest));
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    function test_the_honest_block_has_a_successor() public {
        rollup.advance(one(honest), none());
        nextL1Block();
        advance();
        assertHead();
    }
}
