// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DraftExecute} from "../../contracts/libraries/DraftExecute.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {Parrot} from "../utils/Parrot.sol";
import {StatelessInputs} from "../utils/StatelessInputs.sol";

/// @dev Library as external functions.
contract DraftReader {
    function read(bytes calldata input) external pure returns (uint64, bytes32, bytes32) {
        return DraftExecute.read(input);
    }

    function execute(address precompile, bytes calldata input) external view returns (uint64) {
        return DraftExecute.execute(precompile, input);
    }
}

/// @dev Blocks of the EIP-8079 draft, read and executed.
contract DraftExecuteTest is ExecuteTest {
    using L2 for L2.Chain;

    /// @dev Sufficient for every block here; a call that EXECUTE rejects uses all of it.
    uint256 internal constant GAS = 5_000_000;

    L2.Chain internal l2;
    /// @dev Input of an Osaka block with one transfer.
    bytes internal input;
    IL2.Head internal head;
    DraftReader internal reader = new DraftReader();

    function setUp() public override {
        super.setUp();
        installDialect(DraftExecute.PRECOMPILE, "dialect=draft-8079");
        vm.warp(1_800_000_000);
        sealOn(L2.OSAKA);
    }

    /// @dev Seals the first block of a chain, with a transfer.
    function sealOn(uint16 fork) internal {
        IL2.Genesis memory g = L2.defaults();
        g.schema = L2.draft(fork);
        L2.fund(g, "alice", 1000 ether);
        L2.fund(g, "bob", 1 ether);
        l2.create(g);
        IL2.Transaction memory t = L2.transaction("alice", L2.account("bob"), 1, "");
        t.gasLimit = 300_000;
        l2.send(t);
        input = l2.seal();
        head = l2.head;
    }

    // ------------------------------------------------------------------ fields

    function test_fields_and_burned_fees_match_each_fork() public {
        uint16[5] memory forks = [L2.PRAGUE, L2.OSAKA, 0x1301, 0x1401, L2.AMSTERDAM];
        for (uint256 i = 0; i < forks.length; ++i) {
            sealOn(forks[i]);
            (uint64 chainId, bytes32 parent, bytes32 hash) = reader.read(input);
            assertEq(chainId, head.chainId);
            assertEq(parent, head.parentHash);
            assertEq(hash, head.hash);
            IL2.Receipt[] memory receipts = l2.receipts();
            uint64 burned = reader.execute(DraftExecute.PRECOMPILE, input);
            assertEq(burned, head.baseFee * receipts[receipts.length - 1].cumulativeGasUsed);
            assertGt(burned, 0);
        }
    }

    function test_input_shorter_than_fields_reverts() public {
        for (uint256 length = 0; length < 630; length += 37) {
            expectShort(length);
        }
        expectShort(629);
        // EXECUTE decides whether a complete block follows.
        (,, bytes32 hash) = reader.read(cut(input, 630));
        assertEq(hash, head.hash);
    }

    function expectShort(uint256 length) internal {
        vm.expectRevert(
            abi.encodeWithSelector(Execute.InputTooShort.selector, length, uint256(630))
        );
        reader.read(cut(input, length));
    }

    /// @dev Returns the first bytes of an input.
    function cut(bytes memory whole, uint256 length) internal pure returns (bytes memory part) {
        part = bytes.concat(whole);
        assembly ("memory-safe") {
            mstore(part, length)
        }
    }

    /// @dev Returns the block with another schema id.
    function under(uint16 schema) internal view returns (bytes memory other) {
        other = input;
        bytes2 id = bytes2(schema);
        (other[0], other[1]) = (id[0], id[1]);
    }

    function test_other_schema_ids_revert() public {
        // Revisions of single blocks, of L2s with EXECUTE, and of batches; forks with another
        // layout.
        uint16[8] memory others = [0x1201, 0x1202, 0x12ba, 0x1278, 0x127a, 0x1079, 0x1679, 0xff79];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    DraftExecute.SchemaNotSupported.selector, others[i], 0x1179, 0x1579
                )
            );
            reader.read(under(others[i]));
        }
        for (uint16 fork = 0x11; fork <= 0x15; ++fork) {
            reader.read(under(fork << 8 | 0x79));
        }
    }

    function expectNotCanonical(uint256 position, uint32 got, uint256 expected) internal {
        bytes memory other = input;
        bytes memory little = StatelessInputs.little(got, 4);
        for (uint256 i = 0; i < 4; ++i) {
            other[position + i] = little[i];
        }
        vm.expectRevert(
            abi.encodeWithSelector(Execute.OffsetNotCanonical.selector, position, got, expected)
        );
        reader.read(other);
    }

    function testFuzz_non_canonical_offsets_revert(uint32 other) public {
        if (other != 48) expectNotCanonical(2, other, 48);
        if (other != 44) expectNotCanonical(50, other, 44);
        reader.read(input);
    }

    // ------------------------------------------------------------------ call

    function test_invalid_block_has_no_burned_fees() public {
        address precompile = DraftExecute.PRECOMPILE;
        bytes memory forged = L2.broken(input, IL2.Field.StateRoot, keccak256("forged"), true);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        reader.execute{gas: GAS}(precompile, forged);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        reader.execute{gas: 200_000}(precompile, input);
        assertGt(reader.execute{gas: GAS}(precompile, input), 0);
        vm.etch(precompile, "");
        vm.expectRevert(Execute.ExecuteAbsent.selector);
        reader.execute(precompile, input);
    }

    function answer(uint256 flag, uint64 chainId, uint16 schema, uint64 burned)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(
            keccak256("root"),
            StatelessInputs.little(flag, 1),
            StatelessInputs.little(chainId, 8),
            StatelessInputs.little(schema, 2),
            StatelessInputs.little(burned, 8)
        );
    }

    function parrot(bytes memory a) internal returns (address) {
        Parrot made = new Parrot();
        made.teach(a);
        return address(made);
    }

    function expectRefused(bytes memory a, bytes memory error_) internal {
        address precompile = parrot(a);
        vm.expectRevert(error_);
        reader.execute(precompile, input);
    }

    function testFuzz_burned_fees_are_last_eight_bytes(uint64 burned) public {
        address precompile = parrot(answer(1, head.chainId, 0x1279, burned));
        assertEq(reader.execute(precompile, input), burned);
    }

    function testFuzz_result_of_other_length_reverts(uint256 length) public {
        length = bound(length, 1, 100);
        // The execution-specs' form has 43 bytes.
        if (length == 51) length = 43;
        bytes memory a = bytes.concat(answer(1, head.chainId, 0x1279, 7), new bytes(64));
        expectRefused(
            cut(a, length),
            abi.encodeWithSelector(Execute.ResultLengthMismatch.selector, length, uint256(51))
        );
    }

    function testFuzz_result_with_flag_not_one_reverts(uint8 flag) public {
        vm.assume(flag != 1);
        expectRefused(
            answer(flag, head.chainId, 0x1279, 7),
            abi.encodeWithSelector(Execute.ResultNotValid.selector, flag, 1)
        );
    }

    function testFuzz_result_for_other_chain_or_schema_reverts(uint64 chainId, uint16 schema)
        public
    {
        vm.assume(chainId != head.chainId && schema != 0x1279);
        expectRefused(
            answer(1, chainId, 0x1279, 7),
            abi.encodeWithSelector(Execute.ResultChainIdMismatch.selector, chainId, head.chainId)
        );
        expectRefused(
            answer(1, head.chainId, schema, 7),
            abi.encodeWithSelector(Execute.ResultSchemaMismatch.selector, schema, uint16(0x1279))
        );
    }
}
