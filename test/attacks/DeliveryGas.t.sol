// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Delivery} from "../../contracts/libraries/Delivery.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {Catching, Recorder, Target} from "../utils/Targets.sol";

/// @dev Returns an excessive amount of data.
contract Bomb is Target {
    function take() internal pure override {
        assembly ("memory-safe") {
            revert(0, 1000000)
        }
    }
}

/// @title Relayers and targets that manipulate gas
/// @notice The relayer chooses the gas of the transaction. A call retains 1/64 of it, so there is
/// an amount with which the target runs out of gas while the messenger has enough left to record a
/// failure. A success would be worse: a target that catches its own failures, as bridges do, would
/// accept a message and give up on it permanently. Therefore the whole relay (or retry) reverts if
/// less gas is left than the message was promised, for any amount. Conversely, a target must not
/// cost the relayer more than the message's gas limit, neither by the gas that it burns nor by the
/// data that it returns.
contract DeliveryGasTest is L2Chain {
    uint64 internal constant NEEDED = 100_000;

    function testFuzz_target_gets_its_gas_for_any_limit(uint256 gas) public {
        gas = bound(gas, 30_000, 400_000);
        Catching target = new Catching();
        send(alice, address(target), 0, 0, NEEDED, "");
        anchorQueue();
        bytes memory call = abi.encodeCall(messenger.relay, (packed(0, 1), relayer));
        (bool ok,) = address(messenger).call{gas: gas}(call);

        assertFalse(target.gaveUp());
        assertEq(target.done(), ok);
        assertFalse(isFailed(0));
        (uint64 count,) = messenger.relayed();
        assertEq(count, ok ? 1 : 0);
    }

    function testFuzz_retry_gets_its_gas_for_any_limit(uint256 gas) public {
        gas = bound(gas, 30_000, 400_000);
        Catching target = new Catching();
        bytes memory code = address(target).code;
        send(alice, address(target), 0, 0, NEEDED, "");
        vm.etch(address(target), hex"fe");
        relayAll();
        assertTrue(isFailed(0));
        vm.etch(address(target), code);

        bytes memory call = abi.encodeCall(messenger.retry, (queue[0]));
        (bool ok,) = address(messenger).call{gas: gas}(call);
        assertFalse(target.gaveUp());
        assertEq(target.done(), ok);
        assertEq(isFailed(0), !ok);
    }

    function testFuzz_target_receives_its_gas_or_relay_reverts(
        uint256 slack,
        uint64 gasLimit,
        uint8 value,
        uint16 dataLength
    ) public {
        // Around the minimum gas, where the two outcomes are close together.
        gasLimit = uint64(bound(gasLimit, 1_000_000, 10_000_000));
        uint256 gas = gasLimit + bound(slack, 0, gasLimit / 63 + 250_000);
        Recorder recorder = new Recorder();
        send(alice, address(recorder), value, 0, gasLimit, new bytes(dataLength % 1024));
        anchorQueue();
        bytes memory call = abi.encodeCall(messenger.relay, (packed(0, 1), relayer));
        vm.cool(address(recorder));
        (bool ok,) = address(messenger).call{gas: gas}(call);
        assertEq(recorder.count(), ok ? 1 : 0);
        assertFalse(isFailed(0));
        if (ok) {
            (uint256 seen,,,,) = recorder.calls(0);
            assertGe(seen + 200, gasLimit, "the entry of the target takes a little");
            assertLe(seen, uint256(gasLimit) + 2300, "and the stipend adds a little");
        }
    }

    function test_insufficient_relay_gas_reverts_with_required_amount() public {
        send(alice, address(new Catching()), 0, 0, 5_000_000, "");
        anchorQueue();
        bytes memory batch = packed(0, 1);
        vm.expectPartialRevert(Delivery.InsufficientGas.selector);
        messenger.relay{gas: 5_000_000}(batch, relayer);
        messenger.relay{gas: Delivery.required(5_000_000) + 100_000}(batch, relayer);
    }

    function test_long_return_data_costs_only_its_sender() public {
        send(alice, address(new Bomb()), 0, 0, 3_000_000, "");
        anchorQueue();
        bytes memory call = abi.encodeCall(messenger.relay, (packed(0, 1), relayer));
        uint256 before = gasleft();
        (bool ok,) = address(messenger).call(call);
        uint256 used = before - gasleft();
        assertTrue(ok);
        assertTrue(isFailed(0));
        assertLe(used, 3_000_000 + 150_000);
    }
}
