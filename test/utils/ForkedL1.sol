// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {ForkRegistry} from "./ForkRegistry.sol";
import {IL2} from "./IL2.sol";
import {L2} from "./L2.sol";
import {RealRollup} from "./RealRollup.sol";

/// @title Rollup without an owner on an L1 that forks from Prague to Osaka, BPO2 and Amsterdam
/// @dev EXECUTE accepts at each timestamp the fork that L1 has then. `hardfork` models a fork of
/// L1: the registry gets the new entry.
abstract contract ForkedL1 is RealRollup {
    using L2 for L2.Chain;

    uint16 internal constant BPO1 = 0x1301;
    uint16 internal constant BPO2 = 0x1401;
    uint64 internal constant OSAKA_AT = 1_700_010_000;
    uint64 internal constant BPO2_AT = 1_700_020_000;
    uint64 internal constant AMSTERDAM_AT = 1_700_030_000;

    IRollup.ForkMode internal mode;
    address internal owner;
    ForkRegistry internal registry = ForkRegistry(0x00005e9c1447C1A05A642ec9eB76D9C125468357);

    function setUp() public virtual override {
        vm.etch(address(registry), vm.getDeployedCode("ForkRegistry.sol:ForkRegistry"));
        registry.set(L2.PRAGUE);
        super.setUp();
        installExecute("l1=prague,osaka@1700010000,bpo2@1700020000,amsterdam@1700030000");
    }

    function genesis() internal view virtual override returns (IL2.Genesis memory g) {
        g = super.genesis();
        g.schema = L2.PRAGUE;
    }

    function config() internal view virtual override returns (IRollup.Config memory c) {
        c = super.config();
        c.forkMode = mode;
        c.owner = owner;
    }

    /// @dev Restarts the L2, with a rollup of this mode.
    function restart(IRollup.ForkMode mode_) internal {
        mode = mode_;
        l2.create(genesis());
        deploy();
        nextL1Block();
    }

    /// @dev Moves L1 to the first block of a fork.
    function hardfork(uint16 schema, uint64 time) internal {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(time);
        registry.set(schema);
    }

    /// @dev Seals a block with a transfer, under the current fork of the L2 and with this
    /// timestamp.
    function sealAt(uint64 time) internal returns (bytes memory) {
        l2.transfer("alice", bob, 1);
        IL2.Block memory b = l2.next();
        b.timestamp = time;
        return l2.seal(b);
    }

    function sealNow() internal returns (bytes memory) {
        return sealAt(uint64(vm.getBlockTimestamp()));
    }
}
