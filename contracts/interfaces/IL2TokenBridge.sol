// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title ERC-20 bridge between L1 and an L2: the tokens on the L2
interface IL2TokenBridge {
    /// @notice A deposit, as sent by `IL1TokenBridge.deposit`.
    struct Deposit {
        /// Token on L1.
        address l1Token;
        /// L1 account that deposited.
        address from;
        /// L2 account that receives the tokens.
        address to;
        /// L2 account that may send the tokens back to L1.
        address refundTo;
        /// Amount in the token's smallest unit.
        uint256 amount;
        /// ETH for the relayer, in wei.
        uint128 fee;
        /// Minimum gas that the delivery receives.
        uint64 gasLimit;
        /// Number of the message from L1.
        uint64 index;
    }

    /// @notice Emitted when the token that represents `l1Token` is deployed.
    event TokenMade(address indexed l1Token, address indexed l2Token);
    /// @notice Emitted when tokens that were deposited on L1 are minted.
    event Minted(address indexed l1Token, address indexed from, address indexed to, uint256 amount);
    /// @notice Emitted when tokens are withdrawn to L1.
    /// @param l1Token Token on L1.
    /// @param from L2 account that withdrew.
    /// @param to L1 account that receives the tokens.
    /// @param refundTo L1 account that may send the tokens back; zero for none.
    /// @param amount Amount in the token's smallest unit.
    /// @param fee ETH for the claimant, in wei.
    /// @param gasLimit Minimum gas that the payment on L1 receives.
    /// @param message Number of the message to L1.
    event Withdrawn(
        address indexed l1Token,
        address indexed from,
        address indexed to,
        address refundTo,
        uint256 amount,
        uint128 fee,
        uint64 gasLimit,
        uint64 message
    );
    /// @notice Emitted when a deposit that could not be delivered is sent back to L1.
    event SentBack(address indexed l1Token, address indexed to, uint256 amount, uint64 message);

    /// @notice The call is not a message from the bridge on L1.
    error NotPeer(address caller);
    /// @notice The implementation of the tokens is not deployed; it has to be deployed before the
    /// bridge.
    error TokenCodeMissing(address tokenCode);
    /// @notice The token that represents `l1Token` is not deployed yet; its registration has to be
    /// delivered first.
    error TokenUnknown(address l1Token);
    /// @notice The amount is zero.
    error AmountZero();
    /// @notice Tokens that this account receives on L1 would be lost.
    error RecipientForbidden(address to);
    /// @notice The caller is not the `refundTo` account of the deposit.
    error NotRefundable(address caller, address refundTo);

    /// @notice Deploys the token that represents `l1Token`, unless it exists. Only the bridge on L1
    /// may call, by a message.
    /// @param l1Token Token on L1.
    /// @param name Name of the token.
    /// @param symbol Symbol of the token.
    /// @param decimals Decimals of the token.
    function makeToken(
        address l1Token,
        string calldata name,
        string calldata symbol,
        uint8 decimals
    ) external;

    /// @notice Mints tokens that were deposited on L1. Only the bridge on L1 may call, by a
    /// message.
    /// @param l1Token Token on L1.
    /// @param from L1 account that deposited.
    /// @param to L2 account that receives the tokens.
    /// @param refundTo L2 account that may send the tokens back if the delivery fails; zero for
    /// none.
    /// @param amount Amount in the token's smallest unit.
    function mint(address l1Token, address from, address to, address refundTo, uint256 amount)
        external;

    /// @notice Moves tokens of the caller to L1, where they can be claimed once the rollup has
    /// advanced to this L2 block. `msg.value` is paid to the claimant.
    /// @dev Reads the bridge, the token and the messenger only; the caller cannot make it read
    /// other accounts.
    /// @param l1Token Token on L1.
    /// @param to L1 account that receives the tokens.
    /// @param refundTo L1 account that may send the tokens back to the caller if they cannot be
    /// paid out; zero for none.
    /// @param amount Amount in the token's smallest unit.
    /// @param gasLimit Gas that the payment on L1 is guaranteed to receive.
    /// @return message Number of the message to L1.
    function withdraw(
        address l1Token,
        address to,
        address refundTo,
        uint256 amount,
        uint64 gasLimit
    ) external payable returns (uint64 message);

    /// @notice Cancels a deposit whose delivery failed or was parked, and sends its tokens back to
    /// L1. Only `failed.refundTo` may call. `msg.value` is paid to the claimant.
    /// @dev A fee that has not been paid yet is sent to `to` by a separate message.
    /// @param failed The deposit.
    /// @param to L1 account that receives the tokens.
    /// @param refundTo L1 account that may send the tokens to the caller if they cannot be paid
    /// out.
    /// @param gasLimit Gas that the payment on L1 is guaranteed to receive.
    /// @return message Number of the message to L1.
    function refund(Deposit calldata failed, address to, address refundTo, uint64 gasLimit)
        external
        payable
        returns (uint64 message);

    /// @notice Returns the address of the token that represents `l1Token`, whether or not it is
    /// deployed.
    function tokenOf(address l1Token) external view returns (address);

    /// @notice Bridge on L1, an `IL1TokenBridge`.
    function L1_BRIDGE() external view returns (address);

    /// @notice Implementation of all tokens of this bridge.
    function TOKEN_CODE() external view returns (address);
}
