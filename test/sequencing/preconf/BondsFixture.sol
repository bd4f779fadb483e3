// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {CommonBase} from "forge-std/Base.sol";
import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {PreconfBonds} from "../../../contracts/sequencing/preconf/PreconfBonds.sol";
import {GenesisHeaders} from "../../utils/GenesisHeaders.sol";
import {IL2} from "../../utils/IL2.sol";

/// @title Signed messages of a sequencer with a bond
/// @dev Headers have the fields of `IL2.Head`, and no transactions.
abstract contract BondsFixture is CommonBase {
    uint16 internal constant OSAKA = 0x1201;
    uint256 internal constant BOND = 10 ether;
    bytes32 internal constant SALT = bytes32(uint256(0x5a17));

    PreconfBonds internal bonds;
    uint256 internal key = uint256(keccak256("sequencer"));
    address internal sequencer = vm.addr(key);
    address internal reporter = vm.addr(uint256(keccak256("reporter")));

    /// @dev Deposits the bond of the sequencer, in a registry that may exist.
    function makeBonds() internal {
        if (address(bonds) == address(0)) bonds = new PreconfBonds();
        vm.deal(sequencer, BOND);
        vm.prank(sequencer);
        bonds.deposit{value: BOND}(sequencer);
    }

    // ------------------------------------------------------------------ messages

    /// @dev Returns an unconditional message about a header.
    function messageOf(address rollup, bytes memory header, bool isSealed)
        internal
        pure
        returns (IPreconfBonds.Preconfirmation memory)
    {
        return IPreconfBonds.Preconfirmation(rollup, keccak256(header), OSAKA, isSealed, 0, 0);
    }

    function signatureOf(bytes32 digest, uint256 key_) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key_, digest);
        return abi.encodePacked(r, s, v);
    }

    function signed(IPreconfBonds.Preconfirmation memory m, bytes memory header, uint256 key_)
        internal
        view
        returns (IPreconfBonds.Signed memory)
    {
        return IPreconfBonds.Signed(m, signatureOf(bonds.hashOf(m), key_), header);
    }

    /// @dev Returns an unconditional message of the sequencer.
    function signed(address rollup, bytes memory header, bool isSealed)
        internal
        view
        returns (IPreconfBonds.Signed memory)
    {
        return signed(messageOf(rollup, header, isSealed), header, key);
    }

    function headerOf(IL2.Head memory head) internal pure returns (bytes memory) {
        return GenesisHeaders.encode(head);
    }

    // ------------------------------------------------------------------ signers

    function consentOf(uint256 key_, address account) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Enshrine preconfirmations"),
                keccak256("1"),
                block.chainid,
                address(bonds)
            )
        );
        bytes32 message = keccak256(abi.encode(keccak256("Signer(address account)"), account));
        return signatureOf(keccak256(abi.encodePacked(hex"1901", domain, message)), key_);
    }

    function setSigner(uint256 key_, address account) internal {
        bytes memory consent = consentOf(key_, account);
        vm.prank(account);
        bonds.setSigner(vm.addr(key_), consent);
    }

    // ------------------------------------------------------------------ accusations

    function noProof() internal pure returns (IPreconfBonds.TxProof memory) {}

    function commitmentOf(IPreconfBonds.Fault fault, IPreconfBonds.Signed memory s, address by)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(fault, bonds.hashOf(s.message), by, SALT));
    }

    /// @dev Commits as the reporter, and waits for the next block.
    function commit(IPreconfBonds.Fault fault, IPreconfBonds.Signed memory s) internal {
        bytes32 commitment = commitmentOf(fault, s, reporter);
        vm.prank(reporter);
        bonds.commit(commitment);
        vm.roll(vm.getBlockNumber() + 1);
    }

    function accuse(IPreconfBonds.Signed memory a, IPreconfBonds.Signed memory b, address by)
        internal
    {
        vm.prank(by);
        bonds.accuseEquivocation(a, b, noProof(), SALT);
    }

    function amountOf(address account) internal view returns (uint256) {
        return bonds.bonds(account).amount;
    }
}
