// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {HeaderReader} from "../../contracts/HeaderReader.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {BondedSequencing} from "../../contracts/sequencing/BondedSequencing.sol";
import {HybridSequencing} from "../../contracts/sequencing/HybridSequencing.sol";
import {OpenSequencing} from "../../contracts/sequencing/OpenSequencing.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {RotatingSequencing} from "../../contracts/sequencing/RotatingSequencing.sol";
import {PreconfBonds} from "../../contracts/sequencing/preconf/PreconfBonds.sol";
import {BondsFixture} from "../sequencing/preconf/BondsFixture.sol";
import {IL2} from "../utils/IL2.sol";
import {KeptInputs} from "../utils/KeptInputs.sol";
import {L2} from "../utils/L2.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev Gas of `advance`, excluding its calldata and EXECUTE.
/// forge-config: default.isolate = true
contract AdvanceGasTest is GasFixture, BondsFixture {
    using L2 for L2.Chain;

    uint256 internal constant ONE_BLOCK_BOUND = 71_000;
    uint256 internal constant FURTHER_BLOCK_BOUND = 25_000;
    /// @dev Check of a bond: the registry and its slot are cold.
    uint256 internal constant BOND_BOUND = 6000;
    uint256 internal constant INPUT_LENGTH = 20_000;
    uint256 internal constant NEW_SLOT = 17_100;

    address internal policy;

    function setUp() public override {
        super.setUp();
        skip(10);
        advance();
        skip(10);
    }

    function config() internal view override returns (IRollup.Config memory c) {
        c = super.config();
        c.policy = policy;
    }

    /// @dev Returns blocks with one transaction each, whose inputs are just below 20 kB.
    function inputsOf(uint256 count, bytes32 anchor) internal returns (bytes[] memory inputs) {
        IL2.Head memory parent = l2.head;
        l2.callFrom("alice", address(0xb0b), new bytes(5000));
        uint256 rest = INPUT_LENGTH - l2.seal().length;
        l2.head = parent;
        inputs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            IL2.Block memory b = l2.next();
            b.timestamp = l2.head.timestamp + 1;
            if (anchor != 0) b.anchor = anchor;
            l2.callFrom("alice", address(0xb0b), new bytes(5000 + rest - 250 * i - 200));
            inputs[i] = l2.seal(b);
            assertLe(inputs[i].length, INPUT_LENGTH);
            assertGt(inputs[i].length, INPUT_LENGTH - 1500);
        }
    }

    function beyondExecute(uint256 count, IRollup.Evidence memory evidence)
        internal
        returns (uint256)
    {
        bytes32 anchor = evidence.updates.length == 0 ? bytes32(0) : anchorOf(evidence.updates[0]);
        bytes[] memory inputs = inputsOf(count, anchor);
        uint256 charges = chargesOf(inputs);
        bytes memory call = advanceCall(inputs, evidence);
        uint256 used = costOfAdvance(call).beyondCalldata;
        assertHead();
        return used - charges;
    }

    function test_gas_of_one_block_and_of_further_ones() public {
        uint256 state = vm.snapshotState();
        uint256 fresh = beyondExecute(1, none());
        vm.revertToState(state);
        uint256 freshFive = beyondExecute(5, none());
        vm.revertToState(state);
        fillRing();
        state = vm.snapshotState();
        uint256 first = beyondExecute(1, none());
        vm.revertToState(state);
        uint256 five = beyondExecute(5, none());

        vm.snapshotValue("gas", "advance: one block, ring not yet full", fresh);
        vm.snapshotValue(
            "gas", "advance: each further block, ring not yet full", (freshFive - fresh) / 4
        );
        vm.snapshotValue("gas", "advance: one block", first);
        vm.snapshotValue("gas", "advance: each further block", (five - first) / 4);
        assertLe(first, ONE_BLOCK_BOUND);
        assertLe((five - first) / 4, FURTHER_BLOCK_BOUND);
        assertLe(fresh, ONE_BLOCK_BOUND + NEW_SLOT);
        assertLe((freshFive - fresh) / 4, FURTHER_BLOCK_BOUND + NEW_SLOT);
    }

    /// @dev Returns the gas of a batch of blocks with one transfer each, excluding calldata and
    /// EXECUTE.
    function beyondExecuteOfBatch(uint256 count) internal returns (uint256) {
        bytes[] memory inputs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            IL2.Block memory b = l2.next();
            b.timestamp = l2.head.timestamp + 1;
            l2.transfer("alice", address(0xb0b), 1);
            inputs[i] = l2.seal(b);
        }
        inputs = one(L2.batchOf(inputs));
        uint256 charges = chargesOf(inputs);
        uint256 used = costOfAdvance(advanceCall(inputs, none())).beyondCalldata;
        assertHead();
        return used - charges;
    }

    function test_further_batch_block_costs_at_most_single_input() public {
        fillRing();
        uint256 state = vm.snapshotState();
        uint256 first = beyondExecuteOfBatch(1);
        vm.revertToState(state);
        uint256 further = (beyondExecuteOfBatch(5) - first) / 4;
        vm.revertToState(state);
        uint256 single = beyondExecute(1, none());
        vm.revertToState(state);
        uint256 furtherSingle = (beyondExecute(5, none()) - single) / 4;
        vm.snapshotValue("gas", "advance: each further block of a batch", further);
        assertLe(further, furtherSingle);
    }

    function test_gas_of_new_anchor() public {
        fillRing();
        queue.send(address(3), address(0), 0, 0, "");
        nextL1Block();
        uint256 state = vm.snapshotState();
        uint256 without = beyondExecute(1, none());
        vm.revertToState(state);
        uint256 with = beyondExecute(1, one(updateTo(uint64(vm.getBlockNumber() - 1))));
        vm.snapshotValue("gas", "advance: a new anchor", with - without);
        assertLe(with - without, 25_000);
    }

    /// @dev Returns the gas of one block of a rollup with this policy, after a full round of its
    /// ring.
    function underPolicy(address policy_) internal returns (uint256) {
        policy = policy_;
        l2.create(genesis());
        deploy();
        nextL1Block();
        bytes[] memory inputs = one(l2.seal());
        vm.prank(sender, sender);
        rollup.advance(inputs, none());
        nextL1Block();
        fillRing();
        return beyondExecute(1, none());
    }

    function test_gas_of_one_block_of_permissioned_sequencer() public {
        PermissionedSequencing p = new PermissionedSequencing(sender, address(0), OPEN_AFTER - 1);
        uint256 used = underPolicy(address(p));
        vm.snapshotValue("gas", "advance: one block, permissioned sequencing", used);
        assertLe(used, ONE_BLOCK_BOUND);
    }

    function test_gas_of_block_with_rotating_sequencers() public {
        address[] memory members = new address[](3);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = sender;
        }
        uint64 start = uint64(vm.getBlockTimestamp());
        RotatingSequencing p = new RotatingSequencing(members, start, 60, OPEN_AFTER - 1);
        uint256 used = underPolicy(address(p));
        vm.snapshotValue("gas", "advance: one block, rotating sequencing", used);
        assertLe(used, ONE_BLOCK_BOUND);
    }

    /// @dev Deposits a bond of the account that advances.
    function depositOfSender() internal {
        bonds = new PreconfBonds();
        vm.deal(sender, BOND);
        vm.prank(sender);
        bonds.deposit{value: BOND}(sender);
    }

    function test_gas_of_one_block_with_bond() public {
        depositOfSender();
        uint256 state = vm.snapshotState();
        uint256 used = underPolicy(
            address(new HybridSequencing(sender, address(0), OPEN_AFTER - 1, 300, bonds, BOND))
        );
        vm.snapshotValue("gas", "advance: one block, hybrid sequencing", used);
        assertLe(used, ONE_BLOCK_BOUND + BOND_BOUND);
        vm.revertToState(state);
        PermissionedSequencing inner =
            new PermissionedSequencing(sender, address(0), OPEN_AFTER - 1);
        used = underPolicy(address(new BondedSequencing(inner, OPEN_AFTER - 1, bonds, BOND)));
        vm.snapshotValue("gas", "advance: one block, bonded permissioned sequencing", used);
        assertLe(used, ONE_BLOCK_BOUND + BOND_BOUND);
    }

    function test_gas_of_one_block_of_open_sequencing() public {
        OpenSequencing p = new OpenSequencing(OpenSequencing.Fees.Builder, address(0));
        uint256 used = underPolicy(address(p));
        vm.snapshotValue("gas", "advance: one block, open sequencing", used);
        assertLe(used, ONE_BLOCK_BOUND);
    }

    /// @dev Returns the total cost of advancing by one block with this many transfers.
    function inAll(uint256 transfers) internal returns (uint256) {
        for (uint256 i = 0; i < transfers; ++i) {
            // Among the ten thousand accounts.
            // forge-lint: disable-next-line(unsafe-typecast)
            l2.transfer("alice", address(uint160(1e9 + 100 + 97 * i)), 1);
        }
        bytes[] memory inputs = one(l2.seal());
        emit log_named_uint("bytes of the input", inputs[0].length);
        emit log_named_uint("charge of EXECUTE", chargesOf(inputs));
        uint256 all = costOfAdvance(advanceCall(inputs, none())).inAll;
        assertHead();
        nextL1Block();
        return all;
    }

    /// @dev Gas that the contract uses to resolve references to code on L1, and the total gas that
    /// they save.
    function test_gas_of_codes_stored_on_l1() public {
        fillRing();
        l2.transfer("alice", address(0xb0b), 1);
        bytes[] memory inputs = one(l2.seal());
        uint256 charges = chargesOf(inputs);
        bytes[] memory short = one(KeptInputs.shorten(inputs[0], KeptInputs.codesOf(inputs[0])));
        uint256 state = vm.snapshotState();
        Cost memory plain = costOfAdvance(advanceCall(inputs, none()));
        vm.revertToState(state);
        Cost memory kept = costOfAdvance(advanceCall(short, none()));
        assertHead();
        emit log_named_uint("charge of EXECUTE", charges);
        uint256 more = kept.beyondCalldata - plain.beyondCalldata;
        vm.snapshotValue("gas", "advance: codes that L1 keeps, without calldata", more);
        vm.snapshotValue("gas", "advance: codes that L1 keeps, saved", plain.inAll - kept.inAll);
        assertLe(more, 6000);
        assertGt(plain.inAll, kept.inAll + 30_000);
    }

    function test_gas_of_advance_in_all() public {
        fillRing();
        uint256 empty = inAll(0);
        uint256 single = inAll(1);
        uint256 many = inAll(50);
        vm.snapshotValue("gas", "advance: a block without transactions, in all", empty);
        vm.snapshotValue("gas", "advance: a block with one transfer, in all", single);
        vm.snapshotValue("gas", "advance: a block with 50 transfers, in all", many);
        assertLt(empty, single);
        assertLt(single, many);
        // Its gas, and its bytes including the witness: as calldata, and in EXECUTE.
        assertLe((many - single) / 49, 21_000 + 900 * 32);
    }

    /// @dev Returns the cost of advancing by this block as one of a later fork, without EXECUTE.
    function costByHeader(bytes memory input) internal returns (Cost memory) {
        installDialect(Execute.HEADERS_PRECOMPILE, "dialect=headers");
        (bool ok, bytes memory answer) = Execute.HEADERS_PRECOMPILE.staticcall(input);
        assertTrue(ok);
        (answer[41], answer[42]) = (0x01, 0x16);
        // Code that returns the answer.
        bytes memory code = abi.encodePacked(hex"61", uint16(answer.length), hex"80600a5f395ff3");
        vm.etch(Execute.HEADERS_PRECOMPILE, bytes.concat(code, answer));
        input = L2.broken(input, IL2.Field.Schema, bytes32(uint256(0x1601)), false);
        return costOfAdvance(advanceCall(one(input), none()));
    }

    /// @dev A block of a fork whose layout is not known, compared with reading it in place.
    function test_gas_of_block_read_by_header() public {
        fillRing();
        bytes32 initHash = keccak256(type(HeaderReader).creationCode);
        address reader = vm.computeCreate2Address(0, initHash, KeptCodes.PROXY);
        vm.etch(reader, type(HeaderReader).runtimeCode);
        // The head already has the fork of the block.
        uint256 state = vm.snapshotState();
        bytes[] memory inputs = one(l2.seal());
        uint256 charges = chargesOf(inputs);
        Cost memory inPlace = costOfAdvance(advanceCall(inputs, none()));
        vm.revertToState(state);
        costByHeader(l2.seal());
        nextL1Block();
        uint256 used = costByHeader(l2.seal()).beyondCalldata;
        assertHead();
        uint256 more = used + charges - inPlace.beyondCalldata;
        vm.snapshotValue("gas", "advance: a block read by its header, beyond in place", more);
        assertLe(more, 22_000);
    }
}
