//! Work that neither the gas of a block nor the bytes of its witness pay for is charged separately.

use crate::support::{
    host::{CALL, CallResult, Host, WARM_CALL},
    l2::{CHAIN_ID, L2, call},
};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U256, keccak256};
use enshrine_execute::{
    BlockTally, DeclaredGas, Execute, ExecuteError, ExecutionSpecs, FURTHER_BLOCK_GAS, Items,
    Pricing, WorkCount, WorkGas,
};
use executor::{ChainSpec, UnderpricedWork};
use revm::bytecode::opcode as op;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use testkit::{ETHER, Forgery, Key, rich_genesis, uniform_storage};
use variants::{Drake, GasSchedule};
use wire::{ProtocolFork, StatelessInput};

pub(crate) const FORK: ProtocolFork = ProtocolFork::Osaka;
/// Contract that Alice calls.
pub(crate) const WORKER: Address = Address::repeat_byte(0x77);

pub(crate) fn contract(code: Vec<u8>) -> GenesisAccount {
    GenesisAccount { nonce: Some(1), code: Some(code.into()), ..Default::default() }
}

/// Charge of a call for its bytes, items and gas only.
fn plain_charge(schedule: GasSchedule, calldata: &[u8]) -> u64 {
    let input = StatelessInput::decode(calldata).unwrap();
    let declared = variants::declared_of_input(calldata.len(), &input);
    schedule.charge(&declared, input.request.payload.gas_used)
}

fn used(calldata: &[u8]) -> u64 {
    StatelessInput::decode(calldata).unwrap().request.payload.gas_used
}

/// A block in which Alice calls a contract with this code.
fn block(code: Vec<u8>, input: Vec<u8>, gas: u64) -> Vec<u8> {
    block_on(FORK, code, input, gas)
}

/// Like [`block`], under the rules of a fork.
fn block_on(fork: ProtocolFork, code: Vec<u8>, input: Vec<u8>, gas: u64) -> Vec<u8> {
    let l2 = L2::with_genesis(fork, |genesis| {
        genesis.alloc.insert(WORKER, contract(code));
    });
    let call = Key::named("alice").sign(call(0, WORKER, gas, U256::ZERO, input.into()));
    l2.build(vec![call]).input().unwrap()
}

/// Code that reads a slot.
pub(crate) const fn reading(slot: u8) -> [u8; 4] {
    [op::PUSH1, slot, op::SLOAD, op::POP]
}

/// A block on a storage in which every path has 64 branches with equal children. It reads all of
/// these slots.
fn shared_nodes(slots: &[u8]) -> Vec<u8> {
    on_shared_nodes(slots.iter().copied().flat_map(reading).collect())
}

/// A block in which Alice calls a contract with this code and such a storage.
pub(crate) fn on_shared_nodes(code: Vec<u8>) -> Vec<u8> {
    let mut genesis = rich_genesis(FORK, ["alice"], ETHER);
    genesis.alloc.insert(WORKER, contract(code));
    let (root, nodes) = uniform_storage();
    let call = Key::named("alice").sign(call(0, WORKER, 500_000, U256::ZERO, Bytes::new()));
    let storage_roots = BTreeMap::from([(WORKER, root)]);
    Forgery { genesis, fork: FORK, storage_roots, nodes, transactions: vec![call] }.input().unwrap()
}

/// Asserts that a call with exactly its reserve succeeds at a charge of `gas`, and runs out of gas
/// with one unit less.
fn assert_costs(execute: &Execute, calldata: &[u8], gas: u64) {
    let executed = execute.run(calldata, u64::MAX).unwrap();
    assert_eq!(executed.gas, gas);
    assert!(executed.reserve >= gas);
    let enough = execute.run(calldata, executed.reserve).unwrap();
    assert_eq!((enough.gas, enough.reserve), (gas, executed.reserve));
    let short =
        execute.run_as(&ExecutionSpecs, calldata, executed.reserve - 1, |_| {}).unwrap_err();
    match short.reason {
        ExecuteError::OutOfGas { got, reserve } => {
            assert!(got == executed.reserve - 1 && reserve > got, "{reserve}");
            assert!(short.gas <= got, "{}", short.gas);
        }
        other => panic!("{other}"),
    }
}

/// Positions of all nodes on the paths to these slots, where each path has 64 branches, as nibbles
/// from the root.
pub(crate) fn places_of(slots: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut places = BTreeSet::new();
    for slot in slots {
        let nibbles: Vec<u8> = keccak256(U256::from(*slot).to_be_bytes::<32>())
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0xf])
            .collect();
        places.extend((0..=64).map(|depth| nibbles[..depth].to_vec()));
    }
    places
}

/// Price of carrying a node once more.
fn carried(node: &Bytes) -> u64 {
    let Items { witness_byte, item, .. } = Items::DEFAULT;
    item + witness_byte * (node.len() as u64 + 4)
}

/// Charges only for underpriced work.
#[derive(Debug)]
struct DearAlone;

impl Pricing for DearAlone {
    fn bytes(&self, _: u64) -> u64 {
        0
    }

    fn reserve(&self, _: &DeclaredGas) -> u64 {
        0
    }

    fn charge(&self, _: &DeclaredGas, _: u64) -> u64 {
        0
    }

    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        GasSchedule::DEFAULT.underpriced_work(work)
    }
}

/// A batch of two blocks on a storage in which every path has 64 branches. The first block sets the
/// slots `set`, the second reads the slots `read`.
pub(crate) fn two_on_shared_nodes(set: &[u8], read: &[u8]) -> Vec<u8> {
    // Without calldata, the second program runs.
    let mut code = vec![op::CALLDATASIZE, op::ISZERO, op::PUSH2, 0, 0, op::JUMPI];
    for slot in set {
        code.extend([op::NUMBER, op::NOT, op::PUSH1, *slot, op::SSTORE]);
    }
    code.push(op::STOP);
    let second = u16::try_from(code.len()).unwrap().to_be_bytes();
    code[3..5].copy_from_slice(&second);
    code.push(op::JUMPDEST);
    code.extend(read.iter().copied().flat_map(reading));
    let mut genesis = rich_genesis(FORK, ["alice"], ETHER);
    genesis.alloc.insert(WORKER, contract(code));
    let (root, nodes) = uniform_storage();
    let call = |nonce, input: &'static [u8]| {
        let call = call(nonce, WORKER, 500_000, U256::ZERO, Bytes::from_static(input));
        Key::named("alice").sign(call)
    };
    let storage_roots = BTreeMap::from([(WORKER, root)]);
    let transactions = vec![call(0, &[1])];
    let forgery = Forgery { genesis, fork: FORK, storage_roots, nodes, transactions };
    forgery.batch(&[vec![call(1, &[])]]).unwrap()
}

/// All underpriced work of such a batch.
fn underpriced_work_of_two(set: &[u8], read: &[u8]) -> u64 {
    let execute = Execute { gas: Arc::new(DearAlone), ..Execute::default() };
    execute.run(&two_on_shared_nodes(set, read), u64::MAX).unwrap().gas
}

#[test]
fn nodes_written_by_earlier_blocks_are_charged() {
    let (_, nodes) = uniform_storage();
    let ways = |slots: &[u8]| {
        let places = places_of(slots);
        let leaves = places.iter().filter(|path| path.len() == 64).count() as u64;
        leaves * carried(&nodes[0]) + (places.len() as u64 - leaves) * carried(&nodes[1])
    };
    let none = underpriced_work_of_two(&[1, 2, 3], &[]);
    for slots in [&[1_u8][..], &[1, 2], &[1, 2, 3]] {
        // No node of these paths is in the witness in this form.
        assert_eq!(underpriced_work_of_two(&[1, 2, 3], slots), none + ways(slots), "{slots:?}");
    }
    // Paths that were not written are those of the witness, at the same price.
    assert_eq!(underpriced_work_of_two(&[1, 2, 3], &[9]), none + ways(&[9]));
    assert!(ways(&[9]) > 64 * 600);
}

#[test]
fn repeated_node_is_charged_at_each_position() {
    let slots: Vec<u8> = (1..=40).collect();
    let calldata = shared_nodes(&slots);
    let places = places_of(&slots);
    let (leaves, branches): (Vec<_>, Vec<_>) = places.iter().partition(|path| path.len() == 64);
    let (_, nodes) = uniform_storage();
    // Each node has been carried for one position.
    let again = (branches.len() as u64 - 64) * carried(&nodes[1])
        + (leaves.len() as u64 - 1) * carried(&nodes[0]);
    assert!(again > 40 * 60 * 600, "{again}");
    let covered = used(&calldata) / 4;
    let expected = plain_charge(GasSchedule::DEFAULT, &calldata) + again - covered;
    assert_costs(&Execute::default(), &calldata, expected);

    // A single price for every byte covers it as well; the schedule of ethrex does not charge it.
    let flat = Execute { gas: GasSchedule::FLAT.into(), ..Execute::default() };
    let more = flat.run(&calldata, u64::MAX).unwrap().gas;
    assert!(more > plain_charge(GasSchedule::FLAT, &calldata) + 16 * 532 * 40 * 50);
    let ethrex = Execute { gas: GasSchedule::ETHREX.into(), ..Execute::default() };
    let gas = ethrex.run(&calldata, u64::MAX).unwrap().gas;
    assert_eq!(gas, plain_charge(GasSchedule::ETHREX, &calldata));
}

#[test]
fn block_without_repeated_nodes_pays_no_surcharge() {
    let calldata = shared_nodes(&[1]);
    assert_costs(&Execute::default(), &calldata, plain_charge(GasSchedule::DEFAULT, &calldata));
}

#[test]
fn equal_storage_tries_are_covered_by_gas() {
    // Twenty contracts with the same five slots: they share one trie, which is carried once.
    let twin = |number: u8| Address::repeat_byte(0x80 + number);
    let reader = [[op::PUSH1, 3, op::SLOAD, op::STOP]].concat();
    let mut code = Vec::new();
    for number in 0..20 {
        code.extend([op::PUSH0; 5]);
        code.extend(
            [&[op::PUSH20][..], twin(number).as_slice(), &[op::GAS, op::CALL, op::POP]].concat(),
        );
    }
    let l2 = L2::with_genesis(FORK, |genesis| {
        genesis.alloc.insert(WORKER, contract(code));
        for number in 0..20 {
            let storage = (1_u8..=5)
                .map(|slot| (U256::from(slot).into(), U256::from(u64::MAX).into()))
                .collect();
            let account = GenesisAccount { storage: Some(storage), ..contract(reader.clone()) };
            genesis.alloc.insert(twin(number), account);
        }
    });
    let call = Key::named("alice").sign(call(0, WORKER, 500_000, U256::ZERO, Bytes::new()));
    let calldata = l2.build(vec![call]).input().unwrap();
    assert_costs(&Execute::default(), &calldata, plain_charge(GasSchedule::DEFAULT, &calldata));
}

/// Code that calls a precompile with its calldata `times` times, with this much gas.
fn calling(precompile: u8, times: usize, gas: u32) -> Vec<u8> {
    let mut code = vec![op::CALLDATASIZE, op::PUSH0, op::PUSH0, op::CALLDATACOPY];
    let mut round = vec![op::PUSH0, op::PUSH0, op::CALLDATASIZE, op::PUSH0, op::PUSH1, precompile];
    round.push(op::PUSH4);
    round.extend(gas.to_be_bytes());
    round.extend([op::STATICCALL, op::POP]);
    code.extend(round.repeat(times));
    code
}

#[test]
fn only_expensive_precompiles_are_surcharged() {
    let schedule = GasSchedule::DEFAULT;
    // ECADD: 150 gas each. SHA-256 of 64 bytes: 84 gas each.
    for (precompile, gas, is_dear) in [(6_u8, 150, true), (2, 84, false)] {
        let calldata = block(calling(precompile, 2_000, 100_000), vec![0; 64], 2_000_000);
        let address = Address::with_last_byte(precompile);
        let work = 2_000 * schedule.underpriced_work(&UnderpricedWork::Precompile { address, gas });
        let owed = work.saturating_sub(used(&calldata) / 4);
        assert_eq!(owed > 0, is_dear, "{precompile}");
        assert_costs(&Execute::default(), &calldata, plain_charge(schedule, &calldata) + owed);
        // A verifier outside EXECUTE charges nothing.
        let input = StatelessInput::decode(&calldata).unwrap();
        stateless::verify(&input, &ChainSpec::constant(CHAIN_ID, FORK)).unwrap();
    }
}

#[test]
fn modexp_is_surcharged_before_osaka() {
    let schedule = GasSchedule::DEFAULT;
    // 32 bytes each.
    let mut numbers = [[0; 32]; 6];
    numbers[..3].iter_mut().for_each(|length| length[31] = 32);
    numbers[3..].iter_mut().for_each(|number| *number = [0xff; 32]);
    for (fork, gas) in [(ProtocolFork::Prague, Some(1_360)), (ProtocolFork::Osaka, None)] {
        let code = calling(5, 300, 100_000);
        let calldata = block_on(fork, code, numbers.as_flattened().to_vec(), 2_000_000);
        let address = Address::with_last_byte(5);
        let price = |gas| schedule.underpriced_work(&UnderpricedWork::Precompile { address, gas });
        let work = gas.map_or(0, |gas| 300 * price(gas));
        let owed = work.saturating_sub(used(&calldata) / 4);
        assert_eq!(owed > 0, gas.is_some(), "{fork}");
        assert_costs(&Execute::on(fork), &calldata, plain_charge(schedule, &calldata) + owed);
    }
}

#[test]
fn unpaid_precompile_work_ends_the_call() {
    // MODEXP of zeros, whose lengths alone cost 2.8 million gas before Osaka: much more than the
    // charge for a failure with such a short input.
    let mut lengths = [[0; 32]; 3];
    for (length, bytes) in lengths.iter_mut().zip([1_024_u16, 96, 1_024]) {
        length[30..].copy_from_slice(&bytes.to_be_bytes());
    }
    let fork = ProtocolFork::Prague;
    let input = lengths.as_flattened().to_vec();
    let calldata = block_on(fork, calling(5, 1, 4_000_000), input, 5_000_000);
    let gas = 128 * 128 * 8 * (96 - 32) / 3;
    let work = UnderpricedWork::Precompile { address: Address::with_last_byte(5), gas };
    let schedule = GasSchedule::DEFAULT;
    let owed = schedule.underpriced_work(&work) - used(&calldata) / 4;
    assert_costs(&Execute::on(fork), &calldata, plain_charge(schedule, &calldata) + owed);
}

#[test]
fn failed_precompile_is_charged_for_bounded_work() {
    // Point evaluation of an invalid proof, which burns all of three million gas.
    let calldata = block(calling(10, 1, 3_000_000), vec![0; 192], 4_000_000);
    assert!(used(&calldata) > 3_000_000);
    // At most 50,000 and a little for its bytes, five times over: the burnt gas covers it.
    let plain = plain_charge(GasSchedule::DEFAULT, &calldata);
    assert_costs(&Execute::default(), &calldata, plain);
}

/// Code that hashes this many bytes 500 times.
fn hashing(bytes: u16) -> Vec<u8> {
    let [high, low] = bytes.to_be_bytes();
    [op::PUSH2, high, low, op::PUSH0, op::KECCAK256, op::POP].repeat(500)
}

#[test]
fn hashing_is_charged_per_word() {
    let calldata = block(hashing(0x1000), vec![], 2_000_000);
    let work =
        500 * GasSchedule::DEFAULT.underpriced_work(&UnderpricedWork::Keccak { bytes: 0x1000 });
    let owed = work - used(&calldata) / 4;
    let plain = plain_charge(GasSchedule::DEFAULT, &calldata);
    assert_costs(&Execute::default(), &calldata, plain + owed);
}

#[test]
fn init_code_is_charged_by_length_and_hash() {
    const BYTES: u16 = 0xc000;
    let [high, low] = BYTES.to_be_bytes();
    for (instruction, salt, is_hashed) in
        [(op::CREATE, &[][..], false), (op::CREATE2, &[op::GAS], true)]
    {
        let create = [op::PUSH2, high, low, op::PUSH0, op::PUSH0, instruction, op::POP];
        let calldata = block([salt, &create].concat().repeat(50), vec![], 4_000_000);
        let bytes = usize::from(BYTES);
        let work = 50
            * GasSchedule::DEFAULT
                .underpriced_work(&UnderpricedWork::InitCode { bytes, is_hashed });
        let owed = work - used(&calldata) / 4;
        let plain = plain_charge(GasSchedule::DEFAULT, &calldata);
        assert_costs(&Execute::default(), &calldata, plain + owed);
    }
}

#[test]
fn further_block_gas_covers_no_underpriced_work() {
    const GAS_LIMIT: u64 = 2_000_000;
    for count in 1..=4 {
        let mut l2 = L2::with_genesis(FORK, |genesis| {
            genesis.alloc.insert(WORKER, contract(hashing(0x1000)));
        });
        let (mut blocks, mut used) = (Vec::new(), 0);
        for nonce in 0..count {
            let call = call(nonce, WORKER, GAS_LIMIT, U256::ZERO, Bytes::new());
            let block = l2.build(vec![Key::named("alice").sign(call)]);
            used += block.block.header.gas_used;
            let hash = block.block.hash;
            l2.chain.append(block).unwrap();
            blocks.push(l2.chain.block(&hash).unwrap());
        }
        let calldata = l2.chain.batch(blocks).unwrap().input().unwrap();
        // All underpriced work, at the prices of the default schedule.
        let alone = Execute { gas: Arc::new(DearAlone), ..Execute::default() };
        let work = alone.run(&calldata, u64::MAX).unwrap().gas;
        let input = GasSchedule::DEFAULT.input(&DeclaredGas::of_calldata(&calldata).unwrap());
        let further = FURTHER_BLOCK_GAS * (count - 1);
        // A quarter of the gas of the blocks covers a part of it. Nothing else does, neither in the
        // charge nor in the reserve.
        let bound = GAS_LIMIT * count;
        assert!(work > bound / 4 && used < bound, "{work} {used}");
        assert_costs(&Execute::default(), &calldata, input + further + used + work - used / 4);
        let executed = Execute::default().run(&calldata, u64::MAX).unwrap();
        assert_eq!(executed.reserve, input + further + bound + work - bound / 4, "{count} blocks");
    }
}

#[test]
fn unpaid_work_counts_all_call_gas_on_market() {
    let calldata = block(hashing(0x1000), vec![], 2_000_000);
    let execute = Execute::default();
    let executed = execute.run(&calldata, u64::MAX).unwrap();
    for (gas, success, counted) in [
        (executed.reserve, true, executed.gas),
        // It is unknown how much of the last piece was done.
        (executed.reserve - 1, false, executed.reserve - 1),
    ] {
        // At a base fee equal to the price, a unit of gas buys a unit.
        let tally = Arc::new(BlockTally::new(1));
        let outcome =
            Host::in_block(execute.clone(), U256::ZERO, &tally).call(CALL, &calldata, gas);
        assert_eq!((outcome.success, tally.used()), (success, counted), "{gas}");
        let all = CallResult { success: false, returned: vec![], gas: WARM_CALL + gas };
        assert_eq!(outcome == all, !success, "a failed call consumes all gas: {outcome:?}");
    }
}

#[test]
fn false_claim_is_charged_for_underpriced_work() {
    let calldata = shared_nodes(&(1..=40).collect::<Vec<_>>());
    let execute = Execute::default();
    let executed = execute.run(&calldata, u64::MAX).unwrap();
    let word = |bytes: [u8; 32]| bytes;
    let mut claim = Vec::new();
    for part in [
        word(executed.verdict.pre_state_root.0),
        word(executed.verdict.header.state_root.0),
        word(U256::from(128).to_be_bytes()),
        // One gas too little.
        word(U256::from(executed.verdict.header.gas_used - 1).to_be_bytes()),
        word(U256::from(calldata.len()).to_be_bytes()),
    ] {
        claim.extend(part);
    }
    claim.extend(&calldata);
    claim.resize(claim.len().next_multiple_of(32), 0);
    let answer = execute.answer(&Drake, &claim, u64::MAX).unwrap();
    assert_eq!(answer.output.last(), Some(&0));
    assert!(answer.gas > executed.reserve, "{} {}", answer.gas, executed.reserve);
}

#[test]
fn work_count_never_stops_and_can_rewind() {
    let gas: Arc<dyn Pricing> = Arc::new(Items::DEFAULT);
    let count = WorkCount::new(&gas, &());
    let meter = count.overrides().meter().expect("a count has a meter");
    let work = UnderpricedWork::RepeatedNode { bytes: 100 };
    let price = gas.underpriced_work(&work);
    for times in 1..=3 {
        assert!(meter.spend(work));
        assert_eq!(count.work().spent, times * price);
    }
    count.rewind(WorkGas { spent: price, peak: price });
    assert_eq!(count.work().spent, price);
    assert!(meter.spend(work));
    assert_eq!(count.work().spent, 2 * price);
}
