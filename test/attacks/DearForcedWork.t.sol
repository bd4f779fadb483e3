// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Forced work that costs more on L1 than on the L2
/// @notice A precompile has no code, so a transaction to a precompile looks like a transfer with
/// data. But L2 gas of some precompiles pays for several times the work of other gas, and EXECUTE
/// charges its caller for the difference: 4 million gas of BLAKE2F cost nearly 7 million more. In
/// addition to the largest block that `Capacity` assumes, that is far more than half the gas of an
/// L1 transaction, which L1 may leave to a transaction one day. If such a transaction could be
/// forced, the chain would then halt until it expires, for the price of one transaction.
contract DearForcedWorkTest is RealRollup {
    using L2 for L2.Chain;

    uint64 internal constant GAS = 4_000_000;
    address internal constant BLAKE2F = address(9);

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.maxGas = GAS;
    }

    function transfer(address to, bytes memory data) internal returns (IL2.Transaction memory t) {
        t = L2.transaction("alice", to, 0, data);
        (t.nonce, t.gasLimit) = (l2.nonceOf(alice), GAS);
    }

    /// @dev Returns calldata for as many rounds as the gas pays for.
    function rounds() internal pure returns (bytes memory) {
        // Far below 2^32.
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(uint32(GAS - 40_000), new bytes(208), uint8(1));
    }

    /// @dev Returns the gas that EXECUTE charges for a block with one transaction, excluding the
    /// charge for its input and its gas.
    function beyondItsGas(bytes memory input) internal returns (uint256) {
        uint256 left = gasleft();
        rollup.advance(one(input), none());
        uint256 used = left - gasleft();
        nextL1Block();
        assertTrue(l2.receipts()[0].success);
        assertGt(l2.head.gasUsed, GAS - 100_000);
        return used - l2.head.gasUsed;
    }

    function test_precompile_work_exceeds_gas_margin_on_l1() public {
        l2.raw(l2.sign(transfer(BLAKE2F, rounds())));
        uint256 spare = Capacity.TRANSACTION_GAS / 2
            - Capacity.advanceGas(Capacity.TRANSACTION_BYTES - 400, GAS);
        assertGt(beyondItsGas(l2.seal()), spare);
    }

    function test_precompile_calls_cannot_be_forced() public {
        for (uint160 i = 0; i < 0x10000; i = i < 0x102 ? i + 1 : i + 0xfff) {
            bytes memory raw = l2.sign(transfer(address(i), rounds()));
            vm.expectRevert(
                abi.encodeWithSelector(IForcedInbox.TargetIsPrecompile.selector, address(i))
            );
            inbox.submit(raw);
        }
        bytes memory last = l2.sign(transfer(address(0xffff), rounds()));
        vm.expectRevert(
            abi.encodeWithSelector(IForcedInbox.TargetIsPrecompile.selector, address(0xffff))
        );
        inbox.submit(last);
    }

    /// @dev With the same data and gas, a transaction to an address without a precompile costs only
    /// its gas, so it is accepted.
    function test_same_call_to_other_account_can_be_forced() public {
        bytes memory raw = l2.sign(transfer(address(0x10000), rounds()));
        IRollup.ForcedTransaction memory forced = submit(raw);
        skip(FORCED_DELAY);
        IL2.Head memory head = l2.head;
        bytes memory without = l2.seal();
        expectRefused(
            without, none(), abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 0)
        );
        l2.head = head;
        l2.raw(raw);
        rollup.advance(one(l2.seal()), one(discharge(forced, IRollup.Outcome.Included)));
        assertHead();
        assertLt(l2.head.gasUsed, 40_000);
    }
}
