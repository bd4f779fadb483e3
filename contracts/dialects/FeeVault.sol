// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DraftExecute} from "../libraries/DraftExecute.sol";

/// @title A rollup over the form of the EIP-8079 draft that pays the base fees of its L2 to a
/// treasury
/// @notice The L2 burns the base fees of its transactions, so the escrow on L1 owes them to no
/// account. This contract credits exactly these fees to a treasury, which takes them out of the
/// escrow.
///
/// The credit of a block is the field `burned_fees`, which EXECUTE has compared with the execution
/// and returns. It is not base fee times gas used, which a contract could read in any input: from
/// Amsterdam on that product is up to a quarter more than what a block burns (EIP-7778), and the
/// difference would come out of the ether of the accounts of the L2; or it is less (EIP-8037).
/// docs/formats.md, under "Why the field is needed", has the difference in a block of each kind.
///
/// Head, escrow and credit are in one contract, because a credit is right for one chain alone: a
/// caller can always make other valid blocks, of another branch or another chain, in which it burns
/// ether that this escrow does not hold. The head decides which block is credited, and credits it
/// once. `NativeRollup` cannot keep such a head, since the hash of each of these headers covers the
/// burned fees, and the form of the execution-specs has no field for them. A rollup over the
/// draft's form has the rules of `NativeRollup` besides, and the escrow of `L1MessageQueue` in
/// place of the balance of this contract.
///
/// @dev For comparison with `NativeRollup`, as `StateRootRollup` is, and not for use. The contract
/// binds a block to its chain by the chain id and the hash of the parent, against which EXECUTE
/// checks number and base fee. Timestamp, fee recipient, anchor, gas limit and transactions are the
/// caller's choice, as docs/dialects.md says of Drake's form; the fork is the one that L1 had at
/// the block's timestamp, which EXECUTE demands. Anyone may advance: the caller of a block gains
/// nothing from its credit.
///
/// The escrow is the balance of this contract. It has to hold the ether of all accounts of the
/// genesis: no block of the L2 makes ether (EXECUTE refuses withdrawals), so all credits together
/// are never more than that. There are no other payments: messages and claims of the L2 are left
/// out.
contract FeeVault {
    /// @notice EXECUTE in the draft's form, at 0x0104 unless L1 has it elsewhere.
    address public immutable EXECUTE;
    /// @notice Chain id of the L2.
    uint64 public immutable CHAIN_ID;
    /// @notice Account that takes the fees.
    address public immutable TREASURY;

    /// @notice Hash of the newest block: Keccak-256 of a header with its burned fees.
    bytes32 public head;
    /// @notice Burned fees that the treasury has not taken yet, in wei.
    uint256 public credit;

    /// @notice A block was added, and its burned fees credited.
    event Advanced(bytes32 indexed parent, bytes32 indexed hash, uint256 burnedFees);
    /// @notice The treasury took this much, in wei.
    event Claimed(uint256 amount);

    /// @notice The block is of another chain.
    error ChainIdMismatch(uint64 got, uint64 expected);
    /// @notice The block does not follow the head.
    error ParentHashMismatch(bytes32 got, bytes32 expected);
    /// @notice The caller is not the treasury.
    error NotTreasury(address got, address expected);
    /// @notice The treasury has less credit.
    error CreditExceeded(uint256 amount, uint256 left);
    /// @notice The escrow holds less.
    error EscrowShort(uint256 amount, uint256 held);
    /// @notice The treasury did not take the ether.
    error PaymentFailed(address to, uint256 amount);

    /// @param execute EXECUTE in the draft's form: `DraftExecute.PRECOMPILE`, or where L1 has it.
    /// @param chainId Chain id of the L2.
    /// @param genesis Hash of the first block of the L2.
    /// @param treasury Account that takes the fees; it cannot be replaced.
    constructor(address execute, uint64 chainId, bytes32 genesis, address treasury) {
        EXECUTE = execute;
        CHAIN_ID = chainId;
        TREASURY = treasury;
        head = genesis;
    }

    /// @notice Takes ether into the escrow.
    receive() external payable {}

    /// @notice Adds a block and credits its burned fees to the treasury.
    /// @param input Input of EXECUTE in the draft's form: a block that follows the head.
    function advance(bytes calldata input) external {
        // What comes too late is refused before EXECUTE is paid for.
        (uint64 chainId, bytes32 parent, bytes32 hash) = DraftExecute.read(input);
        if (chainId != CHAIN_ID) revert ChainIdMismatch(chainId, CHAIN_ID);
        if (parent != head) revert ParentHashMismatch(parent, head);
        uint256 burnedFees = DraftExecute.execute(EXECUTE, input);
        head = hash;
        credit += burnedFees;
        emit Advanced(parent, hash, burnedFees);
    }

    /// @notice Pays a part of the credit to the treasury, which calls this.
    /// @dev The payment is the last step: a treasury that calls again finds the credit that is
    /// left.
    /// @param amount In wei; no more than the credit, and than the escrow holds.
    function claim(uint256 amount) external {
        if (msg.sender != TREASURY) revert NotTreasury(msg.sender, TREASURY);
        if (amount > credit) revert CreditExceeded(amount, credit);
        uint256 held = address(this).balance;
        if (amount > held) revert EscrowShort(amount, held);
        credit -= amount;
        emit Claimed(amount);
        (bool paid,) = TREASURY.call{value: amount}("");
        if (!paid) revert PaymentFailed(TREASURY, amount);
    }
}
