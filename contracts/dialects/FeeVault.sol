// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {DraftExecute} from "../libraries/DraftExecute.sol";

/// @title Rollup on the EIP-8079 draft's form of EXECUTE that pays the base fees of its L2 to a
/// treasury
/// @notice The L2 burns the base fees of its transactions, so the escrow on L1 owes this ETH to no
/// account. This contract credits exactly these fees to a treasury, which withdraws them from the
/// escrow.
///
/// The credit of a block is the field `burned_fees`, which EXECUTE compares with the execution and
/// returns. Base fee times gas used, which a contract could read in any input, is a different
/// amount: since Amsterdam it is up to a quarter more than what a block burns (EIP-7778), and the
/// difference would be paid from the ETH of the L2 accounts; or it is less (EIP-8037).
/// docs/formats.md, under "Why the field is needed", has the difference for a block of each kind.
///
/// Head, escrow and credit are in one contract, because a credit is correct for one chain only:
/// anyone can build other valid blocks, of another branch or another chain, that burn ETH which
/// this escrow does not hold. The head decides which block is credited, and each block is credited
/// once. `NativeRollup` cannot hold such a head, because the hash of each of these headers covers
/// the burned fees, and the execution-specs' form has no field for them. A rollup on the draft's
/// form would also need the rules of `NativeRollup`, and the escrow of `L1MessageQueue` instead of
/// the balance of this contract.
///
/// @dev For comparison with `NativeRollup`, like `StateRootRollup`; not for production. The
/// contract binds a block to its chain by the chain id and the parent hash, against which EXECUTE
/// checks number and base fee. The caller chooses timestamp, fee recipient, anchor, gas limit and
/// transactions, as docs/dialects.md describes for Drake's form; the fork is the one that L1 had at
/// the block's timestamp, as EXECUTE requires. Any account may advance: the caller gains nothing
/// from the credit.
///
/// The escrow is the balance of this contract. It has to cover the ETH of all accounts of the
/// genesis: no block of the L2 creates ETH (EXECUTE rejects withdrawals), so the sum of all credits
/// never exceeds that amount. There are no other payments: messages and claims of the L2 are not
/// supported.
contract FeeVault {
    /// @notice Address of EXECUTE in the draft's form; 0x0104 on most chains.
    address public immutable EXECUTE;
    /// @notice Chain id of the L2.
    uint64 public immutable CHAIN_ID;
    /// @notice Account that receives the fees.
    address public immutable TREASURY;

    /// @notice Hash of the latest block: Keccak-256 of a header with its burned fees.
    bytes32 public head;
    /// @notice Burned fees that the treasury has not withdrawn yet, in wei.
    uint256 public credit;

    /// @notice Emitted when a block is added and its burned fees are credited.
    event Advanced(bytes32 indexed parent, bytes32 indexed hash, uint256 burnedFees);
    /// @notice Emitted when the treasury withdraws fees.
    /// @param amount Amount in wei.
    event Claimed(uint256 amount);

    /// @notice The block has another chain id.
    error ChainIdMismatch(uint64 got, uint64 expected);
    /// @notice The parent of the block is not the head.
    error ParentHashMismatch(bytes32 got, bytes32 expected);
    /// @notice The caller is not the treasury.
    error NotTreasury(address got, address expected);
    /// @notice The amount exceeds the credit of the treasury.
    error CreditExceeded(uint256 amount, uint256 credit);
    /// @notice The amount exceeds the escrow balance.
    error EscrowShort(uint256 amount, uint256 balance);
    /// @notice The treasury rejected the payment.
    error PaymentFailed(address to, uint256 amount);

    /// @param execute EXECUTE in the draft's form: `DraftExecute.PRECOMPILE`, or its address on
    /// this L1.
    /// @param chainId Chain id of the L2.
    /// @param genesis Hash of the first block of the L2.
    /// @param treasury Account that receives the fees; it cannot be replaced.
    constructor(address execute, uint64 chainId, bytes32 genesis, address treasury) {
        EXECUTE = execute;
        CHAIN_ID = chainId;
        TREASURY = treasury;
        head = genesis;
    }

    /// @notice Accepts ETH for the escrow.
    receive() external payable {}

    /// @notice Adds a block and credits its burned fees to the treasury.
    /// @param input Input of EXECUTE in the draft's form: a block that follows the head.
    function advance(bytes calldata input) external {
        // Rejects stale calls before they pay for EXECUTE.
        (uint64 chainId, bytes32 parent, bytes32 hash) = DraftExecute.read(input);
        if (chainId != CHAIN_ID) revert ChainIdMismatch(chainId, CHAIN_ID);
        if (parent != head) revert ParentHashMismatch(parent, head);
        uint256 burnedFees = DraftExecute.execute(EXECUTE, input);
        head = hash;
        credit += burnedFees;
        emit Advanced(parent, hash, burnedFees);
    }

    /// @notice Pays a part of the credit to the treasury. Only the treasury may call.
    /// @dev The payment is the last step, so a reentrant call sees the reduced credit.
    /// @param amount Amount in wei; at most the credit and the escrow balance.
    function claim(uint256 amount) external {
        if (msg.sender != TREASURY) revert NotTreasury(msg.sender, TREASURY);
        if (amount > credit) revert CreditExceeded(amount, credit);
        uint256 balance = address(this).balance;
        if (amount > balance) revert EscrowShort(amount, balance);
        credit -= amount;
        emit Claimed(amount);
        (bool paid,) = TREASURY.call{value: amount}("");
        if (!paid) revert PaymentFailed(TREASURY, amount);
    }
}
