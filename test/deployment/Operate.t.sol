// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {IForcedInbox} from "../../contracts/interfaces/IForcedInbox.sol";
import {IL1MessageQueue} from "../../contracts/interfaces/IL1MessageQueue.sol";
import {IL1TokenBridge} from "../../contracts/interfaces/IL1TokenBridge.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {Delivery} from "../../contracts/libraries/Delivery.sol";
import {Operate} from "../../script/Operate.s.sol";

/// @dev The script on a chain with a fixed result of the probe.
contract Operator is Operate {
    bool private hasExecute_;

    function answer(bool present) external {
        hasExecute_ = present;
    }

    function hasExecute() internal view override returns (bool) {
        return hasExecute_;
    }
}

/// @dev Contract that records the call it receives, or reverts.
contract Recorder {
    error Refused();

    address public caller;
    uint256 public value;
    uint256 public gas;
    bytes public data;
    bool private refuses_;

    function refuse() external {
        refuses_ = true;
    }

    receive() external payable {}

    fallback() external payable {
        if (refuses_) revert Refused();
        (caller, value, gas, data) = (msg.sender, msg.value, gasleft(), msg.data);
        assembly ("memory-safe") {
            mstore(0, 7)
            return(0, 32)
        }
    }
}

/// @dev Calls that the script sends to the contracts of a deployment file.
contract OperateTest is Test {
    /// @dev Deployment file and calldata file, which each test has for itself, because tests run in
    /// parallel.
    string private file;
    string private calldataFile;

    Operator private script = new Operator();
    Recorder private queue = new Recorder();
    Recorder private inbox = new Recorder();
    Recorder private bridge = new Recorder();
    Recorder private rollup = new Recorder();
    address private token = makeAddr("token");
    address private to = makeAddr("to");

    function setUp() public {
        vm.deal(address(this), 1000 ether);
        IRollup.Head memory head;
        vm.mockCall(address(rollup), abi.encodeCall(IRollup.head, ()), abi.encode(head));
        vm.mockCall(address(rollup), abi.encodeCall(IRollup.UPGRADE_DELAY, ()), abi.encode(1 days));
        vm.mockCall(
            address(rollup), abi.encodeWithSelector(IRollup.readyAt.selector), abi.encode(1)
        );
    }

    /// @dev Writes the deployment file of a test.
    function deployed(string memory test) private {
        string memory folder = string.concat("cache/operate-", test);
        vm.createDir(folder, true);
        file = string.concat(folder, "/deployment.json");
        calldataFile = string.concat(folder, "/calldata.txt");
        vm.serializeAddress(test, "messageQueue", address(queue));
        vm.serializeAddress(test, "forced", address(inbox));
        vm.serializeAddress(test, "l1Bridge", address(bridge));
        vm.writeJson(vm.serializeAddress(test, "rollup", address(rollup)), file);
    }

    /// @dev Mocks the minimum fee for a message with this gas limit; for other gas limits there is
    /// none.
    function feeFor(uint64 gas, uint256 fee) private {
        bytes4 selector = IL1MessageQueue.minimumFee.selector;
        vm.mockCall(address(queue), abi.encodeWithSelector(selector), abi.encode(1));
        vm.mockCall(address(queue), abi.encodeWithSelector(selector, gas), abi.encode(fee));
    }

    function called(Recorder target, uint256 value, bytes memory data) private view {
        assertEq(target.caller(), address(this), "sent by the account that runs the script");
        assertEq(target.value(), value);
        assertEq(target.data(), data);
    }

    function test_deposit_fee_exceeds_current_minimum_by_a_quarter() public {
        deployed("deposit");
        feeFor(0, 1000);
        script.deposit(file, to, 3 ether);
        called(
            queue,
            3 ether + 1250,
            abi.encodeCall(IL1MessageQueue.send, (to, to, 0, uint128(1250), ""))
        );
    }

    function test_back_sends_amount_without_message() public {
        deployed("back");
        script.back(file, 5 ether);
        called(queue, 5 ether, abi.encodeCall(IL1MessageQueue.back, ()));
    }

    /// @dev Returns a transfer of 1 wei with 42,000 gas on the chain with the id 5 (EIP-155).
    function signedTransfer() private returns (bytes memory) {
        bytes memory fields =
            abi.encodePacked(hex"800782a4109400000000000000000000000000000000000000b0", hex"0180");
        (address sender, uint256 key) = makeAddrAndKey("signer");
        assertNotEq(sender, address(this));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            key, keccak256(abi.encodePacked(uint8(0xc0 + fields.length + 3), fields, hex"058080"))
        );
        bytes memory signed = abi.encodePacked(fields, v + 18, hex"a0", r, hex"a0", s);
        return abi.encodePacked(hex"f8", uint8(signed.length), signed);
    }

    function test_forced_transaction_pays_for_gas_and_footprint() public {
        deployed("force");
        bytes memory raw = signedTransfer();
        vm.mockCall(
            address(inbox), abi.encodeCall(IForcedInbox.CHAIN_ID, ()), abi.encode(uint64(5))
        );
        vm.mockCall(
            address(inbox), abi.encodeCall(IForcedInbox.footprintOf, (raw)), abi.encode(7000)
        );
        vm.mockCall(
            address(inbox), abi.encodeWithSelector(IForcedInbox.minimumFee.selector), abi.encode(1)
        );
        vm.mockCall(
            address(inbox),
            abi.encodeCall(IForcedInbox.minimumFee, (42_000, 7000)),
            abi.encode(4000)
        );
        script.force(file, raw);
        called(inbox, 5000, abi.encodeCall(IForcedInbox.submit, (raw)));
    }

    function test_registration_and_deposit_succeed_with_returned_gas() public {
        deployed("tokens");
        feeFor(500_000, 2000);
        vm.mockCall(
            address(bridge),
            abi.encodeCall(IL1TokenBridge.MESSAGE_QUEUE, ()),
            abi.encode(address(queue))
        );
        vm.mockCall(
            address(bridge), abi.encodeCall(IL1TokenBridge.REGISTER_GAS, ()), abi.encode(500_000)
        );
        vm.mockCall(
            address(bridge), abi.encodeCall(IL1TokenBridge.l2TokenOf, (token)), abi.encode(to)
        );
        script.register(file, token);
        called(bridge, 2500, abi.encodeCall(IL1TokenBridge.register, (token, 500_000)));
        assertApproxEqAbs(bridge.gas(), 1_000_000, 100_000);

        feeFor(400_000, 4000);
        vm.mockCall(
            address(bridge), abi.encodeCall(IL1TokenBridge.DEPOSIT_GAS, ()), abi.encode(400_000)
        );
        script.depositToken(file, token, to, 9);
        called(bridge, 5000, abi.encodeCall(IL1TokenBridge.deposit, (token, to, to, 9, 400_000)));
    }

    function test_upgrades_are_announced_cleared_made_and_withdrawn() public {
        deployed("upgrades");
        IRollup.Change change = IRollup.Change.GasLimit;
        script.announce(file, change, 5);
        called(rollup, 0, abi.encodeCall(IRollup.announce, (change, 5)));
        script.clear(file, change, 5);
        called(rollup, 0, abi.encodeCall(IRollup.clear, (change, 5)));
        script.make(file, change, 5);
        called(rollup, 0, abi.encodeCall(IRollup.make, (change, 5)));
        script.withdraw(file, change, 5);
        called(rollup, 0, abi.encodeCall(IRollup.withdraw, (change, 5)));
    }

    function test_script_advances_with_execute_and_advance_selector_only() public {
        deployed("advance");
        bytes memory data = abi.encodePacked(INativeRollup.advance.selector, uint256(1));
        vm.writeFile(calldataFile, vm.toString(data));
        vm.expectRevert(Operate.ChainWithoutExecute.selector);
        script.advance(file, calldataFile);
        script.answer(true);
        script.advance(file, calldataFile);
        called(rollup, 0, data);

        vm.expectRevert(
            abi.encodeWithSelector(
                Operate.SelectorMismatch.selector,
                INativeRollup.advance.selector,
                IRollup.reportFork.selector
            )
        );
        script.reportFork(file, calldataFile);
        rollup.refuse();
        vm.expectRevert(Recorder.Refused.selector);
        script.advance(file, calldataFile);
    }

    function test_fork_is_reported_on_chain_with_execute() public {
        deployed("fork");
        bytes memory data = abi.encodePacked(IRollup.reportFork.selector, uint256(1));
        vm.writeFile(calldataFile, vm.toString(data));
        vm.expectRevert(Operate.ChainWithoutExecute.selector);
        script.reportFork(file, calldataFile);
        script.answer(true);
        script.reportFork(file, calldataFile);
        called(rollup, 0, data);
        rollup.refuse();
        vm.expectRevert(Recorder.Refused.selector);
        script.reportFork(file, calldataFile);
    }

    function test_claim_receives_gas_of_message() public {
        deployed("claim");
        IL1MessageQueue.Message memory message;
        message.gasLimit = 1_000_000;
        IL1MessageQueue.MessageProof memory proof;
        bytes memory data = abi.encodeCall(IL1MessageQueue.claim, (message, proof, to));
        vm.writeFile(calldataFile, vm.toString(data));
        script.claim(file, calldataFile);
        called(queue, 0, data);
        uint256 gas = 500_000 + 64 * data.length + Delivery.required(message.gasLimit);
        assertLe(queue.gas(), gas);
        // Less than the gas of the calldata is used until the queue reads `gasleft`.
        assertGe(queue.gas(), gas - 10_000);
        queue.refuse();
        vm.expectRevert(Recorder.Refused.selector);
        script.claim(file, calldataFile);
    }

    /// @dev EIP-7976, for a proof of 30 kB.
    function test_claim_has_gas_of_its_calldata() public {
        deployed("large claim");
        IL1MessageQueue.Message memory message;
        IL1MessageQueue.MessageProof memory proof;
        message.data = new bytes(30_000);
        bytes memory data = abi.encodeCall(IL1MessageQueue.claim, (message, proof, to));
        vm.writeFile(calldataFile, vm.toString(data));
        vm.mockCall(address(queue), data, "");
        vm.expectCallMinGas(
            address(queue), 0, 21_000 + 64 * SafeCastLib.toUint64(data.length), data
        );
        script.claim(file, calldataFile);
    }

    function test_bridge_and_token_code_deploy_in_two_transactions() public {
        address l1Bridge = makeAddr("l1 bridge");
        address l2Bridge = script.l2BridgeOf(l1Bridge);
        string memory folder = "cache/operate-l2-bridge";
        vm.createDir(folder, true);
        file = string.concat(folder, "/deployment.json");
        vm.serializeAddress("l2 bridge", "l1Bridge", l1Bridge);
        vm.writeJson(vm.serializeAddress("l2 bridge", "l2Bridge", l2Bridge), file);

        uint64 nonce = vm.getNonce(address(this));
        script.deployL2Bridge(file);
        L2TokenBridge made = L2TokenBridge(l2Bridge);
        assertEq(made.L1_BRIDGE(), l1Bridge);
        assertEq(BridgedToken(made.TOKEN_CODE()).BRIDGE(), l2Bridge);
        assertEq(vm.getNonce(address(this)), nonce + 2);
        script.deployL2Bridge(file);
        assertEq(vm.getNonce(address(this)), nonce + 2);

        vm.serializeAddress("l2 bridge", "l1Bridge", to);
        vm.writeJson(vm.serializeAddress("l2 bridge", "l2Bridge", l2Bridge), file);
        vm.expectRevert("the L1 bridge expects the L2 bridge at another address");
        script.deployL2Bridge(file);
        assertEq(vm.getNonce(address(this)), nonce + 2, "nothing is sent");
    }
}
