// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {RealRollup} from "../../utils/RealRollup.sol";
import {BondsFixture} from "../../sequencing/preconf/BondsFixture.sol";
import {GenesisHeaders} from "../../utils/GenesisHeaders.sol";

/// @title Sequencer with a bond, a real L2 and the real EXECUTE
abstract contract LieFixture is RealRollup, BondsFixture {
    using L2 for L2.Chain;

    function setUp() public virtual override {
        super.setUp();
        makeBonds();
    }

    /// @dev Seals the queued transactions. Returns the input of EXECUTE and the block's header.
    function sealed_() internal returns (bytes memory input, bytes memory header) {
        input = l2.seal();
        header = l2.prove(alice).header;
        assertEq(keccak256(header), l2.head.hash);
    }

    /// @dev Returns the items of a header, without their RLP headers.
    function itemsOf(bytes calldata header) external pure returns (bytes[] memory items) {
        items = new bytes[](21);
        // The header of the list.
        uint256 at_ = 3;
        for (uint256 i = 0; i < items.length; ++i) {
            uint256 first = uint8(header[at_]);
            uint256 length = 1;
            if (first == 0xb9) {
                length = uint16(bytes2(header[at_ + 1:at_ + 3]));
                at_ += 3;
            } else if (first >= 0x80) {
                length = first - 0x80;
                ++at_;
            }
            items[i] = header[at_:at_ + length];
            at_ += length;
        }
        assertEq(at_, header.length);
    }

    /// @dev Returns the header with another value of an item.
    function withItem(bytes memory header, uint256 index, bytes memory value)
        internal
        view
        returns (bytes memory)
    {
        bytes[] memory items = this.itemsOf(header);
        items[index] = value;
        return GenesisHeaders.encode(items);
    }

    /// @dev Returns a sealed message of the sequencer about a header.
    function promised(bytes memory header) internal view returns (IPreconfBonds.Signed memory) {
        return signed(address(rollup), header, true);
    }

    function expectLieRefused(
        IPreconfBonds.Signed memory s,
        bytes memory header,
        bytes memory input,
        bytes memory error_
    ) internal {
        vm.prank(reporter);
        vm.expectRevert(error_);
        bonds.accuseLie(s, header, input, SALT);
    }

    function accuseLie(IPreconfBonds.Signed memory s, bytes memory header, bytes memory input)
        internal
    {
        vm.prank(reporter);
        bonds.accuseLie(s, header, input, SALT);
    }

    /// @dev Requires that the accusation succeeds, and undoes it.
    function assertLie(IPreconfBonds.Signed memory s, bytes memory header, bytes memory input)
        internal
    {
        uint256 snapshot = vm.snapshotState();
        accuseLie(s, header, input);
        assertEq(amountOf(sequencer), 0);
        vm.revertToState(snapshot);
    }
}
