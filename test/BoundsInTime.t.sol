// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibRLP} from "solady/utils/LibRLP.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";
import {ClosedPolicy} from "./utils/ClosedPolicy.sol";
import {RealRollup} from "./utils/RealRollup.sol";
import {RollupFixture} from "./utils/RollupFixture.sol";

/// @dev Time bounds apply from their exact second on, neither earlier nor later.
contract BoundsInTimeTest is RealRollup {
    using L2 for L2.Chain;

    bool private isClosed;

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        if (isClosed) c.policy = CLOSED;
    }

    address private immutable CLOSED = address(new ClosedPolicy());

    function test_rollup_opens_exactly_at_open_after() public {
        isClosed = true;
        deploy();
        vm.warp(l2.head.timestamp + OPEN_AFTER - 1);
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert();
        rollup.advance(inputs, none());
        skip(1);
        rollup.advance(inputs, none());
        assertHead();
        assertGt(l2.head.number, parent.number);
    }

    function test_forced_transaction_is_due_at_its_second() public {
        deploy();
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, 1 ether));
        expectDueAt(t.submittedAt + FORCED_DELAY, IRollup.ForcedTransactionOmitted.selector);
    }

    function test_message_is_due_at_its_second() public {
        IL2.Genesis memory g = genesis();
        g.number = 1;
        l2.create(g);
        deploy();
        send(bob, 1, 0, "");
        expectDueAt(
            uint64(vm.getBlockTimestamp()) + RELAY_DEADLINE, IRollup.RelayProofMissing.selector
        );
    }

    /// @dev After a block that has proven that nothing is due, the earlier of the two duties is
    /// next.
    function test_earlier_of_next_duties_is_due_first() public {
        skip(1 days);
        advance();
        send(bob, 1, 0, "");
        submit(signedTransfer("alice", 0, 1 ether));
        IRollup.Duties memory d = rollup.duties();
        assertNotEq(d.relayDue, d.forcedDue);
        if (d.relayDue < d.forcedDue) {
            expectDueAt(d.relayDue, IRollup.RelayProofMissing.selector);
        } else {
            expectDueAt(d.forcedDue, IRollup.ForcedTransactionOmitted.selector);
        }
    }

    /// @dev The rollup rejects it before it pays for EXECUTE.
    function test_block_with_timestamp_of_parent_is_rejected() public {
        deploy();
        rollup.advance(one(l2.seal()), none());
        nextL1Block();
        uint64 time = l2.head.timestamp;
        bytes memory input = l2.seal();
        bytes[] memory inputs =
            one(L2.broken(input, IL2.Field.Timestamp, bytes32(uint256(time)), false));
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.TimestampNotAfterParent.selector, time, time)
        );
        rollup.advance(inputs, none());
        vm.expectEmit(address(rollup));
        emit IRollup.BlockAdded(2, l2.head.hash, l2.head.stateRoot);
        rollup.advance(one(input), none());
    }

    /// @dev Asserts that an empty block is accepted before `due`, and not at that time.
    function expectDueAt(uint64 due, bytes4 selector) private {
        vm.warp(due);
        // Transactions that were submitted in this L1 block are not due before later blocks.
        vm.roll(vm.getBlockNumber() + 1);
        IL2.Head memory parent = l2.head;
        IL2.Block memory b = l2.next();
        assertEq(b.timestamp, due);
        bytes[] memory inputs = one(l2.seal(b));
        vm.expectPartialRevert(selector);
        rollup.advance(inputs, none());
        l2.head = parent;
        b.timestamp = due - 1;
        rollup.advance(one(l2.seal(b)), none());
        assertHead();
    }
}

/// @dev The same tests with forced transactions that are due before messages of the same time.
contract ForcedFirstTest is BoundsInTimeTest {
    function _forcedDelay() internal pure override returns (uint64) {
        return 10 hours;
    }
}

/// @dev Relays and forced transactions that are due at the same second: a block must fulfil the
/// latter.
contract EqualDutiesTest is RealRollup {
    using L2 for L2.Chain;

    function _relayDeadline() internal pure override returns (uint64) {
        return 1 days;
    }

    function test_of_equal_duties_forced_is_first() public {
        send(bob, 1, 0, "");
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.relayDue, d.forcedDue);
        skip(1 days);
        l2.raw(raw);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        assertEq(rollup.duties().forcedNext, 1);
        assertEq(rollup.duties().relayed, 0);
    }
}

/// @dev The queues can be deployed before the rollup. Entries from that time have waited for an
/// unknown time, so the first block has to prove what is due.
contract SentBeforeDeploymentTest is RollupFixture {
    using LibRLP for LibRLP.List;

    function signedTransfer() private pure returns (bytes memory) {
        LibRLP.List memory list;
        list.p(CHAIN_ID).p(uint256(0)).p(uint256(0)).p(uint256(1 gwei)).p(uint256(42_000));
        LibRLP.List memory none_;
        list.p(address(0xaaaaaa)).p(uint256(1)).p("").p(none_);
        bytes32 digest = keccak256(bytes.concat(hex"02", list.encode()));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xa11ce, digest);
        list.p(uint256(v) - 27).p(uint256(r)).p(uint256(s));
        return bytes.concat(hex"02", list.encode());
    }

    function made(IRollup.Config memory c) private returns (IRollup.Duties memory) {
        return create(genesis(), c).duties();
    }

    function test_earlier_message_is_due_at_once() public {
        IRollup.Config memory c = withQueues(configOf(genesis().schema), 0, 0);
        queue.send(address(0xaaaa), address(0), 0, 0, "");
        IRollup.Duties memory d = made(c);
        assertEq(d.relayDue, genesis().timestamp);
        assertEq(d.forcedDue, vm.getBlockTimestamp() + FORCED_DELAY);
    }

    function test_earlier_submission_is_due_at_once() public {
        IRollup.Config memory c = withQueues(configOf(genesis().schema), 0, 0);
        inbox.submit(signedTransfer());
        IRollup.Duties memory d = made(c);
        assertEq(d.relayDue, vm.getBlockTimestamp() + RELAY_DEADLINE);
        assertEq(d.forcedDue, genesis().timestamp);
    }

    function test_deadlines_without_entries_start_at_deployment() public {
        IRollup.Config memory c = withQueues(configOf(genesis().schema), 0, 0);
        skip(1 days);
        IRollup.Duties memory d = made(c);
        assertEq(d.relayDue, vm.getBlockTimestamp() + RELAY_DEADLINE);
        assertEq(d.forcedDue, vm.getBlockTimestamp() + FORCED_DELAY);
    }
}
