//! Tests that EXECUTE never allocates much more memory than the input and its gas account for.

mod support;

use alloy_consensus::{SignableTransaction, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use codec::Encode as _;
use codec::blob_tail::{Trailer, cut, to_blobs};
use enshrine_execute::{Dialect, Execute, ExecutionSpecs, PrecompileCall};
use revm::bytecode::opcode as op;
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use support::l2::{L2, call, resealed, with_transactions};
use testkit::{
    CountingHeap, ETHER, Forgery, Key, Transaction, hostile_states, rich_genesis, uniform_storage,
};
use variants::{BlobSource, BlobTail};
use wire::{BatchWitness, ByteLists, ProtocolFork, StatelessInput};

/// Bytes allowed per byte of input.
const PER_BYTE: usize = 16;
/// Bytes allowed per unit of gas: transient storage costs the most bytes, at 100 gas per slot.
const PER_GAS: usize = 4;
/// Bytes allowed for any call: frames, stacks, tables.
const ANY_CALL: usize = 1 << 20;

const FORK: ProtocolFork = ProtocolFork::Osaka;
const WORKER: Address = Address::repeat_byte(0x77);

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

/// Serialises the tests, because the counters cover the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs an input and checks its peak memory, with `per_gas` bytes allowed per unit of gas.
fn assert_bounded(name: &str, calldata: &[u8], per_gas: usize) {
    assert_call_bounded(name, &ExecutionSpecs, calldata.into(), per_gas);
}

/// Runs [`assert_bounded`] on a call in some dialect, on one thread and on several.
fn assert_call_bounded(
    name: &str,
    dialect: &dyn Dialect,
    call: PrecompileCall<'_>,
    per_gas: usize,
) {
    let bytes = dialect.bytes(&call).unwrap();
    for threads in [1, 3] {
        let execute =
            Execute { threads: NonZeroUsize::new(threads).unwrap(), ..Execute::default() };
        let mut gas = 0;
        let peak = CountingHeap::peak_of(|| {
            gas = match execute.run_as(dialect, call, u64::MAX, |_| {}) {
                Ok(executed) => executed.gas,
                Err(refused) => refused.gas,
            };
        });
        let bound = PER_BYTE * bytes + per_gas * usize::try_from(gas).unwrap() + ANY_CALL;
        let ratio = peak as f64 / bound as f64;
        let what = format!(
            "{name}, {threads} threads: {peak} bytes for an input of {bytes} and {gas} gas"
        );
        println!("{what}, {ratio:.2} of the bound");
        assert!(peak <= bound, "{what}");
    }
}

/// Returns distinct items of this length that take a megabyte, including their offsets. They are
/// leaked, since the tests are short-lived.
fn items(length: usize) -> &'static [Bytes] {
    let item = |number: usize| {
        let mut item = vec![0x5b; length];
        let tail = length.min(8);
        item[length - tail..].copy_from_slice(&number.to_be_bytes()[8 - tail..]);
        item.into()
    };
    (0..1_000_000 / (length + 4)).map(item).collect::<Vec<_>>().leak()
}

#[test]
fn surplus_items_use_bounded_memory() {
    let _alone = alone();
    let good = L2::new(FORK).calldata(1);
    assert_bounded("a transfer", &good, 0);
    for length in [0, 1, 2, 8, 32, 1_024] {
        let surplus = items(length);
        let nodes = resealed(&good, |input| input.witness.state = ByteLists::from(surplus));
        assert_bounded(&format!("nodes of {length} bytes"), &nodes, 0);
        let codes = resealed(&good, |input| input.witness.codes = ByteLists::from(surplus));
        assert_bounded(&format!("codes of {length} bytes"), &codes, 0);
    }
    let large = items(65_536);
    let codes = resealed(&good, |input| input.witness.codes = ByteLists::from(large));
    assert_bounded("codes of 64 KiB", &codes, 0);
}

#[test]
fn only_large_code_sets_are_analysed_ahead() {
    let _alone = alone();
    let good = L2::new(FORK).calldata(1);
    for (count, is_ahead) in [(5, false), (20, true)] {
        let code = |number| vec![number; 24_576];
        let needed = StatelessInput::decode(&good).unwrap().witness.codes;
        let surplus = (0..count).map(|number| Bytes::from(code(number)));
        let codes: Vec<_> = needed.iter().map(Bytes::copy_from_slice).chain(surplus).collect();
        let bytes = usize::from(count) * 24_576;
        let calldata = resealed(&good, |input| input.witness.codes = ByteLists::from(&codes));
        let on = |threads| {
            let threads = NonZeroUsize::new(threads).unwrap();
            let execute = Execute { threads, ..Execute::default() };
            CountingHeap::peak_of(|| drop(execute.run(&calldata, u64::MAX).unwrap()))
        };
        let (one, two) = (on(1), on(2));
        println!("{bytes} bytes of codes: {one} bytes on one thread, {two} on two");
        assert_eq!(two > one + bytes, is_ahead, "{two} and {one}");
        assert!(is_ahead || two < one + bytes / 2, "{two} and {one}");
    }
}

#[test]
fn compact_state_uses_bounded_memory() {
    let _alone = alone();
    let good = L2::new(FORK).calldata(1);
    let good = StatelessInput::decode(&good).unwrap();
    for (name, state) in hostile_states() {
        let headers = good.witness.headers;
        let witness = BatchWitness::new(&state, ByteLists::EMPTY, headers).unwrap();
        let batch = codec::batch_of(std::slice::from_ref(&good), witness).unwrap().encode();
        assert_bounded(name, &batch, 0);
    }
}

/// The blobs of one transaction, each under its index.
#[derive(Debug)]
struct Blobs(Vec<Bytes>);

impl BlobSource for Blobs {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        self.0.get(usize::from(versioned_hash[31])).cloned()
    }
}

#[test]
fn input_with_blob_tail_uses_bounded_memory() {
    let _alone = alone();
    let good = L2::new(FORK).calldata(1);
    for length in [0, 8, 1_024] {
        // A transaction has at most six blobs.
        let surplus = items(length);
        let surplus = &surplus[..surplus.len() * 3 / 4];
        let input = resealed(&good, |input| input.witness.state = ByteLists::from(surplus));
        let (head, tail) = cut(&input).unwrap();
        let blobs: Vec<_> = to_blobs(&tail).into_iter().map(Bytes::from).collect();
        assert_eq!(blobs.len(), 6);
        let calldata = [head, Trailer::new(tail.len(), 0).unwrap().encode().to_vec()].concat();
        let hashes = (0..6).map(B256::with_last_byte).collect::<Vec<_>>();
        let call = PrecompileCall { calldata: &calldata, blob_hashes: &hashes };
        let dialect = BlobTail::new(Arc::new(Blobs(blobs)));
        assert_call_bounded(&format!("nodes of {length} bytes in blobs"), &dialect, call, 0);
    }
}

/// Until the call holds the reserve, transactions use at most [`PER_BYTE`] bytes per input byte.
#[test]
fn transactions_use_bounded_memory_before_reserve() {
    let _alone = alone();
    let good = L2::new(FORK).calldata(1);
    let nothing = |gas_limit, to| {
        let signature = Signature::new(U256::ONE, U256::ONE, false);
        let transaction = TxLegacy { gas_limit, to, ..Default::default() };
        Bytes::from(Transaction::from(transaction.into_signed(signature)).encoded_2718())
    };
    let cases = [
        ("of no gas", nothing(0, TxKind::Create), 70_000),
        ("of little gas", nothing(53_000, TxKind::Create), 60_000),
        ("of a recipient", nothing(21_000, TxKind::Call(WORKER)), 25_000),
    ];
    for (name, transaction, count) in cases {
        let calldata = with_transactions(&good, &vec![transaction; count], |input| {
            // Large enough that the gas limits do not exceed it.
            input.request.payload.gas_limit = u64::MAX >> 1;
        });
        // The call cannot pay for the gas of that many transactions.
        let input = StatelessInput::decode(&calldata).unwrap();
        assert_eq!(input.request.payload.transactions.len(), count);
        let peak = CountingHeap::peak_of(|| {
            let refused = Execute::default().run(&calldata, 60_000_000);
            assert!(refused.is_err());
        });
        let bound = PER_BYTE * calldata.len();
        assert!(peak <= bound, "{name}: {peak} bytes for an input of {}", calldata.len());
    }
    let transfers = L2::new(FORK).calldata(1_000);
    assert_bounded("a thousand transfers", &transfers, PER_GAS);
}

/// Code that counts up, with the counter on the stack for `body`, until little gas is left.
fn counting(body: &[u8]) -> Vec<u8> {
    let mut code = vec![op::PUSH0, op::JUMPDEST, op::PUSH1, 1, op::ADD, op::DUP1];
    code.extend(body);
    code.extend([op::PUSH2, 0xff, 0xff, op::GAS, op::GT, op::PUSH1, 1, op::JUMPI, op::STOP]);
    code
}

#[test]
fn execution_memory_is_bounded_by_gas() {
    let _alone = alone();
    let programs: [(&str, &[u8]); 5] = [
        ("TSTORE", &[op::DUP1, op::TSTORE]),
        ("SLOAD", &[op::SLOAD, op::POP]),
        ("SSTORE", &[op::DUP1, op::SSTORE]),
        ("BALANCE", &[op::BALANCE, op::POP]),
        ("LOG0 of 1 kB", &[op::POP, op::PUSH2, 4, 0, op::PUSH0, op::LOG0]),
    ];
    for (name, body) in programs {
        let account =
            GenesisAccount { code: Some(counting(body).into()), ..GenesisAccount::default() };
        let l2 = L2::with_genesis(FORK, |genesis| {
            genesis.alloc.insert(WORKER, account);
        });
        let call = call(0, WORKER, 10_000_000, U256::ZERO, Bytes::new());
        let calldata = l2.build(vec![Key::named("alice").sign(call)]).input().unwrap();
        assert_bounded(name, &calldata, PER_GAS);
    }
}

/// An ended call frees its stack, and an ended transaction its memory and journal.
#[test]
fn ended_calls_and_transactions_free_their_memory() {
    const DEEP: Address = Address::repeat_byte(0x78);
    const LARGE: Address = Address::repeat_byte(0x79);
    const LONG: Address = Address::repeat_byte(0x7a);
    /// Bytes of memory that the call to LARGE uses.
    const MEMORY: usize = 1 << 20;
    let _alone = alone();
    // A call to itself while 200,000 gas are left: about two hundred calls, each with a stack of 32
    // KiB.
    let again = [
        [op::PUSH3, 0x03, 0x0d, 0x40, op::GAS, op::LT, op::PUSH1, 17, op::JUMPI].as_slice(),
        &[op::PUSH0; 5],
        &[op::ADDRESS, op::GAS, op::CALL, op::JUMPDEST],
    ]
    .concat();
    let large = [op::PUSH0, op::PUSH3, 0x0f, 0xff, 0xe0, op::MSTORE, op::STOP];
    // Ten thousand changes of one transient slot, each with an entry in the journal.
    let long = counting(&[op::PUSH0, op::TSTORE]);
    for (name, end) in [
        ("STOP", &[op::STOP][..]),
        ("RETURN", &[op::PUSH0, op::PUSH0, op::RETURN]),
        ("REVERT", &[op::PUSH0, op::PUSH0, op::REVERT]),
    ] {
        let held = |called: &[Address]| {
            let l2 = L2::with_genesis(FORK, |genesis| {
                let deep = [&again, end].concat();
                for (address, code) in [(DEEP, deep), (LARGE, large.to_vec()), (LONG, long.clone())]
                {
                    let code = Some(code.into());
                    let account = GenesisAccount { code, ..GenesisAccount::default() };
                    genesis.alloc.insert(address, account);
                }
            });
            let calls = (0..).zip(called).map(|(nonce, to)| {
                let gas = if *to == LONG { 1_500_000 } else { 10_000_000 };
                let call = call(nonce, *to, gas, U256::ZERO, Bytes::new());
                Key::named("alice").sign(call)
            });
            let calldata = l2.build(calls.collect()).input().unwrap();
            CountingHeap::peak_of(|| drop(Execute::default().run(&calldata, u64::MAX).unwrap()))
        };
        let (deep, both) = (held(&[DEEP]), held(&[DEEP, LARGE]));
        println!("{name}: {deep} bytes, and {both} with a call of large memory after it");
        assert!(deep > 4 * MEMORY, "{name}: {deep} bytes");
        assert!(both < deep + MEMORY / 2, "{name}: {both} bytes, {deep} without the last call");
        for (what, before) in [("memory", LARGE), ("journal", LONG)] {
            let both = held(&[before, DEEP]);
            println!("{name}: {both} bytes with a call of large {what} before it");
            assert!(both < deep + MEMORY / 2, "{name}: {both} bytes after a large {what}");
        }
    }
}

#[test]
fn repeated_nodes_use_only_paid_memory() {
    let _alone = alone();
    for (name, body) in
        [("read", &[op::SLOAD, op::POP][..]), ("written", &[op::DUP1, op::SSTORE][..])]
    {
        let mut genesis = rich_genesis(FORK, ["alice"], ETHER);
        let account =
            GenesisAccount { code: Some(counting(body).into()), ..GenesisAccount::default() };
        genesis.alloc.insert(WORKER, account);
        let (root, nodes) = uniform_storage();
        let call = call(0, WORKER, 5_000_000, U256::ZERO, Bytes::new());
        let forgery = Forgery {
            genesis,
            fork: FORK,
            storage_roots: BTreeMap::from([(WORKER, root)]),
            nodes,
            transactions: vec![Key::named("alice").sign(call)],
        };
        let calldata = forgery.input().unwrap();
        assert!(calldata.len() < 80_000);
        assert_bounded(name, &calldata, PER_GAS);
        // And again in blocks that walk the nodes that this one has written.
        let again = |nonce| {
            let call = crate::call(nonce, WORKER, 1_000_000, U256::ZERO, Bytes::new());
            vec![Key::named("alice").sign(call)]
        };
        let calldata = forgery.batch(&[1, 2, 3].map(again)).unwrap();
        assert_bounded(&format!("{name}, and again"), &calldata, PER_GAS);
    }
}
