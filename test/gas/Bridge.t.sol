// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {RollupExit} from "../../contracts/exit/RollupExit.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {ITokenExit} from "../../contracts/interfaces/ITokenExit.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {TokenCode} from "../utils/TokenCode.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {Token} from "../utils/Tokens.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev L1 gas of token deposits and withdrawals, with a real L2 and a real bridge.
/// forge-config: default.isolate = true
contract BridgeGasTest is GasFixture {
    using L2 for L2.Chain;

    uint64 internal constant GAS = 500_000;
    uint64 internal constant LOST_AFTER = 60 days;

    RollupExit internal exit_;
    L1TokenBridge internal bridge;
    address internal l2Bridge;
    Token internal token;
    /// @dev Account that exists on the L2.
    address internal holder;

    function setUp() public override {
        super.setUp();
        holder = L2.account("bob");
        // Deployed after the implementation of the tokens.
        l2Bridge = vm.computeCreateAddress(L2.account("operator"), 1);
        IL2.Transaction memory t =
            L2.transaction("operator", KeptCodes.PROXY, 0, TokenCode.creation(l2Bridge));
        t.gasLimit = 1_000_000;
        l2.send(t);
        exit_ = new RollupExit(address(queue), LOST_AFTER);
        bridge = new L1TokenBridge(address(queue), l2Bridge);
        address made = l2.deploy(
            "operator", abi.encodePacked(type(L2TokenBridge).creationCode, abi.encode(bridge))
        );
        assertEq(made, l2Bridge);
        advance();
        token = new Token();
        token.give(address(meter), 1000);
        vm.prank(address(meter));
        token.approve(address(bridge), type(uint256).max);
        vm.recordLogs();
        bridge.register(address(token), GAS);
        carry();
        vm.prank(address(meter));
        bridge.deposit(address(token), holder, holder, 100, GAS);
        carry();
    }

    /// @dev Relays the messages that the bridge has just sent.
    function carry() internal {
        VmSafe.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            VmSafe.Log memory log = logs[i];
            if (log.topics[0] != IL1MessageQueue.MessageSent.selector) continue;
            (address refundTo, uint128 value, uint128 fee, uint64 gasLimit, bytes memory data) =
                abi.decode(log.data, (address, uint128, uint128, uint64, bytes));
            sent.push(
                IL2Messenger.Message(
                    address(bridge),
                    l2Bridge,
                    refundTo,
                    value,
                    fee,
                    gasLimit,
                    uint64(sent.length),
                    data
                )
            );
            states.push(queue.checkpoint());
        }
        nextL1Block();
        bringOver();
        vm.getRecordedLogs();
    }

    function balanceOnL2() internal returns (uint256) {
        address there = bridge.l2TokenOf(address(token));
        bytes memory answer = l2.read(there, abi.encodeWithSignature("balanceOf(address)", holder));
        return abi.decode(answer, (uint256));
    }

    function test_gas_of_deposit() public {
        // As after a full round of the ring.
        uint256 slot = uint256(2) + queue.checkpoint().id;
        vm.store(address(queue), bytes32(slot), bytes32(uint256(1)));
        bytes memory call =
            abi.encodeCall(bridge.deposit, (address(token), holder, holder, 50, GAS));
        Cost memory c = cost(address(bridge), 0, call);
        vm.snapshotValue("gas", "bridge: deposit of a token, without calldata", c.beyondCalldata);
        vm.snapshotValue("gas", "bridge: deposit of a token, in all", c.inAll);
        assertLe(c.inAll, 120_000);
        carry();
        assertEq(balanceOnL2(), 150);
    }

    /// @dev Withdraws tokens on the L2. Returns the message to L1.
    function withdraw(address to, uint256 amount, uint64 index)
        internal
        returns (IL1MessageQueue.Message memory)
    {
        l2.callFrom(
            "bob",
            l2Bridge,
            abi.encodeCall(IL2TokenBridge.withdraw, (address(token), to, to, amount, GAS))
        );
        return IL1MessageQueue.Message({
            sender: l2Bridge,
            to: address(bridge),
            refundTo: address(bridge),
            value: 0,
            fee: 0,
            gasLimit: GAS,
            index: index,
            data: abi.encodeCall(IL1TokenBridge.release, (address(token), holder, to, to, amount))
        });
    }

    function test_gas_of_claim() public {
        address to = makeAddr("recipient");
        token.give(to, 1);
        uint64 index = SENT;
        IL1MessageQueue.Message memory early = withdraw(to, 1, index);
        advance();
        queue.claim(early, messageProof(index), to);
        IL1MessageQueue.Message memory m = withdraw(to, 10, index + 1);
        advance();
        uint256 place = 1_048_578 + l2.head.number;
        vm.store(address(queue), bytes32(place), bytes32(uint256(1)));
        IL1MessageQueue.MessageProof memory proof = messageProof(index + 1);
        Cost memory c = cost(address(queue), 0, abi.encodeCall(queue.claim, (m, proof, to)));
        vm.snapshotValue(
            "gas",
            "bridge: claim of a token, first of an L2 block: without calldata",
            c.beyondCalldata
        );
        vm.snapshotValue("gas", "bridge: claim of a token, first of an L2 block: in all", c.inAll);
        assertLe(c.beyondCalldata, 120_000);
        assertEq(token.balanceOf(to), 12);
    }

    /// @dev Exits of two accounts; only the first proves the account of the token.
    function test_gas_of_exit_with_tokens() public {
        vm.prank(address(meter));
        bridge.deposit(address(token), L2.account("alice"), holder, 7, GAS);
        carry();
        l2.transfer("alice", holder, 1);
        l2.transfer("bob", holder, 1);
        advance();
        skip(LOST_AFTER);
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        exit_.close(p.nodes, p.slots[0].nodes);
        for (uint256 i = 0; i < 2; ++i) {
            address account = i == 0 ? holder : L2.account("alice");
            token.give(account, 1);
            ITokenExit.TokenProof memory proof = tokenProof(account);
            if (i == 1) proof.tokenProof = new bytes[](0);
            Cost memory c = cost(
                address(bridge),
                0,
                abi.encodeCall(bridge.exitToken, (address(token), account, address(0), proof))
            );
            string memory which = i == 0 ? "first of a token" : "later of a token";
            vm.snapshotValue(
                "gas",
                string.concat("exit: tokens of an account, ", which, ": without calldata"),
                c.beyondCalldata
            );
            vm.snapshotValue(
                "gas", string.concat("exit: tokens of an account, ", which, ": in all"), c.inAll
            );
            assertLe(c.inAll, i == 0 ? 200_000 : 140_000);
            assertEq(token.balanceOf(account), i == 0 ? 101 : 8);
        }
    }

    function tokenProof(address account) internal returns (ITokenExit.TokenProof memory) {
        bytes32 slot = keccak256(abi.encodePacked(account, bytes8(0), bytes4(0x87a211a2)));
        IL2.AccountProof memory p = l2.prove(bridge.l2TokenOf(address(token)), slot);
        return ITokenExit.TokenProof(l2.prove(account).nodes, p.nodes, p.slots[0].nodes);
    }
}
