// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {CREATE3} from "solady/utils/CREATE3.sol";
import {NativeRollup} from "../contracts/NativeRollup.sol";
import {L1TokenBridge} from "../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../contracts/bridge/L2TokenBridge.sol";
import {TokenAddresses} from "../contracts/bridge/TokenAddresses.sol";
import {DeterministicDeployer} from "../contracts/deployment/DeterministicDeployer.sol";
import {RollupExit} from "../contracts/exit/RollupExit.sol";
import {ForcedInbox} from "../contracts/forced/ForcedInbox.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {L1MessageQueue} from "../contracts/messaging/L1MessageQueue.sol";
import {PlanChecks} from "./PlanChecks.sol";
import {SequencingPlan} from "./SequencingPlan.sol";

/// @title Plan of the contracts in a configuration file, with their addresses
/// @notice All addresses are derived from the deployer's account and the salt in the file, so the
/// contracts can refer to one another in any order of deployment. The genesis of the L2 is
/// independent of L1: its predeploys have no constructor, and read L1 through the anchor.
abstract contract RollupPlan is PlanChecks, SequencingPlan {
    /// @notice Contract to be deployed.
    struct Part {
        string name;
        bytes32 salt;
        address place;
        bytes initCode;
    }

    /// @notice Values that the owner may have changed since the rollup was created.
    struct InForce {
        address owner;
        address policy;
        /// Target gas limit.
        uint64 gasLimit;
        /// Complete fork schedule, from the genesis on.
        IRollup.Fork[] forks;
    }

    /// @notice A rollup on L1.
    struct Plan {
        /// Deployer.
        address deployer;
        /// Contracts in the order of their constructors' dependencies.
        Part[] parts;
        address rollup;
        address messageQueue;
        address forced;
        address exit;
        /// Zero if any account may advance.
        address policy;
        /// Registry of bonds; zero if the policy requires none.
        address preconfBonds;
        /// Both zero if there is no bridge.
        address l1Bridge;
        address l2Bridge;
        /// RLP of the header of the L2's first block, and its decoded fields.
        bytes genesisHeader;
        IRollup.Genesis genesis;
        uint64 chainId;
        /// Owner at the creation of the rollup.
        address owner;
        /// Source of the rollup's forks.
        IRollup.ForkMode forkMode;
        /// Account that may pause the message queue; zero for none.
        address guardian;
        InForce inForce;
        /// Path of the deployment file.
        string file;
        /// Genesis file of the L2, whose content is included in the deployment file; empty for
        /// none.
        string genesisFile;
    }

    /// @notice The numbers of fork schemas and fork times in the file differ.
    error ForksIncomplete(uint256 schemas, uint256 times);

    /// @notice Returns the deployer for deterministic addresses, which is the same on every chain.
    function factory() public pure returns (DeterministicDeployer) {
        bytes32 hash = keccak256(type(DeterministicDeployer).creationCode);
        return DeterministicDeployer(vm.computeCreate2Address(0, hash, PROXY));
    }

    /// @notice Reads a configuration file.
    function read(string memory path, address deployer) public returns (Plan memory) {
        return parse(vm.readFile(path), deployer);
    }

    /// @notice Parses the text of a configuration file.
    function parse(string memory toml, address deployer) public returns (Plan memory plan) {
        plan.deployer = deployer;
        plan.chainId = _chainId(toml);
        plan.file = _string(toml, ".deployment.file");
        plan.owner = _account(toml, ".rollup.owner");
        plan.forkMode = _forkMode(toml);
        plan.guardian = _guardian(toml).account;
        string memory salt = _string(toml, ".deployment.salt");
        plan.rollup = _at(deployer, salt, "rollup");
        plan.messageQueue = _at(deployer, salt, "message queue");
        plan.forced = _at(deployer, salt, "forced");
        plan.exit = _at(deployer, salt, "exit");
        if (_bool(toml, ".bridge.enabled")) {
            plan.l1Bridge = _at(deployer, salt, "bridge");
            plan.l2Bridge = l2BridgeOf(plan.l1Bridge);
        }
        if (vm.keyExistsToml(toml, ".l2.genesis.file")) {
            plan.genesisFile = _string(toml, ".l2.genesis.file");
        }
        _requireDelays(toml);
        plan.genesisHeader = _header(toml);
        plan.genesis = _genesis(toml, plan.genesisHeader);
        _requireBegun(plan.genesis.timestamp);
        _requireUnanchored(plan.genesis.anchor);
        _requireCapacity(toml, plan.genesis.gasLimit);

        address inner = _at(deployer, salt, "inner policy");
        PolicyCode memory policy = _policy(toml, inner);
        plan.preconfBonds = policy.bonds;
        if (policy.code.length != 0) plan.policy = _at(deployer, salt, "policy");
        plan.inForce = _inForce(toml, plan);
        uint256 more = (policy.inner.length == 0 ? 0 : 1) + (policy.code.length == 0 ? 0 : 1)
            + (plan.l1Bridge == address(0) ? 0 : 1);
        plan.parts = new Part[](4 + more);
        uint256 next = 0;
        plan.parts[next++] = Part(
            "L1MessageQueue",
            _salt(salt, "message queue"),
            plan.messageQueue,
            _messageQueue(toml, plan)
        );
        plan.parts[next++] =
            Part("ForcedInbox", _salt(salt, "forced"), plan.forced, _forced(toml, plan));
        if (policy.inner.length != 0) {
            plan.parts[next++] =
                Part("inner sequencing policy", _salt(salt, "inner policy"), inner, policy.inner);
        }
        if (policy.code.length != 0) {
            plan.parts[next++] =
                Part("sequencing policy", _salt(salt, "policy"), plan.policy, policy.code);
        }
        plan.parts[next++] =
            Part("NativeRollup", _salt(salt, "rollup"), plan.rollup, _rollup(toml, plan));
        plan.parts[next++] = Part("RollupExit", _salt(salt, "exit"), plan.exit, _exit(toml, plan));
        if (plan.l1Bridge != address(0)) {
            bytes memory bridge = abi.encodePacked(
                type(L1TokenBridge).creationCode, abi.encode(plan.messageQueue, plan.l2Bridge)
            );
            plan.parts[next++] = Part("L1TokenBridge", _salt(salt, "bridge"), plan.l1Bridge, bridge);
        }
    }

    /// @notice Returns the init code of the bridge on the L2.
    function l2BridgeCode(address l1Bridge) public pure returns (bytes memory) {
        return abi.encodePacked(type(L2TokenBridge).creationCode, abi.encode(l1Bridge));
    }

    /// @notice Returns the init code of the implementation of all tokens on the L2.
    function l2TokenCode(address l2Bridge) public pure returns (bytes memory) {
        return TokenAddresses.initCode(l2Bridge);
    }

    /// @notice Returns the address of the L2 bridge.
    function l2BridgeOf(address l1Bridge) public pure returns (address) {
        return vm.computeCreate2Address(0, keccak256(l2BridgeCode(l1Bridge)), PROXY);
    }

    function _messageQueue(string memory toml, Plan memory plan)
        private
        view
        returns (bytes memory)
    {
        return abi.encodePacked(
            type(L1MessageQueue).creationCode,
            abi.encode(
                plan.rollup,
                plan.exit,
                _u64(toml, ".messages.max_gas"),
                _u64(toml, ".messages.max_data"),
                _messagePercent(toml),
                _checkpoints(toml),
                _guardian(toml)
            )
        );
    }

    function _forced(string memory toml, Plan memory plan) private pure returns (bytes memory) {
        ForcedInbox.Config memory config = ForcedInbox.Config({
            rollup: plan.rollup,
            chainId: plan.chainId,
            delay: _u64(toml, ".forced.delay"),
            grace: _u64(toml, ".forced.grace"),
            expiry: _u64(toml, ".forced.expiry"),
            maxGas: _u64(toml, ".forced.max_gas"),
            maxBoundedGas: _u64(toml, ".forced.max_bounded_gas"),
            feePercent: _forcedPercent(toml),
            // The state reads of the bridge are bounded for any calldata.
            boundedTarget: plan.l2Bridge
        });
        return abi.encodePacked(type(ForcedInbox).creationCode, abi.encode(config));
    }

    function _rollup(string memory toml, Plan memory plan) private view returns (bytes memory) {
        IRollup.Config memory config = IRollup.Config({
            chainId: plan.chainId,
            schema: _schema(toml),
            forkMode: plan.forkMode,
            maxLag: _u64(toml, ".rollup.max_lag"),
            openAfter: _u64(toml, ".rollup.open_after"),
            relayDeadline: _u64(toml, ".rollup.relay_deadline"),
            upgradeDelay: _u64(toml, ".rollup.upgrade_delay"),
            l1SlotMillis: _l1SlotMillis(toml),
            messageQueue: plan.messageQueue,
            forced: plan.forced,
            policy: plan.policy,
            owner: plan.owner
        });
        return
            abi.encodePacked(
                type(NativeRollup).creationCode, abi.encode(plan.genesisHeader, config)
            );
    }

    function _exit(string memory toml, Plan memory plan) private view returns (bytes memory) {
        return abi.encodePacked(
            type(RollupExit).creationCode, abi.encode(plan.messageQueue, _lostAfter(toml))
        );
    }

    /// @dev Returns the values at creation, unless the file contains changed values.
    function _inForce(string memory toml, Plan memory plan)
        private
        view
        returns (InForce memory now_)
    {
        now_.owner = plan.owner;
        if (vm.keyExistsToml(toml, ".in_force.owner")) {
            now_.owner = _account(toml, ".in_force.owner");
        }
        now_.policy = plan.policy;
        if (vm.keyExistsToml(toml, ".in_force.policy")) {
            now_.policy = _account(toml, ".in_force.policy");
        }
        now_.gasLimit = plan.genesis.gasLimit;
        if (vm.keyExistsToml(toml, ".in_force.gas_limit")) {
            now_.gasLimit = _u64(toml, ".in_force.gas_limit");
        }
        uint16[] memory schemas = _schemas(toml, ".in_force.fork_schemas");
        uint64[] memory times = _u64s(toml, ".in_force.fork_times");
        if (schemas.length != times.length) revert ForksIncomplete(schemas.length, times.length);
        now_.forks = new IRollup.Fork[](1 + schemas.length);
        now_.forks[0] = IRollup.Fork(_schema(toml), plan.genesis.timestamp);
        for (uint256 i = 0; i < schemas.length; ++i) {
            now_.forks[i + 1] = IRollup.Fork(schemas[i], times[i]);
        }
    }

    /// @dev Computes `DeterministicDeployer.addressOf`, which cannot be called before that contract
    /// is deployed.
    function _at(address deployer, string memory salt, string memory name)
        private
        pure
        returns (address)
    {
        bytes32 own = keccak256(abi.encode(deployer, _salt(salt, name)));
        return CREATE3.predictDeterministicAddress(own, address(factory()));
    }

    function _salt(string memory salt, string memory name) private pure returns (bytes32) {
        return keccak256(abi.encode(salt, name));
    }
}
