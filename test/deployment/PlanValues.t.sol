// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {ForkRegistry} from "../utils/ForkRegistry.sol";
import {PlanFixture} from "./PlanFixture.sol";

/// @dev Values of a configuration by type: numbers, fork names, lists, text. A value of another
/// type is rejected with its name.
contract PlanValuesTest is PlanFixture {
    function test_oversized_numbers_are_rejected_with_key() public {
        string memory large = "18446744073709551616";
        expectRefused(
            "chain_id = 8079",
            string.concat("chain_id = \"", large, "\""),
            "l2.chain_id",
            large,
            "below 2^64"
        );
    }

    function test_chain_has_id() public {
        string memory line = "chain_id = 8079";
        string memory rule = "at least 1: transactions are signed for one chain";
        expectRefused(line, "chain_id = 0", "l2.chain_id", "0", rule);
        planner.parse(fileWith(line, "chain_id = 1"), address(planner));
    }

    function test_fork_is_named_by_name_or_schema_only() public {
        string memory line = "schema = \"osaka\"";
        string memory rule = "a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id";
        string[5] memory bad = ["4352", "4354", "4610", "5633", "65536"];
        for (uint256 i = 0; i < bad.length; ++i) {
            expectRefused(line, string.concat("schema = ", bad[i]), "l2.schema", bad[i], rule);
        }
        expectRefused(line, "schema = \"berlin\"", "l2.schema", "berlin", rule);
        string[5] memory names = ["prague", "osaka", "bpo1", "bpo2", "amsterdam"];
        // The header of Amsterdam has other fields.
        for (uint256 i = 0; i < 4; ++i) {
            RollupPlan.Plan memory plan = planner.parse(
                fileWith(line, string.concat("schema = \"", names[i], "\"")), address(planner)
            );
            assertEq(plan.inForce.forks[0].schema, 0x1101 + 256 * i);
        }
        planner.parse(fileWith(line, "schema = 4353"), address(planner));
    }

    function test_fork_mode_is_named_by_name_only() public {
        string memory line = "forks = \"follow\"";
        string memory rule = "follow, registry or pinned";
        expectRefused(line, "forks = \"never\"", "rollup.forks", "never", rule);
        string[3] memory names = ["follow", "registry", "pinned"];
        ForkRegistry registry = ForkRegistry(0x00005e9c1447C1A05A642ec9eB76D9C125468357);
        vm.etch(address(registry), vm.getDeployedCode("ForkRegistry.sol:ForkRegistry"));
        registry.set(l2.schema);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 3; ++i) {
            string memory text = fileWith(line, string.concat("forks = \"", names[i], "\""));
            RollupPlan.Plan memory plan = planner.parse(text, address(planner));
            planner.deployAll(plan);
            assertEq(uint256(NativeRollup(plan.rollup).FORK_MODE()), i);
            vm.revertToState(state);
        }
        // Without the key, the default applies.
        assertEq(
            uint256(planner.parse(fileWith(line, ""), address(planner)).forkMode),
            uint256(IRollup.ForkMode.Follow)
        );
        vm.etch(address(registry), "");
        rule =
            "follow or pinned: this L1 has no registry (EIP-8357) at 0x00005e9c1447C1A05A642ec9eB76D9C125468357";
        expectRefused(line, "forks = \"registry\"", "rollup.forks", "registry", rule);
    }

    function test_later_forks_are_lists_of_schemas_and_times() public {
        string memory line = "enabled = true";
        string memory part = "enabled = true\n[in_force]\nfork_schemas = ";
        string memory times = "\nfork_times = [1800000000]";
        expectRefused(
            line,
            string.concat(part, "true", times),
            "in_force.fork_schemas",
            "true",
            "a list; each entry is a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id"
        );
        part = string.concat(part, "[\"amsterdam\"]\nfork_times = ");
        string memory rule = "a list of whole numbers below 2^64";
        string memory field = "in_force.fork_times";
        expectRefused(
            line,
            string.concat(part, "[\"soon\"]"),
            field,
            "missing, or a value of another type",
            rule
        );
        expectRefused(line, string.concat(part, "\"soon\""), field, "soon", rule);
        string memory large = "18446744073709551616";
        expectRefused(
            line, string.concat(part, "[\"", large, "\"]"), field, large, "below 2^64 each"
        );
        string memory last = string.concat(part, "[\"18446744073709551615\"]");
        RollupPlan.Plan memory plan = planner.parse(fileWith(line, last), address(planner));
        assertEq(plan.inForce.forks.length, 2);
        assertEq(plan.inForce.forks[1].from, type(uint64).max);
    }

    function test_values_of_another_kind_are_named() public {
        string memory rule = "a whole number below 2^64";
        expectRefused("max_lag = 3600", "max_lag = \"x\"", "rollup.max_lag", "x", rule);
        string memory other = "missing, or a value of another type";
        expectRefused("max_lag = 3600", "max_lag = [1]", "rollup.max_lag", other, rule);
        expectRefused("max_lag = 3600", "# max_lag", "rollup.max_lag", other, rule);
        expectRefused(
            "owner = \"0x0000000000000000000000000000000000000000\"",
            "owner = \"0x12\"",
            "rollup.owner",
            "0x12",
            "an address: 0x and 40 hexadecimal digits"
        );
        expectRefused(
            "policy = \"none\"",
            "policy = \"foo\"",
            "sequencing.policy",
            "foo",
            "none, open, permissioned, hybrid or rotating"
        );
    }

    function test_text_and_truth_of_another_kind_are_named() public {
        string memory other = "missing, or a value of another type";
        string memory rule = "text in quotation marks";
        string memory line = "file = \"deployments/my-rollup.json\"";
        expectRefused(line, "file = [1]", "deployment.file", other, rule);
        line = "salt = \"my rollup\"";
        expectRefused(line, "# salt", "deployment.salt", other, rule);
        line = "policy = \"none\"";
        expectRefused(line, "policy = []", "sequencing.policy", other, rule);
        line = "# file = \"deployments/my-genesis.json\"";
        expectRefused(line, "file = [1]", "l2.genesis.file", other, rule);
        planner.parse(fileWith(line, "file = \"deployments/my-genesis.json\""), address(planner));

        line = "enabled = true";
        expectRefused(line, "enabled = \"yes\"", "bridge.enabled", "yes", "true or false");
        RollupPlan.Plan memory plan =
            planner.parse(fileWith(line, "enabled = false"), address(planner));
        assertEq(plan.l1Bridge, address(0));
    }
}
