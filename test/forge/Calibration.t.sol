// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

/// @title EXECUTE inside forge costs exactly as much gas as the precompile
contract CalibrationTest is ExecuteTest {
    using L2 for L2.Chain;

    /// @dev Gas of calling a warm account (EIP-2929). Precompiles are always warm; a contract in
    /// their place is warm after the first call.
    uint256 internal constant WARM = 100;

    Meter internal meter = new Meter();
    L2.Chain internal l2;

    function setUp() public override {
        super.setUp();
        l2.start();
    }

    function test_gas_is_exact_for_inputs_of_five_sizes() public {
        uint256[5] memory sizes = [uint256(0), 1000, 10_000, 60_000, 120_000];
        for (uint256 i = 0; i < sizes.length; ++i) {
            bytes memory input = inputOf(sizes[i]);
            (, string memory reason, uint64 charge) = L2.verify(input, "");
            assertEq(reason, "");
            (bool ok, bytes memory result, uint256 used) = measure(input, 30_000_000);
            assertTrue(ok);
            assertEq(result.length, 43);
            assertEq(used, charge + WARM, vm.toString(input.length));
            // The schedule of docs/gas.md is tested in Rust; the other schedules have no items to
            // count.
            (,, charge) = L2.verify(input, "gas=flat");
            assertEq(charge, 25_000 + 16 * input.length + l2.head.gasUsed);
        }
    }

    function test_gas_is_exact_for_megabyte_input() public {
        IL2.Transaction memory t = L2.transaction("alice", address(0xb0b), 0, new bytes(125_000));
        t.gasLimit = 1_400_000;
        for (uint256 i = 0; i < 8; ++i) {
            l2.send(t);
        }
        bytes memory input = l2.seal();
        assertGt(input.length, 1_000_000);
        (,, uint64 charge) = L2.verify(input, "");
        (bool ok,, uint256 used) = measure(input, 40_000_000);
        assertTrue(ok);
        assertEq(used, charge + WARM);
    }

    function test_gas_is_exact_with_only_the_reserve() public {
        bytes memory input = inputOf(0);
        (,, uint64 charge) = L2.verify(input, "");
        // A transfer uses its whole gas limit, so the reserve equals the charge.
        (bool ok,, uint256 used) = measure(input, charge);
        assertTrue(ok);
        assertEq(used, charge + WARM);
        (ok,, used) = measure(input, charge - 1);
        assertFalse(ok);
        assertEq(used, charge - 1 + WARM);
    }

    function test_failed_call_consumes_all_gas_without_return_data() public {
        bytes memory input = inputOf(0);
        bytes memory refused = L2.broken(input, IL2.Field.StateRoot, bytes32(0), true);
        uint256[3] memory given = [uint256(60_000), 1_000_000, 20_000_000];
        for (uint256 i = 0; i < given.length; ++i) {
            (bool ok, bytes memory result, uint256 used) = measure(refused, given[i]);
            assertFalse(ok);
            assertEq(result.length, 0);
            assertEq(used, given[i] + WARM);
        }
    }

    function test_schedules_charge_documented_gas() public {
        installExecute("gas=ethrex");
        bytes memory input = inputOf(100);
        (bool ok,, uint256 used) = measure(input, 30_000_000);
        assertTrue(ok);
        assertEq(used, l2.head.gasLimit + 16 * input.length + WARM);
    }

    function test_unlimited_metering_is_not_changed() public {
        bytes memory input = inputOf(0);
        vm.pauseGasMetering();
        uint256 before = gasleft();
        (bool ok,) = EXECUTE.staticcall(input);
        uint256 afterwards = gasleft();
        vm.resumeGasMetering();
        assertTrue(ok);
        assertEq(before, afterwards);
    }

    /// @dev Returns the input of a block with one transfer that has `size` bytes of data.
    function inputOf(uint256 size) internal returns (bytes memory) {
        bytes memory data = new bytes(size);
        for (uint256 i = 0; i < size; i += 7) {
            data[i] = 0x5a;
        }
        l2.callFrom("alice", address(0xb0b), data);
        return l2.seal();
    }

    function measure(bytes memory input, uint256 given)
        internal
        view
        returns (bool ok, bytes memory result, uint256 used)
    {
        // The identity precompile costs 15, plus 3 per word; everything else, except for the call
        // of a warm account, is the overhead between the two readings.
        (,, used) = meter.measure(address(4), input, 1_000_000);
        uint256 overhead = used - 15 - 3 * ((input.length + 31) / 32) - WARM;
        (ok, result, used) = meter.measure(EXECUTE, input, given);
        used -= overhead;
    }
}

/// @dev Separate contract, because under `--isolate` each call of a test is a transaction, and
/// accounts that were warm in one are cold in the next.
contract Meter {
    function measure(address target, bytes calldata input, uint256 given)
        external
        view
        returns (bool ok, bytes memory result, uint256 used)
    {
        bytes memory data = input;
        // Not enough gas for any work, but it makes the account warm.
        (ok,) = target.staticcall{gas: 1000}("");
        // The result is copied afterwards: only the call is between the readings.
        assembly ("memory-safe") {
            let start := add(data, 0x20)
            let length := mload(data)
            let before := gas()
            ok := staticcall(given, target, start, length, 0, 0)
            used := sub(before, gas())
            result := mload(0x40)
            mstore(result, returndatasize())
            returndatacopy(add(result, 0x20), 0, returndatasize())
            mstore(0x40, add(add(result, 0x20), and(add(returndatasize(), 0x1f), not(0x1f))))
        }
    }
}
