// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {DeterministicDeployer} from "../../contracts/deployment/DeterministicDeployer.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {ForkRegistry} from "../utils/ForkRegistry.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {RollupParts} from "../utils/RollupParts.sol";
import {EXAMPLE_POLICY, NO_POLICY} from "./ExamplePolicy.sol";

/// @dev Plans, with their checks and without; and makes what they say.
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

    function _requireTimeout(string memory toml) internal view override {
        if (!unchecked_) super._requireTimeout(toml);
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

/// @dev A configuration file that no rollup can be made from is refused before anything is deployed, with
/// the line that is wrong; what is refused is what the contracts refuse.
contract PlanChecksTest is RollupParts {
    Planner private planner = new Planner();
    IL2.Head private l2;

    function setUp() public {
        startL1();
        l2.schema = 0x1201;
        l2.timestamp = 1_699_999_000;
        l2.gasLimit = 10_000_000;
        l2.stateRoot = keccak256("state");
        l2.anchor = keccak256("anchor");
        bytes memory code = vm.getDeployedCode("DeterministicDeployer.sol:DeterministicDeployer");
        vm.etch(address(planner.factory()), code);
    }

    /// @dev The example with a header, and with a policy that has no values.
    function file() private returns (string memory text) {
        text = example();
        assertTrue(vm.contains(text, EXAMPLE_POLICY), "policy of the example");
        return vm.replace(text, EXAMPLE_POLICY, NO_POLICY);
    }

    /// @dev The example with a header.
    function example() private view returns (string memory text) {
        text = vm.readFile("script/rollup.example.toml");
        string memory header = vm.toString(GenesisHeaders.encode(l2));
        return vm.replace(text, "\"0xc0\"", string.concat("\"", header, "\""));
    }

    function fileWith(string memory from, string memory to) private returns (string memory text) {
        text = file();
        assertTrue(vm.contains(text, from), from);
        return vm.replace(text, from, to);
    }

    function expectRefused(
        string memory from,
        string memory to,
        string memory field,
        string memory value,
        string memory rule
    ) private {
        string memory text = fileWith(from, to);
        vm.expectRevert(
            abi.encodeWithSelector(TomlValues.ValueInvalid.selector, field, value, rule)
        );
        planner.parse(text, address(planner));
    }

    function test_the_placeholder_of_the_example_is_refused_as_such() public {
        string memory text = vm.readFile("script/rollup.example.toml");
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                "0xc0",
                "RLP of the header of your L2's first block, as `enshrine genesis` prints it; this is the placeholder of the example"
            )
        );
        planner.parse(text, address(planner));
        planner.parse(file(), address(planner));
    }

    function test_the_example_gives_one_sequencer_a_head_start_once_it_is_named() public {
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

    function test_numbers_that_do_not_fit_are_named() public {
        string memory large = "18446744073709551616";
        expectRefused(
            "chain_id = 8079",
            string.concat("chain_id = \"", large, "\""),
            "l2.chain_id",
            large,
            "below 2^64"
        );
    }

    function test_a_fork_goes_by_its_name_or_its_schema_and_others_are_refused() public {
        string memory line = "schema = \"osaka\"";
        string memory rule = "a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id";
        string[5] memory bad = ["4352", "4354", "4610", "5633", "65536"];
        for (uint256 i = 0; i < bad.length; ++i) {
            expectRefused(line, string.concat("schema = ", bad[i]), "l2.schema", bad[i], rule);
        }
        expectRefused(line, "schema = \"berlin\"", "l2.schema", "berlin", rule);
        string[5] memory names = ["prague", "osaka", "bpo1", "bpo2", "amsterdam"];
        // Amsterdam has another header.
        for (uint256 i = 0; i < 4; ++i) {
            RollupPlan.Plan memory plan = planner.parse(
                fileWith(line, string.concat("schema = \"", names[i], "\"")), address(planner)
            );
            assertEq(plan.inForce.forks[0].schema, 0x1101 + 256 * i);
        }
        planner.parse(fileWith(line, "schema = 4353"), address(planner));
    }

    function test_the_way_of_forks_goes_by_its_name_and_others_are_refused() public {
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
        // None at all is the default.
        assertEq(
            uint256(planner.parse(fileWith(line, ""), address(planner)).forkMode),
            uint256(INativeRollup.ForkMode.Follow)
        );
        vm.etch(address(registry), "");
        rule =
            "follow or pinned: this L1 has no registry (EIP-8357) at 0x00005e9c1447C1A05A642ec9eB76D9C125468357";
        expectRefused(line, "forks = \"registry\"", "rollup.forks", "registry", rule);
    }

    function test_values_of_another_kind_are_named() public {
        string memory rule = "a whole number below 2^64";
        expectRefused("max_lag = 3600", "max_lag = \"x\"", "rollup.max_lag", "x", rule);
        string memory other = "a value of another kind, or none";
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
            "none, open, permissioned or rotating"
        );
    }

    function test_text_and_truth_of_another_kind_are_named() public {
        string memory other = "a value of another kind, or none";
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

    function test_a_header_that_is_no_hexadecimal_is_named() public {
        string memory text = vm.readFile("script/rollup.example.toml");
        text = vm.replace(text, "0xc0", "header");
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                "header",
                "RLP of the header of your L2's first block, as `enshrine genesis` prints it; this is no hexadecimal"
            )
        );
        planner.parse(text, address(planner));
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
            "a list, each of it a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id"
        );
        part = string.concat(part, "[\"amsterdam\"]\nfork_times = ");
        string memory rule = "a list of whole numbers below 2^64";
        string memory field = "in_force.fork_times";
        expectRefused(
            line, string.concat(part, "[\"soon\"]"), field, "a value of another kind, or none", rule
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

    function test_fees_go_where_there_is_one_of_three_and_a_recipient_is_named_for_the_last()
        public
    {
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
            "0 (as the builder says), 1 (to the caller) or 2 (to the recipient)"
        );
        string memory field = "sequencing.fee_recipient";
        expectRefused(
            line,
            string.concat(noOwner, "2"),
            field,
            vm.toString(address(0)),
            "the account that gets the fees"
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

    function test_the_zero_address_as_sequencer_is_refused() public {
        string memory policy = "policy = \"permissioned\"\ntimeout = 5400\n"
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

    function test_rotating_sequencers_are_one_or_more_and_not_the_zero_address() public {
        string memory policy =
            "policy = \"rotating\"\ntimeout = 5400\nstart = 1700000000\nslot_length = 60\n";
        string memory one_ = vm.toString(address(1));
        string memory zero = vm.toString(address(0));
        string memory field = "sequencing.members";
        string memory rule = "one or more accounts that may advance, in the order of their slots";
        string memory line = "policy = \"none\"";
        expectRefused(line, policy, field, "a value of another kind, or none", rule);
        policy = string.concat(policy, "members = [");
        expectRefused(line, string.concat(policy, "]"), field, "an empty list", rule);
        policy = string.concat(policy, "\"", one_);
        string memory two = string.concat(policy, "\", \"", zero, "\"]");
        expectRefused(line, two, field, zero, rule);
        planner.parse(fileWith(line, string.concat(policy, "\"]")), address(planner));
    }

    function test_a_chain_has_an_id() public {
        string memory line = "chain_id = 8079";
        string memory rule = "at least 1: transactions are signed for one chain";
        expectRefused(line, "chain_id = 0", "l2.chain_id", "0", rule);
        planner.parse(fileWith(line, "chain_id = 1"), address(planner));
    }

    function test_prices_are_a_hundred_base_fees_at_most() public {
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

    function test_what_is_forced_has_a_price() public {
        string memory line = "max_bounded_gas = 1000000\nfee_percent = 100";
        string memory start = "max_bounded_gas = 1000000\nfee_percent = ";
        expectRefused(
            line,
            string.concat(start, "0"),
            "forced.fee_percent",
            "0",
            "at least 1: without a price, exits are held up for nothing"
        );
        planner.parse(fileWith(line, string.concat(start, "1")), address(planner));
    }

    function test_what_can_be_forced_has_the_gas_of_a_transaction() public {
        string memory rule = "at least 21000: no transaction takes less";
        string[2] memory lines = ["\nmax_gas = 300000", "max_bounded_gas = 1000000"];
        string[2] memory keys = ["\nmax_gas = ", "max_bounded_gas = "];
        string[2] memory fields = ["forced.max_gas", "forced.max_bounded_gas"];
        for (uint256 i = 0; i < lines.length; ++i) {
            expectRefused(lines[i], string.concat(keys[i], "0"), fields[i], "0", rule);
            expectRefused(lines[i], string.concat(keys[i], "20999"), fields[i], "20999", rule);
            planner.parse(fileWith(lines[i], string.concat(keys[i], "21000")), address(planner));
        }
    }

    // ------------------------------------------------------------------ the first block

    function expectHeaderRefused(bytes memory header, string memory value, string memory problem)
        private
    {
        string memory text = vm.readFile("script/rollup.example.toml");
        text = vm.replace(text, "0xc0", vm.toString(header));
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                value,
                string.concat(
                    "RLP of the header of your L2's first block, as `enshrine genesis` prints it; ",
                    problem
                )
            )
        );
        planner.parse(text, address(planner));
    }

    function test_what_is_not_rlp_of_a_header_is_refused_with_the_place() public {
        expectHeaderRefused(
            hex"1234", "0x1234", "what stands at byte 0 of this one does not belong there"
        );
        expectHeaderRefused("", "0x", "this one lacks bytes of what should stand at byte 0");
        // A list that ends before the hash of the parent.
        expectHeaderRefused(
            hex"c180", "0xc180", "what stands at byte 1 of this one does not belong there"
        );
        bytes memory header = GenesisHeaders.encode(l2);
        string memory size = vm.toString(header.length - 1);
        bytes memory cut = bytes.concat(header);
        assembly ("memory-safe") {
            mstore(cut, sub(mload(cut), 1))
        }
        expectHeaderRefused(
            cut,
            string.concat("of ", size, " bytes"),
            "this one lacks bytes of what should stand at byte 0"
        );
        size = vm.toString(header.length);
        expectHeaderRefused(
            bytes.concat(header, hex"00"),
            string.concat("of ", vm.toString(header.length + 1), " bytes"),
            string.concat("what stands at byte ", size, " of this one does not belong there")
        );
        planner.parse(file(), address(planner));
    }

    function test_a_fork_without_the_fields_of_the_header_is_refused() public {
        string memory line = "schema = \"osaka\"";
        string memory amsterdam = "schema = \"amsterdam\"";
        expectRefused(
            line,
            amsterdam,
            "l2.schema",
            "amsterdam",
            "a fork before amsterdam: l2.genesis.header lacks the fields that came with it"
        );
        l2.schema = 0x1501;
        string[4] memory names = ["prague", "osaka", "bpo1", "bpo2"];
        for (uint256 i = 0; i < names.length; ++i) {
            expectRefused(
                line,
                string.concat("schema = \"", names[i], "\""),
                "l2.schema",
                names[i],
                "amsterdam: l2.genesis.header has the fields that came with it"
            );
        }
        planner.parse(fileWith(line, amsterdam), address(planner));
    }

    function test_a_genesis_later_than_l1_is_refused() public {
        l2.timestamp = uint64(vm.getBlockTimestamp());
        planner.parse(file(), address(planner));
        ++l2.timestamp;
        string memory text = file();
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                "of a block at the time 1700000001",
                "that of a block no later than L1, which is at 1700000000"
            )
        );
        planner.parse(text, address(planner));
    }

    /// @dev The last value that passes does so here and in the constructors; the next one in neither.
    function expectBound(
        string memory line,
        string memory key,
        uint256 good,
        uint256 bad,
        string memory field,
        string memory rule
    ) private {
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

    function test_delays_are_refused_where_the_contracts_refuse_them_with_their_names() public {
        string memory lag = "more than rollup.max_lag";
        // The contracts would take it, and then no block.
        string memory none = "at least 1: a block is on L1 later than it is made";
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
    }

    function test_turns_take_time_and_have_begun_or_are_refused_as_the_contracts_do() public {
        string memory line = "policy = \"none\"";
        string memory policy = string.concat(
            "policy = \"rotating\"\ntimeout = 5400\nmembers = [\"", vm.toString(address(1)), "\"]\n"
        );
        expectBound(
            line,
            string.concat(policy, "start = 1700000000\nslot_length"),
            1,
            0,
            "sequencing.slot_length",
            "at least 1: a turn takes time"
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

    function test_a_policy_opens_after_what_a_head_may_age_and_no_later_than_the_rollup() public {
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
            // None at all no constructor takes either.
            expectBound(line, policies[i], 3601, 0, field, low);
            string memory key = string.concat(policies[i], " = ");
            expectRefused(line, string.concat(key, "3600"), field, "3600", low);
            expectRefused(line, string.concat(key, "7201"), field, "7201", high);
            planner.parse(fileWith(line, string.concat(key, "7200")), address(planner));
        }
    }

    function test_caps_are_refused_where_the_contracts_refuse_them_with_their_names() public {
        // The gas limit of the block is less than what a transaction can have.
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
        string memory rule = "at most 8000000: what can be demanded of a block";
        expectBound("\nmax_gas = 300000", "\nmax_gas", 8_000_000, 8_000_001, "forced.max_gas", rule);
        expectBound(
            "max_bounded_gas = 1000000",
            "max_bounded_gas",
            8_000_000,
            8_000_001,
            "forced.max_bounded_gas",
            rule
        );
        // Of 63 gas above a multiple of 64, a call keeps back one.
        l2.gasLimit = 10_000_040;
        expectBound(
            "max_gas = 1000000\nmax_data = 10000",
            "max_data = 0\nmax_gas",
            8_834_804,
            8_834_805,
            "messages.max_gas",
            "at most 8834804: a message without data is relayed in one L2 transaction, of 10000040 gas at most"
        );
        // A transaction can have less than this block.
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

    function test_the_gas_limit_of_the_first_block_is_refused_where_the_contracts_refuse_it()
        public
    {
        expectGasLimit(3_000_000, 2_999_999);
        expectGasLimit(type(uint32).max, uint64(type(uint32).max) + 1);
    }

    function expectGasLimit(uint64 good, uint64 bad) private {
        uint256 before = vm.snapshotState();
        l2.gasLimit = good;
        planner.deployAll(planner.parse(file(), address(planner)));
        vm.revertToState(before);
        l2.gasLimit = bad;
        string memory text = file();
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                string.concat("of a block with a gas limit of ", vm.toString(bad)),
                "that of a block with a gas limit from 3000000, which relays may take, to 4294967295"
            )
        );
        planner.parse(text, address(planner));
        RollupPlan.Plan memory plan = planner.without().parse(text, address(planner));
        vm.expectRevert();
        planner.deployAll(plan);
        vm.revertToState(before);
    }

    function test_a_forced_transaction_expires_no_earlier_than_twice_what_a_head_may_age() public {
        // With a day or more of silence, twice that time is longer than a day more.
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
