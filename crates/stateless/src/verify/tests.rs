//! Shared work: when it is worth a thread, and what a helper thread does.

use super::*;
use alloy_consensus::{SignableTransaction as _, TxLegacy};
use alloy_primitives::{Address, Bytes, Signature};
use executor::Cryptography;
use revm::bytecode::Bytecode;
use std::sync::Mutex;
use wire::ByteLists;

/// Records the number of senders per call, and the lengths of analysed codes.
#[derive(Debug, Default)]
struct Counted {
    senders: Mutex<Vec<usize>>,
    analysed: Mutex<Vec<usize>>,
}

impl Cryptography for Counted {
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        self.senders.lock().unwrap().push(transactions.len());
        vec![Some(Address::ZERO); transactions.len()]
    }

    fn analyse(&self, code: &[u8]) -> Bytecode {
        self.analysed.lock().unwrap().push(code.len());
        Bytecode::new_legacy(Bytes::copy_from_slice(code))
    }
}

#[derive(Debug, Default)]
struct Chain(Counted);

impl EvmOverrides for Chain {
    fn cryptography(&self) -> &dyn Cryptography {
        &self.0
    }
}

/// Runs `then` on the work of this many senders, and of nodes and codes of these lengths.
fn with_work<T>(
    chain: &Chain,
    senders: usize,
    nodes: &[usize],
    codes: &[usize],
    then: impl FnOnce(&SharedWork<'_>) -> T,
) -> T {
    let bytes = |lengths: &[usize]| -> Vec<Bytes> {
        lengths.iter().map(|length| vec![1; *length].into()).collect()
    };
    let (nodes, codes) = (bytes(nodes), bytes(codes));
    let signed = TxLegacy::default().into_signed(Signature::test_signature());
    let transactions: Vec<Transaction> = vec![signed.into(); senders];
    let witness = ExecutionWitness {
        state: ByteLists::from(&*nodes),
        codes: ByteLists::from(&*codes),
        headers: ByteLists::EMPTY,
    };
    let options = VerifyOptions { evm: chain, ..Default::default() };
    then(&SharedWork::new(&witness, &transactions, &options))
}

#[test]
fn work_is_shared_only_if_worth_a_thread() {
    for (senders, node_bytes, code_bytes, expected) in [
        (0, 0, 0, false),
        (3, 0, 0, false),
        (4, 0, 0, true),
        (0, 5, 0, false),
        (0, 500_004, 0, false),
        (0, 500_005, 0, true),
        (0, 0, 1, false),
        (0, 0, 131_071, false),
        (0, 0, 131_072, true),
        (2, 115_000, 115_000, false),
        (2, 115_005, 115_000, true),
        (2, 115_000, 115_005, true),
    ] {
        let is_worth =
            with_work(&Chain::default(), senders, &[node_bytes], &[code_bytes], |work| {
                work.is_worth_sharing()
            });
        assert_eq!(is_worth, expected, "{senders} senders, {node_bytes} and {code_bytes} bytes");
    }
}

#[test]
fn helper_recovers_senders_and_analyses_long_codes() {
    // With 128 KiB of codes, and with one byte less.
    for (longest, analysed) in [(127_022, &[1_024, 2_000, 127_022][..]), (127_021, &[])] {
        let chain = Chain::default();
        with_work(&chain, 40, &[40; 300], &[1_023, 1_024, 3, 2_000, longest], |work| {
            assert_eq!(work.senders.left(), 40);
            work.help();
            assert_eq!(work.senders.left(), 0);
            // No work is left for a second call.
            work.help();
        });
        assert_eq!(chain.0.senders.into_inner().unwrap(), [32, 8]);
        assert_eq!(chain.0.analysed.into_inner().unwrap(), analysed);
    }
}
