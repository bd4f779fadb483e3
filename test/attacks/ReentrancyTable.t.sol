// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {LibString} from "solady/utils/LibString.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Accounts} from "../../contracts/interfaces/IL2Accounts.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {ITokenExit} from "../../contracts/interfaces/ITokenExit.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Target} from "../utils/Targets.sol";
import {OnceCallingToken} from "../utils/Tokens.sol";
import {BridgeFixture} from "../bridge/BridgeFixture.sol";

/// @dev Attempts a list of calls when it is called for the first time, and records each result.
contract Intruder is Target {
    address[] private _targets;
    bytes[] private _calls;
    bool[] public succeeded;
    bytes[] public answers;
    bool public armed;

    function prepare(address target, bytes calldata call_) external {
        _targets.push(target);
        _calls.push(call_);
    }

    function replace(uint256 index, bytes calldata call_) external {
        _calls[index] = call_;
    }

    function arm() external {
        armed = true;
        delete succeeded;
        delete answers;
    }

    function take() internal override {
        intrude();
    }

    function intrude() public {
        if (!armed) return;
        armed = false;
        for (uint256 i = 0; i < _calls.length; ++i) {
            (bool ok, bytes memory answer) = _targets[i].call(_calls[i]);
            succeeded.push(ok);
            answers.push(answer);
        }
    }
}

/// @title Nested calls, for every function of every contract
/// @notice Untrusted code runs in the middle of some calls: the target of a message, the recipient
/// of a payment, a token. Each function that changes state can be called from there, and a
/// forgotten one would be sufficient for an attack. So each has a row in this table, and the table
/// is compared with the compiled contracts: a new function, or a new contract, without a row fails
/// the test. A row specifies how the function is protected:
///
///   Lock     it calls untrusted code, or depends on the result of such a call: rejected within
///            each such call
///   Caller   only a certain account may call it, which runs no untrusted code: rejected for any
///            other account
///   Inert    it calls no untrusted code after or before it changes state, so it cannot be
///            interrupted, and it changes nothing that an interrupted call has read: allowed
///            anywhere
///   Tail     its only call of untrusted code is its last step, after all changes of state
contract ReentrancyTableTest is BridgeFixture {
    using LibString for string;

    string[] private _rows;

    function rows(string memory contract_, string memory names) private {
        string[] memory each = names.split(" ");
        for (uint256 i = 0; i < each.length; ++i) {
            _rows.push(string.concat(contract_, ".", each[i]));
        }
    }

    /// @dev Fills the table. The tests below and `PostedByAnyone` cover the locks; the contracts'
    /// own tests cover the others.
    function fillTable() private {
        // Lock.
        rows("L1MessageQueue", "claim refund");
        rows("L1TokenBridge", "deposit depositToSelf release refund announceRefund");
        rows("L1TokenBridge", "exitToken exitTokenAlias returnDeposit returnKeptDeposit");
        rows("L2Messenger", "relay retry refund");
        rows("HybridSequencing", "post");
        // Tail: the refund of excess fees; burned fees, paid to the treasury; a bond, or the reward
        // of a reporter.
        rows("ForcedInbox", "submit");
        rows("FeeVault", "claim");
        rows("RollupExit", "exit exitAlias returnMessage returnKept reclaimMessage reclaimKept");
        rows("PreconfBonds", "withdraw accuseEquivocation accuseBroken accuseLie accuseLate");
        // Caller: the rollup, the exit, the guardian, the other side of the bridge, the owner, a
        // member.
        rows("L1MessageQueue", "settle settleIfIdle closeAndPay pause resume");
        rows("ForcedInbox", "discharge");
        rows("L2TokenBridge", "makeToken mint");
        rows("L2Accounts", "execute");
        rows("BridgedToken", "initialize mint burn");
        rows(
            "NativeRollup", "announce withdraw make offerOwnership takeOwnership renounceOwnership"
        );
        rows("PermissionedSequencing", "offer take");
        rows("HybridSequencing", "offer take");
        rows("RotatingSequencing", "offer take");
        // Inert.
        rows("L1MessageQueue", "send back");
        rows("RollupExit", "close");
        rows("PreconfBonds", "deposit setSigner requestWithdrawal cancelWithdrawal commit");
        rows("L1TokenBridge", "register depositEtherToSelf");
        rows("L2Messenger", "send addWaypoint refundToL1");
        // An alias account accepts ETH and tokens; the predeploy forwards ETH to one, which only
        // accepts it.
        rows("L2Accounts", "receive fallback");
        // Its transient storage is used only during a call of the messenger that is locked.
        rows("L2Accounts", "force");
        rows("L1Anchor", "prove");
        rows("L2TokenBridge", "withdraw refund");
        rows("BridgedToken", "approve permit transfer transferFrom");
        // Policy and EXECUTE are called by STATICCALL, and the queues trust the rollup.
        rows("NativeRollup", "advance reportFork clear");
        rows("StateRootRollup", "advance");
        rows("FeeVault", "advance receive");
        // The caller chooses the constructor of the deployed contract, and nothing is stored before
        // it has run.
        rows("DeterministicDeployer", "deploy");
    }

    // ------------------------------------------------------------------ completeness of the table

    /// @dev Returns the names of the contracts of a source file that can be deployed.
    function deployableIn(string memory source) private pure returns (string[] memory names) {
        string[] memory parts = source.split("\ncontract ");
        names = new string[](parts.length - 1);
        for (uint256 i = 0; i < names.length; ++i) {
            names[i] = parts[i + 1].split(" ")[0];
        }
    }

    function test_each_entry_of_each_contract_has_row() public {
        fillTable();
        uint256 found = 0;
        Vm.DirEntry[] memory files = vm.readDir("contracts", 3);
        for (uint256 i = 0; i < files.length; ++i) {
            if (files[i].isDir) continue;
            string[] memory names = deployableIn(vm.readFile(files[i].path));
            for (uint256 j = 0; j < names.length; ++j) {
                found += requireRows(names[j]);
            }
        }
        assertEq(found, _rows.length, "a row of no entry, or two of one");
    }

    /// @dev Returns the name of the ABI's entry, `receive` and `fallback` for those without a name;
    /// empty unless it can be called and changes state.
    function entryAt(string memory json, string memory place) private pure returns (string memory) {
        string memory kind = vm.parseJsonString(json, string.concat(place, ".type"));
        bool isNamed = kind.eq("function");
        if (!isNamed && !kind.eq("receive") && !kind.eq("fallback")) return "";
        string memory changes = vm.parseJsonString(json, string.concat(place, ".stateMutability"));
        if (changes.eq("view") || changes.eq("pure")) return "";
        return isNamed ? vm.parseJsonString(json, string.concat(place, ".name")) : kind;
    }

    /// @dev Returns the number of a contract's functions that change state; each must have a row.
    function requireRows(string memory name) private view returns (uint256 count) {
        string memory json = vm.readFile(string.concat("out/", name, ".sol/", name, ".json"));
        for (uint256 i = 0;; ++i) {
            string memory place = string.concat(".abi[", vm.toString(i), "]");
            if (!vm.keyExistsJson(json, place)) return count;
            string memory entry = entryAt(json, place);
            if (entry.eq("")) continue;
            entry = string.concat(name, ".", entry);
            assertTrue(hasRow(entry), string.concat("no row for ", entry));
            ++count;
        }
    }

    function hasRow(string memory entry) private view returns (bool) {
        for (uint256 i = 0; i < _rows.length; ++i) {
            if (_rows[i].eq(entry)) return true;
        }
        return false;
    }

    // ------------------------------------------------------------------ the locks

    Intruder private intruder;

    /// @dev Adds a call of the intruder, and the error with which each attempt must fail; empty if
    /// it must succeed.
    function attempt(address target, bytes memory call_, bytes memory refusal) private {
        intruder.prepare(target, call_);
        refusals.push(refusal);
    }

    bytes[] private refusals;

    function assertAttempts(string memory window) private view {
        assertFalse(intruder.armed(), string.concat("no foreign code ran: ", window));
        for (uint256 i = 0; i < refusals.length; ++i) {
            string memory what = string.concat(window, ", attempt ", vm.toString(i));
            assertEq(intruder.succeeded(i), refusals[i].length == 0, what);
            if (refusals[i].length != 0) assertEq(intruder.answers(i), refusals[i], what);
        }
    }

    /// @dev Sends a message to L1 that the intruder may refund.
    function sendToL1(address to, uint128 value, uint128 fee) private returns (uint64 index) {
        vm.deal(bob, uint256(value) + fee);
        vm.prank(bob);
        index = messenger.send{value: uint256(value) + fee}(to, address(intruder), GAS, fee, "");
        collect();
    }

    /// @dev Prepares the attempts at the queue, all of which would succeed a moment later.
    function prepareQueue() private returns (uint64 other) {
        vm.deal(address(l1Queue), 100 ether);
        other = sendToL1(carol, 1, 0);
        bytes memory locked = abi.encodeWithSelector(IL1MessageQueue.Reentrancy.selector);
        IL1MessageQueue.Message memory m = toL1Messages[other];
        IL1MessageQueue.MessageProof memory p = proofOf(other);
        attempt(address(l1Queue), abi.encodeCall(IL1MessageQueue.claim, (m, p, carol)), locked);
        attempt(address(l1Queue), abi.encodeCall(IL1MessageQueue.refund, (m, p, carol)), locked);
        attempt(
            address(l1Queue), abi.encodeCall(IL1MessageQueue.send, (carol, carol, 0, 0, "")), ""
        );
        attempt(address(l1Queue), abi.encodeCall(IL1MessageQueue.back, ()), "");
    }

    function test_l1_queue_is_locked_during_foreign_code() public {
        intruder = new Intruder();
        uint64 other = prepareQueue();

        uint64 index = sendToL1(address(intruder), 1, 0);
        intruder.arm();
        l1Queue.claim(toL1Messages[index], proofOf(index), carol);
        assertAttempts("delivery");

        index = sendToL1(carol, 1, 1);
        intruder.arm();
        l1Queue.claim(toL1Messages[index], proofOf(index), address(intruder));
        assertAttempts("fee of a claim");

        index = sendToL1(address(l1Queue), 1, 0);
        IL1MessageQueue.MessageProof memory p = proofOf(index);
        intruder.arm();
        vm.prank(address(intruder));
        l1Queue.refund(toL1Messages[index], p, address(intruder));
        assertAttempts("refund");

        toL1(other);
        assertTrue(l1Queue.isClaimed(other), "outside it is allowed");
    }

    /// @dev The lock comes before anything else of an exit; `test/exit` has accepted ones.
    function attemptExits(address l1Token, bytes memory locked) private {
        ITokenExit.TokenProof memory proof;
        IL2TokenBridge.Deposit memory d;
        IL1MessageQueue.Checkpoint memory c;
        d.l1Token = l1Token;
        bytes[4] memory calls = [
            abi.encodeCall(ITokenExit.exitToken, (l1Token, bob, address(0), proof)),
            abi.encodeCall(ITokenExit.exitTokenAlias, (l1Token, bob, proof)),
            abi.encodeCall(ITokenExit.returnDeposit, (d, c, c, new bytes32[](0), new bytes[](0))),
            abi.encodeCall(ITokenExit.returnKeptDeposit, (d, new bytes[](0), new bytes[](0)))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            attempt(address(l1Bridge), calls[i], locked);
        }
    }

    function test_l1_bridge_is_locked_during_token_calls() public {
        intruder = new Intruder();
        OnceCallingToken calling = new OnceCallingToken();
        depositFor(calling, 100);
        give(calling, alice, 100);
        give(calling, address(intruder), 100);
        vm.prank(bob);
        uint64 other = l2Bridge.withdraw(address(calling), carol, address(intruder), 10, GAS);
        collect();
        bytes memory locked = abi.encodeWithSelector(IL1TokenBridge.Reentrancy.selector);
        attempt(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.deposit, (address(calling), carol, carol, 10, GAS)),
            locked
        );
        attempt(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.depositToSelf, (address(calling), 10, GAS)),
            locked
        );
        attempt(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.release, (address(calling), carol, carol, carol, 10)),
            locked
        );
        IL1TokenBridge.Withdrawal memory w = IL1TokenBridge.Withdrawal(
            address(calling), bob, carol, address(intruder), 10, 0, GAS, other
        );
        bytes memory refund =
            abi.encodeCall(IL1TokenBridge.refund, (w, bridgeProofOf(other), carol, GAS));
        attempt(address(l1Bridge), refund, locked);
        attempt(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.announceRefund, (w, bridgeProofOf(other), carol)),
            locked
        );
        attemptExits(address(calling), locked);
        attempt(
            address(l1Bridge), abi.encodeCall(IL1TokenBridge.register, (address(token), GAS)), ""
        );

        calling.prepare(address(intruder), abi.encodeCall(Intruder.intrude, ()));
        intruder.arm();
        deposit(address(calling), 10);
        assertAttempts("deposit");

        vm.prank(bob);
        uint64 index = l2Bridge.withdraw(address(calling), carol, carol, 10, GAS);
        collect();
        calling.prepare(address(intruder), abi.encodeCall(Intruder.intrude, ()));
        intruder.arm();
        toL1(index);
        assertAttempts("payment");

        announce(w);
        vm.prank(address(intruder));
        (bool ok,) = address(l1Bridge).call(refund);
        assertTrue(ok, "outside it is allowed");
        assertTrue(l1Queue.isClaimed(other));
    }

    function test_l2_messenger_is_locked_during_foreign_code() public {
        intruder = new Intruder();
        // Some that failed because the bridge rejects them: to retry, and to refund.
        for (uint256 i = 0; i < 4; ++i) {
            send(address(l2Bridge), 7, "");
            queue[i].refundTo = address(intruder);
        }
        relayAll();
        for (uint256 i = 0; i < 4; ++i) {
            assertTrue(isFailed(i));
        }
        // And a pending one.
        send(alice, address(intruder), 0, 0, 5_000_000, "");
        send(carol, 1, "");
        bytes memory locked = abi.encodeWithSelector(IL2Messenger.Reentrancy.selector);
        bytes memory relay = abi.encodeCall(messenger.relay, (packed(5, 6), relayer));
        attempt(address(messenger), relay, locked);
        attempt(address(messenger), abi.encodeCall(messenger.retry, (queue[0])), locked);
        attempt(address(messenger), abi.encodeCall(messenger.refund, (queue[0], carol)), locked);
        IL2Accounts.AccountMessage memory toAccounts = AccountCalls.message(queue[0]);
        toAccounts.to = address(accounts);
        attempt(address(accounts), abi.encodeCall(accounts.force, (carol, toAccounts)), locked);
        // Refunds another message in each window.
        uint256 taken = refusals.length;
        attempt(
            address(messenger),
            abi.encodeCall(messenger.refundToL1, (MessageCodec.header(queue[2]), carol)),
            ""
        );
        attempt(address(messenger), abi.encodeCall(messenger.send, (carol, carol, 0, 0, "")), "");

        anchorQueue();
        messenger.addWaypoint(6, rootAt(5), hashes(5, 6));
        intruder.arm();
        messenger.relay(packed(4, 5), relayer);
        assertAttempts("delivery");

        intruder.replace(
            taken, abi.encodeCall(messenger.refundToL1, (MessageCodec.header(queue[3]), carol))
        );
        intruder.arm();
        vm.prank(address(intruder));
        messenger.refund(queue[1], address(intruder));
        assertAttempts("refund");

        (bool ok,) = address(messenger).call(relay);
        assertTrue(ok, "outside it is allowed");
        assertRelayed(6);
    }
}
