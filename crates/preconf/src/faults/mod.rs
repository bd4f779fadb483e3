//! Faults of a sequencer, by the rules of `contracts/sequencing/preconf/Faults.sol`.
//!
//! | fault | proof |
//! |---|---|
//! | [`equivocation`] | two signed messages that cannot both be kept |
//! | [`broken`] | a signed message, and the rollup's own block in its place |
//! | [`lie`] | a signed header, and a valid block with the same inputs and another outcome |
//! | [`late`] | a signed message, and a head that has not reached it in time |
//!
//! Each function returns the [`Offence`], or the [`Refusal`] with which the contract would revert.

mod checks;
mod promise;
mod refusal;

pub use checks::{Canonical, Executed, TransactionEvidence, broken, equivocation, late, lie};
pub use promise::{Context, Offence, Promise, Signed};
pub use refusal::Refusal;

/// Kind of a fault, numbered as in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// Two signed messages contradict each other.
    Equivocation = 0,
    /// The rollup has another block than the signed one.
    Broken = 1,
    /// Execution results in another header than the signed one.
    Lie = 2,
    /// The signed block is not on L1 in time.
    Late = 3,
}
