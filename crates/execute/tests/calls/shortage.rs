//! A block ends at the first piece of underpriced work that the call cannot pay for. It is not
//! enough that the call fails in the end: the caller would get the work of the rest of the block
//! for free.

use crate::{
    support::l2::{L2, call},
    underpriced_work::{
        FORK, WORKER, contract, on_shared_nodes, places_of, reading, two_on_shared_nodes,
    },
};
use alloy_evm::precompiles::{DynPrecompile, Precompile as _, PrecompileInput, PrecompilesMap};
use alloy_primitives::{Address, Bytes, U256};
use enshrine_execute::{BlockTally, DeclaredGas, Execute, ExecuteError, Pricing, TrustedContext};
use executor::{EvmOverrides, UnderpricedWork};
use revm::bytecode::opcode as op;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use testkit::Key;

/// Gas that a call must hold besides its underpriced work.
const PLAIN: u64 = 1_000;
/// Callee of [`WORKER`].
const INNER: Address = Address::repeat_byte(0x78);
/// Gas of each call of it: more than any piece of work takes.
const INNER_GAS: u32 = 60_000;

const ECADD: Address = Address::with_last_byte(6);
const IDENTITY: Address = Address::with_last_byte(4);

/// Instructions that each do one piece of underpriced work.
const HASH: &[u8] = &[op::PUSH1, 32, op::PUSH0, op::KECCAK256, op::POP];
const CREATE: &[u8] = &[op::PUSH1, 32, op::PUSH0, op::PUSH0, op::CREATE, op::POP];
/// A precompile call that does one piece of underpriced work.
const ADD: &[u8] =
    &[op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH1, 6, op::GAS, op::STATICCALL, op::POP];
/// A precompile call without underpriced work, which shows how far a block was executed.
const MARK: &[u8] =
    &[op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH0, op::PUSH1, 4, op::GAS, op::STATICCALL, op::POP];

/// Charges one unit of gas for each piece of one kind of underpriced work of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByPiece {
    /// For each node at one more position.
    Nodes,
    /// For each piece of other work.
    Others,
}

impl Pricing for ByPiece {
    fn bytes(&self, _: u64) -> u64 {
        PLAIN
    }

    fn reserve(&self, _: &DeclaredGas) -> u64 {
        PLAIN
    }

    fn charge(&self, _: &DeclaredGas, _: u64) -> u64 {
        PLAIN
    }

    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        let is_node = matches!(work, UnderpricedWork::RepeatedNode { .. });
        (is_node == (*self == Self::Nodes)).into()
    }
}

/// A chain that counts calls of its precompiles.
#[derive(Debug, Default)]
struct Counted {
    marks: Arc<AtomicU64>,
    additions: Arc<AtomicU64>,
}

impl EvmOverrides for Counted {
    fn precompiles(&self, precompiles: &mut PrecompilesMap, _: &Arc<BlockTally>) {
        for (address, count) in [(IDENTITY, &self.marks), (ECADD, &self.additions)] {
            let count = Arc::clone(count);
            precompiles.map_precompile(&address, move |inner| {
                let id = inner.precompile_id().clone();
                DynPrecompile::new(id, move |input: PrecompileInput<'_>| {
                    count.fetch_add(1, Ordering::Relaxed);
                    inner.call(input)
                })
            });
        }
    }
}

/// Outcome of a call that could pay for `paid` pieces of underpriced work.
struct Ran {
    paid: u64,
    /// Number of pieces that the call was charged for.
    pieces: Result<u64, ExecuteError>,
    marks: u64,
    additions: u64,
}

impl Ran {
    fn new(prices: ByPiece, calldata: &[u8], paid: u64) -> Self {
        let execute = Execute { gas: Arc::new(prices), ..Execute::default() };
        let counted = Counted::default();
        let context = TrustedContext { evm: &counted, senders: &[] };
        let ran = execute.run_under(calldata, PLAIN + paid, context, |_| {});
        Self {
            paid,
            pieces: ran.map(|executed| executed.reserve - PLAIN),
            marks: counted.marks.load(Ordering::Relaxed),
            additions: counted.additions.load(Ordering::Relaxed),
        }
    }

    /// Asserts that no work was requested beyond the first piece that the call cannot pay for.
    #[track_caller]
    fn assert_short_of_one(&self, what: &str) {
        let got = PLAIN + self.paid;
        let expected = Err(ExecuteError::OutOfGas { got, reserve: got + 1 });
        assert_eq!(self.pieces, expected, "{what}: {} are paid", self.paid);
    }
}

/// A block in which Alice calls a contract with `code`, which may call one with code `inner`.
fn block(code: Vec<u8>, inner: &[u8]) -> Vec<u8> {
    let l2 = L2::with_genesis(FORK, |genesis| {
        genesis.alloc.insert(WORKER, contract(code));
        genesis.alloc.insert(INNER, contract(inner.to_vec()));
    });
    let call = call(0, WORKER, 2_000_000, U256::ZERO, Bytes::new());
    l2.build(vec![Key::named("alice").sign(call)]).input().unwrap()
}

/// Code that calls the inner contract and continues after any outcome.
fn calling_inner() -> Vec<u8> {
    let mut code = vec![op::PUSH0; 5];
    code.push(op::PUSH20);
    code.extend(INNER.as_slice());
    code.push(op::PUSH4);
    code.extend(INNER_GAS.to_be_bytes());
    code.extend([op::CALL, op::POP]);
    code
}

#[test]
fn execution_stops_at_first_unpaid_work() {
    const PIECES: u64 = 6;
    let rounds = |code: Vec<u8>| code.repeat(PIECES as usize);
    for (name, piece) in [("hash", HASH), ("create", CREATE), ("add", ADD)] {
        let marked = [piece, MARK].concat();
        for (place, calldata) in [
            ("one frame", block(rounds(marked.clone()), &[op::STOP])),
            // The frame that is short ends, while its callers have gas left.
            ("many frames", block(rounds(calling_inner()), &marked)),
        ] {
            let what = format!("{name} in {place}");
            for paid in 0..PIECES {
                let short = Ran::new(ByPiece::Others, &calldata, paid);
                short.assert_short_of_one(&what);
                assert_eq!(short.marks, paid, "{what}");
                assert_eq!(short.additions, if name == "add" { paid } else { 0 }, "{what}");
            }
            let enough = Ran::new(ByPiece::Others, &calldata, PIECES);
            assert_eq!((enough.pieces, enough.marks), (Ok(PIECES), PIECES), "{what}");
            assert_eq!(enough.additions, if name == "add" { PIECES } else { 0 }, "{what}");
        }
    }
}

#[test]
fn outer_frame_does_no_work_after_shortage() {
    const ROUNDS: u64 = 4;
    for (inner_name, inner) in [("hash", HASH), ("create", CREATE)] {
        for (outer_name, outer) in [("hash", HASH), ("create", CREATE), ("add", ADD)] {
            let what = format!("{outer_name} around {inner_name}");
            let round = [&calling_inner()[..], outer, MARK].concat();
            let calldata = block(round.repeat(ROUNDS as usize), inner);
            for paid in 0..2 * ROUNDS {
                let short = Ran::new(ByPiece::Others, &calldata, paid);
                short.assert_short_of_one(&what);
                // In each round the inner frame runs first.
                assert_eq!(short.marks, paid / 2, "{what}");
                let additions = if outer_name == "add" { paid / 2 } else { 0 };
                assert_eq!(short.additions, additions, "{what}");
            }
            let enough = Ran::new(ByPiece::Others, &calldata, 2 * ROUNDS);
            assert_eq!((enough.pieces, enough.marks), (Ok(2 * ROUNDS), ROUNDS), "{what}");
        }
    }
}

#[test]
fn execution_stops_at_first_unpaid_repeated_node() {
    let slots = [1, 2, 3, 4, 5];
    let code = slots.iter().flat_map(|slot| [&reading(*slot)[..], MARK].concat()).collect();
    let calldata = on_shared_nodes(code);
    // Nodes that each read has walked by then, except the 65 that are carried for one position.
    let walked: Vec<_> =
        (1..=slots.len()).map(|count| places_of(&slots[..count]).len() as u64 - 65).collect();
    let (second, all) = (walked[1], walked[4]);
    assert!(walked[0] == 0 && second > 60 && all > 240, "{walked:?}");
    for paid in [0, 1, second - 1, second, second + 1, all - second, all - 1] {
        let short = Ran::new(ByPiece::Nodes, &calldata, paid);
        short.assert_short_of_one("nodes");
        let read = walked.iter().filter(|pieces| **pieces <= paid).count();
        assert_eq!(short.marks, read as u64, "{paid}");
    }
    let enough = Ran::new(ByPiece::Nodes, &calldata, all);
    assert_eq!((enough.pieces, enough.marks), (Ok(all), slots.len() as u64));
}

#[test]
fn batch_stops_at_first_unpaid_written_node() {
    let calldata = two_on_shared_nodes(&[1, 2], &[1]);
    let all = Ran::new(ByPiece::Nodes, &calldata, 1 << 40).pieces.unwrap();
    let first = Ran::new(ByPiece::Nodes, &two_on_shared_nodes(&[1, 2], &[]), 1 << 40);
    // The path to a slot, all of whose nodes the first block has written.
    assert_eq!(all, first.pieces.unwrap() + 65);
    for paid in (0..all).step_by(7) {
        Ran::new(ByPiece::Nodes, &calldata, paid).assert_short_of_one("batch");
    }
    assert_eq!(Ran::new(ByPiece::Nodes, &calldata, all).pieces, Ok(all));
}
