// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {SmallTries} from "../utils/SmallTries.sol";

/// @title Invalid block that EXECUTE should not have accepted
/// @notice All assets on the L2 depend on EXECUTE. If a bug in EXECUTE lets one false state root
/// pass, a thief can claim the whole escrow in the next L1 block, by messages that were never sent,
/// which the contracts cannot distinguish from real ones. A guardian that notices the invalid block
/// pauses the queue. Until the end of the pause, the thief receives at most the limit, in any
/// number of claims, and nothing by calls, so no tokens; L1 has that much time to repair EXECUTE.
/// The test writes the false state root to the storage slot for state roots that EXECUTE has
/// accepted.
contract FalseBlockTest is RealRollup {
    address internal guardianAccount = makeAddr("guardian");
    address internal thief = makeAddr("thief");
    uint64 internal constant PAUSE = 3 days;
    uint128 internal constant LIMIT = 2 ether;
    uint64 internal constant FALSE_BLOCK = 5;

    function guardian() internal view override returns (IL1MessageQueue.Guardian memory) {
        return IL1MessageQueue.Guardian(guardianAccount, PAUSE, LIMIT);
    }

    function setUp() public override {
        super.setUp();
        vm.deal(address(queue), 100 ether);
    }

    /// @dev Claims a message that is in no valid block.
    function steal(uint64 index, uint128 value, bytes memory data) internal returns (bool ok) {
        IL1MessageQueue.Message memory m =
            IL1MessageQueue.Message(thief, thief, thief, value, 0, 0, index, data);
        bytes32 slot = Messages.sentSlot(index);
        bytes32 hash = keccak256(
            abi.encode(
                m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, index, keccak256(data)
            )
        );
        IL1MessageQueue.MessageProof memory proof;
        bytes32 stateRoot;
        (proof.storageRoot, proof.storageProof) = SmallTries.storageTrie(slot, hash);
        (stateRoot, proof.accountProof) =
            SmallTries.stateTrie(Predeploys.L2_MESSENGER, proof.storageRoot);
        proof.l2Block = FALSE_BLOCK;
        vm.mockCall(
            address(rollup),
            abi.encodeCall(IRollup.stateRootAt, (FALSE_BLOCK)),
            abi.encode(stateRoot)
        );
        (ok,) = address(queue).call(abi.encodeCall(queue.claim, (m, proof, thief)));
    }

    function test_false_block_without_pause_empties_escrow() public {
        assertTrue(steal(0, 100 ether, ""));
        assertEq(thief.balance, 100 ether);
    }

    function test_thief_gets_at_most_pause_limit() public {
        vm.prank(guardianAccount);
        queue.pause();
        assertFalse(steal(0, 100 ether, ""));
        for (uint64 i = 1; i < 30; ++i) {
            assertEq(steal(i, 0.1 ether, ""), i <= 20);
            assertFalse(steal(100 + i, 0, "call"));
        }
        assertEq(thief.balance, LIMIT);
        assertEq(address(queue).balance, 98 ether);
        // A pause only gains time: if L1 has not been repaired by then, everything is lost.
        skip(PAUSE);
        assertTrue(steal(0, 98 ether, ""));
    }
}
