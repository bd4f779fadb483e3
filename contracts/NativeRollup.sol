// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {HeaderReader} from "./HeaderReader.sol";
import {Rollup} from "./Rollup.sol";
import {INativeRollup} from "./interfaces/INativeRollup.sol";
import {IRollup} from "./interfaces/IRollup.sol";
import {Execute} from "./libraries/Execute.sol";

/// @title Native rollup (EIP-8079)
/// @notice Advances the head of an L2 by blocks that EXECUTE accepts. EXECUTE is stateless and
/// independent of this rollup: it verifies that a block is a valid child of its parent under
/// Ethereum's rules, without blobs, withdrawals or anything else that is specific to L1. `Rollup`
/// verifies that the block belongs to this L2.
contract NativeRollup is Rollup, INativeRollup {
    /// @dev Reader for blocks of later forks: the address at which the deterministic deployment
    /// proxy (CREATE2) deploys `HeaderReader` with salt zero. The address commits to the code, so
    /// any account may deploy it, at any time.
    address private constant READER = 0x6cf5d6Dab3bbDf47C8105515dd28B72a8B9443b7;

    /// @param genesisHeader RLP of the header of the L2 block with which the rollup starts.
    /// @param config Rules for all later blocks.
    constructor(bytes memory genesisHeader, Config memory config) Rollup(genesisHeader, config) {}

    /// @inheritdoc INativeRollup
    function advance(bytes[] calldata inputs, Evidence calldata evidence) external {
        Tip memory tip = _begin(inputs);
        bytes32 anchorBefore = tip.anchor;
        uint256 rulesBefore = tip.rules;
        uint64 first = tip.number + 1;
        _walk(tip, inputs, evidence);
        _store(tip, anchorBefore, rulesBefore);
        // The headers of L1 prove transactions and logs, but not the calls between contracts. The
        // sender of a transaction calls other contracts first if it has code (EIP-7702).
        if (msg.sender != tx.origin || msg.sender.code.length != 0) emit Forwarded(msg.data);
        emit Advanced(first, tip.number, msg.sender, tip.inputsHash, Execute.blobs());
    }

    /// @inheritdoc IRollup
    function reportFork(bytes[] calldata inputs) external {
        Tip memory tip = _begin(inputs);
        bytes memory buffer = Execute.allocate(inputs);
        uint256 count = Execute.load(buffer, inputs[0]);
        if (count == Execute.LATER) _rejectSchema(buffer);
        bytes memory block_ = count == 0 ? buffer : Execute.blockAt(buffer, count, 0);
        (uint64 number, uint64 limit, uint64 time) = Execute.numbers(block_);
        _report(tip.rules, Execute.schema(buffer), time);
        _requireFollows(tip, buffer, block_, number, limit, time);
        Execute.run(buffer);
    }

    /// @inheritdoc Rollup
    function _judge(Tip memory tip, bytes memory input, uint256) internal view override {
        if (Execute.isLater(input)) return;
        Execute.run(input);
        tip.inputsHash = Execute.extend(tip.inputsHash, input);
    }

    /// @inheritdoc Rollup
    function _judgeLater(Tip memory tip, bytes memory input)
        internal
        view
        override
        returns (bytes memory blocks, uint256 count)
    {
        address reader = READER;
        uint32 selector = uint32(HeaderReader.read.selector);
        uint256 size;
        // Calls `HeaderReader(READER).read(input)`. The call data starts in the two words before
        // the input, which are restored afterwards, because a copy of the input would double the
        // memory.
        assembly ("memory-safe") {
            let data := sub(input, 0x24)
            let first := mload(data)
            let second := mload(sub(input, 0x20))
            mstore(data, shl(224, selector))
            mstore(sub(input, 0x20), 0x20)
            let ok := staticcall(gas(), reader, data, add(mload(input), 0x44), 0, 0)
            mstore(data, first)
            mstore(sub(input, 0x20), second)

            blocks := mload(0x40)
            size := returndatasize()
            returndatacopy(blocks, 0, size)
            if iszero(ok) { revert(blocks, size) }
            mstore(0x40, and(add(add(blocks, size), 0x1f), not(0x1f)))
            blocks := add(blocks, 0x20)
            // `Execute.REQUEST_AT`, and `HeaderReader.BLOCK_LENGTH` for each block.
            count := div(sub(mload(blocks), 18), 588)
        }
        // The reader is not deployed on this L1.
        if (size == 0) _rejectSchema(input);
        tip.inputsHash = Execute.extend(tip.inputsHash, input);
    }

    function _rejectSchema(bytes memory input) private pure {
        uint16 schema = Execute.singleOf(Execute.schema(input));
        revert SchemaNotSupported(schema, Execute.FIRST_SCHEMA, Execute.LAST_SCHEMA);
    }

    /// @inheritdoc Rollup
    function _added(uint64 number, bytes32 hash, bytes32 root) internal override {
        _stateRoots[uint256(number) % STATE_ROOTS] = root;
        emit BlockAdded(number, hash, root);
    }
}
