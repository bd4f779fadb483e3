// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IPreconfBonds} from "../../interfaces/IPreconfBonds.sol";
import {IRollup} from "../../interfaces/IRollup.sol";
import {Execute} from "../../libraries/Execute.sol";
import {Headers} from "../../libraries/Headers.sol";
import {KeptCodes} from "../../libraries/KeptCodes.sol";
import {L1History} from "../../libraries/L1History.sol";
import {StateProof} from "../../libraries/StateProof.sol";
import {TransactionProof} from "../../libraries/TransactionProof.sol";

/// @title Judgement of preconfirmations
/// @notice Four functions that return the promise that was broken, or revert. They change nothing.
/// `crates/preconf` judges by the same rules in the same order.
/// @dev Of the rollup, which the message names, only view functions are called, hence by
/// STATICCALL. A signer that signs for a malicious rollup harms only itself.
abstract contract Faults is IPreconfBonds {
    /// @dev A signed message whose header and signature have been checked.
    struct Promise {
        /// Hash of the message that was signed.
        bytes32 digest;
        address signer;
        /// Account that is liable for the signer.
        address account;
        Headers.Summary header;
    }

    bytes32 private constant DOMAIN_TYPE = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant NAME = keccak256("Enshrine preconfirmations");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant PRECONFIRMATION_TYPE = keccak256(
        "Preconfirmation(address rollup,bytes32 blockHash,uint16 schema,bool isSealed,uint64 l1Block,bytes32 l1Hash)"
    );
    bytes32 private constant SIGNER_TYPE = keccak256("Signer(address account)");

    /// @dev Half of the order of secp256k1.
    uint256 private constant HALF_ORDER =
        0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @dev Number of blocks whose hashes the history contract of the L2 stores.
    uint64 private constant HISTORY_LENGTH = 8191;

    /// @inheritdoc IPreconfBonds
    function accountOf(address signer) public view virtual returns (address);

    // ------------------------------------------------------------------ the four faults

    function _equivocation(Signed calldata a, Signed calldata b, TxProof calldata proof)
        internal
        view
        returns (Promise memory p)
    {
        p = _open(a);
        Promise memory q = _open(b);
        if (a.message.rollup != b.message.rollup) {
            revert RollupDiffers(a.message.rollup, b.message.rollup);
        }
        if (p.account != q.account) revert AccountDiffers(p.account, q.account);
        _requireSamePlace(p.header, q.header);
        _requireCondition(a.message);
        _requireCondition(b.message);
        if (p.header.timestamp <= q.header.timestamp) {
            _requireInForce(a.message.rollup, p.header.timestamp, q.header.timestamp);
        } else {
            _requireInForce(a.message.rollup, q.header.timestamp, p.header.timestamp);
        }
        if (p.header.environment != q.header.environment) return p;
        if (a.message.schema != b.message.schema) return p;
        if (p.header.hash == q.header.hash) revert NotInConflict();
        if (a.message.isSealed && b.message.isSealed) return p;
        // One of the two has a false outcome.
        if (p.header.inputs == q.header.inputs) return p;
        (bytes32 ours, bytes32 theirs) = _transactions(p.header, q.header, proof);
        bool differ = ours != theirs;
        // After the last transaction of a prefix there may be another one.
        if (ours == 0 && !a.message.isSealed || theirs == 0 && !b.message.isSealed) differ = false;
        if (!differ) revert NotInConflict();
    }

    function _broken(Signed calldata s, Canonical calldata c, TxProof calldata proof)
        internal
        view
        returns (Promise memory p)
    {
        p = _open(s);
        _requireCondition(s.message);
        Headers.Summary memory canonical = Headers.read(c.header);
        _requireSamePlace(p.header, canonical);
        bytes32 hash = _canonicalHash(IRollup(s.message.rollup), canonical.number, c);
        if (canonical.hash != hash) revert NotCanonical(canonical.hash, hash);
        _requireInForce(s.message.rollup, p.header.timestamp, canonical.timestamp);
        if (canonical.hash == p.header.hash) revert NotInConflict();
        if (s.message.isSealed || canonical.environment != p.header.environment) return p;
        (bytes32 ours, bytes32 theirs) = _transactions(p.header, canonical, proof);
        if (ours == 0 || ours == theirs) revert NotInConflict();
    }

    /// @dev No condition and no time limits apply: execution from this parent has one result.
    function _lie(Signed calldata s, bytes calldata header, bytes calldata input)
        internal
        view
        returns (Promise memory p)
    {
        p = _open(s);
        Headers.Summary memory valid = Headers.read(header);
        bytes memory buffer = _allocate(input);
        uint256 count = Execute.load(buffer, input);
        if (count != 0) revert InputNotSingle(count);
        uint16 schema = Execute.schema(buffer);
        if (schema != s.message.schema) revert SchemaDiffers(schema, s.message.schema);
        uint64 chainId = Execute.chainId(buffer);
        uint64 expected = IRollup(s.message.rollup).CHAIN_ID();
        if (chainId != expected) revert ChainIdDiffers(chainId, expected);
        // EXECUTE compares the hash in the input with the block.
        bytes32 hash = Execute.blockHash(buffer);
        if (valid.hash != hash) revert HeaderMismatch(valid.hash, hash);
        if (valid.inputs != p.header.inputs) revert InputsDiffer(valid.inputs, p.header.inputs);
        if (valid.hash == p.header.hash) revert OutcomesEqual();
        Execute.run(buffer);
    }

    /// @param lateUntil Timestamp until which the account is not punished again, by account.
    function _late(Signed calldata s, function(address) internal view returns (uint64) lateUntil)
        internal
        view
        returns (Promise memory p)
    {
        p = _open(s);
        _requireCondition(s.message);
        uint64 head = IRollup(s.message.rollup).head().number;
        if (head >= p.header.number) revert HeadReached(head, p.header.number);
        uint256 from = _end(s.message.rollup, p.header.timestamp) + 1;
        // forge-lint: disable-start(block-timestamp)
        if (block.timestamp < from) revert NotLate(from);
        uint64 until = lateUntil(p.account);
        if (block.timestamp < until) revert LateAlready(until);
        // forge-lint: disable-end(block-timestamp)
    }

    // ------------------------------------------------------------------ messages

    /// @dev Checks header and signature.
    function _open(Signed calldata s) private view returns (Promise memory p) {
        p.header = Headers.read(s.header);
        if (p.header.hash != s.message.blockHash) {
            revert HeaderMismatch(p.header.hash, s.message.blockHash);
        }
        p.digest = _hashOf(s.message);
        p.signer = _recover(p.digest, s.signature);
        p.account = accountOf(p.signer);
    }

    function _hashOf(Preconfirmation calldata m) internal view returns (bytes32) {
        return _digest(
            keccak256(
                abi.encode(
                    PRECONFIRMATION_TYPE,
                    m.rollup,
                    m.blockHash,
                    m.schema,
                    m.isSealed,
                    m.l1Block,
                    m.l1Hash
                )
            )
        );
    }

    /// @dev Returns the hash that a key signs so that `account` is liable for it.
    function _consentOf(address account) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(SIGNER_TYPE, account)));
    }

    /// @dev The chain id is read each time: it changes if this chain splits.
    function _digest(bytes32 structHash) private view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _recover(bytes32 digest, bytes calldata signature)
        internal
        pure
        returns (address signer)
    {
        if (signature.length != 65) revert SignatureInvalid();
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        // ecrecover returns zero for any v other than 27 and 28. With a high s, each signature
        // would have a second form.
        if (uint256(s) > HALF_ORDER) revert SignatureInvalid();
        signer = ecrecover(digest, uint8(signature[64]), r, s);
        if (signer == address(0)) revert SignatureInvalid();
    }

    /// @dev Requires that this chain contains the L1 block on which the promise depends.
    function _requireCondition(Preconfirmation calldata m) private view {
        if (m.l1Block == 0 && m.l1Hash == 0) return;
        bytes32 got = L1History.hashOf(m.l1Block);
        if (got != m.l1Hash) revert ConditionVoid(m.l1Block, got, m.l1Hash);
    }

    // ------------------------------------------------------------------ blocks

    function _requireSamePlace(Headers.Summary memory a, Headers.Summary memory b) private pure {
        if (a.number != b.number) revert HeightDiffers(a.number, b.number);
        if (a.parent != b.parent) revert ParentDiffers(a.parent, b.parent);
    }

    /// @dev A block with a much later timestamp takes the place of one that was late, which is
    /// another fault.
    function _requireInForce(address rollup, uint64 timestamp, uint64 later) private view {
        uint256 end = _end(rollup, timestamp);
        if (later >= end) revert PromiseEnded(later, end);
    }

    /// @dev Returns the end of a promise about a block with this timestamp.
    function _end(address rollup, uint64 timestamp) private view returns (uint256) {
        return uint256(timestamp) + _postWithin(rollup);
    }

    /// @dev Returns the seconds from the timestamp of a block within which it has to be posted.
    function _postWithin(address rollup) internal view returns (uint64) {
        return IRollup(rollup).MAX_LAG() / 2;
    }

    /// @dev Returns the hash of the rollup's block with this number.
    function _canonicalHash(IRollup rollup, uint64 number, Canonical calldata c)
        private
        view
        returns (bytes32)
    {
        uint64 witness = c.witnessBlock;
        // The caller compares the hash, which contains the number.
        if (witness == 0) return rollup.blockHash();
        if (witness <= number || witness - number > HISTORY_LENGTH) {
            revert WitnessOutOfRange(witness, number);
        }
        bytes32 storageRoot =
            StateProof.storageRoot(rollup.stateRootAt(witness), L1History.HISTORY, c.accountProof);
        bytes32 slot = bytes32(uint256(number % HISTORY_LENGTH));
        return bytes32(StateProof.slot(storageRoot, slot, c.slotProof));
    }

    /// @dev Returns the hashes of the transactions at an index of both blocks; zero for none.
    function _transactions(
        Headers.Summary memory a,
        Headers.Summary memory b,
        TxProof calldata proof
    ) private pure returns (bytes32 ours, bytes32 theirs) {
        ours = _transaction(a.transactionsRoot, proof.index, proof.ours);
        theirs = _transaction(b.transactionsRoot, proof.index, proof.theirs);
    }

    function _transaction(bytes32 root, uint256 index, bytes[] calldata nodes)
        private
        pure
        returns (bytes32)
    {
        if (root == StateProof.EMPTY_ROOT && nodes.length == 0) return 0;
        return TransactionProof.hashAt(root, index, nodes);
    }

    /// @dev `Execute.allocate`, for one input.
    function _allocate(bytes calldata input) private pure returns (bytes memory) {
        uint256 length = KeptCodes.refers(input) ? KeptCodes.lengthOf(input) : input.length;
        return new bytes(length < Execute.MIN_LENGTH ? Execute.MIN_LENGTH : length);
    }
}
