// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev The part of the queue that one block must and may resolve, and the budget that the
/// transactions share.
contract ForcedBudgetTest is RealRollup {
    using L2 for L2.Chain;

    uint128 private constant GENEROUS = 100 gwei;

    // ------------------------------------------------------------------ copies

    /// @dev Returns discharges of which the first is included and the others refer to it.
    function refer(IRollup.ForcedTransaction[] memory t, uint64 to)
        internal
        returns (IRollup.Evidence memory e)
    {
        e = one(discharge(t[0], IRollup.Outcome.Included));
        IRollup.Discharge memory d = e.forced[0].discharges[0];
        e.forced[0].discharges = new IRollup.Discharge[](t.length);
        e.forced[0].discharges[0] = d;
        for (uint256 i = 1; i < t.length; ++i) {
            d = discharge(t[i], IRollup.Outcome.Invalid);
            d.accountProof = new bytes[](0);
            d.position = to;
            e.forced[0].discharges[i] = d;
        }
    }

    function test_copies_share_one_proof() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](20);
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        for (uint256 i = 0; i < 20; ++i) {
            t[i] = submit(raw);
        }
        skip(FORCED_DELAY);
        l2.raw(raw);
        bytes memory input = l2.seal();
        // Not by itself, nor by a later one.
        expectRefused(input, refer(t, 1), abi.encodeWithSelector(IRollup.StillValid.selector, 1));
        rollup.advance(one(input), refer(t, 0));
        assertEq(rollup.duties().forcedNext, 20);
    }

    function test_shown_account_proves_only_its_own_state() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](2);
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        t[0] = submit(raw);
        t[1] = submit(signedTransfer("alice", 1, GENEROUS));
        IRollup.ForcedTransaction memory other = submit(signedTransfer("bob", 0, GENEROUS));
        skip(FORCED_DELAY);
        l2.raw(raw);
        bytes memory input = l2.seal();
        bytes memory error_ = abi.encodeWithSelector(IRollup.StillValid.selector, 1);
        // The next nonce has not been used.
        expectRefused(input, refer(t, 0), error_);
        t[1] = other;
        // Out of order, but the check depends on its content only.
        vm.store(address(inbox), keccak256(abi.encode(uint256(1), uint256(1))), inbox.commitment(2));
        expectRefused(input, refer(t, 0), error_);
    }

    function test_proof_is_valid_for_whole_account() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](3);
        for (uint64 i = 0; i < 3; ++i) {
            t[i] = submit(signedTransfer("alice", 5 - i, GENEROUS));
        }
        skip(FORCED_DELAY);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = refer(t, 0);
        e.forced[0].discharges[0] = discharge(t[0], IRollup.Outcome.Invalid);
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedNext, 3);
    }

    // ------------------------------------------------------------------ the budget

    function test_block_owes_only_what_fits_budget() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](8);
        bytes[] memory raw = new bytes[](8);
        for (uint64 i = 0; i < 8; ++i) {
            raw[i] = signedTransfer("alice", i, GENEROUS);
            t[i] = submit(raw[i]);
        }
        skip(FORCED_DELAY + FORCED_GRACE);
        for (uint256 n = 6; n <= 7; ++n) {
            IL2.Head memory parent = l2.head;
            IRollup.Evidence memory e = none();
            e.forced = new IRollup.ForcedBatch[](1);
            e.forced[0].discharges = new IRollup.Discharge[](n + 1);
            for (uint64 i = 0; i < n; ++i) {
                l2.raw(raw[i]);
                e.forced[0].discharges[i] = discharge(t[i], IRollup.Outcome.Included);
                e.forced[0].discharges[i].position = i;
            }
            e.forced[0].discharges[n] = discharge(t[n], IRollup.Outcome.NoRoom);
            bytes memory input = l2.seal();
            if (n == 6) {
                expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 6));
                l2.head = parent;
            } else {
                rollup.advance(one(input), e);
            }
        }
        assertEq(rollup.duties().forcedNext, 7);
        assertEq(rollup.duties().forcedDue, t[7].submittedAt + FORCED_DELAY);
    }

    /// @dev A builder cannot use up the budget by proving the same account repeatedly.
    function test_unneeded_proofs_use_no_budget() public {
        IRollup.Evidence memory e = none();
        e.forced = new IRollup.ForcedBatch[](1);
        e.forced[0].discharges = new IRollup.Discharge[](12);
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](12);
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        for (uint64 i = 0; i < 11; ++i) {
            t[i] = submit(raw);
        }
        t[11] = submit(signedTransfer("bob", 0, GENEROUS));
        skip(FORCED_DELAY + FORCED_GRACE);
        l2.raw(raw);
        bytes memory input = l2.seal();
        for (uint64 i = 0; i < 11; ++i) {
            e.forced[0].discharges[i] = discharge(t[i], IRollup.Outcome.Invalid);
        }
        e.forced[0].discharges[11] = discharge(t[11], IRollup.Outcome.NoRoom);
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 11));
    }

    /// @dev Discharges transactions that are invalid although their nonces are not used, and defers
    /// the one after them.
    function assertDeferred(IRollup.ForcedTransaction[] memory t, uint256 room) private {
        skip(FORCED_DELAY + FORCED_GRACE);
        bytes memory input = l2.seal();
        for (uint256 n = room - 1; n <= room; ++n) {
            IRollup.Evidence memory e = none();
            e.forced = new IRollup.ForcedBatch[](1);
            e.forced[0].discharges = new IRollup.Discharge[](n + 1);
            for (uint256 i = 0; i < n; ++i) {
                e.forced[0].discharges[i] = discharge(t[i], IRollup.Outcome.Invalid);
            }
            e.forced[0].discharges[n] = discharge(t[n], IRollup.Outcome.NoRoom);
            if (n < room) {
                expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, n));
            } else {
                rollup.advance(one(input), e);
            }
        }
        assertEq(rollup.duties().forcedNext, room);
    }

    /// @dev Transactions of a later block may use the nonces before theirs.
    function test_later_nonces_use_budget_of_inclusion() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](8);
        for (uint64 i = 0; i < 8; ++i) {
            t[i] = submit(signedTransfer("alice", 5 + i, GENEROUS));
        }
        assertDeferred(t, 7);
    }

    /// @dev A later transaction may give their sender ETH.
    function test_unfunded_transactions_use_budget_of_inclusion() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](8);
        for (uint64 i = 0; i < 8; ++i) {
            t[i] = submit(signedTransfer("stranger", 0, GENEROUS));
        }
        assertDeferred(t, 7);
    }

    function test_block_discharges_at_most_64_transactions() public {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](65);
        for (uint64 i = 0; i < 65; ++i) {
            t[i] = submit(signedTransfer("alice", i, 0));
        }
        skip(FORCED_DELAY);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t[0], IRollup.Outcome.Underpriced));
        for (uint256 n = 65; n >= 63; --n) {
            IRollup.Discharge[] memory some = new IRollup.Discharge[](n);
            for (uint256 i = 0; i < n; ++i) {
                some[i] = discharge(t[i], IRollup.Outcome.Underpriced);
            }
            e.forced[0].discharges = some;
            if (n == 65) {
                expectRefused(
                    input, e, abi.encodeWithSelector(IRollup.TooManyDischarges.selector, 65, 64)
                );
            } else if (n == 63) {
                expectRefused(
                    input, e, abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 63)
                );
            }
        }
        IRollup.Discharge[] memory sixtyFour = new IRollup.Discharge[](64);
        for (uint256 i = 0; i < 64; ++i) {
            sixtyFour[i] = discharge(t[i], IRollup.Outcome.Underpriced);
        }
        e.forced[0].discharges = sixtyFour;
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedNext, 64);
    }
}

/// @dev An inclusion shows only that the nonces up to its own are used, so a later nonce of its
/// sender needs a proof, which uses the budget.
contract ForcedProofBudgetTest is RealRollup {
    using L2 for L2.Chain;

    string[5] private senders = ["alice", "bob", "carol", "dave", "erin"];

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        for (uint256 i = 2; i < 5; ++i) {
            L2.fund(g, senders[i], 1000 ether);
        }
    }

    /// @dev For each of `count` senders, includes the transaction with nonce zero, and discharges
    /// one with another nonce by a proof. Defers the transaction of one more sender.
    function deferred(uint256 count, uint64 nonce)
        private
        returns (bytes memory input, IRollup.Evidence memory e)
    {
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](2 * count + 1);
        for (uint256 i = 0; i < count; ++i) {
            bytes memory raw = signedTransfer(senders[i], 0, 100 gwei);
            l2.raw(raw);
            t[2 * i] = submit(raw);
            t[2 * i + 1] = submit(signedTransfer(senders[i], nonce, 100 gwei));
        }
        t[2 * count] = submit(signedTransfer(senders[count], 0, 100 gwei));
        skip(FORCED_DELAY + FORCED_GRACE);
        input = l2.seal();
        IRollup.Discharge[] memory all = new IRollup.Discharge[](t.length);
        for (uint64 i = 0; i < count; ++i) {
            all[2 * i] = discharge(t[2 * i], IRollup.Outcome.Included);
            all[2 * i].position = i;
            all[2 * i + 1] = discharge(t[2 * i + 1], IRollup.Outcome.Invalid);
        }
        all[2 * count] = discharge(t[2 * count], IRollup.Outcome.NoRoom);
        e.forced = new IRollup.ForcedBatch[](1);
        e.forced[0].discharges = all;
    }

    function test_proof_after_an_inclusion_uses_the_budget() public {
        (bytes memory input, IRollup.Evidence memory e) = deferred(4, 5);
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedNext, 8);
    }

    function test_three_such_proofs_leave_room() public {
        (bytes memory input, IRollup.Evidence memory e) = deferred(3, 5);
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 6));
    }

    /// @dev Each inclusion rules out the copy after it.
    function test_needless_proof_after_an_inclusion_uses_none() public {
        (bytes memory input, IRollup.Evidence memory e) = deferred(4, 0);
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 8));
    }
}

/// @dev The required gas is at most 8 million, or the gas limit of the block if it is lower. Only
/// the gas limits of the queue's transactions count, no other content of the block.
contract ForcedGasBudgetTest is RealRollup {
    using L2 for L2.Chain;

    uint32 private gasLimit = 12_000_000;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.gasLimit = gasLimit;
    }

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.maxGas = gasLimit < 4_000_000 ? gasLimit : 4_000_000;
    }

    function transfer(uint64 nonce, uint64 gas) private returns (bytes memory) {
        IL2.Transaction memory t = L2.transaction("alice", bob, 1, "");
        (t.nonce, t.gasLimit) = (nonce, gas);
        return l2.sign(t);
    }

    /// @dev Defers the second of two transactions, in a block that includes the first, long after
    /// both were due.
    function putOff(uint64 first, uint64 second)
        private
        returns (bytes memory input, IRollup.Evidence memory e)
    {
        bytes memory raw = transfer(0, first);
        IRollup.ForcedTransaction memory a = submit(raw);
        IRollup.ForcedTransaction memory b = submit(transfer(1, second));
        skip(FORCED_DELAY + FORCED_GRACE);
        l2.raw(raw);
        input = l2.seal();
        e = one(discharge(a, IRollup.Outcome.Included));
        IRollup.Discharge memory included = e.forced[0].discharges[0];
        e.forced[0].discharges = new IRollup.Discharge[](2);
        e.forced[0].discharges[0] = included;
        e.forced[0].discharges[1] = discharge(b, IRollup.Outcome.NoRoom);
    }

    function assertHolds(uint64 first, uint64 second) private {
        (bytes memory input, IRollup.Evidence memory e) = putOff(first, second);
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 1));
    }

    function assertHoldsNot(uint64 first, uint64 second) private {
        (bytes memory input, IRollup.Evidence memory e) = putOff(first, second);
        rollup.advance(one(input), e);
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
    }

    /// @dev Defers the second of two transactions, of which the first has the nonce after it.
    function putOffReversed(uint64 first, uint64 second)
        private
        returns (bytes memory input, IRollup.Evidence memory e)
    {
        IRollup.ForcedTransaction memory a = submit(transfer(1, first));
        IRollup.ForcedTransaction memory b = submit(transfer(0, second));
        skip(FORCED_DELAY + FORCED_GRACE);
        input = l2.seal();
        e = one(discharge(a, IRollup.Outcome.Invalid));
        IRollup.Discharge memory invalid = e.forced[0].discharges[0];
        e.forced[0].discharges = new IRollup.Discharge[](2);
        e.forced[0].discharges[0] = invalid;
        e.forced[0].discharges[1] = discharge(b, IRollup.Outcome.NoRoom);
    }

    function test_later_nonce_uses_gas_of_inclusion() public {
        (bytes memory input, IRollup.Evidence memory e) = putOffReversed(2_000_000, 2_000_001);
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedNext, 1);
    }

    function test_later_nonce_leaves_rest_of_gas() public {
        (bytes memory input, IRollup.Evidence memory e) = putOffReversed(2_000_000, 2_000_000);
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 1));
    }

    function test_block_owes_four_million_gas() public {
        assertHolds(2_000_000, 2_000_000);
    }

    function test_block_owes_at_most_four_million_gas() public {
        assertHoldsNot(2_000_000, 2_000_001);
    }

    function test_small_block_owes_its_whole_gas() public {
        gasLimit = 3_200_000;
        super.setUp();
        assertHolds(1_600_000, 1_600_000);
    }

    function test_small_block_owes_at_most_its_gas() public {
        gasLimit = 3_200_000;
        super.setUp();
        assertHoldsNot(1_600_000, 1_600_001);
    }
}
