// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Transactions that a rollup cannot leave out
interface IForcedInbox {
    /// @notice The queue's record of a submitted transaction.
    struct ForcedTransaction {
        /// Hash of the transaction.
        bytes32 hash;
        /// Its sender.
        address sender;
        /// Its nonce.
        uint64 nonce;
        /// Its gas limit.
        uint64 gasLimit;
        /// The most that it pays for a unit of gas, in wei.
        uint128 maxFee;
        /// Balance that its sender needs: the gas limit at that price, and the value, in wei.
        uint256 cost;
        /// Timestamp of the L1 block in which it was submitted.
        uint64 submittedAt;
        /// `true` if it calls a target of which it is known what it reads. If not, it is a
        /// transfer.
        bool bounded;
        /// Its target.
        address to;
        /// The most bytes that it makes the calldata of `advance` longer.
        uint64 footprint;
        /// `true` if its fee cap was, when it was submitted, at least `FEE_CAP_MARGIN` times the
        /// base fee of the L2 (or `FEE_CAP_FLOOR`, if that is more). A higher base fee then puts it
        /// off, and does not discharge it.
        bool priced;
    }

    /// @notice A transaction was submitted.
    /// @param submitter Account that submitted it on L1.
    /// @param sender Account on the L2 that signed it.
    /// @param raw The transaction as it stands in a block.
    event ForcedSubmitted(
        uint64 indexed index,
        address indexed submitter,
        address indexed sender,
        ForcedTransaction transaction,
        bytes raw
    );
    /// @notice A forced transaction is discharged, or (`NoRoom`) put off.
    /// @param outcome An `INativeRollup.Outcome`.
    event ForcedDischarged(uint64 indexed index, bytes32 indexed hash, uint8 outcome);

    /// @notice The caller is not the rollup.
    error NotRollup(address caller);
    /// @notice The transaction has more bytes than one may have.
    error TransactionTooLong(uint256 got, uint256 max);
    /// @notice The transaction has more gas than can be demanded of a block.
    error ForcedGasTooHigh(uint64 got, uint64 max);
    /// @notice The ETH sent is less than the fee.
    error ForcedFeeTooLow(uint256 got, uint256 minimum);
    /// @notice A queue whose entries cost nothing.
    error FeePercentZero();
    /// @notice The submitter does not take back the ETH beyond the fee.
    error ChangeRefused(address to, uint256 amount);
    /// @notice The transaction could execute any code: it creates a contract, has an access list,
    /// or authorizes.
    error NotForceable();
    /// @notice The transaction is a transfer to where precompiles stand, or the bounded target
    /// would be one. The gas of some is not all that their work costs on L1.
    error TargetIsPrecompile(address to);
    /// @notice A transaction at this place is not the one that is described.
    error NotSubmitted(uint64 index, bytes32 got, bytes32 expected);

    /// @notice Submits a signed L2 transaction of type 0, 1 or 2, without an access list. From
    /// `DELAY` seconds later on, an L2 block may leave it out only with evidence that it could not
    /// have been appended to that block, or that it is a transfer to an account with code. Reverts
    /// with the errors of `Transactions` for one that no block could hold.
    /// @dev Signing it and submitting it are two things: anyone may submit. The fee is burned: it
    /// stays here for good. ETH beyond `minimumFee` goes back to the caller.
    /// @param raw The transaction as it stands in a block. At most `MAX_SIZE` bytes, and `MAX_GAS`
    /// gas; or `MAX_BOUNDED_GAS`, if it calls `send` or `refundToL1` of the messenger, anything of
    /// `BOUNDED_TARGET`, or `force` of `L2Accounts` for either of these two.
    /// @return index Number of the transaction, counted from zero.
    function submit(bytes calldata raw) external payable returns (uint64 index);

    /// @notice Commitment to a transaction, `keccak256(abi.encode(transaction))`; zero if there is
    /// none with this number, or if it has been discharged.
    function commitment(uint64 index) external view returns (bytes32);

    /// @notice Number of transactions submitted so far.
    function count() external view returns (uint64);

    /// @notice The least fee for a transaction in this L1 block: for its gas, and for the bytes
    /// that it can make others carry.
    /// @param gasLimit Its gas limit.
    /// @param footprint Result of `footprintOf`.
    function minimumFee(uint64 gasLimit, uint256 footprint) external view returns (uint256);

    /// @notice The most bytes that a transaction makes the calldata of `advance` longer. Reverts as
    /// `submit` does.
    function footprintOf(bytes calldata raw) external view returns (uint256);

    /// @notice The rollup whose L2 the transactions are for.
    function ROLLUP() external view returns (address);

    /// @notice Chain id of that L2.
    function CHAIN_ID() external view returns (uint64);

    /// @notice Seconds after which a transaction is due.
    function DELAY() external view returns (uint64);

    /// @notice Seconds, after a transaction is due, for which a block with too little gas left is
    /// an excuse.
    function GRACE() external view returns (uint64);

    /// @notice Seconds, after the grace, after which the first in the queue expires.
    function EXPIRY() external view returns (uint64);

    /// @notice The most gas that a transaction may have.
    function MAX_GAS() external view returns (uint64);

    /// @notice The most gas that a transaction to a bounded target may have.
    function MAX_BOUNDED_GAS() external view returns (uint64);

    /// @notice The most bytes that a transaction may have.
    function MAX_SIZE() external view returns (uint64);

    /// @notice Least price of each gas, and of each byte at 64 gas, in percent of the L1 base fee.
    function FEE_PERCENT() external view returns (uint64);

    /// @notice A fee cap of so many times the base fee of the L2 at submission lets a transaction
    /// wait for a base fee that it pays.
    function FEE_CAP_MARGIN() external view returns (uint256);

    /// @notice A base fee below this, in wei, counts as this much for `FEE_CAP_MARGIN`.
    function FEE_CAP_FLOOR() external view returns (uint256);

    /// @notice A contract on the L2 that reads a bounded amount of state, and leaves it to others
    /// to call precompiles, for any calldata; zero for none. Called by an account, it reads at most
    /// nine paths with that account's own and their codes, see `Capacity.BOUNDED_BYTES`; called
    /// within a delivery of the messenger, at most six paths besides the caller's, and 11,600 bytes
    /// of code.
    function BOUNDED_TARGET() external view returns (address);
}
