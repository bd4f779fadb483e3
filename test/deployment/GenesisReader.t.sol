// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {LibRLP} from "solady/utils/LibRLP.sol";
import {GenesisReader} from "../../contracts/deployment/GenesisReader.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";

/// @dev That headers of real L2s are decoded like in their nodes is shown by every test of
/// `RealRollup`.
contract GenesisReaderTest is Test {
    uint16 private constant PRAGUE = 0x1101;
    uint16 private constant BPO2 = 0x1401;
    uint16 private constant AMSTERDAM = 0x1501;

    GenesisReader private reader = new GenesisReader();

    function head(uint16 schema) private pure returns (IL2.Head memory h) {
        h.schema = schema;
        h.number = 3;
        h.timestamp = 1_700_000_000;
        h.gasLimit = 30_000_000;
        h.baseFee = 1 gwei;
        h.stateRoot = keccak256("state");
        h.anchor = keccak256("anchor");
    }

    function fields(uint16 schema) private pure returns (bytes[] memory) {
        return GenesisHeaders.fields(head(schema));
    }

    function expectRefused(bytes memory header, uint16 schema, bytes4 selector) private {
        vm.expectPartialRevert(selector);
        reader.read(header, schema);
    }

    function expectRefused(bytes[] memory strings, uint16 schema, bytes4 selector) private {
        expectRefused(GenesisHeaders.encode(strings), schema, selector);
    }

    function testFuzz_initial_state_equals_genesis_header(IL2.Head memory h, bool amsterdam)
        public
        view
    {
        h.schema = amsterdam ? AMSTERDAM : PRAGUE;
        bytes memory header = GenesisHeaders.encode(h);
        IRollup.Genesis memory g = reader.read(header, h.schema);
        assertEq(g.number, h.number);
        assertEq(g.timestamp, h.timestamp);
        assertEq(g.gasLimit, h.gasLimit);
        assertEq(g.stateRoot, h.stateRoot);
        assertEq(g.anchor, h.anchor);
        assertEq(g.blockHash, keccak256(header));
    }

    function test_hashes_addresses_and_bloom_have_fixed_length() public {
        uint8[14] memory places = [0, 1, 2, 3, 4, 5, 6, 13, 14, 16, 19, 20, 21, 21];
        for (uint256 i = 0; i < places.length; ++i) {
            bytes[] memory f = fields(AMSTERDAM);
            reader.read(GenesisHeaders.encode(f), AMSTERDAM);
            bytes memory right = f[places[i]];
            f[places[i]] = bytes.concat(right, hex"01");
            expectRefused(f, AMSTERDAM, Rlp.RlpLengthMismatch.selector);
            assembly ("memory-safe") {
                mstore(right, sub(mload(right), 1))
            }
            f[places[i]] = right;
            expectRefused(f, AMSTERDAM, Rlp.RlpLengthMismatch.selector);
        }
    }

    function test_numbers_are_canonical_and_at_most_8_bytes() public {
        uint8[8] memory places = [8, 9, 10, 11, 15, 17, 18, 22];
        for (uint256 i = 0; i < places.length; ++i) {
            bytes[] memory f = fields(AMSTERDAM);
            f[places[i]] = hex"ffffffffffffffff";
            reader.read(GenesisHeaders.encode(f), AMSTERDAM);
            f[places[i]] = hex"010000000000000000";
            expectRefused(f, AMSTERDAM, Rlp.RlpIntegerTooLarge.selector);
            f[places[i]] = hex"00ff";
            expectRefused(f, AMSTERDAM, Rlp.RlpNotCanonical.selector);
            f[places[i]] = hex"00";
            expectRefused(f, AMSTERDAM, Rlp.RlpNotCanonical.selector);
        }
    }

    function test_difficulty_has_32_bytes_at_most() public {
        bytes[] memory f = fields(PRAGUE);
        f[7] = abi.encode(type(uint256).max);
        reader.read(GenesisHeaders.encode(f), PRAGUE);
        f[7] = bytes.concat(hex"01", new bytes(32));
        expectRefused(f, PRAGUE, Rlp.RlpIntegerTooLarge.selector);
    }

    function testFuzz_extra_data_may_be_any(bytes memory extra) public view {
        bytes[] memory f = fields(PRAGUE);
        f[12] = extra;
        assertEq(reader.read(GenesisHeaders.encode(f), PRAGUE).timestamp, 1_700_000_000);
    }

    function test_header_has_fields_of_its_fork() public {
        uint16[3] memory schemas = [PRAGUE, BPO2, AMSTERDAM];
        for (uint256 i = 0; i < schemas.length; ++i) {
            bytes[] memory f = fields(schemas[i]);
            reader.read(GenesisHeaders.encode(f), schemas[i]);
            bytes[] memory fewer = new bytes[](f.length - 1);
            for (uint256 j = 0; j < fewer.length; ++j) {
                fewer[j] = f[j];
            }
            expectRefused(fewer, schemas[i], Rlp.RlpTruncated.selector);
            expectRefused(longer(f), schemas[i], Rlp.RlpTrailingBytes.selector);
        }
        expectRefused(fields(AMSTERDAM), BPO2, Rlp.RlpTrailingBytes.selector);
        expectRefused(fields(BPO2), AMSTERDAM, Rlp.RlpTruncated.selector);
    }

    function longer(bytes[] memory f) private pure returns (bytes[] memory more) {
        more = new bytes[](f.length + 1);
        for (uint256 i = 0; i < f.length; ++i) {
            more[i] = f[i];
        }
        more[f.length] = abi.encode(keccak256("of a later fork"));
    }

    /// @dev A list where a string is expected.
    function test_fields_of_amsterdam_are_strings() public {
        bytes[] memory f = fields(AMSTERDAM);
        reader.read(GenesisHeaders.encode(f), AMSTERDAM);
        LibRLP.List memory list;
        for (uint256 i = 0; i + 1 < f.length; ++i) {
            LibRLP.p(list, f[i]);
        }
        LibRLP.List memory inner;
        LibRLP.p(list, inner);
        expectRefused(LibRLP.encode(list), AMSTERDAM, Rlp.RlpNotString.selector);
    }

    function test_header_is_exactly_one_list() public {
        bytes memory header = GenesisHeaders.encode(fields(PRAGUE));
        reader.read(header, PRAGUE);
        expectRefused(bytes.concat(header, hex"00"), PRAGUE, Rlp.RlpTrailingBytes.selector);
        expectRefused("", PRAGUE, Rlp.RlpTruncated.selector);
        expectRefused(LibRLP.encode(header), PRAGUE, Rlp.RlpNotList.selector);
        header[1] = bytes1(uint8(header[1]) + 1);
        expectRefused(header, PRAGUE, Rlp.RlpTruncated.selector);
    }
}
