//! Verifies a block without the standard library: the main function of the guest of a zkVM.
//!
//! The host gives the calldata of EXECUTE on standard input. The program runs the call with all gas
//! that there is, and writes the result that the call returns. It has a panic handler and an
//! allocator of its own, and asks the host for nothing but bytes; a guest has those of its zkVM.
//! Where the zkVM has circuits for signatures or curves, the guest hands them in as `Cryptography`.

#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "an allocator and the entry point cannot be written without")]

extern crate alloc;

mod host;

use execute::Execute;
use host::{read_input, write_output};

/// Entry point. Its status says whether the block is valid.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    // A proof is of one chain, whose rules the verifier of the proof knows: blocks of L1 here.
    match Execute::l1().run(&read_input(), u64::MAX) {
        Ok(executed) => {
            write_output(&executed.result.encode());
            0
        }
        Err(_) => 1,
    }
}
