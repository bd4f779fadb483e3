// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibBitmap} from "solady/utils/LibBitmap.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "../interfaces/INativeRollup.sol";
import {Delivery} from "../libraries/Delivery.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {Escrow} from "./Escrow.sol";
import {Messages} from "./Messages.sol";

/// @title Messages from the L2, and the way out of the escrow
/// @notice `L2Messenger` keeps the hash of each message that it sends in a slot of its own for
/// good. A claim proves that slot against a state root of the rollup, marks the message in a
/// bitmap, and delivers it. A message that its target refuses stays claimable; if the target will
/// never take it, the account that the sender named for that gets the value.
///
/// The proof has two halves: the account of the messenger against the state root, and the slot
/// against the account's storage root. The first claim of an L2 block leaves the storage root
/// behind, so the others bring the second half only.
/// @dev ETH leaves the escrow as value and fee of such messages and in no other way. On the L2 that
/// ETH went into the messenger when the message was sent, so what is paid here is no longer there.
abstract contract Claims is Escrow {
    using LibBitmap for LibBitmap.Bitmap;

    /// @inheritdoc IL1MessageQueue
    uint64 public constant STORAGE_ROOTS = 8191;

    /// @dev Commitments to storage roots of the messenger, by L2 block modulo `STORAGE_ROOTS`.
    bytes32[STORAGE_ROOTS] private _storageRoots;

    /// @dev Indices of the messages that were claimed or refunded.
    LibBitmap.Bitmap private _claimed;

    /// @dev Zero while nothing is under way; during a call that delivers or pays, a bit that says
    /// so, and during a delivery the L2 sender of the message below it.
    uint256 private transient _busy;

    /// @dev The bit, above all addresses.
    uint256 private constant BUSY = 1 << 160;

    /// @dev A target that could claim in turn would see, or leave behind, another sender.
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
        // Only a target that refuses loses the message. It had the gas that was promised to it.
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
    function isClaimed(uint64 index) external view returns (bool) {
        return _claimed.get(index);
    }

    /// @inheritdoc IL1MessageQueue
    function l2Sender() external view returns (address sender) {
        // The low bits are the account.
        // forge-lint: disable-next-line(unsafe-typecast)
        sender = address(uint160(_busy));
        if (sender == address(0)) revert NoDelivery();
    }

    /// @dev Returns `true` if an account must never be called on behalf of the L2. Messages would
    /// speak with this contract's voice: to itself they could send in its name.
    function _isForbidden(address to) private view returns (bool) {
        return to == address(this) || to == ROLLUP;
    }

    /// @dev Marks a message as claimed, and proves that it was sent.
    ///
    /// The fields come from calldata as they are. Words that hold more than their type allows make
    /// a hash that no message has, so nothing is done with them.
    function _take(Message calldata message, bytes calldata data, MessageProof calldata proof)
        private
        returns (Messages.Header memory header)
    {
        assembly ("memory-safe") {
            // All but the last word: where a message says where its data are, a header has their
            // hash.
            calldatacopy(header, message, 0xe0)
        }
        header.dataHash = keccak256(data);
        uint64 index = header.index;
        if (_GUARDIAN != address(0)) {
            // Without data too, code at the target is called, and sees the L2 sender.
            bool calls = data.length != 0 || header.to.code.length != 0;
            _requireClaimable(uint256(header.value) + header.fee, calls);
        }
        // Out again if it was in; but then nothing of this call stays.
        if (!_claimed.toggle(index)) revert AlreadyClaimed(index);
        bytes32 got = Messages.hash(header);
        _requireStorageRoot(proof);
        uint256 expected =
            StateProof.slot(proof.storageRoot, Messages.sentSlot(index), proof.storageProof);
        if (got != bytes32(expected)) revert MessageNotSent(index, got, bytes32(expected));
    }

    /// @dev The storage root that the claim builds on is that of the messenger after the named
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
        bytes32 stateRoot = INativeRollup(ROLLUP).stateRootAt(number);
        bytes32 proven = StateProof.storageRoot(stateRoot, Predeploys.L2_MESSENGER, accountProof);
        if (proven != root) revert StorageRootMismatch(root, proven);
        _storageRoots[place] = commitment;
    }

    /// @dev Calls the target, with the gas of the message at least.
    function _deliver(Messages.Header memory header, bytes calldata data)
        private
        returns (bool ok)
    {
        _busy = BUSY | uint160(header.sender);
        ok = Delivery.call(header.to, header.value, header.gasLimit, type(uint256).max, data);
        _busy = BUSY;
    }

    /// @dev Pays out of the escrow.
    function _release(address to, uint256 amount) private {
        if (amount == 0) return;
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert ReleaseFailed(to, amount);
    }
}
