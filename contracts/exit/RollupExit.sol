// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LibBitmap} from "solady/utils/LibBitmap.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {IRollupExit} from "../interfaces/IRollupExit.sol";
import {AliasAddresses} from "../libraries/AliasAddresses.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {Messages} from "../messaging/Messages.sol";
import {ExitAccounts} from "./ExitAccounts.sol";

/// @title Exit from a rollup that is no longer advanced
/// @notice Without blocks, no account of the L2 can send a message to L1. Once the rollup has been
/// closed, the escrow is paid out by proofs against the last state root instead:
///
///   messages to L1      claimed at the queue as before. The head no longer moves, so its state
///                       root, against which any message can be proven, does not expire
///   accounts            the ETH of accounts without code, of delegating and of alias accounts
///   messages to the L2  those that were never relayed, and those that the L2 has kept
///
/// ETH in other contracts of the L2 stays in the escrow: L1 cannot determine its owner. Bridges can
/// pay tokens by proofs against the same state root (see `TokenExit`).
///
/// All payments together never exceed what the L2 owes: each wei of the L2 is in one account, in
/// one message to L1, or in one message that the L2 has kept; each wei that was sent to the L2 and
/// is not there is in one message that was never relayed. So they exceed the escrow only by
/// balances of the genesis that are not backed (`IL1MessageQueue.back`).
///
/// The rollup has no code for being closed. After `LOST_AFTER`, its next block would have to settle
/// the relayed messages, because that duty is long overdue, and the closed queue rejects the call.
contract RollupExit is IRollupExit {
    using LibBitmap for LibBitmap.Bitmap;

    /// @dev Minimum of `LOST_AFTER`, so that a rollup survives a long outage of all its nodes.
    uint256 private constant MIN_LOST_AFTER = 30 days;

    /// @inheritdoc IRollupExit
    address public immutable ROLLUP;

    /// @inheritdoc IRollupExit
    address public immutable MESSAGE_QUEUE;

    /// @inheritdoc IRollupExit
    uint64 public immutable LOST_AFTER;

    /// @inheritdoc IRollupExit
    bytes32 public stateRoot;

    /// @dev Storage root of the messenger in that state.
    bytes32 private _messengerRoot;

    /// @inheritdoc IRollupExit
    uint64 public relayed;

    /// @dev Timestamp of the deployment: the genesis of a rollup may be much older. Not immutable,
    /// so that the code of an exit does not depend on the time of deployment.
    uint64 private _deployed;

    /// @inheritdoc IRollupExit
    mapping(address account => bool) public hasExited;

    /// @dev Messages to the L2 whose ETH has been returned, by index.
    LibBitmap.Bitmap private _returned;

    /// @dev Messages whose ETH has been reclaimed by their senders, by index.
    LibBitmap.Bitmap private _reclaimed;

    /// @param queue Message queue, which pays for this contract. Its rollup has been deployed.
    /// @param lostAfter Seconds without a block after which the rollup may be closed.
    constructor(address queue, uint64 lostAfter) {
        address expected = IL1MessageQueue(queue).EXIT_CONTRACT();
        if (expected != address(this)) revert QueueOfAnotherExit(expected, address(this));
        IRollup rollup = IRollup(IL1MessageQueue(queue).ROLLUP());
        // The first block of a call after that time is at most `MAX_LAG` older than L1, and the
        // last relay was proven at most `MAX_LAG` after the head: so a relay is due in that block.
        // Twice `OPEN_AFTER` leaves every account at least as much time to advance as the policy
        // had.
        uint256 minimum = uint256(rollup.RELAY_DEADLINE()) + 2
            * (uint256(rollup.MAX_LAG()) + rollup.OPEN_AFTER());
        if (minimum < MIN_LOST_AFTER) minimum = MIN_LOST_AFTER;
        if (lostAfter < minimum) revert LostAfterTooShort(lostAfter, minimum);
        ROLLUP = address(rollup);
        MESSAGE_QUEUE = queue;
        LOST_AFTER = lostAfter;
        _deployed = uint64(block.timestamp);
    }

    /// @inheritdoc IRollupExit
    function close(bytes[] calldata accountProof, bytes[] calldata storageProof) external {
        if (stateRoot != 0) revert AlreadyClosed();
        IRollup.Head memory head = IRollup(ROLLUP).head();
        uint256 begin = head.timestamp > _deployed ? head.timestamp : _deployed;
        // For weeks, the precision of L1 timestamps is sufficient.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < begin + LOST_AFTER) revert NotLost(begin + LOST_AFTER);
        bytes32 root = IRollup(ROLLUP).stateRoot();
        bytes32 messenger = StateProof.storageRoot(root, Predeploys.L2_MESSENGER, accountProof);
        // The low 64 bits are the count.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 count = uint64(StateProof.slot(messenger, Messages.RELAYED_SLOT, storageProof));
        (stateRoot, _messengerRoot, relayed) = (root, messenger, count);
        emit RollupClosed(head.number, root, count);
        IL1MessageQueue(MESSAGE_QUEUE).closeAndPay(address(0), 0);
    }

    /// @inheritdoc IRollupExit
    function exit(address account, address delegate, bytes[] calldata accountProof) external {
        StateProof.Account memory a = _take(account, accountProof);
        ExitAccounts.requireOwner(a, account, delegate);
        _pay(account, account, a.balance);
    }

    /// @inheritdoc IRollupExit
    function exitAlias(address l1Account, bytes[] calldata accountProof) external {
        address account = AliasAddresses.account(l1Account);
        StateProof.Account memory a = _take(account, accountProof);
        _pay(account, l1Account, a.balance);
    }

    /// @inheritdoc IRollupExit
    function returnMessage(
        IL1MessageQueue.Message calldata message,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes
    ) external {
        _requireUnrelayed(message, before, next, hashes);
        _return(message, uint256(message.value) + message.fee);
    }

    /// @inheritdoc IRollupExit
    function returnKept(IL1MessageQueue.Message calldata message, bytes[] calldata storageProof)
        external
    {
        _return(message, _keptOf(message, storageProof));
    }

    /// @inheritdoc IRollupExit
    function reclaimMessage(
        IL1MessageQueue.Message calldata message,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes,
        address to,
        bytes[] calldata refundProof
    ) external {
        _requireUnrelayed(message, before, next, hashes);
        _reclaim(message, uint256(message.value) + message.fee, to, refundProof);
    }

    /// @inheritdoc IRollupExit
    function reclaimKept(
        IL1MessageQueue.Message calldata message,
        bytes[] calldata storageProof,
        address to,
        bytes[] calldata refundProof
    ) external {
        _reclaim(message, _keptOf(message, storageProof), to, refundProof);
    }

    /// @inheritdoc IRollupExit
    function isReturned(uint64 index) external view returns (bool) {
        return _returned.get(index);
    }

    /// @dev Marks an account as paid, and returns it as proven.
    function _take(address account, bytes[] calldata accountProof)
        private
        returns (StateProof.Account memory a)
    {
        bytes32 root = stateRoot;
        if (root == 0) revert NotClosed();
        bool before = hasExited[account];
        hasExited[account] = true;
        if (before) revert AlreadyExited(account);
        (, a) = StateProof.account(root, account, accountProof);
        if (a.balance == 0) revert NothingOwed(account);
    }

    function _pay(address account, address recipient, uint256 amount) private {
        emit AccountExited(account, recipient, amount);
        IL1MessageQueue(MESSAGE_QUEUE).closeAndPay(recipient, amount);
    }

    /// @dev Reverts unless the message was sent, and never relayed.
    function _requireUnrelayed(
        IL1MessageQueue.Message calldata message,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes
    ) private view {
        if (stateRoot == 0) revert NotClosed();
        uint64 index = message.index;
        // The L2 relays messages in the order of their indices.
        if (index < relayed) revert MessageRelayed(index, relayed);
        _requireCheckpoint(before);
        _requireCheckpoint(next);
        bytes32 root = before.root;
        for (uint256 i = 0; i < hashes.length; ++i) {
            root = Messages.extend(root, hashes[i]);
        }
        // The rolling hash also determines how many messages it is over.
        if (root != next.root) revert HashesMismatch(root, next.root);
        bytes32 got = _hash(message);
        bytes32 expected =
            index < before.count || index >= next.count ? bytes32(0) : hashes[index - before.count];
        if (got != expected) revert MessageMismatch(index, got, expected);
    }

    /// @dev Returns the ETH of a message that the L2 has kept; reverts if it has not.
    function _keptOf(IL1MessageQueue.Message calldata message, bytes[] calldata storageProof)
        private
        view
        returns (uint256)
    {
        if (stateRoot == 0) revert NotClosed();
        bytes32 messageHash = _hash(message);
        bytes32 position = keccak256(abi.encode(messageHash, Messages.KEPT_SLOT));
        uint256 status = StateProof.slot(_messengerRoot, position, storageProof);
        if (status != Messages.STATUS_FAILED && status != Messages.STATUS_PARKED) {
            revert MessageNotKept(messageHash);
        }
        // The relayer of a failed message has received its fee.
        return message.value + (status == Messages.STATUS_PARKED ? uint256(message.fee) : 0);
    }

    /// @dev Marks a message as returned, and pays it to its refund account.
    function _return(IL1MessageQueue.Message calldata message, uint256 amount) private {
        address recipient = message.refundTo;
        // Neither the zero address nor an alias account has a key or code on L1. The sender may differ
        // from the owner of the alias account: a token bridge sends for its depositors.
        if (recipient == AliasAddresses.account(msg.sender)) {
            recipient = msg.sender;
        } else if (recipient == address(0) || recipient == AliasAddresses.account(message.sender)) {
            recipient = message.sender;
        }
        // The address of an L2 contract may have no owner on L1, so a third party must not trigger
        // the payment.
        if (msg.sender != recipient && msg.sender != message.sender) {
            revert NotRefundable(msg.sender, recipient);
        }
        // If the bit was already set, this clears it, but the call reverts.
        if (!_returned.toggle(message.index)) revert AlreadyReturned(message.index);
        _payReturned(message.index, recipient, amount);
    }

    /// @dev Marks a message as reclaimed, and pays it to an account that its sender chose if its
    /// refund account is a contract of the L2 that was not paid before.
    function _reclaim(
        IL1MessageQueue.Message calldata message,
        uint256 amount,
        address to,
        bytes[] calldata refundProof
    ) private {
        if (msg.sender != message.sender) {
            revert NotRefundable(msg.sender, message.refundTo);
        }
        bool isContract = ExitAccounts.isContract(stateRoot, message.refundTo, refundProof);
        uint64 index = message.index;
        // If the bit was already set, this clears it, but the call reverts.
        if (!_reclaimed.toggle(index)) revert AlreadyReturned(index);
        // An account without code is paid by `returnMessage`, and the controller of a contract's
        // address on L1, such as its deployer, may have been paid before. Neither must prevent the
        // sender from reclaiming other assets of the message: an L2 bridge that was never deployed
        // has no code.
        if (!isContract || _returned.get(index)) amount = 0;
        else _returned.set(index);
        _payReturned(index, to, amount);
    }

    function _payReturned(uint64 index, address recipient, uint256 amount) private {
        emit MessageReturned(index, recipient, amount);
        IL1MessageQueue(MESSAGE_QUEUE).closeAndPay(recipient, amount);
    }

    function _requireCheckpoint(IL1MessageQueue.Checkpoint calldata c) private view {
        bool known = IL1MessageQueue(MESSAGE_QUEUE)
            .isCheckpoint(c.id, c.count, c.root, c.l1Block, c.timestamp);
        if (!known) revert NotCheckpoint(c.id, c.count, c.root);
    }

    function _hash(IL1MessageQueue.Message calldata m) private pure returns (bytes32) {
        return Messages.hash(
            Messages.Header(
                m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
            )
        );
    }
}
