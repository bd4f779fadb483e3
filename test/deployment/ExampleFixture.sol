// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DeterministicDeployer} from "../../contracts/deployment/DeterministicDeployer.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {RollupParts} from "../utils/RollupParts.sol";

/// @title Example of a configuration file, with the header of an L2's genesis
abstract contract ExampleFixture is RollupParts {
    /// @dev Policy of `script/rollup.example.toml`, whose sequencer is a placeholder.
    string private constant EXAMPLE_POLICY = "policy = \"permissioned\"\ntimeout = 6300\n"
        "sequencer = \"0x0000000000000000000000000000000000000000\"\n"
        "fee_recipient = \"0x0000000000000000000000000000000000000000\"";
    /// @dev Policy without values, for tests of other sections.
    string private constant NO_POLICY = "policy = \"none\"";

    IL2.Head internal l2;

    function setUp() public virtual {
        startL1();
        l2.schema = 0x1201;
        l2.timestamp = 1_699_999_000;
        l2.gasLimit = 10_000_000;
        l2.stateRoot = keccak256("state");
    }

    /// @dev Deploys the code of the factory at its address.
    function install(DeterministicDeployer factory) internal {
        bytes memory code = vm.getDeployedCode("DeterministicDeployer.sol:DeterministicDeployer");
        vm.etch(address(factory), code);
    }

    /// @dev Returns the example with a header.
    function example() internal returns (string memory) {
        string memory text = vm.readFile("script/rollup.example.toml");
        return changed(text, "\"0xc0\"", quoted(GenesisHeaders.encode(l2)));
    }

    /// @dev Returns the example with a header and a policy that has no values.
    function file() internal returns (string memory) {
        return changed(example(), EXAMPLE_POLICY, NO_POLICY);
    }

    /// @dev Replaces a part of a file; the part must exist.
    function changed(string memory text, string memory from, string memory to)
        internal
        returns (string memory)
    {
        assertTrue(vm.contains(text, from), from);
        return vm.replace(text, from, to);
    }

    function quoted(bytes memory value) internal pure returns (string memory) {
        return string.concat("\"", vm.toString(value), "\"");
    }
}
