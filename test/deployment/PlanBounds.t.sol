// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {RollupPlan} from "../../script/RollupPlan.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {PlanFixture} from "./PlanFixture.sol";

/// @dev Prices, caps and delays of a configuration: with the last allowed value there is a plan,
/// and the next one is rejected with its name.
contract PlanBoundsTest is PlanFixture {
    function test_prices_are_at_most_100_base_fees() public {
        string memory rule = "at most 10000: a hundred times the base fee of L1";
        string[2] memory lines =
            ["max_data = 10000\nfee_percent = ", "max_bounded_gas = 1000000\nfee_percent = "];
        string[2] memory fields = ["messages.fee_percent", "forced.fee_percent"];
        for (uint256 i = 0; i < lines.length; ++i) {
            string memory line = string.concat(lines[i], "100");
            expectRefused(line, string.concat(lines[i], "10001"), fields[i], "10001", rule);
            planner.parse(fileWith(line, string.concat(lines[i], "10000")), address(planner));
        }
    }

    function test_messages_and_forced_transactions_require_price() public {
        string[2] memory lines =
            ["max_data = 10000\nfee_percent = ", "max_bounded_gas = 1000000\nfee_percent = "];
        string[2] memory fields = ["messages.fee_percent", "forced.fee_percent"];
        string[2] memory rules = [
            "at least 1: without a price, filling the queue is free",
            "at least 1: without a price, delaying exits is free"
        ];
        for (uint256 i = 0; i < lines.length; ++i) {
            string memory line = string.concat(lines[i], "100");
            expectRefused(line, string.concat(lines[i], "0"), fields[i], "0", rules[i]);
            planner.parse(fileWith(line, string.concat(lines[i], "1")), address(planner));
        }
    }

    function test_forced_gas_limits_below_42000_are_rejected() public {
        string memory rule = "at least 42000: the minimum gas of a forced transaction";
        string[2] memory lines = ["\nmax_gas = 300000", "max_bounded_gas = 1000000"];
        string[2] memory keys = ["\nmax_gas = ", "max_bounded_gas = "];
        string[2] memory fields = ["forced.max_gas", "forced.max_bounded_gas"];
        for (uint256 i = 0; i < lines.length; ++i) {
            expectRefused(lines[i], string.concat(keys[i], "0"), fields[i], "0", rule);
            expectRefused(lines[i], string.concat(keys[i], "41999"), fields[i], "41999", rule);
            planner.parse(fileWith(lines[i], string.concat(keys[i], "42000")), address(planner));
        }
    }

    function test_script_rejects_delays_that_contracts_reject() public {
        string memory lag = "more than rollup.max_lag";
        // The contracts would accept it, and then no block.
        string memory none = "at least 1: a block is built before it is posted to L1";
        expectRefused("max_lag = 3600", "max_lag = 0", "rollup.max_lag", "0", none);
        planner.parse(fileWith("max_lag = 3600", "max_lag = 1"), address(planner));
        expectBound(
            "open_after = 7200",
            "open_after",
            3601,
            3600,
            "rollup.open_after",
            string.concat("at least 3601: ", lag)
        );
        expectBound(
            "relay_deadline = 43200",
            "relay_deadline",
            3601,
            3600,
            "rollup.relay_deadline",
            string.concat("at least 3601: ", lag)
        );
        expectBound(
            "relay_deadline = 43200",
            "relay_deadline",
            87_492,
            87_493,
            "rollup.relay_deadline",
            "at most 98292 with rollup.max_lag and rollup.open_after, which make 10800; together that is 98293"
        );
        expectBound(
            "\ndelay = 86400",
            "\ndelay",
            3601,
            3600,
            "forced.delay",
            string.concat("at least 3601: ", lag)
        );
        expectBound(
            "expiry = 172800",
            "expiry",
            97_200,
            97_199,
            "forced.expiry",
            "at least 97200: rollup.max_lag, rollup.open_after and a day together"
        );
        expectBound(
            "expiry = 172800",
            "expiry",
            4_294_830_495,
            4_294_830_496,
            "forced.expiry",
            "at most 4294967295 with rollup.relay_deadline, forced.delay and forced.grace, which make 136800; together that is 4294967296"
        );
        expectBound(
            "upgrade_delay = 604800",
            "upgrade_delay",
            284_400,
            284_399,
            "rollup.upgrade_delay",
            "at least 284400: two days, forced.delay, forced.grace, rollup.max_lag, twice rollup.open_after and guardian.pause together"
        );
        expectBound(
            "upgrade_delay = 604800",
            "upgrade_delay",
            4_294_967_295,
            4_294_967_296,
            "rollup.upgrade_delay",
            "at most 4294967295: a rollup whose rules never change has no rollup.owner"
        );
    }

    function test_script_rejects_ring_that_contracts_reject() public {
        expectBound(
            "checkpoints = 16382",
            "checkpoints",
            1_048_576,
            1_048_577,
            "messages.checkpoints",
            "at most 1048576: the capacity of the ring"
        );
        string memory why = "at least 1024: each L1 block with a message uses one";
        expectRefused(
            "checkpoints = 16382", "checkpoints = 1023", "messages.checkpoints", "1023", why
        );
        why = "at least 100: milliseconds between two L1 blocks";
        expectRefused(
            "l1_slot_millis = 6000", "l1_slot_millis = 99", "rollup.l1_slot_millis", "99", why
        );
        // The ring of the example lasts for its delays, 54000 seconds together, with slots of 3.297
        // seconds.
        string memory rule =
            " with rollup.max_lag and rollup.open_after, which make 10800; together that is 54000";
        expectRefused(
            "l1_slot_millis = 6000",
            "l1_slot_millis = 3296",
            "rollup.relay_deadline",
            "43200",
            string.concat("at most 53995", rule)
        );
        expectRefused(
            "checkpoints = 16382",
            "checkpoints = 8999",
            "rollup.relay_deadline",
            "43200",
            string.concat("at most 53994", rule)
        );
        string[2][2] memory good = [
            ["l1_slot_millis = 6000", "l1_slot_millis = 3297"],
            ["checkpoints = 16382", "checkpoints = 9000"]
        ];
        for (uint256 i = 0; i < good.length; ++i) {
            uint256 before = vm.snapshotState();
            planner.deployAll(planner.parse(fileWith(good[i][0], good[i][1]), address(planner)));
            vm.revertToState(before);
        }
    }

    function test_script_rejects_lost_time_that_contract_rejects() public {
        string memory why = string.concat(
            "at least 2592000: 30 days, and rollup.relay_deadline and twice max_lag and open_after"
        );
        expectRefused(
            "lost_after = 5184000", "lost_after = 2591999", "exit.lost_after", "2591999", why
        );
        string memory text = fileWith("lost_after = 5184000", "lost_after = 2592000");
        planner.deployAll(planner.parse(text, address(planner)));
    }

    /// @dev A file from before these keys is one of Ethereum.
    function test_missing_ring_defaults_to_example_value() public {
        RollupPlan.Plan memory plan = planner.parse(file(), address(planner));
        string memory text = fileWith("l1_slot_millis = 6000\n", "");
        text = vm.replace(text, "checkpoints = 16382\n", "");
        text = vm.replace(text, "lost_after = 5184000\n", "");
        RollupPlan.Plan memory without = planner.parse(text, address(planner));
        assertEq(abi.encode(plan.parts), abi.encode(without.parts));
    }

    function test_script_rejects_caps_that_contracts_reject() public {
        // The gas limit of the block is lower than the maximum gas of a transaction.
        string memory why = "relayed in one L2 transaction, of 10000000 gas at most";
        expectBound(
            "max_data = 10000",
            "max_data",
            124_361,
            124_362,
            "messages.max_data",
            string.concat("at most 124361: a message with messages.max_gas is ", why)
        );
        expectBound(
            "max_gas = 1000000\nmax_data = 10000",
            "max_data = 0\nmax_gas",
            8_834_765,
            8_834_766,
            "messages.max_gas",
            string.concat("at most 8834765: a message without data is ", why)
        );
        string memory rule = "at most 4000000: the most that a block can be required to include";
        expectBound("\nmax_gas = 300000", "\nmax_gas", 4_000_000, 4_000_001, "forced.max_gas", rule);
        expectBound(
            "max_bounded_gas = 1000000",
            "max_bounded_gas",
            4_000_000,
            4_000_001,
            "forced.max_bounded_gas",
            rule
        );
        // If the gas is 63 above a multiple of 64, a call retains one unit more.
        l2.gasLimit = 10_000_040;
        expectBound(
            "max_gas = 1000000\nmax_data = 10000",
            "max_data = 0\nmax_gas",
            8_834_804,
            8_834_805,
            "messages.max_gas",
            "at most 8834804: a message without data is relayed in one L2 transaction, of 10000040 gas at most"
        );
        // The maximum gas of a transaction is lower than the gas limit of this block.
        l2.gasLimit = 30_000_000;
        expectBound(
            "max_gas = 1000000\nmax_data = 10000",
            "max_data = 0\nmax_gas",
            15_506_087,
            15_506_088,
            "messages.max_gas",
            "at most 15506087: a message without data is relayed in one L2 transaction, of 16777216 gas at most"
        );
    }

    function test_expiry_below_twice_head_age_is_rejected() public {
        // If the silence is a day or longer, twice that time is longer than a day more.
        string memory text = fileWith("open_after = 7200", "open_after = 90000");
        text = vm.replace(text, "relay_deadline = 43200", "relay_deadline = 4000");
        text = vm.replace(text, "expiry = 172800", "expiry = 187199");
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "forced.expiry",
                "187199",
                "at least 187200: twice rollup.max_lag and rollup.open_after together"
            )
        );
        planner.parse(text, address(planner));
        planner.parse(vm.replace(text, "187199", "187200"), address(planner));
    }
}
