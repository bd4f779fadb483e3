// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Exits that are priced out by a few full blocks
/// @notice A block cannot include a transaction whose fee cap is below its base fee. Each full
/// block raises the base fee by an eighth: an operator could fill some blocks just before exits
/// become due, at the cost of the gas that these blocks burn, and a single block would discharge
/// all exits of the queue permanently, no matter how long each had waited. With the base fee back
/// to normal a few blocks later, all of these users would have to submit again, pay the fee again,
/// and wait for the next spike. Therefore a base fee above a fee cap that had a margin at
/// submission excuses a block, but does not discharge the transaction: it stays first in the queue,
/// every block whose base fee it can pay must include it, and overdue transactions open the rollup
/// to all accounts. Only after the time in which it would have expired does a base fee above its
/// cap discharge it.
contract BaseFeeSpikeTest is RealRollup {
    using L2 for L2.Chain;

    uint128 internal constant CAP = 50 gwei;
    address internal constant BURNER = address(0xb042);

    bytes internal raw;
    IRollup.ForcedTransaction internal exit;
    /// @dev ETH that the operator's full blocks have burned, in wei.
    uint256 internal burned;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        // Uses all the gas that it receives.
        L2.add(g, BURNER, 0, hex"fe");
    }

    function signedExit(uint128 cap) internal returns (bytes memory) {
        IL2.Transaction memory t = L2.transaction(
            "alice", MESSENGER, 5 ether, abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""))
        );
        (t.nonce, t.gasLimit, t.maxFeePerGas, t.maxPriorityFeePerGas) = (0, 300_000, cap, 0);
        return l2.sign(t);
    }

    /// @dev Seals a block whose gas is used up.
    function fullBlock() internal {
        IL2.Transaction memory burn = L2.transaction("operator", BURNER, 0, "");
        burn.gasLimit = l2.head.gasLimit - 1;
        burn.maxFeePerGas = 1000 gwei;
        burn.maxPriorityFeePerGas = 0;
        l2.send(burn);
        bytes memory input = l2.seal();
        rollup.advance(one(input), relaysIfDue());
        burned += l2.head.gasUsed * l2.head.baseFee;
        nextL1Block();
    }

    /// @dev Adds full blocks until the base fee of the next one is above the cap; then the exit is
    /// due.
    function spike(uint128 cap) internal {
        send(alice, 10 ether, 0, "");
        nextL1Block();
        bringOver();
        raw = signedExit(cap);
        exit = submit(raw);
        skip(FORCED_DELAY - 30 minutes);
        while (l2.head.baseFee <= cap) {
            fullBlock();
        }
        vm.warp(exit.submittedAt + FORCED_DELAY);
    }

    function relaysIfDue() internal returns (IRollup.Evidence memory e) {
        if (vm.getBlockTimestamp() >= rollup.duties().relayDue) return relayProof();
    }

    function putOff() internal returns (IRollup.Evidence memory e) {
        e = relaysIfDue();
        e.forced = one(discharge(exit, IRollup.Outcome.NoRoom)).forced;
    }

    /// @dev Returns the error with the index of the exit, and the L2 timestamp from which it may be
    /// discharged.
    function stillPriced() internal view returns (bytes memory) {
        return abi.encodeWithSignature(
            "StillPriced(uint64,uint64)",
            0,
            exit.submittedAt + FORCED_DELAY + FORCED_GRACE + FORCED_EXPIRY
        );
    }

    function underpriced() internal returns (IRollup.Evidence memory e) {
        e = relaysIfDue();
        e.forced = one(discharge(exit, IRollup.Outcome.Underpriced)).forced;
    }

    /// @dev The table of docs/security.md.
    function test_cost_of_high_base_fee() public pure {
        uint256 gasLimit = 12e6;
        uint256[4] memory caps = [uint256(2 gwei), 8 gwei, 50 gwei, 1000 gwei];
        uint256[4] memory blocks = [uint256(6), 18, 34, 59];
        uint256[4] memory spent = [uint256(0.1 ether), 0.7 ether, 5.2 ether, 100 ether];
        uint256[4] memory each = [uint256(0.012 ether), 0.048 ether, 0.3 ether, 6 ether];
        (uint256 baseFee, uint256 count, uint256 total) = (1 gwei, 0, 0);
        for (uint256 i = 0; i < caps.length; ++i) {
            for (; baseFee < caps[i]; ++count) {
                total += gasLimit * baseFee;
                baseFee += baseFee / 8;
            }
            assertEq(count, blocks[i]);
            assertApproxEqRel(total, spent[i], 0.02e18);
            assertGe(total, 8 * gasLimit * (caps[i] - 1 gwei));
            assertEq(gasLimit / 2 * caps[i], each[i]);
        }
    }

    function test_base_fee_spike_delays_exit_without_discharging_it() public {
        spike(CAP);
        // Cost of the attack: about eight gas limits times the increase of the base fee.
        assertGt(burned, 8 * uint256(l2.head.gasLimit) * (CAP - 1 gwei) * 95 / 100);

        bytes memory input = l2.seal();
        assertGt(l2.head.baseFee, CAP);
        expectRefused(input, underpriced(), stillPriced());
        rollup.advance(one(input), putOff());
        assertEq(inbox.commitment(0), keccak256(abi.encode(exit)));
        assertEq(rollup.duties().forcedNext, 0);
        nextL1Block();

        // Empty blocks by any account lower the base fee, and the first block whose base fee the
        // exit can pay must include it.
        IL2.Head memory parent;
        while (true) {
            parent = l2.head;
            input = l2.seal();
            if (l2.head.baseFee <= CAP) break;
            rollup.advance(one(input), putOff());
            nextL1Block();
        }
        IRollup.Evidence memory e = putOff();
        bytes[] memory inputs = one(input);
        vm.expectRevert(abi.encodeWithSelector(IRollup.RoomLeft.selector, 0));
        rollup.advance(inputs, e);
        l2.head = parent;
        l2.raw(raw);
        input = l2.seal();
        e = relaysIfDue();
        e.forced = one(discharge(exit, IRollup.Outcome.Included)).forced;
        rollup.advance(one(input), e);
        uint256 before = bob.balance;
        queue.claim(
            IL1MessageQueue.Message(alice, bob, bob, 5 ether, 0, 0, 0, ""), messageProof(0), bob
        );
        assertEq(bob.balance - before, 5 ether);
    }

    function test_deferred_price_opens_rollup_like_other_overdue_duties() public {
        spike(CAP);
        bytes memory input = l2.seal();
        rollup.advance(one(input), putOff());
        assertEq(rollup.duties().forcedDue, exit.submittedAt + FORCED_DELAY);
    }

    function test_underpriced_transaction_is_discharged_after_expiry() public {
        spike(CAP);
        uint64 until = exit.submittedAt + FORCED_DELAY + FORCED_GRACE + FORCED_EXPIRY;
        vm.warp(until - 1);
        vm.roll(vm.getBlockNumber() + 1);
        IL2.Head memory parent = l2.head;
        bytes memory input = l2.seal();
        assertGt(l2.head.baseFee, CAP);
        expectRefused(input, underpriced(), stillPriced());
        l2.head = parent;
        vm.warp(until);
        input = l2.seal();
        rollup.advance(one(input), underpriced());
        assertEq(rollup.duties().forcedNext, 1);
    }

    /// @dev A cap without the margin gives no entitlement; otherwise such entries could stall the
    /// queue.
    function test_cap_without_margin_is_discharged_as_underpriced() public {
        spike(8 gwei - 1);
        bytes memory input = l2.seal();
        rollup.advance(one(input), underpriced());
        assertEq(rollup.duties().forcedNext, 1);
    }

    /// @dev The margin refers to the base fee of the head when the transaction is submitted.
    function test_margin_applies_to_base_fee_at_submission() public {
        send(alice, 10 ether, 0, "");
        nextL1Block();
        bringOver();
        while (l2.head.baseFee < 10 gwei) {
            fullBlock();
        }
        uint256 unit = 1 << 24;
        // Below 2^68.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint128 minimum = 8 * uint128((l2.head.baseFee + unit - 1) / unit * unit);
        raw = signedExit(minimum - 1);
        exit = submit(raw);
        skip(FORCED_DELAY - 30 minutes);
        while (l2.head.baseFee <= minimum) {
            fullBlock();
        }
        vm.warp(exit.submittedAt + FORCED_DELAY);
        bytes memory input = l2.seal();
        rollup.advance(one(input), underpriced());
        assertEq(rollup.duties().forcedNext, 1);
    }
}
