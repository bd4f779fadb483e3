// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IPreconfBonds} from "../../interfaces/IPreconfBonds.sol";
import {IRollup} from "../../interfaces/IRollup.sol";
import {Execute} from "../../libraries/Execute.sol";
import {Headers} from "../../libraries/Headers.sol";
import {KeptCodes} from "../../libraries/KeptCodes.sol";
import {L1History} from "../../libraries/L1History.sol";
import {PreconfMessages} from "../../libraries/PreconfMessages.sol";
import {StateProof} from "../../libraries/StateProof.sol";
import {TransactionProof} from "../../libraries/TransactionProof.sol";

/// @title Proofs of faults
/// @notice One view function for each kind of fault, which returns the broken promise or reverts.
/// `crates/preconf` has the same checks in the same order, except that of the bond.
/// @dev The rollup in the message may be any contract. Only its view functions are called, i.e. by
/// STATICCALL. A malicious contract can only cause the signer of the message to be slashed.
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

    /// @dev Number of blocks whose hashes the history contract of the L2 stores.
    uint64 private constant HISTORY_LENGTH = 8191;

    /// @inheritdoc IPreconfBonds
    function accountOf(address signer) public view virtual returns (address);

    /// @dev Reverts if an account has no bond. Called before any expensive check: if another report
    /// is included first, for example one by the account itself, the reporter must not pay for
    /// EXECUTE.
    function _requireBond(address account) internal view virtual;

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
        _requireBond(p.account);
        _requireSamePlace(p.header, q.header);
        PreconfMessages.requireCondition(a.message);
        PreconfMessages.requireCondition(b.message);
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
        _requireBond(p.account);
        PreconfMessages.requireCondition(s.message);
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

    /// @dev Neither the L1 block of the message nor its age matters: execution on this parent is
    /// deterministic.
    function _lie(Signed calldata s, bytes calldata header, bytes calldata input)
        internal
        view
        returns (Promise memory p)
    {
        p = _open(s);
        _requireBond(p.account);
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

    /// @param lateUntil Returns `Bond.lateUntil` of an account.
    function _late(Signed calldata s, function(address) internal view returns (uint64) lateUntil)
        internal
        view
        returns (Promise memory p)
    {
        p = _open(s);
        _requireBond(p.account);
        PreconfMessages.requireCondition(s.message);
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
        p.digest = PreconfMessages.hashOf(s.message, address(this));
        p.signer = PreconfMessages.recover(p.digest, s.signature);
        p.account = accountOf(p.signer);
    }

    // ------------------------------------------------------------------ blocks

    function _requireSamePlace(Headers.Summary memory a, Headers.Summary memory b) private pure {
        if (a.number != b.number) revert HeightDiffers(a.number, b.number);
        if (a.parent != b.parent) revert ParentDiffers(a.parent, b.parent);
    }

    /// @dev A block whose timestamp is after the end of a promise does not break it. The signed
    /// block was late, which is another fault.
    function _requireInForce(address rollup, uint64 timestamp, uint64 later) private view {
        uint256 end = _end(rollup, timestamp);
        if (later >= end) revert PromiseEnded(later, end);
    }

    /// @dev Returns the end of a promise about a block with this timestamp.
    function _end(address rollup, uint64 timestamp) private view returns (uint256) {
        return uint256(timestamp) + _postWithin(rollup);
    }

    /// @dev Returns the seconds from the timestamp of a block within which it has to be posted.
    function _postWithin(address rollup) private view returns (uint64) {
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
