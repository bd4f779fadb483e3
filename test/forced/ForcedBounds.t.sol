// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Bounds of forced transactions, at and beyond the limit; the refund of excess fees; events.
contract ForcedBoundsTest is RealRollup {
    using L2 for L2.Chain;

    /// @dev Base fee of the first block: an eighth less than that of the genesis.
    uint128 private constant BASE_FEE = 70 gwei;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.baseFee = 80 gwei;
    }

    function two(IRollup.Discharge memory first, IRollup.Discharge memory second)
        private
        pure
        returns (IRollup.Evidence memory evidence)
    {
        evidence = one(first);
        evidence.forced[0].discharges = new IRollup.Discharge[](2);
        (evidence.forced[0].discharges[0], evidence.forced[0].discharges[1]) = (first, second);
    }

    /// @dev Seals a block without transactions, without making it the head.
    function emptyBlock() private returns (bytes memory input) {
        IL2.Head memory parent = l2.head;
        input = l2.seal();
        assertEq(l2.head.baseFee, BASE_FEE);
        l2.head = parent;
    }

    // ------------------------------------------------------------------ fee and events

    /// @dev Fees are burned: a refund is never paid from the fees of others.
    function test_change_leaves_burned_fees() public {
        vm.fee(7);
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        uint256 minimum = inbox.minimumFee(FORCED_GAS, inbox.footprintOf(raw));
        vm.deal(alice, 3 * minimum + 1);
        vm.startPrank(alice);
        inbox.submit{value: minimum}(raw);
        inbox.submit{value: minimum + 1}(raw);
        assertEq(alice.balance, minimum + 1);
        assertEq(address(inbox).balance, 2 * minimum);
    }

    function test_submission_event_has_whole_entry() public {
        submit(signedTransfer("alice", 0, 100 gwei));
        bytes memory raw = signedTransfer("alice", 3, 8 gwei);
        IForcedInbox.ForcedTransaction memory entry = IForcedInbox.ForcedTransaction({
            hash: keccak256(raw),
            sender: L2.account("alice"),
            nonce: 3,
            gasLimit: FORCED_GAS,
            maxFee: 8 gwei,
            cost: uint256(FORCED_GAS) * 8 gwei + 1,
            submittedAt: uint64(vm.getBlockTimestamp()),
            bounded: false,
            to: bob,
            footprint: uint64(raw.length) + 2 * 3200 + 800,
            priced: true
        });
        vm.expectEmit(address(inbox));
        emit IForcedInbox.ForcedSubmitted(1, relayer, L2.account("alice"), entry, raw);
        vm.prank(relayer);
        inbox.submit(raw);
        assertEq(inbox.commitment(1), keccak256(abi.encode(entry)));
    }

    function test_discharge_events_name_index_hash_and_outcome() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory first = submit(raw);
        IRollup.ForcedTransaction memory second = submit(signedTransfer("bob", 5, 100 gwei));
        skip(FORCED_DELAY);
        l2.raw(raw);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = two(
            discharge(first, IRollup.Outcome.Included), discharge(second, IRollup.Outcome.Invalid)
        );
        vm.expectEmit(address(inbox));
        emit IForcedInbox.ForcedDischarged(0, first.hash, uint8(IRollup.Outcome.Included));
        vm.expectEmit(address(inbox));
        emit IForcedInbox.ForcedDischarged(1, second.hash, uint8(IRollup.Outcome.Invalid));
        rollup.advance(one(input), e);
    }

    // ------------------------------------------------------------------ excuses

    /// @dev An included transaction shows that its nonce is used, and nothing about later nonces.
    function test_used_nonce_rules_out_no_later_nonce() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory first = submit(raw);
        IRollup.ForcedTransaction memory second = submit(signedTransfer("alice", 2, 100 gwei));
        skip(FORCED_DELAY);
        l2.raw(raw);
        bytes memory input = l2.seal();
        IRollup.Discharge memory included = discharge(first, IRollup.Outcome.Included);
        IRollup.Discharge memory shown = discharge(second, IRollup.Outcome.Invalid);
        IRollup.Discharge memory referring =
            IRollup.Discharge(second, shown.outcome, 0, new bytes[](0), "");
        expectRefused(
            input, two(included, referring), abi.encodeWithSelector(IRollup.StillValid.selector, 1)
        );
        // A proof of the account does.
        rollup.advance(one(input), two(included, shown));
        assertEq(rollup.duties().forcedNext, 2);
    }

    /// @dev The expiry of the second is counted from when it became the first, not from when it was
    /// due.
    function test_expiry_counts_from_first_place() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory first = submit(raw);
        IRollup.ForcedTransaction memory second = submit(signedTransfer("bob", 1, 100 gwei));
        skip(FORCED_DELAY + FORCED_GRACE / 2);
        uint64 since = uint64(vm.getBlockTimestamp());
        l2.raw(raw);
        // All gas but what the first uses, and one unit less than the gas limit of the second.
        IL2.Transaction memory t = L2.transaction("bob", address(0), 0, hex"fe");
        t.create = true;
        t.gasLimit = l2.head.gasLimit - 21_000 - (FORCED_GAS - 1);
        l2.send(t);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = two(
            discharge(first, IRollup.Outcome.Included), discharge(second, IRollup.Outcome.NoRoom)
        );
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedFirstSince, since);
        assertEq(rollup.duties().forcedDue, second.submittedAt + FORCED_DELAY);

        uint64 expiry = since + FORCED_GRACE + FORCED_EXPIRY;
        skip(expiry - 1 - vm.getBlockTimestamp());
        e = one(discharge(second, IRollup.Outcome.Expired));
        IL2.Head memory parent = l2.head;
        expectRefused(l2.seal(), e, abi.encodeWithSelector(IRollup.NotExpired.selector, 1, expiry));
        l2.head = parent;
        skip(1);
        rollup.advance(one(l2.seal()), e);
        assertEq(rollup.duties().forcedNext, 2);
    }

    function test_block_with_just_enough_gas_has_room() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, 100 gwei));
        skip(FORCED_DELAY);
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.NoRoom));
        IL2.Head memory parent = l2.head;
        bytes memory input = blockThatLeaves(FORCED_GAS);
        expectRefused(input, e, abi.encodeWithSelector(IRollup.RoomLeft.selector, 0));
        l2.head = parent;
        rollup.advance(one(blockThatLeaves(FORCED_GAS - 1)), e);
        assertEq(rollup.duties().forcedNext, 0);
    }

    function blockThatLeaves(uint64 gas) private returns (bytes memory input) {
        // A creation that runs INVALID uses all its gas.
        IL2.Transaction memory t = L2.transaction("bob", address(0), 0, hex"fe");
        t.create = true;
        t.gasLimit = l2.head.gasLimit - gas;
        l2.send(t);
        input = l2.seal();
        assertEq(l2.head.gasLimit - l2.head.gasUsed, gas);
    }

    // ------------------------------------------------------------------ prices

    function test_cap_of_just_margin_may_wait() public {
        assertTrue(submit(signedTransfer("alice", 0, 8 gwei)).priced);
        assertFalse(submit(signedTransfer("alice", 0, 8 gwei - 1)).priced);
    }

    function test_transaction_at_base_fee_does_not_wait() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, BASE_FEE));
        assertTrue(t.priced);
        skip(FORCED_DELAY);
        expectRefused(
            emptyBlock(),
            one(discharge(t, IRollup.Outcome.NoRoom)),
            abi.encodeWithSelector(IRollup.RoomLeft.selector, 0)
        );
    }

    /// @dev Its cap had the margin at submission. Until then the base fee defers it, and from then
    /// on the base fee discharges it.
    function test_price_puts_off_until_grace_and_expiry() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, BASE_FEE - 1));
        assertTrue(t.priced);
        uint64 end = t.submittedAt + FORCED_DELAY + FORCED_GRACE + FORCED_EXPIRY;
        skip(end - 1 - vm.getBlockTimestamp());
        expectRefused(
            emptyBlock(),
            one(discharge(t, IRollup.Outcome.Underpriced)),
            abi.encodeWithSelector(IRollup.StillPriced.selector, 0, end)
        );
        uint256 state = vm.snapshotState();
        rollup.advance(one(emptyBlock()), one(discharge(t, IRollup.Outcome.NoRoom)));
        assertEq(rollup.duties().forcedNext, 0);
        vm.revertToState(state);

        skip(1);
        expectRefused(
            emptyBlock(),
            one(discharge(t, IRollup.Outcome.NoRoom)),
            abi.encodeWithSelector(IRollup.RoomLeft.selector, 0)
        );
        rollup.advance(one(emptyBlock()), one(discharge(t, IRollup.Outcome.Underpriced)));
        assertEq(rollup.duties().forcedNext, 1);
    }
}
