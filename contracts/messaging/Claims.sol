// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibBitmap} from "solady/utils/LibBitmap.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {Delivery} from "../libraries/Delivery.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {Escrow} from "./Escrow.sol";
import {Messages} from "./Messages.sol";

/// @title Claims of messages from the L2, and payments from the escrow
/// @notice `L2Messenger` permanently stores the hash of each message that it sends in a slot of its
/// own. A claim proves that slot against a state root of the rollup, marks the message in a bitmap,
/// and delivers it. If the target rejects a message, it can be claimed again; if the target will
/// never accept it, the account that the sender designated receives the value.
///
/// The proof has two parts: the messenger's account against the state root, and the slot against
/// the account's storage root. The first claim for an L2 block stores the storage root, so later
/// claims need only the second part.
/// @dev ETH leaves the escrow only as value or fee of such messages. On the L2, that ETH was
/// transferred to the messenger when the message was sent, so the ETH that is paid out here no
/// longer circulates there.
abstract contract Claims is Escrow {
    using LibBitmap for LibBitmap.Bitmap;

    /// @inheritdoc IL1MessageQueue
    uint64 public constant STORAGE_ROOTS = 8191;

    /// @dev Commitments to storage roots of the messenger, by L2 block modulo `STORAGE_ROOTS`.
    bytes32[STORAGE_ROOTS] private _storageRoots;

    /// @dev Bitmap of messages that were claimed or refunded, by index.
    LibBitmap.Bitmap private _claimed;

    /// @dev Zero outside of claims and refunds. During one, the bit `BUSY`; during a delivery also
    /// the L2 sender of the message, in the lower bits.
    uint256 private transient _busy;

    /// @dev Lock bit, above all addresses.
    uint256 private constant BUSY = 1 << 160;

    /// @dev Without the lock, a target that makes a claim would see, or leave behind, the sender of
    /// another message.
    modifier exclusive() {
        if (_busy != 0) revert Reentrancy();
        _busy = BUSY;
        _;
        _busy = 0;
    }

    /// @inheritdoc IL1MessageQueue
    function claim(Message calldata message, MessageProof calldata proof, address feeRecipient)
        external
        exclusive
    {
        bytes calldata data = message.data;
        Messages.Header memory header = _take(message, data, proof);
        if (_isForbidden(header.to)) revert TargetForbidden(header.to);
        if (Delivery.isUnheard(header.to, data)) revert TargetWithoutCode(header.to);
        if (!_deliver(header, data)) revert DeliveryFailed(Delivery.reason());
        emit MessageClaimed(header.index);
        _release(feeRecipient, header.fee);
    }

    /// @inheritdoc IL1MessageQueue
    function refund(Message calldata message, MessageProof calldata proof, address recipient)
        external
        exclusive
        returns (bool delivered)
    {
        if (msg.sender != message.refundTo) revert NotRefundable(msg.sender, message.refundTo);
        bytes calldata data = message.data;
        Messages.Header memory header = _take(message, data, proof);
        // The value goes to `recipient` only if the target itself rejected the message, with at
        // least the message's gas limit.
        delivered = !_isForbidden(header.to) && !Delivery.isUnheard(header.to, data)
            && _deliver(header, data);
        if (delivered) {
            emit MessageClaimed(header.index);
            _release(recipient, header.fee);
        } else {
            emit MessageRefunded(header.index, recipient, header.value);
            _release(recipient, uint256(header.value) + header.fee);
        }
    }

    /// @inheritdoc IL1MessageQueue
    function closeAndPay(address to, uint256 amount) external exclusive {
        if (msg.sender != EXIT_CONTRACT) revert NotExit(msg.sender);
        _close();
        _release(to, amount);
    }

    /// @inheritdoc IL1MessageQueue
    function isClaimed(uint64 index) external view returns (bool) {
        return _claimed.get(index);
    }

    /// @inheritdoc IL1MessageQueue
    function l2Sender() external view returns (address sender) {
        // The low 160 bits are the account.
        // forge-lint: disable-next-line(unsafe-typecast)
        sender = address(uint160(_busy));
        if (sender == address(0)) revert NoDelivery();
    }

    /// @dev Returns `true` if an account must never be called on behalf of the L2. The caller would
    /// be this contract, so a message to itself could send messages in its name.
    function _isForbidden(address to) private view returns (bool) {
        return to == address(this) || to == ROLLUP;
    }

    /// @dev Marks a message as claimed, and proves that it was sent.
    ///
    /// The fields are copied from calldata without a check. A word that exceeds its type results in
    /// a hash that no message has, so the claim reverts before any use of the field.
    function _take(Message calldata message, bytes calldata data, MessageProof calldata proof)
        private
        returns (Messages.Header memory header)
    {
        assembly ("memory-safe") {
            // All words but the last: a header contains the hash of the data where a message
            // contains their offset.
            calldatacopy(header, message, 0xe0)
        }
        header.dataHash = keccak256(data);
        uint64 index = header.index;
        if (_GUARDIAN != address(0)) {
            // A call without data also executes the target's code, which sees the L2 sender.
            bool calls = data.length != 0 || header.to.code.length != 0;
            _requireClaimable(uint256(header.value) + header.fee, calls);
        }
        // If the bit was already set, this clears it, but the call reverts.
        if (!_claimed.toggle(index)) revert AlreadyClaimed(index);
        bytes32 got = Messages.hash(header);
        _requireStorageRoot(proof);
        uint256 expected =
            StateProof.slot(proof.storageRoot, Messages.sentSlot(index), proof.storageProof);
        if (got != bytes32(expected)) revert MessageNotSent(index, got, bytes32(expected));
    }

    /// @dev Reverts unless the storage root of the claim is that of the messenger after the given
    /// block.
    function _requireStorageRoot(MessageProof calldata proof) private {
        uint64 number = proof.l2Block;
        bytes32 root = proof.storageRoot;
        uint256 place = uint256(number) % STORAGE_ROOTS;
        bytes32 commitment = Messages.extend(bytes32(uint256(number)), root);
        bytes[] calldata accountProof = proof.accountProof;
        if (accountProof.length == 0) {
            if (_storageRoots[place] != commitment) revert StorageRootUnknown(number, root);
            return;
        }
        bytes32 stateRoot = IRollup(ROLLUP).stateRootAt(number);
        bytes32 proven = StateProof.storageRoot(stateRoot, Predeploys.L2_MESSENGER, accountProof);
        if (proven != root) revert StorageRootMismatch(root, proven);
        _storageRoots[place] = commitment;
    }

    /// @dev Calls the target with at least the message's gas limit.
    function _deliver(Messages.Header memory header, bytes calldata data)
        private
        returns (bool ok)
    {
        _busy = BUSY | uint160(header.sender);
        ok = Delivery.call(header.to, header.value, header.gasLimit, type(uint256).max, data);
        _busy = BUSY;
    }

    /// @dev Pays ETH from the escrow.
    function _release(address to, uint256 amount) private {
        if (amount == 0) return;
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert ReleaseFailed(to, amount);
    }
}
