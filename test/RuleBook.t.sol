// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @dev Each rule for a block is defined in one place, for all ways to verify blocks: a second
/// definition could differ from the first.
contract RuleBookTest is Test {
    using LibString for string;

    /// @dev Errors of the rules. `SchemaMismatch` is missing: each fork mode has its own rule.
    function rules() internal pure returns (string[26] memory) {
        return [
            "NothingToAdvance",
            "ChainIdMismatch",
            "ParentHashMismatch",
            "BlockNumberMismatch",
            "GasLimitMismatch",
            "TimestampNotAfterParent",
            "TimestampInFuture",
            "TimestampTooOld",
            "FeeRecipientMismatch",
            "AnchorMismatch",
            "AnchorNumberWentBack",
            "MessageCountWentBack",
            "AnchorTooFarAhead",
            "CheckpointAfterAnchor",
            "CheckpointUnknown",
            "AnchorUpdateUnused",
            "ForcedBatchUnused",
            "RelayProofUnused",
            "ForkWentBack",
            "ForkNotLater",
            "RelayProofMissing",
            "RelayedWentBack",
            "MessagesOverdue",
            "TooManyDischarges",
            "StillValid",
            "NotExpired"
        ];
    }

    function test_each_rule_is_defined_once() public view {
        string[26] memory names = rules();
        uint256[26] memory found;
        Vm.DirEntry[] memory entries = vm.readDir("contracts", 3);
        for (uint256 i = 0; i < entries.length; ++i) {
            if (entries[i].isDir) continue;
            // Comparisons with other forms of EXECUTE, and contracts of the L2, have their own.
            if (entries[i].path.contains("/dialects/")) continue;
            if (entries[i].path.contains("/l2/")) continue;
            string memory source = vm.readFile(entries[i].path);
            count(source, "revert ", "(", names, found);
            count(source, "Mismatch.fail(", ".selector", names, found);
        }
        for (uint256 i = 0; i < found.length; ++i) {
            assertEq(found[i], 1, names[i]);
        }
    }

    /// @dev Counts the rules whose errors stand in a source between `prefix` and `suffix`.
    function count(
        string memory source,
        string memory prefix,
        string memory suffix,
        string[26] memory names,
        uint256[26] memory found
    ) internal pure {
        uint256[] memory places = source.indicesOf(prefix);
        for (uint256 i = 0; i < places.length; ++i) {
            uint256 start = places[i] + bytes(prefix).length;
            string memory text = source.slice(start, source.indexOf(suffix, start));
            // The formatter may break the line after the prefix.
            text = text.replace(" ", "").replace("\n", "");
            if (text.startsWith("IRollup.")) text = text.slice(8);
            for (uint256 j = 0; j < names.length; ++j) {
                if (text.eq(names[j])) ++found[j];
            }
        }
    }
}
