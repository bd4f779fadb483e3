// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {CommonBase} from "forge-std/Base.sol";

/// @title System contracts of EIP-4788 and EIP-2935 with their real code, and the system calls
abstract contract SystemContracts is CommonBase {
    address internal constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    address internal constant BEACON_ROOTS = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    bytes private constant BEACON_ROOTS_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff810690815414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500";
    bytes private constant HISTORY_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";

    /// @dev Deploys the contract of EIP-4788 (Cancun and later).
    function installBeaconRoots() internal {
        vm.etch(BEACON_ROOTS, BEACON_ROOTS_CODE);
    }

    /// @dev Deploys the contract of EIP-2935 (Prague and later).
    function installHistory() internal {
        vm.etch(HISTORY, HISTORY_CODE);
    }

    /// @dev Stores the parent beacon block root, as the start of a block does.
    function beginBlock(bytes32 parentBeaconBlockRoot) internal {
        systemCall(BEACON_ROOTS, parentBeaconBlockRoot);
    }

    /// @dev Stores the hash of block `number`, as the start of block `number + 1` does.
    function recordBlockHash(uint256 number, bytes32 hash) internal {
        uint256 current = vm.getBlockNumber();
        vm.roll(number + 1);
        systemCall(HISTORY, hash);
        vm.roll(current);
    }

    function systemCall(address target, bytes32 word) private {
        vm.prank(SYSTEM);
        (bool ok,) = target.call(abi.encode(word));
        require(ok, "system call failed");
    }
}
