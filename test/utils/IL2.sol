// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title What the helper does for L2 chains
/// @notice A request is the calldata of one of these functions, an answer what it returns. Nobody
/// implements this in Solidity; `crates/forge` reads this file.
interface IL2 {
    struct Slot {
        bytes32 slot;
        bytes32 value;
    }

    struct Account {
        address account;
        uint64 nonce;
        uint256 balance;
        bytes code;
        Slot[] slots;
    }

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

    struct Authorization {
        string signer;
        uint64 chainId;
        address code;
        uint64 nonce;
    }

    enum Kind {
        Legacy,
        AccessList,
        FeeMarket,
        SetCode,
        Raw
    }

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

    struct LeftOut {
        uint256 index;
        string reason;
    }

    struct Sealed {
        Head head;
        bytes input;
        bytes32[] transactionHashes;
        LeftOut[] leftOut;
    }

    struct Log {
        address emitter;
        bytes32[] topics;
        bytes data;
    }

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
    }

    struct SlotProof {
        bytes32 slot;
        bytes32 value;
        bytes[] nodes;
    }

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
        HeaderDropped
    }

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
