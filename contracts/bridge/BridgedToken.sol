// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title Token on the L2 that represents a token on L1
/// @notice ERC-20 token with permits (EIP-2612). Only the bridge mints and burns, so the supply
/// never exceeds what the escrow on L1 owes.
/// @dev Tokens are clones of one instance (EIP-1167), which makes them cheap to deploy, and their
/// addresses independent of their names. The bridge is an immutable of that instance and the same
/// for all clones. The instance is deployed before the bridge, whose address is precomputed, in a
/// separate transaction.
contract BridgedToken is ERC20 {
    /// @notice The caller is not the bridge.
    error NotBridge(address caller);
    /// @notice The token has already been initialised.
    error AlreadyNamed();

    /// @notice Account that mints and burns.
    address public immutable BRIDGE;

    /// @notice Token on L1 that this token represents.
    address public l1Token;

    uint8 private _decimals;
    bool private _named;
    string private _name;
    string private _symbol;

    modifier onlyBridge() {
        if (msg.sender != BRIDGE) revert NotBridge(msg.sender);
        _;
    }

    /// @param bridge Account that mints and burns; may be deployed later.
    constructor(address bridge) {
        BRIDGE = bridge;
    }

    /// @notice Initialises the token. Only the bridge may call, once.
    /// @param l1Token_ Token on L1.
    /// @param name_ Name of the token.
    /// @param symbol_ Symbol of the token.
    /// @param decimals_ Decimals of the token.
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

    /// @notice Mints tokens. Only the bridge may call.
    function mint(address to, uint256 amount) external onlyBridge {
        _mint(to, amount);
    }

    /// @notice Burns tokens. Only the bridge may call; it burns tokens of its caller only.
    function burn(address from, uint256 amount) external onlyBridge {
        _burn(from, amount);
    }

    /// @notice Returns the name of the token on L1.
    function name() public view override returns (string memory) {
        return _name;
    }

    /// @notice Returns the symbol of the token on L1.
    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    /// @notice Returns the decimals of the token on L1.
    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @dev Disables solady's default, so that no contract has an allowance that the owner did not
    /// give.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
