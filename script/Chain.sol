// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Script} from "forge-std/Script.sol";
import {console} from "forge-std/console.sol";
import {Execute} from "../contracts/libraries/Execute.sol";

/// @title Access of scripts to the chain behind `--rpc-url`
abstract contract Chain is Script {
    /// @notice The CREATE2 proxy is not deployed; `prepare` deploys it.
    error ProxyAbsent(address proxy);
    /// @notice The node returned something other than the result of the probe's code.
    error ProbeNotAnswered(bytes answer);

    /// @dev CREATE2 proxy that exists on most chains; anyone can deploy it on the others.
    address internal constant PROXY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;

    /// @dev Sender of the transaction that deploys the proxy, once per chain; its key is unknown.
    address private constant PROXY_SIGNER = 0x3fAB184622Dc19b6109349B94811493BF2a45362;
    uint256 private constant PROXY_COST = 0.01 ether;
    bytes private constant PROXY_TRANSACTION =
        hex"f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222";

    /// @dev Init code that calls 0x0101 with an empty input and 100,000 gas, and returns as a word
    /// whether the call succeeded.
    bytes private constant PROBE = hex"5f5f5f5f610101620186a0fa5f5260205ff3";

    /// @dev Returns `true` if the node behind `--rpc-url` has EXECUTE. Only the node can tell,
    /// because forge's own EVM, in which scripts run, never has it. EXECUTE fails on an empty
    /// input, and an account without code accepts it. The probe distinguishes the two in EVM code:
    /// a node that cannot or will not run the call returns an error as well, which is passed to the
    /// caller.
    function hasExecute() internal virtual returns (bool) {
        string memory call = string.concat('[{"data":"', vm.toString(PROBE), '"},"latest"]');
        return _isExecute(vm.rpc("eth_call", call));
    }

    /// @dev Returns `true` if the result of `PROBE` is that of EXECUTE.
    function _isExecute(bytes memory answer) internal pure returns (bool) {
        if (answer.length != 32) revert ProbeNotAnswered(answer);
        uint256 accepted = abi.decode(answer, (uint256));
        if (accepted > 1) revert ProbeNotAnswered(answer);
        return accepted == 0;
    }

    /// @dev Prints a notice and returns `false` if the chain has no EXECUTE.
    function tellOfExecute() internal returns (bool present) {
        present = hasExecute();
        if (present) return true;
        console.log("This chain has no EXECUTE precompile (at address 0x0101, EIP-8079).");
        console.log("Contracts can be deployed and messages sent, but no L2 block can be advanced.");
    }

    /// @notice Deploys the CREATE2 proxy on a chain that lacks it. Has to be run twice: the first
    /// run funds the sender of the deployment transaction, the second one sends that transaction
    /// directly to the node.
    function prepare() external {
        if (PROXY.code.length != 0) return;
        uint256 balance = PROXY_SIGNER.balance;
        if (balance < PROXY_COST) {
            vm.broadcast(msg.sender);
            payable(PROXY_SIGNER).transfer(PROXY_COST - balance);
            console.log("Funded the deployer of the CREATE2 proxy. Run this again to deploy it.");
            return;
        }
        string memory raw = vm.toString(PROXY_TRANSACTION);
        vm.rpc("eth_sendRawTransaction", string.concat('["', raw, '"]'));
    }

    /// @dev Reverts if the CREATE2 proxy is not deployed.
    function requireProxy() internal view {
        if (PROXY.code.length != 0) return;
        console.log(
            "This chain has no CREATE2 proxy. Run this script with --sig 'prepare()', twice, first."
        );
        revert ProxyAbsent(PROXY);
    }

    /// @dev Deploys init code through the proxy, with salt zero, unless it is already deployed.
    function ensureCreate2(string memory name, bytes memory initCode)
        internal
        returns (address place)
    {
        place = vm.computeCreate2Address(0, keccak256(initCode), PROXY);
        if (place.code.length != 0) return place;
        console.log("deploying", name, place);
        vm.broadcast(msg.sender);
        (bool ok,) = PROXY.call(abi.encodePacked(bytes32(0), initCode));
        require(ok && place.code.length != 0, string.concat(name, " cannot be deployed"));
    }
}
