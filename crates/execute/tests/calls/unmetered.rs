//! Unpaid work: each attempt is rejected before the work is done.

use crate::support::l2::{L2, resealed, transfer, with_transactions};
use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use enshrine_execute::{Execute, ExecuteError, RuleViolation};
use executor::{Invalid, SYSTEM_CONTRACTS, SystemCode};
use revm::bytecode::opcode as op;
use stateless::Stage;
use variants::GasSchedule;
use wire::{ProtocolFork, StatelessInput};

const PLENTY: u64 = 1 << 40;

/// Runs a call and returns the stages that it reached.
fn run(execute: &Execute, calldata: &[u8], gas: u64) -> (Result<(), ExecuteError>, Vec<Stage>) {
    let mut stages = Vec::new();
    let outcome = execute.run_observed(calldata, gas, |stage| stages.push(stage));
    (outcome.map(|_| ()), stages)
}

/// Code that burns all but the last ten thousand units of its gas and succeeds, so that it does not
/// violate the rules.
const BURNER: &[u8] =
    &[op::JUMPDEST, op::PUSH2, 0x27, 0x10, op::GAS, op::GT, op::PUSH0, op::JUMPI, op::STOP];

#[test]
fn foreign_system_code_is_refused_before_it_runs() {
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        for contract in SYSTEM_CONTRACTS.iter().filter(|contract| contract.since <= fork) {
            let l2 = L2::with_genesis(fork, |genesis| {
                let account = GenesisAccount {
                    nonce: Some(1),
                    code: Some(Bytes::from_static(BURNER)),
                    ..Default::default()
                };
                genesis.alloc.insert(contract.address, account);
            });
            let calldata = l2.calldata(1);
            let (outcome, _) = run(&Execute::on(fork), &calldata, PLENTY);
            match outcome {
                Err(ExecuteError::Invalid(Invalid::SystemCode { address, .. })) => {
                    assert_eq!(address, contract.address, "{fork}");
                }
                other => panic!("{fork} {}: {other:?}", contract.address),
            }
            // The block itself is valid: EXECUTE runs it if it accepts any system code.
            let careless = Execute { system_code: SystemCode::Any, ..Execute::on(fork) };
            assert_eq!(run(&careless, &calldata, PLENTY).0, Ok(()));
        }
    }
}

#[test]
fn unpaid_transactions_are_refused_before_sender_recovery() {
    let good = L2::new(ProtocolFork::Osaka).calldata(1);
    // The signatures recover no sender, which only recovery reveals.
    let unrecoverable = |gas_limit| {
        let to = TxKind::Call(Address::ZERO);
        let tx = TxEip1559 { chain_id: 8_079, gas_limit, to, ..Default::default() };
        let signature = Signature::new(U256::ONE, U256::ZERO, false);
        let tx: EthereumTxEnvelope<TxEip4844> = tx.into_signed(signature).into();
        Bytes::from(tx.encoded_2718())
    };
    let gas_limit = StatelessInput::decode(&good).unwrap().request.payload.gas_limit;
    for (each, fits) in [(0, false), (20_999, false), (21_000, gas_limit >= 210_000_000)] {
        let calldata = with_transactions(&good, &vec![unrecoverable(each); 10_000], |_| {});
        let (outcome, stages) = run(&Execute::default(), &calldata, PLENTY);
        assert!(!fits);
        assert!(
            matches!(
                outcome,
                Err(ExecuteError::Invalid(
                    Invalid::TransactionGas { .. } | Invalid::IntrinsicGas { .. }
                ))
            ),
            "{each}: {outcome:?}"
        );
        assert_eq!(stages, [], "only the transactions were checked");
    }
    // If the gas limit covers such a transaction, recovery finds the error.
    let calldata = with_transactions(&good, &[unrecoverable(21_000)], |_| {});
    let (outcome, stages) = run(&Execute::default(), &calldata, PLENTY);
    assert_eq!(outcome, Err(ExecuteError::Invalid(Invalid::Signature { index: 0 })));
    assert!(stages.contains(&Stage::Senders));
}

#[test]
fn blob_transaction_is_refused_without_declared_blobs() {
    let good = L2::new(ProtocolFork::Osaka).calldata(1);
    let fields = TxEip4844 {
        chain_id: 8_079,
        gas_limit: 21_000,
        blob_versioned_hashes: vec![B256::with_last_byte(1)],
        ..Default::default()
    };
    // There is no sender, so that without the rule the block is refused for that.
    let signature = Signature::new(U256::ONE, U256::ZERO, false);
    let tx: EthereumTxEnvelope<TxEip4844> = fields.into_signed(signature).into();
    let calldata = with_transactions(&good, &[tx.encoded_2718().into()], |_| {});
    let refused = run(&Execute::default(), &calldata, PLENTY).0;
    let rule = RuleViolation::BlobTransaction { index: 0 };
    assert_eq!(refused, Err(ExecuteError::Rules(rule)));
    assert!(matches!(run(&Execute::l1(), &calldata, PLENTY).0, Err(ExecuteError::Invalid(_))));
}

#[test]
fn bytes_are_paid_for_before_they_are_read() {
    let execute = Execute::default();
    let junk = vec![0xff; 100_000];
    let price = GasSchedule::DEFAULT.bytes(junk.len() as u64);
    assert_eq!(
        run(&execute, &junk, price - 1).0,
        Err(ExecuteError::OutOfGas { got: price - 1, reserve: price })
    );
    assert!(matches!(run(&execute, &junk, price).0, Err(ExecuteError::Decode(_))));
}

#[test]
fn items_are_paid_for_before_transactions_are_decoded() {
    let good = L2::new(ProtocolFork::Osaka).calldata(1);
    // A thousand malformed transactions, which only decoding reveals.
    let calldata = with_transactions(&good, &vec![Bytes::from_static(&[0xff]); 1_000], |_| {});
    let declared =
        variants::declared_of_input(calldata.len(), &StatelessInput::decode(&calldata).unwrap());
    let schedule = GasSchedule::DEFAULT;
    let price = schedule.input(&declared);
    assert!(price > schedule.bytes(declared.calldata) + 84_000);
    assert_eq!(
        run(&Execute::default(), &calldata, price - 1).0,
        Err(ExecuteError::OutOfGas { got: price - 1, reserve: price })
    );
    assert!(matches!(
        run(&Execute::default(), &calldata, price).0,
        Err(ExecuteError::Invalid(Invalid::MalformedTransaction { index: 0, .. }))
    ));
}

#[test]
fn transactions_beyond_the_gas_limit_do_not_run() {
    let l2 = L2::with_genesis(ProtocolFork::Osaka, |genesis| genesis.gas_limit = 10_000_000);
    let good = l2.build(l2.transfers(20, 21_000)).input().unwrap();
    assert_eq!(run(&Execute::default(), &good, PLENTY).0, Ok(()));
    // The same transactions under a gas limit that covers their intrinsic gas, but not the gas
    // limit of the last one: only those before it run, and the limit pays for that.
    let block_limit = StatelessInput::decode(&good).unwrap().request.payload.gas_limit;
    let greedy: Vec<Bytes> =
        (0..3).map(|nonce| transfer(nonce, block_limit - 30_000).encoded_2718().into()).collect();
    let calldata = with_transactions(&good, &greedy, |_| {});
    let (outcome, _) = run(&Execute::default(), &calldata, PLENTY);
    match outcome {
        Err(ExecuteError::Invalid(Invalid::Transaction { index, reason })) => {
            assert_eq!(index, 2, "two transfers of 21,000 leave less than the third requires");
            assert!(reason.contains("available gas"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn execution_stops_when_claimed_gas_is_exceeded() {
    let l2 = L2::new(ProtocolFork::Osaka);
    let good = l2.build(l2.transfers(20, 21_000)).input().unwrap();
    let lying = resealed(&good, |input| input.request.payload.gas_used = 50_000);
    let (outcome, stages) = run(&Execute::default(), &lying, PLENTY);
    assert_eq!(
        outcome,
        Err(ExecuteError::Invalid(Invalid::GasBeyondClaim {
            index: 2,
            got: 63_000,
            expected: 50_000
        }))
    );
    assert!(!stages.contains(&Stage::Roots));
}

#[test]
fn reserve_covers_maximum_gas_of_block() {
    let l2 = L2::new(ProtocolFork::Osaka);
    let execute = Execute::default();
    for gas_limit in [21_000, 100_000, 5_000_000] {
        let block = l2.build(l2.transfers(3, gas_limit));
        let calldata = block.input().unwrap();
        let declared = variants::declared_of_input(
            calldata.len(),
            &StatelessInput::decode(&calldata).unwrap(),
        );
        let input = GasSchedule::DEFAULT.input(&declared);
        let reserve = input + 3 * gas_limit;
        let executed = execute.run(&calldata, reserve).unwrap();
        assert_eq!(executed.gas, input + 63_000, "charged by gas used, not by the reserve");
        assert!(execute.run(&calldata, reserve - 1).is_err());
    }
}
