// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {StdUtils} from "forge-std/StdUtils.sol";
import {VmSafe} from "forge-std/Vm.sol";
import {IPreconfBonds} from "../../contracts/interfaces/IPreconfBonds.sol";
import {IRollup} from "../../contracts/interfaces/IRollup.sol";
import {IL2} from "../utils/IL2.sol";
import {BondsFixture} from "../sequencing/preconf/BondsFixture.sol";

/// @dev What the registry reads from a rollup. Any account may set it: a signer can sign for a
/// contract of its own.
contract AnyRollup {
    uint64 public MAX_LAG = 3600;
    IRollup.Head private _head;

    function set(uint64 maxLag, uint64 number) external {
        (MAX_LAG, _head.number) = (maxLag, number);
    }

    function head() external view returns (IRollup.Head memory) {
        return _head;
    }
}

/// @title Accounts that deposit, withdraw, register signers, sign, and report each other
/// @notice Every account may do everything at any time; calls that the registry rejects have no
/// effect.
contract BondsHandler is BondsFixture, StdUtils {
    uint256 internal constant ACCOUNTS = 4;
    uint64 internal constant START = 1_700_000_000;

    AnyRollup internal immutable ROLLUP = new AnyRollup();
    uint256[] internal keys;

    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public burned;
    uint256 public rewarded;
    // Counters that show that runs are not vacuous.
    uint256 public slashes;
    uint256 public delays;
    uint256 public registered;

    constructor() {
        vm.warp(START);
        vm.roll(1000);
        makeBonds();
        deposited = BOND;
        keys.push(key);
        for (uint256 i = 1; i < ACCOUNTS; ++i) {
            keys.push(uint256(keccak256(abi.encode("account", i))));
        }
    }

    function keyOf(uint256 seed) internal view returns (uint256) {
        return keys[seed % ACCOUNTS];
    }

    function account(uint256 seed) public view returns (address) {
        return vm.addr(keyOf(seed));
    }

    function bondsOfAll() external view returns (uint256 sum) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            sum += amountOf(account(i));
        }
    }

    function balance() external view returns (uint256) {
        return address(bonds).balance;
    }

    // ------------------------------------------------------------------ money

    function deposit(uint256 from, uint256 to, uint256 amount) external {
        amount = bound(amount, 0, 100 ether);
        address sender = account(from);
        vm.deal(sender, sender.balance + amount);
        vm.prank(sender);
        try bonds.deposit{value: amount}(account(to)) {
            deposited += amount;
        } catch {}
    }

    function request(uint256 who) external {
        vm.prank(account(who));
        try bonds.requestWithdrawal() {} catch {}
    }

    function cancel(uint256 who) external {
        vm.prank(account(who));
        try bonds.cancelWithdrawal() {} catch {}
    }

    function withdraw(uint256 who, uint256 to) external {
        uint256 balanceBefore = account(to).balance;
        vm.prank(account(who));
        try bonds.withdraw(payable(account(to))) {
            withdrawn += account(to).balance - balanceBefore;
        } catch {}
    }

    function register(uint256 who, uint256 signer) external {
        bytes memory consent = consentOf(keyOf(signer), account(who));
        vm.prank(account(who));
        try bonds.setSigner(account(signer), consent) {
            ++registered;
        } catch {}
    }

    function wait(uint256 time) external {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 8 days));
    }

    function setRollup(uint64 maxLag, uint64 number) external {
        ROLLUP.set(maxLag, uint64(bound(number, 0, 20)));
    }

    // ------------------------------------------------------------------ accusations

    function messageBy(uint256 signer, uint64 number, address recipient)
        internal
        view
        returns (IPreconfBonds.Signed memory)
    {
        IL2.Head memory head;
        (head.number, head.feeRecipient) = (number % 20, recipient);
        head.timestamp = START;
        bytes memory header = headerOf(head);
        return signed(messageOf(address(ROLLUP), header, true), header, keyOf(signer));
    }

    /// @dev Two messages for one height; the reporter may have committed.
    function equivocate(uint256 signer, uint256 second, uint64 number, uint256 by, bool commits)
        external
    {
        IPreconfBonds.Signed memory a = messageBy(signer, number, address(1));
        IPreconfBonds.Signed memory b = messageBy(second, number, address(2));
        prepare(IPreconfBonds.Fault.Equivocation, a, by, commits);
        try bonds.accuseEquivocation(a, b, noProof(), SALT) {
            ++slashes;
        } catch {}
        record();
    }

    function late(uint256 signer, uint64 number, uint256 by, bool commits) external {
        IPreconfBonds.Signed memory s = messageBy(signer, number, address(1));
        prepare(IPreconfBonds.Fault.Late, s, by, commits);
        try bonds.accuseLate(s, SALT) {
            ++delays;
        } catch {}
        record();
    }

    /// @dev The next call is by the reporter.
    function prepare(
        IPreconfBonds.Fault fault,
        IPreconfBonds.Signed memory s,
        uint256 by,
        bool commits
    ) internal {
        if (commits) {
            bytes32 commitment = commitmentOf(fault, s, account(by));
            try bonds.commit(commitment) {} catch {}
            vm.roll(vm.getBlockNumber() + 1);
        }
        vm.recordLogs();
        vm.prank(account(by));
    }

    /// @dev Adds the amounts of the events.
    function record() internal {
        VmSafe.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IPreconfBonds.Slashed.selector) continue;
            (,, uint256 burned_, uint256 reward,) =
                abi.decode(logs[i].data, (uint64, address, uint256, uint256, address));
            burned += burned_;
            rewarded += reward;
        }
    }
}
