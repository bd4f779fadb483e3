// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {HeaderReader} from "../contracts/HeaderReader.sol";
import {IL1MessageQueue} from "../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {KeptCodes} from "../contracts/libraries/KeptCodes.sol";
import {Rlp} from "../contracts/libraries/Rlp.sol";
import {StateProof} from "../contracts/libraries/StateProof.sol";
import {BlobInputs} from "./utils/ExecuteWithBlobs.sol";
import {ForkedL1} from "./utils/ForkedL1.sol";
import {IL2} from "./utils/IL2.sol";
import {L2} from "./utils/L2.sol";
import {LaterFork} from "./utils/LaterFork.sol";
import {Parrot} from "./utils/Parrot.sol";
import {TransactionTries} from "./utils/TransactionTries.sol";

/// @dev A rollup without an owner follows L1 through forks whose layout it does not know.
contract LaterForksTest is ForkedL1 {
    using L2 for L2.Chain;

    uint16 internal constant LATER = 0x1601;

    /// @dev Address of `NativeRollup.READER`: that of the common CREATE2 proxy with salt zero.
    address internal reader =
        vm.computeCreate2Address(0, keccak256(type(HeaderReader).creationCode), KeptCodes.PROXY);

    function setUp() public override {
        super.setUp();
        installExecute("");
        installDialect(address(0xe105), "dialect=headers");
        vm.etch(Execute.HEADERS_PRECOMPILE, type(LaterFork).runtimeCode);
        vm.etch(reader, type(HeaderReader).runtimeCode);
    }

    /// @dev Returns the input of the later fork for one of Amsterdam.
    function later(bytes memory input) internal pure returns (bytes memory other) {
        other = bytes.concat(input);
        for (uint256 i = 2; i < other.length; ++i) {
            other[i] = ~other[i];
        }
        other[0] = 0x16;
    }

    function sealLater() internal returns (bytes memory) {
        l2.schema = L2.AMSTERDAM;
        return later(sealNow());
    }

    function test_ownerless_rollup_follows_fork_with_unknown_layout() public {
        advance();
        l2.schema = L2.AMSTERDAM;
        advance();
        nextL1Block();
        bytes[] memory inputs = one(sealLater());
        rollup.advance(inputs, none());
        assertHead();
        assertEq(rollup.schemaAt(0), LATER);
        assertEq(rollup.baseFee(), (l2.head.baseFee + (1 << 24) - 1) >> 24 << 24);
        // Messages continue.
        send(alice, 1 ether, 0, "");
        nextL1Block();
        bytes[] memory blocks = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            skip(12);
            l2.schema = L2.AMSTERDAM;
            blocks[i] = sealNow();
        }
        rollup.advance(one(later(L2.batchOf(blocks))), none());
        assertHead();
        assertEq(rollup.owner(), address(0));
    }

    /// @dev In one call: a block that is read in place, and then a later one.
    function test_call_may_cross_fork() public {
        bytes[] memory inputs = new bytes[](3);
        l2.schema = L2.AMSTERDAM;
        inputs[0] = sealNow();
        skip(12);
        inputs[1] = sealLater();
        skip(12);
        inputs[2] = sealLater();
        rollup.advance(inputs, none());
        assertHead();
    }

    function test_block_cannot_return_from_later_fork() public {
        rollup.advance(one(sealLater()), none());
        nextL1Block();
        IL2.Head memory head = l2.head;
        l2.schema = L2.AMSTERDAM;
        bytes[] memory inputs = one(sealNow());
        vm.expectRevert(abi.encodeWithSelector(IRollup.ForkWentBack.selector, L2.AMSTERDAM, LATER));
        rollup.advance(inputs, none());
        l2.head = head;
        rollup.advance(one(sealLater()), none());
        assertHead();
    }

    /// @dev The rules are those of a block that is read in place.
    function test_later_block_that_breaks_rule_is_rejected() public {
        IL2.Head memory start = l2.head;
        l2.schema = L2.AMSTERDAM;
        IL2.Block memory b = l2.next();
        b.anchor = bytes32(uint256(1));
        bytes memory input = later(l2.seal(b));
        expectRefused(input, none(), abi.encodeWithSelector(IRollup.AnchorMismatch.selector, 1, 0));
        l2.head = start;
        b = l2.next();
        b.gasLimit = 1;
        input = later(l2.seal(b));
        expectRefused(
            input,
            none(),
            abi.encodeWithSelector(
                IRollup.GasLimitMismatch.selector, l2.head.gasLimit, start.gasLimit
            )
        );
        l2.head = start;
        input = sealLater();
        rollup.advance(one(input), none());
        expectRefused(
            input,
            none(),
            abi.encodeWithSelector(IRollup.ParentHashMismatch.selector, start.hash, l2.head.hash)
        );
    }

    function test_invalid_later_block_is_rejected() public {
        bytes memory input = sealLater();
        bytes memory forged = bytes.concat(input);
        forged[Execute.STATE_ROOT_AT] ^= 0x01;
        bytes[] memory inputs = one(forged);
        vm.expectRevert(Execute.ExecuteFailed.selector);
        rollup.advance{gas: 16_000_000}(inputs, none());
        rollup.advance(one(input), none());
        assertHead();
    }

    /// @dev Anyone may deploy it later.
    function test_later_forks_require_header_reader() public {
        bytes memory code = reader.code;
        bytes[] memory inputs = one(sealLater());
        vm.etch(reader, "");
        vm.expectRevert(
            abi.encodeWithSelector(
                IRollup.SchemaNotSupported.selector, LATER, L2.PRAGUE, L2.AMSTERDAM
            )
        );
        rollup.advance(inputs, none());
        vm.etch(reader, code);
        rollup.advance(inputs, none());
        assertHead();
    }

    /// @dev The other modes, and another revision.
    function test_only_followers_of_l1_accept_later_forks() public {
        IRollup.ForkMode[2] memory modes = [IRollup.ForkMode.Registry, IRollup.ForkMode.Pinned];
        for (uint256 i = 0; i < 2; ++i) {
            restart(modes[i]);
            registry.set(LATER);
            bytes[] memory inputs = one(sealLater());
            vm.expectPartialRevert(
                modes[i] == IRollup.ForkMode.Pinned
                    ? IRollup.SchemaMismatch.selector
                    : IRollup.SchemaNotSupported.selector
            );
            rollup.advance(inputs, none());
        }
        restart(IRollup.ForkMode.Follow);
        bytes memory nested = sealLater();
        nested[1] = 0x02;
        bytes[] memory refused = one(nested);
        vm.expectRevert(abi.encodeWithSelector(IRollup.SchemaMismatch.selector, 0x1602, L2.PRAGUE));
        rollup.advance(refused, none());
        nested[1] = 0x01;
        rollup.advance(one(nested), none());
        assertHead();
    }

    /// @dev The layout of the transactions is not known, but their root is in the header.
    function test_forced_transaction_is_included_by_proof() public {
        bytes[] memory all = new bytes[](1);
        all[0] = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(all[0]);
        skip(FORCED_DELAY + 1);
        l2.schema = L2.AMSTERDAM;
        IL2.Head memory parent = l2.head;
        bytes memory without = later(l2.seal());
        expectRefused(
            without, none(), abi.encodeWithSelector(IRollup.ForcedTransactionOmitted.selector, 0)
        );
        l2.head = parent;
        l2.raw(all[0]);
        bytes memory input = later(l2.seal());
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Included);
        expectRefused(input, one(d), abi.encodeWithSelector(Execute.TransactionsInBlobs.selector));
        (bool ok, bytes memory answer) = Execute.HEADERS_PRECOMPILE.staticcall(input);
        assertTrue(ok);
        uint256 start = Execute.RESULT_LENGTH + 4;
        d.code = BlobInputs.slice(answer, start, answer.length - start);
        (, d.accountProof) = TransactionTries.prove(all, 0);
        rollup.advance(one(input), one(d));
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
    }

    /// @dev A fork may commit to transactions in another way, for instance to SSZ.
    function test_included_transaction_is_discharged_by_its_nonce() public {
        bytes memory raw = signedTransfer("alice", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        skip(FORCED_DELAY + 1);
        IL2.Head memory parent = l2.head;
        bytes memory without = sealWith("");
        IRollup.Discharge memory d = discharge(t, IRollup.Outcome.Invalid);
        expectRefused(without, one(d), abi.encodeWithSelector(IRollup.StillValid.selector, 0));
        l2.head = parent;
        bytes memory input = sealWith(raw);
        d = discharge(t, IRollup.Outcome.Invalid);
        rollup.advance(one(input), one(d));
        assertHead();
        assertEq(rollup.duties().forcedNext, 1);
    }

    function sealWith(bytes memory raw) internal returns (bytes memory) {
        l2.schema = L2.AMSTERDAM;
        if (raw.length != 0) l2.raw(raw);
        return later(l2.seal());
    }

    /// @dev Headers that are no RLP lists, such as SSZ containers. The rollup can only be left.
    function test_headers_of_another_encoding_stop_rollup() public {
        bytes memory input = sealLater();
        bytes[] memory inputs = one(input);
        (bool ok, bytes memory answer) = Execute.HEADERS_PRECOMPILE.staticcall(input);
        assertTrue(ok);
        bytes memory code = Execute.HEADERS_PRECOMPILE.code;
        // A container starts with its first fixed field.
        answer[Execute.RESULT_LENGTH + 4] = 0x00;
        vm.etch(Execute.HEADERS_PRECOMPILE, type(Parrot).runtimeCode);
        Parrot(Execute.HEADERS_PRECOMPILE).teach(answer);
        vm.expectPartialRevert(Rlp.RlpNotList.selector);
        rollup.advance(inputs, none());
        vm.etch(Execute.HEADERS_PRECOMPILE, code);
        rollup.advance(inputs, none());
        assertHead();
    }

    /// @dev As under EIP-7862: a header has the state root of the block before, which the contract
    /// cannot know. A block that is not overdue fulfils a duty for the next one to prove; of an
    /// overdue duty there is no proof, and the rollup can only be left.
    function test_delayed_state_root_proves_duties_one_block_late() public {
        send(bob, 1 ether, 0, "");
        nextL1Block();
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        bytes32 parent = l2.head.hash;
        (bytes[] memory inputs, bytes32 hash) = sealDelayed(anchor, parent);
        rollup.advance(inputs, e);
        assertEq(rollup.blockHash(), hash);
        skip(RELAY_DEADLINE);
        e = relayProof();
        (inputs, hash) = sealDelayed(anchor, hash);
        rollup.advance(inputs, e);
        assertEq(rollup.duties().relayed, 1);

        send(bob, 1 ether, 0, "");
        skip(RELAY_DEADLINE + MAX_LAG);
        vm.roll(vm.getBlockNumber() + 1);
        IRollup.RelayProof[] memory stale = relayProof(1).relays;
        (e, anchor) = newAnchor();
        queueRelay(false);
        (inputs, hash) = sealDelayed(anchor, hash);
        vm.expectPartialRevert(IRollup.RelayProofMissing.selector);
        rollup.advance(inputs, e);
        e.relays = stale;
        vm.expectPartialRevert(IRollup.MessagesOverdue.selector);
        rollup.advance(inputs, e);
        e.relays = relayProof().relays;
        vm.expectPartialRevert(StateProof.NodeHashMismatch.selector);
        rollup.advance(inputs, e);
    }

    /// @dev Seals a block on a block with this hash. EXECUTE returns its header with the state root
    /// of the block before.
    function sealDelayed(bytes32 anchor, bytes32 parent)
        internal
        returns (bytes[] memory inputs, bytes32 hash)
    {
        bytes32 root = l2.head.stateRoot;
        l2.schema = L2.AMSTERDAM;
        inputs = one(later(l2.seal(anchor)));
        vm.etch(Execute.HEADERS_PRECOMPILE, type(LaterFork).runtimeCode);
        (bool ok, bytes memory answer) = Execute.HEADERS_PRECOMPILE.staticcall(inputs[0]);
        assertTrue(ok);
        uint256 start = Execute.RESULT_LENGTH + 4;
        // Parent hash and state root in the RLP of a header.
        assembly ("memory-safe") {
            let header := add(add(answer, 0x20), start)
            mstore(add(header, 4), parent)
            mstore(add(header, 91), root)
            hash := keccak256(header, sub(mload(answer), start))
        }
        vm.etch(Execute.HEADERS_PRECOMPILE, type(Parrot).runtimeCode);
        Parrot(Execute.HEADERS_PRECOMPILE).teach(answer);
    }

    /// @dev A deposit, a forced transaction and a withdrawal from before the fork, and a withdrawal
    /// after it, in a block whose input ends in blobs.
    function test_promises_in_flight_outlast_fork() public {
        BlobInputs.install();
        BlobInputs.installHeaders();
        address payable carol = payable(makeAddr("carol"));
        IL1MessageQueue.Message memory early = queueSend("alice", carol, carol, 1 ether, 0, 0, "");
        advanceSends();
        l2.schema = L2.AMSTERDAM;
        advance();
        send(bob, 2 ether, 0, "");
        bytes memory raw = signedTransfer("bob", 0, 100 gwei);
        IRollup.ForcedTransaction memory t = submit(raw);
        skip(RELAY_DEADLINE > FORCED_DELAY ? RELAY_DEADLINE : FORCED_DELAY);

        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(false);
        l2.raw(raw);
        IL1MessageQueue.Message memory late = queueSend("alice", carol, carol, 1 ether, 0, 0, "");
        bytes memory input = later(l2.seal(anchor));
        e.relays = relayProof().relays;
        e.forced = one(discharge(t, IRollup.Outcome.Invalid)).forced;
        bytes[] memory posted = BlobInputs.post(one(input), 602);
        rollup.advance(posted, e);
        vm.blobhashes(new bytes32[](0));
        assertHead();
        assertEq(rollup.duties().relayed, 1);
        assertEq(rollup.duties().forcedNext, 1);

        // Both withdrawals are paid, the first one by a block of either fork.
        queue.claim(early, messageProof(early.index), carol);
        queue.claim(late, messageProof(late.index), carol);
        assertEq(carol.balance, 2 ether);
    }
}
