// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Chain} from "./Chain.sol";

/// @title Typed values of a configuration file
/// @notice The cheatcodes that parse TOML report a wrong type, but neither the line nor the
/// expected type. Keys are passed with a leading dot.
abstract contract TomlValues is Chain {
    /// @notice A value of the file violates a rule.
    error ValueInvalid(string field, string value, string rule);

    string internal constant OTHER_KIND = "missing, or a value of another type";

    /// @dev Reads a string.
    function _string(string memory toml, string memory key) internal pure returns (string memory) {
        try vm.parseTomlString(toml, key) returns (string memory text) {
            return text;
        } catch {
            revert ValueInvalid(_name(key), OTHER_KIND, "text in quotation marks");
        }
    }

    /// @dev Reads a boolean.
    function _bool(string memory toml, string memory key) internal pure returns (bool) {
        try vm.parseTomlBool(toml, key) returns (bool value) {
            return value;
        } catch {
            revert ValueInvalid(_name(key), _text(toml, key), "true or false");
        }
    }

    /// @dev Reads a number of at most 64 bits.
    function _u64(string memory toml, string memory key) internal pure returns (uint64) {
        try vm.parseTomlUint(toml, key) returns (uint256 value) {
            _require(value <= type(uint64).max, key, value, "below 2^64");
            // Checked above.
            // forge-lint: disable-next-line(unsafe-typecast)
            return uint64(value);
        } catch {
            revert ValueInvalid(_name(key), _text(toml, key), "a whole number below 2^64");
        }
    }

    /// @dev Reads a number of at most 64 bits that the file need not have.
    function _u64(string memory toml, string memory key, uint64 otherwise)
        internal
        view
        returns (uint64)
    {
        return vm.keyExistsToml(toml, key) ? _u64(toml, key) : otherwise;
    }

    /// @dev Reads a list of numbers of at most 64 bits; empty if the file does not have the key.
    function _u64s(string memory toml, string memory key)
        internal
        view
        returns (uint64[] memory values)
    {
        if (!vm.keyExistsToml(toml, key)) return values;
        try vm.parseTomlUintArray(toml, key) returns (uint256[] memory numbers) {
            values = new uint64[](numbers.length);
            for (uint256 i = 0; i < numbers.length; ++i) {
                _require(numbers[i] <= type(uint64).max, key, numbers[i], "below 2^64 each");
                // Checked above.
                // forge-lint: disable-next-line(unsafe-typecast)
                values[i] = uint64(numbers[i]);
            }
        } catch {
            revert ValueInvalid(_name(key), _text(toml, key), "a list of whole numbers below 2^64");
        }
    }

    /// @dev Reads an address.
    function _account(string memory toml, string memory key) internal pure returns (address) {
        try vm.parseTomlAddress(toml, key) returns (address account) {
            return account;
        } catch {
            revert ValueInvalid(
                _name(key), _text(toml, key), "an address: 0x and 40 hexadecimal digits"
            );
        }
    }

    /// @dev Returns the value of a key as text, for error messages.
    function _text(string memory toml, string memory key) internal pure returns (string memory) {
        try vm.parseTomlString(toml, key) returns (string memory text) {
            return text;
        } catch {
            return OTHER_KIND;
        }
    }

    /// @dev Reverts with the rule unless a number complies with it.
    function _require(bool ok, string memory key, uint256 value, string memory rule) internal pure {
        if (!ok) revert ValueInvalid(_name(key), vm.toString(value), rule);
    }

    /// @dev Reverts unless a number has at least this value.
    function _atLeast(string memory key, uint256 value, uint256 minimum, string memory why)
        internal
        pure
    {
        string memory rule = string.concat("at least ", vm.toString(minimum), ": ", why);
        _require(value >= minimum, key, value, rule);
    }

    /// @dev Returns a key without its leading dot.
    function _name(string memory key) internal pure returns (string memory) {
        bytes memory name = new bytes(bytes(key).length - 1);
        for (uint256 i = 0; i < name.length; ++i) {
            name[i] = bytes(key)[i + 1];
        }
        return string(name);
    }
}
