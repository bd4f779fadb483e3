// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {VerifyFixture} from "./VerifyFixture.sol";

/// @dev A rollup after its deployment: the script's output about its forks and its guardian, and
/// the changes by its owner that are listed in the section `[in_force]`.
contract VerifyInForceTest is VerifyFixture {
    // ------------------------------------------------------------------ output

    function forksOf(Deploy.Plan memory p) private returns (string memory) {
        certifier.say(p);
        return certifier.ofForks();
    }

    function guardianOf(Deploy.Plan memory p) private returns (string memory) {
        certifier.say(p);
        return certifier.ofGuardian();
    }

    function test_script_reports_effect_of_next_l1_fork() public {
        Deploy.Plan memory p;
        p.forkMode = IRollup.ForkMode.Follow;
        assertEq(forksOf(p), "forks: follow. Blocks have the fork that L1 had at their timestamp.");
        p.forkMode = IRollup.ForkMode.Registry;
        assertEq(
            forksOf(p),
            "forks: registry. Blocks have the fork of the current entry of L1's registry. Post all blocks before L1 forks: those that are not posted by then are lost."
        );
        p.forkMode = IRollup.ForkMode.Pinned;
        assertEq(
            forksOf(p),
            "forks: pinned, and no owner. L1's next fork stops this rollup PERMANENTLY: no block will be accepted, no withdrawal can be claimed, and deposits stay locked."
        );
        // The current owner, who may differ from the initial one.
        p.owner = address(0xaa);
        assertTrue(vm.contains(forksOf(p), "PERMANENTLY"));
        (p.owner, p.inForce.owner) = (address(0), address(0xaa));
        assertEq(
            forksOf(p),
            "forks: pinned. L1's next fork stops this rollup until the owner has added it."
        );
    }

    function test_script_reports_guardian_of_queue() public {
        Deploy.Plan memory p;
        assertEq(guardianOf(p), "guardian: none. No account can pause deposits or delay claims.");
        p.guardian = address(0xaa);
        assertEq(
            guardianOf(p),
            string.concat(
                "guardian, who may pause deposits and large claims: ", vm.toString(address(0xaa))
            )
        );
    }

    // ------------------------------------------------------------------ changes by the owner

    function test_changed_rollup_is_certified_after_file_update() public {
        string[2][] memory changes = new string[2][](2);
        changes[0] = ["forks = \"follow\"", "forks = \"pinned\""];
        changes[1] = [NO_OWNER, OWNER];
        Deploy.Plan memory p = planOf(changes);
        certifier.deployAll(p);
        certifier.certify(p);
        NativeRollup r = NativeRollup(p.rollup);
        uint256 from = vm.getBlockTimestamp() + 8 days;
        vm.startPrank(address(0xaa));
        r.announce(IRollup.Change.Policy, 0xbb);
        r.announce(IRollup.Change.GasLimit, 12_000_000);
        r.announce(IRollup.Change.Fork, from << 16 | 0x1501);
        skip(6 days);
        r.clear(IRollup.Change.Policy, 0xbb);
        r.clear(IRollup.Change.GasLimit, 12_000_000);
        r.clear(IRollup.Change.Fork, from << 16 | 0x1501);
        skip(1 days);
        changes = new string[2][](3);
        changes[0] = ["forks = \"follow\"", "forks = \"pinned\""];
        changes[1] = ["# [in_force]", "[in_force]"];
        changes[2] = [NO_OWNER, OWNER];

        r.make(IRollup.Change.Policy, 0xbb);
        expectOutdated(planOf(changes), Deploy.PolicyMismatch.selector);
        changes[1][1] = string.concat(
            changes[1][1], "\npolicy = \"0x00000000000000000000000000000000000000bb\""
        );
        certifier.certify(planOf(changes));

        r.make(IRollup.Change.GasLimit, 12_000_000);
        expectOutdated(planOf(changes), Deploy.GasLimitMismatch.selector);
        changes[1][1] = string.concat(changes[1][1], "\ngas_limit = 12000000");
        certifier.certify(planOf(changes));

        r.make(IRollup.Change.Fork, from << 16 | 0x1501);
        expectOutdated(planOf(changes), Deploy.ForkCountMismatch.selector);
        string memory forks =
            string.concat("\nfork_schemas = [5377]\nfork_times = [", vm.toString(from), "]");
        changes[1][1] = string.concat(changes[1][1], forks);
        certifier.certify(planOf(changes));

        r.offerOwnership(address(this));
        vm.stopPrank();
        expectOutdated(planOf(changes), Deploy.OwnershipOffered.selector);
        r.takeOwnership();
        expectOutdated(planOf(changes), Deploy.OwnerMismatch.selector);
        changes[1][1] = string.concat(changes[1][1], "\nowner = ", quoted(abi.encodePacked(this)));
        certifier.certify(planOf(changes));
    }

    function expectOutdated(Deploy.Plan memory p, bytes4 selector) private {
        vm.expectPartialRevert(selector);
        certifier.certify(p);
    }

    function test_forks_in_force_have_schemas_and_times() public {
        string memory text =
            file(one(["# [in_force]", "[in_force]\nfork_schemas = [5377]\nfork_times = []"]));
        vm.expectRevert(abi.encodeWithSelector(RollupPlan.ForksIncomplete.selector, 1, 0));
        certifier.parse(text, address(certifier));
    }

    function test_current_forks_are_named_by_name_or_schema() public {
        string[2] memory good = ["[\"amsterdam\"]", "[5377]"];
        for (uint256 i = 0; i < good.length; ++i) {
            RollupPlan.Plan memory p = certifier.parse(withForks(good[i]), address(certifier));
            assertEq(p.inForce.forks[1].schema, 0x1501);
        }
        string[2] memory bad = ["berlin", "5378"];
        string[2] memory lists = ["[\"berlin\"]", "[5378]"];
        for (uint256 i = 0; i < bad.length; ++i) {
            string memory text = withForks(lists[i]);
            vm.expectRevert(
                abi.encodeWithSelector(
                    TomlValues.ValueInvalid.selector,
                    "in_force.fork_schemas",
                    bad[i],
                    "a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id"
                )
            );
            certifier.parse(text, address(certifier));
        }
    }

    function withForks(string memory list) private returns (string memory) {
        string memory forks =
            string.concat("[in_force]\nfork_schemas = ", list, "\nfork_times = [1800000000]");
        return file(one(["# [in_force]", forks]));
    }

    function one(string[2] memory change) private pure returns (string[2][] memory changes) {
        changes = new string[2][](1);
        changes[0] = change;
    }

    /// @dev Blocks have been added: the rollup only stores the state root of the genesis.
    function test_rollup_that_has_moved_is_certified() public {
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        uint256 head = uint256(vm.load(p.rollup, 0));
        vm.store(p.rollup, 0, bytes32(head + 8190 + (uint256(1) << 56)));
        vm.store(p.rollup, bytes32(uint256(1)), keccak256("newer"));
        certifier.certify(p);
        vm.store(p.rollup, bytes32(uint256(5)), keccak256("forged"));
        expectOutdated(p, Deploy.GenesisMismatch.selector);
        // Block 8191 has overwritten it.
        vm.store(p.rollup, 0, bytes32(head + 8191 + (uint256(1) << 48)));
        certifier.certify(p);
    }
}
