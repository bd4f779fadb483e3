//! Derivation of events and inputs from single logs and data of L1.

use alloy_primitives::{Address, B256, Bytes, Log};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use contracts::{
    Deployment,
    bindings::{
        IForcedInbox::ForcedDischarged,
        INativeRollup::{BlockAdded, Evidence, Forwarded, Outcome, advanceCall},
    },
    code_reference::MAGIC,
};
use enshrine_derive::{
    DataMissing, Derived, FetchedData, L1Cost, L1Header, L1Transaction, RequiredData, derive,
    hashes_in,
};
use std::collections::BTreeMap;
use testkit::{ETHER, Forgery, advance_logs, bare_deployment, rich_genesis};
use wire::ProtocolFork;

const ROLLUP: Address = Address::repeat_byte(1);
const FORCED: Address = Address::repeat_byte(2);

/// A deployment whose contracts do not exist.
fn deployment() -> Deployment {
    bare_deployment(ROLLUP, FORCED)
}

/// A transaction to the rollup without input and logs.
fn transaction_to_rollup() -> L1Transaction {
    L1Transaction {
        hash: B256::repeat_byte(4),
        to: Some(ROLLUP),
        input: Bytes::new(),
        blob_hashes: Vec::new(),
        execute: None,
        logs: Vec::new(),
        cost: L1Cost::default(),
    }
}

fn derived(deployment: &Deployment, log: Log) -> Result<Derived, DataMissing> {
    let (hash, parent) = (B256::repeat_byte(2), B256::repeat_byte(1));
    let header = L1Header { number: 9, hash, parent, timestamp: 1_000, base_fee: 7 };
    let transaction = L1Transaction { logs: vec![log], ..transaction_to_rollup() };
    derive(deployment, &header, &[transaction], &FetchedData::default(), |_, _| false)
}

#[test]
fn genesis_log_of_constructor_needs_no_input() {
    let genesis_hash = B256::repeat_byte(6);
    let deployment = Deployment { genesis_hash, ..deployment() };
    let of = |hash| {
        let event = BlockAdded { number: 0, blockHash: hash, stateRoot: B256::ZERO };
        derived(&deployment, Log { address: ROLLUP, data: event.encode_log_data() })
    };
    let Ok(Derived::Complete(events)) = of(genesis_hash) else { panic!("it needs data") };
    assert!(events.advanced.is_empty());
    // Any other block must have an input.
    assert!(matches!(of(B256::repeat_byte(7)), Err(DataMissing { number: 0, .. })));
}

#[test]
fn forced_transaction_without_room_stays_queued() {
    for outcome in 0..=5 {
        let event = ForcedDischarged { index: 3, hash: B256::ZERO, outcome };
        let log = Log { address: FORCED, data: event.encode_log_data() };
        let Ok(Derived::Complete(events)) = derived(&deployment(), log) else {
            panic!("{outcome}")
        };
        let stays = outcome == Outcome::NoRoom as u8;
        let discharged: Vec<_> = events
            .discharged
            .iter()
            .map(|discharged| (discharged.index, discharged.outcome))
            .collect();
        assert_eq!(discharged, if stays { vec![] } else { vec![(3, outcome)] }, "{outcome}");
    }
}

/// Returns a transaction to another contract that has called `advance` with these inputs, which
/// added a block with this hash.
fn forwarding(inputs: Vec<Bytes>, added: B256) -> L1Transaction {
    let data = advanceCall { inputs, evidence: Evidence::default() }.abi_encode().into();
    let mut logs = advance_logs(1, [added]);
    logs.insert(1, Forwarded { data }.encode_log_data());
    let logs = logs.into_iter().map(|data| Log { address: ROLLUP, data }).collect();
    L1Transaction { to: Some(Address::repeat_byte(9)), logs, ..transaction_to_rollup() }
}

fn derived_from(
    transaction: L1Transaction,
    known_block: Option<B256>,
) -> Result<Derived, DataMissing> {
    let (hash, parent) = (B256::repeat_byte(2), B256::repeat_byte(1));
    let header = L1Header { number: 9, hash, parent, timestamp: 1_000, base_fee: 7 };
    let is_known = |_: u64, hash: &B256| known_block == Some(*hash);
    derive(&deployment(), &header, &[transaction], &FetchedData::default(), is_known)
}

/// Returns an EXECUTE input of one block.
fn input() -> Bytes {
    let (fork, transactions) = (ProtocolFork::Osaka, Vec::new());
    let genesis = rich_genesis(fork, ["alice"], ETHER);
    let (storage_roots, nodes) = (BTreeMap::new(), Vec::new());
    Forgery { genesis, fork, storage_roots, nodes, transactions }.input().unwrap().into()
}

#[test]
fn forwarded_inputs_must_contain_logged_blocks() {
    let input = input();
    let hash = hashes_in(&input)[0];
    let derived = derived_from(forwarding(vec![input.clone()], hash), None);
    let Ok(Derived::Complete(events)) = derived else { panic!("{derived:?}") };
    assert_eq!(events.advanced[0].input.as_ref(), Some(&input));
    // Another input, another block, a log of another contract, and no log of the call.
    let mut of_other_contract = forwarding(vec![input.clone()], hash);
    of_other_contract.logs[1].address = FORCED;
    let mut without_log = forwarding(vec![input.clone()], hash);
    without_log.logs.remove(1);
    for wrong in [
        forwarding(vec![Bytes::from_static(b"another")], hash),
        forwarding(vec![input], B256::repeat_byte(7)),
        of_other_contract,
        without_log,
    ] {
        let missing = DataMissing { transaction: wrong.hash, number: 1 };
        assert_eq!(derived_from(wrong, None).unwrap_err(), missing);
    }
}

#[test]
fn blobs_of_known_blocks_are_not_needed() {
    let (input, blob) = (Bytes::from_static(b"a head"), B256::repeat_byte(8));
    let mut transaction = forwarding(vec![input], B256::repeat_byte(7));
    transaction.blob_hashes = vec![blob];
    let derived = derived_from(transaction.clone(), None).unwrap();
    let Derived::Missing(RequiredData::Blobs(_, blobs)) = derived else { panic!("{derived:?}") };
    assert_eq!(blobs, [blob]);
    let derived = derived_from(transaction, Some(B256::repeat_byte(7))).unwrap();
    assert!(matches!(derived, Derived::Complete(events) if events.advanced.len() == 1));
}

#[test]
fn codes_of_all_inputs_are_needed_at_once() {
    let with_references = |first: u8| {
        let mut input = [&MAGIC[..], &1_000_u32.to_be_bytes(), &[255]].concat();
        for account in 0..=254 {
            input.extend([&[0; 4][..], &[account; 19], &[first]].concat());
        }
        Bytes::from(input)
    };
    let inputs = (0..3).map(with_references).collect();
    let derived = derived_from(forwarding(inputs, B256::repeat_byte(7)), None).unwrap();
    let Derived::Missing(RequiredData::Codes(codes)) = derived else { panic!("{derived:?}") };
    assert_eq!(codes.len(), 3 * 255);
}
