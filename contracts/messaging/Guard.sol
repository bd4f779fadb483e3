// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {Escrow} from "./Escrow.sol";

/// @title An optional guardian, who may pause the queue for a while
/// @notice The contracts trust EXECUTE. If a bug in it lets a false block pass, claims can empty
/// the escrow before L1 is repaired. A guardian can answer that in one way only, and for a fixed
/// time:
///
///   - `send` takes no messages, so no more value comes in. A message without value to `L2Accounts`
///     goes on: by such messages contract wallets leave.
///   - Claims go on that pay ETH and call nothing, until they have taken the limit together. All
///     others wait for the end of the pause. A limit for each claim would stop no thief, who makes
///     many claims. A call counts as large in any case, since it can move anything, tokens for
///     instance.
///
/// A pause ends by itself after `PAUSE` seconds, and the next can begin `REST` times as long after
/// that. So no exit is delayed by more than `PAUSE`, which the window before an upgrade counts, see
/// `RollupRules`. The guardian cannot move anything, change anything, be replaced, or keep blocks
/// and forced transactions off.
///
/// Without a guardian, the default, all of this costs nothing but a comparison.
/// @dev Slot 24576: the end of the latest pause (64 bits), and what was claimed in it (128).
abstract contract Guard is Escrow {
    /// @dev A pause is followed by at least so many times its length without one.
    uint64 private constant REST = 4;

    /// @dev A pause is long enough that the rest after it suffices for a claim, a day, and not
    /// longer than this.
    uint64 private constant MIN_PAUSE = 6 hours;
    uint64 private constant MAX_PAUSE = 14 days;

    /// @dev Seconds for which a pause lasts.
    uint64 private immutable _PAUSE;

    /// @dev Wei that claims may take during a pause, together.
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
        // Hours, to the precision that L1 itself has.
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
        // The rest is counted from here on, so shorter pauses do not add up to more.
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
        // At most the limit.
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
