// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {ForgeryAttack} from "./ForgeryAttack.sol";

/// @title Fields that only the operator would check
/// @notice EXECUTE verifies that a block is valid, not that it is useful. Validity leaves the
/// schema, the chain, the parent, the gas limit within a range, the timestamp and the view of L1 to
/// the builder: an early rollup checked none of these, so that its operator could double the gas
/// limit within a few blocks until no block could be advanced, or continue from a parent that was
/// never the head. Every such field is compared with storage or with L1; prev randao and extra data
/// are arbitrary and have no meaning here.
contract OperatorFieldsTest is ForgeryAttack {
    function test_governed_fields_cannot_be_changed() public {
        uint256 state = vm.snapshotState();
        IL2.Field[7] memory fields = [
            IL2.Field.Schema,
            IL2.Field.ChainId,
            IL2.Field.ParentHash,
            IL2.Field.Number,
            IL2.Field.GasLimit,
            IL2.Field.Timestamp,
            IL2.Field.Anchor
        ];
        bytes4[7] memory errors = [
            IRollup.ForkWentBack.selector,
            IRollup.ChainIdMismatch.selector,
            IRollup.ParentHashMismatch.selector,
            IRollup.BlockNumberMismatch.selector,
            IRollup.GasLimitMismatch.selector,
            IRollup.TimestampNotAfterParent.selector,
            IRollup.AnchorMismatch.selector
        ];
        for (uint256 i = 0; i < 7; ++i) {
            // For the schema, another known one.
            bytes32 value = i == 0 ? bytes32(uint256(L2.PRAGUE)) : bytes32(uint256(7));
            bytes memory bad = L2.broken(honest, fields[i], value, false);
            expectRefused(bad, errors[i]);
            vm.revertToState(state);
        }
    }
}
