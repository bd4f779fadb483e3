// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Receiver} from "solady/accounts/Receiver.sol";
import {LibClone} from "solady/utils/LibClone.sol";
import {IL2Accounts} from "../interfaces/IL2Accounts.sol";
import {IL2Messenger} from "../interfaces/IL2Messenger.sol";
import {AliasAddresses} from "../libraries/AliasAddresses.sol";
import {Delivery} from "../libraries/Delivery.sol";
import {Predeploys} from "../libraries/Predeploys.sol";

/// @title Alias accounts; predeploy at `Predeploys.L2_ACCOUNTS`
/// @notice A contract on L1, a multisig for instance, signs no L2 transaction. It has an alias
/// account here: an address that follows from its own, where ETH and tokens can go at any time, and
/// from which it makes any calls by messages to `execute` of this contract. No other account can
/// move it, and there is no key to it.
///
/// A block builder may park such a message, as any that runs code (see `L2Messenger`). The sender
/// does not depend on builders for it: any account with a key can force its delivery by `force`, if
/// the message makes one call, to a target that reads little state: the messenger, which is the way
/// out for ETH, or the contract that `ForcedInbox.BOUNDED_TARGET` names, which is the way out for
/// tokens.
///
/// The alias accounts are minimal proxies to this contract, so the same code has two roles, which
/// it tells by its address.
/// @dev Has no constructor and no immutables: its runtime code is part of the genesis state. It has
/// no storage: what an alias account holds is its ETH and what other contracts say that it owns.
contract L2Accounts is IL2Accounts, Receiver {
    /// @dev L1 sender of the message that `force` delivers; zero at all other times.
    address private transient _forced;

    /// @dev The target that its call must have.
    address private transient _target;

    /// @dev Takes ETH in an alias account. This contract itself takes only the fee that the
    /// messenger pays to the caller of `retry`, and passes it on. It must not be paid to the signer
    /// of a forced transaction: an account that delegates (EIP-7702) would run code that may read
    /// anything.
    receive() external payable override {
        if (!_isHere()) return;
        address sender = _forced;
        if (sender == address(0)) revert CallerForbidden(msg.sender, Predeploys.L2_MESSENGER);
        (bool ok,) = AliasAddresses.account(sender).call{value: msg.value}("");
        if (!ok) Delivery.fail();
    }

    /// @inheritdoc IL2Accounts
    function execute(Call[] calldata calls) external payable {
        if (!_isHere()) return _perform(calls);
        _requireCaller(Predeploys.L2_MESSENGER);
        if (_forced != address(0)) _requireBounded(calls);
        address account = _created(IL2Messenger(Predeploys.L2_MESSENGER).l1Sender());
        (bool ok,) = account.call{value: msg.value}(msg.data);
        if (!ok) Delivery.fail();
    }

    /// @inheritdoc IL2Accounts
    /// @dev `execute` compares the call of the message. That call finds the messenger locked but
    /// for `send`, `refundToL1` and waypoints, so a target that is the messenger runs no other
    /// code.
    function force(address target, AccountMessage calldata message) external {
        if (!_isHere()) revert NotInAccount(address(this));
        if (message.to != address(this)) revert NotAccountMessage(message.to);
        (_forced, _target) = (message.sender, target);
        // The same fields as those of the messenger's type.
        (bool ok,) = Predeploys.L2_MESSENGER
            .call(abi.encodeWithSelector(IL2Messenger.retry.selector, message));
        if (!ok) Delivery.fail();
        _forced = address(0);
    }

    /// @inheritdoc IL2Accounts
    function accountOf(address l1Sender) external pure returns (address) {
        return AliasAddresses.account(l1Sender);
    }

    /// @dev Makes calls from an alias account.
    function _perform(Call[] calldata calls) private {
        _requireCaller(Predeploys.L2_ACCOUNTS);
        for (uint256 i = 0; i < calls.length; ++i) {
            Call calldata one = calls[i];
            (bool ok,) = one.to.call{value: one.value}(one.data);
            if (!ok) Delivery.fail();
        }
    }

    /// @dev The alias account of an L1 sender, which has its code from the first message on.
    function _created(address l1Sender) private returns (address account) {
        account = AliasAddresses.account(l1Sender);
        if (account.code.length != 0) return account;
        LibClone.cloneDeterministic_PUSH0(address(this), AliasAddresses.salt(l1Sender));
        emit AccountCreated(l1Sender, account);
    }

    /// @dev Demands that a forced message reads no more than `ForcedInbox` has counted for its
    /// target.
    function _requireBounded(Call[] calldata calls) private view {
        if (calls.length > 1) revert TooManyCalls(calls.length, 1);
        if (calls.length == 1 && calls[0].to != _target) {
            revert TargetMismatch(calls[0].to, _target);
        }
    }

    /// @dev Tokens that ask their receiver (ERC-721, ERC-1155) are accepted by alias accounts only:
    /// here no account could move them.
    function _useReceiverFallbackBody() internal view override returns (bool) {
        return !_isHere();
    }

    function _requireCaller(address expected) private view {
        if (msg.sender != expected) revert CallerForbidden(msg.sender, expected);
    }

    function _isHere() private view returns (bool) {
        return address(this) == Predeploys.L2_ACCOUNTS;
    }
}
