// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IPreconfBonds} from "../../interfaces/IPreconfBonds.sol";
import {PreconfMessages} from "../../libraries/PreconfMessages.sol";
import {Faults} from "./Faults.sol";

/// @title Registry of bonds
/// @notice Holds bonds, and burns them when a fault is proven. Burned ether remains in this
/// contract, and no function can transfer it.
/// @dev An account with a bond is never the registered signer of another account. Otherwise that
/// account would be liable for its signatures, and its own bond could not be slashed.
contract PreconfBonds is Faults {
    /// @notice Seconds from the request of a withdrawal until it is possible. It exceeds the
    /// validity of evidence other than of a lie, for which the hashes of L1 blocks are available
    /// for 27 hours.
    uint64 public constant WITHDRAWAL_DELAY = 7 days;
    /// @notice Divisor of the bond for the penalty of a delay: 5 %.
    uint256 public constant LATE_DIVISOR = 20;
    /// @notice Seconds from a penalty for a delay in which the account is not slashed for another
    /// one.
    /// @dev Not read from the rollup: the account could report a delay of a contract of its own,
    /// and would then not be slashed for delays of its rollups for years.
    uint64 public constant LATE_PERIOD = 30 minutes;
    /// @notice Divisor of the penalty for the reward of the reporter: 10 %.
    uint256 public constant REWARD_DIVISOR = 10;

    /// @notice L1 block in which evidence was committed; zero if it was not.
    mapping(bytes32 commitment => uint256 number) public commitments;

    mapping(address account => Bond) private _bonds;
    mapping(address signer => address account) private _accounts;

    // ------------------------------------------------------------------ bonds

    /// @inheritdoc IPreconfBonds
    function deposit(address account) external payable {
        address liable = accountOf(account);
        if (liable != account) revert SignerTaken(account, liable);
        Bond storage bond = _bonds[account];
        if (bond.amount == 0 && msg.sender != account) revert NotOwnDeposit(account, msg.sender);
        // There is less than 2^128 wei.
        // forge-lint: disable-next-line(unsafe-typecast)
        bond.amount += uint128(msg.value);
        emit Deposited(account, msg.sender, msg.value);
    }

    /// @inheritdoc IPreconfBonds
    function setSigner(address signer, bytes calldata consent) external {
        bytes32 digest = PreconfMessages.consentOf(msg.sender, address(this));
        if (PreconfMessages.recover(digest, consent) != signer) revert SignatureInvalid();
        address account = _accounts[signer];
        if (account != address(0)) revert SignerTaken(signer, account);
        if (_bonds[signer].amount != 0) revert SignerTaken(signer, signer);
        _accounts[signer] = msg.sender;
        emit SignerSet(msg.sender, signer);
    }

    /// @inheritdoc IPreconfBonds
    function requestWithdrawal() external {
        _requireBond(msg.sender);
        Bond storage bond = _bonds[msg.sender];
        // Timestamps fit into 64 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 readyAt = uint64(block.timestamp) + WITHDRAWAL_DELAY;
        bond.withdrawableAt = readyAt;
        emit WithdrawalRequested(msg.sender, readyAt);
    }

    /// @inheritdoc IPreconfBonds
    function cancelWithdrawal() external {
        Bond storage bond = _bonds[msg.sender];
        if (bond.withdrawableAt == 0) revert NotRequested();
        bond.withdrawableAt = 0;
        emit WithdrawalCancelled(msg.sender);
    }

    /// @inheritdoc IPreconfBonds
    function withdraw(address payable to) external {
        Bond memory bond = _bonds[msg.sender];
        if (bond.withdrawableAt == 0) revert NotRequested();
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < bond.withdrawableAt) revert TooSoon(bond.withdrawableAt);
        delete _bonds[msg.sender];
        emit Withdrawn(msg.sender, to, bond.amount);
        _pay(to, bond.amount);
    }

    // ------------------------------------------------------------------ accusations

    /// @inheritdoc IPreconfBonds
    function commit(bytes32 commitment) external {
        if (commitments[commitment] != 0) revert CommitmentExists(commitment);
        commitments[commitment] = block.number;
        emit Committed(commitment, msg.sender);
    }

    /// @inheritdoc IPreconfBonds
    function accuseEquivocation(
        Signed calldata a,
        Signed calldata b,
        TxProof calldata proof,
        bytes32 salt
    ) external {
        _slash(Fault.Equivocation, _equivocation(a, b, proof), a.message.rollup, salt);
    }

    /// @inheritdoc IPreconfBonds
    function accuseBroken(
        Signed calldata s,
        Canonical calldata c,
        TxProof calldata proof,
        bytes32 salt
    ) external {
        _slash(Fault.Broken, _broken(s, c, proof), s.message.rollup, salt);
    }

    /// @inheritdoc IPreconfBonds
    function accuseLie(Signed calldata s, bytes calldata header, bytes calldata input, bytes32 salt)
        external
    {
        _slash(Fault.Lie, _lie(s, header, input), s.message.rollup, salt);
    }

    /// @inheritdoc IPreconfBonds
    function accuseLate(Signed calldata s, bytes32 salt) external {
        _slash(Fault.Late, _late(s, _lateUntil), s.message.rollup, salt);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IPreconfBonds
    function bondOf(address account) external view returns (uint256) {
        Bond storage bond = _bonds[account];
        return bond.withdrawableAt == 0 ? bond.amount : 0;
    }

    /// @inheritdoc IPreconfBonds
    function bonds(address account) external view returns (Bond memory) {
        return _bonds[account];
    }

    /// @inheritdoc IPreconfBonds
    function accountOf(address signer) public view override returns (address account) {
        account = _accounts[signer];
        if (account == address(0)) account = signer;
    }

    /// @inheritdoc IPreconfBonds
    function hashOf(Preconfirmation calldata message) external view returns (bytes32) {
        return PreconfMessages.hashOf(message, address(this));
    }

    // ------------------------------------------------------------------ penalty

    /// @dev Burns the bond, or a part of it for a delay. The proof of the fault has checked that
    /// there is one, and calls only view functions. The payment is the last step.
    function _slash(Fault fault, Promise memory p, address rollup, bytes32 salt) private {
        Bond storage bond = _bonds[p.account];
        uint256 penalty = bond.amount;
        if (fault == Fault.Late) {
            uint256 amount = penalty;
            penalty /= LATE_DIVISOR;
            // A part of what was stored in 128 bits; timestamps fit into 64 bits.
            // forge-lint: disable-start(unsafe-typecast)
            bond.amount = uint128(amount - penalty);
            bond.lateUntil = uint64(block.timestamp) + LATE_PERIOD;
            // forge-lint: disable-end(unsafe-typecast)
        } else {
            delete _bonds[p.account];
        }
        uint256 reward;
        if (_wasCommitted(fault, p.digest, salt)) reward = penalty / REWARD_DIVISOR;
        emit Slashed(
            p.account,
            rollup,
            fault,
            p.header.number,
            p.signer,
            penalty - reward,
            reward,
            msg.sender
        );
        if (reward != 0) _pay(msg.sender, reward);
    }

    function _requireBond(address account) internal view override {
        if (_bonds[account].amount == 0) revert NothingBonded(account);
    }

    /// @dev Returns `true` if the caller committed to this accusation in an earlier block. Each
    /// commitment is used once.
    function _wasCommitted(Fault fault, bytes32 digest, bytes32 salt) private returns (bool) {
        bytes32 commitment = keccak256(abi.encode(fault, digest, msg.sender, salt));
        uint256 number = commitments[commitment];
        if (number == 0 || number >= block.number) return false;
        delete commitments[commitment];
        return true;
    }

    function _lateUntil(address account) private view returns (uint64) {
        return _bonds[account].lateUntil;
    }

    function _pay(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }
}
