// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @dev Honest token that anyone can mint.
contract Token is ERC20 {
    function name() public view virtual override returns (string memory) {
        return "Some Token";
    }

    function symbol() public view virtual override returns (string memory) {
        return "SOME";
    }

    function decimals() public pure virtual override returns (uint8) {
        return 6;
    }

    function give(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Has a name and a symbol of 64 bytes, which the bridge truncates.
contract WordyToken is Token {
    function name() public pure override returns (string memory) {
        return "A name of sixty-four bytes, of which the bridge takes over each.";
    }

    function symbol() public pure override returns (string memory) {
        return "A symbol of 64 bytes, more than are shown in any table of tokens";
    }
}

/// @dev Has any name and symbol.
contract SpellingToken is Token {
    string private _name;
    string private _symbol;

    function spell(string calldata name_, string calldata symbol_) external {
        (_name, _symbol) = (name_, symbol_);
    }

    function name() public view override returns (string memory) {
        return _name;
    }

    function symbol() public view override returns (string memory) {
        return _symbol;
    }
}

/// @dev Charges a fee from each transferred amount.
contract FeeToken is Token {
    uint256 public immutable PERCENT;

    constructor(uint256 percent) {
        PERCENT = percent;
    }

    function _afterTokenTransfer(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) _burn(to, amount * PERCENT / 100);
    }
}

/// @dev Charges a fee from the sender, on top of the transferred amount.
contract ToppingToken is Token {
    function _afterTokenTransfer(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) _burn(from, amount / 10);
    }
}

/// @dev Reduces and increases balances.
contract RebasingToken is Token {
    function take(address from, uint256 amount) external {
        _burn(from, amount);
    }
}

/// @dev Rejects transfers to some accounts.
contract ListingToken is Token {
    error Listed(address account);

    mapping(address account => bool) public listed;

    function list(address account, bool yes) external {
        listed[account] = yes;
    }

    function _beforeTokenTransfer(address, address to, uint256) internal view override {
        if (listed[to]) revert Listed(to);
    }
}

/// @dev Calls a target during each transfer, and forwards the result.
contract CallingToken is Token {
    address public target;
    bytes public inner;

    function prepare(address target_, bytes calldata inner_) external {
        target = target_;
        inner = inner_;
    }

    function _beforeTokenTransfer(address from, address, uint256) internal override {
        if (from == address(0) || target == address(0)) return;
        (bool ok, bytes memory answer) = target.call(inner);
        assembly ("memory-safe") {
            if iszero(ok) { revert(add(answer, 0x20), mload(answer)) }
        }
    }
}

/// @dev Makes one call during its next transfer, and records the result.
contract OnceCallingToken is Token {
    address public target;
    bytes public inner;
    bool public succeeded;
    bytes public answer;

    function prepare(address target_, bytes calldata inner_) external {
        target = target_;
        inner = inner_;
    }

    function allow(address spender) external {
        _approve(address(this), spender, type(uint256).max);
    }

    function _beforeTokenTransfer(address from, address, uint256) internal override {
        if (from == address(0) || target == address(0)) return;
        address to = target;
        target = address(0);
        (succeeded, answer) = to.call(inner);
    }
}

/// @dev Transfers nothing, but returns success.
contract LyingToken is Token {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @dev Has no name, and a `bytes32` symbol.
contract OldToken {
    bytes32 public constant symbol = "OLD";
    uint8 public constant decimals = 3;
    mapping(address account => uint256) public balanceOf;

    function give(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    /// @dev Returns nothing.
    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    /// @dev Requires no allowance.
    function transferFrom(address from, address to, uint256 amount) external {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
