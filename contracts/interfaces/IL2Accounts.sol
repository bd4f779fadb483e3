// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Alias accounts: accounts on the L2 that are controlled by an L1 sender
interface IL2Accounts {
    /// @notice Call from an alias account.
    struct Call {
        /// Target of the call.
        address to;
        /// ETH sent with the call, in wei.
        uint256 value;
        /// Calldata of the call.
        bytes data;
    }

    /// @notice A message from L1, with the fields of `IL2Messenger.Message`.
    struct AccountMessage {
        address sender;
        address to;
        address refundTo;
        uint128 value;
        uint128 fee;
        uint64 gasLimit;
        uint64 index;
        bytes data;
    }

    /// @notice Emitted when the code of the alias account of an L1 sender is deployed.
    event AccountCreated(address indexed l1Sender, address indexed account);

    /// @notice The caller may not call this function.
    error CallerForbidden(address got, address expected);
    /// @notice The function can only be called in `L2Accounts` itself, not in an alias account.
    error NotInAccount(address account);
    /// @notice The target of the message is not `L2Accounts`.
    error NotAccountMessage(address to);
    /// @notice A message whose delivery can be forced may make at most one call.
    error TooManyCalls(uint256 got, uint256 max);
    /// @notice The call of the message has another target than the transaction declares.
    error TargetMismatch(address got, address expected);

    /// @notice Makes calls from the alias account of a message's L1 sender, in order; if one fails,
    /// all are reverted. ETH of the message that the calls do not spend stays in the account. Only
    /// the messenger may call this, by delivering a message; in an alias account, only `L2Accounts`
    /// may.
    /// @param calls Calls to make.
    function execute(Call[] calldata calls) external payable;

    /// @notice Delivers a stored message, i.e. one that was parked or failed, if it calls `execute`
    /// of this contract with at most one call, and `target` is the target of that call. A fee that
    /// the message has not paid yet is paid to the alias account.
    /// @dev `ForcedInbox` accepts transactions with this call for targets that are known to read
    /// little state, so any EOA can force the delivery.
    /// @param target Declared target of the call.
    /// @param message The stored message.
    function force(address target, AccountMessage calldata message) external;

    /// @notice Returns the address of the alias account of an L1 sender. It may not have code yet.
    function accountOf(address l1Sender) external pure returns (address);
}
