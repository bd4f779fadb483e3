// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IForcedSettlement} from "../../contracts/interfaces/IForcedSettlement.sol";
import {IL2Accounts} from "../../contracts/interfaces/IL2Accounts.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Transactions} from "../../contracts/libraries/Transactions.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {Burner} from "../utils/Targets.sol";

contract ForcedInboxTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant BOUNDED = address(0xb0b0b0);
    uint64 internal percent = 100;
    uint64 internal maxBounded = 1_000_000;
    address internal bounded = BOUNDED;

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.boundedTarget = bounded;
        (c.feePercent, c.maxBoundedGas) = (percent, maxBounded);
    }

    function plain() internal view returns (IL2.Transaction memory t) {
        t = L2.transaction("alice", bob, 5, "");
        t.gasLimit = FORCED_GAS;
        t.nonce = 3;
        t.maxPriorityFeePerGas = 0;
    }

    function expectRefused(IL2.Transaction memory t, bytes memory error_) internal {
        bytes memory raw = l2.sign(t);
        vm.expectRevert(error_);
        inbox.submit(raw);
    }

    function test_transaction_is_stored_as_one_hash() public {
        bytes memory raw = l2.sign(plain());
        IRollup.ForcedTransaction memory t = submit(raw);
        assertEq(t.hash, keccak256(raw));
        assertEq(t.sender, alice);
        assertEq(t.nonce, 3);
        assertEq(t.gasLimit, FORCED_GAS);
        assertEq(t.maxFee, 100 gwei);
        assertEq(t.cost, uint256(FORCED_GAS) * 100 gwei + 5);
        assertEq(t.submittedAt, vm.getBlockTimestamp());
        assertFalse(t.bounded);
        assertEq(inbox.commitment(0), keccak256(abi.encode(t)));
        assertEq(inbox.commitment(1), 0);
        assertEq(inbox.count(), 1);
        assertEq(t.to, bob);
        assertEq(t.footprint, raw.length + 2 * 3200 + 800);
        uint256 slot0 = uint256(1) | vm.getBlockNumber() << 128;
        assertEq(uint256(vm.load(address(inbox), 0)), slot0, "slot 0");
        bytes32 slot = keccak256(abi.encode(0, 1));
        assertEq(vm.load(address(inbox), slot), inbox.commitment(0), "slot 1");
    }

    function test_types_0_1_and_2_are_taken() public {
        IL2.Transaction memory t = plain();
        t.kind = IL2.Kind.Legacy;
        assertEq(submit(l2.sign(t)).sender, alice);
        t.kind = IL2.Kind.AccessList;
        assertEq(submit(l2.sign(t)).sender, alice);
        t.kind = IL2.Kind.FeeMarket;
        assertEq(submit(l2.sign(t)).sender, alice);
    }

    /// @dev With any gas limit.
    function test_transaction_that_could_execute_code_is_rejected() public {
        IL2.Transaction memory t = plain();
        t.kind = IL2.Kind.SetCode;
        t.gasLimit = 60_000;
        t.authorizations = new IL2.Authorization[](1);
        t.authorizations[0] = IL2.Authorization("bob", CHAIN_ID, BOUNDED, 0);
        bytes memory error_ = abi.encodeWithSelector(IForcedInbox.NotForceable.selector);
        expectRefused(t, error_);
        t = plain();
        t.kind = IL2.Kind.AccessList;
        t.accessList = new IL2.AccessListItem[](1);
        t.accessList[0].account = bob;
        t.gasLimit = 30_000;
        expectRefused(t, error_);
        t = plain();
        t.gasLimit = 60_000;
        t.create = true;
        expectRefused(t, error_);
    }

    function testFuzz_submission_does_not_depend_on_submitter(address who, uint64 nonce) public {
        vm.assume(nonce != type(uint64).max);
        IL2.Transaction memory t = plain();
        t.nonce = nonce;
        bytes memory raw = l2.sign(t);
        vm.prank(who);
        inbox.submit(raw);
        bytes32 first = inbox.commitment(0);
        inbox.submit(raw);
        assertEq(inbox.commitment(1), first);
    }

    function test_transactions_for_another_chain_are_rejected() public {
        IL2.Transaction memory t = plain();
        t.chainId = 1;
        expectRefused(
            t, abi.encodeWithSelector(Transactions.TransactionChainIdMismatch.selector, 1, CHAIN_ID)
        );
        t.chainId = CHAIN_ID;
        submit(l2.sign(t));
    }

    function test_transaction_beyond_block_capacity_is_rejected() public {
        IL2.Transaction memory t = plain();
        t.gasLimit = 20_999;
        expectRefused(
            t, abi.encodeWithSelector(Transactions.GasBelowIntrinsic.selector, 20_999, 21_000)
        );
        t.gasLimit = 21_000;
        t.data = hex"00";
        expectRefused(
            t, abi.encodeWithSelector(Transactions.GasBelowIntrinsic.selector, 21_000, 21_064)
        );
        t.data = "";
        t.gasLimit = FORCED_GAS;
        bytes memory raw = l2.sign(t);
        submit(raw);
        raw[raw.length - 1] ^= 0x01;
        IRollup.ForcedTransaction memory other;
        try this.submitted(raw) returns (IRollup.ForcedTransaction memory o) {
            other = o;
        } catch {}
        assertTrue(other.sender != alice, "another signature has another signer, or none");
        bytes memory longer = bytes.concat(l2.sign(t), hex"00");
        vm.expectRevert();
        inbox.submit(longer);
    }

    /// @dev Rejects a transaction with one unit of gas less than the minimum, and accepts it with
    /// the minimum.
    function assertMinimum(IL2.Transaction memory t, uint64 minimum) private {
        assertEq(inbox.minimumGas(t.data.length), minimum);
        t.gasLimit = minimum - 1;
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.ForcedGasTooLow.selector, minimum - 1, minimum)
        );
        t.gasLimit = minimum;
        assertEq(submit(l2.sign(t)).gasLimit, minimum);
    }

    function test_gas_limit_without_margin_is_rejected() public {
        IL2.Transaction memory t = plain();
        assertMinimum(t, 42_000);
        t.data = hex"00";
        assertMinimum(t, 42_256);
        t.to = MESSENGER;
        t.data = abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""));
        assertMinimum(t, 42_000 + 256 * 196);
        t.to = BOUNDED;
        t.data = new bytes(3742);
        assertMinimum(t, 999_952);
        IL2Accounts.AccountMessage memory m;
        t.to = Predeploys.L2_ACCOUNTS;
        t.data = abi.encodeCall(IL2Accounts.force, (MESSENGER, m));
        assertMinimum(t, uint64(42_000 + 256 * t.data.length));
    }

    /// @dev The most that calldata can need at the maximum gas limit.
    function test_longer_data_exceeds_maximum_gas() public {
        IL2.Transaction memory t = plain();
        t.to = BOUNDED;
        t.gasLimit = 1_000_000;
        t.data = new bytes(3743);
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.ForcedGasTooLow.selector, 1_000_000, 1_000_208)
        );
        t.data = new bytes(3742);
        assertTrue(submit(l2.sign(t)).bounded);
    }

    /// @dev A fork may raise both prices up to this.
    function testFuzz_minimum_gas_covers_higher_prices(uint256 length) public view {
        length = bound(length, 0, inbox.MAX_SIZE());
        Transactions.Transaction memory t;
        t.dataLength = length;
        uint256 minimum = inbox.minimumGas(length);
        assertGe(minimum, 2 * Transactions.intrinsicGas(t));
        assertGe(minimum, 2 * Transactions.GAS_BASE + 4 * Transactions.FLOOR_BYTE * length);
        assertGe(minimum, 2 * Transactions.GAS_BASE + 16 * Transactions.GAS_BYTE * length);
    }

    /// @dev Of the longest transactions that the queue accepts, a block can include three.
    function test_minimum_gas_fits_budget_of_block() public view {
        assertLe(3 * inbox.minimumGas(inbox.MAX_SIZE()), Capacity.DUTY_GAS);
        // As many as fit into its bytes, with the data that the maximum gas of the example allows.
        uint256 data = (300_000 - FORCED_GAS) / 256;
        uint256 count = Capacity.DUTY_BYTES / Capacity.ofTransfer(data);
        assertLe(count * inbox.minimumGas(data), Capacity.DUTY_GAS);
    }

    function submitted(bytes memory raw) external returns (IRollup.ForcedTransaction memory) {
        return submit(raw);
    }

    function test_gas_is_bounded_by_known_target() public {
        IL2.Transaction memory t = plain();
        t.gasLimit = 44_000;
        submit(l2.sign(t));
        t.gasLimit = 44_001;
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, 44_001, 44_000)
        );

        t.gasLimit = 1_000_000;
        t.to = MESSENGER;
        t.data = abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""));
        assertTrue(submit(l2.sign(t)).bounded);
        IL2Messenger.Header memory header;
        t.data = abi.encodeCall(IL2Messenger.refundToL1, (header, bob));
        assertTrue(submit(l2.sign(t)).bounded);
        t.gasLimit = 1_000_001;
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, 1_000_001, 1_000_000)
        );
        // A relay could make the messenger call any account.
        t.gasLimit = 1_000_000;
        t.data = abi.encodeCall(IL2Messenger.relay, ("", bob));
        bytes memory error_ =
            abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, 1_000_000, 44_000);
        expectRefused(t, error_);
        t.to = BOUNDED;
        t.data = "anything";
        assertTrue(submit(l2.sign(t)).bounded);
    }

    function test_alias_deliveries_are_forced_for_known_targets_only() public {
        IL2Accounts.AccountMessage memory m;
        IL2.Transaction memory t = plain();
        t.gasLimit = 1_000_000;
        t.to = Predeploys.L2_ACCOUNTS;
        t.data = abi.encodeCall(IL2Accounts.force, (MESSENGER, m));
        bytes memory raw = l2.sign(t);
        IRollup.ForcedTransaction memory forced = submit(raw);
        assertTrue(forced.bounded);
        assertEq(forced.footprint, Capacity.ofAliasSend(raw.length));
        t.data = abi.encodeCall(IL2Accounts.force, (BOUNDED, m));
        raw = l2.sign(t);
        forced = submit(raw);
        assertTrue(forced.bounded);
        assertEq(forced.footprint, Capacity.ofAliasCall(raw.length));

        bytes memory error_ =
            abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, 1_000_000, 44_000);
        t.data = abi.encodeCall(IL2Accounts.force, (bob, m));
        expectRefused(t, error_);
        t.data = abi.encodeCall(IL2Accounts.force, (address(0), m));
        expectRefused(t, error_);
        // The L2 decodes the target from a whole word.
        t.data = abi.encodePacked(IL2Accounts.force.selector, hex"01", bytes11(0), MESSENGER);
        expectRefused(t, error_);
        t.data = abi.encodePacked(IL2Accounts.force.selector, bytes31(0));
        expectRefused(t, error_);
        t.data = abi.encodeCall(IL2Accounts.execute, (new IL2Accounts.Call[](0)));
        expectRefused(t, error_);
    }

    function test_accounts_without_vouched_target_call_messenger_only() public {
        ForcedInbox.Config memory c = super.forcedConfig(address(rollup));
        assertEq(c.boundedTarget, address(0));
        inbox = new ForcedInbox(c);
        IL2Accounts.AccountMessage memory m;
        IL2.Transaction memory t = plain();
        t.gasLimit = 1_000_000;
        t.to = Predeploys.L2_ACCOUNTS;
        t.data = abi.encodeCall(IL2Accounts.force, (address(0), m));
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, 1_000_000, 44_000)
        );
        t.data = abi.encodeCall(IL2Accounts.force, (MESSENGER, m));
        assertTrue(submit(l2.sign(t)).bounded);
    }

    /// @dev A call of the bounded target may have more gas, so the cost of its code must match its
    /// gas.
    function test_precompile_cannot_be_vouched_for() public {
        ForcedInbox.Config memory c = super.forcedConfig(address(rollup));
        uint16[4] memory precompiles = [0x01, 0x09, 0x0100, 0xffff];
        for (uint256 i = 0; i < 4; ++i) {
            c.boundedTarget = address(uint160(precompiles[i]));
            vm.expectRevert(
                abi.encodeWithSelector(IForcedInbox.TargetIsPrecompile.selector, c.boundedTarget)
            );
            new ForcedInbox(c);
        }
        c.boundedTarget = address(0x10000);
        assertEq(new ForcedInbox(c).BOUNDED_TARGET(), address(0x10000));
        c.boundedTarget = address(0);
        assertEq(new ForcedInbox(c).BOUNDED_TARGET(), address(0));
    }

    function test_transaction_up_to_maximum_length_is_accepted() public {
        bytes memory raw = new bytes(4097);
        vm.expectRevert(
            abi.encodeWithSelector(IForcedInbox.TransactionTooLong.selector, 4097, 4096)
        );
        inbox.submit(raw);
        maxBounded = 1_100_000;
        deploy();
        IL2.Transaction memory t = plain();
        t.to = BOUNDED;
        t.gasLimit = maxBounded;
        t.data = new bytes(3900);
        raw = l2.sign(t);
        t.data = new bytes(3900 + 4096 - raw.length);
        raw = l2.sign(t);
        assertEq(raw.length, 4096, "exactly");
        submit(raw);
    }

    /// @dev A bounded target of zero means none, and not the zero address.
    function test_transaction_without_bounded_target_is_unbounded() public {
        bounded = address(0);
        deploy();
        IL2.Transaction memory t = plain();
        t.to = address(0);
        t.gasLimit = 1_000_000;
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.TargetIsPrecompile.selector, address(0))
        );
        t.to = BOUNDED;
        expectRefused(
            t, abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, 1_000_000, 44_000)
        );
        bounded = BOUNDED;
        deploy();
        assertTrue(submit(l2.sign(t)).bounded);
    }

    function testFuzz_fee_covers_share_of_gas_and_witness(uint64 baseFee) public {
        baseFee = uint64(bound(baseFee, 1, 1e12));
        percent = 150;
        deploy();
        bytes memory raw = l2.sign(plain());
        vm.fee(baseFee);
        uint256 footprint = raw.length + 2 * 3200 + 800;
        uint256 minimum = (FORCED_GAS + 64 * footprint) * baseFee * 150 / 100;
        assertEq(inbox.footprintOf(raw), footprint);
        assertEq(inbox.minimumFee(FORCED_GAS, footprint), minimum);
        vm.deal(address(this), minimum);
        vm.expectRevert(
            abi.encodeWithSelector(IForcedInbox.ForcedFeeTooLow.selector, minimum - 1, minimum)
        );
        inbox.submit{value: minimum - 1}(raw);
        inbox.submit{value: minimum}(raw);
        assertEq(address(inbox).balance, minimum);
    }

    function testFuzz_excess_fee_is_refunded(uint64 baseFee, uint96 more) public {
        deploy();
        bytes memory raw = l2.sign(plain());
        vm.fee(baseFee);
        uint256 minimum = inbox.minimumFee(FORCED_GAS, inbox.footprintOf(raw));
        vm.deal(alice, minimum + more);
        vm.prank(alice);
        inbox.submit{value: minimum + more}(raw);
        assertEq(alice.balance, more);
        assertEq(address(inbox).balance, minimum);
    }

    function test_submitter_that_rejects_change_pays_exact_fee() public {
        address burner = address(new Burner());
        bytes memory raw = l2.sign(plain());
        vm.fee(7);
        uint256 minimum = inbox.minimumFee(FORCED_GAS, inbox.footprintOf(raw));
        vm.deal(burner, 2 * minimum);
        vm.expectRevert(abi.encodeWithSelector(IForcedInbox.ChangeRefused.selector, burner, 1));
        vm.prank(burner);
        inbox.submit{value: minimum + 1}(raw);
        assertEq(inbox.count(), 0);
        vm.prank(burner);
        inbox.submit{value: minimum}(raw);
        assertEq(inbox.count(), 1);
    }

    function test_queue_whose_entries_cost_nothing_is_rejected() public {
        ForcedInbox.Config memory c = forcedConfig(address(rollup));
        c.feePercent = 0;
        vm.expectRevert(IForcedInbox.FeePercentZero.selector);
        new ForcedInbox(c);
        c.feePercent = 1;
        assertEq(new ForcedInbox(c).FEE_PERCENT(), 1);
    }

    function test_submissions_are_indexed_by_submitter_and_sender() public {
        bytes memory raw = l2.sign(plain());
        IForcedInbox.ForcedTransaction memory entry;
        // Topics are compared, data are not.
        vm.expectEmit(true, true, true, false, address(inbox));
        emit IForcedInbox.ForcedSubmitted(0, bob, alice, entry, raw);
        vm.prank(bob);
        inbox.submit(raw);
    }

    function testFuzz_cap_with_margin_may_wait(uint128 cap) public {
        cap = uint128(bound(cap, 0, 1000 gwei));
        IL2.Transaction memory t = plain();
        t.maxFeePerGas = cap;
        assertEq(submit(l2.sign(t)).priced, cap >= 8 gwei);
        advance();
        // That of the block, rounded up to a multiple of 2^24 wei.
        assertGe(rollup.baseFee(), l2.head.baseFee);
        assertLt(rollup.baseFee() - l2.head.baseFee, 1 << 24);
        assertEq(rollup.baseFee() % (1 << 24), 0);
    }

    function test_call_stores_base_fee_of_last_block() public {
        for (uint256 way = 0; way < 2; ++way) {
            skip(10);
            bytes[] memory inputs = new bytes[](3);
            for (uint256 i = 0; i < inputs.length; ++i) {
                IL2.Block memory b = l2.next();
                b.timestamp = l2.head.timestamp + 1;
                inputs[i] = l2.seal(b);
            }
            rollup.advance(way == 0 ? inputs : one(L2.batchOf(inputs)), none());
            assertGe(rollup.baseFee(), l2.head.baseFee);
            assertLt(rollup.baseFee() - l2.head.baseFee, 1 << 24);
        }
    }

    function test_footprint_grows_with_state_reads() public {
        IL2.Transaction memory t = plain();
        t.gasLimit = 1_000_000;
        t.to = MESSENGER;
        t.data = abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""));
        bytes memory raw = l2.sign(t);
        assertEq(submit(raw).footprint, raw.length + 4 * 3200 + 800);
        t.to = BOUNDED;
        raw = l2.sign(t);
        assertEq(submit(raw).footprint, raw.length + 40_000 + 800);
    }

    function test_messages_before_l1_block_are_distinguished() public {
        bytes memory raw = l2.sign(plain());
        assertEq(inbox.countBefore(), 0);
        submit(raw);
        submit(raw);
        assertEq(inbox.countBefore(), 0);
        assertEq(inbox.count(), 2);
        nextL1Block();
        assertEq(inbox.countBefore(), 2);
        submit(raw);
        assertEq(inbox.countBefore(), 2);
        nextL1Block();
        nextL1Block();
        assertEq(inbox.countBefore(), 3);
    }

    function test_only_rollup_discharges() public {
        IForcedSettlement.BlockFacts memory facts;
        IRollup.ForcedBatch memory batch;
        vm.expectRevert(abi.encodeWithSelector(IForcedInbox.NotRollup.selector, address(this)));
        inbox.discharge(facts, batch, new bytes32[](0));
        vm.prank(address(rollup));
        inbox.discharge(facts, batch, new bytes32[](0));
    }
}
