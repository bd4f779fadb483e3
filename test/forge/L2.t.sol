// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {Helper} from "../utils/Helper.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @dev Contract for the L2: stores a number, and emits an event.
contract Counter {
    event Set(uint256 indexed number, address by);

    uint256 public number;

    constructor(uint256 first) payable {
        number = first;
    }

    function set(uint256 n) external payable {
        number = n;
        emit Set(n, msg.sender);
    }

    function fail() external pure {
        revert("no");
    }
}

/// @dev Contract for the L2: fails in every possible way.
contract Failing {
    error Refused(uint256 got, uint256 expected);

    function custom() external pure {
        revert Refused(1, 2);
    }

    function panics(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function says(string calldata words) external pure {
        revert(words);
    }

    function bare() external pure {
        // Returns no data on purpose.
        // solhint-disable-next-line reason-string
        revert();
    }

    function halts() external pure {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @dev Contract for the L2: shows the fields of its block.
contract Mirror {
    address internal constant BEACON_ROOTS = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;

    bytes32 internal anchor;
    address internal coinbase;
    uint256 internal randao;
    uint256 internal time;
    bytes32 internal ancestor;

    function look() external {
        (bool ok, bytes memory answer) = BEACON_ROOTS.staticcall(abi.encode(block.timestamp));
        require(ok, "no anchor");
        anchor = abi.decode(answer, (bytes32));
        coinbase = block.coinbase;
        randao = block.prevrandao;
        time = block.timestamp;
        ancestor = blockhash(block.number - 3);
    }
}

abstract contract L2TestBase is ExecuteTest {
    using L2 for L2.Chain;

    address internal constant SINK = address(0xb0b);

    L2.Chain internal l2;

    function setUp() public virtual override {
        super.setUp();
        vm.warp(1_700_000_000);
        l2.start();
    }

    function assertAccepted(bytes memory input) internal {
        (bool ok, bytes memory result) = EXECUTE.staticcall(input);
        if (!ok) {
            (, string memory reason) = L2.verify(input);
            revert(reason);
        }
        assertEq(result.length, 43);
    }

    function assertRefused(bytes memory input, string memory expected) internal {
        (bool ok, bytes memory result) = EXECUTE.staticcall{gas: 20_000_000}(input);
        assertFalse(ok);
        assertEq(result.length, 0);
        (bool valid, string memory reason) = L2.verify(input);
        assertFalse(valid);
        assertTrue(vm.contains(reason, expected), string.concat(reason, " / ", expected));
    }

    function assertHelperRefused(bytes memory data, string memory expected) internal {
        // The cast extracts the selector.
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(bytes4(data), Helper.HelperRefused.selector);
        assertTrue(vm.contains(string(data), expected), string(data));
    }

    /// @dev External, because `expectRevert` applies to the next call.
    function seal() external returns (bytes memory) {
        return l2.seal();
    }
}

contract L2BlocksTest is L2TestBase {
    using L2 for L2.Chain;

    function test_sealed_block_is_one_that_execute_accepts() public {
        l2.transfer("alice", SINK, 1 ether);
        assertAccepted(l2.seal());
        assertEq(l2.balanceOf(SINK), 1 ether);
    }

    function test_empty_block_is_accepted() public {
        assertAccepted(l2.seal());
        assertEq(l2.head.gasUsed, 0);
    }

    function test_blocks_follow_each_other() public {
        for (uint256 i = 1; i <= 64; ++i) {
            l2.transfer("alice", SINK, 1 ether);
            l2.transfer("bob", SINK, 1 ether);
            assertAccepted(l2.seal());
            assertEq(l2.head.number, i);
        }
        assertEq(l2.balanceOf(SINK), 128 ether);
    }

    function test_long_chain_keeps_state_and_ancestors() public {
        address counter =
            l2.deploy("alice", abi.encodePacked(type(Counter).creationCode, uint256(7)));
        Mirror mirror = Mirror(l2.deploy("alice", type(Mirror).creationCode));
        l2.seal();
        IL2.Head memory first = l2.head;
        bytes32 third;
        for (uint256 i = 2; i <= 100; ++i) {
            l2.transfer("alice", address(SafeCastLib.toUint160(i << 100)), i);
            l2.seal();
            if (i == 98) third = l2.head.hash;
        }
        l2.callFrom("bob", counter, abi.encodeCall(Counter.set, (8)));
        l2.callFrom("bob", address(mirror), abi.encodeCall(Mirror.look, ()));
        assertAccepted(l2.seal());
        assertAccepted(L2.wideInputOf(l2.head.hash));
        assertEq(l2.head.number, 101);
        assertEq(uint256(l2.slotOf(counter, 0)), 8);
        assertEq(l2.slotOf(address(mirror), bytes32(uint256(4))), third);
        assertEq(l2.balanceOf(address(uint160(uint256(2 << 100)))), 2);
        assertEq(uint256(L2.slotOfAt(first.hash, counter, 0)), 7);
        l2.head = first;
        l2.transfer("alice", SINK, 1);
        assertAccepted(l2.seal());
        assertEq(l2.head.number, 2);
    }

    function test_block_has_space_for_hundreds_of_transactions() public {
        for (uint256 i = 0; i < 300; ++i) {
            l2.transfer(i % 2 == 0 ? "alice" : "bob", SINK, 1 gwei);
        }
        assertAccepted(l2.seal());
        assertEq(l2.head.gasUsed, 300 * 21_000);
        assertEq(l2.nonceOf(L2.account("alice")), 150);
    }

    function test_contracts_are_deployed_and_called() public {
        address counter =
            l2.deploy("alice", abi.encodePacked(type(Counter).creationCode, uint256(7)));
        l2.callFrom("bob", counter, abi.encodeCall(Counter.set, (8)));
        l2.callFrom("bob", counter, 1 ether, abi.encodeCall(Counter.set, (9)));
        l2.callFrom("bob", counter, abi.encodeCall(Counter.fail, ()));
        assertAccepted(l2.seal());

        assertEq(l2.codeOf(counter), type(Counter).runtimeCode);
        assertEq(l2.balanceOf(counter), 1 ether);
        assertEq(uint256(l2.slotOf(counter, 0)), 9);
        assertEq(
            abi.decode(l2.read(counter, abi.encodeCall(Counter(counter).number, ())), (uint256)), 9
        );

        IL2.Receipt[] memory receipts = l2.receipts();
        assertEq(receipts.length, 4);
        assertEq(receipts[0].created, counter);
        assertEq(receipts[0].from, L2.account("alice"));
        assertEq(receipts[1].to, counter);
        assertTrue(receipts[2].success);
        assertFalse(receipts[3].success);
        assertEq(receipts[1].logs[0].emitter, counter);
        assertEq(receipts[1].logs[0].topics[0], Counter.Set.selector);
        assertEq(uint256(receipts[1].logs[0].topics[1]), 8);
        assertEq(receipts[1].logs[0].data, abi.encode(L2.account("bob")));
        assertEq(receipts[3].cumulativeGasUsed, l2.head.gasUsed);
        assertEq(receipts[3].gasUsed, receipts[3].cumulativeGasUsed - receipts[2].cumulativeGasUsed);
    }

    function test_receipt_contains_return_data_and_revert_reason() public {
        address failing = l2.deploy("alice", type(Failing).creationCode);
        Failing f = Failing(failing);
        l2.callFrom("bob", failing, abi.encodeCall(f.says, ("not today")));
        l2.callFrom("bob", failing, abi.encodeCall(f.panics, (0)));
        l2.callFrom("carol", failing, abi.encodeCall(f.custom, ()));
        l2.callFrom("carol", failing, abi.encodeCall(f.bare, ()));
        l2.callFrom("alice", failing, abi.encodeCall(f.halts, ()));
        l2.callFrom("alice", failing, abi.encodeCall(f.panics, (1)));
        assertAccepted(l2.seal());
        IL2.Receipt[] memory receipts = l2.receipts();
        assertEq(receipts.length, 7);
        for (uint256 i = 0; i < 7; ++i) {
            assertEq(receipts[i].success, i == 0 || i == 6);
        }
        assertEq(receipts[0].reason, "");
        assertEq(receipts[0].output.length, 0);
        assertEq(receipts[1].reason, "not today");
        assertEq(receipts[1].output, abi.encodeWithSignature("Error(string)", "not today"));
        assertEq(receipts[2].reason, "division or modulo by zero");
        assertEq(receipts[2].output, abi.encodeWithSignature("Panic(uint256)", 0x12));
        assertEq(
            receipts[3].reason,
            string.concat("custom error ", vm.toString(abi.encodePacked(Failing.Refused.selector)))
        );
        assertEq(receipts[3].output, abi.encodeWithSelector(Failing.Refused.selector, 1, 2));
        assertEq(receipts[4].reason, "reverted without a reason");
        assertEq(receipts[5].reason, "invalid opcode: INVALID");
        assertEq(receipts[5].output.length, 0);
        assertEq(receipts[6].reason, "");
        assertEq(receipts[6].output.length, 0);
    }

    function test_signed_transaction_is_included_unchanged() public {
        l2.transfer("alice", SINK, 1);
        IL2.Transaction memory t = L2.transaction("alice", SINK, 2, "");
        bytes memory signed = l2.sign(t);
        assertEq(l2.queue.length, 1);
        l2.raw(signed);
        // Queued after the signed one.
        l2.transfer("alice", SINK, 4);
        IL2.Sealed memory s = l2.sealBlock(l2.next());
        assertAccepted(s.input);
        assertEq(l2.balanceOf(SINK), 7);
        assertEq(s.transactionHashes[1], keccak256(signed));
    }

    function test_transaction_may_be_of_any_kind() public {
        IL2.Transaction memory t = L2.transaction("alice", SINK, 1, "");
        t.kind = IL2.Kind.Legacy;
        l2.send(t);
        t.kind = IL2.Kind.AccessList;
        t.accessList = new IL2.AccessListItem[](1);
        t.accessList[0].account = SINK;
        t.accessList[0].slots = new bytes32[](2);
        l2.send(t);
        t.kind = IL2.Kind.FeeMarket;
        l2.send(t);
        t.kind = IL2.Kind.SetCode;
        t.authorizations = new IL2.Authorization[](2);
        t.authorizations[0] = IL2.Authorization("bob", 0, SINK, L2.NEXT_NONCE);
        t.authorizations[1] = IL2.Authorization("alice", 80_790, SINK, L2.NEXT_NONCE);
        l2.send(t);
        assertAccepted(l2.seal());
        IL2.Receipt[] memory receipts = l2.receipts();
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(receipts[i].kind, i == 3 ? 4 : i);
            assertTrue(receipts[i].success);
        }
        bytes memory delegation = abi.encodePacked(hex"ef0100", SINK);
        assertEq(l2.codeOf(L2.account("bob")), delegation);
        assertEq(l2.codeOf(L2.account("alice")), delegation);
        assertEq(l2.nonceOf(L2.account("bob")), 1);
        assertEq(l2.nonceOf(L2.account("alice")), 5);
    }

    function test_long_data_is_delivered() public {
        IL2.Transaction memory t = L2.transaction("alice", SINK, 0, new bytes(300_000));
        l2.send(t);
        assertAccepted(l2.seal());
        assertGt(L2.inputOf(l2.head.hash).length, 300_000);
    }

    function test_sealed_block_has_chosen_fields() public {
        Mirror mirror = Mirror(l2.deploy("alice", type(Mirror).creationCode));
        l2.seal();
        l2.seal();
        l2.seal();
        bytes32 third = l2.head.parentHash;

        IL2.Block memory b = l2.next();
        b.timestamp = 1_700_001_234;
        b.anchor = keccak256("anchor");
        b.feeRecipient = address(0xfee);
        b.prevRandao = keccak256("randao");
        b.extraData = "enshrine";
        b.gasLimit = 12_005_000;
        l2.callFrom("alice", address(mirror), abi.encodeCall(Mirror.look, ()));
        assertAccepted(l2.seal(b));

        assertEq(l2.slotOf(address(mirror), 0), keccak256("anchor"));
        assertEq(uint256(l2.slotOf(address(mirror), bytes32(uint256(1)))), 0xfee);
        assertEq(l2.slotOf(address(mirror), bytes32(uint256(2))), keccak256("randao"));
        assertEq(uint256(l2.slotOf(address(mirror), bytes32(uint256(3)))), 1_700_001_234);
        assertEq(l2.head.number, 4);
        assertEq(l2.slotOf(address(mirror), bytes32(uint256(4))), genesisChild(third));
        assertEq(l2.head.gasLimit, 12_005_000);
        assertEq(l2.head.anchor, keccak256("anchor"));
        assertEq(l2.head.feeRecipient, address(0xfee));
        // and the next one keeps the anchor
        l2.seal();
        assertEq(l2.head.anchor, keccak256("anchor"));
    }

    /// @dev Returns the parent of a block.
    function genesisChild(bytes32 hash) internal returns (bytes32) {
        return L2.proveAt(hash, SINK, new bytes32[](0)).head.parentHash;
    }

    function test_block_time_is_current_or_next_second() public {
        vm.warp(1_700_000_100);
        l2.seal();
        assertEq(l2.head.timestamp, 1_700_000_100);
        l2.seal();
        assertEq(l2.head.timestamp, 1_700_000_101);
    }

    function test_fork_depends_on_chain_and_block() public {
        uint16[4] memory schemas = [L2.CANCUN, L2.PRAGUE, L2.OSAKA, L2.AMSTERDAM];
        for (uint256 i = 0; i < schemas.length; ++i) {
            IL2.Block memory b = l2.next();
            b.schema = schemas[i];
            l2.transfer("alice", SINK, 1);
            bytes memory input = l2.seal(b);
            assertEq(uint8(input[0]), schemas[i] >> 8);
            assertEq(uint8(input[1]), schemas[i] & 0xff);
            assertAccepted(input);
        }
        IL2.Genesis memory g = L2.defaults();
        g.schema = L2.AMSTERDAM;
        L2.fund(g, "alice", 1 ether);
        l2.create(g);
        l2.transfer("alice", SINK, 1);
        assertAccepted(l2.seal());
        assertEq(l2.head.schema, L2.AMSTERDAM);
    }

    function test_genesis_contains_its_allocation() public {
        IL2.Slot[] memory slots = new IL2.Slot[](2);
        slots[0] = IL2.Slot(0, bytes32(uint256(41)));
        slots[1] = IL2.Slot(keccak256("slot"), keccak256("value"));
        IL2.Genesis memory g = L2.defaults();
        g.chainId = 4242;
        g.timestamp = 1_600_000_000;
        g.gasLimit = 20_000_000;
        g.baseFee = 7;
        g.number = 1000;
        g.anchor = keccak256("first anchor");
        g.feeRecipient = address(0xfee);
        L2.add(g, address(0x8079), 5 ether, type(Counter).runtimeCode, slots);
        L2.fund(g, "dave", 1 ether);
        l2.create(g);
        assertEq(l2.head.number, 1000);
        assertEq(l2.head.anchor, keccak256("first anchor"));
        assertEq(l2.head.chainId, 4242);
        assertEq(l2.balanceOf(address(0x8079)), 5 ether);
        assertEq(l2.nonceOf(address(0x8079)), 1);
        assertEq(l2.balanceOf(L2.account("dave")), 1 ether);
        assertEq(uint256(l2.slotOf(address(0x8079), 0)), 41);
        assertEq(l2.slotOf(address(0x8079), keccak256("slot")), keccak256("value"));

        IL2.Transaction memory t = L2.transaction("dave", SINK, 0.1 ether, "");
        t.maxFeePerGas = 10;
        t.maxPriorityFeePerGas = 3;
        l2.send(t);
        l2.callFrom("dave", address(0x8079), abi.encodeCall(Counter.set, (1)));
        assertAccepted(l2.seal());
        assertEq(l2.head.gasLimit, 20_000_000);
        assertGt(l2.balanceOf(address(0xfee)), 3 * 21_000 - 1);
        assertEq(uint256(l2.slotOf(address(0x8079), 0)), 1);
    }

    function test_unencodable_fields_are_named() public {
        IL2.Transaction memory t = L2.transaction("alice", SINK, 1, "");
        t.nonce = 5;
        l2.transfer("bob", SINK, 1);
        l2.send(t);
        t.nonce = 0;
        t.gasLimit = 30_000_000;
        l2.send(t);
        try this.seal() {
            revert("sealed");
        } catch (bytes memory reason) {
            // The reason follows directly: the number is not repeated.
            assertHelperRefused(
                reason, "transaction 1 of alice cannot stand in this block: nonce 5 too high"
            );
        }

        IL2.Block memory b = l2.next();
        b.leaveOutInvalid = true;
        IL2.Sealed memory s = l2.sealBlock(b);
        assertAccepted(s.input);
        assertEq(s.transactionHashes.length, 1);
        assertEq(s.rejected.length, 2);
        assertEq(s.rejected[0].index, 1);
        assertEq(s.rejected[1].index, 2);
        assertEq(l2.balanceOf(SINK), 1);
    }

    function test_unchanged_timestamp_is_rejected() public {
        l2.seal();
        vm.expectRevert(
            abi.encodeWithSelector(
                Helper.HelperRefused.selector,
                "timestamp 1700000001 is not later than 1700000001, that of the parent"
            )
        );
        this.sealAt(l2.head.timestamp);
        this.sealAt(l2.head.timestamp + 1);
    }

    function sealAt(uint64 timestamp) external {
        IL2.Block memory b = l2.next();
        b.timestamp = timestamp;
        l2.seal(b);
    }

    function test_block_never_built_is_unknown() public {
        l2.head.hash = keccak256("unknown");
        vm.expectPartialRevert(Helper.HelperBroken.selector);
        this.seal();
    }

    function test_test_may_go_back_to_any_block() public {
        IL2.Head memory genesis = l2.head;
        l2.transfer("alice", SINK, 1);
        bytes memory first = l2.seal();
        bytes32 hash = l2.head.hash;
        l2.head = genesis;
        l2.transfer("alice", SINK, 2);
        bytes memory other = l2.seal();
        assertAccepted(first);
        assertAccepted(other);
        assertEq(l2.balanceOf(SINK), 2);
        assertEq(L2.balanceOfAt(hash, SINK), 1);
        assertEq(L2.balanceOfAt(genesis.hash, SINK), 0);
        l2.head = genesis;
        l2.transfer("alice", SINK, 1);
        assertEq(l2.seal(), first);
        assertEq(l2.head.hash, hash);
        assertEq(L2.inputOf(hash), first);
    }

    function test_forge_snapshot_includes_l2() public {
        uint256 snapshot = vm.snapshotState();
        l2.transfer("alice", SINK, 1);
        bytes memory input = l2.seal();
        vm.revertToState(snapshot);
        assertEq(l2.head.number, 0);
        assertEq(l2.balanceOf(SINK), 0);
        l2.transfer("alice", SINK, 1);
        assertEq(l2.seal(), input);
    }
}

contract L2FuzzTest is L2TestBase {
    using L2 for L2.Chain;

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_every_script_makes_valid_blocks(uint8[6] memory amounts, uint32 later)
        public
    {
        uint256 sum = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            l2.transfer(i % 2 == 0 ? "alice" : "bob", SINK, amounts[i]);
            sum += amounts[i];
            if (amounts[i] < 128) {
                skip(later);
                assertAccepted(l2.seal());
            }
        }
        assertAccepted(l2.seal());
        assertEq(l2.balanceOf(SINK), sum);
    }
}

/// @dev Forge runs contracts in parallel: these two do the same on the same chains.
contract L2BlocksTwinTest is L2BlocksTest {}
