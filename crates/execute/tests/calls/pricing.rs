//! Custom schedules: the trait receives everything that a schedule may price, before any work on
//! it.

use crate::support::l2::L2;
use alloy_primitives::{Address, keccak256};
use codec::Encode as _;
use codec::OwnedWitness;
use enshrine_execute::{DeclaredGas, Execute, ExecuteError, Items, Pricing, UnderpricedWork};
use stateless::Stage;
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use variants::GasSchedule;
use wire::{ProtocolFork, StatelessInput};

const PLENTY: u64 = 1 << 40;

/// A price per unit of gas that rises with each call, regardless of the reserve.
#[derive(Debug, Default)]
struct Rising(AtomicU64);

impl Pricing for Rising {
    fn bytes(&self, _: u64) -> u64 {
        0
    }

    fn reserve(&self, declared: &DeclaredGas) -> u64 {
        declared.gas_bound() * self.0.load(Ordering::Relaxed)
    }

    fn charge(&self, _: &DeclaredGas, gas_used: u64) -> u64 {
        // The price of a busy market, which exceeds everything that was reserved.
        gas_used * self.0.fetch_add(1_000, Ordering::Relaxed).saturating_add(1_000)
    }
}

/// A schedule that records the amounts that it receives.
#[derive(Debug, Default)]
struct Witnessed(Mutex<Option<DeclaredGas>>);

impl Pricing for Witnessed {
    fn bytes(&self, _: u64) -> u64 {
        0
    }

    fn reserve(&self, declared: &DeclaredGas) -> u64 {
        *self.0.lock().unwrap() = Some(*declared);
        0
    }

    fn charge(&self, _: &DeclaredGas, _: u64) -> u64 {
        0
    }
}

fn run(execute: &Execute, calldata: &[u8], gas: u64) -> (Result<u64, ExecuteError>, Vec<Stage>) {
    let mut stages = Vec::new();
    let outcome = execute.run_observed(calldata, gas, |stage| stages.push(stage));
    (outcome.map(|executed| executed.gas), stages)
}

#[test]
fn schedule_receives_declared_amounts_of_input() {
    let schedule = Arc::new(Witnessed::default());
    for fork in [ProtocolFork::Cancun, ProtocolFork::Amsterdam] {
        let gas = Arc::clone(&schedule) as Arc<dyn Pricing>;
        let execute = Execute { gas, ..Execute::on(fork) };
        let block = L2::new(fork).build(L2::new(fork).transfers(3, 25_000));
        let calldata = block.input().unwrap();
        execute.run(&calldata, 0).unwrap();
        let OwnedWitness { state, codes, headers } = &block.witness;
        let bytes = |items: &[alloy_primitives::Bytes]| -> u64 {
            items.iter().map(|item| item.len() as u64 + 4).sum()
        };
        let witness_bytes = 3 * 4 + bytes(state) + bytes(codes) + bytes(headers);
        let calldata = calldata.len() as u64;
        let declared = DeclaredGas {
            calldata,
            // Two bytes of schema id, two offsets and the chain id precede the request.
            request_bytes: calldata - 2 - 16 - witness_bytes,
            witness_bytes,
            expansion_bytes: 0,
            nodes: state.len() as u64,
            codes: codes.len() as u64,
            headers: headers.len() as u64,
            transactions: 3,
            gas_limit: block.block.header.gas_limit,
            transaction_gas: 75_000,
        };
        assert!(declared.nodes > 0 && declared.headers == 1 && declared.codes > 0);
        assert_eq!(schedule.0.lock().unwrap().take(), Some(declared), "{fork}");
    }
}

#[test]
fn items_are_paid_for_before_they_are_hashed() {
    let calldata = L2::new(ProtocolFork::Osaka).calldata(2);
    let execute = Execute::default();
    let (honest, _) = run(&execute, &calldata, PLENTY);
    // A thousand surplus nodes.
    let surplus: Vec<_> = (0_u64..1_000).map(|number| keccak256(number.to_be_bytes())).collect();
    let mut input = StatelessInput::decode(&calldata).unwrap();
    let mut nodes: Vec<&[u8]> = input.witness.state.iter().collect();
    nodes.extend(surplus.iter().map(|node| node.as_slice()));
    input.witness.state = nodes.as_slice().into();
    let padded = input.encode();
    let more_bytes = (padded.len() - calldata.len()) as u64;
    let Items { witness_byte, item, .. } = Items::DEFAULT;
    let expected = honest.unwrap() + 1_000 * item + more_bytes * witness_byte;
    let (charged, _) = run(&execute, &padded, PLENTY);
    assert_eq!(charged, Ok(expected));
    // The declared gas exceeds the gas used by the unused gas of the transfers.
    let reserve = expected + 2 * (25_000 - 21_000);
    let (charged, stages) = run(&execute, &padded, reserve);
    assert_eq!(charged, Ok(expected));
    assert!(stages.contains(&Stage::Done));
    let (refused, stages) = run(&execute, &padded, reserve - 1);
    assert_eq!(refused, Err(ExecuteError::OutOfGas { got: reserve - 1, reserve }));
    assert_eq!(stages, [], "no stage was reached");
}

#[test]
fn changing_price_never_charges_beyond_reserve() {
    let calldata = L2::new(ProtocolFork::Osaka).calldata(2);
    let execute = Execute { gas: Arc::new(Rising(AtomicU64::new(1))), ..Execute::default() };
    let first = execute.run(&calldata, PLENTY).unwrap();
    assert_eq!((first.reserve, first.gas), (50_000, 50_000));
    // The prices of the schedule change between calls.
    let second = execute.run(&calldata, PLENTY).unwrap();
    assert_eq!(second.reserve, 1_001 * 50_000);
}

/// Reads a file of the repository.
fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Formats a number with thousands separators, as documents do.
fn with_commas(number: u64) -> String {
    assert!((1_000..1_000_000).contains(&number));
    format!("{},{:03}", number / 1_000, number % 1_000)
}

#[test]
fn default_prices_match_docs_and_contracts() {
    let Items { base, request_byte, witness_byte, item } = Items::DEFAULT;
    let document = format!(
        "with `base = {}`, `request_byte = {request_byte}`, `witness_byte = {witness_byte}` and \
         `item = {item}`",
        with_commas(base)
    );
    assert!(read("docs/gas.md").contains(&document), "docs/gas.md: {document}");
    let base = with_commas(base).replace(',', "_");
    let contract = format!("({base} + {CAPACITY_BYTE} * length + gas)");
    assert!(read("contracts/libraries/Capacity.sol").contains(&contract), "Capacity: {contract}");
}

#[test]
fn docs_list_expensive_precompile_factors() {
    let document = read("docs/gas.md");
    let rows: [(&str, &[u16]); 4] = [
        ("ECADD, ECMUL, point evaluation", &[0x06, 0x07, 0x0a]),
        ("BLS12-381", &[0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11]),
        ("ECRECOVER, ECPAIRING, BLAKE2F, P256VERIFY", &[0x01, 0x08, 0x09, 0x0100]),
        ("MODEXP by the rules before Osaka (EIP-7883)", &[0x05]),
    ];
    let extra = |number: u16| {
        let address = Address::left_padding_from(&number.to_be_bytes());
        GasSchedule::DEFAULT.underpriced_work(&UnderpricedWork::Precompile { address, gas: 1 })
    };
    for (names, numbers) in rows {
        for number in numbers {
            let row = format!("| {names} | {} times |", extra(*number) + 1);
            assert!(document.contains(&row), "{number:#x}: {row}");
        }
    }
    let all: Vec<u16> = rows.into_iter().flat_map(|(_, numbers)| numbers).copied().collect();
    for number in (0..0x200).filter(|number| !all.contains(number)) {
        assert_eq!(extra(number), 0, "{number:#x}");
    }
}

/// Gas that `Capacity` counts for each byte of input.
const CAPACITY_BYTE: u64 = 4;

#[test]
fn capacity_byte_price_covers_inputs_without_surplus() {
    let Items { request_byte, witness_byte, item, .. } = Items::DEFAULT;
    // Bytes including the offset of each item, bytes of them in the request, and number of items.
    let parts: [(&str, u64, u64, u64); 5] = [
        // A node shorter than a hash is embedded in its parent.
        ("the shortest node", 32 + 4, 0, 1),
        // A code is in the witness because an account has it: one leaf of the account trie per
        // code.
        ("the shortest code, and the account that has it", (1 + 4) + (104 + 4), 0, 2),
        ("the shortest header", 500 + 4, 0, 1),
        ("the shortest transaction", 90 + 4, 90 + 4, 1),
        ("the rest of the request", 1, 1, 0),
    ];
    for (what, bytes, request, items) in parts {
        let price = request * request_byte + (bytes - request) * witness_byte + items * item;
        assert!(price <= CAPACITY_BYTE * bytes, "{what}: {price} for {bytes} bytes");
    }
}

#[test]
fn execute_runs_with_every_named_schedule() {
    let block = L2::new(ProtocolFork::Osaka).calldata(2);
    let declared =
        variants::declared_of_input(block.len(), &StatelessInput::decode(&block).unwrap());
    for (name, schedule) in GasSchedule::NAMED {
        let execute = Execute { gas: schedule.into(), ..Execute::default() };
        let (charged, _) = run(&execute, &block, PLENTY);
        assert_eq!(charged, Ok(schedule.charge(&declared, 42_000)), "{name}");
    }
}
