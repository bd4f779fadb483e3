//! The real EXECUTE and real L2 blocks inside stock `forge test`.
//!
//! Forge cannot load a precompile, but a contract at its address can ask a process for the answer and
//! then behave as the precompile does. This crate is that process, and the contract: [`shim_code`] is
//! what stands at `0x0101`, [`execute`] answers it, and [`l2`] builds the blocks that tests feed to
//! it. Solidity's side of it is in `test/utils`: `ExecuteTest.sol` and `L2.sol`.
//!
//! Every call is a process of its own. What one must know of another lies in a [`Workspace`], under
//! the hash of its content, so that calls of tests that run at the same time cannot disturb each
//! other, and a test that is repeated finds what it found before.
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

pub use answer::Answer;
pub use error::ForgeError;
pub use execute::execute;
pub use l2::l2;
pub use profile::{Profile, ProfileError};
pub use shim::shim_code;
pub use workspace::Workspace;

/// Version of the protocol between Solidity and this crate. Each side names it, so that an incompatible pair
/// reports an error instead of misreading each other.
pub const PROTOCOL: u32 = 2;

/// Refuses to talk to utilities that speak another protocol.
pub const fn check_protocol(got: u32) -> Result<(), ForgeError> {
    if got == PROTOCOL { Ok(()) } else { Err(ForgeError::Protocol { got, expected: PROTOCOL }) }
}
