//! How callers speak to EXECUTE: where it stands, what its calldata looks like, what it answers.
//!
//! A dialect is one file here that implements [`Dialect`]. It owns address, calldata, answer and what
//! a refusal looks like; never validity, nor the order of gas and work, which are those of
//! [`Execute::run_as`](crate::Execute::run_as) for all of them.

mod batch;
mod drake;
mod execution_specs;

pub use batch::FURTHER_BLOCK_GAS;
pub(crate) use batch::Input;
pub use drake::Drake;
pub use execution_specs::{EXECUTE_ADDRESS, ExecutionSpecs};

use crate::{ExecuteError, Executed, Refused};
use alloy_primitives::{Address, Bytes};
use core::fmt;

/// One way to call EXECUTE.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// What it is called in logs and tools.
    fn name(&self) -> &'static str;

    /// Where its precompile stands.
    fn address(&self) -> Address;

    /// The stateless input or batch in the calldata, schema id in front. The bytes of the calldata have been
    /// paid for, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the calldata is not in this dialect.
    fn input<'c>(&self, calldata: &'c [u8]) -> Result<&'c [u8], ExecuteError>;

    /// What the call returns and costs, now that it is known what came of it.
    ///
    /// It is never asked about a call that could not pay, nor about a fault of ours: those end the
    /// call in every dialect.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the call is to fail: no return data, and all its gas gone.
    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError>;
}

/// What a call that does not fail returns, and what it is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Gas.
    pub gas: u64,
    /// Return data.
    pub output: Bytes,
}
