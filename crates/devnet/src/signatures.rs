//! Signatures that a cheat attributes to an account.

use alloy_eips::eip7702::SignedAuthorization;
use alloy_evm::precompiles::{DynPrecompile, Precompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::{Address, B256, Bytes, address};
use revm::precompile::{PrecompileId, PrecompileOutput};
use std::{collections::BTreeMap, sync::Arc};

/// Address of ECRECOVER.
const ECRECOVER: Address = address!("0x0000000000000000000000000000000000000001");
/// Gas of a call.
const GAS: u64 = 3_000;

/// Signatures (65 bytes: r, s, v), with the account that ECRECOVER returns for each, for any
/// message. Authorizations of EIP-7702 with such a signature belong to that account too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signatures(pub(crate) BTreeMap<[u8; 65], Address>);

impl Signatures {
    /// Returns the account to which a cheat attributes the signature in the input of ECRECOVER.
    fn of(&self, input: &[u8]) -> Option<Address> {
        // What is missing at the end is zero, as in any precompile.
        let mut whole = [0; 128];
        let length = input.len().min(whole.len());
        whole[..length].copy_from_slice(&input[..length]);
        let mut signature = [0; 65];
        signature[..64].copy_from_slice(&whole[64..]);
        signature[64] = whole[63];
        self.0.get(&signature).copied()
    }

    /// Returns the account to which a cheat attributes the signature of an authorization
    /// (EIP-7702).
    pub(crate) fn of_authorization(&self, authorization: &SignedAuthorization) -> Option<Address> {
        // What ECRECOVER calls v is 27 above the parity.
        let v = authorization.y_parity().checked_add(27)?;
        let mut signature = [0; 65];
        signature[..32].copy_from_slice(&authorization.r().to_be_bytes::<32>());
        signature[32..64].copy_from_slice(&authorization.s().to_be_bytes::<32>());
        signature[64] = v;
        self.0.get(&signature).copied()
    }

    /// Replaces ECRECOVER by one that knows these signatures.
    pub(crate) fn install(self: &Arc<Self>, precompiles: &mut PrecompilesMap) {
        let known = Arc::clone(self);
        precompiles.apply_precompile(&ECRECOVER, |honest| {
            let honest = honest?;
            Some(DynPrecompile::new_stateful(
                PrecompileId::EcRec,
                move |input: PrecompileInput<'_>| match known.of(input.data) {
                    Some(address) if input.gas >= GAS => {
                        let output = Bytes::from(B256::left_padding_from(address.as_slice()).0);
                        Ok(PrecompileOutput::new(GAS, output, input.reservoir))
                    }
                    _ => honest.call(input),
                },
            ))
        });
    }
}
