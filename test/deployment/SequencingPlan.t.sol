// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {BondedSequencing} from "../../contracts/sequencing/BondedSequencing.sol";
import {HybridSequencing} from "../../contracts/sequencing/HybridSequencing.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {PreconfBonds} from "../../contracts/sequencing/preconf/PreconfBonds.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {PlanFixture} from "./PlanFixture.sol";

/// @dev Section `[sequencing]` of a configuration: its accounts, fees and slots, and the time after
/// which a policy opens.
contract SequencingPlanTest is PlanFixture {
    function test_example_gives_named_sequencer_head_start() public {
        string memory text = example();
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "sequencing.sequencer",
                vm.toString(address(0)),
                "the account that may advance"
            )
        );
        planner.parse(text, address(planner));
        string memory placeholder = string.concat("sequencer = \"", vm.toString(address(0)));
        string memory one = string.concat("sequencer = \"", vm.toString(address(1)));
        RollupPlan.Plan memory plan =
            planner.parse(vm.replace(text, placeholder, one), address(planner));
        planner.deployAll(plan);
        PermissionedSequencing policy = PermissionedSequencing(plan.policy);
        assertEq(policy.sequencer(), address(1));
        assertEq(address(NativeRollup(plan.rollup).policy()), plan.policy);
        assertEq(plan.owner, address(0));
    }

    function test_fee_modes_require_recipient_only_for_fixed() public {
        string memory line = "policy = \"none\"";
        string memory part = "policy = \"open\"\nfee_recipient = \"";
        string memory noOwner = string.concat(vm.toString(address(0)), "\"\nfees = ");
        string memory someone = string.concat(vm.toString(address(1)), "\"\nfees = ");
        noOwner = string.concat(part, noOwner);
        someone = string.concat(part, someone);
        expectRefused(
            line,
            string.concat(someone, "3"),
            "sequencing.fees",
            "3",
            "0 (chosen by the builder), 1 (the caller) or 2 (the recipient)"
        );
        string memory field = "sequencing.fee_recipient";
        expectRefused(
            line,
            string.concat(noOwner, "2"),
            field,
            vm.toString(address(0)),
            "the account that receives the fees"
        );
        planner.parse(fileWith(line, string.concat(someone, "2")), address(planner));
        for (uint256 fees = 0; fees < 2; ++fees) {
            string memory number = vm.toString(fees);
            expectRefused(
                line,
                string.concat(someone, number),
                field,
                vm.toString(address(1)),
                "zero, unless sequencing.fees is 2"
            );
            planner.parse(fileWith(line, string.concat(noOwner, number)), address(planner));
        }
    }

    function test_zero_address_as_sequencer_is_rejected() public {
        string memory policy = "policy = \"permissioned\"\ntimeout = 6300\n"
            "fee_recipient = \"0x0000000000000000000000000000000000000000\"\nsequencer = ";
        expectRefused(
            "policy = \"none\"",
            string.concat(policy, "\"", vm.toString(address(0)), "\""),
            "sequencing.sequencer",
            vm.toString(address(0)),
            "the account that may advance"
        );
        string memory one = string.concat(policy, "\"", vm.toString(address(1)), "\"");
        planner.parse(fileWith("policy = \"none\"", one), address(planner));
    }

    function test_rotation_requires_members_other_than_zero_address() public {
        string memory policy =
            "policy = \"rotating\"\ntimeout = 6300\nstart = 1700000000\nslot_length = 60\n";
        string memory one_ = vm.toString(address(1));
        string memory zero = vm.toString(address(0));
        string memory field = "sequencing.members";
        string memory rule = "one or more accounts that may advance, in the order of their slots";
        string memory line = "policy = \"none\"";
        expectRefused(line, policy, field, "missing, or a value of another type", rule);
        policy = string.concat(policy, "members = [");
        expectRefused(line, string.concat(policy, "]"), field, "an empty list", rule);
        policy = string.concat(policy, "\"", one_);
        string memory two = string.concat(policy, "\", \"", zero, "\"]");
        expectRefused(line, two, field, zero, rule);
        planner.parse(fileWith(line, string.concat(policy, "\"]")), address(planner));
    }

    function test_script_checks_rotation_like_contract() public {
        string memory line = "policy = \"none\"";
        string memory policy = string.concat(
            "policy = \"rotating\"\ntimeout = 6300\nmembers = [\"", vm.toString(address(1)), "\"]\n"
        );
        expectBound(
            line,
            string.concat(policy, "start = 1700000000\nslot_length"),
            1,
            0,
            "sequencing.slot_length",
            "at least 1: a slot must have a length"
        );
        expectBound(
            line,
            string.concat(policy, "slot_length = 60\nstart"),
            1_700_000_000,
            1_700_000_001,
            "sequencing.start",
            "at most 1700000000, the time of L1: until the first turn no sequencer could advance"
        );
    }

    function test_policy_opens_between_head_age_and_rollup_opening() public {
        string memory line = "policy = \"none\"";
        string memory someone = vm.toString(address(1));
        string[2] memory policies = [
            string.concat(
                "policy = \"permissioned\"\nsequencer = \"",
                someone,
                "\"\nfee_recipient = \"",
                someone,
                "\"\ntimeout"
            ),
            string.concat(
                "policy = \"rotating\"\nstart = 1700000000\nslot_length = 60\nmembers = [\"",
                someone,
                "\"]\ntimeout"
            )
        ];
        string memory field = "sequencing.timeout";
        string memory low =
            "at least 3601: more than rollup.max_lag, as a head that was just advanced may be that old";
        string memory high = "at most 7200: from rollup.open_after on anyone may advance anyway";
        for (uint256 i = 0; i < policies.length; ++i) {
            // A timeout of zero is rejected by the constructors too.
            expectBound(line, policies[i], 3601, 0, field, low);
            string memory key = string.concat(policies[i], " = ");
            expectRefused(line, string.concat(key, "3600"), field, "3600", low);
            expectRefused(line, string.concat(key, "7201"), field, "7201", high);
            planner.parse(fileWith(line, string.concat(key, "7200")), address(planner));
        }
    }

    // ------------------------------------------------------------------ preconfirmations

    string private constant NO_POLICY = "policy = \"none\"";

    /// @dev Returns a policy of one sequencer, with more keys.
    function sequencedBy(string memory kind, string memory more)
        private
        pure
        returns (string memory)
    {
        string memory one = string.concat("\"", vm.toString(address(1)), "\"");
        return string.concat(
            "policy = \"", kind, "\"\nsequencer = ", one, "\nfee_recipient = ", one, "\n", more
        );
    }

    function accept(string memory policy) private returns (RollupPlan.Plan memory) {
        return planner.parse(fileWith(NO_POLICY, policy), address(planner));
    }

    function test_hybrid_policy_is_deployed_with_and_without_bond() public {
        string memory keys = "timeout = 6300\npost_delay = 300\n";
        for (uint256 i = 0; i < 2; ++i) {
            bool bonded = i == 1;
            uint256 before = vm.snapshotState();
            string memory bond = bonded ? "bonds = \"deploy\"\nmin_bond_gwei = 7" : "";
            RollupPlan.Plan memory plan = accept(sequencedBy("hybrid", string.concat(keys, bond)));
            planner.deployAll(plan);
            HybridSequencing policy = HybridSequencing(plan.policy);
            assertEq(policy.sequencer(), address(1));
            assertEq(policy.FEE_RECIPIENT(), address(1));
            assertEq(policy.TIMEOUT(), 6300);
            assertEq(policy.POST_DELAY(), 300);
            assertEq(address(policy.BONDS()), bonded ? planner.sharedBonds() : address(0));
            assertEq(policy.MIN_BOND(), bonded ? 7 gwei : 0);
            assertEq(plan.preconfBonds, address(policy.BONDS()));
            vm.revertToState(before);
        }
    }

    function test_bond_applies_to_policies_without_bond() public {
        string memory bond = "timeout = 6300\nbonds = \"deploy\"\nmin_bond_gwei = 7\n";
        string[2] memory policies = [
            sequencedBy("permissioned", bond),
            string.concat(
                "policy = \"rotating\"\nstart = 1700000000\nslot_length = 60\nmembers = [\"",
                vm.toString(address(1)),
                "\"]\n",
                bond
            )
        ];
        for (uint256 i = 0; i < policies.length; ++i) {
            uint256 before = vm.snapshotState();
            RollupPlan.Plan memory plan = accept(policies[i]);
            planner.deployAll(plan);
            BondedSequencing policy = BondedSequencing(plan.policy);
            assertEq(address(policy.INNER()), plan.parts[2].place);
            assertEq(policy.INNER().TIMEOUT(), 6300);
            assertEq(policy.TIMEOUT(), 6300);
            assertEq(address(policy.BONDS()), planner.sharedBonds());
            assertEq(policy.MIN_BOND(), 7 gwei);
            assertEq(NativeRollup(plan.rollup).policy(), plan.policy);
            vm.revertToState(before);
        }
    }

    function test_signed_blocks_are_posted_before_their_promise_ends() public {
        string memory keys = sequencedBy("hybrid", "timeout = 6300\npost_delay = ");
        expectRefused(
            NO_POLICY,
            string.concat(keys, "1800"),
            "sequencing.post_delay",
            "1800",
            "below 1800, half of rollup.max_lag: a promise about a block ends at that age"
        );
        accept(string.concat(keys, "1799"));
    }

    function test_timeout_leaves_time_for_promises() public {
        string memory rule =
            "at least 6300: 7/4 of rollup.max_lag, as otherwise a block of another account could break a promise";
        string memory bond = "bonds = \"deploy\"\nmin_bond_gwei = 7\ntimeout = ";
        string[2] memory policies = [
            sequencedBy("hybrid", "post_delay = 300\ntimeout = "), sequencedBy("permissioned", bond)
        ];
        for (uint256 i = 0; i < policies.length; ++i) {
            string memory late = string.concat(policies[i], "6299");
            expectRefused(NO_POLICY, late, "sequencing.timeout", "6299", rule);
            accept(string.concat(policies[i], "6300"));
        }
        accept(sequencedBy("permissioned", "timeout = 6299"));
    }

    /// @dev Another contract has the same code, and may have been created by other init code.
    function test_registry_is_shared_one() public {
        address shared = planner.sharedBonds();
        address other = address(new PreconfBonds());
        assertEq(other.codehash, keccak256(type(PreconfBonds).runtimeCode));
        string memory policy =
            sequencedBy("permissioned", "timeout = 6300\nmin_bond_gwei = 7\nbonds = \"");
        expectRefused(
            NO_POLICY,
            string.concat(policy, vm.toString(other), "\""),
            "sequencing.bonds",
            vm.toString(other),
            string.concat(
                "\"deploy\" or ", vm.toString(shared), ", the registry that all rollups share"
            )
        );
        assertEq(accept(string.concat(policy, vm.toString(shared), "\"")).preconfBonds, shared);
    }

    function test_minimum_bond_and_registry_come_together() public {
        string memory policy = sequencedBy("permissioned", "timeout = 6300\n");
        string memory field = "sequencing.min_bond_gwei";
        expectRefused(
            NO_POLICY,
            string.concat(policy, "min_bond_gwei = 7"),
            field,
            "7",
            "absent, or with sequencing.bonds: a bond is deposited in a registry"
        );
        policy = string.concat(policy, "bonds = \"deploy\"\n");
        expectRefused(
            NO_POLICY,
            policy,
            field,
            "missing, or a value of another type",
            "a whole number below 2^64"
        );
        expectRefused(
            NO_POLICY,
            string.concat(policy, "min_bond_gwei = 0"),
            field,
            "0",
            "at least 1: without a bond, leave out sequencing.bonds"
        );
        accept(string.concat(policy, "min_bond_gwei = 1"));
    }

    function test_policies_open_to_all_require_no_bond() public {
        string memory bond = "\nbonds = \"deploy\"\nmin_bond_gwei = 7";
        string memory open = string.concat(
            "policy = \"open\"\nfees = 0\nfee_recipient = \"", vm.toString(address(0)), "\""
        );
        string[2] memory policies = [NO_POLICY, open];
        for (uint256 i = 0; i < policies.length; ++i) {
            expectRefused(
                NO_POLICY,
                string.concat(policies[i], bond),
                "sequencing.bonds",
                vm.toString(planner.sharedBonds()),
                "absent: under this policy anyone may advance, with and without a bond"
            );
            accept(policies[i]);
        }
    }
}
