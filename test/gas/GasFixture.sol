// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {AnchorFixture} from "../utils/AnchorFixture.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";

/// @dev Measures calls. Measuring transactions would not work: with much calldata, only the floor
/// of EIP-7623 is visible.
contract Meter {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Measures a call of an account without code that sends the transaction.
    function measureAs(address sender, address to, bytes memory data) external returns (uint256) {
        warmExecute();
        // The sender of a transaction is warm.
        assert(sender.code.length == 0);
        VM.prank(sender, sender);
        return gasOf(to, data);
    }

    function measure(address to, bytes memory data) external payable returns (uint256) {
        warmExecute();
        return gasOf(to, data);
    }

    function warmExecute() private view {
        // Precompiles are warm in every transaction, but forge treats EXECUTE like other accounts.
        (bool ok,) = address(0x0101).staticcall{gas: 1000}("");
        assert(!ok);
        (ok,) = address(0x0105).staticcall{gas: 1000}("");
    }

    function gasOf(address to, bytes memory data) private returns (uint256 used) {
        // The return data are not copied, because that would count.
        bool ok;
        used = gasleft();
        assembly ("memory-safe") {
            ok := call(gas(), to, callvalue(), add(data, 0x20), mload(data), 0, 0)
        }
        used -= gasleft();
        require(ok, "what is measured must succeed");
    }
}

/// @title Gas of calls as separate transactions, on an L2 of ten thousand accounts
/// @dev The figures depend on the compiler's optimizer, so tests in this folder are skipped without
/// it, e.g. for coverage. Results are written to snapshots/gas.json, and documented in docs/gas.md.
abstract contract GasFixture is AnchorFixture {
    using L2 for L2.Chain;

    uint256 internal constant ACCOUNTS = 10_000;
    /// @dev Number of messages to L1 that the messenger has sent before.
    uint64 internal constant SENT = 1000;
    uint64 internal constant RING = 8191;

    Meter internal meter = new Meter();
    /// @dev Account that sends the transactions with `advance`.
    address internal sender = makeAddr("sender");
    /// @dev Contract without any effect.
    address internal blank = makeAddr("blank");

    /// @dev Gas of a transaction: intrinsic gas plus execution; and the total that is paid for it.
    struct Cost {
        uint256 beyondCalldata;
        uint256 inAll;
    }

    function setUp() public virtual override {
        super.setUp();
        vm.etch(blank, hex"00");
        // An earlier anchor has been in force.
        setAnchor(keccak256("an earlier anchor"));
    }

    function genesis() internal view virtual override returns (IL2.Genesis memory g) {
        g = super.genesis();
        IL2.Account[] memory few = g.accounts;
        g.accounts = new IL2.Account[](few.length + ACCOUNTS);
        for (uint256 i = 0; i < g.accounts.length; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            address account = address(uint160(1e9 + i));
            g.accounts[i] =
                i < few.length ? few[i] : IL2.Account(account, 0, 1, "", new IL2.Slot[](0));
        }
        IL2.Slot[] memory slots = new IL2.Slot[](SENT + 1);
        slots[0] = IL2.Slot(0, bytes32(uint256(SENT) << 64));
        for (uint256 i = 0; i < SENT; ++i) {
            slots[i + 1] =
                IL2.Slot(keccak256(abi.encode(i, 4)), keccak256(abi.encode("message", i)));
        }
        g.accounts[few.length - 1].slots = slots;
    }

    /// @dev Fills the ring, as after a full round.
    function fillRing() internal {
        for (uint256 i = 0; i < RING; ++i) {
            bytes32 slot = bytes32(5 + i);
            if (vm.load(address(rollup), slot) == 0) {
                vm.store(address(rollup), slot, bytes32(uint256(1)));
            }
        }
    }

    /// @dev Calls a contract like a transaction. For tests under `isolate`, where each call of a
    /// test is a separate transaction.
    function cost(address to, uint256 value, bytes memory call) internal returns (Cost memory c) {
        vm.deal(address(this), 2 * value);
        // Excludes the gas of a call without effect.
        uint256 overhead = meter.measure{value: value}(blank, call);
        return costOf(call, meter.measure{value: value}(to, call) - overhead);
    }

    /// @dev Calls the rollup as a transaction of `sender`.
    function costOfAdvance(bytes memory call) internal returns (Cost memory) {
        uint256 overhead = meter.measureAs(sender, blank, call);
        return costOf(call, meter.measureAs(sender, address(rollup), call) - overhead);
    }

    function costOf(bytes memory call, uint256 used) private pure returns (Cost memory c) {
        c.beyondCalldata = 21_000 + used;
        uint256 tokens = tokensOf(call);
        c.inAll = c.beyondCalldata + 4 * tokens;
        // Floor of EIP-7623.
        if (c.inAll < 21_000 + 10 * tokens) c.inAll = 21_000 + 10 * tokens;
    }

    /// @dev Returns the tokens of calldata (EIP-7623): one for a zero byte, four for any other.
    function tokensOf(bytes memory call) internal pure returns (uint256 tokens) {
        for (uint256 i = 0; i < call.length; ++i) {
            tokens += call[i] == 0 ? 1 : 4;
        }
    }

    /// @dev Returns the total gas that EXECUTE charges for inputs that it accepts.
    function chargesOf(bytes[] memory inputs) internal returns (uint256 charges) {
        for (uint256 i = 0; i < inputs.length; ++i) {
            (bool valid, string memory reason, uint64 charge) = L2.verify(inputs[i], "");
            assertTrue(valid, reason);
            charges += charge;
        }
    }

    function advanceCall(bytes[] memory inputs, IRollup.Evidence memory evidence)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(rollup.advance, (inputs, evidence));
    }
}
