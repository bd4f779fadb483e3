// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Execute} from "../../contracts/libraries/Execute.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ForgeryAttack} from "./ForgeryAttack.sol";

/// @title Account that advances with forged fields
/// @notice The operator writes the input. If a rollup read a state root or a block hash from
/// anywhere but the bytes that EXECUTE has verified, its operator could set any state: an early
/// rollup of others took both as arguments and checked neither. Here there are no such arguments.
/// All stored values are read from the input, and each field of it is either compared with a value
/// that the rollup knows, or recomputed by EXECUTE. So no field can be changed: without a new block
/// hash the hash is wrong, with a new one the block is.
contract ForgedFieldsTest is ForgeryAttack {
    /// @dev Fields whose correct values only EXECUTE knows.
    function testFuzz_execution_results_cannot_be_forged(uint8 which, bytes32 value, bool rehash)
        public
    {
        IL2.Field[6] memory fields = [
            IL2.Field.StateRoot,
            IL2.Field.ReceiptsRoot,
            IL2.Field.PrevRandao,
            IL2.Field.GasUsed,
            IL2.Field.BaseFee,
            IL2.Field.FeeRecipient
        ];
        IL2.Field field = fields[which % 6];
        // With a new block hash, a block with another prev randao is another valid block: its
        // builder chooses the value.
        if (field == IL2.Field.PrevRandao) rehash = false;
        if (field == IL2.Field.GasUsed || field == IL2.Field.BaseFee) {
            value = bytes32(uint256(uint32(uint256(value))));
        }
        if (field == IL2.Field.FeeRecipient) value = bytes32(uint256(uint160(uint256(value))));
        bytes memory bad = L2.broken(honest, field, value, rehash);
        vm.assume(keccak256(bad) != keccak256(honest));
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }

    function test_transactions_cannot_be_changed_swapped_added_or_dropped() public {
        uint256 state = vm.snapshotState();
        bytes memory other = signedTransfer("alice", 2, 100 gwei);
        for (uint256 i = 0; i < 8; ++i) {
            bool rehash = i % 2 == 0;
            bytes memory bad;
            if (i < 2) bad = L2.broken(honest, IL2.Field.Transaction, 0, other, rehash);
            else if (i < 4) bad = L2.broken(honest, IL2.Field.TransactionAdded, 0, other, rehash);
            else if (i < 6) bad = L2.broken(honest, IL2.Field.TransactionDropped, 0, "", rehash);
            else bad = L2.broken(honest, IL2.Field.TransactionSwapped, 0, abi.encode(1), rehash);
            expectRefused(bad, Execute.ExecuteFailed.selector);
            vm.revertToState(state);
        }
    }

    function test_l2_has_no_blobs_and_no_withdrawals() public {
        bytes memory bad = L2.broken(honest, IL2.Field.WithdrawalAdded, 0, new bytes(44), true);
        expectRefused(bad, Execute.ExecuteFailed.selector);
    }
}
