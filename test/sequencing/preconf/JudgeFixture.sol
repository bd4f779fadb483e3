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

/// @dev A contract that judges messages of the Rust implementation (`crates/preconf/tests/judgements`)
/// on the same L1.
abstract contract JudgeFixture is Test {
    address internal constant ROLLUP = 0xA0a0a0A0A0A0a0a0A0A0a0A0a0A0a0A0A0A0a0a0;
    address internal constant OTHER = 0xA1A1a1a1A1A1A1A1A1a1a1a1a1a1A1A1a1A1a1a1;
    address internal constant BONDS = 0xB0B0b0B0B0B0B0b0B0B0B0b0b0b0b0B0b0b0B0B0;

    Judge internal judge = Judge(BONDS);

    function setUp() public virtual {
        vm.chainId(1);
        vm.roll(300);
        // Forge has a hash for each block; only those of 100 to 199 are available here.
        for (uint256 i = 0; i < 300; ++i) {
            bool known = i >= 100 && i < 200;
            vm.setBlockhash(i, known ? bytes32(i * (type(uint256).max / 255)) : bytes32(0));
        }
        vm.etch(ROLLUP, type(RollupViews).runtimeCode);
        vm.etch(OTHER, type(RollupViews).runtimeCode);
        bytes32 key = bytes32(uint256(type(uint256).max / 255));
        address account = vm.addr(uint256(key));
        address signer = vm.addr(2 * uint256(key));
        deployCodeTo("JudgeFixture.sol:Judge", abi.encode(account, signer), BONDS);
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

    function setBlock(bytes32 hash, uint64 number) internal {
        RollupViews(ROLLUP).set(hash, number);
        RollupViews(OTHER).set(hash, number);
    }

    /// @dev Every block is valid to EXECUTE from now on.
    function acceptAll() internal {
        bytes memory result =
            abi.encodePacked(bytes32(0), hex"01", hex"963b010000000000", hex"0112");
        vm.mockCall(Execute.PRECOMPILE, new bytes(0), result);
    }

    /// @dev Returns an input of a block with this hash.
    function inputOf(bytes32 blockHash) internal pure returns (bytes memory) {
        StatelessInputs.Block memory b;
        b.schema = 0x1201;
        b.chainId = 80_790;
        b.blockHash = blockHash;
        return StatelessInputs.encode(b);
    }
}
