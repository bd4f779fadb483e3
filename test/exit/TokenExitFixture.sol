// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {ITokenExit} from "../../contracts/interfaces/ITokenExit.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TokenCode} from "../utils/TokenCode.sol";
import {ListingToken, Token} from "../utils/Tokens.sol";
import {ExitFixture} from "./ExitFixture.sol";

/// @title Rollup whose last block is 60 days old, with a bridge, whose L2 side is real
abstract contract TokenExitFixture is ExitFixture {
    using L2 for L2.Chain;

    uint64 internal constant GAS = 300_000;

    L1TokenBridge internal bridge;
    address internal l2Bridge;
    ListingToken internal token;
    /// @dev Has no nonce on the L2.
    address internal carol = makeAddr("carol");

    function setUp() public virtual override {
        super.setUp();
        l2Bridge = vm.computeCreateAddress(relayer, 1);
        IL2.Transaction memory t =
            L2.transaction("operator", KeptCodes.PROXY, 0, TokenCode.creation(l2Bridge));
        t.gasLimit = 1_000_000;
        l2.send(t);
        bridge = new L1TokenBridge(address(queue), l2Bridge);
        address made = l2.deploy(
            "operator", abi.encodePacked(type(L2TokenBridge).creationCode, abi.encode(bridge))
        );
        assertEq(made, l2Bridge);
        // Both have signed a transaction.
        l2.transfer("alice", relayer, 1);
        l2.transfer("bob", relayer, 1);
        advance();
        token = new ListingToken();
        register(token);
    }

    // ------------------------------------------------------------------ messages of the bridge

    /// @dev Records a message that the bridge has just sent.
    function record(uint128 fee, uint64 gasLimit, bytes memory data) internal {
        uint64 index = uint64(sent.length);
        sent.push(
            IL2Messenger.Message(address(bridge), l2Bridge, l2Bridge, 0, fee, gasLimit, index, data)
        );
        states.push(queue.checkpoint());
    }

    function register(Token one) internal {
        bridge.register(address(one), 700_000);
        record(
            0,
            700_000,
            abi.encodeCall(
                IL2TokenBridge.makeToken, (address(one), one.name(), one.symbol(), one.decimals())
            )
        );
        arrive();
    }

    function deposit(
        Token one,
        address from,
        address to,
        address refundTo,
        uint256 amount,
        uint128 fee,
        uint64 gasLimit
    ) internal returns (IL2TokenBridge.Deposit memory d) {
        one.give(from, amount);
        vm.deal(from, from.balance + fee);
        uint256 before = bridge.owed(address(one));
        vm.startPrank(from);
        one.approve(address(bridge), amount);
        uint64 index = bridge.deposit{value: fee}(address(one), to, refundTo, amount, gasLimit);
        vm.stopPrank();
        amount = bridge.owed(address(one)) - before;
        d = IL2TokenBridge.Deposit(address(one), from, to, refundTo, amount, fee, gasLimit, index);
        record(
            fee,
            gasLimit,
            abi.encodeCall(IL2TokenBridge.mint, (address(one), from, to, refundTo, amount))
        );
        assertEq(index, sent.length - 1);
    }

    /// @dev Deposits of alice.
    function deposit(Token one, address to, uint256 amount) internal {
        deposit(one, alice, to, alice, amount, 0, GAS);
    }

    /// @dev Withdraws tokens on the L2 in the next block. Returns the withdrawal.
    function withdraw(string memory from, address to, address refundTo, uint256 amount)
        internal
        returns (IL1TokenBridge.Withdrawal memory)
    {
        uint64 index = abi.decode(
            l2.read(MESSENGER, abi.encodeCall(IL2Messenger.sentCount, ())), (uint64)
        );
        l2.callFrom(
            from,
            l2Bridge,
            abi.encodeCall(IL2TokenBridge.withdraw, (address(token), to, refundTo, amount, GAS))
        );
        return IL1TokenBridge.Withdrawal(
            address(token), L2.account(from), to, refundTo, amount, 0, GAS, index + queuedSends++
        );
    }

    /// @dev Message of a withdrawal.
    function messageOf(IL1TokenBridge.Withdrawal memory w)
        internal
        view
        returns (IL1MessageQueue.Message memory)
    {
        return IL1MessageQueue.Message({
            sender: l2Bridge,
            to: address(bridge),
            refundTo: address(bridge),
            value: 0,
            fee: w.fee,
            gasLimit: w.gasLimit,
            index: w.index,
            data: abi.encodeCall(
                IL1TokenBridge.release, (w.l1Token, w.from, w.to, w.refundTo, w.amount)
            )
        });
    }

    function claim(IL1TokenBridge.Withdrawal memory w) internal {
        queue.claim(messageOf(w), messageProof(w.index), relayer);
    }

    // ------------------------------------------------------------------ proofs and exits

    /// @dev Returns the slot of a balance, as the layout of solady's ERC20 says in bytes.
    function slotOf(address account) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(account, bytes8(0), bytes4(0x87a211a2)));
    }

    function proofOf(Token one, address account) internal returns (ITokenExit.TokenProof memory) {
        IL2.AccountProof memory p =
            L2.proveAt(l2.head.hash, bridge.l2TokenOf(address(one)), slots(account));
        return ITokenExit.TokenProof(l2.prove(account).nodes, p.nodes, p.slots[0].nodes);
    }

    function slots(address account) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = slotOf(account);
    }

    /// @dev Balance of a token on the L2, as the token says.
    function balanceOnL2(Token one, address account) internal returns (uint256) {
        bytes memory call = abi.encodeWithSignature("balanceOf(address)", account);
        return abi.decode(l2.read(bridge.l2TokenOf(address(one)), call), (uint256));
    }

    function exitToken(Token one, address account) internal {
        ITokenExit.TokenProof memory proof = proofOf(one, account);
        vm.prank(account);
        bridge.exitToken(address(one), account, address(0), proof);
    }

    function exitAlias(Token one, address l1Account, address account) internal {
        bridge.exitTokenAlias(address(one), l1Account, proofOf(one, account));
    }

    /// @dev Returns a deposit with the hashes of all messages.
    function returnDeposit(IL2TokenBridge.Deposit memory d, bytes[] memory bridgeProof) internal {
        bridge.returnDeposit(
            d, states[0], states[states.length - 1], hashes(0, sent.length), bridgeProof
        );
    }

    function keptProofOf(IL2TokenBridge.Deposit memory d) internal returns (bytes[] memory) {
        return keptProof(message(d.index));
    }

    /// @dev Asserts what is owed of a token, and that the escrow holds it.
    function assertOwed(Token one, uint256 amount) internal view {
        assertEq(bridge.owed(address(one)), amount);
        assertGe(one.balanceOf(address(bridge)), amount);
    }
}
