// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";

contract CapacityTest is Test {
    uint256 internal constant TRANSACTION_GAS = 16_777_216;

    function test_transaction_bytes_fit_public_pools() public pure {
        uint256 all = Capacity.BLOCK_BYTES + Capacity.ENVELOPE_BYTES + Capacity.DUTY_BYTES;
        assertEq(all, 128 * 1024);
    }

    function test_largest_of_each_duty_fits_budget() public pure {
        assertLe(Capacity.ofRelays(), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofBounded(4096), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofSend(4096), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofAliasSend(4096), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofAliasCall(4096), Capacity.DUTY_BYTES);
        assertLe(Capacity.ofTransfer(4096), Capacity.DUTY_BYTES);
        assertLe(64 * Capacity.ENTRY_BYTES, Capacity.DUTY_BYTES);
        assertLe(Capacity.RELAY_GAS, Capacity.DUTY_GAS);
    }

    /// @dev Pins the figures, which determine what a submitter pays and what a block must include.
    function test_footprints_match_documents() public pure {
        assertEq(Capacity.ofTransfer(100), 100 + 2 * 3200 + 800);
        assertEq(Capacity.ofSend(100), 100 + 4 * 3200 + 800);
        assertEq(Capacity.ofBounded(100), 100 + 40_000 + 800);
        assertEq(Capacity.ofAliasSend(100), 100 + 6 * 3200 + 3400 + 800);
        assertEq(Capacity.ofAliasCall(100), 100 + 10 * 3200 + 3400 + 11_600 + 800);
        assertEq(Capacity.ofRelays(), 4 * (132 + 2 * 3200) + 32 * 256 + 3200 + 2 * 5400 + 600);
    }

    /// @dev Leaves spare gas for what a builder adds.
    function test_block_with_largest_duty_fits_transaction() public pure {
        assertTrue(Capacity.fits(Capacity.TRANSACTION_BYTES, Capacity.DUTY_GAS));
        assertTrue(Capacity.fits(Capacity.TRANSACTION_BYTES, Capacity.DUTY_GAS + 8_500_000));
        assertFalse(Capacity.fits(Capacity.TRANSACTION_BYTES, 13_000_000));
        assertFalse(Capacity.fits(Capacity.TRANSACTION_BYTES + 1, 0));
    }

    /// @dev Changes of L1 under which the largest duty still fits one transaction.
    function test_largest_duty_fits_after_l1_repricing() public pure {
        uint256 bytes_ = Capacity.TRANSACTION_BYTES;
        // Half the gas of a transaction leaves out less than 400 bytes, for the floor of EIP-7976.
        uint256 gas = Capacity.advanceGas(bytes_ - 400, Capacity.DUTY_GAS);
        assertLe(gas, TRANSACTION_GAS / 2);
        // EXECUTE at twice its price.
        uint256 execute = (20_000 + 4 * bytes_ + Capacity.DUTY_GAS) * 64 / 63;
        assertLe(gas + execute, TRANSACTION_GAS);
        // Twice the price of calldata, at the floor, leaves out less than 200 bytes.
        assertLe(21_000 + 128 * (bytes_ - 200), TRANSACTION_GAS);
        // Four times the price, for the evidence of a block in blobs.
        uint256 evidence = Capacity.DUTY_BYTES + Capacity.ENVELOPE_BYTES + 610;
        assertLe(21_000 + 256 * evidence, TRANSACTION_GAS);
    }

    function testFuzz_advance_gas_is_at_least_each_schedule(uint256 length, uint256 gas)
        public
        pure
    {
        length = bound(length, 0, 1 << 20);
        gas = bound(gas, 0, 1 << 30);
        uint256 cost = Capacity.advanceGas(length, gas);
        // Floors of EIP-7623 and EIP-7976, and the costs that every schedule includes.
        assertGe(cost, 21_000 + 40 * length);
        assertGe(cost, 21_000 + 64 * length);
        assertGe(cost, 21_000 + 20 * length + gas);
    }

    /// @dev An account that advances pays no more for a byte than the account that caused it has
    /// paid, whether calldata or work determines the price.
    function testFuzz_price_per_byte_covers_cost_of_advance(
        uint256 length,
        uint256 more,
        uint256 gas
    ) public pure {
        more = bound(more, 1, Capacity.DUTY_BYTES);
        length = bound(length, 0, Capacity.TRANSACTION_BYTES - more);
        gas = bound(gas, 0, Capacity.DUTY_GAS);
        uint256 cost = Capacity.advanceGas(length + more, gas) - Capacity.advanceGas(length, gas);
        assertGe(Capacity.GAS_PER_BYTE * more, cost);
    }

    /// @dev The case in which a byte is most expensive: for smaller and larger inputs the floor of
    /// EIP-7976 decides.
    function test_price_of_full_duty_covers_cost_of_advance() public pure {
        uint256 all = Capacity.TRANSACTION_BYTES;
        uint256 without = all - Capacity.DUTY_BYTES;
        uint256 cost = Capacity.advanceGas(all, 0) - Capacity.advanceGas(without, 0);
        assertEq(cost, 64 * 52_000);
        assertGe(Capacity.GAS_PER_BYTE * Capacity.DUTY_BYTES, cost);
    }

    function test_input_above_amsterdam_gas_cap_does_not_fit() public pure {
        assertGt(Capacity.advanceGas(262_500, 0), TRANSACTION_GAS);
        assertLe(Capacity.advanceGas(200_000, 0), TRANSACTION_GAS);
    }

    /// @dev Computed by hand, for cases in which each schedule is the more expensive one, and with
    /// partial words.
    function test_advance_gas_is_sum_of_parts() public pure {
        // 131,072 bytes are 4,096 words: memory 3 · 4096 + 32,768; copies 12,288; EXECUTE
        // (20,000 + 524,288 + 8,000,000) · 64 / 63; calldata 2,097,152; 1,021,000 besides.
        assertEq(
            Capacity.advanceGas(131_072, 8_000_000),
            12_288 + 32_768 + 12_288 + 8_679_911 + 2_097_152 + 1_021_000
        );
        // 33 bytes are two words.
        assertEq(Capacity.advanceGas(33, 0), 6 + 6 + (20_132 * 64) / uint256(63) + 528 + 1_021_000);
        assertEq(Capacity.advanceGas(200_000, 0), 21_000 + 64 * 200_000);
    }

    /// @dev Constants of the contracts, from which the bytes of each duty follow.
    function test_budget_matches_documents() public pure {
        assertEq(Capacity.BLOCK_BYTES, 78_000);
        assertEq(Capacity.ENVELOPE_BYTES, 1072);
        assertEq(Capacity.DUTY_BYTES, 52_000);
        assertEq(Capacity.DUTY_GAS, 4_000_000);
        assertEq(Capacity.RELAY_GAS, 3_000_000);
        assertEq(Capacity.TRANSACTION_GAS, TRANSACTION_GAS);
    }
}
