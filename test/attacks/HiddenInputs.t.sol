// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {VmSafe} from "forge-std/Vm.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Inverts its calldata, and calls the rollup with the result.
contract Inverter {
    address private immutable ROLLUP;

    constructor(address rollup) {
        ROLLUP = rollup;
    }

    fallback() external {
        bytes memory data = msg.data;
        for (uint256 i = 0; i < data.length; ++i) {
            data[i] = ~data[i];
        }
        (bool ok,) = ROLLUP.call(data);
        require(ok, "advance reverted");
    }
}

/// @dev Calls the rollup while it has no code.
contract Creation {
    constructor(address rollup, bytes memory data) {
        (bool ok,) = rollup.call(data);
        require(ok, "advance reverted");
    }
}

/// @title Inputs that the calldata of a transaction does not contain
/// @notice A node derives blocks from transactions and receipts. Traces can be made longer than any
/// node reads, and no header proves them, so the rollup logs the calldata of other calls.
contract HiddenInputsTest is RealRollup {
    using L2 for L2.Chain;

    function calldataOfNext() private returns (bytes memory) {
        return abi.encodeCall(rollup.advance, (one(l2.seal()), none()));
    }

    /// @dev Asserts that the log before `Advanced` has the calldata, or that there is none if it is
    /// empty.
    function assertForwarded(bytes memory data) private {
        assertHead();
        VmSafe.Log[] memory logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != INativeRollup.Forwarded.selector) continue;
            assertEq(logs[i].emitter, address(rollup));
            assertEq(logs[i].data, abi.encode(data));
            assertEq(i + 2, logs.length);
            ++count;
        }
        assertEq(count, data.length == 0 ? 0 : 1);
    }

    /// @dev Sends a transaction of alice, and records its logs.
    function sendTransaction(address to, bytes memory data) private {
        vm.recordLogs();
        vm.prank(alice, alice);
        (bool ok,) = to.call(data);
        assertTrue(ok);
    }

    function test_advance_of_transaction_is_not_logged() public {
        bytes memory data = calldataOfNext();
        sendTransaction(address(rollup), data);
        assertForwarded("");
    }

    function test_advance_of_contract_is_logged() public {
        Inverter inverter = new Inverter(address(rollup));
        bytes memory data = calldataOfNext();
        bytes memory inverted = bytes.concat(data);
        for (uint256 i = 0; i < data.length; ++i) {
            inverted[i] = ~data[i];
        }
        sendTransaction(address(inverter), inverted);
        assertForwarded(data);
    }

    /// @dev The transaction calls the code of its sender (EIP-7702), which calls the rollup.
    function test_advance_of_delegated_sender_is_logged() public {
        vm.etch(alice, abi.encodePacked(hex"ef0100", address(this)));
        bytes memory data = calldataOfNext();
        sendTransaction(address(rollup), data);
        assertForwarded(data);
    }

    function test_advance_of_constructor_is_logged() public {
        bytes memory data = calldataOfNext();
        vm.recordLogs();
        vm.prank(alice, alice);
        new Creation(address(rollup), data);
        assertForwarded(data);
    }
}
