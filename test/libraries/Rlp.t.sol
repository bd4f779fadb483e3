// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {LibRLP} from "solady/utils/LibRLP.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {LibraryHarness} from "../utils/LibraryHarness.sol";

/// @dev Compares the library with an independent encoder.
/// (`crates/contracts/tests/on_chain/libraries` compares it with the decoder of the L2 nodes, byte
/// by byte.)
contract RlpTest is Test {
    using LibRLP for LibRLP.List;

    LibraryHarness private harness = new LibraryHarness();

    function testFuzz_integer_round_trip(uint256 value, uint8 maxBytes) public {
        maxBytes = uint8(bound(maxBytes, 1, 32));
        bytes memory encoded = LibRLP.encode(value);
        uint256 length = 0;
        while (length < 32 && value >> (8 * length) != 0) ++length;
        if (length > maxBytes) vm.expectPartialRevert(Rlp.RlpIntegerTooLarge.selector);
        (uint256 got, uint256 next) = harness.integer(encoded, maxBytes);
        if (length <= maxBytes) {
            assertEq(got, value);
            assertEq(next, encoded.length);
        }
    }

    function testFuzz_string_round_trip(bytes memory data, bytes memory more) public view {
        bytes memory encoded = LibRLP.encode(data);
        (uint256 start, uint256 stop) = harness.str(bytes.concat(encoded, more));
        assertEq(stop, encoded.length);
        assertEq(stop - start, data.length);
    }

    function testFuzz_list_round_trip(bytes[] memory payloads) public view {
        LibRLP.List memory list;
        for (uint256 i = 0; i < payloads.length; ++i) {
            list.p(payloads[i]);
        }
        bytes[] memory got = harness.items(list.encode());
        assertEq(abi.encode(got), abi.encode(payloads));
    }

    function testFuzz_string_and_list_are_distinguished(bytes memory data) public {
        bytes memory string_ = LibRLP.encode(data);
        LibRLP.List memory list;
        bytes memory list_ = list.p(data).encode();
        vm.expectPartialRevert(Rlp.RlpNotList.selector);
        harness.list(string_);
        vm.expectPartialRevert(Rlp.RlpNotString.selector);
        harness.str(list_);
        harness.str(string_);
        harness.list(list_);
    }

    function testFuzz_truncated_item_reverts(bytes memory data, uint256 cut) public {
        bytes memory encoded = LibRLP.encode(data);
        cut = bound(cut, 0, encoded.length - 1);
        bytes memory shorter = new bytes(cut);
        for (uint256 i = 0; i < cut; ++i) {
            shorter[i] = encoded[i];
        }
        vm.expectPartialRevert(Rlp.RlpTruncated.selector);
        harness.item(shorter);
    }

    function test_non_canonical_lengths_revert() public {
        bytes[7] memory longer = [
            bytes(hex"8100"), hex"817f", hex"b800", hex"b80102", hex"b90038", hex"f800", hex"f90000"
        ];
        for (uint256 i = 0; i < longer.length; ++i) {
            bytes memory padded = bytes.concat(longer[i], new bytes(300));
            vm.expectPartialRevert(Rlp.RlpNotCanonical.selector);
            harness.item(padded);
        }
        // Their valid counterparts.
        harness.item(hex"8180");
        harness.item(hex"7f");
        harness.item(bytes.concat(hex"b838", new bytes(56)));
        harness.item(bytes.concat(hex"f838", new bytes(56)));
    }

    function test_long_form_below_56_bytes_reverts() public {
        bytes[2] memory longer = [bytes(hex"b837"), hex"f837"];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory padded = bytes.concat(longer[i], new bytes(55));
            vm.expectPartialRevert(Rlp.RlpNotCanonical.selector);
            harness.item(padded);
        }
    }

    /// @dev Unlike a string of one small byte, which is its own encoding.
    function test_list_of_one_small_byte_is_read() public view {
        (uint256 start, uint256 stop) = harness.list(hex"c105");
        assertEq(start, 1);
        assertEq(stop, 2);
    }

    function test_lengths_beyond_calldata_revert() public {
        vm.expectPartialRevert(Rlp.RlpTruncated.selector);
        harness.item(hex"bfffffffffffffffff");
        vm.expectPartialRevert(Rlp.RlpTruncated.selector);
        harness.item(hex"ffffffffffffffffff");
        vm.expectPartialRevert(Rlp.RlpTruncated.selector);
        harness.item("");
    }
}
