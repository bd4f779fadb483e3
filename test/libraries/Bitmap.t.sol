// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Bitmap} from "../../contracts/libraries/Bitmap.sol";

contract BitmapTest is Test {
    using Bitmap for Bitmap.Bits;

    Bitmap.Bits private bits;

    function testFuzz_a_number_is_added_once(uint256 number) public {
        assertFalse(bits.get(number));
        assertTrue(bits.add(number));
        assertTrue(bits.get(number));
        assertFalse(bits.add(number));
        assertTrue(bits.get(number));
    }

    function testFuzz_numbers_do_not_touch_one_another(uint256 a, uint256 b) public {
        vm.assume(a != b);
        assertTrue(bits.add(a));
        assertFalse(bits.get(b));
        assertTrue(bits.add(b));
        assertTrue(bits.get(a));
    }

    function test_256_numbers_share_a_slot() public {
        vm.record();
        for (uint256 i = 512; i < 768; ++i) {
            bits.add(i);
        }
        (, bytes32[] memory writes) = vm.accesses(address(this));
        for (uint256 i = 1; i < writes.length; ++i) {
            assertEq(writes[i], writes[0]);
        }
        assertEq(uint256(vm.load(address(this), writes[0])), type(uint256).max);
    }
}
