// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Vm} from "forge-std/Vm.sol";

/// @title Calls of the `enshrine` program
/// @notice The program is looked up at `ENSHRINE_BIN`, then where cargo builds it in the project
/// under test (`CARGO_TARGET_DIR` or `target`), then on the PATH.
library Helper {
    /// @notice The helper was not found or cannot be executed; `whatToDo` describes the remedy.
    error HelperMissing(string whatToDo);

    /// @notice The helper is not usable, for this reason.
    error HelperBroken(string reason);

    /// @notice The helper rejected a request, for this reason.
    error HelperRefused(string reason);

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Protocol version of these utilities and the helper; `PROTOCOL` in crates/forge.
    string private constant PROTOCOL = "2";

    /// @dev Below the project's root; `Workspace::IN_PROJECT` in crates/forge.
    string private constant REQUESTS = "cache/enshrine/requests/";

    /// @dev Slot of the helper's path, which is looked up once per test contract.
    bytes32 private constant PROGRAM_SLOT = keccak256("enshrine.test.helper.program");

    struct Program {
        string path;
    }

    /// @notice Returns the code to deploy at `0x0101`.
    function shim(string memory profile) internal returns (bytes memory) {
        string[] memory arguments = new string[](4);
        arguments[0] = "--protocol";
        arguments[1] = PROTOCOL;
        arguments[2] = "--profile";
        arguments[3] = profile;
        return _done(_mustRun(program(), "shim", arguments));
    }

    /// @notice Sends a request by file and returns the result.
    /// @dev The name of the file is derived from its content. A concurrent call with the same
    /// content may remove the file, in which case the helper requests it once more.
    function call(string memory command, bytes memory request) internal returns (bytes memory) {
        string memory path = program();
        string[] memory arguments = new string[](3);
        arguments[0] = "--protocol";
        arguments[1] = PROTOCOL;
        string memory file = _withoutPrefix(VM.toString(keccak256(request)));
        arguments[2] = file;
        file = string.concat(REQUESTS, file);
        for (uint256 i = 0; i < 1000; ++i) {
            VM.writeFileBinary(file, request);
            bytes memory answer = _mustRun(path, command, arguments);
            if (answer.length == 0 || answer[0] != 0x02) return _done(answer);
        }
        revert HelperBroken("1000 calls of the same content stood in each other's way");
    }

    /// @notice Returns the path of the helper.
    function program() internal returns (string memory path) {
        Program storage known = _program();
        path = known.path;
        if (bytes(path).length == 0) {
            path = _find();
            known.path = path;
        }
    }

    function _find() private returns (string memory path) {
        path = VM.envOr("ENSHRINE_BIN", string(""));
        if (bytes(path).length != 0) {
            if (_runs(path)) return path;
            revert HelperMissing(string.concat(
                    "ENSHRINE_BIN is ", path, ", which does not run: correct or unset it"
                ));
        }
        path = string.concat(VM.envOr("CARGO_TARGET_DIR", string("target")), "/release/enshrine");
        if (_runs(path)) return path;
        path = "enshrine";
        if (_runs(path)) return path;
        revert HelperMissing("the helper `enshrine` is missing: run `cargo build --release --bin enshrine` in the "
            "Enshrine repository, and elsewhere put target/release of it on the PATH or the path of "
            "the program into ENSHRINE_BIN; foundry.toml must say `ffi = true`");
    }

    /// @dev Also creates the directory for requests.
    function _runs(string memory path) private returns (bool ok) {
        string[] memory arguments = new string[](2);
        arguments[0] = "--protocol";
        arguments[1] = PROTOCOL;
        bytes memory answer;
        (ok, answer) = _run(path, "shim", arguments);
        if (!ok && _contains(answer, "FFI is disabled")) {
            revert HelperMissing("foundry.toml must say `ffi = true` (or forge be called with --ffi): EXECUTE and "
                "the blocks of an L2 come from a program that forge has to start");
        }
        // Not `_done`: a program that runs and reports an error has been found, and the error has
        // its reason.
        if (ok && answer.length != 0 && answer[0] != 0) _done(answer);
    }

    function _contains(bytes memory text, bytes memory part) private pure returns (bool) {
        for (uint256 from = 0; from + part.length <= text.length; ++from) {
            uint256 same = 0;
            while (same < part.length && text[from + same] == part[same]) ++same;
            if (same == part.length) return true;
        }
        return false;
    }

    /// @dev Errors of a failing cheatcode are passed on unchanged.
    function _mustRun(string memory path, string memory command, string[] memory arguments)
        private
        returns (bytes memory answer)
    {
        bool ok;
        (ok, answer) = _run(path, command, arguments);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function _run(string memory path, string memory command, string[] memory arguments)
        private
        returns (bool ok, bytes memory answer)
    {
        string[] memory line = new string[](3 + arguments.length);
        line[0] = path;
        line[1] = "forge";
        line[2] = command;
        for (uint256 i = 0; i < arguments.length; ++i) {
            line[3 + i] = arguments[i];
        }
        try VM.ffi(line) returns (bytes memory result) {
            return (true, result);
        } catch (bytes memory reason) {
            return (false, reason);
        }
    }

    function _done(bytes memory answer) private pure returns (bytes memory result) {
        if (answer.length == 0) revert HelperBroken("the helper said nothing");
        uint8 status = uint8(answer[0]);
        result = _tail(answer);
        if (status == 1) revert HelperRefused(string(result));
        if (status != 0) revert HelperBroken(status == 3 ? string(result) : string(answer));
    }

    /// @dev Returns all bytes but the first, in place: the length word overwrites the first byte.
    function _tail(bytes memory answer) private pure returns (bytes memory result) {
        uint256 length = answer.length - 1;
        result = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(result, 0x20), add(answer, 0x21), length)
        }
    }

    function _withoutPrefix(string memory digits) private pure returns (string memory result) {
        result = new string(64);
        assembly ("memory-safe") {
            mcopy(add(result, 0x20), add(digits, 0x22), 64)
        }
    }

    function _program() private pure returns (Program storage known) {
        bytes32 slot = PROGRAM_SLOT;
        assembly ("memory-safe") {
            known.slot := slot
        }
    }
}
