// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

/// @title What a forced call can reach
/// @notice A forced transaction that is no transfer calls the bridge, with any data, or the messenger, to send
/// to L1 or to take back what was parked. Either is vouched for: with any calldata it runs no code but that
/// of the bridge, the messenger and their tokens, and no precompile, of which some are worth more than their
/// gas.
contract VouchedCallsTest is BridgeFixture {
    /// @dev What ran in the last call that was watched.
    address[] private ran;

    function setUp() public override {
        super.setUp();
        depositFor(token, 1000);
    }

    /// @dev Calls as an account would, and notes all code that runs.
    function watched(address from, address to, uint256 value, bytes memory data)
        private
        returns (bool ok)
    {
        delete ran;
        vm.deal(from, value);
        vm.startStateDiffRecording();
        vm.prank(from);
        (ok,) = to.call{value: value}(data);
        VmSafe.AccountAccess[] memory all = vm.stopAndReturnStateDiff();
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].kind == VmSafe.AccountAccessKind.Call) ran.push(all[i].account);
            if (all[i].kind == VmSafe.AccountAccessKind.StaticCall) ran.push(all[i].account);
            if (all[i].kind == VmSafe.AccountAccessKind.DelegateCall) ran.push(all[i].account);
        }
    }

    /// @dev Nothing ran but what is vouched for; and something did.
    function assertVouched() private view {
        assertGt(ran.length, 0);
        for (uint256 i = 0; i < ran.length; ++i) {
            address a = ran[i];
            bool known = a == address(l2Bridge) || a == address(messenger)
                || a == address(l2Token(address(token))) || a == l2Bridge.TOKEN_CODE();
            assertTrue(known, vm.toString(a));
            assertGt(uint160(a), 0xffff);
        }
    }

    function test_a_withdrawal_runs_no_other_code() public {
        bytes memory data = abi.encodeCall(
            IL2TokenBridge.withdraw, (address(token), carol, carol, 1000, type(uint64).max)
        );
        assertFalse(watched(bob, address(l2Bridge), 0, data), "more gas than L1 gives");
        assertVouched();
        data = abi.encodeCall(IL2TokenBridge.withdraw, (address(token), carol, carol, 1000, GAS));
        assertTrue(watched(bob, address(l2Bridge), 1 ether, data));
        assertVouched();
        assertEq(ran.length, 4, "bridge, token, its code, messenger");
    }

    function test_a_deposit_that_goes_back_runs_no_other_code() public {
        give(token, alice, 100);
        vm.prank(alice);
        uint64 index = l1Bridge.deposit(address(token), bob, bob, 100, 1000);
        toL2();
        IL2TokenBridge.Deposit memory failed =
            IL2TokenBridge.Deposit(address(token), alice, bob, bob, 100, 0, 1000, index);
        bytes memory data = abi.encodeCall(IL2TokenBridge.refund, (failed, alice, alice, GAS));
        assertTrue(watched(bob, address(l2Bridge), 0, data));
        assertVouched();
    }

    function test_a_message_to_l1_runs_no_other_code() public {
        bytes memory data =
            abi.encodeCall(IL2Messenger.send, (address(9), address(9), 100, 1, new bytes(3000)));
        assertTrue(watched(bob, address(messenger), 2, data));
        assertVouched();
        assertEq(ran.length, 1);
    }

    /// @dev With each function of the bridge in turn, and any arguments or none that fit.
    function testFuzz_no_call_of_the_bridge_runs_other_code(
        uint256 which,
        address l1Token,
        bytes memory arguments,
        uint128 value
    ) public {
        bytes4[9] memory all = [
            IL2TokenBridge.withdraw.selector,
            IL2TokenBridge.refund.selector,
            IL2TokenBridge.mint.selector,
            IL2TokenBridge.makeToken.selector,
            IL2TokenBridge.tokenOf.selector,
            IL2TokenBridge.L1_BRIDGE.selector,
            IL2TokenBridge.TOKEN_CODE.selector,
            bytes4(0),
            bytes4(bytes32(which))
        ];
        bytes memory data = bytes.concat(all[which % 9], abi.encode(l1Token, bob, bob), arguments);
        watched(bob, address(l2Bridge), value, data);
        assertVouched();
    }

    /// @dev So would be seen what runs besides: the tokens themselves are not vouched for, since a permit
    /// recovers whose it is.
    function test_a_permit_runs_a_precompile() public {
        BridgedToken bridged = l2Token(address(token));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(1, keccak256("something"));
        uint256 end = vm.getBlockTimestamp();
        bytes memory data = abi.encodeCall(bridged.permit, (vm.addr(2), bob, 1, end, v, r, s));
        watched(bob, address(bridged), 0, data);
        bool seen;
        for (uint256 i = 0; i < ran.length; ++i) {
            seen = seen || ran[i] == address(1);
        }
        assertTrue(seen);
    }
}
