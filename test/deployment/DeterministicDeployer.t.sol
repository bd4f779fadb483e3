// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {CREATE3} from "solady/utils/CREATE3.sol";
import {DeterministicDeployer} from "../../contracts/deployment/DeterministicDeployer.sol";

contract DeterministicDeployerTest is Test {
    DeterministicDeployer private deployer = new DeterministicDeployer();

    /// @dev Returns init code that deploys `code`.
    function initCode(bytes memory code) private pure returns (bytes memory) {
        return abi.encodePacked(hex"61", uint16(code.length), hex"80600a3d393df3", code);
    }

    function testFuzz_address_depends_on_deployer_and_salt_only(
        address account,
        bytes32 salt,
        bytes32 word
    ) public {
        address expected = deployer.addressOf(account, salt);
        assertEq(expected.code.length, 0);
        bytes memory code = abi.encodePacked(hex"00", word);
        vm.expectEmit(address(deployer));
        emit DeterministicDeployer.Deployed(account, salt, expected);
        vm.prank(account);
        assertEq(deployer.deploy(salt, initCode(code)), expected);
        assertEq(expected.code, code);
    }

    function testFuzz_address_depends_on_deployer(address a, address b, bytes32 salt) public {
        vm.assume(a != b);
        assertNotEq(deployer.addressOf(a, salt), deployer.addressOf(b, salt));
        vm.prank(b);
        deployer.deploy(salt, initCode(hex"00"));
        vm.prank(a);
        deployer.deploy(salt, initCode(hex"00"));
    }

    function testFuzz_deployed_init_code_is_recorded(bytes32 word, bytes memory arguments) public {
        bytes memory code = bytes.concat(initCode(abi.encodePacked(hex"00", word)), arguments);
        address place = deployer.addressOf(address(this), word);
        assertEq(deployer.initCodeHash(place), 0);
        assertEq(deployer.deploy(word, code), place);
        assertEq(deployer.initCodeHash(place), keccak256(code));
        // Also if an account tries to deploy other code there.
        try deployer.deploy(word, initCode(hex"01")) {} catch {}
        assertEq(deployer.initCodeHash(place), keccak256(code));
    }

    function test_address_is_taken_once() public {
        deployer.deploy(0, initCode(hex"00"));
        vm.expectRevert(CREATE3.DeploymentFailed.selector);
        deployer.deploy(0, initCode(hex"00"));
    }

    function test_init_code_that_fails_leaves_address_free() public {
        vm.expectRevert();
        deployer.deploy(0, hex"fe");
        deployer.deploy(0, initCode(hex"00"));
    }
}
