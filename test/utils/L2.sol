// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Vm} from "forge-std/Vm.sol";
import {Helper} from "./Helper.sol";
import {IL2} from "./IL2.sol";

/// @title Scripted L2 chains
/// @notice A chain consists of a genesis and of blocks of queued transactions, each of which is
/// actually built and executed. The test's own storage contains only the hash of the newest block
/// and the queue, so forge's snapshots, fuzz runs and parallel tests work as usual. See
/// docs/forge.md.
///
///     using L2 for L2.Chain;
///     L2.Chain internal l2;
///
///     l2.start();
///     l2.transfer("alice", bob, 1 ether);
///     bytes memory input = l2.seal();
library L2 {
    struct Chain {
        /// @dev Newest block. Assign another block of the chain to continue from it.
        IL2.Head head;
        /// @dev Transactions for the next block.
        bytes[] queue;
        /// @dev Fee recipient and schema of the next blocks.
        address feeRecipient;
        uint16 schema;
    }

    uint16 internal constant CANCUN = 0x1001;
    uint16 internal constant PRAGUE = 0x1101;
    uint16 internal constant OSAKA = 0x1201;
    uint16 internal constant AMSTERDAM = 0x1501;

    /// @dev Revisions of the schema ids of single blocks, and of those of chains by the EIP-8079
    /// draft.
    uint16 internal constant REVISION = 0x01;
    uint16 internal constant DRAFT_REVISION = 0x79;

    /// @dev Selects the next nonce of the sender.
    uint64 internal constant NEXT_NONCE = type(uint64).max;

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    // ------------------------------------------------------------------ genesis

    /// @dev Returns a genesis for `create`: Osaka, 12 million gas, a base fee of 1 gwei, the
    /// current time, and the system contracts of all forks, besides the test's own additions.
    function defaults() internal view returns (IL2.Genesis memory g) {
        g.chainId = 80_790;
        g.schema = OSAKA;
        g.timestamp = uint64(VM.getBlockTimestamp());
        g.gasLimit = 12_000_000;
        g.baseFee = 1 gwei;
        g.feeRecipient = account("fees");
    }

    /// @dev Gives a named key ETH.
    function fund(IL2.Genesis memory g, string memory name, uint256 balance) internal pure {
        add(g, account(name), balance, "");
    }

    /// @dev Adds an account. A contract starts with the nonce 1, as a deployed one does.
    function add(IL2.Genesis memory g, address account_, uint256 balance, bytes memory code)
        internal
        pure
    {
        add(g, account_, balance, code, new IL2.Slot[](0));
    }

    /// @dev Adds an account with storage.
    function add(
        IL2.Genesis memory g,
        address account_,
        uint256 balance,
        bytes memory code,
        IL2.Slot[] memory slots
    ) internal pure {
        IL2.Account[] memory accounts = new IL2.Account[](g.accounts.length + 1);
        for (uint256 i = 0; i < g.accounts.length; ++i) {
            accounts[i] = g.accounts[i];
        }
        accounts[g.accounts.length] =
            IL2.Account(account_, code.length == 0 ? 0 : 1, balance, code, slots);
        g.accounts = accounts;
    }

    /// @dev Returns the schema id of a fork for a genesis and blocks of chains by the EIP-8079
    /// draft.
    function draft(uint16 fork) internal pure returns (uint16) {
        return fork - REVISION + DRAFT_REVISION;
    }

    /// @dev Starts a chain at this genesis. Discards the previous state of `self`.
    function create(Chain storage self, IL2.Genesis memory g) internal {
        self.head = abi.decode(_ask(abi.encodeCall(IL2.genesis, (g))), (IL2.Head));
        self.feeRecipient = g.feeRecipient;
        self.schema = g.schema;
        delete self.queue;
    }

    /// @dev Starts a chain at the default genesis, with 1,000 ETH each for alice, bob and carol.
    function start(Chain storage self) internal {
        IL2.Genesis memory g = defaults();
        fund(g, "alice", 1000 ether);
        fund(g, "bob", 1000 ether);
        fund(g, "carol", 1000 ether);
        create(self, g);
    }

    /// @dev Returns the account of a named key, the same as forge's `makeAddr`.
    function account(string memory name) internal pure returns (address) {
        return VM.addr(uint256(keccak256(bytes(name))));
    }

    // ------------------------------------------------------------------ transactions

    /// @dev Queues a transfer.
    function transfer(Chain storage self, string memory from, address to, uint256 value) internal {
        send(self, transaction(from, to, value, ""));
    }

    /// @dev Queues a call. (The linter takes any function named `call` for an unchecked call.)
    function callFrom(Chain storage self, string memory from, address to, bytes memory data)
        internal
    {
        send(self, transaction(from, to, 0, data));
    }

    /// @dev Queues a call with ETH.
    function callFrom(
        Chain storage self,
        string memory from,
        address to,
        uint256 value,
        bytes memory data
    ) internal {
        send(self, transaction(from, to, value, data));
    }

    /// @dev Queues the creation of a contract; returns its future address.
    function deploy(Chain storage self, string memory from, bytes memory initCode)
        internal
        returns (address)
    {
        IL2.Transaction memory t = transaction(from, address(0), 0, initCode);
        t.create = true;
        address sender = account(from);
        t.nonce = nextNonce(self, sender);
        send(self, t);
        return VM.computeCreateAddress(sender, t.nonce);
    }

    /// @dev Queues a signed transaction unchanged.
    function raw(Chain storage self, bytes memory signed) internal {
        IL2.Transaction memory t;
        t.kind = IL2.Kind.Raw;
        t.data = signed;
        send(self, t);
    }

    /// @dev Queues a transaction of any kind.
    function send(Chain storage self, IL2.Transaction memory t) internal {
        self.queue.push(abi.encode(t));
    }

    /// @dev Returns a transaction as a template. With a gas limit of 0 the helper chooses one.
    function transaction(string memory from, address to, uint256 value, bytes memory data)
        internal
        pure
        returns (IL2.Transaction memory t)
    {
        t.kind = IL2.Kind.FeeMarket;
        t.from = from;
        t.to = to;
        t.value = value;
        t.data = data;
        t.nonce = NEXT_NONCE;
        t.maxFeePerGas = 100 gwei;
        t.maxPriorityFeePerGas = 1 gwei;
    }

    /// @dev Signs a transaction with the next nonce, without queueing it.
    function sign(Chain storage self, IL2.Transaction memory t) internal returns (bytes memory) {
        bytes memory request = abi.encodeCall(IL2.sign, (self.head.hash, _queued(self), t));
        return abi.decode(_ask(request), (bytes));
    }

    /// @dev Returns the nonce of an account's next transaction, after those in the queue.
    function nextNonce(Chain storage self, address account_) internal returns (uint64) {
        bytes memory request =
            abi.encodeCall(IL2.nextNonce, (self.head.hash, _queued(self), account_));
        return abi.decode(_ask(request), (uint64));
    }

    // ------------------------------------------------------------------ blocks

    /// @dev Returns the parameters of the next block as a template: the timestamp of this chain if
    /// it is later than the parent's, otherwise that of the parent plus one second; the anchor of
    /// the parent.
    function next(Chain storage self) internal view returns (IL2.Block memory b) {
        b.parentHash = self.head.hash;
        b.schema = self.schema;
        b.timestamp = uint64(VM.getBlockTimestamp());
        if (b.timestamp <= self.head.timestamp) b.timestamp = self.head.timestamp + 1;
        b.anchor = self.head.anchor;
        b.feeRecipient = self.feeRecipient;
    }

    /// @dev Seals the queue into a block, which becomes the head. Returns the input of EXECUTE.
    function seal(Chain storage self) internal returns (bytes memory input_) {
        return sealBlock(self, next(self)).input;
    }

    /// @dev Seals a block with another anchor.
    function seal(Chain storage self, bytes32 anchor) internal returns (bytes memory input_) {
        IL2.Block memory b = next(self);
        b.anchor = anchor;
        return sealBlock(self, b).input;
    }

    /// @dev Seals a block with the given parameters.
    function seal(Chain storage self, IL2.Block memory b) internal returns (bytes memory input_) {
        return sealBlock(self, b).input;
    }

    /// @dev Seals a block and returns all its details.
    function sealBlock(Chain storage self, IL2.Block memory b)
        internal
        returns (IL2.Sealed memory result)
    {
        bytes memory request = abi.encodeCall(IL2.sealBlock, (b, _queued(self)));
        result = abi.decode(_ask(request), (IL2.Sealed));
        self.head = result.head;
        delete self.queue;
    }

    // ------------------------------------------------------------------ queries

    /// @dev Returns the input of EXECUTE for a block.
    function inputOf(bytes32 blockHash) internal returns (bytes memory) {
        return abi.decode(_ask(abi.encodeCall(IL2.input, (blockHash))), (bytes));
    }

    /// @dev Returns the input of EXECUTE for several consecutive blocks, from the input of each.
    function batchOf(bytes[] memory inputs) internal returns (bytes memory) {
        return abi.decode(_ask(abi.encodeCall(IL2.batch, (inputs))), (bytes));
    }

    /// @dev Returns the input with the whole state of the chain as its witness. A changed block
    /// often reads more than the original and would be rejected for the missing nodes; with this
    /// input, it is rejected for the block itself.
    function wideInputOf(bytes32 blockHash) internal returns (bytes memory) {
        return abi.decode(_ask(abi.encodeCall(IL2.wideInput, (blockHash))), (bytes));
    }

    /// @dev Returns the receipts of the head.
    function receipts(Chain storage self) internal returns (IL2.Receipt[] memory) {
        return receiptsOf(self.head.hash);
    }

    /// @dev Returns the receipts of a block.
    function receiptsOf(bytes32 blockHash) internal returns (IL2.Receipt[] memory) {
        return abi.decode(_ask(abi.encodeCall(IL2.receipts, (blockHash))), (IL2.Receipt[]));
    }

    /// @dev Proves an account at the head.
    function prove(Chain storage self, address account_)
        internal
        returns (IL2.AccountProof memory)
    {
        return proveAt(self.head.hash, account_, new bytes32[](0));
    }

    /// @dev Proves an account and one slot at the head.
    function prove(Chain storage self, address account_, bytes32 slot)
        internal
        returns (IL2.AccountProof memory)
    {
        bytes32[] memory slots = new bytes32[](1);
        slots[0] = slot;
        return proveAt(self.head.hash, account_, slots);
    }

    /// @dev Proves an account and some of its slots at any block, or their absence.
    function proveAt(bytes32 blockHash, address account_, bytes32[] memory slots)
        internal
        returns (IL2.AccountProof memory)
    {
        bytes memory request = abi.encodeCall(IL2.prove, (blockHash, account_, slots));
        return abi.decode(_ask(request), (IL2.AccountProof));
    }

    /// @dev Returns the balance at the head.
    function balanceOf(Chain storage self, address account_) internal returns (uint256) {
        return prove(self, account_).balance;
    }

    /// @dev Returns the balance at any block.
    function balanceOfAt(bytes32 blockHash, address account_) internal returns (uint256) {
        return proveAt(blockHash, account_, new bytes32[](0)).balance;
    }

    /// @dev Returns the nonce at the head.
    function nonceOf(Chain storage self, address account_) internal returns (uint64) {
        return prove(self, account_).nonce;
    }

    /// @dev Returns a storage slot at the head.
    function slotOf(Chain storage self, address account_, bytes32 slot) internal returns (bytes32) {
        return prove(self, account_, slot).slots[0].value;
    }

    /// @dev Returns a storage slot at any block.
    function slotOfAt(bytes32 blockHash, address account_, bytes32 slot)
        internal
        returns (bytes32)
    {
        bytes32[] memory slots = new bytes32[](1);
        slots[0] = slot;
        return proveAt(blockHash, account_, slots).slots[0].value;
    }

    /// @dev Returns the code at the head.
    function codeOf(Chain storage self, address account_) internal returns (bytes memory) {
        return abi.decode(_ask(abi.encodeCall(IL2.code, (self.head.hash, account_))), (bytes));
    }

    /// @dev Returns the return data of a call on the head, without changing the state. Reverts as
    /// the call does.
    function read(Chain storage self, address to, bytes memory data)
        internal
        returns (bytes memory output)
    {
        bytes memory request = abi.encodeCall(IL2.callAt, (self.head.hash, address(0), to, 0, data));
        bool success;
        (success, output,) = abi.decode(_ask(request), (bool, bytes, uint64));
        if (!success) {
            assembly ("memory-safe") {
                revert(add(output, 0x20), mload(output))
            }
        }
    }

    /// @dev Returns true if EXECUTE accepts an input, otherwise the reason.
    function verify(bytes memory input_) internal returns (bool valid, string memory reason) {
        (valid, reason,) = verify(input_, "");
    }

    /// @dev Verifies an input with another EXECUTE (see `ExecuteTest.installExecute`); also returns
    /// the charge.
    function verify(bytes memory input_, string memory profile)
        internal
        returns (bool valid, string memory reason, uint64 charge)
    {
        bytes memory answer = _ask(abi.encodeCall(IL2.verify, (input_, profile)));
        return abi.decode(answer, (bool, string, uint64));
    }

    // ------------------------------------------------------------------ broken inputs

    /// @dev Returns an input with one changed field: a number, a hash or an address. With `rehash`,
    /// the block hash is recomputed, so that only the field itself is wrong.
    function broken(bytes memory input_, IL2.Field field, bytes32 value, bool rehash)
        internal
        returns (bytes memory)
    {
        return broken(input_, field, 0, abi.encode(value), rehash);
    }

    /// @dev Changes item `index` of a list, or a value of any length.
    function broken(
        bytes memory input_,
        IL2.Field field,
        uint256 index,
        bytes memory value,
        bool rehash
    ) internal returns (bytes memory) {
        IL2.Change[] memory changes = new IL2.Change[](1);
        changes[0] = IL2.Change(field, index, value);
        return broken(input_, changes, rehash);
    }

    /// @dev Returns an input with several changes, applied in this order.
    function broken(bytes memory input_, IL2.Change[] memory changes, bool rehash)
        internal
        returns (bytes memory)
    {
        bytes memory request = abi.encodeCall(IL2.change, (input_, changes, rehash));
        return abi.decode(_ask(request), (bytes));
    }

    // ------------------------------------------------------------------ leaves

    function _queued(Chain storage self) private view returns (IL2.Transaction[] memory list) {
        list = new IL2.Transaction[](self.queue.length);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = abi.decode(self.queue[i], (IL2.Transaction));
        }
    }

    function _ask(bytes memory request) private returns (bytes memory) {
        return Helper.call("l2", request);
    }
}
