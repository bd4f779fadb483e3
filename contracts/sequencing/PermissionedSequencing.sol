// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";
import {LivenessTimeout} from "./LivenessTimeout.sol";

/// @title Policy with one sequencer, which opens if the sequencer is silent
/// @notice The sequencer may advance at all times, other accounts only when the head is older than
/// `TIMEOUT`. So a lost key stops the rollup for that long, and a sequencer that comes back
/// continues from the head that others have advanced.
///
/// The role is handed over in two steps, so that a mistyped address cannot lose it.
contract PermissionedSequencing is LivenessTimeout {
    /// @notice Emitted when the role is offered to another account; zero withdraws the offer.
    event HandoverOffered(address indexed sequencer, address indexed next);
    /// @notice Emitted when the sequencer changes.
    event SequencerChanged(address indexed previous, address indexed sequencer);

    /// @notice The caller may not advance before `opensAt`.
    error NotSequencer(address caller, address sequencer, uint256 opensAt);
    /// @notice The caller is not the sequencer.
    error OnlySequencer(address caller, address sequencer);
    /// @notice The role is not offered to the caller.
    error NotOffered(address caller, address next);
    /// @notice The sequencer is the zero address.
    error SequencerZero();

    /// @notice Required fee recipient of the sequencer's blocks; zero if it may choose. An account
    /// that advances while the sequencer is silent may choose in any case, because it has no other
    /// reward.
    address public immutable FEE_RECIPIENT;

    /// @notice Account that may advance at all times.
    address public sequencer;

    /// @notice Account to which the role is offered; zero if there is none.
    address public nextSequencer;

    constructor(address sequencer_, address feeRecipient, uint64 timeout) LivenessTimeout(timeout) {
        if (sequencer_ == address(0)) revert SequencerZero();
        FEE_RECIPIENT = feeRecipient;
        sequencer = sequencer_;
        emit SequencerChanged(address(0), sequencer_);
    }

    /// @inheritdoc ISequencing
    function authorize(address caller, uint64 headTimestamp)
        public
        view
        virtual
        returns (address feeRecipient)
    {
        address current = sequencer;
        if (caller == current) return FEE_RECIPIENT;
        if (!_isOpen(headTimestamp)) revert NotSequencer(caller, current, opensAt(headTimestamp));
        return address(0);
    }

    /// @notice Offers the role to another account, which must call `take`. Only the sequencer may
    /// call.
    function offer(address next) external {
        address current = sequencer;
        if (msg.sender != current) revert OnlySequencer(msg.sender, current);
        nextSequencer = next;
        emit HandoverOffered(current, next);
    }

    /// @notice Takes the role that is offered to the caller.
    function take() external {
        if (msg.sender != nextSequencer) revert NotOffered(msg.sender, nextSequencer);
        emit SequencerChanged(sequencer, msg.sender);
        sequencer = msg.sender;
        nextSequencer = address(0);
    }
}
