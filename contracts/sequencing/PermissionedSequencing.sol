// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";
import {LivenessTimeout} from "./LivenessTimeout.sol";

/// @title One sequencer, until it falls silent
/// @notice The sequencer advances at all times, anyone else only when the head has become older
/// than `TIMEOUT`. So a lost key stops the rollup for that long, and a sequencer that comes back
/// finds a chain that has gone on.
///
/// The sequencer can hand its place over in two steps, so that a mistyped address loses nothing.
contract PermissionedSequencing is LivenessTimeout {
    /// @notice Another account was named as the next sequencer; zero withdraws that.
    event HandoverOffered(address indexed sequencer, address indexed next);
    /// @notice The rollup has another sequencer.
    event SequencerChanged(address indexed previous, address indexed sequencer);

    /// @notice The caller may not advance before this time.
    error NotSequencer(address caller, address sequencer, uint256 opensAt);
    /// @notice The caller is not the sequencer.
    error OnlySequencer(address caller, address sequencer);
    /// @notice The place is not offered to the caller.
    error NotOffered(address caller, address next);
    /// @notice A policy without a sequencer.
    error SequencerZero();

    /// @notice The fee recipient that blocks of the sequencer must have; zero if it may choose. An
    /// account that advances while the sequencer is silent may choose in any case, because it is
    /// not paid otherwise.
    address public immutable FEE_RECIPIENT;

    /// @notice Account that may advance.
    address public sequencer;

    /// @notice Account to which the place is offered; zero if it is offered to none.
    address public nextSequencer;

    constructor(address sequencer_, address feeRecipient, uint64 timeout) LivenessTimeout(timeout) {
        if (sequencer_ == address(0)) revert SequencerZero();
        FEE_RECIPIENT = feeRecipient;
        sequencer = sequencer_;
        emit SequencerChanged(address(0), sequencer_);
    }

    /// @inheritdoc ISequencing
    function authorize(address caller, uint64 headTimestamp)
        external
        view
        returns (address feeRecipient)
    {
        address current = sequencer;
        if (caller == current) return FEE_RECIPIENT;
        if (!_isOpen(headTimestamp)) revert NotSequencer(caller, current, opensAt(headTimestamp));
        return address(0);
    }

    /// @notice Offers the place to another account, which must take it. For the sequencer.
    function offer(address next) external {
        address current = sequencer;
        if (msg.sender != current) revert OnlySequencer(msg.sender, current);
        nextSequencer = next;
        emit HandoverOffered(current, next);
    }

    /// @notice Takes the place that is offered to the caller.
    function take() external {
        if (msg.sender != nextSequencer) revert NotOffered(msg.sender, nextSequencer);
        emit SequencerChanged(sequencer, msg.sender);
        sequencer = msg.sender;
        nextSequencer = address(0);
    }
}
