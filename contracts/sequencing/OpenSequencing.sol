// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";

/// @title Anyone may advance
/// @notice The policy of a based rollup: blocks are made by the account that gets the next
/// `advance` into L1, in practice by who builds L1 blocks. Two proposals for the same height
/// compete as any two L1 transactions do; the one that comes second reverts and costs its sender
/// its gas.
///
/// A proposal is public before it is in a block, and can be copied. `FEES` says what that is worth:
///
///   - `Builder`: the fee recipient that stands in a block is free. The copy pays the same account,
///     so copying gains nothing; who wants to see a block on L1 may bring it there.
///   - `Caller`: it must be the account that calls `advance`. A copy is refused, and so is a
///     submitter that another account pays to bring a block to L1.
///   - `Fixed`: it is one account, a treasury for instance. Building then has to be paid otherwise.
contract OpenSequencing is ISequencing {
    /// @notice Fee recipient of blocks.
    enum Fees {
        Builder,
        Caller,
        Fixed
    }

    /// @notice A fixed recipient belongs to `Fixed`, and to nothing else.
    error FeeRecipientInconsistent(Fees fees, address recipient);

    /// @notice Fee recipient of blocks.
    Fees public immutable FEES;

    /// @notice The account that gets all fees; zero unless `FEES` is `Fixed`.
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
