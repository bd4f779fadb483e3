// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {ForcedBuilder} from "../utils/ForcedBuilder.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";

/// @title Users and an operator of a rollup, who act in any order
/// @notice The users deposit, withdraw, claim and submit forced transactions, valid or not. The
/// operator does as little as the rules allow: it relays and includes only what it must,
/// occasionally a little more, and fills blocks as an excuse. Each `tick` must find a block that
/// the rollup accepts; if it cannot, the call reverts and fails the run (liveness).
contract RollupHandler is ForcedBuilder {
    using L2 for L2.Chain;

    uint256 internal constant MOST_SENT = 40;
    uint256 internal constant MOST_FORCED = 12;
    address internal constant BURNER = address(0xb042);

    IL1MessageQueue.Message[] internal withdrawals;
    bool[] internal claimed;

    /// @dev Number of included messages to L1.
    uint256 internal withdrawn;
    uint256 internal unclaimed;
    uint256 internal deposited;
    uint256 internal paidOut;
    /// @dev Number of messages that the L2 has relayed, as of the head.
    uint64 internal relayed;
    uint256 internal parkedValue;

    uint64 public number;
    uint64 public anchorNumber;
    uint64 public messageCount;

    // Counters that show that runs are not vacuous.
    uint256 public blocks;
    uint256 public partly;
    /// @dev Message and forced transaction that had to wait for one block of the other kind of
    /// duty.
    uint256 private excusedMessage = type(uint256).max;
    uint256 private excusedForced = type(uint256).max;
    uint256 public filled;

    constructor() {
        setUp();
        send(alice, 50 ether, 0, "");
        deposited = 50 ether;
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        rollup.advance(one(l2.seal(anchor)), e);
        nextL1Block();
        relayed = 1;
        _note();
    }

    /// @dev Random for each test run; the delays mostly differ from each other.
    function _relayDeadline() internal override returns (uint64) {
        return SafeCastLib.toUint64(vm.randomUint(2 hours, 24 hours));
    }

    function _forcedDelay() internal override returns (uint64) {
        return SafeCastLib.toUint64(vm.randomUint(2 hours, 36 hours));
    }

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        // Uses all the gas that it receives.
        L2.add(g, BURNER, 0, hex"fe");
    }

    // ------------------------------------------------------------------ users

    /// @dev Deposits to a new account. Some messages have a gas limit, and can be parked.
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

    /// @dev Withdraws in the next block.
    function withdraw(uint64 value) external {
        if (withdrawals.length == MOST_SENT) return;
        address to = address(uint160(0xbeef_0000_0000 + withdrawals.length));
        l2.callFrom("bob", MESSENGER, value, abi.encodeCall(IL2Messenger.send, (to, to, 0, 0, "")));
        withdrawals.push(
            IL1MessageQueue.Message(bob, to, to, value, 0, 0, uint64(withdrawals.length), "")
        );
        claimed.push(false);
    }

    /// @dev Claims a message, possibly again.
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

    /// @dev Submits a forced transaction: valid, with another nonce, underpriced, or without funds.
    function force(uint8 kind) external {
        if (forced.length == MOST_FORCED) return;
        kind = kind % 4;
        string memory from = kind == 3 ? "stranger" : "alice";
        uint64 nonce = kind == 3 ? 0 : l2.nonceOf(alice) + (kind == 1 ? 3 : 0);
        bytes memory raw = signedTransfer(from, nonce, kind == 2 ? 0 : 1000 gwei);
        _force(raw);
    }

    /// @dev Queues an unrelated transfer.
    function ownTransfer(bool byAlice, uint64 value) external {
        l2.transfer(byAlice ? "alice" : "bob", recipient(1000), value % 1 ether);
    }

    // ------------------------------------------------------------------ the operator

    /// @dev Builds the next block, some time later.
    /// @param eager Relay all messages, even if not required; otherwise as few as required.
    /// @param park Park what can be parked.
    /// @param fill Leave no gas for forced transactions while that is an excuse.
    function tick(uint256 wait, bool eager, bool park, bool fill) external {
        skip(bound(wait, 12, 8 hours));
        vm.roll(vm.getBlockNumber() + 1);
        uint64 time = uint64(vm.getBlockTimestamp());
        IRollup.Duties memory d = rollup.duties();
        bool relayAsked = time >= d.relayDue && d.relayed < sent.length;
        bool forcedAsked = time >= d.forcedDue && d.forcedNext < forced.length;
        // A block that defers forced transactions must relay.
        if (relayAsked && forcedAsked) fill = false;
        // The older duty excuses from the other one, if there is something to do for it.
        if (relayAsked && d.relayDue < d.forcedDue) forcedAsked = false;
        else if (forcedAsked && _isDue(d.forcedNext)) relayAsked = relayAsked && eager;
        Oldest memory oldest = _oldest(d.forcedNext);

        IRollup.Evidence memory e;
        IL2.Block memory b = l2.next();
        if ((relayAsked || eager) && relayed < sent.length) {
            (e, b.anchor) = newAnchor();
            _relay(eager ? sent.length - relayed : 4, park);
        } else if (fill && l2.queue.length == 0 && (!forcedAsked || _mayPutOff(d.forcedNext))) {
            IL2.Transaction memory burn = L2.transaction("bob", BURNER, 0, "");
            burn.gasLimit = l2.head.gasLimit - 15_000;
            l2.send(burn);
            ++filled;
        }
        if (forcedAsked) _queueForced(d.forcedNext);
        b.leaveOutInvalid = true;
        IL2.Sealed memory result = l2.sealBlock(b);
        if (relayAsked) e.relays = relayProof(relayed).relays;
        if (forcedAsked) e.forced = _batch(d.forcedNext, result.transactionHashes);
        rollup.advance(one(result.input), e);

        for (; withdrawn < withdrawals.length; ++withdrawn) {
            unclaimed += withdrawals[withdrawn].value;
        }
        ++blocks;
        _check(oldest);
        _note();
    }

    /// @dev Relays the next messages.
    function _relay(uint256 count, bool park) private {
        uint256 all = sent.length;
        if (count > all - relayed) count = all - relayed;
        else if (count < all - relayed) ++partly;
        uint256 end = relayed + count;
        if (end < all) {
            bytes32[] memory rest = MessageCodec.hashes(MessageCodec.slice(sent, end, all));
            bytes32 root = MessageCodec.fold(0, MessageCodec.slice(sent, 0, end));
            IL2.Transaction memory w = L2.transaction(
                "operator",
                MESSENGER,
                0,
                // forge-lint: disable-next-line(unsafe-typecast)
                abi.encodeCall(IL2Messenger.addWaypoint, (uint64(all), root, rest))
            );
            w.gasLimit = 500_000;
            l2.send(w);
        }
        IL2Messenger.Message[] memory some = MessageCodec.slice(sent, relayed, end);
        bytes memory batch = park ? packParked(some) : MessageCodec.pack(some);
        IL2.Transaction memory t = L2.transaction(
            "operator", MESSENGER, 0, abi.encodeCall(IL2Messenger.relay, (batch, relayer))
        );
        t.gasLimit = 6_000_000;
        l2.send(t);
        for (uint256 i = relayed; park && i < end; ++i) {
            if (sent[i].gasLimit != 0) parkedValue += sent[i].value;
        }
        // forge-lint: disable-next-line(unsafe-typecast)
        relayed = uint64(end);
    }

    // ------------------------------------------------------------------ what must hold

    /// @dev Oldest entries of each kind of duty.
    struct Oldest {
        bool any;
        bool isMessage;
        uint256 index;
        bool mayPutOff;
    }

    function _oldest(uint256 next) private view returns (Oldest memory o) {
        uint256 due = type(uint256).max;
        if (relayed < sent.length) {
            // The state in which it was sent is the next one.
            due = states[relayed + 1].timestamp + RELAY_DEADLINE;
            (o.isMessage, o.index) = (true, relayed);
        }
        if (next < forced.length && forced[next].submittedAt + FORCED_DELAY <= due) {
            due = forced[next].submittedAt + FORCED_DELAY;
            (o.isMessage, o.index, o.mayPutOff) = (false, next, _mayPutOff(next));
        }
        o.any = due <= vm.getBlockTimestamp();
    }

    /// @dev Checks after each block that no number decreased, and that the oldest entries are
    /// resolved.
    function _check(Oldest memory oldest) private {
        IRollup.Head memory h = rollup.head();
        require(h.number == number + 1, "the head went elsewhere");
        require(h.anchorNumber >= anchorNumber, "the anchor went back");
        require(h.messageCount >= messageCount, "messages went back");
        require(rollup.blockHash() == l2.head.hash, "another block");
        if (!oldest.any) return;
        // Each waits for at most one block of the other kind: before the first proof for a kind,
        // the rollup knows only a lower bound for its due time, and uses that.
        if (oldest.isMessage) {
            bool done = relayed > oldest.index;
            require(done || oldest.index != excusedMessage, "a message is starved");
            if (!done) excusedMessage = oldest.index;
        } else {
            bool done = rollup.duties().forcedNext > oldest.index || oldest.mayPutOff;
            require(done || oldest.index != excusedForced, "a transaction is omitted");
            if (!done) excusedForced = oldest.index;
        }
    }

    function _note() private {
        IRollup.Head memory h = rollup.head();
        (number, anchorNumber, messageCount) = (h.number, h.anchorNumber, h.messageCount);
    }

    /// @dev The escrow holds deposits minus claims; the L2 holds relayed messages minus
    /// withdrawals. Bob's own ETH comes from the genesis, so his withdrawals are backed by the
    /// deposits of others; apart from that, the two sides match.
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
        // The escrow, and all claims on it: ETH on the L2 outside of the messenger, in messages to
        // the L2, stored, and in messages to L1.
        require(
            address(queue).balance + held == PREMINT + pending + parkedValue + unclaimed,
            "more is owed than is there"
        );
    }

    /// @dev Each message was delivered once if it was relayed and not parked, otherwise not at all.
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
