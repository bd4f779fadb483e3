// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {LibRLP} from "solady/utils/LibRLP.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {Transactions} from "../../contracts/libraries/Transactions.sol";
import {LibraryHarness} from "../utils/LibraryHarness.sol";

/// @dev Transaction types other than type 2, and the bounds of fields.
contract TransactionKindsTest is Test {
    using LibRLP for LibRLP.List;

    uint256 private constant KEY = 0xa11ce;

    LibraryHarness private harness = new LibraryHarness();

    function legacy(uint64 chainId) private pure returns (bytes memory) {
        LibRLP.List memory fields = plain();
        LibRLP.List memory preimage = plain().p(chainId).p(0).p(0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, keccak256(preimage.encode()));
        fields.p(35 + 2 * uint256(chainId) + v - 27).p(uint256(r)).p(uint256(s));
        return fields.encode();
    }

    function plain() private pure returns (LibRLP.List memory fields) {
        fields.p(7).p(1 gwei).p(21_000);
        fields.p(address(0xb0b)).p(3).p(bytes(""));
    }

    function testFuzz_legacy_signature_binds_chain_id(uint64 chainId, uint64 other) public {
        vm.assume(chainId != other);
        bytes memory raw = legacy(chainId);
        (Transactions.Transaction memory t,) = harness.decode(raw, chainId);
        assertEq(t.kind, 0);
        assertEq(t.sender, vm.addr(KEY));
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.TransactionChainIdMismatch.selector, chainId, other)
        );
        harness.decode(raw, other);
    }

    function test_small_chain_ids_are_decoded() public view {
        for (uint64 chainId = 0; chainId < 300; chainId += 7) {
            (Transactions.Transaction memory t,) = harness.decode(legacy(chainId), chainId);
            assertEq(t.sender, vm.addr(KEY));
        }
    }

    function test_legacy_signature_without_chain_id_reverts() public {
        LibRLP.List memory fields = plain();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, keccak256(fields.encode()));
        fields.p(v).p(uint256(r)).p(uint256(s));
        bytes memory raw = fields.encode();
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.TransactionChainIdMismatch.selector, 0, 1)
        );
        harness.decode(raw, 1);
        harness.decode(legacy(1), 1);
    }

    /// @dev Returns a signed transaction of type 1 or 4.
    function typed(
        uint8 kind,
        uint256 nonce,
        bytes memory to,
        LibRLP.List memory access,
        LibRLP.List memory authorizations
    ) private pure returns (bytes memory) {
        LibRLP.List memory f;
        f.p(1).p(nonce);
        if (kind == 4) f.p(0);
        f.p(1 gwei).p(1_000_000).p(to);
        f.p(3).p(bytes("data")).p(access);
        if (kind == 4) f.p(authorizations);
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(KEY, keccak256(bytes.concat(bytes1(kind), f.encode())));
        f.p(v - 27).p(uint256(r)).p(uint256(s));
        return bytes.concat(bytes1(kind), f.encode());
    }

    function oneAuthorization() private pure returns (LibRLP.List memory list) {
        LibRLP.List memory tuple = LibRLP.p(1).p(address(1)).p(0);
        list.p(tuple.p(1).p(2).p(3));
    }

    function test_access_lists_are_counted() public view {
        LibRLP.List memory none;
        bytes memory key = abi.encode(7);
        LibRLP.List memory access;
        access.p(LibRLP.p(address(1)).p(LibRLP.p(key).p(key).p(key)));
        access.p(LibRLP.p(address(2)).p(none));
        bytes memory to = abi.encodePacked(address(0xb0b));
        (Transactions.Transaction memory t, uint256 gas) =
            harness.decode(typed(1, 0, to, access, none), 1);
        assertEq(t.sender, vm.addr(KEY));
        assertEq(t.addresses, 2);
        assertEq(t.keys, 3);
        assertEq(gas, 21_000 + 16 * 4 + 2 * 4180 + 3 * 4048);
        (t,) = harness.decode(typed(4, 0, to, access, oneAuthorization()), 1);
        assertEq(t.authorizations, 1);
        assertEq(t.keys, 3);
    }

    function test_short_storage_key_reverts() public {
        LibRLP.List memory none;
        LibRLP.List memory access;
        access.p(LibRLP.p(address(1)).p(LibRLP.p(bytes("short"))));
        bytes memory raw = typed(1, 0, abi.encodePacked(address(1)), access, none);
        vm.expectPartialRevert(Rlp.RlpLengthMismatch.selector);
        harness.decode(raw, 1);
    }

    function test_integer_with_leading_zero_reverts() public {
        LibRLP.List memory none;
        LibRLP.List memory access;
        access.p(LibRLP.p(bytes(hex"0001")));
        bytes memory raw = typed(1, 0, abi.encodePacked(address(1)), none, none);
        harness.decode(raw, 1);
        vm.expectPartialRevert(Rlp.RlpNotCanonical.selector);
        harness.integer(hex"820001", 32);
    }

    function test_maximum_nonce_reverts() public {
        LibRLP.List memory none;
        bytes memory to = abi.encodePacked(address(1));
        bytes memory raw = typed(1, type(uint64).max, to, none, none);
        vm.expectRevert(
            abi.encodeWithSelector(Transactions.NonceTooHigh.selector, type(uint64).max)
        );
        harness.decode(raw, 1);
        harness.decode(typed(1, type(uint64).max - 1, to, none, none), 1);
    }

    function test_malformed_target_reverts() public {
        LibRLP.List memory none;
        bytes memory raw = typed(1, 0, new bytes(19), none, none);
        vm.expectRevert(abi.encodeWithSelector(Transactions.TargetMalformed.selector, 19));
        harness.decode(raw, 1);
        raw = typed(4, 0, "", none, oneAuthorization());
        vm.expectRevert(abi.encodeWithSelector(Transactions.TargetMalformed.selector, 0));
        harness.decode(raw, 1);
        (Transactions.Transaction memory t,) = harness.decode(typed(1, 0, "", none, none), 1);
        assertTrue(t.creates);
    }

    function test_type_four_without_authorization_reverts() public {
        LibRLP.List memory none;
        bytes memory raw = typed(4, 0, abi.encodePacked(address(1)), none, none);
        vm.expectRevert(Transactions.NoAuthorization.selector);
        harness.decode(raw, 1);
    }

    function test_unrecoverable_signature_reverts() public {
        LibRLP.List memory f;
        LibRLP.List memory none;
        f.p(1).p(0).p(1 gwei).p(1_000_000);
        f.p(address(1)).p(3).p(bytes("")).p(none);
        f.p(0).p(0).p(1);
        bytes memory raw = bytes.concat(hex"01", f.encode());
        vm.expectRevert(abi.encodeWithSelector(Transactions.SignatureInvalid.selector, 0, 0, 1));
        harness.decode(raw, 1);
    }

    function gasOf(
        bool creates,
        uint256 dataLength,
        uint256 addresses,
        uint256 keys,
        uint256 authorizations
    ) private pure returns (uint256) {
        Transactions.Transaction memory t;
        (t.creates, t.dataLength, t.addresses) = (creates, dataLength, addresses);
        (t.keys, t.authorizations) = (keys, authorizations);
        return Transactions.intrinsicGas(t);
    }

    /// @dev Each part by itself, both where execution costs more and where the floor does.
    function test_intrinsic_gas_is_sum_of_parts() public pure {
        assertEq(gasOf(false, 0, 0, 0, 0), 21_000);
        assertEq(gasOf(false, 0, 3, 0, 0), 21_000 + 3 * 4180);
        assertEq(gasOf(false, 0, 0, 3, 0), 21_000 + 3 * 4048);
        assertEq(gasOf(false, 10, 0, 0, 2), 21_000 + 10 * 16 + 2 * 25_000);
        assertEq(gasOf(false, 1000, 0, 0, 0), 21_000 + 64 * 1000);
        assertEq(gasOf(false, 1000, 1, 2, 0), 21_000 + 64 * (1000 + 20 + 2 * 32));
        assertEq(gasOf(true, 1000, 0, 0, 0), 21_000 + 32_000 + 64 * 1000);
    }

    function test_init_code_costs_gas_per_word() public pure {
        uint8[2][6] memory words = [[0, 0], [1, 1], [31, 1], [32, 1], [33, 2], [65, 3]];
        for (uint256 i = 0; i < 6; ++i) {
            uint256 minimum = 21_000 + 32_000 + 3 * 4180 + 16 * uint256(words[i][0]);
            assertEq(gasOf(true, words[i][0], 3, 0, 0), minimum + 2 * words[i][1]);
        }
    }

    /// @dev Returns a transaction of type 2 with these numbers: chain id, nonce, priority fee, fee
    /// cap, gas limit, value. Some of the tested numbers exceed every Solidity type of the field.
    function numbered(uint256[6] memory n) private pure returns (bytes memory) {
        LibRLP.List memory none;
        LibRLP.List memory f;
        f.p(n[0]).p(n[1]).p(n[2]).p(n[3]).p(n[4]).p(address(0xb0b));
        f.p(n[5]).p(bytes("")).p(none);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, keccak256(bytes.concat(hex"02", f.encode())));
        f.p(v - 27).p(uint256(r)).p(uint256(s));
        return bytes.concat(hex"02", f.encode());
    }

    function test_numbers_wider_than_fields_revert() public {
        uint128 fee = type(uint128).max;
        uint64 gas = type(uint64).max;
        uint256[6] memory maximum =
            [uint256(type(uint64).max), gas - 1, fee, fee, gas, type(uint128).max];
        uint256[6] memory width = [uint256(32), 8, 16, 16, 8, 16];
        (Transactions.Transaction memory t,) = harness.decode(numbered(maximum), type(uint64).max);
        assertEq(t.sender, vm.addr(KEY));
        assertEq(t.nonce, gas - 1);
        assertEq(t.maxFee, fee);
        assertEq(t.gasLimit, gas);
        assertEq(t.value, type(uint128).max);
        for (uint256 i = 1; i < 6; ++i) {
            uint256 before = maximum[i];
            // Truncated to its type, the value would be 1, or 21,000 gas.
            maximum[i] = (uint256(1) << (8 * width[i])) + (i == 4 ? 21_000 : 1);
            bytes memory raw = numbered(maximum);
            vm.expectPartialRevert(Rlp.RlpIntegerTooLarge.selector);
            harness.decode(raw, type(uint64).max);
            maximum[i] = before;
        }
    }

    /// @dev Returns a transaction with a tuple in which chain id, nonce, parity, r and s have the
    /// maximum length, or one of them a byte more.
    function authorizing(uint256 which, bool longer) private pure returns (bytes memory) {
        LibRLP.List memory none;
        uint8[5] memory width = [32, 8, 1, 32, 32];
        LibRLP.List memory tuple;
        for (uint256 i = 0; i < 5; ++i) {
            bytes memory number = new bytes(width[i] + (longer && i == which ? 1 : 0));
            for (uint256 j = 0; j < number.length; ++j) {
                number[j] = 0xff;
            }
            tuple.p(number);
            if (i == 0) tuple.p(address(0xb0b));
        }
        LibRLP.List memory list;
        list.p(tuple);
        return typed(4, 0, abi.encodePacked(address(1)), none, list);
    }

    function test_numbers_wider_than_authorization_fields_revert() public {
        (Transactions.Transaction memory t,) = harness.decode(authorizing(0, false), 1);
        assertEq(t.authorizations, 1);
        for (uint256 i = 0; i < 5; ++i) {
            bytes memory raw = authorizing(i, true);
            vm.expectPartialRevert(Rlp.RlpIntegerTooLarge.selector);
            harness.decode(raw, 1);
        }
    }
}
