// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {StatelessInputs} from "./StatelessInputs.sol";
import {SystemContracts} from "./SystemContracts.sol";

/// @title A rollup and its queues on an L1 without EXECUTE, and the next input for it
/// @notice For what comes before EXECUTE is called, or where it is not; all else is tested with real
/// blocks, see `RealRollup`.
abstract contract RollupFixture is Test, SystemContracts {
    address internal constant EXECUTE = address(0x0101);
    uint64 internal constant CHAIN_ID = 80_790;
    uint32 internal constant GAS_LIMIT = 12_000_000;
    uint64 internal constant MAX_LAG = 3600;
    uint64 internal constant RING = 8191;
    uint64 internal constant OPEN_AFTER = 2 hours;
    uint64 internal constant RELAY_DEADLINE = 1 days;
    uint64 internal constant FORCED_DELAY = 1 days;
    uint64 internal constant FORCED_GRACE = 2 hours;
    uint64 internal constant FORCED_EXPIRY = 2 days;
    uint64 internal constant UPGRADE_DELAY = 7 days;

    L1MessageQueue internal queue;
    ForcedInbox internal inbox;
    NativeRollup internal rollup;

    function setUp() public virtual {
        vm.roll(20_000);
        vm.warp(1_700_000_000);
        installHistory();
        rollup = deploy(StatelessInputs.OSAKA);
    }

    function deploy(uint16 schema) internal returns (NativeRollup) {
        return deploy(genesis(), config(schema));
    }

    /// @dev A rollup with queues of its own.
    function deploy(INativeRollup.Genesis memory g, INativeRollup.Config memory c)
        internal
        returns (NativeRollup)
    {
        return new NativeRollup(g, withQueues(c, 8_000_000, 16_384));
    }

    /// @dev Makes queues for the next contract that is deployed after them.
    function withQueues(INativeRollup.Config memory c, uint64 maxGas, uint64 maxData)
        internal
        returns (INativeRollup.Config memory)
    {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        queue = new L1MessageQueue(next, maxGas, maxData, 0);
        inbox = new ForcedInbox(forcedConfig(next));
        c.inbox = address(queue);
        c.forced = address(inbox);
        return c;
    }

    function forcedConfig(address rollup_) internal pure returns (ForcedInbox.Config memory) {
        return ForcedInbox.Config({
            rollup: rollup_,
            chainId: CHAIN_ID,
            delay: FORCED_DELAY,
            grace: FORCED_GRACE,
            expiry: FORCED_EXPIRY,
            maxGas: 23_000,
            maxBoundedGas: 1_000_000,
            feePercent: 0,
            feeRecipient: address(0),
            boundedTarget: address(0)
        });
    }

    function genesis() internal pure returns (INativeRollup.Genesis memory) {
        return INativeRollup.Genesis({
            number: 0,
            timestamp: 1_699_999_000,
            blockHash: keccak256("genesis"),
            stateRoot: keccak256("genesis state"),
            anchor: keccak256("genesis anchor")
        });
    }

    function config(uint16 schema) internal view returns (INativeRollup.Config memory) {
        return INativeRollup.Config({
            chainId: CHAIN_ID,
            schema: schema,
            gasLimit: GAS_LIMIT,
            maxLag: MAX_LAG,
            openAfter: OPEN_AFTER,
            relayDeadline: RELAY_DEADLINE,
            upgradeDelay: UPGRADE_DELAY,
            inbox: address(queue),
            forced: address(inbox),
            policy: address(0),
            owner: address(0)
        });
    }

    /// @dev An input that passes all checks before EXECUTE.
    function nextBlock() internal view returns (StatelessInputs.Block memory) {
        INativeRollup.Head memory head = rollup.head();
        return StatelessInputs.Block({
            schema: rollup.schemaAt(uint64(vm.getBlockTimestamp())),
            chainId: CHAIN_ID,
            anchor: rollup.anchor(),
            parentHash: rollup.blockHash(),
            stateRoot: keccak256(abi.encode("state", head.number + 1)),
            number: head.number + 1,
            gasLimit: rollup.nextGasLimit(),
            timestamp: uint64(vm.getBlockTimestamp()),
            baseFee: 7,
            blockHash: keccak256(abi.encode("block", head.number + 1)),
            transactions: ""
        });
    }

    function one(StatelessInputs.Block memory b) internal pure returns (bytes[] memory inputs) {
        return one(StatelessInputs.encode(b));
    }

    function one(bytes memory input) internal pure returns (bytes[] memory inputs) {
        inputs = new bytes[](1);
        inputs[0] = input;
    }

    /// @dev Nothing goes with the inputs.
    function none() internal pure returns (INativeRollup.Evidence memory evidence) {}
}
