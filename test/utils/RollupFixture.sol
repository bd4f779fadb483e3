// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {GenesisHeaders} from "./GenesisHeaders.sol";
import {IL2} from "./IL2.sol";
import {RollupParts} from "./RollupParts.sol";
import {StatelessInputs} from "./StatelessInputs.sol";

/// @title Rollup and queues on an L1 without EXECUTE, and the next input
/// @notice For checks before the call of EXECUTE, or for an L1 without it. Everything else is
/// tested with real blocks, see `RealRollup`.
abstract contract RollupFixture is RollupParts {
    address internal constant EXECUTE = address(0x0101);
    uint32 internal constant GAS_LIMIT = 12_000_000;
    uint64 internal constant RING = 8191;

    function setUp() public virtual {
        startL1();
        rollup = deploy(StatelessInputs.OSAKA);
    }

    function deploy(uint16 schema) internal returns (NativeRollup) {
        IL2.Head memory g = genesis();
        g.schema = schema;
        return deploy(g, configOf(schema));
    }

    /// @dev Deploys a rollup with its own queues.
    function deploy(IL2.Head memory g, IRollup.Config memory c) internal returns (NativeRollup) {
        return create(g, withQueues(c, 8_000_000, 16_384));
    }

    /// @dev Deploys a rollup with the queues in its configuration.
    function create(IL2.Head memory g, IRollup.Config memory c) internal returns (NativeRollup) {
        return new NativeRollup(GenesisHeaders.encode(g), c);
    }

    /// @dev Deploys queues for the contract that is deployed next.
    function withQueues(IRollup.Config memory c, uint64 maxGas, uint64 maxData)
        internal
        returns (IRollup.Config memory)
    {
        makeQueues(maxGas, maxData);
        c.messageQueue = address(queue);
        c.forced = address(inbox);
        return c;
    }

    /// @dev Returns the genesis of an L2 that does not exist, with the hash of its header.
    function genesis() internal pure returns (IL2.Head memory g) {
        g.schema = StatelessInputs.OSAKA;
        g.timestamp = 1_699_999_000;
        g.gasLimit = GAS_LIMIT;
        g.stateRoot = keccak256("genesis state");
        g.hash = hashOf(g);
    }

    function hashOf(IL2.Head memory g) internal pure returns (bytes32) {
        return keccak256(GenesisHeaders.encode(g));
    }

    /// @dev Returns an input that passes all checks before EXECUTE.
    function nextBlock() internal view returns (StatelessInputs.Block memory) {
        IRollup.Head memory head = rollup.head();
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
}
