// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Delivery} from "../../contracts/libraries/Delivery.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {Target} from "../utils/Targets.sol";

/// @dev Stores its call, and reverts if it is set to.
contract L1Target is Target {
    address internal immutable MESSAGE_QUEUE;
    bool public refusing;
    address public caller;
    address public l2Sender;
    uint256 public value;
    uint256 public gas;
    bytes public data;
    uint256 public count;

    constructor(address queue) {
        MESSAGE_QUEUE = queue;
    }

    function refuse(bool refusing_) external {
        refusing = refusing_;
    }

    function take() internal override {
        gas = gasleft();
        require(!refusing, "no");
        caller = msg.sender;
        l2Sender = IL1MessageQueue(MESSAGE_QUEUE).l2Sender();
        value = msg.value;
        data = msg.data;
        ++count;
    }
}

contract ClaimsTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant TO = address(0xaaaa);
    address internal constant FEES = address(0xfee5);

    L1Target internal target;
    address internal owner = makeAddr("owner of what is refused");

    function setUp() public override {
        super.setUp();
        target = new L1Target(address(queue));
        // ETH that backs the accounts of the genesis.
        send(alice, 100 ether, 0, "");
        nextL1Block();
        bringOver();
    }

    function claim(IL1MessageQueue.Message memory m) internal {
        queue.claim(m, messageProof(m.index), FEES);
    }

    function expectRefused(
        IL1MessageQueue.Message memory m,
        IL1MessageQueue.MessageProof memory proof,
        bytes memory error_
    ) internal {
        vm.expectRevert(error_);
        queue.claim(m, proof, FEES);
    }

    function testFuzz_message_from_l2_is_delivered_on_l1_unchanged(
        uint64 value,
        uint64 fee,
        uint32 gasLimit,
        bytes calldata data
    ) public {
        gasLimit = uint32(bound(gasLimit, 700_000, 8_000_000));
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), owner, value, fee, gasLimit, data);
        advanceSends();
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.MessageClaimed(m.index);
        claim(m);

        assertEq(target.caller(), address(queue));
        assertEq(target.l2Sender(), bob);
        assertEq(target.value(), value);
        assertEq(target.data(), data);
        assertGe(target.gas() + 300, gasLimit);
        assertEq(FEES.balance, fee);
        assertEq(address(queue).balance, 100 ether - value - fee);
        assertTrue(queue.isClaimed(m.index));
        vm.expectRevert(IL1MessageQueue.NoDelivery.selector);
        queue.l2Sender();
    }

    function testFuzz_message_with_anything_changed_is_rejected(uint8 field, uint64 other) public {
        vm.etch(TO, hex"00");
        IL1MessageQueue.Message memory m = queueSend("bob", TO, owner, 5, 7, 11, hex"c0ffee");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        IL1MessageQueue.Message memory c = abi.decode(abi.encode(m), (IL1MessageQueue.Message));
        field = field % 7;
        if (field == 0) c.sender = address(uint160(other));
        else if (field == 1) c.to = address(uint160(0x1000) + other);
        else if (field == 2) c.refundTo = address(uint160(other));
        else if (field == 3) c.value = other;
        else if (field == 4) c.fee = other;
        else if (field == 5) c.gasLimit = other % 1_000_000;
        else c.data = abi.encode(other);
        vm.assume(keccak256(abi.encode(c)) != keccak256(abi.encode(m)));
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        queue.claim(c, proof, FEES);
        queue.claim(m, proof, FEES);
    }

    function test_index_of_another_message_is_rejected() public {
        IL1MessageQueue.Message memory m = queueSend("bob", TO, owner, 5, 0, 0, "");
        queueSend("bob", TO, owner, 6, 0, 0, "");
        advanceSends();
        m.index = 1;
        IL1MessageQueue.MessageProof memory proof = messageProof(1);
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        queue.claim(m, proof, FEES);
        // A message that was never sent, with a proof that the slot is empty.
        m.index = 2;
        proof = messageProof(2);
        vm.expectPartialRevert(IL1MessageQueue.MessageNotSent.selector);
        queue.claim(m, proof, FEES);
        m.index = 0;
        claim(m);
    }

    function test_further_claims_of_block_cost_half_the_proof() public {
        IL1MessageQueue.Message memory m = queueSend("bob", TO, owner, 5, 0, 0, "");
        IL1MessageQueue.Message memory n = queueSend("bob", TO, owner, 6, 0, 0, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory half = messageProof(n.index);
        half.accountProof = new bytes[](0);
        bytes memory unknown = abi.encodeWithSelector(
            IL1MessageQueue.StorageRootUnknown.selector, half.l2Block, half.storageRoot
        );
        expectRefused(n, half, unknown);
        claim(m);
        // Not for another block, nor with another root.
        half.l2Block -= 1;
        expectRefused(
            n,
            half,
            abi.encodeWithSelector(
                IL1MessageQueue.StorageRootUnknown.selector, half.l2Block, half.storageRoot
            )
        );
        half.l2Block += 1;
        bytes32 root = half.storageRoot;
        half.storageRoot = keccak256("another");
        expectRefused(
            n,
            half,
            abi.encodeWithSelector(
                IL1MessageQueue.StorageRootUnknown.selector, half.l2Block, half.storageRoot
            )
        );
        half.storageRoot = root;
        queue.claim(n, half, FEES);
        assertEq(TO.balance, 11);
    }

    function test_proofs_of_other_states_are_rejected() public {
        IL1MessageQueue.Message memory m = queueSend("bob", TO, owner, 5, 0, 0, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);

        proof.l2Block -= 1;
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        queue.claim(m, proof, FEES);
        proof.l2Block += 2;
        uint64 latest = rollup.head().number;
        expectRefused(
            m,
            proof,
            abi.encodeWithSelector(IRollup.StateRootUnavailable.selector, proof.l2Block, latest)
        );
        proof.l2Block -= 1;

        // The storage of another account.
        IL2.AccountProof memory other = l2.prove(Predeploys.L1_ANCHOR, 0);
        bytes[] memory right = proof.accountProof;
        proof.accountProof = other.nodes;
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        queue.claim(m, proof, FEES);
        proof.accountProof = right;
        bytes32 root = proof.storageRoot;
        proof.storageRoot = other.storageRoot;
        expectRefused(
            m,
            proof,
            abi.encodeWithSelector(
                IL1MessageQueue.StorageRootMismatch.selector, other.storageRoot, root
            )
        );
        proof.storageRoot = root;
        queue.claim(m, proof, FEES);
    }

    // ------------------------------------------------------------------ targets that reject

    function test_rejected_message_can_be_claimed_again() public {
        target.refuse(true);
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), owner, 5, 7, 100_000, "");
        advanceSends();
        bytes memory reason = abi.encodeWithSignature("Error(string)", "no");
        expectRefused(
            m,
            messageProof(m.index),
            abi.encodeWithSelector(IL1MessageQueue.DeliveryFailed.selector, reason)
        );
        assertFalse(queue.isClaimed(m.index));
        assertEq(FEES.balance, 0);
        target.refuse(false);
        claim(m);
        assertEq(target.value(), 5);
    }

    function test_rejected_message_is_refunded_to_named_account() public {
        target.refuse(true);
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), owner, 5, 7, 100_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.NotRefundable.selector, address(this), owner)
        );
        queue.refund(m, proof, TO);

        vm.expectEmit(address(queue));
        emit IL1MessageQueue.MessageRefunded(m.index, TO, 5);
        vm.prank(owner);
        assertFalse(queue.refund(m, proof, TO));
        assertEq(TO.balance, 12);
        target.refuse(false);
        expectRefused(
            m, proof, abi.encodeWithSelector(IL1MessageQueue.AlreadyClaimed.selector, m.index)
        );
    }

    function test_data_for_account_without_code_waits_for_code() public {
        address late = makeAddr("late");
        IL1MessageQueue.Message memory m = queueSend("bob", late, owner, 5, 7, 100_000, hex"01");
        IL1MessageQueue.Message memory other = queueSend("bob", late, owner, 5, 7, 100_000, hex"01");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        expectRefused(
            m, proof, abi.encodeWithSelector(IL1MessageQueue.TargetWithoutCode.selector, late)
        );
        IL1MessageQueue.MessageProof memory otherProof = messageProof(other.index);
        vm.prank(owner);
        assertFalse(queue.refund(other, otherProof, TO));
        assertEq(TO.balance, 12);
        vm.etch(late, hex"00");
        claim(m);
        assertEq(late.balance, 5);
    }

    function test_refund_of_payable_message_is_a_claim() public {
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), owner, 5, 7, 300_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.MessageClaimed(m.index);
        vm.prank(owner);
        assertTrue(queue.refund(m, proof, TO));
        assertEq(target.value(), 5);
        assertEq(TO.balance, 7);
    }

    function test_claim_events_name_index_of_each_message() public {
        queueSend("bob", TO, owner, 1, 0, 0, "");
        IL1MessageQueue.Message[] memory m = new IL1MessageQueue.Message[](3);
        for (uint256 i = 0; i < 3; ++i) {
            m[i] = queueSend("bob", address(target), owner, 5, 7, 300_000, "");
            assertEq(m[i].index, i + 1);
        }
        advanceSends();
        IL1MessageQueue.MessageProof[] memory proofs = new IL1MessageQueue.MessageProof[](3);
        for (uint256 i = 0; i < 3; ++i) {
            proofs[i] = messageProof(m[i].index);
        }
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.MessageClaimed(1);
        queue.claim(m[0], proofs[0], FEES);
        vm.startPrank(owner);
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.MessageClaimed(2);
        assertTrue(queue.refund(m[1], proofs[1], TO));
        target.refuse(true);
        vm.expectEmit(address(queue));
        emit IL1MessageQueue.MessageRefunded(3, TO, 5);
        assertFalse(queue.refund(m[2], proofs[2], TO));
        vm.stopPrank();
    }

    function test_rejected_fees_leave_message_claimable() public {
        IL1MessageQueue.Message memory m = queueSend("bob", TO, owner, 5, 7, 0, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        target.refuse(true);
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.ReleaseFailed.selector, address(target), 7)
        );
        queue.claim(m, proof, address(target));
        queue.claim(m, proof, FEES);
    }

    function test_delivery_with_less_gas_reverts() public {
        IL1MessageQueue.Message memory m =
            queueSend("bob", address(target), owner, 5, 7, 2_000_000, "");
        advanceSends();
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        vm.expectPartialRevert(Delivery.InsufficientGas.selector);
        queue.claim{gas: 2_000_000}(m, proof, FEES);
        vm.expectPartialRevert(Delivery.InsufficientGas.selector);
        vm.prank(owner);
        queue.refund{gas: 2_000_000}(m, proof, FEES);
        claim(m);
    }
}
