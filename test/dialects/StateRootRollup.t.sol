// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {StateRootRollup} from "../../contracts/dialects/StateRootRollup.sol";
import {DrakeExecute} from "../../contracts/libraries/DrakeExecute.sol";
import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

/// @dev Rollup on Drake's form, and what its contract cannot enforce. Each test adds a block that
/// `NativeRollup` rejects: `test/NativeRollup.t.sol` tests the rejection for each field.
contract StateRootRollupTest is ExecuteTest {
    using L2 for L2.Chain;

    L2.Chain internal l2;
    StateRootRollup internal rollup;
    address internal bob = makeAddr("bob");

    function setUp() public override {
        super.setUp();
        installDialect(DrakeExecute.PRECOMPILE, "dialect=drake");
        vm.warp(1_800_000_000);
        l2.start();
        rollup = new StateRootRollup(l2.head.stateRoot);
    }

    function sealNext(IL2.Block memory b) internal returns (IL2.Sealed memory) {
        l2.transfer("alice", bob, 1);
        return l2.sealBlock(b);
    }

    function advance(IL2.Sealed memory b) internal {
        rollup.advance(b.head.stateRoot, b.head.gasUsed, b.input);
    }

    /// @dev Asserts that a block with these parameters is accepted.
    function expectAccepted(IL2.Block memory b) internal {
        IL2.Sealed memory sealed_ = sealNext(b);
        advance(sealed_);
        assertEq(rollup.stateRoot(), sealed_.head.stateRoot);
    }

    function expectFalse(bytes32 post, uint256 gasUsed, bytes memory trace) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                StateRootRollup.ClaimFalse.selector, rollup.stateRoot(), post, gasUsed
            )
        );
        rollup.advance(post, gasUsed, trace);
    }

    // ------------------------------------------------------------------ its form

    function test_blocks_and_batches_connect_state_roots() public {
        expectAccepted(l2.next());
        bytes[] memory inputs = new bytes[](3);
        uint256 gasUsed;
        for (uint256 i = 0; i < 3; ++i) {
            IL2.Sealed memory b = sealNext(l2.next());
            (inputs[i], gasUsed) = (b.input, gasUsed + b.head.gasUsed);
        }
        bytes memory batch = L2.batchOf(inputs);
        vm.expectEmit();
        emit StateRootRollup.Advanced(rollup.stateRoot(), l2.head.stateRoot, gasUsed);
        rollup.advance(l2.head.stateRoot, gasUsed, batch);
        assertEq(rollup.stateRoot(), l2.head.stateRoot);
    }

    function test_each_part_of_claim_is_checked() public {
        IL2.Sealed memory b = sealNext(l2.next());
        (bytes32 post, uint256 gasUsed) = (b.head.stateRoot, b.head.gasUsed);
        expectFalse(~post, gasUsed, b.input);
        expectFalse(post, gasUsed + 1, b.input);
        expectFalse(post, gasUsed + (1 << 128), b.input);
        expectFalse(post, gasUsed, L2.broken(b.input, IL2.Field.StateRoot, ~post, true));
        expectFalse(post, gasUsed, bytes.concat(b.input, hex"00"));
        expectFalse(post, gasUsed, "");
        advance(b);
        // The same block again: it does not start from the new state.
        expectFalse(post, gasUsed, b.input);
    }

    function test_false_claim_costs_more_and_can_be_caught() public {
        IL2.Sealed memory b = sealNext(l2.next());
        (bytes32 pre, bytes32 post) = (rollup.stateRoot(), b.head.stateRoot);
        DrakeCaller caller = new DrakeCaller();
        // The first call warms the address, as that of a precompile always is.
        caller.ask(pre, post, b.input, b.head.gasUsed);
        (bool truth, uint256 paid) = caller.ask(pre, post, b.input, b.head.gasUsed);
        (bool lie, uint256 paidByLie) = caller.ask(pre, post, b.input, b.head.gasUsed + 1);
        assertTrue(truth);
        assertFalse(lie);
        assertGe(paidByLie, paid);
    }

    function test_missing_execute_or_gas_reverts() public {
        // Many transfers, so that a 64th of too little gas is sufficient for the error.
        for (uint256 i = 0; i < 20; ++i) {
            l2.transfer("bob", bob, 1);
        }
        IL2.Sealed memory b = sealNext(l2.next());
        (bytes32 post, uint256 gasUsed) = (b.head.stateRoot, b.head.gasUsed);
        uint256 state = vm.snapshotState();
        rollup.advance{gas: 1_000_000}(post, gasUsed, b.input);
        vm.revertToState(state);
        vm.expectRevert(DrakeExecute.ExecuteFailed.selector);
        rollup.advance{gas: 300_000}(post, gasUsed, b.input);
        vm.etch(DrakeExecute.PRECOMPILE, "");
        vm.expectRevert(DrakeExecute.ExecuteAbsent.selector);
        advance(b);
    }

    // ------------------------------------------------------------------ unchecked fields

    function test_contract_cannot_check_timestamps() public {
        IL2.Block memory b = l2.next();
        b.timestamp += 10 * 365 days;
        expectAccepted(b);
    }

    function test_contract_cannot_check_fee_recipient() public {
        IL2.Block memory b = l2.next();
        b.feeRecipient = makeAddr("builder");
        expectAccepted(b);
    }

    function test_contract_accepts_any_anchor() public {
        IL2.Block memory b = l2.next();
        b.anchor = keccak256("an L1 on which a message credits the builder with all ETH");
        expectAccepted(b);
    }

    function test_contract_cannot_bound_gas_limit() public {
        IL2.Block memory b = l2.next();
        b.gasLimit = l2.head.gasLimit - l2.head.gasLimit / 1025;
        expectAccepted(b);
    }

    /// @dev Two chains with different blocks and the same state.
    function test_contract_cannot_check_parent_hash() public {
        bytes32 ours = l2.head.hash;
        IL2.Genesis memory g = L2.defaults();
        L2.fund(g, "alice", 1000 ether);
        L2.fund(g, "bob", 1000 ether);
        L2.fund(g, "carol", 1000 ether);
        g.chainId = 99;
        (g.number, g.timestamp) = (1_000_000, g.timestamp - 1 days);
        l2.create(g);
        assertNotEq(l2.head.hash, ours);
        assertEq(l2.head.stateRoot, rollup.stateRoot());
        expectAccepted(l2.next());
    }

    /// @dev The caller of `advance` alone decides on the content of a block, since the contract
    /// reads no transactions.
    function test_contract_cannot_require_block_contents() public {
        advance(l2.sealBlock(l2.next()));
        assertEq(l2.nonceOf(L2.account("alice")), 0);
    }
}

/// @dev Caller that continues after a false claim.
contract DrakeCaller {
    function ask(bytes32 pre, bytes32 post, bytes calldata trace, uint256 gasUsed)
        external
        view
        returns (bool answer, uint256 paid)
    {
        uint256 before = gasleft();
        answer = DrakeExecute.execute(pre, post, trace, gasUsed);
        paid = before - gasleft();
    }
}
