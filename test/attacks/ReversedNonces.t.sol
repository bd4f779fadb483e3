// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Forced transactions of one sender in the reverse order of their nonces
/// @notice A block may omit a transaction that is invalid after it. If the last one of the queue
/// has the sender's next nonce, and those before it the nonces after that, a block that includes
/// the last one makes the one before it valid, and so on: it has to include all of them. If it
/// includes none, it discharges all but the last one by one proof. If these discharges used almost
/// none of its budget, there would be room for the last one. Then each block would have to include
/// all of them, although they fit neither into a transaction on L1 nor, in this case, into the gas
/// limit of a block. No block could be added, and none of them could expire, because only the first
/// one of a block can. The attacker pays for 121 submissions, and makes them valid by a transaction
/// with the nonce before them, just before they are due.
///
/// An invalid transaction whose nonce is not used therefore uses the budget as if it was included.
contract ReversedNoncesTest is RealRollup {
    using L2 for L2.Chain;

    uint64 internal constant COUNT = 121;
    IRollup.ForcedTransaction[] internal forced;
    /// @dev By nonce.
    bytes[] internal raws;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.schema = L2.AMSTERDAM;
    }

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        // As in the example's configuration.
        c.maxGas = 300_000;
    }

    function setUp() public override {
        super.setUp();
        for (uint64 nonce = 0; nonce < COUNT; ++nonce) {
            bytes memory data = new bytes(1000);
            for (uint256 i = 0; i < data.length; ++i) {
                data[i] = 0x01;
            }
            IL2.Transaction memory t = L2.transaction("alice", bob, 1, data);
            (t.nonce, t.gasLimit, t.maxFeePerGas) = (nonce, 300_000, 100 gwei);
            raws.push(l2.sign(t));
        }
        for (uint256 i = COUNT; i > 0; --i) {
            forced.push(submit(raws[i - 1]));
        }
        skip(FORCED_DELAY + FORCED_GRACE);
    }

    /// @dev Discharges the first transactions as invalid, and defers the one after them.
    function without(uint256 first, uint256 count) private returns (IRollup.Evidence memory e) {
        e.forced = new IRollup.ForcedBatch[](1);
        e.forced[0].discharges = new IRollup.Discharge[](count + 1);
        for (uint256 i = 0; i < count; ++i) {
            IRollup.Discharge memory d = discharge(forced[first + i], IRollup.Outcome.Invalid);
            if (i != 0) d.accountProof = new bytes[](0);
            e.forced[0].discharges[i] = d;
        }
        e.forced[0].discharges[count] = discharge(forced[first + count], IRollup.Outcome.NoRoom);
    }

    function test_all_together_fit_into_no_block() public view {
        uint256 size = 0;
        uint256 gas = 0;
        for (uint256 i = 0; i < COUNT; ++i) {
            size += raws[i].length;
            gas += forced[i].gasLimit;
        }
        assertGt(size, Capacity.TRANSACTION_BYTES);
        assertGt(gas, l2.head.gasLimit);
    }

    function test_block_without_them_is_accepted() public {
        bytes memory input = l2.seal();
        uint256 room = Capacity.DUTY_BYTES / forced[0].footprint;
        assertEq(room, 6);
        expectRefused(
            input, without(0, room - 1), abi.encodeWithSelector(IRollup.RoomLeft.selector, room - 1)
        );
        rollup.advance(one(input), without(0, room));
        assertHead();
        assertEq(rollup.duties().forcedNext, room);
    }

    function test_queue_is_resolved_block_by_block() public {
        uint256 room = Capacity.DUTY_BYTES / forced[0].footprint;
        uint256 next = 0;
        for (; next + room < COUNT; next += room) {
            rollup.advance(one(l2.seal()), without(next, room));
            nextL1Block();
        }
        // The last one has the next nonce.
        assertEq(COUNT - next, 1);
        l2.raw(raws[0]);
        bytes memory input = l2.seal();
        rollup.advance(one(input), one(discharge(forced[next], IRollup.Outcome.Included)));
        assertHead();
        assertEq(rollup.duties().forcedNext, COUNT);
    }

    /// @dev A block that includes the last two has to include the one before them.
    function test_later_transaction_makes_earlier_one_valid() public {
        l2.raw(raws[0]);
        l2.raw(raws[1]);
        bytes memory input = l2.seal();
        uint64 last = COUNT - 3;
        vm.store(
            address(inbox), keccak256(abi.encode(uint256(0), uint256(1))), inbox.commitment(last)
        );
        expectRefused(
            input,
            one(discharge(forced[last], IRollup.Outcome.Invalid)),
            abi.encodeWithSelector(IRollup.StillValid.selector, 0)
        );
    }
}
