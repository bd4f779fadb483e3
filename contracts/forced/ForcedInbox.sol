// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {IL2Accounts} from "../interfaces/IL2Accounts.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {IL2Messenger} from "../interfaces/IL2Messenger.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Transactions} from "../libraries/Transactions.sol";
import {ForcedQueue} from "./ForcedQueue.sol";

/// @title Queue of forced transactions
/// @notice Accepts ordinary signed L2 transactions. Transactions that no block could include are
/// rejected on submission; whether the L2 state allows one is decided by `ForcedQueue` when it is
/// due. Every transaction in the queue can therefore be required of a block:
///
///   - Its form, chain id, signature and intrinsic gas are those of a valid transaction, under
///     every fork that the contract knows. Its gas limit has a margin for later ones.
///   - L1 can carry a block with it. Gas does not bound the state that a transaction reads (see
///     `Capacity`), so only these are accepted: a transfer, with or without data, which is required
///     only as long as its target has no code; a call to `L2Messenger` that sends to L1; a call to
///     one more contract that the deployer has chosen (a token bridge, for example); a call to
///     `L2Accounts` that delivers a stored message of an L1 contract, if the message calls either
///     of these two. A precompile has no code either, but must not be the target: the gas of some
///     precompiles pays for several times as much work as other gas, and EXECUTE charges its caller
///     for that work.
///
/// A contract on L1 cannot sign a transaction. It sends a message to its alias account
/// (`L2Accounts`), and any EOA can force the delivery if a builder has parked the message.
///
/// The following are therefore not protected: users who need a transaction that calls other
/// contracts, creates one, has an access list or carries authorizations (type 4); and contract
/// wallets that were created on the L2. They can exit by moving their assets to another account
/// while the operator includes their transactions; for that they depend on the operator, or on its
/// silence, after which the rollup is open to others.
///
/// Neither the sender's account nor its nonce is checked, because L1 does not have the L2 state.
/// The fee pays for the calldata that the transaction can add to `advance`, so submitting
/// transactions that turn out to be invalid is expensive.
/// @dev Each transaction uses one slot until it is discharged.
contract ForcedInbox is ForcedQueue {
    /// @notice Configuration of the queue. The other fields are described in `IForcedInbox`.
    struct Config {
        /// Rollup, which is deployed later at a precomputed address. It rejects a queue that was
        /// deployed for another rollup.
        address rollup;
        uint64 chainId;
        uint64 delay;
        uint64 grace;
        uint64 expiry;
        uint64 maxGas;
        uint64 maxBoundedGas;
        uint64 feePercent;
        address boundedTarget;
    }

    /// @inheritdoc IForcedInbox
    uint64 public constant MAX_SIZE = 4096;

    /// @inheritdoc IForcedInbox
    /// @dev A full block raises the base fee by an eighth, so it takes at least 18 full blocks to
    /// exceed the cap. An account cannot use such a cap to delay the transactions queued after its
    /// own: that takes an equal rise of the base fee since submission.
    uint256 public constant FEE_CAP_MARGIN = 8;

    /// @inheritdoc IForcedInbox
    /// @dev Without a floor, the margin would be almost free: the base fee of an idle L2 falls to 7
    /// wei.
    uint256 public constant FEE_CAP_FLOOR = 1 gwei;

    // A transaction whose gas limit is below a later fork's price could be in no block, and would
    // stop the rollup until it expires.
    uint256 private constant MINIMUM_GAS = 2 * Transactions.GAS_BASE;
    uint256 private constant MINIMUM_GAS_PER_BYTE = 4 * Transactions.FLOOR_BYTE;

    /// @dev End of the address range for precompiles of all current and future forks. No account
    /// with a private key is below it.
    uint160 private constant PRECOMPILES_END = 1 << 16;

    /// @inheritdoc IForcedInbox
    uint64 public immutable CHAIN_ID;

    /// @inheritdoc IForcedInbox
    uint64 public immutable MAX_GAS;

    /// @inheritdoc IForcedInbox
    uint64 public immutable MAX_BOUNDED_GAS;

    /// @inheritdoc IForcedInbox
    uint64 public immutable FEE_PERCENT;

    /// @inheritdoc IForcedInbox
    address public immutable BOUNDED_TARGET;

    constructor(Config memory config)
        ForcedQueue(config.rollup, config.delay, config.grace, config.expiry)
    {
        if (config.boundedTarget != address(0) && _isPrecompile(config.boundedTarget)) {
            revert TargetIsPrecompile(config.boundedTarget);
        }
        if (config.feePercent == 0) revert FeePercentZero();
        CHAIN_ID = config.chainId;
        MAX_GAS = config.maxGas;
        MAX_BOUNDED_GAS = config.maxBoundedGas;
        FEE_PERCENT = config.feePercent;
        BOUNDED_TARGET = config.boundedTarget;
    }

    /// @inheritdoc IForcedInbox
    /// @dev The fee is burned: it stays in this contract, and no function pays it out. If the
    /// operator or the account that advances received it, filling the queue to delay others would
    /// cost them nothing.
    function submit(bytes calldata raw) external payable returns (uint64 index) {
        (Transactions.Transaction memory t, bool bounded, uint256 footprint) = _read(raw);
        uint256 minimum = minimumFee(t.gasLimit, footprint);
        if (msg.value < minimum) revert ForcedFeeTooLow(msg.value, minimum);

        ForcedTransaction memory entry = ForcedTransaction({
            hash: keccak256(raw),
            sender: t.sender,
            nonce: t.nonce,
            gasLimit: t.gasLimit,
            maxFee: t.maxFee,
            // No overflow: gas limit times price is below 2^192, and the value below 2^128.
            cost: uint256(t.gasLimit) * t.maxFee + t.value,
            submittedAt: uint64(block.timestamp),
            bounded: bounded,
            to: t.to,
            // Far below 2^64.
            // forge-lint: disable-next-line(unsafe-typecast)
            footprint: uint64(footprint),
            priced: t.maxFee >= _pricedFrom()
        });
        index = _push(keccak256(abi.encode(entry)));
        emit ForcedSubmitted(index, msg.sender, t.sender, entry, raw);
        if (msg.value > minimum) _giveBack(msg.value - minimum);
    }

    /// @inheritdoc IForcedInbox
    function footprintOf(bytes calldata raw) external view returns (uint256 footprint) {
        (,, footprint) = _read(raw);
    }

    /// @inheritdoc IForcedInbox
    function minimumGas(uint256 dataLength) public pure returns (uint256) {
        return MINIMUM_GAS + MINIMUM_GAS_PER_BYTE * dataLength;
    }

    /// @inheritdoc IForcedInbox
    function minimumFee(uint64 gasLimit, uint256 footprint) public view returns (uint256) {
        return (gasLimit + Capacity.GAS_PER_BYTE * footprint) * block.basefee * FEE_PERCENT / 100;
    }

    /// @dev Decodes a transaction, and reverts if it cannot be required of a block.
    function _read(bytes calldata raw)
        private
        view
        returns (Transactions.Transaction memory t, bool bounded, uint256 footprint)
    {
        if (raw.length > MAX_SIZE) revert TransactionTooLong(raw.length, MAX_SIZE);
        t = Transactions.decode(raw, CHAIN_ID);
        if (t.creates || t.addresses != 0 || t.authorizations != 0) revert NotForceable();
        if (t.to == Predeploys.L2_MESSENGER) {
            bounded = t.selector == IL2Messenger.send.selector
                || t.selector == IL2Messenger.refundToL1.selector;
            footprint = Capacity.ofSend(raw.length);
        } else if (t.to == Predeploys.L2_ACCOUNTS) {
            bool toMessenger = t.argument == _word(Predeploys.L2_MESSENGER);
            bool toTarget = t.argument == _word(BOUNDED_TARGET) && BOUNDED_TARGET != address(0);
            bounded = t.selector == IL2Accounts.force.selector && (toMessenger || toTarget);
            footprint =
                toMessenger ? Capacity.ofAliasSend(raw.length) : Capacity.ofAliasCall(raw.length);
        } else {
            bounded = t.to == BOUNDED_TARGET && t.to != address(0);
            footprint = Capacity.ofBounded(raw.length);
        }
        if (!bounded) {
            if (_isPrecompile(t.to)) revert TargetIsPrecompile(t.to);
            footprint = Capacity.ofTransfer(raw.length);
        }
        uint256 minimum = minimumGas(t.dataLength);
        if (t.gasLimit < minimum) revert ForcedGasTooLow(t.gasLimit, minimum);
        uint64 maxGas = bounded ? MAX_BOUNDED_GAS : MAX_GAS;
        if (t.gasLimit > maxGas) revert ForcedGasTooHigh(t.gasLimit, maxGas);
    }

    /// @dev Returns the minimum fee cap with which a transaction may wait for a lower base fee.
    function _pricedFrom() private view returns (uint256) {
        // The queue may be deployed before its rollup.
        uint256 baseFee = ROLLUP.code.length == 0 ? 0 : IRollup(ROLLUP).baseFee();
        return FEE_CAP_MARGIN * (baseFee < FEE_CAP_FLOOR ? FEE_CAP_FLOOR : baseFee);
    }

    /// @dev Returns ETH to the caller. Must be the last step of a submission.
    function _giveBack(uint256 amount) private {
        (bool ok,) = msg.sender.call{value: amount}("");
        if (!ok) revert ChangeRefused(msg.sender, amount);
    }

    function _word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function _isPrecompile(address to) private pure returns (bool) {
        return uint160(to) < PRECOMPILES_END;
    }
}
