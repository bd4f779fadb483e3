// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title A ring of checkpoints that fills behind forced transactions
/// @notice While forced transactions that were there before are worked off, no block owes a relay,
/// and no checkpoint becomes free. The ring lasts for the time in which no account has to relay
/// (the constructor sees to that), but how long a queue is no constructor knows. So who puts a
/// backlog before the messages, and has a message sent in each L1 block, closes `send` for as long
/// as the backlog is longer than what the ring has to spare. This is what it takes and what comes
/// of it: no deposit is lost or late for it, the way out stays open, the price is that of the
/// backlog, and with the first relays `send` is open again.
contract FullRingTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant BOUNDED = address(0xb0b0b0);
    /// @dev Seconds of an L1 slot: the shortest that the rules allow for.
    uint64 internal constant SLOT = 6;
    /// @dev L1 blocks for which the ring lasts beyond the time in which no account has to relay.
    uint64 internal constant SPARE = 3;

    INativeRollup.ForcedTransaction[] internal backlog;
    bytes[] internal raws;

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        (c.boundedTarget, c.feePercent) = (BOUNDED, 100);
    }

    function config() internal view override returns (INativeRollup.Config memory c) {
        c = super.config();
        uint64 lasts = queue.CHECKPOINTS() * SLOT;
        c.relayDeadline = lasts - SPARE * SLOT - MAX_LAG - OPEN_AFTER;
    }

    function nextL1Block() internal override {
        skip(SLOT);
    }

    /// @dev One after the other, each of them all that a block owes.
    function force(uint256 count) internal {
        for (uint64 i = 0; i < count; ++i) {
            IL2.Transaction memory t = L2.transaction("alice", BOUNDED, 0, "");
            (t.nonce, t.gasLimit) = (i, 21_000);
            raws.push(l2.sign(t));
            backlog.push(submit(raws[i]));
        }
        nextL1Block();
    }

    /// @dev A block with the next of the backlog. The one behind it does not fit, and that is the
    /// truth.
    function advanceForced() internal {
        uint256 first = rollup.duties().forcedNext;
        l2.raw(raws[first]);
        bytes memory input = l2.seal();
        INativeRollup.Evidence memory e;
        e.forced = new INativeRollup.ForcedBatch[](1);
        bool last = first + 1 == backlog.length;
        e.forced[0].discharges = new INativeRollup.Discharge[](last ? 1 : 2);
        e.forced[0].discharges[0] = discharge(backlog[first], INativeRollup.Outcome.Included);
        if (!last) {
            e.forced[0].discharges[1] = discharge(backlog[first + 1], INativeRollup.Outcome.NoRoom);
        }
        rollup.advance(one(input), e);
        assertHead();
    }

    /// @dev A block that relays the first four messages.
    function advanceRelays() internal {
        (INativeRollup.Evidence memory e, bytes32 anchor) = newAnchor(states[4]);
        l2.callFrom(
            "operator",
            MESSENGER,
            abi.encodeCall(
                IL2Messenger.relay, (MessageCodec.pack(MessageCodec.slice(sent, 0, 4)), relayer)
            )
        );
        bytes memory input = l2.seal(anchor);
        assertEq(relayedCount(), 4);
        e.relays = relayProof().relays;
        rollup.advance(one(input), e);
        assertHead();
    }

    /// @dev Sends, if the queue takes it.
    function tryToSend() internal returns (bool ok) {
        try queue.send(bob, bob, 0, 0, "") {
            ok = true;
        } catch (bytes memory reason) {
            // forge-lint: disable-next-line(unsafe-typecast)
            assertEq(bytes4(reason), IL1MessageQueue.CheckpointsExhausted.selector);
        }
    }

    /// @dev A backlog, and a message in each L1 block behind it; no account advances before anyone
    /// can, and then there is one block in each L1 block. How many of these `send` was closed for.
    function closedFor(uint256 blocks) internal returns (uint256 closed) {
        force(blocks);
        uint256 start = vm.getBlockTimestamp();
        for (uint256 i = 0; i < 5; ++i) {
            send(bob, 1, 0, "");
            nextL1Block();
        }
        // Since when the first waits is known, so all of the backlog comes first.
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
        advanceRelays();
        assertTrue(tryToSend(), "open again");
    }

    function test_a_backlog_within_what_the_ring_has_to_spare_closes_nothing() public {
        assertEq(closedFor(SPARE), 0);
    }

    function test_each_block_of_backlog_beyond_that_closes_it_for_one_l1_block() public {
        assertEq(closedFor(SPARE + 2), 2);
    }

    /// @dev A block of a backlog of any kind costs more gas in fees than this.
    function test_a_block_of_backlog_costs_two_and_a_half_million_gas() public {
        // How many a block deals with, for what each takes of the budget, and what each has to pay
        // for: the shortest transactions that there are.
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
        uint256 each = inbox.minimumFee(21_000, paid);
        assertGt(Capacity.DUTY_BYTES / takes * each, 2_500_000 gwei);
    }
}
