// The contract at 0x0101 inside forge: it passes its calldata to the helper process, and then behaves
// like the precompile, with the same result and gas, or fails and consumes all gas.
//
// It is written in Yul and shipped as bytecode (execute.hex), because its gas must not depend on the
// compiler settings of a project. A test compiles this file and compares the bytecode. The helper
// appends the data of an installation to the code: the call of `writeFileBinary` up to the data, the
// call of `ffi`, and five words about them:
//
//   0x00  offset of the file name in the first call
//   0x20  length of that call up to and including the length of the data
//   0x40  offset of the file name in the second call
//   0x60  offset of the gas in the second call
//   0x80  length of the second call
//
// Names and gas are 64 hexadecimal digits. The file is named by the hash of the input, because
// concurrent tests share everything else, including random seeds. Two calls may write the same file at
// once, or one may find it removed, because the helper removes files after reading. The helper then
// requests the file again.
//
// The helper answers with a status byte, followed by:
//   0  the charge (8 bytes) and the result
//   1  the reason why the input is rejected, as text
//   2  nothing: the file was missing or incomplete and must be written again
//   3  the reason why the helper failed, as text
object "ExecuteShim" {
    code {
        {
            // The gas of the call: what is left plus what was spent before GAS was read.
            let given := add(gas(), ENTRY())
            // Even while metering is paused, no single step may cost more than the gas left, in particular
            // not the memory for a long input. That is far less than any price of EXECUTE, and running out
            // of gas below would leave metering off for the rest of the test.
            let words := shr(5, add(calldatasize(), 0x1000))
            if lt(given, add(6000, add(mul(4, words), shr(9, mul(words, words))))) { invalid() }
            // If metering is paused, two readings of GAS are equal.
            let paused := eq(gas(), gas())
            if iszero(paused) { cheat(0x00, PAUSE()) }

            let at := sub(codesize(), 0xa0)
            codecopy(0x00, at, 0xa0)
            let nameInWrite := mload(0x00)
            let prefix := mload(0x20)
            let nameInFfi := mload(0x40)
            let gasInFfi := mload(0x60)
            let ffiLength := mload(0x80)
            // 0x00 to 0xa0 scratch, 0xa0 the call of ffi, then that of writeFileBinary with the input.
            let ffi := 0xa0
            let write := add(ffi, and(add(ffiLength, 0x3f), not(0x1f)))
            at := sub(at, ffiLength)
            codecopy(ffi, at, ffiLength)
            codecopy(write, sub(at, prefix), prefix)
            let input := add(write, prefix)
            mstore(sub(input, 0x20), calldatasize())
            calldatacopy(input, 0, calldatasize())
            // The data is padded to whole words; memory after it is zero.
            let writeLength := add(prefix, and(add(calldatasize(), 0x1f), not(0x1f)))

            let name := keccak256(input, calldatasize())
            putHex(add(write, nameInWrite), name)
            putHex(add(ffi, nameInFfi), name)
            putHex(add(ffi, gasInFfi), given)

            let status := 2
            for { let tries := 0 } and(eq(status, 2), lt(tries, 1000)) { tries := add(tries, 1) } {
                if iszero(call(gas(), VM(), 0, write, writeLength, 0, 0)) { failWithReturned(paused) }
                if iszero(call(gas(), VM(), 0, ffi, ffiLength, 0, 0)) { failWithReturned(paused) }
                // ABI encoding of the answer: offset, length, and at least one byte.
                if lt(returndatasize(), 0x60) { failWithReturned(paused) }
                returndatacopy(0x00, 0x20, 0x21)
                status := byte(0, mload(0x20))
            }
            let size := sub(mload(0x00), 1)
            if eq(status, 0) {
                returndatacopy(0x00, 0x41, size)
                finish(paused, given, shr(192, mload(0x00)), sub(size, 8))
            }
            // Text, with space for selector, offset and length before it.
            returndatacopy(0x64, 0x41, size)
            if eq(status, 1) {
                say(size)
                if iszero(paused) { cheat(0x00, RESUME()) }
                invalid()
            }
            fail(paused, size)
        }

        // ------------------------------------------------------------------ gas

        /// Returns the result at memory offset 8, with exactly `charge` of `given` consumed.
        function finish(paused, given, charge, size) {
            if paused { return(0x08, size) }
            let rest := sub(given, charge)
            // Scratch space after the result, which may be long.
            let free := and(add(size, 0x47), not(0x1f))
            // A point that is not on the curve, for which ecAdd consumes all gas of the call.
            mstore(free, 1)
            mstore(add(free, 0x20), 1)
            cheat(add(free, 0x60), RESUME())
            // A call can forward 63/64 of the gas left, which may be less than must be consumed.
            for { } gt(sub(gas(), rest), 2000) { } {
                pop(staticcall(shr(1, sub(gas(), rest)), 6, free, 0x40, 0, 0))
            }
            pop(staticcall(sub(gas(), add(rest, EXIT())), 6, free, 0x40, 0, 0))
            // Work after the last call, so that the call can forward enough gas even if all gas must be
            // consumed.
            mstore(free, keccak256(0x00, 0x40))
            return(0x08, size)
        }

        // ------------------------------------------------------------------ failures

        /// A failure of the helper must not look like a rejected input: the test fails even if it expects
        /// a revert here, because of an expected call that is never made.
        function fail(paused, size) {
            // expectCall(address,bytes) for an account that no test calls, with the reason as data.
            say(size)
            mstore(0x00, shl(224, 0xbd6af434))
            mstore(0x04, 0xdead000000000000000000000000000000000101)
            mstore(0x24, 0x40)
            mstore(0x44, size)
            pop(call(gas(), VM(), 0, 0x00, add(0x64, and(add(size, 0x1f), not(0x1f))), 0, 0))
            if iszero(paused) { cheat(0x00, RESUME()) }
            // Error(string)
            mstore(0x20, shl(224, 0x08c379a0))
            mstore(0x24, 0x20)
            revert(0x20, add(0x44, and(add(size, 0x1f), not(0x1f))))
        }

        /// Fails with the error string that a cheatcode has returned.
        function failWithReturned(paused) {
            let size := 0
            if gt(returndatasize(), 0x43) {
                returndatacopy(0x00, 0x24, 0x20)
                size := mload(0x00)
                returndatacopy(0x64, 0x44, sub(returndatasize(), 0x44))
            }
            fail(paused, size)
        }

        /// Prints the text of `size` bytes at 0x64 in the logs of the test.
        function say(size) {
            // log(string) of forge's console
            mstore(0x20, shl(224, 0x41304fac))
            mstore(0x24, 0x20)
            mstore(0x44, size)
            let length := add(0x44, and(add(size, 0x1f), not(0x1f)))
            pop(staticcall(gas(), 0x636f6e736f6c652e6c6f67, 0x20, length, 0, 0))
        }

        // ------------------------------------------------------------------ leaves

        function cheat(at, selector) {
            mstore(at, shl(224, selector))
            pop(call(gas(), VM(), 0, at, 0x04, 0, 0))
        }

        /// Writes a word as 64 hexadecimal digits.
        function putHex(to, word) {
            for { let i := 0 } lt(i, 64) { i := add(i, 1) } {
                let digit := and(shr(sub(252, mul(4, i)), word), 0x0f)
                mstore8(add(to, i), add(digit, add(48, mul(39, gt(digit, 9)))))
            }
        }

        function VM() -> a { a := 0x7109709ECfa91a80626fF3989D68f67F5b1DD12D }
        function PAUSE() -> s { s := 0xd1a5b36f }
        function RESUME() -> s { s := 0x2bcd50e0 }
        function ENTRY() -> k { k := 5 }
        function EXIT() -> k { k := 164 }
    }
}
