// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {IL2Messenger} from "../interfaces/IL2Messenger.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Transactions} from "../libraries/Transactions.sol";

/// @title The queue of transactions that a rollup cannot leave out
/// @notice Takes ordinary signed L2 transactions. What no block could hold is refused here, and what a
/// block could not hold for its state is for the rollup to judge when the transaction is due (see
/// `ForcedDuty`). So every transaction in the queue is one of which a block can be demanded:
///
///   - Its form, chain id, signature and intrinsic gas are those of a valid transaction, under each
///     fork that the rollup could be under.
///   - L1 can carry a block with it, whatever it does. Gas does not bound what a transaction reads, so
///     the cap for transactions of which nothing is known is low (see `Capacity`): enough for a
///     transfer. Exits need more, and read little: for calls of `L2Messenger` that send to L1, and of
///     one more contract that the deployer vouches for (a token bridge, say), another cap holds.
///
/// Neither sender nor nonce is looked up: whether there is an account behind the signature, the L2
/// knows. The fee makes it dear to submit what will be found to be invalid.
/// @dev Of each transaction one slot is kept, until it is discharged.
contract ForcedInbox is IForcedInbox {
    /// @notice What a queue is made with.
    struct Config {
        /// The rollup, which is deployed later at an address that is known beforehand; it refuses a
        /// queue that names another.
        address rollup;
        uint64 chainId;
        uint64 delay;
        uint64 grace;
        uint64 expiry;
        uint64 maxGas;
        uint64 maxBoundedGas;
        uint64 feePercent;
        address feeRecipient;
        address boundedTarget;
    }

    /// @inheritdoc IForcedInbox
    uint64 public constant MAX_SIZE = 4096;

    /// @dev Gas that a byte of the transaction costs on L1 when it is advanced.
    uint256 private constant BYTE_GAS = 40;

    /// @inheritdoc IForcedInbox
    address public immutable ROLLUP;

    /// @inheritdoc IForcedInbox
    uint64 public immutable CHAIN_ID;

    /// @inheritdoc IForcedInbox
    uint64 public immutable DELAY;

    /// @inheritdoc IForcedInbox
    uint64 public immutable GRACE;

    /// @inheritdoc IForcedInbox
    uint64 public immutable EXPIRY;

    /// @inheritdoc IForcedInbox
    uint64 public immutable MAX_GAS;

    /// @inheritdoc IForcedInbox
    uint64 public immutable MAX_BOUNDED_GAS;

    /// @inheritdoc IForcedInbox
    uint64 public immutable FEE_PERCENT;

    /// @inheritdoc IForcedInbox
    address public immutable FEE_RECIPIENT;

    /// @inheritdoc IForcedInbox
    address public immutable BOUNDED_TARGET;

    /// @inheritdoc IForcedInbox
    /// @dev Slot 0.
    uint64 public count;

    /// @dev Slot 1: commitments by index.
    mapping(uint256 index => bytes32) private _commitments;

    constructor(Config memory config) {
        ROLLUP = config.rollup;
        CHAIN_ID = config.chainId;
        DELAY = config.delay;
        GRACE = config.grace;
        EXPIRY = config.expiry;
        MAX_GAS = config.maxGas;
        MAX_BOUNDED_GAS = config.maxBoundedGas;
        FEE_PERCENT = config.feePercent;
        FEE_RECIPIENT = config.feeRecipient;
        BOUNDED_TARGET = config.boundedTarget;
    }

    /// @inheritdoc IForcedInbox
    function submit(bytes calldata raw) external payable returns (uint64 index) {
        if (raw.length > MAX_SIZE) revert TransactionTooLong(raw.length, MAX_SIZE);
        Transactions.Transaction memory t = Transactions.decode(raw, CHAIN_ID);
        bool bounded = _isBounded(t);
        uint64 maxGas = bounded ? MAX_BOUNDED_GAS : MAX_GAS;
        if (t.gasLimit > maxGas) revert ForcedGasTooHigh(t.gasLimit, maxGas);
        uint256 least = minimumFee(t.gasLimit, raw.length);
        if (msg.value < least) revert ForcedFeeTooLow(msg.value, least);

        ForcedTransaction memory entry = ForcedTransaction({
            hash: keccak256(raw),
            sender: t.sender,
            nonce: t.nonce,
            gasLimit: t.gasLimit,
            maxFee: t.maxFee,
            // Neither factor nor summand comes near 2^256.
            cost: uint256(t.gasLimit) * t.maxFee + t.value,
            submittedAt: uint64(block.timestamp),
            bounded: bounded
        });
        index = count++;
        _commitments[index] = keccak256(abi.encode(entry));
        emit ForcedSubmitted(index, entry, raw);

        if (FEE_RECIPIENT != address(0) && msg.value != 0) {
            (bool ok,) = FEE_RECIPIENT.call{value: msg.value}("");
            if (!ok) revert ForcedFeeRefused(FEE_RECIPIENT, msg.value);
        }
    }

    /// @inheritdoc IForcedInbox
    function take(uint64 index, bytes32[] calldata commitments) external returns (bytes32 next) {
        if (msg.sender != ROLLUP) revert NotRollup(msg.sender);
        for (uint256 i = 0; i < commitments.length; ++i) {
            bytes32 expected = _commitments[index];
            if (commitments[i] != expected || expected == 0) {
                revert NotSubmitted(index, commitments[i], expected);
            }
            delete _commitments[index];
            ++index;
        }
        return _commitments[index];
    }

    /// @inheritdoc IForcedInbox
    function commitment(uint64 index) external view returns (bytes32) {
        return _commitments[index];
    }

    /// @inheritdoc IForcedInbox
    function minimumFee(uint64 gasLimit, uint256 size) public view returns (uint256) {
        return (gasLimit + BYTE_GAS * size) * block.basefee * FEE_PERCENT / 100;
    }

    /// @dev Whether it is known how much a transaction reads. An access list or authorizations could
    /// name any number of accounts.
    function _isBounded(Transactions.Transaction memory t) private view returns (bool) {
        if (t.creates || t.addresses != 0 || t.authorizations != 0) return false;
        if (t.to == Predeploys.L2_MESSENGER) {
            return t.selector == IL2Messenger.send.selector
                || t.selector == IL2Messenger.refundToL1.selector;
        }
        return t.to == BOUNDED_TARGET && t.to != address(0);
    }
}
