// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {SmallTries} from "../utils/SmallTries.sol";

/// @dev State that the first claim for an L2 block stores for later claims. There is one message,
/// which is stored on the L2 after every block.
contract StorageRootsTest is Test {
    address private immutable ROLLUP = makeAddr("rollup");
    uint256 private constant RING_SLOT = 1_048_578;
    uint64 private constant RING = 8191;

    L1MessageQueue private queue;
    IL1MessageQueue.Message private message;
    bytes32 private storageRoot;
    bytes[] private storageProof;
    bytes[] private accountProof;

    function setUp() public {
        queue = new L1MessageQueue(ROLLUP, address(0), 0, 0, 0, 16_382, Guardians.none());
        message.to = address(0xaaaa);
        bytes32 hash = Messages.hash(
            Messages.Header(address(0), message.to, address(0), 0, 0, 0, 0, keccak256(""))
        );
        bytes32 stateRoot;
        (storageRoot, storageProof) = SmallTries.storageTrie(Messages.sentSlot(0), hash);
        (stateRoot, accountProof) = SmallTries.stateTrie(Predeploys.L2_MESSENGER, storageRoot);
        vm.mockCall(
            ROLLUP, abi.encodeWithSelector(IRollup.stateRootAt.selector), abi.encode(stateRoot)
        );
    }

    function proofAt(uint64 number) private view returns (IL1MessageQueue.MessageProof memory) {
        return IL1MessageQueue.MessageProof(number, storageRoot, accountProof, storageProof);
    }

    function halfAt(uint64 number)
        private
        view
        returns (IL1MessageQueue.MessageProof memory proof)
    {
        proof = proofAt(number);
        delete proof.accountProof;
    }

    /// @dev Claims, and clears the mark of the claim.
    function claimAgain(IL1MessageQueue.MessageProof memory proof) private {
        queue.claim(message, proof, address(0));
        vm.store(address(queue), claimedSlot(), 0);
        assertFalse(queue.isClaimed(0));
    }

    /// @dev Returns the slot of the bitmap's first word; the bitmap is the mapping in slot 1056769.
    function claimedSlot() private pure returns (bytes32) {
        return keccak256(abi.encode(uint256(0), uint256(1_056_769)));
    }

    function expectUnknown(uint64 number) private {
        IL1MessageQueue.MessageProof memory half = halfAt(number);
        vm.expectRevert(
            abi.encodeWithSelector(IL1MessageQueue.StorageRootUnknown.selector, number, storageRoot)
        );
        queue.claim(message, half, address(0));
    }

    function testFuzz_storage_root_is_that_of_one_block(uint64 number, uint64 other) public {
        vm.assume(number != other);
        claimAgain(proofAt(number));
        expectUnknown(other);
        claimAgain(halfAt(number));
    }

    /// @dev Blocks with the same index in the ring and the same storage root.
    function testFuzz_state_root_slot_is_reused_after_one_ring(uint64 number, uint8 rounds) public {
        number = uint64(bound(number, 0, type(uint64).max / 2));
        uint64 other = number + RING * (uint64(rounds) + 1);
        claimAgain(proofAt(number));
        expectUnknown(other);
        claimAgain(halfAt(number));
        claimAgain(proofAt(other));
        expectUnknown(number);
    }

    function testFuzz_ring_has_8191_slots(uint64 number) public {
        bytes32 place = bytes32(RING_SLOT + number % RING);
        assertEq(vm.load(address(queue), place), 0);
        queue.claim(message, proofAt(number), address(0));
        assertEq(
            vm.load(address(queue), place), keccak256(abi.encode(uint256(number), storageRoot))
        );
    }

    function test_each_of_8191_blocks_has_its_own_slot() public {
        claimAgain(proofAt(8190));
        claimAgain(proofAt(8191));
        claimAgain(proofAt(8192));
        claimAgain(halfAt(8190));
        claimAgain(halfAt(8191));
        claimAgain(halfAt(8192));
        claimAgain(proofAt(0));
        expectUnknown(8191);
        claimAgain(halfAt(8192));
    }
}

/// @dev Reads the L2 sender when it is paid.
contract Curious {
    bytes public seen;

    receive() external payable {
        // forge-lint: disable-next-line(unchecked-call)
        (, seen) = msg.sender.call(abi.encodeCall(IL1MessageQueue.l2Sender, ()));
    }
}

/// @dev Makes one call of the account that pays it.
contract CallingBack {
    bytes private inner;
    bytes public answer;

    constructor(bytes memory inner_) {
        inner = inner_;
    }

    receive() external payable {
        // forge-lint: disable-next-line(unchecked-call)
        (, answer) = msg.sender.call(inner);
    }
}

/// @dev The target of a message sees the L2 sender, but no other account that is paid does: the
/// caller of a claim chooses the recipient of fees.
contract L2SenderTest is Test {
    address private immutable ROLLUP = makeAddr("rollup");
    address private immutable SENDER = makeAddr("sender on the L2");

    L1MessageQueue private queue;
    Curious private curious = new Curious();
    IL1MessageQueue.Message private message;

    function setUp() public {
        queue = new L1MessageQueue(ROLLUP, address(0), 0, 0, 0, 16_382, Guardians.none());
        vm.deal(address(queue), 1 ether);
        message.sender = SENDER;
        message.refundTo = address(this);
        message.value = 1;
        message.fee = 2;
    }

    function proof() private returns (IL1MessageQueue.MessageProof memory p) {
        bytes32 hash = Messages.hash(
            Messages.Header(
                SENDER, message.to, address(this), 1, 2, message.gasLimit, 0, keccak256("")
            )
        );
        bytes32 stateRoot;
        (p.storageRoot, p.storageProof) = SmallTries.storageTrie(Messages.sentSlot(0), hash);
        (stateRoot, p.accountProof) = SmallTries.stateTrie(Predeploys.L2_MESSENGER, p.storageRoot);
        vm.mockCall(ROLLUP, abi.encodeCall(IRollup.stateRootAt, (0)), abi.encode(stateRoot));
    }

    function noSender() private pure returns (bytes memory) {
        return abi.encodeWithSelector(IL1MessageQueue.NoDelivery.selector);
    }

    function test_target_sees_sender() public {
        message.to = address(curious);
        message.gasLimit = 200_000;
        queue.claim(message, proof(), address(0xfee5));
        assertEq(curious.seen(), abi.encode(SENDER));
    }

    function test_fee_recipient_of_claim_sees_no_sender() public {
        message.to = address(0xaaaa);
        queue.claim(message, proof(), address(curious));
        assertEq(address(curious).balance, 2);
        assertEq(curious.seen(), noSender());
    }

    function test_fee_recipient_of_delivered_refund_sees_no_sender() public {
        message.to = address(0xaaaa);
        assertTrue(queue.refund(message, proof(), address(curious)));
        assertEq(address(curious).balance, 2);
        assertEq(curious.seen(), noSender());
    }

    function test_fee_recipient_of_paid_refund_sees_no_sender() public {
        // This contract does not accept the message.
        message.to = address(this);
        assertFalse(queue.refund(message, proof(), address(curious)));
        assertEq(address(curious).balance, 3);
        assertEq(curious.seen(), noSender());
    }

    /// @dev Not even if nothing was delivered before, because the rollup is never called.
    function test_claims_are_rejected_during_refund_payment() public {
        IL1MessageQueue.Message memory other;
        (other.sender, other.to, other.index, other.value) = (SENDER, address(0xaaaa), 1, 1);
        bytes32 hash =
            Messages.hash(Messages.Header(SENDER, other.to, address(0), 1, 0, 0, 1, keccak256("")));
        IL1MessageQueue.MessageProof memory p;
        bytes32 stateRoot;
        (p.storageRoot, p.storageProof) = SmallTries.storageTrie(Messages.sentSlot(1), hash);
        (stateRoot, p.accountProof) = SmallTries.stateTrie(Predeploys.L2_MESSENGER, p.storageRoot);
        p.l2Block = 1;
        vm.mockCall(ROLLUP, abi.encodeCall(IRollup.stateRootAt, (1)), abi.encode(stateRoot));
        bytes memory claim = abi.encodeCall(queue.claim, (other, p, address(0)));

        CallingBack recipient = new CallingBack(claim);
        message.to = ROLLUP;
        assertFalse(queue.refund(message, proof(), address(recipient)));
        assertEq(address(recipient).balance, 3);
        assertEq(recipient.answer(), abi.encodeWithSelector(IL1MessageQueue.Reentrancy.selector));
        assertFalse(queue.isClaimed(1));
        (bool ok,) = address(queue).call(claim);
        assertTrue(ok, "and afterwards it is");
    }
}
