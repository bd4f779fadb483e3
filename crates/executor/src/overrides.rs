//! Differences between the rules of a chain and its fork.

use crate::{
    BlockError, BlockTally, Cryptography, ExecutionOutcome, Invalid, ReadError, Transaction,
    WorkMeter,
};
use alloc::{sync::Arc, vec::Vec};
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

/// State of a block, for hooks to read and change.
pub trait HookState: Database<Error = ReadError> + DatabaseCommit {}

impl<T: Database<Error = ReadError> + DatabaseCommit> HookState for T {}

/// Changes of a chain to the EVM of its fork, and hooks at the start and end of its blocks and
/// before each transaction. Examples are lifted limits, added precompiles, a market that prices a
/// resource per block, context that a precompile needs of the surrounding transaction, or headers
/// with additional items.
///
/// Builder, verifier, import and replay call all hooks at the same points. A hook that returns
/// [`BlockError::Invalid`] rejects the block or the transaction; a builder then continues without
/// the transaction.
pub trait EvmOverrides: fmt::Debug + Send + Sync {
    /// Returns the overrides that these extend; none by default. Default implementations of the
    /// methods call the base, so that no wrapper loses a check.
    fn base(&self) -> Option<&dyn EvmOverrides> {
        None
    }

    /// Changes the limits and checks of the EVM.
    fn limits(&self, cfg: &mut CfgEnv) {
        if let Some(base) = self.base() {
            base.limits(cfg);
        }
    }

    /// Returns the cryptography for blocks.
    fn cryptography(&self) -> &dyn Cryptography {
        self.base().map_or(&(), |base| base.cryptography())
    }

    /// Adds precompiles to the fork's. They may count their work in `tally`, which belongs to the
    /// block or call that they serve.
    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        if let Some(base) = self.base() {
            base.precompiles(precompiles, tally);
        }
    }

    /// Returns the signer to assume for an authorization (EIP-7702), regardless of its signature.
    /// By default there is none, so that the recovered signer is used.
    fn authority(&self, authorization: &SignedAuthorization) -> Option<Address> {
        self.base()?.authority(authorization)
    }

    /// Returns the meter for work that gas does not pay for; none by default.
    fn meter(&self) -> Option<Arc<dyn WorkMeter>> {
        self.base()?.meter()
    }

    /// Returns `true` if a verifier without these overrides reaches the same verdicts on the blocks
    /// of this chain.
    fn is_verifiable(&self) -> bool {
        self.base().is_some_and(|base| base.is_verifiable())
    }

    /// Called before the system calls that open a block.
    ///
    /// # Errors
    ///
    /// [`BlockError`] if the block must not be executed; the same holds for all hooks.
    fn begin_block(&self, header: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        self.base().map_or(Ok(()), |base| base.begin_block(header, state))
    }

    /// Called before a transaction; `index` is its position in the block. A hook that returns an
    /// error must not have committed any change, because changes are not reverted.
    fn before_transaction(
        &self,
        index: usize,
        transaction: &Transaction,
        sender: Address,
        state: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        self.base()
            .map_or(Ok(()), |base| base.before_transaction(index, transaction, sender, state))
    }

    /// Called after the last transaction, before requests and withdrawals. `tally` contains the
    /// counts of the block's transactions.
    fn end_block(
        &self,
        header: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        self.base().map_or(Ok(()), |base| base.end_block(header, state, tally))
    }

    /// Checks the claims of a header that go beyond those of its fork, given the result of its
    /// block.
    ///
    /// # Errors
    ///
    /// [`Invalid`] with claim and result.
    fn check_outcome(&self, header: &Header, outcome: &ExecutionOutcome) -> Result<(), Invalid> {
        self.base().map_or(Ok(()), |base| base.check_outcome(header, outcome))
    }

    /// Returns the RLP of the header of the block to verify, whose hash is the block hash. A chain
    /// may append items to those of the fork.
    fn encode_header(&self, header: &Header) -> Vec<u8> {
        // The payload contains the hash of these bytes, so a wrong encoding can only cause a
        // rejection.
        self.base().map_or_else(|| alloy_rlp::encode(header), |base| base.encode_header(header))
    }

    /// Returns the header of an ancestor, without the items that the chain appends.
    ///
    /// # Errors
    ///
    /// [`alloy_rlp::Error`] if the bytes are not the header of a block of this chain.
    fn decode_header(&self, bytes: &[u8]) -> alloy_rlp::Result<Header> {
        // The hash of the bytes is in a child's header, but an attacker may have forged the child.
        self.base().map_or_else(|| alloy_rlp::decode_exact(bytes), |base| base.decode_header(bytes))
    }
}

/// Replaces the signers of a transaction's authorizations by those that the chain specifies.
pub fn override_authorities(
    transaction: &mut TxEnv,
    signed: &[SignedAuthorization],
    overrides: &dyn EvmOverrides,
) {
    for (signed, authorization) in signed.iter().zip(&mut transaction.authorization_list) {
        if let Some(authority) = overrides.authority(signed) {
            *authorization = Either::Right(RecoveredAuthorization::new_unchecked(
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain with its own overrides.
    #[derive(Debug)]
    struct Chain;

    impl EvmOverrides for Chain {
        fn limits(&self, cfg: &mut CfgEnv) {
            cfg.chain_id = 7;
        }

        fn is_verifiable(&self) -> bool {
            true
        }

        fn check_outcome(&self, _: &Header, _: &ExecutionOutcome) -> Result<(), Invalid> {
            Err(Invalid::LogsBloom)
        }

        fn encode_header(&self, _: &Header) -> Vec<u8> {
            [7].into()
        }

        fn decode_header(&self, _: &[u8]) -> alloy_rlp::Result<Header> {
            Err(alloy_rlp::Error::Custom("of the chain"))
        }
    }

    /// A wrapper that adds nothing.
    #[derive(Debug)]
    struct Wrapper<'c>(&'c dyn EvmOverrides);

    impl EvmOverrides for Wrapper<'_> {
        fn base(&self) -> Option<&dyn EvmOverrides> {
            Some(self.0)
        }
    }

    #[test]
    fn wrapper_inherits_hooks_of_its_base() {
        let (header, outcome) = (Header::default(), ExecutionOutcome::default());
        let once = Wrapper(&Chain);
        // Wrapped twice, since a verifier adds its meter to a chain that may already be wrapped.
        for wrapper in [&once, &Wrapper(&once)] {
            let mut cfg = CfgEnv::default();
            wrapper.limits(&mut cfg);
            assert_eq!(cfg.chain_id, 7);
            assert!(wrapper.is_verifiable());
            assert_eq!(wrapper.check_outcome(&header, &outcome), Err(Invalid::LogsBloom));
            assert_eq!(wrapper.encode_header(&header), [7]);
            let decoded = wrapper.decode_header(&alloy_rlp::encode(&header));
            assert_eq!(decoded, Err(alloy_rlp::Error::Custom("of the chain")));
        }
        // A header without additional items has the encoding of the fork, which clients hash.
        let plain = Wrapper(&());
        assert!(plain.is_verifiable());
        assert_eq!(plain.check_outcome(&header, &outcome), Ok(()));
        let encoded = plain.encode_header(&header);
        assert_eq!(encoded, alloy_rlp::encode(&header));
        assert_eq!(plain.decode_header(&encoded), Ok(header));
    }
}
