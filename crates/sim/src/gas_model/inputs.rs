//! The inputs: real blocks, and inputs built to be slow for their price.

use super::{
    dialects, precompiles, programs,
    rows::{Input, Row, Rows},
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use chain::{BlockAttributes, Chain, ChainConfig, to_stateless_input};
use codec::Encode as _;
use codec::RawBlock;
use execute::{Execute, Networks};
use executor::ChainSpec;
use eyre::{Result, ensure};
use revm::bytecode::opcode as op;
use std::{collections::BTreeMap, sync::Arc};
use testkit::{
    CHAIN_ID, ETHER, Forgery, Key, Transaction, deep_storage, eip1559, fill_system_rings,
    hostile_states, rich_genesis, uniform_storage, vectors::fixture,
};
use wire::{BatchWitness, ExecutionWitness, ProtocolFork, StatelessBatch, StatelessInput};

/// Gas limit of a transaction that repeats one operation.
const GAS: u64 = 6_000_000;
/// Bytes of an input that consists of items of one kind.
const TOTAL: usize = 1_000_000;
const WORKER: Address = Address::repeat_byte(0x77);
const LARGE_CODE: Address = Address::repeat_byte(0x64);

/// Adds a block with one transaction, which calls a program.
fn add_program(rows: &mut Rows<'_>, name: &str, code: Bytes, input: Vec<u8>) -> Result<()> {
    let mut genesis = genesis(rows.fork);
    genesis.alloc.insert(WORKER, contract(code));
    genesis.alloc.insert(LARGE_CODE, contract(vec![op::JUMPDEST; 1 << 16].into()));
    rows.add(name, built(rows.fork, &genesis, vec![call(0, WORKER, GAS, input)])?)
}

/// Measures the real blocks in the vectors, and returns their number.
pub(crate) fn real(row: Row<'_>) -> Result<usize> {
    let mut count = 0;
    for block in testkit::vectors::blocks("blocks", "time against price of real blocks")? {
        let raw = RawBlock::decode(&block.bundle.block)?;
        let Some(spec) = ChainSpec::known(block.bundle.chain_id) else { continue };
        let calldata = to_stateless_input(&raw, &block.bundle.witness, &spec)?;
        let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
        row(Input::new(&block.name, execute, calldata))?;
        count += 1;
    }
    Ok(count)
}

/// Measures the worst-case blocks of the official benchmarks, and returns their number.
pub(crate) fn worst_cases(row: Row<'_>) -> Result<usize> {
    let mut count = 0;
    fixture::each("worst_case_10M", |test| {
        let spec = ChainSpec::scheduled(fixture::CHAIN_ID, test.fork, test.later.as_slice())
            .with_deposit_contract(fixture::DEPOSIT_CONTRACT);
        let config = ChainConfig::new(spec.clone());
        let mut chain = Chain::from_header(test.header.clone(), &test.genesis, config)?;
        // The earlier blocks prepare the state for the last one.
        let mut calldata = Vec::new();
        for block in &test.blocks {
            let new = chain.import(&RawBlock::decode(&block.rlp)?)?;
            calldata = new.input()?;
            chain.append(new)?;
        }
        let name = test.name.split("::").last().unwrap_or(&test.name);
        let name = name
            .replace("fork_Osaka-blockchain_test-", "")
            .replace("-benchmark-gas-value_10M", "")
            .replace(['[', ']'], " ");
        let name = name.trim();
        let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
        count += 1;
        row(Input::new(&format!("worst case: {name}"), execute, calldata))
    })?;
    Ok(count)
}

/// Measures all inputs that are built to be slow.
pub(crate) fn hostile(rows: &mut Rows<'_>) -> Result<()> {
    bytes(rows)?;
    transactions(rows)?;
    ancestors(rows)?;
    tries(rows)?;
    batches(rows)?;
    compact(rows)?;
    instructions(rows)?;
    for precompiles::Job { name, address, input, gas } in precompiles::jobs() {
        add_program(rows, &name, programs::calls_with_calldata(address, gas), input)?;
    }
    Ok(())
}

fn genesis(fork: ProtocolFork) -> Genesis {
    let mut genesis = rich_genesis(fork, ["alice"], 1_000_000 * ETHER);
    genesis.gas_limit = 60_000_000;
    genesis
}

fn contract(code: Bytes) -> GenesisAccount {
    GenesisAccount { nonce: Some(1), code: Some(code), ..Default::default() }
}

/// Signs a call from Alice.
fn call(nonce: u64, to: Address, gas_limit: u64, input: Vec<u8>) -> Transaction {
    Key::named("alice").sign(TxEip1559 { input: input.into(), ..eip1559(nonce, to, gas_limit) })
}

/// Returns the input of a block with these transactions on a new chain.
fn built(fork: ProtocolFork, genesis: &Genesis, transactions: Vec<Transaction>) -> Result<Vec<u8>> {
    let chain = Chain::new(genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)))?;
    let attributes = BlockAttributes { timestamp: 12, slot_number: 1, ..Default::default() };
    let (block, rejected) = chain.build(&attributes, transactions)?;
    ensure!(rejected.is_empty(), "{rejected:?}");
    Ok(block.input()?)
}

/// Changes an input and recomputes its block hash.
fn changed(calldata: &[u8], change: impl FnOnce(&mut StatelessInput<'_>)) -> Result<Vec<u8>> {
    let mut input = StatelessInput::decode(calldata)?;
    change(&mut input);
    if let Some(header) = stateless::header_of(&input.request, input.fork) {
        input.request.payload.block_hash = header.hash_slow();
    }
    Ok(input.encode())
}

/// Returns distinct items of this length, of [`TOTAL`] bytes together.
fn items(length: usize) -> Vec<Bytes> {
    let item = |number: usize| {
        let mut item = vec![0x5b; length];
        let seed = number.to_be_bytes();
        let tail = seed.len().min(length);
        item[length - tail..].copy_from_slice(&seed[seed.len() - tail..]);
        item.into()
    };
    (0..TOTAL / (length + 4)).map(item).collect()
}

fn bytes(rows: &mut Rows<'_>) -> Result<()> {
    let empty = built(rows.fork, &genesis(rows.fork), vec![])?;
    rows.add("an empty block", empty.clone())?;
    dialects::in_blobs(rows, "an empty block", &empty)?;
    dialects::claimed(rows, "an empty block", &empty)?;
    let witness = StatelessInput::decode(&empty)?.witness;
    let with = |list: wire::ByteLists<'_>, length| -> Vec<Bytes> {
        list.iter().map(Bytes::copy_from_slice).chain(items(length)).collect()
    };
    for length in [0, 1, 8, 32, 136, 532, 1_024] {
        let nodes = with(witness.state, length);
        let input = changed(&empty, |input| input.witness.state = leak(nodes).into())?;
        let name = format!("surplus nodes of {length} bytes");
        dialects::in_blobs(rows, &name, &input)?;
        rows.add(&name, input)?;
    }
    for length in [0, 1, 136, 24_576, 65_536] {
        let codes = with(witness.codes, length);
        let input = changed(&empty, |input| input.witness.codes = leak(codes).into())?;
        rows.add(&format!("surplus codes of {length} bytes"), input)?;
    }
    if rows.fork < ProtocolFork::Amsterdam {
        return Ok(());
    }
    let list = vec![0x5b; TOTAL].leak();
    let input = changed(&empty, |input| input.request.payload.block_access_list = list)?;
    rows.add("a block access list of a megabyte", input)
}

fn transactions(rows: &mut Rows<'_>) -> Result<()> {
    let empty = built(rows.fork, &genesis(rows.fork), vec![])?;
    let put = |transactions: Vec<Bytes>| {
        changed(&empty, |input| input.request.payload.transactions = leak(transactions).into())
    };
    let nothing = |gas_limit| {
        let signature = Signature::new(U256::ONE, U256::ONE, false);
        let transaction = TxLegacy { gas_limit, to: TxKind::Create, ..Default::default() };
        Bytes::from(Transaction::from(transaction.into_signed(signature)).encoded_2718())
    };
    rows.add("transactions of ten bytes", put(vec![nothing(0); TOTAL / 14])?)?;
    rows.add("transactions of thirteen bytes", put(vec![nothing(53_000); TOTAL / 17])?)?;
    rows.add("transactions that are none", put(vec![Bytes::from_static(&[0xff]); TOTAL / 5])?)?;
    let transfers = (0..1_000).map(|nonce| call(nonce, Address::repeat_byte(1), 21_000, vec![]));
    rows.add("a thousand transfers", built(rows.fork, &genesis(rows.fork), transfers.collect())?)?;
    let data =
        (0..4).map(|nonce| call(nonce, Address::repeat_byte(1), 6_500_000, vec![1; 100_000]));
    rows.add("calldata of 400 kB", built(rows.fork, &genesis(rows.fork), data.collect())?)?;
    let zeros =
        (0..4).map(|nonce| call(nonce, Address::repeat_byte(1), 6_500_000, vec![0; 100_000]));
    rows.add(
        "calldata of 400 kB of zeros",
        built(rows.fork, &genesis(rows.fork), zeros.collect())?,
    )?;

    let alice = Key::named("alice");
    let access_list = |accounts: u64, slots: u64| {
        let item = |account: u64| AccessListItem {
            address: Address::from_word(keccak256(account.to_be_bytes())),
            storage_keys: (0..slots).map(|slot| B256::from(U256::from(slot))).collect(),
        };
        alice.sign(TxEip2930 {
            chain_id: CHAIN_ID,
            gas_limit: 1 << 24,
            gas_price: 10_000_000_000,
            to: TxKind::Call(Address::repeat_byte(1)),
            access_list: AccessList((0..accounts).map(item).collect()),
            ..Default::default()
        })
    };
    rows.add(
        "an access list of 3,000 accounts",
        built(rows.fork, &genesis(rows.fork), vec![access_list(3_000, 0)])?,
    )?;
    rows.add(
        "an access list of 4,000 slots",
        built(rows.fork, &genesis(rows.fork), vec![access_list(1, 4_000)])?,
    )?;
    if rows.fork < ProtocolFork::Prague {
        return Ok(());
    }
    let authorize = |number: u64| {
        let chain_id = U256::from(CHAIN_ID);
        let authorization = Authorization { chain_id, address: WORKER, nonce: 0 };
        Key::named(&format!("authority {number}")).authorize(authorization)
    };
    let set_codes = alice.sign(TxEip7702 {
        chain_id: CHAIN_ID,
        gas_limit: 1 << 24,
        max_fee_per_gas: 10_000_000_000,
        to: Address::repeat_byte(1),
        authorization_list: (0..500).map(authorize).collect(),
        ..Default::default()
    });
    rows.add("500 authorizations", built(rows.fork, &genesis(rows.fork), vec![set_codes])?)
}

fn ancestors(rows: &mut Rows<'_>) -> Result<()> {
    let mut genesis = genesis(rows.fork);
    genesis.alloc.insert(WORKER, contract(programs::blockhash()));
    let mut chain =
        Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, rows.fork)))?;
    for number in 1..=256 {
        let attributes = BlockAttributes { timestamp: 12 * number, ..Default::default() };
        let (block, _) = chain.build(&attributes, vec![])?;
        chain.append(block)?;
    }
    let attributes = BlockAttributes { timestamp: 12 * 257, ..Default::default() };
    let (block, _) = chain.build(&attributes, vec![call(0, WORKER, 200_000, vec![])])?;
    let input = block.input()?;
    ensure!(StatelessInput::decode(&input)?.witness.headers.len() == 256, "all ancestors");
    rows.add("256 ancestors", input)
}

fn tries(rows: &mut Rows<'_>) -> Result<()> {
    let fork = rows.fork;
    let forged = |code: Bytes, (root, nodes): (B256, Vec<Bytes>)| {
        let mut genesis = genesis(fork);
        genesis.alloc.insert(WORKER, contract(code));
        let storage_roots = BTreeMap::from([(WORKER, root)]);
        let transactions = vec![call(0, WORKER, GAS, vec![])];
        Forgery { genesis, fork, storage_roots, nodes, transactions }.input()
    };
    rows.add("SLOAD below 64 shared nodes", forged(programs::sload(), uniform_storage())?)?;
    rows.add("SSTORE below 64 shared nodes", forged(programs::sstore(1), uniform_storage())?)?;
    rows.add("clearing below 64 shared nodes", forged(programs::sstore(0), uniform_storage())?)?;
    // Slots whose hashes differ in their first nibble.
    let mut slots = BTreeMap::new();
    for slot in (1_u64..).map(U256::from) {
        slots.entry(keccak256(slot.to_be_bytes::<32>())[0] >> 4).or_insert(slot);
        if slots.len() == 16 {
            break;
        }
    }
    let slots: Vec<U256> = slots.into_values().collect();
    for width in [1, 2, 16] {
        for (verb, change) in [("read", None), ("set", Some(1)), ("cleared", Some(0))] {
            let mut code = Vec::new();
            for slot in &slots {
                match change {
                    None => code.extend([programs::push(slot.to()), vec![op::SLOAD]].concat()),
                    Some(value) => code.extend(
                        [vec![op::PUSH1, value], programs::push(slot.to()), vec![op::SSTORE]]
                            .concat(),
                    ),
                }
            }
            // Clearing a slot needs the preimage of the other child, which does not exist.
            if width < 3 && change == Some(0) {
                continue;
            }
            let name = format!("16 slots below 64 branches of {width}, {verb}");
            rows.add(&name, forged(code.into(), deep_storage(&slots, width))?)?;
        }
    }
    Ok(())
}

/// Measures batches whose blocks traverse the same nodes repeatedly: nodes of the witness, and
/// nodes that the first block has written.
fn batches(rows: &mut Rows<'_>) -> Result<()> {
    const BLOCKS: usize = 8;
    /// Gas limit of each transaction.
    const SHARE: u64 = 1_500_000;
    let (root, nodes) = uniform_storage();
    let cases =
        [("read", false, false), ("set", true, true), ("read after one has set them", true, false)];
    // The block access list of a later block on a forged state cannot be computed.
    let cases = if rows.fork < ProtocolFork::Amsterdam { &cases[..] } else { &[] };
    for &(name, first, later) in cases {
        let mut genesis = genesis(rows.fork);
        genesis.alloc.insert(WORKER, contract(programs::sstore_or_sload()));
        let block = |nonce: usize, sets: bool| {
            vec![call(nonce as u64, WORKER, SHARE, vec![1; usize::from(sets)])]
        };
        let forgery = Forgery {
            genesis,
            fork: rows.fork,
            storage_roots: BTreeMap::from([(WORKER, root)]),
            nodes: nodes.clone(),
            transactions: block(0, first),
        };
        let more: Vec<_> = (1..BLOCKS).map(|nonce| block(nonce, later)).collect();
        let name = format!("batch: slots below 64 nodes, {name}");
        rows.add(&name, forgery.batch(&more)?)?;
    }
    rows.add(
        "batch: 256 blocks without transactions",
        empty_blocks(rows.fork, StatelessBatch::MAX_BLOCKS)?,
    )
}

/// Returns a batch of empty blocks, on a chain with full history ring buffers.
fn empty_blocks(fork: ProtocolFork, count: usize) -> Result<Vec<u8>> {
    let mut genesis = genesis(fork);
    fill_system_rings(&mut genesis);
    let mut chain = Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)))?;
    let blocks: Result<Vec<_>> = (1..=count as u64)
        .map(|number| {
            let attributes = BlockAttributes {
                timestamp: 12 * number,
                parent_beacon_block_root: B256::repeat_byte(1),
                ..Default::default()
            };
            let (block, _) = chain.build(&attributes, Vec::new())?;
            Ok(chain.append(block)?)
        })
        .collect();
    Ok(chain.batch(blocks?)?.input()?)
}

/// Measures batches with worst-case states. Their roots are wrong, which is only detected after the
/// state has been expanded and hashed.
fn compact(rows: &mut Rows<'_>) -> Result<()> {
    let empty = built(rows.fork, &genesis(rows.fork), vec![])?;
    let input = StatelessInput::decode(&empty)?;
    let ExecutionWitness { codes, headers, .. } = input.witness;
    for (name, state) in hostile_states() {
        let witness = BatchWitness::new(&state, codes, headers)?;
        let batch = codec::batch_of(std::slice::from_ref(&input), witness)?;
        rows.add(&format!("compact: {name}"), batch.encode())?;
    }
    Ok(())
}

fn instructions(rows: &mut Rows<'_>) -> Result<()> {
    add_program(rows, "SLOAD of slots that are not there", programs::sload(), vec![])?;
    add_program(rows, "SSTORE to new slots", programs::sstore(1), vec![])?;
    add_program(rows, "TSTORE", programs::tstore(), vec![])?;
    add_program(rows, "BALANCE of an absent account", programs::balance(), vec![])?;
    for bytes in [0, 32, 135, 136, 1_000, 100_000] {
        add_program(rows, &format!("KECCAK256 of {bytes} bytes"), programs::keccak(bytes), vec![])?;
    }
    for bytes in [0, 65_536] {
        let name = format!("EXTCODECOPY of {bytes} bytes");
        add_program(rows, &name, programs::extcodecopy(LARGE_CODE, bytes), vec![])?;
    }
    for bytes in [0, 10_000] {
        add_program(rows, &format!("LOG4 of {bytes} bytes"), programs::log(bytes), vec![])?;
    }
    // Maximum length of init code (EIP-3860, EIP-7954).
    let longest = if rows.fork < ProtocolFork::Amsterdam { 49_152 } else { 131_072 };
    for bytes in [32, longest] {
        for (name, instruction) in [("CREATE", op::CREATE), ("CREATE2", op::CREATE2)] {
            let name = format!("{name} with {bytes} bytes of code");
            add_program(rows, &name, programs::create(instruction, bytes, LARGE_CODE), vec![])?;
        }
    }
    let arithmetic = [
        ("ADD", op::ADD, 2),
        ("MUL", op::MUL, 2),
        ("DIV", op::DIV, 2),
        ("SDIV", op::SDIV, 2),
        ("MOD", op::MOD, 2),
        ("SMOD", op::SMOD, 2),
        ("ADDMOD", op::ADDMOD, 3),
        ("MULMOD", op::MULMOD, 3),
        ("EXP", op::EXP, 2),
        ("SIGNEXTEND", op::SIGNEXTEND, 2),
    ];
    for (name, code, operands) in arithmetic {
        add_program(rows, name, programs::arithmetic(code, operands), vec![])?;
    }
    // Codes of 64 KiB, each of which is in the witness, hashed and analysed for one call.
    let mut genesis = genesis(rows.fork);
    let callees: Vec<Address> =
        (0..40).map(|number| Address::with_last_byte(0x40 + number)).collect();
    for (number, callee) in callees.iter().enumerate() {
        let mut code = vec![op::JUMPDEST; 1 << 16];
        code[0] = op::STOP;
        code[1] = number as u8;
        genesis.alloc.insert(*callee, contract(code.into()));
    }
    genesis.alloc.insert(WORKER, contract(programs::call_each(&callees)));
    let input = built(rows.fork, &genesis, vec![call(0, WORKER, GAS, vec![])])?;
    rows.add("40 codes of 64 KiB, each called", input)
}

/// Leaks items that inputs borrow, which is acceptable in a short-lived process.
fn leak<T>(items: Vec<T>) -> &'static [T] {
    items.leak()
}
