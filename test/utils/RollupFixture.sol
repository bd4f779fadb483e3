// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {RollupParts} from "./RollupParts.sol";
import {StatelessInputs} from "./StatelessInputs.sol";

/// @title A rollup and its queues on an L1 without EXECUTE, and the next input for it
/// @notice For what comes before EXECUTE is called, or where it is not; all else is tested with real
/// blocks, see `RealRollup`.
abstract contract RollupFixture is RollupParts {
    address internal constant EXECUTE = address(0x0101);
    uint32 internal constant GAS_LIMIT = 12_000_000;
    uint64 internal constant RING = 8191;

    function setUp() public virtual {
        startL1();
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
        makeQueues(maxGas, maxData);
        c.inbox = address(queue);
        c.forced = address(inbox);
        return c;
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
        return configOf(schema, GAS_LIMIT);
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
}
