// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RollupState} from "../RollupState.sol";
import {GenesisReader} from "../deployment/GenesisReader.sol";
import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {IForcedSettlement} from "../interfaces/IForcedSettlement.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {INativeRollup} from "../interfaces/INativeRollup.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {Execute} from "../libraries/Execute.sol";
import {Messages} from "../messaging/Messages.sol";

/// @title The rules of a rollup, and how they may change
/// @notice Three things can change, and only if the rollup has an owner: who may advance, the gas
/// limit, and a fork schedule of its own. Everything else is fixed when the rollup is deployed;
/// without an owner, these three are too.
///
/// A change is announced first and made `UPGRADE_DELAY` later at the earliest. That is longer than
/// the way out for users who do not like it: a forced transaction becomes due and then certain, a
/// block with it is advanced (by anyone, if the rollup has gone silent or what is overdue stays
/// undone), and what it sent to L1 is claimed. Claims do not pass through anything that could be
/// changed.
///
/// The length of the queues has no bound, so no delay alone could be long enough. A change is made
/// only after it was *cleared*: nothing is pending of all that was submitted or sent while the
/// delay still covered the way out (`NOTICE` after the announcement at least), and `EXIT_MARGIN`
/// has passed since then. An account that fills the queues delays changes, and no exit before them.
/// What comes later delays nothing. Should the rollup stand still for `LOST_AFTER`, although anyone
/// could advance it, then waiting helps no user, and only a change can.
///
/// Forks come from L1, by one of three ways that is fixed at deployment (`ForkMode`). In each a
/// block has a fork whose layout `Execute` can read, and none earlier than its parent's, so older
/// rules never come back.
///
///   follow EXECUTE accepts the fork that L1 had at the timestamp of the block, and the rollup
///              accepts what EXECUTE accepts. A block that was made before a fork of L1 can still
///              be posted after it. registry The fork is that of the entry that is current in L1's
///              registry (EIP-8357). A block that was made before a fork of L1 and not posted is
///              lost with it. pinned The rollup has a schedule, which only ever gets longer, and at
///              the end, for times to come. A block has the last fork that is not later than the
///              block. If L1 forks and the schedule does not, EXECUTE refuses every block until the
///              owner adds the fork; without an owner, for good. Messages and forced transactions
///              that wait then can never be done, so that change does not wait for them once the
///              fork was reported (`reportFork`) and no block has come for `UPGRADE_DELAY`: as long
///              as anyone could leave, anyone who wants to leave can void the report by a block.
///
/// A fork whose layout `Execute` cannot read stops the rollup in each of them.
///
/// The gas limit is a target. Ethereum lets a block differ from its parent by less than 1/1024, so
/// each block has to go as far towards the target as that allows, as common clients do.
abstract contract RollupRules is RollupState {
    /// @dev The least time for seeing an announcement, and submitting an exit before the change.
    uint256 private constant NOTICE = 1 days;

    /// @dev For claiming on L1, after all else on the way out is done.
    uint256 private constant EXIT_MARGIN = 1 days;

    /// @dev For building a block with a transaction before it expires, when anyone may advance.
    uint256 private constant RESCUE = 1 days;

    /// @dev Age of a head that no account could move.
    uint256 private constant LOST_AFTER = 60 days;

    /// @dev Seconds for which an upgrade may be made once it may.
    uint256 private constant STALE_AFTER = 14 days;

    /// @dev Bounds the search for an announcement. One that is stale is withdrawn to make room.
    uint256 private constant MAX_ANNOUNCEMENTS = 8;

    /// @dev Seconds from one L1 block to the next, at least: half of today's slot, so that the
    /// bound holds if L1 halves it. No other rule counts in L1 blocks.
    uint256 private constant L1_SLOT = 6;

    /// @dev Address of the registry of forks (EIP-8357).
    address private constant REGISTRY = 0x00005e9c1447C1A05A642ec9eB76D9C125468357;

    /// @dev Verification key hash and schema id, a word each.
    uint256 private constant REGISTRY_ENTRY_LENGTH = 64;

    /// @dev The least gas limit of an Ethereum block.
    uint256 private constant MIN_GAS_LIMIT = 5000;

    /// @inheritdoc INativeRollup
    uint64 public immutable CHAIN_ID;

    /// @inheritdoc INativeRollup
    ForkMode public immutable FORK_MODE;

    /// @inheritdoc INativeRollup
    uint64 public immutable MAX_LAG;

    /// @inheritdoc INativeRollup
    uint64 public immutable OPEN_AFTER;

    /// @inheritdoc INativeRollup
    uint64 public immutable RELAY_DEADLINE;

    /// @inheritdoc INativeRollup
    uint64 public immutable UPGRADE_DELAY;

    /// @inheritdoc INativeRollup
    address public immutable MESSAGE_QUEUE;

    /// @inheritdoc INativeRollup
    address public immutable FORCED;

    /// @dev Answers of the queues to the constructor.
    uint64 internal immutable _FORCED_DELAY;

    /// @dev Seconds after an announcement for which what is submitted or sent is waited for:
    /// `UPGRADE_DELAY` less the way out.
    uint256 private immutable _WINDOW;

    /// @dev Seconds for a claim of what is in a block: `EXIT_MARGIN`, and the longest pause of a
    /// guardian.
    uint256 private immutable _CLAIM_TIME;

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor(bytes memory genesisHeader, Config memory config) {
        _requireSupported(config.schema);
        Genesis memory genesis = new GenesisReader().read(genesisHeader, config.schema);
        _start(genesis);
        CHAIN_ID = config.chainId;
        FORK_MODE = config.forkMode;
        if (config.forkMode == ForkMode.Registry) _registered();
        MAX_LAG = config.maxLag;
        OPEN_AFTER = config.openAfter;
        RELAY_DEADLINE = config.relayDeadline;
        UPGRADE_DELAY = config.upgradeDelay;
        MESSAGE_QUEUE = config.messageQueue;
        FORCED = config.forced;

        IForcedInbox forced = IForcedInbox(config.forced);
        if (IL1MessageQueue(config.messageQueue).ROLLUP() != address(this)) {
            revert QueueMismatch(config.messageQueue);
        }
        if (forced.ROLLUP() != address(this) || forced.CHAIN_ID() != config.chainId) {
            revert QueueMismatch(config.forced);
        }
        _FORCED_DELAY = forced.DELAY();
        uint256 claimTime = EXIT_MARGIN + IL1MessageQueue(config.messageQueue).guardian().pause;
        _CLAIM_TIME = claimTime;
        _WINDOW = _requireDelays(config, forced, claimTime);
        _requireRingOutlasts(config);
        uint256 limit = genesis.gasLimit;
        if (limit >> 32 != 0) revert GenesisOutOfBounds(genesis.gasLimit, type(uint32).max);
        _requireCapacity(limit, config.messageQueue, config.forced);
        _requireFootprints(forced);

        _forks.push(Fork(config.schema, genesis.timestamp));
        _rules = uint256(uint160(config.policy)) | limit << 160 | limit << 192
            | uint256(config.schema) << 224 | 1 << 240 | 1 << 248;
        owner = config.owner;
    }

    /// @inheritdoc INativeRollup
    function announce(Change change, uint256 value) external onlyOwner {
        if (change == Change.Fork) _requirePinned();
        uint256 count = _announced.length;
        if (_indexOf(change, value) != count) revert AlreadyAnnounced(change, value);
        if (count == MAX_ANNOUNCEMENTS) revert TooManyAnnouncements(MAX_ANNOUNCEMENTS);
        uint64 ready = _later(UPGRADE_DELAY);
        _announced.push(Announcement(change, ready, _later(_WINDOW), false, value));
        emit ChangeAnnounced(change, value, ready);
    }

    /// @inheritdoc INativeRollup
    function clear(Change change, uint256 value) external {
        Announcement storage a = _announced[_known(change, value)];
        if (a.cleared) revert AlreadyCleared(change, value);
        if (!_isDone(a.clearUntil)) revert StillPending(a.clearUntil);
        uint64 least = _later(_CLAIM_TIME);
        if (a.readyAt < least) a.readyAt = least;
        a.cleared = true;
        emit ChangeCleared(change, value, a.readyAt);
    }

    /// @inheritdoc INativeRollup
    function withdraw(Change change, uint256 value) external onlyOwner {
        _forget(change, value);
        emit ChangeWithdrawn(change, value);
    }

    /// @inheritdoc INativeRollup
    function make(Change change, uint256 value) external onlyOwner {
        (uint256 ready, bool cleared) = _forget(change, value);
        // Days, to the precision that L1 itself has.
        // forge-lint: disable-start(block-timestamp)
        if (block.timestamp < ready) revert NotReady(ready);
        if (!cleared && !_isReported(change, value)) revert NotCleared(change, value);
        if (block.timestamp > ready + STALE_AFTER) revert Stale(ready + STALE_AFTER);
        // forge-lint: disable-end(block-timestamp)
        if (change == Change.Policy) _setPolicy(value);
        else if (change == Change.GasLimit) _setGasLimit(value);
        else _addFork(value);
        emit ChangeMade(change, value);
    }

    /// @inheritdoc INativeRollup
    function offerOwnership(address next) external onlyOwner {
        pendingOwner = next;
        emit OwnershipOffered(msg.sender, next);
    }

    /// @inheritdoc INativeRollup
    function takeOwnership() external {
        if (msg.sender != pendingOwner) revert NotOwner(msg.sender);
        _setOwner(msg.sender);
    }

    /// @inheritdoc INativeRollup
    function renounceOwnership() external onlyOwner {
        _setOwner(address(0));
    }

    /// @inheritdoc INativeRollup
    function policy() external view returns (address) {
        return _policyOf(_rules);
    }

    /// @inheritdoc INativeRollup
    function gasLimits() external view returns (uint64 latest, uint64 target) {
        return (_gasLimitOf(_rules), _gasTargetOf(_rules));
    }

    /// @inheritdoc INativeRollup
    function nextGasLimit() external view returns (uint64) {
        return _nextGasLimit(_rules);
    }

    /// @inheritdoc INativeRollup
    function schemaAt(uint64 timestamp) external view returns (uint16) {
        if (_is(ForkMode.Registry)) return _registered();
        return _schemaOf(_rulesAt(_rules, timestamp));
    }

    /// @inheritdoc INativeRollup
    function forks(uint256 index) external view returns (Fork memory) {
        return _forks[index];
    }

    /// @inheritdoc INativeRollup
    function forkCount() external view returns (uint256) {
        return _forks.length;
    }

    /// @inheritdoc INativeRollup
    function readyAt(Change change, uint256 value) external view returns (uint256) {
        uint256 index = _indexOf(change, value);
        return index == _announced.length ? 0 : _announced[index].readyAt;
    }

    /// @inheritdoc INativeRollup
    function announcements() external view returns (Announcement[] memory) {
        return _announced;
    }

    // ------------------------------------------------------------------ for `advance`

    /// @dev The rules with the forks that are in force at a time.
    function _rulesAt(uint256 rules, uint64 timestamp) internal view returns (uint256) {
        uint256 active = (rules >> 240) & 0xff;
        uint256 scheduled = rules >> 248;
        while (active < scheduled) {
            Fork storage next = _forks[active];
            if (timestamp < next.from) break;
            ++active;
            rules = _withSchema(rules, next.schema) & ~(uint256(0xff) << 240) | active << 240;
        }
        return rules;
    }

    /// @dev The rules for a block, in whose input this schema id stands.
    /// @param first `true` for the first block of its input: one input has one schema.
    function _rulesUnder(uint256 rules, uint16 schema, uint64 timestamp, bool first)
        internal
        view
        returns (uint256)
    {
        uint16 fork = Execute.singleOf(schema);
        if (_is(ForkMode.Pinned)) {
            rules = _rulesAt(rules, timestamp);
            if (fork != _schemaOf(rules)) revert SchemaMismatch(schema, _schemaOf(rules));
            return rules;
        }
        if (!first) return rules;
        if (_is(ForkMode.Registry)) {
            uint16 registered = _registered();
            if (fork != registered) revert SchemaMismatch(schema, registered);
        }
        uint16 current = _schemaOf(rules);
        if (fork == current) return rules;
        _requireSupported(fork);
        if (!Execute.sameRevision(fork, current)) revert SchemaMismatch(schema, current);
        // EXECUTE accepts Osaka under BPO2 as well. Were that a step back, one caller with a block
        // of BPO2 could stop a sequencer that goes by Osaka.
        if (Execute.rulesOf(fork) < Execute.rulesOf(current)) revert ForkWentBack(schema, current);
        return _withSchema(rules, fork);
    }

    /// @dev Notes a fork that L1 has at a time at which the schedule has an earlier one.
    function _report(uint256 rules, uint16 schema, uint64 timestamp) internal {
        _requirePinned();
        uint16 fork = Execute.singleOf(schema);
        _requireSupported(fork);
        uint16 current = _schemaOf(_rulesAt(rules, timestamp));
        if (!Execute.sameRevision(fork, current)) revert SchemaMismatch(schema, current);
        uint256 key = _reportKey(fork);
        bool later = Execute.rulesOf(fork) > Execute.rulesOf(current);
        // A second report of the same rules after the same head would only put the change off.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (!later || key <= uint80(_forkReport)) revert ForkNotLater(fork, current);
        _forkReport = key | block.timestamp << 80;
        emit ForkReported(fork, _latest());
    }

    /// @dev Gas limit of the block after one that has that of the rules.
    function _nextGasLimit(uint256 rules) internal pure returns (uint64) {
        uint64 latest = _gasLimitOf(rules);
        uint64 target = _gasTargetOf(rules);
        if (latest == target) return latest;
        uint64 step = latest / 1024 - 1;
        if (latest < target) return target - latest > step ? latest + step : target;
        return latest - target > step ? latest - step : target;
    }

    /// @dev The rules after a block with this gas limit.
    function _withGasLimit(uint256 rules, uint64 gasLimit) internal pure returns (uint256) {
        return rules & ~(uint256(type(uint32).max) << 160) | uint256(gasLimit) << 160;
    }

    /// @dev The rules after a block with this schema.
    function _withSchema(uint256 rules, uint16 schema) private pure returns (uint256) {
        return rules & ~(uint256(type(uint16).max) << 224) | uint256(schema) << 224;
    }

    // Casts cut fields out of the word.
    // forge-lint: disable-start(unsafe-typecast)

    function _policyOf(uint256 rules) internal pure returns (address) {
        return address(uint160(rules));
    }

    function _schemaOf(uint256 rules) internal pure returns (uint16) {
        return uint16(rules >> 224);
    }

    function _gasLimitOf(uint256 rules) internal pure returns (uint64) {
        return uint32(rules >> 160);
    }

    function _gasTargetOf(uint256 rules) private pure returns (uint64) {
        return uint32(rules >> 192);
    }

    // forge-lint: disable-end(unsafe-typecast)

    // ------------------------------------------------------------------ changes

    function _setPolicy(uint256 value) private {
        if (value >> 160 != 0) revert ChangeInvalid(Change.Policy, value);
        _rules = _rules >> 160 << 160 | value;
    }

    function _setGasLimit(uint256 value) private {
        if (value >> 32 != 0) revert ChangeInvalid(Change.GasLimit, value);
        _requireCapacity(value, MESSAGE_QUEUE, FORCED);
        _rules = _rules & ~(uint256(type(uint32).max) << 192) | value << 192;
    }

    function _addFork(uint256 value) private {
        // The low 16 bits; `from` is bounded below.
        // forge-lint: disable-start(unsafe-typecast)
        uint16 schema = uint16(value);
        uint256 from = value >> 16;
        uint256 scheduled = _forks.length;
        Fork storage last = _forks[scheduled - 1];
        // Not for blocks that exist, or that others may be building.
        // forge-lint: disable-next-line(block-timestamp)
        bool late = from <= block.timestamp || from <= last.from;
        bool unfit = !Execute.isFork(schema) || schema < last.schema
            || !Execute.sameRevision(schema, last.schema);
        if (late || unfit || from > type(uint48).max || scheduled == type(uint8).max) {
            revert ChangeInvalid(Change.Fork, value);
        }
        _forks.push(Fork(schema, uint64(from)));
        // forge-lint: disable-end(unsafe-typecast)
        _rules = (_rules << 8 >> 8) | (scheduled + 1) << 248;
    }

    function _setOwner(address next) private {
        emit OwnershipTransferred(owner, next);
        owner = next;
        pendingOwner = address(0);
    }

    function _forget(Change change, uint256 value) private returns (uint256 ready, bool cleared) {
        uint256 index = _known(change, value);
        (ready, cleared) = (_announced[index].readyAt, _announced[index].cleared);
        _announced[index] = _announced[_announced.length - 1];
        _announced.pop();
    }

    /// @dev Returns the place of an announcement.
    function _known(Change change, uint256 value) private view returns (uint256 index) {
        index = _indexOf(change, value);
        if (index == _announced.length) revert NotAnnounced(change, value);
    }

    /// @dev Returns the place of an announcement, or the number of all if there is none of the
    /// change.
    function _indexOf(Change change, uint256 value) private view returns (uint256 index) {
        for (; index < _announced.length; ++index) {
            Announcement storage a = _announced[index];
            if (a.change == change && a.value == value) break;
        }
    }

    /// @dev Returns `true` if nothing is pending of what was submitted or sent until a time. What
    /// is pending was submitted no earlier than it is due, less the delay; and never before the
    /// queue has it.
    function _isDone(uint64 until) private view returns (bool) {
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp >= _headTimestamp() + LOST_AFTER) return true;
        Duties memory d = _unpackDuties(_duties);
        // Of this block more could come.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp <= until) return false;
        bool forcedDone = d.forcedDue > until + _FORCED_DELAY || _forcedBefore() <= d.forcedNext;
        return forcedDone
            && (d.relayDue > until + RELAY_DEADLINE
                || IL1MessageQueue(MESSAGE_QUEUE).countBefore() <= d.relayed);
    }

    /// @dev `true` if the change adds a fork whose rules were reported for the head `UPGRADE_DELAY`
    /// ago.
    function _isReported(Change change, uint256 value) private view returns (bool) {
        // Casts cut fields out of words. Days, to the precision that L1 itself has.
        // forge-lint: disable-start(unsafe-typecast, block-timestamp)
        return change == Change.Fork && uint80(_forkReport) == _reportKey(uint16(value))
            && block.timestamp >= (_forkReport >> 80) + UPGRADE_DELAY;
        // forge-lint: disable-end(unsafe-typecast, block-timestamp)
    }

    /// @dev The rules of a fork and the number of the head, as a report has them.
    function _reportKey(uint16 fork) private view returns (uint256) {
        return uint256(_latest()) << 16 | Execute.rulesOf(fork);
    }

    function _is(ForkMode mode) private view returns (bool) {
        return FORK_MODE == mode;
    }

    function _requirePinned() private view {
        if (!_is(ForkMode.Pinned)) revert ForksNotPinned();
    }

    /// @dev Schema id of the current entry of the registry, under the revision of this rollup: the
    /// registry names forks by single inputs of L2s without EXECUTE.
    function _registered() private view returns (uint16 fork) {
        bool ok;
        uint256 size;
        uint256 schema;
        // A word of zero asks for the current entry, which fits into the scratch space.
        assembly ("memory-safe") {
            mstore(0x00, 0)
            ok := staticcall(gas(), REGISTRY, 0x00, 0x20, 0x00, REGISTRY_ENTRY_LENGTH)
            size := returndatasize()
            schema := mload(0x20)
        }
        if (!ok || size != REGISTRY_ENTRY_LENGTH) {
            revert RegistryUnavailable(size, REGISTRY_ENTRY_LENGTH);
        }
        // No input has a schema id of more than two bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        fork = schema >> 16 == 0 ? uint16(schema) : 0;
        if (Execute.isFork(fork)) fork = fork & 0xff00 | _schemaOf(_rules) & 0xff;
    }

    /// @dev Number of forced transactions that were submitted before this L1 block.
    function _forcedBefore() internal view returns (uint64) {
        return IForcedSettlement(FORCED).countBefore();
    }

    /// @dev Time at which a forced transaction that was submitted at this time is due.
    function _forcedDueOf(uint256 submittedAt) internal view returns (uint64) {
        // Neither comes near 2^63.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(submittedAt) + _FORCED_DELAY;
    }

    function _later(uint256 delay) private view returns (uint64) {
        // Far below 2^64.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(block.timestamp + delay);
    }

    // ------------------------------------------------------------------ bounds

    function _requireSupported(uint16 fork) private pure {
        if (Execute.isFork(fork)) return;
        revert SchemaNotSupported(fork, Execute.FIRST_SCHEMA, Execute.LAST_SCHEMA);
    }

    /// @dev The delays must leave room for one another:
    ///
    ///   - Anyone may advance a head that is `OPEN_AFTER` old, or that has left something undone
    ///     for as long. A head that was just advanced may be `MAX_LAG` old.
    ///   - What is due at a time was on L1 before any block of that time could be built.
    ///   - Before a forced transaction expires, no block is taken without it for `EXPIRY`, so
    ///     anyone may advance after `OPEN_AFTER` of that time: for `RESCUE` at least, and half of
    ///     it.
    ///   - The way out takes no longer than from the announcement of an upgrade to the upgrade. It
    ///     has to be seen first (`NOTICE`). A forced transaction is due after `DELAY`. A sequencer
    ///     may put it off for `GRACE`; or make no block, until anyone may advance after
    ///     `OPEN_AFTER`; or make one that leaves it undone because of what is before it, and then
    ///     another `OPEN_AFTER` later, before anyone may advance until it is done. Then it is
    ///     claimed (`EXIT_MARGIN`), after the pause of a guardian at the latest. How long the queue
    ///     is, this says nothing about: see `clear`.
    /// @return window The delay of an upgrade less the way out, in seconds.
    function _requireDelays(Config memory config, IForcedInbox forced, uint256 claimTime)
        private
        view
        returns (uint256 window)
    {
        uint256 lag = config.maxLag;
        uint256 open = config.openAfter;
        uint256 delay = forced.DELAY();
        uint256 grace = forced.GRACE();
        uint256 expiry = forced.EXPIRY();
        _requireAtLeast(open, lag + 1);
        _requireAtLeast(config.relayDeadline, lag + 1);
        _requireAtLeast(delay, lag + 1);
        _requireAtLeast(expiry, 2 * (lag + open));
        _requireAtLeast(expiry, lag + open + RESCUE);
        uint256 wayOut = delay + grace + lag + 2 * open + claimTime;
        _requireAtLeast(config.upgradeDelay, NOTICE + wayOut);
        // Times are kept in 48 bits.
        _requireAtLeast(type(uint32).max, config.relayDeadline + delay + grace + expiry);
        return config.upgradeDelay - wayOut;
    }

    /// @dev The ring of checkpoints outlasts the time in which no account has to relay anything:
    /// until the first message is due in a block that anyone can add. One message per L1 block
    /// takes a place of it per slot, and when all are taken no account can send.
    function _requireRingOutlasts(Config memory config) private view {
        uint256 places = IL1MessageQueue(config.messageQueue).CHECKPOINTS();
        uint256 idle = uint256(config.relayDeadline) + config.maxLag + config.openAfter;
        _requireAtLeast(places * L1_SLOT, idle);
    }

    function _requireAtLeast(uint256 got, uint256 least) private pure {
        if (got < least) revert DelaysInconsistent(got, least);
    }

    /// @dev A block with this gas limit can hold the largest message, all the relays that can be
    /// demanded, and the largest forced transaction. L1 carries what can be demanded by
    /// construction, see `Capacity`: a message with more data than that is parked.
    function _requireCapacity(uint256 gasLimit, address messageQueue, address forced) private view {
        if (gasLimit < MIN_GAS_LIMIT) revert ChangeInvalid(Change.GasLimit, gasLimit);
        IL1MessageQueue queue = IL1MessageQueue(messageQueue);
        uint256 room = gasLimit < Capacity.TRANSACTION_GAS ? gasLimit : Capacity.TRANSACTION_GAS;
        uint256 gas = Messages.relayGas(queue.MAX_GAS(), queue.MAX_DATA());
        if (gas > room) revert MessageCapsTooHigh(gas, room);
        if (room > Capacity.DUTY_GAS) room = Capacity.DUTY_GAS;
        gas = Capacity.RELAY_GAS;
        if (IForcedInbox(forced).MAX_GAS() > gas) gas = IForcedInbox(forced).MAX_GAS();
        if (IForcedInbox(forced).MAX_BOUNDED_GAS() > gas) {
            gas = IForcedInbox(forced).MAX_BOUNDED_GAS();
        }
        if (gas > room) revert DutiesTooLarge(gas, room);
    }

    /// @dev A block has room for any forced transaction by itself. For one that is too long there
    /// would never be, and until it expires that would be an excuse to leave out all behind it. A
    /// change of the gas limit does not touch that, so only the constructor asks.
    function _requireFootprints(IForcedInbox forced) private view {
        // Of as many bytes, none makes others carry more.
        uint256 most = Capacity.ofAliasCall(forced.MAX_SIZE());
        if (most > Capacity.DUTY_BYTES) revert FootprintTooLarge(most, Capacity.DUTY_BYTES);
    }
}
