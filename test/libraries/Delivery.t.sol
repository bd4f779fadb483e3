// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Delivery} from "../../contracts/libraries/Delivery.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";

/// @dev Records the gas that it received.
contract GasMeter {
    uint256 public got;

    receive() external payable {
        uint256 left = gasleft();
        got = left;
    }
}

/// @dev Records the gas that it received, for calls with data.
contract DataMeter {
    uint256 public got;

    fallback() external {
        uint256 left = gasleft();
        got = left;
    }
}

contract DeliveryTest is Test {
    uint256 private constant GAS = 50_000;

    function deliver(address to, uint256 value, bytes calldata data) external returns (bool) {
        return Delivery.call(to, value, GAS, type(uint256).max, data);
    }

    /// @dev A payment to a cold target: the most expensive call without a delegation.
    function testFuzz_paid_target_gets_promised_gas_or_nothing(uint256 slack) public {
        slack = bound(slack, 0, 2 * Delivery.OVERHEAD);
        GasMeter meter = new GasMeter();
        vm.deal(address(this), 1);
        vm.cool(address(meter));
        uint256 gas = GAS + slack;
        bytes memory call = abi.encodeCall(this.deliver, (address(meter), 1, ""));
        (bool ok,) = address(this).call{gas: gas}(call);
        if (!ok) {
            assertEq(meter.got(), 0);
            return;
        }
        // A paid call has a stipend in addition, and the first instructions have run.
        assertGe(meter.got() + 500, GAS + 2300);
    }

    /// @dev Copying 200 kB costs several times the gas that is reserved for a call.
    function test_target_of_large_data_gets_promised_gas() public {
        DataMeter meter = new DataMeter();
        bytes memory call = abi.encodeCall(this.deliver, (address(meter), 0, new bytes(200_000)));
        uint256 delivered = 0;
        uint256 step = Delivery.OVERHEAD / 5;
        for (uint256 i = 0; i < 60; ++i) {
            (bool ok,) = address(this).call{gas: GAS + i * step}(call);
            if (!ok) continue;
            ++delivered;
            assertGe(meter.got() + 500, GAS);
        }
        assertGt(delivered, 0);
        assertLt(delivered, 60);
    }

    function test_required_gas_is_exact() public {
        address target = address(new GasMeter());
        bytes memory call = abi.encodeCall(this.deliver, (target, 0, ""));
        uint256 gas = GAS;
        // Twice, because accounts are cold in the first call.
        for (uint256 i = 0; i < 2; ++i) {
            gas += missing(gas, call);
        }
        assertEq(missing(gas - 1, call), 1);
        (bool ok,) = address(this).call{gas: gas}(call);
        assertTrue(ok);
    }

    /// @dev Returns the gas that a rejected call lacks; zero if the call is not rejected.
    function missing(uint256 gas, bytes memory call) private returns (uint256) {
        (bool ok, bytes memory answer) = address(this).call{gas: gas}(call);
        if (ok) return 0;
        // The cast extracts the selector.
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(bytes4(answer), Delivery.InsufficientGas.selector);
        (uint256 got, uint256 expected) = this.figures(answer);
        return expected - got;
    }

    function figures(bytes calldata answer) external pure returns (uint256, uint256) {
        return abi.decode(answer[4:], (uint256, uint256));
    }

    /// @dev Figures on which the docs and the planner rely: a call retains a 64th, and its own
    /// cost.
    function testFuzz_required_gas_adds_63rd_and_call_cost(uint32 gas, uint16 data) public pure {
        uint256 needed = uint256(gas) + uint256(gas) / 63 + 1 + 25_000;
        assertEq(Delivery.required(gas), needed);
        assertEq(Messages.relayGas(gas, data), 1_000_000 + needed + 64 * uint256(data));
    }
}
