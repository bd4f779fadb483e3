// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {HybridSequencing} from "../../../contracts/sequencing/HybridSequencing.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {HybridFixture} from "../../sequencing/preconf/HybridFixture.sol";

/// @title Stranger posts a block with an old timestamp in order to break a promise
/// @notice Once the policy is open, a stranger can post a child of the rollup's head with a
/// timestamp of `MAX_LAG` ago. It breaks a promise about another child of the head if its timestamp
/// is before the end of that promise. A sequencer signs no child of the head that is more than half
/// of `POST_WITHIN` later than the head, and a timeout of 7/4 of `MAX_LAG` is then long enough.
contract ChildOfStrangerTest is HybridFixture {
    using L2 for L2.Chain;

    uint64 internal constant POST_WITHIN = MAX_LAG / 2;

    uint64 internal timeout;

    /// @dev Each test chooses the timeout first.
    function setUp() public override {}

    function makePolicy() internal override returns (HybridSequencing) {
        return new HybridSequencing(sequencer, address(0), timeout, 300, bonds, BOND);
    }

    /// @dev Signs the latest child of the head that a sequencer may sign, and has a stranger post
    /// the oldest child that the rollup accepts.
    function strangerPosts(uint64 timeout_)
        internal
        returns (IPreconfBonds.Signed memory s, bytes memory header)
    {
        timeout = timeout_;
        super.setUp();
        IL2.Head memory start = l2.head;
        IL2.Block memory b = l2.next();
        b.timestamp = start.timestamp + POST_WITHIN / 2;
        l2.seal(b);
        s = signedHead();

        l2.head = start;
        vm.warp(start.timestamp + timeout);
        b.timestamp = uint64(vm.getBlockTimestamp()) - MAX_LAG;
        l2.transfer("alice", bob, 1);
        advanceBy(stranger, one(l2.seal(b)));
        assertHead();
        header = headerOfHead();
    }

    function test_recommended_timeout_protects_sequencer() public {
        (IPreconfBonds.Signed memory s, bytes memory header) = strangerPosts(MAX_LAG / 4 * 7);
        expectNotBroken(s, header, IPreconfBonds.PromiseEnded.selector);
        assertEq(amountOf(sequencer), BOND);
    }

    function test_shorter_timeout_does_not_protect_sequencer() public {
        (IPreconfBonds.Signed memory s, bytes memory header) = strangerPosts(MAX_LAG / 2 * 3);
        accuseBroken(s, header);
        assertEq(amountOf(sequencer), 0);
    }

    function test_exact_bound_of_timeout() public {
        (IPreconfBonds.Signed memory s, bytes memory header) = strangerPosts(MAX_LAG / 4 * 7 - 1);
        accuseBroken(s, header);
        assertEq(amountOf(sequencer), 0);
    }
}
