// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "solady/tokens/ERC20.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../interfaces/IL1TokenBridge.sol";
import {TokenAddresses} from "./TokenAddresses.sol";

/// @title Escrow of the tokens of a bridge
/// @notice Tokens are untrusted code: the lock rejects one that calls back, and each payment reduces
/// what is owed of its token only.
abstract contract TokenEscrow is IL1TokenBridge {
    using SafeTransferLib for address;

    /// @inheritdoc IL1TokenBridge
    address public immutable MESSAGE_QUEUE;

    /// @inheritdoc IL1TokenBridge
    address public immutable L2_BRIDGE;

    /// @inheritdoc IL1TokenBridge
    address public immutable L2_TOKEN_CODE;

    /// @inheritdoc IL1TokenBridge
    mapping(address l1Token => uint256) public owed;

    /// @dev `true` during a token transfer.
    bool internal transient _busy;

    modifier exclusive() {
        if (_busy) revert Reentrancy();
        _busy = true;
        _;
        _busy = false;
    }

    constructor(address queue, address l2Bridge) {
        MESSAGE_QUEUE = queue;
        L2_BRIDGE = l2Bridge;
        L2_TOKEN_CODE = TokenAddresses.code(l2Bridge);
    }

    /// @inheritdoc IL1TokenBridge
    function l2TokenOf(address l1Token) public view returns (address) {
        return TokenAddresses.token(L2_TOKEN_CODE, L2_BRIDGE, l1Token);
    }

    /// @dev Pays tokens out of the escrow. Only under the lock.
    /// @param from Account that the escrow owed the tokens to.
    function _payOut(address l1Token, address from, address to, uint256 amount) internal {
        // The tokens would be lost.
        if (to == l1Token || to == MESSAGE_QUEUE || to == IL1MessageQueue(MESSAGE_QUEUE).ROLLUP()) {
            revert RecipientForbidden(to);
        }
        uint256 due = owed[l1Token];
        if (amount > due) revert EscrowExceeded(l1Token, amount, due);
        // Cannot underflow, see above.
        unchecked {
            owed[l1Token] = due - amount;
        }
        uint256 before = _balance(l1Token);
        l1Token.safeTransfer(to, amount);
        uint256 balance = _balance(l1Token);
        // Cannot underflow if the first comparison holds.
        unchecked {
            if (balance < before && before - balance > amount) {
                revert Overcharged(l1Token, before - balance, amount);
            }
        }
        emit Released(l1Token, from, to, amount);
    }

    /// @dev Returns the escrow balance. Unlike solady's function, reverts if there is no token.
    function _balance(address l1Token) internal view returns (uint256) {
        return ERC20(l1Token).balanceOf(address(this));
    }
}
