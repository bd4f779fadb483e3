// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CREATE3} from "solady/utils/CREATE3.sol";

/// @title Puts contracts at addresses that do not depend on their code
/// @notice The contracts of a rollup name one another, so none of their addresses can be derived
/// from their code or its arguments. Here an address follows from the deployer's account and a salt
/// alone: it is known before anything is deployed, and no other account can take it.
///
/// The code at such an address says how a contract behaves, but not in what state it began: a
/// constructor can write to any storage and return any code. So this contract remembers what was
/// run.
contract DeterministicDeployer {
    /// @notice A contract was deployed.
    event Deployed(address indexed deployer, bytes32 indexed salt, address deployed);

    /// @notice Hash of the init code, with its arguments, that has made a contract; zero if this
    /// contract has not deployed it.
    mapping(address deployed => bytes32) public initCodeHash;

    /// @notice Runs init code, and puts what it returns at `addressOf(msg.sender, salt)`. Reverts
    /// if there is a contract already, or if the init code fails.
    function deploy(bytes32 salt, bytes calldata initCode) external returns (address deployed) {
        deployed = CREATE3.deployDeterministic(initCode, _own(msg.sender, salt));
        initCodeHash[deployed] = keccak256(initCode);
        emit Deployed(msg.sender, salt, deployed);
    }

    /// @notice Address at which a deployer's contract with a salt is, or will be.
    function addressOf(address deployer, bytes32 salt) external view returns (address) {
        return CREATE3.predictDeterministicAddress(_own(deployer, salt));
    }

    function _own(address deployer, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(deployer, salt));
    }
}
