// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Ring of checkpoints that fills up behind forced transactions
/// @notice While older forced transactions are being resolved, blocks do not have to relay, so no
/// checkpoint becomes free. The constructor ensures that the ring lasts for the time in which no
/// account has to relay, but the length of a queue is not bounded. So an account that creates a
/// backlog before the messages, and sends a message in each L1 block, blocks `send` for as long as
/// the backlog exceeds the reserve of the ring. This test shows the cost and the effect: no deposit
/// is lost or late, exits stay possible, the price is that of the backlog, and with the first
/// relays `send` is available again.
contract FullRingTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant BOUNDED = address(0xb0b0b0);
    /// @dev Seconds of an L1 slot: the shortest that the rules assume.
    uint64 internal constant SLOT = 6;
    /// @dev Number of L1 blocks for which the ring lasts beyond the time in which no account has to
    /// relay.
    uint64 internal constant SPARE = 3;

    IRollup.ForcedTransaction[] internal backlog;
    bytes[] internal raws;

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        (c.boundedTarget, c.feePercent) = (BOUNDED, 100);
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        uint64 lasts = queue.CHECKPOINTS() * SLOT;
        c.relayDeadline = lasts - SPARE * SLOT - MAX_LAG - OPEN_AFTER;
    }

    function nextL1Block() internal override {
        skip(SLOT);
    }

    /// @dev Submits forced transactions, each of which uses up the budget of a block.
    function force(uint256 count) internal {
        for (uint64 i = 0; i < count; ++i) {
            IL2.Transaction memory t = L2.transaction("alice", BOUNDED, 0, "");
            (t.nonce, t.gasLimit) = (i, FORCED_GAS);
            raws.push(l2.sign(t));
            backlog.push(submit(raws[i]));
        }
        nextL1Block();
    }

    /// @dev Advances by a block with the next transaction of the backlog. The one after it does not
    /// fit, and the evidence says so.
    function advanceForced() internal {
        uint256 first = rollup.duties().forcedNext;
        l2.raw(raws[first]);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e;
        e.forced = new IRollup.ForcedBatch[](1);
        bool last = first + 1 == backlog.length;
        e.forced[0].discharges = new IRollup.Discharge[](last ? 1 : 2);
        e.forced[0].discharges[0] = discharge(backlog[first], IRollup.Outcome.Included);
        if (!last) {
            e.forced[0].discharges[1] = discharge(backlog[first + 1], IRollup.Outcome.NoRoom);
        }
        rollup.advance(one(input), e);
        assertHead();
    }

    /// @dev Attempts to send; returns whether the queue accepted the message.
    function tryToSend() internal returns (bool ok) {
        try queue.send(bob, bob, 0, 0, "") {
            ok = true;
        } catch (bytes memory reason) {
            // forge-lint: disable-next-line(unsafe-typecast)
            assertEq(bytes4(reason), IL1MessageQueue.CheckpointsExhausted.selector);
        }
    }

    /// @dev Creates a backlog, and sends a message in each L1 block after it. No account advances
    /// before any account may, and then there is one L2 block per L1 block. Returns the number of
    /// these in which `send` was blocked.
    function closedFor(uint256 blocks) internal returns (uint256 closed) {
        force(blocks);
        uint256 start = vm.getBlockTimestamp();
        for (uint256 i = 0; i < 5; ++i) {
            send(bob, 1, 0, "");
            nextL1Block();
        }
        // The first transaction is known to have waited for longest, so the whole backlog comes
        // first.
        bytes memory input = l2.seal();
        rollup.advance(one(input), relayProof(0));
        assertGt(rollup.duties().relayDue, rollup.duties().forcedDue);

        uint256 anyone = start + rollup.RELAY_DEADLINE() + MAX_LAG + OPEN_AFTER;
        while (vm.getBlockTimestamp() < anyone) {
            assertTrue(tryToSend(), "the ring outlasts the idle time");
            nextL1Block();
        }
        for (uint256 i = 0; i < blocks; ++i) {
            advanceForced();
            if (!tryToSend()) ++closed;
            nextL1Block();
        }
        assertEq(rollup.duties().forcedNext, blocks);
        advanceRelaying(4);
        assertTrue(tryToSend(), "open again");
    }

    function test_backlog_within_spare_checkpoints_does_not_close_queue() public {
        assertEq(closedFor(SPARE), 0);
    }

    function test_further_backlog_block_closes_queue_for_one_block() public {
        assertEq(closedFor(SPARE + 2), 2);
    }

    /// @dev A block of a backlog of any kind costs more gas in fees than this.
    function test_block_of_backlog_costs_2_500_000_gas() public {
        // Number of transactions that a block can resolve, given their part of the budget, and the
        // fee of each, for the shortest possible transactions.
        uint256 size = 100;
        uint256 proven = Capacity.ENTRY_BYTES + Capacity.PROOF_BYTES;
        assertPrice(Capacity.ofBounded(size), Capacity.ofBounded(size));
        assertPrice(Capacity.ofSend(size), Capacity.ofSend(size));
        assertPrice(Capacity.ofTransfer(size), Capacity.ofTransfer(size));
        assertPrice(proven, Capacity.ofTransfer(size));
        assertPrice(proven, Capacity.ofBounded(size));
    }

    function assertPrice(uint256 takes, uint256 paid) internal {
        vm.fee(1 gwei);
        uint256 each = inbox.minimumFee(FORCED_GAS, paid);
        assertGt(Capacity.DUTY_BYTES / takes * each, 2_500_000 gwei);
    }
}
