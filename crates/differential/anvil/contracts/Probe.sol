// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice Target of the parity scripts: storage, logs, failures of each kind, calls and creations.
contract Probe {
    event Noted(address indexed by, uint256 indexed value, uint256 other);

    error Refused(address by, uint256 value);

    uint256 public value;
    mapping(address => uint256) public notes;
    address public child;

    constructor() payable {
        value = 1;
    }

    receive() external payable {}

    function set(uint256 to) external payable {
        value = to;
        notes[msg.sender] = to;
        emit Noted(msg.sender, to, block.number);
    }

    function many(uint256 count) external {
        for (uint256 i = 0; i < count; ++i) {
            emit Noted(msg.sender, i, count);
        }
    }

    function refuse() external pure {
        revert("refused with words");
    }

    function refuseCustom(uint256 with) external view {
        revert Refused(msg.sender, with);
    }

    function refuseBare() external pure {
        assembly {
            revert(0, 0)
        }
    }

    function panics(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function halts() external pure {
        assembly {
            invalid()
        }
    }

    function burn(uint256 rounds) external {
        for (uint256 i = 0; i < rounds; ++i) {
            value = uint256(keccak256(abi.encode(value, i)));
        }
    }

    function pay(address payable to, uint256 amount) external {
        (bool paid,) = to.call{value: amount}("");
        require(paid, "not paid");
    }

    function nest(uint256 depth) external returns (uint256) {
        if (depth == 0) return gasleft() > 0 ? 1 : 0;
        return Probe(payable(address(this))).nest(depth - 1) + 1;
    }

    function spawn() external payable {
        child = address(new Child{value: msg.value}());
    }

    function spawn2(bytes32 salt) external {
        child = address(new Child{salt: salt}());
    }

    function destroyChild() external {
        Child(child).destroy(payable(msg.sender));
    }

    function where() external view returns (uint256, uint256, uint256, uint256, address) {
        return (block.number, block.timestamp, block.basefee, block.chainid, block.coinbase);
    }

    function hashOf(uint256 number) external view returns (bytes32) {
        return blockhash(number);
    }

    function balanceOf(address of_) external view returns (uint256) {
        return notes[of_];
    }
}

contract Child {
    uint256 public born = block.number;

    constructor() payable {}

    function destroy(address payable to) external {
        selfdestruct(to);
    }
}
