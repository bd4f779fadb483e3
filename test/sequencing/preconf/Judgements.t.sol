// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {Headers} from "../../../contracts/libraries/Headers.sol";
import {JudgeFixture} from "./JudgeFixture.sol";

/// @dev Judgements of all pairs of the messages in `test/vectors/preconfirmations.json`, which the
/// Rust implementation has written (`crates/preconf/tests/judgements`).
contract JudgementsTest is JudgeFixture {
    IPreconfBonds.Signed[] internal messages;
    string[] internal names;
    /// @dev Expected verdicts of one kind, a row for each message.
    string[] internal rows;

    function setUp() public override {
        super.setUp();
        string memory json = read();
        for (uint256 i = 0; vm.keyExistsJson(json, place("messages", i)); ++i) {
            messages.push(message(json, place("messages", i)));
            names.push(vm.parseJsonString(json, string.concat(place("messages", i), ".name")));
        }
        assertGe(messages.length, 60);
    }

    function read() internal view returns (string memory) {
        return vm.readFile("test/vectors/preconfirmations.json");
    }

    function load(string memory list) internal {
        rows = vm.parseJsonStringArray(read(), string.concat(".", list));
    }

    function place(string memory list, uint256 index) internal pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(index), "]");
    }

    function message(string memory json, string memory place_)
        internal
        pure
        returns (IPreconfBonds.Signed memory s)
    {
        s.message.rollup = vm.parseJsonAddress(json, string.concat(place_, ".rollup"));
        s.message.blockHash = vm.parseJsonBytes32(json, string.concat(place_, ".blockHash"));
        s.message.schema = uint16(vm.parseJsonUint(json, string.concat(place_, ".schema")));
        s.message.isSealed = vm.parseJsonBool(json, string.concat(place_, ".isSealed"));
        s.message.l1Block = uint64(vm.parseJsonUint(json, string.concat(place_, ".l1Block")));
        s.message.l1Hash = vm.parseJsonBytes32(json, string.concat(place_, ".l1Hash"));
        s.signature = vm.parseJsonBytes(json, string.concat(place_, ".signature"));
        s.header = vm.parseJsonBytes(json, string.concat(place_, ".header"));
    }

    function requireSame(bytes memory got, bytes memory expected, uint256 index) internal view {
        assertEq(string(got), string(expected), names[index]);
    }

    function letterAt(uint256 i, uint256 j) internal view returns (bytes1) {
        return bytes(rows[i])[j];
    }

    function test_fingerprints_match_vectors() public view {
        string memory json = read();
        for (uint256 i = 0; i < messages.length; ++i) {
            bytes32[] memory expected = vm.parseJsonBytes32Array(json, place("fingerprints", i));
            try judge.summary(messages[i].header) returns (Headers.Summary memory s) {
                assertEq(s.inputs, expected[0]);
                assertEq(s.environment, expected[1]);
            } catch {
                assertEq(expected.length, 0, vm.toString(i));
            }
        }
    }

    function test_equivocations_match_vectors() public {
        load("equivocation");
        IPreconfBonds.TxProof memory proof;
        for (uint256 i = 0; i < messages.length; ++i) {
            bytes memory got = new bytes(messages.length);
            for (uint256 j = 0; j < messages.length; ++j) {
                got[j] = verdict(
                    abi.encodeCall(judge.accuseEquivocation, (messages[i], messages[j], proof, 0))
                );
            }
            requireSame(got, bytes(rows[i]), i);
        }
    }

    function test_broken_promises_match_vectors() public {
        load("broken");
        IPreconfBonds.TxProof memory proof;
        IPreconfBonds.Canonical memory c;
        for (uint256 j = 0; j < messages.length; ++j) {
            bytes memory got = new bytes(messages.length);
            bytes memory expected = new bytes(messages.length);
            c.header = messages[j].header;
            setBlock(messages[j].message.blockHash, 0);
            for (uint256 i = 0; i < messages.length; ++i) {
                got[i] = verdict(abi.encodeCall(judge.accuseBroken, (messages[i], c, proof, 0)));
                expected[i] = letterAt(i, j);
            }
            requireSame(got, expected, j);
        }
    }

    function test_lies_match_vectors() public {
        load("lie");
        acceptAll();
        for (uint256 j = 0; j < messages.length; ++j) {
            this.compareLies(j);
        }
    }

    /// @dev A call of its own, whose memory is freed.
    function compareLies(uint256 j) external view {
        bytes memory input = inputOf(messages[j].message.blockHash);
        bytes memory header = messages[j].header;
        bytes memory got = new bytes(messages.length);
        bytes memory expected = new bytes(messages.length);
        for (uint256 i = 0; i < messages.length; ++i) {
            got[i] = verdict(abi.encodeCall(judge.accuseLie, (messages[i], header, input, 0)));
            expected[i] = letterAt(i, j);
        }
        requireSame(got, expected, j);
    }

    function test_delays_match_vectors() public {
        load("late");
        string memory json = read();
        for (uint256 j = 0; vm.keyExistsJson(json, place("times", j)); ++j) {
            uint256[] memory times = vm.parseJsonUintArray(json, place("times", j));
            setBlock(0, uint64(times[0]));
            vm.warp(times[1]);
            judge.setUntil(uint64(times[2]));
            for (uint256 i = 0; i < messages.length; ++i) {
                bytes1 got = verdict(abi.encodeCall(judge.accuseLate, (messages[i], 0)));
                assertEq(got, letterAt(i, j), vm.toString(i));
            }
        }
    }

    /// @dev The proofs are of all shapes: empty tries, keys of one to three bytes, absence.
    function test_proofs_match_vectors() public {
        uint256 count;
        string memory json = read();
        for (; vm.keyExistsJson(json, place("proofs", count)); ++count) {
            this.compareProofs(place("proofs", count));
        }
        assertGe(count, 80);
    }

    function compareProofs(string memory place_) external {
        string memory json = read();
        IPreconfBonds.Signed memory a =
            messages[vm.parseJsonUint(json, string.concat(place_, ".a"))];
        IPreconfBonds.Signed memory b =
            messages[vm.parseJsonUint(json, string.concat(place_, ".b"))];
        IPreconfBonds.TxProof memory proof = IPreconfBonds.TxProof(
            uint32(vm.parseJsonUint(json, string.concat(place_, ".index"))),
            vm.parseJsonBytesArray(json, string.concat(place_, ".ours")),
            vm.parseJsonBytesArray(json, string.concat(place_, ".theirs"))
        );
        bytes1 got = verdict(abi.encodeCall(judge.accuseEquivocation, (a, b, proof, 0)));
        string memory expected = vm.parseJsonString(json, string.concat(place_, ".equivocation"));
        assertEq(got, bytes(expected)[0], place_);
        setBlock(b.message.blockHash, 0);
        IPreconfBonds.Canonical memory c;
        c.header = b.header;
        got = verdict(abi.encodeCall(judge.accuseBroken, (a, c, proof, 0)));
        expected = vm.parseJsonString(json, string.concat(place_, ".broken"));
        assertEq(got, bytes(expected)[0], place_);
    }

    /// @dev Known values of an independent program.
    function test_digest_has_known_value() public view {
        IPreconfBonds.Preconfirmation memory m = IPreconfBonds.Preconfirmation({
            rollup: ROLLUP,
            blockHash: 0x1111111111111111111111111111111111111111111111111111111111111111,
            schema: 0x1201,
            isSealed: true,
            l1Block: 100,
            l1Hash: 0x2222222222222222222222222222222222222222222222222222222222222222
        });
        assertEq(
            judge.hashOf(m), hex"fbe70d2006cb342dab12d83d77458cfc94c43ddb451c1f72bbf2da1c384b3deb"
        );
    }
}
