// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../contracts/interfaces/IPreconfBonds.sol";
import {BondedSequencing} from "../contracts/sequencing/BondedSequencing.sol";
import {HybridSequencing} from "../contracts/sequencing/HybridSequencing.sol";
import {OpenSequencing} from "../contracts/sequencing/OpenSequencing.sol";
import {PermissionedSequencing} from "../contracts/sequencing/PermissionedSequencing.sol";
import {RotatingSequencing} from "../contracts/sequencing/RotatingSequencing.sol";
import {PreconfBonds} from "../contracts/sequencing/preconf/PreconfBonds.sol";
import {SequencingChecks} from "./SequencingChecks.sol";

/// @title Contracts of the sequencing policy in a configuration file
abstract contract SequencingPlan is SequencingChecks {
    /// @notice Contracts of a policy.
    struct PolicyCode {
        /// Init code of the policy; empty if any account may advance and builders choose the fee
        /// recipient.
        bytes code;
        /// Init code of the policy that `BondedSequencing` wraps; empty if `code` is of another
        /// policy.
        bytes inner;
        /// Registry of bonds; zero if no bond is required.
        address bonds;
    }

    /// @notice Returns the address of the registry of bonds that `bonds = "deploy"` deploys. It has
    /// no owner and no parameters, so one for each chain suffices, and any account can deploy it.
    function sharedBonds() public pure returns (address) {
        return vm.computeCreate2Address(0, keccak256(type(PreconfBonds).creationCode), PROXY);
    }

    /// @dev Returns the contracts of the policy.
    /// @param inner Address of the policy that `BondedSequencing` wraps, if there is one.
    function _policy(string memory toml, address inner)
        internal
        view
        returns (PolicyCode memory policy)
    {
        string memory kind = _string(toml, ".sequencing.policy");
        (address bonds, uint256 minBond) = _bonds(toml);
        if (_is(kind, "none") || _is(kind, "open")) {
            if (bonds != address(0)) {
                revert ValueInvalid(
                    "sequencing.bonds",
                    vm.toString(bonds),
                    "absent: under this policy anyone may advance, with and without a bond"
                );
            }
            if (_is(kind, "none")) return policy;
            (OpenSequencing.Fees fees, address recipient) = _fees(toml);
            policy.code =
                abi.encodePacked(type(OpenSequencing).creationCode, abi.encode(fees, recipient));
            return policy;
        }
        bool isHybrid = _is(kind, "hybrid");
        if (!isHybrid && !_is(kind, "permissioned") && !_is(kind, "rotating")) {
            revert ValueInvalid(
                "sequencing.policy", kind, "none, open, permissioned, hybrid or rotating"
            );
        }
        policy.bonds = bonds;
        _requireTimeout(toml, isHybrid || bonds != address(0));
        uint64 timeout = _u64(toml, ".sequencing.timeout");
        if (isHybrid) {
            policy.code = abi.encodePacked(
                type(HybridSequencing).creationCode,
                abi.encode(
                    _sequencer(toml),
                    _account(toml, ".sequencing.fee_recipient"),
                    timeout,
                    _postDelay(toml),
                    bonds,
                    minBond
                )
            );
            return policy;
        }
        bytes memory code = _withoutBond(toml, kind, timeout);
        if (bonds == address(0)) {
            policy.code = code;
            return policy;
        }
        policy.inner = code;
        policy.code = abi.encodePacked(
            type(BondedSequencing).creationCode, abi.encode(inner, timeout, bonds, minBond)
        );
    }

    /// @dev Returns the init code of a policy that requires no bond itself.
    function _withoutBond(string memory toml, string memory kind, uint64 timeout)
        private
        view
        returns (bytes memory)
    {
        if (_is(kind, "permissioned")) {
            address recipient = _account(toml, ".sequencing.fee_recipient");
            return abi.encodePacked(
                type(PermissionedSequencing).creationCode,
                abi.encode(_sequencer(toml), recipient, timeout)
            );
        }
        address[] memory members = _members(toml);
        _requireTurns(toml);
        uint64 start = _u64(toml, ".sequencing.start");
        uint64 slot = _u64(toml, ".sequencing.slot_length");
        return abi.encodePacked(
            type(RotatingSequencing).creationCode, abi.encode(members, start, slot, timeout)
        );
    }

    /// @dev Reads the registry of bonds and the minimum bond in wei; both zero if the file has
    /// none.
    function _bonds(string memory toml) private view returns (address bonds, uint256 minBond) {
        string memory key = ".sequencing.bonds";
        string memory minKey = ".sequencing.min_bond_gwei";
        if (!vm.keyExistsToml(toml, key)) {
            if (!vm.keyExistsToml(toml, minKey)) return (bonds, minBond);
            revert ValueInvalid(
                _name(minKey),
                vm.toString(_u64(toml, minKey)),
                "absent, or with sequencing.bonds: a bond is deposited in a registry"
            );
        }
        bonds = sharedBonds();
        if (!_is(_text(toml, key), "deploy")) _requireShared(_name(key), _account(toml, key));
        minBond = _u64(toml, minKey);
        _atLeast(minKey, minBond, 1, "without a bond, leave out sequencing.bonds");
        minBond *= 1 gwei;
    }

    /// @dev Reverts unless an address is that of the shared registry. Another contract with the same
    /// code could have been created by init code that wrote signers and bonds, which the code of a
    /// deployed contract does not show.
    function _requireShared(string memory field, address got) private pure {
        address shared = sharedBonds();
        if (got == shared) return;
        revert ValueInvalid(
            field,
            vm.toString(got),
            string.concat(
                "\"deploy\" or ", vm.toString(shared), ", the registry that all rollups share"
            )
        );
    }

    function _is(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
