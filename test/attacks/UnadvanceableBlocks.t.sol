// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Calls every address in a range.
contract Toucher {
    fallback() external payable {
        (uint256 from, uint256 to) = abi.decode(msg.data, (uint256, uint256));
        for (uint256 i = from; i < to; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            (bool ok,) = address(uint160(i)).call("");
            ok;
        }
    }
}

/// @title Messages that make a block too large for L1
/// @notice For 2,600 gas a delivery can read a contract of 24 kB and more, all of which has to be
/// in the witness: a message with a few million gas results in an input of megabytes, which no L1
/// transaction can carry. If it had to be delivered by a deadline, anyone could halt a rollup for
/// the price of a deposit. So a message may be parked instead, unless it only pays ETH to an
/// account without code. Censorship gains nothing: any account can deliver a parked message, and
/// receives its fee, or it can be refunded by a transaction that can be forced.
contract UnadvanceableBlocksTest is RealRollup {
    using L2 for L2.Chain;

    uint160 internal constant BALLAST = 0x1_0000_0000;
    uint256 internal constant MANY = 30;
    address internal constant TOUCHER = address(0x70c4);

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.add(g, TOUCHER, 0, type(Toucher).runtimeCode);
        for (uint160 i = 0; i < MANY; ++i) {
            // Different code for each.
            bytes memory code = new bytes(24_576);
            for (uint256 j = 32; j < code.length; j += 32) {
                bytes32 noise = keccak256(abi.encode(i, j));
                assembly ("memory-safe") {
                    mstore(add(code, j), noise)
                }
            }
            code[0] = 0x00;
            L2.add(g, address(BALLAST + i), 0, code);
        }
    }

    function sendBomb() internal {
        send(
            TOUCHER,
            alice,
            3 ether,
            1 ether,
            400_000,
            abi.encode(uint256(BALLAST), uint256(BALLAST) + MANY)
        );
    }

    function test_message_that_does_not_fit_is_parked() public {
        sendBomb();
        send(address(0xaaaa), 1, 0, "");
        skip(RELAY_DEADLINE);
        IL2.Head memory parent = l2.head;

        // Delivered: the input is too large for L1.
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory tooLarge = l2.seal(anchor);
        assertEq(l2.balanceOf(TOUCHER), 3 ether);
        assertFalse(Capacity.fits(tooLarge.length, l2.head.gasUsed));

        // Parked.
        l2.head = parent;
        (e, anchor) = newAnchor();
        queueRelay(true);
        bytes memory input = l2.seal(anchor);
        assertTrue(Capacity.fits(input.length, l2.head.gasUsed));
        e.relays = relayProof().relays;
        rollup.advance(one(input), e);
        nextL1Block();
        assertHead();
        assertEq(l2.balanceOf(address(0xaaaa)), 1);
        bytes memory query = abi.encodeCall(IL2Messenger.isParked, (MessageCodec.hash(sent[0])));
        assertTrue(abi.decode(l2.read(MESSENGER, query), (bool)));
        assertEq(l2.balanceOf(TOUCHER), 0);
    }

    function park() internal {
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(true);
        rollup.advance(one(l2.seal(anchor)), e);
        nextL1Block();
    }

    function test_parked_message_pays_fee_to_any_deliverer() public {
        sendBomb();
        nextL1Block();
        park();
        uint256 before = l2.balanceOf(bob);
        IL2.Transaction memory t =
            L2.transaction("bob", MESSENGER, 0, abi.encodeCall(IL2Messenger.retry, (sent[0])));
        t.gasLimit = 2_000_000;
        l2.send(t);
        l2.seal();
        assertTrue(l2.receipts()[0].success);
        assertEq(l2.balanceOf(TOUCHER), 3 ether);
        assertGt(l2.balanceOf(bob), before + 0.9 ether);
    }

    function test_parked_message_can_be_cancelled_by_force() public {
        sendBomb();
        nextL1Block();
        park();
        bytes memory refund =
            abi.encodeCall(IL2Messenger.refundToL1, (MessageCodec.header(sent[0]), bob));
        IL2.Transaction memory t = L2.transaction("alice", MESSENGER, 0, refund);
        t.gasLimit = 300_000;
        bytes memory raw = l2.sign(t);
        IRollup.ForcedTransaction memory forced = submit(raw);
        skip(FORCED_DELAY);
        advanceIncluding(forced, raw);
        assertTrue(l2.receipts()[0].success);
        uint256 before = bob.balance;
        queue.claim(toL1(alice, bob, 4 ether), messageProof(0), bob);
        assertEq(bob.balance - before, 4 ether);
    }

    function toL1(address sender, address to, uint128 value)
        internal
        pure
        returns (IL1MessageQueue.Message memory)
    {
        return IL1MessageQueue.Message(sender, to, to, value, 0, 0, 0, "");
    }

    /// @dev Even with a gas limit of zero a delivery reads the target's code, and the stipend
    /// allows more reads: a block hash, and with it all headers back to that block.
    function test_deposit_to_contract_can_be_parked_and_cancelled() public {
        send(address(BALLAST), 2 ether, 0, "");
        send(address(0xaaaa), 1 ether, 0, "data that no code reads");
        nextL1Block();
        bytes memory batch;
        for (uint256 i = 0; i < 2; ++i) {
            IL2Messenger.Message memory m = sent[i];
            batch = bytes.concat(
                batch,
                abi.encodePacked(m.sender, m.to, m.refundTo, m.value, m.fee),
                abi.encodePacked(uint32(0), uint32(1 << 31), keccak256(m.data))
            );
        }
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        l2.callFrom("operator", MESSENGER, abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        bytes memory input = l2.seal(anchor);
        assertTrue(l2.receipts()[1].success);
        assertLt(input.length, 24_576, "no code was read");
        rollup.advance(one(input), e);
        nextL1Block();
        l2.callFrom("bob", MESSENGER, abi.encodeCall(IL2Messenger.retry, (sent[0])));
        advance();
        assertEq(l2.balanceOf(address(BALLAST)), 2 ether);
    }

    function test_message_with_zero_gas_cannot_be_parked() public {
        send(address(0xaaaa), 1, 0, "");
        nextL1Block();
        IL2Messenger.Message memory m = sent[0];
        bytes memory batch = abi.encodePacked(
            m.sender, m.to, m.refundTo, m.value, m.fee, uint32(0), uint32(1 << 31), keccak256("")
        );
        (, bytes32 anchor) = newAnchor();
        l2.callFrom("operator", MESSENGER, abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        l2.seal(anchor);
        assertFalse(l2.receipts()[1].success);
        queueRelay(false);
        l2.seal();
        assertTrue(l2.receipts()[0].success);
    }
}
