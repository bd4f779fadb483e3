// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {DeterministicDeployer} from "../../contracts/deployment/DeterministicDeployer.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {ForgedQueue, ForgedRollup, Forgery} from "../utils/Forgeries.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {VerifyFixture} from "./VerifyFixture.sol";

/// @dev A deployer whose init code writes to storage before the constructors run: no such
/// deployment passes verification.
contract VerifyForgeriesTest is VerifyFixture {
    /// @dev Arguments of the message queue, without the guardian.
    struct QueueArguments {
        address rollup;
        address exit_;
        uint64 gas;
        uint64 data;
        uint64 percent;
        uint64 places;
    }

    /// @dev Deploys as configured, except that the rollup starts with another value in a slot.
    function deployForged(Deploy.Plan memory p, uint256 slot, bytes32 value) private {
        Forgery[] memory forgeries = new Forgery[](1);
        forgeries[0] = Forgery(bytes32(slot), value);
        for (uint256 i = 0; i < p.parts.length; ++i) {
            Deploy.Part memory part = p.parts[i];
            bytes memory initCode = part.initCode;
            if (part.place == p.rollup) {
                (bytes memory header, IRollup.Config memory config) = abi.decode(
                    arguments(initCode, type(NativeRollup).creationCode.length),
                    (bytes, IRollup.Config)
                );
                initCode = abi.encodePacked(
                    type(ForgedRollup).creationCode, abi.encode(header, config, forgeries)
                );
            }
            DeterministicDeployer factory = certifier.factory();
            vm.prank(p.deployer);
            factory.deploy(part.salt, initCode);
        }
    }

    function arguments(bytes memory initCode, uint256 codeLength)
        private
        pure
        returns (bytes memory result)
    {
        result = new bytes(initCode.length - codeLength);
        for (uint256 i = 0; i < result.length; ++i) {
            result[i] = initCode[codeLength + i];
        }
    }

    function expectForgeryRefused(uint256 slot, bytes32 value, bytes memory error_) private {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        deployForged(p, slot, value);
        vm.expectRevert(error_);
        certifier.certify(p);
        vm.revertToState(before);
    }

    /// @dev Returns the value of a slot of the rollup as configured.
    function trueValue(uint256 slot) private returns (uint256 value) {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        value = uint256(vm.load(p.rollup, bytes32(slot)));
        vm.revertToState(before);
    }

    function test_forged_rollup_state_is_not_certified() public {
        bytes32 forged = keccak256("forged");
        address thief = makeAddr("thief");
        bytes32 thiefWord = bytes32(uint256(uint160(thief)));
        bytes4 genesis = Deploy.GenesisMismatch.selector;
        // The state root under the true hash: any message could be claimed against it.
        expectForgeryRefused(
            5, forged, abi.encodeWithSelector(genesis, "state root", forged, l2.stateRoot)
        );
        expectForgeryRefused(
            1,
            forged,
            abi.encodeWithSelector(
                genesis, "block hash", forged, keccak256(GenesisHeaders.encode(l2))
            )
        );
        expectForgeryRefused(
            2, forged, abi.encodeWithSelector(genesis, "anchor", forged, l2.anchor)
        );
        uint256 head = trueValue(0);
        expectForgeryRefused(
            0,
            bytes32(head + (1 << 48)),
            abi.encodeWithSelector(
                genesis,
                "timestamp",
                bytes32(uint256(l2.timestamp) + 1),
                bytes32(uint256(l2.timestamp))
            )
        );
        uint256 rules = trueValue(3);
        expectForgeryRefused(
            3,
            bytes32(rules | uint160(thief)),
            abi.encodeWithSelector(Deploy.PolicyMismatch.selector, thief, address(0))
        );
        expectForgeryRefused(
            3,
            bytes32(rules + (1 << 160)),
            abi.encodeWithSelector(
                Deploy.GasLimitMismatch.selector, "latest", l2.gasLimit + 1, l2.gasLimit
            )
        );
        expectForgeryRefused(
            3,
            bytes32(rules + (1 << 192)),
            abi.encodeWithSelector(
                Deploy.GasLimitMismatch.selector, "target", l2.gasLimit + 1, l2.gasLimit
            )
        );
        expectForgeryRefused(
            8196,
            thiefWord,
            abi.encodeWithSelector(Deploy.OwnerMismatch.selector, thief, address(0))
        );
        expectForgeryRefused(
            8197, thiefWord, abi.encodeWithSelector(Deploy.OwnershipOffered.selector, thief)
        );
        expectForgeryRefused(
            8198,
            bytes32(uint256(2)),
            abi.encodeWithSelector(Deploy.ForkCountMismatch.selector, 2, 1)
        );
        uint256 firstFork = uint256(keccak256(abi.encode(8198)));
        uint256 fork = trueValue(firstFork);
        expectForgeryRefused(
            firstFork,
            bytes32(fork + 1),
            abi.encodeWithSelector(Deploy.ForkSchemaMismatch.selector, 0, l2.schema + 1, l2.schema)
        );
        expectForgeryRefused(
            firstFork,
            bytes32(fork + (1 << 16)),
            abi.encodeWithSelector(
                Deploy.ForkTimeMismatch.selector, 0, l2.timestamp + 1, l2.timestamp
            )
        );
    }

    /// @dev The schema in force is stored separately from the schedule, and so are duties and
    /// announced changes.
    function test_init_code_reveals_forged_state_without_getter() public {
        uint256 rules = trueValue(3);
        uint256[2][4] memory forgeries = [
            [3, rules + (1 << 224)],
            [3, rules + (1 << 240)],
            [4, uint256(0)],
            [uint256(8199), uint256(1)]
        ];
        for (uint256 i = 0; i < forgeries.length; ++i) {
            uint256 before = vm.snapshotState();
            Deploy.Plan memory p = plan();
            deployForged(p, forgeries[i][0], bytes32(forgeries[i][1]));
            vm.expectPartialRevert(Deploy.InitCodeMismatch.selector);
            certifier.certify(p);
            vm.revertToState(before);
        }
    }

    /// @dev This queue starts with a proven storage root of the messenger that never existed.
    function test_queue_with_initial_proven_messages_is_not_certified() public {
        Deploy.Plan memory p = plan();
        Forgery[] memory forgeries = new Forgery[](1);
        forgeries[0] =
            Forgery(bytes32(uint256(1_048_578)), keccak256(abi.encode(0, "messages of mine")));
        QueueArguments memory a = abi.decode(
            arguments(p.parts[0].initCode, type(L1MessageQueue).creationCode.length),
            (QueueArguments)
        );
        bytes memory honest = p.parts[0].initCode;
        p.parts[0].initCode = abi.encodePacked(
            type(ForgedQueue).creationCode,
            abi.encode(a.rollup, a.exit_, a.gas, a.data, a.percent, a.places, forgeries)
        );
        certifier.deployAll(p);
        bytes32 got = keccak256(p.parts[0].initCode);
        p.parts[0].initCode = honest;
        vm.expectRevert(
            abi.encodeWithSelector(
                Deploy.InitCodeMismatch.selector,
                "L1MessageQueue",
                p.messageQueue,
                got,
                keccak256(honest)
            )
        );
        certifier.certify(p);
    }

    function test_unforged_rollup_is_certified_likewise() public {
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        certifier.certify(p);
    }

    /// @dev The code of a contract already pins the addresses of the others. Each getter is
    /// compared nevertheless. That the queues refer to the rollup is checked before by its
    /// constructor.
    function test_contracts_that_reference_others_are_rejected() public {
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        certifier.certify(p);
        address[4] memory places = [p.rollup, p.rollup, p.l1Bridge, p.l1Bridge];
        bytes4[4] memory getters = [
            IRollup.MESSAGE_QUEUE.selector,
            IRollup.FORCED.selector,
            IL1TokenBridge.MESSAGE_QUEUE.selector,
            IL1TokenBridge.L2_BRIDGE.selector
        ];
        address[4] memory right = [p.messageQueue, p.forced, p.messageQueue, p.l2Bridge];
        string[4] memory names = [
            "message queue of the rollup",
            "forced inbox of the rollup",
            "message queue of the bridge",
            "other side of the bridge"
        ];
        address other = makeAddr("other");
        for (uint256 i = 0; i < places.length; ++i) {
            vm.mockCall(places[i], abi.encodePacked(getters[i]), abi.encode(other));
            vm.expectRevert(
                abi.encodeWithSelector(Deploy.LinkMismatch.selector, names[i], other, right[i])
            );
            certifier.certify(p);
            vm.clearMockedCalls();
        }
        certifier.certify(p);
    }
}
