// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LibClone} from "solady/utils/LibClone.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {IL1TokenBridge} from "../interfaces/IL1TokenBridge.sol";
import {IL2Messenger} from "../interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../interfaces/IL2TokenBridge.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {BridgedToken} from "./BridgedToken.sol";
import {TokenAddresses} from "./TokenAddresses.sol";

/// @title ERC-20 bridge between L1 and an L2: the tokens on the L2
/// @notice Deploys a token for each token on L1 that is registered, at an address that L1 can
/// compute; mints deposits, and burns withdrawals.
///
/// A deposit whose delivery fails, because its token was not registered or its gas was too low, is
/// stored by the messenger, where any account can retry it. Alternatively, the account that the
/// depositor designated sends it back to L1, which cancels it permanently.
///
/// The implementation of the tokens is deployed before this contract, in a separate transaction:
/// under EIP-8037, which charges for new code by the byte, both together would not fit into a block
/// of 10 million gas.
///
/// All functions that accounts can call read a bounded amount of state, for any input: this
/// contract, the messenger, and one token, which has either the code of the clones or none; and
/// they call no precompile. They can therefore be forced with more gas than other transactions (see
/// `IForcedInbox`).
contract L2TokenBridge is IL2TokenBridge {
    /// @inheritdoc IL2TokenBridge
    address public immutable L1_BRIDGE;

    /// @inheritdoc IL2TokenBridge
    address public immutable TOKEN_CODE;

    modifier onlyPeer() {
        bool trusted = msg.sender == Predeploys.L2_MESSENGER
            && IL2Messenger(Predeploys.L2_MESSENGER).l1Sender() == L1_BRIDGE;
        if (!trusted) revert NotPeer(msg.sender);
        _;
    }

    /// @param l1Bridge Bridge on L1, which may be deployed later at a precomputed address.
    constructor(address l1Bridge) {
        L1_BRIDGE = l1Bridge;
        address tokenCode = TokenAddresses.code(address(this));
        // A clone of an account without code would be a token on which every call succeeds without
        // effect.
        if (tokenCode.code.length == 0) revert TokenCodeMissing(tokenCode);
        TOKEN_CODE = tokenCode;
    }

    /// @inheritdoc IL2TokenBridge
    function makeToken(
        address l1Token,
        string calldata name,
        string calldata symbol,
        uint8 decimals
    ) external onlyPeer {
        if (tokenOf(l1Token).code.length != 0) return;
        address token = LibClone.cloneDeterministic_PUSH0(TOKEN_CODE, TokenAddresses.salt(l1Token));
        BridgedToken(token).initialize(l1Token, name, symbol, decimals);
        emit TokenMade(l1Token, token);
    }

    /// @inheritdoc IL2TokenBridge
    function mint(address l1Token, address from, address to, address, uint256 amount)
        external
        onlyPeer
    {
        _token(l1Token).mint(to, amount);
        emit Minted(l1Token, from, to, amount);
    }

    /// @inheritdoc IL2TokenBridge
    function withdraw(
        address l1Token,
        address to,
        address refundTo,
        uint256 amount,
        uint64 gasLimit
    ) external payable returns (uint64 message) {
        if (amount == 0) revert AmountZero();
        _token(l1Token).burn(msg.sender, amount);
        return _withdraw(l1Token, to, refundTo, amount, gasLimit);
    }

    /// @inheritdoc IL2TokenBridge
    function refund(Deposit calldata failed, address to, address refundTo, uint64 gasLimit)
        external
        payable
        returns (uint64 message)
    {
        if (msg.sender != failed.refundTo) {
            revert NotRefundable(msg.sender, failed.refundTo);
        }
        // Reverts unless exactly this message is stored by the messenger.
        IL2Messenger(Predeploys.L2_MESSENGER).refundToL1(_header(failed), to);
        message = _withdraw(failed.l1Token, to, refundTo, failed.amount, gasLimit);
        emit SentBack(failed.l1Token, to, failed.amount, message);
    }

    /// @inheritdoc IL2TokenBridge
    function tokenOf(address l1Token) public view returns (address) {
        return TokenAddresses.token(TOKEN_CODE, address(this), l1Token);
    }

    /// @dev Sends a message that pays tokens on L1. The tokens have been burned here, or were never
    /// minted.
    function _withdraw(
        address l1Token,
        address to,
        address refundTo,
        uint256 amount,
        uint64 gasLimit
    ) private returns (uint64 message) {
        if (to == address(0) || to == L1_BRIDGE || to == l1Token) {
            revert RecipientForbidden(to);
        }
        uint128 fee = SafeCastLib.toUint128(msg.value);
        message = IL2Messenger(Predeploys.L2_MESSENGER).send{value: msg.value}(
            L1_BRIDGE,
            L1_BRIDGE,
            gasLimit,
            fee,
            abi.encodeCall(IL1TokenBridge.release, (l1Token, msg.sender, to, refundTo, amount))
        );
        emit Withdrawn(l1Token, msg.sender, to, refundTo, amount, fee, gasLimit, message);
    }

    /// @dev Returns the token that represents `l1Token`; reverts if it is not deployed.
    function _token(address l1Token) private view returns (BridgedToken token) {
        token = BridgedToken(tokenOf(l1Token));
        if (address(token).code.length == 0) revert TokenUnknown(l1Token);
    }

    /// @dev Builds the message of a deposit from its fields, so that no other message of the L1
    /// bridge can be used in its place.
    function _header(Deposit calldata d) private view returns (IL2Messenger.Header memory) {
        bytes memory data =
            abi.encodeCall(IL2TokenBridge.mint, (d.l1Token, d.from, d.to, d.refundTo, d.amount));
        return IL2Messenger.Header({
            sender: L1_BRIDGE,
            to: address(this),
            refundTo: address(this),
            value: 0,
            fee: d.fee,
            gasLimit: d.gasLimit,
            index: d.index,
            dataHash: keccak256(data)
        });
    }
}
