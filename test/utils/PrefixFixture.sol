// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IVerifier} from "../../contracts/interfaces/IVerifier.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ExecuteVerifier} from "../../contracts/verified/ExecuteVerifier.sol";
import {BatchBytes} from "./BatchBytes.sol";
import {BlobInputs} from "./ExecuteWithBlobs.sol";
import {ExecuteTest} from "./ExecuteTest.sol";
import {L2} from "./L2.sol";

/// @title Verifier on a chain with EXECUTE, and inputs in two parts
abstract contract PrefixFixture is ExecuteTest {
    using L2 for L2.Chain;

    L2.Chain internal l2;
    ExecuteVerifier internal verifier;

    function setUp() public virtual override {
        super.setUp();
        vm.warp(1_800_000_000);
        l2.start();
        verifier = new ExecuteVerifier(Execute.PRECOMPILE, Execute.BLOB_PRECOMPILE);
    }

    /// @dev Returns the input of the next block, which has a transfer.
    function sealOne() internal returns (bytes memory) {
        l2.transfer("alice", address(0xb0b), 1);
        return l2.seal();
    }

    /// @dev Returns prefix and witness of an input.
    function cut(bytes memory input)
        internal
        pure
        returns (bytes memory prefix, bytes memory witness)
    {
        uint256 end = 2 + BatchBytes.little(input, 6, 4);
        prefix = BlobInputs.slice(input, 0, end);
        witness = BlobInputs.slice(input, end, input.length - end);
    }

    /// @dev Returns the input with another offset of the witness.
    function withWitnessAt(bytes memory input, uint32 offset)
        internal
        pure
        returns (bytes memory moved)
    {
        moved = bytes.concat(input);
        for (uint256 i = 0; i < 4; ++i) {
            // The byte at this place.
            // forge-lint: disable-next-line(unsafe-typecast)
            moved[6 + i] = bytes1(uint8(offset >> (8 * i)));
        }
    }

    function assertValid(bytes memory input) internal view {
        (bytes memory prefix, bytes memory witness) = cut(input);
        assertEq(verifier.verify("", prefix, witness), IVerifier.verify.selector);
    }

    function expectFailure(bytes memory input, bytes memory proof) internal {
        vm.expectRevert(Execute.ExecuteFailed.selector);
        // A failing EXECUTE consumes the gas that it receives.
        verifier.verify{gas: 20_000_000}("", input, proof);
    }
}
