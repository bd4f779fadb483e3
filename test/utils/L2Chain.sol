// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IL1Anchor} from "../../contracts/interfaces/IL1Anchor.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {L1Anchor} from "../../contracts/l2/L1Anchor.sol";
import {L2Accounts} from "../../contracts/l2/L2Accounts.sol";
import {L2Messenger} from "../../contracts/l2/L2Messenger.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";
import {MessageCodec} from "./MessageCodec.sol";
import {SystemContracts} from "./SystemContracts.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title L2 with its predeploys, and the messages of an L1 queue
abstract contract L2Chain is Test, SystemContracts {
    uint256 internal constant PREMINT = 1e30;

    L1Anchor internal anchor = L1Anchor(Predeploys.L1_ANCHOR);
    L2Messenger internal messenger = L2Messenger(Predeploys.L2_MESSENGER);
    L2Accounts internal accounts = L2Accounts(payable(Predeploys.L2_ACCOUNTS));

    address internal alice = makeAddr("alice, who sends on L1");
    address internal relayer = makeAddr("relayer");

    /// @dev All messages sent so far.
    IL2Messenger.Message[] internal queue;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        installBeaconRoots();
        vm.etch(address(anchor), vm.getDeployedCode("L1Anchor.sol:L1Anchor"));
        vm.etch(address(messenger), vm.getDeployedCode("L2Messenger.sol:L2Messenger"));
        vm.etch(address(accounts), vm.getDeployedCode("L2Accounts.sol:L2Accounts"));
        vm.deal(address(messenger), PREMINT);
    }

    /// @dev Sends a message from alice with 100,000 gas.
    function send(address to, uint128 value, bytes memory data) internal returns (uint256 index) {
        return send(alice, to, value, 0, 100_000, data);
    }

    function send(
        address sender,
        address to,
        uint128 value,
        uint128 fee,
        uint64 gasLimit,
        bytes memory data
    ) internal returns (uint256 index) {
        index = queue.length;
        queue.push(
            IL2Messenger.Message({
                sender: sender,
                to: to,
                refundTo: address(0),
                value: value,
                fee: fee,
                gasLimit: gasLimit,
                index: SafeCastLib.toUint64(index),
                data: data
            })
        );
    }

    /// @dev Begins an L2 block with an anchor that covers all messages, and proves that anchor.
    function anchorQueue() internal {
        IL1Anchor.Anchor memory a = anchor.latest();
        a.l1BlockNumber += 1;
        a.l1BlockHash = keccak256(abi.encode(a.l1BlockNumber));
        a.messageCount = uint64(queue.length);
        a.messageRoot = MessageCodec.fold(0, queue);
        skip(2);
        beginBlock(keccak256(abi.encode(a)));
        anchor.prove(a);
    }

    /// @dev Returns messages `from` to `to` (exclusive) in the packed format.
    function packed(uint256 from, uint256 to) internal view returns (bytes memory) {
        return MessageCodec.pack(MessageCodec.slice(queue, from, to));
    }

    /// @dev Returns the rolling hash over the first `count` messages.
    function rootAt(uint256 count) internal view returns (bytes32) {
        return MessageCodec.fold(0, MessageCodec.slice(queue, 0, count));
    }

    /// @dev Returns the hashes of messages `from` to `to` (exclusive).
    function hashes(uint256 from, uint256 to) internal view returns (bytes32[] memory) {
        return MessageCodec.hashes(MessageCodec.slice(queue, from, to));
    }

    /// @dev Anchors and relays all messages that have not been relayed.
    function relayAll() internal {
        anchorQueue();
        (uint64 count,) = messenger.relayed();
        messenger.relay(packed(count, queue.length), relayer);
    }

    function assertRelayed(uint256 count) internal view {
        (uint64 gotCount, bytes32 gotRoot) = messenger.relayed();
        assertEq(gotCount, count);
        assertEq(gotRoot, rootAt(count));
    }

    function isFailed(uint256 index) internal view returns (bool) {
        return messenger.isFailed(MessageCodec.hash(queue[index]));
    }
}
