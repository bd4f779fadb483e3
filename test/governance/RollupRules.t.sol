// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {ISequencing} from "../../contracts/interfaces/ISequencing.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {OwnedRollup} from "./OwnedRollup.sol";

/// @dev Lets one account advance, and requires one fee recipient.
contract OnePolicy is ISequencing {
    address internal immutable WHO;
    address internal immutable FEES;

    error NotYou(address caller, uint64 headTimestamp);

    constructor(address who, address fees) {
        WHO = who;
        FEES = fees;
    }

    function authorize(address caller, uint64 headTimestamp) external view returns (address) {
        if (caller != WHO) revert NotYou(caller, headTimestamp);
        return FEES;
    }
}

/// @dev Rules that an owner can change: policy, gas limit and forks.
contract RollupRulesTest is OwnedRollup {
    using L2 for L2.Chain;

    // ------------------------------------------------------------------ policy

    function test_policy_determines_sequencer_and_fee_recipient() public {
        address sequencer = makeAddr("sequencer");
        make(POLICY, uint160(address(new OnePolicy(sequencer, bob))));
        advance(); // silent for so long that anyone may
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(
                OnePolicy.NotYou.selector, address(this), rollup.head().timestamp
            )
        );
        rollup.advance(inputs, none());
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.FeeRecipientMismatch.selector, l2.head.feeRecipient, bob)
        );
        vm.prank(sequencer);
        rollup.advance(inputs, none());

        l2.head = parent;
        l2.feeRecipient = bob;
        inputs = one(l2.seal());
        vm.prank(sequencer);
        rollup.advance(inputs, none());
        assertHead();
    }

    function testFuzz_silent_sequencer_cannot_block_other_accounts(uint256 silence) public {
        silence = bound(silence, 0, 3 * OPEN_AFTER);
        make(POLICY, uint160(address(new OnePolicy(bob, address(0)))));
        advance();
        uint256 age = vm.getBlockTimestamp() + silence - rollup.head().timestamp;
        skip(silence);
        bytes[] memory inputs = one(l2.seal());
        if (age < OPEN_AFTER) vm.expectPartialRevert(OnePolicy.NotYou.selector);
        rollup.advance(inputs, none());
    }

    function test_broken_policy_stops_rollup_temporarily() public {
        make(POLICY, uint160(makeAddr("no contract")));
        advance();
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert();
        rollup.advance(inputs, none());
        skip(OPEN_AFTER);
        l2.head = parent;
        advance();
        assertHead();
    }

    function test_policy_is_address() public {
        announce(POLICY, 1 << 160);
        untilReady(POLICY, 1 << 160);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.ChangeInvalid.selector, POLICY, uint256(1) << 160)
        );
        rollup.make(POLICY, 1 << 160);
        make(POLICY, uint160(makeAddr("policy")));
        (uint64 latest, uint64 target) = rollup.gasLimits();
        assertEq(latest, 12_000_000);
        assertEq(target, 12_000_000);
        assertEq(rollup.schemaAt(uint64(vm.getBlockTimestamp())), L2.OSAKA);
        make(POLICY, 0);
        assertEq(rollup.policy(), address(0));
    }

    // ------------------------------------------------------------------ gas limit

    function test_gas_limit_moves_at_ethereum_step() public {
        make(GAS, 12_020_000);
        uint64 first = 12_000_000 + 11_717;
        assertEq(rollup.nextGasLimit(), first);
        uint256 blocks = 0;
        while (rollup.nextGasLimit() != 12_020_000 || l2.head.gasLimit != 12_020_000) {
            IL2.Block memory b = l2.next();
            b.gasLimit = rollup.nextGasLimit();
            rollup.advance(one(l2.seal(b)), none());
            nextL1Block();
            ++blocks;
        }
        assertEq(blocks, 2);
        (uint64 latest, uint64 target) = rollup.gasLimits();
        assertEq(latest, 12_020_000);
        assertEq(target, 12_020_000);
        make(GAS, 11_990_000);
        assertEq(rollup.nextGasLimit(), 12_020_000 - 11_737);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(
                IRollup.GasLimitMismatch.selector, 12_020_000, rollup.nextGasLimit()
            )
        );
        rollup.advance(inputs, none());
    }

    function test_latest_gas_limit_and_its_target_differ() public {
        make(GAS, 12_020_000);
        (uint64 latest, uint64 target) = rollup.gasLimits();
        assertEq(latest, 12_000_000);
        assertEq(target, 12_020_000);
    }

    /// @dev A 1024th of 12,000,000 is 11,718.75; the change has to be smaller.
    function test_gas_limit_target_within_one_step_is_reached() public {
        uint24[4] memory near = [12_011_717, 11_988_283, 12_000_001, 11_999_999];
        for (uint256 i = 0; i < 4; ++i) {
            make(GAS, near[i]);
            assertEq(rollup.nextGasLimit(), near[i]);
        }
        make(GAS, 12_011_718);
        assertEq(rollup.nextGasLimit(), 12_011_717);
        make(GAS, 11_988_282);
        assertEq(rollup.nextGasLimit(), 11_988_283);
        // EXECUTE accepts this block, and rejects one that goes further.
        IL2.Block memory b = l2.next();
        b.gasLimit = rollup.nextGasLimit();
        rollup.advance(one(l2.seal(b)), none());
        assertHead();
        bytes32 further = bytes32(uint256(b.gasLimit - 1));
        bytes memory input = L2.inputOf(l2.head.hash);
        (bool valid, string memory reason) =
            L2.verify(L2.broken(input, IL2.Field.GasLimit, further, true));
        assertFalse(valid, reason);
        (valid, reason) = L2.verify(input);
        assertTrue(valid, reason);
    }

    function test_gas_limit_below_message_gas_is_rejected() public {
        uint256 minimum = Messages.relayGas(1_000_000, 16_384);
        announce(GAS, minimum - 1);
        announce(GAS, 1 << 32);
        announce(GAS, 4999);
        announce(GAS, minimum);
        skip(UPGRADE_DELAY - 1 days);
        rollup.clear(GAS, minimum - 1);
        rollup.clear(GAS, 1 << 32);
        rollup.clear(GAS, 4999);
        rollup.clear(GAS, minimum);
        skip(1 days);
        vm.startPrank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.MessageCapsTooHigh.selector, minimum, minimum - 1)
        );
        rollup.make(GAS, minimum - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.ChangeInvalid.selector, GAS, uint256(1) << 32)
        );
        rollup.make(GAS, 1 << 32);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, GAS, 4999));
        rollup.make(GAS, 4999);
        rollup.make(GAS, minimum);
        vm.stopPrank();
    }

    // ------------------------------------------------------------------ forks

    function fork(uint256 from, uint16 schema) internal pure returns (uint256) {
        return from << 16 | schema;
    }

    function test_fork_applies_from_its_timestamp() public {
        uint256 from = vm.getBlockTimestamp() + UPGRADE_DELAY + 100;
        make(FORK, fork(from, L2.AMSTERDAM));
        assertEq(rollup.forkCount(), 2);
        assertEq(rollup.forks(0).schema, L2.OSAKA);
        assertEq(rollup.forks(1).schema, L2.AMSTERDAM);
        assertEq(rollup.forks(1).from, from);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from - 1)), L2.OSAKA);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from)), L2.AMSTERDAM);

        vm.warp(from - 1);
        rollup.advance(one(l2.seal()), none());
        vm.warp(from + 1);
        IL2.Head memory parent = l2.head;
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.SchemaMismatch.selector, L2.OSAKA, L2.AMSTERDAM)
        );
        rollup.advance(inputs, none());
        l2.head = parent;
        l2.schema = L2.AMSTERDAM;
        rollup.advance(one(l2.seal()), none());
        assertHead();
        assertEq(uint256(vm.load(address(rollup), bytes32(uint256(3)))) >> 240 & 0xff, 2);
        nextL1Block();
        advance();
        assertHead();
    }

    function test_invalid_forks_cannot_be_scheduled() public {
        uint256 time = vm.getBlockTimestamp() + UPGRADE_DELAY;
        make(FORK, fork(time + 1000, L2.AMSTERDAM));
        time += UPGRADE_DELAY;
        uint256[6] memory bad = [
            fork(time, L2.AMSTERDAM),
            fork(time - UPGRADE_DELAY + 1000, L2.AMSTERDAM),
            fork(time - 1, L2.AMSTERDAM),
            fork(1 << 48, L2.AMSTERDAM),
            fork(time + 1, L2.OSAKA),
            fork(time + 1, L2.AMSTERDAM + 1)
        ];
        for (uint256 i = 0; i < 6; ++i) {
            announce(FORK, bad[i]);
        }
        announce(FORK, fork(time + 1, L2.AMSTERDAM));
        vm.warp(time - 1 days);
        for (uint256 i = 0; i < 6; ++i) {
            rollup.clear(FORK, bad[i]);
        }
        rollup.clear(FORK, fork(time + 1, L2.AMSTERDAM));
        vm.warp(time);
        vm.startPrank(owner);
        for (uint256 i = 0; i < 6; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, FORK, bad[i]));
            rollup.make(FORK, bad[i]);
        }
        rollup.make(FORK, fork(time + 1, L2.AMSTERDAM));
        vm.stopPrank();
    }

    /// @dev Both times are later than L1.
    function test_scheduled_fork_is_later_than_last() public {
        uint256 from = vm.getBlockTimestamp() + 2 * UPGRADE_DELAY;
        uint256[2] memory bad = [fork(from - 1, L2.AMSTERDAM), fork(from, L2.AMSTERDAM)];
        uint256 first = fork(from, L2.OSAKA);
        uint256 good = fork(from + 1, L2.AMSTERDAM);
        uint256[4] memory all = [first, bad[0], bad[1], good];
        for (uint256 i = 0; i < 4; ++i) {
            announce(FORK, all[i]);
        }
        skip(UPGRADE_DELAY - 1 days);
        for (uint256 i = 0; i < 4; ++i) {
            rollup.clear(FORK, all[i]);
        }
        skip(1 days);
        vm.startPrank(owner);
        rollup.make(FORK, first);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, FORK, bad[i]));
            rollup.make(FORK, bad[i]);
        }
        rollup.make(FORK, good);
        vm.stopPrank();
        assertEq(rollup.forkCount(), 3);
    }

    /// @dev The length of the schedule has eight bits.
    function test_schedule_has_at_most_255_forks() public {
        // Eight changes can be announced at once.
        uint256 from = vm.getBlockTimestamp() + 40 * UPGRADE_DELAY;
        for (uint256 made = 0; made < 254;) {
            uint256 count = made + 8 > 254 ? 254 - made : 8;
            for (uint256 i = 1; i <= count; ++i) {
                announce(FORK, fork(from + made + i, L2.AMSTERDAM));
            }
            skip(UPGRADE_DELAY - 1 days);
            for (uint256 i = 1; i <= count; ++i) {
                rollup.clear(FORK, fork(from + made + i, L2.AMSTERDAM));
            }
            skip(1 days);
            vm.startPrank(owner);
            for (uint256 i = 1; i <= count; ++i) {
                rollup.make(FORK, fork(from + made + i, L2.AMSTERDAM));
            }
            vm.stopPrank();
            made += count;
        }
        assertEq(rollup.forkCount(), 255);
        uint256 last = fork(from + 255, L2.AMSTERDAM);
        announce(FORK, last);
        untilReady(FORK, last);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, FORK, last));
        rollup.make(FORK, last);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from)), L2.OSAKA);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(rollup.schemaAt(uint64(from + 255)), L2.AMSTERDAM);
    }

    function test_fork_schema_must_not_decrease() public {
        uint256 time = vm.getBlockTimestamp() + UPGRADE_DELAY;
        uint256 newer = fork(time + 1, L2.AMSTERDAM);
        uint256 older = fork(time + 2, L2.AMSTERDAM - 256);
        announce(FORK, older);
        announce(FORK, newer);
        skip(UPGRADE_DELAY - 1 days);
        rollup.clear(FORK, older);
        rollup.clear(FORK, newer);
        skip(1 days);
        vm.startPrank(owner);
        rollup.make(FORK, newer);
        vm.expectRevert(abi.encodeWithSelector(IRollup.ChangeInvalid.selector, FORK, older));
        rollup.make(FORK, older);
        vm.stopPrank();
        make(FORK, fork(time + UPGRADE_DELAY + 1, L2.AMSTERDAM));
    }
}
