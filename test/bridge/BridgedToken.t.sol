// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "solady/tokens/ERC20.sol";
import {BridgedToken} from "../../contracts/bridge/BridgedToken.sol";
import {BridgeFixture} from "./BridgeFixture.sol";

contract BridgedTokenTest is BridgeFixture {
    bytes32 private constant PERMIT = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );

    BridgedToken private made;

    function setUp() public override {
        super.setUp();
        depositFor(token, 1000);
        made = l2Token(address(token));
    }

    function testFuzz_permit_gives_allowance_once(uint256 key, uint256 value) public {
        key = bound(key, 1, 1e70);
        address owner = vm.addr(key);
        bytes32 digest = permitDigest(owner, value, 0, block.timestamp);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        made.permit(owner, carol, value, block.timestamp, v, r, s);
        assertEq(made.allowance(owner, carol), value);
        assertEq(made.nonces(owner), 1);
        vm.expectRevert(ERC20.InvalidPermit.selector);
        made.permit(owner, carol, value, block.timestamp, v, r, s);
    }

    function test_permit_is_limited_to_token_chain_and_deadline() public {
        (address owner, uint256 key) = makeAddrAndKey("owner");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, permitDigest(owner, 5, 0, block.timestamp));
        address other = makeAddr("other token");
        vm.etch(other, address(made).code);
        vm.expectRevert(ERC20.InvalidPermit.selector);
        BridgedToken(other).permit(owner, carol, 5, block.timestamp, v, r, s);
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        vm.expectRevert(ERC20.InvalidPermit.selector);
        made.permit(owner, carol, 5, block.timestamp, v, r, s);
        vm.chainId(chain);
        uint256 deadline = block.timestamp;
        skip(1);
        vm.expectRevert(ERC20.PermitExpired.selector);
        made.permit(owner, carol, 5, deadline, v, r, s);
        vm.warp(deadline);
        made.permit(owner, carol, 5, deadline, v, r, s);
    }

    function testFuzz_only_bridge_mints_burns_and_initializes(address caller) public {
        vm.assume(caller != address(l2Bridge));
        bytes memory expected = abi.encodeWithSelector(BridgedToken.NotBridge.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(expected);
        made.mint(caller, 1);
        vm.expectRevert(expected);
        made.burn(bob, 1);
        vm.expectRevert(expected);
        made.initialize(caller, "", "", 0);
        // Also of the implementation of all tokens.
        BridgedToken code = BridgedToken(l2Bridge.TOKEN_CODE());
        vm.expectRevert(expected);
        code.initialize(caller, "", "", 0);
    }

    function test_token_is_named_once() public {
        vm.prank(address(l2Bridge));
        vm.expectRevert(BridgedToken.AlreadyNamed.selector);
        made.initialize(address(token), "Another", "NAME", 1);
    }

    function testFuzz_transfers_follow_erc20(uint256 amount) public {
        amount = bound(amount, 0, 1000);
        vm.prank(bob);
        assertTrue(made.transfer(carol, amount));
        assertEq(made.balanceOf(carol), amount);
        assertEq(made.balanceOf(bob), 1000 - amount);
        vm.prank(carol);
        made.approve(bob, amount);
        vm.prank(bob);
        assertTrue(made.transferFrom(carol, bob, amount));
        assertEq(made.balanceOf(bob), 1000);
    }

    function test_permit2_has_no_default_allowance() public view {
        assertEq(made.allowance(bob, 0x000000000022D473030F116dDEE9F6B43aC78BA3), 0);
    }

    function permitDigest(address owner, uint256 value, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Some Token"),
                keccak256("1"),
                block.chainid,
                address(made)
            )
        );
        bytes32 permit = keccak256(abi.encode(PERMIT, owner, carol, value, nonce, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, permit));
    }
}
