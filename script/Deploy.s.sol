// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {console} from "forge-std/console.sol";
import {L1TokenBridge} from "../contracts/bridge/L1TokenBridge.sol";
import {DeterministicDeployer} from "../contracts/deployment/DeterministicDeployer.sol";
import {RollupExit} from "../contracts/exit/RollupExit.sol";
import {ForcedInbox} from "../contracts/forced/ForcedInbox.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {L1MessageQueue} from "../contracts/messaging/L1MessageQueue.sol";
import {BondRequirement} from "../contracts/sequencing/preconf/BondRequirement.sol";
import {PreconfBonds} from "../contracts/sequencing/preconf/PreconfBonds.sol";
import {RollupPlan} from "./RollupPlan.sol";

/// @title Deploys a rollup to any L1
/// @notice Usage:
///
///   forge script script/Deploy.s.sol --sig 'run(string)' rollup.toml
///       --rpc-url URL --broadcast --slow …
///   forge script script/Deploy.s.sol --sig 'verify(string)' rollup.toml
///       --rpc-url URL --sender DEPLOYER
///   forge script script/Deploy.s.sol --sig 'verifyAllowingChanges(string)' rollup.toml …
///
/// `run` deploys the missing contracts and verifies the existing ones, so it can be run again after
/// an interruption, and does nothing once everything is deployed. It writes the addresses to the
/// deployment file that the configuration names; without `--broadcast`, it neither deploys nor
/// writes anything. `verify` only verifies: the code of each contract, its init code and thereby
/// its initial state, the references between contracts, the values in force (owner, policy, gas
/// limit, fork schedule, genesis), and that the owner has announced no change.
contract Deploy is RollupPlan {
    /// @dev Kind of verification of `NativeRollup` in a deployment file.
    string private constant VERIFICATION = "native";

    /// @notice The code at this address differs from that of the configured contract.
    error CodeMismatch(string name, address place, bytes32 got, bytes32 expected);
    /// @notice The contract at this address was created by other init code than the configured one,
    /// so its initial state may differ.
    error InitCodeMismatch(string name, address place, bytes32 got, bytes32 expected);
    /// @notice There is no contract at this address.
    error NotDeployed(string name, address place);
    /// @notice The init code of a contract fails.
    error InitCodeFailed(string name, bytes reason);
    /// @notice The rollup starts from another L2 block than the configured one.
    error GenesisMismatch(string what, bytes32 got, bytes32 expected);
    /// @notice The deployment file is missing. Nodes read the genesis of the L2 from it; without
    /// the file, the state below the state root is unknown. `run` writes it.
    error DeploymentFileMissing(string file);
    /// @notice The owner of the rollup differs from the configuration.
    error OwnerMismatch(address got, address expected);
    /// @notice Ownership is offered to an account, which may take it at any time.
    error OwnershipOffered(address to);
    /// @notice The owner has announced changes, which are not part of the values in force.
    /// `verifyAllowingChanges` prints them and continues.
    error ChangesAnnounced(IRollup.Announcement[] changes);
    /// @notice The policy in force differs from the configuration.
    error PolicyMismatch(address got, address expected);
    /// @notice The latest gas limit or the target differs from the configuration.
    error GasLimitMismatch(string what, uint64 got, uint64 expected);
    /// @notice The length of the fork schedule differs from the configuration.
    error ForkCountMismatch(uint256 got, uint256 expected);
    /// @notice The schema of a fork differs from the configuration.
    error ForkSchemaMismatch(uint256 index, uint16 got, uint16 expected);
    /// @notice The time of a fork differs from the configuration.
    error ForkTimeMismatch(uint256 index, uint64 got, uint64 expected);
    /// @notice Two contracts do not refer to each other.
    error LinkMismatch(string what, address got, address expected);
    /// @notice The verification method in the deployment file differs from that of the contract,
    /// whose code was compared. Nodes would complete inputs that EXECUTE has rejected.
    error VerificationMismatch(string got, string expected);

    function run(string calldata config) external {
        Plan memory plan = read(config, msg.sender);
        // Before the deployment, because a missing file would prevent writing the deployment file
        // later.
        if (bytes(plan.genesisFile).length != 0) vm.readFile(plan.genesisFile);
        tellOfExecute();
        requireProxy();
        ensureCreate2("DeterministicDeployer", type(DeterministicDeployer).creationCode);
        if (plan.preconfBonds == sharedBonds()) {
            ensureCreate2("PreconfBonds", type(PreconfBonds).creationCode);
        }
        bool isNew = false;
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            if (plan.parts[i].place.code.length != 0) continue;
            _deploy(plan.parts[i]);
            isNew = true;
        }
        _verify(plan);
        _write(plan, isNew);
        console.log(_ofForks(plan));
        console.log(_ofGuardian(plan));
        console.log(
            isNew ? "rollup" : "all contracts are deployed as configured; rollup", plan.rollup
        );
    }

    function verify(string calldata config) external {
        _verify(config, false);
    }

    /// @notice Verifies as `verify` does, but accepts announced changes and prints them.
    function verifyAllowingChanges(string calldata config) external {
        _verify(config, true);
    }

    function _verify(string calldata config, bool allowChanges) private {
        Plan memory plan = read(config, msg.sender);
        tellOfExecute();
        _verify(plan);
        IRollup.Announcement[] memory changes = IRollup(plan.rollup).announcements();
        for (uint256 i = 0; i < changes.length; ++i) {
            console.log(_ofChange(changes[i]));
        }
        if (changes.length != 0 && !allowChanges) revert ChangesAnnounced(changes);
        _requireFile(plan);
        console.log(_ofForks(plan));
        console.log(_ofGuardian(plan));
        console.log("all contracts are deployed as configured; rollup", plan.rollup);
    }

    /// @dev Compares the deployment file with the plan, because nodes read the genesis from it.
    /// `enshrine verify` checks the state below the root, which takes the whole genesis and
    /// executes no contract.
    function _requireFile(Plan memory plan) internal view {
        if (!vm.exists(plan.file)) revert DeploymentFileMissing(plan.file);
        string memory json = vm.readFile(plan.file);
        _requireLink("rollup of the file", vm.parseJsonAddress(json, ".rollup"), plan.rollup);
        bytes32 got = vm.parseJsonBytes32(json, ".genesisHash");
        if (got != plan.genesis.blockHash) {
            revert GenesisMismatch("block hash of the file", got, plan.genesis.blockHash);
        }
        got = vm.parseJsonBytes32(json, ".genesisStateRoot");
        if (got != plan.genesis.stateRoot) {
            revert GenesisMismatch("state root of the file", got, plan.genesis.stateRoot);
        }
        // Files without the key are of rollups that require no bond.
        address bonds = vm.keyExistsJson(json, ".preconfBonds")
            ? vm.parseJsonAddress(json, ".preconfBonds")
            : address(0);
        _requireLink("registry of bonds in the file", bonds, plan.preconfBonds);
        // Files without the key are of native rollups.
        if (vm.keyExistsJson(json, ".verification")) {
            string memory kind = vm.parseJsonString(json, ".verification.kind");
            if (keccak256(bytes(kind)) != keccak256(bytes(VERIFICATION))) {
                revert VerificationMismatch(kind, VERIFICATION);
            }
        }
        console.log("check the state of the genesis: enshrine verify", plan.file);
    }

    /// @dev Returns a description of the effect of L1's next fork on the rollup.
    function _ofForks(Plan memory plan) internal pure returns (string memory) {
        if (plan.forkMode == IRollup.ForkMode.Follow) {
            return "forks: follow. Blocks have the fork that L1 had at their timestamp.";
        }
        if (plan.forkMode == IRollup.ForkMode.Registry) {
            return string.concat(
                "forks: registry. Blocks have the fork of the current entry of L1's registry. ",
                "Post all blocks before L1 forks: those that are not posted by then are lost."
            );
        }
        if (plan.inForce.owner == address(0)) {
            return string.concat(
                "forks: pinned, and no owner. L1's next fork stops this rollup PERMANENTLY: ",
                "no block will be accepted, no withdrawal can be claimed, and deposits stay locked."
            );
        }
        return "forks: pinned. L1's next fork stops this rollup until the owner has added it.";
    }

    /// @dev Returns a description of an announced change.
    function _ofChange(IRollup.Announcement memory a) internal pure returns (string memory) {
        string[4] memory names =
            ["policy", "gas limit", "fork (timestamp << 16 | schema)", "verification"];
        return string.concat(
            "announced by the owner: ",
            names[uint256(a.change)],
            " ",
            vm.toString(bytes32(a.value)),
            a.cleared ? ", cleared, from timestamp " : ", not cleared, from timestamp ",
            vm.toString(a.readyAt)
        );
    }

    /// @dev Returns a description of the guardian.
    function _ofGuardian(Plan memory plan) internal pure returns (string memory) {
        if (plan.guardian == address(0)) {
            return "guardian: none. No account can pause deposits or delay claims.";
        }
        return string.concat(
            "guardian, who may pause deposits and large claims: ", vm.toString(plan.guardian)
        );
    }

    function _deploy(Part memory part) private {
        // If the init code fails, this reverts with the reason; the deployer would not return it.
        _runtimeHash(part);
        console.log("deploying", part.name, part.place);
        vm.broadcast(msg.sender);
        address place = factory().deploy(part.salt, part.initCode);
        require(place == part.place, "the deployer's addresses differ from the plan");
    }

    /// @dev Reverts unless all contracts exist and were created and configured as planned.
    function _verify(Plan memory plan) internal {
        // The address of the shared registry commits to its init code; at any other address, the
        // code is compared with the plan's values.
        if (plan.preconfBonds != address(0) && plan.preconfBonds.code.length == 0) {
            revert NotDeployed("PreconfBonds", plan.preconfBonds);
        }
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            Part memory part = plan.parts[i];
            if (part.place.code.length == 0) revert NotDeployed(part.name, part.place);
            bytes32 expected = _runtimeHash(part);
            if (part.place.codehash != expected) {
                revert CodeMismatch(part.name, part.place, part.place.codehash, expected);
            }
        }
        _requireLinks(plan);
        _requireInForce(IRollup(plan.rollup), plan.inForce);
        _requireGenesis(IRollup(plan.rollup), plan.genesis);
        // Last, because the checks above name the difference. This one covers state without a
        // getter, such as claims of messages that were never sent, or changes that were announced
        // in the constructor.
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            Part memory part = plan.parts[i];
            bytes32 expected = keccak256(part.initCode);
            bytes32 got = factory().initCodeHash(part.place);
            if (got != expected) revert InitCodeMismatch(part.name, part.place, got, expected);
        }
    }

    function _requireLinks(Plan memory plan) private view {
        IRollup rollup = IRollup(plan.rollup);
        _requireLink("message queue of the rollup", rollup.MESSAGE_QUEUE(), plan.messageQueue);
        _requireLink("forced inbox of the rollup", rollup.FORCED(), plan.forced);
        _requireLink(
            "rollup of the message queue", L1MessageQueue(plan.messageQueue).ROLLUP(), plan.rollup
        );
        _requireLink("rollup of the forced inbox", ForcedInbox(plan.forced).ROLLUP(), plan.rollup);
        _requireLink(
            "exit of the message queue",
            L1MessageQueue(plan.messageQueue).EXIT_CONTRACT(),
            plan.exit
        );
        _requireLink("rollup of the exit", RollupExit(plan.exit).ROLLUP(), plan.rollup);
        if (plan.preconfBonds != address(0)) {
            _requireLink(
                "registry of bonds of the policy",
                address(BondRequirement(plan.policy).BONDS()),
                plan.preconfBonds
            );
        }
        if (plan.l1Bridge == address(0)) return;
        L1TokenBridge bridge = L1TokenBridge(plan.l1Bridge);
        _requireLink("message queue of the bridge", bridge.MESSAGE_QUEUE(), plan.messageQueue);
        _requireLink("other side of the bridge", bridge.L2_BRIDGE(), plan.l2Bridge);
    }

    function _requireInForce(IRollup rollup, InForce memory expected) private view {
        address owner = rollup.owner();
        if (owner != expected.owner) revert OwnerMismatch(owner, expected.owner);
        address next = rollup.pendingOwner();
        if (next != address(0)) revert OwnershipOffered(next);
        address policy = rollup.policy();
        if (policy != expected.policy) revert PolicyMismatch(policy, expected.policy);
        (, uint64 target) = rollup.gasLimits();
        if (target != expected.gasLimit) {
            revert GasLimitMismatch("target", target, expected.gasLimit);
        }
        uint256 count = rollup.forkCount();
        if (count != expected.forks.length) {
            revert ForkCountMismatch(count, expected.forks.length);
        }
        for (uint256 i = 0; i < count; ++i) {
            IRollup.Fork memory fork = rollup.forks(i);
            IRollup.Fork memory planned = expected.forks[i];
            if (fork.schema != planned.schema) {
                revert ForkSchemaMismatch(i, fork.schema, planned.schema);
            }
            if (fork.from != planned.from) revert ForkTimeMismatch(i, fork.from, planned.from);
        }
    }

    /// @dev Compares those values of the genesis that are still available after the rollup has
    /// moved.
    function _requireGenesis(IRollup rollup, IRollup.Genesis memory expected) private view {
        IRollup.Head memory head = rollup.head();
        if (head.number < expected.number) {
            revert GenesisMismatch(
                "number", bytes32(uint256(head.number)), bytes32(uint256(expected.number))
            );
        }
        if (head.number - expected.number < rollup.STATE_ROOTS()) {
            bytes32 root = rollup.stateRootAt(expected.number);
            if (root != expected.stateRoot) {
                revert GenesisMismatch("state root", root, expected.stateRoot);
            }
        }
        if (head.number != expected.number) return;
        bytes32 got = rollup.blockHash();
        if (got != expected.blockHash) {
            revert GenesisMismatch("block hash", got, expected.blockHash);
        }
        if (head.timestamp != expected.timestamp) {
            revert GenesisMismatch(
                "timestamp", bytes32(uint256(head.timestamp)), bytes32(uint256(expected.timestamp))
            );
        }
        got = rollup.anchor();
        if (got != expected.anchor) revert GenesisMismatch("anchor", got, expected.anchor);
        (uint64 latest,) = rollup.gasLimits();
        if (latest != expected.gasLimit) {
            revert GasLimitMismatch("latest", latest, expected.gasLimit);
        }
    }

    function _requireLink(string memory what, address got, address expected) private pure {
        if (got != expected) revert LinkMismatch(what, got, expected);
    }

    /// @dev Returns the hash of the runtime code, including immutables, that a contract has if it
    /// is created as planned: runs the init code at the contract's address, and reverts all its
    /// effects.
    function _runtimeHash(Part memory part) private returns (bytes32 hash) {
        uint256 before = vm.snapshotState();
        vm.etch(part.place, part.initCode);
        (bool ok, bytes memory answer) = part.place.call("");
        hash = keccak256(answer);
        require(vm.revertToState(before), "failed to revert to the snapshot");
        if (!ok) revert InitCodeFailed(part.name, answer);
    }

    /// @dev Returns the L1 block from which the rollup has logs, if the deployment file contains
    /// it.
    function _writtenBlock(Plan memory plan) private view returns (uint256) {
        if (!vm.exists(plan.file)) return 0;
        string memory json = vm.readFile(plan.file);
        bool same = vm.parseJsonAddress(json, ".rollup") == plan.rollup;
        return same ? vm.parseJsonUint(json, ".l1Block") : 0;
    }

    /// @dev Returns `true` if forge only simulates the script and sends nothing.
    function _isDryRun() internal view virtual returns (bool) {
        return vm.isContext(VmSafe.ForgeContext.ScriptDryRun);
    }

    function _write(Plan memory plan, bool isNew) internal {
        if (_isDryRun()) {
            // The existing file may belong to a deployed rollup, whereas these contracts are not
            // deployed.
            console.log("dry run: with --broadcast the addresses would be written to", plan.file);
            return;
        }
        uint256 l1Block = isNew ? vm.getBlockNumber() : _writtenBlock(plan);
        string memory key = "deployment";
        vm.serializeUint(key, "l1ChainId", block.chainid);
        vm.serializeUint(key, "l1Block", l1Block);
        vm.serializeUint(key, "l2ChainId", plan.chainId);
        vm.serializeBytes32(key, "genesisHash", plan.genesis.blockHash);
        vm.serializeBytes32(key, "genesisStateRoot", plan.genesis.stateRoot);
        vm.serializeAddress(key, "deployer", plan.deployer);
        vm.serializeAddress(key, "rollup", plan.rollup);
        vm.serializeAddress(key, "messageQueue", plan.messageQueue);
        vm.serializeAddress(key, "forced", plan.forced);
        vm.serializeAddress(key, "exit", plan.exit);
        vm.serializeAddress(key, "policy", plan.policy);
        if (plan.preconfBonds != address(0)) {
            vm.serializeAddress(key, "preconfBonds", plan.preconfBonds);
        }
        vm.serializeAddress(key, "l1Bridge", plan.l1Bridge);
        vm.serializeAddress(key, "l2Bridge", plan.l2Bridge);
        // `serializeString` embeds text that is a JSON object as an object.
        string memory json =
            vm.serializeString(key, "verification", string.concat('{"kind":"', VERIFICATION, '"}'));
        if (bytes(plan.genesisFile).length != 0) {
            json = vm.serializeString(key, "genesis", vm.readFile(plan.genesisFile));
        }
        vm.createDir(_folderOf(plan.file), true);
        vm.writeJson(json, plan.file);
    }

    /// @dev Returns the folder of a path.
    function _folderOf(string memory path) internal pure returns (string memory) {
        bytes memory name = bytes(path);
        uint256 end = name.length;
        while (end != 0 && name[end - 1] != "/") --end;
        if (end == 0) return ".";
        bytes memory folder = new bytes(end);
        for (uint256 i = 0; i < end; ++i) {
            folder[i] = name[i];
        }
        return string(folder);
    }
}
