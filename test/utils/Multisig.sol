// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @dev Multisig of two owners: a call is made once both have confirmed it.
contract Multisig {
    address private immutable FIRST;
    address private immutable SECOND;
    mapping(bytes32 => address) private _confirmed;

    constructor(address first, address second) {
        (FIRST, SECOND) = (first, second);
    }

    function confirm(address to, uint256 value, bytes calldata data) external {
        require(msg.sender == FIRST || msg.sender == SECOND);
        bytes32 id = keccak256(abi.encode(to, value, data));
        address before = _confirmed[id];
        if (before == address(0) || before == msg.sender) {
            _confirmed[id] = msg.sender;
            return;
        }
        delete _confirmed[id];
        (bool ok,) = to.call{value: value}(data);
        require(ok);
    }

    receive() external payable {}
}
