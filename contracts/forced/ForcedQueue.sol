// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {IForcedSettlement} from "../interfaces/IForcedSettlement.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {HeaderFields} from "../libraries/HeaderFields.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {TransactionProof} from "../libraries/TransactionProof.sol";

/// @title Resolution of forced transactions
/// @notice A transaction is due `DELAY` seconds after its submission. From then on, a block that
/// must resolve forced transactions (see `ForcedDuty`) does so with one of these outcomes:
///
///   Included        the block includes it, at an index of the input, or by a proof against the
///                   transactions root in its header. Blocks in blobs and of forks whose layout is
///                   not known need the proof
///   Invalid         proven against the state root after the block: the nonce is another one, or
///                   the sender cannot pay or has code
///   Underpriced     it does not pay the block's base fee, and either its fee cap was below the
///                   margin at submission, or it has waited for the maximum time
///   TargetHasCode   it is a transfer, and its target is proven to have code, whose state reads are
///                   not bounded
///   NoRoom          the transactions before it use up what a block can be required to include; or,
///                   for `GRACE` seconds, the block has less gas left than the transaction
///                   requires; or, for `GRACE + EXPIRY` seconds, the base fee is above its fee cap,
///                   although that was `FEE_CAP_MARGIN` times the base fee at submission. It stays
///                   in the queue
///   Expired         see below
///
/// In short, a block may omit only what could not have been appended to it. If inclusion were
/// required unconditionally, an account could halt the chain by submitting a transaction that
/// becomes invalid while it waits. All outcomes except `NoRoom` remove the transaction from the
/// queue; it can be submitted again.
///
/// The builder of a block chooses its other transactions, so neither the length of the block's
/// input nor, after the grace period, the gas that they use is an excuse. The transactions of the
/// queue share a fixed budget (see `Capacity`) that is always sufficient for the first of them. The
/// chain then advances with that transaction or not at all, even though any account may advance
/// after some time. If the chain has not advanced with it for `EXPIRY` seconds, for an unforeseen
/// reason, the transaction is dropped, which is visible on L1, and the chain continues. That block
/// may defer all others.
///
/// An account proof is reused within a batch, so duplicates and transactions with used nonces use
/// almost none of the budget. An invalid transaction whose nonce is not used counts as if it was
/// included: its block, or a later transaction of the queue, may make it valid.
abstract contract ForcedQueue is IForcedInbox, IForcedSettlement {
    /// @dev Maximum number of transactions that a block may and must resolve.
    uint256 internal constant MAX_DISCHARGES = 64;

    /// @dev Prefix of a delegation (EIP-7702), which an address follows: the only code that a
    /// sender may have.
    bytes3 private constant DELEGATION = 0xef0100;
    uint256 private constant DELEGATION_LENGTH = 23;

    /// @dev State of an account after the block, as shown by a discharge.
    struct Known {
        address account;
        /// Account nonce; or, if only `used` is set, a number below which all nonces are used.
        uint64 nonce;
        bool used;
        bool hasCode;
        uint256 balance;
    }

    /// @dev State of a batch while its transactions are checked.
    struct Judgement {
        /// Number of the current transaction.
        uint64 index;
        /// Number of transactions checked before it.
        uint256 judged;
        /// Part of the budget used by the transactions that were checked.
        uint256 length;
        uint256 gas;
        /// Accounts shown by these transactions.
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

    /// @dev Slot 0: number of submitted transactions; number submitted before the L1 block of the
    /// last submission; and number of that block.
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
        IRollup.ForcedBatch calldata batch,
        bytes32[] calldata hashes
    ) external returns (uint64 next, uint64 due) {
        if (msg.sender != ROLLUP) revert NotRollup(msg.sender);
        uint256 total = batch.discharges.length;
        if (total > MAX_DISCHARGES) {
            revert IRollup.TooManyDischarges(total, MAX_DISCHARGES);
        }
        Judgement memory judgement;
        judgement.index = facts.first;
        judgement.known = new Known[](total);
        for (uint256 i = 0; i < total; ++i) {
            // Otherwise this transaction would overtake a deferred one.
            if (due != 0) revert IRollup.ForcedTransactionOmitted(judgement.index);
            IRollup.Discharge calldata entry = batch.discharges[i];
            bytes32 got = keccak256(abi.encode(entry.transaction));
            bytes32 expected = _commitments[judgement.index];
            if (got != expected) revert NotSubmitted(judgement.index, got, expected);
            _judge(facts, entry, hashes[i], judgement);
            if (entry.outcome == IRollup.Outcome.NoRoom) {
                due = _dueOf(entry.transaction.submittedAt);
            } else {
                delete _commitments[judgement.index++];
            }
            ++judgement.judged;
        }
        next = judgement.index;
        if (due == 0) {
            due = _nextDue(facts, batch, next, facts.demanded && total < MAX_DISCHARGES);
        }
    }

    /// @dev Appends a transaction to the queue.
    function _push(bytes32 newCommitment) internal returns (uint64 index) {
        index = _count;
        if (_lastBlock != block.number) {
            // Both are far below 2^64.
            // forge-lint: disable-next-line(unsafe-typecast)
            (_lastBlock, _countBefore) = (uint64(block.number), index);
        }
        _count = index + 1;
        _commitments[index] = newCommitment;
    }

    /// @dev Returns the due time of the transaction after a batch. Reverts if it is already due,
    /// unless the batch is the maximum that can be required. Transactions that were submitted in
    /// this L1 block do not count, because the L2 block may have been built before they were
    /// submitted.
    function _nextDue(
        BlockFacts calldata facts,
        IRollup.ForcedBatch calldata batch,
        uint64 index,
        bool demanded
    ) private view returns (uint64 due) {
        // Later submissions are due no earlier than this.
        if (index >= countBefore()) return _dueOf(block.timestamp);
        if (batch.next.length == 0) {
            if (demanded) revert IRollup.ForcedTransactionOmitted(index);
            // It was submitted no earlier than the last transaction of the batch.
            uint256 total = batch.discharges.length;
            if (total == 0) return facts.firstDue;
            return _dueOf(batch.discharges[total - 1].transaction.submittedAt);
        }
        bytes32 got = keccak256(abi.encode(batch.next[0]));
        bytes32 expected = _commitments[index];
        if (got != expected) revert IRollup.ForcedTransactionMismatch(index, got, expected);
        due = _dueOf(batch.next[0].submittedAt);
        if (demanded && facts.timestamp >= due) {
            revert IRollup.ForcedTransactionOmitted(index);
        }
    }

    /// @dev Reverts unless the outcome is proven.
    function _judge(
        BlockFacts calldata facts,
        IRollup.Discharge calldata entry,
        bytes32 hash,
        Judgement memory judgement
    ) private {
        IRollup.ForcedTransaction calldata t = entry.transaction;
        IRollup.Outcome outcome = entry.outcome;
        uint64 index = judgement.index;
        uint256 length = Capacity.ENTRY_BYTES;
        if (outcome == IRollup.Outcome.Included) {
            if (entry.accountProof.length != 0) hash = _provenIn(hash, entry);
            if (hash != t.hash) revert IRollup.NotIncluded(index, hash, t.hash);
            judgement.known[judgement.judged] = Known(t.sender, t.nonce + 1, true, false, 0);
            judgement.gas += t.gasLimit;
            length = t.footprint;
        } else {
            uint64 due = _dueOf(t.submittedAt);
            if (facts.timestamp < due) revert IRollup.NotDue(index, due);
            if (outcome == IRollup.Outcome.Invalid) {
                // A proof that is not needed does not use more of the budget.
                if (!_isProven(judgement, t)) length += Capacity.PROOF_BYTES;
                if (!_isRuledOut(facts.stateRoot, entry, judgement)) {
                    revert IRollup.StillValid(index);
                }
                // Only a used nonce is permanent. Any other transaction may be made valid by a later
                // one of the queue, and then a block with that one has to include this one too.
                if (t.nonce >= judgement.known[judgement.judged].nonce) {
                    judgement.gas += t.gasLimit;
                    length = t.footprint;
                }
            } else if (outcome == IRollup.Outcome.Underpriced) {
                if (t.maxFee >= facts.baseFee) {
                    revert IRollup.PricedEnough(index, t.maxFee, facts.baseFee);
                }
                if (_waitsForPrice(facts, t, due)) {
                    revert IRollup.StillPriced(index, due + GRACE + EXPIRY);
                }
            } else if (outcome == IRollup.Outcome.TargetHasCode) {
                length += Capacity.PROOF_BYTES;
                if (!_targetHasCode(facts.stateRoot, entry)) {
                    revert IRollup.TargetIsPlain(index, t.to);
                }
            } else if (outcome == IRollup.Outcome.Expired) {
                uint64 since = judgement.judged == 0 ? facts.firstSince : facts.timestamp;
                uint64 expiry = (since < due ? due : since) + GRACE + EXPIRY;
                if (facts.timestamp < expiry) revert IRollup.NotExpired(index, expiry);
                // The next transaction gets a block of its own: if no block can include it either,
                // it has to expire too, and only the first one of a block can.
                length = Capacity.DUTY_BYTES;
            } else if (_hasRoomFor(facts, t, due, judgement)) {
                revert IRollup.RoomLeft(index);
            }
        }
        judgement.length += length;
        emit ForcedDischarged(index, t.hash, uint8(outcome));
    }

    /// @dev Returns the hash of the transaction at a position of the block, by a proof against the
    /// transactions root in its header.
    function _provenIn(bytes32 blockHash, IRollup.Discharge calldata entry)
        private
        pure
        returns (bytes32)
    {
        (bytes32 got, bytes32 root) = HeaderFields.transactionsRoot(entry.code);
        if (got != blockHash) revert IRollup.HeaderMismatch(got, blockHash);
        return TransactionProof.hashAt(root, entry.position, entry.accountProof);
    }

    /// @dev Returns `true` if the transaction is invalid after the block because of the sender's
    /// account, as shown by a proof or by an earlier discharge of the batch.
    function _isRuledOut(bytes32 root, IRollup.Discharge calldata entry, Judgement memory judgement)
        private
        pure
        returns (bool)
    {
        IRollup.ForcedTransaction calldata t = entry.transaction;
        Known memory known;
        if (entry.accountProof.length != 0) {
            known = _accountOf(root, t.sender, entry.accountProof, entry.code);
        } else {
            if (entry.position >= judgement.judged) return false;
            known = judgement.known[entry.position];
            if (known.account != t.sender) return false;
        }
        judgement.known[judgement.judged] = known;
        if (known.used) return t.nonce < known.nonce;
        return t.nonce != known.nonce || t.cost > known.balance || known.hasCode;
    }

    /// @dev Returns the state of a sender's account after the block.
    function _accountOf(bytes32 root, address account, bytes[] calldata proof, bytes calldata code)
        private
        pure
        returns (Known memory)
    {
        (, StateProof.Account memory a) = StateProof.account(root, account, proof);
        // EIP-3607. A contract can be distinguished from a delegation only by the code itself.
        bool hasCode = a.codeHash != StateProof.EMPTY_CODE_HASH && keccak256(code) == a.codeHash
            && (code.length != DELEGATION_LENGTH || bytes3(code[:3]) != DELEGATION);
        return Known(account, a.nonce, false, hasCode, a.balance);
    }

    /// @dev Returns `true` if an earlier discharge of the batch proves enough of the sender's
    /// account. An inclusion proves only that the nonces up to its own are used.
    function _isProven(Judgement memory judgement, IRollup.ForcedTransaction calldata t)
        private
        pure
        returns (bool)
    {
        for (uint256 i = 0; i < judgement.judged; ++i) {
            Known memory known = judgement.known[i];
            if (known.account == t.sender && (!known.used || t.nonce < known.nonce)) return true;
        }
        return false;
    }

    /// @dev Returns `true` if a transfer would execute code whose state reads are not bounded.
    function _targetHasCode(bytes32 root, IRollup.Discharge calldata entry)
        private
        pure
        returns (bool)
    {
        if (entry.transaction.bounded) return false;
        (, StateProof.Account memory target) =
            StateProof.account(root, entry.transaction.to, entry.accountProof);
        return target.codeHash != StateProof.EMPTY_CODE_HASH;
    }

    /// @dev Returns `true` if the block can be required to include the transaction in addition.
    /// That is always the case for the first one: larger transactions are not accepted into the
    /// queue.
    function _hasRoomFor(
        BlockFacts calldata facts,
        IRollup.ForcedTransaction calldata t,
        uint64 due,
        Judgement memory judgement
    ) private view returns (bool) {
        if (_waitsForPrice(facts, t, due)) return false;
        bool inGrace = facts.timestamp < due + GRACE;
        if (inGrace && facts.gasLimit - facts.gasUsed < t.gasLimit) return false;
        uint256 limit = facts.gasLimit < Capacity.DUTY_GAS ? facts.gasLimit : Capacity.DUTY_GAS;
        return judgement.gas + t.gasLimit <= limit
            && judgement.length + t.footprint <= Capacity.DUTY_BYTES;
    }

    /// @dev Returns `true` if the base fee defers the transaction. Each transaction waits from its
    /// own due time, so multiple waiting transactions expire together and delay those after them no
    /// longer than one of them would.
    function _waitsForPrice(
        BlockFacts calldata facts,
        IRollup.ForcedTransaction calldata t,
        uint64 due
    ) private view returns (bool) {
        return t.priced && t.maxFee < facts.baseFee && facts.timestamp < due + GRACE + EXPIRY;
    }

    /// @dev Returns the due time of a transaction that was submitted at this time.
    function _dueOf(uint256 submittedAt) private view returns (uint64) {
        // Both are far below 2^63.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(submittedAt) + DELAY;
    }
}
