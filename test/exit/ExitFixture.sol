// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {RollupExit} from "../../contracts/exit/RollupExit.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Rollup whose last block is 60 days old, with its exit
abstract contract ExitFixture is RealRollup {
    using L2 for L2.Chain;

    uint64 internal constant LOST_AFTER = 60 days;
    /// @dev ETH of the accounts of the genesis.
    uint256 internal constant GENESIS = 3000 ether + 12 ether;

    address internal holder = makeAddr("contract of the L2");
    address internal delegating = makeAddr("delegating");
    address internal delegate = makeAddr("delegate");
    address internal wallet = makeAddr("multisig on L1");

    RollupExit internal exit_;

    function setUp() public virtual override {
        super.setUp();
        exit_ = new RollupExit(address(queue), LOST_AFTER);
        hoax(relayer, GENESIS);
        queue.back{value: GENESIS}();
    }

    function genesis() internal view virtual override returns (IL2.Genesis memory g) {
        g = super.genesis();
        L2.add(g, holder, 7 ether, hex"00");
        L2.add(g, delegating, 5 ether, abi.encodePacked(hex"ef0100", delegate));
    }

    function close() internal {
        skip(LOST_AFTER);
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.RELAYED_SLOT);
        exit_.close(p.nodes, p.slots[0].nodes);
        nextL1Block();
    }

    /// @dev Relays all messages, in the L1 block after the last one.
    function arrive() internal {
        nextL1Block();
        bringOver();
    }

    function expectRefused(bytes memory error_) internal {
        vm.expectRevert(error_);
    }

    /// @dev Returns a message to the L2 in the type of the queue.
    function message(uint256 index) internal view returns (IL1MessageQueue.Message memory) {
        IL2Messenger.Message memory m = sent[index];
        return IL1MessageQueue.Message(
            m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, m.data
        );
    }

    function hashOf(IL1MessageQueue.Message memory m) internal pure returns (bytes32) {
        return Messages.hash(
            Messages.Header(
                m.sender, m.to, m.refundTo, m.value, m.fee, m.gasLimit, m.index, keccak256(m.data)
            )
        );
    }

    /// @dev Returns hashes of the messages with these indices.
    function hashes(uint256 from, uint256 to) internal view returns (bytes32[] memory list) {
        list = new bytes32[](to - from);
        for (uint256 i = from; i < to; ++i) {
            list[i - from] = hashOf(message(i));
        }
    }

    function exitOf(address account) internal {
        IL2.AccountProof memory p = l2.prove(account);
        exit_.exit(account, address(0), p.nodes);
    }

    /// @dev Parks the messages that have not been relayed, in the L1 block after the last one.
    function parkAll() internal {
        nextL1Block();
        (IRollup.Evidence memory evidence, bytes32 anchor) = newAnchor();
        queueRelay(true);
        rollup.advance(one(l2.seal(anchor)), evidence);
        nextL1Block();
    }

    /// @dev Proves the messenger's slot for a message that the L2 may have kept.
    function keptProof(IL1MessageQueue.Message memory m) internal returns (bytes[] memory) {
        bytes32 slot = keccak256(abi.encode(hashOf(m), Messages.KEPT_SLOT));
        return l2.prove(MESSENGER, slot).slots[0].nodes;
    }

    /// @dev Proves an account, and appends its code.
    function proveCode(address account) internal returns (bytes[] memory proof) {
        return withCode(l2.prove(account).nodes, l2.codeOf(account));
    }

    function withCode(bytes[] memory nodes, bytes memory code)
        internal
        pure
        returns (bytes[] memory proof)
    {
        proof = new bytes[](nodes.length + 1);
        for (uint256 i = 0; i < nodes.length; ++i) {
            proof[i] = nodes[i];
        }
        proof[nodes.length] = code;
    }
}
