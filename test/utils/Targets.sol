// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {Predeploys} from "../../contracts/libraries/Predeploys.sol";

/// @dev Accepts any call, with data or without.
abstract contract Target {
    function take() internal virtual;

    fallback() external payable {
        take();
    }

    receive() external payable {
        take();
    }
}

/// @dev Stores its calldata.
contract Recorder is Target {
    struct Call {
        uint256 gas;
        address caller;
        address l1Sender;
        uint256 value;
        bytes data;
    }

    Call[] public calls;

    function count() external view returns (uint256) {
        return calls.length;
    }

    function take() internal override {
        uint256 gas = gasleft();
        address l1Sender = IL2Messenger(Predeploys.L2_MESSENGER).l1Sender();
        calls.push(Call(gas, msg.sender, l1Sender, msg.value, msg.data));
    }
}

/// @dev Reverts with `reason` until it is set to accept.
contract Moody is Target {
    bytes public reason;
    bool public accepting;
    uint256 public taken;

    constructor(bytes memory reason_) {
        reason = reason_;
    }

    function accept(bool accepting_) external {
        accepting = accepting_;
    }

    function take() internal override {
        if (!accepting) {
            bytes memory r = reason;
            assembly ("memory-safe") {
                revert(add(r, 0x20), mload(r))
            }
        }
        ++taken;
    }
}

/// @dev Uses all the gas that it receives.
contract Burner is Target {
    function take() internal pure override {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @dev Calls back with the given data, and forwards the result.
contract Reentrant is Target {
    bytes public inner;
    address public target;

    function prepare(address target_, bytes calldata inner_) external {
        target = target_;
        inner = inner_;
    }

    function take() internal override {
        (bool ok, bytes memory answer) = target.call(inner);
        assembly ("memory-safe") {
            if iszero(ok) { revert(add(answer, 0x20), mload(answer)) }
        }
    }
}

/// @dev Catches the failure of its call, like a bridge that must not lose a message.
contract Catching is Target {
    bool public done;
    bool public gaveUp;

    function take() internal override {
        if (msg.sender == address(this)) {
            // Uses 60,000 gas; fails if less is left.
            uint256 rest = gasleft() - 60_000;
            while (gasleft() > rest) {}
            return;
        }
        (bool ok,) = address(this).call("");
        if (ok) done = true;
        else gaveUp = true;
    }
}
