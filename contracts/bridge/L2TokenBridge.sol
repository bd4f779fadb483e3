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

/// @title ERC-20 tokens between L1 and an L2: the tokens of the L2
/// @notice Makes a token for each one of L1 that it is told of, at an address that L1 knows
/// beforehand; mints what was deposited there, and burns what goes back.
///
/// A deposit whose delivery fails, because its token was not registered or its gas was too low, is
/// kept by the messenger: anyone can try it again there. Or the account that the depositor named
/// sends it back to L1, which cancels it for good.
///
/// The code of the tokens is deployed before this contract, in a transaction of its own: where new
/// code has a price by the byte (EIP-8037), both together would not fit into a block of 10 million
/// gas.
///
/// All calls of accounts read a bounded amount of state, for any input: this contract, the
/// messenger, and one token, which has the code that this contract names or none; and no precompile
/// is called. So they can be forced with more gas than other transactions (see `IForcedInbox`).
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

    /// @param l1Bridge The other side, which may be deployed later at an address that is known.
    constructor(address l1Bridge) {
        L1_BRIDGE = l1Bridge;
        address tokenCode = TokenAddresses.code(address(this));
        // A clone of an account without code would be a token that accepts every call and keeps
        // nothing.
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
        // Reverts unless just this message was sent, and neither delivered nor cancelled.
        IL2Messenger(Predeploys.L2_MESSENGER).refundToL1(_header(failed), to);
        message = _withdraw(failed.l1Token, to, refundTo, failed.amount, gasLimit);
        emit SentBack(failed.l1Token, to, failed.amount, message);
    }

    /// @inheritdoc IL2TokenBridge
    function tokenOf(address l1Token) public view returns (address) {
        return TokenAddresses.token(TOKEN_CODE, address(this), l1Token);
    }

    /// @dev Has L1 pay tokens out that do not exist here any more, or never did.
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

    /// @dev The token that stands for one of L1.
    function _token(address l1Token) private view returns (BridgedToken token) {
        token = BridgedToken(tokenOf(l1Token));
        if (address(token).code.length == 0) revert TokenUnknown(l1Token);
    }

    /// @dev The message of a deposit. Made here and not taken from the caller, so that no other
    /// message of the other side can pass for one.
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
