//! What single logs and data of L1 mean for the L2.

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use contracts::{
    Deployment,
    bindings::{
        IForcedInbox::ForcedDischarged,
        INativeRollup::{BlockAdded, Evidence, Outcome, advanceCall},
    },
    code_reference::{CodeReference, MAGIC},
};
use enshrine_derive::{
    DataAvailability, DataMissing, Derived, FetchedData, L1Cost, L1Header, L1Transaction, Need,
    derive,
};
use testkit::bare_deployment;

const ROLLUP: Address = Address::repeat_byte(1);
const FORCED: Address = Address::repeat_byte(2);

/// A deployment whose contracts do not exist.
fn deployment() -> Deployment {
    bare_deployment(ROLLUP, FORCED)
}

/// A transaction to the rollup with one log and no input.
fn transaction_with(log: Log) -> L1Transaction {
    L1Transaction {
        hash: B256::repeat_byte(4),
        to: Some(ROLLUP),
        input: Bytes::new(),
        blob_hashes: Vec::new(),
        execute: None,
        logs: vec![log],
        cost: L1Cost::default(),
    }
}

fn derived(deployment: &Deployment, log: Log) -> Result<Derived, DataMissing> {
    let (hash, parent) = (B256::repeat_byte(2), B256::repeat_byte(1));
    let header = L1Header { number: 9, hash, parent, timestamp: 1_000, base_fee: 7 };
    let transactions = [transaction_with(log)];
    derive(deployment, &header, &transactions, &FetchedData::default(), |_, _| false)
}

#[test]
fn genesis_log_of_constructor_needs_no_input() {
    let genesis_hash = B256::repeat_byte(6);
    let deployment = Deployment { genesis_hash, ..deployment() };
    let of = |hash| {
        let event = BlockAdded { number: 0, blockHash: hash, stateRoot: B256::ZERO };
        derived(&deployment, Log { address: ROLLUP, data: event.encode_log_data() })
    };
    let Ok(Derived::Whole(events)) = of(genesis_hash) else { panic!("it needs data") };
    assert!(events.advanced.is_empty());
    // Any other block must have an input.
    assert!(matches!(of(B256::repeat_byte(7)), Err(DataMissing { number: 0, .. })));
}

#[test]
fn forced_transaction_without_room_stays_queued() {
    for outcome in 0..=5 {
        let event = ForcedDischarged { index: 3, hash: B256::ZERO, outcome };
        let log = Log { address: FORCED, data: event.encode_log_data() };
        let Ok(Derived::Whole(events)) = derived(&deployment(), log) else { panic!("{outcome}") };
        let stays = outcome == Outcome::NoRoom as u8;
        let discharged: Vec<_> =
            events.discharged.iter().map(|it| (it.index, it.outcome)).collect();
        assert_eq!(discharged, if stays { vec![] } else { vec![(3, outcome)] }, "{outcome}");
    }
}

/// A source of another kind: it has the calls of all transactions at once.
struct OneCall(Bytes);

impl DataAvailability for OneCall {
    fn calls(&self, _: &B256) -> Option<&[Bytes]> {
        Some(core::slice::from_ref(&self.0))
    }

    fn blob(&self, _: &B256) -> Option<&Bytes> {
        None
    }

    fn kept_code(&self, _: &Address) -> Option<Option<&CodeReference>> {
        None
    }
}

#[test]
fn data_of_other_sources_are_checked_alike() {
    let event = BlockAdded { number: 1, blockHash: B256::repeat_byte(7), stateRoot: B256::ZERO };
    let mut transaction = transaction_with(Log { address: ROLLUP, data: event.encode_log_data() });
    transaction.to = Some(Address::repeat_byte(9));
    let (hash, parent) = (B256::repeat_byte(2), B256::repeat_byte(1));
    let header = L1Header { number: 9, hash, parent, timestamp: 1_000, base_fee: 7 };
    let transactions = [transaction];
    let (none, known) = (FetchedData::default(), |_: u64, _: &B256| false);
    let derived = derive(&deployment(), &header, &transactions, &none, known).unwrap();
    let Derived::Lacks(Need::Calls(of)) = derived else { panic!("{derived:?}") };
    assert_eq!(of, transactions[0].hash);
    // An input without the block that L1 has logged.
    let inputs = vec![Bytes::from_static(b"another")];
    let call = advanceCall { inputs, evidence: Evidence::default() }.abi_encode();
    let derived = derive(&deployment(), &header, &transactions, &OneCall(call.into()), known);
    assert_eq!(derived.unwrap_err(), DataMissing { transaction: of, number: 1 });
    // The node has the block: no data are needed.
    let known = |number: u64, hash: &B256| number == 1 && *hash == B256::repeat_byte(7);
    let derived = derive(&deployment(), &header, &transactions, &none, known).unwrap();
    assert!(matches!(derived, Derived::Whole(events) if events.advanced.len() == 1));
}

#[test]
fn bounded_codes_of_candidates_are_needed_at_once() {
    let event = BlockAdded { number: 1, blockHash: B256::repeat_byte(7), stateRoot: B256::ZERO };
    let mut transaction = transaction_with(Log { address: ROLLUP, data: event.encode_log_data() });
    transaction.to = Some(Address::repeat_byte(9));
    let (hash, parent) = (B256::repeat_byte(2), B256::repeat_byte(1));
    let header = L1Header { number: 9, hash, parent, timestamp: 1_000, base_fee: 7 };
    let codes_of = |count: u8| {
        let candidate = |first: u8| {
            let mut input = [&MAGIC[..], &1_000_u32.to_be_bytes(), &[255]].concat();
            for account in 0..=254 {
                input.extend([&[0; 4][..], &[account; 19], &[first]].concat());
            }
            [&U256::from(input.len()).to_be_bytes::<32>()[..], &input].concat()
        };
        let input = (0..count).flat_map(candidate).collect::<Vec<_>>().into();
        let transactions = [L1Transaction { input, ..transaction.clone() }];
        let (none, known) = (FetchedData::default(), |_: u64, _: &B256| false);
        let derived = derive(&deployment(), &header, &transactions, &none, known).unwrap();
        let Derived::Lacks(Need::Codes(codes)) = derived else { panic!("{derived:?}") };
        codes.len()
    };
    assert_eq!([1, 2, 3, 20].map(codes_of), [255, 510, 510, 510]);
}
