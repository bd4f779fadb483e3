// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {L2} from "../utils/L2.sol";

/// @dev Handler that acts on an L2 in any order.
contract L2Handler is ExecuteTest {
    using L2 for L2.Chain;

    L2.Chain internal l2;
    uint256 public sent;
    uint256 public blocks;

    constructor() {
        installExecute("");
        l2.start();
    }

    function transfer(uint64 amount) external {
        l2.transfer(amount % 2 == 0 ? "alice" : "bob", address(0xb0b), amount);
        sent += amount;
    }

    function seal(uint16 later) external {
        skip(later);
        bytes memory input = l2.seal();
        (bool ok,) = EXECUTE.staticcall(input);
        require(ok, "a sealed block is refused");
        ++blocks;
    }

    function arrived() external returns (uint256) {
        if (l2.queue.length != 0) l2.seal();
        return l2.balanceOf(address(0xb0b));
    }
}

contract L2InvariantTest is ExecuteTest {
    L2Handler internal handler;

    function setUp() public override {
        super.setUp();
        handler = new L2Handler();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = L2Handler.transfer.selector;
        selectors[1] = L2Handler.seal.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// forge-config: default.invariant.runs = 4
    /// forge-config: default.invariant.depth = 32
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_what_was_sent_arrives() public {
        assertEq(handler.arrived(), handler.sent());
    }
}
