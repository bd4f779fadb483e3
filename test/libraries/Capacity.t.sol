// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";

contract CapacityTest is Test {
    uint256 internal constant TRANSACTION_GAS = 16_777_216;

    function test_a_block_and_what_is_demanded_of_it_fit_public_pools() public pure {
        uint256 all = Capacity.BLOCK_BYTES + Capacity.ENVELOPE_BYTES + Capacity.DUTY_BYTES;
        assertEq(all, 128 * 1024);
    }

    function test_the_largest_of_each_duty_fits_the_budget() public pure {
        assertLe(Capacity.ofRelays(), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofBounded(4096), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofSend(4096), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofTransfer(4096), Capacity.DUTY_BYTES);
        assertLe(64 * Capacity.ENTRY_BYTES, Capacity.DUTY_BYTES);
        assertLe(Capacity.RELAY_GAS, Capacity.DUTY_GAS);
    }

    /// @dev With gas to spare for what a builder adds of its own.
    function test_a_block_with_the_largest_duty_fits_one_transaction() public pure {
        assertTrue(Capacity.fits(Capacity.TRANSACTION_BYTES, Capacity.DUTY_GAS));
        assertTrue(Capacity.fits(Capacity.TRANSACTION_BYTES, Capacity.DUTY_GAS + 4_500_000));
        assertFalse(Capacity.fits(Capacity.TRANSACTION_BYTES, 13_000_000));
        assertFalse(Capacity.fits(Capacity.TRANSACTION_BYTES + 1, 0));
    }

    function testFuzz_gas_is_that_of_the_dearer_schedule(uint256 length, uint256 gas) public pure {
        length = bound(length, 0, 1 << 20);
        gas = bound(gas, 0, 1 << 30);
        uint256 cost = Capacity.advanceGas(length, gas);
        // The floors of EIP-7623 and EIP-7976, and what no schedule leaves out.
        assertGe(cost, 21_000 + 40 * length);
        assertGe(cost, 21_000 + 64 * length);
        assertGe(cost, 21_000 + 20 * length + gas);
    }

    function test_what_an_amsterdam_l1_refuses_does_not_fit() public pure {
        assertGt(Capacity.advanceGas(262_500, 0), TRANSACTION_GAS);
        assertLe(Capacity.advanceGas(200_000, 0), TRANSACTION_GAS);
    }
}
