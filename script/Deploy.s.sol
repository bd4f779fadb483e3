// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {console} from "forge-std/console.sol";
import {L1TokenBridge} from "../contracts/bridge/L1TokenBridge.sol";
import {DeterministicDeployer} from "../contracts/deployment/DeterministicDeployer.sol";
import {ForcedInbox} from "../contracts/forced/ForcedInbox.sol";
import {INativeRollup} from "../contracts/interfaces/INativeRollup.sol";
import {L1MessageQueue} from "../contracts/messaging/L1MessageQueue.sol";
import {RollupPlan} from "./RollupPlan.sol";

/// @title Deploys a rollup to any L1
/// @notice
///   forge script script/Deploy.s.sol --sig 'run(string)' rollup.toml --rpc-url URL --broadcast --slow …
///   forge script script/Deploy.s.sol --sig 'verify(string)' rollup.toml --rpc-url URL --sender DEPLOYER
///
/// `run` deploys what is missing and verifies what is there, so it can be run again after it was
/// interrupted, and does nothing once all is deployed. It writes the addresses down in the file that the
/// configuration names. `verify` does nothing but verify: the code of each contract with all that it
/// was made with, how they name one another, the owner, and the genesis.
contract Deploy is RollupPlan {
    /// @notice The contract at this address is another than the configuration asks for.
    error CodeMismatch(string name, address place, bytes32 got, bytes32 expected);
    /// @notice There is no contract at this address.
    error NotDeployed(string name, address place);
    /// @notice The init code of a contract fails.
    error InitCodeFailed(string name, bytes reason);
    /// @notice The rollup starts from another L2 block than the configuration says.
    error GenesisMismatch(bytes32 got, bytes32 expected);
    /// @notice The rollup has another owner than the configuration says.
    error OwnerMismatch(address got, address expected);
    /// @notice Two contracts do not name one another.
    error LinkMismatch(string what, address got, address expected);

    function run(string calldata config) external {
        Plan memory plan = read(config, msg.sender);
        tellOfExecute();
        requireProxy();
        ensureCreate2("DeterministicDeployer", type(DeterministicDeployer).creationCode);
        bool isNew = false;
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            if (plan.parts[i].place.code.length != 0) continue;
            _deploy(plan.parts[i]);
            isNew = true;
        }
        _verify(plan, !isNew);
        _write(plan, isNew);
        console.log(isNew ? "rollup" : "all is deployed and as configured; rollup", plan.rollup);
    }

    function verify(string calldata config) external {
        Plan memory plan = read(config, msg.sender);
        tellOfExecute();
        _verify(plan, true);
        console.log("all is deployed and as configured; rollup", plan.rollup);
    }

    function _deploy(Part memory part) private {
        // A failure here says why; through the deployer it would not.
        _runtimeHash(part);
        console.log("deploying", part.name, part.place);
        vm.broadcast(msg.sender);
        address place = factory().deploy(part.salt, part.initCode);
        require(place == part.place, "the deployer computes other addresses");
    }

    /// @param onChain Whether the rollup was there before, so that the node has its logs.
    function _verify(Plan memory plan, bool onChain) private {
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            Part memory part = plan.parts[i];
            if (part.place.code.length == 0) revert NotDeployed(part.name, part.place);
            bytes32 expected = _runtimeHash(part);
            if (part.place.codehash != expected) {
                revert CodeMismatch(part.name, part.place, part.place.codehash, expected);
            }
        }
        INativeRollup rollup = INativeRollup(plan.rollup);
        if (rollup.owner() != plan.owner) revert OwnerMismatch(rollup.owner(), plan.owner);
        _requireLink("inbox of the rollup", rollup.INBOX(), plan.inbox);
        _requireLink("forced inbox of the rollup", rollup.FORCED(), plan.forced);
        _requireLink("rollup of the inbox", L1MessageQueue(plan.inbox).ROLLUP(), plan.rollup);
        _requireLink("rollup of the forced inbox", ForcedInbox(plan.forced).ROLLUP(), plan.rollup);
        if (plan.l1Bridge != address(0)) {
            L1TokenBridge bridge = L1TokenBridge(plan.l1Bridge);
            _requireLink("queue of the bridge", bridge.QUEUE(), plan.inbox);
            _requireLink("other side of the bridge", bridge.L2_BRIDGE(), plan.l2Bridge);
        }
        bytes32 genesis = onChain ? _genesisOf(plan) : rollup.blockHash();
        if (genesis != plan.genesis.blockHash) {
            revert GenesisMismatch(genesis, plan.genesis.blockHash);
        }
    }

    /// @dev Hash of the first block of a rollup that may have moved since.
    function _genesisOf(Plan memory plan) private returns (bytes32) {
        bytes32[] memory topics = new bytes32[](2);
        topics[0] = INativeRollup.BlockAdded.selector;
        topics[1] = bytes32(uint256(plan.genesis.number));
        Vm.EthGetLogs[] memory logs =
            vm.eth_getLogs(_writtenBlock(plan), vm.getBlockNumber(), plan.rollup, topics);
        return logs.length == 0 ? bytes32(0) : logs[0].topics[2];
    }

    function _requireLink(string memory what, address got, address expected) private pure {
        if (got != expected) revert LinkMismatch(what, got, expected);
    }

    /// @dev Hash of the code that a contract has if it is made as planned, with its immutables: the init
    /// code is run at the contract's address, and all that it does is undone.
    function _runtimeHash(Part memory part) private returns (bytes32 hash) {
        uint256 before = vm.snapshotState();
        vm.etch(part.place, part.initCode);
        (bool ok, bytes memory answer) = part.place.call("");
        hash = keccak256(answer);
        require(vm.revertToState(before), "cannot go back");
        if (!ok) revert InitCodeFailed(part.name, answer);
    }

    /// @dev Where the logs of the rollup begin, as far as it is written down.
    function _writtenBlock(Plan memory plan) private view returns (uint256) {
        if (!vm.exists(plan.file)) return 0;
        string memory json = vm.readFile(plan.file);
        bool same = vm.parseJsonAddress(json, ".rollup") == plan.rollup;
        return same ? vm.parseJsonUint(json, ".l1Block") : 0;
    }

    function _write(Plan memory plan, bool isNew) private {
        uint256 l1Block = isNew ? vm.getBlockNumber() : _writtenBlock(plan);
        string memory key = "deployment";
        vm.serializeUint(key, "l1ChainId", block.chainid);
        vm.serializeUint(key, "l1Block", l1Block);
        vm.serializeUint(key, "l2ChainId", plan.chainId);
        vm.serializeBytes32(key, "genesisHash", plan.genesis.blockHash);
        vm.serializeBytes32(key, "genesisStateRoot", plan.genesis.stateRoot);
        vm.serializeAddress(key, "deployer", plan.deployer);
        vm.serializeAddress(key, "rollup", plan.rollup);
        vm.serializeAddress(key, "inbox", plan.inbox);
        vm.serializeAddress(key, "forced", plan.forced);
        vm.serializeAddress(key, "policy", plan.policy);
        vm.serializeAddress(key, "l1Bridge", plan.l1Bridge);
        vm.writeJson(vm.serializeAddress(key, "l2Bridge", plan.l2Bridge), plan.file);
    }
}
