// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Users and an operator of a rollup, who do anything in any order
/// @notice The users deposit, withdraw, claim and submit transactions that are due some time, valid or
/// not. The operator is as lazy as the rules let it be: it relays and includes only what it must, now and
/// then a little more. Each `tick` has to find a block that the rollup takes: if it cannot, the call
/// reverts, and with it the run (liveness).
contract RollupHandler is RealRollup {
    using L2 for L2.Chain;

    uint256 internal constant MOST_SENT = 40;
    uint256 internal constant MOST_FORCED = 24;

    INativeRollup.ForcedTransaction[] internal forced;
    bytes[] internal forcedRaw;
    IL1MessageQueue.Message[] internal withdrawals;
    bool[] internal claimed;

    /// @dev Messages to L1 that stand in a block.
    uint256 internal withdrawn;
    uint256 internal unclaimed;
    uint256 internal deposited;
    uint256 internal paidOut;
    /// @dev What the L2 has relayed, as of the head.
    uint64 internal relayed;
    uint256 internal parkedValue;

    uint64 public number;
    uint64 public anchorNumber;
    uint64 public messageCount;

    // Figures, to see that runs do something.
    uint256 public blocks;
    uint256 public included;
    uint256 public excused;

    constructor() {
        setUp();
        send(alice, 50 ether, 0, "");
        deposited = 50 ether;
        nextL1Block();
        (INativeRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        rollup.advance(one(l2.seal(anchor)), e);
        nextL1Block();
        relayed = 1;
        _note();
    }

    // ------------------------------------------------------------------ users

    /// @dev A deposit; each to an account of its own. Some ask for gas, and can be parked.
    function deposit(uint64 value, bool withGas) external {
        if (sent.length == MOST_SENT) return;
        send(recipient(sent.length), value, withGas ? 50_000 : 0, "");
        deposited += value;
        nextL1Block();
    }

    function recipient(uint256 index) internal pure returns (address) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return address(uint160(0xdead_0000_0000 + index));
    }

    /// @dev A withdrawal in the next block.
    function withdraw(uint64 value) external {
        if (withdrawals.length == MOST_SENT) return;
        address to = address(uint160(0xbeef_0000_0000 + withdrawals.length));
        l2.callFrom("bob", MESSENGER, value, abi.encodeCall(IL2Messenger.send, (to, to, 0, 0, "")));
        withdrawals.push(
            IL1MessageQueue.Message(bob, to, to, value, 0, 0, uint64(withdrawals.length), "")
        );
        claimed.push(false);
    }

    /// @dev A claim, or a second one.
    function claim(uint256 which) external {
        if (withdrawn == 0) return;
        which = which % withdrawn;
        IL1MessageQueue.Message memory m = withdrawals[which];
        IL1MessageQueue.MessageProof memory proof = messageProof(m.index);
        bool enough = address(queue).balance >= m.value;
        try queue.claim(m, proof, bob) {
            require(!claimed[which] && enough, "claimed twice");
            claimed[which] = true;
            paidOut += m.value;
            unclaimed -= m.value;
            require(m.to.balance == m.value, "another amount arrived");
        } catch {
            require(claimed[which] || !enough, "not claimable");
        }
    }

    /// @dev A forced transaction: valid, of another nonce, too cheap, or of a sender with nothing.
    function force(uint8 kind) external {
        if (forced.length == MOST_FORCED) return;
        kind = kind % 4;
        string memory from = kind == 3 ? "nobody" : "alice";
        uint64 nonce = kind == 3 ? 0 : l2.nonceOf(alice) + (kind == 1 ? 3 : 0);
        bytes memory raw = signedTransfer(from, nonce, kind == 2 ? 0 : 1000 gwei);
        forced.push(submit(raw));
        forcedRaw.push(raw);
    }

    /// @dev Something that has nothing to do with it.
    function ownTransfer(bool byAlice, uint64 value) external {
        l2.transfer(byAlice ? "alice" : "bob", recipient(1000), value % 1 ether);
    }

    // ------------------------------------------------------------------ the operator

    /// @dev The next block, some time later.
    function tick(uint256 wait, bool eager, bool park) external {
        skip(bound(wait, 12, 8 hours));
        vm.roll(vm.getBlockNumber() + 1);

        INativeRollup.Evidence memory e;
        bytes32 anchor = l2.head.anchor;
        uint64 next = l2.head.number + 1;
        INativeRollup.Duties memory d = rollup.duties();
        bool relayAsked = next % 2 == 0 && vm.getBlockTimestamp() >= d.relayDue;
        if ((relayAsked || eager) && relayed < sent.length) {
            (e, anchor) = newAnchor();
            queueRelay(park);
            for (uint256 i = relayed; park && i < sent.length; ++i) {
                if (sent[i].gasLimit != 0) parkedValue += sent[i].value;
            }
            relayed = uint64(sent.length);
        }
        bool forcedAsked =
            next % 2 == 1 && vm.getBlockTimestamp() >= d.forcedDue && d.forcedNext < forced.length;
        if (forcedAsked) _queueForced(d.forcedNext);
        IL2.Block memory b = l2.next();
        b.anchor = anchor;
        b.leaveOutInvalid = true;
        IL2.Sealed memory result = l2.sealBlock(b);
        if (relayAsked) e.relays = relayProof(relayed).relays;
        if (forcedAsked) e.forced = _batch(d.forcedNext, result.transactionHashes);
        rollup.advance(one(result.input), e);

        for (; withdrawn < withdrawals.length; ++withdrawn) {
            unclaimed += withdrawals[withdrawn].value;
        }
        ++blocks;
        _check();
        _note();
    }

    /// @dev What is left out at first may be valid behind what comes later, and could then have been
    /// appended. So each is tried again behind all others, as often as that can help.
    function _queueForced(uint256 first) private {
        uint256 end = first;
        while (end < forced.length && end < first + 16 && _isDue(end)) ++end;
        for (uint256 round = first; round < end; ++round) {
            for (uint256 i = first; i < end; ++i) {
                l2.raw(forcedRaw[i]);
            }
        }
    }

    function _isDue(uint256 index) private view returns (bool) {
        return forced[index].submittedAt + FORCED_DELAY <= vm.getBlockTimestamp();
    }

    /// @dev What became of all that is due.
    function _batch(uint256 first, bytes32[] memory hashes)
        private
        returns (INativeRollup.ForcedBatch[] memory batches)
    {
        uint256 end = first;
        while (end < forced.length && end < first + 16 && _isDue(end)) ++end;
        batches = new INativeRollup.ForcedBatch[](1);
        batches[0].discharges = new INativeRollup.Discharge[](end - first);
        for (uint256 i = first; i < end; ++i) {
            batches[0].discharges[i - first] = _outcome(forced[i], hashes);
        }
        if (end < forced.length) {
            batches[0].next = new INativeRollup.ForcedTransaction[](1);
            batches[0].next[0] = forced[end];
        }
    }

    function _outcome(INativeRollup.ForcedTransaction memory t, bytes32[] memory hashes)
        private
        returns (INativeRollup.Discharge memory d)
    {
        for (uint64 i = 0; i < hashes.length; ++i) {
            if (hashes[i] == t.hash) {
                ++included;
                d = discharge(t, INativeRollup.Outcome.Included);
                d.position = i;
                return d;
            }
        }
        ++excused;
        bool cheap = t.maxFee < l2.head.baseFee;
        return
            discharge(t, cheap ? INativeRollup.Outcome.Underpriced : INativeRollup.Outcome.Invalid);
    }

    // ------------------------------------------------------------------ what must hold

    /// @dev After each block: nothing goes back, and nothing that is due is left over.
    function _check() private view {
        INativeRollup.Head memory h = rollup.head();
        require(h.number == number + 1, "the head went elsewhere");
        require(h.anchorNumber >= anchorNumber, "the anchor went back");
        require(h.messageCount >= messageCount, "messages went back");
        require(rollup.blockHash() == l2.head.hash, "another block");
        if (h.number % 2 == 0 && relayed < sent.length) {
            // The state in which it was sent is the one after it.
            uint64 sentAt = states[relayed + 1].timestamp;
            require(sentAt + RELAY_DEADLINE > h.timestamp, "a message is starved");
        }
        uint64 next = rollup.duties().forcedNext;
        if (h.number % 2 == 1 && next < forced.length) {
            require(
                forced[next].submittedAt + FORCED_DELAY > h.timestamp, "a transaction is omitted"
            );
        }
    }

    function _note() private {
        INativeRollup.Head memory h = rollup.head();
        (number, anchorNumber, messageCount) = (h.number, h.anchorNumber, h.messageCount);
    }

    /// @dev The escrow holds what came in and has not gone out; on the L2 is what came over and has not
    /// gone back. Bob's own ETH is a gift of the genesis, so what he withdraws is backed by the deposits
    /// of others: the two sides differ by nothing else.
    function assertSolvent() external {
        require(address(queue).balance == deposited - paidOut, "the escrow is another");
        uint256 pending = 0;
        for (uint256 i = relayed; i < sent.length; ++i) {
            pending += sent[i].value;
        }
        uint256 sentBack = paidOut + unclaimed;
        uint256 released = deposited - pending - parkedValue;
        uint256 held = l2.balanceOf(MESSENGER);
        require(held == PREMINT - released + sentBack, "the messenger holds another amount");
        // Escrow and all claims on it: what is on the L2 outside of the messenger, on its way in, kept,
        // and on its way out.
        require(
            address(queue).balance + held == PREMINT + pending + parkedValue + unclaimed,
            "more is owed than is there"
        );
    }

    /// @dev Each message arrived once, if it was relayed and not parked, and else not at all.
    function assertDelivered() external {
        for (uint256 i = 1; i < sent.length; ++i) {
            uint256 balance = l2.balanceOf(recipient(i));
            if (i >= relayed) {
                require(balance == 0, "arrived too early");
            } else {
                require(balance == sent[i].value || sent[i].gasLimit != 0, "did not arrive once");
            }
        }
        require(relayedCount() == relayed, "another count");
    }
}
