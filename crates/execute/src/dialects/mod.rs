//! How callers speak to EXECUTE: where it stands, what its calldata looks like, what it answers.
//!
//! A dialect is one file here that implements [`Dialect`]. It owns address, calldata, answer and what
//! a refusal looks like; never validity, nor the order of gas and work, which are those of
//! [`Execute::run_as`](crate::Execute::run_as) for all of them.

mod batch;
mod blob_tail;
mod drake;
mod execution_specs;

pub use batch::FURTHER_BLOCK_GAS;
pub(crate) use batch::Input;
pub use blob_tail::{BLOB_EXECUTE_ADDRESS, BlobSource, BlobTail};
pub use drake::Drake;
pub use execution_specs::{EXECUTE_ADDRESS, ExecutionSpecs};

use crate::{ExecuteError, Executed, Refused};
use alloy_primitives::{Address, B256, Bytes};
use core::fmt;
use std::borrow::Cow;

/// What a call brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Call<'c> {
    /// Its calldata.
    pub calldata: &'c [u8],
    /// Versioned hashes of the blobs that the transaction around it has.
    pub blob_hashes: &'c [B256],
}

/// A call in a transaction without blobs.
impl<'c, T: AsRef<[u8]> + ?Sized> From<&'c T> for Call<'c> {
    fn from(calldata: &'c T) -> Self {
        Self { calldata: calldata.as_ref(), blob_hashes: &[] }
    }
}

/// One way to call EXECUTE.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// What it is called in logs and tools.
    fn name(&self) -> &'static str;

    /// Where its precompile stands.
    fn address(&self) -> Address;

    /// How many bytes the call brings, whether in its calldata or by naming them. The bytes of the calldata
    /// have been paid for, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the calldata is not in this dialect.
    fn bytes(&self, call: &Call<'_>) -> Result<usize, ExecuteError> {
        Ok(call.calldata.len())
    }

    /// The stateless input or batch that the call brings, schema id in front. As many bytes have been paid
    /// for as [`Self::bytes`] says, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the call is not in this dialect.
    fn input<'c>(&self, call: &Call<'c>) -> Result<Cow<'c, [u8]>, ExecuteError>;

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
