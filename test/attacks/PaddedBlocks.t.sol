// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Fabricated lack of room
/// @notice The builder of a block determines the length of its input: EXECUTE accepts a witness
/// with unused parts, for instance codes of zeros, and other implementations may accept more than
/// this one. The builder also chooses the other transactions of the block, and can use up its gas.
/// If a lack of room in that sense excused a block, an operator could relay one message per block
/// and include one forced transaction, indefinitely. So neither counts: the number of relays, and
/// the budget of forced transactions, that a block must resolve do not depend on its other content.
contract PaddedBlocksTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant TO = address(0xaaaa);
    address internal constant BURNER = address(0xb042);
    uint256 internal constant CODE = 24_576;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.add(g, BURNER, 0, hex"fe");
        for (uint160 i = 0; i < 4; ++i) {
            bytes memory code = new bytes(CODE);
            // forge-lint: disable-next-line(unsafe-typecast)
            code[1] = bytes1(uint8(i));
            L2.add(g, address(0xc0de00 + i), 0, code);
        }
    }

    /// @dev Returns the newest block with the whole state in its witness, including codes that no
    /// account reads.
    function padded() internal returns (bytes memory input) {
        input = L2.wideInputOf(l2.head.hash);
        assertGt(input.length, L2.inputOf(l2.head.hash).length + 4 * CODE);
    }

    /// @dev Uses all gas of the block except this amount.
    function burnAllBut(uint256 left) internal {
        IL2.Transaction memory t = L2.transaction("bob", BURNER, 0, "");
        // forge-lint: disable-next-line(unsafe-typecast)
        t.gasLimit = uint64(l2.head.gasLimit - left);
        l2.send(t);
    }

    /// @dev Relays the first of the messages, with the hashes of the others.
    function relayFirst(uint256 count) internal returns (IRollup.Evidence memory e) {
        bytes32 anchor;
        (e, anchor) = newAnchor();
        bytes32[] memory rest = MessageCodec.hashes(MessageCodec.slice(sent, count, sent.length));
        bytes32 root = MessageCodec.fold(0, MessageCodec.slice(sent, 0, count));
        bytes memory batch = MessageCodec.pack(MessageCodec.slice(sent, 0, count));
        l2.callFrom(
            "operator",
            MESSENGER,
            abi.encodeCall(IL2Messenger.addWaypoint, (uint64(sent.length), root, rest))
        );
        l2.callFrom("operator", MESSENGER, abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        l2.seal(anchor);
        assertEq(relayedCount(), count);
        e.relays = relayProof().relays;
    }

    function overdueDeposits() internal {
        for (uint256 i = 0; i < 40; ++i) {
            send(TO, 1, 0, "");
        }
        skip(RELAY_DEADLINE);
    }

    function test_padding_witness_does_not_excuse_from_relaying() public {
        overdueDeposits();
        IL2.Head memory parent = l2.head;
        IRollup.Evidence memory e = relayFirst(1);
        bytes[] memory inputs = one(padded());
        vm.expectPartialRevert(IRollup.MessagesOverdue.selector);
        rollup.advance(inputs, e);

        // Counterpart: the duties of the block, whatever its length.
        l2.head = parent;
        e = relayFirst(4);
        rollup.advance(one(padded()), e);
        assertEq(rollup.duties().relayed, 4);
    }

    function test_gas_used_by_builder_does_not_excuse_relay() public {
        overdueDeposits();
        IL2.Head memory parent = l2.head;
        burnAllBut(1_200_000);
        IRollup.Evidence memory e = relayFirst(1);
        assertGt(l2.head.gasUsed, 10_800_000);
        bytes[] memory inputs = one(L2.inputOf(l2.head.hash));
        vm.expectPartialRevert(IRollup.MessagesOverdue.selector);
        rollup.advance(inputs, e);
        l2.head = parent;
        burnAllBut(1_200_000);
        e = relayFirst(4);
        rollup.advance(one(L2.inputOf(l2.head.hash)), e);
    }

    bytes[2] internal raw;

    /// @dev Creates two due exits, of which a block includes the first.
    function oneOfTwo()
        internal
        returns (IRollup.Evidence memory e, IRollup.ForcedTransaction memory second)
    {
        IRollup.ForcedTransaction[2] memory t;
        for (uint64 i = 0; i < 2; ++i) {
            IL2.Transaction memory exit = L2.transaction(
                "alice", MESSENGER, 1, abi.encodeCall(IL2Messenger.send, (TO, TO, 0, 0, ""))
            );
            (exit.nonce, exit.gasLimit) = (i, 300_000);
            raw[i] = l2.sign(exit);
            t[i] = submit(raw[i]);
        }
        skip(FORCED_DELAY);
        l2.raw(raw[0]);
        second = t[1];
        e = one(discharge(t[0], IRollup.Outcome.Included));
    }

    function withNoRoom(IRollup.Evidence memory e, IRollup.ForcedTransaction memory second)
        internal
        returns (IRollup.Evidence memory)
    {
        IRollup.Discharge memory d = e.forced[0].discharges[0];
        e.forced[0].discharges = new IRollup.Discharge[](2);
        e.forced[0].discharges[0] = d;
        e.forced[0].discharges[1] = discharge(second, IRollup.Outcome.NoRoom);
        return e;
    }

    function test_witness_padding_does_not_excuse_forced_transactions() public {
        (IRollup.Evidence memory e, IRollup.ForcedTransaction memory second) = oneOfTwo();
        e = withNoRoom(e, second);
        IL2.Head memory start = l2.head;
        l2.seal();
        bytes[] memory inputs = one(padded());
        vm.expectRevert(abi.encodeWithSelector(IRollup.RoomLeft.selector, 1));
        rollup.advance(inputs, e);
        // Counterpart: the block includes the second as well.
        l2.head = start;
        l2.raw(raw[0]);
        l2.raw(raw[1]);
        l2.seal();
        e.forced[0].discharges[1].outcome = IRollup.Outcome.Included;
        e.forced[0].discharges[1].position = 1;
        rollup.advance(one(padded()), e);
    }

    function test_gas_used_by_builder_excuses_until_grace_ends() public {
        (IRollup.Evidence memory e, IRollup.ForcedTransaction memory second) = oneOfTwo();
        e = withNoRoom(e, second);
        IL2.Head memory start = l2.head;
        burnAllBut(310_000);
        bytes memory input = l2.seal();
        uint256 state = vm.snapshotState();
        rollup.advance(one(input), e);
        vm.revertToState(state);

        // The same block again, and later.
        skip(FORCED_GRACE);
        l2.head = start;
        l2.raw(raw[0]);
        burnAllBut(310_000);
        bytes[] memory inputs = one(l2.seal());
        vm.expectRevert(abi.encodeWithSelector(IRollup.RoomLeft.selector, 1));
        rollup.advance(inputs, e);
    }
}
