// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {L1History} from "../../contracts/libraries/L1History.sol";

contract HistoryReader {
    function hashOf(uint256 number) external view returns (bytes32) {
        return L1History.hashOf(number);
    }
}

contract L1HistoryTest is Test {
    uint256 private constant CURRENT = 20_000;
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    HistoryReader private reader = new HistoryReader();

    function setUp() public {
        vm.roll(CURRENT);
        // A constant response to every call, so that a test detects whether the contract is called.
        vm.mockCall(HISTORY, bytes(""), abi.encode(keccak256("history")));
    }

    function refused(uint256 number) private {
        vm.expectRevert(
            abi.encodeWithSelector(L1History.L1BlockUnavailable.selector, number, CURRENT)
        );
        reader.hashOf(number);
    }

    function test_last_256_hashes_come_from_blockhash() public {
        vm.setBlockhash(CURRENT - 1, keccak256("last"));
        vm.setBlockhash(CURRENT - 256, keccak256("first"));
        assertEq(reader.hashOf(CURRENT - 1), keccak256("last"));
        assertEq(reader.hashOf(CURRENT - 256), keccak256("first"));
    }

    function test_older_hashes_come_from_history_contract() public {
        vm.mockCall(HISTORY, abi.encode(CURRENT - 257), abi.encode(keccak256("older")));
        assertEq(reader.hashOf(CURRENT - 257), keccak256("older"));
        assertEq(reader.hashOf(CURRENT - 258), keccak256("history"));
    }

    function test_current_and_future_blocks_revert() public {
        refused(CURRENT);
        refused(CURRENT + 1);
        refused(CURRENT + 1000);
        refused(type(uint256).max);
    }

    function test_invalid_responses_of_history_contract_revert() public {
        bytes[4] memory answers =
            [bytes(""), new bytes(31), abi.encode(uint256(0)), abi.encode(uint256(1), uint256(2))];
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.mockCall(HISTORY, bytes(""), answers[i]);
            refused(CURRENT - 1000);
        }
        vm.mockCallRevert(HISTORY, bytes(""), abi.encode(keccak256("history")));
        refused(CURRENT - 1000);
    }
}
