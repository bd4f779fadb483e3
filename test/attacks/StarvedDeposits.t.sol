// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Deposits that are never relayed
/// @notice The ETH of a deposit is in escrow from the moment it is sent. An account that advances
/// decides when the L2 learns of it, and could hold a deposit indefinitely, by keeping the old
/// anchor or by anchoring messages without relaying them. Here a deadline runs from the time of
/// each message: once the oldest pending one is overdue, no block is accepted without a proof,
/// against its own state, that it relayed the message.
contract StarvedDepositsTest is RealRollup {
    using L2 for L2.Chain;

    /// @dev With the rules at deployment, messages are due slightly later than forced transactions.
    function _relayDeadline() internal pure override returns (uint64) {
        return 1 days + 6;
    }

    function test_unchanged_anchor_does_not_starve_deposits() public {
        send(bob, 1 ether, 0, "");
        uint64 sentAt = states[1].timestamp;
        // Blocks with the old anchor for as long as they are accepted.
        uint256 taken = 0;
        for (uint256 i = 0; i < 40; ++i) {
            IL2.Head memory parent = l2.head;
            bytes memory input = l2.seal();
            try rollup.advance(one(input), none()) {
                ++taken;
            } catch {
                l2.head = parent;
                break;
            }
            skip(50 minutes);
        }
        assertGt(taken, 0);
        assertLe(l2.head.timestamp, sentAt + RELAY_DEADLINE + 50 minutes);
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory relaying = l2.seal(anchor);
        e.relays = relayProof().relays;
        rollup.advance(one(relaying), e);
        assertHead();
    }

    /// @dev Before the first proof for either kind, the rollup assumes that both may have been due
    /// since its deployment, and starts with forced transactions although the deposit is older.
    function test_deposit_waits_for_one_forced_block_at_most() public {
        send(bob, 1 ether, 0, "");
        skip(1 hours);
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        skip(FORCED_DELAY);
        l2.raw(raw);
        l2.seal();
        rollup.advance(one(L2.inputOf(l2.head.hash)), one(discharge(t, IRollup.Outcome.Included)));
        assertHead();

        // Another transaction that is due soon does not delay the relay by a second block.
        raw = signedTransfer("alice", 1, 100 gwei);
        t = submit(raw);
        skip(FORCED_DELAY);
        IL2.Head memory parent = l2.head;
        l2.raw(raw);
        bytes memory withoutRelay = l2.seal();
        expectRefused(
            withoutRelay,
            one(discharge(t, IRollup.Outcome.Included)),
            abi.encodeWithSelector(IRollup.RelayProofMissing.selector, 0)
        );
        l2.head = parent;
        bringOver();
        assertEq(relayedCount(), 1);
    }
}
