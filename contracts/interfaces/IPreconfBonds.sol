// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Bonds of sequencers that sign preconfirmations
/// @notice A sequencer deposits a bond and signs promises about the next blocks of its rollups.
/// Any account can prove that a promise was broken, and the bond is burned except for a reward.
/// Evidence consists of signed messages with their headers, proofs against the rollup's own block,
/// and inputs of EXECUTE; the registry relies on no statement of the reporter. One registry serves
/// any number of rollups. It has no owner and cannot be upgraded.
interface IPreconfBonds {
    /// @notice Kinds of faults of a signer.
    enum Fault {
        /// The signer signed two conflicting messages.
        Equivocation,
        /// The rollup has a different block than the signed one.
        Broken,
        /// The outcome of execution differs from the signed header.
        Lie,
        /// The signed block was not posted in time.
        Late
    }

    /// @notice Promise about a block, signed as EIP-712 typed data in the domain of this contract,
    /// named `Enshrine preconfirmations`, version `1`.
    struct Preconfirmation {
        /// The rollup's contract on this chain.
        address rollup;
        /// Hash of a complete header: the block that would be posted if no transaction followed.
        bytes32 blockHash;
        /// Schema id of the single input under which the outcomes in the header hold.
        uint16 schema;
        /// `true`: this is the block. `false`: the block will have the same environment and begin
        /// with exactly these transactions.
        bool isSealed;
        /// L1 block on which the promise depends: it is void unless this chain contains the block.
        /// Both zero: it holds without condition.
        uint64 l1Block;
        bytes32 l1Hash;
    }

    /// @notice A message with its signature and its header.
    struct Signed {
        Preconfirmation message;
        /// r, s and v: 65 bytes, with s in the lower half of the group order.
        bytes signature;
        /// RLP of the header with the hash in the message.
        bytes header;
    }

    /// @notice The rollup's own block with the number of a signed one.
    struct Canonical {
        /// RLP of its header.
        bytes header;
        /// Number of a later block of the rollup, in whose state the history contract of EIP-2935
        /// has the hash; zero if the block is the head.
        uint64 witnessBlock;
        /// Trie nodes that prove the history contract against the state root of that block.
        bytes[] accountProof;
        /// Trie nodes that prove the slot of the hash.
        bytes[] slotProof;
    }

    /// @notice Proofs of the transactions of two blocks at an index. Ignored if the blocks are
    /// found to conflict without them.
    struct TxProof {
        /// Index of a transaction.
        uint32 index;
        /// Trie nodes that prove it, or its absence, against the transactions root of the first
        /// block; none if that trie is empty.
        bytes[] ours;
        /// The same for the second block.
        bytes[] theirs;
    }

    /// @notice Bond of an account.
    struct Bond {
        /// In wei.
        uint128 amount;
        /// Timestamp from which it can be withdrawn, in seconds; zero without a request.
        uint64 withdrawableAt;
        /// Timestamp before which the account is not slashed for another delay, in seconds.
        uint64 lateUntil;
    }

    /// @notice Emitted when a bond is increased.
    event Deposited(address indexed account, address indexed from, uint256 amount);
    /// @notice Emitted when an account becomes liable for a signer.
    event SignerSet(address indexed account, address indexed signer);
    /// @notice Emitted when a withdrawal is requested. From then on `bondOf` returns zero, and
    /// clients should not rely on new promises of the account.
    event WithdrawalRequested(address indexed account, uint256 readyAt);
    /// @notice Emitted when the request of a withdrawal is cancelled.
    event WithdrawalCancelled(address indexed account);
    /// @notice Emitted when a bond is withdrawn.
    event Withdrawn(address indexed account, address to, uint256 amount);
    /// @notice Emitted when a commitment to evidence is stored.
    event Committed(bytes32 indexed commitment, address indexed reporter);
    /// @notice Emitted when a fault is proven.
    /// @param number Number of the L2 block.
    /// @param burned Amount that is burned, in wei: no function can transfer it.
    /// @param reward Amount paid to the reporter, in wei.
    event Slashed(
        address indexed account,
        address indexed rollup,
        Fault indexed fault,
        uint64 number,
        address signer,
        uint256 burned,
        uint256 reward,
        address reporter
    );

    /// @notice The signature is malformed, not canonical, or not recoverable.
    error SignatureInvalid();
    /// @notice Another account is liable for this signer, or it has a bond itself.
    error SignerTaken(address signer, address account);
    /// @notice The first deposit for an account must come from the account itself. Otherwise
    /// another account could prevent its registration as a signer.
    error NotOwnDeposit(address account, address from);
    /// @notice The header has another hash.
    error HeaderMismatch(bytes32 got, bytes32 expected);
    /// @notice The messages are about different rollups.
    error RollupDiffers(address a, address b);
    /// @notice Different accounts are liable for the messages.
    error AccountDiffers(address a, address b);
    /// @notice The blocks have different numbers.
    error HeightDiffers(uint64 a, uint64 b);
    /// @notice The blocks have different parents.
    error ParentDiffers(bytes32 a, bytes32 b);
    /// @notice The promise is void: this chain does not contain the L1 block on which it depends.
    error ConditionVoid(uint64 l1Block, bytes32 got, bytes32 expected);
    /// @notice The timestamp of the later block is not before the end of the promise.
    error PromiseEnded(uint64 later, uint256 end);
    /// @notice The two messages, or the message and the block, do not conflict.
    error NotInConflict();
    /// @notice The inputs of the executed block differ from those of the signed header.
    error InputsDiffer(bytes32 got, bytes32 expected);
    /// @notice The input has another schema id than the message.
    error SchemaDiffers(uint16 got, uint16 expected);
    /// @notice The input has another chain id than the rollup.
    error ChainIdDiffers(uint64 got, uint64 expected);
    /// @notice The input is a batch of `count` blocks, or of a fork whose layout is not known.
    error InputNotSingle(uint256 count);
    /// @notice The outcome of execution equals that of the signed header.
    error OutcomesEqual();
    /// @notice The block is late from this timestamp on, in seconds.
    error NotLate(uint256 from);
    /// @notice The account has been slashed for a delay, and is not slashed for another one before
    /// this timestamp, in seconds.
    error LateAlready(uint64 until);
    /// @notice The rollup has a block with this number.
    error HeadReached(uint64 head, uint64 number);
    /// @notice The header is not that of the rollup's block.
    error NotCanonical(bytes32 got, bytes32 expected);
    /// @notice The state of the witness block does not have the hash of block `number`.
    error WitnessOutOfRange(uint64 witness, uint64 number);
    /// @notice The account has no bond.
    error NothingBonded(address account);
    /// @notice No withdrawal was requested.
    error NotRequested();
    /// @notice The withdrawal is not possible yet.
    error TooSoon(uint256 readyAt);
    /// @notice The commitment is already stored.
    error CommitmentExists(bytes32 commitment);
    /// @notice The recipient rejected the payment.
    error TransferFailed(address to);

    /// @notice Increases the bond of an account. The first deposit must be its own.
    function deposit(address account) external payable;

    /// @notice Makes the caller permanently liable for a signer. If a signer could change its
    /// account, the bond could not be slashed for its earlier messages.
    /// @param consent Signature of the signer on `Signer(address account)` in this domain.
    function setSigner(address signer, bytes calldata consent) external;

    /// @notice Requests the withdrawal of the caller's bond. A further request restarts the delay.
    function requestWithdrawal() external;

    /// @notice Cancels the request.
    function cancelWithdrawal() external;

    /// @notice Pays out the entire bond of the caller. It can be slashed until then.
    function withdraw(address payable to) external;

    /// @notice Stores a commitment to evidence, which does not reveal it. A reward is paid only if
    /// the commitment was stored in an earlier block, so an account that copies the evidence from
    /// the mempool gets none.
    /// @param commitment `keccak256(abi.encode(fault, hash of the first message, reporter, salt))`.
    function commit(bytes32 commitment) external;

    /// @notice Proves that an account signed two conflicting messages. Their blocks have the same
    /// number and parent, the L1 blocks on which they depend are both on this chain, and the later
    /// timestamp is before the end of the earlier promise. They conflict if environment or schema
    /// id differ, if they have the same inputs and different outcomes, if both are sealed and
    /// differ, or if a transaction differs.
    function accuseEquivocation(
        Signed calldata a,
        Signed calldata b,
        TxProof calldata proof,
        bytes32 salt
    ) external;

    /// @notice Proves that the rollup has another block with the number and the parent of a signed
    /// one. It does not matter which account posted it.
    function accuseBroken(
        Signed calldata s,
        Canonical calldata c,
        TxProof calldata proof,
        bytes32 salt
    ) external;

    /// @notice Proves by EXECUTE that a signed header has a false outcome. EXECUTE is called only
    /// if there is a bond to slash.
    /// @param header RLP of the header of the valid block with the same inputs.
    /// @param input Single input of that block.
    function accuseLie(Signed calldata s, bytes calldata header, bytes calldata input, bytes32 salt)
        external;

    /// @notice Proves that the rollup did not reach the number of a signed block in time.
    function accuseLate(Signed calldata s, bytes32 salt) external;

    /// @notice Returns the bond of an account, in wei; zero once a withdrawal is requested.
    function bondOf(address account) external view returns (uint256);

    /// @notice Returns the bond of an account in detail.
    function bonds(address account) external view returns (Bond memory);

    /// @notice Returns the account that is liable for a signer: the signer itself, unless another
    /// one has registered it.
    function accountOf(address signer) external view returns (address);

    /// @notice Returns the hash that is signed for a message.
    function hashOf(Preconfirmation calldata message) external view returns (bytes32);
}
