// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../interfaces/INativeRollup.sol";
import {IPreconfBonds} from "../interfaces/IPreconfBonds.sol";
import {PreconfMessages} from "../libraries/PreconfMessages.sol";
import {PermissionedSequencing} from "./PermissionedSequencing.sol";
import {BondRequirement} from "./preconf/BondRequirement.sol";

/// @title Policy with one sequencer, under which any account may post the blocks that it signed
/// @notice Like `PermissionedSequencing`; in addition, any account may post a block that the
/// sequencer has sealed and signed, once the block is `POST_DELAY` old. So a preconfirmation of a
/// sealed block does not depend on the sequencer's willingness or ability to post it.
///
/// The policy may require a bond of the sequencer. Without one, the messages are signed in the
/// domain of the rollup instead of that of `BONDS`.
/// @dev A signer of another, conflicting block for the same parent must not be slashed because of
/// `post`. Either the L1 block on which the first message depends was reorged out, which `post`
/// checks. Or the first block must be more than `MAX_LAG` old, so that the rollup rejects it.
contract HybridSequencing is PermissionedSequencing, BondRequirement {
    /// @notice The message is about a prefix, which may not be the entire block.
    error NotSealed();
    /// @notice The sequencer is not liable for the signer of the message.
    error NotSignedBySequencer(address signer, address sequencer);
    /// @notice The block can be posted by any account from this time on, in seconds.
    error PostTooSoon(uint256 from);
    /// @notice The last of the blocks is not the one in the message.
    error OtherBlock(bytes32 got, bytes32 expected);
    /// @notice `post` is called from within `post`.
    error Reentrancy();

    /// @notice Divisor of `MIN_BOND` for the bond that the sequencer must still have for `post`.
    /// @dev A request to withdraw the bond or a penalty for a delay must not void earlier promises:
    /// both would cost less than keeping one. Reducing the bond below a tenth costs as much as a
    /// broken promise, of whose penalty a sequencer that reports itself gets a tenth back.
    uint256 public constant POST_BOND_DIVISOR = 10;

    /// @notice Age of a block, in seconds, from which any account may post it. Until then, an
    /// account that posts blocks one by one cannot make the sequencer's batches fail.
    uint64 public immutable POST_DELAY;

    /// @dev Rollup that is advanced by `post`; zero outside of it.
    address private transient _opened;

    /// @param sequencer_ First sequencer.
    /// @param feeRecipient Required fee recipient of the sequencer's blocks; zero if it may choose.
    /// @param timeout Age of the head from which any account may advance, in seconds. At least 7/4
    /// of the rollup's `MAX_LAG`: otherwise a block of another account could break a promise.
    /// @param postDelay Age of a block from which any account may post it, in seconds.
    /// @param bonds Registry of bonds; zero if no bond is required.
    /// @param minBond Minimum bond, in wei; zero if none is required.
    constructor(
        address sequencer_,
        address feeRecipient,
        uint64 timeout,
        uint64 postDelay,
        IPreconfBonds bonds,
        uint256 minBond
    ) PermissionedSequencing(sequencer_, feeRecipient, timeout) BondRequirement(bonds, minBond) {
        POST_DELAY = postDelay;
    }

    /// @inheritdoc PermissionedSequencing
    function authorize(address caller, uint64 headTimestamp)
        public
        view
        override
        returns (address feeRecipient)
    {
        if (caller == address(this) && msg.sender == _opened) return FEE_RECIPIENT;
        if (caller == sequencer && !_isOpen(headTimestamp)) _requireBond(caller);
        return super.authorize(caller, headTimestamp);
    }

    /// @notice Advances a rollup by blocks of which the last one was sealed and signed by the
    /// sequencer. Any account may call. One signature is sufficient, because a block's hash commits
    /// to its ancestors.
    /// @param message Message about the last block.
    /// @param signature Signature of the sequencer on the message, or of its registered signer.
    /// @param inputs Inputs of EXECUTE, as for `INativeRollup.advance`.
    /// @param evidence Evidence for the blocks, as for `INativeRollup.advance`.
    function post(
        IPreconfBonds.Preconfirmation calldata message,
        bytes calldata signature,
        bytes[] calldata inputs,
        INativeRollup.Evidence calldata evidence
    ) external {
        if (_opened != address(0)) revert Reentrancy();
        if (!message.isSealed) revert NotSealed();
        _requireSigned(message, signature);
        PreconfMessages.requireCondition(message);

        // A malicious rollup may do anything here, but when it calls `authorize`, it is the caller.
        INativeRollup rollup = INativeRollup(message.rollup);
        _opened = message.rollup;
        rollup.advance(inputs, evidence);
        _opened = address(0);

        bytes32 hash = rollup.blockHash();
        if (hash != message.blockHash) revert OtherBlock(hash, message.blockHash);
        uint256 from = uint256(rollup.head().timestamp) + POST_DELAY;
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < from) revert PostTooSoon(from);
    }

    /// @dev Reverts unless the sequencer is liable for the signature and still has a bond.
    function _requireSigned(
        IPreconfBonds.Preconfirmation calldata message,
        bytes calldata signature
    ) private view {
        bool hasBonds = address(BONDS) != address(0);
        address verifyingContract = hasBonds ? address(BONDS) : message.rollup;
        bytes32 digest = PreconfMessages.hashOf(message, verifyingContract);
        address signer = PreconfMessages.recover(digest, signature);
        address current = sequencer;
        address account = hasBonds ? BONDS.accountOf(signer) : signer;
        if (account != current) revert NotSignedBySequencer(signer, current);
        if (!hasBonds) return;
        uint256 amount = BONDS.bonds(current).amount;
        uint256 minimum = MIN_BOND / POST_BOND_DIVISOR;
        if (amount < minimum) revert BondTooSmall(amount, minimum);
    }
}
