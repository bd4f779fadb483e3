// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";

/// @dev For every single-block input up to a maximum length, with arbitrary bytes: the fields that
/// a rollup governs are read where a strict SSZ decoder finds them. The decoder is a model of SSZ
/// that knows the types and no offsets.
contract FieldOffsetsProof is Test {
    /// @dev Field of variable size; in the fixed part of a container it is an offset of four bytes.
    uint16 private constant VARIABLE = 0;

    /// @custom:halmos --array-lengths input={590,591,622,700,1024}
    function check_fields_are_read_where_ssz_has_them(bytes calldata input, bool amsterdam)
        external
        view
    {
        // The positions of blocks in a batch are tested in `test/libraries/ExecuteBatch.t.sol`.
        vm.assume(uint8(input[1]) != uint8(Execute.BATCH_REVISION));
        // Inputs with references are tested in `test/libraries/KeptCodes.t.sol`.
        vm.assume(!KeptCodes.refers(input));
        (bool valid, uint256 request, uint256 payload) = places(input, amsterdam);
        bytes memory buffer = new bytes(input.length);
        try this.load(buffer, input) returns (bytes memory loaded) {
            assert(valid);
            compareOuter(loaded, input, request);
            comparePayload(loaded, input, payload, payloadTypes(amsterdam));
        } catch {
            // Rejected only because of an offset that is not canonical.
            assert(!valid);
        }
    }

    /// @custom:halmos --array-lengths input={0,1,2,63,589}
    function check_shorter_inputs_are_refused(bytes calldata input) external view {
        bytes memory buffer = new bytes(input.length);
        try this.load(buffer, input) returns (bytes memory) {
            assert(false);
        } catch {}
    }

    /// @dev Counterexample: some inputs are accepted. This check must fail.
    /// @custom:halmos --array-lengths input={590}
    function check_must_fail_no_input_is_accepted(bytes calldata input) external view {
        bytes memory buffer = new bytes(input.length);
        try this.load(buffer, input) returns (bytes memory) {
            assert(false);
        } catch {}
    }

    function load(bytes memory buffer, bytes calldata input) external view returns (bytes memory) {
        Execute.load(buffer, input);
        return buffer;
    }

    function compareOuter(bytes memory loaded, bytes calldata input, uint256 request) private pure {
        assert(Execute.schema(loaded) == uint16(bytes2(input[:2])));
        uint256 chainId = 2 + placeOf(inputTypes(), 2);
        assert(Execute.chainId(loaded) == littleEndian(input, chainId, 8));
        uint256 anchor = request + placeOf(requestTypes(), 2);
        assert(Execute.parentBeaconBlockRoot(loaded) == word(input, anchor));
    }

    function comparePayload(
        bytes memory loaded,
        bytes calldata input,
        uint256 payload,
        uint16[] memory types
    ) private pure {
        assert(Execute.parentHash(loaded) == word(input, payload + placeOf(types, 0)));
        bytes32 recipient = word(input, payload + placeOf(types, 1));
        // forge-lint: disable-next-line(unsafe-typecast)
        assert(Execute.feeRecipient(loaded) == address(bytes20(recipient)));
        assert(Execute.stateRoot(loaded) == word(input, payload + placeOf(types, 2)));
        (uint64 height, uint64 limit, uint64 time) = Execute.numbers(loaded);
        assert(number(loaded, input, payload + placeOf(types, 6), height));
        assert(limit == Execute.gasLimit(loaded));
        assert(number(loaded, input, payload + placeOf(types, 7), Execute.gasLimit(loaded)));
        assert(number(loaded, input, payload + placeOf(types, 8), Execute.gasUsed(loaded)));
        assert(number(loaded, input, payload + placeOf(types, 9), time));
        assert(Execute.baseFee(loaded) == littleEndian(input, payload + placeOf(types, 11), 32));
        assert(Execute.blockHash(loaded) == word(input, payload + placeOf(types, 12)));
        assert(Execute.TRANSACTIONS_OFFSET_AT == payload + placeOf(types, 13));
        assert(Execute.WITHDRAWALS_OFFSET_AT == payload + placeOf(types, 14));
    }

    // ------------------------------------------------------------------ a model of SSZ

    /// @dev StatelessInput: request, witness, chain id.
    function inputTypes() private pure returns (uint16[] memory) {
        uint16[3] memory types = [VARIABLE, VARIABLE, uint16(8)];
        return list(abi.encode(types), 3);
    }

    /// @dev NewPayloadRequest: payload, versioned hashes, parent beacon block root, requests.
    function requestTypes() private pure returns (uint16[] memory) {
        uint16[4] memory types = [VARIABLE, VARIABLE, uint16(32), VARIABLE];
        return list(abi.encode(types), 4);
    }

    /// @dev ExecutionPayload: parent hash, fee recipient, state root, receipts root, bloom, randao;
    /// number, gas limit, gas used, timestamp; extra data, base fee, block hash, transactions,
    /// withdrawals; blob gas used, excess blob gas; and in Amsterdam block access list, slot
    /// number.
    function payloadTypes(bool amsterdam) private pure returns (uint16[] memory) {
        uint16[19] memory types = [
            32,
            20,
            32,
            32,
            256,
            32,
            8,
            8,
            8,
            8,
            VARIABLE,
            32,
            32,
            VARIABLE,
            VARIABLE,
            8,
            8,
            VARIABLE,
            8
        ];
        return list(abi.encode(types), amsterdam ? 19 : 17);
    }

    /// @dev Returns the offsets of request and payload, if they are canonical, i.e. directly after
    /// the fixed part of their container.
    function places(bytes calldata input, bool)
        private
        pure
        returns (bool valid, uint256 request, uint256 payload)
    {
        request = 2 + fixedLength(inputTypes());
        payload = request + fixedLength(requestTypes());
        valid = littleEndian(input, 2 + placeOf(inputTypes(), 0), 4) == request - 2
            && littleEndian(input, request + placeOf(requestTypes(), 0), 4) == payload - request;
    }

    function placeOf(uint16[] memory types, uint256 index) private pure returns (uint256 place) {
        for (uint256 i = 0; i < index; ++i) {
            place += types[i] == VARIABLE ? 4 : types[i];
        }
    }

    function fixedLength(uint16[] memory types) private pure returns (uint256) {
        return placeOf(types, types.length);
    }

    function littleEndian(bytes calldata input, uint256 place, uint256 length)
        private
        pure
        returns (uint256 value)
    {
        for (uint256 i = 0; i < length; ++i) {
            value |= uint256(uint8(input[place + i])) << (8 * i);
        }
    }

    function number(bytes memory, bytes calldata input, uint256 place, uint64 got)
        private
        pure
        returns (bool)
    {
        return got == littleEndian(input, place, 8);
    }

    function word(bytes calldata input, uint256 place) private pure returns (bytes32) {
        return bytes32(input[place:place + 32]);
    }

    function list(bytes memory encoded, uint256 length)
        private
        pure
        returns (uint16[] memory types)
    {
        types = new uint16[](length);
        for (uint256 i = 0; i < length; ++i) {
            uint256 value;
            assembly ("memory-safe") {
                value := mload(add(add(encoded, 0x20), mul(i, 0x20)))
            }
            // forge-lint: disable-next-line(unsafe-typecast)
            types[i] = uint16(value);
        }
    }
}
