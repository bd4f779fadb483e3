//! Dialects of EXECUTE: address, calldata and return data.
//!
//! A dialect is a type that implements [`Dialect`]: [`ExecutionSpecs`] is the default one, the
//! `variants` crate has others. It defines the address, the format of calldata and return data, and
//! how a call fails. Block validity and the order in which gas is charged and work is done are the
//! same in all dialects, see [`Execute::run_as`](crate::Execute::run_as).

pub(crate) mod batch;
mod execution_specs;

pub use batch::FURTHER_BLOCK_GAS;
pub use execution_specs::ExecutionSpecs;

use crate::{ExecuteError, Executed, Refused};
use alloc::{borrow::Cow, boxed::Box};
use alloy_evm::precompiles::PrecompileInput;
use alloy_primitives::{Address, B256, Bytes};
use core::fmt;
use stateless::EvmOverrides;

/// An EXECUTE call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrecompileCall<'c> {
    /// Its calldata.
    pub calldata: &'c [u8],
    /// Versioned hashes of the blobs of the surrounding transaction.
    pub blob_hashes: &'c [B256],
}

impl<'c> PrecompileCall<'c> {
    /// Creates a call from the input of a precompile.
    pub fn of(input: &'c PrecompileInput<'_>) -> Self {
        let blob_hashes = input.internals.tx_env().blob_versioned_hashes();
        Self { calldata: input.data, blob_hashes }
    }
}

/// A call in a transaction without blobs.
impl<'c, T: AsRef<[u8]> + ?Sized> From<&'c T> for PrecompileCall<'c> {
    fn from(calldata: &'c T) -> Self {
        Self { calldata: calldata.as_ref(), blob_hashes: &[] }
    }
}

/// A calling convention of EXECUTE.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// Name for logs and tools.
    fn name(&self) -> &'static str;

    /// Address of its precompile.
    fn address(&self) -> Address;

    /// Returns the number of bytes that the call provides, in its calldata or by reference. At this
    /// point only the bytes of the calldata have been paid for.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the calldata is not in this dialect.
    fn bytes(&self, call: &PrecompileCall<'_>) -> Result<usize, ExecuteError> {
        Ok(call.calldata.len())
    }

    /// Returns the stateless input or batch of the call, schema id first. At this point only the
    /// bytes that [`Self::bytes`] returned have been paid for.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the call is not in this dialect.
    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError>;

    /// Returns the overrides of the EVM for the call's blocks; by default the EVM is that of their
    /// fork. The gas of the blocks must pay for everything that the overrides add. This is called
    /// before anything is paid for, and possibly for a call in another dialect: only
    /// [`Self::input`] checks that.
    fn evm(&self, _: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        Box::new(())
    }

    /// Returns the return data and the gas charge of a call, given its outcome.
    ///
    /// Not called if the gas was insufficient or there was an internal error, because the call then
    /// fails in every dialect.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the call must fail: no return data, and all its gas consumed.
    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError>;
}

/// Return data and charge of a call that does not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Gas charged.
    pub gas: u64,
    /// Return data.
    pub output: Bytes,
}
