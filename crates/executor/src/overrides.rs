//! What a chain changes about the execution of its blocks.

use crate::{BlockError, BlockTally, ReadError, Transaction, WorkMeter};
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
use std::sync::Arc;

/// The state of a block as hooks read and change it.
pub trait HookState: Database<Error = ReadError> + DatabaseCommit {}

impl<T: Database<Error = ReadError> + DatabaseCommit> HookState for T {}

/// What a chain changes about the EVM of its fork, and what it does at the begin and end of its
/// blocks and before each transaction: limits that it lifts, precompiles that it adds, a market that
/// prices a resource per block, what a precompile must know of the transaction around its call.
///
/// Builder, verifier, import and replay run all of it, at the same points. A hook that refuses with
/// [`BlockError::Invalid`] speaks of the block or the transaction; a builder then goes on without the
/// transaction.
pub trait EvmOverrides: fmt::Debug + Send + Sync {
    /// Changes the limits and checks of the EVM.
    fn limits(&self, cfg: &mut CfgEnv) {
        let _ = cfg;
    }

    /// Adds to the precompiles of the fork. They may count what they do in `tally`, which is that of the
    /// block or the call whose precompiles they are.
    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        let _ = (precompiles, tally);
    }

    /// Who is taken for the signer of an authorization (EIP-7702), whoever has signed it; by default
    /// nobody but the signer.
    fn authority(&self, authorization: &SignedAuthorization) -> Option<Address> {
        let _ = authorization;
        None
    }

    /// Who is told of work that gas does not pay for; nobody asks by default.
    fn meter(&self) -> Option<Arc<dyn WorkMeter>> {
        None
    }

    /// Whether a verifier who does not know of it comes to the same verdict on the blocks of this
    /// chain.
    fn is_verifiable(&self) -> bool {
        false
    }

    /// Before the system calls that open a block.
    ///
    /// # Errors
    ///
    /// [`BlockError`] if the block cannot stand; so for all hooks.
    fn begin_block(&self, header: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        let _ = (header, state);
        Ok(())
    }

    /// Before a transaction; `index` is its position in the block. Of what a refusing hook has
    /// committed to the state, nothing is undone: check first.
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

    /// Behind the last transaction, before requests and withdrawals; `tally` has what the transactions of
    /// the block have counted.
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

/// Puts the signers whom a chain takes for those of authorizations into a transaction that has them.
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

/// A chain that is just what its forks say.
impl EvmOverrides for () {
    fn is_verifiable(&self) -> bool {
        true
    }
}
