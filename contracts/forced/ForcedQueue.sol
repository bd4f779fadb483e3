// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {IForcedSettlement} from "../interfaces/IForcedSettlement.sol";
import {INativeRollup} from "../interfaces/INativeRollup.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {StateProof} from "../libraries/StateProof.sol";

/// @title Resolution of forced transactions
/// @notice A transaction is due `DELAY` seconds after it was submitted. From then on a block that
/// owes forced transactions (see `ForcedDuty`) deals with it in one of these ways:
///
///   Included it stands in the block Invalid by proof against the state root after the block: the
///   nonce is another, the sender cannot pay, or has code Underpriced it does not pay the block's
///   base fee, and its fee cap was too low for that of its time, or it has waited for as long as an
///   entry may TargetHasCode it is a transfer, and by proof its target has code: it is not known
///   what that reads NoRoom what the block does for those before it is all that can be demanded of
///   a block; or, for `GRACE` seconds, the block has less gas left than it asks for; or, for
///   `GRACE + EXPIRY` seconds, a base fee above its fee cap, although that was `FEE_CAP_MARGIN`
///   times the base fee when it was submitted. It stays in the queue Expired see below
///
/// In short: a block may leave out only what could not have been appended to it. Were it demanded
/// that a transaction be included no matter what, an account that submits one that becomes invalid
/// while it waits would halt the chain. All but `NoRoom` remove it for good: it can be submitted
/// again.
///
/// The builder of a block chooses what else is in it, so that counts for nothing: neither how long
/// the block's input is, nor, once the grace is over, how much gas its other transactions use. Room
/// is what the transactions of the queue themselves take of a fixed budget (see `Capacity`), which
/// is never less than the first of them. The chain then moves with it or not at all, even if after
/// some time anyone may advance; and if it has not moved with it for `EXPIRY` seconds, for an
/// unforeseen reason, the transaction is dropped, for all to see, and the chain goes on.
///
/// An account that was shown for one transaction of a batch is known for the others, so copies, and
/// others that one account makes invalid, take next to nothing of the budget.
abstract contract ForcedQueue is IForcedInbox, IForcedSettlement {
    /// @dev The most transactions with which a block may, and has to, deal.
    uint256 internal constant MAX_DISCHARGES = 64;

    /// @dev A delegation (EIP-7702) is this, and an address: the one code that a sender may have.
    bytes3 private constant DELEGATION = 0xef0100;
    uint256 private constant DELEGATION_LENGTH = 23;

    /// @dev State of an account after the block, as a discharge shows it.
    struct Known {
        address account;
        /// Its nonce; or, if only `used`, a number below which nonces are used up.
        uint64 nonce;
        bool used;
        bool hasCode;
        uint256 balance;
    }

    /// @dev State of a batch while its transactions are judged.
    struct Judgement {
        /// Number of the transaction at hand.
        uint64 index;
        /// Number that have been judged before it.
        uint256 judged;
        /// Part of the budget that those of them take.
        uint256 length;
        uint256 gas;
        /// Accounts that they show.
        Known[] known;
    }

    /// @inheritdoc IForcedInbox
    address public immutable ROLLUP;

    /// @inheritdoc IForcedInbox
    uint64 public immutable DELAY;

    /// @inheritdoc IForcedInbox
    uint64 public immutable GRACE;

    /// @inheritdoc IForcedInbox
    uint64 public immutable EXPIRY;

    /// @dev Slot 0: how many transactions have been submitted; how many before the L1 block of the
    /// last; and the number of that block.
    uint64 private _count;
    uint64 private _countBefore;
    uint64 private _lastBlock;

    /// @dev Slot 1: commitments by index.
    mapping(uint256 index => bytes32) private _commitments;

    constructor(address rollup, uint64 delay, uint64 grace, uint64 expiry) {
        ROLLUP = rollup;
        DELAY = delay;
        GRACE = grace;
        EXPIRY = expiry;
    }

    /// @inheritdoc IForcedInbox
    function count() external view returns (uint64) {
        return _count;
    }

    /// @inheritdoc IForcedSettlement
    function countBefore() public view returns (uint64) {
        return _lastBlock == block.number ? _countBefore : _count;
    }

    /// @inheritdoc IForcedInbox
    function commitment(uint64 index) external view returns (bytes32) {
        return _commitments[index];
    }

    /// @inheritdoc IForcedSettlement
    function discharge(
        BlockFacts calldata facts,
        INativeRollup.ForcedBatch calldata batch,
        bytes32[] calldata found
    ) external returns (uint64 next, uint64 due) {
        if (msg.sender != ROLLUP) revert NotRollup(msg.sender);
        uint256 given = batch.discharges.length;
        if (given > MAX_DISCHARGES) {
            revert INativeRollup.TooManyDischarges(given, MAX_DISCHARGES);
        }
        Judgement memory judgement;
        judgement.index = facts.first;
        judgement.known = new Known[](given);
        for (uint256 i = 0; i < given; ++i) {
            // What follows one that was put off would overtake it.
            if (due != 0) revert INativeRollup.ForcedTransactionOmitted(judgement.index);
            INativeRollup.Discharge calldata one = batch.discharges[i];
            bytes32 got = keccak256(abi.encode(one.transaction));
            bytes32 expected = _commitments[judgement.index];
            if (got != expected) revert NotSubmitted(judgement.index, got, expected);
            _judge(facts, one, found[i], judgement);
            if (one.outcome == INativeRollup.Outcome.NoRoom) {
                due = _dueOf(one.transaction.submittedAt);
            } else {
                delete _commitments[judgement.index++];
            }
            ++judgement.judged;
        }
        next = judgement.index;
        if (due == 0) {
            due = _nextDue(facts, batch, next, facts.demanded && given < MAX_DISCHARGES);
        }
    }

    /// @dev Puts a transaction at the end of the queue.
    function _push(bytes32 newCommitment) internal returns (uint64 index) {
        index = _count;
        if (_lastBlock != block.number) {
            // Neither comes near 2^64.
            // forge-lint: disable-next-line(unsafe-typecast)
            (_lastBlock, _countBefore) = (uint64(block.number), index);
        }
        _count = index + 1;
        _commitments[index] = newCommitment;
    }

    /// @dev Time at which the transaction after a batch is due; it must not be due yet, unless the
    /// batch was all that can be demanded. What was submitted in this L1 block, no builder of the
    /// L2 block knew of.
    function _nextDue(
        BlockFacts calldata facts,
        INativeRollup.ForcedBatch calldata batch,
        uint64 index,
        bool demanded
    ) private view returns (uint64 due) {
        // What is submitted from now on is due no earlier than this.
        if (index >= countBefore()) return _dueOf(block.timestamp);
        if (batch.next.length == 0) {
            if (demanded) revert INativeRollup.ForcedTransactionOmitted(index);
            // It was submitted no earlier than the last that was dealt with.
            uint256 given = batch.discharges.length;
            if (given == 0) return facts.firstDue;
            return _dueOf(batch.discharges[given - 1].transaction.submittedAt);
        }
        bytes32 got = keccak256(abi.encode(batch.next[0]));
        bytes32 expected = _commitments[index];
        if (got != expected) revert INativeRollup.ForcedTransactionMismatch(index, got, expected);
        due = _dueOf(batch.next[0].submittedAt);
        if (demanded && facts.timestamp >= due) {
            revert INativeRollup.ForcedTransactionOmitted(index);
        }
    }

    /// @dev Reverts unless the outcome is the true one.
    function _judge(
        BlockFacts calldata facts,
        INativeRollup.Discharge calldata given,
        bytes32 found,
        Judgement memory judgement
    ) private {
        INativeRollup.ForcedTransaction calldata t = given.transaction;
        INativeRollup.Outcome outcome = given.outcome;
        uint64 index = judgement.index;
        uint256 length = Capacity.ENTRY_BYTES;
        if (outcome == INativeRollup.Outcome.Included) {
            if (found != t.hash) revert INativeRollup.NotIncluded(index, found, t.hash);
            judgement.known[judgement.judged] = Known(t.sender, t.nonce + 1, true, false, 0);
            judgement.gas += t.gasLimit;
            length = t.footprint;
        } else {
            uint64 due = _dueOf(t.submittedAt);
            if (facts.timestamp < due) revert INativeRollup.NotDue(index, due);
            if (outcome == INativeRollup.Outcome.Invalid) {
                // Shown once more than needed, an account takes no more of the budget.
                if (!_isShown(judgement, t.sender)) length += Capacity.PROOF_BYTES;
                if (!_isRuledOut(facts.stateRoot, given, judgement)) {
                    revert INativeRollup.StillValid(index);
                }
            } else if (outcome == INativeRollup.Outcome.Underpriced) {
                if (t.maxFee >= facts.baseFee) {
                    revert INativeRollup.PricedEnough(index, t.maxFee, facts.baseFee);
                }
                if (_waitsForPrice(facts, t, due)) {
                    revert INativeRollup.StillPriced(index, due + GRACE + EXPIRY);
                }
            } else if (outcome == INativeRollup.Outcome.TargetHasCode) {
                length += Capacity.PROOF_BYTES;
                if (!_targetHasCode(facts.stateRoot, given)) {
                    revert INativeRollup.TargetIsPlain(index, t.to);
                }
            } else if (outcome == INativeRollup.Outcome.Expired) {
                uint64 since = judgement.judged == 0 ? facts.firstSince : facts.timestamp;
                uint64 expiry = (since < due ? due : since) + GRACE + EXPIRY;
                if (facts.timestamp < expiry) revert INativeRollup.NotExpired(index, expiry);
            } else if (_hasRoomFor(facts, t, due, judgement)) {
                revert INativeRollup.RoomLeft(index);
            }
        }
        judgement.length += length;
        emit ForcedDischarged(index, t.hash, uint8(outcome));
    }

    /// @dev Returns `true` if the sender's account does not admit the transaction after the block:
    /// by proof, or by what an earlier discharge of the batch has shown.
    function _isRuledOut(
        bytes32 root,
        INativeRollup.Discharge calldata given,
        Judgement memory judgement
    ) private pure returns (bool) {
        INativeRollup.ForcedTransaction calldata t = given.transaction;
        Known memory known;
        if (given.accountProof.length != 0) {
            known = _show(root, t.sender, given.accountProof, given.code);
        } else {
            if (given.position >= judgement.judged) return false;
            known = judgement.known[given.position];
            if (known.account != t.sender) return false;
        }
        judgement.known[judgement.judged] = known;
        if (known.used) return t.nonce < known.nonce;
        return t.nonce != known.nonce || t.cost > known.balance || known.hasCode;
    }

    /// @dev An account after the block, as far as it matters for a sender.
    function _show(bytes32 root, address account, bytes[] calldata proof, bytes calldata code)
        private
        pure
        returns (Known memory)
    {
        (, StateProof.Account memory a) = StateProof.account(root, account, proof);
        // EIP-3607. Without the code itself a contract cannot be told from a delegation.
        bool hasCode = a.codeHash != StateProof.EMPTY_CODE_HASH && keccak256(code) == a.codeHash
            && (code.length != DELEGATION_LENGTH || bytes3(code[:3]) != DELEGATION);
        return Known(account, a.nonce, false, hasCode, a.balance);
    }

    /// @dev Returns `true` if an earlier discharge of the batch shows the account.
    function _isShown(Judgement memory judgement, address account) private pure returns (bool) {
        for (uint256 i = 0; i < judgement.judged; ++i) {
            if (judgement.known[i].account == account) return true;
        }
        return false;
    }

    /// @dev Returns `true` if a transfer would execute code of which it is not known what it reads.
    function _targetHasCode(bytes32 root, INativeRollup.Discharge calldata given)
        private
        pure
        returns (bool)
    {
        if (given.transaction.bounded) return false;
        (, StateProof.Account memory target) =
            StateProof.account(root, given.transaction.to, given.accountProof);
        return target.codeHash != StateProof.EMPTY_CODE_HASH;
    }

    /// @dev Returns `true` if the transaction can be demanded of the block in addition. The first
    /// can, always: no more is taken into the queue than fits.
    function _hasRoomFor(
        BlockFacts calldata facts,
        INativeRollup.ForcedTransaction calldata t,
        uint64 due,
        Judgement memory judgement
    ) private view returns (bool) {
        if (_waitsForPrice(facts, t, due)) return false;
        bool inGrace = facts.timestamp < due + GRACE;
        if (inGrace && facts.gasLimit - facts.gasUsed < t.gasLimit) return false;
        uint256 most = facts.gasLimit < Capacity.DUTY_GAS ? facts.gasLimit : Capacity.DUTY_GAS;
        return
            judgement.gas + t.gasLimit <= most
                && judgement.length + t.footprint <= Capacity.DUTY_BYTES;
    }

    /// @dev Returns `true` if the base fee puts the transaction off. The time runs from when each
    /// is due, so many that wait end together, and hold up those behind them for no longer than
    /// one.
    function _waitsForPrice(
        BlockFacts calldata facts,
        INativeRollup.ForcedTransaction calldata t,
        uint64 due
    ) private view returns (bool) {
        return t.priced && t.maxFee < facts.baseFee && facts.timestamp < due + GRACE + EXPIRY;
    }

    /// @dev Time at which a transaction that was submitted at this time is due.
    function _dueOf(uint256 submittedAt) private view returns (uint64) {
        // Neither comes near 2^63.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(submittedAt) + DELAY;
    }
}
