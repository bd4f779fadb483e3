// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Helper} from "./Helper.sol";

/// @title A test on a chain that has EXECUTE
/// @notice Calls of `EXECUTE` reach the Rust verifier, with the precompile's result, failures and
/// gas. See docs/forge.md.
abstract contract ExecuteTest is Test {
    /// @dev Address of EXECUTE.
    address internal constant EXECUTE = address(0x0101);

    function setUp() public virtual {
        installExecute("");
    }

    /// @dev Puts EXECUTE onto the chain. `profile` chooses another than the default one: parts like
    /// `rules=l1`, `gas=ethrex`, `forks=osaka,amsterdam`, `threads=2`, separated by commas.
    function installExecute(string memory profile) internal {
        installDialect(EXECUTE, profile);
    }

    /// @dev Puts EXECUTE at an address, in the dialect that `profile` names: `dialect=drake`.
    function installDialect(address place, string memory profile) internal {
        vm.etch(place, Helper.shim(profile));
        vm.label(place, "EXECUTE");
        // A test that selects a fork keeps it.
        vm.allowCheatcodes(place);
        vm.makePersistent(place);
    }

    /// @dev Makes `EXECUTE` warm for the rest of the transaction, as precompiles always are. For
    /// tests that pin the gas of a contract: forge takes the address for one that may be cold.
    function warmExecute() internal view {
        // Too little for anything.
        (bool ok,) = EXECUTE.staticcall{gas: 1000}("");
        assertFalse(ok);
    }
}
