// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {PreconfBonds} from "../../../contracts/sequencing/preconf/PreconfBonds.sol";
import {IL2} from "../../utils/IL2.sol";
import {BondsFixture} from "./BondsFixture.sol";

/// @dev The rollup's rules that the registry reads.
contract RollupRules {
    uint64 public constant MAX_LAG = 3600;
    uint64 public number;

    function setNumber(uint64 number_) external {
        number = number_;
    }

    function head() external view returns (uint64, uint64, uint64, uint64) {
        return (number, 0, 0, 0);
    }
}

/// @dev Calls the registry back when it is paid.
contract Reentrant {
    address internal immutable BONDS;
    bytes internal _call;
    bool public succeeded;

    constructor(address bonds) {
        BONDS = bonds;
    }

    function run(bytes calldata first, bytes calldata second) external payable {
        _call = second;
        (bool ok, bytes memory answer) = BONDS.call{value: msg.value}(first);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    receive() external payable {
        (succeeded,) = BONDS.call(_call);
    }
}

/// @dev Money of the registry: deposits, signers, withdrawals, penalties and rewards.
contract PreconfBondsTest is Test, BondsFixture {
    RollupRules internal rollup = new RollupRules();
    IPreconfBonds.Signed internal a;
    IPreconfBonds.Signed internal b;

    function setUp() public {
        vm.roll(1000);
        vm.warp(1_700_000_000);
        makeBonds();
        IL2.Head memory head;
        head.number = 7;
        head.timestamp = 1_700_000_000;
        a = signed(address(rollup), headerOf(head), true);
        head.feeRecipient = address(1);
        b = signed(address(rollup), headerOf(head), true);
    }

    // ------------------------------------------------------------------ deposits

    function test_first_deposit_belongs_to_account() public {
        address other = makeAddr("other");
        vm.deal(other, 3);
        vm.expectRevert(
            abi.encodeWithSelector(IPreconfBonds.NotOwnDeposit.selector, other, address(this))
        );
        bonds.deposit{value: 1}(other);

        vm.prank(other);
        vm.expectEmit();
        emit IPreconfBonds.Deposited(other, other, 3);
        bonds.deposit{value: 3}(other);
        bonds.deposit{value: 1}(other);
        assertEq(bonds.bondOf(other), 4);
    }

    // ------------------------------------------------------------------ signers

    uint256 internal hot = uint256(keccak256("hot key"));

    function test_account_is_liable_for_its_signer() public {
        vm.expectEmit();
        emit IPreconfBonds.SignerSet(sequencer, vm.addr(hot));
        setSigner(hot, sequencer);
        assertEq(bonds.accountOf(vm.addr(hot)), sequencer);
        assertEq(bonds.accountOf(sequencer), sequencer);

        // Two keys of one account are one signer: a second key allows no second promise.
        b.signature = signatureOf(bonds.hashOf(b.message), hot);
        accuse(a, b, reporter);
        assertEq(amountOf(sequencer), 0);
    }

    function test_signer_has_to_consent() public {
        bytes memory forAnother = consentOf(hot, reporter);
        vm.prank(sequencer);
        vm.expectRevert(IPreconfBonds.SignatureInvalid.selector);
        bonds.setSigner(vm.addr(hot), forAnother);
        setSigner(hot, sequencer);
    }

    function test_signer_never_changes_its_account() public {
        setSigner(hot, sequencer);
        bytes memory consent = consentOf(hot, reporter);
        vm.prank(reporter);
        vm.expectRevert(
            abi.encodeWithSelector(IPreconfBonds.SignerTaken.selector, vm.addr(hot), sequencer)
        );
        bonds.setSigner(vm.addr(hot), consent);
    }

    /// @dev The key's own bond would no longer be liable for its signatures.
    function test_bonded_account_cannot_become_signer() public {
        bytes memory consent = consentOf(key, reporter);
        vm.prank(reporter);
        vm.expectRevert(
            abi.encodeWithSelector(IPreconfBonds.SignerTaken.selector, sequencer, sequencer)
        );
        bonds.setSigner(sequencer, consent);
        accuse(a, b, reporter);
        assertEq(amountOf(sequencer), 0);
    }

    function test_signer_gets_no_bond_of_its_own() public {
        setSigner(hot, sequencer);
        vm.deal(vm.addr(hot), 1);
        vm.prank(vm.addr(hot));
        vm.expectRevert(
            abi.encodeWithSelector(IPreconfBonds.SignerTaken.selector, vm.addr(hot), sequencer)
        );
        bonds.deposit{value: 1}(vm.addr(hot));
    }

    // ------------------------------------------------------------------ withdrawals

    function request() internal returns (uint256 readyAt) {
        readyAt = vm.getBlockTimestamp() + bonds.WITHDRAWAL_DELAY();
        vm.expectEmit();
        emit IPreconfBonds.WithdrawalRequested(sequencer, readyAt);
        vm.prank(sequencer);
        bonds.requestWithdrawal();
    }

    function withdraw() internal {
        vm.prank(sequencer);
        bonds.withdraw(payable(reporter));
    }

    function test_withdrawal_waits_for_its_delay() public {
        vm.expectRevert(IPreconfBonds.NotRequested.selector);
        withdraw();
        uint256 readyAt = request();
        assertEq(bonds.bondOf(sequencer), 0, "worth nothing from the request on");
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.TooSoon.selector, readyAt));
        withdraw();
        vm.warp(readyAt);
        vm.expectEmit();
        emit IPreconfBonds.Withdrawn(sequencer, reporter, BOND);
        withdraw();
        assertEq(reporter.balance, BOND);
        vm.expectRevert(IPreconfBonds.NotRequested.selector);
        withdraw();
    }

    function test_cancelled_request_starts_anew() public {
        vm.prank(sequencer);
        vm.expectRevert(IPreconfBonds.NotRequested.selector);
        bonds.cancelWithdrawal();
        uint256 readyAt = request();
        vm.warp(readyAt);
        vm.prank(sequencer);
        bonds.cancelWithdrawal();
        assertEq(bonds.bondOf(sequencer), BOND);
        vm.expectRevert(IPreconfBonds.NotRequested.selector);
        withdraw();
        readyAt = request();
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.TooSoon.selector, readyAt));
        withdraw();
    }

    function test_only_bond_can_be_requested() public {
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.NothingBonded.selector, reporter));
        bonds.requestWithdrawal();
    }

    /// @dev At day 6 evidence still counts; on day 8, after the withdrawal, it does not.
    function test_requested_bond_can_be_slashed() public {
        uint256 readyAt = request();
        vm.warp(readyAt - 1 days);
        uint256 snapshot = vm.snapshotState();
        accuse(a, b, reporter);
        vm.warp(readyAt);
        vm.expectRevert(IPreconfBonds.NotRequested.selector);
        withdraw();

        vm.revertToState(snapshot);
        vm.warp(readyAt + 1 days);
        withdraw();
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.NothingBonded.selector, sequencer));
        bonds.accuseEquivocation(a, b, noProof(), SALT);
    }

    /// @dev In one block the first of both transactions decides.
    function test_slash_and_withdrawal_exclude_each_other() public {
        vm.warp(request());
        accuse(a, b, reporter);
        vm.expectRevert(IPreconfBonds.NotRequested.selector);
        withdraw();
        // A later deposit is not under the old request.
        vm.deal(sequencer, 1);
        vm.prank(sequencer);
        bonds.deposit{value: 1}(sequencer);
        assertEq(bonds.bondOf(sequencer), 1);
    }

    // ------------------------------------------------------------------ rewards

    function test_committed_reporter_gets_tenth() public {
        commit(IPreconfBonds.Fault.Equivocation, a);
        vm.expectEmit();
        emit IPreconfBonds.Slashed(
            sequencer,
            address(rollup),
            IPreconfBonds.Fault.Equivocation,
            7,
            sequencer,
            BOND - BOND / 10,
            BOND / 10,
            reporter
        );
        accuse(a, b, reporter);
        assertEq(reporter.balance, BOND / 10);
        assertEq(address(bonds).balance, BOND - BOND / 10, "the rest stays");
        assertEq(amountOf(sequencer), 0);
    }

    /// @dev Evidence copied from the mempool burns the bond and pays nobody.
    function test_copied_accusation_earns_no_reward() public {
        commit(IPreconfBonds.Fault.Equivocation, a);
        address copier = makeAddr("copier");
        uint256 snapshot = vm.snapshotState();
        accuse(a, b, copier);
        assertEq(copier.balance, 0);
        assertEq(amountOf(sequencer), 0);

        // Nor does a commitment in the same block help.
        vm.revertToState(snapshot);
        bytes32 commitment = commitmentOf(IPreconfBonds.Fault.Equivocation, a, copier);
        vm.prank(copier);
        bonds.commit(commitment);
        accuse(a, b, copier);
        assertEq(copier.balance, 0);

        vm.revertToState(snapshot);
        accuse(a, b, reporter);
        assertEq(reporter.balance, BOND / 10);
    }

    function test_commitment_is_bound_to_its_evidence() public {
        commit(IPreconfBonds.Fault.Equivocation, a);
        uint256 snapshot = vm.snapshotState();
        // Another order: the commitment names the first message.
        accuse(b, a, reporter);
        assertEq(reporter.balance, 0);
        vm.revertToState(snapshot);
        vm.prank(reporter);
        bonds.accuseEquivocation(a, b, noProof(), bytes32(uint256(SALT) + 1));
        assertEq(reporter.balance, 0);
        vm.revertToState(snapshot);
        vm.warp(1_700_000_000 + 1801);
        vm.prank(reporter);
        bonds.accuseLate(a, SALT);
        assertEq(reporter.balance, 0, "another fault");
    }

    /// @dev Whoever repeats a commitment of another one delays or harms nobody.
    function test_commitment_is_unique() public {
        bytes32 commitment = commitmentOf(IPreconfBonds.Fault.Equivocation, a, reporter);
        vm.expectEmit();
        emit IPreconfBonds.Committed(commitment, address(this));
        bonds.commit(commitment);
        vm.roll(vm.getBlockNumber() + 1);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.CommitmentExists.selector, commitment));
        bonds.commit(commitment);
        accuse(a, b, reporter);
        assertEq(reporter.balance, BOND / 10);
    }

    function test_self_report_returns_tenth() public {
        vm.startPrank(sequencer);
        bonds.commit(commitmentOf(IPreconfBonds.Fault.Equivocation, a, sequencer));
        vm.stopPrank();
        vm.roll(vm.getBlockNumber() + 1);
        accuse(a, b, sequencer);
        assertEq(sequencer.balance, BOND / 10);
    }

    // ------------------------------------------------------------------ delay

    function accuseLate(IPreconfBonds.Signed memory s) internal {
        vm.prank(reporter);
        bonds.accuseLate(s, SALT);
    }

    function test_delay_costs_a_twentieth_once_per_period() public {
        commit(IPreconfBonds.Fault.Late, a);
        uint256 from = 1_700_000_000 + 1801;
        vm.warp(from - 1);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.NotLate.selector, from));
        bonds.accuseLate(a, SALT);

        vm.warp(from);
        accuseLate(a);
        assertEq(amountOf(sequencer), BOND - BOND / 20);
        assertEq(reporter.balance, BOND / 200);

        // Another promise about the same time.
        vm.warp(from + 1799);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.LateAlready.selector, from + 1800));
        bonds.accuseLate(b, SALT);
        vm.warp(from + 1800);
        accuseLate(b);
        assertEq(amountOf(sequencer), BOND - BOND / 20 - (BOND - BOND / 20) / 20);
        assertEq(reporter.balance, BOND / 200, "the commitment was used");
    }

    function test_posted_block_is_not_late() public {
        vm.warp(1_700_000_000 + 1801);
        rollup.setNumber(7);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IPreconfBonds.HeadReached.selector, 7, 7));
        bonds.accuseLate(a, SALT);
        rollup.setNumber(6);
        accuseLate(a);
    }

    // ------------------------------------------------------------------ calls back

    function test_withdrawal_is_paid_once() public {
        Reentrant account = new Reentrant(address(bonds));
        vm.deal(address(this), 1 ether);
        bytes memory none = abi.encodeCall(bonds.cancelWithdrawal, ());
        account.run{value: 1 ether}(abi.encodeCall(bonds.deposit, (address(account))), none);
        account.run(abi.encodeCall(bonds.requestWithdrawal, ()), none);
        vm.warp(vm.getBlockTimestamp() + 7 days);
        bytes memory call_ = abi.encodeCall(bonds.withdraw, (payable(address(account))));
        account.run(call_, call_);
        assertFalse(account.succeeded());
        assertEq(address(account).balance, 1 ether);
        assertEq(address(bonds).balance, BOND);
    }

    function test_reward_is_paid_once() public {
        Reentrant account = new Reentrant(address(bonds));
        bytes32 commitment = commitmentOf(IPreconfBonds.Fault.Equivocation, a, address(account));
        bonds.commit(commitment);
        vm.roll(vm.getBlockNumber() + 1);
        bytes memory call_ = abi.encodeCall(bonds.accuseEquivocation, (a, b, noProof(), SALT));
        account.run(call_, call_);
        assertFalse(account.succeeded());
        assertEq(address(account).balance, BOND / 10);
    }

    function test_rejected_payment_reverts() public {
        vm.warp(request());
        vm.prank(sequencer);
        vm.expectRevert(
            abi.encodeWithSelector(IPreconfBonds.TransferFailed.selector, address(rollup))
        );
        bonds.withdraw(payable(address(rollup)));
        withdraw();
    }

    // ------------------------------------------------------------------ binding

    function test_message_of_another_registry_is_no_evidence() public {
        bonds = new PreconfBonds();
        vm.prank(reporter);
        vm.expectPartialRevert(IPreconfBonds.AccountDiffers.selector);
        bonds.accuseEquivocation(a, b, noProof(), SALT);
    }

    function test_message_of_another_l1_is_no_evidence() public {
        vm.chainId(block.chainid + 1);
        vm.prank(reporter);
        vm.expectPartialRevert(IPreconfBonds.AccountDiffers.selector);
        bonds.accuseEquivocation(a, b, noProof(), SALT);
    }
}
