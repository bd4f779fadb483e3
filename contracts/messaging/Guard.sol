// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Escrow} from "./Escrow.sol";

/// @title Optional guardian that may pause the queue for a limited time
/// @notice The contracts trust EXECUTE. If a bug in EXECUTE lets an invalid block pass, claims can
/// drain the escrow before L1 is repaired. A guardian can respond in one way only, and for a fixed
/// time:
///
///   - `send` rejects messages, so no more value is deposited. Messages without value to
///     `L2Accounts` are still accepted, because contract wallets exit by such messages.
///   - Claims that pay ETH and call no code are still paid until their sum reaches the limit. All
///     others have to wait for the end of the pause. A limit per claim would not stop an attacker,
///     who can make many claims. Claims that call code always have to wait, since a call can move
///     any asset, such as tokens.
///
/// A pause ends automatically after `PAUSE` seconds, and the next can begin `REST` times that
/// duration later. So no exit is delayed by more than `PAUSE`, which the window before a change
/// accounts for (see `RollupRules`). The guardian cannot move or change anything, cannot be
/// replaced, and cannot block L2 blocks or forced transactions.
///
/// Without a guardian, which is the default, the cost is one comparison.
/// @dev Slot 1056770: end of the latest pause (64 bits), and ETH claimed during it (128).
abstract contract Guard is Escrow {
    /// @dev Minimum time between two pauses, as a multiple of the duration of a pause.
    uint64 private constant REST = 4;

    /// @dev Bounds of the duration of a pause. With the minimum, the time between two pauses is a
    /// day, which is sufficient for a claim.
    uint64 private constant MIN_PAUSE = 6 hours;
    uint64 private constant MAX_PAUSE = 14 days;

    /// @dev Duration of a pause, in seconds.
    uint64 private immutable _PAUSE;

    /// @dev Maximum ETH that all claims together may withdraw during a pause, in wei.
    uint128 private immutable _LIMIT;

    uint64 private _pausedUntil;
    uint128 private _claimed;

    constructor(uint64 pause_, uint128 limit) {
        bool fits = _GUARDIAN == address(0)
            ? pause_ == 0 && limit == 0
            : pause_ >= MIN_PAUSE && pause_ <= MAX_PAUSE;
        if (!fits) revert GuardianInvalid(_GUARDIAN, pause_, MIN_PAUSE, MAX_PAUSE);
        _PAUSE = pause_;
        _LIMIT = limit;
    }

    /// @inheritdoc IL1MessageQueue
    function pause() external {
        _requireGuardian();
        uint64 until = _pausedUntil;
        uint256 earliest = until == 0 ? 0 : until + REST * _PAUSE;
        // For hours, the precision of L1 timestamps is sufficient.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < earliest) revert PauseTooSoon(earliest);
        // Far below 2^64.
        // forge-lint: disable-next-line(unsafe-typecast)
        until = uint64(block.timestamp) + _PAUSE;
        (_pausedUntil, _claimed) = (until, 0);
        emit QueuePaused(until);
    }

    /// @inheritdoc IL1MessageQueue
    function resume() external {
        _requireGuardian();
        if (!_isPaused()) revert NotPaused(_pausedUntil);
        // The minimum time until the next pause starts now, so that shorter pauses do not add up to
        // more.
        // forge-lint: disable-next-line(unsafe-typecast)
        _pausedUntil = uint64(block.timestamp);
        emit QueueResumed();
    }

    /// @inheritdoc IL1MessageQueue
    function guardian() external view returns (Guardian memory) {
        return Guardian(_GUARDIAN, _PAUSE, _LIMIT);
    }

    /// @inheritdoc IL1MessageQueue
    function paused() external view returns (uint64 until, uint128 claimed) {
        return (_pausedUntil, _claimed);
    }

    /// @inheritdoc Escrow
    function _requireOpen(address to, uint256 value) internal view override {
        if (!_isPaused()) return;
        if (to == Predeploys.L2_ACCOUNTS && value == 0) return;
        revert SendPaused(_pausedUntil);
    }

    /// @inheritdoc Escrow
    function _requireClaimable(uint256 amount, bool calls) internal override {
        if (!_isPaused()) return;
        uint256 sum = _claimed + amount;
        if (calls || sum > _LIMIT) revert ClaimDelayed(_pausedUntil, amount);
        // At most `_LIMIT`.
        // forge-lint: disable-next-line(unsafe-typecast)
        _claimed = uint128(sum);
    }

    function _isPaused() private view returns (bool) {
        // forge-lint: disable-next-line(block-timestamp)
        return block.timestamp < _pausedUntil;
    }

    function _requireGuardian() private view {
        if (msg.sender != _GUARDIAN) revert NotGuardian(msg.sender);
    }
}
