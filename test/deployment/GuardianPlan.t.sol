// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {PlanFixture} from "./PlanFixture.sol";

/// @dev Section `[guardian]` of a configuration: within its bounds the contracts are deployed with
/// it, outside of them the plan is rejected with the name of the value.
contract GuardianPlanTest is PlanFixture {
    address private constant GUARDIAN = address(0x6a);

    /// @dev Returns the example without a policy, with a guardian and these values.
    function file(uint256 pause, uint256 limit, uint256 delay)
        private
        returns (string memory text)
    {
        text = file();
        string memory account = "\naccount = \"";
        text = vm.replace(
            text,
            string.concat(account, vm.toString(address(0))),
            string.concat(account, vm.toString(GUARDIAN))
        );
        text = with(text, "\npause = 259200", "\npause = ", pause);
        text = with(text, "\nlimit_gwei = 100000000000", "\nlimit_gwei = ", limit);
        return with(text, "\nupgrade_delay = 604800", "\nupgrade_delay = ", delay);
    }

    function with(string memory text, string memory line, string memory key, uint256 value)
        private
        returns (string memory)
    {
        return changed(text, line, string.concat(key, vm.toString(value)));
    }

    function expectRefused(
        string memory text,
        string memory field,
        uint256 value,
        string memory rule
    ) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector, field, vm.toString(value), rule
            )
        );
        planner.parse(text, address(planner));
    }

    function assertDeployed(uint64 pause, uint256 delay) private {
        uint256 before = vm.snapshotState();
        RollupPlan.Plan memory plan = planner.parse(file(pause, 7, delay), address(planner));
        assertEq(plan.guardian, GUARDIAN);
        planner.deployAll(plan);
        IL1MessageQueue.Guardian memory made = IL1MessageQueue(plan.messageQueue).guardian();
        assertEq(made.account, GUARDIAN);
        assertEq(made.pause, pause);
        assertEq(made.limit, 7 gwei);
        vm.revertToState(before);
    }

    function test_pause_lasts_six_hours_to_two_weeks() public {
        assertDeployed(21_600, 604_800);
        expectRefused(
            file(21_599, 7, 604_800),
            "guardian.pause",
            21_599,
            "at least 21600: after a pause there is a day for claims"
        );
        assertDeployed(1_209_600, 2_000_000);
        expectRefused(
            file(1_209_601, 7, 2_000_000),
            "guardian.pause",
            1_209_601,
            "at most 1209600: a pause bridges the time until L1 is repaired"
        );
    }

    function test_upgrade_window_includes_pause() public {
        string memory rule =
            "two days, forced.delay, forced.grace, rollup.max_lag, twice rollup.open_after and guardian.pause together";
        assertDeployed(259_200, 543_600);
        expectRefused(
            file(259_200, 7, 543_599),
            "rollup.upgrade_delay",
            543_599,
            string.concat("at least 543600: ", rule)
        );
    }
}
