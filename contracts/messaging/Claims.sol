// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "../interfaces/INativeRollup.sol";
import {Bitmap} from "../libraries/Bitmap.sol";
import {Delivery} from "../libraries/Delivery.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {Escrow} from "./Escrow.sol";
import {Messages} from "./Messages.sol";

/// @title Messages from the L2, and the way out of the escrow
/// @notice `L2Messenger` keeps the hash of each message that it sends in a slot of its own for good. A
/// claim proves that slot against a state root of the rollup, marks the message in a bitmap, and
/// delivers it. A message that its target refuses stays claimable; if the target will never take it,
/// the account that the sender named for that gets the value.
///
/// The proof has two halves: the account of the messenger against the state root, and the slot against
/// the account's storage root. The first claim of an L2 block leaves the storage root behind, so the
/// others bring the second half only.
/// @dev ETH leaves the escrow as value and fee of such messages and in no other way. On the L2 that ETH
/// went into the messenger when the message was sent, so what is paid here is no longer there.
abstract contract Claims is Escrow {
    using Bitmap for Bitmap.Bits;

    /// @inheritdoc IL1MessageQueue
    uint64 public constant STORAGE_ROOTS = 8191;

    /// @dev Commitments to storage roots of the messenger, by L2 block modulo `STORAGE_ROOTS`.
    bytes32[STORAGE_ROOTS] private _storageRoots;

    /// @dev Indices of the messages that were claimed or refunded.
    Bitmap.Bits private _claimed;

    /// @dev L2 sender of the message that is being delivered; zero at all other times.
    address private transient _sender;

    /// @dev Whether a call that delivers or pays is under way.
    bool private transient _busy;

    /// @dev A target that could claim in turn would see, or leave behind, another sender.
    modifier exclusive() {
        if (_busy) revert Reentrancy();
        _busy = true;
        _;
        _busy = false;
    }

    /// @inheritdoc IL1MessageQueue
    function claim(Message calldata message, MessageProof calldata proof, address feeRecipient)
        external
        exclusive
    {
        if (_isForbidden(message.to)) revert TargetForbidden(message.to);
        _take(message, proof);
        if (!_deliver(message)) revert DeliveryFailed(Delivery.reason());
        emit MessageClaimed(message.index);
        _release(feeRecipient, message.fee);
    }

    /// @inheritdoc IL1MessageQueue
    function refund(Message calldata message, MessageProof calldata proof, address recipient)
        external
        exclusive
        returns (bool delivered)
    {
        if (msg.sender != message.refundTo) revert NotRefundable(msg.sender, message.refundTo);
        _take(message, proof);
        // Only a target that refuses loses the message. It had the gas that was promised to it.
        delivered = !_isForbidden(message.to) && _deliver(message);
        if (delivered) {
            emit MessageClaimed(message.index);
            _release(recipient, message.fee);
        } else {
            emit MessageRefunded(message.index, recipient, message.value);
            _release(recipient, uint256(message.value) + message.fee);
        }
    }

    /// @inheritdoc IL1MessageQueue
    function isClaimed(uint64 index) external view returns (bool) {
        return _claimed.get(index);
    }

    /// @inheritdoc IL1MessageQueue
    function l2Sender() external view returns (address sender) {
        sender = _sender;
        if (sender == address(0)) revert NoDelivery();
    }

    /// @dev Whether an account must never be called on behalf of the L2. Messages would speak with this
    /// contract's voice: to itself they could send in its name.
    function _isForbidden(address to) private view returns (bool) {
        return to == address(this) || to == ROLLUP;
    }

    /// @dev Marks a message as claimed, and proves that it was sent.
    function _take(Message calldata message, MessageProof calldata proof) private {
        if (!_claimed.add(message.index)) revert AlreadyClaimed(message.index);
        bytes32 got = Messages.hash(
            Messages.Header({
                sender: message.sender,
                to: message.to,
                refundTo: message.refundTo,
                value: message.value,
                fee: message.fee,
                gasLimit: message.gasLimit,
                index: message.index,
                dataHash: keccak256(message.data)
            })
        );
        _requireStorageRoot(proof);
        bytes32 slot = Messages.sentSlot(message.index);
        bytes32 expected = bytes32(StateProof.slot(proof.storageRoot, slot, proof.storageProof));
        if (got != expected) revert MessageNotSent(message.index, got, expected);
    }

    /// @dev The storage root that the claim builds on is that of the messenger after the named block.
    function _requireStorageRoot(MessageProof calldata proof) private {
        uint64 number = proof.l2Block;
        bytes32 root = proof.storageRoot;
        bytes32 commitment = Messages.extend(bytes32(uint256(number)), root);
        if (proof.accountProof.length == 0) {
            if (_storageRoots[number % STORAGE_ROOTS] != commitment) {
                revert StorageRootUnknown(number, root);
            }
            return;
        }
        bytes32 stateRoot = INativeRollup(ROLLUP).stateRootAt(number);
        bytes32 proven =
            StateProof.storageRoot(stateRoot, Predeploys.L2_MESSENGER, proof.accountProof);
        if (proven != root) revert StorageRootMismatch(root, proven);
        _storageRoots[number % STORAGE_ROOTS] = commitment;
    }

    /// @dev Calls the target, with `message.gasLimit` at least.
    function _deliver(Message calldata message) private returns (bool ok) {
        _sender = message.sender;
        ok = Delivery.call(
            message.to, message.value, message.gasLimit, type(uint256).max, message.data
        );
        _sender = address(0);
    }

    /// @dev Pays out of the escrow.
    function _release(address to, uint256 amount) private {
        if (amount == 0) return;
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert ReleaseFailed(to, amount);
    }
}
