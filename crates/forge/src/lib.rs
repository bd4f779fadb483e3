//! The real EXECUTE and real L2 blocks inside stock `forge test`.
//!
//! Forge cannot load a precompile, but a contract at its address can ask a process for the answer
//! and then behave like the precompile. This crate is that process and the contract: [`shim_code`]
//! is the code at `0x0101`, [`execute`] answers it, and [`l2`] builds the blocks that tests pass to
//! it. The Solidity side is in `test/utils`: `ExecuteTest.sol` and `L2.sol`.
//!
//! Every call is a process of its own. Calls share data in a [`Workspace`], under the hash of its
//! content, so that concurrent tests cannot disturb each other, and a repeated test finds the same
//! data.
//!
//! This crate owns no rule of EXECUTE or of a chain: prices and verdicts are the `execute` crate's,
//! blocks the `chain` crate's.

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

/// Version of the protocol between Solidity and this crate. Each side names it, so that an
/// incompatible pair reports an error instead of misreading each other.
pub const PROTOCOL: u32 = 2;

/// Refuses to talk to utilities that speak another protocol.
pub const fn check_protocol(got: u32) -> Result<(), ForgeError> {
    if got == PROTOCOL { Ok(()) } else { Err(ForgeError::Protocol { got, expected: PROTOCOL }) }
}
