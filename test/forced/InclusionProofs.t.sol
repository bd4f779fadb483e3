// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {HeaderFields} from "../../contracts/libraries/HeaderFields.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {AnchorFixture} from "../utils/AnchorFixture.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TransactionTries} from "../utils/TransactionTries.sol";

/// @dev Inclusion of a forced transaction, shown by the header of its block.
contract InclusionProofsTest is AnchorFixture {
    using L2 for L2.Chain;

    bytes internal forcedRaw;
    IRollup.ForcedTransaction internal forced;

    function setUp() public override {
        super.setUp();
        installDialect(Execute.HEADERS_PRECOMPILE, "dialect=headers");
        forcedRaw = signedTransfer("alice", 0, 100 gwei);
        forced = submit(forcedRaw);
        skip(FORCED_DELAY + 1);
    }

    function rootOf(bytes calldata header) external pure returns (bytes32, bytes32) {
        return HeaderFields.transactionsRoot(header);
    }

    /// @dev Returns the header of the only block of an input.
    function headerOf(bytes memory input) internal view returns (bytes memory) {
        (bool ok, bytes memory answer) = Execute.HEADERS_PRECOMPILE.staticcall(input);
        assertTrue(ok);
        uint256 start = Execute.RESULT_LENGTH + 4;
        return BlobInputs.slice(answer, start, answer.length - start);
    }

    /// @dev Returns a block of these transactions, and the proof of the one at `position`.
    function sealed_(bytes[] memory all, uint64 position)
        internal
        returns (bytes memory input, IRollup.Discharge memory d)
    {
        for (uint256 i = 0; i < all.length; ++i) {
            l2.raw(all[i]);
        }
        IL2.Sealed memory b = l2.sealBlock(l2.next());
        assertEq(b.transactionHashes.length, all.length);
        input = b.input;
        d = discharge(forced, IRollup.Outcome.Included);
        d.position = position;
        d.code = headerOf(input);
        bytes32 root;
        (root, d.accountProof) = TransactionTries.prove(all, position);
        (bytes32 hash, bytes32 expected) = this.rootOf(d.code);
        assertEq(hash, l2.head.hash);
        assertEq(root, expected);
    }

    /// @dev Returns the forced transaction among transfers.
    function among(uint256 before, uint256 later) internal returns (bytes[] memory all) {
        all = new bytes[](before + 1 + later);
        IL2.Transaction memory t = L2.transaction("bob", alice, 1, "");
        t.nonce = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            if (i == before) {
                all[i] = forcedRaw;
                continue;
            }
            all[i] = l2.sign(t);
            ++t.nonce;
        }
    }

    function assertDischarged() internal view {
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_proof_shows_inclusion(uint8 before, uint8 later) public {
        (bytes memory input, IRollup.Discharge memory d) =
            sealed_(among(before % 24, later % 24), before % 24);
        rollup.advance(one(input), one(d));
        assertDischarged();
    }

    /// @dev Keys of one, two and three bytes.
    function test_proof_shows_inclusion_after_many_transactions() public {
        uint64[3] memory positions = [uint64(127), 128, 256];
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 3; ++i) {
            (bytes memory input, IRollup.Discharge memory d) =
                sealed_(among(positions[i], 1), positions[i]);
            rollup.advance(one(input), one(d));
            assertDischarged();
            vm.revertToState(state);
        }
    }

    function test_block_in_blobs_discharges_by_proof() public {
        BlobInputs.install();
        (bytes memory input, IRollup.Discharge memory d) = sealed_(among(1, 2), 1);
        bytes[] memory posted = BlobInputs.post(one(input), 602);
        IRollup.Discharge memory byIndex = discharge(forced, IRollup.Outcome.Included);
        byIndex.position = 1;
        vm.expectRevert(Execute.TransactionsInBlobs.selector);
        rollup.advance(posted, one(byIndex));
        rollup.advance(posted, one(d));
        assertDischarged();
    }

    function test_batch_in_blobs_discharges_by_proof() public {
        BlobInputs.install();
        bytes[] memory inputs = new bytes[](1);
        IRollup.Discharge memory d;
        (inputs[0], d) = sealed_(among(2, 0), 2);
        bytes[] memory posted = BlobInputs.post(one(L2.batchOf(inputs)), 0);
        rollup.advance(posted, one(d));
        assertDischarged();
    }

    function test_header_of_another_block_is_rejected() public {
        (bytes memory input, IRollup.Discharge memory d) = sealed_(among(1, 1), 1);
        bytes memory good = d.code;
        d.code = bytes.concat(good);
        d.code[100] ^= 0x01;
        expectRefused(
            input,
            one(d),
            abi.encodeWithSelector(
                IRollup.HeaderMismatch.selector, keccak256(d.code), keccak256(good)
            )
        );
        d.code = good;
        rollup.advance(one(input), one(d));
        assertDischarged();
    }

    function test_another_transaction_is_rejected() public {
        bytes[] memory all = among(1, 2);
        (bytes memory input, IRollup.Discharge memory d) = sealed_(all, 1);
        bytes[] memory good = d.accountProof;
        // A valid proof of another transaction.
        (, d.accountProof) = TransactionTries.prove(all, 3);
        d.position = 3;
        expectNotIncluded(input, d, keccak256(all[3]));
        d.accountProof = good;
        // A position without a transaction, and ones beyond all keys.
        d.position = 4;
        expectNotIncluded(input, d, 0);
        d.position = 1 << 16;
        expectNotIncluded(input, d, 0);
        d.position = type(uint64).max;
        expectNotIncluded(input, d, 0);
        // A position elsewhere in the trie.
        d.position = 0;
        bytes[] memory inputs = one(input);
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        rollup.advance(inputs, one(d));
        d.position = 1;
        rollup.advance(inputs, one(d));
        assertDischarged();
    }

    /// @dev A trie with one leaf has that leaf as its root.
    function test_position_outside_only_leaf_is_rejected() public {
        (bytes memory input, IRollup.Discharge memory d) = sealed_(among(0, 0), 0);
        d.position = 1;
        expectNotIncluded(input, d, 0);
        d.position = 0;
        rollup.advance(one(input), one(d));
        assertDischarged();
    }

    function expectNotIncluded(bytes memory input, IRollup.Discharge memory d, bytes32 got)
        internal
    {
        expectRefused(
            input, one(d), abi.encodeWithSelector(IRollup.NotIncluded.selector, 0, got, forced.hash)
        );
    }

    function test_broken_proof_is_rejected() public {
        (bytes memory input, IRollup.Discharge memory d) = sealed_(among(1, 2), 1);
        bytes[] memory good = d.accountProof;
        uint256 count = good.length;
        assertEq(count, 3);
        // A node fewer, and one more.
        d.accountProof = new bytes[](count - 1);
        (d.accountProof[0], d.accountProof[1]) = (good[0], good[1]);
        expectRefused(
            input, one(d), abi.encodeWithSelector(StateProof.ProofIncomplete.selector, count - 1)
        );
        d.accountProof = new bytes[](count + 1);
        for (uint256 i = 0; i <= count; ++i) {
            d.accountProof[i] = good[i % count];
        }
        expectRefused(
            input,
            one(d),
            abi.encodeWithSelector(StateProof.ProofTooLong.selector, count, count + 1)
        );
        d.accountProof = good;
        for (uint256 i = 0; i < count; ++i) {
            bytes memory node = good[i];
            bytes32 hash = keccak256(node);
            node[node.length / 2] ^= 0x01;
            expectRefused(
                input,
                one(d),
                abi.encodeWithSelector(
                    StateProof.NodeHashMismatch.selector, i, keccak256(node), hash
                )
            );
            node[node.length / 2] ^= 0x01;
        }
        rollup.advance(one(input), one(d));
        assertDischarged();
    }

    /// @dev A leaf as long as a full branch, with the hash of a forged leaf where a branch has that
    /// of a child.
    function test_transaction_encoded_like_branch_is_rejected() public {
        bytes[] memory forgedTrie = new bytes[](1);
        forgedTrie[0] = forcedRaw;
        (bytes32 hash, bytes[] memory forgedLeaf) = TransactionTries.prove(forgedTrie, 0);
        // The payload also has the headers of path and value, of three bytes each.
        IL2.Transaction memory t = L2.transaction("bob", alice, 1, new bytes(300));
        uint256 rest = l2.sign(t).length - 300;
        t.data = new bytes(33 * 16 + 1 - 6 - rest);
        bytes[] memory all = new bytes[](1);
        all[0] = l2.sign(t);
        (, bytes[] memory leaf) = TransactionTries.prove(all, 0);
        uint256 header = leaf[0].length - (33 * 16 + 1);
        assertEq(header, 3);
        // The first nibble of the key is 8. After the calldata: access list and signature.
        uint256 place = header + 33 * 8;
        uint256 dataAt = leaf[0].length - 68 - t.data.length;
        t.data[place - dataAt] = 0xa0;
        for (uint256 i = 0; i < 32; ++i) {
            t.data[place - dataAt + 1 + i] = hash[i];
        }
        all[0] = l2.sign(t);
        (bytes memory input, IRollup.Discharge memory d) = sealed_(all, 0);
        assertEq(uint8(d.accountProof[0][place]), 0xa0);
        assertEq(bytes32(BlobInputs.slice(d.accountProof[0], place + 1, 32)), hash);
        bytes[] memory nodes = new bytes[](2);
        (nodes[0], nodes[1]) = (d.accountProof[0], forgedLeaf[0]);
        d.accountProof = nodes;
        expectRefused(input, one(d), abi.encodeWithSelector(StateProof.ProofTooLong.selector, 1, 2));
    }
}
