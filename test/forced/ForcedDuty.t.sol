// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

contract ForcedDutyTest is RealRollup {
    using L2 for L2.Chain;

    uint128 internal constant GENEROUS = 100 gwei;

    /// @dev Submits a transfer by alice that is due in the next block.
    function dueTransfer(uint64 nonce, uint128 maxFee)
        internal
        returns (IRollup.ForcedTransaction memory t, bytes memory raw)
    {
        raw = signedTransfer("alice", nonce, maxFee);
        t = submit(raw);
        skip(FORCED_DELAY);
    }

    function first(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, 0);
    }

    // ------------------------------------------------------------------ due

    function test_transaction_before_due_time_is_not_required() public {
        submit(signedTransfer("alice", 0, GENEROUS));
        skip(FORCED_DELAY - MAX_LAG);
        advance();
        advance();
        assertHead();
    }

    function test_block_omitting_due_transaction_is_rejected() public {
        (IRollup.ForcedTransaction memory t, bytes memory raw) = dueTransfer(0, GENEROUS);
        IL2.Head memory parent = l2.head;
        bytes memory without = l2.seal();
        expectRefused(without, none(), first(IRollup.ForcedTransactionOmitted.selector));
        IRollup.Evidence memory nothing = none();
        nothing.forced = new IRollup.ForcedBatch[](1);
        expectRefused(without, nothing, first(IRollup.ForcedTransactionOmitted.selector));

        l2.head = parent;
        l2.raw(raw);
        bytes memory input = l2.seal();
        vm.expectEmit(address(inbox));
        emit IForcedInbox.ForcedDischarged(0, t.hash, uint8(IRollup.Outcome.Included));
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Included)));
        assertHead();
        assertEq(inbox.commitment(0), 0);
        IRollup.Duties memory d = rollup.duties();
        assertEq(d.forcedNext, 1);
        assertEq(d.forcedDue, vm.getBlockTimestamp() + FORCED_DELAY);
        assertEq(d.forcedFirstSince, l2.head.timestamp);
    }

    function test_first_block_owes_transaction_due_before_deployment() public {
        l2.create(genesis());
        bytes memory header = GenesisHeaders.encode(l2.head);
        makeQueues(1_000_000, 16_384);
        (IRollup.ForcedTransaction memory t, bytes memory raw) = dueTransfer(0, GENEROUS);
        rollup = new NativeRollup(header, config());
        nextL1Block();
        IL2.Head memory parent = l2.head;
        bytes memory without = l2.seal();
        expectRefused(without, none(), first(IRollup.ForcedTransactionOmitted.selector));
        l2.head = parent;
        l2.raw(raw);
        rollup.advance(one(l2.seal()), one(discharge(t, IRollup.Outcome.Included)));
        assertHead();
    }

    function testFuzz_position_in_block_must_match(uint8 before, uint8 claimed) public {
        before = before % 6;
        claimed = claimed % 8;
        (IRollup.ForcedTransaction memory t, bytes memory raw) = dueTransfer(0, GENEROUS);
        for (uint256 i = 0; i < before; ++i) {
            l2.transfer("bob", alice, i);
        }
        l2.raw(raw);
        l2.transfer("bob", alice, 1 ether);
        IL2.Sealed memory b = l2.sealBlock(l2.next());
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Included);
        d.position = claimed;
        if (claimed != before) {
            bytes memory error_ = claimed < before + 2
                ? abi.encodeWithSelector(
                    IRollup.NotIncluded.selector, 0, b.transactionHashes[claimed], t.hash
                )
                : abi.encodeWithSelector(
                    Execute.TransactionOutOfRange.selector, claimed, uint256(before) + 2
                );
            expectRefused(b.input, one(d), error_);
            d.position = before;
        }
        rollup.advance(one(b.input), one(d));
        assertHead();
    }

    function test_next_transaction_is_shown_not_due() public {
        (IRollup.ForcedTransaction memory t, bytes memory raw) = dueTransfer(0, GENEROUS);
        IRollup.ForcedTransaction memory n = submit(signedTransfer("alice", 1, GENEROUS));
        nextL1Block();
        l2.raw(raw);
        bytes memory input = l2.seal();
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Included);
        expectRefused(
            input, one(d), abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 1)
        );
        IRollup.ForcedTransaction memory forged =
            abi.decode(abi.encode(n), (IRollup.ForcedTransaction));
        forged.submittedAt += 1000;
        expectRefused(
            input,
            one(d, forged),
            abi.encodeWithSelector(
                IRollup.ForcedTransactionMismatch.selector,
                1,
                keccak256(abi.encode(forged)),
                keccak256(abi.encode(n))
            )
        );
        rollup.advance(one(input), one(d, n));
        assertEq(rollup.duties().forcedDue, n.submittedAt + FORCED_DELAY);
    }

    function test_empty_batch_proves_nothing() public {
        submit(signedTransfer("alice", 0, GENEROUS));
        nextL1Block();
        uint64 due = rollup.duties().forcedDue;
        IRollup.Evidence memory e;
        e.forced = new IRollup.ForcedBatch[](1);
        rollup.advance(one(l2.seal()), e);
        assertEq(rollup.duties().forcedDue, due);
        assertEq(rollup.duties().forcedNext, 0);
    }

    function test_batch_for_missing_block_is_rejected() public {
        (IRollup.ForcedTransaction memory t, bytes memory raw) = dueTransfer(0, GENEROUS);
        l2.raw(raw);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Included));
        IRollup.ForcedBatch[] memory two = new IRollup.ForcedBatch[](2);
        two[0] = e.forced[0];
        two[1].index = 1;
        e.forced = two;
        expectRefused(input, e, abi.encodeWithSelector(IRollup.ForcedBatchUnused.selector, 1, 1));
    }

    function test_transaction_before_due_time_can_only_be_included() public {
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        nextL1Block();
        IL2.Head memory parent = l2.head;
        bytes memory input = l2.seal();
        expectRefused(
            input,
            one(discharge(t, IRollup.Outcome.Underpriced)),
            abi.encodeWithSelector(IRollup.NotDue.selector, 0, t.submittedAt + FORCED_DELAY)
        );
        l2.head = parent;
        l2.raw(raw);
        rollup.advance(one(l2.seal()), one(discharge(t, IRollup.Outcome.Included)));
        assertEq(rollup.duties().forcedNext, 1);
    }

    function test_due_transaction_after_batch_is_not_omitted() public {
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        (IRollup.ForcedTransaction memory n,) = dueTransfer(1, GENEROUS);
        l2.raw(raw);
        bytes memory input = l2.seal();
        expectRefused(
            input,
            one(discharge(t, IRollup.Outcome.Included), n),
            abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 1)
        );
    }

    /// @dev Duties are due at different times.
    function test_owed_relay_postpones_forced_transaction() public {
        uint256 later = uint256(rollup.duties().forcedDue) + 10 days;
        setForcedDue(later);
        submit(signedTransfer("alice", 0, GENEROUS));
        skip(RELAY_DEADLINE);
        advance();
        advance();
        assertHead();
        assertEq(rollup.duties().forcedDue, later);
    }

    function setForcedDue(uint256 time) internal {
        uint256 duties = uint256(vm.load(address(rollup), bytes32(uint256(4))));
        duties = duties & ~(uint256(type(uint48).max) << 160) | time << 160;
        vm.store(address(rollup), bytes32(uint256(4)), bytes32(duties));
    }

    function test_transaction_is_due_from_recorded_timestamp() public {
        dueTransfer(0, GENEROUS);
        uint256 now_ = vm.getBlockTimestamp();
        bytes memory input = l2.seal();
        assertEq(l2.head.timestamp, now_);
        setForcedDue(now_);
        expectRefused(input, none(), first(IRollup.ForcedTransactionOmitted.selector));
        setForcedDue(now_ + 1);
        rollup.advance(one(input), none());
        assertHead();
    }

    /// @dev Otherwise an operator could postpone the expiry without any work.
    function test_batch_without_discharges_does_not_postpone_expiry() public {
        submit(signedTransfer("alice", 0, GENEROUS));
        nextL1Block();
        uint64 start = rollup.duties().forcedFirstSince;
        IRollup.Evidence memory nothing = none();
        nothing.forced = new IRollup.ForcedBatch[](1);
        advance(nothing);
        assertGt(l2.head.timestamp, start);
        assertEq(rollup.duties().forcedFirstSince, start);
    }

    /// @dev The expiry does not run while blocks have to relay older messages.
    function test_relay_of_older_messages_postpones_expiry() public {
        send(bob, 1, 0, "");
        submit(signedTransfer("alice", 0, GENEROUS));
        nextL1Block();
        uint64 start = rollup.duties().forcedFirstSince;
        advance();
        assertEq(rollup.duties().forcedFirstSince, start, "nothing is due");
        skip(FORCED_DELAY);
        assertLt(rollup.duties().relayDue, rollup.duties().forcedDue);
        bringOver();
        assertEq(rollup.duties().relayed, 1);
        assertEq(rollup.duties().forcedNext, 0);
        assertEq(rollup.duties().forcedFirstSince, l2.head.timestamp);
    }

    // ------------------------------------------------------------------ invalid

    /// @dev EIP-3607. Nobody can deploy code at the address of an EOA, but a genesis can.
    function test_sender_with_code_excuses() public {
        (IRollup.ForcedTransaction memory t,) = dueTransferFrom("contract");
        bytes memory input = l2.seal();
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Invalid);
        expectRefused(input, one(d), first(IRollup.StillValid.selector));
        d.code = hex"00";
        rollup.advance(one(input), one(d));
    }

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.add(g, L2.account("contract"), 1 ether, hex"00");
        L2.add(g, CODE, 0, hex"00");
    }

    address internal constant CODE = address(0xc0dec0de);

    // ------------------------------------------------------------------ targets with code

    /// @dev Submits a transfer or a call by alice that is due.
    function dueTo(address to, bytes memory data, uint64 gas)
        internal
        returns (IRollup.ForcedTransaction memory)
    {
        IL2.Transaction memory t = L2.transaction("alice", to, 1, data);
        (t.nonce, t.gasLimit) = (0, gas);
        IRollup.ForcedTransaction memory forced = submit(l2.sign(t));
        skip(FORCED_DELAY);
        return forced;
    }

    function withTarget(IRollup.ForcedTransaction memory t)
        internal
        returns (IRollup.Discharge memory d)
    {
        d = discharge(t, IRollup.Outcome.TargetHasCode);
        d.accountProof = l2.prove(t.to).nodes;
    }

    function test_transfer_to_contract_is_not_required() public {
        IRollup.ForcedTransaction memory t = dueTo(CODE, "", FORCED_GAS);
        bytes memory input = l2.seal();
        expectRefused(input, none(), first(IRollup.ForcedTransactionOmitted.selector));
        // Not by the proof of another account.
        IRollup.Discharge memory d = withTarget(t);
        d.accountProof = l2.prove(bob).nodes;
        bytes[] memory inputs = one(input);
        vm.expectRevert();
        rollup.advance(inputs, one(d));
        rollup.advance(inputs, one(withTarget(t)));
        assertEq(rollup.duties().forcedNext, 1);
    }

    function test_transfer_to_account_without_code_is_required() public {
        IRollup.ForcedTransaction memory t = dueTo(makeAddr("stranger"), "", FORCED_GAS);
        bytes memory input = l2.seal();
        expectRefused(
            input,
            one(withTarget(t)),
            abi.encodeWithSelector(IRollup.TargetIsPlain.selector, 0, t.to)
        );
    }

    function test_call_of_messenger_is_required_despite_code() public {
        bytes memory data = abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""));
        IRollup.ForcedTransaction memory t = dueTo(MESSENGER, data, 300_000);
        bytes memory input = l2.seal();
        expectRefused(
            input,
            one(withTarget(t)),
            abi.encodeWithSelector(IRollup.TargetIsPlain.selector, 0, MESSENGER)
        );
    }

    // ------------------------------------------------------------------ excuses

    function dueTransferFrom(string memory from)
        internal
        returns (IRollup.ForcedTransaction memory t, bytes memory raw)
    {
        raw = signedTransfer(from, 1, GENEROUS);
        t = submit(raw);
        skip(FORCED_DELAY);
    }

    function test_used_nonce_excuses() public {
        bytes memory raw = signedTransfer("alice", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        l2.transfer("alice", bob, 7);
        advance();
        skip(FORCED_DELAY);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Invalid));
        vm.expectEmit(address(inbox));
        emit IForcedInbox.ForcedDischarged(0, t.hash, uint8(IRollup.Outcome.Invalid));
        rollup.advance(one(input), e);
    }

    function test_gap_in_nonces_excuses() public {
        (IRollup.ForcedTransaction memory t,) = dueTransfer(1, GENEROUS);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Invalid)));
    }

    function test_sender_without_balance_is_excused() public {
        bytes memory raw = signedTransfer("stranger", 0, GENEROUS);
        IRollup.ForcedTransaction memory t = submit(raw);
        (IRollup.ForcedTransaction memory u,) = dueTransfer(0, type(uint128).max / 1e9);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Invalid));
        IRollup.Discharge[] memory both = new IRollup.Discharge[](2);
        both[0] = e.forced[0].discharges[0];
        both[1] = discharge(u, IRollup.Outcome.Invalid);
        e.forced[0].discharges = both;
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedNext, 2);
    }

    function test_includable_transaction_cannot_be_excused() public {
        (IRollup.ForcedTransaction memory t,) = dueTransfer(0, GENEROUS);
        bytes memory input = l2.seal();
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Invalid);
        expectRefused(input, one(d), first(IRollup.StillValid.selector));
        // Code that is not that of the account.
        d.code = hex"00";
        expectRefused(input, one(d), first(IRollup.StillValid.selector));
        d.outcome = IRollup.Outcome.Underpriced;
        expectRefused(
            input,
            one(d),
            abi.encodeWithSelector(IRollup.PricedEnough.selector, 0, GENEROUS, l2.head.baseFee)
        );
        d.outcome = IRollup.Outcome.NoRoom;
        expectRefused(input, one(d), first(IRollup.RoomLeft.selector));
        d.outcome = IRollup.Outcome.Expired;
        uint256 expiry = t.submittedAt + FORCED_DELAY + FORCED_GRACE + FORCED_EXPIRY;
        expectRefused(input, one(d), abi.encodeWithSelector(IRollup.NotExpired.selector, 0, expiry));
    }

    function test_delegation_is_no_code() public {
        IL2.Transaction memory set = L2.transaction("bob", bob, 0, "");
        set.kind = IL2.Kind.SetCode;
        set.authorizations = new IL2.Authorization[](1);
        set.authorizations[0] = IL2.Authorization("alice", CHAIN_ID, MESSENGER, 0);
        l2.send(set);
        advance();
        (IRollup.ForcedTransaction memory t, bytes memory raw) = dueTransfer(1, GENEROUS);
        IL2.Head memory parent = l2.head;
        bytes memory input = l2.seal();
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Invalid);
        d.code = l2.codeOf(alice);
        assertEq(d.code.length, 23);
        expectRefused(input, one(d), first(IRollup.StillValid.selector));
        l2.head = parent;
        l2.raw(raw);
        rollup.advance(one(l2.seal()), one(discharge(t, IRollup.Outcome.Included)));
    }

    // ------------------------------------------------------------------ price and budget

    function test_fee_cap_below_base_fee_is_underpriced() public {
        (IRollup.ForcedTransaction memory t,) = dueTransfer(0, 0);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Underpriced)));
        assertEq(rollup.duties().forcedNext, 1);
    }

    /// @dev Fills the block with transfers by bob until less than 21,000 gas are left.
    function fillBlock() internal {
        uint256 room = l2.head.gasLimit / 21_000;
        for (uint256 i = 0; i < room; ++i) {
            l2.transfer("bob", alice, 1);
        }
    }

    function test_fee_cap_at_base_fee_is_not_underpriced() public {
        IL2.Head memory parent = l2.head;
        l2.seal();
        uint128 fee = uint128(l2.head.baseFee);
        l2.head = parent;
        (IRollup.ForcedTransaction memory t,) = dueTransfer(0, fee);
        bytes memory input = l2.seal();
        expectRefused(
            input,
            one(discharge(t, IRollup.Outcome.Underpriced)),
            abi.encodeWithSelector(IRollup.PricedEnough.selector, 0, fee, fee)
        );
    }

    function test_full_block_defers_until_grace_ends() public {
        (IRollup.ForcedTransaction memory t,) = dueTransfer(0, GENEROUS);
        fillBlock();
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.NoRoom)));
        assertEq(rollup.duties().forcedNext, 0);
        assertEq(inbox.commitment(0), keccak256(abi.encode(t)));

        skip(FORCED_GRACE);
        fillBlock();
        input = l2.seal();
        expectRefused(
            input, one(discharge(t, IRollup.Outcome.NoRoom)), first(IRollup.RoomLeft.selector)
        );
    }

    function test_deferred_transaction_is_not_overtaken() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, GENEROUS));
        (IRollup.ForcedTransaction memory u,) = dueTransfer(1, GENEROUS);
        fillBlock();
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.NoRoom));
        IRollup.Discharge[] memory both = new IRollup.Discharge[](2);
        both[0] = e.forced[0].discharges[0];
        both[1] = discharge(u, IRollup.Outcome.NoRoom);
        e.forced[0].discharges = both;
        expectRefused(input, e, first(IRollup.ForcedTransactionOmitted.selector));
        rollup.advance(one(input), one(both[0]));
    }

    function test_another_transaction_cannot_be_deferred_instead() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, GENEROUS));
        (IRollup.ForcedTransaction memory u,) = dueTransfer(1, GENEROUS);
        fillBlock();
        bytes memory input = l2.seal();
        expectRefused(
            input,
            one(discharge(u, IRollup.Outcome.NoRoom)),
            abi.encodeWithSelector(
                IForcedInbox.NotSubmitted.selector,
                0,
                keccak256(abi.encode(u)),
                keccak256(abi.encode(t))
            )
        );
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.NoRoom)));
    }

    function test_first_transaction_expires_after_chain_stalled() public {
        (IRollup.ForcedTransaction memory t,) = dueTransfer(0, GENEROUS);
        skip(FORCED_GRACE + FORCED_EXPIRY);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(t, IRollup.Outcome.Expired)));
        assertEq(rollup.duties().forcedNext, 1);
    }

    function test_second_does_not_expire_with_first() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, GENEROUS));
        (IRollup.ForcedTransaction memory u,) = dueTransfer(1, GENEROUS);
        skip(FORCED_GRACE + FORCED_EXPIRY);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Expired));
        IRollup.Discharge[] memory both = new IRollup.Discharge[](2);
        both[0] = e.forced[0].discharges[0];
        both[1] = discharge(u, IRollup.Outcome.Expired);
        e.forced[0].discharges = both;
        uint256 expiry = l2.head.timestamp + FORCED_GRACE + FORCED_EXPIRY;
        expectRefused(input, e, abi.encodeWithSelector(IRollup.NotExpired.selector, 1, expiry));
    }

    /// @dev If no block can include either of two transactions, the second one must not prevent the
    /// block in which the first one expires.
    function test_block_after_stall_may_defer_second() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, GENEROUS));
        (IRollup.ForcedTransaction memory u,) = dueTransfer(1, GENEROUS);
        skip(FORCED_GRACE + FORCED_EXPIRY);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Expired));
        IRollup.Discharge[] memory both = new IRollup.Discharge[](2);
        both[0] = e.forced[0].discharges[0];
        both[1] = discharge(u, IRollup.Outcome.NoRoom);
        e.forced[0].discharges = both;
        rollup.advance(one(input), e);
        assertEq(rollup.duties().forcedNext, 1);

        // Only in that block.
        skip(12);
        IL2.Head memory parent = l2.head;
        input = l2.seal();
        expectRefused(
            input,
            one(discharge(u, IRollup.Outcome.NoRoom)),
            abi.encodeWithSelector(IRollup.RoomLeft.selector, 1)
        );
        skip(FORCED_GRACE + FORCED_EXPIRY - 12);
        l2.head = parent;
        rollup.advance(one(l2.seal()), one(discharge(u, IRollup.Outcome.Expired)));
        assertEq(rollup.duties().forcedNext, 2);
    }

    // ------------------------------------------------------------------ exits

    function test_censored_user_exits_by_force() public {
        send(alice, 10 ether, 0, "");
        nextL1Block();
        bringOver();
        IL2.Transaction memory t = L2.transaction(
            "alice", MESSENGER, 3 ether, abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""))
        );
        t.gasLimit = 300_000;
        bytes memory raw = l2.sign(t);
        IRollup.ForcedTransaction memory forced = submit(raw);
        assertTrue(forced.bounded);
        skip(FORCED_DELAY);
        advanceIncluding(forced, raw);
        uint256 before = bob.balance;
        queue.claim(
            IL1MessageQueue.Message(alice, bob, bob, 3 ether, 0, 0, 0, ""), messageProof(0), bob
        );
        assertEq(bob.balance - before, 3 ether);
    }
}
