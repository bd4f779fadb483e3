// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {RollupExit} from "../../contracts/exit/RollupExit.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IRollupExit} from "../../contracts/interfaces/IRollupExit.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ExitFixture} from "./ExitFixture.sol";

/// @dev Contract on L1 that calls while it is being paid, and records the error.
contract ReenteringWallet {
    address private _target;
    bytes private _call;
    bytes public answer;

    function prepare(address target, bytes calldata call_) external {
        (_target, _call) = (target, call_);
    }

    receive() external payable {
        bool ok;
        (ok, answer) = _target.call(_call);
        assert(!ok);
    }
}

/// @dev Exit of ETH.
contract RollupExitTest is ExitFixture {
    using L2 for L2.Chain;

    // ------------------------------------------------------------------ the end

    function test_only_lost_rollup_is_closed() public {
        advance();
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        (bytes[] memory account, bytes[] memory slot) = (p.nodes, p.slots[0].nodes);
        uint256 from = uint256(rollup.head().timestamp) + LOST_AFTER;
        vm.warp(from - 1);
        expectRefused(abi.encodeWithSelector(IRollupExit.NotLost.selector, from));
        exit_.close(account, slot);
        vm.warp(from);
        vm.expectEmit(address(exit_));
        emit IRollupExit.RollupClosed(rollup.head().number, rollup.stateRoot(), 0);
        exit_.close(account, slot);
        assertEq(exit_.stateRoot(), l2.head.stateRoot);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyClosed.selector));
        exit_.close(account, slot);
    }

    /// @dev One block of anyone, in the last second, is sufficient.
    function test_block_keeps_rollup_open() public {
        advance();
        skip(LOST_AFTER - 1);
        rollup.advance(one(l2.seal()), none());
        skip(1);
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        uint256 from = uint256(rollup.head().timestamp) + LOST_AFTER;
        expectRefused(abi.encodeWithSelector(IRollupExit.NotLost.selector, from));
        exit_.close(p.nodes, p.slots[0].nodes);
    }

    /// @dev A rollup may start from a genesis that is much older than its contracts.
    function test_old_genesis_is_not_lost_at_deployment() public {
        skip(LOST_AFTER);
        deploy();
        exit_ = new RollupExit(address(queue), LOST_AFTER);
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        uint256 from = vm.getBlockTimestamp() + LOST_AFTER;
        expectRefused(abi.encodeWithSelector(IRollupExit.NotLost.selector, from));
        exit_.close(p.nodes, p.slots[0].nodes);
        skip(LOST_AFTER);
        exit_.close(p.nodes, p.slots[0].nodes);
    }

    function test_closed_rollup_rejects_blocks_and_messages() public {
        advance();
        send(bob, 1 ether, 0, "");
        arrive();
        uint256 snapshot = vm.snapshotState();
        skip(LOST_AFTER);
        bytes[] memory inputs = one(l2.seal());
        IRollup.Evidence memory evidence = relayProof();
        rollup.advance(inputs, evidence);
        require(vm.revertToState(snapshot), "failed to revert to the snapshot");

        close();
        expectRefused(abi.encodeWithSelector(IL1MessageQueue.QueueClosed.selector));
        rollup.advance(inputs, none());
        expectRefused(abi.encodeWithSelector(IL1MessageQueue.QueueClosed.selector));
        rollup.advance(inputs, evidence);
        hoax(alice, 1 ether);
        vm.expectPartialRevert(IL1MessageQueue.CheckpointsExhausted.selector);
        queue.send{value: 1 ether}(bob, bob, 0, 0, "");
    }

    function test_only_exit_withdraws_from_queue() public {
        expectRefused(abi.encodeWithSelector(IL1MessageQueue.NotExit.selector, address(this)));
        queue.closeAndPay(address(this), 1);
        vm.prank(address(exit_));
        queue.closeAndPay(bob, 1);
        assertEq(bob.balance, 1);
    }

    function test_times_that_are_too_short_are_rejected() public {
        // The queue pays for the first one only.
        address expected = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        expectRefused(
            abi.encodeWithSelector(
                IRollupExit.QueueOfAnotherExit.selector, address(exit_), expected
            )
        );
        new RollupExit(address(queue), LOST_AFTER);

        uint64 minimum = 30 days;
        deploy();
        expectRefused(
            abi.encodeWithSelector(IRollupExit.LostAfterTooShort.selector, minimum - 1, minimum)
        );
        new RollupExit(address(queue), minimum - 1);
        // A failed creation uses a nonce too.
        deploy();
        exit_ = new RollupExit(address(queue), minimum);
        assertEq(exit_.LOST_AFTER(), minimum);
    }

    function test_lost_time_exceeds_all_rollup_delays() public {
        uint64 minimum = RELAY_DEADLINE + 2 * (60 days + OPEN_AFTER);
        deploy();
        vm.mockCall(
            address(rollup), abi.encodeCall(IRollup.MAX_LAG, ()), abi.encode(uint64(60 days))
        );
        expectRefused(
            abi.encodeWithSelector(IRollupExit.LostAfterTooShort.selector, minimum - 1, minimum)
        );
        new RollupExit(address(queue), minimum - 1);
        vm.clearMockedCalls();
        deploy();
        vm.mockCall(
            address(rollup), abi.encodeCall(IRollup.MAX_LAG, ()), abi.encode(uint64(60 days))
        );
        new RollupExit(address(queue), minimum);
    }

    // ------------------------------------------------------------------ accounts

    function test_accounts_get_their_last_balance_once() public {
        l2.transfer("alice", bob, 3 ether);
        advance();
        IL2.AccountProof memory p = l2.prove(alice);
        uint256 balance = p.balance;
        assertGt(balance, 996 ether);
        expectRefused(abi.encodeWithSelector(IRollupExit.NotClosed.selector));
        exit_.exit(alice, address(0), p.nodes);
        close();
        // By a stranger, since alice has signed a transaction on the L2.
        vm.expectEmit(address(exit_));
        emit IRollupExit.AccountExited(alice, alice, balance);
        exit_.exit(alice, address(0), p.nodes);
        assertEq(alice.balance, balance);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, alice));
        exit_.exit(alice, address(0), p.nodes);

        // Bob has not, so the address could be that of an alias account.
        p = l2.prove(bob);
        expectRefused(
            abi.encodeWithSelector(IRollupExit.CallerNotAccount.selector, address(this), bob)
        );
        exit_.exit(bob, address(0), p.nodes);
        vm.prank(bob);
        exit_.exit(bob, address(0), p.nodes);
        assertEq(bob.balance, 1003 ether);
    }

    function test_l2_contracts_are_not_paid() public {
        advance();
        close();
        for (uint256 i = 0; i < 2; ++i) {
            IL2.AccountProof memory p = l2.prove(i == 0 ? holder : delegating);
            address account = i == 0 ? holder : delegating;
            vm.startPrank(account);
            for (uint256 j = 0; j < 2; ++j) {
                vm.expectPartialRevert(IRollupExit.AccountHasCode.selector);
                exit_.exit(account, j == 0 ? address(0) : makeAddr("another"), p.nodes);
            }
            vm.stopPrank();
        }
        IL2.AccountProof memory d = l2.prove(delegating);
        exit_.exit(delegating, delegate, d.nodes);
        assertEq(delegating.balance, 5 ether);
        address absent = makeAddr("absent");
        d = l2.prove(absent);
        expectRefused(abi.encodeWithSelector(IRollupExit.NothingOwed.selector, absent));
        exit_.exit(absent, address(0), d.nodes);
    }

    function test_alias_accounts_pay_their_l1_contract() public {
        address account = AliasAddresses.account(wallet);
        send(account, 2 ether, 0, "");
        arrive();
        close();
        IL2.AccountProof memory p = l2.prove(account);
        expectRefused(
            abi.encodeWithSelector(IRollupExit.CallerNotAccount.selector, address(this), account)
        );
        exit_.exit(account, address(0), p.nodes);
        exit_.exitAlias(wallet, p.nodes);
        assertEq(wallet.balance, 2 ether);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, account));
        exit_.exitAlias(wallet, p.nodes);
        p = l2.prove(AliasAddresses.account(bob));
        expectRefused(
            abi.encodeWithSelector(IRollupExit.NothingOwed.selector, AliasAddresses.account(bob))
        );
        exit_.exitAlias(bob, p.nodes);
    }

    /// @dev Neither the same account nor another one, whose payment the lock of the queue rejects.
    function test_recipient_that_calls_back_is_paid_once() public {
        ReenteringWallet paid = new ReenteringWallet();
        address account = AliasAddresses.account(address(paid));
        send(account, 2 ether, 0, "");
        send(AliasAddresses.account(wallet), 1 ether, 0, "");
        arrive();
        close();
        IL2.AccountProof memory own = l2.prove(account);
        IL2.AccountProof memory other = l2.prove(AliasAddresses.account(wallet));
        bytes[2] memory calls = [
            abi.encodeCall(IRollupExit.exitAlias, (address(paid), own.nodes)),
            abi.encodeCall(IRollupExit.exitAlias, (wallet, other.nodes))
        ];
        bytes[2] memory refusals = [
            abi.encodeWithSelector(IRollupExit.AlreadyExited.selector, account),
            abi.encodeWithSelector(IL1MessageQueue.Reentrancy.selector)
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 state = vm.snapshotState();
            paid.prepare(address(exit_), calls[i]);
            exit_.exitAlias(address(paid), own.nodes);
            assertEq(paid.answer(), refusals[i]);
            assertEq(address(paid).balance, 2 ether);
            vm.revertToState(state);
        }
        exit_.exitAlias(wallet, other.nodes);
        assertEq(wallet.balance, 1 ether);
    }

    // ------------------------------------------------------------------ messages

    function test_claims_do_not_expire() public {
        IL1MessageQueue.Message memory m = queueSend("alice", wallet, bob, 2 ether, 1, 50_000, "");
        advanceSends();
        advance();
        close();
        skip(1000 days);
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        queue.claim(m, proof, bob);
        assertEq(wallet.balance, 2 ether);
        expectRefused(abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, m.index));
        queue.claim(m, proof, bob);
    }

    function test_unrelayed_messages_are_returned() public {
        send(bob, 1 ether, 0, "");
        arrive();
        // Index 1 and 2 in one L1 block, 3 in another; refunds to bob, to the sender's alias
        // account, and to the sender.
        send(wallet, bob, 2 ether, 3, 100_000, "data");
        address account = AliasAddresses.account(alice);
        send(wallet, account, 4 ether, 0, 0, "");
        nextL1Block();
        send(wallet, alice, 8 ether, 0, 0, "");
        IL1MessageQueue.Checkpoint memory before = states[1];
        IL1MessageQueue.Checkpoint memory next = states[3];
        close();
        IL1MessageQueue.Message memory m = message(1);
        expectRefused(
            abi.encodeWithSelector(IRollupExit.NotRefundable.selector, address(this), bob)
        );
        exit_.returnMessage(m, before, next, hashes(1, 3));
        vm.prank(bob);
        exit_.returnMessage(m, before, next, hashes(1, 3));
        assertEq(bob.balance, 2 ether + 3);
        vm.prank(bob);
        expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, 1));
        exit_.returnMessage(m, before, next, hashes(1, 3));

        vm.deal(alice, 0);
        vm.startPrank(alice);
        exit_.returnMessage(message(2), before, next, hashes(1, 3));
        assertEq(alice.balance, 4 ether);
        exit_.returnMessage(message(3), next, queue.checkpoint(), hashes(3, 4));
        assertEq(alice.balance, 12 ether);

        // The relayed message, one that was never sent, and made-up lists.
        expectRefused(abi.encodeWithSelector(IRollupExit.MessageRelayed.selector, 0, 1));
        exit_.returnMessage(message(0), states[0], before, hashes(0, 1));
        m.value += 1;
        m.refundTo = alice;
        vm.expectPartialRevert(IRollupExit.MessageMismatch.selector);
        exit_.returnMessage(m, before, next, hashes(1, 3));
        bytes32[] memory list = hashes(1, 3);
        list[0] = hashOf(m);
        vm.expectPartialRevert(IRollupExit.HashesMismatch.selector);
        exit_.returnMessage(m, before, next, list);
        m.index = 9;
        vm.expectPartialRevert(IRollupExit.MessageMismatch.selector);
        exit_.returnMessage(m, before, next, hashes(1, 3));
        // Each of the checkpoints must be one.
        next.count += 1;
        vm.expectPartialRevert(IRollupExit.NotCheckpoint.selector);
        exit_.returnMessage(message(2), before, next, hashes(1, 3));
        next.count -= 1;
        before.count += 1;
        vm.expectPartialRevert(IRollupExit.NotCheckpoint.selector);
        exit_.returnMessage(message(2), before, next, hashes(1, 3));
        vm.stopPrank();
    }

    function test_message_without_refund_account_returns_to_sender() public {
        send(wallet, address(0), 2 ether, 3, 0, "");
        close();
        vm.deal(alice, 0);
        IL1MessageQueue.Message memory m = message(0);
        expectRefused(
            abi.encodeWithSelector(IRollupExit.NotRefundable.selector, address(this), alice)
        );
        exit_.returnMessage(m, states[0], states[1], hashes(0, 1));
        vm.prank(alice);
        exit_.returnMessage(m, states[0], states[1], hashes(0, 1));
        assertEq(alice.balance, 2 ether + 3);
    }

    function test_stored_messages_are_returned() public {
        // A call of an account without code fails, and its fee is the relayer's.
        send(makeAddr("no code"), alice, 2 ether, 5, 100_000, "data");
        arrive();
        send(holder, alice, 4 ether, 7, 100_000, "");
        parkAll();
        send(bob, 1 ether, 0, "");
        arrive();
        close();
        vm.deal(alice, 0);
        uint256 paid = 0;
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 slot = keccak256(abi.encode(hashOf(message(i)), 2));
            IL2.AccountProof memory p = l2.prove(MESSENGER, slot);
            bytes[] memory nodes = p.slots[0].nodes;
            expectRefused(
                abi.encodeWithSelector(IRollupExit.NotRefundable.selector, address(this), alice)
            );
            exit_.returnKept(message(i), nodes);
            vm.startPrank(alice);
            exit_.returnKept(message(i), nodes);
            paid += i == 0 ? 2 ether : 4 ether + 7;
            assertEq(alice.balance, paid);
            expectRefused(abi.encodeWithSelector(IRollupExit.AlreadyReturned.selector, i));
            exit_.returnKept(message(i), nodes);
            vm.stopPrank();
        }
        bytes32 delivered = hashOf(message(2));
        IL2.AccountProof memory q = l2.prove(MESSENGER, keccak256(abi.encode(delivered, 2)));
        vm.prank(alice);
        expectRefused(abi.encodeWithSelector(IRollupExit.MessageNotKept.selector, delivered));
        exit_.returnKept(message(2), q.slots[0].nodes);
    }

    // ------------------------------------------------------------------ all of it

    /// @dev Pays everything that can be paid, after a random history: exactly the escrow, less the
    /// burned fees and what is in contracts.
    function testFuzz_all_payments_together_are_covered(uint256 seed) public {
        uint256 minted = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint128 value = uint128(1 + uint256(keccak256(abi.encode(seed, i))) % 10 ether);
            send(i == 1 ? holder : bob, alice, value, 9, i == 1 ? 50_000 : 0, "");
            minted += value + 9;
            nextL1Block();
            if ((seed >> i) & 1 != 0) bringOver();
        }
        uint64 relayed_ = relayedCount();
        l2.transfer("alice", bob, seed % 100 ether);
        // forge-lint: disable-next-line(unsafe-typecast)
        uint128 withdrawn = uint128(seed % 7 ether);
        IL1MessageQueue.Message memory m = queueSend("bob", wallet, bob, withdrawn, 1, 50_000, "");
        advanceSends();
        close();

        uint256 before = address(queue).balance;
        assertEq(before, GENESIS + minted);
        address[4] memory accounts = [alice, bob, relayer, L2.account("fees")];
        uint256 paid = uint256(m.value) + m.fee;
        for (uint256 i = 0; i < accounts.length; ++i) {
            IL2.AccountProof memory p = l2.prove(accounts[i]);
            if (p.balance == 0) continue;
            vm.prank(accounts[i]);
            exit_.exit(accounts[i], address(0), p.nodes);
            paid += p.balance;
        }
        queue.claim(m, messageProof(m.index), bob);
        vm.startPrank(alice);
        for (uint256 i = relayed_; i < 3; ++i) {
            exit_.returnMessage(message(i), states[i], queue.checkpoint(), hashes(i, 3));
            paid += message(i).value + message(i).fee;
        }
        vm.stopPrank();
        assertEq(address(queue).balance, before - paid);
        // The rest: contracts of the genesis, a deposit to one, and burned fees.
        uint256 rest = l2.balanceOf(holder) + l2.balanceOf(delegating);
        assertGe(before - paid, rest);
        assertLt(before - paid - rest, 1 ether);
    }
}
