// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @title What stands in for EXECUTE where its verdict is not the subject
/// @notice It answers every input as EXECUTE answers a valid one. What is valid is tested with the real
/// EXECUTE only; these tests are about what the rollup does with the answer.
contract AlwaysValid {
    fallback() external {
        assembly ("memory-safe") {
            // Root (left zero), flag, chain id as in the input, schema id in the other byte order.
            mstore8(0x20, 1)
            calldatacopy(0x21, 10, 8)
            calldatacopy(0x29, 1, 1)
            calldatacopy(0x2a, 0, 1)
            return(0x00, 43)
        }
    }
}

/// @dev Answers every call with the same bytes.
contract Parrot {
    bytes internal answer;

    function teach(bytes calldata answer_) external {
        answer = answer_;
    }

    fallback() external {
        bytes memory a = answer;
        assembly ("memory-safe") {
            return(add(a, 0x20), mload(a))
        }
    }
}
