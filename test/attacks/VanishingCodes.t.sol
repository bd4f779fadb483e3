// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {BatchBytes} from "../utils/BatchBytes.sol";
import {KeptInputs} from "../utils/KeptInputs.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @dev Account that is destroyed during its creation, and has this code until the end of the
/// transaction.
contract Vanishing {
    constructor(bytes memory code, address bomb) {
        (bool ok,) = bomb.delegatecall("");
        assert(ok);
        assembly ("memory-safe") {
            return(add(code, 0x20), mload(code))
        }
    }
}

/// @title Inputs that reference bytes which no longer exist afterwards
/// @notice The account that advances chooses the references of an input, and EXECUTE does not see
/// them. All referenced bytes must still exist for a node that derives the L2 later.
contract VanishingCodesTest is RealRollup {
    using BatchBytes for bytes;
    using L2 for L2.Chain;

    /// @dev Code ADDRESS SELFDESTRUCT: destroys an account that runs it.
    address internal bomb = makeAddr("bomb");

    function setUp() public virtual override {
        super.setUp();
        vm.etch(bomb, hex"30ff");
    }

    function assertRefused(bytes memory input, bytes4 error_) internal {
        uint64 head = rollup.head().number;
        vm.expectPartialRevert(error_);
        rollup.advance{gas: 16_000_000}(one(input), none());
        assertEq(rollup.head().number, head);
    }

    /// @dev Returns the input with a reference to this account instead of its codes.
    function naming(bytes memory input, address account) internal pure returns (bytes memory) {
        uint256[] memory range = KeptInputs.codesOf(input);
        bytes memory rest =
            bytes.concat(input.slice(0, range[0]), input.slice(range[1], input.length));
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes memory named = abi.encodePacked(uint32(range[0]), account);
        return KeptInputs.compose(input.length, named, rest);
    }

    function test_code_destroyed_after_transaction_stores_nothing() public {
        skip(60);
        l2.transfer("alice", bob, 1 ether);
        bytes memory input = l2.seal();
        uint256[] memory range = KeptInputs.codesOf(input);
        bytes memory codes = input.slice(range[0], range[1]);
        address there = address(new Vanishing(abi.encodePacked(hex"00", codes), bomb));
        assertEq(there.code, abi.encodePacked(hex"00", codes));
        assertRefused(naming(input, there), KeptCodes.NotKept.selector);
        // Nor do accounts with other code, or without any.
        assertRefused(naming(input, address(rollup)), KeptCodes.AssembledLengthMismatch.selector);
        assertRefused(naming(input, address(0)), KeptCodes.NothingKept.selector);
        assertRefused(naming(input, KeptInputs.accountOf(codes)), KeptCodes.NothingKept.selector);
        KeptInputs.keep(codes);
        rollup.advance(one(naming(input, KeptInputs.accountOf(codes))), none());
        assertHead();
    }

    /// @dev The rollup finds a forced transaction in the assembled input, wherever its bytes come
    /// from.
    function test_forced_transaction_is_found_in_assembled_input() public {
        IRollup.ForcedTransaction memory t = submit(signedTransfer("alice", 0, 10 gwei));
        skip(1);
        l2.raw(signedTransfer("alice", 0, 10 gwei));
        bytes memory input = l2.seal();
        IRollup.Evidence memory e = one(discharge(t, IRollup.Outcome.Included));
        uint256[] memory range = new uint256[](2);
        (range[0], range[1]) = (100, Execute.MIN_LENGTH + 100);
        bytes memory short = KeptInputs.shorten(input, range);
        assertLt(short.length, input.length - 500);
        rollup.advance(one(short), e);
        assertHead();
    }

    /// @dev The same checks apply to a block next to others, and stale bytes of an earlier input
    /// are not read.
    function test_inputs_with_and_without_references_mix() public {
        skip(60);
        bytes[] memory inputs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            l2.transfer("alice", bob, 1 ether);
            inputs[i] = l2.seal();
            skip(1);
        }
        bytes memory middle = inputs[1];
        inputs[0] = KeptInputs.shorten(inputs[0], KeptInputs.codesOf(inputs[0]));
        inputs[2] = L2.batchOf(one(inputs[2]));
        inputs[2] = KeptInputs.shorten(inputs[2], KeptInputs.codesOf(inputs[2]));
        // One byte less than it declares, at a position where the earlier input had one.
        bytes memory short = KeptInputs.shorten(middle, KeptInputs.codesOf(middle));
        inputs[1] = short.slice(0, short.length - 1);
        vm.expectPartialRevert(KeptCodes.AssembledLengthMismatch.selector);
        rollup.advance(inputs, none());
        inputs[1] = middle;
        rollup.advance(inputs, none());
        assertHead();
    }
}
