// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {HybridSequencing} from "../../contracts/sequencing/HybridSequencing.sol";
import {BondsFixture} from "../sequencing/preconf/BondsFixture.sol";
import {L2} from "../utils/L2.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev Gas of `post` beyond that of `advance` for the same block, mainly for the log of its
/// calldata.
/// forge-config: default.isolate = true
contract PostGasTest is GasFixture, BondsFixture {
    using L2 for L2.Chain;

    uint256 internal constant BEYOND_BOUND = 230_000;
    uint256 internal constant INPUT_LENGTH = 25_000;
    uint64 internal constant POST_DELAY = 300;

    HybridSequencing internal policy;

    function setUp() public override {
        makeBonds();
        policy =
            new HybridSequencing(sequencer, address(0), OPEN_AFTER - 1, POST_DELAY, bonds, BOND);
        super.setUp();
        fillRing();
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.policy = address(policy);
    }

    function test_gas_of_post() public {
        l2.callFrom("alice", address(0xb0b), new bytes(INPUT_LENGTH / 2));
        bytes[] memory inputs = one(l2.seal());
        emit log_named_uint("bytes of the input", inputs[0].length);
        skip(POST_DELAY);
        uint256 snapshot = vm.snapshotState();

        // The stranger as the sequencer.
        vm.prank(sequencer);
        policy.offer(sender);
        vm.prank(sender);
        policy.take();
        vm.deal(sender, BOND);
        vm.prank(sender);
        bonds.deposit{value: BOND}(sender);
        Cost memory advanced = costOfAdvance(advanceCall(inputs, none()));
        assertHead();

        vm.revertToState(snapshot);
        IPreconfBonds.Preconfirmation memory m =
            IPreconfBonds.Preconfirmation(address(rollup), l2.head.hash, OSAKA, true, 0, 0);
        bytes memory call_ =
            abi.encodeCall(policy.post, (m, signatureOf(bonds.hashOf(m), key), inputs, none()));
        Cost memory posted = cost(address(policy), 0, call_);
        assertHead();

        uint256 more = posted.beyondCalldata - advanced.beyondCalldata;
        vm.snapshotValue("gas", "post: beyond advance, without calldata", more);
        vm.snapshotValue("gas", "post: beyond advance, in all", posted.inAll - advanced.inAll);
        assertLe(more, BEYOND_BOUND);
    }
}
