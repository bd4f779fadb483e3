// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1Anchor} from "../../contracts/interfaces/IL1Anchor.sol";
import {L1Anchor} from "../../contracts/l2/L1Anchor.sol";
import {SystemContracts} from "../utils/SystemContracts.sol";

contract L1AnchorTest is Test, SystemContracts {
    L1Anchor internal anchor;

    function setUp() public {
        vm.warp(1_700_000_000);
        installBeaconRoots();
        anchor = new L1Anchor();
    }

    function sample() internal pure returns (IL1Anchor.Anchor memory) {
        return IL1Anchor.Anchor({
            l1BlockNumber: 100,
            l1BlockHash: keccak256("block 100"),
            messageCount: 7,
            messageRoot: keccak256("messages")
        });
    }

    function commit(IL1Anchor.Anchor memory a) internal pure returns (bytes32) {
        return keccak256(abi.encode(a.l1BlockNumber, a.l1BlockHash, a.messageCount, a.messageRoot));
    }

    function nextBlockWith(IL1Anchor.Anchor memory a) internal {
        skip(2);
        beginBlock(commit(a));
    }

    function assertServed(IL1Anchor.Anchor memory a) internal view {
        assertEq(keccak256(abi.encode(anchor.latest())), keccak256(abi.encode(a)));
        (uint64 count, bytes32 root) = anchor.messages();
        assertEq(count, a.messageCount);
        assertEq(root, a.messageRoot);
    }

    function testFuzz_preimage_of_current_anchor_is_served(
        IL1Anchor.Anchor calldata a,
        address caller
    ) public {
        nextBlockWith(a);
        vm.expectEmit(address(anchor));
        emit IL1Anchor.AnchorProven(a.l1BlockNumber, a.l1BlockHash, a.messageCount, a.messageRoot);
        vm.prank(caller);
        anchor.prove(a);
        assertServed(a);
    }

    function testFuzz_any_other_preimage_is_rejected(
        IL1Anchor.Anchor calldata a,
        IL1Anchor.Anchor calldata b
    ) public {
        vm.assume(commit(a) != commit(b));
        nextBlockWith(a);
        vm.expectRevert(
            abi.encodeWithSelector(IL1Anchor.AnchorMismatch.selector, commit(b), commit(a))
        );
        anchor.prove(b);
        anchor.prove(a);
    }

    function test_anchor_remains_available_after_its_block() public {
        nextBlockWith(sample());
        anchor.prove(sample());
        skip(1000);
        assertServed(sample());
    }

    function test_anchor_of_earlier_block_is_no_longer_provable() public {
        IL1Anchor.Anchor memory a = sample();
        IL1Anchor.Anchor memory b = sample();
        b.l1BlockNumber += 1;
        nextBlockWith(a);
        nextBlockWith(b);
        vm.expectRevert(
            abi.encodeWithSelector(IL1Anchor.AnchorMismatch.selector, commit(a), commit(b))
        );
        anchor.prove(a);
        anchor.prove(b);
    }

    function test_anchor_and_message_count_never_decrease() public {
        IL1Anchor.Anchor memory a = sample();
        nextBlockWith(a);
        anchor.prove(a);

        IL1Anchor.Anchor memory earlier = sample();
        earlier.l1BlockNumber -= 1;
        earlier.messageCount += 1;
        nextBlockWith(earlier);
        vm.expectRevert(abi.encodeWithSelector(IL1Anchor.L1BlockNumberWentBack.selector, 99, 100));
        anchor.prove(earlier);

        IL1Anchor.Anchor memory fewer = sample();
        fewer.l1BlockNumber += 1;
        fewer.messageCount -= 1;
        nextBlockWith(fewer);
        vm.expectRevert(abi.encodeWithSelector(IL1Anchor.MessageCountWentBack.selector, 6, 7));
        anchor.prove(fewer);
        assertServed(a);

        nextBlockWith(a);
        anchor.prove(a);
        assertServed(a);
    }

    function test_silent_system_contract_proves_nothing() public {
        vm.expectRevert(IL1Anchor.BeaconRootUnavailable.selector);
        anchor.prove(sample());

        vm.etch(BEACON_ROOTS, "");
        vm.expectRevert(IL1Anchor.BeaconRootUnavailable.selector);
        anchor.prove(sample());

        installBeaconRoots();
        nextBlockWith(sample());
        anchor.prove(sample());
    }

    function test_storage_layout_is_pinned() public {
        IL1Anchor.Anchor memory a = sample();
        nextBlockWith(a);
        anchor.prove(a);
        assertEq(uint256(vm.load(address(anchor), 0)), uint256(100) | 7 << 64);
        assertEq(vm.load(address(anchor), bytes32(uint256(1))), a.l1BlockHash);
        assertEq(vm.load(address(anchor), bytes32(uint256(2))), a.messageRoot);
    }

    function test_runtime_code_can_be_placed_in_genesis() public {
        // Code with immutables or a constructor would behave differently at another address.
        address placed = address(0x8079);
        vm.etch(placed, vm.getDeployedCode("L1Anchor.sol:L1Anchor"));
        nextBlockWith(sample());
        L1Anchor(placed).prove(sample());
        assertEq(L1Anchor(placed).latest().l1BlockNumber, 100);
    }
}
