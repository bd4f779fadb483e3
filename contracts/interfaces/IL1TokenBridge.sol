// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title ERC-20 tokens between L1 and an L2: the side of L1, where the tokens are
interface IL1TokenBridge {
    /// @notice A withdrawal, as `IL2TokenBridge.withdraw` sent it.
    struct Withdrawal {
        /// The token on L1.
        address l1Token;
        /// L2 account that withdrew.
        address from;
        /// L1 account that gets the tokens.
        address to;
        /// L1 account that may send them back.
        address refundTo;
        /// Amount in the token's smallest unit.
        uint256 amount;
        /// ETH for the claimant, in wei.
        uint128 fee;
        /// Gas that the payment gets at least.
        uint64 gasLimit;
        /// Number of the message to L1.
        uint64 index;
    }

    /// @notice Evidence that the L2 holds the message of a withdrawal, as in `IL1MessageQueue`.
    struct MessageProof {
        uint64 l2Block;
        bytes32 storageRoot;
        bytes[] accountProof;
        bytes[] storageProof;
    }

    /// @notice The L2 is told of a token.
    event TokenRegistered(address indexed l1Token, address indexed l2Token, uint64 message);
    /// @notice Tokens went into the escrow.
    /// @param amount Amount that was received, and will be on the L2.
    event Deposited(
        address indexed l1Token,
        address indexed from,
        address indexed to,
        uint256 amount,
        uint64 message
    );
    /// @notice Tokens left the escrow.
    event Released(
        address indexed l1Token, address indexed from, address indexed to, uint256 amount
    );
    /// @notice A withdrawal that could not be paid goes back to the L2.
    event SentBack(address indexed l1Token, address indexed to, uint256 amount, uint64 message);
    /// @notice A withdrawal is to be sent back, not before `readyAt`.
    event RefundAnnounced(address indexed l1Token, uint64 indexed index, uint256 readyAt);

    /// @notice Called from within a transfer of tokens.
    error Reentrancy();
    /// @notice The caller is not the other side of the bridge.
    error NotPeer(address caller);
    /// @notice Tokens for the zero address.
    error RecipientZero();
    /// @notice Tokens that this account gets are lost: it never spends any.
    error RecipientForbidden(address to);
    /// @notice The withdrawal is not to be sent back yet; zero if that was not announced.
    error RefundNotReady(uint256 readyAt);
    /// @notice There is no contract at this address.
    error NotToken(address l1Token);
    /// @notice The call of the token's `decimals()` fails, or returns no number below 256.
    error DecimalsUnknown(address l1Token);
    /// @notice With less gas, what the token says of itself could be missed.
    error GasTooLow(uint256 got, uint256 minimum);
    /// @notice The L2 has not been told of the token.
    error TokenNotRegistered(address l1Token);
    /// @notice The transfer moved nothing into the escrow.
    error NothingReceived(address l1Token);
    /// @notice The escrow holds less than it owes: the token takes balances away.
    error EscrowShort(address l1Token, uint256 held, uint256 owed);
    /// @notice More is to be paid than was ever deposited.
    error EscrowExceeded(address l1Token, uint256 amount, uint256 owed);
    /// @notice The token took more out of the escrow than it was told to.
    error Overcharged(address l1Token, uint256 taken, uint256 amount);
    /// @notice The caller is not the one who may send the withdrawal back.
    error NotRefundable(address caller, address refundTo);
    /// @notice The caller does not take back the ETH that was not needed.
    error ChangeRefused(address to, uint256 amount);

    /// @notice Has the L2 make the token that stands for `l1Token`. Anyone may call, also again;
    /// the first message that is delivered counts, and fixes name, symbol and decimals permanently.
    /// A token whose `decimals()` fails is refused. Name and symbol are cut to 31 bytes between two
    /// characters, and bytes that are not UTF-8 become question marks. `msg.value` is the fee of
    /// the message.
    /// @param gasLimit Gas for the message; `REGISTER_GAS` is enough under any fork.
    /// @return message Number of the message.
    function register(address l1Token, uint64 gasLimit) external payable returns (uint64 message);

    /// @notice Moves tokens of the caller, who has approved that, to the L2. `msg.value` is the fee
    /// of the message.
    /// @dev If the delivery fails on the L2, it can be tried again there, or `refundTo` can send
    /// the tokens back (`IL2TokenBridge.refund`).
    /// @param l1Token A token that is registered.
    /// @param to L2 account that gets the tokens.
    /// @param refundTo L2 account that may send them back if the delivery fails; zero for none.
    /// @param amount Amount to move. What the escrow receives is what the L2 gets.
    /// @param gasLimit Gas for the message; `DEPOSIT_GAS` is enough under any fork.
    /// @return message Number of the message.
    function deposit(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit)
        external
        payable
        returns (uint64 message);

    /// @notice The same to the L2 account that the caller controls: its own address if it has a key
    /// (also if it delegates by EIP-7702), and its alias account (`L2Accounts`) if it is a
    /// contract, since the same address on the L2 is nobody's then.
    function depositToSelf(address l1Token, uint256 amount, uint64 gasLimit)
        external
        payable
        returns (uint64 message);

    /// @notice Sends `msg.value - fee` wei in the same way, without data.
    /// @param gasLimit Gas of the delivery: 0 for a key, and 50,000 for a contract whose alias
    /// account exists.
    /// @param fee Paid on L2 to the account that delivers the message
    /// (`IL1MessageQueue.minimumFee`).
    /// @return message Number of the message.
    function depositEtherToSelf(uint64 gasLimit, uint128 fee)
        external
        payable
        returns (uint64 message);

    /// @notice Pays a withdrawal out. For the other side of the bridge, by a message.
    function release(address l1Token, address from, address to, address refundTo, uint256 amount)
        external;

    /// @notice Tries to pay a withdrawal out and, if that fails, announces that it is to be sent
    /// back, which `refund` does a day later (`REFUND_DELAY`). Until then anyone can claim it. For
    /// `withdrawal.refundTo` only; a second announcement changes nothing.
    /// @param feeRecipient Gets the fee of the withdrawal if it is paid.
    /// @return readyAt Timestamp from which on `refund` can be called; zero if the withdrawal was
    /// paid.
    function announceRefund(
        Withdrawal calldata withdrawal,
        MessageProof calldata proof,
        address feeRecipient
    ) external returns (uint256 readyAt);

    /// @notice Tries to pay a withdrawal out, and sends the tokens back to the L2 if that fails.
    /// For `withdrawal.refundTo` only, after `announceRefund`. `msg.value` is the fee of the
    /// message to the L2; it comes back if none is needed.
    /// @param feeRecipient Gets the fee of the withdrawal.
    /// @param gasLimit Gas for the message to the L2.
    /// @return released `true` if the withdrawal was paid out after all.
    function refund(
        Withdrawal calldata withdrawal,
        MessageProof calldata proof,
        address feeRecipient,
        uint64 gasLimit
    ) external payable returns (bool released);

    /// @notice The token on the L2 that stands for `l1Token`, whether it exists yet or not.
    function l2TokenOf(address l1Token) external view returns (address);

    /// @notice Returns `true` if the L2 has been told of a token.
    function isRegistered(address l1Token) external view returns (bool);

    /// @notice Amount of a token that is on the L2 or on its way, in either direction.
    function owed(address l1Token) external view returns (uint256);

    /// @notice The queue through which both sides talk, an `IL1MessageQueue`.
    function MESSAGE_QUEUE() external view returns (address);

    /// @notice The other side, an `IL2TokenBridge`.
    function L2_BRIDGE() external view returns (address);

    /// @notice The code behind all tokens on the L2 (`IL2TokenBridge.TOKEN_CODE`).
    function L2_TOKEN_CODE() external view returns (address);

    /// @notice Seconds between the announcement of a refund and the attempt.
    function REFUND_DELAY() external view returns (uint256);

    /// @notice Gas for the message of a deposit.
    function DEPOSIT_GAS() external view returns (uint64);

    /// @notice Gas for the message of a registration.
    function REGISTER_GAS() external view returns (uint64);
}
