// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {L1TokenBridge} from "../../contracts/bridge/L1TokenBridge.sol";
import {L2TokenBridge} from "../../contracts/bridge/L2TokenBridge.sol";
import {TokenAddresses} from "../../contracts/bridge/TokenAddresses.sol";
import {IL2TokenBridge} from "../../contracts/interfaces/IL2TokenBridge.sol";
import {KeptCodes} from "../../contracts/libraries/KeptCodes.sol";
import {TokenCode} from "../utils/TokenCode.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

/// @title Implementation of all tokens, which is deployed before the bridge in a separate
/// transaction
contract TokenCodeTest is BridgeFixture {
    function test_proxy_address_of_init_code_agrees() public view {
        address code = l2Bridge.TOKEN_CODE();
        assertEq(l1Bridge.L2_TOKEN_CODE(), code);
        bytes32 hash = keccak256(
            abi.encodePacked(type(BridgedToken).creationCode, abi.encode(address(l2Bridge)))
        );
        assertEq(code, vm.computeCreate2Address(0, hash, KeptCodes.PROXY));
        assertEq(BridgedToken(code).BRIDGE(), address(l2Bridge));
    }

    function test_bridge_requires_deployed_token_code() public {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        address code = TokenAddresses.code(next);
        vm.expectRevert(abi.encodeWithSelector(IL2TokenBridge.TokenCodeMissing.selector, code));
        new L2TokenBridge(address(l1Bridge));
        // The implementation for another bridge does not count.
        TokenCode.deploy(makeAddr("another bridge"));
        next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        code = TokenAddresses.code(next);
        vm.expectRevert(abi.encodeWithSelector(IL2TokenBridge.TokenCodeMissing.selector, code));
        new L2TokenBridge(address(l1Bridge));

        next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        TokenCode.deploy(next);
        L2TokenBridge bridge = new L2TokenBridge(address(l1Bridge));
        assertEq(bridge.TOKEN_CODE(), TokenAddresses.code(next));
    }

    function testFuzz_bridges_have_separate_code_and_tokens(address one, address other) public {
        vm.assume(one != other);
        L1TokenBridge first = new L1TokenBridge(address(l1Queue), one);
        L1TokenBridge second = new L1TokenBridge(address(l1Queue), other);
        assertNotEq(first.L2_TOKEN_CODE(), second.L2_TOKEN_CODE());
        assertNotEq(first.l2TokenOf(address(token)), second.l2TokenOf(address(token)));
    }
}
