// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Caller} from "../src/Caller.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

contract Deploy {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external returns (Caller caller) {
        VM.startBroadcast();
        caller = new Caller{value: 7}(1);
        caller.bump();
        caller.bump{value: 3}();
        VM.stopBroadcast();
        require(caller.count() == 3, "count");
    }
}
