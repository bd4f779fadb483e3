// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {RollupExit} from "../../contracts/exit/RollupExit.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev L1 gas of the exit from a closed rollup.
/// forge-config: default.isolate = true
contract ExitGasTest is GasFixture {
    using L2 for L2.Chain;

    uint64 internal constant LOST_AFTER = 60 days;
    uint256 internal constant EXIT_BOUND = 90_000;

    function test_gas_of_exit() public {
        RollupExit exit_ = RollupExit(queue.EXIT_CONTRACT());
        bytes memory arguments = abi.encode(queue, LOST_AFTER);
        deployCodeTo("RollupExit.sol:RollupExit", arguments, address(exit_));
        vm.deal(address(queue), 10_000 ether);
        l2.transfer("alice", bob, 1);
        advance();
        skip(LOST_AFTER);
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        exit_.close(p.nodes, p.slots[0].nodes);

        p = l2.prove(alice);
        // The account exists on L1.
        vm.deal(alice, 1);
        Cost memory c =
            cost(address(exit_), 0, abi.encodeCall(RollupExit.exit, (alice, address(0), p.nodes)));
        vm.snapshotValue("gas", "exit: an account, without calldata", c.beyondCalldata);
        vm.snapshotValue("gas", "exit: an account, in all", c.inAll);
        assertLe(c.beyondCalldata, EXIT_BOUND);
    }
}
