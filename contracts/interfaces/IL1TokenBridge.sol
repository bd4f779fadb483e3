// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title ERC-20 bridge between L1 and an L2: the escrow on L1
interface IL1TokenBridge {
    /// @notice A withdrawal, as sent by `IL2TokenBridge.withdraw`.
    struct Withdrawal {
        /// Token on L1.
        address l1Token;
        /// L2 account that withdrew.
        address from;
        /// L1 account that receives the tokens.
        address to;
        /// L1 account that may send the tokens back to the L2.
        address refundTo;
        /// Amount in the token's smallest unit.
        uint256 amount;
        /// ETH for the claimant, in wei.
        uint128 fee;
        /// Minimum gas that the payment receives.
        uint64 gasLimit;
        /// Number of the message to L1.
        uint64 index;
    }

    /// @notice Proof that the message of a withdrawal was sent on the L2, as in `IL1MessageQueue`.
    struct MessageProof {
        uint64 l2Block;
        bytes32 storageRoot;
        bytes[] accountProof;
        bytes[] storageProof;
    }

    /// @notice Emitted when the registration of a token is sent to the L2.
    /// @param l1Token Token on L1.
    /// @param l2Token Token on the L2 that represents it.
    /// @param message Number of the message to the L2.
    event TokenRegistered(address indexed l1Token, address indexed l2Token, uint64 message);
    /// @notice Emitted when tokens are deposited into the escrow.
    /// @param l1Token Token on L1.
    /// @param from L1 account that deposited.
    /// @param to L2 account that receives the tokens.
    /// @param amount Amount that the escrow received, which is minted on the L2.
    /// @param message Number of the message to the L2.
    event Deposited(
        address indexed l1Token,
        address indexed from,
        address indexed to,
        uint256 amount,
        uint64 message
    );
    /// @notice Emitted when tokens are paid out of the escrow.
    /// @param l1Token Token on L1.
    /// @param from L2 account that withdrew or whose balance is paid; L1 account that deposited, if
    /// a deposit is returned.
    /// @param to L1 account that receives the tokens.
    /// @param amount Amount in the token's smallest unit.
    event Released(
        address indexed l1Token, address indexed from, address indexed to, uint256 amount
    );
    /// @notice Emitted when a withdrawal that could not be paid out is sent back to the L2.
    event SentBack(address indexed l1Token, address indexed to, uint256 amount, uint64 message);
    /// @notice Emitted when the refund of a withdrawal is announced. It can be made from `readyAt`
    /// on, or later if the queue is paused before.
    event RefundAnnounced(address indexed l1Token, uint64 indexed index, uint256 readyAt);

    /// @notice The function was called from within a token transfer.
    error Reentrancy();
    /// @notice The call is not a message from the bridge on the L2.
    error NotPeer(address caller);
    /// @notice The recipient is the zero address.
    error RecipientZero();
    /// @notice The recipient never spends tokens, so they would be lost.
    error RecipientForbidden(address to);
    /// @notice The withdrawal cannot be sent back before `readyAt`; zero if no refund was
    /// announced.
    error RefundNotReady(uint256 readyAt);
    /// @notice The address has no code.
    error NotToken(address l1Token);
    /// @notice The token's `decimals()` reverts, or does not return a number below 256.
    error DecimalsUnknown(address l1Token);
    /// @notice The gas left might not be sufficient to read the token's name, symbol and decimals.
    error GasTooLow(uint256 got, uint256 minimum);
    /// @notice The token has not been registered.
    error TokenNotRegistered(address l1Token);
    /// @notice The transfer did not increase the escrow balance.
    error NothingReceived(address l1Token);
    /// @notice The escrow holds less than it owes, because the token reduces balances.
    error EscrowShort(address l1Token, uint256 balance, uint256 owed);
    /// @notice The payment exceeds what was deposited and not paid out.
    error EscrowExceeded(address l1Token, uint256 amount, uint256 owed);
    /// @notice The transfer reduced the escrow balance by more than `amount`.
    error Overcharged(address l1Token, uint256 debited, uint256 amount);
    /// @notice The caller is not the `refundTo` account of the withdrawal, or neither the depositor
    /// nor the account to which the deposit is returned.
    error NotRefundable(address caller, address refundTo);
    /// @notice The caller rejected the refund of ETH that was not needed.
    error ChangeRefused(address to, uint256 amount);

    /// @notice Registers a token: the L2 deploys the token that represents `l1Token`. Any account
    /// may call, also repeatedly; the first message that is delivered fixes name, symbol and
    /// decimals permanently. A token whose `decimals()` fails is rejected. Name and symbol are
    /// truncated to 31 bytes at a character boundary, and bytes that are not UTF-8 are replaced by
    /// question marks. `msg.value` is the message's fee.
    /// @param l1Token Token on L1.
    /// @param gasLimit Gas for the message; `REGISTER_GAS` is sufficient under any fork.
    /// @return message Number of the message to the L2.
    function register(address l1Token, uint64 gasLimit) external payable returns (uint64 message);

    /// @notice Moves tokens of the caller, who must have approved the transfer, to the L2.
    /// `msg.value` is the message's fee.
    /// @dev If the delivery on the L2 fails, it can be retried there, or `refundTo` can send the
    /// tokens back (`IL2TokenBridge.refund`).
    /// @param l1Token Registered token on L1.
    /// @param to L2 account that receives the tokens.
    /// @param refundTo L2 account that may send the tokens back if the delivery fails; zero for
    /// none.
    /// @param amount Amount to transfer. The L2 account receives the amount that arrives in the
    /// escrow.
    /// @param gasLimit Gas for the message; `DEPOSIT_GAS` is sufficient under any fork.
    /// @return message Number of the message to the L2.
    function deposit(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit)
        external
        payable
        returns (uint64 message);

    /// @notice Deposits tokens, as `deposit` does, to the L2 account that the caller controls: its
    /// own address if it is an EOA (also if it delegates by EIP-7702), or its alias account
    /// (`L2Accounts`) if it is a contract, because nobody controls the same address on the L2 in
    /// that case.
    /// @param l1Token Registered token on L1.
    /// @param amount Amount to transfer.
    /// @param gasLimit Gas for the message; `DEPOSIT_GAS` is sufficient under any fork.
    /// @return message Number of the message to the L2.
    function depositToSelf(address l1Token, uint256 amount, uint64 gasLimit)
        external
        payable
        returns (uint64 message);

    /// @notice Sends `msg.value - fee` wei, without data, to the L2 account that the caller
    /// controls (see `depositToSelf`).
    /// @param gasLimit Gas of the delivery: 0 for an EOA, and 50,000 for a contract whose alias
    /// account exists.
    /// @param fee ETH paid on L2 to the account that delivers the message, in wei
    /// (`IL1MessageQueue.minimumFee`).
    /// @return message Number of the message to the L2.
    function depositEtherToSelf(uint64 gasLimit, uint128 fee)
        external
        payable
        returns (uint64 message);

    /// @notice Pays out a withdrawal. Only the bridge on the L2 may call, by a message.
    /// @param l1Token Token on L1.
    /// @param from L2 account that withdrew.
    /// @param to L1 account that receives the tokens.
    /// @param refundTo L1 account that may send the tokens back to the L2.
    /// @param amount Amount in the token's smallest unit.
    function release(address l1Token, address from, address to, address refundTo, uint256 amount)
        external;

    /// @notice Attempts to pay out a withdrawal. If that fails, announces that it is to be sent
    /// back, which `refund` can do `REFUND_DELAY` (a day) later; until then any account can claim
    /// it. If the queue is paused within that day, the day starts again at the end of the pause.
    /// Only `withdrawal.refundTo` may call. A second announcement changes nothing.
    /// @param withdrawal The withdrawal.
    /// @param proof Proof that its message was sent on the L2.
    /// @param feeRecipient Account that receives the fee of the withdrawal if it is paid out.
    /// @return readyAt Timestamp from which `refund` can be called; zero if the withdrawal was paid
    /// out.
    function announceRefund(
        Withdrawal calldata withdrawal,
        MessageProof calldata proof,
        address feeRecipient
    ) external returns (uint256 readyAt);

    /// @notice Attempts to pay out a withdrawal, and sends the tokens back to the L2 if that fails.
    /// Only `withdrawal.refundTo` may call, after `announceRefund`. `msg.value` is the fee of the
    /// message to the L2; it is returned if no message is needed.
    /// @param withdrawal The withdrawal.
    /// @param proof Proof that its message was sent on the L2.
    /// @param feeRecipient Account that receives the fee of the withdrawal.
    /// @dev Reverts once the rollup is closed, if the payment fails: the queue accepts no message, so
    /// the withdrawal stays open to claims.
    /// @param gasLimit Gas for the message to the L2.
    /// @return released `true` if the withdrawal was paid out after all.
    function refund(
        Withdrawal calldata withdrawal,
        MessageProof calldata proof,
        address feeRecipient,
        uint64 gasLimit
    ) external payable returns (bool released);

    /// @notice Returns the address of the token on the L2 that represents `l1Token`, whether or not
    /// it is deployed.
    function l2TokenOf(address l1Token) external view returns (address);

    /// @notice Returns `true` if the registration of the token has been sent to the L2.
    function isRegistered(address l1Token) external view returns (bool);

    /// @notice Returns the amount of a token that is on the L2, or in transit in either direction.
    function owed(address l1Token) external view returns (uint256);

    /// @notice Queue that connects both sides, an `IL1MessageQueue`.
    function MESSAGE_QUEUE() external view returns (address);

    /// @notice Bridge on the L2, an `IL2TokenBridge`.
    function L2_BRIDGE() external view returns (address);

    /// @notice Implementation of all tokens on the L2 (`IL2TokenBridge.TOKEN_CODE`).
    function L2_TOKEN_CODE() external view returns (address);

    /// @notice Minimum seconds between the announcement of a refund, or a pause after it, and the
    /// refund.
    function REFUND_DELAY() external view returns (uint256);

    /// @notice Gas that is sufficient for the message of a deposit.
    function DEPOSIT_GAS() external view returns (uint64);

    /// @notice Gas that is sufficient for the message of a registration.
    function REGISTER_GAS() external view returns (uint64);
}
