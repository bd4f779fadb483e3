// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";

/// @title Policy under which any account may advance
/// @notice The policy of a based rollup: the account whose `advance` is included in L1 next
/// determines the blocks, which in practice is the builder of L1 blocks. Two proposals for the same
/// height compete like any two L1 transactions; the second one reverts, and its sender pays for its
/// gas.
///
/// A proposal is public before it is included, and can be copied. `FEES` determines what a copy
/// gains:
///
///   - `Builder`: the fee recipient of a block is not restricted. A copy pays the same account, so
///     copying gains nothing; any account may bring a block to L1.
///   - `Caller`: the fee recipient must be the caller of `advance`. A copy by another account is
///     rejected, and so is a block that is submitted by another account for a fee.
///   - `Fixed`: the fee recipient is one account, for example a treasury. Builders have to be paid
///     in another way.
contract OpenSequencing is ISequencing {
    /// @notice Rule for the fee recipient of blocks.
    enum Fees {
        Builder,
        Caller,
        Fixed
    }

    /// @notice A fee recipient is set although `FEES` is not `Fixed`, or is missing although it is.
    error FeeRecipientInconsistent(Fees fees, address recipient);

    /// @notice Rule for the fee recipient of blocks.
    Fees public immutable FEES;

    /// @notice Account that receives all fees; zero unless `FEES` is `Fixed`.
    address public immutable FEE_RECIPIENT;

    constructor(Fees fees, address recipient) {
        if ((fees == Fees.Fixed) != (recipient != address(0))) {
            revert FeeRecipientInconsistent(fees, recipient);
        }
        FEES = fees;
        FEE_RECIPIENT = recipient;
    }

    /// @inheritdoc ISequencing
    function authorize(address caller, uint64) external view returns (address feeRecipient) {
        return FEES == Fees.Caller ? caller : FEE_RECIPIENT;
    }
}
