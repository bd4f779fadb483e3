// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";
import {LivenessTimeout} from "./LivenessTimeout.sol";

/// @title Policy with multiple sequencers that take turns
/// @notice L1 time is divided into slots of equal length, which are assigned to the members in the
/// order of the list. Only the member of a slot may advance in it, so a silent member costs the
/// rollup its slots, and a censoring member delays a transaction until the next slot. If all
/// members are silent until the head is older than `TIMEOUT`, any account may advance.
///
/// The slot is determined by the timestamp of the L1 block that includes `advance`, not by the
/// timestamps of L2 blocks: a member that builds beyond the end of its slot cannot bring those
/// blocks to L1.
///
/// The list is fixed. Each member can hand its place over in two steps; changing the number of
/// places requires a new policy of the rollup.
contract RotatingSequencing is LivenessTimeout {
    /// @notice Emitted when a member offers its place to another account; zero withdraws the offer.
    event HandoverOffered(uint256 indexed place, address indexed member, address indexed next);
    /// @notice Emitted when the member of a place changes.
    event MemberChanged(uint256 indexed place, address indexed previous, address indexed member);

    /// @notice The slot belongs to another member, and the caller may not advance before `opensAt`.
    error NotInSlot(address caller, address member, uint256 opensAt);
    /// @notice The caller does not hold this place.
    error OnlyMember(address caller, address member);
    /// @notice The place is not offered to the caller.
    error NotOffered(address caller, address next);
    /// @notice The list has no members.
    error NoMembers();
    /// @notice The member of a place is the zero address.
    error MemberZero(uint256 place);
    /// @notice The length of a slot is zero.
    error SlotLengthZero();
    /// @notice No place has this index.
    error PlaceUnknown(uint256 place, uint256 places);
    /// @notice The first slot begins after the deployment of the policy.
    error StartInFuture(uint64 start, uint256 time);
    /// @notice The time is before the first slot.
    error BeforeStart(uint256 time, uint256 start);

    /// @notice Length of a slot, in seconds.
    uint64 public immutable SLOT_LENGTH;

    /// @notice Timestamp at which the first slot began, in seconds.
    uint64 public immutable START;

    /// @notice Number of places.
    uint256 public immutable PLACES;

    /// @notice Member that holds a place.
    mapping(uint256 place => address) public members;

    /// @notice Account to which a place is offered; zero if there is none.
    mapping(uint256 place => address) public nextMembers;

    /// @param list Members, in the order of their slots. A member may hold multiple places.
    /// @param start Timestamp at which the first slot began, not in the future, in seconds.
    /// @param slotLength Length of a slot, in seconds.
    /// @param timeout Age of the head from which any account may advance, in seconds; see
    /// `LivenessTimeout`.
    constructor(address[] memory list, uint64 start, uint64 slotLength, uint64 timeout)
        LivenessTimeout(timeout)
    {
        if (list.length == 0) revert NoMembers();
        if (slotLength == 0) revert SlotLengthZero();
        // forge-lint: disable-next-line(block-timestamp)
        if (start > block.timestamp) revert StartInFuture(start, block.timestamp);
        SLOT_LENGTH = slotLength;
        START = start;
        PLACES = list.length;
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == address(0)) revert MemberZero(i);
            members[i] = list[i];
            emit MemberChanged(i, address(0), list[i]);
        }
    }

    /// @inheritdoc ISequencing
    /// @dev Returns zero: the member of the slot builds the blocks and chooses their fee recipient.
    function authorize(address caller, uint64 headTimestamp) external view returns (address) {
        address member = members[placeAt(block.timestamp)];
        if (caller != member && !_isOpen(headTimestamp)) {
            revert NotInSlot(caller, member, opensAt(headTimestamp));
        }
        return address(0);
    }

    /// @notice Returns the place whose slot contains a time.
    function placeAt(uint256 time) public view returns (uint256) {
        if (time < START) revert BeforeStart(time, START);
        unchecked {
            return (time - START) / SLOT_LENGTH % PLACES;
        }
    }

    /// @notice Returns the account that may advance at a time, given the current members.
    function memberAt(uint256 time) external view returns (address) {
        return members[placeAt(time)];
    }

    /// @notice Returns the end of the slot that contains a time: the first second of the next slot.
    function slotEnd(uint256 time) external view returns (uint256) {
        if (time < START) revert BeforeStart(time, START);
        return START + ((time - START) / SLOT_LENGTH + 1) * SLOT_LENGTH;
    }

    /// @notice Offers a place to another account, which must call `take`. Only its member may call.
    function offer(uint256 place, address next) external {
        if (place >= PLACES) revert PlaceUnknown(place, PLACES);
        if (msg.sender != members[place]) revert OnlyMember(msg.sender, members[place]);
        nextMembers[place] = next;
        emit HandoverOffered(place, msg.sender, next);
    }

    /// @notice Takes the place that is offered to the caller.
    function take(uint256 place) external {
        if (msg.sender != nextMembers[place]) revert NotOffered(msg.sender, nextMembers[place]);
        emit MemberChanged(place, members[place], msg.sender);
        members[place] = msg.sender;
        nextMembers[place] = address(0);
    }
}
