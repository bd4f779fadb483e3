// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DeterministicDeployer} from "../../contracts/deployment/DeterministicDeployer.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {PreconfBonds} from "../../contracts/sequencing/preconf/PreconfBonds.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {ExampleFixture} from "./ExampleFixture.sol";

/// @dev The script on a chain where the probe succeeds or fails.
contract Deployer is Deploy {
    error Unanswered();

    bool private fails_;

    function failProbe(bool fails) external {
        fails_ = fails;
    }

    function ensureFactory() external {
        ensureCreate2("DeterministicDeployer", type(DeterministicDeployer).creationCode);
    }

    function hasExecute() internal view override returns (bool) {
        if (fails_) revert Unanswered();
        return true;
    }
}

/// @dev Complete runs of the script with a configuration file.
contract RunTest is ExampleFixture {
    Deployer private script = new Deployer();
    string private folder;

    /// @dev Writes a configuration to a folder of this test, because tests run in parallel; with or
    /// without a genesis file.
    function config(string memory test, bool hasGenesis) private returns (string memory path) {
        folder = string.concat("cache/run-", test);
        if (vm.exists(folder)) vm.removeDir(folder, true);
        vm.createDir(folder, true);
        string memory text = file();
        text = vm.replace(text, "deployments/my-rollup.json", deployment());
        if (hasGenesis) {
            string memory section = string.concat("[l2.genesis]\nfile = \"", genesis(), "\"");
            text = vm.replace(text, "[l2.genesis]", section);
        }
        path = string.concat(folder, "/rollup.toml");
        vm.writeFile(path, text);
    }

    function deployment() private view returns (string memory) {
        return string.concat(folder, "/deployment.json");
    }

    function genesis() private view returns (string memory) {
        return string.concat(folder, "/genesis.json");
    }

    function written(string memory key) private view returns (address) {
        return vm.parseJsonAddress(vm.readFile(deployment()), key);
    }

    function test_second_run_finds_deployment_and_keeps_genesis() public {
        string memory path = config("again", false);
        Deploy.Plan memory plan = script.read(path, address(this));
        script.run(path);
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            assertGt(plan.parts[i].place.code.length, 0, plan.parts[i].name);
        }
        assertEq(written(".rollup"), plan.rollup);
        assertEq(written(".deployer"), address(this));
        assertEq(IRollup(plan.rollup).blockHash(), plan.genesis.blockHash);
        string memory before = vm.readFile(deployment());
        assertEq(vm.parseJsonUint(before, ".l1Block"), vm.getBlockNumber());
        script.verify(path);

        vm.roll(vm.getBlockNumber() + 7);
        script.run(path);
        assertEq(vm.readFile(deployment()), before, "nodes read logs from the same block on");
        vm.removeDir(folder, true);
    }

    function test_genesis_block_of_another_rollup_is_not_reused() public {
        string memory path = config("another", false);
        script.run(path);
        vm.writeJson(vm.toString(makeAddr("another rollup")), deployment(), ".rollup");
        script.run(path);
        assertEq(vm.parseJsonUint(vm.readFile(deployment()), ".l1Block"), 0);
        vm.removeDir(folder, true);
    }

    function test_run_resumes_interrupted_deployment() public {
        string memory path = config("interrupted", false);
        Deploy.Plan memory plan = script.read(path, address(this));
        uint256 state = vm.snapshotState();
        script.run(path);
        bytes memory first = plan.parts[0].place.code;
        vm.revertToState(state);
        script.ensureFactory();
        script.factory().deploy(plan.parts[0].salt, plan.parts[0].initCode);
        vm.removeFile(deployment());
        script.run(path);
        assertEq(plan.parts[0].place.code, first);
        assertEq(vm.parseJsonUint(vm.readFile(deployment()), ".l1Block"), vm.getBlockNumber());
        vm.removeDir(folder, true);
    }

    function test_undeployed_rollup_is_not_verified() public {
        string memory path = config("absent", false);
        vm.expectPartialRevert(Deploy.NotDeployed.selector);
        script.verify(path);
        script.run(path);
        vm.removeFile(deployment());
        vm.expectRevert(abi.encodeWithSelector(Deploy.DeploymentFileMissing.selector, deployment()));
        script.verify(path);
        script.run(path);
        script.verify(path);
        vm.removeDir(folder, true);
    }

    /// @dev A cleared change could be made in the second after the verification.
    function test_announced_changes_are_rejected_unless_allowed() public {
        string memory path = config("announced", false);
        address owner = makeAddr("owner of the rollup");
        string memory text = vm.replace(
            vm.readFile(path),
            string.concat("owner = \"", vm.toString(address(0)), "\""),
            string.concat("owner = \"", vm.toString(owner), "\"")
        );
        vm.writeFile(path, text);
        script.run(path);
        script.verify(path);
        IRollup rollup = IRollup(script.read(path, address(this)).rollup);
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, 7);
        vm.expectRevert(
            abi.encodeWithSelector(Deploy.ChangesAnnounced.selector, rollup.announcements())
        );
        script.verify(path);
        script.verifyAllowingChanges(path);
        vm.prank(owner);
        rollup.withdraw(IRollup.Change.Policy, 7);
        script.verify(path);
        vm.removeDir(folder, true);
    }

    /// @dev Otherwise everything would be deployed without writing the file that nodes need.
    function test_unreadable_genesis_file_fails_before_any_request() public {
        string memory path = config("genesis", true);
        script.failProbe(true);
        (bool ok, bytes memory reason) = address(script).call(abi.encodeCall(script.run, (path)));
        assertFalse(ok);
        // The cast extracts the selector.
        // forge-lint: disable-next-line(unsafe-typecast)
        assertNotEq(bytes4(reason), Deployer.Unanswered.selector, "it comes first");
        vm.writeFile(genesis(), "{\"nonce\":\"0x7\"}");
        vm.expectRevert(Deployer.Unanswered.selector);
        script.run(path);
        script.failProbe(false);
        script.run(path);
        assertEq(vm.parseJsonUint(vm.readFile(deployment()), ".genesis.nonce"), 7);
        vm.removeDir(folder, true);
    }

    function test_run_and_verification_fail_without_rpc_response() public {
        string memory path = config("answer", false);
        script.failProbe(true);
        vm.expectRevert(Deployer.Unanswered.selector);
        script.run(path);
        script.failProbe(false);
        script.run(path);
        script.failProbe(true);
        vm.expectRevert(Deployer.Unanswered.selector);
        script.verify(path);
        script.failProbe(false);
        script.verify(path);
        vm.removeDir(folder, true);
    }

    /// @dev The registry is the same for all rollups of a chain.
    function test_run_deploys_bond_registry_if_missing() public {
        string memory path = config("bonds", false);
        string memory text = vm.readFile(path);
        string memory policy = string.concat(
            "policy = \"hybrid\"\ntimeout = 6300\npost_delay = 300\nbonds = \"deploy\"\n",
            "min_bond_gwei = 7\nfee_recipient = \"",
            vm.toString(address(0)),
            "\"\nsequencer = \"",
            vm.toString(address(1)),
            "\""
        );
        vm.writeFile(path, changed(text, "policy = \"none\"", policy));
        Deploy.Plan memory plan = script.read(path, address(this));
        assertEq(plan.preconfBonds, script.sharedBonds());
        vm.expectRevert(
            abi.encodeWithSelector(Deploy.NotDeployed.selector, "PreconfBonds", plan.preconfBonds)
        );
        script.verify(path);
        script.run(path);
        assertEq(plan.preconfBonds.codehash, keccak256(type(PreconfBonds).runtimeCode));
        assertEq(written(".preconfBonds"), plan.preconfBonds);
        script.verify(path);

        // Another rollup with the same registry, which it names by its address.
        policy = changed(
            policy, "\"deploy\"", string.concat("\"", vm.toString(plan.preconfBonds), "\"")
        );
        text = changed(text, "policy = \"none\"", policy);
        vm.writeFile(path, changed(text, "\"my rollup\"", "\"another rollup\""));
        script.run(path);
        assertNotEq(written(".rollup"), plan.rollup);
        assertEq(written(".preconfBonds"), plan.preconfBonds);
        script.verify(path);

        vm.writeJson(vm.toString(address(2)), deployment(), ".preconfBonds");
        vm.expectRevert(
            abi.encodeWithSelector(
                Deploy.LinkMismatch.selector,
                "registry of bonds in the file",
                address(2),
                plan.preconfBonds
            )
        );
        script.verify(path);
        vm.removeDir(folder, true);
    }
}
