// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Headers} from "../../contracts/libraries/Headers.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {TransactionTries} from "../utils/TransactionTries.sol";

/// @dev The library, called with calldata.
contract HeaderSummaries {
    function read(bytes calldata header) external pure returns (Headers.Summary memory) {
        return Headers.read(header);
    }
}

/// @dev Fingerprints of headers. `crates/preconf/src/header/tests.rs` has the same known values.
contract HeadersTest is Test {
    HeaderSummaries internal headers = new HeaderSummaries();

    function sample() internal pure returns (bytes[] memory f) {
        f = new bytes[](21);
        f[0] = repeated(1);
        f[1] = repeated(2);
        f[2] = abi.encodePacked(address(uint160(uint256(bytes32(repeated(3))))));
        for (uint8 i = 3; i < 6; ++i) {
            f[i] = repeated(i + 1);
        }
        f[6] = new bytes(256);
        f[8] = GenesisHeaders.integer(7);
        f[9] = GenesisHeaders.integer(10_000_000);
        f[10] = GenesisHeaders.integer(21_000);
        f[11] = GenesisHeaders.integer(1_700_000_000);
        f[12] = "enshrine";
        f[13] = repeated(8);
        f[14] = new bytes(8);
        f[15] = GenesisHeaders.integer(1_000_000_000);
        f[16] = repeated(9);
        f[19] = repeated(10);
        f[20] = repeated(11);
    }

    function repeated(uint8 value) internal pure returns (bytes memory out) {
        out = new bytes(32);
        for (uint256 i = 0; i < 32; ++i) {
            out[i] = bytes1(value);
        }
    }

    function read(bytes[] memory fields) internal view returns (Headers.Summary memory) {
        return headers.read(GenesisHeaders.encode(fields));
    }

    function isOutcome(uint256 index) internal pure returns (bool) {
        return index == 3 || index == 5 || index == 6 || index == 10 || index == 20 || index == 21;
    }

    function test_sample_has_known_values() public view {
        Headers.Summary memory s = read(sample());
        assertEq(s.hash, hex"edd0a7e70ae9f31254d634324392e7047f41a9e881334431bc8f85035740325e");
        assertEq(s.inputs, hex"1b12224bb671cb1025279ee062035eb858b86a86551354cada2a6c50254195c4");
        assertEq(
            s.environment, hex"7494771f9b419b4a79729a2eb4961fa9fd0546989ef9e1d9d541a4d4cb2cc5ed"
        );
        assertEq(s.parent, bytes32(repeated(1)));
        assertEq(s.transactionsRoot, bytes32(repeated(5)));
        assertEq(s.number, 7);
        assertEq(s.timestamp, 1_700_000_000);
    }

    function test_each_item_changes_specified_hashes() public view {
        Headers.Summary memory base = read(sample());
        for (uint256 i = 0; i < 21; ++i) {
            bytes[] memory fields = sample();
            if (fields[i].length == 0) fields[i] = hex"01";
            else fields[i][0] ^= 0x01;
            Headers.Summary memory s = read(fields);
            assertTrue(s.hash != base.hash);
            assertEq(s.inputs == base.inputs, isOutcome(i), vm.toString(i));
            assertEq(s.environment == base.environment, isOutcome(i) || i == 4, vm.toString(i));
        }
    }

    /// @dev Items of later forks: the hash of the access list is an outcome, the slot is not.
    function test_items_of_later_forks_change_hashes() public view {
        bytes[] memory fields = new bytes[](23);
        for (uint256 i = 0; i < 21; ++i) {
            fields[i] = sample()[i];
        }
        fields[21] = repeated(12);
        fields[22] = GenesisHeaders.integer(7);
        Headers.Summary memory base = read(fields);
        fields[21] = repeated(13);
        assertEq(read(fields).inputs, base.inputs);
        fields[22] = GenesisHeaders.integer(8);
        assertTrue(read(fields).inputs != base.inputs);
        assertTrue(read(fields).environment != base.environment);
    }

    function test_number_of_items_changes_hashes() public view {
        bytes[] memory fields = sample();
        Headers.Summary memory with = read(fields);
        assembly ("memory-safe") {
            mstore(fields, 20)
        }
        Headers.Summary memory without = read(fields);
        assertTrue(with.inputs != without.inputs);
        assertTrue(with.environment != without.environment);
    }

    function test_item_count_and_length_bounds_are_exact() public {
        bytes[] memory fields = sample();
        assembly ("memory-safe") {
            mstore(fields, 17)
        }
        read(fields);
        assembly ("memory-safe") {
            mstore(fields, 16)
        }
        bytes memory header = GenesisHeaders.encode(fields);
        vm.expectRevert(abi.encodeWithSelector(Headers.HeaderItemsInvalid.selector, 16, 17, 23));
        headers.read(header);

        header = TransactionTries.listOf(new bytes(24));
        vm.expectRevert(abi.encodeWithSelector(Headers.HeaderItemsInvalid.selector, 24, 17, 23));
        headers.read(header);

        fields = sample();
        fields[12] = new bytes(1024 - 619 + 8 - 2);
        header = GenesisHeaders.encode(fields);
        assertEq(header.length, 1024);
        headers.read(header);
        fields[12] = new bytes(1024 - 619 + 8 - 1);
        header = GenesisHeaders.encode(fields);
        vm.expectRevert(abi.encodeWithSelector(Headers.HeaderTooLong.selector, 1025, 1024));
        headers.read(header);
    }

    function test_malformed_headers_revert() public {
        bytes memory good = GenesisHeaders.encode(sample());
        headers.read(good);

        // Positions in calldata are not those of the header, so only the error is compared.
        vm.expectPartialRevert(Rlp.RlpTrailingBytes.selector);
        headers.read(bytes.concat(good, hex"00"));
        vm.expectPartialRevert(Rlp.RlpNotList.selector);
        headers.read(hex"80");
        vm.expectPartialRevert(Rlp.RlpTruncated.selector);
        headers.read("");

        // The header of the list has three bytes; the parent hash follows.
        good[3] = 0xe0;
        vm.expectPartialRevert(Rlp.RlpNotString.selector);
        headers.read(good);

        bytes[] memory fields = sample();
        fields[0] = new bytes(31);
        bytes memory header = GenesisHeaders.encode(fields);
        vm.expectPartialRevert(Rlp.RlpLengthMismatch.selector);
        headers.read(header);

        fields = sample();
        fields[8] = hex"0007";
        header = GenesisHeaders.encode(fields);
        vm.expectPartialRevert(Rlp.RlpNotCanonical.selector);
        headers.read(header);

        fields[8] = hex"010000000000000000";
        header = GenesisHeaders.encode(fields);
        vm.expectPartialRevert(Rlp.RlpIntegerTooLarge.selector);
        headers.read(header);
    }
}
