// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../../contracts/libraries/Execute.sol";
import {Headers} from "../../../contracts/libraries/Headers.sol";
import {L1History} from "../../../contracts/libraries/L1History.sol";
import {PreconfMessages} from "../../../contracts/libraries/PreconfMessages.sol";
import {StateProof} from "../../../contracts/libraries/StateProof.sol";
import {Faults} from "../../../contracts/sequencing/preconf/Faults.sol";
import {StatelessInputs} from "../../utils/StatelessInputs.sol";

/// @dev What a judgement reads from a rollup.
contract RollupViews {
    bytes32 public blockHash;
    uint64 public constant MAX_LAG = 3600;
    uint64 public constant CHAIN_ID = 80_790;
    IRollup.Head private _head;

    function set(bytes32 hash, uint64 number) external {
        blockHash = hash;
        _head.number = number;
    }

    function head() external view returns (IRollup.Head memory) {
        return _head;
    }
}

/// @dev The judgements alone, with one registered signer.
contract Judge is Faults {
    address internal immutable ACCOUNT;
    address internal immutable SIGNER;
    uint64 internal _until;

    constructor(address account, address signer) {
        (ACCOUNT, SIGNER) = (account, signer);
    }

    function setUntil(uint64 until) external {
        _until = until;
    }

    function accountOf(address signer) public view override returns (address) {
        return signer == SIGNER ? ACCOUNT : signer;
    }

    function _requireBond(address) internal view override {}

    function accuseEquivocation(
        Signed calldata a,
        Signed calldata b,
        TxProof calldata proof,
        bytes32
    ) external view {
        _equivocation(a, b, proof);
    }

    function accuseBroken(Signed calldata s, Canonical calldata c, TxProof calldata proof, bytes32)
        external
        view
    {
        _broken(s, c, proof);
    }

    function accuseLie(Signed calldata s, bytes calldata header, bytes calldata input, bytes32)
        external
        view
    {
        _lie(s, header, input);
    }

    function accuseLate(Signed calldata s, bytes32) external view {
        _late(s, _lateUntil);
    }

    function _lateUntil(address) internal view returns (uint64) {
        return _until;
    }

    function hashOf(Preconfirmation calldata message) external view returns (bytes32) {
        return PreconfMessages.hashOf(message, address(this));
    }

    function summary(bytes calldata header) external pure returns (Headers.Summary memory) {
        return Headers.read(header);
    }

    function deposit(address) external payable {}
    function setSigner(address, bytes calldata) external {}
    function requestWithdrawal() external {}
    function cancelWithdrawal() external {}
    function withdraw(address payable) external {}
    function commit(bytes32) external {}
    function bondOf(address) external view returns (uint256) {}
    function bonds(address) external view returns (Bond memory) {}
}

/// @dev Judgements of all pairs of the messages in `test/vectors/preconfirmations.json`, which the
/// Rust implementation has written (`crates/preconf/tests/judgements`).
contract JudgementsTest is Test {
    address internal constant ROLLUP = 0xA0a0a0A0A0A0a0a0A0A0a0A0a0A0a0A0A0A0a0a0;
    address internal constant OTHER = 0xA1A1a1a1A1A1A1A1A1a1a1a1a1a1A1A1a1A1a1a1;
    address internal constant BONDS = 0xB0B0b0B0B0B0B0b0B0B0B0b0b0b0b0B0b0b0B0B0;

    IPreconfBonds.Signed[] internal messages;
    string[] internal names;
    /// @dev Expected verdicts of one kind, a row for each message.
    string[] internal rows;
    Judge internal judge = Judge(BONDS);

    function setUp() public {
        vm.chainId(1);
        vm.roll(300);
        for (uint256 i = 100; i < 200; ++i) {
            vm.setBlockhash(i, bytes32(i * (type(uint256).max / 255)));
        }
        vm.etch(ROLLUP, type(RollupViews).runtimeCode);
        vm.etch(OTHER, type(RollupViews).runtimeCode);
        bytes32 key = bytes32(uint256(type(uint256).max / 255));
        address account = vm.addr(uint256(key));
        address signer = vm.addr(2 * uint256(key));
        deployCodeTo("Judgements.t.sol:Judge", abi.encode(account, signer), BONDS);
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

    /// @dev Returns the letter of a verdict in the file.
    function letter(bool ok, bytes memory answer) internal pure returns (bytes1) {
        if (ok) return "+";
        // The selector is the start of the answer.
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes4 e = bytes4(answer);
        if (e == Headers.HeaderTooLong.selector) return "l";
        if (e == Headers.HeaderItemsInvalid.selector) return "i";
        if (e == IPreconfBonds.SignatureInvalid.selector) return "s";
        if (e == StateProof.ProofIncomplete.selector) return "p";
        if (e == IPreconfBonds.HeaderMismatch.selector) return "h";
        if (e == IPreconfBonds.RollupDiffers.selector) return "r";
        if (e == IPreconfBonds.AccountDiffers.selector) return "a";
        if (e == IPreconfBonds.HeightDiffers.selector) return "n";
        if (e == IPreconfBonds.ParentDiffers.selector) return "q";
        if (e == L1History.L1BlockUnavailable.selector) return "u";
        if (e == IPreconfBonds.ConditionVoid.selector) return "v";
        if (e == IPreconfBonds.PromiseEnded.selector) return "e";
        if (e == IPreconfBonds.NotInConflict.selector) return "c";
        if (e == IPreconfBonds.InputsDiffer.selector) return "d";
        if (e == IPreconfBonds.SchemaDiffers.selector) return "x";
        if (e == IPreconfBonds.OutcomesEqual.selector) return "o";
        if (e == IPreconfBonds.NotLate.selector) return "t";
        if (e == IPreconfBonds.LateAlready.selector) return "w";
        if (e == IPreconfBonds.HeadReached.selector) return "g";
        // Errors of `Rlp`.
        return "m";
    }

    function verdict(bytes memory call_) internal view returns (bytes1) {
        (bool ok, bytes memory answer) = BONDS.staticcall(call_);
        return letter(ok, answer);
    }

    function requireSame(bytes memory got, bytes memory expected, uint256 index) internal view {
        assertEq(string(got), string(expected), names[index]);
    }

    function letterAt(uint256 i, uint256 j) internal view returns (bytes1) {
        return bytes(rows[i])[j];
    }

    function test_fingerprints_match_the_vectors() public view {
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

    function test_equivocations_match_the_vectors() public {
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

    function setBlock(bytes32 hash, uint64 number) internal {
        RollupViews(ROLLUP).set(hash, number);
        RollupViews(OTHER).set(hash, number);
    }

    function test_broken_promises_match_the_vectors() public {
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

    function test_lies_match_the_vectors() public {
        load("lie");
        // Every block is valid to this EXECUTE.
        bytes memory result =
            abi.encodePacked(bytes32(0), hex"01", hex"963b010000000000", hex"0112");
        vm.mockCall(Execute.PRECOMPILE, new bytes(0), result);
        for (uint256 j = 0; j < messages.length; ++j) {
            this.compareLies(j);
        }
    }

    /// @dev A call of its own, whose memory is freed.
    function compareLies(uint256 j) external view {
        StatelessInputs.Block memory b;
        b.schema = 0x1201;
        b.chainId = 80_790;
        b.blockHash = messages[j].message.blockHash;
        bytes memory input = StatelessInputs.encode(b);
        bytes memory header = messages[j].header;
        bytes memory got = new bytes(messages.length);
        bytes memory expected = new bytes(messages.length);
        for (uint256 i = 0; i < messages.length; ++i) {
            got[i] = verdict(abi.encodeCall(judge.accuseLie, (messages[i], header, input, 0)));
            expected[i] = letterAt(i, j);
        }
        requireSame(got, expected, j);
    }

    function test_delays_match_the_vectors() public {
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
    function test_proofs_match_the_vectors() public {
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
    function test_the_digest_has_the_known_value() public view {
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
