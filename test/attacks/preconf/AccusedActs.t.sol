// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../../contracts/libraries/Execute.sol";
import {ClosedPolicy} from "../../utils/ClosedPolicy.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {HybridFixture} from "../../sequencing/preconf/HybridFixture.sol";

/// @dev Contract of a signer, which promises about it. Its rules are as the signer likes.
contract OwnRollup {
    uint64 public immutable MAX_LAG;
    IRollup.Head private _head;

    constructor(uint64 maxLag) {
        MAX_LAG = maxLag;
    }

    function head() external view returns (IRollup.Head memory) {
        return _head;
    }
}

/// @title Sequencer that tries to prevent the proof of its fault
/// @notice After it has signed, a sequencer can request the withdrawal of its bond, register
/// signers, hand its role over, post more blocks, and as the owner change the rollup's policy. All
/// four accusations still succeed.
contract AccusedActsTest is HybridFixture {
    using L2 for L2.Chain;

    /// @dev Promise of a block that was replaced by a posted one.
    IPreconfBonds.Signed internal broken;
    /// @dev Promise of the posted block.
    IPreconfBonds.Signed internal posted;
    /// @dev The posted block with false gas, and its input.
    IPreconfBonds.Signed internal lie;
    bytes internal input;
    /// @dev Promise of a block that was never posted.
    IPreconfBonds.Signed internal missing;

    address internal current;

    function setUp() public override {
        super.setUp();
        current = sequencer;
        IL2.Head memory start = l2.head;
        seal(1);
        broken = signedHead();
        l2.head = start;
        input = l2.seal();
        posted = signedHead();
        advanceBy(sequencer, one(input));

        lie = promised(withItem(posted.header, 10, hex"5208"));
        missing = promised(withItem(posted.header, 8, hex"03e8"));
        nextL1Block();
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.owner = sequencer;
    }

    // ------------------------------------------------------------------ what the accused does

    function act(uint256 choice, uint256 seed) internal {
        if (choice == 0) {
            requestWithdrawal();
        } else if (choice == 1) {
            vm.prank(sequencer);
            try bonds.cancelWithdrawal() {} catch {}
        } else if (choice == 2) {
            setSigner(uint256(keccak256(abi.encode("signer", seed))), sequencer);
        } else if (choice == 3) {
            address next = vm.addr(uint256(keccak256(abi.encode("next", seed))));
            vm.prank(current);
            policy.offer(next);
            vm.prank(next);
            policy.take();
            current = next;
        } else if (choice == 4) {
            advanceMore(seed);
        } else {
            skip(20 minutes);
        }
    }

    /// @dev Advances as an account with a bond.
    function advanceMore(uint256 seed) internal {
        address account = vm.addr(uint256(keccak256(abi.encode("bonded", seed))));
        vm.deal(account, BOND);
        vm.prank(account);
        bonds.deposit{value: BOND}(account);
        vm.prank(current);
        policy.offer(account);
        vm.prank(account);
        policy.take();
        current = account;
        advanceBy(current, one(l2.seal()));
        nextL1Block();
    }

    // ------------------------------------------------------------------ accusations

    function assertAllProven() internal {
        vm.warp(vm.getBlockTimestamp() + MAX_LAG / 2 + 1);
        uint256 snapshot = vm.snapshotState();
        accuse(broken, posted, reporter);
        assertEq(amountOf(sequencer), 0, "equivocation");
        vm.revertToState(snapshot);

        IPreconfBonds.Canonical memory c;
        c.header = posted.header;
        if (l2.head.number != 1) {
            c.witnessBlock = l2.head.number;
            IL2.AccountProof memory p = l2.prove(HISTORY, bytes32(uint256(1)));
            (c.accountProof, c.slotProof) = (p.nodes, p.slots[0].nodes);
        }
        vm.prank(reporter);
        bonds.accuseBroken(broken, c, noProof(), SALT);
        assertEq(amountOf(sequencer), 0, "broken");
        vm.revertToState(snapshot);

        vm.prank(reporter);
        bonds.accuseLie(lie, posted.header, input, SALT);
        assertEq(amountOf(sequencer), 0, "lie");
        vm.revertToState(snapshot);

        accuseLate(missing);
        assertEq(amountOf(sequencer), BOND - BOND / 20, "late");
        vm.revertToState(snapshot);
    }

    /// forge-config: default.fuzz.runs = 24
    function testFuzz_accused_account_cannot_prevent_proof(uint256 seed) public {
        for (uint256 i = 0; i < 6; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            act(random % 6, random);
        }
        assertAllProven();
    }

    function test_no_single_action_prevents_proof() public {
        for (uint256 i = 0; i < 6; ++i) {
            act(i, i);
        }
        assertAllProven();
    }

    function test_change_of_policy_prevents_no_proof() public {
        uint256 closed = uint160(address(new ClosedPolicy()));
        vm.prank(sequencer);
        rollup.announce(IRollup.Change.Policy, closed);
        untilReady(IRollup.Change.Policy, closed);
        vm.prank(sequencer);
        rollup.make(IRollup.Change.Policy, closed);
        requestWithdrawal();
        assertAllProven();
    }

    /// @dev After a withdrawal there is no bond to slash. Seven days are longer than the evidence
    /// other than of a lie is valid, and clients do not rely on the account from the request on.
    function test_withdrawn_bond_cannot_be_slashed() public {
        requestWithdrawal();
        skip(bonds.WITHDRAWAL_DELAY() - MAX_LAG);
        assertAllProven();
        skip(MAX_LAG);
        vm.prank(sequencer);
        bonds.withdraw(payable(sequencer));
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.NothingBonded.selector, sequencer));
        bonds.accuseLie(lie, posted.header, input, SALT);
    }

    /// @dev The sequencer burns its bond with a report of its own, which is included before that
    /// of an honest account. The latter reverts without the cost of EXECUTE.
    function test_self_report_included_first_prevents_execute() public {
        uint256 snapshot = vm.snapshotState();
        vm.expectCall(Execute.PRECOMPILE, input, 1);
        vm.prank(reporter);
        bonds.accuseLie(lie, posted.header, input, SALT);
        vm.revertToState(snapshot);

        accuse(broken, posted, sequencer);
        bytes memory nothing =
            abi.encodeWithSelector(IPreconfBonds.NothingBonded.selector, sequencer);
        vm.startPrank(reporter);
        vm.expectRevert(nothing);
        bonds.accuseLie(lie, posted.header, input, SALT);
        vm.expectRevert(nothing);
        bonds.accuseEquivocation(broken, posted, noProof(), SALT);
        IPreconfBonds.Canonical memory c;
        c.header = posted.header;
        vm.expectRevert(nothing);
        bonds.accuseBroken(broken, c, noProof(), SALT);
        vm.expectRevert(nothing);
        bonds.accuseLate(missing, SALT);
        vm.stopPrank();
    }

    // ------------------------------------------------------------------ a contract of its own

    /// @dev A sequencer reports its own delay with a contract of its own, to be protected from
    /// another penalty. That lasts no longer than after any delay.
    function testFuzz_sequencer_contract_is_exclusive_until_timeout_only(uint64 maxLag) public {
        vm.warp(vm.getBlockTimestamp() + MAX_LAG / 2 + 1);
        // It can be late for a block of any time.
        maxLag = uint64(bound(maxLag, 0, 2 * (vm.getBlockTimestamp() - 1)));
        IL2.Head memory head;
        head.number = 1;
        accuseLate(signed(address(new OwnRollup(maxLag)), headerOf(head), true));
        uint256 left = BOND - BOND / 20;
        assertEq(amountOf(sequencer), left);

        uint64 until = bonds.bonds(sequencer).lateUntil;
        assertEq(until, vm.getBlockTimestamp() + bonds.LATE_PERIOD());
        vm.warp(until - 1);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.LateAlready.selector, until));
        bonds.accuseLate(missing, SALT);
        vm.warp(until);
        accuseLate(missing);
        assertEq(amountOf(sequencer), left - left / 20);
    }
}
