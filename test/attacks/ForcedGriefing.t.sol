// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Gives its balance to any caller: as a delegate, it empties the account.
contract Drain {
    fallback() external payable {
        (bool ok,) = msg.sender.call{value: address(this).balance}("");
        require(ok, "not drained");
    }
}

/// @title Transactions that are submitted to halt the chain
/// @notice An account that submits a transaction which no block can include would halt a rollup
/// that must include it. The transaction need not be invalid from the start: its sender can use the
/// nonce otherwise, spend its balance, or have delegated to code (EIP-7702), so that a third party,
/// or an earlier transaction of the queue, empties the account in the same block. The builder of
/// the block cannot foresee any of this, so the state after the block decides: a block may omit a
/// transaction that could not be appended to it. And the nonce of a copy of a queued transaction is
/// already used after the first one.
contract ForcedGriefingTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant DRAIN = address(0xd4a1);
    IRollup.Evidence internal evidence;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.add(g, DRAIN, 0, type(Drain).runtimeCode);
    }

    function untilDue() internal {
        skip(FORCED_DELAY);
    }

    /// @dev Advances by a block with or without the first transaction, and with the given evidence.
    function advanceWith(IRollup.Discharge memory a, IRollup.Discharge memory b) internal {
        IRollup.Evidence memory e = one(a);
        e.forced[0].discharges = new IRollup.Discharge[](2);
        e.forced[0].discharges[0] = a;
        e.forced[0].discharges[1] = b;
        rollup.advance(one(L2.inputOf(l2.head.hash)), e);
        assertHead();
        assertEq(rollup.duties().forcedNext, 2);
    }

    function test_copied_transaction_is_discharged_after_original() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        IRollup.ForcedTransaction memory copy = submit(raw);
        untilDue();
        l2.raw(raw);
        l2.seal();
        advanceWith(
            discharge(t, IRollup.Outcome.Included), discharge(copy, IRollup.Outcome.Invalid)
        );
    }

    function test_sender_emptied_in_same_block_halts_nothing() public {
        // Mallory delegates to code that gives its balance to any caller.
        l2.transfer("alice", makeAddr("mallory"), 1 ether);
        IL2.Transaction memory set = L2.transaction("bob", bob, 0, "");
        set.kind = IL2.Kind.SetCode;
        set.authorizations = new IL2.Authorization[](1);
        set.authorizations[0] = IL2.Authorization("mallory", CHAIN_ID, DRAIN, 0);
        l2.send(set);
        advance();
        assertEq(l2.nonceOf(makeAddr("mallory")), 1);

        bytes memory other = signedTransfer("alice", 1, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(other);
        IRollup.ForcedTransaction memory poor = submit(signedTransfer("mallory", 1, 100 gwei));
        untilDue();
        l2.raw(other);
        l2.callFrom("bob", makeAddr("mallory"), "");
        l2.seal();
        assertEq(l2.balanceOf(makeAddr("mallory")), 0);
        advanceWith(
            discharge(t, IRollup.Outcome.Included), discharge(poor, IRollup.Outcome.Invalid)
        );
    }

    function test_two_transactions_beyond_one_balance_halt_nothing() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        // As if alice could spend her whole balance again.
        IL2.Transaction memory all = L2.transaction("alice", bob, 1000 ether - 0.001 ether, "");
        all.nonce = 1;
        all.gasLimit = FORCED_GAS;
        all.maxFeePerGas = 20 gwei;
        all.maxPriorityFeePerGas = 0;
        IRollup.ForcedTransaction memory t = submit(raw);
        IRollup.ForcedTransaction memory u = submit(l2.sign(all));
        l2.transfer("alice", bob, 1 ether);
        advance();
        untilDue();
        l2.seal();
        advanceWith(discharge(t, IRollup.Outcome.Invalid), discharge(u, IRollup.Outcome.Invalid));
    }
}
