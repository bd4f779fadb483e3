// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {FeeVault} from "../../contracts/dialects/FeeVault.sol";
import {DraftExecute} from "../../contracts/libraries/DraftExecute.sol";
import {Execute} from "../../contracts/libraries/Execute.sol";
import {ExecuteTest} from "../utils/ExecuteTest.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {Moody} from "../utils/Targets.sol";

/// @dev A chain of the EIP-8079 draft and the vault that holds its head.
abstract contract FeeVaultFixture is ExecuteTest {
    using L2 for L2.Chain;

    string internal constant PROFILE = "dialect=draft-8079";
    /// @dev Sufficient for every block here; a call that EXECUTE rejects uses all of it.
    uint256 internal constant GAS = 5_000_000;
    /// @dev Contract that clears its slots 1 to 10, which earns a refund.
    address internal constant CLEARING = 0x2000000000000000000000000000000000000030;

    L2.Chain internal l2;
    FeeVault internal vault;
    address internal treasury = makeAddr("treasury");
    address internal bob = makeAddr("bob");

    function setUp() public virtual override {
        super.setUp();
        installDialect(DraftExecute.PRECOMPILE, PROFILE);
        vm.warp(1_800_000_000);
        start(L2.OSAKA);
    }

    /// @dev Starts a chain with a fork, and its vault.
    function start(uint16 fork) internal {
        IL2.Genesis memory g = L2.defaults();
        g.schema = L2.draft(fork);
        L2.fund(g, "alice", 1000 ether);
        IL2.Slot[] memory slots = new IL2.Slot[](10);
        bytes memory code;
        for (uint8 slot = 1; slot <= 10; ++slot) {
            slots[slot - 1] = IL2.Slot(bytes32(uint256(slot)), bytes32(uint256(1)));
            // PUSH0, PUSH1 slot, SSTORE.
            code = bytes.concat(code, hex"5f60", bytes1(slot), hex"55");
        }
        L2.add(g, CLEARING, 0, code, slots);
        l2.create(g);
        vault = new FeeVault(DraftExecute.PRECOMPILE, g.chainId, l2.head.hash, treasury);
    }

    /// @dev Seals a block with one transaction from alice, which sends 1 wei.
    function seal(address to) internal returns (IL2.Sealed memory) {
        IL2.Transaction memory t = L2.transaction("alice", to, 1, "");
        t.gasLimit = 300_000;
        l2.send(t);
        return l2.sealBlock(l2.next());
    }

    function advance(bytes memory input) internal {
        vault.advance{gas: GAS}(input);
    }

    /// @dev Returns the ETH of all accounts of the L2.
    function supply() internal returns (uint256) {
        return l2.balanceOf(L2.account("alice")) + l2.balanceOf(L2.account("fees"))
            + l2.balanceOf(CLEARING) + l2.balanceOf(bob);
    }

    /// @dev Returns base fee times gas used, which a contract could read in any input.
    function product(IL2.Head memory head) internal pure returns (uint256) {
        return uint256(head.baseFee) * head.gasUsed;
    }

    /// @dev Adds a block with one transaction. Returns its head and its burned fees, i.e. the
    /// decrease of the supply, which is the base fee times the gas that alice has paid.
    function add(address to) internal returns (IL2.Head memory head, uint256 burned) {
        (uint256 before, uint256 supplied) = (vault.credit(), supply());
        IL2.Sealed memory b = seal(to);
        burned = supplied - supply();
        assertEq(burned, uint256(b.head.baseFee) * l2.receipts()[0].gasUsed);
        vm.expectEmit(address(vault));
        emit FeeVault.Advanced(b.head.parentHash, b.head.hash, burned);
        advance(b.input);
        assertEq(vault.head(), b.head.hash);
        assertEq(vault.credit() - before, burned);
        return (b.head, burned);
    }
}

/// @dev The credit of a block is its burned fees, and each block is credited once.
contract FeeVaultCreditTest is FeeVaultFixture {
    using L2 for L2.Chain;

    function expectFailed(bytes memory input) internal {
        vm.expectRevert(Execute.ExecuteFailed.selector);
        advance(input);
    }

    function expectNoChild(IL2.Sealed memory b) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                FeeVault.ParentHashMismatch.selector, b.head.parentHash, vault.head()
            )
        );
        advance(b.input);
    }

    function test_credit_until_amsterdam_is_base_fee_times_gas() public {
        uint16[4] memory forks = [L2.PRAGUE, L2.OSAKA, 0x1301, 0x1401];
        for (uint256 i = 0; i < forks.length; ++i) {
            start(forks[i]);
            // Also with a refund, and with a new account.
            address[3] memory targets = [bob, CLEARING, bob];
            for (uint256 j = 0; j < targets.length; ++j) {
                (IL2.Head memory head, uint256 burned) = add(targets[j]);
                assertEq(burned, product(head));
                assertGt(burned, 0);
            }
        }
    }

    /// @dev EIP-7778: the gas used of the block includes the refunded gas. docs/formats.md has
    /// these figures.
    function test_product_would_overcredit_cleared_slots_by_a_quarter() public {
        start(L2.AMSTERDAM);
        (IL2.Head memory head, uint256 burned) = add(CLEARING);
        assertEq(head.gasUsed, 142_050);
        assertEq(burned, uint256(head.baseFee) * 113_640);
        assertEq(product(head) * 4, burned * 5);
        assertEq(vault.credit(), burned);
    }

    /// @dev EIP-8037: the gas used of the block is the larger of two kinds of gas, and the sender
    /// has paid for both.
    function test_product_would_undercredit_new_account_by_a_tenth() public {
        start(L2.AMSTERDAM);
        (IL2.Head memory head, uint256 burned) = add(bob);
        assertEq(head.gasUsed, 183_600);
        assertEq(burned, uint256(head.baseFee) * 204_600);
        assertGt(burned * 9, product(head) * 10);
        assertEq(vault.credit(), burned);
    }

    function test_empty_block_moves_head_and_credits_nothing() public {
        IL2.Sealed memory b = l2.sealBlock(l2.next());
        advance(b.input);
        assertEq(vault.head(), b.head.hash);
        assertEq(vault.credit(), 0);
    }

    function test_blocks_of_several_forks_add_up() public {
        (, uint256 first) = add(bob);
        l2.schema = L2.draft(L2.AMSTERDAM);
        (, uint256 second) = add(CLEARING);
        assertEq(vault.credit(), first + second);
    }

    function test_forged_burned_fees_are_rejected() public {
        uint16[2] memory forks = [L2.OSAKA, L2.AMSTERDAM];
        for (uint256 i = 0; i < forks.length; ++i) {
            start(forks[i]);
            IL2.Sealed memory b = seal(CLEARING);
            uint256 burned = uint256(b.head.baseFee) * l2.receipts()[0].gasUsed;
            expectForged(b, burned, burned + 1);
            expectForged(b, burned, burned - 1);
            expectForged(b, burned, 0);
            expectForged(b, burned, type(uint64).max);
            if (forks[i] == L2.AMSTERDAM) expectForged(b, burned, product(b.head));
            assertEq(vault.credit(), 0);
            advance(b.input);
            assertEq(vault.credit(), burned);
        }
    }

    function expectForged(IL2.Sealed memory b, uint256 burned, uint256 wrong) internal {
        bytes memory forged = L2.broken(b.input, IL2.Field.BurnedFees, bytes32(wrong), true);
        (bool valid, string memory reason,) = L2.verify(forged, PROFILE);
        assertFalse(valid);
        assertEq(reason, reasonFor(wrong, burned));
        expectFailed(forged);
        // The hash is that of the true header, and the header another one.
        expectFailed(L2.broken(b.input, IL2.Field.BurnedFees, bytes32(wrong), false));
    }

    function reasonFor(uint256 got, uint256 expected) internal pure returns (string memory) {
        return string.concat(
            "burned fees: the header claims ",
            vm.toString(got),
            ", execution gives ",
            vm.toString(expected)
        );
    }

    function test_block_is_credited_once() public {
        IL2.Sealed memory b = seal(bob);
        advance(b.input);
        uint256 once = vault.credit();
        assertGt(once, 0);
        expectNoChild(b);
        assertEq(vault.credit(), once);
        add(bob);
        expectNoChild(b);
    }

    function test_block_of_another_branch_or_time_is_rejected() public {
        IL2.Head memory genesis = l2.head;
        IL2.Sealed memory first = seal(bob);
        IL2.Sealed memory second = seal(bob);
        l2.head = genesis;
        IL2.Sealed memory sibling = seal(CLEARING);
        IL2.Sealed memory nephew = seal(CLEARING);
        expectNoChild(second);
        expectNoChild(nephew);
        advance(first.input);
        expectNoChild(sibling);
        expectNoChild(nephew);
        advance(second.input);
        assertEq(vault.head(), second.head.hash);
    }

    function test_block_naming_head_as_parent_must_be_child() public {
        advance(seal(bob).input);
        IL2.Head memory head = l2.head;
        l2.sealBlock(l2.next());
        IL2.Sealed memory grandchild = seal(bob);
        expectFailed(L2.broken(grandchild.input, IL2.Field.ParentHash, head.hash, true));
        l2.head = head;
        advance(seal(bob).input);
    }

    function test_block_of_another_chain_id_is_rejected() public {
        IL2.Sealed memory b = seal(bob);
        uint64 ours = b.head.chainId;
        bytes memory other =
            L2.broken(b.input, IL2.Field.ChainId, bytes32(uint256(ours) + 1), false);
        vm.expectRevert(abi.encodeWithSelector(FeeVault.ChainIdMismatch.selector, ours + 1, ours));
        advance(other);
        advance(b.input);
    }

    function test_input_of_another_form_is_rejected() public {
        IL2.Sealed memory b = seal(bob);
        bytes memory input = bytes.concat(b.input);
        input[1] = 0x01;
        vm.expectRevert(
            abi.encodeWithSelector(
                DraftExecute.SchemaNotSupported.selector,
                L2.OSAKA,
                L2.draft(L2.PRAGUE),
                L2.draft(L2.AMSTERDAM)
            )
        );
        advance(input);
        advance(b.input);
    }

    function test_execute_is_called_where_l1_has_it() public {
        address elsewhere = address(0x0999);
        IL2.Sealed memory b = seal(bob);
        vault = new FeeVault(elsewhere, b.head.chainId, b.head.parentHash, treasury);
        vm.expectRevert(Execute.ExecuteAbsent.selector);
        advance(b.input);
        installDialect(elsewhere, PROFILE);
        vm.etch(DraftExecute.PRECOMPILE, "");
        advance(b.input);
        assertGt(vault.credit(), 0);
    }

    function test_call_without_gas_is_rejected() public {
        bytes memory input = seal(bob).input;
        vm.expectRevert(Execute.ExecuteFailed.selector);
        vault.advance{gas: 300_000}(input);
        advance(input);
    }
}

/// @dev Treasury that claims again while it is being paid, and continues when that is rejected.
contract ReentrantTreasury {
    uint256 public again;
    bytes public refusal;

    function claim(FeeVault vault, uint256 amount, uint256 again_) external {
        again = again_;
        vault.claim(amount);
    }

    receive() external payable {
        uint256 amount = again;
        if (amount == 0) return;
        again = 0;
        try FeeVault(payable(msg.sender)).claim(amount) {}
        catch (bytes memory reason) {
            refusal = reason;
        }
    }
}

/// @dev The treasury can claim what is credited and held, and no other account can claim anything.
contract FeeVaultClaimTest is FeeVaultFixture {
    using L2 for L2.Chain;

    uint256 internal constant HELD = 1000 ether;
    uint256 internal credited;

    function setUp() public override {
        super.setUp();
        creditTo(treasury);
    }

    /// @dev Sets up a vault with the escrow of the genesis and one block.
    function creditTo(address treasury_) internal {
        treasury = treasury_;
        start(L2.OSAKA);
        deposit(HELD);
        (, credited) = add(bob);
    }

    function deposit(uint256 amount) internal {
        hoax(bob, amount);
        (bool ok,) = address(vault).call{value: amount}("");
        assertTrue(ok);
    }

    function claim(uint256 amount) internal {
        vm.prank(treasury);
        vault.claim(amount);
    }

    function expectExceeded(uint256 amount, uint256 left) internal {
        vm.expectRevert(abi.encodeWithSelector(FeeVault.CreditExceeded.selector, amount, left));
        claim(amount);
    }

    function test_treasury_claims_its_credit_once() public {
        expectExceeded(credited + 1, credited);
        vm.expectEmit(address(vault));
        emit FeeVault.Claimed(credited);
        claim(credited);
        assertEq(treasury.balance, credited);
        assertEq(address(vault).balance, HELD - credited);
        assertEq(vault.credit(), 0);
        expectExceeded(credited, 0);
        (, uint256 more) = add(bob);
        expectExceeded(more + 1, more);
        claim(more);
        assertEq(treasury.balance, credited + more);
    }

    function test_only_owner_of_exit_claims() public {
        address[3] memory strangers = [bob, address(this), address(vault)];
        for (uint256 i = 0; i < strangers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(FeeVault.NotTreasury.selector, strangers[i], treasury)
            );
            vm.prank(strangers[i]);
            vault.claim(credited);
        }
        claim(credited);
    }

    function test_payments_never_exceed_escrow() public {
        vm.deal(address(vault), credited - 1);
        vm.expectRevert(
            abi.encodeWithSelector(FeeVault.EscrowShort.selector, credited, credited - 1)
        );
        claim(credited);
        assertEq(vault.credit(), credited);
        // The part that is held can be claimed, and the rest after it has been deposited.
        claim(credited - 2);
        deposit(1);
        claim(2);
        assertEq(treasury.balance, credited);
        assertEq(address(vault).balance, 0);
    }

    function testFuzz_claims_take_no_more_than_credit_and_escrow(
        uint256 held,
        uint256[4] calldata amounts
    ) public {
        held = bound(held, 0, 2 * credited);
        vm.deal(address(vault), held);
        uint256 taken = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint256 amount = bound(amounts[i], 0, credited);
            bool fits = taken + amount <= credited && taken + amount <= held;
            vm.prank(treasury);
            try vault.claim(amount) {
                taken += amount;
                assertTrue(fits);
            } catch {
                assertFalse(fits);
            }
        }
        assertEq(treasury.balance, taken);
        assertEq(vault.credit(), credited - taken);
        assertEq(address(vault).balance, held - taken);
    }

    function test_reentrant_treasury_claim_is_paid_once() public {
        ReentrantTreasury reentrant = new ReentrantTreasury();
        creditTo(address(reentrant));
        uint256 state = vm.snapshotState();
        reentrant.claim(vault, credited, credited);
        assertEq(reentrant.again(), 0);
        assertEq(
            reentrant.refusal(),
            abi.encodeWithSelector(FeeVault.CreditExceeded.selector, credited, 0)
        );
        assertEq(address(reentrant).balance, credited);

        // The remaining credit is paid.
        vm.revertToState(state);
        reentrant.claim(vault, 1, credited - 1);
        assertEq(reentrant.refusal(), "");
        assertEq(address(reentrant).balance, credited);
        assertEq(vault.credit(), 0);
    }

    function test_payment_that_fails_leaves_credit() public {
        Moody moody = new Moody("");
        creditTo(address(moody));
        vm.expectRevert(
            abi.encodeWithSelector(FeeVault.PaymentFailed.selector, address(moody), credited)
        );
        claim(credited);
        assertEq(vault.credit(), credited);
        moody.accept(true);
        claim(credited);
        assertEq(address(moody).balance, credited);
    }
}
