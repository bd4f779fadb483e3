// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {TokenEscrow} from "../bridge/TokenEscrow.sol";
import {IL1MessageQueue} from "../interfaces/IL1MessageQueue.sol";
import {IL2TokenBridge} from "../interfaces/IL2TokenBridge.sol";
import {IRollupExit} from "../interfaces/IRollupExit.sol";
import {ITokenExit} from "../interfaces/ITokenExit.sol";
import {AliasAddresses} from "../libraries/AliasAddresses.sol";
import {StateProof} from "../libraries/StateProof.sol";
import {ExitAccounts} from "./ExitAccounts.sol";

/// @title Exit of bridged tokens from a closed rollup
/// @notice Once `RollupExit` has closed the rollup, the escrow of tokens is paid out by proofs
/// against the last state root, for the same accounts as ETH:
///
///   withdrawals  claimed as before. One that the token rejects can no longer be sent back to the
///                L2, since the queue is closed; it can be claimed again at any time
///   accounts     the balances of accounts without code, of delegating and of alias accounts
///   deposits     those that were never relayed, and those that the L2 has kept
///
/// Tokens of other contracts of the L2 stay in the escrow. So do the fees of registrations that were
/// never relayed.
///
/// All payments of a token together never exceed `owed`: each unit on the L2 is in one balance or in
/// one withdrawal, and each deposited unit that is not there is in one deposit.
abstract contract TokenExit is TokenEscrow, ITokenExit {
    /// @dev Seed of the slots of balances in solady's ERC20, which `BridgedToken` is.
    uint256 private constant BALANCE_SLOT_SEED = 0x87a211a2;

    /// @dev Accounts of the L2 whose balance of a token has been paid.
    mapping(address l1Token => mapping(address account => bool)) private _exited;

    /// @dev Storage roots of tokens on the L2 in the last state.
    mapping(address l1Token => bytes32) private _storageRoots;

    /// @inheritdoc ITokenExit
    function exitToken(
        address l1Token,
        address account,
        address delegate,
        TokenProof calldata proof
    ) external exclusive {
        bytes32 stateRoot = _lastStateRoot(_exit());
        (, StateProof.Account memory a) = StateProof.account(stateRoot, account, proof.accountProof);
        ExitAccounts.requireOwner(a, account, delegate);
        _payBalance(stateRoot, l1Token, account, account, proof);
    }

    /// @inheritdoc ITokenExit
    function exitTokenAlias(address l1Token, address l1Account, TokenProof calldata proof)
        external
        exclusive
    {
        // No other code can be at such an address, so its account need not be proven.
        address account = AliasAddresses.account(l1Account);
        _payBalance(_lastStateRoot(_exit()), l1Token, account, l1Account, proof);
    }

    /// @inheritdoc ITokenExit
    function returnDeposit(
        IL2TokenBridge.Deposit calldata deposit_,
        IL1MessageQueue.Checkpoint calldata before,
        IL1MessageQueue.Checkpoint calldata next,
        bytes32[] calldata hashes,
        bytes[] calldata bridgeProof
    ) external exclusive {
        address to = _recipientOf(deposit_);
        _exit().reclaimMessage(_messageOf(deposit_), before, next, hashes, to, bridgeProof);
        _payOut(deposit_.l1Token, deposit_.from, to, deposit_.amount);
    }

    /// @inheritdoc ITokenExit
    function returnKeptDeposit(
        IL2TokenBridge.Deposit calldata deposit_,
        bytes[] calldata storageProof,
        bytes[] calldata bridgeProof
    ) external exclusive {
        address to = _recipientOf(deposit_);
        _exit().reclaimKept(_messageOf(deposit_), storageProof, to, bridgeProof);
        _payOut(deposit_.l1Token, deposit_.from, to, deposit_.amount);
    }

    /// @dev Pays the last balance of an account on the L2, once.
    function _payBalance(
        bytes32 stateRoot,
        address l1Token,
        address account,
        address to,
        TokenProof calldata proof
    ) private {
        bool before = _exited[l1Token][account];
        _exited[l1Token][account] = true;
        if (before) revert IRollupExit.AlreadyExited(account);
        // Tokens that the bridge sends to itself would stay in the escrow, owed to no account.
        if (to == address(this)) revert RecipientForbidden(to);
        bytes32 root = _storageRootOf(stateRoot, l1Token, proof.tokenProof);
        uint256 amount = StateProof.slot(root, _balanceSlot(account), proof.storageProof);
        if (amount == 0) revert IRollupExit.NothingOwed(account);
        _payOut(l1Token, account, to, amount);
    }

    /// @dev Returns the storage root of the token on the L2. The first proof stores it. Only the
    /// code of `BridgedToken` can be at that address.
    function _storageRootOf(bytes32 stateRoot, address l1Token, bytes[] calldata tokenProof)
        private
        returns (bytes32 root)
    {
        if (tokenProof.length == 0) {
            root = _storageRoots[l1Token];
            if (root == 0) revert TokenRootUnknown(l1Token);
            return root;
        }
        root = StateProof.storageRoot(stateRoot, l2TokenOf(l1Token), tokenProof);
        _storageRoots[l1Token] = root;
    }

    /// @dev Returns the account that a deposit is returned to. Only that account and the depositor
    /// may trigger the return, as in `RollupExit`.
    function _recipientOf(IL2TokenBridge.Deposit calldata d) private view returns (address to) {
        to = d.refundTo;
        // Nobody controls the address of an alias account on L1. A deposit may be for the account of
        // another depositor, and is so after `refund` has sent a withdrawal back.
        if (to == AliasAddresses.account(msg.sender)) to = msg.sender;
        else if (to == address(0) || to == AliasAddresses.account(d.from)) to = d.from;
        if (msg.sender != to && msg.sender != d.from) revert NotRefundable(msg.sender, to);
    }

    /// @dev Builds the message of a deposit from its fields, so that no other message of this bridge
    /// can be used in its place.
    function _messageOf(IL2TokenBridge.Deposit calldata d)
        private
        view
        returns (IL1MessageQueue.Message memory)
    {
        return IL1MessageQueue.Message({
            sender: address(this),
            to: L2_BRIDGE,
            refundTo: L2_BRIDGE,
            value: 0,
            fee: d.fee,
            gasLimit: d.gasLimit,
            index: d.index,
            data: abi.encodeCall(
                IL2TokenBridge.mint, (d.l1Token, d.from, d.to, d.refundTo, d.amount)
            )
        });
    }

    function _exit() private view returns (IRollupExit) {
        return IRollupExit(IL1MessageQueue(MESSAGE_QUEUE).EXIT_CONTRACT());
    }

    function _lastStateRoot(IRollupExit exit_) private view returns (bytes32 root) {
        root = exit_.stateRoot();
        if (root == 0) revert IRollupExit.NotClosed();
    }

    function _balanceSlot(address account) private pure returns (bytes32 slot) {
        assembly ("memory-safe") {
            mstore(0x0c, BALANCE_SLOT_SEED)
            mstore(0x00, account)
            slot := keccak256(0x0c, 0x20)
        }
    }
}
