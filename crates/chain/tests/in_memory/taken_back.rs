//! A transaction that turns out not to fit is reverted: the block equals one built without it.

use alloy_consensus::{Header, TxEip1559, TxEip7702};
use alloy_eips::eip7702::Authorization;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use enshrine_chain::{
    BlockAttributes, BlockBuilder, BlockBuilderOutcome, BudgetRequest, Chain, ChainConfig,
    ExecutedBlock, RecoveredTransaction, Rejection, empty_genesis, shortest_input,
};
use execute::{Execute, Networks};
use executor::{BlockError, ChainSpec, EvmOverrides, HookState, Transaction};
use rollup::InputLimits;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use testkit::{Key, Random, eip1559};
use wire::ProtocolFork;

pub(crate) const CHAIN_ID: u64 = 8_079;
const GAS_LIMIT: u64 = 30_000_000;

/// SSTORE(calldata[0], calldata[1])
const WRITER: Address = Address::repeat_byte(0x31);
/// SELFDESTRUCT(calldata[0])
const DESTROYER: Address = Address::repeat_byte(0x32);
/// BLOCKHASH(calldata[0])
const HISTORIAN: Address = Address::repeat_byte(0x33);
/// CALL(calldata[0])
const PROBE: Address = Address::repeat_byte(0x34);
/// CALL(calldata[0]), REVERT
const REVERTING: Address = Address::repeat_byte(0x35);
/// KECCAK256 of ten kilobytes until it runs out of gas
const HASHER: Address = Address::repeat_byte(0x36);
/// Empty account that exists since genesis.
const EMPTY: Address = Address::repeat_byte(0x37);
const CODES: u8 = 8;

const fn code(number: u8) -> Address {
    Address::repeat_byte(0x10 + number)
}

pub(crate) fn sender(number: usize) -> Key {
    Key::named(&format!("sender {number}"))
}

pub(crate) fn chain(fork: ProtocolFork) -> Chain {
    let mut genesis = empty_genesis(fork);
    genesis.gas_limit = GAS_LIMIT;
    let rich = U256::from(10).pow(U256::from(24));
    for number in 0..16 {
        let account = GenesisAccount { balance: rich, ..Default::default() };
        genesis.alloc.insert(sender(number).address(), account);
    }
    for number in 0..400_u16 {
        let address = Address::from_word(keccak256(number.to_be_bytes()));
        let account = GenesisAccount { balance: U256::ONE, ..Default::default() };
        genesis.alloc.insert(address, account);
    }
    let mut contract = |at: Address, code: Vec<u8>| {
        let slot = |n: u64| (B256::from(U256::from(n)), B256::from(U256::from(n + 1)));
        let storage = (at == WRITER).then(|| (0..200).map(slot).collect());
        let balance = U256::from(1_000);
        let account =
            GenesisAccount { code: Some(code.into()), storage, balance, ..Default::default() };
        genesis.alloc.insert(at, account);
    };
    contract(WRITER, vec![0x60, 0x20, 0x35, 0x5f, 0x35, 0x55, 0x00]);
    contract(DESTROYER, vec![0x5f, 0x35, 0xff]);
    contract(HISTORIAN, vec![0x5f, 0x35, 0x40, 0x50, 0x00]);
    let call = [0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x35, 0x5a, 0xf1, 0x50];
    contract(PROBE, [&call[..], &[0x00]].concat());
    contract(REVERTING, [&call[..], &[0x5f, 0x5f, 0xfd]].concat());
    contract(HASHER, vec![0x5b, 0x61, 0x27, 0x10, 0x5f, 0x20, 0x50, 0x5f, 0x56]);
    for number in 0..CODES {
        contract(code(number), [vec![0], vec![number; 2_500 * (1 + usize::from(number))]].concat());
    }
    genesis.alloc.insert(EMPTY, GenesisAccount::default());
    start(&genesis, fork)
}

/// Returns a chain with some blocks, so that BLOCKHASH has ancestors to read.
fn start(genesis: &Genesis, fork: ProtocolFork) -> Chain {
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
    let mut chain = Chain::new(genesis, config).unwrap();
    for _ in 0..40 {
        let state = chain.state();
        let header = state.open_header(&next(&chain)).unwrap();
        let none: [RecoveredTransaction; 0] = [];
        let built = BlockBuilder::new(&state).build_recorded(&header, &[], &none).unwrap();
        chain.append(built.executed).unwrap();
    }
    chain
}

pub(crate) fn next(chain: &Chain) -> BlockAttributes {
    let parent = &chain.head().header;
    BlockAttributes {
        timestamp: parent.timestamp + 12,
        slot_number: parent.number + 1,
        ..Default::default()
    }
}

/// Counts how often the execution of a block is started, and each transaction is run.
#[derive(Debug, Default)]
struct Runs(Mutex<(usize, HashMap<B256, usize>)>);

impl EvmOverrides for Runs {
    fn begin_block(&self, _: &Header, _: &mut dyn HookState) -> Result<(), BlockError> {
        self.0.lock().unwrap().0 += 1;
        Ok(())
    }

    fn before_transaction(
        &self,
        _: usize,
        transaction: &Transaction,
        _: Address,
        _: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        *self.0.lock().unwrap().1.entry(*transaction.hash()).or_default() += 1;
        Ok(())
    }
}

/// Builds a block, and returns how often its execution was started and each transaction was run.
fn build(
    chain: &Chain,
    offered: &[RecoveredTransaction],
    limits: InputLimits,
) -> (BlockBuilderOutcome, usize, HashMap<B256, usize>) {
    let runs = Arc::<Runs>::default();
    let config = chain.config().clone().with_extension(runs.clone());
    let state = chain.state().with_config(config);
    let header = state.open_header(&next(chain)).unwrap();
    let built = BlockBuilder::new(&state)
        .build_within(&header, &[], offered, &limits, BudgetRequest::default())
        .unwrap();
    let (begun, of_each) = core::mem::take(&mut *runs.0.lock().unwrap());
    (built, begun, of_each)
}

/// Checks that EXECUTE accepts a block in its form for L1, and returns the length of the input and
/// the gas that EXECUTE reserves.
fn execute(chain: &Chain, built: &BlockBuilderOutcome) -> (usize, u64) {
    let spec = &chain.config().spec;
    let ExecutedBlock { block, witness, .. } = &built.executed;
    let fork = spec.fork_at(block.header.timestamp).unwrap();
    let input = shortest_input(block, fork, CHAIN_ID, witness).unwrap();
    let networks = Networks::Only(Arc::new(spec.clone()));
    let executed = Execute { networks, ..Execute::on(fork) }.run(&input, u64::MAX).unwrap();
    (input.len(), executed.reserve)
}

fn word(address: Address) -> Vec<u8> {
    address.into_word().to_vec()
}

fn signed(
    key: &Key,
    nonce: u64,
    to: TxKind,
    input: Vec<u8>,
    gas_limit: u64,
) -> RecoveredTransaction {
    let transaction = key.sign(TxEip1559 { input: input.into(), ..eip1559(nonce, to, gas_limit) });
    RecoveredTransaction { sender: key.address(), transaction: transaction.into(), signed: true }
}

/// Returns a random transaction that reads much, writes, removes, deploys, destroys, delegates or
/// fails.
pub(crate) fn random_transaction(
    dice: &mut Random,
    nonces: &mut [u64],
    head: u64,
    has_delegations: bool,
) -> RecoveredTransaction {
    let from = usize::try_from(dice.below(nonces.len() as u64)).unwrap();
    let (key, mut nonce) = (sender(from), nonces[from]);
    nonces[from] += 1;
    if dice.below(12) == 0 {
        nonce += dice.below(3);
    }
    let anybody = match dice.below(4) {
        0 => sender(dice.index(16)).address(),
        1 => EMPTY,
        _ => Address::from_word(keccak256((dice.below(200) as u16).to_be_bytes())),
    };
    let slot = U256::from(dice.below(220));
    let call = |to: Address, input: Vec<u8>| signed(&key, nonce, TxKind::Call(to), input, 200_000);
    match dice.below(13) {
        0 => call(anybody, vec![]),
        1 => call(code(dice.below(CODES.into()) as u8), vec![1; 600]),
        2 => call(PROBE, word(code(dice.below(CODES.into()) as u8))),
        3 => call(REVERTING, word(code(dice.below(CODES.into()) as u8))),
        4 => call(PROBE, word(anybody)),
        5 => call(WRITER, [slot.to_be_bytes::<32>(), U256::ZERO.to_be_bytes()].concat()),
        6 => call(WRITER, [slot.to_be_bytes::<32>(), U256::from(9).to_be_bytes()].concat()),
        7 => call(HISTORIAN, U256::from(head - dice.below(40)).to_be_bytes::<32>().to_vec()),
        8 => call(DESTROYER, word(anybody)),
        // RETURN 500 bytes of code; SELFDESTRUCT while it is deployed.
        9 => signed(&key, nonce, TxKind::Create, vec![0x61, 0x01, 0xf4, 0x5f, 0xf3], 300_000),
        10 => signed(&key, nonce, TxKind::Create, vec![0x33, 0xff], 300_000),
        11 => call(HASHER, vec![]),
        _ if has_delegations => {
            let authority = sender(dice.index(16));
            let address =
                if dice.below(2) == 0 { WRITER } else { code(dice.below(CODES.into()) as u8) };
            let nonce_of_authority = dice.below(2);
            let authorization = Authorization {
                chain_id: U256::from(CHAIN_ID),
                address,
                nonce: nonce_of_authority,
            };
            let transaction = key.sign(TxEip7702 {
                chain_id: CHAIN_ID,
                nonce,
                gas_limit: 200_000,
                max_fee_per_gas: 10_000_000_000,
                to: authority.address(),
                input: Bytes::from(vec![0; 64]),
                authorization_list: vec![authority.authorize(authorization)],
                ..Default::default()
            });
            RecoveredTransaction {
                sender: key.address(),
                transaction: transaction.into(),
                signed: true,
            }
        }
        _ => call(anybody, vec![7; 40]),
    }
}

fn without(
    offered: &[RecoveredTransaction],
    rejected: &[(usize, Rejection)],
) -> Vec<RecoveredTransaction> {
    let stays = |index: &usize| rejected.iter().all(|(out, _)| out != index);
    (0..offered.len()).filter(stays).map(|index| offered[index].clone()).collect()
}

#[test]
fn rejected_transactions_do_not_change_the_block() {
    let (mut taken_back, mut accepted, mut for_gas) = (0, 0, 0);
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let chain = chain(fork);
        for seed in 0..60 {
            let mut dice = Random::new(seed);
            let mut nonces = [0; 16];
            let head = chain.head().header.number;
            let delegates = fork >= ProtocolFork::Osaka;
            let offered: Vec<_> = (0..10 + dice.below(40))
                .map(|_| random_transaction(&mut dice, &mut nonces, head, delegates))
                .collect();
            let bytes = usize::try_from(15_000 + dice.below(60_000)).unwrap();
            let gas = 1_500_000 + dice.below(6_000_000);
            let limits = InputLimits {
                bytes: (dice.below(4) > 0).then_some(bytes),
                gas: (dice.below(3) > 0).then_some(gas),
                ..InputLimits::default()
            };
            let (built, begun, runs) = build(&chain, &offered, limits);
            let about = format!("{fork} {seed} {limits:?}");
            assert_eq!(begun, 1, "{about}");
            assert!(runs.values().all(|times| *times == 1), "{about}: executed again");
            let (length, reserve) = execute(&chain, &built);
            assert!(limits.bytes.is_none_or(|max| length <= max), "{about}: {length}");
            assert!(limits.gas.is_none_or(|max| reserve <= max), "{about}: {reserve}");

            let rest = without(&offered, &built.rejected);
            assert_eq!(rest.len(), built.executed.block.transactions.len(), "{about}");
            for limits in [limits, InputLimits::default()] {
                let (alone, _, _) = build(&chain, &rest, limits);
                assert!(alone.rejected.is_empty(), "{about}: {:?}", alone.rejected);
                assert_eq!(alone.executed.block.hash, built.executed.block.hash, "{about}");
                assert_eq!(alone.executed.witness, built.executed.witness, "{about}");
                let (left, right) =
                    (&alone.executed.block.executed, &built.executed.block.executed);
                assert_eq!(left.receipts, right.receipts, "{about}");
            }
            accepted += rest.len();
            let was_run = |(index, _): &&(usize, Rejection)| {
                runs.contains_key(offered[*index].transaction.hash())
            };
            let left: Vec<_> = built.rejected.iter().filter(was_run).collect();
            taken_back += left.len();
            for_gas += left
                .iter()
                .filter(|(_, reason)| reason.to_string().contains("EXECUTE needs"))
                .count();
        }
    }
    // The cases must occur often enough.
    assert!(
        accepted > 1_000 && taken_back > 300 && for_gas > 5,
        "{accepted} {taken_back} {for_gas}"
    );
}

#[test]
fn reverted_transaction_does_not_affect_empty_account_removal() {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let chain = chain(fork);
        // It sends its balance to an empty account, but has too many bytes to fit.
        let mut input = word(EMPTY);
        input.resize(6_000, 1);
        let greedy = signed(&sender(0), 0, TxKind::Call(DESTROYER), input, 1_000_000);
        let reads = signed(&sender(1), 0, TxKind::Call(code(1)), vec![], 200_000);
        let touches = signed(&sender(2), 0, TxKind::Call(EMPTY), vec![], 200_000);
        let offered = [reads.clone(), greedy, touches.clone()];
        let all = build(&chain, &offered, InputLimits::default()).0;
        let (length, _) = execute(&chain, &all);
        assert!(all.rejected.is_empty());

        // With less room it is executed, because it might fit, and then reverted.
        let (mut tried, plain) =
            (false, build(&chain, &[reads, touches], InputLimits::default()).0);
        for less in (0..6_000).step_by(50) {
            let limits =
                InputLimits { bytes: Some(length + 4_096 - less), ..InputLimits::default() };
            let (built, begun, runs) = build(&chain, &offered, limits);
            assert_eq!(begun, 1);
            // If it is included, there may be no room for the last transaction.
            if built.rejected.iter().map(|(index, _)| *index).ne([1]) {
                continue;
            }
            assert_eq!(built.executed.block.hash, plain.executed.block.hash, "{fork}");
            assert_eq!(built.executed.witness, plain.executed.witness, "{fork}");
            execute(&chain, &built);
            tried |= runs.len() == 3;
        }
        assert!(tried, "{fork}");
    }
}
