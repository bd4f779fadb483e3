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
/// @notice A contract on L1, such as a multisig, cannot sign L2 transactions. It has an alias
/// account here: an address derived from its own, which can receive ETH and tokens at any time and
/// makes calls by messages to `execute` of this contract. No other account controls it, and it has
/// no private key.
///
/// A block builder may park such a message, like any message that runs code (see `L2Messenger`).
/// The sender does not depend on builders: any EOA can force the delivery (`force`) if the message
/// makes one call to a target that reads little state. Such targets are the messenger, through
/// which ETH exits, and the contract in `ForcedInbox.BOUNDED_TARGET`, through which tokens exit.
///
/// Alias accounts are minimal proxies to this contract. The code distinguishes its two roles by its
/// address.
/// @dev Has no constructor and no immutables: its runtime code is part of the genesis state. It has
/// no storage: the assets of an alias account are its ETH and what other contracts record for it.
contract L2Accounts is IL2Accounts, Receiver {
    /// @dev L1 sender of the message that `force` delivers; zero otherwise.
    address private transient _forced;

    /// @dev Required target of the forced message's call.
    address private transient _target;

    /// @dev Accepts ETH in an alias account. This contract itself accepts only the fee that the
    /// messenger pays to the caller of `retry`, and forwards it. The fee must not be paid to the
    /// signer of a forced transaction: an account that delegates (EIP-7702) would run code whose
    /// state reads are not bounded.
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
    /// @dev `execute` checks the call of the message. During that call the messenger is locked
    /// except for `send`, `refundToL1` and `addWaypoint`, so a call to the messenger runs no other
    /// code.
    function force(address target, AccountMessage calldata message) external {
        if (!_isHere()) revert NotInAccount(address(this));
        if (message.to != address(this)) revert NotAccountMessage(message.to);
        (_forced, _target) = (message.sender, target);
        // `AccountMessage` has the same fields as the messenger's type.
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

    /// @dev Returns the alias account of an L1 sender. Deploys its code if this is its first
    /// message.
    function _created(address l1Sender) private returns (address account) {
        account = AliasAddresses.account(l1Sender);
        if (account.code.length != 0) return account;
        LibClone.cloneDeterministic_PUSH0(address(this), AliasAddresses.salt(l1Sender));
        emit AccountCreated(l1Sender, account);
    }

    /// @dev Reverts if a forced message could read more state than `ForcedInbox` has accounted for.
    function _requireBounded(Call[] calldata calls) private view {
        if (calls.length > 1) revert TooManyCalls(calls.length, 1);
        if (calls.length == 1 && calls[0].to != _target) {
            revert TargetMismatch(calls[0].to, _target);
        }
    }

    /// @dev Only alias accounts accept tokens that call their receiver (ERC-721, ERC-1155): in this
    /// contract, no account could move them.
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
