// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {console} from "forge-std/console.sol";
import {IForcedInbox} from "../contracts/interfaces/IForcedInbox.sol";
import {IL1MessageQueue} from "../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../contracts/interfaces/IL1TokenBridge.sol";
import {INativeRollup} from "../contracts/interfaces/INativeRollup.sol";
import {IRollup} from "../contracts/interfaces/IRollup.sol";
import {Delivery} from "../contracts/libraries/Delivery.sol";
import {Execute} from "../contracts/libraries/Execute.sol";
import {Transactions} from "../contracts/libraries/Transactions.sol";
import {RollupPlan} from "./RollupPlan.sol";

/// @title Operates a deployed rollup
/// @notice
///   forge script script/Operate.s.sol --sig 'deposit(string,address,uint256)' FILE TO WEI
///       --rpc-url URL --broadcast …
///
/// FILE is the deployment file of `Deploy`. `advance` and `claim` read the calldata of the call
/// from another file, as hexadecimal text; `advance` needs `--skip-simulation`, because forge's own
/// EVM has no EXECUTE.
contract Operate is RollupPlan {
    /// @notice The calldata in the file is for another function.
    error SelectorMismatch(bytes4 got, bytes4 expected);
    /// @notice No L2 block can be advanced: this chain has no EXECUTE.
    error ChainWithoutExecute();

    // ------------------------------------------------------------------ users

    /// @notice Sends ETH to an account on the L2, which may also cancel the deposit if the delivery
    /// fails.
    function deposit(string calldata file, address to, uint256 value) external {
        IL1MessageQueue queue = IL1MessageQueue(_address(file, ".messageQueue"));
        // The base fee may rise until the deposit is included.
        uint256 fee = queue.minimumFee(0) * 5 / 4;
        vm.broadcast(msg.sender);
        // The base fee is far below 2^128.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 index = queue.send{value: value + fee}(to, to, 0, uint128(fee), "");
        console.log("message", index);
    }

    /// @notice Submits a signed L2 transaction whose inclusion the rollup enforces.
    function force(string calldata file, bytes calldata raw) external {
        IForcedInbox inbox = IForcedInbox(_address(file, ".forced"));
        Transactions.Transaction memory t = Transactions.decode(raw, inbox.CHAIN_ID());
        // The base fee may rise until the transaction is included; the excess is returned.
        uint256 fee = inbox.minimumFee(t.gasLimit, inbox.footprintOf(raw)) * 5 / 4;
        vm.broadcast(msg.sender);
        uint64 index = inbox.submit{value: fee}(raw);
        console.log("forced transaction", index, "of", t.sender);
    }

    /// @notice Claims a message of the L2, with the calldata of `IL1MessageQueue.claim`.
    function claim(string calldata file, string calldata calldataFile) external {
        address messageQueue = _address(file, ".messageQueue");
        bytes memory data = _calldata(calldataFile, IL1MessageQueue.claim.selector);
        uint256 gas = _claimGas(data);
        vm.broadcast(msg.sender);
        (bool ok, bytes memory answer) = messageQueue.call{gas: gas}(data);
        _require(ok, answer);
    }

    /// @notice Registers a token, so that the L2 deploys the token that represents it.
    function register(string calldata file, address l1Token) external {
        IL1TokenBridge bridge = IL1TokenBridge(_address(file, ".l1Bridge"));
        uint64 gas = bridge.REGISTER_GAS();
        uint256 fee = _fee(bridge, gas);
        vm.broadcast(msg.sender);
        // More than the call uses: the bridge requires enough remaining gas to read the token's
        // metadata.
        bridge.register{value: fee, gas: 1_000_000}(l1Token, gas);
        console.log("token on the L2", bridge.l2TokenOf(l1Token));
    }

    /// @notice Moves tokens to the L2. The bridge needs an allowance for them.
    function depositToken(string calldata file, address l1Token, address to, uint256 amount)
        external
    {
        IL1TokenBridge bridge = IL1TokenBridge(_address(file, ".l1Bridge"));
        uint64 gas = bridge.DEPOSIT_GAS();
        uint256 fee = _fee(bridge, gas);
        vm.broadcast(msg.sender);
        bridge.deposit{value: fee}(l1Token, to, to, amount, gas);
    }

    // ------------------------------------------------------------------ operators

    /// @notice Adds ETH to the escrow, to back what the genesis of the L2 allocates. The ETH cannot
    /// be withdrawn.
    function back(string calldata file, uint256 value) external {
        IL1MessageQueue queue = IL1MessageQueue(_address(file, ".messageQueue"));
        vm.broadcast(msg.sender);
        queue.back{value: value}();
        console.log("escrow balance in wei", address(queue).balance);
    }

    /// @notice Advances the rollup, with the calldata of `INativeRollup.advance`.
    function advance(string calldata file, string calldata calldataFile) external {
        if (!tellOfExecute()) revert ChainWithoutExecute();
        IRollup rollup = IRollup(_address(file, ".rollup"));
        bytes memory data = _calldata(calldataFile, INativeRollup.advance.selector);
        _standInForExecute();
        vm.broadcast(msg.sender);
        (bool ok, bytes memory answer) = address(rollup).call(data);
        _require(ok, answer);
        console.log("head", rollup.head().number);
    }

    /// @notice Deploys the implementation of the L2 tokens, then the bridge (with the `--rpc-url`
    /// of the L2). Each is deployed by a separate transaction, because from Amsterdam on both
    /// together exceed a block of 10 million gas.
    function deployL2Bridge(string calldata file) external {
        address expected = _address(file, ".l2Bridge");
        address l1Bridge = _address(file, ".l1Bridge");
        require(
            l2BridgeOf(l1Bridge) == expected,
            "the L1 bridge expects the L2 bridge at another address"
        );
        requireProxy();
        ensureCreate2("BridgedToken", l2TokenCode(expected));
        ensureCreate2("L2TokenBridge", l2BridgeCode(l1Bridge));
    }

    // ------------------------------------------------------------------ owners

    /// @notice Announces a change (0: policy, 1: gas limit, 2: fork).
    function announce(string calldata file, IRollup.Change change, uint256 value) external {
        IRollup rollup = IRollup(_address(file, ".rollup"));
        vm.broadcast(msg.sender);
        rollup.announce(change, value);
        console.log("the change can be made from timestamp", rollup.readyAt(change, value));
    }

    /// @notice Records that nothing is pending from before a change. The change can be made a day
    /// later at the earliest.
    function clear(string calldata file, IRollup.Change change, uint256 value) external {
        IRollup rollup = IRollup(_address(file, ".rollup"));
        vm.broadcast(msg.sender);
        rollup.clear(change, value);
        console.log("the change can be made from timestamp", rollup.readyAt(change, value));
    }

    /// @notice Makes a change that is ready.
    function make(string calldata file, IRollup.Change change, uint256 value) external {
        IRollup rollup = IRollup(_address(file, ".rollup"));
        vm.broadcast(msg.sender);
        rollup.make(change, value);
    }

    /// @notice Records that L1 has activated a fork that the schedule of a pinned rollup lacks,
    /// with the calldata of `IRollup.reportFork`. Like `advance`, it needs `--skip-simulation`.
    function reportFork(string calldata file, string calldata calldataFile) external {
        if (!tellOfExecute()) revert ChainWithoutExecute();
        IRollup rollup = IRollup(_address(file, ".rollup"));
        bytes memory data = _calldata(calldataFile, IRollup.reportFork.selector);
        _standInForExecute();
        vm.broadcast(msg.sender);
        (bool ok, bytes memory answer) = address(rollup).call(data);
        _require(ok, answer);
        console.log("the fork can be added", rollup.UPGRADE_DELAY(), "seconds from now");
    }

    /// @notice Withdraws an announced change.
    function withdraw(string calldata file, IRollup.Change change, uint256 value) external {
        IRollup rollup = IRollup(_address(file, ".rollup"));
        vm.broadcast(msg.sender);
        rollup.withdraw(change, value);
    }

    // ------------------------------------------------------------------ helpers

    /// @dev Returns the fee of a message with a margin, because the base fee may rise until it is
    /// included.
    function _fee(IL1TokenBridge bridge, uint64 gas) private view returns (uint256) {
        return IL1MessageQueue(bridge.MESSAGE_QUEUE()).minimumFee(gas) * 5 / 4;
    }

    function _address(string memory file, string memory key) private view returns (address) {
        return vm.parseJsonAddress(vm.readFile(file), key);
    }

    function _calldata(string memory file, bytes4 selector)
        private
        view
        returns (bytes memory data)
    {
        data = vm.parseBytes(vm.trim(vm.readFile(file)));
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes4 got = bytes4(data);
        if (got != selector) revert SelectorMismatch(got, selector);
    }

    /// @dev Returns the gas limit of a claim. The gas that was promised to the target must be left
    /// when it is called, which an estimate from the gas that it uses would not cover. From
    /// Amsterdam on, a transaction needs at least 64 gas per byte of calldata (EIP-7976).
    function _claimGas(bytes memory data) private pure returns (uint256) {
        bytes memory arguments = new bytes(data.length - 4);
        assembly ("memory-safe") {
            mcopy(add(arguments, 0x20), add(data, 0x24), mload(arguments))
        }
        (IL1MessageQueue.Message memory m,,) =
            abi.decode(arguments, (IL1MessageQueue.Message, IL1MessageQueue.MessageProof, address));
        return 500_000 + 64 * data.length + Delivery.required(m.gasLimit);
    }

    /// @dev Reverts with the reason of a failed call.
    function _require(bool ok, bytes memory answer) private pure {
        assembly ("memory-safe") {
            if iszero(ok) { revert(add(answer, 0x20), mload(answer)) }
        }
    }

    /// @dev Replaces EXECUTE in forge's own EVM, so that forge can create the transaction. The
    /// replacement accepts every input; only the result of the node counts.
    function _standInForExecute() private {
        // It returns a zero root, the flag, and two values from the input: the chain id at byte 10,
        // and the schema id at byte 0 with its bytes swapped.
        vm.etch(Execute.PRECOMPILE, hex"60016020536008600a6021376001600160293760015f602a37602b5ff3");
    }
}
