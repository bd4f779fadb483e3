// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FeeVault} from "../../contracts/dialects/FeeVault.sol";
import {DraftExecute} from "../../contracts/libraries/DraftExecute.sol";
import {FeeVaultFixture} from "../dialects/FeeVault.t.sol";
import {L2} from "../utils/L2.sol";

/// @dev Measures a call with a warm EXECUTE of the draft, as precompiles always are.
contract DraftMeter {
    function measure(address to, bytes memory data) external returns (uint256 used) {
        (bool ok,) = DraftExecute.PRECOMPILE.staticcall{gas: 1000}("");
        assert(!ok);
        used = gasleft();
        assembly ("memory-safe") {
            ok := call(gas(), to, 0, add(data, 0x20), mload(data), 0, 0)
        }
        used -= gasleft();
        require(ok, "what is measured must succeed");
    }
}

/// @dev Gas of crediting a treasury, excluding calldata and the charge of EXECUTE, as stated in
/// docs/dialects.md.
/// forge-config: default.isolate = true
contract FeeVaultGasTest is FeeVaultFixture {
    using L2 for L2.Chain;

    function test_gas_of_block_and_of_claim() public {
        // Head and credit are not zero before.
        add(bob);
        bytes memory input = seal(bob).input;
        (bool valid,, uint64 charge) = L2.verify(input, PROFILE);
        assertTrue(valid);
        bytes memory call = abi.encodeCall(FeeVault.advance, (input));
        DraftMeter meter = new DraftMeter();
        address blank = makeAddr("blank");
        vm.etch(blank, hex"00");
        uint256 overhead = meter.measure(blank, call);
        uint256 used = 21_000 + meter.measure(address(vault), call) - overhead - charge;
        vm.snapshotValue("gas", "fee vault: a block, without calldata and EXECUTE", used);

        vm.deal(address(vault), 1 ether);
        vm.deal(treasury, 1);
        vm.prank(treasury);
        vault.claim(1);
        vm.snapshotValue("gas", "fee vault: a claim, in all", vm.lastCallGas().gasTotalUsed);
    }
}
