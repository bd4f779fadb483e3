// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Rollup whose queues require more than L1 can carry.
contract DutiesFitTest is RealRollup {
    using L2 for L2.Chain;

    uint64 internal maxGas = 44_000;
    uint64 internal maxBoundedGas = 1_000_000;
    uint32 internal gasLimit = 12_000_000;

    function genesis() internal view override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.gasLimit = gasLimit;
    }

    function test_largest_forced_transaction_fits_block() public {
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

    function test_forced_duties_fit_l1_capacity() public {
        gasLimit = 30_000_000;
        maxBoundedGas = 4_000_000;
        deploy();
        maxBoundedGas = 4_000_001;
        expectTooLarge(4_000_001, 4_000_000);
    }

    /// @dev A call of the bounded target by an alias account adds 47,800 bytes to those of the
    /// transaction.
    function test_longest_forced_transaction_fits_block_duty() public {
        this.redeployWithSize(4200);
        expectTooLong(4201, 52_001);
        expectTooLong(16_384, 64_184);
        expectTooLong(type(uint64).max, uint256(type(uint64).max) + 47_800);
    }

    function expectTooLong(uint64 size, uint256 footprint) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.FootprintTooLarge.selector, footprint, 52_000)
        );
        this.redeployWithSize(size);
    }

    function expectTooLarge(uint256 gas, uint256 limit) internal {
        vm.expectRevert(abi.encodeWithSelector(IRollup.DutiesTooLarge.selector, gas, limit));
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

    /// @dev Redeploys with a queue that claims to accept transactions of this size.
    function redeployWithSize(uint64 size) external {
        l2.create(genesis());
        makeQueues(1_000_000, 16_384);
        vm.mockCall(address(inbox), abi.encodeCall(IForcedInbox.MAX_SIZE, ()), abi.encode(size));
        rollup = new NativeRollup(GenesisHeaders.encode(l2.head), config());
    }
}
