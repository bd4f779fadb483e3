//! Tests with a mock L1.

use super::*;
use crate::{
    Signer, SubmitterConfig,
    batcher::tests::{BatcherSetup, header},
    l1::L1Header,
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::FixedBytes;
use alloy_sol_types::SolValue as _;
use contracts::{
    advance_plan::L1Limits,
    bindings::IPreconfBonds::{accountOfCall, bondsCall, commitCall},
};
use parking_lot::Mutex;
use preconf::{Preconfirmation, evidence::SignedHeader, faults::Offence};
use serde_json::json;
use testkit::{CHAIN_ID, ETHER, Key};
use wire::SchemaId;

const DOMAIN: Domain = Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };
const SIGNER: Address = Address::repeat_byte(0xc0);

#[derive(Clone, Copy)]
struct L1 {
    account: Address,
    /// Bond of that account.
    bond: u128,
    is_committed: bool,
    reverts: bool,
    is_silent: bool,
}

struct Test {
    fixture: BatcherSetup,
    l1: Arc<Mutex<L1>>,
    reporter: Reporter,
}

impl Test {
    fn new(has_key: bool) -> Self {
        let fixture = BatcherSetup::new();
        let usual = L1 {
            account: SIGNER,
            bond: 100 * ETHER,
            is_committed: false,
            reverts: false,
            is_silent: false,
        };
        let l1 = Arc::new(Mutex::new(usual));
        let shared = Arc::clone(&l1);
        fixture.l1.answers(move |method, params| {
            let l1 = *shared.lock();
            if l1.is_silent {
                return Some(Err("try later"));
            }
            if method == "eth_estimateGas" && l1.reverts {
                return Some(Err("execution reverted"));
            }
            let input = params[0]["input"].as_str().filter(|_| method == "eth_call")?;
            let input: Bytes = input.parse().unwrap();
            let bond_of = |account: Address| if account == l1.account { l1.bond } else { 0 };
            let output = match input[..4].try_into().unwrap() {
                accountOfCall::SELECTOR => l1.account.abi_encode(),
                bondsCall::SELECTOR => {
                    let call = bondsCall::abi_decode(&input).unwrap();
                    (bond_of(call.account), 0_u64, 0_u64).abi_encode()
                }
                commitmentsCall::SELECTOR => U256::from(u8::from(l1.is_committed)).abi_encode(),
                selector => panic!("{selector:?}"),
            };
            Some(Ok(json!(Bytes::from(output))))
        });
        let sender = has_key.then(|| {
            let key = Signer::new("key", Key::named("alice").secret()).unwrap();
            let (config, limits) = (SubmitterConfig::default(), L1Limits::default());
            CallSender::new(key, CHAIN_ID, config, limits)
        });
        let client = Arc::new(fixture.l1.client());
        let reporter = Reporter::new(client, DOMAIN, sender, false, None);
        Self { fixture, l1, reporter }
    }

    fn add(&mut self, index: u64) -> Option<u64> {
        let dropped = self.reporter.add(found(index), &self.fixture.view);
        dropped.map(|dropped| dropped.offence.number)
    }

    fn step(&mut self) {
        self.reporter.step(&self.fixture.view, &self.fixture.chain);
    }

    fn sent(&self) -> Vec<TxEnvelope> {
        self.fixture.l1.sent()
    }

    /// L1 includes the pending transaction in block 2.
    fn include(&mut self, succeeds: bool) {
        let receipt = json!({
            "transactionHash": B256::ZERO, "transactionIndex": "0x0", "blockNumber": "0x2",
            "blockHash": header(2).hash, "from": SIGNER, "to": DOMAIN.contract, "logs": [],
            "cumulativeGasUsed": "0x1", "gasUsed": "0x1", "effectiveGasPrice": "0x1",
            "contractAddress": null, "logsBloom": format!("0x{}", "00".repeat(256)),
            "status": if succeeds { "0x1" } else { "0x0" }, "type": "0x2",
        });
        let receipt = serde_json::from_value(receipt).unwrap();
        self.reporter.on_included(&receipt, &self.fixture.view);
    }
}

fn found(number: u64) -> Found {
    let message = Preconfirmation {
        rollup: Address::ZERO,
        block_hash: U256::from(number).into(),
        schema: SchemaId::OSAKA,
        is_sealed: true,
        l1_block: 0,
        l1_hash: B256::ZERO,
    };
    let signed = SignedHeader { message, signature: FixedBytes::ZERO, header: Bytes::new() };
    let accusation = Accusation::Lie { signed, header: Bytes::new(), input: Bytes::new() };
    let (account, signer, rollup) = (SIGNER, SIGNER, Address::ZERO);
    Found { accusation, offence: Offence { account, signer, rollup, number } }
}

#[test]
fn findings_without_key_are_all_reported() {
    let mut test = Test::new(false);
    for index in 0..2 * MAX_CASES as u64 {
        assert_eq!(test.add(index), None);
    }
    assert_eq!(test.reporter.evidence.iter().sum::<u64>(), 2 * MAX_CASES as u64);
    assert!(test.reporter.cases.is_empty());
}

#[test]
fn evidence_without_room_is_returned() {
    let mut test = Test::new(true);
    let count = MAX_CASES as u64;
    for index in 0..count {
        assert_eq!(test.add(index), None);
    }
    for _ in 0..2 {
        assert_eq!(test.add(count), Some(count));
        assert_eq!(test.reporter.evidence.iter().sum::<u64>(), count + 1, "reported once");
    }
    test.reporter.cases[3].retry.tries = 1;
    assert_eq!(test.add(count), Some(3));
    assert_eq!(test.add(count), None, "held");
}

#[test]
fn commitment_without_block_is_sent_again() {
    for is_committed in [true, false] {
        let mut test = Test::new(true);
        test.add(1);
        test.reporter.cases[0].stage = Stage::Committed;
        test.l1.lock().is_committed = is_committed;
        test.step();
        let sent = test.sent();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].input().starts_with(&commitCall::SELECTOR), !is_committed);
        let expected = if is_committed { Stage::Accusing } else { Stage::Committing };
        assert_eq!(test.reporter.cases[0].stage, expected);
    }
}
#[test]
fn accusation_is_kept_until_final() {
    for is_reorganized in [false, true] {
        let mut test = Test::new(true);
        test.add(1);
        test.reporter.cases[0].stage = Stage::Accusing;
        test.fixture.view.apply(header(2), Default::default());
        test.include(true);
        test.l1.lock().reverts = true;
        test.step();
        assert!(matches!(test.reporter.cases[0].stage, Stage::Accepted(_)));
        if is_reorganized {
            test.fixture.view.cut_back(Some(1));
            let other = L1Header { hash: B256::repeat_byte(0xee), ..header(2) };
            test.fixture.view.apply(other, Default::default());
            test.step();
            assert_eq!(test.reporter.cases[0].stage, Stage::Found);
            continue;
        }
        test.fixture.view.set_finalized(2);
        test.step();
        assert!(test.reporter.cases.is_empty());
        assert_eq!(test.add(1), None);
        assert!(test.reporter.cases.is_empty(), "L1 has it");
    }
}
#[test]
fn retries_are_at_most_32_blocks_apart() {
    let mut test = Test::new(true);
    test.add(1);
    let mut waits = Vec::new();
    test.l1.lock().reverts = true;
    for _ in 0..7 {
        test.reporter.cases[0].retry.not_before = 0;
        test.step();
        waits.push(test.reporter.cases[0].retry.not_before - 1);
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 32, 32]);
    // Without a response of L1 the outcome is unknown.
    test.l1.lock().is_silent = true;
    let case = &mut test.reporter.cases[0];
    (case.retry.not_before, case.retry.tries) = (0, 1);
    test.step();
    let case = &mut test.reporter.cases[0];
    assert_eq!((case.retry.not_before, case.retry.tries), (2, 1));
    case.stage = Stage::Accusing;
    test.include(false);
    let case = &test.reporter.cases[0];
    assert_eq!((case.retry.not_before, case.retry.tries), (5, 2));
}
#[test]
fn registered_signer_is_charged_to_account() {
    let mut test = Test::new(true);
    test.add(1);
    test.l1.lock().bond = 0;
    test.step();
    assert!(test.sent().is_empty());
    let account = Address::repeat_byte(0xd0);
    let l1 = L1 { account, bond: 100 * ETHER, ..*test.l1.lock() };
    *test.l1.lock() = l1;
    test.reporter.cases[0].retry.not_before = 0;
    test.step();
    assert_eq!(test.sent().len(), 1);
    assert_eq!(test.reporter.cases[0].found.offence.account, account);
}

/// So evidence that is found again has the commitment that was already paid for.
#[test]
fn salt_is_the_same_after_restart() {
    let salt = |index| {
        let mut test = Test::new(true);
        test.add(index);
        test.reporter.cases[0].salt
    };
    assert_eq!(salt(1), salt(1));
    assert_ne!(salt(1), salt(2));
}
