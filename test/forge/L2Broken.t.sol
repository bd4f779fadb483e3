// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {Counter, L2TestBase} from "./L2.t.sol";

contract L2BrokenTest is L2TestBase {
    using L2 for L2.Chain;

    bytes internal input;

    function setUp() public override {
        super.setUp();
        address counter =
            l2.deploy("alice", abi.encodePacked(type(Counter).creationCode, uint256(7)));
        l2.seal();
        l2.callFrom("alice", counter, abi.encodeCall(Counter.set, (8)));
        l2.transfer("bob", SINK, 1);
        input = l2.seal();
    }

    function test_unchanged_block_is_no_broken_promise() public {
        assertEq(L2.broken(input, new IL2.Change[](0), false), input);
        assertEq(L2.broken(input, new IL2.Change[](0), true), input);
        assertAccepted(input);
    }

    function test_changed_field_makes_another_block() public {
        IL2.Field[11] memory fields = scalars();
        for (uint256 i = 0; i < fields.length; ++i) {
            // A gas limit that the transactions exceed is detected before the hash is checked.
            uint256 value = fields[i] == IL2.Field.GasLimit ? 30_000_000 : 9;
            assertRefused(L2.broken(input, fields[i], bytes32(value), false), "block hash");
        }
        assertRefused(
            L2.broken(input, IL2.Field.BlockHash, keccak256("another"), true), "block hash"
        );
    }

    function test_rehashed_block_is_rejected_for_changed_field() public {
        expect(IL2.Field.StateRoot, keccak256("another"), "state root");
        expect(IL2.Field.ReceiptsRoot, keccak256("another"), "receipts root");
        expect(IL2.Field.GasUsed, bytes32(uint256(21_000)), "gas used");
        expect(IL2.Field.ParentHash, keccak256("another"), "parent");
        expect(IL2.Field.Number, bytes32(uint256(9)), "number");
        expect(IL2.Field.GasLimit, bytes32(uint256(30_000_000)), "gas limit");
        expect(IL2.Field.Timestamp, bytes32(uint256(l2.head.timestamp - 1)), "timestamp");
        expect(IL2.Field.BaseFee, bytes32(uint256(9)), "base fee");
        expect(IL2.Field.BlobGasUsed, bytes32(uint256(131_072)), "blob_gas_used");
        expect(IL2.Field.ExcessBlobGas, bytes32(uint256(131_072)), "excess_blob_gas");
        // These are the sequencer's choice, but they change the effect of the block.
        expect(IL2.Field.Anchor, keccak256("another"), "state root");
        expect(IL2.Field.FeeRecipient, bytes32(uint256(0xfee)), "state root");
        expectBytes(IL2.Field.LogsBloom, 0, new bytes(256), "bloom");
        expectBytes(IL2.Field.WithdrawalAdded, 0, new bytes(44), "withdrawals");
        expectBytes(IL2.Field.VersionedHashAdded, 0, new bytes(32), "versioned hashes");
    }

    function test_free_fields_make_another_valid_block() public {
        assertAccepted(L2.broken(input, IL2.Field.PrevRandao, keccak256("another"), true));
        assertAccepted(L2.broken(input, IL2.Field.ExtraData, 0, "another", true));
    }

    function test_transactions_are_changed_added_dropped_and_swapped() public {
        // A transaction that could follow those of the block.
        bytes memory another = l2.sign(L2.transaction("bob", SINK, 1, ""));
        expectBytes(IL2.Field.Transaction, 1, another, "nonce");
        expectBytes(IL2.Field.Transaction, 1, hex"c0", "transaction 1");
        expectBytes(IL2.Field.TransactionAdded, 2, another, "gas used");
        expectBytes(IL2.Field.TransactionDropped, 0, "", "gas used");
        expectBytes(IL2.Field.TransactionSwapped, 0, abi.encode(1), "receipts root");
        IL2.Change[] memory twice = new IL2.Change[](2);
        twice[0] = IL2.Change(IL2.Field.TransactionSwapped, 0, abi.encode(1));
        twice[1] = IL2.Change(IL2.Field.TransactionSwapped, 1, abi.encode(0));
        assertEq(L2.broken(input, twice, true), input);
    }

    function test_input_with_full_state_fails_by_block_rule() public {
        bytes memory wide = L2.wideInputOf(l2.head.hash);
        assertAccepted(wide);
        assertGt(wide.length, input.length);
        // The sender did not exist at that block.
        l2.head.hash = L2.proveAt(l2.head.hash, SINK, new bytes32[](0)).head.parentHash;
        bytes memory another = l2.sign(L2.transaction("carol", SINK, 1, ""));
        input = wide;
        expectBytes(IL2.Field.TransactionAdded, 0, another, "gas used");
        expectBytes(IL2.Field.Transaction, 0, another, "gas used");
    }

    function test_incomplete_witness_is_rejected() public {
        assertRefused(L2.broken(input, IL2.Field.NodeDropped, 0, "", false), "");
        assertRefused(L2.broken(input, IL2.Field.Node, 0, hex"c0", false), "");
        // Which code is the last one in ascending order is arbitrary; the call must fail without
        // all of them.
        assertRefused(L2.broken(input, IL2.Field.CodeDropped, 0, "", false), "");
        assertRefused(L2.broken(input, IL2.Field.Code, 0, hex"00", false), "");
        assertRefused(L2.broken(input, IL2.Field.HeaderDropped, 0, "", false), "");
        assertRefused(L2.broken(input, IL2.Field.Header, 0, hex"c0", false), "");
    }

    function test_input_of_another_chain_or_schema_is_rejected() public {
        assertRefused(
            L2.broken(input, IL2.Field.ChainId, bytes32(uint256(5)), false), "transaction"
        );
        assertRefused(L2.broken(input, IL2.Field.Schema, bytes32(uint256(0x1234)), false), "schema");
        assertAccepted(L2.broken(input, IL2.Field.Schema, bytes32(uint256(L2.OSAKA)), false));
    }

    function test_first_change_does_not_hide_second() public {
        IL2.Change[] memory both = new IL2.Change[](2);
        both[0] = IL2.Change(IL2.Field.PrevRandao, 0, abi.encode(1));
        both[1] = IL2.Change(IL2.Field.StateRoot, 0, abi.encode(2));
        assertRefused(L2.broken(input, both, true), "state root");
    }

    function test_change_that_cannot_be_made_is_named() public {
        expectNoChange(IL2.Field.Transaction, 2, "", "there is no item 2, only 2");
        expectNoChange(IL2.Field.StateRoot, 0, "short", "5 bytes, expected 32");
        expectNoChange(IL2.Field.GasUsed, 0, abi.encode(1 << 64), "does not fit");
    }

    function expect(IL2.Field field, bytes32 value, string memory reason) internal {
        assertRefused(L2.broken(input, field, value, true), reason);
    }

    function expectBytes(IL2.Field field, uint256 index, bytes memory value, string memory reason)
        internal
    {
        assertRefused(L2.broken(input, field, index, value, true), reason);
    }

    function expectNoChange(
        IL2.Field field,
        uint256 index,
        bytes memory value,
        string memory expected
    ) internal {
        try this.change(field, index, value) {
            revert("changed");
        } catch (bytes memory reason) {
            assertHelperRefused(reason, expected);
        }
    }

    function change(IL2.Field field, uint256 index, bytes memory value) external {
        L2.broken(input, field, index, value, true);
    }

    function scalars() internal pure returns (IL2.Field[11] memory) {
        return [
            IL2.Field.Anchor,
            IL2.Field.ParentHash,
            IL2.Field.FeeRecipient,
            IL2.Field.StateRoot,
            IL2.Field.ReceiptsRoot,
            IL2.Field.PrevRandao,
            IL2.Field.Number,
            IL2.Field.GasLimit,
            IL2.Field.GasUsed,
            IL2.Field.Timestamp,
            IL2.Field.BaseFee
        ];
    }
}
