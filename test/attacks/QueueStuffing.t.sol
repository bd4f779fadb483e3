// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ForcedInbox} from "../../contracts/forced/ForcedInbox.sol";
import {IL2Messenger} from "../../contracts/interfaces/IL2Messenger.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Capacity} from "../../contracts/libraries/Capacity.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {RealRollup} from "../utils/RealRollup.sol";

/// @title Queue that is filled by the account that receives its fees
/// @notice The fee of a forced transaction is the price of making all later ones wait. An account
/// that receives the fees pays only the gas of its submissions, a thirtieth of the price, and could
/// fill the queue indefinitely: in each L1 block one entry more than a block of the L2 has to
/// resolve. The same applies to fees for the account that includes the transactions, because the
/// operator is the one who wants exits to wait. So fees are burned: they stay in the contract,
/// which cannot pay them out. This test computes the attacker's cost per entry and per day.
contract QueueStuffingTest is RealRollup {
    using L2 for L2.Chain;

    address internal constant BOUNDED = address(0xb0b0b0);
    uint256 internal constant BASE_FEE = 1 gwei;
    uint256 internal constant BLOCKS_A_DAY = 7200;

    function forcedConfig(address rollup_) internal override returns (ForcedInbox.Config memory c) {
        c = super.forcedConfig(rollup_);
        c.boundedTarget = BOUNDED;
    }

    function setUp() public override {
        super.setUp();
        vm.fee(BASE_FEE);
        vm.deal(address(this), 1000 ether);
    }

    function signed(address to, uint64 gas, bytes memory data) internal returns (bytes memory) {
        IL2.Transaction memory t = L2.transaction("alice", to, 0, data);
        (t.nonce, t.gasLimit) = (0, gas);
        return l2.sign(t);
    }

    /// @dev Returns the ETH that an entry burns, and how many of its kind a block of the L2
    /// resolves.
    function price(bytes memory raw, uint64 gas, uint256 perBlock) internal returns (uint256 sum) {
        uint256 footprint = inbox.footprintOf(raw);
        assertEq(perBlock, Capacity.DUTY_BYTES / footprint, "entries of a block");
        uint256 fee = inbox.minimumFee(gas, footprint);
        uint256 before = address(inbox).balance;
        inbox.submit{value: fee}(raw);
        assertEq(address(inbox).balance - before, fee);
        return perBlock * fee / BASE_FEE;
    }

    function test_fees_never_leave_queue() public {
        price(signed(bob, FORCED_GAS, ""), FORCED_GAS, 7);
        (bool ok,) = address(inbox).call(abi.encodeWithSignature("payFees()"));
        assertFalse(ok);
        assertGt(address(inbox).balance, 0);
    }

    /// @dev The minimum cost of making exits wait for a day, with one L2 block per L1 block.
    function test_daily_price_is_as_documented() public {
        uint256 transfers = price(signed(bob, FORCED_GAS, ""), FORCED_GAS, 7);
        bytes memory call = abi.encodeCall(IL2Messenger.send, (bob, bob, 0, 0, ""));
        uint64 gas = SafeCastLib.toUint64(inbox.minimumGas(call.length));
        uint256 sends = price(signed(MESSENGER, gas, call), gas, 3);
        uint256 bridge = price(signed(BOUNDED, FORCED_GAS, ""), FORCED_GAS, 1);
        // A copy costs as much to submit as the first transaction, and a block resolves 64 of them.
        uint256 copies = transfers * 64 / 7;
        uint256 minimum = transfers < sends ? transfers : sends;
        if (bridge < minimum) minimum = bridge;
        if (copies < minimum) minimum = copies;
        vm.snapshotValue("gas", "forced queue: fees that fill one L2 block, at least", minimum);
        vm.snapshotValue("gas", "forced queue: fees that fill it for a day", minimum * BLOCKS_A_DAY);
        assertEq(minimum, bridge);
        assertGt(minimum, 2_600_000);
        assertGt(minimum * BLOCKS_A_DAY, 19e9);
    }
}
