// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CREATE3} from "solady/utils/CREATE3.sol";

/// @title Deploys contracts at addresses that do not depend on their code
/// @notice The contracts of a rollup refer to one another, so their addresses cannot be derived
/// from their code or constructor arguments. Here an address is derived from the account of the
/// deployer and a salt only: it is known before anything is deployed, and no other account can use
/// it.
///
/// The runtime code at such an address determines how a contract behaves, but not its initial
/// state: a constructor can write to any storage and return any code. So this contract records the
/// hash of the init code.
contract DeterministicDeployer {
    /// @notice Emitted when a contract is deployed.
    event Deployed(address indexed deployer, bytes32 indexed salt, address deployed);

    /// @notice Hash of the init code, including constructor arguments, that deployed a contract;
    /// zero if this contract did not deploy it.
    mapping(address deployed => bytes32) public initCodeHash;

    /// @notice Deploys a contract at `addressOf(msg.sender, salt)`. Reverts if it has already been
    /// deployed, or if the init code fails.
    /// @param salt Salt of the caller's choice.
    /// @param initCode Init code, including constructor arguments.
    /// @return deployed Address of the contract.
    function deploy(bytes32 salt, bytes calldata initCode) external returns (address deployed) {
        deployed = CREATE3.deployDeterministic(initCode, _own(msg.sender, salt));
        initCodeHash[deployed] = keccak256(initCode);
        emit Deployed(msg.sender, salt, deployed);
    }

    /// @notice Returns the address of the contract of this deployer with this salt, whether or not
    /// it is deployed.
    function addressOf(address deployer, bytes32 salt) external view returns (address) {
        return CREATE3.predictDeterministicAddress(_own(deployer, salt));
    }

    function _own(address deployer, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(deployer, salt));
    }
}
