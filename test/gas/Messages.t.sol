// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev L1 gas of messages.
/// forge-config: default.isolate = true
contract MessageGasTest is GasFixture {
    uint256 internal constant SEND_BOUND = 42_000;
    uint256 internal constant FIRST_CLAIM_BOUND = 65_000;
    uint256 internal constant LATER_CLAIM_BOUND = 50_000;

    /// @dev Makes the queue warm, as after a full round of its ring.
    function warmQueue() internal {
        send(alice, 1 ether, 0, "");
        nextL1Block();
        send(alice, 1 ether, 0, "");
        vm.store(address(queue), bytes32(uint256(2) + queue.checkpoint().id), bytes32(uint256(1)));
    }

    function deposit() internal returns (Cost memory) {
        address to = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;
        return cost(address(queue), 1 ether, abi.encodeCall(queue.send, (to, to, 0, 0, "")));
    }

    /// @dev For a transaction whose cost is above the floor.
    function test_measured_gas_equals_transaction_cost() public {
        warmQueue();
        uint256 state = vm.snapshotState();
        Cost memory c = deposit();
        vm.revertToState(state);
        address to = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;
        vm.deal(address(this), 1 ether);
        queue.send{value: 1 ether}(to, to, 0, 0, "");
        assertEq(vm.lastCallGas().gasTotalUsed, c.inAll);
    }

    function test_gas_of_sending_after_others_of_block() public {
        warmQueue();
        Cost memory c = deposit();
        vm.snapshotValue("gas", "send ETH to L2: not the first of an L1 block", c.beyondCalldata);
        vm.snapshotValue("gas", "send ETH to L2: not the first of an L1 block, in all", c.inAll);
        assertLe(c.beyondCalldata, SEND_BOUND);
    }

    function test_gas_of_sending_first_of_block() public {
        warmQueue();
        nextL1Block();
        Cost memory c = deposit();
        vm.snapshotValue("gas", "send ETH to L2: the first of an L1 block", c.beyondCalldata);
        vm.snapshotValue("gas", "send ETH to L2: the first of an L1 block, in all", c.inAll);
        assertLe(c.beyondCalldata, SEND_BOUND);
    }

    function test_gas_of_claims() public {
        send(alice, 100 ether, 0, "");
        nextL1Block();
        bringOver();
        IL1MessageQueue.Message[] memory m = new IL1MessageQueue.Message[](4);
        address to = makeAddr("recipient");
        vm.deal(to, 1);
        for (uint256 i = 0; i < 2; ++i) {
            m[i] = queueSend("bob", to, to, 1 ether, 0, 0, "");
        }
        advanceSends();
        queue.claim(m[0], messageProof(m[0].index), to);
        for (uint256 i = 2; i < 4; ++i) {
            m[i] = queueSend("bob", to, to, 1 ether, 0, 0, "");
        }
        advanceSends();
        // As after a full round of the ring.
        uint256 place = 1_048_578 + l2.head.number;
        vm.store(address(queue), bytes32(place), bytes32(uint256(1)));

        IL1MessageQueue.MessageProof memory proof = messageProof(m[2].index);
        Cost memory c = cost(address(queue), 0, abi.encodeCall(queue.claim, (m[2], proof, to)));
        vm.snapshotValue("gas", "claim, first of an L2 block: without calldata", c.beyondCalldata);
        vm.snapshotValue("gas", "claim, first of an L2 block: in all", c.inAll);
        assertLe(c.beyondCalldata, FIRST_CLAIM_BOUND);
        proof = messageProof(m[3].index);
        proof.accountProof = new bytes[](0);
        c = cost(address(queue), 0, abi.encodeCall(queue.claim, (m[3], proof, to)));
        vm.snapshotValue("gas", "claim, later of an L2 block: without calldata", c.beyondCalldata);
        vm.snapshotValue("gas", "claim, later of an L2 block: in all", c.inAll);
        assertLe(c.beyondCalldata, LATER_CLAIM_BOUND);
    }
}

/// @dev L2 gas of relaying.
contract RelayGasTest is L2Chain {
    /// forge-config: default.isolate = true
    function test_gas_of_relaying_deposits() public {
        send(address(0xaaaa), 1, "");
        relayAll();
        for (uint160 i = 1; i <= 10; ++i) {
            address to = address(uint160(0xdead0000) + i);
            vm.deal(to, 1);
            send(alice, to, 1, 1, 0, "");
        }
        vm.deal(relayer, 1);
        anchorQueue();
        messenger.addWaypoint(11, rootAt(2), hashes(2, 11));
        messenger.relay(packed(1, 2), relayer);
        uint256 one = vm.lastCallGas().gasTotalUsed;
        messenger.relay(packed(2, 11), relayer);
        uint256 nine = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("gas", "relay on L2: one deposit", one);
        vm.snapshotValue("gas", "relay on L2: nine deposits", nine);
        assertLe(one, 80_000);
        assertLe((nine - one) / 8, 20_000);
    }
}
