// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "./IL2.sol";
import {L2} from "./L2.sol";
import {RealRollup} from "./RealRollup.sol";

/// @title Builds blocks with due forced transactions, and the evidence for them
/// @dev Transactions beyond the budget of a block are deferred. The builder is kept simple.
abstract contract ForcedBuilder is RealRollup {
    using L2 for L2.Chain;

    IRollup.ForcedTransaction[] internal forced;
    bytes[] internal forcedRaw;

    // Counters that show that runs are not vacuous.
    uint256 public included;
    uint256 public excused;
    uint256 public putOffs;
    uint256 public outOfBudget;
    uint256 public reused;

    function _force(bytes memory raw) internal {
        forced.push(submit(raw));
        forcedRaw.push(raw);
    }

    /// @dev A transaction that is omitted at first may become valid after a later one, in which
    /// case it could have been appended. Each is therefore tried again after all others, until that
    /// makes no difference.
    function _queueForced(uint256 first) internal {
        for (uint256 round = first; round < forced.length; ++round) {
            for (uint256 i = first; i < forced.length; ++i) {
                if (_isDue(i)) l2.raw(forcedRaw[i]);
            }
        }
    }

    function _isDue(uint256 index) internal view virtual returns (bool) {
        return forced[index].submittedAt + FORCED_DELAY <= vm.getBlockTimestamp();
    }

    function _mayPutOff(uint256 index) internal view virtual returns (bool) {
        uint256 due = forced[index].submittedAt + FORCED_DELAY;
        return due + FORCED_GRACE > vm.getBlockTimestamp();
    }

    /// @dev Returns the outcomes of all due transactions, up to the budget.
    function _batch(uint256 first, bytes32[] memory hashes)
        internal
        returns (IRollup.ForcedBatch[] memory batches)
    {
        uint256 end = first;
        while (end < forced.length && _isDue(end)) ++end;
        batches = new IRollup.ForcedBatch[](1);
        IRollup.Discharge[] memory all = new IRollup.Discharge[](end - first);
        uint256 length = 0;
        uint256 count = 0;
        bool deferred = false;
        while (count < all.length && !deferred) {
            IRollup.Discharge memory d = _outcome(forced[first + count], hashes);
            if (length + d.transaction.footprint > Capacity.DUTY_BYTES) {
                d = discharge(d.transaction, IRollup.Outcome.NoRoom);
                ++outOfBudget;
            }
            deferred = d.outcome == IRollup.Outcome.NoRoom;
            if (d.outcome == IRollup.Outcome.Included) {
                length += d.transaction.footprint;
            } else {
                bool reuses = d.accountProof.length == 0 || _reuse(d, all, count);
                if (_mayBecomeValid(d)) length += d.transaction.footprint;
                else length += Capacity.ENTRY_BYTES + (reuses ? 0 : Capacity.PROOF_BYTES);
            }
            all[count++] = d;
        }
        batches[0].discharges = new IRollup.Discharge[](count);
        for (uint256 i = 0; i < count; ++i) {
            batches[0].discharges[i] = all[i];
        }
        if (!deferred && end < forced.length) {
            batches[0].next = new IRollup.ForcedTransaction[](1);
            batches[0].next[0] = forced[end];
        }
    }

    /// @dev Refers to an earlier discharge that shows enough of the same account, instead of
    /// proving it again. Returns whether there is one.
    function _reuse(IRollup.Discharge memory d, IRollup.Discharge[] memory before, uint256 count)
        internal
        returns (bool)
    {
        for (uint64 i = 0; i < count; ++i) {
            IRollup.Discharge memory b = before[i];
            bool isIn = b.outcome == IRollup.Outcome.Included;
            if (b.transaction.sender != d.transaction.sender) continue;
            if (!isIn && b.outcome != IRollup.Outcome.Invalid) continue;
            if (isIn && b.transaction.nonce < d.transaction.nonce) continue;
            if (!isIn && b.accountProof.length == 0) continue;
            d.accountProof = new bytes[](0);
            d.position = i;
            ++reused;
            return true;
        }
        return false;
    }

    /// @dev Returns whether a transaction is invalid although its nonce is not used.
    function _mayBecomeValid(IRollup.Discharge memory d) internal returns (bool) {
        return d.outcome == IRollup.Outcome.Invalid
            && d.transaction.nonce >= l2.prove(d.transaction.sender).nonce;
    }

    function _outcome(IRollup.ForcedTransaction memory t, bytes32[] memory hashes)
        internal
        returns (IRollup.Discharge memory d)
    {
        for (uint64 i = 0; i < hashes.length; ++i) {
            if (hashes[i] == t.hash) {
                ++included;
                d = discharge(t, IRollup.Outcome.Included);
                d.position = i;
                return d;
            }
        }
        ++excused;
        if (t.maxFee < l2.head.baseFee) {
            return discharge(t, IRollup.Outcome.Underpriced);
        }
        IL2.AccountProof memory sender = l2.prove(t.sender);
        bool valid = sender.nonce == t.nonce && sender.balance >= t.cost;
        if (valid) ++putOffs;
        return discharge(t, valid ? IRollup.Outcome.NoRoom : IRollup.Outcome.Invalid);
    }
}
