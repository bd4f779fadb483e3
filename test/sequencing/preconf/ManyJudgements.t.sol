// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {JudgeFixture} from "./JudgeFixture.sol";

/// @dev Judgements of 105,625 pairs of messages, and of as many of which one was changed: the verdicts
/// are those of the Rust implementation, whose test has written `test/vectors/judgements.bin`
/// (`crates/preconf/tests/judgements/many.rs`). The file has the hash of each row of verdicts.
///
/// Only the profile `thorough` judges all of them; otherwise every sixteenth row.
contract ManyJudgementsTest is JudgeFixture {
    /// @dev The content of the file.
    struct File {
        IPreconfBonds.Signed[] messages;
        bytes32[] equivocations;
        bytes32[] broken;
        bytes32[] lies;
        bytes32[] changed;
        bytes32[] changedBroken;
    }

    enum Kind {
        Equivocation,
        Broken,
        Lie
    }

    function read() internal view returns (File memory f) {
        bytes memory file = vm.readFileBinary("test/vectors/judgements.bin");
        (f.messages, f.equivocations, f.broken, f.lies, f.changed, f.changedBroken) = abi.decode(
            file, (IPreconfBonds.Signed[], bytes32[], bytes32[], bytes32[], bytes32[], bytes32[])
        );
    }

    /// @dev Changes one thing in a message, as `mutated` in `many.rs` does for the same indices.
    function change(IPreconfBonds.Signed memory s, uint256 i, uint256 j) internal pure {
        // Both are less than the number of messages.
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes32 random = keccak256(abi.encodePacked(uint16(i), uint16(j)));
        uint256 position = uint256(uint8(random[1])) << 8 | uint8(random[2]);
        uint8 bit = uint8(1) << (uint8(random[3]) % 8);
        bool even = uint8(random[4]) % 2 == 0;
        uint256 kind = uint8(random[0]) % 8;
        if (kind < 3) {
            flip(s.header, position, bit);
            if (even) s.message.blockHash = keccak256(s.header);
        } else if (kind == 3) {
            flip(s.signature, position, bit);
        } else if (kind == 4) {
            s.message.l1Block ^= bit;
        } else if (kind == 5) {
            s.message.l1Hash ^= bytes32(uint256(bit)) << 8 * (31 - position % 32);
        } else if (kind == 6) {
            if (even) s.message.isSealed = !s.message.isSealed;
            else s.message.schema ^= bit;
        } else {
            bytes memory header = s.header;
            uint256 length = position % (header.length + 1);
            assembly ("memory-safe") {
                mstore(header, length)
            }
        }
    }

    function flip(bytes memory data, uint256 position, uint8 bit) private pure {
        if (data.length != 0) data[position % data.length] ^= bytes1(bit);
    }

    /// @dev Judges one message with each other one. A call of its own, whose memory is freed.
    function requireSame(Kind kind, uint256 i, bool changed) external {
        File memory f = read();
        IPreconfBonds.Signed[] memory all = f.messages;
        bytes memory got = new bytes(all.length);
        for (uint256 j = 0; j < all.length; ++j) {
            got[j] = this.judgeOne(kind, all[i], all[j], changed, i, j);
        }
        bytes32[] memory expected = kind == Kind.Equivocation
            ? (changed ? f.changed : f.equivocations)
            : kind == Kind.Broken ? (changed ? f.changedBroken : f.broken) : f.lies;
        // On failure, compare the row with that of the Rust test.
        assertEq(keccak256(got), expected[i], string.concat(vm.toString(i), ": ", string(got)));
    }

    function judgeOne(
        Kind kind,
        IPreconfBonds.Signed memory a,
        IPreconfBonds.Signed memory b,
        bool changed,
        uint256 i,
        uint256 j
    ) external returns (bytes1) {
        if (changed) change(a, i, j);
        IPreconfBonds.TxProof memory proof;
        if (kind == Kind.Equivocation) {
            return verdict(abi.encodeCall(judge.accuseEquivocation, (a, b, proof, 0)));
        }
        if (kind == Kind.Broken) {
            IPreconfBonds.Canonical memory c;
            c.header = b.header;
            setBlock(b.message.blockHash, 0);
            return verdict(abi.encodeCall(judge.accuseBroken, (a, c, proof, 0)));
        }
        bytes memory input = inputOf(b.message.blockHash);
        return verdict(abi.encodeCall(judge.accuseLie, (a, b.header, input, 0)));
    }

    function requireAllSame(Kind kind, bool changed) internal {
        // All of them take more gas than forge gives to a test.
        vm.pauseGasMetering();
        uint256 count = read().messages.length;
        assertGe(count * count, 100_000);
        bytes32 profile = keccak256(bytes(vm.envOr("FOUNDRY_PROFILE", string("default"))));
        uint256 step = profile == keccak256("thorough") ? 1 : 16;
        for (uint256 i = 0; i < count; i += step) {
            this.requireSame(kind, i, changed);
        }
    }

    function test_equivocations_of_all_pairs_match() public {
        requireAllSame(Kind.Equivocation, false);
    }

    function test_broken_promises_of_all_pairs_match() public {
        requireAllSame(Kind.Broken, false);
    }

    function test_lies_of_all_pairs_match() public {
        acceptAll();
        requireAllSame(Kind.Lie, false);
    }

    function test_changed_equivocations_match() public {
        requireAllSame(Kind.Equivocation, true);
    }

    function test_changed_broken_promises_match() public {
        requireAllSame(Kind.Broken, true);
    }
}
