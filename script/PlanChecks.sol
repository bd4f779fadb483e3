// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {GenesisReader} from "../contracts/deployment/GenesisReader.sol";
import {IL1MessageQueue} from "../contracts/interfaces/IL1MessageQueue.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {Capacity} from "../contracts/libraries/Capacity.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {Rlp} from "../contracts/libraries/Rlp.sol";
import {Messages} from "../contracts/messaging/Messages.sol";
import {SequencingChecks} from "./SequencingChecks.sol";

/// @title Rules for the values of a configuration file
/// @notice The constructors of the contracts enforce these rules too, but their errors name neither
/// the value in the file nor the rule. `expectBound` in `test/deployment/PlanFixture.sol` compares
/// both. Values that the constructors accept although they are useless are rejected only here.
abstract contract PlanChecks is SequencingChecks {
    /// @dev Placeholder for the header in the example.
    bytes private constant PLACEHOLDER = hex"c0";

    string private constant HEADER_RULE =
        "RLP of the header of your L2's first block, as `enshrine genesis` prints it; ";

    /// @dev Offset of the header in the calldata of `GenesisReader.read`, from which its errors
    /// count.
    uint256 private constant HEADER_AT = 100;

    /// @dev First fork whose headers have additional fields.
    uint16 private constant AMSTERDAM = Execute.LAST_SCHEMA;

    string private constant FORK_RULE =
        "a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id";

    /// @dev Equals the constants of `RollupRules`.
    address private constant REGISTRY = 0x00005e9c1447C1A05A642ec9eB76D9C125468357;
    uint256 private constant NOTICE = 1 days;
    uint256 private constant EXIT_MARGIN = 1 days;
    uint256 private constant RESCUE = 1 days;

    /// @dev Equals the constants of `Guard`.
    uint256 private constant MIN_PAUSE = 6 hours;
    uint256 private constant MAX_PAUSE = 14 days;

    /// @dev Equals `ForcedInbox.minimumGas` of a transaction without data.
    uint256 private constant LEAST_GAS = 42_000;

    uint256 private constant MOST_PERCENT = 10_000;

    /// @dev Equals the constants of `SendQueue` and `RollupRules`.
    uint256 private constant MIN_CHECKPOINTS = 1 << 10;
    uint256 private constant MAX_CHECKPOINTS = 1 << 20;
    uint256 private constant MIN_L1_SLOT_MILLIS = 100;

    /// @dev Defaults of these keys, for half the slot time of Ethereum.
    uint64 private constant CHECKPOINTS = 16_382;

    /// @dev Minimum and default of the time without a block after which a rollup may be closed, in
    /// seconds.
    uint256 private constant MIN_LOST_AFTER = 30 days;
    uint64 private constant LOST_AFTER = 60 days;
    uint64 private constant L1_SLOT_MILLIS = 6000;

    /// @dev Reads the chain id of the L2.
    function _chainId(string memory toml) internal pure returns (uint64 id) {
        string memory key = ".l2.chain_id";
        id = _u64(toml, key);
        _atLeast(key, id, 1, "transactions are signed for one chain");
    }

    /// @dev Reads a minimum gas price in percent of the L1 base fee, which must not be zero.
    function _percent(string memory toml, string memory key, string memory why)
        internal
        pure
        returns (uint64 value)
    {
        value = _u64(toml, key);
        _atLeast(key, value, 1, why);
        string memory rule = string.concat(
            "at most ", vm.toString(MOST_PERCENT), ": a hundred times the base fee of L1"
        );
        _require(value <= MOST_PERCENT, key, value, rule);
    }

    /// @dev Reads the guardian of the message queue. There is none if the file has no such section,
    /// or if the account in it is zero.
    function _guardian(string memory toml)
        internal
        view
        returns (IL1MessageQueue.Guardian memory guardian)
    {
        if (!vm.keyExistsToml(toml, ".guardian")) return guardian;
        guardian.account = _account(toml, ".guardian.account");
        if (guardian.account == address(0)) return guardian;
        string memory key = ".guardian.pause";
        guardian.pause = _u64(toml, key);
        _atLeast(key, guardian.pause, MIN_PAUSE, "after a pause there is a day for claims");
        string memory rule = string.concat(
            "at most ", vm.toString(MAX_PAUSE), ": a pause bridges the time until L1 is repaired"
        );
        _require(guardian.pause <= MAX_PAUSE, key, guardian.pause, rule);
        guardian.limit = uint128(_u64(toml, ".guardian.limit_gwei")) * 1 gwei;
    }

    /// @dev Reads the number of checkpoints that the message queue stores.
    function _checkpoints(string memory toml) internal view returns (uint64) {
        return _u64(toml, ".messages.checkpoints", CHECKPOINTS);
    }

    /// @dev Reads the time without a block after which the rollup may be closed, in seconds.
    function _lostAfter(string memory toml) internal view returns (uint64) {
        return _u64(toml, ".exit.lost_after", LOST_AFTER);
    }

    /// @dev Checks that a rollup which anyone could still advance is not closed.
    function _requireLostAfter(string memory toml, uint256 relay, uint256 lag, uint256 open)
        private
        view
    {
        uint256 minimum = relay + 2 * (lag + open);
        if (minimum < MIN_LOST_AFTER) minimum = MIN_LOST_AFTER;
        string memory why = "30 days, and rollup.relay_deadline and twice max_lag and open_after";
        _atLeast(".exit.lost_after", _lostAfter(toml), minimum, why);
    }

    /// @dev Reads the minimum time between two L1 blocks, in milliseconds.
    function _l1SlotMillis(string memory toml) internal view returns (uint64) {
        return _u64(toml, ".rollup.l1_slot_millis", L1_SLOT_MILLIS);
    }

    /// @dev Checks that the ring of checkpoints lasts for the time in which no account has to relay
    /// anything, if each L1 block uses one.
    function _requireRing(string memory toml, uint256 relay, uint256 others) private view {
        string memory key = ".messages.checkpoints";
        uint256 places = _checkpoints(toml);
        _atLeast(key, places, MIN_CHECKPOINTS, "each L1 block with a message uses one");
        string memory rule =
            string.concat("at most ", vm.toString(MAX_CHECKPOINTS), ": the capacity of the ring");
        _require(places <= MAX_CHECKPOINTS, key, places, rule);
        uint256 slot = _l1SlotMillis(toml);
        key = ".rollup.l1_slot_millis";
        _atLeast(key, slot, MIN_L1_SLOT_MILLIS, "milliseconds between two L1 blocks");
        _atMost(
            ".rollup.relay_deadline",
            relay,
            others,
            places * slot / 1000,
            "with rollup.max_lag and rollup.open_after"
        );
    }

    /// @dev Reads the minimum gas price of a message.
    function _messagePercent(string memory toml) internal pure returns (uint64) {
        string memory why = "without a price, filling the queue is free";
        return _percent(toml, ".messages.fee_percent", why);
    }

    /// @dev Reads the minimum gas price of a forced transaction.
    function _forcedPercent(string memory toml) internal pure returns (uint64) {
        string memory why = "without a price, delaying exits is free";
        return _percent(toml, ".forced.fee_percent", why);
    }

    /// @dev Reads the schema of the first blocks, given by the name of their fork or by number.
    function _schema(string memory toml) internal pure returns (uint16) {
        string memory key = ".l2.schema";
        try vm.parseTomlUint(toml, key) returns (uint256 value) {
            return _known(key, vm.toString(value), value);
        } catch {
            string memory name = _text(toml, key);
            return _known(key, name, _schemaOf(name));
        }
    }

    /// @dev Reads the schemas of later forks, given by name or by number; empty if the file has
    /// none.
    function _schemas(string memory toml, string memory key)
        internal
        view
        returns (uint16[] memory schemas)
    {
        if (!vm.keyExistsToml(toml, key)) return schemas;
        try vm.parseTomlUintArray(toml, key) returns (uint256[] memory numbers) {
            schemas = new uint16[](numbers.length);
            for (uint256 i = 0; i < numbers.length; ++i) {
                schemas[i] = _known(key, vm.toString(numbers[i]), numbers[i]);
            }
        } catch {
            return _schemasOf(toml, key);
        }
    }

    /// @dev Reads schemas given by the names of their forks.
    function _schemasOf(string memory toml, string memory key)
        private
        pure
        returns (uint16[] memory schemas)
    {
        try vm.parseTomlStringArray(toml, key) returns (string[] memory names) {
            schemas = new uint16[](names.length);
            for (uint256 i = 0; i < names.length; ++i) {
                schemas[i] = _known(key, names[i], _schemaOf(names[i]));
            }
        } catch {
            revert ValueInvalid(
                _name(key), _text(toml, key), string.concat("a list; each entry is ", FORK_RULE)
            );
        }
    }

    /// @dev Reverts unless the schema is that of a fork which the contracts support.
    function _known(string memory key, string memory value, uint256 schema)
        private
        pure
        returns (uint16)
    {
        bool fits = schema % 256 == Execute.FIRST_SCHEMA % 256 && schema >= Execute.FIRST_SCHEMA
            && schema <= Execute.LAST_SCHEMA;
        if (!fits) revert ValueInvalid(_name(key), value, FORK_RULE);
        // Checked above.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint16(schema);
    }

    /// @dev Returns the schema of the fork with this name; zero if there is none.
    function _schemaOf(string memory name) private pure returns (uint256) {
        string[5] memory forks = _forks();
        for (uint256 i = 0; i < forks.length; ++i) {
            if (keccak256(bytes(forks[i])) == keccak256(bytes(name))) {
                return Execute.FIRST_SCHEMA + 256 * i;
            }
        }
        return 0;
    }

    /// @dev Returns the forks with which a rollup may begin, in order; their schemas increase by
    /// 256.
    function _forks() private pure returns (string[5] memory) {
        return ["prague", "osaka", "bpo1", "bpo2", "amsterdam"];
    }

    /// @dev Reads the source of the rollup's forks.
    function _forkMode(string memory toml) internal view returns (IRollup.ForkMode mode) {
        string memory key = ".rollup.forks";
        if (!vm.keyExistsToml(toml, key)) return IRollup.ForkMode.Follow;
        string memory name = _string(toml, key);
        string[3] memory modes = ["follow", "registry", "pinned"];
        uint8 i = 0;
        while (i < 3 && keccak256(bytes(modes[i])) != keccak256(bytes(name))) ++i;
        if (i == 3) revert ValueInvalid(_name(key), name, "follow, registry or pinned");
        mode = IRollup.ForkMode(i);
        if (mode == IRollup.ForkMode.Registry && REGISTRY.code.length == 0) {
            string memory rule = "follow or pinned: this L1 has no registry (EIP-8357) at ";
            revert ValueInvalid(_name(key), name, string.concat(rule, vm.toString(REGISTRY)));
        }
    }

    /// @dev Reads the RLP of the header of the first block.
    function _header(string memory toml) internal pure returns (bytes memory header) {
        string memory key = ".l2.genesis.header";
        try vm.parseTomlBytes(toml, key) returns (bytes memory value) {
            header = value;
        } catch {
            revert ValueInvalid(
                _name(key), _text(toml, key), string.concat(HEADER_RULE, "this is not hexadecimal")
            );
        }
        if (keccak256(header) != keccak256(PLACEHOLDER)) return header;
        revert ValueInvalid(
            _name(key),
            vm.toString(header),
            string.concat(HEADER_RULE, "this is the example's placeholder")
        );
    }

    /// @dev Decodes the genesis from the header of the first block. Reverts if the header does not
    /// have the fields of the fork in the file.
    function _genesis(string memory toml, bytes memory header)
        internal
        returns (IRollup.Genesis memory)
    {
        uint16 schema = _schema(toml);
        GenesisReader reader = new GenesisReader();
        try reader.read(header, schema) returns (IRollup.Genesis memory genesis) {
            return genesis;
        } catch (bytes memory reason) {
            // Only Amsterdam has other fields; a header does not show which of the earlier forks it
            // is for.
            bool before = schema < AMSTERDAM;
            try reader.read(header, before ? AMSTERDAM : Execute.FIRST_SCHEMA) {
                revert ValueInvalid(
                    "l2.schema",
                    _forks()[(schema - Execute.FIRST_SCHEMA) / 256],
                    before
                        ? "amsterdam: l2.genesis.header has the fields that came with it"
                        : "a fork before amsterdam: l2.genesis.header lacks the fields that came with it"
                );
            } catch {
                revert ValueInvalid(
                    "l2.genesis.header",
                    header.length > 32
                        ? string.concat("of ", vm.toString(header.length), " bytes")
                        : vm.toString(header),
                    string.concat(HEADER_RULE, _whatIsWrong(reason))
                );
            }
        }
    }

    /// @dev Returns a description of an error of `Rlp`. All of them have a position as first
    /// argument.
    function _whatIsWrong(bytes memory reason) private pure returns (string memory) {
        uint256 pos;
        assembly ("memory-safe") {
            pos := mload(add(reason, 0x24))
        }
        string memory place = vm.toString(pos - HEADER_AT);
        // The cast extracts the selector.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (bytes4(reason) == Rlp.RlpTruncated.selector) {
            return string.concat("this header is truncated in the item at byte ", place);
        }
        return string.concat("the item at byte ", place, " of this header is invalid");
    }

    /// @dev Checks that the delays are consistent with one another, see `RollupRules`.
    function _requireDelays(string memory toml) internal view virtual {
        uint256 lag = _u64(toml, ".rollup.max_lag");
        _atLeast(".rollup.max_lag", lag, 1, "a block is built before it is posted to L1");
        uint256 open = _u64(toml, ".rollup.open_after");
        uint256 relay = _u64(toml, ".rollup.relay_deadline");
        uint256 upgrade = _u64(toml, ".rollup.upgrade_delay");
        uint256 delay = _u64(toml, ".forced.delay");
        uint256 grace = _u64(toml, ".forced.grace");
        uint256 expiry = _u64(toml, ".forced.expiry");
        _atLeast(".rollup.open_after", open, lag + 1, "more than rollup.max_lag");
        _atLeast(".rollup.relay_deadline", relay, lag + 1, "more than rollup.max_lag");
        _atLeast(".forced.delay", delay, lag + 1, "more than rollup.max_lag");
        _atLeast(
            ".forced.expiry",
            expiry,
            2 * (lag + open),
            "twice rollup.max_lag and rollup.open_after together"
        );
        _atLeast(
            ".forced.expiry",
            expiry,
            lag + open + RESCUE,
            "rollup.max_lag, rollup.open_after and a day together"
        );
        _atLeast(
            ".rollup.upgrade_delay",
            upgrade,
            NOTICE + delay + grace + lag + 2 * open + EXIT_MARGIN + _guardian(toml).pause,
            "two days, forced.delay, forced.grace, rollup.max_lag, twice rollup.open_after and guardian.pause together"
        );
        _require(
            upgrade <= type(uint32).max,
            ".rollup.upgrade_delay",
            upgrade,
            "at most 4294967295: a rollup whose rules never change has no rollup.owner"
        );
        _atMost(
            ".forced.expiry",
            expiry,
            relay + delay + grace,
            type(uint32).max,
            "with rollup.relay_deadline, forced.delay and forced.grace"
        );
        _requireRing(toml, relay, lag + open);
        _requireLostAfter(toml, relay, lag, open);
    }

    /// @dev Checks that the duties of a block fit into the block and into L1; see `RollupRules`.
    function _requireCapacity(string memory toml, uint256 gasLimit) internal view virtual {
        if (gasLimit < Capacity.RELAY_GAS || gasLimit > type(uint32).max) {
            revert ValueInvalid(
                "l2.genesis.header",
                string.concat("of a block with a gas limit of ", vm.toString(gasLimit)),
                string.concat(
                    "that of a block with a gas limit from ",
                    vm.toString(Capacity.RELAY_GAS),
                    ", the gas of the required relays, to ",
                    vm.toString(type(uint32).max)
                )
            );
        }
        uint256 room = gasLimit < Capacity.TRANSACTION_GAS ? gasLimit : Capacity.TRANSACTION_GAS;
        _requireRelayable(toml, room);
        if (room > Capacity.DUTY_GAS) room = Capacity.DUTY_GAS;
        _requireForceable(toml, ".forced.max_gas", room);
        _requireForceable(toml, ".forced.max_bounded_gas", room);
    }

    /// @dev Checks that a single L2 transaction can relay the largest message.
    function _requireRelayable(string memory toml, uint256 room) private pure {
        uint256 gas = _u64(toml, ".messages.max_gas");
        uint256 data = _u64(toml, ".messages.max_data");
        string memory why =
            string.concat("relayed in one L2 transaction, of ", vm.toString(room), " gas at most");
        // A call retains a 64th of the gas, see `Delivery.required`.
        uint256 spare = room - Messages.relayGas(0, 0);
        uint256 maximum = spare / 64 * 63 + (spare % 64 == 63 ? 62 : spare % 64);
        string memory rule =
            string.concat("at most ", vm.toString(maximum), ": a message without data is ", why);
        _require(gas <= maximum, ".messages.max_gas", gas, rule);
        maximum = (room - Messages.relayGas(gas, 0)) / Messages.RELAY_PER_BYTE;
        rule = string.concat(
            "at most ", vm.toString(maximum), ": a message with messages.max_gas is ", why
        );
        _require(data <= maximum, ".messages.max_data", data, rule);
    }

    /// @dev Checks that the gas limit is sufficient for a transaction, and that a block can include
    /// it.
    function _requireForceable(string memory toml, string memory key, uint256 room) private pure {
        uint256 gas = _u64(toml, key);
        _atLeast(key, gas, LEAST_GAS, "the minimum gas of a forced transaction");
        string memory rule = string.concat(
            "at most ", vm.toString(room), ": the most that a block can be required to include"
        );
        _require(gas <= room, key, gas, rule);
    }

    /// @dev Checks that the genesis is not later than L1; otherwise the rollup could not have any
    /// block.
    function _requireBegun(uint64 timestamp) internal view {
        // The precision of L1 timestamps is sufficient.
        // forge-lint: disable-next-line(block-timestamp)
        if (timestamp <= block.timestamp) return;
        revert ValueInvalid(
            "l2.genesis.header",
            string.concat("of a block at the time ", vm.toString(timestamp)),
            string.concat(
                "that of a block no later than L1, which is at ", vm.toString(block.timestamp)
            )
        );
    }

    /// @dev Checks that no anchor is in force before the first update.
    function _requireUnanchored(bytes32 anchor) internal pure {
        if (anchor == 0) return;
        revert ValueInvalid(
            "l2.genesis.header",
            string.concat("of a block with the parent beacon block root ", vm.toString(anchor)),
            "that of a block whose parent beacon block root is zero: any other is an anchor over messages that were never sent"
        );
    }

    function _atMost(
        string memory key,
        uint256 value,
        uint256 others,
        uint256 maximum,
        string memory what
    ) private pure {
        string memory rule = string.concat(
            "at most ",
            vm.toString(maximum),
            " ",
            what,
            ", which make ",
            vm.toString(others),
            "; together that is ",
            vm.toString(value + others)
        );
        _require(value + others <= maximum, key, value, rule);
    }
}
