// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {Rlp} from "../../contracts/libraries/Rlp.sol";
import {StateProof} from "../../contracts/libraries/StateProof.sol";
import {Messages} from "../../contracts/messaging/Messages.sol";
import {IL2} from "../utils/IL2.sol";
import {L2} from "../utils/L2.sol";
import {GasFixture} from "./GasFixture.sol";

/// @dev Index of the gas limit in a header.
uint256 constant GAS_LIMIT = 9;

/// @dev Common interface of the two libraries.
interface IProofReader {
    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata nodes)
        external
        pure
        returns (bytes32);

    function slot(bytes32 root, bytes32 position, bytes[] calldata nodes)
        external
        pure
        returns (uint256);

    /// @notice Returns the gas limit of a block, read from its header.
    function gasLimit(bytes calldata header) external pure returns (uint256);
}

contract EnshrineReader is IProofReader {
    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata nodes)
        external
        pure
        returns (bytes32)
    {
        (, StateProof.Account memory read) = StateProof.account(stateRoot, account, nodes);
        return read.storageRoot;
    }

    function slot(bytes32 root, bytes32 position, bytes[] calldata nodes)
        external
        pure
        returns (uint256)
    {
        return StateProof.slot(root, position, nodes);
    }

    function gasLimit(bytes calldata header) external pure returns (uint256 value) {
        uint256 pos;
        assembly ("memory-safe") {
            pos := header.offset
        }
        uint256 end = pos + header.length;
        (pos, end) = Rlp.list(pos, end);
        for (uint256 i = 0; i < GAS_LIMIT; ++i) {
            (, pos) = Rlp.str(pos, end);
        }
        (value,) = Rlp.integer(pos, end, 8);
    }
}

contract OpenZeppelinReader is IProofReader {
    using RLP for Memory.Slice;

    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata nodes)
        external
        pure
        returns (bytes32)
    {
        bytes memory leaf = TrieProof.traverse(
            stateRoot, abi.encode(keccak256(abi.encodePacked(account))), nodes
        );
        return RLP.decodeList(leaf)[2].readBytes32();
    }

    function slot(bytes32 root, bytes32 position, bytes[] calldata nodes)
        external
        pure
        returns (uint256)
    {
        return RLP.decodeUint256(
            TrieProof.traverse(root, abi.encode(keccak256(abi.encode(position))), nodes)
        );
    }

    function gasLimit(bytes calldata header) external pure returns (uint256) {
        return RLP.decodeList(header)[GAS_LIMIT].readUint256();
    }
}

/// @dev Gas of a proof with `StateProof` and with OpenZeppelin's library, on the same nodes as in a
/// claim; and gas of reading a header with `Rlp`.
/// forge-config: default.isolate = true
contract ProofGasTest is GasFixture {
    using L2 for L2.Chain;

    IProofReader private ours = new EnshrineReader();
    IProofReader private theirs = new OpenZeppelinReader();

    function test_gas_of_header_against_openzeppelin() public {
        IL2.AccountProof memory p = l2.prove(MESSENGER);
        assertEq(ours.gasLimit(p.header), l2.head.gasLimit);
        assertEq(theirs.gasLimit(p.header), l2.head.gasLimit);
        bytes memory call = abi.encodeCall(IProofReader.gasLimit, (p.header));
        uint256 used = read(ours, call, "the gas limit in a header", "Rlp");
        assertLt(used, read(theirs, call, "the gas limit in a header", "OpenZeppelin"));
    }

    function test_gas_of_proof_against_openzeppelin() public {
        IL2.AccountProof memory p = l2.prove(MESSENGER, Messages.sentSlot(SENT - 1));
        bytes32 stateRoot = p.head.stateRoot;
        IL2.SlotProof memory s = p.slots[0];
        assertEq(ours.storageRoot(stateRoot, MESSENGER, p.nodes), p.storageRoot);
        assertEq(theirs.storageRoot(stateRoot, MESSENGER, p.nodes), p.storageRoot);
        assertEq(ours.slot(p.storageRoot, s.slot, s.nodes), uint256(s.value));
        assertEq(theirs.slot(p.storageRoot, s.slot, s.nodes), uint256(s.value));
        assertGt(uint256(s.value), 0);

        bytes memory account =
            abi.encodeCall(IProofReader.storageRoot, (stateRoot, MESSENGER, p.nodes));
        bytes memory slot = abi.encodeCall(IProofReader.slot, (p.storageRoot, s.slot, s.nodes));
        uint256 accountOurs = read(ours, account, "a proven account", "StateProof");
        uint256 slotOurs = read(ours, slot, "a proven slot", "StateProof");
        assertLt(2 * accountOurs, read(theirs, account, "a proven account", "OpenZeppelin"));
        assertLt(2 * slotOurs, read(theirs, slot, "a proven slot", "OpenZeppelin"));
    }

    /// @dev Excludes the intrinsic gas of a transaction.
    function read(IProofReader reader, bytes memory call, string memory what, string memory whose)
        private
        returns (uint256 used)
    {
        used = cost(address(reader), 0, call).beyondCalldata - 21_000;
        vm.snapshotValue("gas", string.concat("reading ", what, ": ", whose), used);
    }
}
