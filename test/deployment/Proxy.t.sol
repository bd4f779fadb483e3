// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Chain as ScriptChain} from "../../script/Chain.sol";

/// @dev The script on a chain with a fixed result of the probe.
contract ProxyScript is ScriptChain {
    bool private hasExecute_;

    function answer(bool present) external {
        hasExecute_ = present;
    }

    function hasExecute() internal view override returns (bool) {
        return hasExecute_;
    }

    function tell() external returns (bool) {
        return tellOfExecute();
    }

    function proxy() external pure returns (address) {
        return PROXY;
    }

    function required() external view {
        requireProxy();
    }

    function create(bytes calldata initCode) external returns (address) {
        return ensureCreate2("a contract", initCode);
    }
}

/// @dev Proxy that records its caller.
contract CallersProxy {
    address public caller;

    fallback() external {
        caller = msg.sender;
        bytes memory initCode = msg.data[32:];
        assembly ("memory-safe") {
            pop(create2(0, add(initCode, 32), mload(initCode), calldataload(0)))
        }
    }
}

/// @dev The CREATE2 proxy, before and after it is deployed on a chain.
contract ProxyTest is Test {
    /// @dev Sender of the transaction that deploys the proxy.
    address private constant SIGNER = 0x3fAB184622Dc19b6109349B94811493BF2a45362;

    ProxyScript private script = new ProxyScript();
    bytes private code;

    function setUp() public {
        code = script.proxy().code;
        assertTrue(code.length != 0, "forge brings the proxy");
        vm.etch(script.proxy(), "");
        vm.deal(address(this), 1 ether);
    }

    function test_preparation_funds_proxy_signer() public {
        vm.deal(SIGNER, 0.004 ether);
        script.prepare();
        assertEq(SIGNER.balance, 0.01 ether);
        assertEq(address(this).balance, 0.994 ether);
    }

    function test_chain_with_proxy_is_prepared() public {
        vm.etch(script.proxy(), code);
        script.prepare();
        assertEq(SIGNER.balance, 0);
        assertEq(address(this).balance, 1 ether);
    }

    function test_chain_without_proxy_is_rejected() public {
        vm.expectRevert(abi.encodeWithSelector(ScriptChain.ProxyAbsent.selector, script.proxy()));
        script.required();
        vm.etch(script.proxy(), code);
        script.required();
    }

    function test_contract_is_deployed_once() public {
        vm.etch(script.proxy(), code);
        // Init code that returns one zero byte.
        bytes memory initCode = hex"60015ff3";
        address place = vm.computeCreate2Address(0, keccak256(initCode), script.proxy());
        assertEq(script.create(initCode), place);
        assertEq(place.code, hex"00");
        assertEq(script.create(initCode), place);
    }

    /// @dev A call that the script does not broadcast never reaches the chain.
    function test_script_prints_deployment_transaction() public {
        vm.etch(script.proxy(), type(CallersProxy).runtimeCode);
        script.create(hex"60015ff3");
        assertEq(CallersProxy(script.proxy()).caller(), address(this));
    }

    function test_init_code_that_leaves_no_contract_is_rejected() public {
        vm.etch(script.proxy(), code);
        vm.expectRevert("a contract cannot be deployed");
        script.create(hex"5f5ff3");
        vm.expectRevert("a contract cannot be deployed");
        script.create(hex"5f5ffd");
    }

    function test_script_reports_execute_support() public {
        assertFalse(script.tell());
        script.answer(true);
        assertTrue(script.tell());
    }
}
