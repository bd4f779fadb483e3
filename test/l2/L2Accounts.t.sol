// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Accounts} from "../../contracts/interfaces/IL2Accounts.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {AliasAddresses} from "../../contracts/libraries/AliasAddresses.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {AccountCalls} from "../utils/AccountCalls.sol";
import {L2Chain} from "../utils/L2Chain.sol";
import {Moody, Recorder, Reentrant} from "../utils/Targets.sol";
import {Token} from "../utils/Tokens.sol";

contract L2AccountsTest is L2Chain {
    address internal wallet = makeAddr("wallet on L1");
    address internal account = AliasAddresses.account(wallet);
    Recorder internal target = new Recorder();

    function sendCalls(address sender, uint128 value, uint128 fee, bytes memory data)
        internal
        returns (uint256)
    {
        return send(sender, address(accounts), value, fee, 600_000, data);
    }

    function callOf(address to, uint256 value, bytes memory data)
        internal
        pure
        returns (bytes memory)
    {
        return AccountCalls.encode(to, value, data);
    }

    /// @dev Anchors all messages and parks the last one.
    function parkLast() internal {
        anchorQueue();
        messenger.relay(AccountCalls.packParked(queue[queue.length - 1]), relayer);
    }

    function forced(uint256 index) internal view returns (IL2Accounts.AccountMessage memory) {
        return AccountCalls.message(queue[index]);
    }

    // ------------------------------------------------------------------ addresses

    /// @dev Pinned, because contracts on L1 and other programs compute it.
    function test_account_address_follows_from_l1_sender() public view {
        bytes32 salt = bytes32(uint256(uint160(wallet)));
        bytes memory proxy = abi.encodePacked(
            hex"602d5f8160095f39f35f5f365f5f37365f73",
            address(accounts),
            hex"5af43d5f5f3e6029573d5ffd5b3d5ff3"
        );
        address expected = vm.computeCreate2Address(salt, keccak256(proxy), address(accounts));
        assertEq(account, expected);
        assertEq(accounts.accountOf(wallet), expected);
        assertEq(
            AliasAddresses.account(address(0x1234)), 0x7361c278c29310Acb17789dCc14813D3259Ad5D1
        );
    }

    // ------------------------------------------------------------------ who controls an account

    function test_only_messages_of_l1_sender_control_account() public {
        sendCalls(wallet, 5, 0, callOf(address(target), 3, "hello"));
        anchorQueue();
        vm.expectEmit(address(accounts));
        emit IL2Accounts.AccountCreated(wallet, account);
        messenger.relay(packed(0, 1), relayer);
        (, address caller,, uint256 value, bytes memory data) = target.calls(0);
        assertEq(caller, account);
        assertEq(value, 3);
        assertEq(data, "hello");
        assertEq(account.balance, 2, "the rest stays");

        // Another sender controls another account.
        sendCalls(alice, 0, 0, callOf(address(target), 0, "hi"));
        relayAll();
        (, caller,,,) = target.calls(1);
        assertEq(caller, AliasAddresses.account(alice));
        assertNotEq(caller, account);
        assertEq(account.balance, 2);
    }

    function test_only_messenger_and_force_control_account() public {
        sendCalls(wallet, 5, 0, callOf(address(target), 0, ""));
        relayAll();
        IL2Accounts.Call[] memory calls = AccountCalls.one(alice, 5, "");
        address[3] memory callers = [alice, account, address(messenger)];
        for (uint256 i = 0; i < callers.length; ++i) {
            bool isMessenger = callers[i] == address(messenger);
            bytes memory error_ = isMessenger
                ? abi.encodeWithSelector(IL2Messenger.NoDelivery.selector)
                : abi.encodeWithSelector(
                    IL2Accounts.CallerForbidden.selector, callers[i], messenger
                );
            vm.prank(callers[i]);
            vm.expectRevert(error_);
            accounts.execute(calls);
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IL2Accounts.CallerForbidden.selector, callers[i], accounts)
            );
            IL2Accounts(account).execute(calls);
        }
        // A message to the account itself does not either, even from its own sender.
        uint256 index = send(wallet, account, 0, 0, 600_000, callOf(alice, 5, ""));
        relayAll();
        assertTrue(isFailed(index));
        assertEq(account.balance, 5);
        // Nor does a call that treats the account as the contract that creates accounts.
        IL2Accounts.AccountMessage memory m = forced(index);
        vm.expectRevert(abi.encodeWithSelector(IL2Accounts.NotInAccount.selector, account));
        IL2Accounts(account).force(alice, m);
    }

    // ------------------------------------------------------------------ what an account does

    function test_calls_are_made_in_order_all_or_none() public {
        Moody moody = new Moody("not now");
        IL2Accounts.Call[] memory calls = new IL2Accounts.Call[](3);
        calls[0] = IL2Accounts.Call(address(target), 1, "first");
        calls[1] = IL2Accounts.Call(address(target), 1, "second");
        calls[2] = IL2Accounts.Call(address(moody), 1, "");
        uint256 index = sendCalls(wallet, 3, 0, abi.encodeCall(IL2Accounts.execute, (calls)));
        relayAll();
        assertTrue(isFailed(index));
        assertEq(target.count(), 0);
        assertEq(account.balance, 0);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, "not now"));
        messenger.retry(queue[index]);

        moody.accept(true);
        messenger.retry(queue[index]);
        assertEq(target.count(), 2);
        (,,,, bytes memory data) = target.calls(1);
        assertEq(data, "second");
        assertEq(address(moody).balance, 1);
    }

    function test_account_keeps_assets_received_before_deployment() public {
        Token token = new Token();
        token.give(account, 10);
        send(alice, account, 7, 0, 0, "");
        relayAll();
        assertEq(account.code.length, 0);
        assertEq(account.balance, 7);
        sendCalls(
            wallet, 0, 0, callOf(address(token), 0, abi.encodeCall(token.transfer, (alice, 4)))
        );
        sendCalls(wallet, 0, 0, callOf(alice, 7, ""));
        relayAll();
        assertEq(token.balanceOf(alice), 4);
        assertEq(token.balanceOf(account), 6);
        assertEq(alice.balance, 7);
        assertEq(account.code.length, 45);
    }

    function test_accounts_receive_safe_transfers_but_predeploy_does_not() public {
        sendCalls(wallet, 0, 0, abi.encodeCall(IL2Accounts.execute, (new IL2Accounts.Call[](0))));
        relayAll();
        bytes[3] memory asks = [
            abi.encodeWithSignature(
                "onERC721Received(address,address,uint256,bytes)", alice, alice, 1, ""
            ),
            abi.encodeWithSignature(
                "onERC1155Received(address,address,uint256,uint256,bytes)", alice, alice, 1, 1, ""
            ),
            abi.encodeWithSignature(
                "onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)",
                alice,
                alice,
                new uint256[](0),
                new uint256[](0),
                ""
            )
        ];
        for (uint256 i = 0; i < asks.length; ++i) {
            (bool ok, bytes memory answer) = account.call(asks[i]);
            assertTrue(ok);
            // The return data begin with the selector of the hook; the cast truncates both on
            // purpose.
            // forge-lint: disable-next-line(unsafe-typecast)
            assertEq(bytes4(answer), bytes4(asks[i]));
            (ok,) = address(accounts).call(asks[i]);
            assertFalse(ok, "no account could move it from there");
        }
        (bool other,) = account.call(abi.encodeWithSignature("something()"));
        assertFalse(other);
    }

    /// @dev ETH that arrives without calls would not belong to any account.
    function test_predeploy_retains_no_ether() public {
        vm.deal(alice, 1);
        vm.prank(alice);
        (bool ok,) = address(accounts).call{value: 1}("");
        assertFalse(ok);
        uint256 index = send(wallet, address(accounts), 5, 0, 100_000, "");
        relayAll();
        assertTrue(isFailed(index));
        sendCalls(wallet, 5, 0, abi.encodeCall(IL2Accounts.execute, (new IL2Accounts.Call[](0))));
        relayAll();
        assertEq(account.balance, 5);
        assertEq(address(accounts).balance, 0);
    }

    // ------------------------------------------------------------------ forced delivery

    function test_parked_message_of_account_pays_fee_to_account() public {
        sendCalls(wallet, 5, 2, callOf(address(target), 3, ""));
        parkLast();
        address anyone = makeAddr("anyone");
        vm.prank(anyone);
        accounts.force(address(target), forced(0));
        (,, address l1Sender, uint256 value,) = target.calls(0);
        assertEq(l1Sender, wallet);
        assertEq(value, 3);
        assertEq(account.balance, 4, "the rest and the fee");
        assertEq(anyone.balance + address(accounts).balance, 0);
        vm.expectPartialRevert(IL2Messenger.NotFailed.selector);
        accounts.force(address(target), forced(0));
    }

    /// @dev ETH that arrived here without a message, for instance by SELFDESTRUCT, does not belong
    /// to any account.
    function test_forced_delivery_pays_out_its_fee_alone() public {
        vm.deal(address(accounts), 100);
        sendCalls(wallet, 5, 2, callOf(address(target), 3, ""));
        parkLast();
        accounts.force(address(target), forced(0));
        assertEq(account.balance, 4);
        assertEq(address(accounts).balance, 100);
    }

    function test_anyone_delivers_failed_message() public {
        Moody moody = new Moody("not now");
        uint256 index = sendCalls(wallet, 5, 2, callOf(address(moody), 5, ""));
        relayAll();
        assertTrue(isFailed(index));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, "not now"));
        accounts.force(address(moody), forced(index));
        moody.accept(true);
        accounts.force(address(moody), forced(index));
        assertEq(address(moody).balance, 5);
        assertEq(account.balance, 0, "its relayer has the fee");
    }

    function test_message_without_calls_is_delivered() public {
        sendCalls(wallet, 5, 2, abi.encodeCall(IL2Accounts.execute, (new IL2Accounts.Call[](0))));
        parkLast();
        accounts.force(address(messenger), forced(0));
        assertEq(account.balance, 7);
    }

    /// @dev The message calls only the target that the forced transaction declares.
    function test_forced_message_calls_named_target_once() public {
        sendCalls(wallet, 5, 2, callOf(address(target), 3, ""));
        parkLast();
        bytes memory error_ =
            abi.encodeWithSelector(IL2Accounts.TargetMismatch.selector, target, address(messenger));
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, error_));
        accounts.force(address(messenger), forced(0));

        IL2Accounts.Call[] memory calls = new IL2Accounts.Call[](2);
        (calls[0].to, calls[1].to) = (address(target), address(target));
        sendCalls(wallet, 0, 0, abi.encodeCall(IL2Accounts.execute, (calls)));
        parkLast();
        error_ = abi.encodeWithSelector(IL2Accounts.TooManyCalls.selector, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, error_));
        accounts.force(address(target), forced(1));
        assertEq(target.count(), 0);
        messenger.retry(queue[1]);
        assertEq(target.count(), 2, "but anyone may deliver it");
    }

    function test_only_sent_messages_are_delivered() public {
        send(wallet, address(target), 0, 0, 100_000, callOf(address(target), 0, ""));
        parkLast();
        vm.expectRevert(abi.encodeWithSelector(IL2Accounts.NotAccountMessage.selector, target));
        accounts.force(address(target), forced(0));
        // With another target it is another message, which is not stored.
        IL2Accounts.AccountMessage memory m = forced(0);
        m.to = address(accounts);
        vm.expectPartialRevert(IL2Messenger.NotFailed.selector);
        accounts.force(address(target), m);
    }

    /// @dev The next delivery in the same transaction is not restricted in this way.
    function test_messages_after_forced_one_are_delivered_normally() public {
        sendCalls(wallet, 5, 2, abi.encodeCall(IL2Accounts.execute, (new IL2Accounts.Call[](0))));
        parkLast();
        accounts.force(address(messenger), forced(0));
        sendCalls(wallet, 0, 0, callOf(address(target), 1, ""));
        relayAll();
        assertEq(target.count(), 1);
        vm.deal(address(this), 1);
        (bool ok,) = address(accounts).call{value: 1}("");
        assertFalse(ok);
    }

    /// @dev A nested forced delivery finds the messenger locked, so the recipient of the fee does
    /// not change.
    function test_forcing_within_forced_delivery_fails() public {
        Reentrant back = new Reentrant();
        sendCalls(alice, 0, 9, abi.encodeCall(IL2Accounts.execute, (new IL2Accounts.Call[](0))));
        parkLast();
        sendCalls(wallet, 0, 2, callOf(address(back), 0, ""));
        parkLast();
        bytes memory inner = abi.encodeCall(accounts.force, (address(messenger), forced(0)));
        back.prepare(address(accounts), inner);
        bytes memory error_ = abi.encodeWithSelector(IL2Messenger.Reentrancy.selector);
        vm.expectRevert(abi.encodeWithSelector(IL2Messenger.RetryFailed.selector, error_));
        accounts.force(address(back), forced(1));
        back.prepare(address(target), "");
        accounts.force(address(back), forced(1));
        assertEq(account.balance, 2);
    }

    /// @dev If a signer that delegates were paid, it would run code whose reads are not bounded.
    function test_signer_of_forced_delivery_is_not_called() public {
        address signer = makeAddr("signer");
        vm.etch(signer, address(new Moody("")).code);
        sendCalls(wallet, 0, 2, callOf(address(target), 0, ""));
        parkLast();
        vm.prank(signer);
        vm.expectPartialRevert(IL2Messenger.FeeTransferFailed.selector);
        messenger.retry(queue[0]);
        vm.prank(signer);
        accounts.force(address(target), forced(0));
        assertEq(target.count(), 1);
    }

    /// @dev An account that was designated for refunds refunds its messages to L1, like an EOA.
    function test_account_cancels_its_own_messages() public {
        uint256 index = send(wallet, address(target), 9, 1, 100_000, "");
        queue[index].refundTo = account;
        parkLast();
        IL2Messenger.Message memory m = queue[index];
        IL2Messenger.Header memory h = IL2Messenger.Header(
            m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
        );
        bytes memory back = abi.encodeCall(messenger.refundToL1, (h, wallet));
        sendCalls(alice, 0, 0, callOf(address(messenger), 0, back));
        sendCalls(wallet, 0, 0, callOf(address(messenger), 0, back));
        relayAll();
        assertTrue(isFailed(1), "of another sender");
        assertFalse(isFailed(2));
        assertEq(messenger.sentCount(), 1);
        assertEq(
            messenger.sent(0),
            keccak256(abi.encode(account, wallet, wallet, 10, 0, 0, 0, keccak256("")))
        );
    }

    /// @dev For arbitrary senders and data.
    function testFuzz_message_cannot_control_account_of_another_sender(
        address sender,
        address to,
        uint96 value,
        bytes calldata data
    ) public {
        vm.assume(sender != wallet);
        vm.deal(account, 100);
        if (to != address(accounts) && !Predeploys.isForbiddenTarget(to)) {
            to = uint160(to) % 2 == 0 ? account : address(accounts);
        }
        vm.assume(!Predeploys.isForbiddenTarget(to));
        send(sender, to, value, 0, 600_000, data);
        send(sender, to, 0, 0, 600_000, callOf(address(target), 100, data));
        send(sender, account, 0, 0, 600_000, callOf(address(target), 100, data));
        relayAll();
        assertGe(account.balance, 100);
    }
}
