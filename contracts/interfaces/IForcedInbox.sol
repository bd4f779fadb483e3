// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Queue of forced L2 transactions
/// @notice Accepts signed L2 transactions on L1. Once a transaction is due, an L2 block may omit it
/// only with evidence that it could not have been included.
interface IForcedInbox {
    /// @notice Record of a submitted transaction. The queue stores only its hash, see `commitment`.
    struct ForcedTransaction {
        /// Transaction hash.
        bytes32 hash;
        /// Account on the L2 that signed it.
        address sender;
        /// Nonce of the transaction.
        uint64 nonce;
        /// Gas limit of the transaction.
        uint64 gasLimit;
        /// Maximum price per unit of gas, in wei.
        uint128 maxFee;
        /// Balance that the sender needs: gas limit times `maxFee`, plus the value, in wei.
        uint256 cost;
        /// Timestamp of the L1 block in which it was submitted, in seconds.
        uint64 submittedAt;
        /// `true` if it calls a target whose state reads are bounded. Otherwise it is a transfer.
        bool bounded;
        /// Target of the transaction.
        address to;
        /// Maximum number of bytes that it adds to the calldata of `advance`.
        uint64 footprint;
        /// `true` if its fee cap, at submission, was at least `FEE_CAP_MARGIN` times the base fee
        /// of the L2 (or times `FEE_CAP_FLOOR`, if that is higher). If so, a higher base fee defers
        /// the transaction and does not discharge it.
        bool priced;
    }

    /// @notice Emitted when a transaction is submitted.
    /// @param index Number of the transaction, counted from zero.
    /// @param submitter Account that submitted it on L1.
    /// @param sender Account on the L2 that signed it.
    /// @param transaction Record of the transaction; `commitment` returns its hash.
    /// @param raw EIP-2718 encoding of the transaction.
    event ForcedSubmitted(
        uint64 indexed index,
        address indexed submitter,
        address indexed sender,
        ForcedTransaction transaction,
        bytes raw
    );
    /// @notice Emitted when a forced transaction is discharged, or deferred (`NoRoom`).
    /// @param index Number of the transaction.
    /// @param hash Hash of the transaction.
    /// @param outcome An `IRollup.Outcome`.
    event ForcedDischarged(uint64 indexed index, bytes32 indexed hash, uint8 outcome);

    /// @notice The caller is not the rollup.
    error NotRollup(address caller);
    /// @notice The transaction has more than `max` bytes.
    error TransactionTooLong(uint256 got, uint256 max);
    /// @notice The gas limit of the transaction is higher than what a block can be required to
    /// include.
    error ForcedGasTooHigh(uint64 got, uint64 max);
    /// @notice The gas limit of the transaction is below `minimumGas`. A fork that raises the price
    /// of transactions could make it invalid while it waits.
    error ForcedGasTooLow(uint64 got, uint256 minimum);
    /// @notice The ETH sent is less than the minimum fee.
    error ForcedFeeTooLow(uint256 got, uint256 minimum);
    /// @notice The fee percentage is zero, so that submissions would be free.
    error FeePercentZero();
    /// @notice The submitter rejected the refund of ETH in excess of the fee.
    error ChangeRefused(address to, uint256 amount);
    /// @notice The transaction could execute arbitrary code: it creates a contract, has an access
    /// list, or carries EIP-7702 authorizations.
    error NotForceable();
    /// @notice The target of the transfer, or the bounded target, is in the address range of
    /// precompiles. The gas of some precompiles does not cover the work that they cause on L1.
    error TargetIsPrecompile(address to);
    /// @notice The transaction with this number is not the one that the caller describes.
    error NotSubmitted(uint64 index, bytes32 got, bytes32 expected);

    /// @notice Submits a signed L2 transaction of type 0, 1 or 2 without an access list. Once
    /// `DELAY` seconds have passed, an L2 block may omit it only with evidence that it could not
    /// have been appended to that block, or that it is a transfer to an account with code. Reverts
    /// with the errors of `Transactions` if no block could include the transaction.
    /// @dev The submitter need not be the signer: any account may submit. The fee is burned: it
    /// stays in this contract permanently. ETH in excess of `minimumFee` is returned to the caller.
    /// @param raw EIP-2718 encoding of the transaction, at most `MAX_SIZE` bytes. Its gas limit is
    /// at least `minimumGas`, and at most `MAX_GAS`; or `MAX_BOUNDED_GAS`, if it calls `send` or
    /// `refundToL1` of the messenger, any function of `BOUNDED_TARGET`, or `force` of `L2Accounts`
    /// for either of these two.
    /// @return index Number of the transaction, counted from zero.
    function submit(bytes calldata raw) external payable returns (uint64 index);

    /// @notice Returns the commitment to a transaction, `keccak256(abi.encode(transaction))`; zero
    /// if no transaction has this number or it has been discharged.
    function commitment(uint64 index) external view returns (bytes32);

    /// @notice Returns the number of transactions submitted so far.
    function count() external view returns (uint64);

    /// @notice Returns the minimum gas limit of a transaction: twice the base price of 21,000 gas,
    /// and four times the calldata floor of Amsterdam, 64 gas per byte. It remains sufficient if a
    /// fork raises these prices as far. The L2 refunds gas that is not used.
    /// @param dataLength Size of the transaction's data, in bytes.
    function minimumGas(uint256 dataLength) external pure returns (uint256);

    /// @notice Returns the minimum fee for a transaction in this L1 block, in wei. It pays for the
    /// transaction's gas and for the calldata that it can add to `advance`.
    /// @param gasLimit Gas limit of the transaction.
    /// @param footprint Result of `footprintOf`.
    function minimumFee(uint64 gasLimit, uint256 footprint) external view returns (uint256);

    /// @notice Returns the maximum number of bytes that a transaction adds to the calldata of
    /// `advance`. Reverts as `submit` does.
    function footprintOf(bytes calldata raw) external view returns (uint256);

    /// @notice Rollup that includes the transactions.
    function ROLLUP() external view returns (address);

    /// @notice Chain id of the L2.
    function CHAIN_ID() external view returns (uint64);

    /// @notice Seconds from submission until a transaction is due.
    function DELAY() external view returns (uint64);

    /// @notice Seconds after a transaction is due during which a block may omit it for lack of gas.
    function GRACE() external view returns (uint64);

    /// @notice Seconds after `GRACE` until the first transaction of the queue expires.
    function EXPIRY() external view returns (uint64);

    /// @notice Maximum gas limit of a transfer.
    function MAX_GAS() external view returns (uint64);

    /// @notice Maximum gas limit of a transaction to a bounded target.
    function MAX_BOUNDED_GAS() external view returns (uint64);

    /// @notice Maximum size of a transaction, in bytes.
    function MAX_SIZE() external view returns (uint64);

    /// @notice Minimum price per unit of gas, and per byte at 64 gas, in percent of the L1 base
    /// fee.
    function FEE_PERCENT() external view returns (uint64);

    /// @notice Factor of the base fee of the L2 at submission. A transaction whose fee cap is at
    /// least this multiple may wait in the queue for a base fee that it can pay.
    function FEE_CAP_MARGIN() external view returns (uint256);

    /// @notice Minimum base fee that is used with `FEE_CAP_MARGIN`, in wei.
    function FEE_CAP_FLOOR() external view returns (uint256);

    /// @notice Contract on the L2 that, for any calldata, reads a bounded amount of state and does
    /// not call precompiles itself; zero for none. If an account calls it, it reads at most nine
    /// trie paths, including the account's own, and their codes (see `Capacity.BOUNDED_BYTES`). If
    /// it is called within a delivery of the messenger, it reads at most six paths besides the
    /// caller's, and 11,600 bytes of code.
    function BOUNDED_TARGET() external view returns (address);
}
