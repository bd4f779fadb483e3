// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Largest duties of a block
/// @notice If users could create duties that exceed an L1 transaction, the chain would halt; if
/// they exceed the limits of public pools, advancing would require a private arrangement with a
/// builder. The limits of L1 shrink: from Amsterdam on a byte of calldata costs 64 gas. These tests
/// create the largest duties, on an L2 with many accounts, and compare them with the tightest
/// limits.
contract LargestDutiesTest is RealRollup {
    using L2 for L2.Chain;

    uint256 internal constant POOL_BYTES = 131_072;
    uint256 internal constant TRANSACTION_GAS = 1 << 24;
    uint16 internal schema = L2.OSAKA;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.schema = schema;
        IL2.Account[] memory few = g.accounts;
        g.accounts = new IL2.Account[](few.length + 5000);
        for (uint256 i = 0; i < g.accounts.length; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            address account = address(uint160(1e9 + i));
            g.accounts[i] =
                i < few.length ? few[i] : IL2.Account(account, 0, 1, "", new IL2.Slot[](0));
        }
    }

    /// @dev Advances like a transaction that pays for its calldata under either schedule.
    function assertAdvances(bytes memory input, IRollup.Evidence memory e) internal {
        bytes memory call = abi.encodeCall(rollup.advance, (one(input), e));
        assertLe(call.length + 300, POOL_BYTES, "public pools");
        uint256 left = gasleft();
        (bool ok,) = address(rollup).call{gas: TRANSACTION_GAS}(call);
        uint256 used = left - gasleft();
        assertTrue(ok, "advances");
        assertHead();
        assertLe(21_000 + 16 * call.length + used, TRANSACTION_GAS, "Osaka");
        assertLe(21_000 + 64 * call.length, TRANSACTION_GAS, "Amsterdam");
        nextL1Block();
    }

    /// @dev Sends as many messages as an anchor may cover: to new accounts, or to precompiles that
    /// reject them, so that each is stored.
    function overdue(bool refused) internal {
        for (uint160 i = 0; i < 256; ++i) {
            address to = address(refused ? 0x0a : 0x7777_0000 + i);
            send(to, 1, 0, "");
        }
        skip(RELAY_DEADLINE);
    }

    function relayOwed() internal returns (bytes memory input, IRollup.Evidence memory e) {
        bytes32 anchor;
        (e, anchor) = newAnchor();
        bytes32[] memory rest = MessageCodec.hashes(MessageCodec.slice(sent, 4, sent.length));
        bytes32 root = MessageCodec.fold(0, MessageCodec.slice(sent, 0, 4));
        IL2.Transaction memory t = L2.transaction(
            "operator",
            MESSENGER,
            0,
            abi.encodeCall(IL2Messenger.addWaypoint, (uint64(sent.length), root, rest))
        );
        t.gasLimit = uint64(Capacity.RELAY_GAS / 2);
        l2.send(t);
        bytes memory batch = MessageCodec.pack(MessageCodec.slice(sent, 0, 4));
        t = L2.transaction(
            "operator", MESSENGER, 0, abi.encodeCall(IL2Messenger.relay, (batch, relayer))
        );
        t.gasLimit = uint64(Capacity.RELAY_GAS);
        l2.send(t);
        input = l2.seal(anchor);
        assertEq(relayedCount(), 4);
        assertLe(l2.head.gasUsed, Capacity.RELAY_GAS, "gas of the relays");
        e.relays = relayProof().relays;
    }

    function assertRelays(uint16 schema_, bool refused) internal {
        schema = schema_;
        super.setUp();
        overdue(refused);
        (bytes memory input, IRollup.Evidence memory e) = relayOwed();
        assertAdvances(input, e);
    }

    /// @dev Each test chooses the rules of its L2 first.
    function setUp() public override {}

    function test_maximum_owed_relays_fit_under_osaka() public {
        assertRelays(L2.OSAKA, false);
    }

    function test_relays_that_are_all_rejected_fit_under_osaka() public {
        assertRelays(L2.OSAKA, true);
    }

    function test_maximum_owed_relays_fit_under_amsterdam() public {
        assertRelays(L2.AMSTERDAM, false);
    }

    function test_relays_that_are_all_rejected_fit_under_amsterdam() public {
        assertRelays(L2.AMSTERDAM, true);
    }

    /// @dev Almost the longest transaction that can be submitted with the maximum gas limit, by an
    /// account on a long trie path.
    function test_largest_forced_transactions_fit() public {
        super.setUp();
        IL2.Transaction memory t = L2.transaction(
            "alice",
            MESSENGER,
            1,
            abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, new bytes(3500)))
        );
        (t.nonce, t.gasLimit) = (0, 1_000_000);
        bytes memory raw = l2.sign(t);
        assertGt(raw.length, 3800);
        IRollup.ForcedTransaction memory forced = submit(raw);
        skip(FORCED_DELAY);
        l2.raw(raw);
        bytes memory input = l2.seal();
        assertTrue(l2.receipts()[0].success);
        assertAdvances(input, one(discharge(forced, IRollup.Outcome.Included)));
    }

    /// @dev The maximum number of discharges of a block, each with a separate proof as far as the
    /// budget allows.
    function test_batch_of_proofs_fits() public {
        super.setUp();
        IRollup.Evidence memory e;
        e.forced = new IRollup.ForcedBatch[](1);
        e.forced[0].discharges = new IRollup.Discharge[](64);
        IRollup.ForcedTransaction[] memory t = new IRollup.ForcedTransaction[](64);
        for (uint256 i = 0; i < 64; ++i) {
            string memory from = string.concat("stranger ", vm.toString(i % 8));
            t[i] = submit(signedTransfer(from, 0, 100 gwei));
        }
        skip(FORCED_DELAY);
        bytes memory input = l2.seal();
        for (uint256 i = 0; i < 64; ++i) {
            e.forced[0].discharges[i] = discharge(t[i], IRollup.Outcome.Invalid);
            if (i < 8) continue;
            e.forced[0].discharges[i].accountProof = new bytes[](0);
            // forge-lint: disable-next-line(unsafe-typecast)
            e.forced[0].discharges[i].position = uint64(i % 8);
        }
        assertAdvances(input, e);
        assertEq(rollup.duties().forcedNext, 64);
    }
}
