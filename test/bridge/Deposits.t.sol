// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {
    CallingToken,
    FeeToken,
    LyingToken,
    OldToken,
    RebasingToken,
    SpellingToken,
    Token,
    WordyToken
} from "../utils/Tokens.sol";
import {MessageCodec} from "../utils/MessageCodec.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

contract DepositsTest is BridgeFixture {
    function testFuzz_tokens_deposited_on_l1_are_minted_on_l2(uint256 first, uint256 second)
        public
    {
        first = bound(first, 1, type(uint256).max - 1);
        second = bound(second, 1, type(uint256).max - first);
        depositFor(token, first);
        assertEq(l2Token(address(token)).balanceOf(bob), first);
        depositFor(token, second);
        assertEq(l2Token(address(token)).balanceOf(bob), first + second);
        assertEq(token.balanceOf(address(l1Bridge)), first + second);
        assertOwed(address(token), 0);
    }

    function test_token_metadata_on_l2_equals_l1() public {
        address predicted = l1Bridge.l2TokenOf(address(token));
        assertEq(predicted.code.length, 0);
        vm.expectEmit(address(l1Bridge));
        emit IL1TokenBridge.TokenRegistered(address(token), predicted, 0);
        register(address(token));
        BridgedToken made = BridgedToken(predicted);
        assertEq(made.name(), "Some Token");
        assertEq(made.symbol(), "SOME");
        assertEq(made.decimals(), 6);
        assertEq(made.l1Token(), address(token));
        assertEq(made.BRIDGE(), address(l2Bridge));
        assertEq(made.totalSupply(), 0);
    }

    function testFuzz_both_sides_name_same_address(address l1Token) public view {
        assertEq(l1Bridge.l2TokenOf(l1Token), l2Bridge.tokenOf(l1Token));
    }

    function testFuzz_tokens_have_addresses_of_their_own(address a, address b) public view {
        vm.assume(a != b);
        assertNotEq(l1Bridge.l2TokenOf(a), l1Bridge.l2TokenOf(b));
    }

    function test_registering_again_changes_nothing() public {
        depositFor(token, 5);
        register(address(token));
        assertFalse(isFailed(2));
        assertEq(l2Token(address(token)).balanceOf(bob), 5);
    }

    function test_long_names_are_truncated_to_one_slot() public {
        WordyToken wordy = new WordyToken();
        register(address(wordy));
        assertEq(l2Token(address(wordy)).name(), "A name of sixty-four bytes, of ");
        assertEq(l2Token(address(wordy)).symbol(), "A symbol of 64 bytes, more than");
    }

    function test_token_without_name_is_bridged_too() public {
        OldToken old = new OldToken();
        register(address(old));
        assertEq(l2Token(address(old)).name(), "");
        assertEq(l2Token(address(old)).symbol(), "OLD");
        assertEq(l2Token(address(old)).decimals(), 3);
        old.give(alice, 100);
        deposit(address(old), 40);
        toL2();
        assertEq(l2Token(address(old)).balanceOf(bob), 40);
    }

    function test_register_rejects_unknown_decimals() public {
        SpellingToken proxy = new SpellingToken();
        bytes memory decimals = abi.encodeCall(proxy.decimals, ());
        bytes memory refusal =
            abi.encodeWithSelector(IL1TokenBridge.DecimalsUnknown.selector, address(proxy));
        vm.mockCallRevert(address(proxy), decimals, "");
        vm.expectRevert(refusal);
        l1Bridge.register(address(proxy), GAS);
        bytes[3] memory answers = [bytes(""), new bytes(31), abi.encode(256)];
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.mockCall(address(proxy), decimals, answers[i]);
            vm.expectRevert(refusal);
            l1Bridge.register(address(proxy), GAS);
        }
        assertFalse(l1Bridge.isRegistered(address(proxy)));
        vm.mockCall(address(proxy), decimals, abi.encode(255));
        register(address(proxy));
        assertEq(l2Token(address(proxy)).decimals(), 255);
    }

    function test_names_are_cut_between_characters() public {
        SpellingToken spelling = new SpellingToken();
        // 30 bytes, then a character of 3 bytes, of which one would fit; and a byte that starts no
        // character.
        spelling.spell(unicode"123456789012345678901234567890€", string(bytes(hex"41ff42")));
        register(address(spelling));
        assertEq(l2Token(address(spelling)).name(), "123456789012345678901234567890");
        assertEq(l2Token(address(spelling)).symbol(), "A?B");
    }

    function test_character_that_just_fits_is_kept() public {
        SpellingToken spelling = new SpellingToken();
        spelling.spell(unicode"1234567890123456789012345678€5", unicode"ÄΩ€😀");
        register(address(spelling));
        assertEq(l2Token(address(spelling)).name(), unicode"1234567890123456789012345678€");
        assertEq(l2Token(address(spelling)).symbol(), unicode"ÄΩ€😀");
    }

    /// @dev Exact to the unit of gas.
    function test_registration_requires_gas_to_read_metadata() public {
        // Warms the token, so that everything before the check costs the same.
        assertGt(address(token).code.length, 0);
        uint256 before = 400_000 - gasSeen(400_000);
        assertEq(gasSeen(449_999 + before), 449_999);
        l1Bridge.register{gas: 450_000 + before}(address(token), GAS);
    }

    /// @dev Returns the gas at the bridge's check, which is too little.
    function gasSeen(uint256 gas) private returns (uint256 got) {
        (bool ok, bytes memory answer) = address(l1Bridge).call{gas: gas}(
            abi.encodeCall(IL1TokenBridge.register, (address(token), GAS))
        );
        assertFalse(ok);
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(bytes4(answer), IL1TokenBridge.GasTooLow.selector);
        assembly ("memory-safe") {
            got := mload(add(answer, 0x24))
        }
    }

    function test_only_contracts_can_be_registered() public {
        vm.expectRevert(abi.encodeWithSelector(IL1TokenBridge.NotToken.selector, carol));
        l1Bridge.register(carol, GAS);
    }

    function test_only_what_is_registered_can_be_deposited() public {
        give(token, alice, 5);
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.TokenNotRegistered.selector, address(token))
        );
        deposit(address(token), 5);
        register(address(token));
        deposit(address(token), 5);
    }

    function test_zero_address_gets_no_tokens() public {
        register(address(token));
        give(token, alice, 5);
        vm.prank(alice);
        vm.expectRevert(IL1TokenBridge.RecipientZero.selector);
        l1Bridge.deposit(address(token), address(0), bob, 5, GAS);
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.NothingReceived.selector, address(token))
        );
        deposit(address(token), 0);
    }

    function testFuzz_fee_on_transfer_token_credits_received_amount(uint128 amount) public {
        amount = uint128(bound(amount, 2, type(uint128).max));
        FeeToken taxed = new FeeToken(3);
        depositFor(taxed, amount);
        uint256 arrived = amount - uint256(amount) * 3 / 100;
        assertEq(taxed.balanceOf(address(l1Bridge)), arrived);
        assertEq(l2Token(address(taxed)).balanceOf(bob), arrived);
        assertOwed(address(taxed), 0);
    }

    function test_token_without_transfer_effect_is_rejected() public {
        LyingToken lying = new LyingToken();
        register(address(lying));
        lying.give(alice, 5);
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.NothingReceived.selector, address(lying))
        );
        deposit(address(lying), 5);
    }

    function test_escrow_shortfall_of_rebasing_token_rejects_deposits() public {
        RebasingToken rebasing = new RebasingToken();
        depositFor(rebasing, 100);
        rebasing.take(address(l1Bridge), 1);
        give(rebasing, alice, 50);
        vm.expectRevert(
            abi.encodeWithSelector(IL1TokenBridge.EscrowShort.selector, address(rebasing), 99, 100)
        );
        deposit(address(rebasing), 50);
        // A surplus belongs to no account, and is no reason to reject.
        rebasing.give(address(l1Bridge), 7);
        deposit(address(rebasing), 50);
        toL2();
        assertEq(l2Token(address(rebasing)).balanceOf(bob), 150);
        assertOwed(address(rebasing), 0);
    }

    function test_nested_deposit_is_not_counted_twice() public {
        CallingToken calling = new CallingToken();
        register(address(calling));
        give(calling, alice, 100);
        give(calling, address(calling), 100);
        calling.prepare(
            address(l1Bridge),
            abi.encodeCall(IL1TokenBridge.deposit, (address(calling), carol, carol, 100, GAS))
        );
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        deposit(address(calling), 100);
        calling.prepare(address(0), "");
        deposit(address(calling), 100);
        assertOwed(address(calling), 100);
    }

    function test_concurrent_transfer_is_not_credited_beyond_amount() public {
        CallingToken calling = new CallingToken();
        register(address(calling));
        give(calling, alice, 100);
        calling.prepare(address(calling), abi.encodeCall(Token.give, (address(l1Bridge), 900)));
        deposit(address(calling), 100);
        assertEq(l1Bridge.owed(address(calling)), 100);
    }

    function test_fee_goes_to_relayer() public {
        register(address(token));
        give(token, alice, 5);
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        l1Bridge.deposit{value: 0.25 ether}(address(token), bob, bob, 5, GAS);
        toL2();
        assertEq(relayer.balance, 0.25 ether);
        assertEq(address(l1Bridge).balance, 0);
    }

    // ------------------------------------------------------------------ authorized callers

    function testFuzz_only_messenger_makes_and_mints(address caller) public {
        vm.assume(caller != address(messenger));
        vm.startPrank(caller);
        vm.expectRevert(abi.encodeWithSelector(IL2TokenBridge.NotPeer.selector, caller));
        l2Bridge.mint(address(token), caller, caller, caller, 1);
        vm.expectRevert(abi.encodeWithSelector(IL2TokenBridge.NotPeer.selector, caller));
        l2Bridge.makeToken(address(token), "", "", 0);
    }

    function test_only_l1_bridge_can_mint() public {
        register(address(token));
        bytes memory data =
            abi.encodeCall(IL2TokenBridge.mint, (address(token), alice, alice, alice, 1));
        vm.prank(alice);
        uint64 index = l1Queue.send(address(l2Bridge), alice, GAS, 0, data);
        toL2();
        assertTrue(isFailed(index));
        assertEq(l2Token(address(token)).totalSupply(), 0);
    }

    // ------------------------------------------------------------------ failed deliveries

    /// @dev A deposit whose gas is too low.
    function test_accounts_that_never_pay_get_no_tokens() public {
        register(address(token));
        give(token, alice, 10);
        address[6] memory lost = [
            Predeploys.L1_ANCHOR,
            Predeploys.L2_MESSENGER,
            Predeploys.L2_ACCOUNTS,
            address(0x0101),
            address(l2Bridge),
            address(l2Token(address(token)))
        ];
        vm.startPrank(alice);
        for (uint256 i = 0; i < lost.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IL1TokenBridge.RecipientForbidden.selector, lost[i])
            );
            l1Bridge.deposit(address(token), lost[i], bob, 1, GAS);
        }
        l1Bridge.deposit(address(token), address(0x0200), bob, 10, GAS);
        vm.stopPrank();
        toL2();
        assertEq(l2Token(address(token)).balanceOf(address(0x0200)), 10);
    }

    /// @dev An EOA, an EOA that delegates, and a contract, for whose address on the L2 nobody has a
    /// key.
    function test_deposit_to_self_goes_to_its_controller() public {
        register(address(token));
        address delegating = makeAddr("delegating");
        vm.etch(delegating, abi.encodePacked(hex"ef0100", makeAddr("empty")));
        address wallet = makeAddr("wallet");
        vm.etch(wallet, hex"00");
        address creating = makeAddr("a contract in its constructor");
        address[4] memory callers = [carol, delegating, wallet, creating];
        address[4] memory owners =
            [carol, delegating, accounts.accountOf(wallet), accounts.accountOf(creating)];
        for (uint256 i = 0; i < callers.length; ++i) {
            give(token, callers[i], 10);
            // Only the first account is the origin of the transaction.
            vm.prank(callers[i], carol);
            l1Bridge.depositToSelf(address(token), 10, GAS);
            toL2();
            assertEq(l2Token(address(token)).balanceOf(owners[i]), 10);
            vm.deal(callers[i], 5);
            vm.prank(callers[i], carol);
            l1Bridge.depositEtherToSelf{value: 5}(50_000, 2);
            toL2();
            assertEq(owners[i].balance, 3);
        }
    }

    function failedDeposit() internal returns (IL2TokenBridge.Deposit memory d) {
        register(address(token));
        give(token, alice, 70);
        vm.prank(alice);
        uint64 index = l1Bridge.deposit(address(token), bob, carol, 70, 1000);
        toL2();
        assertTrue(isFailed(index));
        d = IL2TokenBridge.Deposit({
            l1Token: address(token),
            from: alice,
            to: bob,
            refundTo: carol,
            amount: 70,
            fee: 0,
            gasLimit: 1000,
            index: index
        });
    }

    function test_failed_deposit_can_be_retried_by_anyone() public {
        IL2TokenBridge.Deposit memory d = failedDeposit();
        messenger.retry(queue[d.index]);
        assertEq(l2Token(address(token)).balanceOf(bob), 70);
        // Afterwards there is nothing to send back.
        bytes32 messageHash = MessageCodec.hash(queue[d.index]);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.NotFailed.selector, messageHash));
        l2Bridge.refund(d, alice, alice, GAS);
    }

    function test_failed_deposit_can_be_sent_back_once() public {
        IL2TokenBridge.Deposit memory d = failedDeposit();
        vm.prank(carol);
        uint64 message = l2Bridge.refund(d, alice, alice, GAS);
        assertOwed(address(token), 70);
        toL1(message);
        assertEq(token.balanceOf(alice), 70);
        assertOwed(address(token), 0);

        bytes32 messageHash = MessageCodec.hash(queue[d.index]);
        vm.prank(carol);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.NotFailed.selector, messageHash));
        l2Bridge.refund(d, alice, alice, GAS);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.NotFailed.selector, messageHash));
        messenger.retry(queue[d.index]);
    }

    function testFuzz_only_depositor_returns_failed_deposit(address caller) public {
        vm.assume(caller != carol);
        IL2TokenBridge.Deposit memory d = failedDeposit();
        vm.startPrank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(IL2TokenBridge.NotRefundable.selector, caller, carol)
        );
        l2Bridge.refund(d, caller, caller, GAS);
        // Nor by a deposit in their name, because it was never sent.
        d.refundTo = caller;
        vm.expectPartialRevert(IL2Messenger.NotFailed.selector);
        l2Bridge.refund(d, caller, caller, GAS);
    }

    function testFuzz_modified_deposit_is_not_the_failed_one(uint8 field) public {
        IL2TokenBridge.Deposit memory d = failedDeposit();
        field = uint8(bound(field, 0, 6));
        if (field == 0) d.l1Token = address(l2Bridge);
        else if (field == 1) d.from = bob;
        else if (field == 2) d.to = carol;
        else if (field == 3) d.amount += 1;
        else if (field == 4) d.fee += 1;
        else if (field == 5) d.gasLimit += 1;
        else d.index -= 1;
        vm.prank(carol);
        vm.expectPartialRevert(IL2Messenger.NotFailed.selector);
        l2Bridge.refund(d, alice, alice, GAS);
    }

    function test_registration_is_no_deposit() public {
        l1Bridge.register(address(token), 1000);
        toL2();
        assertTrue(isFailed(0));
        assertEq(address(l2Token(address(token))).code.length, 0);
        // A deposit that is delivered before the registration fails; both can be retried.
        give(token, alice, 5);
        deposit(address(token), 5);
        toL2();
        assertTrue(isFailed(1));
        messenger.retry(queue[0]);
        messenger.retry(queue[1]);
        assertEq(l2Token(address(token)).balanceOf(bob), 5);
    }
}
