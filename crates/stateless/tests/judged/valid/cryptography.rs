//! Cryptography that a host provides.

use super::test_chain::TestChain;
use alloy_evm::precompiles::{DynPrecompile, PrecompilesMap};
use alloy_primitives::{Address, Bytes};
use core::num::NonZeroUsize;
use enshrine_stateless::{Cryptography, EvmOverrides, Invalid, Transaction, VerifyOptions};
use executor::recover_sender;
use revm::precompile::{PrecompileId, PrecompileOutput};
use std::sync::atomic::{AtomicUsize, Ordering};
use wire::ProtocolFork;

const SHA256: Address = Address::with_last_byte(2);
/// Gas of SHA-256 of nothing.
const GAS: u64 = 60;

/// Cryptography of a host: it counts the senders that it recovers, unless it can recover none, and
/// has its own SHA-256.
#[derive(Debug, Default)]
struct Host {
    senders: AtomicUsize,
    knows_none: bool,
    hashes_dearly: bool,
}

impl Cryptography for Host {
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        self.senders.fetch_add(transactions.len(), Ordering::Relaxed);
        transactions.iter().map(|tx| recover_sender(tx).filter(|_| !self.knows_none)).collect()
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
fn host_cryptography_provides_senders_and_precompiles() {
    let mut chain = TestChain::new(ProtocolFork::Osaka, |_| {});
    let calls = (0..3).map(|_| chain.call(SHA256, 50_000, vec![])).collect();
    let block = chain.offer(calls).0;
    let verify = |host: Host| {
        let evm = HandedIn(host);
        let verdict = chain.verify(&block, VerifyOptions { evm: &evm, ..Default::default() });
        (verdict.map(drop), evm.0.senders.into_inner())
    };
    assert_eq!(verify(Host::default()), (Ok(()), 3));
    let (refusal, _) = verify(Host { knows_none: true, ..Host::default() });
    assert_eq!(refusal, Err(Invalid::Signature { index: 0 }));
    let (refusal, _) = verify(Host { hashes_dearly: true, ..Host::default() });
    assert!(matches!(refusal, Err(Invalid::GasBeyondClaim { .. })), "{refusal:?}");
}

#[test]
fn senders_are_recovered_once_unless_threads_race() {
    let mut chain = TestChain::new(ProtocolFork::Osaka, |_| {});
    // Two full batches and a part of one.
    let calls = (0..70).map(|_| chain.call(SHA256, 50_000, vec![])).collect();
    let block = chain.offer(calls).0;
    for threads in 1..=3 {
        let evm = HandedIn(Host::default());
        let threads = NonZeroUsize::new(threads).expect("at least one");
        let options = VerifyOptions { evm: &evm, threads, ..Default::default() };
        chain.verify(&block, options).expect("a valid block");
        let asked = evm.0.senders.into_inner();
        assert!(asked == 70 || asked > 70 && threads.get() > 1, "{asked} with {threads} threads");
    }
}
