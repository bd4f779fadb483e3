// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1Anchor} from "../../contracts/interfaces/IL1Anchor.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {Guardians} from "../utils/Guardians.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {L2Chain} from "../utils/L2Chain.sol";

/// @title Both ends of the path from L1 to L2, checked against each other
contract RoundTripTest is L2Chain {
    L1MessageQueue internal l1;

    function setUp() public override {
        super.setUp();
        l1 = new L1MessageQueue(
            address(this), address(0), 8_000_000, 1024, 0, 16_382, Guardians.none()
        );
    }

    function testFuzz_messenger_relays_messages_that_queue_committed_to(
        address[3] calldata refunds,
        uint96[3] calldata values,
        uint96[3] calldata fees,
        uint24[3] calldata gasLimits,
        bytes[3] calldata data
    ) public {
        uint256 sum = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint64 gasLimit = uint64(gasLimits[i]) % 8_000_000;
            send(alice, address(0xaaaa), values[i], fees[i], gasLimit, data[i]);
            queue[i].refundTo = refunds[i];
            sum += values[i];

            hoax(alice, uint256(values[i]) + fees[i]);
            l1.send{value: uint256(values[i]) + fees[i]}(
                address(0xaaaa), refunds[i], gasLimit, fees[i], data[i]
            );
        }
        vm.etch(address(0xaaaa), hex"00");
        IL1MessageQueue.Checkpoint memory c = l1.checkpoint();
        IL1Anchor.Anchor memory a = IL1Anchor.Anchor(1, keccak256("l1"), c.count, c.root);
        beginBlock(keccak256(abi.encode(a)));
        anchor.prove(a);
        messenger.relay(packed(0, 3), relayer);

        (uint64 count, bytes32 root) = messenger.relayed();
        assertEq(count, c.count);
        assertEq(root, c.root);
        assertEq(address(0xaaaa).balance, sum);
        assertEq(PREMINT - address(messenger).balance, address(l1).balance);
    }
}
