// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {RealRollup} from "../utils/RealRollup.sol";

/// @title Escrow with ETH of other accounts
abstract contract ClaimAttack is RealRollup {
    address internal constant TO = address(0xaaaa);

    function setUp() public override {
        super.setUp();
        send(alice, 10 ether, 0, "");
        nextL1Block();
        bringOver();
    }
}
