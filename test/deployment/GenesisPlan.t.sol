// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {RollupPlan} from "../../script/RollupPlan.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {PlanFixture} from "./PlanFixture.sol";

/// @dev Header of the genesis in a configuration: if the contracts accept it, there is a plan; any
/// other header is rejected with the reason.
contract GenesisPlanTest is PlanFixture {
    function test_placeholder_of_example_is_rejected() public {
        string memory text = vm.readFile("script/rollup.example.toml");
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                "0xc0",
                "RLP of the header of your L2's first block, as `enshrine genesis` prints it; this is the example's placeholder"
            )
        );
        planner.parse(text, address(planner));
        planner.parse(file(), address(planner));
    }

    function test_header_that_is_no_hexadecimal_is_named() public {
        string memory text = vm.readFile("script/rollup.example.toml");
        text = vm.replace(text, "0xc0", "header");
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                "header",
                "RLP of the header of your L2's first block, as `enshrine genesis` prints it; this is not hexadecimal"
            )
        );
        planner.parse(text, address(planner));
    }

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

    function test_invalid_header_rlp_is_rejected_with_position() public {
        expectHeaderRefused(hex"1234", "0x1234", "the item at byte 0 of this header is invalid");
        expectHeaderRefused("", "0x", "this header is truncated in the item at byte 0");
        // A list that ends before the parent hash.
        expectHeaderRefused(hex"c180", "0xc180", "the item at byte 1 of this header is invalid");
        bytes memory header = GenesisHeaders.encode(l2);
        string memory size = vm.toString(header.length - 1);
        bytes memory cut = bytes.concat(header);
        assembly ("memory-safe") {
            mstore(cut, sub(mload(cut), 1))
        }
        expectHeaderRefused(
            cut,
            string.concat("of ", size, " bytes"),
            "this header is truncated in the item at byte 0"
        );
        size = vm.toString(header.length);
        expectHeaderRefused(
            bytes.concat(header, hex"00"),
            string.concat("of ", vm.toString(header.length + 1), " bytes"),
            string.concat("the item at byte ", size, " of this header is invalid")
        );
        planner.parse(file(), address(planner));
    }

    function test_fork_without_header_fields_is_rejected() public {
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

    function test_genesis_later_than_l1_is_rejected() public {
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

    function test_genesis_with_anchor_is_rejected() public {
        planner.parse(file(), address(planner));
        l2.anchor = bytes32(uint256(1));
        string memory text = file();
        vm.expectRevert(
            abi.encodeWithSelector(
                TomlValues.ValueInvalid.selector,
                "l2.genesis.header",
                string.concat(
                    "of a block with the parent beacon block root ", vm.toString(l2.anchor)
                ),
                "that of a block whose parent beacon block root is zero: any other is an anchor over messages that were never sent"
            )
        );
        planner.parse(text, address(planner));
    }

    function test_script_rejects_first_gas_limit_that_contracts_reject() public {
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
                "that of a block with a gas limit from 3000000, the gas of the required relays, to 4294967295"
            )
        );
        planner.parse(text, address(planner));
        RollupPlan.Plan memory plan = planner.without().parse(text, address(planner));
        vm.expectRevert();
        planner.deployAll(plan);
        vm.revertToState(before);
    }
}
