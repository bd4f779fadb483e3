// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRollup} from "./interfaces/IRollup.sol";

/// @title Storage of a rollup, and the head during a call
/// @notice All storage of a rollup is declared here. None of it grows with the number of blocks.
///
///   slot 0          head, from the low bits on: number (48 bits), timestamp (40), L1 block of the
///                   anchor (40), message count of the anchor (48), L2 time of the next duty (40),
///                   base fee in units of 2^24 wei, rounded up (40)
///   slot 1          hash of the latest block
///   slot 2          current anchor
///   slot 3          rules: policy (160), gas limit (32), target gas limit (32), schema of the head
///                   (16), scheduled forks that are active (8), forks that are scheduled
///                   (8)
///   slot 4          duties: relayed (56), relay due (48), next forced transaction (56), forced due
///                   (48), first since (48)
///   slots 5 – 8195  state roots, by block number modulo 8191
///   slot 8196       owner
///   slot 8197       pending owner
///   slot 8198       fork schedule
///   slot 8199       announced changes
///   slot 8200       reported fork: schema of the first fork with its rules (16), number of the
///                   head (64), time of the report (64)
///
/// A call reads slots 0 to 3 and writes slots 0 and 1. It reads slot 4 only if a duty may be due by
/// the time in slot 0, or if there is evidence.
abstract contract RollupState is IRollup {
    /// @dev Head of the rollup during a call.
    struct Tip {
        // Slot 0.
        uint64 number;
        uint64 timestamp;
        uint64 anchorNumber;
        uint64 messageCount;
        uint64 dutyDue;
        // In wei, of the last block that the call has added; set after all blocks.
        uint256 baseFee;
        // Slots 1 and 2.
        bytes32 blockHash;
        bytes32 anchor;
        // Slot 3.
        uint256 rules;
        // Slot 4, once it has been read.
        bool dutiesLoaded;
        Duties duties;
        // State root of the block at `number`, if this call has added it.
        bytes32 stateRoot;
        // Required fee recipient of the blocks; zero if any is allowed.
        address feeRecipient;
        // End of the block's input in memory, set when its duties are checked.
        uint256 inputEnd;
        // Number of used entries of each list of the evidence.
        uint256 updatesUsed;
        uint256 relaysUsed;
        uint256 batchesUsed;
        // Rolling hash over the executed inputs.
        bytes32 inputsHash;
    }

    /// @inheritdoc IRollup
    uint64 public constant STATE_ROOTS = 8191;

    uint256 private constant MASK_40 = type(uint40).max;
    uint256 private constant MASK_48 = type(uint48).max;
    uint256 private constant MASK_56 = type(uint56).max;

    uint256 private constant MAX_GENESIS_NUMBER = MASK_48 - MASK_40;

    /// @dev Unit of the base fee in slot 0, in wei. EXECUTE rejects base fees of more than 64 bits.
    uint256 private constant BASE_FEE_UNIT = 1 << 24;

    /// @dev Slot 0.
    uint256 internal _head;

    /// @inheritdoc IRollup
    /// @dev Slot 1.
    bytes32 public blockHash;

    /// @inheritdoc IRollup
    /// @dev Slot 2.
    bytes32 public anchor;

    /// @dev Slot 3.
    uint256 internal _rules;

    /// @dev Slot 4.
    uint256 internal _duties;

    /// @dev Slots 5 to 8195. Once every slot has been written, a block uses no new storage.
    bytes32[STATE_ROOTS] internal _stateRoots;

    /// @inheritdoc IRollup
    /// @dev Slot 8196.
    address public owner;

    /// @inheritdoc IRollup
    /// @dev Slot 8197.
    address public pendingOwner;

    /// @dev Slot 8198.
    Fork[] internal _forks;

    /// @dev Slot 8199.
    Announcement[] internal _announced;

    /// @dev Slot 8200.
    uint256 internal _forkReport;

    /// @inheritdoc IRollup
    function head() external view returns (Head memory h) {
        (h.number, h.timestamp, h.anchorNumber, h.messageCount,) = _unpackHead(_head);
    }

    /// @inheritdoc IRollup
    function baseFee() external view returns (uint256) {
        return (_head >> 216) * BASE_FEE_UNIT;
    }

    /// @inheritdoc IRollup
    function duties() external view returns (Duties memory) {
        return _unpackDuties(_duties);
    }

    /// @inheritdoc IRollup
    function stateRoot() external view returns (bytes32) {
        return _stateRoots[_latest() % STATE_ROOTS];
    }

    /// @inheritdoc IRollup
    function stateRootAt(uint64 number) external view returns (bytes32 root) {
        uint256 latest = _latest();
        unchecked {
            // A number above the latest is more than `STATE_ROOTS` away, as the difference wraps.
            if (latest - number < STATE_ROOTS) root = _stateRoots[uint256(number) % STATE_ROOTS];
        }
        // Blocks before the genesis have no state root.
        if (root == 0) revert StateRootUnavailable(number, _latest());
    }

    /// @dev Stores a genesis. Nothing is due until `_startDuties`.
    function _start(Genesis memory genesis) internal {
        if (genesis.stateRoot == 0) revert GenesisIncomplete();
        // With a non-zero anchor, the first block could relay messages that were never sent.
        if (genesis.anchor != 0) revert GenesisAnchored(genesis.anchor);
        // Timestamps strictly increase and fit into 40 bits, so block numbers fit into 48 bits.
        if (genesis.number > MAX_GENESIS_NUMBER) {
            revert GenesisOutOfBounds(genesis.number, MAX_GENESIS_NUMBER);
        }
        // With a later genesis, no block could have a timestamp after it and not after L1. The
        // check also bounds the timestamp to 40 bits.
        // forge-lint: disable-next-line(block-timestamp)
        if (genesis.timestamp > block.timestamp) {
            revert GenesisInFuture(genesis.timestamp, block.timestamp);
        }
        _head = _packHead(genesis.number, genesis.timestamp, 0, 0, 0, 0);
        blockHash = genesis.blockHash;
        _stateRoots[genesis.number % STATE_ROOTS] = genesis.stateRoot;
        emit BlockAdded(genesis.number, genesis.blockHash, genesis.stateRoot);
    }

    /// @dev Stores the initial duties after the genesis.
    /// @param relayDue L2 time from which a proof of relayed messages is first required.
    /// @param forcedDue L2 time from which forced transactions are first required.
    function _startDuties(uint64 relayDue, uint64 forcedDue) internal {
        (uint64 number, uint64 timestamp,,,) = _unpackHead(_head);
        uint64 dutyDue = relayDue < forcedDue ? relayDue : forcedDue;
        _head = _packHead(number, timestamp, 0, 0, dutyDue, 0);
        _duties = _packDuties(Duties(0, relayDue, 0, forcedDue, timestamp));
    }

    /// @dev Loads the stored head into the tip.
    function _load(Tip memory tip) internal view {
        (tip.number, tip.timestamp, tip.anchorNumber, tip.messageCount, tip.dutyDue) =
            _unpackHead(_head);
        tip.blockHash = blockHash;
        tip.anchor = anchor;
        tip.rules = _rules;
    }

    /// @dev Loads slot 4 into the tip, unless that has been done.
    function _loadDuties(Tip memory tip) internal view {
        if (tip.dutiesLoaded) return;
        tip.duties = _unpackDuties(_duties);
        tip.dutiesLoaded = true;
    }

    /// @dev Sets the time of the next duty.
    function _planDuties(Tip memory tip) internal pure {
        if (!tip.dutiesLoaded) return;
        Duties memory d = tip.duties;
        tip.dutyDue = d.relayDue < d.forcedDue ? d.relayDue : d.forcedDue;
    }

    /// @dev Stores the head after a call. All numbers come from L1 or from blocks that EXECUTE has
    /// accepted, and increase step by step, so none can overflow its field.
    function _store(Tip memory tip, bytes32 anchorBefore, uint256 rulesBefore) internal {
        if (tip.dutiesLoaded) {
            uint256 packed = _packDuties(tip.duties);
            if (packed != _duties) _duties = packed;
        }
        uint256 fee;
        // Base fees fit into 64 bits.
        unchecked {
            fee = (tip.baseFee + BASE_FEE_UNIT - 1) / BASE_FEE_UNIT;
        }
        _head = _packHead(
            tip.number, tip.timestamp, tip.anchorNumber, tip.messageCount, tip.dutyDue, fee
        );
        blockHash = tip.blockHash;
        if (tip.anchor != anchorBefore) anchor = tip.anchor;
        if (tip.rules != rulesBefore) _rules = tip.rules;
    }

    function _headTimestamp() internal view returns (uint256) {
        return (_head >> 48) & MASK_40;
    }

    function _latest() internal view returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(_head & MASK_48);
    }

    function _packHead(
        uint256 number,
        uint256 timestamp,
        uint256 anchorNumber,
        uint256 messageCount,
        uint256 dutyDue,
        uint256 fee
    ) private pure returns (uint256) {
        return number | timestamp << 48 | anchorNumber << 88 | messageCount << 128 | dutyDue << 176
            | fee << 216;
    }

    // The casts below extract fields from words.
    // forge-lint: disable-start(unsafe-typecast)

    function _unpackHead(uint256 word)
        private
        pure
        returns (uint64, uint64, uint64, uint64, uint64)
    {
        return (
            uint64(word & MASK_48),
            uint64((word >> 48) & MASK_40),
            uint64((word >> 88) & MASK_40),
            uint64((word >> 128) & MASK_48),
            uint64((word >> 176) & MASK_40)
        );
    }

    function _packDuties(Duties memory d) private pure returns (uint256) {
        return d.relayed | uint256(d.relayDue) << 56 | uint256(d.forcedNext) << 104
            | uint256(d.forcedDue) << 160 | uint256(d.forcedFirstSince) << 208;
    }

    function _unpackDuties(uint256 word) internal pure returns (Duties memory) {
        return Duties({
            relayed: uint64(word & MASK_56),
            relayDue: uint64((word >> 56) & MASK_48),
            forcedNext: uint64((word >> 104) & MASK_56),
            forcedDue: uint64((word >> 160) & MASK_48),
            forcedFirstSince: uint64(word >> 208)
        });
    }

    // forge-lint: disable-end(unsafe-typecast)
}
