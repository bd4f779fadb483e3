// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../../contracts/interfaces/IRollup.sol";
import {PreconfMessages} from "../../../contracts/libraries/PreconfMessages.sol";
import {HybridSequencing} from "../../../contracts/sequencing/HybridSequencing.sol";
import {PermissionedSequencing} from "../../../contracts/sequencing/PermissionedSequencing.sol";
import {BondRequirement} from "../../../contracts/sequencing/preconf/BondRequirement.sol";
import {PreconfBonds} from "../../../contracts/sequencing/preconf/PreconfBonds.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {LieFixture} from "../../attacks/preconf/LieFixture.sol";

/// @title Rollup under `HybridSequencing`, with a real L2 and the real EXECUTE
abstract contract HybridFixture is LieFixture {
    using L2 for L2.Chain;

    /// @dev Minimum for preconfirmations, see `HybridSequencing`.
    uint64 internal constant TIMEOUT = MAX_LAG / 4 * 7;
    uint64 internal constant POST_DELAY = 300;

    HybridSequencing internal policy;
    address internal stranger = makeAddr("stranger");

    function setUp() public virtual override {
        bonds = new PreconfBonds();
        policy = makePolicy();
        super.setUp();
    }

    function makePolicy() internal virtual returns (HybridSequencing) {
        return new HybridSequencing(sequencer, L2.account("fees"), TIMEOUT, POST_DELAY, bonds, BOND);
    }

    function config() internal view virtual override returns (IRollup.Config memory c) {
        c = super.config();
        c.policy = address(policy);
    }

    // ------------------------------------------------------------------ blocks

    /// @dev Seals a block with a transfer.
    function sealOne() internal returns (bytes memory) {
        l2.transfer("alice", bob, 1);
        return l2.seal();
    }

    /// @dev Seals consecutive blocks with a transfer each, one second apart.
    function seal(uint256 count) internal returns (bytes[] memory inputs) {
        inputs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            inputs[i] = sealOne();
        }
    }

    function advanceBy(address account, bytes[] memory inputs) internal {
        vm.prank(account);
        rollup.advance(inputs, none());
    }

    // ------------------------------------------------------------------ posts

    /// @dev Returns an unconditional message about the head of the L2.
    function sealedHead() internal view returns (IPreconfBonds.Preconfirmation memory) {
        return IPreconfBonds.Preconfirmation(address(rollup), l2.head.hash, OSAKA, true, 0, 0);
    }

    function sign(IPreconfBonds.Preconfirmation memory m) internal view returns (bytes memory) {
        return signatureOf(bonds.hashOf(m), key);
    }

    /// @dev Returns the hash of a message in the domain of any contract.
    function hashIn(IPreconfBonds.Preconfirmation calldata m, address verifyingContract)
        external
        view
        returns (bytes32)
    {
        return PreconfMessages.hashOf(m, verifyingContract);
    }

    function post(
        IPreconfBonds.Preconfirmation memory m,
        bytes memory signature,
        bytes[] memory inputs
    ) internal {
        vm.prank(stranger);
        policy.post(m, signature, inputs, none());
    }

    /// @dev Posts blocks up to the head of the L2, signed by the sequencer.
    function post(bytes[] memory inputs) internal {
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        post(m, sign(m), inputs);
    }

    function expectPostRefused(
        IPreconfBonds.Preconfirmation memory m,
        bytes memory signature,
        bytes[] memory inputs,
        bytes memory error_
    ) internal {
        vm.prank(stranger);
        vm.expectRevert(error_);
        policy.post(m, signature, inputs, none());
    }

    function expectPostRefused(bytes[] memory inputs, bytes memory error_) internal {
        IPreconfBonds.Preconfirmation memory m = sealedHead();
        expectPostRefused(m, sign(m), inputs, error_);
    }

    function expectAdvanceRefused(address account, bytes[] memory inputs, bytes memory error_)
        internal
    {
        vm.prank(account);
        vm.expectRevert(error_);
        rollup.advance(inputs, none());
    }

    function expectNotSequencer(address account, bytes[] memory inputs) internal {
        expectAdvanceRefused(
            account,
            inputs,
            abi.encodeWithSelector(
                PermissionedSequencing.NotSequencer.selector,
                account,
                policy.sequencer(),
                policy.opensAt(rollup.head().timestamp)
            )
        );
    }

    function bondTooSmall(uint256 got, uint256 minimum) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(BondRequirement.BondTooSmall.selector, got, minimum);
    }

    // ------------------------------------------------------------------ bonds

    function requestWithdrawal() internal {
        vm.prank(sequencer);
        bonds.requestWithdrawal();
    }

    /// @dev Burns the whole bond for an equivocation.
    function slash() internal {
        IL2.Head memory head = l2.head;
        IPreconfBonds.Signed memory a = signed(address(rollup), headerOf(head), true);
        head.feeRecipient = address(1);
        accuse(a, signed(address(rollup), headerOf(head), true), reporter);
        assertEq(amountOf(sequencer), 0);
    }

    // ------------------------------------------------------------------ accusations

    function headerOfHead() internal returns (bytes memory) {
        return l2.prove(alice).header;
    }

    /// @dev Returns the sequencer's sealed message about the head of the L2.
    function signedHead() internal returns (IPreconfBonds.Signed memory) {
        return promised(headerOfHead());
    }

    /// @dev Accuses with the head of the rollup.
    function accuseBroken(IPreconfBonds.Signed memory s, bytes memory header) internal {
        IPreconfBonds.Canonical memory c;
        c.header = header;
        vm.prank(reporter);
        bonds.accuseBroken(s, c, noProof(), SALT);
    }

    function expectNotBroken(IPreconfBonds.Signed memory s, bytes memory header, bytes4 error_)
        internal
    {
        IPreconfBonds.Canonical memory c;
        c.header = header;
        vm.prank(reporter);
        vm.expectPartialRevert(error_);
        bonds.accuseBroken(s, c, noProof(), SALT);
    }

    function accuseLate(IPreconfBonds.Signed memory s) internal {
        vm.prank(reporter);
        bonds.accuseLate(s, SALT);
    }
}
