//! The real EXECUTE and real L2 blocks inside stock `forge test`.
//!
//! Forge cannot load a precompile, but a contract at its address can get the result from another
//! process over FFI and then behave like the precompile. This crate contains both: [`shim_code`] is
//! the code at `0x0101`, [`execute`] handles its calls, and [`l2`] builds the blocks that tests
//! pass to it. The Solidity side is in `test/utils`: `ExecuteTest.sol` and `L2.sol`.
//!
//! Every call is a separate process. Calls share data in a [`Workspace`], in files named by the
//! hash of their content, so that concurrent tests do not interfere, and a repeated test finds the
//! same data.
//!
//! Prices and verdicts come from `execute`, and blocks from `chain`.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod answer;
mod error;
mod execute;
mod l2;
mod profile;
mod shim;
mod workspace;

pub use answer::ForgeAnswer;
pub use error::ForgeError;
pub use execute::execute;
pub use l2::l2;
pub use profile::{Profile, ProfileError};
pub use shim::shim_code;
pub use workspace::Workspace;

/// Version of the protocol between Solidity and this crate. Requests contain it, so that an
/// incompatible pair reports an error.
pub const PROTOCOL: u32 = 2;

/// Rejects utilities with another protocol version.
pub const fn check_protocol(got: u32) -> Result<(), ForgeError> {
    if got == PROTOCOL { Ok(()) } else { Err(ForgeError::Protocol { got, expected: PROTOCOL }) }
}
