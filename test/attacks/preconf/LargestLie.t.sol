// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPreconfBonds} from "../../../contracts/interfaces/IPreconfBonds.sol";
import {Execute} from "../../../contracts/libraries/Execute.sol";
import {IL2} from "../../utils/IL2.sol";
import {L2} from "../../utils/L2.sol";
import {LieFixture} from "./LieFixture.sol";

/// @title A lie about the largest block that a sequencer seals
/// @notice The proof of a lie contains the input of a block, and EXECUTE verifies it. If a block
/// fit into an L1 transaction of `advance` and not into one of `accuseLie`, a lie about it could
/// not be proven. The limits are those of `crates/contracts/src/advance_plan.rs` for a public L1.
contract LargestLieTest is LieFixture {
    using L2 for L2.Chain;

    uint256 internal constant TRANSACTION_GAS = 1 << 24;
    uint256 internal constant TRANSACTION_BYTES = 131_072;
    /// @dev Bytes of an L1 transaction besides its calldata.
    uint256 internal constant ENVELOPE_BYTES = 1072;
    uint256 internal constant INPUT_BYTES = 124_000;
    uint256 internal constant EXECUTE_GAS = 13_385_106;
    /// @dev Highest price of a byte of calldata that is planned (EIP-7976).
    uint256 internal constant FLOOR_PER_BYTE = 64;

    bytes internal input;
    bytes internal header;

    function setUp() public override {
        super.setUp();
        IL2.Head memory start = l2.head;
        uint256 length = 100_000;
        sealWith(length);
        l2.head = start;
        sealWith(length + INPUT_BYTES - input.length);
        assertEq(input.length, INPUT_BYTES);
    }

    function sealWith(uint256 length) internal {
        IL2.Transaction memory t = L2.transaction("alice", address(0xb0b), 0, new bytes(length));
        // All of it is used: EXECUTE reserves gas for the limit. Zero bytes at the floor price.
        // forge-lint: disable-next-line(unsafe-typecast)
        t.gasLimit = uint64(21_000 + 10 * length);
        l2.send(t);
        (input, header) = sealed_();
    }

    /// @dev Installs an EXECUTE that charges this much for the block.
    function charge(uint256 gas_) internal {
        (bool valid,, uint64 rest) = L2.verify(input, "gas=0+0");
        assertTrue(valid);
        string memory profile = string.concat("gas=", vm.toString(gas_ - rest), "+0");
        (,, uint64 charged) = L2.verify(input, profile);
        assertEq(charged, gas_);
        installExecute(profile);
    }

    function accusation() internal view returns (bytes memory) {
        IPreconfBonds.Signed memory s = promised(withItem(header, 10, hex"5208"));
        return abi.encodeCall(bonds.accuseLie, (s, header, input, SALT));
    }

    /// @dev Calls with the gas that an L1 transaction with this calldata has.
    function accuse(bytes memory call_) internal returns (bool ok, bytes memory answer) {
        uint256 gas_ = TRANSACTION_GAS - 21_000 - 16 * call_.length;
        vm.prank(reporter);
        (ok, answer) = address(bonds).call{gas: gas_}(call_);
    }

    function test_proof_of_lie_fits_into_transaction() public {
        bytes memory call_ = accusation();
        assertLe(call_.length + ENVELOPE_BYTES, TRANSACTION_BYTES);
        assertLe(21_000 + FLOOR_PER_BYTE * call_.length, TRANSACTION_GAS);
        charge(EXECUTE_GAS);
        (bool ok,) = accuse(call_);
        assertTrue(ok);
        assertEq(amountOf(sequencer), 0);
    }

    /// @dev The price of EXECUTE may rise after a block was signed. A lie can be proven at any time
    /// later, and the bond remains unless its withdrawal is requested.
    function test_lie_is_proven_after_execute_became_cheaper() public {
        bytes memory call_ = accusation();
        charge(3 * EXECUTE_GAS);
        (bool ok, bytes memory answer) = accuse(call_);
        assertFalse(ok);
        assertEq(answer, abi.encodeWithSelector(Execute.ExecuteFailed.selector));
        assertEq(amountOf(sequencer), BOND);
        skip(300 days);
        charge(EXECUTE_GAS);
        (ok,) = accuse(call_);
        assertTrue(ok);
        assertEq(amountOf(sequencer), 0);
    }
}
