// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {Execute} from "../../../contracts/libraries/Execute.sol";
import {BlobInputs} from "../../utils/ExecuteWithBlobs.sol";
import {IL2} from "../../utils/IL2.sol";
import {KeptInputs} from "../../utils/KeptInputs.sol";
import {L2} from "../../utils/L2.sol";
import {LieFixture} from "./LieFixture.sol";

/// @title A sequencer signs a header that execution does not give
/// @notice EXECUTE gives the true outcome for the same inputs. Whoever wants to slash an honest
/// sequencer has to show such a block; and whoever lies must not escape by the form of the input.
contract LiesTest is LieFixture {
    using L2 for L2.Chain;

    bytes internal input;
    bytes internal header;

    function setUp() public override {
        super.setUp();
        l2.transfer("alice", bob, 1 ether);
        l2.transfer("bob", alice, 2);
        (input, header) = sealed_();
    }

    function lying(uint256 index, bytes memory value)
        internal
        view
        returns (IPreconfBonds.Signed memory)
    {
        return promised(withItem(header, index, value));
    }

    function test_each_false_outcome_is_proven() public {
        assertLie(lying(3, abi.encode(uint256(1))), header, input);
        assertLie(lying(5, abi.encode(uint256(1))), header, input);
        bytes memory bloom = new bytes(256);
        bloom[7] = 0x01;
        assertLie(lying(6, bloom), header, input);
        assertLie(lying(10, hex"5208"), header, input);
        assertLie(lying(20, abi.encode(uint256(1))), header, input);
    }

    function test_true_statement_is_no_lie() public {
        expectLieRefused(
            promised(header),
            header,
            input,
            abi.encodeWithSelector(IPreconfBonds.OutcomesEqual.selector)
        );
        assertLie(lying(10, hex"5208"), header, input);
    }

    function test_another_block_proves_nothing() public {
        IPreconfBonds.Signed memory s = lying(10, hex"5208");
        // The same height and parent, without the second transaction.
        IL2.Head memory head = l2.head;
        l2.create(genesis());
        l2.transfer("alice", bob, 1 ether);
        (bytes memory otherInput, bytes memory other) = sealed_();
        vm.prank(reporter);
        vm.expectPartialRevert(IPreconfBonds.InputsDiffer.selector);
        bonds.accuseLie(s, other, otherInput, SALT);
        // A header that is not the block's.
        expectLieRefused(
            s,
            header,
            otherInput,
            abi.encodeWithSelector(
                IPreconfBonds.HeaderMismatch.selector, head.hash, keccak256(other)
            )
        );
        assertLie(s, header, input);
    }

    /// @dev A false block hash, state root or witness: EXECUTE refuses it, so no forged truth
    /// slashes an honest sequencer.
    function test_forged_truth_is_rejected() public {
        IPreconfBonds.Signed memory honest = promised(header);
        bytes memory forged = L2.broken(input, IL2.Field.StateRoot, bytes32(uint256(1)), true);
        bytes memory forgedHeader = withItem(header, 3, abi.encode(uint256(1)));
        bytes memory failed = abi.encodeWithSelector(Execute.ExecuteFailed.selector);
        expectLieRefused(honest, forgedHeader, forged, failed);
        forged = L2.broken(input, IL2.Field.NodeDropped, 0, "", false);
        expectLieRefused(lying(10, hex"5208"), header, forged, failed);
        assertLie(lying(10, hex"5208"), header, input);
    }

    /// @dev The same block under the rules of another fork may have another outcome.
    function test_schema_is_that_of_message() public {
        IPreconfBonds.Signed memory s = lying(10, hex"5208");
        s.message.schema = L2.PRAGUE;
        s = signed(s.message, s.header, key);
        expectLieRefused(
            s,
            header,
            input,
            abi.encodeWithSelector(IPreconfBonds.SchemaDiffers.selector, L2.OSAKA, L2.PRAGUE)
        );
        bytes memory nested = input;
        nested[1] = 0x02;
        s = lying(10, hex"5208");
        expectLieRefused(
            s,
            header,
            nested,
            abi.encodeWithSelector(IPreconfBonds.SchemaDiffers.selector, 0x1202, L2.OSAKA)
        );
        assertLie(s, header, L2.inputOf(l2.head.hash));
    }

    function test_chain_id_is_that_of_rollup() public {
        bytes memory other =
            L2.broken(input, IL2.Field.ChainId, bytes32(uint256(CHAIN_ID) + 1), false);
        IPreconfBonds.Signed memory s = lying(10, hex"5208");
        expectLieRefused(
            s,
            header,
            other,
            abi.encodeWithSelector(IPreconfBonds.ChainIdDiffers.selector, CHAIN_ID + 1, CHAIN_ID)
        );
        assertLie(s, header, input);
    }

    function test_batch_is_rejected() public {
        bytes memory batch = L2.batchOf(one(input));
        IPreconfBonds.Signed memory s = lying(10, hex"5208");
        expectLieRefused(
            s, header, batch, abi.encodeWithSelector(IPreconfBonds.InputNotSingle.selector, 1)
        );
        assertLie(s, header, input);
    }

    /// @dev Code on L1 in the place of a part of the input changes nothing.
    function test_input_may_refer_to_kept_code() public {
        bytes memory short = KeptInputs.shorten(input, KeptInputs.codesOf(input));
        assertLt(short.length, input.length);
        assertLie(lying(10, hex"5208"), header, short);
    }

    /// @dev In a transaction with blobs, each input has a trailer, and its end may be in a blob.
    function test_input_may_end_in_blob() public {
        BlobInputs.install();
        bytes memory posted = BlobInputs.post(one(input), 602)[0];
        assertLt(posted.length, input.length);
        assertLie(lying(10, hex"5208"), header, posted);
        expectLieRefused(
            lying(10, hex"5208"),
            header,
            input,
            abi.encodeWithSelector(Execute.ExecuteFailed.selector)
        );
    }

    /// forge-config: default.fuzz.runs = 32
    function test_inputs_of_any_length_are_read_or_rejected(uint256 length) public {
        bytes memory part = input;
        length = bound(length, 0, input.length - 1);
        assembly ("memory-safe") {
            mstore(part, length)
        }
        IPreconfBonds.Signed memory s = lying(10, hex"5208");
        vm.prank(reporter);
        vm.expectRevert();
        bonds.accuseLie(s, header, part, SALT);
    }

    /// @dev No condition and no time limits apply: execution has one result.
    function test_void_and_old_lie_is_punishable() public {
        IPreconfBonds.Signed memory s = lying(10, hex"5208");
        (s.message.l1Block, s.message.l1Hash) = (1, bytes32(uint256(1)));
        s = signed(s.message, s.header, key);
        skip(300 days);
        assertLie(s, header, input);
    }
}
