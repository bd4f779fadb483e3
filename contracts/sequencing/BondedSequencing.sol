// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IPreconfBonds} from "../interfaces/IPreconfBonds.sol";
import {ISequencing} from "../interfaces/ISequencing.sol";
import {LivenessTimeout} from "./LivenessTimeout.sol";
import {BondRequirement} from "./preconf/BondRequirement.sol";

/// @title Policy that requires a bond of the sequencers of another policy
/// @notice An account may advance if the inner policy authorizes it and its bond in `BONDS` is at
/// least `MIN_BOND`. The bond does not count while its withdrawal is requested. Once the head is
/// older than `TIMEOUT`, which is that of the inner policy, no bond is required.
///
/// The role is lost with the bond: if a sequencer is slashed, it has to deposit again, or the
/// rollup opens to all accounts after the timeout.
/// @dev Not for `HybridSequencing`, which has a minimum bond of its own: in its `post`, the caller
/// of the rollup is that policy, and the rollup would call this one.
contract BondedSequencing is LivenessTimeout, BondRequirement {
    /// @notice The timeout differs from that of the inner policy.
    error TimeoutDiffers(uint64 got, uint64 expected);
    /// @notice No registry of bonds is set.
    error BondsZero();

    /// @notice Policy that determines the sequencers and the fee recipient.
    LivenessTimeout public immutable INNER;

    /// @param inner Policy that determines the sequencers and the fee recipient.
    /// @param timeout `TIMEOUT` of the inner policy, in seconds.
    /// @param bonds Registry of bonds.
    /// @param minBond Minimum bond, in wei.
    constructor(LivenessTimeout inner, uint64 timeout, IPreconfBonds bonds, uint256 minBond)
        LivenessTimeout(timeout)
        BondRequirement(bonds, minBond)
    {
        if (address(bonds) == address(0)) revert BondsZero();
        uint64 expected = inner.TIMEOUT();
        if (timeout != expected) revert TimeoutDiffers(timeout, expected);
        INNER = inner;
    }

    /// @inheritdoc ISequencing
    function authorize(address caller, uint64 headTimestamp)
        external
        view
        returns (address feeRecipient)
    {
        feeRecipient = INNER.authorize(caller, headTimestamp);
        if (!_isOpen(headTimestamp)) _requireBond(caller);
    }
}
