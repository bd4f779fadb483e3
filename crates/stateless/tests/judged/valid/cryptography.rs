//! Cryptography that a host hands in.

use super::world::World;
use alloy_evm::precompiles::{DynPrecompile, PrecompilesMap};
use alloy_primitives::{Address, Bytes};
use enshrine_stateless::{Cryptography, EvmOverrides, Invalid, Transaction, VerifyOptions};
use executor::recover_sender;
use revm::precompile::{PrecompileId, PrecompileOutput};
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::ProtocolFork;

const SHA256: Address = Address::with_last_byte(2);
/// Gas of SHA-256 of nothing.
const GAS: u64 = 60;

/// A host's cryptography: it counts the senders that it recovers, unless it knows none, and has a SHA-256 of its own.
#[derive(Debug, Default)]
struct Host {
    senders: AtomicUsize,
    knows_none: bool,
    hashes_dearly: bool,
}

impl Cryptography for Host {
    fn sender(&self, transaction: &Transaction) -> Option<Address> {
        self.senders.fetch_add(1, Ordering::Relaxed);
        recover_sender(transaction).filter(|_| !self.knows_none)
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap) {
        let gas = if self.hashes_dearly { GAS + 1 } else { GAS };
        let own = DynPrecompile::new(PrecompileId::Sha256, move |_| {
            Ok(PrecompileOutput::new(gas, Bytes::from_static(&[7; 32]), 0))
        });
        precompiles.apply_precompile(&SHA256, |_| Some(own));
    }
}

#[derive(Debug)]
struct HandedIn(Host);

impl EvmOverrides for HandedIn {
    fn cryptography(&self) -> &dyn Cryptography {
        &self.0
    }
}

#[test]
fn senders_and_precompiles_are_those_of_the_cryptography_that_is_handed_in() {
    let mut world = World::new(ProtocolFork::Osaka, |_| {});
    let calls = (0..3).map(|_| world.call(SHA256, 50_000, vec![])).collect();
    let block = world.offer(calls).0;
    let verify = |host: Host| {
        let evm = HandedIn(host);
        let verdict = world.verify(&block, VerifyOptions { evm: &evm, ..Default::default() });
        (verdict.map(drop), evm.0.senders.into_inner())
    };
    assert_eq!(verify(Host::default()), (Ok(()), 3));
    let (refusal, _) = verify(Host { knows_none: true, ..Host::default() });
    assert_eq!(refusal, Err(Invalid::Signature { index: 0 }));
    let (refusal, _) = verify(Host { hashes_dearly: true, ..Host::default() });
    assert!(matches!(refusal, Err(Invalid::GasBeyondClaim { .. })), "{refusal:?}");
}
