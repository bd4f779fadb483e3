// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev A rollup whose queues ask for more than L1 could carry.
contract DutiesFitTest is RealRollup {
    using L2 for L2.Chain;

    uint64 internal maxGas = 23_000;
    uint64 internal maxBoundedGas = 1_000_000;
    uint32 internal gasLimit = 12_000_000;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.gasLimit = gasLimit;
    }

    function test_the_largest_forced_transaction_fits_a_block() public {
        maxBoundedGas = 4_000_000;
        gasLimit = 4_000_000;
        this.redeploy();
        gasLimit = 3_999_999;
        expectTooLarge(4_000_000, 3_999_999);
        gasLimit = 4_000_000;
        maxBoundedGas = 1;
        maxGas = 4_000_000;
        deploy();
        maxGas = 4_000_001;
        expectTooLarge(4_000_001, 4_000_000);
    }

    function test_no_more_can_be_forced_than_l1_carries() public {
        gasLimit = 30_000_000;
        maxBoundedGas = 8_000_000;
        deploy();
        maxBoundedGas = 8_000_001;
        expectTooLarge(8_000_001, 8_000_000);
    }

    function expectTooLarge(uint256 gas, uint256 limit) internal {
        vm.expectRevert(abi.encodeWithSelector(INativeRollup.DutiesTooLarge.selector, gas, limit));
        this.redeploy();
    }

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.maxGas = maxGas;
        c.maxBoundedGas = maxBoundedGas;
    }

    function redeploy() external {
        l2.create(genesis());
        deploy();
    }
}
