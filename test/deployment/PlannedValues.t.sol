// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {RollupExit} from "../../contracts/exit/RollupExit.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {OpenSequencing} from "../../contracts/sequencing/OpenSequencing.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {RotatingSequencing} from "../../contracts/sequencing/RotatingSequencing.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {VerifyFixture} from "./VerifyFixture.sol";

/// @dev Every value of a configuration file ends up in its place in the contracts, and every
/// address in the deployment file: no two of the values are equal.
contract PlannedValuesTest is VerifyFixture {
    /// @dev Returns the plan of the example with other values, and this policy.
    function planWith(string memory policy) private returns (Deploy.Plan memory) {
        string[2][] memory changes = new string[2][](13);
        changes[0] = ["chain_id = 8079", "chain_id = 8083"];
        changes[1] = [NO_OWNER, OWNER];
        changes[2] = ["max_lag = 3600\nopen_after = 7200", "max_lag = 3601\nopen_after = 7202"];
        changes[3] = ["relay_deadline = 43200", "relay_deadline = 43203"];
        changes[4] = ["upgrade_delay = 604800", "upgrade_delay = 604804"];
        changes[5] = [
            "max_gas = 1000000\nmax_data = 10000\nfee_percent = 100",
            "max_gas = 1000005\nmax_data = 10006\nfee_percent = 107"
        ];
        changes[6] = ["delay = 86400\ngrace = 7200", "delay = 86408\ngrace = 7209"];
        changes[7] = ["expiry = 172800", "expiry = 172810"];
        changes[8] = [
            "max_gas = 300000\nmax_bounded_gas = 1000000\nfee_percent = 100",
            "max_gas = 300011\nmax_bounded_gas = 1000012\nfee_percent = 113"
        ];
        changes[9] = ["policy = \"none\"", policy];
        changes[10] = ["checkpoints = 16382", "checkpoints = 16384"];
        changes[11] = ["l1_slot_millis = 6000", "l1_slot_millis = 6015"];
        changes[12] = ["lost_after = 5184000", "lost_after = 5184016"];
        return planOf(changes);
    }

    function permissioned() private returns (Deploy.Plan memory) {
        return planWith(
            "policy = \"permissioned\"\ntimeout = 5414\n"
            "sequencer = \"0x00000000000000000000000000000000000000bb\"\n"
            "fee_recipient = \"0x00000000000000000000000000000000000000cc\""
        );
    }

    function test_queues_have_values_of_file() public {
        Deploy.Plan memory p = permissioned();
        certifier.deployAll(p);
        L1MessageQueue q = L1MessageQueue(p.messageQueue);
        assertEq(q.ROLLUP(), p.rollup);
        assertEq(q.MAX_GAS(), 1_000_005);
        assertEq(q.MAX_DATA(), 10_006);
        assertEq(q.FEE_PERCENT(), 107);
        assertEq(q.CHECKPOINTS(), 16_384);
        assertEq(q.EXIT_CONTRACT(), p.exit);
        assertEq(RollupExit(p.exit).LOST_AFTER(), 5_184_016);
        assertEq(RollupExit(p.exit).MESSAGE_QUEUE(), p.messageQueue);
        ForcedInbox i = ForcedInbox(p.forced);
        assertEq(i.ROLLUP(), p.rollup);
        assertEq(i.CHAIN_ID(), 8083);
        assertEq(i.DELAY(), 86_408);
        assertEq(i.GRACE(), 7209);
        assertEq(i.EXPIRY(), 172_810);
        assertEq(i.MAX_GAS(), 300_011);
        assertEq(i.MAX_BOUNDED_GAS(), 1_000_012);
        assertEq(i.FEE_PERCENT(), 113);
        assertEq(i.BOUNDED_TARGET(), p.l2Bridge);
    }

    function test_rollup_has_values_of_file() public {
        Deploy.Plan memory p = permissioned();
        certifier.deployAll(p);
        NativeRollup r = NativeRollup(p.rollup);
        assertEq(r.CHAIN_ID(), 8083);
        assertEq(r.MAX_LAG(), 3601);
        assertEq(r.OPEN_AFTER(), 7202);
        assertEq(r.RELAY_DEADLINE(), 43_203);
        assertEq(r.UPGRADE_DELAY(), 604_804);
        assertEq(r.MESSAGE_QUEUE(), p.messageQueue);
        assertEq(r.FORCED(), p.forced);
        assertEq(r.policy(), p.policy);
        assertEq(r.owner(), address(0xaa));
        assertEq(r.head().timestamp, l2.timestamp);
        IRollup.Fork memory fork = r.forks(0);
        assertEq(fork.schema, 0x1201);
        assertEq(fork.from, l2.timestamp);
    }

    function test_policies_have_values_of_file() public {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = permissioned();
        certifier.deployAll(p);
        PermissionedSequencing one = PermissionedSequencing(p.policy);
        assertEq(one.sequencer(), address(0xbb));
        assertEq(one.FEE_RECIPIENT(), address(0xcc));
        assertEq(one.TIMEOUT(), 5414);
        vm.revertToState(before);

        p = planWith(
            "policy = \"rotating\"\ntimeout = 5415\nstart = 1699999916\nslot_length = 67\n"
            "members = [\"0x00000000000000000000000000000000000000bb\", "
            "\"0x00000000000000000000000000000000000000cc\"]"
        );
        certifier.deployAll(p);
        RotatingSequencing many = RotatingSequencing(p.policy);
        assertEq(many.PLACES(), 2);
        assertEq(many.members(0), address(0xbb));
        assertEq(many.members(1), address(0xcc));
        assertEq(many.START(), 1_699_999_916);
        assertEq(many.SLOT_LENGTH(), 67);
        assertEq(many.TIMEOUT(), 5415);
        vm.revertToState(before);

        p = planWith(
            "policy = \"open\"\nfees = 2\n"
            "fee_recipient = \"0x00000000000000000000000000000000000000dd\""
        );
        certifier.deployAll(p);
        OpenSequencing any = OpenSequencing(p.policy);
        assertEq(uint256(any.FEES()), uint256(OpenSequencing.Fees.Fixed));
        assertEq(any.FEE_RECIPIENT(), address(0xdd));
    }

    function test_deployment_file_contains_each_value() public {
        Deploy.Plan memory p = permissioned();
        string memory folder = "cache/planned-values";
        p.file = string.concat(folder, "/deployment.json");
        vm.roll(77);
        certifier.write(p);
        string memory json = vm.readFile(p.file);
        vm.removeDir(folder, true);
        assertEq(vm.parseJsonUint(json, ".l1ChainId"), block.chainid);
        assertEq(vm.parseJsonUint(json, ".l1Block"), 77);
        assertEq(vm.parseJsonUint(json, ".l2ChainId"), 8083);
        assertEq(vm.parseJsonBytes32(json, ".genesisHash"), p.genesis.blockHash);
        assertEq(vm.parseJsonBytes32(json, ".genesisStateRoot"), l2.stateRoot);
        assertEq(vm.parseJsonAddress(json, ".deployer"), address(certifier));
        assertEq(vm.parseJsonAddress(json, ".rollup"), p.rollup);
        assertEq(vm.parseJsonAddress(json, ".messageQueue"), p.messageQueue);
        assertEq(vm.parseJsonAddress(json, ".forced"), p.forced);
        assertEq(vm.parseJsonAddress(json, ".policy"), p.policy);
        assertEq(vm.parseJsonAddress(json, ".l1Bridge"), p.l1Bridge);
        assertEq(vm.parseJsonAddress(json, ".l2Bridge"), p.l2Bridge);
        assertNotEq(p.l1Bridge, p.l2Bridge);
        assertNotEq(block.chainid, 8083);
    }
}
