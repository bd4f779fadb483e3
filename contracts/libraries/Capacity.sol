// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Limits of an L2 block that a single transaction on L1 can carry
/// @notice A block that is too large for L1 halts its rollup, so the contract must never require a
/// block to include so much that it does not fit into one L1 transaction. That transaction must be
/// acceptable to public mempools: if it needed a private relationship with an L1 builder, not every
/// account could advance. All required content of a block therefore shares a budget that fits by
/// construction, whatever users submit:
///
///   128 KiB   maximum size of a transaction in public pools
///   2^24 gas  maximum gas of a transaction (EIP-7825), under the more expensive of the schedules
///             of Osaka and Amsterdam: 64 gas for any byte of calldata (EIP-7976; 40 before,
///             EIP-7623)
///
/// Gas does not bound the bytes that an L2 transaction adds to an input: a call of 2,500 gas can
/// read a contract of 64 KiB, all of which has to be in the witness. Therefore no required
/// transaction executes code whose reads are not bounded: they are transfers and deposits to
/// accounts without code, calls to the messenger that send to L1, and calls to one contract that
/// the deployer has chosen. Nor does gas bound what EXECUTE charges on L1 for precompiles, some of
/// whose gas counts several times; none of them is called with gas that a user has chosen.
///
/// Trie paths do bound it. `PATH_BYTES` is a path below the root: five full branches, some branches
/// with few children that an account has created by grinding, and a leaf. That holds for a hundred
/// million accounts, and for as many slots of the messenger.
///
///   accounts that every block reads    10 paths (four or five system contracts, fee recipient,
///                                      operator, anchor, messenger)                        32,000
///   their code                                                                             12,000
///   rings of EIP-4788 and EIP-2935                                                          5,000
///   request queues (EIP-7002, EIP-7251), filled by an account that spends one ETH          20,000
///   slots of anchor and messenger                                                           6,500
///   header, payload, block access list                                                      2,500
///                                                                              BLOCK_BYTES 78,000
///   the L1 transaction around it                                                            1,072
///   the duty: relays or forced transactions, with their evidence in the calldata
///                                                                               DUTY_BYTES 52,000
library Capacity {
    /// @notice Maximum gas of a transaction (EIP-7825).
    uint256 internal constant TRANSACTION_GAS = 1 << 24;

    /// @notice Maximum size in bytes of a transaction that public pools accept.
    uint256 internal constant TRANSACTION_BYTES = 131_072;

    /// @notice Bytes of a block without its duties.
    uint256 internal constant BLOCK_BYTES = 78_000;

    /// @notice Bytes of the L1 transaction around the block and its evidence.
    uint256 internal constant ENVELOPE_BYTES = 1072;

    /// @notice Maximum bytes that a block's duties can add.
    uint256 internal constant DUTY_BYTES = 52_000;

    /// @notice Maximum gas that a block's duties can use, if its gas limit is not lower.
    /// @dev Low enough that blocks still fit if L1 halves the maximum gas of a transaction.
    uint256 internal constant DUTY_GAS = 4_000_000;

    /// @notice Bytes of a trie path without the root.
    uint256 internal constant PATH_BYTES = 3200;

    /// @notice Bytes of a trie path as evidence in the calldata of `advance`: with the root, and
    /// each node as an item of an array.
    uint256 internal constant PROOF_BYTES = 5400;

    /// @notice Bytes that describe a forced transaction in that calldata, without a proof.
    uint256 internal constant ENTRY_BYTES = 800;

    /// @notice Bytes that a call to the bounded target reads, see `IForcedInbox`: nine paths and
    /// code.
    uint256 internal constant BOUNDED_BYTES = 40_000;

    /// @notice Bytes that the delivery of a stored message to an alias account reads, if the
    /// account calls the messenger: paths of signer, `L2Accounts` and alias account, of the
    /// message's slot and of two more slots of the messenger; and the code of `L2Accounts`.
    uint256 internal constant ALIAS_SEND_BYTES = 6 * PATH_BYTES + ALIAS_CODE_BYTES;

    /// @notice Bytes that such a delivery reads if the account calls the bounded target: the first
    /// four of these paths, and six paths and 11,600 bytes of code of the target.
    uint256 internal constant ALIAS_CALL_BYTES = 10 * PATH_BYTES + ALIAS_CODE_BYTES + 11_600;

    /// @notice Maximum bytes of the code of `L2Accounts` and an alias account.
    uint256 internal constant ALIAS_CODE_BYTES = 3400;

    /// @notice Maximum number of messages that a block can be required to relay.
    uint256 internal constant RELAYS = 4;

    /// @notice Maximum number of messages that an anchor may cover beyond those proven to be
    /// relayed. A waypoint bridges them by their hashes.
    uint256 internal constant AHEAD = 256;

    /// @notice Bytes of relaying a message that cannot be parked, or of parking one: its fields,
    /// the path of its target, and the slot that stores it if the payment of its target fails.
    uint256 internal constant MESSAGE_BYTES = 132 + 2 * PATH_BYTES;

    /// @notice L2 gas of relaying the required number of messages: anchor, hashes and messages.
    uint256 internal constant RELAY_GAS = 3_000_000;

    /// @notice Maximum gas of a byte of calldata on L1 (EIP-7976). Bytes that a user adds to inputs
    /// are sold at this price, so that an account that advances does not pay for the bytes of
    /// others.
    uint256 internal constant GAS_PER_BYTE = 64;

    /// @notice Maximum gas that the contracts use to advance a block: 64 discharges, ten proofs,
    /// and new slots at the price of Amsterdam (EIP-8037).
    uint256 private constant CONTRACT_GAS = 1_000_000;

    /// @notice Returns the maximum bytes that a forced transfer of this size adds.
    function ofTransfer(uint256 size) internal pure returns (uint256) {
        return size + 2 * PATH_BYTES + ENTRY_BYTES;
    }

    /// @notice Returns the bytes that a forced call to the messenger adds: its sender, and three
    /// slots.
    function ofSend(uint256 size) internal pure returns (uint256) {
        return size + 4 * PATH_BYTES + ENTRY_BYTES;
    }

    /// @notice Returns the bytes that a forced call to the bounded target adds.
    function ofBounded(uint256 size) internal pure returns (uint256) {
        return size + BOUNDED_BYTES + ENTRY_BYTES;
    }

    /// @notice Returns the bytes that a forced delivery to an alias account adds, if the account
    /// calls the messenger.
    function ofAliasSend(uint256 size) internal pure returns (uint256) {
        return size + ALIAS_SEND_BYTES + ENTRY_BYTES;
    }

    /// @notice Returns the bytes that a forced delivery to an alias account adds, if the account
    /// calls the bounded target.
    function ofAliasCall(uint256 size) internal pure returns (uint256) {
        return size + ALIAS_CALL_BYTES + ENTRY_BYTES;
    }

    /// @notice Returns the bytes of all the relays that can be required of a block: messages, the
    /// hashes up to the anchor and the slot of the waypoint, and the proof of the new count with
    /// its checkpoints.
    function ofRelays() internal pure returns (uint256) {
        return RELAYS * MESSAGE_BYTES + 32 * AHEAD + PATH_BYTES + 2 * PROOF_BYTES + 600;
    }

    /// @notice Returns `true` if one transaction on L1 can advance a block.
    /// @param length Size of the transaction, in bytes.
    /// @param gas Gas of the block.
    function fits(uint256 length, uint256 gas) internal pure returns (bool) {
        return length <= TRANSACTION_BYTES && advanceGas(length, gas) <= TRANSACTION_GAS;
    }

    /// @notice Returns the maximum gas of advancing a block on L1, if no byte is zero.
    function advanceGas(uint256 length, uint256 gas) internal pure returns (uint256) {
        uint256 words = (length + 31) / 32;
        uint256 memoryGas = 3 * words + words * words / 512;
        // EXECUTE: 20,000, the block's gas, and a 63rd of the gas that must remain. Bytes cost 3 in
        // the block and 1 in its witness, items 84 each. Among the indispensable parts of a block,
        // a node of 32 bytes with its offset is the most expensive per byte, and the nodes that a
        // block needs are no shorter.
        uint256 execute = (20_000 + 4 * length + gas) * 64 / 63;
        uint256 standard = 21_000 + CONTRACT_GAS + 16 * length + memoryGas + 3 * words + execute;
        // EIP-7976. Under EIP-2780 no transaction costs more than 21,000 in addition to its
        // calldata.
        uint256 minimum = 21_000 + GAS_PER_BYTE * length;
        return standard > minimum ? standard : minimum;
    }
}
