//! An input to measure, and the receiver of a fork's inputs.

use alloy_primitives::B256;
use execute::{Dialect, Execute, Executed, ExecutionSpecs, PrecompileCall, Refused};
use eyre::Result;
use std::sync::Arc;
use wire::ProtocolFork;

/// An input to measure.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) execute: Execute,
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) calldata: Vec<u8>,
    pub(crate) blob_hashes: Vec<B256>,
}

impl Input {
    /// Creates an input in the dialect of the execution-specs.
    pub(crate) fn new(name: &str, execute: Execute, calldata: Vec<u8>) -> Self {
        let (name, dialect) = (name.to_owned(), Arc::new(ExecutionSpecs));
        Self { name, execute, dialect, calldata, blob_hashes: Vec::new() }
    }

    pub(crate) fn call(&self) -> PrecompileCall<'_> {
        PrecompileCall { calldata: &self.calldata, blob_hashes: &self.blob_hashes }
    }

    pub(crate) fn run(&self) -> Result<Executed, Refused> {
        self.execute.run_as(&*self.dialect, self.call(), u64::MAX, |_| {})
    }
}

/// Function that measures an input.
pub(crate) type Row<'r> = &'r mut dyn FnMut(Input) -> Result<()>;

/// Receiver of a fork's inputs.
pub(crate) struct Rows<'r> {
    pub(crate) fork: ProtocolFork,
    pub(crate) measure: Row<'r>,
}

impl Rows<'_> {
    /// Measures an input in the dialect of the execution-specs.
    pub(crate) fn add(&mut self, name: &str, calldata: Vec<u8>) -> Result<()> {
        (self.measure)(Input::new(name, Execute::on(self.fork), calldata))
    }
}
