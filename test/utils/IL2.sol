// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Functions of the helper for L2 chains
/// @notice A request is the calldata of one of these functions, the response its return data. No
/// Solidity contract implements this interface; `crates/forge` reads this file.
interface IL2 {
    /// @dev A storage slot and its value.
    struct Slot {
        bytes32 slot;
        bytes32 value;
    }

    /// @dev An account of a genesis.
    struct Account {
        address account;
        uint64 nonce;
        uint256 balance;
        bytes code;
        Slot[] slots;
    }

    /// @dev Block 0 (or `number`) of a chain. The anchor is the parent beacon block root of its
    /// header. The system contracts of all forks are always included; on a chain of the EIP-8079
    /// draft, which is selected by the revision of the schema, the contract that stores the anchor
    /// is included as well.
    struct Genesis {
        uint64 chainId;
        uint16 schema;
        uint64 number;
        uint64 timestamp;
        uint64 gasLimit;
        uint64 baseFee;
        address feeRecipient;
        bytes32 anchor;
        Account[] accounts;
    }

    /// @dev Fields of a block's header; `schema` is that of its fork.
    struct Head {
        bytes32 hash;
        bytes32 parentHash;
        bytes32 stateRoot;
        bytes32 receiptsRoot;
        bytes32 anchor;
        address feeRecipient;
        uint64 number;
        uint64 timestamp;
        uint64 gasLimit;
        uint64 gasUsed;
        uint64 baseFee;
        uint64 chainId;
        uint16 schema;
    }

    struct AccessListItem {
        address account;
        bytes32[] slots;
    }

    /// @dev An authorization of EIP-7702, signed by a named key. The chain id 0 is for any chain,
    /// the nonce `type(uint64).max` for the next one.
    struct Authorization {
        string signer;
        uint64 chainId;
        address code;
        uint64 nonce;
    }

    /// @dev `Raw` marks `data` as a signed transaction.
    enum Kind {
        Legacy,
        AccessList,
        FeeMarket,
        SetCode,
        Raw
    }

    /// @dev Transaction to be signed by the named key `from`. The chain id 0 means that of the
    /// chain, the nonce `type(uint64).max` the next one, the gas limit 0 one that is sufficient in
    /// most cases. Kinds with a single gas price use `maxFeePerGas`.
    struct Transaction {
        Kind kind;
        string from;
        bool create;
        address to;
        uint256 value;
        bytes data;
        uint64 chainId;
        uint64 nonce;
        uint64 gasLimit;
        uint128 maxFeePerGas;
        uint128 maxPriorityFeePerGas;
        AccessListItem[] accessList;
        Authorization[] authorizations;
    }

    /// @dev Block to be sealed on `parentHash`. Schema 0 and gas limit 0 mean those of the parent
    /// (the gas limit changes by less than a 1024th per block); slot number 0 means the block's
    /// number. Invalid transactions are an error, unless they may be omitted. On a chain of the
    /// EIP-8079 draft the anchor is also that of the system call at the start of the block.
    struct Block {
        bytes32 parentHash;
        uint16 schema;
        uint64 timestamp;
        bytes32 anchor;
        address feeRecipient;
        uint64 gasLimit;
        bytes32 prevRandao;
        bytes extraData;
        uint64 slotNumber;
        bool leaveOutInvalid;
    }

    /// @dev Omitted transaction: its position in the queue, and the reason.
    struct Rejected {
        uint256 index;
        string reason;
    }

    /// @dev Sealed block; `input` is the calldata of EXECUTE.
    struct Sealed {
        Head head;
        bytes input;
        bytes32[] transactionHashes;
        Rejected[] rejected;
    }

    struct Log {
        address emitter;
        bytes32[] topics;
        bytes data;
    }

    /// @dev Outcome of a transaction. `to` is zero for a creation, `created` for everything else.
    /// If it failed, `output` is its return data and `reason` a description: the text of a revert,
    /// the meaning of a panic, the selector of a custom error, or the EVM's reason to halt.
    struct Receipt {
        bytes32 transactionHash;
        uint8 kind;
        bool success;
        address from;
        address to;
        address created;
        uint64 gasUsed;
        uint64 cumulativeGasUsed;
        Log[] logs;
        bytes output;
        string reason;
    }

    /// @dev Storage slot, with the nodes from the storage root down that prove its value, or that
    /// it is zero.
    struct SlotProof {
        bytes32 slot;
        bytes32 value;
        bytes[] nodes;
    }

    /// @dev Account at a block, with the nodes from the state root down that prove it, or its
    /// absence (`exists` is false then). `header` is RLP.
    struct AccountProof {
        Head head;
        bytes header;
        bool exists;
        uint64 nonce;
        uint256 balance;
        bytes32 storageRoot;
        bytes32 codeHash;
        bytes[] nodes;
        SlotProof[] slots;
    }

    /// @dev Parts of an input that can be changed. Scalars take a word as value. `LogsBloom` takes
    /// 256 bytes, `WithdrawalAdded` an SSZ record of 44 bytes, `TransactionSwapped` the index of
    /// the other transaction as a word; fields that end in `Dropped` take nothing, and all other
    /// lists and byte strings take bytes.
    enum Field {
        Schema,
        ChainId,
        Anchor,
        ParentHash,
        FeeRecipient,
        StateRoot,
        ReceiptsRoot,
        LogsBloom,
        PrevRandao,
        Number,
        GasLimit,
        GasUsed,
        Timestamp,
        ExtraData,
        BaseFee,
        BlockHash,
        BlobGasUsed,
        ExcessBlobGas,
        SlotNumber,
        BlockAccessList,
        VersionedHashAdded,
        WithdrawalAdded,
        Transaction,
        TransactionAdded,
        TransactionDropped,
        TransactionSwapped,
        Node,
        NodeDropped,
        Code,
        CodeDropped,
        Header,
        HeaderDropped,
        BurnedFees
    }

    /// @dev A change of an input; `index` is for items of lists.
    struct Change {
        Field field;
        uint256 index;
        bytes value;
    }

    function genesis(Genesis calldata genesis_) external returns (Head memory);

    function sealBlock(Block calldata block_, Transaction[] calldata transactions)
        external
        returns (Sealed memory);

    function sign(bytes32 blockHash, Transaction[] calldata queue, Transaction calldata transaction)
        external
        returns (bytes memory raw);

    function nextNonce(bytes32 blockHash, Transaction[] calldata queue, address account)
        external
        returns (uint64);

    function input(bytes32 blockHash) external returns (bytes memory);

    function wideInput(bytes32 blockHash) external returns (bytes memory);

    function batch(bytes[] calldata inputs) external returns (bytes memory);

    function receipts(bytes32 blockHash) external returns (Receipt[] memory);

    function prove(bytes32 blockHash, address account, bytes32[] calldata slots)
        external
        returns (AccountProof memory);

    function code(bytes32 blockHash, address account) external returns (bytes memory);

    function callAt(bytes32 blockHash, address from, address to, uint256 value, bytes calldata data)
        external
        returns (bool success, bytes memory output, uint64 gasUsed);

    function change(bytes calldata input_, Change[] calldata changes, bool rehash)
        external
        returns (bytes memory);

    function verify(bytes calldata input_, string calldata profile)
        external
        returns (bool valid, string memory reason, uint64 charge);
}
