// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Limits of an L2 block that one transaction on L1 can carry
/// @notice A block that cannot be advanced halts its rollup, so nothing may be demanded of a block
/// that could make it too large; and a block that only fits by private arrangement with builders of
/// L1 would take "anyone may advance" back. So what is demanded of a block is a budget that fits by
/// construction, for any requests of users:
///
///   128 KiB   what public pools take of a transaction
///   2^24 gas  what a transaction may have (EIP-7825), by the dearer of the schedules of Osaka and
///             Amsterdam: 64 gas for any byte of calldata (EIP-7976; 40 before, EIP-7623)
///
/// Gas does not bound what an L2 transaction makes others carry: a call of 2,500 gas can read a
/// contract of 64 KiB, and all of it has to be in the witness. Therefore nothing that is demanded
/// executes code of which it is not known what it reads: transfers and deposits to accounts without
/// code, calls of the messenger that send to L1, and calls of one contract that the deployer
/// vouches for. Nor does it bound what EXECUTE asks of L1 for precompiles, some of whose gas counts
/// several times; none of them is called with gas that a user has chosen.
///
/// What does count is paths in tries. `PATH_BYTES` is one below its root: five full branches, some
/// with few children that an account has ground out, a leaf. That holds for a hundred million
/// accounts, and for as many slots of the messenger.
///
///   accounts that every block reads 10 paths (four or five system contracts, fee recipient,
///                                      operator, anchor, messenger) 32,000 their code 12,000 rings
///                                      of EIP-4788 and EIP-2935 5,000 queues of requests
///                                      (EIP-7002, EIP-7251), filled by an account with an ether to
///                                      spend 20,000 slots of anchor and messenger 6,500 header,
///                                      payload, block access list 2,500 BLOCK_BYTES 78,000 the L1
///                                      transaction around it 1,072 the duty: relays or forced
///                                      transactions, with what goes with them in the calldata
///                                      DUTY_BYTES 52,000
library Capacity {
    /// @notice The most gas that a transaction can have (EIP-7825).
    uint256 internal constant TRANSACTION_GAS = 1 << 24;

    /// @notice The most bytes of a transaction that public pools take.
    uint256 internal constant TRANSACTION_BYTES = 131_072;

    /// @notice Bytes that a block takes without what is demanded of it.
    uint256 internal constant BLOCK_BYTES = 78_000;

    /// @notice Bytes of the L1 transaction around the block and what goes with it.
    uint256 internal constant ENVELOPE_BYTES = 1072;

    /// @notice Bytes that can be demanded of a block.
    uint256 internal constant DUTY_BYTES = 52_000;

    /// @notice Gas that can be demanded of a block, if its gas limit is not less.
    uint256 internal constant DUTY_GAS = 8_000_000;

    /// @notice Bytes of a path in a trie, without its root.
    uint256 internal constant PATH_BYTES = 3200;

    /// @notice Bytes of a path as evidence in the calldata of `advance`: with its root, and each
    /// node as an item of an array.
    uint256 internal constant PROOF_BYTES = 5400;

    /// @notice Bytes by which a forced transaction is described in that calldata, without a proof.
    uint256 internal constant ENTRY_BYTES = 800;

    /// @notice Bytes that a call of the bounded target reads, see `IForcedInbox`: nine paths, and
    /// code.
    uint256 internal constant BOUNDED_BYTES = 40_000;

    /// @notice Bytes that the delivery of a kept message to an alias account reads, if the account
    /// calls the messenger: paths of signer, `L2Accounts` and alias account, of the slot of the
    /// message, and of two more slots of the messenger; and the code of `L2Accounts`.
    uint256 internal constant ALIAS_SEND_BYTES = 6 * PATH_BYTES + ALIAS_CODE_BYTES;

    /// @notice The same if the account calls the bounded target: the first four of these paths, and
    /// of the target six paths and 11,600 bytes of code.
    uint256 internal constant ALIAS_CALL_BYTES = 10 * PATH_BYTES + ALIAS_CODE_BYTES + 11_600;

    /// @notice Bytes of the codes of `L2Accounts` and an alias account at most.
    uint256 internal constant ALIAS_CODE_BYTES = 3400;

    /// @notice Number of messages can be demanded of a block.
    uint256 internal constant RELAYS = 4;

    /// @notice Number of hashes may stand between the first of them and the anchor.
    uint256 internal constant AHEAD = 256;

    /// @notice Bytes of relaying a message that cannot be parked, or of parking one: its fields,
    /// the path of its target, and the slot that keeps it if the target cannot be paid.
    uint256 internal constant MESSAGE_BYTES = 132 + 2 * PATH_BYTES;

    /// @notice L2 gas of relaying as many messages as can be demanded: anchor, hashes, and
    /// messages.
    uint256 internal constant RELAY_GAS = 3_000_000;

    /// @notice Gas that a byte of calldata costs on L1 at most (EIP-7976). One that others have to
    /// carry is sold for as much, so that no duty makes an account that advances pay for bytes that
    /// it has not paid for.
    uint256 internal constant GAS_PER_BYTE = 64;

    /// @notice Most gas that the contracts use to advance a block: 64 discharges, ten proofs, and
    /// new slots at the price of Amsterdam (EIP-8037).
    uint256 private constant CONTRACT_GAS = 1_000_000;

    /// @notice Bytes that a forced transfer of this size adds at most.
    function ofTransfer(uint256 size) internal pure returns (uint256) {
        return size + 2 * PATH_BYTES + ENTRY_BYTES;
    }

    /// @notice Bytes that a forced call of the messenger adds: its sender, and three slots.
    function ofSend(uint256 size) internal pure returns (uint256) {
        return size + 4 * PATH_BYTES + ENTRY_BYTES;
    }

    /// @notice Bytes that a forced call of the bounded target adds.
    function ofBounded(uint256 size) internal pure returns (uint256) {
        return size + BOUNDED_BYTES + ENTRY_BYTES;
    }

    /// @notice Bytes that a forced delivery to an alias account adds, if the account calls the
    /// messenger.
    function ofAliasSend(uint256 size) internal pure returns (uint256) {
        return size + ALIAS_SEND_BYTES + ENTRY_BYTES;
    }

    /// @notice Bytes that a forced delivery to an alias account adds, if the account calls the
    /// bounded target.
    function ofAliasCall(uint256 size) internal pure returns (uint256) {
        return size + ALIAS_CALL_BYTES + ENTRY_BYTES;
    }

    /// @notice Bytes of all the relays that can be demanded of a block: messages, the hashes that
    /// lead to them and the slot of their end, and the proof of the new count with its checkpoints.
    function ofRelays() internal pure returns (uint256) {
        return RELAYS * MESSAGE_BYTES + 32 * AHEAD + PATH_BYTES + 2 * PROOF_BYTES + 600;
    }

    /// @notice Returns `true` if one transaction on L1 can advance a block.
    /// @param length Bytes of the transaction.
    /// @param gas Gas of the block.
    function fits(uint256 length, uint256 gas) internal pure returns (bool) {
        return length <= TRANSACTION_BYTES && advanceGas(length, gas) <= TRANSACTION_GAS;
    }

    /// @notice Most gas that advancing a block costs on L1, if no byte is zero.
    function advanceGas(uint256 length, uint256 gas) internal pure returns (uint256) {
        uint256 words = (length + 31) / 32;
        uint256 memoryGas = 3 * words + words * words / 512;
        // EXECUTE: 20,000, the gas of the block, and a 63rd of all that must be left over. Bytes
        // cost 3 in the block and 1 in its witness, items 84 each; of what no block can do without,
        // a node of 32 bytes with its offset is the dearest by the byte, and nodes that a block
        // needs are no shorter.
        uint256 execute = (20_000 + 4 * length + gas) * 64 / 63;
        uint256 standard = 21_000 + CONTRACT_GAS + 16 * length + memoryGas + 3 * words + execute;
        // EIP-7976. EIP-2780 makes no transaction dearer than 21,000 beyond its calldata.
        uint256 least = 21_000 + GAS_PER_BYTE * length;
        return standard > least ? standard : least;
    }
}
