//! Cryptography provided by the host.

use crate::{Transaction, recover_sender};
use alloc::vec::Vec;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, Bytes};
use core::fmt;
use revm::bytecode::Bytecode;

/// Signature recovery, code analysis and precompiles of a verifier or a node. A zkVM guest has
/// circuits for them, and a host may have faster libraries than this crate.
///
/// Results are not checked, so they must equal this crate's results.
pub trait Cryptography: fmt::Debug + Send + Sync {
    /// Recovers each transaction's sender; `None` if its signature is invalid or has a high s
    /// (EIP-2).
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        transactions.iter().map(recover_sender).collect()
    }

    /// Analyses code for the EVM. Bytes that look like a delegation (EIP-7702) but are malformed
    /// are ordinary code.
    fn analyse(&self, code: &[u8]) -> Bytecode {
        let code = Bytes::copy_from_slice(code);
        Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
    }

    /// Replaces precompiles of the fork.
    fn precompiles(&self, precompiles: &mut PrecompilesMap) {
        let _ = precompiles;
    }
}

/// The libraries that this crate is built with.
impl Cryptography for () {}
