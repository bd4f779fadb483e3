//! EXECUTE as contracts see it.

use crate::{
    PLENTY,
    support::{
        host::{CALL, CALLER, CallResult, Host, How, WARM_CALL, call_result, caller_code, push},
        l2::{L2, resealed, without_witness},
    },
};
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use enshrine_execute::{
    DeclaredGas, EXECUTE_ADDRESS, Execute, ExecuteError, ForkRule, RequestPolicy, Rules,
};
use executor::Invalid;
use revm::{
    bytecode::opcode as op,
    context::result::{ExecutionResult, Output},
};
use variants::GasSchedule;
use wire::{ProtocolFork, Records, SchemaId, StatelessInput, StatelessResult};

const WITHDRAWALS: &[[u8; 44]] = &[[1; 44]];
const HASHES: &[[u8; 32]] = &[[1; 32]];

fn declared_by(calldata: &[u8]) -> (DeclaredGas, u64) {
    let input = StatelessInput::decode(calldata).unwrap();
    let declared = DeclaredGas {
        transaction_gas: input.request.payload.transactions.len() as u64 * 25_000,
        ..variants::declared_of_input(calldata.len(), &input)
    };
    (declared, input.request.payload.gas_used)
}

/// Returns the reason for a failed call.
fn refusal(execute: &Execute, calldata: &[u8]) -> ExecuteError {
    execute.run(calldata, PLENTY).expect_err("must be refused")
}

/// Asserts that a failed call consumes all its gas and returns nothing, and that its caller
/// continues.
fn assert_burns(execute: &Execute, calldata: &[u8], what: &str) {
    let outcome = Host::new(execute.clone()).call(CALL, calldata, PLENTY);
    let expected = CallResult { success: false, returned: vec![], gas: WARM_CALL + PLENTY };
    assert_eq!(outcome, expected, "{what}");
}

/// Every kind of call returns the 43-byte result of a valid block, at the charge of a direct run.
#[test]
fn every_call_kind_returns_result_at_equal_cost() {
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let calldata = L2::new(fork).calldata(3);
        let (declared, gas_used) = declared_by(&calldata);
        let charge = GasSchedule::DEFAULT.charge(&declared, gas_used);
        for how in [CALL, How::StaticCall, How::DelegateCall] {
            let outcome = Host::new(Execute::on(fork)).call(how, &calldata, PLENTY);
            assert!(outcome.success, "{fork} {how:?}");
            assert_eq!(outcome.gas, WARM_CALL + charge, "{fork} {how:?}");
            let result = StatelessResult::decode(&outcome.returned).unwrap();
            assert!(result.valid);
            assert_eq!((result.chain_id, result.schema), (8_079, fork.schema()));
        }
    }
}

#[test]
fn call_with_value_transfers_it() {
    let calldata = L2::new(ProtocolFork::Osaka).calldata(1);
    let mut host = Host::new(Execute::default());
    assert!(host.call(How::Call { value: 7 }, &calldata, PLENTY).success);
    assert_eq!(host.last_balance_of_execute, U256::from(7));
    // A failed call returns the value.
    assert!(!host.call(How::Call { value: 7 }, &calldata[1..], PLENTY).success);
    assert_eq!(host.last_balance_of_execute, U256::ZERO);
}

#[test]
fn constructor_can_call_execute() {
    let calldata = L2::new(ProtocolFork::Osaka).calldata(1);
    // Init code contains program and data: it copies the data that follows the program to memory,
    // calls EXECUTE, and deploys the result as its code.
    let mut program = vec![];
    let len = u32::try_from(calldata.len()).unwrap().to_be_bytes();
    let program_len = 46_u8;
    push(&mut program, &len);
    push(&mut program, &[program_len]);
    program.extend([op::PUSH0, op::CODECOPY, op::PUSH1, 43, op::PUSH0]);
    push(&mut program, &len);
    program.extend([op::PUSH0]);
    push(&mut program, EXECUTE_ADDRESS.as_slice());
    program.extend([op::GAS, op::STATICCALL, op::POP, op::PUSH1, 43, op::PUSH0, op::RETURN]);
    program.resize(program_len.into(), op::INVALID);
    // The result starts with a root, which must not start with 0xef (EIP-3541).
    let root = Execute::default().run(&calldata, PLENTY).unwrap().result.encode();
    assert_ne!(root[0], 0xef);
    program.splice(program.len().., calldata);
    let result = Host::new(Execute::default()).transact(TxKind::Create, &program, 1 << 40);
    match result.output() {
        Some(code) if result.is_success() => assert_eq!(code[..], root),
        _ => panic!("{result:?}"),
    }
}

#[test]
fn execute_runs_at_maximum_call_depth() {
    let calldata = L2::new(ProtocolFork::Osaka).calldata(1);
    // Calls itself with a counter in the first word before the calldata, down to zero; then calls
    // EXECUTE and returns the result upwards.
    let recursive = {
        let mut code = vec![op::CALLDATASIZE, op::PUSH0, op::PUSH0, op::CALLDATACOPY];
        code.extend([op::PUSH0, op::MLOAD, op::ISZERO, op::PUSH1, 0, op::JUMPI]);
        let jump = code.len() - 2;
        code.extend([op::PUSH1, 1, op::PUSH0, op::MLOAD, op::SUB, op::PUSH0, op::MSTORE]);
        code.extend([op::PUSH0, op::PUSH0, op::CALLDATASIZE, op::PUSH0, op::PUSH0]);
        code.extend([op::ADDRESS, op::GAS, op::CALL]);
        let finish = |code: &mut Vec<u8>| {
            code.extend([op::POP, op::RETURNDATASIZE, op::PUSH0, op::PUSH0, op::RETURNDATACOPY]);
            code.extend([op::RETURNDATASIZE, op::PUSH0, op::RETURN]);
        };
        finish(&mut code);
        code[jump] = u8::try_from(code.len()).unwrap();
        code.push(op::JUMPDEST);
        code.extend([op::PUSH0, op::PUSH0, op::PUSH1, 32, op::CALLDATASIZE, op::SUB]);
        code.extend([op::PUSH1, 32, op::PUSH0]);
        push(&mut code, EXECUTE_ADDRESS.as_slice());
        code.extend([op::GAS, op::CALL]);
        finish(&mut code);
        code
    };
    let mut host = Host::new(Execute::default());
    host.put_code(CALLER, recursive);
    let mut at_depth = |depth: u64| {
        let mut data = U256::from(depth).to_be_bytes::<32>().to_vec();
        data.extend(&calldata);
        let result = host.transact(TxKind::Call(CALLER), &data, 1 << 60);
        result.output().cloned().unwrap_or_default()
    };
    assert_eq!(at_depth(0).len(), StatelessResult::LEN);
    // The frame of the transaction is the first of 1,024; EXECUTE takes the last.
    assert_eq!(at_depth(1_023).len(), StatelessResult::LEN);
    assert!(at_depth(1_024).is_empty());
}

#[test]
fn exact_reserve_succeeds_and_one_less_fails() {
    let calldata = L2::new(ProtocolFork::Osaka).calldata(3);
    let (declared, gas_used) = declared_by(&calldata);
    for (_, gas) in GasSchedule::NAMED {
        let execute = Execute { gas: gas.into(), ..Execute::default() };
        let reserve = gas.reserve(&declared);
        let charge = gas.charge(&declared, gas_used);
        assert!(charge <= reserve);
        let enough = Host::new(execute.clone()).call(CALL, &calldata, reserve);
        assert!(enough.success);
        assert_eq!(enough.gas, WARM_CALL + charge);
        let short = Host::new(execute.clone()).call(CALL, &calldata, reserve - 1);
        let expected =
            CallResult { success: false, returned: vec![], gas: WARM_CALL + reserve - 1 };
        assert_eq!(short, expected);
        assert_eq!(
            execute.run(&calldata, reserve - 1).unwrap_err(),
            ExecuteError::OutOfGas { got: reserve - 1, reserve }
        );
    }
}

#[test]
fn every_refusal_burns_only_the_call_gas() {
    let l2 = L2::new(ProtocolFork::Osaka);
    let good = l2.calldata(2);
    let execute = Execute::default();
    assert!(execute.run(&good, PLENTY).is_ok());

    let mut undecodable = good.clone();
    undecodable.pop();
    undecodable.pop();
    undecodable.truncate(600);
    assert!(matches!(refusal(&execute, &undecodable), ExecuteError::Decode(_)));
    assert_burns(&execute, &undecodable, "undecodable");
    assert_burns(&execute, &[], "empty calldata");

    let forks = ForkRule::Any(vec![ProtocolFork::Amsterdam]);
    let old = Execute { forks, ..Execute::default() };
    assert_eq!(refusal(&old, &good), ExecuteError::Schema(SchemaId::OSAKA));
    assert_burns(&old, &good, "schema that is not accepted");

    let withdrawing = resealed(&good, |input| {
        input.request.payload.withdrawals = Records::new(WITHDRAWALS);
    });
    assert!(matches!(refusal(&execute, &withdrawing), ExecuteError::Rules(_)));
    assert_burns(&execute, &withdrawing, "withdrawals on an L2");

    let wrong_state = resealed(&good, |input| input.request.payload.state_root = keccak256("no"));
    assert!(matches!(
        refusal(&execute, &wrong_state),
        ExecuteError::Invalid(Invalid::Commitment { what: "state root", .. })
    ));
    assert_burns(&execute, &wrong_state, "wrong state root");

    let blind = without_witness(&good);
    assert!(matches!(refusal(&execute, &blind), ExecuteError::Invalid(Invalid::State(_))));
    assert_burns(&execute, &blind, "no witness");
}

#[test]
fn only_l2_rules_refuse_blobs_and_withdrawals() {
    let good = L2::new(ProtocolFork::Osaka).calldata(1);
    let cases: [(&str, Vec<u8>); 4] = [
        ("blob_gas_used", resealed(&good, |i| i.request.payload.blob_gas_used = 131_072)),
        ("excess_blob_gas", resealed(&good, |i| i.request.payload.excess_blob_gas = 1)),
        (
            "versioned hashes",
            resealed(&good, |i| i.request.versioned_hashes = Records::new(HASHES)),
        ),
        (
            "withdrawals",
            resealed(&good, |i| i.request.payload.withdrawals = Records::new(WITHDRAWALS)),
        ),
    ];
    for (what, calldata) in cases {
        let l2 = refusal(&Execute::default(), &calldata);
        assert!(matches!(l2, ExecuteError::Rules(_)) && l2.to_string().contains(what), "{l2}");
        // Under L1 rules the same blocks fail in execution, not by the rule.
        let l1 = refusal(&Execute::l1(), &calldata);
        assert!(matches!(l1, ExecuteError::Invalid(_)), "{what}: {l1}");
    }
}

#[test]
fn request_policy_decides_on_execution_requests() {
    use alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS;
    let l2 = L2::new(ProtocolFork::Osaka);
    // Any user can do this with a withdrawal request for one wei.
    let mut request = [7; 56];
    request[48..].fill(0);
    let tx = crate::support::l2::call(
        0,
        WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        300_000,
        U256::ONE,
        Bytes::copy_from_slice(&request),
    );
    let block = l2.build(vec![testkit::Key::named("alice").sign(tx)]);
    let calldata = block.input().unwrap();
    let input = StatelessInput::decode(&calldata).unwrap();
    assert_eq!(input.request.execution_requests.withdrawals.len(), 1);
    assert!(Execute::default().run(&calldata, PLENTY).is_ok());
    let strict =
        Execute { rules: Rules::L2 { requests: RequestPolicy::Refuse }, ..Execute::default() };
    assert!(matches!(refusal(&strict, &calldata), ExecuteError::Rules(_)));
    assert!(strict.run(&l2.calldata(1), PLENTY).is_ok());
}

#[test]
fn host_reports_call_results_unchanged() {
    // The helper of the tests above must report success, gas and data of a call unchanged. Checked
    // against a precompile whose answer is known.
    let mut host = Host::new(Execute::default());
    let identity = Address::with_last_byte(4);
    host.put_code(CALLER, caller_code(identity, CALL, 10_000));
    let result = host.transact(TxKind::Call(CALLER), &[1, 2, 3], 1 << 40);
    let ExecutionResult::Success { output: Output::Call(output), .. } = result else {
        panic!("{result:?}");
    };
    let identity = CallResult { success: true, returned: vec![1, 2, 3], gas: WARM_CALL + 15 + 3 };
    assert_eq!(call_result(CALL, &output), identity);
}
