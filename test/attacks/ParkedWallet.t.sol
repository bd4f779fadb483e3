// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Accounts} from "../../contracts/interfaces/IL2Accounts.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TokenCode} from "../utils/TokenCode.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {Multisig} from "../utils/Multisig.sol";
import {RealRollup} from "../utils/RealRollup.sol";
import {Token} from "../utils/Tokens.sol";

/// @title Operator that lets no contract wallet exit
/// @notice A multisig on L1 has no key, so it cannot sign an L2 transaction that could be forced.
/// It moves its assets on the L2 by messages to its alias account, and the deadline for messages
/// forces the operator to relay them. But a message that runs code may be parked, since gas does
/// not bound the state that code reads; and `retry`, which delivers a parked message, is an L2
/// transaction that the operator can omit. So an operator that parks messages could hold all
/// contract wallets hostage while it builds blocks. Here any EOA can force the delivery:
/// `L2Accounts.force` delivers a message only if it makes one call of the target that the
/// transaction declares, and the queue accepts such transactions for targets that are known to read
/// little state. The operator parks everything, at the last moment, includes nothing that it does
/// not have to, and delays its duties for as long as possible.
abstract contract ParkedWalletFixture is RealRollup {
    using L2 for L2.Chain;

    uint64 internal constant GAS = 400_000;
    uint64 internal constant FORCE_GAS = 900_000;

    Multisig internal wallet;
    address internal account;
    address internal first = makeAddr("first of two");
    address internal second = makeAddr("second of two");
    L1TokenBridge internal bridge;
    address internal l2Bridge;
    Token internal token;

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.boundedTarget = vm.computeCreateAddress(L2.account("deployer"), 1);
    }

    function genesis() internal view virtual override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.fund(g, "deployer", 10 ether);
    }

    function setUp() public override {
        super.setUp();
        wallet = new Multisig(first, second);
        account = AliasAddresses.account(address(wallet));
        l2Bridge = inbox.BOUNDED_TARGET();
        bridge = new L1TokenBridge(address(queue), l2Bridge);
        token = new Token();
    }

    // ------------------------------------------------------------------ the wallet on L1

    /// @dev Both owners confirm a call; messages that it sends are recorded.
    function confirmed(address to, uint256 value, bytes memory data) internal {
        vm.deal(address(wallet), address(wallet).balance + value);
        vm.recordLogs();
        vm.prank(first);
        wallet.confirm(to, value, data);
        vm.prank(second);
        wallet.confirm(to, value, data);
        note();
    }

    function note() internal {
        VmSafe.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            VmSafe.Log memory log = logs[i];
            if (log.topics[0] != IL1MessageQueue.MessageSent.selector) continue;
            (address refundTo, uint128 value, uint128 fee, uint64 gasLimit, bytes memory data) =
                abi.decode(log.data, (address, uint128, uint128, uint64, bytes));
            address sender = address(uint160(uint256(log.topics[2])));
            address to = address(uint160(uint256(log.topics[3])));
            sent.push(
                IL2Messenger.Message(
                    sender, to, refundTo, value, fee, gasLimit, uint64(sent.length), data
                )
            );
            states.push(queue.checkpoint());
        }
        nextL1Block();
    }

    /// @dev Makes one call from the wallet's alias account.
    function order(uint128 value, uint128 fee, address to, uint256 callValue, bytes memory data)
        internal
    {
        bytes memory calls = AccountCalls.encode(to, callValue, data);
        bytes memory message =
            abi.encodeCall(queue.send, (Predeploys.L2_ACCOUNTS, account, GAS, fee, calls));
        confirmed(address(queue), uint256(value) + fee, message);
    }

    function orderWithdrawal(uint256 amount) internal {
        bytes memory data =
            abi.encodeCall(IL2Messenger.send, (address(wallet), address(wallet), 0, 0, ""));
        order(0, 3, MESSENGER, amount, data);
    }

    // ------------------------------------------------------------------ the operator

    /// @dev Relays no message until a block without relays is rejected, and then parks what it can.
    function parkAtTheLastMoment() internal {
        skip(RELAY_DEADLINE - 24);
        // It proves when the first message is due, and relays none.
        bytes memory last = l2.seal();
        rollup.advance(one(last), relayProof());
        skip(12);
        IL2.Head memory parent = l2.head;
        expectRefused(
            l2.seal(),
            none(),
            abi.encodeWithSelector(IRollup.RelayProofMissing.selector, rollup.duties().relayed)
        );
        l2.head = parent;
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(true);
        bytes memory input = l2.seal(anchor);
        e.relays = relayProof().relays;
        rollup.advance(one(input), e);
        assertHead();
        nextL1Block();
        assertTrue(isParked(sent.length - 1));
    }

    function isParked(uint256 index) internal returns (bool) {
        bytes32 hash = MessageCodec.hash(sent[index]);
        return abi.decode(l2.read(MESSENGER, abi.encodeCall(IL2Messenger.isParked, (hash))), (bool));
    }

    /// @dev Returns a transaction of an EOA that delivers a message.
    function forcing(uint256 index, address target) internal returns (bytes memory) {
        bytes memory data =
            abi.encodeCall(IL2Accounts.force, (target, AccountCalls.message(sent[index])));
        IL2.Transaction memory t = L2.transaction("bob", Predeploys.L2_ACCOUNTS, 0, data);
        (t.nonce, t.gasLimit) = (l2.nonceOf(L2.account("bob")), FORCE_GAS);
        return l2.sign(t);
    }

    /// @dev The operator includes it when it is required, after all excuses, and not before.
    function forceThrough(bytes memory raw) internal {
        IRollup.ForcedTransaction memory t = submit(raw);
        assertTrue(t.bounded);
        skip(FORCED_DELAY - 12);
        // It proves that nothing is due yet.
        IRollup.Evidence memory early;
        early.forced = new IRollup.ForcedBatch[](1);
        early.forced[0].next = new IRollup.ForcedTransaction[](1);
        early.forced[0].next[0] = t;
        advance(early);
        skip(12 + FORCED_GRACE);
        IL2.Head memory parent = l2.head;
        expectRefused(
            l2.seal(),
            none(),
            abi.encodeWithSelector(
                IRollup.ForcedTransactionOmitted.selector, rollup.duties().forcedNext
            )
        );
        l2.head = parent;
        IRollup.Outcome[4] memory excuses = [
            IRollup.Outcome.NoRoom,
            IRollup.Outcome.Invalid,
            IRollup.Outcome.Underpriced,
            IRollup.Outcome.TargetHasCode
        ];
        for (uint256 i = 0; i < excuses.length; ++i) {
            bytes memory without = l2.seal();
            IRollup.Evidence memory e = one(discharge(t, excuses[i]));
            e.forced[0].discharges[0].accountProof =
            l2.prove(excuses[i] == IRollup.Outcome.Invalid ? t.sender : t.to).nodes;
            vm.expectRevert();
            rollup.advance(one(without), e);
            l2.head = parent;
        }
        uint256 quiet = abi.encodeCall(rollup.advance, (one(l2.seal()), none())).length;
        l2.head = parent;
        l2.raw(raw);
        bytes memory input = l2.seal();
        IRollup.Evidence memory included = one(discharge(t, IRollup.Outcome.Included));
        uint256 length = abi.encodeCall(rollup.advance, (one(input), included)).length;
        assertLe(length - quiet, t.footprint, "what it makes others carry");
        rollup.advance(one(input), included);
        assertHead();
        nextL1Block();
        assertTrue(l2.receipts()[0].success, l2.receipts()[0].reason);
    }

    // ------------------------------------------------------------------ attacks

    function test_wallet_exits_with_its_ether() public {
        // It deposits to an address without code, which cannot be parked.
        confirmed(address(queue), 5 ether, abi.encodeCall(queue.send, (account, account, 0, 0, "")));
        (IRollup.Evidence memory e, bytes32 anchor) = newAnchor();
        queueRelay(true);
        rollup.advance(one(l2.seal(anchor)), e);
        nextL1Block();
        assertEq(l2.balanceOf(account), 5 ether);

        orderWithdrawal(4 ether);
        parkAtTheLastMoment();
        assertEq(l2.balanceOf(account), 5 ether);
        forceThrough(forcing(1, MESSENGER));
        // Its account has received the fee that no relayer has earned.
        assertEq(l2.balanceOf(account), 1 ether + 3);

        IL1MessageQueue.Message memory m = IL1MessageQueue.Message(
            account, address(wallet), address(wallet), 4 ether, 0, 0, 0, ""
        );
        queue.claim(m, messageProof(0), address(0));
        assertEq(address(wallet).balance, 4 ether);
    }

    /// @dev The wallet refunds its own parked message, as an EOA can.
    function test_wallet_cancels_parked_message() public {
        bytes memory data = abi.encodeCall(queue.send, (alice, account, GAS, 1, "call"));
        confirmed(address(queue), 2 ether + 1, data);
        parkAtTheLastMoment();
        IL2Messenger.Message memory m = sent[0];
        IL2Messenger.Header memory h = IL2Messenger.Header(
            m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
        );
        order(0, 0, MESSENGER, 0, abi.encodeCall(IL2Messenger.refundToL1, (h, address(wallet))));
        parkAtTheLastMoment();
        forceThrough(forcing(1, MESSENGER));
        IL1MessageQueue.Message memory back = IL1MessageQueue.Message(
            account, address(wallet), address(wallet), 2 ether + 1, 0, 0, 0, ""
        );
        queue.claim(back, messageProof(0), address(0));
        assertEq(address(wallet).balance, 2 ether + 1);
    }

    /// @dev The reads of other targets are not bounded, so such a delivery may not have more gas
    /// than a transfer; a transaction that declares the messenger and delivers a message to another
    /// target fails on the L2.
    function test_other_account_calls_cannot_be_required() public {
        order(0, 0, alice, 0, "");
        parkAtTheLastMoment();
        bytes memory raw = forcing(0, alice);
        vm.expectRevert(
            abi.encodeWithSelector(IForcedInbox.ForcedGasTooHigh.selector, FORCE_GAS, 44_000)
        );
        inbox.submit(raw);

        raw = forcing(0, MESSENGER);
        IRollup.ForcedTransaction memory t = submit(raw);
        assertTrue(t.bounded);
        skip(FORCED_DELAY);
        l2.raw(raw);
        rollup.advance(one(l2.seal()), one(discharge(t, IRollup.Outcome.Included)));
        nextL1Block();
        assertFalse(l2.receipts()[0].success);
        assertTrue(isParked(0));
        assertLt(l2.head.gasUsed, 200_000);
    }
}

contract ParkedWalletTest is ParkedWalletFixture {
    using L2 for L2.Chain;

    function test_wallet_exits_with_its_tokens() public {
        IL2.Transaction memory t =
            L2.transaction("deployer", KeptCodes.PROXY, 0, TokenCode.creation(l2Bridge));
        // Sufficient without the optimizer too.
        t.gasLimit = 3_000_000;
        l2.send(t);
        bytes memory code =
            abi.encodePacked(type(L2TokenBridge).creationCode, abi.encode(address(bridge)));
        assertEq(l2.deploy("deployer", code), l2Bridge);
        advance();
        vm.recordLogs();
        bridge.register(address(token), 1_000_000);
        note();
        token.give(address(wallet), 100);
        confirmed(address(token), 0, abi.encodeCall(token.approve, (address(bridge), 100)));
        confirmed(
            address(bridge),
            0,
            abi.encodeCall(bridge.deposit, (address(token), account, account, 100, GAS))
        );
        bringOver();

        // The account transfers 40 to alice.
        address l2Token = bridge.l2TokenOf(address(token));
        order(0, 0, l2Token, 0, abi.encodeCall(token.transfer, (alice, 40)));
        bringOver();
        assertEq(tokensOf(l2Token, alice), 40);

        address to = address(wallet);
        bytes memory withdraw =
            abi.encodeCall(IL2TokenBridge.withdraw, (address(token), to, to, 60, GAS));
        order(0, 3, l2Bridge, 0, withdraw);
        parkAtTheLastMoment();
        forceThrough(forcing(3, l2Bridge));
        assertEq(tokensOf(l2Token, account), 0);

        bytes memory release =
            abi.encodeCall(IL1TokenBridge.release, (address(token), account, to, to, 60));
        IL1MessageQueue.Message memory m = IL1MessageQueue.Message(
            l2Bridge, address(bridge), address(bridge), 0, 0, GAS, 0, release
        );
        queue.claim(m, messageProof(0), address(0));
        assertEq(token.balanceOf(to), 60);
    }

    function tokensOf(address l2Token, address holder) internal returns (uint256) {
        bytes memory answer = l2.read(l2Token, abi.encodeCall(token.balanceOf, (holder)));
        return abi.decode(answer, (uint256));
    }
}

/// @dev New state is several times as expensive there, and the forced delivery deploys the account.
contract ParkedWalletUnderAmsterdamTest is ParkedWalletFixture {
    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.schema = L2.AMSTERDAM;
    }
}
