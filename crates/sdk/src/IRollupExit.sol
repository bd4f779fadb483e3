// SPDX-License-Identifier: MIT OR Apache-2.0
// Members of `IRollupExit`, and the two types of `IL1MessageQueue` that they use, without comments; a
// test compares them with both.
interface IRollupExit {
    struct Checkpoint {
        uint64 id;
        uint64 count;
        uint64 l1Block;
        uint64 timestamp;
        bytes32 root;
    }
    struct Message {
        address sender;
        address to;
        address refundTo;
        uint128 value;
        uint128 fee;
        uint64 gasLimit;
        uint64 index;
        bytes data;
    }
    event RollupClosed(uint64 indexed number, bytes32 stateRoot, uint64 relayed);
    event AccountExited(address indexed account, address indexed recipient, uint256 amount);
    event MessageReturned(uint64 indexed index, address indexed recipient, uint256 amount);
    error NotLost(uint256 from);
    error AlreadyClosed();
    error NotClosed();
    error LostAfterTooShort(uint64 got, uint256 minimum);
    error QueueOfAnotherExit(address got, address expected);
    error AlreadyExited(address account);
    error NothingOwed(address account);
    error AccountHasCode(address account, bytes32 codeHash);
    error AccountCodeMismatch(address account, bytes32 got, bytes32 expected);
    error CallerNotAccount(address caller, address account);
    error MessageRelayed(uint64 index, uint64 relayed);
    error MessageNotKept(bytes32 messageHash);
    error AlreadyReturned(uint64 index);
    error NotCheckpoint(uint64 id, uint64 count, bytes32 root);
    error HashesMismatch(bytes32 got, bytes32 expected);
    error MessageMismatch(uint64 index, bytes32 got, bytes32 expected);
    error NotRefundable(address caller, address refundTo);
    function close(bytes[] calldata accountProof, bytes[] calldata storageProof) external;
    function exit(address account, address delegate, bytes[] calldata accountProof) external;
    function exitAlias(address l1Account, bytes[] calldata accountProof) external;
    function returnMessage(
        Message calldata message,
        Checkpoint calldata before,
        Checkpoint calldata next,
        bytes32[] calldata hashes
    ) external;
    function returnKept(Message calldata message, bytes[] calldata storageProof)
        external;
    function reclaimMessage(
        Message calldata message,
        Checkpoint calldata before,
        Checkpoint calldata next,
        bytes32[] calldata hashes,
        address to,
        bytes[] calldata refundProof
    ) external;
    function reclaimKept(
        Message calldata message,
        bytes[] calldata storageProof,
        address to,
        bytes[] calldata refundProof
    ) external;
    function stateRoot() external view returns (bytes32);
    function relayed() external view returns (uint64);
    function hasExited(address account) external view returns (bool);
    function isReturned(uint64 index) external view returns (bool);
    function ROLLUP() external view returns (address);
    function MESSAGE_QUEUE() external view returns (address);
    function LOST_AFTER() external view returns (uint64);
}
