// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "solady/tokens/ERC20.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {TokenExit} from "../exit/TokenExit.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../interfaces/IL2TokenBridge.sol";
import {AliasAddresses} from "../libraries/AliasAddresses.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Utf8} from "../libraries/Utf8.sol";
import {TokenEscrow} from "./TokenEscrow.sol";

/// @title ERC-20 bridge between L1 and an L2: the escrow on L1
/// @notice An ordinary application of the message queue: no account owns it, and the rollup does
/// not know it. Tokens are held here while tokens on the L2 represent them.
///
/// Tokens are untrusted code, and the accounting of each token is separate:
///
///   - The credited amount is what the escrow received, not the requested amount. A deposit of a
///     token with a transfer fee is credited with the remainder.
///   - The escrow tracks what it owes of each token. If it holds less, because the token reduces
///     balances, it accepts no deposits, so that no account pays for the losses of others;
///     withdrawals are still paid in full, as long as the balance suffices. (If a token increases
///     balances, the surplus stays here. Tokens of both kinds should be wrapped first.)
///   - A payment that takes more than its amount out of the escrow reverts.
///   - A token that calls back is rejected by the lock.
///
/// A payment that fails on L1 can be claimed again at any time. If it can never succeed, for
/// instance because the token rejects the recipient, the withdrawal can be sent back to the L2. For
/// that reason the bridge itself is the `refundTo` account of its messages, on both sides.
///
/// If the rollup is closed because it is no longer advanced, `TokenExit` pays the tokens by proofs
/// against the last state.
contract L1TokenBridge is TokenExit {
    using SafeTransferLib for address;

    /// @inheritdoc IL1TokenBridge
    uint64 public constant DEPOSIT_GAS = 300_000;

    /// @inheritdoc IL1TokenBridge
    uint64 public constant REGISTER_GAS = 700_000;

    /// @dev Maximum bytes of a name or symbol on the L2. Solidity stores that many in one slot, so
    /// the registration of every token uses the same gas there.
    uint256 private constant NAME_LENGTH = 31;

    /// @inheritdoc IL1TokenBridge
    uint256 public constant REFUND_DELAY = 1 days;

    /// @dev Gas for each read of token metadata.
    uint256 private constant READ_GAS = 100_000;

    /// @dev Sufficient for three metadata reads and the message.
    uint256 private constant MIN_REGISTER_GAS = 450_000;

    /// @inheritdoc IL1TokenBridge
    mapping(address l1Token => bool) public isRegistered;

    /// @dev Timestamp from which a withdrawal may be sent back unless the queue is paused, by the
    /// hash of the withdrawal.
    mapping(bytes32 id => uint256 readyAt) private _refundAt;

    /// @param queue Message queue of the rollup.
    /// @param l2Bridge Bridge on the L2, which may be deployed later at a precomputed address.
    constructor(address queue, address l2Bridge) TokenEscrow(queue, l2Bridge) {}

    /// @inheritdoc IL1TokenBridge
    function register(address l1Token, uint64 gasLimit) external payable returns (uint64 message) {
        if (l1Token.code.length == 0) revert NotToken(l1Token);
        // Metadata is read from untrusted code, and a read that runs out of gas counts as
        // unsupported, so enough gas is required in advance.
        uint256 gas = gasleft();
        if (gas < MIN_REGISTER_GAS) revert GasTooLow(gas, MIN_REGISTER_GAS);
        bytes memory data = abi.encodeCall(
            IL2TokenBridge.makeToken,
            (
                l1Token,
                Utf8.sanitize(
                    MetadataReaderLib.readName(l1Token, NAME_LENGTH + 3, READ_GAS), NAME_LENGTH
                ),
                Utf8.sanitize(
                    MetadataReaderLib.readSymbol(l1Token, NAME_LENGTH + 3, READ_GAS), NAME_LENGTH
                ),
                _decimals(l1Token)
            )
        );
        isRegistered[l1Token] = true;
        message = _send(gasLimit, data);
        emit TokenRegistered(l1Token, l2TokenOf(l1Token), message);
    }

    /// @inheritdoc IL1TokenBridge
    function deposit(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit)
        external
        payable
        exclusive
        returns (uint64 message)
    {
        return _deposit(l1Token, to, refundTo, amount, gasLimit);
    }

    /// @inheritdoc IL1TokenBridge
    function depositToSelf(address l1Token, uint256 amount, uint64 gasLimit)
        external
        payable
        exclusive
        returns (uint64 message)
    {
        address to = AliasAddresses.ofCaller(msg.sender);
        return _deposit(l1Token, to, to, amount, gasLimit);
    }

    /// @inheritdoc IL1TokenBridge
    function depositEtherToSelf(uint64 gasLimit, uint128 fee)
        external
        payable
        returns (uint64 message)
    {
        address to = AliasAddresses.ofCaller(msg.sender);
        return IL1MessageQueue(MESSAGE_QUEUE).send{value: msg.value}(to, to, gasLimit, fee, "");
    }

    function _deposit(
        address l1Token,
        address to,
        address refundTo,
        uint256 amount,
        uint64 gasLimit
    ) private returns (uint64 message) {
        if (!isRegistered[l1Token]) revert TokenNotRegistered(l1Token);
        if (to == address(0)) revert RecipientZero();
        if (Predeploys.isLost(to) || to == L2_BRIDGE || to == l2TokenOf(l1Token)) {
            revert RecipientForbidden(to);
        }
        uint256 received = _receive(l1Token, amount);
        message = _send(
            gasLimit,
            abi.encodeCall(IL2TokenBridge.mint, (l1Token, msg.sender, to, refundTo, received))
        );
        emit Deposited(l1Token, msg.sender, to, received, message);
    }

    /// @inheritdoc IL1TokenBridge
    function release(address l1Token, address from, address to, address, uint256 amount)
        external
        exclusive
    {
        if (msg.sender != MESSAGE_QUEUE || IL1MessageQueue(MESSAGE_QUEUE).l2Sender() != L2_BRIDGE) {
            revert NotPeer(msg.sender);
        }
        // If this reverts, the withdrawal fails, and can be sent back.
        _payOut(l1Token, from, to, amount);
    }

    /// @inheritdoc IL1TokenBridge
    /// @dev `DeliveryFailed` is returned only after the queue has verified the proof. Otherwise a
    /// withdrawal could be announced a day before it is sent, and would never be open to claims.
    function announceRefund(
        Withdrawal calldata w,
        MessageProof calldata proof,
        address feeRecipient
    ) external returns (uint256 readyAt) {
        if (_busy) revert Reentrancy();
        if (msg.sender != w.refundTo) revert NotRefundable(msg.sender, w.refundTo);
        try IL1MessageQueue(MESSAGE_QUEUE).claim(_message(w), _proof(proof), feeRecipient) {
            return 0;
        } catch (bytes memory reason) {
            // The cast extracts the selector.
            // forge-lint: disable-next-line(unsafe-typecast)
            if (bytes4(reason) != IL1MessageQueue.DeliveryFailed.selector) {
                assembly ("memory-safe") {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
        bytes32 id = keccak256(abi.encode(w));
        readyAt = _readyAt(id);
        if (readyAt != 0) return readyAt;
        readyAt = block.timestamp + REFUND_DELAY;
        _refundAt[id] = readyAt;
        emit RefundAnnounced(w.l1Token, w.index, readyAt);
    }

    /// @inheritdoc IL1TokenBridge
    /// @dev The queue either delivers or permanently cancels the message, so a withdrawal is paid
    /// out or sent back, never both. `owed` does not change when it is sent back. Within a token
    /// transfer every payment is rejected, so a call from there would cancel a withdrawal that
    /// could be paid; it reverts instead. The lock itself is not taken, because `release` takes it.
    /// A token may have a lock of its own, within which a payment fails too; for that reason the
    /// attempt has to be announced, so that anyone can claim the withdrawal before.
    function refund(
        Withdrawal calldata w,
        MessageProof calldata proof,
        address feeRecipient,
        uint64 gasLimit
    ) external payable returns (bool released) {
        if (_busy) revert Reentrancy();
        if (msg.sender != w.refundTo) {
            revert NotRefundable(msg.sender, w.refundTo);
        }
        bytes32 id = keccak256(abi.encode(w));
        uint256 readyAt = _readyAt(id);
        // For a delay of a day, the precision of L1 timestamps is sufficient.
        // forge-lint: disable-next-line(block-timestamp)
        if (readyAt == 0 || block.timestamp < readyAt) revert RefundNotReady(readyAt);
        delete _refundAt[id];
        released = IL1MessageQueue(MESSAGE_QUEUE).refund(_message(w), _proof(proof), feeRecipient);
        if (released) {
            if (msg.value == 0) return true;
            (bool ok,) = msg.sender.call{value: msg.value}("");
            if (!ok) revert ChangeRefused(msg.sender, msg.value);
        } else {
            uint64 message = _send(
                gasLimit,
                abi.encodeCall(
                    IL2TokenBridge.mint, (w.l1Token, msg.sender, w.from, w.from, w.amount)
                )
            );
            emit SentBack(w.l1Token, w.from, w.amount, message);
        }
    }

    /// @dev Returns the timestamp from which a withdrawal may be sent back; zero if no refund was
    /// announced. Claims are rejected while the queue is paused, so the delay starts again at the
    /// end of a pause that began within it. Two pauses are at least a day apart, so only the latest
    /// can matter. The beginning is that of a pause of full length: one that the guardian has ended
    /// early may have begun later, and then delays the refund by one day too many.
    function _readyAt(bytes32 id) private view returns (uint256 readyAt) {
        readyAt = _refundAt[id];
        if (readyAt == 0) return 0;
        (uint64 until,) = IL1MessageQueue(MESSAGE_QUEUE).paused();
        uint256 pause = IL1MessageQueue(MESSAGE_QUEUE).guardian().pause;
        if (until > readyAt - REFUND_DELAY && until < readyAt + pause) {
            readyAt = until + REFUND_DELAY;
        }
    }

    /// @dev Returns the decimals of a token. The first registration fixes them permanently, so a
    /// token that does not return them, such as a proxy without an implementation, is rejected
    /// instead of getting a default.
    function _decimals(address l1Token) private view returns (uint8) {
        bool ok;
        uint256 decimals;
        bytes4 selector = ERC20.decimals.selector;
        assembly ("memory-safe") {
            mstore(0, selector)
            ok := staticcall(READ_GAS, l1Token, 0, 4, 0, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            decimals := mload(0)
        }
        if (!ok || decimals > type(uint8).max) revert DecimalsUnknown(l1Token);
        // Checked above.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint8(decimals);
    }

    /// @dev Transfers tokens from the caller, and returns the amount received.
    function _receive(address l1Token, uint256 amount) private returns (uint256 received) {
        uint256 before = _balance(l1Token);
        uint256 due = owed[l1Token];
        if (before < due) revert EscrowShort(l1Token, before, due);
        l1Token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 balance = _balance(l1Token);
        // Cannot underflow if the comparison holds.
        unchecked {
            received = balance > before ? balance - before : 0;
        }
        // If another account transfers tokens during the call, they are a donation to the escrow.
        if (received > amount) received = amount;
        if (received == 0) revert NothingReceived(l1Token);
        owed[l1Token] = due + received;
    }

    /// @dev Sends a message to the bridge on the L2, with all ETH of the call as its fee.
    function _send(uint64 gasLimit, bytes memory data) private returns (uint64) {
        return IL1MessageQueue(MESSAGE_QUEUE).send{value: msg.value}(
            L2_BRIDGE, L2_BRIDGE, gasLimit, SafeCastLib.toUint128(msg.value), data
        );
    }

    /// @dev Builds the message of a withdrawal from its fields, so that no other message of the L2
    /// bridge can be used in its place.
    function _message(Withdrawal calldata w) private view returns (IL1MessageQueue.Message memory) {
        return IL1MessageQueue.Message({
            sender: L2_BRIDGE,
            to: address(this),
            refundTo: address(this),
            value: 0,
            fee: w.fee,
            gasLimit: w.gasLimit,
            index: w.index,
            data: abi.encodeCall(
                IL1TokenBridge.release, (w.l1Token, w.from, w.to, w.refundTo, w.amount)
            )
        });
    }

    function _proof(MessageProof calldata proof)
        private
        pure
        returns (IL1MessageQueue.MessageProof memory)
    {
        return IL1MessageQueue.MessageProof({
            l2Block: proof.l2Block,
            storageRoot: proof.storageRoot,
            accountProof: proof.accountProof,
            storageProof: proof.storageProof
        });
    }
}
