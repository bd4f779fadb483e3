// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IVerifier} from "../../contracts/interfaces/IVerifier.sol";
import {Commitments} from "../../contracts/libraries/Commitments.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ExecuteVerifier} from "../../contracts/verified/ExecuteVerifier.sol";
import {Parrot} from "../utils/Parrot.sol";
import {PrefixFixture} from "../utils/PrefixFixture.sol";
import {BlobInputs} from "../utils/ExecuteWithBlobs.sol";
import {L2} from "../utils/L2.sol";

/// @dev The verifier on the real EXECUTE.
contract ExecuteVerifierTest is PrefixFixture {
    using L2 for L2.Chain;

    function test_block_and_batch_verify_with_witness() public {
        bytes memory single = sealOne();
        assertValid(single);
        bytes[] memory inputs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            inputs[i] = sealOne();
        }
        assertValid(L2.batchOf(inputs));
    }

    function test_false_block_is_rejected() public {
        bytes memory input = sealOne();
        (bytes memory prefix, bytes memory witness) = cut(input);
        // The state root of the block.
        bytes memory forged = bytes.concat(prefix);
        forged[62 + 52] ^= 0x01;
        expectFailure(forged, witness);
        assertValid(input);
    }

    function test_witness_proves_its_own_block_only() public {
        (bytes memory first, bytes memory witness) = cut(sealOne());
        (bytes memory second, bytes memory other) = cut(sealOne());
        expectFailure(first, other);
        expectFailure(second, witness);
        expectFailure(first, bytes.concat(witness, hex"00"));
        assertEq(verifier.verify("", first, witness), IVerifier.verify.selector);
        assertEq(verifier.verify("", second, other), IVerifier.verify.selector);
    }

    function test_input_without_proof_continues_in_blobs() public {
        BlobInputs.install();
        bytes memory input = sealOne();
        bytes[] memory inputs = new bytes[](1);
        inputs[0] = input;
        bytes memory posted = BlobInputs.post(inputs, 602)[0];
        assertEq(verifier.verify("", posted, ""), IVerifier.verify.selector);
        // In the same transaction, a prefix with its witness.
        assertValid(input);
        // Without blobs, the head and its trailer are no input.
        vm.blobhashes(new bytes32[](0));
        vm.expectPartialRevert(Execute.PrefixEndsElsewhere.selector);
        verifier.verify("", posted, "");
    }

    /// @dev EXECUTE at other addresses, as on another L1.
    function test_execute_may_be_anywhere() public {
        installDialect(address(0xe1), "");
        ExecuteVerifier elsewhere = new ExecuteVerifier(address(0xe1), address(0xe3));
        assertEq(elsewhere.PLAIN(), address(0xe1));
        assertEq(elsewhere.BLOBS(), address(0xe3));
        (bytes memory prefix, bytes memory witness) = cut(sealOne());
        vm.etch(Execute.PRECOMPILE, "");
        assertEq(elsewhere.verify("", prefix, witness), IVerifier.verify.selector);
        vm.expectRevert(Execute.ExecuteAbsent.selector);
        verifier.verify("", prefix, witness);
    }

    /// @dev Whatever an account at the address returns, only the result of a valid block counts.
    function test_each_part_of_result_is_checked() public {
        (bytes memory prefix, bytes memory witness) = cut(sealOne());
        (bool ok, bytes memory result) =
            Execute.PRECOMPILE.staticcall(bytes.concat(prefix, witness));
        assertTrue(ok);
        assertEq(result.length, Execute.RESULT_LENGTH);
        Parrot parrot = new Parrot();
        ExecuteVerifier fake = new ExecuteVerifier(address(parrot), address(0));
        parrot.teach(result);
        assertEq(fake.verify("", prefix, witness), IVerifier.verify.selector);
        uint8[3] memory positions = [32, 33, 41];
        for (uint256 i = 0; i < positions.length; ++i) {
            bytes memory other = bytes.concat(result);
            other[positions[i]] ^= 0x04;
            parrot.teach(other);
            vm.expectRevert();
            fake.verify("", prefix, witness);
        }
        parrot.teach(bytes.concat(result, hex"00"));
        vm.expectPartialRevert(Execute.ResultLengthMismatch.selector);
        fake.verify("", prefix, witness);
    }
}
