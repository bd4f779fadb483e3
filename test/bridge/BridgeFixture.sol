// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {SmallTries} from "../utils/SmallTries.sol";
import {TokenCode} from "../utils/TokenCode.sol";
import {Token} from "../utils/Tokens.sol";

/// @title Both sides of the bridge with the real queue and the real messenger
/// @dev One chain plays the part of both L1 and L2: `toL2` and `toL1` carry the messages of either
/// side to the other. The rollup is replaced by a mock of its state root.
abstract contract BridgeFixture is L2Chain {
    address internal immutable ROLLUP = makeAddr("rollup");
    uint64 internal constant GAS = 500_000;

    L1MessageQueue internal l1Queue;
    L1TokenBridge internal l1Bridge;
    L2TokenBridge internal l2Bridge;
    Token internal token;

    address internal bob = makeAddr("bob, who has accounts on both sides");
    address internal carol = makeAddr("carol");

    IL1MessageQueue.Message[] internal toL1Messages;

    function setUp() public virtual override {
        super.setUp();
        l1Queue = new L1MessageQueue(ROLLUP, address(0), 1_000_000, 10_000, 0, 16_382, guardianOf());
        uint256 nonce = vm.getNonce(address(this));
        address peer = vm.computeCreateAddress(address(this), nonce + 1);
        l1Bridge = new L1TokenBridge(address(l1Queue), peer);
        TokenCode.deploy(peer);
        l2Bridge = new L2TokenBridge(address(l1Bridge));
        assertEq(address(l2Bridge), peer);
        token = new Token();
        vm.recordLogs();
    }

    /// @dev The guardian of the queue.
    function guardianOf() internal view virtual returns (IL1MessageQueue.Guardian memory) {
        return Guardians.none();
    }

    function register(address l1Token) internal {
        l1Bridge.register(l1Token, GAS);
        toL2();
    }

    function give(Token l1Token, address to, uint256 amount) internal {
        l1Token.give(to, amount);
        vm.prank(to);
        l1Token.approve(address(l1Bridge), type(uint256).max);
    }

    /// @dev Deposits from alice to bob, who may also send the tokens back.
    function deposit(address l1Token, uint256 amount) internal returns (uint64) {
        vm.prank(alice);
        return l1Bridge.deposit(l1Token, bob, bob, amount, GAS);
    }

    /// @dev Gives tokens to alice, registers them, and deposits them for bob.
    function depositFor(Token l1Token, uint256 amount) internal {
        if (!l1Bridge.isRegistered(address(l1Token))) register(address(l1Token));
        give(l1Token, alice, amount);
        deposit(address(l1Token), amount);
        toL2();
    }

    function l2Token(address l1Token) internal view returns (BridgedToken) {
        return BridgedToken(l1Bridge.l2TokenOf(l1Token));
    }

    /// @dev Records the messages that were sent since the last call, on either side.
    function collect() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            Vm.Log memory log = logs[i];
            if (log.topics[0] != IL1MessageQueue.MessageSent.selector) continue;
            (address refundTo, uint128 value, uint128 fee, uint64 gasLimit, bytes memory data) =
                abi.decode(log.data, (address, uint128, uint128, uint64, bytes));
            address sender = address(uint160(uint256(log.topics[2])));
            address to = address(uint160(uint256(log.topics[3])));
            uint64 index = uint64(uint256(log.topics[1]));
            if (log.emitter == address(l1Queue)) {
                assertEq(index, queue.length);
                queue.push(
                    IL2Messenger.Message(sender, to, refundTo, value, fee, gasLimit, index, data)
                );
            } else {
                assertEq(log.emitter, address(messenger));
                assertEq(index, toL1Messages.length);
                toL1Messages.push(
                    IL1MessageQueue.Message(sender, to, refundTo, value, fee, gasLimit, index, data)
                );
            }
        }
    }

    /// @dev Relays all messages of L1.
    function toL2() internal {
        collect();
        assertEq(l1Queue.checkpoint().root, rootAt(queue.length));
        relayAll();
        collect();
    }

    /// @dev Returns the proof of a message to L1, from the actual storage of the messenger.
    function proofOf(uint64 index) internal returns (IL1MessageQueue.MessageProof memory proof) {
        bytes32 slot = Messages.sentSlot(index);
        bytes32 value = vm.load(address(messenger), slot);
        bytes32 stateRoot;
        (proof.storageRoot, proof.storageProof) = SmallTries.storageTrie(slot, value);
        (stateRoot, proof.accountProof) =
            SmallTries.stateTrie(address(messenger), proof.storageRoot);
        proof.l2Block = index + 1;
        vm.mockCall(
            ROLLUP, abi.encodeCall(IRollup.stateRootAt, (proof.l2Block)), abi.encode(stateRoot)
        );
    }

    /// @dev Claims a message of the L2.
    function toL1(uint64 index) internal {
        collect();
        IL1MessageQueue.MessageProof memory proof = proofOf(index);
        l1Queue.claim(toL1Messages[index], proof, relayer);
    }

    /// @dev Returns `proofOf` in the type of the bridge.
    function bridgeProofOf(uint64 index) internal returns (IL1TokenBridge.MessageProof memory) {
        IL1MessageQueue.MessageProof memory p = proofOf(index);
        return IL1TokenBridge.MessageProof(p.l2Block, p.storageRoot, p.accountProof, p.storageProof);
    }

    /// @dev Withdraws 30 units of the token from bob to carol on the L2. `refundTo` may send them
    /// back.
    function withdrawFor(address refundTo) internal returns (IL1TokenBridge.Withdrawal memory) {
        depositFor(token, 100);
        vm.prank(bob);
        uint64 index = l2Bridge.withdraw(address(token), carol, refundTo, 30, GAS);
        collect();
        return IL1TokenBridge.Withdrawal({
            l1Token: address(token),
            from: bob,
            to: carol,
            refundTo: refundTo,
            amount: 30,
            fee: 0,
            gasLimit: GAS,
            index: index
        });
    }

    /// @dev Announces a refund while the token rejects payments, and waits until it can be made.
    function announce(IL1TokenBridge.Withdrawal memory w) internal {
        IL1TokenBridge.MessageProof memory proof = bridgeProofOf(w.index);
        vm.mockCallRevert(w.l1Token, abi.encodeWithSelector(token.transfer.selector), "");
        vm.prank(w.refundTo);
        uint256 readyAt = l1Bridge.announceRefund(w, proof, relayer);
        vm.clearMockedCalls();
        // Restores the mock of the state root.
        bridgeProofOf(w.index);
        vm.warp(readyAt);
    }

    /// @dev Asserts that the bridge owes the tokens on the L2 and those in transit.
    function assertOwed(address l1Token, uint256 onTheWay) internal view {
        BridgedToken there = l2Token(l1Token);
        uint256 supply = address(there).code.length == 0 ? 0 : there.totalSupply();
        assertEq(l1Bridge.owed(l1Token), supply + onTheWay);
    }
}
