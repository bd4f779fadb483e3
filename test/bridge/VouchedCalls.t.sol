// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

/// @title Code that a forced call can reach
/// @notice A forced transaction that is not a transfer calls the bridge, with any data, or calls
/// the messenger to send to L1 or to refund a parked message; or an alias account does so on its
/// behalf. With any calldata, such a call runs only the code of the bridge, the messenger, their
/// tokens and the alias accounts, and no precompile, because the work of some precompiles exceeds
/// their gas. And it reads no more than `Capacity` accounts for.
contract VouchedCallsTest is BridgeFixture {
    address private account = AliasAddresses.account(alice);

    /// @dev Accounts whose code ran during the last recorded call.
    address[] private ran;

    /// @dev Paths and bytes of code that it read, excluding those that every block reads.
    uint256 private paths;
    uint256 private codes;

    mapping(uint256 call => mapping(bytes32 place => bool)) private noted;
    uint256 private calls;

    function setUp() public override {
        super.setUp();
        depositFor(token, 1000);
    }

    /// @dev Makes a call, and records all code that runs.
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
        measure(from, all);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].kind == VmSafe.AccountAccessKind.Call) ran.push(all[i].account);
            if (all[i].kind == VmSafe.AccountAccessKind.StaticCall) ran.push(all[i].account);
            if (all[i].kind == VmSafe.AccountAccessKind.DelegateCall) ran.push(all[i].account);
        }
    }

    function isNew(bytes32 place) private returns (bool) {
        if (noted[calls][place]) return false;
        return noted[calls][place] = true;
    }

    function countAccount(address read) private {
        if (read == address(messenger) || read == address(anchor)) return;
        if (!isNew(bytes32(uint256(uint160(read))))) return;
        ++paths;
        codes += read.code.length;
    }

    function measure(address from, VmSafe.AccountAccess[] memory all) private {
        ++calls;
        (paths, codes) = (0, 0);
        countAccount(from);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].accessor == address(vm) || all[i].account == address(vm)) continue;
            countAccount(all[i].account);
            for (uint256 j = 0; j < all[i].storageAccesses.length; ++j) {
                VmSafe.StorageAccess memory s = all[i].storageAccesses[j];
                // Every block reads these counters.
                if (s.account == address(anchor) || s.slot == 0 && s.account == address(messenger))
                {
                    continue;
                }
                if (isNew(keccak256(abi.encode(s.account, s.slot)))) ++paths;
            }
        }
    }

    /// @dev Asserts the number of paths that a call read, and that the bound in bytes covers them
    /// at maximum length.
    function assertReads(uint256 expected, uint256 bound) private view {
        assertEq(paths, expected, "paths");
        // The bounds apply to optimized code; mutants are tested without the optimizer.
        if (!vm.envOr("FOUNDRY_OPTIMIZER", true)) return;
        assertLe(paths * Capacity.PATH_BYTES + codes, bound, "bytes");
    }

    /// @dev Asserts that only known code ran, and at least some.
    function assertVouched() private view {
        assertGt(ran.length, 0);
        for (uint256 i = 0; i < ran.length; ++i) {
            address a = ran[i];
            bool known = a == address(l2Bridge) || a == address(messenger)
                || a == address(l2Token(address(token))) || a == l2Bridge.TOKEN_CODE()
                || a == address(accounts) || a == account;
            assertTrue(known, vm.toString(a));
            assertGt(uint160(a), 0xffff);
        }
    }

    function test_withdrawal_runs_no_other_code() public {
        bytes memory data = abi.encodeCall(
            IL2TokenBridge.withdraw, (address(token), carol, carol, 1000, type(uint64).max)
        );
        assertFalse(watched(bob, address(l2Bridge), 0, data), "more gas than L1 gives");
        assertVouched();
        data = abi.encodeCall(IL2TokenBridge.withdraw, (address(token), carol, carol, 1000, GAS));
        assertTrue(watched(bob, address(l2Bridge), 1 ether, data));
        assertVouched();
        assertEq(ran.length, 4, "bridge, token, its code, messenger");
        assertReads(7, Capacity.BOUNDED_BYTES);
    }

    function test_returned_deposit_runs_no_other_code() public {
        give(token, alice, 100);
        vm.prank(alice);
        uint64 index = l1Bridge.deposit(address(token), bob, bob, 100, 1000);
        toL2();
        IL2TokenBridge.Deposit memory failed =
            IL2TokenBridge.Deposit(address(token), alice, bob, bob, 100, 0, 1000, index);
        bytes memory data = abi.encodeCall(IL2TokenBridge.refund, (failed, alice, alice, GAS));
        assertTrue(watched(bob, address(l2Bridge), 0, data));
        assertVouched();
        assertReads(5, Capacity.BOUNDED_BYTES);
    }

    /// @dev Funds alice's account, and parks a message from her to it.
    function parkFor(uint128 fee, address to, bytes memory data) private returns (bytes memory) {
        collect();
        send(alice, address(accounts), 0, fee, GAS, AccountCalls.encode(to, 0, data));
        IL2Messenger.Message memory m = queue[queue.length - 1];
        vm.store(
            address(messenger), keccak256(abi.encode(MessageCodec.hash(m), 2)), bytes32(PARKED)
        );
        return abi.encodeCall(accounts.force, (to, AccountCalls.message(m)));
    }

    uint256 private constant PARKED = 2;

    function test_withdrawal_from_alias_account_runs_no_other_code() public {
        depositTo(account, 1000);
        bytes memory data =
            abi.encodeCall(IL2TokenBridge.withdraw, (address(token), carol, carol, 1000, GAS));
        data = parkFor(7, address(l2Bridge), data);
        assertTrue(watched(bob, address(accounts), 0, data));
        assertVouched();
        assertEq(account.code.length, 45, "and created it");
        assertEq(account.balance, 7);
        assertReads(10, Capacity.ALIAS_CALL_BYTES);
    }

    function test_deposit_returned_to_alias_runs_no_other_code() public {
        give(token, alice, 100);
        vm.prank(alice);
        uint64 index = l1Bridge.deposit(address(token), bob, account, 100, 1000);
        toL2();
        IL2TokenBridge.Deposit memory failed =
            IL2TokenBridge.Deposit(address(token), alice, bob, account, 100, 0, 1000, index);
        bytes memory data = abi.encodeCall(IL2TokenBridge.refund, (failed, alice, alice, GAS));
        data = parkFor(7, address(l2Bridge), data);
        assertTrue(watched(bob, address(accounts), 0, data));
        assertVouched();
        assertReads(8, Capacity.ALIAS_CALL_BYTES);
    }

    function test_message_from_alias_account_runs_no_other_code() public {
        bytes memory data = abi.encodeCall(IL2Messenger.send, (carol, carol, 0, 0, new bytes(1000)));
        data = parkFor(7, address(messenger), data);
        assertTrue(watched(bob, address(accounts), 0, data));
        assertVouched();
        assertReads(5, Capacity.ALIAS_SEND_BYTES);

        IL2Messenger.Header memory h;
        (h.sender, h.refundTo, h.value) = (alice, account, 5);
        bytes32 hash = keccak256(abi.encode(h));
        vm.store(address(messenger), keccak256(abi.encode(hash, 2)), bytes32(PARKED));
        data = abi.encodeCall(IL2Messenger.refundToL1, (h, carol));
        assertTrue(watched(bob, address(accounts), 0, parkFor(0, address(messenger), data)));
        assertVouched();
        assertReads(6, Capacity.ALIAS_SEND_BYTES);
    }

    /// @dev For each function of the messenger: those that pay or deliver are locked.
    function testFuzz_alias_account_calls_messenger_without_running_other_code(
        uint256 which,
        bytes memory arguments
    ) public {
        bytes4[9] memory all = [
            IL2Messenger.send.selector,
            IL2Messenger.refundToL1.selector,
            IL2Messenger.relay.selector,
            IL2Messenger.retry.selector,
            IL2Messenger.refund.selector,
            IL2Messenger.addWaypoint.selector,
            IL2Messenger.l1Sender.selector,
            bytes4(0),
            bytes4(bytes32(which))
        ];
        bytes memory data = parkFor(7, address(messenger), bytes.concat(all[which % 9], arguments));
        watched(bob, address(accounts), 0, data);
        assertVouched();
        assertLe(paths, 6);
    }

    function test_alias_account_cannot_cancel_messages_of_others() public {
        send(carol, 5, "");
        queue[queue.length - 1].refundTo = account;
        IL2Messenger.Message memory m = queue[queue.length - 1];
        vm.store(
            address(messenger), keccak256(abi.encode(MessageCodec.hash(m), 2)), bytes32(PARKED)
        );
        bytes memory data = abi.encodeCall(IL2Messenger.refund, (m, carol));
        assertFalse(watched(bob, address(accounts), 0, parkFor(0, address(messenger), data)));
        assertVouched();
        assertEq(carol.balance, 0, "carol could have code");
    }

    function depositTo(address to, uint256 amount) private {
        give(token, alice, amount);
        vm.prank(alice);
        l1Bridge.deposit(address(token), to, to, amount, GAS);
        toL2();
    }

    function test_message_to_l1_runs_no_other_code() public {
        bytes memory data =
            abi.encodeCall(IL2Messenger.send, (address(9), address(9), 100, 1, new bytes(3000)));
        assertTrue(watched(bob, address(messenger), 2, data));
        assertVouched();
        assertEq(ran.length, 1);
    }

    /// @dev For each function of the bridge, with any arguments, including malformed ones.
    function testFuzz_bridge_calls_run_no_other_code(
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

    /// @dev The recorder detects other code as well: forced transactions may not call the tokens
    /// themselves, since a permit recovers its signer.
    function test_permit_runs_precompile() public {
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
