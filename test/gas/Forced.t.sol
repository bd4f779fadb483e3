// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {L2} from "../utils/L2.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev L1 gas of forced transactions.
/// forge-config: default.isolate = true
contract ForcedGasTest is GasFixture {
    using L2 for L2.Chain;

    uint256 internal constant SUBMIT_BOUND = 100_000;
    uint256 internal constant DISCHARGE_BOUND = 12_000;

    function dischargeCost(uint256 count) internal returns (uint256) {
        IRollup.Evidence memory e;
        if (count != 0) {
            IRollup.Discharge[] memory some = new IRollup.Discharge[](count);
            for (uint64 i = 0; i < count; ++i) {
                bytes memory raw = signedTransfer("alice", i, 100 gwei);
                some[i] = discharge(submit(raw), IRollup.Outcome.Included);
                some[i].position = i;
            }
            e.forced = new IRollup.ForcedBatch[](1);
            e.forced[0].discharges = some;
        }
        for (uint64 i = 0; i < 4; ++i) {
            l2.raw(signedTransfer("alice", i, 100 gwei));
        }
        nextL1Block();
        bytes memory call = advanceCall(one(l2.seal()), e);
        // EXECUTE is so expensive that work determines the cost of the transaction, not its
        // calldata: at the floor of EIP-7623 there are no refunds.
        installExecute("gas=flat");
        uint256 used = costOfAdvance(call).beyondCalldata;
        // A slot is cleared for each; the refund is below the maximum of a fifth of the
        // transaction's gas.
        return used - uint64(vm.lastCallGas().gasRefunded);
    }

    function test_gas_of_discharges_by_index() public {
        uint256 state = vm.snapshotState();
        uint256 one_ = dischargeCost(1);
        vm.revertToState(state);
        uint256 four = dischargeCost(4);
        vm.snapshotValue("gas", "forced transaction: discharge by index", (four - one_) / 3);
        assertLe((four - one_) / 3, DISCHARGE_BOUND);
    }

    function test_gas_of_submitting() public {
        submit(signedTransfer("alice", 0, 100 gwei));
        bytes memory raw = signedTransfer("alice", 1, 100 gwei);
        Cost memory c = cost(address(inbox), 0, abi.encodeCall(inbox.submit, (raw)));
        vm.snapshotValue(
            "gas", "forced transaction: submit a transfer, without calldata", c.beyondCalldata
        );
        vm.snapshotValue("gas", "forced transaction: submit a transfer, in all", c.inAll);
        assertLe(c.inAll, SUBMIT_BOUND);
    }
}
