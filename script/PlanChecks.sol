// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Execute} from "../contracts/libraries/Execute.sol";
import {Chain} from "./Chain.sol";

/// @title What the values of a configuration file have to be
/// @notice The constructors of the contracts refuse the same, but say neither which line of the file is
/// wrong nor what it has to be. `test/deployment/PlanChecks.t.sol` holds both against one another.
abstract contract PlanChecks is Chain {
    /// @notice A value of the file is none that a rollup can have.
    error ValueInvalid(string field, string value, string rule);

    /// @dev What stands in the example, in place of a header.
    bytes private constant PLACEHOLDER = hex"c0";

    /// @dev As in `RollupRules`.
    uint256 private constant NOTICE = 1 days;
    uint256 private constant EXIT_MARGIN = 1 days;
    uint256 private constant RESCUE = 1 days;

    /// @dev Seconds for which the checkpoints of a queue last, if each L1 block takes one.
    uint256 private constant RING = 8191 * 12;

    /// @dev A number of the file that fits into 64 bits.
    function _u64(string memory toml, string memory key) internal pure returns (uint64) {
        uint256 value = vm.parseTomlUint(toml, key);
        _require(value <= type(uint64).max, key, value, "below 2^64");
        // Just checked.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(value);
    }

    /// @dev Schema of the first blocks.
    function _schema(string memory toml) internal pure returns (uint16) {
        uint256 value = vm.parseTomlUint(toml, ".l2.schema");
        bool fits = value >= Execute.FIRST_SCHEMA && value <= type(uint16).max;
        _require(fits, ".l2.schema", value, "a schema id of Prague (4353) or later");
        // Just checked.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint16(value);
    }

    /// @dev RLP of the header of the first block.
    function _header(string memory toml) internal pure returns (bytes memory header) {
        header = vm.parseTomlBytes(toml, ".l2.genesis.header");
        if (keccak256(header) != keccak256(PLACEHOLDER)) return header;
        revert ValueInvalid(
            "l2.genesis.header",
            vm.toString(header),
            "RLP of the header of your L2's first block, as `enshrine genesis` prints it; this is the placeholder of the example"
        );
    }

    /// @dev Times that leave room for one another, see `RollupRules`.
    function _requireDelays(string memory toml) internal view virtual {
        uint256 lag = _u64(toml, ".rollup.max_lag");
        uint256 open = _u64(toml, ".rollup.open_after");
        uint256 relay = _u64(toml, ".rollup.relay_deadline");
        uint256 upgrade = _u64(toml, ".rollup.upgrade_delay");
        uint256 delay = _u64(toml, ".forced.delay");
        uint256 grace = _u64(toml, ".forced.grace");
        uint256 expiry = _u64(toml, ".forced.expiry");
        _atLeast(".rollup.open_after", open, lag + 1, "more than rollup.max_lag");
        _atLeast(".rollup.relay_deadline", relay, lag + 1, "more than rollup.max_lag");
        _atLeast(".forced.delay", delay, lag + 1, "more than rollup.max_lag");
        _atLeast(
            ".forced.expiry",
            expiry,
            2 * (lag + open),
            "twice rollup.max_lag and rollup.open_after together"
        );
        _atLeast(
            ".forced.expiry",
            expiry,
            lag + open + RESCUE,
            "rollup.max_lag, rollup.open_after and a day together"
        );
        _atLeast(
            ".rollup.upgrade_delay",
            upgrade,
            NOTICE + delay + grace + lag + 2 * open + EXIT_MARGIN,
            "two days, forced.delay, forced.grace, rollup.max_lag and twice rollup.open_after together"
        );
        _atMost(
            ".forced.expiry",
            expiry,
            relay + delay + grace,
            type(uint32).max,
            "with rollup.relay_deadline, forced.delay and forced.grace"
        );
        _atMost(
            ".rollup.relay_deadline",
            relay,
            lag + open,
            RING,
            "with rollup.max_lag and rollup.open_after"
        );
    }

    /// @dev Not later than L1, or the rollup could not have any block.
    function _requireBegun(uint64 timestamp) internal view {
        // Seconds do not matter.
        // forge-lint: disable-next-line(block-timestamp)
        if (timestamp <= block.timestamp) return;
        revert ValueInvalid(
            "l2.genesis.header",
            string.concat("of a block at the time ", vm.toString(timestamp)),
            string.concat(
                "that of a block no later than L1, which is at ", vm.toString(block.timestamp)
            )
        );
    }

    function _atLeast(string memory key, uint256 value, uint256 least, string memory why)
        private
        pure
    {
        string memory rule = string.concat("at least ", vm.toString(least), ": ", why);
        _require(value >= least, key, value, rule);
    }

    function _atMost(
        string memory key,
        uint256 value,
        uint256 others,
        uint256 most,
        string memory what
    ) private pure {
        string memory rule = string.concat("at most ", vm.toString(most), " ", what);
        _require(value + others <= most, key, value, rule);
    }

    function _require(bool ok, string memory key, uint256 value, string memory rule) private pure {
        if (!ok) revert ValueInvalid(_name(key), vm.toString(value), rule);
    }

    /// @dev A key without the dot in front.
    function _name(string memory key) private pure returns (string memory) {
        bytes memory name = new bytes(bytes(key).length - 1);
        for (uint256 i = 0; i < name.length; ++i) {
            name[i] = bytes(key)[i + 1];
        }
        return string(name);
    }
}
