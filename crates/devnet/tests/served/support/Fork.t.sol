// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Caller} from "../src/Caller.sol";

interface Vm {
    function envAddress(string calldata name) external view returns (address);
    function envUint(string calldata name) external view returns (uint256);
}

contract ForkTest {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function testStateOfTheNodeIsReadAndChangedOnlyHere() external {
        Caller caller = Caller(VM.envAddress("CALLER"));
        uint256 count = VM.envUint("COUNT");
        require(caller.count() == count, "what the node has");
        caller.bump();
        require(caller.count() == count + 1, "what the test has done");
        require(address(caller).balance > 0, "balance of the node");
    }
}
