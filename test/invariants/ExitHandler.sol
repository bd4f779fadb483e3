// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {ForcedBuilder} from "../utils/ForcedBuilder.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";

/// @title Users who exit by force, against an owner and an operator who try to prevent it
/// @notice Alice signs and submits exits. The operator is the only account that may advance unless
/// the rollup is open. It fills the queue with copies and junk, sends messages so that blocks have
/// to relay instead, builds blocks as late as possible, fills them, backdates them, does no more in
/// them than it must, and front-runs the blocks of others with one more transaction. The guardian
/// pauses the queue whenever it can, with a limit of zero for claims. The owner announces changes
/// and makes them as soon as the rollup allows it. An account that helps alice advances when the
/// rollup is open; her exits are claimed half a day after they are included.
contract ExitHandler is ForcedBuilder {
    using L2 for L2.Chain;

    uint256 internal constant MOST_EXITS = 6;
    uint256 internal constant MOST_FORCED = 60;
    uint256 internal constant MOST_SENT = 30;
    uint256 internal constant CLAIM_AFTER = 12 hours;
    uint64 internal constant PAUSE = 6 hours;
    uint64 internal constant DELAY = 4 days + PAUSE;
    address internal constant BURNER = address(0xb042);

    address internal owner = makeAddr("owner");
    address internal guardianAccount = makeAddr("guardian");
    address internal sequencer = makeAddr("sequencer");
    PermissionedSequencing internal permissioned;

    /// @dev Submission times of alice's exits, by nonce.
    uint256[] internal exitAt;
    /// @dev Included exits, and the times of their inclusion.
    uint256[] internal outSince;
    uint256 internal claimed;

    /// @dev Number of included messages from L1.
    uint64 internal relayed;

    uint256 internal announced;
    /// @dev Time until which submitted exits delay the change.
    uint256 internal announcedUntil;

    // Counters that show that runs are not vacuous.
    uint256 public blocks;
    uint256 public opened;
    uint256 public made;
    uint256 public held;
    uint256 public paused;

    constructor() {
        permissioned = new PermissionedSequencing(sequencer, address(0), OPEN_AFTER);
        setUp();
        vm.deal(address(queue), 100 ether);
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        (c.owner, c.policy) = (owner, address(permissioned));
        c.upgradeDelay = DELAY;
    }

    /// @dev All claims have to wait for the end of a pause.
    function guardian() internal view override returns (IL1MessageQueue.Guardian memory) {
        return IL1MessageQueue.Guardian(guardianAccount, PAUSE, 0);
    }

    /// @dev The guardian colludes, and pauses as often as it can.
    function pause(uint256 wait) external {
        _pass(wait);
        vm.prank(guardianAccount);
        try queue.pause() {
            ++paused;
        } catch {}
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
        L2.add(g, BURNER, 0, hex"fe");
    }

    // ------------------------------------------------------------------ alice

    function exit(uint256 wait) external {
        _pass(wait);
        _exit();
    }

    function _exit() private {
        uint64 nonce = uint64(exitAt.length);
        if (nonce == MOST_EXITS || forced.length >= MOST_FORCED) return;
        address to = recipient(nonce);
        IL2.Transaction memory t = L2.transaction(
            "alice", MESSENGER, 1 gwei, abi.encodeCall(IL2Messenger.send, (to, to, 0, 0, ""))
        );
        (t.nonce, t.gasLimit, t.maxPriorityFeePerGas) = (nonce, 300_000, 0);
        // Full blocks raise the base fee.
        t.maxFeePerGas = 1_000_000 gwei;
        _force(l2.sign(t));
        exitAt.push(vm.getBlockTimestamp());
    }

    function recipient(uint256 index) internal pure returns (address) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return address(uint160(0xbeef_0000_0000 + index));
    }

    /// @dev Advances as an account that helps alice, if the rollup is open.
    /// @param ahead `true` if the operator submits another transaction in the same L1 block, ahead
    /// of it.
    function help(uint256 wait, bool ahead) external {
        _pass(wait);
        uint256 state = vm.snapshotState();
        if (_advance(makeAddr("helper"), 0, false, ahead)) ++opened;
        else vm.revertToState(state);
    }

    // ------------------------------------------------------------------ operator and owner

    /// @dev Submits copies of queued transactions, or transactions of accounts that do not exist.
    function stuff(uint8 count, bool copies) external {
        for (uint256 i = 0; i < count % 12 && forced.length < MOST_FORCED - MOST_EXITS; ++i) {
            if (copies && forced.length != 0) {
                _force(forcedRaw[i % forcedRaw.length]);
            } else {
                string memory from = string.concat("stranger ", vm.toString(forced.length));
                _force(signedTransfer(from, 0, 1000 gwei));
            }
        }
    }

    /// @dev Sends messages to accounts that do not exist yet.
    function deposit(uint8 count) external {
        (uint64 until,) = queue.paused();
        if (vm.getBlockTimestamp() < until) return;
        for (uint256 i = 0; i < count % 8 && sent.length < MOST_SENT; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            send(address(uint160(0x7777_0000 + sent.length)), 1, 0, "");
        }
    }

    /// @dev Advances by a block of the operator, or by none if that would require more than it
    /// wants to do.
    function operate(uint256 wait, uint256 lag, bool fill) external {
        _pass(wait);
        uint256 state = vm.snapshotState();
        if (!_advance(sequencer, bound(lag, 0, MAX_LAG), fill, false)) {
            vm.revertToState(state);
        }
    }

    function announce() external {
        if (announced != 0) return;
        announced = uint160(makeAddr(string.concat("policy ", vm.toString(made))));
        uint256 wayOut = FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER + 1 days + PAUSE;
        announcedUntil = vm.getBlockTimestamp() + DELAY - wayOut;
        vm.prank(owner);
        rollup.announce(IRollup.Change.Policy, announced);
    }

    /// @dev Makes a change as soon as possible, and reverts it, so that the run continues.
    function change(uint256 wait) external {
        _pass(wait);
        if (announced == 0) return;
        try rollup.clear(IRollup.Change.Policy, announced) {}
        catch {
            ++held;
        }
        vm.prank(owner);
        try rollup.make(IRollup.Change.Policy, announced) {
            ++made;
            announced = 0;
            for (uint256 i = 0; i < exitAt.length; ++i) {
                bool before = exitAt[i] <= announcedUntil;
                require(!before || i < claimed, "an exit was overtaken");
            }
            bytes32 rules = vm.load(address(rollup), bytes32(uint256(3)));
            rules = rules >> 160 << 160 | bytes32(uint256(uint160(address(permissioned))));
            vm.store(address(rollup), bytes32(uint256(3)), rules);
        } catch {}
    }

    // ------------------------------------------------------------------ blocks

    function _pass(uint256 wait) private {
        skip(bound(wait, 12, 5 hours));
        _claim();
    }

    /// @dev Advances by a block that fulfils its duties, if the rollup authorizes the caller.
    function _advance(address who, uint256 lag, bool fill, bool ahead) private returns (bool ok) {
        IRollup.Duties memory d = rollup.duties();
        IL2.Block memory b = l2.next();
        // forge-lint: disable-next-line(unsafe-typecast)
        if (b.timestamp - lag > l2.head.timestamp) b.timestamp -= uint64(lag);
        bool asked = b.timestamp >= d.forcedDue && d.forcedNext < forced.length;
        bool relays = b.timestamp >= d.relayDue && relayed < sent.length;
        now_ = b.timestamp;
        // The duty that may have been due for longer comes first, if there is something to do for
        // it.
        if (relays && d.relayDue < d.forcedDue) asked = false;
        else if (asked && _isDue(d.forcedNext)) (relays, fill) = (false, fill && !relays);
        IRollup.Evidence memory e;
        if (relays) (e, b.anchor) = _relay();
        if (asked) {
            if (fill && _isDue(d.forcedNext) && _mayPutOff(d.forcedNext)) {
                IL2.Transaction memory burn = L2.transaction("bob", BURNER, 0, "");
                burn.gasLimit = l2.head.gasLimit - 15_000;
                // Keeps the base fee below the fee cap of the relays.
                burn.maxFeePerGas = 50 gwei;
                l2.send(burn);
            }
            for (uint256 i = d.forcedNext; i < forced.length && _isDue(i); ++i) {
                l2.raw(forcedRaw[i]);
            }
        }
        b.leaveOutInvalid = true;
        IL2.Head memory parent = l2.head;
        IL2.Sealed memory result = l2.sealBlock(b);
        if (relays) e.relays = relayProof(relayed).relays;
        if (asked) e.forced = _batch(d.forcedNext, result.transactionHashes);
        bytes[] memory inputs = one(result.input);
        if (ahead && forced.length < MOST_FORCED - MOST_EXITS) {
            _force(signedTransfer("stranger at all", 0, 1000 gwei));
        }
        vm.prank(who);
        try rollup.advance(inputs, e) {
            ok = true;
            ++blocks;
            uint256 out = abi.decode(
                l2.read(MESSENGER, abi.encodeCall(IL2Messenger.sentCount, ())), (uint64)
            );
            while (outSince.length < out) {
                outSince.push(vm.getBlockTimestamp());
            }
        } catch (bytes memory reason) {
            require(
                // forge-lint: disable-next-line(unsafe-typecast)
                bytes4(reason) == PermissionedSequencing.NotSequencer.selector && who != sequencer,
                string.concat("refused: ", vm.toString(reason))
            );
            l2.head = parent;
        }
        vm.roll(vm.getBlockNumber() + 1);
    }

    /// @dev Relays as few messages as possible.
    function _relay() private returns (IRollup.Evidence memory e, bytes32 anchor) {
        (e, anchor) = newAnchor();
        uint256 all = sent.length;
        uint256 end = relayed + Capacity.RELAYS < all ? relayed + Capacity.RELAYS : all;
        if (end < all) {
            bytes32[] memory rest = MessageCodec.hashes(MessageCodec.slice(sent, end, all));
            bytes32 root = MessageCodec.fold(0, MessageCodec.slice(sent, 0, end));
            // forge-lint: disable-next-line(unsafe-typecast)
            _asOperator(abi.encodeCall(IL2Messenger.addWaypoint, (uint64(all), root, rest)));
        }
        bytes memory batch = MessageCodec.pack(MessageCodec.slice(sent, relayed, end));
        _asOperator(abi.encodeCall(IL2Messenger.relay, (batch, relayer)));
        // forge-lint: disable-next-line(unsafe-typecast)
        relayed = uint64(end);
    }

    function _asOperator(bytes memory data) private {
        IL2.Transaction memory t = L2.transaction("operator", MESSENGER, 0, data);
        t.gasLimit = 1_500_000;
        l2.send(t);
    }

    /// @dev Timestamp of the block under construction.
    uint64 internal now_;

    function _isDue(uint256 index) internal view override returns (bool) {
        return forced[index].submittedAt + FORCED_DELAY <= now_;
    }

    function _mayPutOff(uint256 index) internal view override returns (bool) {
        return forced[index].submittedAt + FORCED_DELAY + FORCED_GRACE > now_;
    }

    function _claim() private {
        for (; claimed < outSince.length; ++claimed) {
            if (outSince[claimed] + CLAIM_AFTER > vm.getBlockTimestamp()) break;
            (uint64 until,) = queue.paused();
            if (vm.getBlockTimestamp() < until) break;
            address to = recipient(claimed);
            IL1MessageQueue.Message memory m =
            // forge-lint: disable-next-line(unsafe-typecast)
            IL1MessageQueue.Message(alice, to, to, 1 gwei, 0, 0, uint64(claimed), "");
            queue.claim(m, messageProof(m.index), bob);
            require(to.balance == 1 gwei, "not paid");
        }
    }

    // ------------------------------------------------------------------ the bound

    /// @dev After any history, an exit that is submitted now is claimed after all delays, plus a
    /// block for each part of the queue that fits into a block's budget.
    function assertEveryoneLeaves() external {
        _exit();
        uint256 exits = exitAt.length;
        skip(FORCED_DELAY + FORCED_GRACE + MAX_LAG + 2 * OPEN_AFTER);
        // At worst each transaction needs a proof; messages are relayed four at a time.
        uint256 maximum = forced.length / 3 + 2 + sent.length / 4 + 1;
        for (uint256 i = 0; i < maximum && outSince.length < exits; ++i) {
            require(_advance(makeAddr("helper"), 0, false, false), "the rollup is closed");
            skip(12);
        }
        skip(CLAIM_AFTER);
        // The worst moment, if the last pause allows it.
        vm.prank(guardianAccount);
        try queue.pause() {} catch {}
        skip(PAUSE);
        _claim();
        require(claimed == exits, "someone is left behind");
    }
}
