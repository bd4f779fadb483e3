// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

/// @dev Every contract can be deployed: its code is within the limit of EIP-170, and its init code
/// within that of EIP-3860.
contract CodeSizeTest is Test {
    uint256 internal constant MAX_CODE = 24_576;
    uint256 internal constant MAX_INIT_CODE = 2 * MAX_CODE;
    /// @dev Minimum number of bytes that are left for changes.
    uint256 internal constant MARGIN = 1000;

    function names() internal pure returns (string[21] memory) {
        return [
            "NativeRollup",
            "L1MessageQueue",
            "ForcedInbox",
            "RollupExit",
            "PermissionedSequencing",
            "RotatingSequencing",
            "OpenSequencing",
            "HybridSequencing",
            "BondedSequencing",
            "PreconfBonds",
            "L1TokenBridge",
            "L2TokenBridge",
            "BridgedToken",
            "L1Anchor",
            "L2Messenger",
            "L2Accounts",
            "DeterministicDeployer",
            "ExecuteVerifier",
            "HeaderReader",
            "StateRootRollup",
            "FeeVault"
        ];
    }

    function test_every_contract_can_be_deployed() public view {
        for (uint256 i = 0; i < names().length; ++i) {
            string memory file = string.concat(names()[i], ".sol:", names()[i]);
            uint256 length = vm.getDeployedCode(file).length;
            assertGt(length, 0, file);
            assertLe(length + MARGIN, MAX_CODE, file);
            assertLe(vm.getCode(file).length, MAX_INIT_CODE, file);
        }
    }
}
