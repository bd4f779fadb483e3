// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {LibRLP} from "solady/utils/LibRLP.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {Transactions} from "../../contracts/libraries/Transactions.sol";
import {LibraryHarness} from "../utils/LibraryHarness.sol";

/// @dev Transactions of type 2, built field by field. (`crates/contracts/tests/on_chain/libraries`
/// tests all types, and compares the result with what L2 nodes accept.)
contract TransactionsTest is Test {
    using LibRLP for LibRLP.List;

    uint64 private constant CHAIN = 8079;
    uint256 private constant KEY = 0xa11ce;
    uint256 private constant ORDER =
        0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    LibraryHarness private harness = new LibraryHarness();

    struct Fields {
        uint64 chainId;
        uint64 nonce;
        uint128 tip;
        uint128 fee;
        uint64 gas;
        address to;
        uint128 value;
        bytes data;
    }

    function testFuzz_signed_transaction_is_decoded(
        uint64 nonce,
        uint128 tip,
        uint128 fee,
        address to,
        uint128 value,
        bytes memory data
    ) public view {
        vm.assume(nonce != type(uint64).max);
        Fields memory f = Fields(
            CHAIN, nonce, tip < fee ? tip : fee, tip < fee ? fee : tip, 5_000_000, to, value, data
        );
        (Transactions.Transaction memory t, uint256 intrinsic) = harness.decode(signed(f), CHAIN);
        assertEq(t.kind, 2);
        assertEq(t.sender, vm.addr(KEY));
        assertEq(t.nonce, nonce);
        assertEq(t.maxFee, f.fee);
        assertEq(t.gasLimit, f.gas);
        assertEq(t.to, to);
        assertEq(t.value, value);
        assertEq(t.dataLength, data.length);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(t.selector, data.length < 4 ? bytes4(0) : bytes4(data));
        assertEq(t.addresses + t.keys + t.authorizations, 0);
        assertGe(intrinsic, 21_000 + 64 * data.length);
    }

    function test_argument_needs_whole_word() public view {
        Fields memory f = sample();
        f.data = new bytes(35);
        for (uint256 i = 0; i < 35; ++i) {
            f.data[i] = 0xff;
        }
        (Transactions.Transaction memory t,) = harness.decode(signed(f), CHAIN);
        assertEq(t.selector, bytes4(0xffffffff));
        assertEq(t.argument, 0);
        f.data = bytes.concat(f.data, hex"ff");
        (t,) = harness.decode(signed(f), CHAIN);
        assertEq(t.argument, bytes32(type(uint256).max));
    }

    /// @dev The header of the list grows with its length.
    function test_data_of_each_length_is_decoded() public view {
        uint24[8] memory lengths = [0, 20, 30, 200, 255, 256, 4000, 70_000];
        for (uint256 i = 0; i < 8; ++i) {
            Fields memory f = sample();
            (f.data, f.gas) = (new bytes(lengths[i]), 5_000_000);
            (Transactions.Transaction memory t,) = harness.decode(signed(f), CHAIN);
            assertEq(t.sender, vm.addr(KEY));
            assertEq(t.dataLength, lengths[i]);
        }
    }

    function testFuzz_other_chain_id_reverts(uint64 chainId, uint64 other) public {
        vm.assume(chainId != other);
        Fields memory f = sample();
        f.chainId = chainId;
        bytes memory raw = signed(f);
        harness.decode(raw, chainId);
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.TransactionChainIdMismatch.selector, chainId, other)
        );
        harness.decode(raw, other);
    }

    function testFuzz_gas_limit_below_intrinsic_gas_reverts(uint64 gas) public {
        Fields memory f = sample();
        (, uint256 minimum) = harness.decode(signed(f), CHAIN);
        f.gas = uint64(bound(gas, 0, minimum - 1));
        bytes memory raw = signed(f);
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.GasBelowIntrinsic.selector, f.gas, minimum)
        );
        harness.decode(raw, CHAIN);
        // forge-lint: disable-next-line(unsafe-typecast)
        f.gas = uint64(minimum);
        harness.decode(signed(f), CHAIN);
    }

    function testFuzz_tip_above_fee_reverts(uint128 tip, uint128 fee) public {
        vm.assume(tip > fee);
        Fields memory f = sample();
        (f.tip, f.fee) = (tip, fee);
        bytes memory raw = signed(f);
        vm.expectRevert(abi.encodeWithSelector(Transactions.TipAboveFee.selector, tip, fee));
        harness.decode(raw, CHAIN);
    }

    function test_high_s_signature_reverts() public {
        LibRLP.List memory fields = list(sample());
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest(fields));
        uint256 high = ORDER - uint256(s);
        bytes memory raw = closed(fields, 28 - v, uint256(r), high);
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.SignatureInvalid.selector, 28 - v, uint256(r), high)
        );
        harness.decode(raw, CHAIN);
    }

    /// @dev Every valid signature recovers to some account, even if nobody has its key.
    function test_signature_s_is_at_most_half_order() public {
        LibRLP.List memory fields = list(sample());
        uint256 half = ORDER / 2;
        (bytes memory maximum, bytes memory more) =
            (closed(fields, 0, 1, half), closed(list(sample()), 0, 1, half + 1));
        (Transactions.Transaction memory t,) = harness.decode(maximum, CHAIN);
        assertNotEq(t.sender, address(0));
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.SignatureInvalid.selector, 0, 1, half + 1)
        );
        harness.decode(more, CHAIN);
    }

    function testFuzz_other_types_revert(uint8 kind) public {
        bytes memory raw = signed(sample());
        if (kind == 1 || kind == 2 || kind == 4 || kind >= 0xc0) kind = 3;
        raw[0] = bytes1(kind);
        vm.expectRevert(abi.encodeWithSelector(Transactions.TypeNotSupported.selector, kind));
        harness.decode(raw, CHAIN);
    }

    function testFuzz_trailing_bytes_revert(bytes memory more) public {
        vm.assume(more.length != 0);
        bytes memory raw = signed(sample());
        harness.decode(raw, CHAIN);
        vm.expectPartialRevert(Rlp.RlpTrailingBytes.selector);
        harness.decode(bytes.concat(raw, more), CHAIN);
    }

    function testFuzz_random_bytes_revert_with_library_error(bytes memory raw) public view {
        try harness.decode(raw, CHAIN) {
            revert("no key signed this");
        } catch (bytes memory reason) {
            // Neither by an overflow nor by running out of gas.
            assertGe(reason.length, 4);
            // forge-lint: disable-next-line(unsafe-typecast)
            assertNotEq(bytes4(reason), bytes4(keccak256("Panic(uint256)")));
        }
    }

    function sample() private pure returns (Fields memory) {
        return Fields(CHAIN, 7, 1, 2, 100_000, address(0xb0b), 3, hex"01020304050607");
    }

    function list(Fields memory f) private pure returns (LibRLP.List memory fields) {
        fields.p(f.chainId).p(f.nonce).p(f.tip).p(f.fee);
        fields.p(f.gas).p(f.to).p(f.value).p(f.data);
        LibRLP.List memory none;
        fields.p(none);
    }

    function digest(LibRLP.List memory fields) private pure returns (bytes32) {
        return keccak256(bytes.concat(hex"02", fields.encode()));
    }

    function signed(Fields memory f) private pure returns (bytes memory) {
        LibRLP.List memory fields = list(f);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest(fields));
        return closed(fields, v - 27, uint256(r), uint256(s));
    }

    function closed(LibRLP.List memory fields, uint256 parity, uint256 r, uint256 s)
        private
        pure
        returns (bytes memory)
    {
        fields.p(parity).p(r).p(s);
        return bytes.concat(hex"02", fields.encode());
    }
}
