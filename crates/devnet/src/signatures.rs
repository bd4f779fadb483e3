//! Cheat that attributes signatures to other accounts than their signers.

use alloy_eips::eip7702::SignedAuthorization;
use alloy_evm::precompiles::{DynPrecompile, Precompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::{Address, B256, Bytes, address};
use revm::precompile::{PrecompileId, PrecompileOutput};
use std::{collections::BTreeMap, sync::Arc};

/// Address of ECRECOVER.
const ECRECOVER: Address = address!("0x0000000000000000000000000000000000000001");
/// Gas cost of ECRECOVER.
const GAS: u64 = 3_000;

/// Signatures (65 bytes: r, s, v) and the account that ECRECOVER returns for each, whatever the
/// message. EIP-7702 authorizations with such a signature are attributed to that account too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signatures(pub(crate) BTreeMap<[u8; 65], Address>);

impl Signatures {
    /// Returns the account to which the signature in ECRECOVER's input is attributed, if any.
    fn of(&self, input: &[u8]) -> Option<Address> {
        // Missing input is zero, as for every precompile.
        let mut whole = [0; 128];
        let length = input.len().min(whole.len());
        whole[..length].copy_from_slice(&input[..length]);
        let mut signature = [0; 65];
        signature[..64].copy_from_slice(&whole[64..]);
        signature[64] = whole[63];
        self.0.get(&signature).copied()
    }

    /// Returns the account to which the signature of an EIP-7702 authorization is attributed, if
    /// any.
    pub(crate) fn of_authorization(&self, authorization: &SignedAuthorization) -> Option<Address> {
        // ECRECOVER's `v` is the parity plus 27.
        let v = authorization.y_parity().checked_add(27)?;
        let mut signature = [0; 65];
        signature[..32].copy_from_slice(&authorization.r().to_be_bytes::<32>());
        signature[32..64].copy_from_slice(&authorization.s().to_be_bytes::<32>());
        signature[64] = v;
        self.0.get(&signature).copied()
    }

    /// Replaces ECRECOVER with a precompile that recognises these signatures.
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
