// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {PreconfBonds} from "../../contracts/sequencing/preconf/PreconfBonds.sol";
import {Chain as ScriptChain} from "../../script/Chain.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {VerifyFixture} from "./VerifyFixture.sol";

/// @dev A deployment passes verification if it matches the configuration, and fails if it differs
/// in one value.
contract VerifyTest is VerifyFixture {
    bytes4 private constant BONDS = bytes4(keccak256("BONDS()"));
    string private constant PERMISSIONED = "policy = \"permissioned\"\ntimeout = 6300\n"
        "sequencer = \"0x00000000000000000000000000000000000000bb\"\n"
        "fee_recipient = \"0x00000000000000000000000000000000000000cc\"";

    // ------------------------------------------------------------------ matching deployments

    function test_configured_rollup_is_certified() public {
        string[2][4] memory changes = [
            [NO_OWNER, OWNER],
            ["\"none\"", "\"none\""],
            ["enabled = true", "enabled = false"],
            ["policy = \"none\"", PERMISSIONED]
        ];
        for (uint256 i = 0; i < changes.length; ++i) {
            uint256 before = vm.snapshotState();
            Deploy.Plan memory p = planOf(changes[i][0], changes[i][1]);
            certifier.deployAll(p);
            certifier.certify(p);
            vm.revertToState(before);
        }
    }

    function test_policies_with_bond_are_certified() public {
        string memory bond = "\nbonds = \"deploy\"\nmin_bond_gwei = 7";
        string[2] memory policies = [
            string.concat(PERMISSIONED, bond),
            string.concat(
                vm.replace(PERMISSIONED, "permissioned", "hybrid"), bond, "\npost_delay = 3"
            )
        ];
        for (uint256 i = 0; i < policies.length; ++i) {
            uint256 before = vm.snapshotState();
            Deploy.Plan memory p = planOf("policy = \"none\"", policies[i]);
            certifier.deployAll(p);
            vm.expectRevert(
                abi.encodeWithSelector(Deploy.NotDeployed.selector, "PreconfBonds", p.preconfBonds)
            );
            certifier.certify(p);
            vm.etch(p.preconfBonds, address(new PreconfBonds()).code);
            certifier.certify(p);
            vm.mockCall(p.policy, abi.encodePacked(BONDS), abi.encode(address(3)));
            vm.expectRevert(
                abi.encodeWithSelector(
                    Deploy.LinkMismatch.selector,
                    "registry of bonds of the policy",
                    address(3),
                    p.preconfBonds
                )
            );
            certifier.certify(p);
            vm.clearMockedCalls();

            // Deployed with another minimum bond.
            p = planOf("policy = \"none\"", vm.replace(policies[i], "gwei = 7", "gwei = 8"));
            vm.expectPartialRevert(Deploy.CodeMismatch.selector);
            certifier.certify(p);
            vm.revertToState(before);
        }
    }

    function test_missing_contract_is_reported() public {
        Deploy.Plan memory p = plan();
        vm.expectPartialRevert(Deploy.NotDeployed.selector);
        certifier.certify(p);
    }

    /// @dev No value of a file is known to reach the constructor's error; here the plan is made in
    /// another way.
    function test_script_names_errors_of_constructors() public {
        Deploy.Plan memory p = planOf("policy = \"none\"", PERMISSIONED);
        certifier.deployAll(p);
        certifier.certify(p);
        p.parts[2].initCode = abi.encodePacked(
            type(PermissionedSequencing).creationCode,
            abi.encode(address(0), address(0xcc), uint64(6300))
        );
        bytes memory reason = abi.encodeWithSelector(PermissionedSequencing.SequencerZero.selector);
        vm.expectRevert(
            abi.encodeWithSelector(Deploy.InitCodeFailed.selector, "sequencing policy", reason)
        );
        certifier.certify(p);
    }

    // ------------------------------------------------------------------ another configuration

    /// @dev Deploys with a change in the file, and verifies with the original file.
    function expectRefused(string memory from, string memory to, bytes4 selector) private {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        Deploy.Plan memory other = planOf(from, to);
        certifier.deployAll(other);
        certifier.certify(other);
        vm.expectPartialRevert(selector);
        certifier.certify(p);
        vm.revertToState(before);
    }

    function test_every_value_of_file_is_compared() public {
        bytes4 code = Deploy.CodeMismatch.selector;
        expectRefused("chain_id = 8079", "chain_id = 8080", code);
        expectRefused("forks = \"follow\"", "forks = \"pinned\"", code);
        expectRefused("max_lag = 3600", "max_lag = 3599", code);
        expectRefused("open_after = 7200", "open_after = 7201", code);
        expectRefused("relay_deadline = 43200", "relay_deadline = 43201", code);
        expectRefused("upgrade_delay = 604800", "upgrade_delay = 604801", code);
        expectRefused("max_gas = 1000000", "max_gas = 999999", code);
        expectRefused("max_data = 10000", "max_data = 9999", code);
        expectRefused("fee_percent = 100", "fee_percent = 99", code);
        expectRefused("\ndelay = 86400", "\ndelay = 86401", code);
        expectRefused("grace = 7200", "grace = 7201", code);
        expectRefused("expiry = 172800", "expiry = 172801", code);
        expectRefused("\nmax_gas = 300000", "\nmax_gas = 299999", code);
        expectRefused("max_bounded_gas = 1000000", "max_bounded_gas = 999999", code);
        expectRefused(NO_OWNER, OWNER, Deploy.OwnerMismatch.selector);
        expectRefused("policy = \"none\"", PERMISSIONED, Deploy.PolicyMismatch.selector);
        expectRefused(
            "schema = \"osaka\"", "schema = \"prague\"", Deploy.ForkSchemaMismatch.selector
        );
    }

    /// @dev Deploys for another L2, and verifies with the file for this one.
    function expectAnotherL2Refused(IL2.Head memory other, bytes memory error_) private {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        l2 = other;
        Deploy.Plan memory forged = plan();
        certifier.deployAll(forged);
        certifier.certify(forged);
        vm.expectRevert(error_);
        certifier.certify(p);
        vm.revertToState(before);
    }

    function test_every_field_of_genesis_is_compared() public {
        bytes4 selector = Deploy.GenesisMismatch.selector;
        bytes32 hash = keccak256(GenesisHeaders.encode(l2));
        IL2.Head memory other = l2;
        other.stateRoot = keccak256("gifts");
        expectAnotherL2Refused(
            other, abi.encodeWithSelector(selector, "state root", other.stateRoot, l2.stateRoot)
        );
        other = l2;
        other.timestamp -= 1;
        expectAnotherL2Refused(
            other,
            abi.encodeWithSelector(
                Deploy.ForkTimeMismatch.selector, 0, other.timestamp, l2.timestamp
            )
        );
        other = l2;
        other.gasLimit += 1;
        expectAnotherL2Refused(
            other,
            abi.encodeWithSelector(
                Deploy.GasLimitMismatch.selector, "target", other.gasLimit, l2.gasLimit
            )
        );
        other = l2;
        other.feeRecipient = address(1);
        expectAnotherL2Refused(
            other,
            abi.encodeWithSelector(
                selector, "block hash", keccak256(GenesisHeaders.encode(other)), hash
            )
        );
    }

    // ------------------------------------------------------------------ deployment file

    function test_dry_run_leaves_files_unchanged() public {
        string memory folder = "cache/verify-dry-run";
        Deploy.Plan memory p = plan();
        p.file = string.concat(folder, "/deployment.json");
        if (vm.exists(folder)) vm.removeDir(folder, true);
        certifier.dry(true);
        certifier.write(p);
        assertFalse(vm.exists(folder));

        certifier.dry(false);
        certifier.write(p);
        string memory written = vm.readFile(p.file);
        assertEq(vm.parseJsonAddress(written, ".rollup"), p.rollup);

        Deploy.Plan memory other = planOf("my rollup", "another rollup");
        other.file = p.file;
        certifier.dry(true);
        certifier.write(other);
        assertEq(vm.readFile(p.file), written);

        certifier.dry(false);
        certifier.write(other);
        assertEq(vm.parseJsonAddress(vm.readFile(p.file), ".rollup"), other.rollup);
        vm.removeDir(folder, true);
    }

    /// @dev Nodes read the genesis from the file, so a file with another genesis block describes
    /// another rollup.
    function test_wrong_or_missing_deployment_file_is_rejected() public {
        Deploy.Plan memory p = plan();
        string memory folder = "cache/verify-file";
        p.file = string.concat(folder, "/deployment.json");
        if (vm.exists(folder)) vm.removeDir(folder, true);
        vm.expectRevert(abi.encodeWithSelector(Deploy.DeploymentFileMissing.selector, p.file));
        certifier.compareFile(p);
        certifier.write(p);
        certifier.compareFile(p);
        bytes32 other = keccak256("other");
        string[2] memory keys = [".genesisHash", ".genesisStateRoot"];
        bytes32[2] memory right = [p.genesis.blockHash, p.genesis.stateRoot];
        string[2] memory names = ["block hash of the file", "state root of the file"];
        for (uint256 i = 0; i < 2; ++i) {
            vm.writeJson(quoted(abi.encode(other)), p.file, keys[i]);
            vm.expectRevert(
                abi.encodeWithSelector(Deploy.GenesisMismatch.selector, names[i], other, right[i])
            );
            certifier.compareFile(p);
            vm.writeJson(quoted(abi.encode(right[i])), p.file, keys[i]);
            certifier.compareFile(p);
        }
        vm.writeJson("\"verified\"", p.file, ".verification.kind");
        vm.expectRevert(
            abi.encodeWithSelector(Deploy.VerificationMismatch.selector, "verified", "native")
        );
        certifier.compareFile(p);
        vm.writeJson("\"native\"", p.file, ".verification.kind");
        certifier.compareFile(p);
        vm.writeJson("\"0x00000000000000000000000000000000000000aa\"", p.file, ".rollup");
        vm.expectPartialRevert(Deploy.LinkMismatch.selector);
        certifier.compareFile(p);
        vm.removeDir(folder, true);
    }

    // ------------------------------------------------------------------ EXECUTE

    function test_only_probe_result_proves_execute() public {
        assertFalse(certifier.isExecute(abi.encode(true)));
        assertTrue(certifier.isExecute(abi.encode(false)));
        bytes[3] memory others = [bytes(""), abi.encode(uint256(2)), abi.encode(false, false)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(ScriptChain.ProbeNotAnswered.selector, others[i])
            );
            certifier.isExecute(others[i]);
        }
    }
}
