// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../contracts/interfaces/IPreconfBonds.sol";
import {BondsFixture} from "../sequencing/preconf/BondsFixture.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {TransactionTries} from "../utils/TransactionTries.sol";
import {GasFixture, Meter} from "./GasFixture.sol";

/// @dev Accepts rewards.
contract Reporter is Meter {
    receive() external payable {}
}

/// @dev L1 gas of evidence against a sequencer with a bond. Each accusation earns a reward.
/// forge-config: default.isolate = true
contract PreconfGasTest is GasFixture, BondsFixture {
    using L2 for L2.Chain;

    uint256 internal constant TRANSACTIONS = 50;
    uint256 internal constant EQUIVOCATION_BOUND = 200_000;
    uint256 internal constant BROKEN_BOUND = 500_000;
    uint256 internal constant LATE_BOUND = 100_000;
    uint256 internal constant LIE_BOUND = 300_000;

    function setUp() public override {
        super.setUp();
        makeBonds();
        meter = new Reporter();
        // The account exists on L1.
        vm.deal(address(meter), 1);
    }

    function measure(
        string memory name,
        IPreconfBonds.Fault fault,
        IPreconfBonds.Signed memory s,
        bytes memory call_
    ) internal returns (Cost memory c) {
        bonds.commit(commitmentOf(fault, s, address(meter)));
        vm.roll(vm.getBlockNumber() + 1);
        c = cost(address(bonds), 0, call_);
        assertGt(address(meter).balance, 1, "no reward");
        vm.snapshotValue("gas", string.concat(name, ", without calldata"), c.beyondCalldata);
        vm.snapshotValue("gas", string.concat(name, ", in all"), c.inAll);
    }

    /// @dev Returns transactions of the length of transfers.
    function transfers(uint256 seed) internal pure returns (bytes[] memory all) {
        all = new bytes[](TRANSACTIONS);
        for (uint256 i = 0; i < TRANSACTIONS; ++i) {
            bytes32 hash = keccak256(abi.encode(i < TRANSACTIONS - 1 ? 0 : seed, i));
            // A part of the hash is enough.
            // forge-lint: disable-next-line(unsafe-typecast)
            all[i] = abi.encodePacked(hex"02", hash, hash, hash, bytes16(hash));
        }
    }

    /// @dev Returns the header of a block of these transactions after the head.
    function headerWith(bytes32 transactionsRoot) internal view returns (bytes memory) {
        IL2.Head memory head = l2.head;
        head.parentHash = head.hash;
        head.number += 1;
        head.timestamp = uint64(vm.getBlockTimestamp());
        bytes[] memory fields = GenesisHeaders.fields(head);
        fields[4] = abi.encode(transactionsRoot);
        return GenesisHeaders.encode(fields);
    }

    function test_gas_of_equivocations() public {
        IPreconfBonds.TxProof memory proof;
        // A small constant.
        // forge-lint: disable-next-line(unsafe-typecast)
        proof.index = uint32(TRANSACTIONS - 1);
        bytes32 root;
        (root, proof.ours) = TransactionTries.prove(transfers(1), proof.index);
        bytes memory ours = headerWith(root);
        (root, proof.theirs) = TransactionTries.prove(transfers(2), proof.index);
        bytes memory theirs = headerWith(root);

        uint256 snapshot = vm.snapshotState();
        equivocate("preconf: two sealed blocks", ours, theirs, true, noProof());
        vm.revertToState(snapshot);
        equivocate("preconf: two prefixes of 50 transactions", ours, theirs, false, proof);
    }

    function equivocate(
        string memory name,
        bytes memory ours,
        bytes memory theirs,
        bool isSealed,
        IPreconfBonds.TxProof memory proof
    ) internal {
        IPreconfBonds.Signed memory a = signed(address(rollup), ours, isSealed);
        IPreconfBonds.Signed memory b = signed(address(rollup), theirs, isSealed);
        bytes memory call_ = abi.encodeCall(bonds.accuseEquivocation, (a, b, proof, SALT));
        Cost memory c = measure(name, IPreconfBonds.Fault.Equivocation, a, call_);
        assertLe(c.inAll, EQUIVOCATION_BOUND);
    }

    /// @dev Proves the last of 50 transactions in the signed block, and that the posted one has
    /// none there.
    function absence(bytes memory posted)
        internal
        pure
        returns (IPreconfBonds.TxProof memory proof, bytes32 root)
    {
        // A small constant.
        // forge-lint: disable-next-line(unsafe-typecast)
        proof.index = uint32(TRANSACTIONS - 1);
        (root, proof.ours) = TransactionTries.prove(transfers(1), proof.index);
        bytes[] memory all = new bytes[](1);
        all[0] = posted;
        (, proof.theirs) = TransactionTries.prove(all, 0);
    }

    /// @dev Proves a block by the state of the head.
    function proven(bytes memory header, uint64 number)
        internal
        returns (IPreconfBonds.Canonical memory)
    {
        IL2.AccountProof memory p = l2.prove(HISTORY, bytes32(uint256(number % RING)));
        return IPreconfBonds.Canonical(header, l2.head.number, p.nodes, p.slots[0].nodes);
    }

    /// @dev A prefix of 50 transactions, and an older block of an L2 of ten thousand accounts.
    function test_gas_of_broken_promise() public {
        bytes memory posted = l2.sign(L2.transaction("alice", bob, 1, ""));
        (IPreconfBonds.TxProof memory proof, bytes32 root) = absence(posted);
        l2.raw(posted);
        rollup.advance(one(l2.seal()), none());
        bytes memory header = l2.prove(alice).header;
        uint64 number = l2.head.number;
        nextL1Block();
        advance();
        // The environment of the posted block.
        bytes memory ours = withTransactions(header, root);
        IPreconfBonds.Signed memory s = signed(address(rollup), ours, false);
        bytes memory call_ =
            abi.encodeCall(bonds.accuseBroken, (s, proven(header, number), proof, SALT));
        Cost memory c = measure("preconf: a broken promise", IPreconfBonds.Fault.Broken, s, call_);
        assertLe(c.inAll, BROKEN_BOUND);
    }

    /// @dev Changes the transactions root in place: three bytes of the list, three hashes and an
    /// address are before it, each with a header of one byte.
    function withTransactions(bytes memory header, bytes32 root)
        internal
        pure
        returns (bytes memory changed)
    {
        changed = bytes.concat(header);
        uint256 place = 3 + 3 * 33 + 21 + 1;
        assembly ("memory-safe") {
            mstore(add(add(changed, 0x20), place), root)
        }
    }

    function test_gas_of_delay() public {
        IPreconfBonds.Signed memory s = signed(address(rollup), headerWith(0), true);
        vm.warp(vm.getBlockTimestamp() + MAX_LAG / 2 + 1);
        Cost memory c = measure(
            "preconf: a delay",
            IPreconfBonds.Fault.Late,
            s,
            abi.encodeCall(bonds.accuseLate, (s, SALT))
        );
        assertLe(c.inAll, LATE_BOUND);
    }

    function test_gas_of_lie() public {
        l2.transfer("alice", bob, 1);
        bytes memory input = l2.seal();
        bytes memory header = l2.prove(alice).header;
        uint256 snapshot = vm.snapshotState();
        Cost memory posting = cost(address(rollup), 0, advanceCall(one(input), none()));
        vm.revertToState(snapshot);

        bytes memory lying = bytes.concat(header);
        // The state root, before the transactions root.
        lying[3 + 2 * 33 + 21 + 1] ^= 0x01;
        IPreconfBonds.Signed memory s = signed(address(rollup), lying, true);
        Cost memory c = measure(
            "preconf: a lie about a transfer",
            IPreconfBonds.Fault.Lie,
            s,
            abi.encodeCall(bonds.accuseLie, (s, header, input, SALT))
        );
        assertLe(c.inAll, posting.inAll + LIE_BOUND);
        vm.snapshotValue(
            "gas",
            "preconf: a lie, beyond posting the block",
            c.inAll > posting.inAll ? c.inAll - posting.inAll : 0
        );
    }
}
