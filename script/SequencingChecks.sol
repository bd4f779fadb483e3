// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {OpenSequencing} from "../contracts/sequencing/OpenSequencing.sol";
import {TomlValues} from "./TomlValues.sol";

/// @title Rules for the values of a sequencing policy
/// @notice The part of `PlanChecks` that concerns the accounts that may advance.
abstract contract SequencingChecks is TomlValues {
    /// @dev Reads the members that take turns.
    function _members(string memory toml) internal pure returns (address[] memory members) {
        string memory field = "sequencing.members";
        string memory rule = "one or more accounts that may advance, in the order of their slots";
        try vm.parseTomlAddressArray(toml, ".sequencing.members") returns (address[] memory list) {
            members = list;
        } catch {
            revert ValueInvalid(field, OTHER_KIND, rule);
        }
        if (members.length == 0) revert ValueInvalid(field, "an empty list", rule);
        for (uint256 i = 0; i < members.length; ++i) {
            if (members[i] != address(0)) continue;
            revert ValueInvalid(field, vm.toString(members[i]), rule);
        }
    }

    /// @dev Reads the rule for the fee recipient if any account may advance, and the account that
    /// receives all fees; the latter is set if and only if the rule is `Fixed`.
    function _fees(string memory toml)
        internal
        pure
        returns (OpenSequencing.Fees fees, address recipient)
    {
        string memory key = ".sequencing.fees";
        uint64 value = _u64(toml, key);
        uint64 maximum = uint64(type(OpenSequencing.Fees).max);
        string memory rule = "0 (chosen by the builder), 1 (the caller) or 2 (the recipient)";
        _require(value <= maximum, key, value, rule);
        fees = OpenSequencing.Fees(value);
        key = ".sequencing.fee_recipient";
        recipient = _account(toml, key);
        bool isFixed = fees == OpenSequencing.Fees.Fixed;
        if (isFixed == (recipient != address(0))) return (fees, recipient);
        revert ValueInvalid(
            _name(key),
            vm.toString(recipient),
            isFixed ? "the account that receives the fees" : "zero, unless sequencing.fees is 2"
        );
    }

    /// @dev Reads the account that may advance at all times.
    function _sequencer(string memory toml) internal pure returns (address sequencer) {
        string memory key = ".sequencing.sequencer";
        sequencer = _account(toml, key);
        if (sequencer != address(0)) return sequencer;
        revert ValueInvalid(_name(key), vm.toString(sequencer), "the account that may advance");
    }

    /// @dev Reads the age from which any account may post a block that the sequencer signed.
    function _postDelay(string memory toml) internal pure returns (uint64 delay) {
        string memory key = ".sequencing.post_delay";
        delay = _u64(toml, key);
        uint256 end = _u64(toml, ".rollup.max_lag") / 2;
        string memory rule = string.concat(
            "below ",
            vm.toString(end),
            ", half of rollup.max_lag: a promise about a block ends at that age"
        );
        _require(delay < end, key, delay, rule);
    }

    /// @dev Checks the timeout. A policy that opens for a head that was just advanced would open
    /// although the rollup moves, and one that opens later than the rollup would never be called
    /// once open; see `LivenessTimeout`. When a policy opens, a third party can post a child of the
    /// head with a timestamp of `max_lag` ago, which must not break a promise about another child.
    function _requireTimeout(string memory toml, bool isPreconfirmed) internal view virtual {
        string memory key = ".sequencing.timeout";
        uint256 timeout = _u64(toml, key);
        uint256 lag = _u64(toml, ".rollup.max_lag");
        _atLeast(
            key,
            timeout,
            lag + 1,
            "more than rollup.max_lag, as a head that was just advanced may be that old"
        );
        if (isPreconfirmed) {
            _atLeast(
                key,
                timeout,
                (7 * lag + 3) / 4,
                "7/4 of rollup.max_lag, as otherwise a block of another account could break a promise"
            );
        }
        uint256 open = _u64(toml, ".rollup.open_after");
        string memory rule = string.concat(
            "at most ", vm.toString(open), ": from rollup.open_after on anyone may advance anyway"
        );
        _require(timeout <= open, key, timeout, rule);
    }

    /// @dev Checks that slots have a length and that the first has begun; see `RotatingSequencing`.
    function _requireTurns(string memory toml) internal view virtual {
        string memory key = ".sequencing.slot_length";
        _atLeast(key, _u64(toml, key), 1, "a slot must have a length");
        key = ".sequencing.start";
        uint256 start = _u64(toml, key);
        string memory rule = string.concat(
            "at most ",
            vm.toString(block.timestamp),
            ", the time of L1: until the first turn no sequencer could advance"
        );
        // A deviation of seconds is irrelevant.
        // forge-lint: disable-next-line(block-timestamp)
        _require(start <= block.timestamp, key, start, rule);
    }
}
