//! Options of verification, and the stages that it reports.

use alloy_primitives::Address;
use core::num::NonZeroUsize;
use executor::{EvmOverrides, SystemCode};

/// Options for block verification. None of them changes the verdict on a valid block.
#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions<'o> {
    /// Number of threads, including the calling one.
    pub threads: NonZeroUsize,
    /// Code that is accepted at the addresses of system contracts.
    pub system_code: SystemCode,
    /// Overrides of the EVM on the chain.
    pub evm: &'o dyn EvmOverrides,
    /// Senders of the transactions of all blocks in order, if the caller has already recovered them
    /// from the signatures; otherwise empty. They are not checked again.
    pub senders: &'o [Address],
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self {
            threads: NonZeroUsize::MIN,
            system_code: SystemCode::Canonical,
            evm: &(),
            senders: &[],
        }
    }
}

/// Stage of verification, for measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Header and ancestors are being checked.
    Header,
    /// Nodes and codes are being hashed and indexed.
    Link,
    /// Senders are being recovered. With multiple threads, helpers recover them during linking and
    /// execution.
    Senders,
    /// Transactions are being executed.
    Execution,
    /// Post-state and receipts roots are being computed.
    Roots,
    /// Verification is complete.
    Done,
}
