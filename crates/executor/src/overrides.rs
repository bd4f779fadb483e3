//! Differences between a chain and its fork.

use crate::{BlockError, BlockTally, Cryptography, ReadError, Transaction, WorkMeter};
use alloc::sync::Arc;
use alloy_consensus::Header;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::Address;
use core::fmt;
use revm::{
    Database, DatabaseCommit,
    context::{
        CfgEnv, TxEnv,
        either::Either,
        transaction::{RecoveredAuthority, RecoveredAuthorization},
    },
};

/// The state of a block as hooks read and change it.
pub trait HookState: Database<Error = ReadError> + DatabaseCommit {}

impl<T: Database<Error = ReadError> + DatabaseCommit> HookState for T {}

/// Changes of a chain to the EVM of its fork, and hooks at the begin and end of its blocks and before each
/// transaction: limits that it lifts, precompiles that it adds, a market that prices a resource per block,
/// context that a precompile needs of the transaction around its call.
///
/// Builder, verifier, import and replay call all hooks at the same points. A hook that returns
/// [`BlockError::Invalid`] rejects the block or the transaction; a builder then goes on without the
/// transaction.
pub trait EvmOverrides: fmt::Debug + Send + Sync {
    /// Changes the limits and checks of the EVM.
    fn limits(&self, cfg: &mut CfgEnv) {
        let _ = cfg;
    }

    /// Returns the cryptography for blocks: by default [that of the process](crate::CRYPTOGRAPHY).
    fn cryptography(&self) -> &dyn Cryptography {
        crate::CRYPTOGRAPHY.get().copied().unwrap_or(&())
    }

    /// Adds to the precompiles of the fork. They may count their work in `tally`, which belongs to the block
    /// or call that they serve.
    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        let _ = (precompiles, tally);
    }

    /// Returns the signer to assume for an authorization (EIP-7702), regardless of its signature; by default
    /// none, so that the real signer counts.
    fn authority(&self, authorization: &SignedAuthorization) -> Option<Address> {
        let _ = authorization;
        None
    }

    /// Returns the meter for work that gas does not pay for; none by default.
    fn meter(&self) -> Option<Arc<dyn WorkMeter>> {
        None
    }

    /// Returns `true` if a verifier without these overrides comes to the same verdict on the blocks of this
    /// chain.
    fn is_verifiable(&self) -> bool {
        false
    }

    /// Runs before the system calls that open a block.
    ///
    /// # Errors
    ///
    /// [`BlockError`] if the block must not be executed; the same holds for all hooks.
    fn begin_block(&self, header: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        let _ = (header, state);
        Ok(())
    }

    /// Runs before a transaction; `index` is its position in the block. A hook that refuses must not have
    /// committed anything, since nothing is undone.
    fn before_transaction(
        &self,
        index: usize,
        transaction: &Transaction,
        sender: Address,
        state: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        let _ = (index, transaction, sender, state);
        Ok(())
    }

    /// Runs after the last transaction, before requests and withdrawals; `tally` holds the counts of the
    /// block's transactions.
    fn end_block(
        &self,
        header: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        let _ = (header, state, tally);
        Ok(())
    }
}

/// Replaces the signers of a transaction's authorizations by those that the chain assumes.
pub fn take_authorities(
    transaction: &mut TxEnv,
    signed: &[SignedAuthorization],
    overrides: &dyn EvmOverrides,
) {
    for (signed, taken) in signed.iter().zip(&mut transaction.authorization_list) {
        if let Some(authority) = overrides.authority(signed) {
            *taken = Either::Right(RecoveredAuthorization::new_unchecked(
                signed.inner().clone(),
                RecoveredAuthority::Valid(authority),
            ));
        }
    }
}

/// A chain without differences from its forks.
impl EvmOverrides for () {
    fn is_verifiable(&self) -> bool {
        true
    }
}
