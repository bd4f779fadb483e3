// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {TomlValues} from "../../script/TomlValues.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {ExampleFixture} from "./ExampleFixture.sol";

/// @dev Makes plans, with and without their checks, and deploys them.
contract Planner is RollupPlan {
    bool private unchecked_;

    function without() external returns (Planner) {
        unchecked_ = true;
        return this;
    }

    function _requireDelays(string memory toml) internal view override {
        if (!unchecked_) super._requireDelays(toml);
    }

    function _requireCapacity(string memory toml, uint256 gasLimit) internal view override {
        if (!unchecked_) super._requireCapacity(toml, gasLimit);
    }

    function _requireTimeout(string memory toml, bool isPreconfirmed) internal view override {
        if (!unchecked_) super._requireTimeout(toml, isPreconfirmed);
    }

    function _requireTurns(string memory toml) internal view override {
        if (!unchecked_) super._requireTurns(toml);
    }

    function deployAll(Plan calldata plan) external {
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            factory().deploy(plan.parts[i].salt, plan.parts[i].initCode);
        }
    }
}

/// @title Plans of configuration files that differ from the example in one value
/// @dev A configuration file from which no rollup can be deployed is rejected before anything is
/// deployed, with the name of the wrong value; the plan rejects the values that the contracts
/// reject.
abstract contract PlanFixture is ExampleFixture {
    Planner internal planner = new Planner();

    function setUp() public virtual override {
        super.setUp();
        install(planner.factory());
    }

    function fileWith(string memory from, string memory to) internal returns (string memory) {
        return changed(file(), from, to);
    }

    function expectRefused(
        string memory from,
        string memory to,
        string memory field,
        string memory value,
        string memory rule
    ) internal {
        string memory text = fileWith(from, to);
        vm.expectRevert(
            abi.encodeWithSelector(TomlValues.ValueInvalid.selector, field, value, rule)
        );
        planner.parse(text, address(planner));
    }

    /// @dev Asserts that the last allowed value passes both here and in the constructors, and the
    /// next one in neither.
    function expectBound(
        string memory line,
        string memory key,
        uint256 good,
        uint256 bad,
        string memory field,
        string memory rule
    ) internal {
        uint256 before = vm.snapshotState();
        string memory text = fileWith(line, string.concat(key, " = ", vm.toString(good)));
        RollupPlan.Plan memory plan = planner.parse(text, address(planner));
        planner.deployAll(plan);
        assertGt(plan.rollup.code.length, 0);
        vm.revertToState(before);

        expectRefused(
            line, string.concat(key, " = ", vm.toString(bad)), field, vm.toString(bad), rule
        );
        text = fileWith(line, string.concat(key, " = ", vm.toString(bad)));
        plan = planner.without().parse(text, address(planner));
        vm.expectRevert();
        planner.deployAll(plan);
        vm.revertToState(before);
    }
}
