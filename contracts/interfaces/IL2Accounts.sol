// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Alias accounts: accounts on the L2 that only an L1 sender moves
interface IL2Accounts {
    /// @notice A call that an alias account makes.
    struct Call {
        /// Target of the call.
        address to;
        /// Wei that go with it.
        uint256 value;
        /// Its calldata.
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

    /// @notice The alias account of an L1 sender now has its code.
    event AccountCreated(address indexed l1Sender, address indexed account);

    /// @notice The caller is not the one that may call the function.
    error CallerForbidden(address got, address expected);
    /// @notice The function runs in `L2Accounts` itself, not in an alias account.
    error NotInAccount(address account);
    /// @notice The message does not go to `L2Accounts`.
    error NotAccountMessage(address to);
    /// @notice A message that can be forced makes one call at most.
    error TooManyCalls(uint256 got, uint256 max);
    /// @notice The call of the message goes to another target than the transaction names.
    error TargetMismatch(address got, address expected);

    /// @notice Makes calls from the alias account of a message's L1 sender, in order and all or
    /// none. ETH of the message stays in the account, as far as the calls do not spend it. Only the
    /// messenger may call it, with a message; in an alias account only `L2Accounts`.
    function execute(Call[] calldata calls) external payable;

    /// @notice Delivers a message that the messenger keeps, because it was parked or has failed, if
    /// it calls `execute` of this contract with one call at most, and that call goes to `target`.
    /// An unearned fee of the message goes to the alias account.
    /// @dev `ForcedInbox` accepts transactions with this call for targets that are known to read
    /// little state, so any account with a key can force the delivery.
    function force(address target, AccountMessage calldata message) external;

    /// @notice Address of the alias account of an L1 sender, which may not have code yet.
    function accountOf(address l1Sender) external pure returns (address);
}
