// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {OpenSequencing} from "../../contracts/sequencing/OpenSequencing.sol";

contract OpenSequencingTest is Test {
    function testFuzz_with_builder_anyone_may_advance_and_pay_anyone(address caller, uint64 time)
        public
    {
        OpenSequencing policy = new OpenSequencing(OpenSequencing.Fees.Builder, address(0));
        assertEq(policy.authorize(caller, time), address(0));
    }

    function testFuzz_caller_mode_pays_fees_to_advancing_account(address caller, uint64 time)
        public
    {
        OpenSequencing policy = new OpenSequencing(OpenSequencing.Fees.Caller, address(0));
        assertEq(policy.authorize(caller, time), caller);
    }

    function testFuzz_fixed_mode_pays_fees_to_one_account(
        address caller,
        uint64 time,
        address treasury
    ) public {
        vm.assume(treasury != address(0));
        OpenSequencing policy = new OpenSequencing(OpenSequencing.Fees.Fixed, treasury);
        assertEq(policy.authorize(caller, time), treasury);
    }

    function test_only_fixed_mode_has_recipient() public {
        expectInconsistent(OpenSequencing.Fees.Builder, address(1));
        expectInconsistent(OpenSequencing.Fees.Caller, address(1));
        expectInconsistent(OpenSequencing.Fees.Fixed, address(0));
        OpenSequencing policy = new OpenSequencing(OpenSequencing.Fees.Fixed, address(1));
        assertEq(uint8(policy.FEES()), uint8(OpenSequencing.Fees.Fixed));
        assertEq(policy.FEE_RECIPIENT(), address(1));
    }

    function expectInconsistent(OpenSequencing.Fees fees, address recipient) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                OpenSequencing.FeeRecipientInconsistent.selector, fees, recipient
            )
        );
        new OpenSequencing(fees, recipient);
    }
}
