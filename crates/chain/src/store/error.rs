//! Errors of a store.

use core::{error::Error, fmt};
use std::sync::Arc;
use trie::SourceError;

/// A store failed to read or write: a local fault, independent of the request.
#[derive(Debug, Clone)]
pub struct StoreError {
    operation: &'static str,
    fault: Arc<dyn Error + Send + Sync>,
}

impl StoreError {
    /// Creates the error: `operation` names the action of the store ("read a node"), `fault` its
    /// cause.
    pub fn new(operation: &'static str, fault: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { operation, fault: Arc::from(fault.into()) }
    }

    /// Returns the error for a change that would leave a gap in the canonical chain.
    pub fn gap() -> Self {
        Self::new("move the canonical chain", "it would have a gap")
    }

    /// Returns the underlying fault.
    pub fn fault(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.fault
    }

    /// Returns the operation of the store that failed.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.operation, self.fault)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// Errors are equal if their messages are.
impl PartialEq for StoreError {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation && self.fault.to_string() == other.fault.to_string()
    }
}

impl Eq for StoreError {}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}
