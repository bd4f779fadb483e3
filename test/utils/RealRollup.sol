// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IL1Anchor} from "../../contracts/interfaces/IL1Anchor.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {ExecuteTest} from "./ExecuteTest.sol";
import {GenesisHeaders} from "./GenesisHeaders.sol";
import {IL2} from "./IL2.sol";
import {L2} from "./L2.sol";
import {MessageCodec} from "./MessageCodec.sol";
import {RollupParts} from "./RollupParts.sol";

/// @title Rollup and queues on an L1 with the real EXECUTE, and the real L2
abstract contract RealRollup is ExecuteTest, RollupParts {
    using L2 for L2.Chain;

    uint256 internal constant PREMINT = 1e30;
    address internal constant MESSENGER = Predeploys.L2_MESSENGER;

    L2.Chain internal l2;
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal relayer = makeAddr("operator");

    /// @dev All messages to the L2 so far, and the state of the queue after each of them.
    IL2Messenger.Message[] internal sent;
    IL1MessageQueue.Checkpoint[] internal states;

    function setUp() public virtual override {
        super.setUp();
        startL1();
        l2.create(genesis());
        deploy();
        states.push(queue.checkpoint());
        nextL1Block();
    }

    // ------------------------------------------------------------------ start

    function genesis() internal view virtual returns (IL2.Genesis memory g) {
        g = L2.defaults();
        g.chainId = CHAIN_ID;
        L2.fund(g, "alice", 1000 ether);
        L2.fund(g, "bob", 1000 ether);
        L2.fund(g, "operator", 1000 ether);
        L2.add(g, Predeploys.L1_ANCHOR, 0, vm.getDeployedCode("L1Anchor.sol:L1Anchor"));
        L2.add(g, Predeploys.L2_ACCOUNTS, 0, vm.getDeployedCode("L2Accounts.sol:L2Accounts"));
        L2.add(g, MESSENGER, PREMINT, vm.getDeployedCode("L2Messenger.sol:L2Messenger"));
    }

    function config() internal view virtual returns (IRollup.Config memory) {
        return configOf(l2.schema);
    }

    function deploy() internal {
        makeQueues(1_000_000, 16_384);
        bytes memory header = GenesisHeaders.encode(l2.head);
        assertEq(keccak256(header), l2.head.hash);
        rollup = new NativeRollup(header, config());
    }

    /// @dev Puts an anchor in force without an update.
    function setAnchor(bytes32 anchor) internal {
        vm.store(address(rollup), bytes32(uint256(2)), anchor);
        l2.head.anchor = anchor;
    }

    // ------------------------------------------------------------------ blocks

    /// @dev Moves L1 forward in time and in blocks.
    function skip(uint256 time) internal override {
        vm.roll(vm.getBlockNumber() + 1);
        super.skip(time);
    }

    function nextL1Block() internal virtual {
        skip(12);
    }

    /// @dev Seals the queued transactions, and advances by the block.
    function advance() internal {
        advance(none());
    }

    function advance(IRollup.Evidence memory evidence) internal {
        rollup.advance(one(l2.seal()), evidence);
        nextL1Block();
    }

    /// @dev Asserts that a block with this evidence is rejected with exactly this error.
    function expectRefused(bytes memory input, IRollup.Evidence memory e, bytes memory error_)
        internal
    {
        bytes[] memory inputs = one(input);
        vm.expectRevert(error_);
        rollup.advance(inputs, e);
    }

    function assertHead() internal view {
        assertEq(rollup.head().number, l2.head.number);
        assertEq(rollup.blockHash(), l2.head.hash);
        assertEq(rollup.stateRoot(), l2.head.stateRoot);
    }

    // ------------------------------------------------------------------ messages to the L2

    function send(address to, uint128 value, uint64 gasLimit, bytes memory data) internal {
        send(to, alice, value, 0, gasLimit, data);
    }

    function send(
        address to,
        address refundTo,
        uint128 value,
        uint128 fee,
        uint64 gasLimit,
        bytes memory data
    ) internal {
        sent.push(
            IL2Messenger.Message({
                sender: alice,
                to: to,
                refundTo: refundTo,
                value: value,
                fee: fee,
                gasLimit: gasLimit,
                index: uint64(sent.length),
                data: data
            })
        );
        uint256 all = uint256(value) + fee;
        vm.deal(alice, alice.balance + all);
        vm.prank(alice);
        queue.send{value: all}(to, refundTo, gasLimit, fee, data);
        states.push(queue.checkpoint());
    }

    /// @dev Returns an update to the current state of the queue for the first block of the next
    /// call, and the anchor for the block's header; also queues its proof on the L2.
    function newAnchor() internal returns (IRollup.Evidence memory, bytes32) {
        return newAnchor(queue.checkpoint());
    }

    /// @dev Returns an anchor with an earlier state of the queue.
    function newAnchor(IL1MessageQueue.Checkpoint memory c)
        internal
        returns (IRollup.Evidence memory evidence, bytes32 anchor)
    {
        uint64 number = uint64(vm.getBlockNumber()) - 1;
        evidence.updates = new IRollup.AnchorUpdate[](1);
        evidence.updates[0] = IRollup.AnchorUpdate({
            index: 0,
            l1BlockNumber: number,
            messageCount: c.count,
            messageRoot: c.root,
            checkpointId: c.id,
            checkpointBlock: c.l1Block,
            checkpointTimestamp: c.timestamp
        });
        IL1Anchor.Anchor memory a = IL1Anchor.Anchor(number, blockhash(number), c.count, c.root);
        anchor = keccak256(abi.encode(a));
        l2.callFrom("operator", Predeploys.L1_ANCHOR, abi.encodeCall(IL1Anchor.prove, (a)));
    }

    function relayedCount() internal returns (uint64 count) {
        bytes memory answer = l2.read(MESSENGER, abi.encodeCall(IL2Messenger.relayed, ()));
        (count,) = abi.decode(answer, (uint64, bytes32));
    }

    /// @dev Queues the relay of all messages that have not been relayed; with `park`, parks those
    /// that can be parked.
    function queueRelay(bool park) internal {
        IL2Messenger.Message[] memory pending =
            MessageCodec.slice(sent, relayedCount(), sent.length);
        bytes memory batch = park ? packParked(pending) : MessageCodec.pack(pending);
        IL2.Transaction memory t = L2.transaction(
            "operator", MESSENGER, 0, abi.encodeCall(IL2Messenger.relay, (batch, relayer))
        );
        // The helper would estimate the gas without the anchor, which is proven earlier in the same
        // block.
        t.gasLimit = 6_000_000;
        l2.send(t);
    }

    /// @dev Advances by a block that relays only the first messages.
    function advanceRelaying(uint256 count) internal {
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor(states[count]);
        bytes memory batch = MessageCodec.pack(MessageCodec.slice(sent, 0, count));
        l2.callFrom("operator", MESSENGER, abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        bytes memory input = l2.seal(anchor);
        assertEq(relayedCount(), count);
        e.relays = relayProof().relays;
        rollup.advance(one(input), e);
        assertHead();
    }

    /// @dev Anchors and relays all messages in one block.
    function bringOver() internal {
        (IRollup.Evidence memory evidence, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes memory input = l2.seal(anchor);
        if (vm.getBlockTimestamp() >= rollup.duties().relayDue) {
            evidence.relays = relayProof().relays;
        }
        rollup.advance(one(input), evidence);
        nextL1Block();
        assertEq(relayedCount(), sent.length);
    }

    /// @dev Returns a batch in which all messages with a gas limit are parked.
    function packParked(IL2Messenger.Message[] memory messages)
        internal
        pure
        returns (bytes memory out)
    {
        for (uint256 i = 0; i < messages.length; ++i) {
            IL2Messenger.Message memory m = messages[i];
            bytes memory head =
                abi.encodePacked(m.sender, m.to, m.refundTo, m.value, m.fee, uint32(m.gasLimit));
            out = bytes.concat(
                out,
                head,
                m.gasLimit == 0
                    ? abi.encodePacked(uint32(m.data.length), m.data)
                    : abi.encodePacked(uint32(1 << 31), keccak256(m.data))
            );
        }
    }

    /// @dev Returns a proof of the number of messages relayed after the head, for the first block
    /// of the next call.
    function relayProof() internal returns (IRollup.Evidence memory evidence) {
        return relayProof(relayedCount());
    }

    /// @dev Returns a proof with the checkpoints for another count.
    function relayProof(uint64 count) internal returns (IRollup.Evidence memory evidence) {
        IL2.AccountProof memory p = l2.prove(MESSENGER, 0);
        evidence.relays = new IRollup.RelayProof[](1);
        evidence.relays[0].accountProof = p.nodes;
        evidence.relays[0].storageProof = p.slots[0].nodes;
        (evidence.relays[0].before, evidence.relays[0].next) = around(count);
    }

    /// @dev Returns the checkpoints around a number of messages.
    function around(uint64 count)
        internal
        view
        returns (IRollup.Checkpoint memory before, IRollup.Checkpoint memory next)
    {
        for (uint256 i = 0; i < states.length; ++i) {
            // Only the last state with a number is the checkpoint.
            bool last = i + 1 == states.length || states[i + 1].id != states[i].id;
            if (!last) continue;
            if (states[i].count <= count) {
                before = convert(states[i]);
            } else {
                next = convert(states[i]);
                break;
            }
        }
    }

    function convert(IL1MessageQueue.Checkpoint memory c)
        internal
        pure
        returns (IRollup.Checkpoint memory)
    {
        return IRollup.Checkpoint(c.id, c.count, c.l1Block, c.timestamp, c.root);
    }

    // ------------------------------------------------------------------ messages to L1

    /// @dev Queues an L2 transaction that sends a message to L1. Returns the message.
    function queueSend(
        string memory from,
        address to,
        address refundTo,
        uint128 value,
        uint128 fee,
        uint64 gasLimit,
        bytes memory data
    ) internal returns (IL1MessageQueue.Message memory m) {
        uint64 index = abi.decode(
            l2.read(MESSENGER, abi.encodeCall(IL2Messenger.sentCount, ())), (uint64)
        );
        m = IL1MessageQueue.Message({
            sender: L2.account(from),
            to: to,
            refundTo: refundTo,
            value: value,
            fee: fee,
            gasLimit: gasLimit,
            index: index + queuedSends++,
            data: data
        });
        l2.callFrom(
            from,
            MESSENGER,
            uint256(value) + fee,
            abi.encodeCall(IL2Messenger.send, (to, refundTo, gasLimit, fee, data))
        );
    }

    /// @dev Number of messages to L1 in the block under construction.
    uint64 internal queuedSends;

    /// @dev Returns the proof that the L2 has sent a message as of the head.
    function messageProof(uint64 index)
        internal
        returns (IL1MessageQueue.MessageProof memory proof)
    {
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.sentSlot(index));
        return IL1MessageQueue.MessageProof({
            l2Block: p.head.number,
            storageRoot: p.storageRoot,
            accountProof: p.nodes,
            storageProof: p.slots[0].nodes
        });
    }

    /// @dev Advances by the queued transactions, and resets the count of their messages.
    function advanceSends() internal {
        queuedSends = 0;
        advance();
    }

    // ------------------------------------------------------------------ forced transactions

    function submit(bytes memory raw) internal returns (IRollup.ForcedTransaction memory) {
        vm.recordLogs();
        inbox.submit(raw);
        VmSafe.Log[] memory logs = vm.getRecordedLogs();
        (IForcedInbox.ForcedTransaction memory t,) =
            abi.decode(logs[logs.length - 1].data, (IForcedInbox.ForcedTransaction, bytes));
        return IRollup.ForcedTransaction({
            hash: t.hash,
            sender: t.sender,
            nonce: t.nonce,
            gasLimit: t.gasLimit,
            maxFee: t.maxFee,
            cost: t.cost,
            submittedAt: t.submittedAt,
            bounded: t.bounded,
            to: t.to,
            footprint: t.footprint,
            priced: t.priced
        });
    }

    /// @dev Advances by a block that includes a forced transaction and nothing else.
    function advanceIncluding(IRollup.ForcedTransaction memory forced, bytes memory raw) internal {
        l2.raw(raw);
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = relayProof();
        e.forced = one(discharge(forced, IRollup.Outcome.Included)).forced;
        rollup.advance(one(input), e);
    }

    /// @dev Returns a signed transfer of 1 wei to bob with the minimum gas of a forced transaction.
    function signedTransfer(string memory from, uint64 nonce, uint128 maxFee)
        internal
        returns (bytes memory)
    {
        IL2.Transaction memory t = L2.transaction(from, bob, 1, "");
        t.nonce = nonce;
        t.gasLimit = FORCED_GAS;
        t.maxFeePerGas = maxFee;
        t.maxPriorityFeePerGas = 0;
        return l2.sign(t);
    }

    function discharge(IRollup.ForcedTransaction memory t, IRollup.Outcome outcome)
        internal
        returns (IRollup.Discharge memory d)
    {
        d.transaction = t;
        d.outcome = outcome;
        if (outcome == IRollup.Outcome.Invalid) d.accountProof = l2.prove(t.sender).nodes;
    }

    function one(IRollup.Discharge memory d)
        internal
        pure
        returns (IRollup.Evidence memory evidence)
    {
        evidence.forced = new IRollup.ForcedBatch[](1);
        evidence.forced[0].discharges = new IRollup.Discharge[](1);
        evidence.forced[0].discharges[0] = d;
    }

    /// @dev Returns a batch with a following transaction that is not due.
    function one(IRollup.Discharge memory d, IRollup.ForcedTransaction memory next)
        internal
        pure
        returns (IRollup.Evidence memory evidence)
    {
        evidence = one(d);
        evidence.forced[0].next = new IRollup.ForcedTransaction[](1);
        evidence.forced[0].next[0] = next;
    }
}
