// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {RotatingSequencing} from "../../contracts/sequencing/RotatingSequencing.sol";
import {RollupFixture} from "../utils/RollupFixture.sol";
import {TokenCode} from "../utils/TokenCode.sol";

/// @dev The configuration of the contracts can be read from them: verifiers of a deployment and
/// builders of blocks rely on it.
contract ConfigurationTest is RollupFixture {
    function testFuzz_queue_returns_its_rollup_caps_and_price(
        address owner,
        uint32 gas,
        uint16 data,
        uint64 percent
    ) public {
        L1MessageQueue q = new L1MessageQueue(
            owner, address(0), gas, data, percent, 16_382, Guardians.none()
        );
        assertEq(q.ROLLUP(), owner);
        assertEq(q.MAX_GAS(), gas);
        assertEq(q.MAX_DATA(), data);
        assertEq(q.FEE_PERCENT(), percent);
        assertEq(q.CHECKPOINTS(), 16_382);
        assertEq(q.CHECKPOINT_INTERVAL(), 256);
        assertEq(q.STORAGE_ROOTS(), 8191);
    }

    function testFuzz_forced_queue_returns_its_configuration(ForcedInbox.Config memory c) public {
        // A bounded target in the address range of precompiles is rejected.
        vm.assume(c.boundedTarget == address(0) || uint160(c.boundedTarget) > 0xffff);
        vm.assume(c.feePercent != 0);
        ForcedInbox i = new ForcedInbox(c);
        assertEq(i.ROLLUP(), c.rollup);
        assertEq(i.CHAIN_ID(), c.chainId);
        assertEq(i.DELAY(), c.delay);
        assertEq(i.GRACE(), c.grace);
        assertEq(i.EXPIRY(), c.expiry);
        assertEq(i.MAX_GAS(), c.maxGas);
        assertEq(i.MAX_BOUNDED_GAS(), c.maxBoundedGas);
        assertEq(i.FEE_PERCENT(), c.feePercent);
        assertEq(i.BOUNDED_TARGET(), c.boundedTarget);
        assertEq(i.MAX_SIZE(), 4096);
    }

    function test_rollup_returns_number_of_stored_state_roots() public view {
        assertEq(rollup.STATE_ROOTS(), RING);
    }

    function testFuzz_both_sides_of_bridge_name_one_another(address one_, address other) public {
        L1TokenBridge l1 = new L1TokenBridge(one_, other);
        assertEq(l1.MESSAGE_QUEUE(), one_);
        assertEq(l1.L2_BRIDGE(), other);
        assertEq(l1.REGISTER_GAS(), 700_000);
        assertEq(l1.DEPOSIT_GAS(), 300_000);
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        TokenCode.deploy(next);
        assertEq(new L2TokenBridge(other).L1_BRIDGE(), other);
    }

    function testFuzz_policies_tell_when_they_open(uint64 head, uint64 timeout, uint32 length)
        public
    {
        timeout = uint64(bound(timeout, 1, type(uint64).max));
        length = uint32(bound(length, 1, type(uint32).max));
        address[] memory members = new address[](2);
        (members[0], members[1]) = (makeAddr("one"), makeAddr("two"));
        uint64 start = uint64(vm.getBlockTimestamp());
        RotatingSequencing r = new RotatingSequencing(members, start, length, timeout);
        assertEq(r.SLOT_LENGTH(), length);
        assertEq(r.START(), start);
        assertEq(r.PLACES(), 2);
        assertEq(r.TIMEOUT(), timeout);
        assertEq(r.opensAt(head), uint256(head) + timeout);
        PermissionedSequencing p = new PermissionedSequencing(members[0], members[1], timeout);
        assertEq(p.TIMEOUT(), timeout);
        assertEq(p.opensAt(head), uint256(head) + timeout);
    }
}
