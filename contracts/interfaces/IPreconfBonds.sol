// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Bonds of sequencers that sign preconfirmations
/// @notice A sequencer deposits a bond and signs promises about the next blocks of its rollups.
/// Anyone can prove that a promise was broken, and the bond is burned except for a reward. Evidence
/// consists of signed messages with their headers, proofs against the rollup's own block, and
/// inputs of EXECUTE: nobody's word is trusted. One registry serves any number of rollups. It has
/// no owner and never changes.
interface IPreconfBonds {
    /// @notice What a signer can do wrong.
    enum Fault {
        /// It signed two messages that cannot both be kept.
        Equivocation,
        /// The rollup has another block than the signed one.
        Broken,
        /// Execution gives another result than the signed header.
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

    /// @notice What two blocks have at an index. Ignored if other fields already decide.
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
        /// Timestamp from which it can be withdrawn, in seconds; zero if that was not requested.
        uint64 withdrawableAt;
        /// Timestamp until which the account is not punished again for delay, in seconds.
        uint64 lateUntil;
    }

    /// @notice Emitted when a bond is increased.
    event Deposited(address indexed account, address indexed from, uint256 amount);
    /// @notice Emitted when an account becomes liable for a signer.
    event SignerSet(address indexed account, address indexed signer);
    /// @notice Emitted when a withdrawal is requested. From then on promises of the account are
    /// worth nothing to a cautious client.
    event WithdrawalRequested(address indexed account, uint256 readyAt);
    /// @notice Emitted when a request is cancelled.
    event WithdrawalCancelled(address indexed account);
    /// @notice Emitted when a bond is withdrawn.
    event Withdrawn(address indexed account, address to, uint256 amount);
    /// @notice Emitted when evidence is announced.
    event Committed(bytes32 indexed commitment, address indexed reporter);
    /// @notice Emitted when a fault is proven.
    /// @param number Number of the L2 block.
    /// @param burned Amount that stays in this contract for good, in wei.
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

    /// @notice The signature is malformed, not canonical, or of no key.
    error SignatureInvalid();
    /// @notice Another account is liable for this signer, or it has a bond itself.
    error SignerTaken(address signer, address account);
    /// @notice The first deposit for an account comes from another one. Otherwise a stranger could
    /// keep a key from being registered as a signer.
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
    /// @notice The later block is so late that the promise had ended.
    error PromiseEnded(uint64 later, uint256 end);
    /// @notice Both can be kept.
    error NotInConflict();
    /// @notice The executed block has other inputs than the signed header.
    error InputsDiffer(bytes32 got, bytes32 expected);
    /// @notice The input has another schema id than the message.
    error SchemaDiffers(uint16 got, uint16 expected);
    /// @notice The input has another chain id than the rollup.
    error ChainIdDiffers(uint64 got, uint64 expected);
    /// @notice The input is a batch of `count` blocks, or of a fork whose layout is not known.
    error InputNotSingle(uint256 count);
    /// @notice Execution gives the signed header.
    error OutcomesEqual();
    /// @notice The time for the block is not over.
    error NotLate(uint256 from);
    /// @notice The account has been punished for delay a short time ago.
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
    /// @notice This was committed before.
    error CommitmentExists(bytes32 commitment);
    /// @notice The recipient rejected the payment.
    error TransferFailed(address to);

    /// @notice Increases the bond of an account. The first deposit must be its own.
    function deposit(address account) external payable;

    /// @notice Makes the caller liable for a signer, for good. A signer that could change its
    /// account would take the bond out of reach.
    /// @param consent Signature of the signer on `Signer(address account)` in this domain.
    function setSigner(address signer, bytes calldata consent) external;

    /// @notice Requests the withdrawal of the caller's bond. A further request starts the delay
    /// anew.
    function requestWithdrawal() external;

    /// @notice Cancels the request.
    function cancelWithdrawal() external;

    /// @notice Pays out the whole bond of the caller. It can be slashed until then.
    function withdraw(address payable to) external;

    /// @notice Announces evidence without revealing it. Only evidence that was committed in an
    /// earlier block earns a reward, so whoever copies it from the mempool gets nothing.
    /// @param commitment `keccak256(abi.encode(fault, hash of the first message, reporter, salt))`.
    function commit(bytes32 commitment) external;

    /// @notice Proves that an account signed two messages that cannot both be kept: for the same
    /// parent, both in force, and less apart than a promise lasts. They conflict if environment or
    /// schema id differ, if they have the same inputs and different outcomes, if both are sealed
    /// and differ, or if a transaction differs.
    function accuseEquivocation(
        Signed calldata a,
        Signed calldata b,
        TxProof calldata proof,
        bytes32 salt
    ) external;

    /// @notice Proves that the rollup has another block in the place of a signed one, whoever
    /// posted it.
    function accuseBroken(
        Signed calldata s,
        Canonical calldata c,
        TxProof calldata proof,
        bytes32 salt
    ) external;

    /// @notice Proves by EXECUTE that a signed header has a false outcome.
    /// @param header RLP of the header of the valid block with the same inputs.
    /// @param input Single input of that block.
    function accuseLie(Signed calldata s, bytes calldata header, bytes calldata input, bytes32 salt)
        external;

    /// @notice Proves that the rollup has not reached a signed block in time.
    function accuseLate(Signed calldata s, bytes32 salt) external;

    /// @notice Returns the bond of an account in wei; zero once a withdrawal is requested.
    function bondOf(address account) external view returns (uint256);

    /// @notice Returns the bond of an account in detail.
    function bonds(address account) external view returns (Bond memory);

    /// @notice Returns the account that is liable for a signer: the signer itself, unless another
    /// one has registered it.
    function accountOf(address signer) external view returns (address);

    /// @notice Returns the hash of a message that is signed.
    function hashOf(Preconfirmation calldata message) external view returns (bytes32);
}
