// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ForcedDuty} from "./forced/ForcedDuty.sol";
import {RollupRules} from "./governance/RollupRules.sol";
import {IForcedInbox} from "./interfaces/IForcedInbox.sol";
import {IL1MessageQueue} from "./interfaces/IL1MessageQueue.sol";
import {ISequencing} from "./interfaces/ISequencing.sol";
import {Execute} from "./libraries/Execute.sol";
import {Mismatch} from "./libraries/Mismatch.sol";
import {RelayDuty} from "./messaging/RelayDuty.sol";

/// @title Rules for the blocks of a rollup
/// @notice Stores the head of an L2 and checks that new blocks belong to this L2:
///
///   schema, chain id   the fork is the one that L1 or a schedule requires (`RollupRules`)
///   parent, number     the block follows the head
///   gas limit          as governed by `RollupRules`
///   timestamp          later than the parent's, not later than L1, at most `MAX_LAG` behind L1
///   fee recipient      as required by the sequencing policy, if it requires one
///   anchor             the parent beacon block root commits to an L1 block and to the messages
///                      sent until then; neither ever decreases
///   messages from L1   relayed before a deadline (`RelayDuty`)
///   forced             transactions submitted on L1 are included, or could not be included
///   transactions       (`ForcedDuty`)
/// Everything else in a block is the choice of its builder, as long as the block is valid. The
/// derived contract decides how validity is proven (`_judge`); no rule depends on it.
///
/// The inputs of a call are the data of the L2: each contains one block or a batch, and the rules
/// for a block do not depend on that. In a transaction with blobs, each input has a trailer that
/// specifies which blobs contain the rest of it (`Execute`).
abstract contract Rollup is RelayDuty, ForcedDuty {
    /// @param genesisHeader RLP of the header of the L2 block with which the rollup starts.
    /// @param config Rules for all later blocks.
    constructor(bytes memory genesisHeader, Config memory config)
        RollupRules(genesisHeader, config)
    {
        // Lower bounds: messages and transactions sent after the deployment are due later. If some
        // were sent before it, the first block that can be required to include them proves when
        // they are due.
        uint64 time = uint64(block.timestamp);
        uint64 start = _forks[0].from;
        bool sent = IL1MessageQueue(MESSAGE_QUEUE).checkpoint().count != 0;
        bool submitted = IForcedInbox(FORCED).count() != 0;
        _startDuties(sent ? start : time + RELAY_DEADLINE, submitted ? start : time + _FORCED_DELAY);
    }

    // ------------------------------------------------------------------ for derived contracts

    /// @dev Reverts unless the blocks of a loaded input are valid. Called once for each input,
    /// after the checks of its first block, so that losing a race to advance costs little gas. The
    /// blocks of later forks (`Execute.isLater`) come from `_judgeLater`, which has checked them.
    /// @param tip Block before the first one of the input.
    /// @param input Loaded input, whose schema and chain id have been checked.
    /// @param count Result of `Execute.load`.
    function _judge(Tip memory tip, bytes memory input, uint256 count) internal virtual;

    /// @dev Returns the blocks of a loaded input whose layout is not known, as a batch that
    /// `Execute.blockAt` reads, and their number. Reverts unless they are valid. The rules are
    /// checked after that, on these fields.
    function _judgeLater(Tip memory tip, bytes memory input)
        internal
        virtual
        returns (bytes memory blocks, uint256 count);

    /// @dev Records a block that has become the tip, before its duties are checked.
    function _added(uint64 number, bytes32 hash, bytes32 root) internal virtual;

    /// @dev Adds the blocks of all inputs to the tip. Reverts if one of them violates a rule.
    function _walk(Tip memory tip, bytes[] calldata inputs, Evidence calldata evidence) internal {
        tip.feeRecipient = _authorized(tip);
        bytes memory buffer = Execute.allocate(inputs);
        bool plain = _isEmpty(evidence);
        bytes memory block_;
        // Index of the block within the call.
        uint256 index;
        for (uint256 i = 0; i < inputs.length; ++i) {
            uint256 count = Execute.load(buffer, inputs[i]);
            bytes memory input = buffer;
            if (count == Execute.LATER) {
                // In all modes except `follow`, this rejects the input before it pays for EXECUTE.
                tip.rules = _rulesUnder(tip.rules, Execute.schema(buffer), 0, true);
                (input, count) = _judgeLater(tip, buffer);
            }
            uint256 inInput = 0;
            do {
                if (!plain) _updateAnchor(tip, evidence.updates, index);
                block_ = count == 0 ? input : Execute.blockAt(input, count, inInput);
                _addBlock(tip, input, block_, count, inInput == 0);
                // Most blocks have no evidence and need none.
                if (!plain || tip.timestamp >= tip.dutyDue) {
                    tip.inputEnd = Execute.endOf(input, count);
                    _requireDuties(tip, block_, evidence, index);
                }
                // Both are bounded by the length of the calldata.
                unchecked {
                    ++index;
                    ++inInput;
                }
            } while (inInput < count);
        }
        tip.baseFee = Execute.baseFee(block_);
        if (!plain) _requireAllUsed(tip, evidence);
    }

    /// @dev Returns the head. Reverts if the call has no inputs.
    function _begin(bytes[] calldata inputs) internal view returns (Tip memory tip) {
        if (inputs.length == 0) revert NothingToAdvance();
        _load(tip);
    }

    /// @dev Checks the governed fields of the block after the tip, except its fork.
    function _requireFollows(
        Tip memory tip,
        bytes memory input,
        bytes memory block_,
        uint64 number,
        uint64 limit,
        uint64 time
    ) internal view {
        uint64 chainId = Execute.chainId(input);
        if (chainId != CHAIN_ID) Mismatch.fail(ChainIdMismatch.selector, chainId, CHAIN_ID);
        bytes32 parent = Execute.parentHash(block_);
        if (parent != tip.blockHash) {
            Mismatch.fail(ParentHashMismatch.selector, uint256(parent), uint256(tip.blockHash));
        }

        if (tip.feeRecipient != address(0)) {
            address recipient = Execute.feeRecipient(block_);
            if (recipient != tip.feeRecipient) {
                Mismatch.fail(
                    FeeRecipientMismatch.selector, uint160(recipient), uint160(tip.feeRecipient)
                );
            }
        }
        bytes32 carried = Execute.parentBeaconBlockRoot(block_);
        if (carried != tip.anchor) {
            Mismatch.fail(AnchorMismatch.selector, uint256(carried), uint256(tip.anchor));
        }

        unchecked {
            // Numbers of blocks fit into 48 bits.
            uint64 expected = tip.number + 1;
            if (number != expected) Mismatch.fail(BlockNumberMismatch.selector, number, expected);
        }
        uint64 required = _nextGasLimit(tip.rules);
        if (limit != required) Mismatch.fail(GasLimitMismatch.selector, limit, required);
        tip.rules = _withGasLimit(tip.rules, limit);

        if (time <= tip.timestamp) {
            Mismatch.fail(TimestampNotAfterParent.selector, time, tip.timestamp);
        }
        // forge-lint: disable-next-item(block-timestamp)
        if (time > block.timestamp) {
            Mismatch.fail(TimestampInFuture.selector, time, block.timestamp);
        }
        unchecked {
            // forge-lint: disable-next-item(block-timestamp)
            uint256 earliest = block.timestamp > MAX_LAG ? block.timestamp - MAX_LAG : 0;
            if (time < earliest) Mismatch.fail(TimestampTooOld.selector, time, earliest);
        }
    }

    /// @dev Checks a block of a loaded input and moves the tip to it.
    function _addBlock(
        Tip memory tip,
        bytes memory input,
        bytes memory block_,
        uint256 count,
        bool first
    ) private {
        (uint64 number, uint64 limit, uint64 time) = Execute.numbers(block_);
        tip.rules = _rulesUnder(tip.rules, Execute.schema(input), time, first);
        _requireFollows(tip, input, block_, number, limit, time);
        if (first) _judge(tip, input, count);

        bytes32 hash = Execute.blockHash(block_);
        bytes32 root = Execute.stateRoot(block_);
        tip.number = number;
        tip.timestamp = time;
        tip.blockHash = hash;
        tip.stateRoot = root;
        _added(number, hash, root);
    }

    /// @dev Reverts unless the block at the tip fulfils its duties.
    ///
    /// L1 can carry the relays of a block or its forced transactions, but not always both (see
    /// `Capacity`). A block must therefore fulfil the kind of duty that may have been due for
    /// longer, and the other kind too if the first required nothing. The due time of a kind is
    /// exact once a block has proven the next entry of that kind; until then, it is a lower bound.
    /// Duties are therefore fulfilled in the order of their due times, with a tolerance of one
    /// block, and neither messages nor forced transactions can delay older entries of the other
    /// kind for longer.
    function _requireDuties(
        Tip memory tip,
        bytes memory block_,
        Evidence calldata evidence,
        uint256 index
    ) private {
        bool idle = tip.timestamp < tip.dutyDue;
        if (idle && evidence.relays.length | evidence.forced.length == 0) return;
        _loadDuties(tip);
        Duties memory d = tip.duties;
        bool relaysDue = tip.timestamp >= d.relayDue;
        bool forcedDue = tip.timestamp >= d.forcedDue;
        if (d.relayDue < d.forcedDue) {
            bool worked = _requireRelays(tip, evidence.relays, index, relaysDue);
            _requireForced(tip, block_, evidence.forced, index, forcedDue && !worked);
            // This block did not have to include forced transactions, so it does not count towards
            // the expiry of the first one.
            if (forcedDue && worked) d.forcedFirstSince = tip.timestamp;
        } else {
            bool worked = _requireForced(tip, block_, evidence.forced, index, forcedDue);
            _requireRelays(tip, evidence.relays, index, relaysDue && !worked);
        }
        _planDuties(tip);
    }

    /// @dev Calls the policy, unless any account may advance because the head is `OPEN_AFTER` old
    /// or one of its duties has been overdue for that long. Returns the required fee recipient, or
    /// zero.
    function _authorized(Tip memory tip) private view returns (address) {
        address policy = _policyOf(tip.rules);
        // Times fit into 40 bits and `OPEN_AFTER` into 32.
        unchecked {
            bool overdue = tip.timestamp >= tip.dutyDue + OPEN_AFTER;
            // The precision of L1 timestamps is sufficient.
            // forge-lint: disable-next-line(block-timestamp)
            if (policy == address(0) || overdue || block.timestamp >= tip.timestamp + OPEN_AFTER) {
                return address(0);
            }
        }
        return ISequencing(policy).authorize(msg.sender, tip.timestamp);
    }

    /// @dev Returns `true` if the call has no evidence.
    function _isEmpty(Evidence calldata evidence) private pure returns (bool) {
        return evidence.updates.length | evidence.forced.length | evidence.relays.length == 0;
    }

    /// @dev Reverts unless all evidence has been used, i.e. is for blocks of the call and in their
    /// order.
    function _requireAllUsed(Tip memory tip, Evidence calldata evidence) private pure {
        uint256 used = tip.updatesUsed;
        if (used != evidence.updates.length) {
            Mismatch.fail(AnchorUpdateUnused.selector, used, evidence.updates[used].index);
        }
        used = tip.batchesUsed;
        if (used != evidence.forced.length) {
            Mismatch.fail(ForcedBatchUnused.selector, used, evidence.forced[used].index);
        }
        used = tip.relaysUsed;
        if (used != evidence.relays.length) {
            Mismatch.fail(RelayProofUnused.selector, used, evidence.relays[used].index);
        }
    }
}
