// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RollupRules} from "../governance/RollupRules.sol";
import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {Execute} from "../libraries/Execute.sol";
import {StateProof} from "../libraries/StateProof.sol";

/// @title What a rollup owes to forced transactions
/// @notice A transaction of the `ForcedInbox` is due `DELAY` seconds after it was submitted. From then on
/// a block deals with it in one of these ways:
///
///   Included      it stands in the block
///   Invalid       by proof against the state root after the block: the nonce is another, the sender
///                 cannot pay, or has code
///   Underpriced   it does not pay the block's base fee
///   NoRoom        the block, or L1, could not take it in addition; it stays in the queue
///   Expired       see below
///
/// In short: a block may leave out only what could not have been appended to it. Were it demanded that
/// a transaction be included no matter what, whoever submits one that becomes invalid while it waits
/// would halt the chain. `Invalid` and `Underpriced` remove it for good: it can be submitted again.
///
/// Whoever builds blocks could fill them. So once the first of the queue is `GRACE` seconds overdue,
/// `NoRoom` is no excuse for it. The chain then moves with it or not at all, even if after some time
/// anyone may advance; and if it has not moved with it for `EXPIRY` seconds, for a reason that nobody
/// has foreseen, the transaction is dropped, for all to see, and the chain goes on.
///
/// @dev Work per block is bounded by `MAX_DISCHARGES`. Of blocks with an even number nothing is demanded,
/// see `RelayDuty`.
abstract contract ForcedDuty is RollupRules {
    /// @dev The most transactions with which a block may, and has to, deal.
    uint256 internal constant MAX_DISCHARGES = 16;

    /// @dev A delegation (EIP-7702) is this, and an address: the one code that a sender may have.
    bytes3 private constant DELEGATION = 0xef0100;
    uint256 private constant DELEGATION_LENGTH = 23;

    /// @dev What is under way while the transactions of a batch are judged.
    struct Batch {
        /// Number of the transaction at hand.
        uint64 index;
        /// How many have been judged before it.
        uint256 judged;
        /// Sum of the gas limits of those of them that are included.
        uint256 gas;
        /// Whether a block may not put off the first for want of room any more.
        bool demanded;
    }

    /// @dev What the block at the tip does about forced transactions, and whether that is enough.
    function _requireForced(
        Tip memory tip,
        bytes memory input,
        ForcedBatch[] calldata batches,
        uint256 index
    ) internal {
        bool demanded =
            tip.number % 2 == 1 && tip.timestamp >= tip.dutyDue;
        if (tip.batchesUsed != batches.length && batches[tip.batchesUsed].index == index) {
            _loadDuties(tip);
            _discharge(tip, input, batches[tip.batchesUsed++], demanded);
        } else if (demanded) {
            _loadDuties(tip);
            Duties memory d = tip.duties;
            if (tip.timestamp < d.forcedDue) return;
            if (IForcedInbox(FORCED).commitment(d.forcedNext) != 0) {
                revert ForcedTransactionOmitted(d.forcedNext);
            }
            d.forcedDue = _dueOf(block.timestamp);
        }
    }

    /// @dev Judges a batch, takes what it discharges from the queue, and notes what comes next.
    function _discharge(
        Tip memory tip,
        bytes memory input,
        ForcedBatch calldata given,
        bool demanded
    ) private {
        uint256 count = given.discharges.length;
        if (count > MAX_DISCHARGES) revert TooManyDischarges(count, MAX_DISCHARGES);
        Duties memory d = tip.duties;
        bytes32[] memory commitments = new bytes32[](count);
        Batch memory batch = Batch(d.forcedNext, 0, 0, demanded);
        bool putOff = false;
        for (uint256 i = 0; i < count; ++i) {
            // What follows one that was put off would overtake it.
            if (putOff) revert ForcedTransactionOmitted(batch.index);
            Discharge calldata discharge = given.discharges[i];
            commitments[i] = keccak256(abi.encode(discharge.transaction));
            _judge(tip, input, discharge, batch);
            putOff = discharge.outcome == Outcome.NoRoom;
            if (!putOff) ++batch.index;
            ++batch.judged;
        }

        bytes32 last = putOff ? commitments[count - 1] : bytes32(0);
        if (putOff) {
            assembly ("memory-safe") {
                mstore(commitments, sub(count, 1))
            }
        }
        bytes32 next = IForcedInbox(FORCED).take(d.forcedNext, commitments);
        if (batch.index != d.forcedNext) {
            d.forcedNext = batch.index;
            d.forcedFirstSince = tip.timestamp;
        }
        if (putOff) {
            if (last != next) revert ForcedTransactionMismatch(batch.index, last, next);
            d.forcedDue = _dueOf(given.discharges[count - 1].transaction.submittedAt);
        } else {
            d.forcedDue = _nextDue(tip, given, next, demanded && count < MAX_DISCHARGES);
        }
    }

    /// @dev When the transaction after a batch is due; it must not be due yet, unless the batch was all
    /// that can be demanded.
    function _nextDue(Tip memory tip, ForcedBatch calldata given, bytes32 next, bool demanded)
        private
        view
        returns (uint64 due)
    {
        // What is submitted from now on is due later than this.
        if (next == 0) return _dueOf(block.timestamp);
        uint64 index = tip.duties.forcedNext;
        if (given.next.length == 0) {
            if (demanded) revert ForcedTransactionOmitted(index);
            // It may be due at once.
            return tip.timestamp;
        }
        bytes32 got = keccak256(abi.encode(given.next[0]));
        if (got != next) revert ForcedTransactionMismatch(index, got, next);
        due = _dueOf(given.next[0].submittedAt);
        if (demanded && tip.timestamp >= due) revert ForcedTransactionOmitted(index);
    }

    /// @dev Reverts unless the outcome is the true one.
    function _judge(
        Tip memory tip,
        bytes memory input,
        Discharge calldata given,
        Batch memory batch
    ) private {
        ForcedTransaction calldata t = given.transaction;
        Outcome outcome = given.outcome;
        if (outcome == Outcome.Included) {
            bytes32 got = Execute.transactionHash(input, given.position);
            if (got != t.hash) revert NotIncluded(batch.index, got, t.hash);
            batch.gas += t.gasLimit;
        } else {
            uint64 due = _dueOf(t.submittedAt);
            if (tip.timestamp < due) revert NotDue(batch.index, due);
            if (outcome == Outcome.Invalid) {
                if (_isValidAfter(tip.stateRoot, given)) revert StillValid(batch.index);
            } else if (outcome == Outcome.Underpriced) {
                uint256 baseFee = Execute.baseFee(input);
                if (t.maxFee >= baseFee) revert PricedEnough(batch.index, t.maxFee, baseFee);
            } else if (outcome == Outcome.Expired) {
                _requireExpired(tip, due, batch);
            } else {
                bool overdue =
                    batch.demanded && batch.judged == 0 && tip.timestamp >= due + _FORCED_GRACE;
                if (overdue || _hasRoomFor(input, t, batch.gas)) revert RoomLeft(batch.index);
            }
        }
        emit ForcedDischarged(batch.index, t.hash, outcome);
    }

    /// @dev Whether the sender's account admits the transaction after the block.
    function _isValidAfter(bytes32 root, Discharge calldata given) private pure returns (bool) {
        ForcedTransaction calldata t = given.transaction;
        (, StateProof.Account memory sender) =
            StateProof.account(root, t.sender, given.accountProof);
        if (sender.nonce != t.nonce || sender.balance < t.cost) return false;
        if (sender.codeHash == StateProof.EMPTY_CODE_HASH) return true;
        // EIP-3607. Without the code itself nobody can tell a contract from a delegation.
        bytes calldata code = given.code;
        if (keccak256(code) != sender.codeHash) return true;
        return code.length == DELEGATION_LENGTH && bytes3(code[:3]) == DELEGATION;
    }

    /// @dev Only the first of the queue expires: all that time, each second block was to contain it.
    function _requireExpired(Tip memory tip, uint64 due, Batch memory batch) private view {
        uint64 since = batch.judged == 0 ? tip.duties.forcedFirstSince : tip.timestamp;
        if (since < due) since = due;
        uint64 expiry = since + _FORCED_GRACE + _FORCED_EXPIRY;
        if (tip.timestamp < expiry) revert NotExpired(batch.index, expiry);
    }

    /// @dev Whether the block could have taken the transaction in addition, and L1 the block with it.
    /// EXECUTE reserves the gas limits of all transactions; those of the forced ones are known.
    function _hasRoomFor(bytes memory input, ForcedTransaction calldata t, uint256 included)
        private
        pure
        returns (bool)
    {
        uint256 gas = Execute.gasUsed(input);
        if (Execute.gasLimit(input) - gas < t.gasLimit) return false;
        uint256 length = input.length + Capacity.ofTransaction(t.gasLimit, t.bounded);
        return Capacity.fits(length, gas + included + t.gasLimit);
    }

    /// @dev When a transaction is due that was submitted at this time.
    function _dueOf(uint256 submittedAt) private view returns (uint64) {
        // Neither comes near 2^63.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(submittedAt) + _FORCED_DELAY;
    }
}
