// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title ERC-20 tokens between L1 and an L2: the side of the L2, where tokens stand for those of
/// L1
interface IL2TokenBridge {
    /// @notice A deposit, as `IL1TokenBridge.deposit` sent it.
    struct Deposit {
        /// The token on L1.
        address l1Token;
        /// L1 account that deposited.
        address from;
        /// L2 account that gets the tokens.
        address to;
        /// L2 account that may send them back.
        address refundTo;
        /// Amount in the token's smallest unit.
        uint256 amount;
        /// ETH for the relayer, in wei.
        uint128 fee;
        /// Gas that the delivery gets at least.
        uint64 gasLimit;
        /// Number of the message from L1.
        uint64 index;
    }

    /// @notice A token was made that stands for one of L1.
    event TokenMade(address indexed l1Token, address indexed l2Token);
    /// @notice Tokens came from L1.
    event Minted(address indexed l1Token, address indexed from, address indexed to, uint256 amount);
    /// @notice Tokens go to L1.
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
    /// @notice A deposit that could not be delivered goes back to L1.
    event SentBack(address indexed l1Token, address indexed to, uint256 amount, uint64 message);

    /// @notice The caller is not the other side of the bridge.
    error NotPeer(address caller);
    /// @notice The code behind the tokens has to be deployed before the bridge.
    error TokenCodeMissing(address tokenCode);
    /// @notice No token stands for this one yet; once its registration is delivered, one does.
    error TokenUnknown(address l1Token);
    /// @notice Nothing to withdraw.
    error AmountZero();
    /// @notice On L1 the tokens would be out of reach there.
    error RecipientForbidden(address to);
    /// @notice The caller is not the one who may send the deposit back.
    error NotRefundable(address caller, address refundTo);

    /// @notice Makes the token that stands for `l1Token`, unless there is one. For the other side
    /// of the bridge, by a message.
    function makeToken(
        address l1Token,
        string calldata name,
        string calldata symbol,
        uint8 decimals
    ) external;

    /// @notice Mints what was deposited on L1. For the other side of the bridge, by a message.
    function mint(address l1Token, address from, address to, address refundTo, uint256 amount)
        external;

    /// @notice Moves tokens of the caller to L1, where they can be claimed once the rollup has this
    /// L2 block. `msg.value` is for the claimant.
    /// @dev Reads the bridge, the token, the messenger, and nothing that the caller could choose.
    /// @param l1Token The token on L1.
    /// @param to L1 account that gets the tokens.
    /// @param refundTo L1 account that may send them back to the caller if they cannot be paid out;
    /// zero for none.
    /// @param amount Amount in the token's smallest unit.
    /// @param gasLimit Gas that the payment is guaranteed to get.
    /// @return message Number of the message.
    function withdraw(
        address l1Token,
        address to,
        address refundTo,
        uint256 amount,
        uint64 gasLimit
    ) external payable returns (uint64 message);

    /// @notice Cancels a deposit whose delivery failed or was parked, and sends its tokens back to
    /// L1. For `failed.refundTo` only. `msg.value` is for the claimant.
    /// @dev A fee that is still due goes to `to` by a message of its own.
    /// @param to L1 account that gets the tokens.
    /// @param refundTo L1 account that may send them to the caller if they cannot be paid out.
    /// @param gasLimit Gas that the payment is guaranteed to get.
    /// @return message Number of the message.
    function refund(Deposit calldata failed, address to, address refundTo, uint64 gasLimit)
        external
        payable
        returns (uint64 message);

    /// @notice The token that stands for `l1Token`, whether it exists yet or not.
    function tokenOf(address l1Token) external view returns (address);

    /// @notice The other side, an `IL1TokenBridge`.
    function L1_BRIDGE() external view returns (address);

    /// @notice The code behind all tokens of this bridge.
    function TOKEN_CODE() external view returns (address);
}
