// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IPreconfBonds} from "../interfaces/IPreconfBonds.sol";
import {L1History} from "./L1History.sol";

/// @title Signed messages about preconfirmations
/// @notice EIP-712 typed data. The domain's contract is `PreconfBonds`, or the rollup if its
/// sequencer has no bond. `crates/preconf` has the same rules.
library PreconfMessages {
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

    /// @notice Returns the hash of a preconfirmation that is signed.
    /// @param verifyingContract Contract of the domain.
    function hashOf(IPreconfBonds.Preconfirmation calldata m, address verifyingContract)
        internal
        view
        returns (bytes32)
    {
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
            ),
            verifyingContract
        );
    }

    /// @notice Returns the hash that a signer signs so that `account` is liable for its messages.
    function consentOf(address account, address verifyingContract) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(SIGNER_TYPE, account)), verifyingContract);
    }

    /// @notice Returns the account whose key has signed a hash.
    /// @param signature r, s and v: 65 bytes, with s in the lower half of the group order.
    function recover(bytes32 digest, bytes calldata signature)
        internal
        pure
        returns (address signer)
    {
        if (signature.length != 65) revert IPreconfBonds.SignatureInvalid();
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        // ecrecover returns zero for any v other than 27 and 28. With a high s, each signature
        // would have a second form.
        if (uint256(s) > HALF_ORDER) revert IPreconfBonds.SignatureInvalid();
        signer = ecrecover(digest, uint8(signature[64]), r, s);
        if (signer == address(0)) revert IPreconfBonds.SignatureInvalid();
    }

    /// @notice Reverts unless this chain contains the L1 block on which the message depends.
    function requireCondition(IPreconfBonds.Preconfirmation calldata m) internal view {
        if (m.l1Block == 0 && m.l1Hash == 0) return;
        bytes32 got = L1History.hashOf(m.l1Block);
        if (got != m.l1Hash) revert IPreconfBonds.ConditionVoid(m.l1Block, got, m.l1Hash);
    }

    /// @dev The chain id is read each time, because it changes if this chain splits.
    function _digest(bytes32 structHash, address verifyingContract) private view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, verifyingContract));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
