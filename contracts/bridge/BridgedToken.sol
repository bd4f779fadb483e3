// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title A token that stands for one of L1
/// @notice An ERC-20 token with permits (EIP-2612). Only the bridge mints and burns, so there are
/// never more than lie in the escrow on L1.
/// @dev Tokens are clones of one instance (EIP-1167), which keeps making one cheap, and their
/// addresses independent of what they are called. The bridge is an immutable of that instance and
/// the same for all. The instance is deployed before the bridge, whose address is known, in a
/// transaction of its own.
contract BridgedToken is ERC20 {
    /// @notice The caller is not the bridge.
    error NotBridge(address caller);
    /// @notice The token has its name already.
    error AlreadyNamed();

    /// @notice The account that mints and burns.
    address public immutable BRIDGE;

    /// @notice The token on L1.
    address public l1Token;

    uint8 private _decimals;
    bool private _named;
    string private _name;
    string private _symbol;

    modifier onlyBridge() {
        if (msg.sender != BRIDGE) revert NotBridge(msg.sender);
        _;
    }

    /// @param bridge The account that mints and burns, which may be deployed later.
    constructor(address bridge) {
        BRIDGE = bridge;
    }

    /// @notice Says which token this one stands for. For the bridge, once.
    function initialize(
        address l1Token_,
        string calldata name_,
        string calldata symbol_,
        uint8 decimals_
    ) external onlyBridge {
        if (_named) revert AlreadyNamed();
        _named = true;
        l1Token = l1Token_;
        _name = name_;
        _symbol = symbol_;
        _decimals = decimals_;
    }

    /// @notice Makes tokens. For the bridge.
    function mint(address to, uint256 amount) external onlyBridge {
        _mint(to, amount);
    }

    /// @notice Destroys tokens. For the bridge, which does it for their owner only.
    function burn(address from, uint256 amount) external onlyBridge {
        _burn(from, amount);
    }

    /// @notice Name of the token, as on L1.
    function name() public view override returns (string memory) {
        return _name;
    }

    /// @notice Symbol of the token, as on L1.
    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    /// @notice Decimals of the token, as on L1.
    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @dev No contract of this L2 gets an allowance that no account gave it.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
