// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {BatchBytes} from "../utils/BatchBytes.sol";
import {KeptInputs} from "../utils/KeptInputs.sol";
import {LibraryHarness} from "../utils/LibraryHarness.sol";

/// @dev An input with references is assembled into the input from which it was made; malformed
/// references are rejected.
contract KeptCodesTest is Test {
    using BatchBytes for bytes;

    LibraryHarness internal library_ = new LibraryHarness();

    /// @dev Returns pseudorandom bytes.
    function noise(uint256 length) internal pure returns (bytes memory out) {
        for (uint256 i = 0; out.length < length; ++i) {
            out = bytes.concat(out, keccak256(abi.encode(i)));
        }
        return out.slice(0, length);
    }

    function rangesOf(uint256 a, uint256 b, uint256 c, uint256 d)
        internal
        pure
        returns (uint256[] memory ranges)
    {
        ranges = new uint256[](4);
        (ranges[0], ranges[1], ranges[2], ranges[3]) = (a, b, c, d);
    }

    function referTo(uint256 position, address account) internal pure returns (bytes memory) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(uint32(position), account);
    }

    function testFuzz_assemble_restores_input_for_any_ranges(uint256 length, uint256[4] memory cut)
        public
    {
        bytes memory input = noise(bound(length, 2, 900));
        cut[0] = bound(cut[0], 0, input.length - 1);
        cut[1] = bound(cut[1], cut[0] + 1, input.length);
        cut[2] = bound(cut[2], cut[1], input.length);
        cut[3] = bound(cut[3], cut[2], input.length);
        bytes memory short = KeptInputs.shorten(input, rangesOf(cut[0], cut[1], cut[2], cut[3]));
        assertEq(library_.assembled(short), input);
    }

    function test_input_without_references_is_unchanged() public view {
        bytes[4] memory plain = [noise(100), bytes(""), hex"c0de00000000", hex"c0df0000000001"];
        for (uint256 i = 0; i < plain.length; ++i) {
            assertEq(library_.assembled(plain[i]), plain[i]);
        }
    }

    function test_overlapping_or_outlying_references_revert() public {
        bytes memory input = noise(300);
        address first = KeptInputs.keep(input.slice(50, 100));
        address second = KeptInputs.keep(input.slice(150, 200));
        bytes memory rest =
            bytes.concat(input.slice(0, 50), input.slice(100, 150), input.slice(200, 300));
        bytes memory both = bytes.concat(referTo(50, first), referTo(150, second));
        assertEq(library_.assembled(KeptInputs.compose(300, both, rest)), input);

        uint256[2][3] memory bad = [[uint256(50), 99], [uint256(50), 251], [uint256(201), 150]];
        for (uint256 i = 0; i < bad.length; ++i) {
            both = bytes.concat(referTo(bad[i][0], first), referTo(bad[i][1], second));
            bytes memory expected = i == 2
                ? abi.encodeWithSelector(KeptCodes.ReferenceOutOfPlace.selector, 0, 201, 0, 200)
                : abi.encodeWithSelector(
                    KeptCodes.ReferenceOutOfPlace.selector, 1, bad[i][1], 100, 250
                );
            vm.expectRevert(expected);
            library_.assembled(KeptInputs.compose(300, both, rest));
        }
        // At both ends of the allowed range.
        both = bytes.concat(referTo(50, first), referTo(100, second));
        assertEq(library_.assembled(KeptInputs.compose(300, both, rest)).length, 300);
        both = bytes.concat(referTo(50, first), referTo(250, second));
        assertEq(library_.assembled(KeptInputs.compose(300, both, rest)).length, 300);
    }

    function test_assembled_length_mismatch_reverts() public {
        bytes memory input = noise(300);
        bytes memory kept = referTo(100, KeptInputs.keep(input.slice(100, 200)));
        bytes memory rest = bytes.concat(input.slice(0, 100), input.slice(200, 300));
        uint16[4] memory lengths = [0, 199, 299, 301];
        for (uint256 i = 0; i < lengths.length; ++i) {
            uint256 got = lengths[i] < 200 ? 200 : 300;
            vm.expectRevert(
                abi.encodeWithSelector(KeptCodes.AssembledLengthMismatch.selector, got, lengths[i])
            );
            library_.assembled(KeptInputs.compose(lengths[i], kept, rest));
        }
        assertEq(library_.assembled(KeptInputs.compose(300, kept, rest)), input);
    }

    function test_missing_references_revert() public {
        bytes memory rest = noise(40);
        vm.expectRevert(KeptCodes.NoReferences.selector);
        library_.assembled(KeptInputs.compose(40, "", rest));
        // Its first seven bytes alone already mark an input with references.
        vm.expectRevert(KeptCodes.NoReferences.selector);
        library_.assembled(hex"c0de0000000000");
        vm.expectRevert(abi.encodeWithSelector(KeptCodes.ReferencesTooShort.selector, 7, 31));
        library_.assembled(hex"c0de0000000001");
        vm.expectRevert(abi.encodeWithSelector(KeptCodes.ReferencesTooShort.selector, 54, 55));
        library_.assembled(abi.encodePacked(hex"c0de0000002802", rest, bytes7(0)));
        bytes memory kept = referTo(40, KeptInputs.keep("kept"));
        assertEq(library_.assembled(KeptInputs.compose(44, kept, rest)), bytes.concat(rest, "kept"));
    }

    function test_reference_to_wrong_code_reverts() public {
        bytes memory data = noise(77);
        address account = KeptInputs.accountOf(data);
        bytes memory input = KeptInputs.compose(77, referTo(0, account), "");
        vm.expectRevert(abi.encodeWithSelector(KeptCodes.NothingKept.selector, 0, account));
        library_.assembled(input);
        vm.etch(account, abi.encodePacked(hex"00", data.slice(0, 76), hex"ff"));
        vm.expectPartialRevert(KeptCodes.NotKept.selector);
        library_.assembled(input);
        address elsewhere = makeAddr("elsewhere");
        vm.etch(elsewhere, abi.encodePacked(hex"00", data));
        vm.expectRevert(abi.encodeWithSelector(KeptCodes.NotKept.selector, 0, elsewhere, account));
        library_.assembled(KeptInputs.compose(77, referTo(0, elsewhere), ""));
        KeptInputs.keep(data);
        assertEq(library_.assembled(input), data);
    }
}
