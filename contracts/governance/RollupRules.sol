// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RollupState} from "../RollupState.sol";
import {GenesisReader} from "../deployment/GenesisReader.sol";
import {IForcedInbox} from "../interfaces/IForcedInbox.sol";
import {IForcedSettlement} from "../interfaces/IForcedSettlement.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {IRollup} from "../interfaces/IRollup.sol";
import {Capacity} from "../libraries/Capacity.sol";
import {Execute} from "../libraries/Execute.sol";
import {Mismatch} from "../libraries/Mismatch.sol";
import {Messages} from "../messaging/Messages.sol";

/// @title Rules of a rollup, and how they may change
/// @notice Three parameters can change, and only if the rollup has an owner: the sequencing policy,
/// the gas limit, and the rollup's own fork schedule. Everything else is fixed at deployment;
/// without an owner, these three are fixed too.
///
/// A change is announced, and made no earlier than `UPGRADE_DELAY` later. That is longer than the
/// exit time of a user who rejects it: a forced transaction becomes due and must then be included,
/// a block with it is advanced (by any account, if no blocks are posted or overdue duties are not
/// fulfilled), and its withdrawal is claimed on L1. Claims do not depend on anything that could
/// change.
///
/// The length of the queues is not bounded, so no delay alone would be sufficient. A change is made
/// only after it was *cleared*: nothing is pending that was submitted or sent while the delay still
/// covered the exit (for at least `NOTICE` after the announcement), and `EXIT_MARGIN` has passed
/// since then. An account that fills the queues delays changes, but not the exits that precede
/// them. Later submissions do not delay a change. If the rollup has not been advanced for
/// `LOST_AFTER`, although any account could advance it, the change no longer waits for pending
/// entries: users cannot exit anyway, and only a change can make the rollup work again.
///
/// Forks come from L1, in one of three modes that is fixed at deployment (`ForkMode`). In each mode
/// a block has no earlier fork than its parent, so older rules are never applied again. The fork
/// must be one whose layout `Execute` can read; with `follow` it may also be a later one, whose
/// blocks are read from the headers that EXECUTE returns.
///
///   follow     EXECUTE accepts the fork that L1 had at the timestamp of the block, and the rollup
///              accepts what EXECUTE accepts. A block that was built before a fork of L1 can still
///              be posted after it.
///   registry   The fork is the current entry of L1's registry (EIP-8357). A block that was built
///              before a fork of L1 and not posted is lost.
///   pinned     The rollup has a schedule, to which only future entries can be appended. A block
///              has the last fork that is not later than the block. If L1 activates a fork that is
///              not in the schedule, EXECUTE rejects every block until the owner adds the fork;
///              without an owner, permanently. Pending messages and forced transactions can never
///              be included then, so the addition does not wait for them once the fork was reported
///              (`reportFork`) and no block has been added for `UPGRADE_DELAY`. While users can
///              exit, any of them can invalidate the report by advancing a block.
///
/// With `registry` and `pinned`, a fork whose layout `Execute` cannot read stops the rollup.
///
/// The gas limit is a target. Ethereum lets the gas limit of a block differ from its parent's by
/// less than 1/1024, and each block has to move towards the target by the maximum, as common
/// clients do.
abstract contract RollupRules is RollupState {
    /// @dev Minimum time to notice an announcement and submit an exit before the change.
    uint256 private constant NOTICE = 1 days;

    /// @dev Time reserved for the final L1 claim of an exit.
    uint256 private constant EXIT_MARGIN = 1 days;

    /// @dev Minimum time before the expiry of a transaction in which any account may advance a
    /// block that includes it.
    uint256 private constant RESCUE = 1 days;

    /// @dev Age of the head after which the rollup is considered lost: no account was able to
    /// advance it.
    uint256 private constant LOST_AFTER = 60 days;

    /// @dev Seconds after `readyAt` in which a change may be made.
    uint256 private constant STALE_AFTER = 14 days;

    /// @dev Bounds the search for an announcement. The owner can withdraw a stale announcement to
    /// free its slot.
    uint256 private constant MAX_ANNOUNCEMENTS = 8;

    /// @dev Minimum of `Config.l1SlotMillis`. Only the ring of checkpoints counts L1 blocks.
    uint256 private constant MIN_L1_SLOT_MILLIS = 100;

    /// @dev Address of the fork registry (EIP-8357).
    address private constant REGISTRY = 0x00005e9c1447C1A05A642ec9eB76D9C125468357;

    /// @dev Length of an entry: verification key hash and schema id, one word each.
    uint256 private constant REGISTRY_ENTRY_LENGTH = 64;

    /// @dev Minimum gas limit of an Ethereum block.
    uint256 private constant MIN_GAS_LIMIT = 5000;

    /// @inheritdoc IRollup
    uint64 public immutable CHAIN_ID;

    /// @inheritdoc IRollup
    ForkMode public immutable FORK_MODE;

    /// @inheritdoc IRollup
    uint64 public immutable MAX_LAG;

    /// @inheritdoc IRollup
    uint64 public immutable OPEN_AFTER;

    /// @inheritdoc IRollup
    uint64 public immutable RELAY_DEADLINE;

    /// @inheritdoc IRollup
    uint64 public immutable UPGRADE_DELAY;

    /// @inheritdoc IRollup
    address public immutable MESSAGE_QUEUE;

    /// @inheritdoc IRollup
    address public immutable FORCED;

    /// @dev Value of `DELAY` of the forced queue, in seconds.
    uint64 internal immutable _FORCED_DELAY;

    /// @dev Seconds after an announcement during which submissions still delay the change:
    /// `UPGRADE_DELAY` minus the exit time.
    uint256 private immutable _WINDOW;

    /// @dev Seconds to claim after the block is advanced: `EXIT_MARGIN` plus the longest pause of a
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

    /// @inheritdoc IRollup
    function announce(Change change, uint256 value) external onlyOwner {
        if (change == Change.Fork) _requirePinned();
        else if (change == Change.Verification) _requireVerification(value);
        uint256 count = _announced.length;
        if (_indexOf(change, value) != count) revert AlreadyAnnounced(change, value);
        if (count == MAX_ANNOUNCEMENTS) revert TooManyAnnouncements(MAX_ANNOUNCEMENTS);
        uint64 ready = _later(UPGRADE_DELAY);
        _announced.push(Announcement(change, ready, _later(_WINDOW), false, value));
        emit ChangeAnnounced(change, value, ready);
    }

    /// @inheritdoc IRollup
    function clear(Change change, uint256 value) external {
        Announcement storage a = _announced[_known(change, value)];
        if (a.cleared) revert AlreadyCleared(change, value);
        if (!_isDone(a.clearUntil)) revert StillPending(a.clearUntil);
        uint64 earliest = _later(_CLAIM_TIME);
        if (a.readyAt < earliest) a.readyAt = earliest;
        a.cleared = true;
        emit ChangeCleared(change, value, a.readyAt);
    }

    /// @inheritdoc IRollup
    function withdraw(Change change, uint256 value) external onlyOwner {
        _forget(change, value);
        emit ChangeWithdrawn(change, value);
    }

    /// @inheritdoc IRollup
    function make(Change change, uint256 value) external onlyOwner {
        (uint256 ready, bool cleared) = _forget(change, value);
        // For delays of days, the precision of L1 timestamps is sufficient.
        // forge-lint: disable-start(block-timestamp)
        if (block.timestamp < ready) revert NotReady(ready);
        if (!cleared && !_isReported(change, value)) revert NotCleared(change, value);
        if (block.timestamp > ready + STALE_AFTER) revert Stale(ready + STALE_AFTER);
        // forge-lint: disable-end(block-timestamp)
        if (change == Change.Policy) _setPolicy(value);
        else if (change == Change.GasLimit) _setGasLimit(value);
        else if (change == Change.Fork) _addFork(value);
        else _setVerification(value);
        emit ChangeMade(change, value);
    }

    /// @inheritdoc IRollup
    function offerOwnership(address next) external onlyOwner {
        pendingOwner = next;
        emit OwnershipOffered(msg.sender, next);
    }

    /// @inheritdoc IRollup
    function takeOwnership() external {
        if (msg.sender != pendingOwner) revert NotOwner(msg.sender);
        _setOwner(msg.sender);
    }

    /// @inheritdoc IRollup
    function renounceOwnership() external onlyOwner {
        _setOwner(address(0));
    }

    /// @inheritdoc IRollup
    function policy() external view returns (address) {
        return _policyOf(_rules);
    }

    /// @inheritdoc IRollup
    function gasLimits() external view returns (uint64 latest, uint64 target) {
        return (_gasLimitOf(_rules), _gasTargetOf(_rules));
    }

    /// @inheritdoc IRollup
    function nextGasLimit() external view returns (uint64) {
        return _nextGasLimit(_rules);
    }

    /// @inheritdoc IRollup
    function schemaAt(uint64 timestamp) external view returns (uint16) {
        if (_is(ForkMode.Registry)) return _registered();
        return _schemaOf(_rulesAt(_rules, timestamp));
    }

    /// @inheritdoc IRollup
    function forks(uint256 index) external view returns (Fork memory) {
        return _forks[index];
    }

    /// @inheritdoc IRollup
    function forkCount() external view returns (uint256) {
        return _forks.length;
    }

    /// @inheritdoc IRollup
    function readyAt(Change change, uint256 value) external view returns (uint256) {
        uint256 index = _indexOf(change, value);
        return index == _announced.length ? 0 : _announced[index].readyAt;
    }

    /// @inheritdoc IRollup
    function announcements() external view returns (Announcement[] memory) {
        return _announced;
    }

    // ------------------------------------------------------------------ for `advance`

    /// @dev Returns the rules with the scheduled forks that are active at a timestamp.
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

    /// @dev Returns the rules for a block whose input has this schema id, or reverts if the schema
    /// is wrong.
    /// @param first `true` for the first block of an input; all blocks of an input have its schema.
    function _rulesUnder(uint256 rules, uint16 schema, uint64 timestamp, bool first)
        internal
        view
        returns (uint256)
    {
        uint16 fork = Execute.singleOf(schema);
        if (_is(ForkMode.Pinned)) {
            rules = _rulesAt(rules, timestamp);
            if (fork != _schemaOf(rules)) {
                Mismatch.fail(SchemaMismatch.selector, schema, _schemaOf(rules));
            }
            return rules;
        }
        if (!first) return rules;
        if (_is(ForkMode.Registry)) {
            uint16 registered = _registered();
            if (fork != registered) Mismatch.fail(SchemaMismatch.selector, schema, registered);
        }
        uint16 current = _schemaOf(rules);
        if (fork == current) return rules;
        // A fork of L1 whose layout is not known is read by its headers.
        bool later = fork >> 8 > Execute.LAST_SCHEMA >> 8 && _is(ForkMode.Follow);
        if (!later) _requireSupported(fork);
        if (!Execute.sameRevision(fork, current)) {
            Mismatch.fail(SchemaMismatch.selector, schema, current);
        }
        // EXECUTE accepts Osaka under BPO2 as well. If that counted as a step back, a caller could
        // stop a sequencer that uses Osaka by posting a single block with the schema of BPO2.
        if (Execute.rulesOf(fork) < Execute.rulesOf(current)) {
            Mismatch.fail(ForkWentBack.selector, schema, current);
        }
        return _withSchema(rules, fork);
    }

    /// @dev Records that L1 has a later fork than the schedule at this timestamp.
    function _report(uint256 rules, uint16 schema, uint64 timestamp) internal {
        _requirePinned();
        uint16 fork = Execute.singleOf(schema);
        _requireSupported(fork);
        uint16 current = _schemaOf(_rulesAt(rules, timestamp));
        if (!Execute.sameRevision(fork, current)) {
            Mismatch.fail(SchemaMismatch.selector, schema, current);
        }
        uint256 key = _reportKey(fork);
        bool later = Execute.rulesOf(fork) > Execute.rulesOf(current);
        // A second report of the same rules for the same head would only delay the change.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (!later || key <= uint80(_forkReport)) {
            Mismatch.fail(ForkNotLater.selector, fork, current);
        }
        _forkReport = key | block.timestamp << 80;
        emit ForkReported(fork, _latest());
    }

    /// @dev Returns the gas limit of the next block, computed from the latest gas limit and the
    /// target.
    function _nextGasLimit(uint256 rules) internal pure returns (uint64) {
        uint64 latest = _gasLimitOf(rules);
        uint64 target = _gasTargetOf(rules);
        if (latest == target) return latest;
        // Both have 32 bits and are at least `MIN_GAS_LIMIT`.
        unchecked {
            uint64 step = latest / 1024 - 1;
            if (latest < target) return target - latest > step ? latest + step : target;
            return latest - target > step ? latest - step : target;
        }
    }

    /// @dev Returns the rules after a block with this gas limit.
    function _withGasLimit(uint256 rules, uint64 gasLimit) internal pure returns (uint256) {
        return rules & ~(uint256(type(uint32).max) << 160) | uint256(gasLimit) << 160;
    }

    /// @dev Returns the rules after a block with this schema.
    function _withSchema(uint256 rules, uint16 schema) private pure returns (uint256) {
        return rules & ~(uint256(type(uint16).max) << 224) | uint256(schema) << 224;
    }

    // The casts below extract fields from the word.
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

    /// @dev Reverts unless a change of this kind may be announced. Derived contracts with more than
    /// one verifier override this; by default, every value is rejected.
    function _requireVerification(uint256 value) internal view virtual {
        revert ChangeInvalid(Change.Verification, value);
    }

    /// @dev Makes a change that `_requireVerification` has allowed.
    function _setVerification(uint256 value) internal virtual {
        revert ChangeInvalid(Change.Verification, value);
    }

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
        // The low 16 bits; `from` is checked below.
        // forge-lint: disable-start(unsafe-typecast)
        uint16 schema = uint16(value);
        uint256 from = value >> 16;
        uint256 scheduled = _forks.length;
        Fork storage last = _forks[scheduled - 1];
        // Must not affect blocks that exist or that are being built.
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

    /// @dev Returns the index of an announcement; reverts if there is none.
    function _known(Change change, uint256 value) private view returns (uint256 index) {
        index = _indexOf(change, value);
        if (index == _announced.length) revert NotAnnounced(change, value);
    }

    /// @dev Returns the index of an announcement, or the number of announcements if it is not among
    /// them.
    function _indexOf(Change change, uint256 value) private view returns (uint256 index) {
        for (; index < _announced.length; ++index) {
            Announcement storage a = _announced[index];
            if (a.change == change && a.value == value) break;
        }
    }

    /// @dev Returns `true` if nothing is pending that was submitted or sent until `until`. The due
    /// time of the first pending entry, minus the delay, is a lower bound for the time of its
    /// submission. If a queue has no unresolved entry from an earlier L1 block, nothing is pending.
    function _isDone(uint64 until) private view returns (bool) {
        // More could still be sent in this L1 block. For a lost rollup, too: a new one may start from
        // an old genesis, and users come once its first block is posted.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp <= until) return false;
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp >= _headTimestamp() + LOST_AFTER) return true;
        Duties memory d = _unpackDuties(_duties);
        // L1 timestamps fit into 40 bits, and delays into 32.
        unchecked {
            bool forcedDone = d.forcedDue > until + _FORCED_DELAY || _forcedBefore() <= d.forcedNext;
            return forcedDone
                && (d.relayDue > until + RELAY_DEADLINE
                    || IL1MessageQueue(MESSAGE_QUEUE).countBefore() <= d.relayed);
        }
    }

    /// @dev Returns `true` if the change adds a fork whose rules were reported for the current head
    /// at least `UPGRADE_DELAY` ago.
    function _isReported(Change change, uint256 value) private view returns (bool) {
        // The casts extract fields from words. The precision of L1 timestamps is sufficient.
        // forge-lint: disable-start(unsafe-typecast, block-timestamp)
        return change == Change.Fork && uint80(_forkReport) == _reportKey(uint16(value))
            && block.timestamp >= (_forkReport >> 80) + UPGRADE_DELAY;
        // forge-lint: disable-end(unsafe-typecast, block-timestamp)
    }

    /// @dev Returns the key of a report: the rules of a fork and the number of the head.
    function _reportKey(uint16 fork) private view returns (uint256) {
        return uint256(_latest()) << 16 | Execute.rulesOf(fork);
    }

    function _is(ForkMode mode) private view returns (bool) {
        return FORK_MODE == mode;
    }

    function _requirePinned() private view {
        if (!_is(ForkMode.Pinned)) revert ForksNotPinned();
    }

    /// @dev Returns the schema id of the current entry of the registry, with the revision of this
    /// rollup: the registry contains schema ids of single inputs for L2s without EXECUTE.
    function _registered() private view returns (uint16 fork) {
        bool ok;
        uint256 size;
        uint256 schema;
        // A zero word requests the current entry. The entry fits into the scratch space.
        assembly ("memory-safe") {
            mstore(0x00, 0)
            ok := staticcall(gas(), REGISTRY, 0x00, 0x20, 0x00, REGISTRY_ENTRY_LENGTH)
            size := returndatasize()
            schema := mload(0x20)
        }
        if (!ok || size != REGISTRY_ENTRY_LENGTH) {
            revert RegistryUnavailable(size, REGISTRY_ENTRY_LENGTH);
        }
        // Schema ids of inputs have two bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        fork = schema >> 16 == 0 ? uint16(schema) : 0;
        if (Execute.isFork(fork)) fork = fork & 0xff00 | _schemaOf(_rules) & 0xff;
    }

    /// @dev Returns the number of forced transactions that were submitted before this L1 block.
    function _forcedBefore() internal view returns (uint64) {
        return IForcedSettlement(FORCED).countBefore();
    }

    /// @dev Returns the due time of a forced transaction that was submitted at this time.
    function _forcedDueOf(uint256 submittedAt) internal view returns (uint64) {
        // Both are far below 2^63.
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

    /// @dev Checks that the delays are consistent:
    ///
    ///   - Any account may advance once the head, or a duty that it has not fulfilled, is
    ///     `OPEN_AFTER` old. A head that was just advanced may be `MAX_LAG` old.
    ///   - Entries that are due at a time were on L1 before any block with that timestamp could be
    ///     built.
    ///   - Before a forced transaction expires, no block is accepted without it for `EXPIRY`. Any
    ///     account may advance for all but `OPEN_AFTER` of that time: for at least `RESCUE`, and at
    ///     least half of it.
    ///   - An exit takes no longer than the time from the announcement of a change to the change.
    ///     The announcement has to be noticed first (`NOTICE`). A forced transaction is due after
    ///     `DELAY`. A sequencer may defer it for `GRACE`; or stop building blocks until any account
    ///     may advance, after `OPEN_AFTER`; or omit it from one block because of older entries,
    ///     which delays it by another `OPEN_AFTER`. Then the exit is claimed (`EXIT_MARGIN`), no
    ///     later than after the pause of a guardian. This bound does not cover the length of the
    ///     queue; see `clear`.
    /// @return window The delay of a change minus the exit time, in seconds.
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
        // Timestamps are stored in 48 bits, and those of announcements in 64. All other delays are
        // part of this sum, or less than one of its terms.
        _requireAtLeast(type(uint32).max, config.upgradeDelay);
        _requireAtLeast(type(uint32).max, config.relayDeadline + delay + grace + expiry);
        return config.upgradeDelay - wayOut;
    }

    /// @dev Checks that the ring of checkpoints outlasts the time in which no account has to relay
    /// anything, i.e. until the first message is due in a block that any account can add. One
    /// message per L1 block uses one checkpoint per slot, and when all are in use no account can
    /// send.
    function _requireRingOutlasts(Config memory config) private view {
        if (config.l1SlotMillis < MIN_L1_SLOT_MILLIS) {
            revert L1SlotTooShort(config.l1SlotMillis, MIN_L1_SLOT_MILLIS);
        }
        uint256 places = IL1MessageQueue(config.messageQueue).CHECKPOINTS();
        uint256 idle = uint256(config.relayDeadline) + config.maxLag + config.openAfter;
        _requireAtLeast(places * config.l1SlotMillis / 1000, idle);
    }

    function _requireAtLeast(uint256 got, uint256 minimum) private pure {
        if (got < minimum) revert DelaysInconsistent(got, minimum);
    }

    /// @dev Checks that a block with this gas limit can include the largest message, all relays
    /// that can be required of it, and the largest forced transaction. L1 can carry all duties by
    /// construction, see `Capacity`: a message with more data is parked.
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

    /// @dev Checks that a block can include any single forced transaction. One with a larger
    /// footprint could never be included, and until its expiry it would excuse the omission of all
    /// transactions after it. The footprint does not depend on the gas limit, so only the
    /// constructor checks it.
    function _requireFootprints(IForcedInbox forced) private view {
        // No transaction of this size has a larger footprint than an alias call.
        uint256 footprint = Capacity.ofAliasCall(forced.MAX_SIZE());
        if (footprint > Capacity.DUTY_BYTES) {
            revert FootprintTooLarge(footprint, Capacity.DUTY_BYTES);
        }
    }
}
