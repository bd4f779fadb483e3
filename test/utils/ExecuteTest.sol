// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Test} from "forge-std/Test.sol";
import {Helper} from "./Helper.sol";

/// @title Test on a chain that has EXECUTE
/// @notice Calls of `EXECUTE` reach the Rust verifier, with the precompile's result, failures and
/// gas. See docs/forge.md.
abstract contract ExecuteTest is Test {
    /// @dev Address of EXECUTE.
    address internal constant EXECUTE = address(0x0101);

    function setUp() public virtual {
        installExecute("");
    }

    /// @dev Deploys EXECUTE. `profile` selects a profile other than the default: parts like
    /// `rules=l1`, `gas=ethrex`, `forks=osaka,amsterdam`, `threads=2`, separated by commas.
    function installExecute(string memory profile) internal {
        installDialect(EXECUTE, profile);
    }

    /// @dev Deploys EXECUTE at an address, in the dialect of `profile`: `dialect=drake`.
    function installDialect(address place, string memory profile) internal {
        vm.etch(place, Helper.shim(profile));
        vm.label(place, "EXECUTE");
        // Persistent, so that it stays available to tests that select a fork.
        vm.allowCheatcodes(place);
        vm.makePersistent(place);
    }

    /// @dev Makes `EXECUTE` warm for the rest of the transaction, as precompiles always are. For
    /// tests that pin the gas of a contract: to forge, the address is an account that may be cold.
    function warmExecute() internal view {
        // Not enough gas for any work.
        (bool ok,) = EXECUTE.staticcall{gas: 1000}("");
        assertFalse(ok);
    }
}
