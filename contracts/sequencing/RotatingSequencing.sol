// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ISequencing} from "../interfaces/ISequencing.sol";
import {LivenessTimeout} from "./LivenessTimeout.sol";

/// @title Several sequencers, who take turns
/// @notice L1 time is divided into slots of equal length, and each belongs to the next member in
/// the order of the list. A member may advance in its slots and no other account may, so a silent
/// member costs the rollup its slots, and a censoring one delays a transaction until the next slot.
/// If all are silent until the head is older than `TIMEOUT`, anyone may advance.
///
/// What counts is the time of the L1 block in which `advance` stands, not the times of the L2
/// blocks: a member that builds across the end of its slot cannot bring that part to L1 any more.
///
/// The list is fixed. Each member can hand its place over in two steps; to change the number of
/// places is to change the policy of the rollup.
contract RotatingSequencing is LivenessTimeout {
    /// @notice The member at a place offers it to another account; zero withdraws that.
    event HandoverOffered(uint256 indexed place, address indexed member, address indexed next);
    /// @notice A place belongs to another member.
    event MemberChanged(uint256 indexed place, address indexed previous, address indexed member);

    /// @notice The slot belongs to another member, and the caller may not advance before this time.
    error NotInSlot(address caller, address member, uint256 opensAt);
    /// @notice The caller does not hold this place.
    error OnlyMember(address caller, address member);
    /// @notice The place is not offered to the caller.
    error NotOffered(address caller, address next);
    /// @notice A list without members.
    error NoMembers();
    /// @notice A place without a member.
    error MemberZero(uint256 place);
    /// @notice Slots must have a length.
    error SlotLengthZero();
    /// @notice There is no such place.
    error PlaceUnknown(uint256 place, uint256 places);
    /// @notice The first slot has not begun when the policy is deployed.
    error StartInFuture(uint64 start, uint256 time);
    /// @notice The time lies before the first slot.
    error BeforeStart(uint256 time, uint256 start);

    /// @notice Length of a slot in seconds.
    uint64 public immutable SLOT_LENGTH;

    /// @notice Time at which the first slot began.
    uint64 public immutable START;

    /// @notice Number of places there are.
    uint256 public immutable PLACES;

    /// @notice Holder of a place.
    mapping(uint256 place => address) public members;

    /// @notice Account to which a place is offered; zero if it is offered to none.
    mapping(uint256 place => address) public nextMembers;

    /// @param list The members, in the order of their slots. One may hold several places.
    /// @param start Time at which the first slot began; until then no account could advance.
    /// @param slotLength Length of a slot in seconds.
    /// @param timeout See `LivenessTimeout`.
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
    /// @dev The member of the slot builds the blocks, so whom they pay is its choice.
    function authorize(address caller, uint64 headTimestamp) external view returns (address) {
        address member = members[placeAt(block.timestamp)];
        if (caller != member && !_isOpen(headTimestamp)) {
            revert NotInSlot(caller, member, opensAt(headTimestamp));
        }
        return address(0);
    }

    /// @notice The place whose slot it is at a time.
    function placeAt(uint256 time) public view returns (uint256) {
        if (time < START) revert BeforeStart(time, START);
        unchecked {
            return (time - START) / SLOT_LENGTH % PLACES;
        }
    }

    /// @notice Account that may advance at a time, as the places are held now.
    function memberAt(uint256 time) external view returns (address) {
        return members[placeAt(time)];
    }

    /// @notice End of the slot in which a time lies: the first second of the next.
    function slotEnd(uint256 time) external view returns (uint256) {
        if (time < START) revert BeforeStart(time, START);
        return START + ((time - START) / SLOT_LENGTH + 1) * SLOT_LENGTH;
    }

    /// @notice Offers a place to another account, which must take it. For the member that holds it.
    function offer(uint256 place, address next) external {
        if (place >= PLACES) revert PlaceUnknown(place, PLACES);
        if (msg.sender != members[place]) revert OnlyMember(msg.sender, members[place]);
        nextMembers[place] = next;
        emit HandoverOffered(place, msg.sender, next);
    }

    /// @notice Takes a place that is offered to the caller.
    function take(uint256 place) external {
        if (msg.sender != nextMembers[place]) revert NotOffered(msg.sender, nextMembers[place]);
        emit MemberChanged(place, members[place], msg.sender);
        members[place] = msg.sender;
        nextMembers[place] = address(0);
    }
}
