// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice Calls EXECUTE and stores the hash of what it returns.
contract Caller {
    event Executed(address indexed by, bytes32 digest);

    uint256 public count;
    bytes32 public digest;

    constructor(uint256 start) payable {
        count = start;
    }

    function bump() external payable returns (uint256) {
        emit Executed(msg.sender, digest);
        return ++count;
    }

    function execute(bytes calldata input) external {
        (bool valid, bytes memory result) = address(0x0101).call(input);
        require(valid && result.length == 43, "EXECUTE refuses the block");
        digest = keccak256(result);
        emit Executed(msg.sender, digest);
    }
}
