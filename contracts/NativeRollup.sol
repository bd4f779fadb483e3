// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ForcedDuty} from "./forced/ForcedDuty.sol";
import {RollupRules} from "./governance/RollupRules.sol";
import {IForcedInbox} from "./interfaces/IForcedInbox.sol";
import {IL1MessageQueue} from "./interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "./interfaces/INativeRollup.sol";
import {ISequencing} from "./interfaces/ISequencing.sol";
import {Execute} from "./libraries/Execute.sol";
import {RelayDuty} from "./messaging/RelayDuty.sol";

/// @title A native rollup (EIP-8079)
/// @notice Keeps the head of an L2 and moves it by blocks that EXECUTE has found valid. EXECUTE
/// knows nothing of this rollup: it says that a block follows from its parent by the rules of
/// Ethereum, and that no blob, no withdrawal and nothing else of L1's own is in it. This contract
/// adds what makes the block one of this L2:
///
///   schema, chain id   the fork is the one that L1, or a schedule, has for it (`RollupRules`)
///   parent, number     it follows the head
///   gas limit          it is as large as agreed (`RollupRules`)
///   timestamp          later than the parent's, not later than L1, not too far behind it
///   fee recipient      as the sequencing policy says, if it says anything
///   anchor             the parent beacon block root is what L1 says: an L1 block and the messages
///                      sent until then; neither ever goes back
///   messages from L1   relayed before a deadline (`RelayDuty`)
///   forced             transactions that were submitted on L1 are in it, or could not be
///   transactions       (`ForcedDuty`)
///
/// Everything else in a block is free. The data of the L2 are the inputs of `advance`: each is for
/// one block or for a batch, and every block is held to the same, whichever way it comes. In a
/// transaction that has blobs each input has a trailer, which says which blobs hold the rest of it
/// (`Execute`).
contract NativeRollup is RelayDuty, ForcedDuty {
    /// @param genesisHeader RLP of the header of the L2 block with which the rollup starts.
    /// @param config Rules of every block after it.
    constructor(bytes memory genesisHeader, Config memory config)
        RollupRules(genesisHeader, config)
    {
        // What is sent from now on is due later than this. If something was sent before, the first
        // block of which it can be demanded shows what is due.
        uint64 time = uint64(block.timestamp);
        uint64 start = _forks[0].from;
        bool sent = IL1MessageQueue(MESSAGE_QUEUE).checkpoint().count != 0;
        bool submitted = IForcedInbox(FORCED).count() != 0;
        _startDuties(sent ? start : time + RELAY_DEADLINE, submitted ? start : time + _FORCED_DELAY);
    }

    /// @inheritdoc INativeRollup
    function advance(bytes[] calldata inputs, Evidence calldata evidence) external {
        Tip memory tip = _begin(inputs);
        bytes32 anchorBefore = tip.anchor;
        uint256 rulesBefore = tip.rules;
        uint64 first = tip.number + 1;
        tip.feeRecipient = _authorized(tip);

        bytes memory buffer = Execute.allocate(inputs);
        bool plain = _isEmpty(evidence);
        // Position of a block among those of the call.
        uint256 index;
        for (uint256 i = 0; i < inputs.length; ++i) {
            uint256 count = Execute.load(buffer, inputs[i]);
            uint256 inInput = 0;
            do {
                if (!plain) _updateAnchor(tip, evidence.updates, index);
                bytes memory block_ = count == 0 ? buffer : Execute.blockAt(buffer, count, inInput);
                _addBlock(tip, buffer, block_, inInput == 0);
                // Mostly there is neither evidence nor a need for any.
                if (!plain || tip.timestamp >= tip.dutyDue) {
                    tip.inputEnd = Execute.endOf(buffer, count);
                    _requireDuties(tip, block_, evidence, index);
                }
                // Both are bounded by the length of the calldata.
                unchecked {
                    ++index;
                    ++inInput;
                }
            } while (inInput < count);
        }
        if (!plain) _requireAllUsed(tip, evidence);
        _store(tip, anchorBefore, rulesBefore);
        emit Advanced(first, tip.number, msg.sender, tip.inputsHash, Execute.blobs());
    }

    /// @inheritdoc INativeRollup
    function reportFork(bytes[] calldata inputs) external {
        Tip memory tip = _begin(inputs);
        bytes memory buffer = Execute.allocate(inputs);
        uint256 count = Execute.load(buffer, inputs[0]);
        bytes memory block_ = count == 0 ? buffer : Execute.blockAt(buffer, count, 0);
        (uint64 number, uint64 limit, uint64 time) = Execute.numbers(block_);
        _report(tip.rules, Execute.schema(buffer), time);
        _requireFields(tip, buffer, block_);
        _requireNumbers(tip, number, limit, time);
        Execute.run(buffer);
    }

    /// @dev The head, for a call that has inputs.
    function _begin(bytes[] calldata inputs) private view returns (Tip memory tip) {
        if (inputs.length == 0) revert NothingToAdvance();
        _load(tip);
    }

    /// @dev Demands the duties of the block at the tip: those that it owes, done.
    ///
    /// A block that L1 can carry has room for relays or for forced transactions, not always for
    /// both (see `Capacity`). So it owes whichever may have been due for longer, and the other too
    /// if nothing was to be done about that one. Once a block has shown what is next of a kind,
    /// that is exact; before, what is known is a time before which nothing of it is due. So what is
    /// due is dealt with in the order of time, but for one block; neither messages nor forced
    /// transactions can keep off what was on L1 before them for longer.
    function _requireDuties(
        Tip memory tip,
        bytes memory block_,
        Evidence calldata evidence,
        uint256 index
    ) private {
        bool idle = tip.timestamp < tip.dutyDue;
        if (idle && evidence.relays.length + evidence.forced.length == 0) return;
        _loadDuties(tip);
        Duties memory d = tip.duties;
        bool relaysDue = tip.timestamp >= d.relayDue;
        bool forcedDue = tip.timestamp >= d.forcedDue;
        if (d.relayDue < d.forcedDue) {
            bool worked = _requireRelays(tip, evidence.relays, index, relaysDue);
            _requireForced(tip, block_, evidence.forced, index, forcedDue && !worked);
            // A block that did not owe it says nothing of the first transaction.
            if (forcedDue && worked) d.forcedFirstSince = tip.timestamp;
        } else {
            bool worked = _requireForced(tip, block_, evidence.forced, index, forcedDue);
            _requireRelays(tip, evidence.relays, index, relaysDue && !worked);
        }
        _planDuties(tip);
    }

    /// @dev Asks the policy, unless anyone may advance: because the head is old, or because what
    /// was due when it was made had been overdue for as long. Returns where the fees must go.
    function _authorized(Tip memory tip) private view returns (address) {
        address asked = _policyOf(tip.rules);
        bool overdue = tip.timestamp >= tip.dutyDue + OPEN_AFTER;
        // Time is governed to the precision that L1 itself has.
        // forge-lint: disable-next-line(block-timestamp)
        if (asked == address(0) || overdue || block.timestamp >= tip.timestamp + OPEN_AFTER) {
            return address(0);
        }
        return ISequencing(asked).authorize(msg.sender, tip.timestamp);
    }

    /// @dev Checks a block of a loaded input and moves the tip to it. Behind the checks of its
    /// first block the whole input is executed, so that a call that comes too late costs little.
    function _addBlock(Tip memory tip, bytes memory input, bytes memory block_, bool first)
        private
    {
        (uint64 number, uint64 limit, uint64 time) = Execute.numbers(block_);
        tip.rules = _rulesUnder(tip.rules, Execute.schema(input), time, first);
        _requireFields(tip, input, block_);
        _requireNumbers(tip, number, limit, time);
        if (first) {
            Execute.run(input);
            tip.inputsHash = Execute.extend(tip.inputsHash, input);
        }

        bytes32 hash = Execute.blockHash(block_);
        bytes32 root = Execute.stateRoot(block_);
        tip.number = number;
        tip.timestamp = time;
        tip.blockHash = hash;
        tip.stateRoot = root;
        tip.baseFee = Execute.baseFee(block_);
        _stateRoots[uint256(number) % STATE_ROOTS] = root;
        emit BlockAdded(number, hash, root);
    }

    /// @dev Compares the governed fields of a block that is to follow the tip, but for its fork and
    /// its numbers.
    function _requireFields(Tip memory tip, bytes memory input, bytes memory block_) private view {
        uint64 chainId = Execute.chainId(input);
        if (chainId != CHAIN_ID) revert ChainIdMismatch(chainId, CHAIN_ID);
        bytes32 parent = Execute.parentHash(block_);
        if (parent != tip.blockHash) revert ParentHashMismatch(parent, tip.blockHash);

        if (tip.feeRecipient != address(0)) {
            address recipient = Execute.feeRecipient(block_);
            if (recipient != tip.feeRecipient) {
                revert FeeRecipientMismatch(recipient, tip.feeRecipient);
            }
        }
        bytes32 carried = Execute.parentBeaconBlockRoot(block_);
        if (carried != tip.anchor) revert AnchorMismatch(carried, tip.anchor);
    }

    /// @dev Compares its numbers.
    function _requireNumbers(Tip memory tip, uint64 number, uint64 limit, uint64 time)
        private
        view
    {
        if (number != tip.number + 1) revert BlockNumberMismatch(number, tip.number + 1);

        uint64 expected = _nextGasLimit(tip.rules);
        if (limit != expected) revert GasLimitMismatch(limit, expected);
        tip.rules = _withGasLimit(tip.rules, limit);

        if (time <= tip.timestamp) revert TimestampNotAfterParent(time, tip.timestamp);
        // forge-lint: disable-next-item(block-timestamp)
        if (time > block.timestamp) revert TimestampInFuture(time, block.timestamp);
        // forge-lint: disable-next-item(block-timestamp)
        uint256 earliest = block.timestamp > MAX_LAG ? block.timestamp - MAX_LAG : 0;
        if (time < earliest) revert TimestampTooOld(time, earliest);
    }

    /// @dev Returns `true` if nothing goes with the inputs.
    function _isEmpty(Evidence calldata evidence) private pure returns (bool) {
        return evidence.updates.length + evidence.forced.length + evidence.relays.length == 0;
    }

    /// @dev All evidence is for blocks of the call, in their order.
    function _requireAllUsed(Tip memory tip, Evidence calldata evidence) private pure {
        uint256 used = tip.updatesUsed;
        if (used != evidence.updates.length) {
            revert AnchorUpdateUnused(used, evidence.updates[used].index);
        }
        used = tip.batchesUsed;
        if (used != evidence.forced.length) {
            revert ForcedBatchUnused(used, evidence.forced[used].index);
        }
        used = tip.relaysUsed;
        if (used != evidence.relays.length) {
            revert RelayProofUnused(used, evidence.relays[used].index);
        }
    }
}
