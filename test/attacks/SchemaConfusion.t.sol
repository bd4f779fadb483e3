// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Input under the rules, or in the layout, of another fork
/// @notice The first two bytes of an input determine the rules by which it is verified and the
/// layout of the rest. The account that advances chooses them. Under older rules a block could do
/// what the L2's own rules forbid, or avoid what they require; and fields at the offsets of one
/// schema might be others under the next, so that the compared values would not be the executed
/// ones. The rollup accepts no fork before that of its head, and EXECUTE accepts only the fork that
/// L1 had at the timestamp of the block; a rollup with its own schedule accepts the fork of the
/// schedule. EXECUTE returns the schema that it has used.
contract SchemaConfusionTest is RealRollup {
    using L2 for L2.Chain;

    IRollup.ForkMode internal mode;

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.forkMode = mode;
    }

    /// @dev Restarts the L2; its first block has these rules, while the rollup and L1 have those of
    /// Osaka.
    function sealUnder(uint16 schema) internal returns (bytes memory input) {
        l2.create(genesis());
        deploy();
        nextL1Block();
        l2.transfer("alice", bob, 1);
        l2.schema = schema;
        input = l2.seal();
        (bool valid, string memory reason) = L2.verify(input);
        assertTrue(valid, reason);
    }

    function test_valid_block_under_another_fork_is_rejected() public {
        installExecute("l1=osaka");
        uint16[2] memory others = [L2.PRAGUE, L2.AMSTERDAM];
        bytes[2] memory errors = [
            abi.encodeWithSelector(IRollup.ForkWentBack.selector, L2.PRAGUE, L2.OSAKA),
            abi.encodeWithSelector(Execute.ExecuteFailed.selector)
        ];
        for (uint256 i = 0; i < 2; ++i) {
            bytes[] memory inputs = one(sealUnder(others[i]));
            vm.expectRevert(errors[i]);
            rollup.advance{gas: 16_000_000}(inputs, none());
        }
        bytes[] memory good = one(sealUnder(L2.OSAKA));
        rollup.advance(good, none());
        assertHead();
    }

    function test_valid_block_of_unscheduled_fork_is_rejected() public {
        mode = IRollup.ForkMode.Pinned;
        uint16[2] memory others = [L2.PRAGUE, L2.AMSTERDAM];
        for (uint256 i = 0; i < 2; ++i) {
            bytes[] memory inputs = one(sealUnder(others[i]));
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRollup.SchemaMismatch.selector, uint256(others[i]), uint256(L2.OSAKA)
                )
            );
            rollup.advance(inputs, none());
        }
        bytes[] memory good = one(sealUnder(L2.OSAKA));
        rollup.advance(good, none());
        assertHead();
    }

    /// @dev The bytes of an Amsterdam block with the schema of Osaka pass all checks of the rollup.
    function test_block_with_layout_of_another_fork_is_rejected() public {
        bytes memory disguised =
            L2.broken(sealUnder(L2.AMSTERDAM), IL2.Field.Schema, bytes32(uint256(L2.OSAKA)), false);
        bytes[] memory bad = one(disguised);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 16_000_000}(bad, none());
        bytes[] memory good = one(sealUnder(L2.OSAKA));
        rollup.advance(good, none());
        assertHead();
    }
}
