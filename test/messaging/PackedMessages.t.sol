// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";

/// @dev Messages in the packed format, and the gas of relaying one.
contract PackedMessagesTest is Test {
    function unpack(bytes calldata batch, uint256 position)
        external
        pure
        returns (Messages.Header memory header, bytes memory data, uint256 next, bool parked)
    {
        (data, next, parked) = Messages.unpack(batch, position, header);
    }

    function packed(uint32 length) private pure returns (bytes memory) {
        return abi.encodePacked(
            address(1), address(2), address(3), uint128(4), uint128(5), uint32(6), length
        );
    }

    function test_packed_parked_message_ends_with_data_hash() public {
        bytes32 hash = keccak256("data");
        bytes memory one = bytes.concat(packed(1 << 31), hash);
        bytes memory batch = bytes.concat(one, packed(4), "data");
        (Messages.Header memory got, bytes memory data, uint256 next, bool parked) =
            this.unpack(batch, 0);
        assertTrue(parked);
        assertEq(next, one.length);
        assertEq(got.dataHash, hash);
        assertEq(data, "");
        (got, data, next, parked) = this.unpack(batch, next);
        assertFalse(parked);
        assertEq(next, batch.length);
        assertEq(data, "data");
        // The last byte is missing, of a delivered and of a parked message.
        vm.expectRevert(
            abi.encodeWithSelector(Messages.MessageTruncated.selector, 0, one.length - 1)
        );
        this.unpack(cut(one), 0);
        vm.expectRevert(
            abi.encodeWithSelector(Messages.MessageTruncated.selector, one.length, batch.length - 1)
        );
        this.unpack(cut(batch), one.length);
    }

    function cut(bytes memory whole) private pure returns (bytes memory shorter) {
        shorter = new bytes(whole.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = whole[i];
        }
    }

    /// @dev The base, the gas that a call retains (a 64th, and 25,000), and 64 gas per byte.
    function test_relay_gas_is_base_plus_message_and_data() public pure {
        assertEq(Messages.relayGas(0, 0), 1_025_001);
        assertEq(Messages.relayGas(630_000, 0), 1_025_001 + 640_000);
        assertEq(Messages.relayGas(630_000, 100), 1_025_001 + 640_000 + 6400);
    }
}
