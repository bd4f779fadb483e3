//! A chain that sells EXECUTE gas: what its blocks count, what calls pay, and who cannot get around it.

use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use codec::RawBlock;
use codec::blob_tail::Trailer;
use enshrine_chain::{
    Block, BlockAttributes, BlockWithWitness, Call, CallBlock, Chain, ChainConfig, ChainError,
    ChainReader, empty_genesis,
};
use execute::{
    CallObserver, DeclaredGas, Dialect, EXECUTE_ADDRESS, Execute, ExecuteError, ExecutionSpecs,
    ObservedCall, Pricing, UnderpricedWork,
};
use executor::{BlockError, ChainSpec, EvmOverrides, Invalid, Transaction};
use stateless::{UncheckedBlocks, VerifyOptions};
use std::sync::{Arc, Mutex};
use testkit::Key;
use variants::{
    BLOB_EXECUTE_ADDRESS, BlobTail, Drake, ExecuteExtension, Flat, GasSchedule,
    market::{
        BeyondLimit, LIMIT, MARKET_ADDRESS, MARKET_CODE, MAX_EXCESS, RESERVE_RATIO, Rate, TARGET,
        excess_at, next_excess, price,
    },
};
use wire::{ProtocolFork, StatelessInput};

pub(crate) const CHAIN_ID: u64 = 8_079;
pub(crate) const GWEI: u64 = 1_000_000_000;
pub(crate) const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Passes its calldata on to EXECUTE, and goes on after any outcome.
pub(crate) const GOES_ON: (Address, [u8; 18]) =
    (Address::repeat_byte(0xa0), hex!("365f5f375f5f365f5f6101015af1500000ff"));
/// Passes its calldata on to EXECUTE, and reverts.
pub(crate) const REVERTS: (Address, [u8; 18]) =
    (Address::repeat_byte(0xb0), hex!("365f5f375f5f365f5f6101015af1505f5ffd"));
/// Calls the one that reverts with all its calldata, and goes on.
pub(crate) const AROUND: (Address, [u8; 36]) = (
    Address::repeat_byte(0xc0),
    hex!("365f5f375f5f365f5f73b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b05af150000000"),
);
/// Calls EXECUTE four times with its calldata, each time with three million gas, and goes on.
pub(crate) const FOUR_TIMES: (Address, [u8; 61]) = (
    Address::repeat_byte(0xd0),
    hex!(
        "365f5f37"
        "5f5f365f5f610101622dc6c0f150"
        "5f5f365f5f610101622dc6c0f150"
        "5f5f365f5f610101622dc6c0f150"
        "5f5f365f5f610101622dc6c0f150"
        "00"
    ),
);
/// Refusal of a call with which its block would take so much EXECUTE gas.
fn beyond_limit(got: u64) -> ExecuteError {
    BeyondLimit { got, limit: LIMIT }.into()
}

/// Account whose balance cannot take fees.
pub(crate) const FULL: Address = Address::repeat_byte(0xf0);

/// Reasons for which EXECUTE has refused calls.
#[derive(Debug, Default)]
pub(crate) struct Reasons(pub(crate) Mutex<Vec<ExecuteError>>);

impl CallObserver for Reasons {
    fn called(&self, call: &ObservedCall<'_>) {
        if let Err(reason) = call.outcome {
            self.0.lock().unwrap().push(reason.clone());
        }
    }
}

pub(crate) struct L1 {
    pub(crate) chain: Chain,
    pub(crate) reasons: Arc<Reasons>,
}

pub(crate) fn genesis(fork: ProtocolFork, excess: u64) -> Genesis {
    let mut genesis = empty_genesis(fork);
    genesis.gas_limit = 200_000_000;
    genesis.base_fee_per_gas = Some(u128::from(GWEI) * 8 / 7);
    for name in ["alice", "bob"] {
        let rich = GenesisAccount { balance: U256::from(10_u128.pow(24)), ..Default::default() };
        genesis.alloc.insert(Key::named(name).address(), rich);
    }
    let full = GenesisAccount { balance: U256::MAX, ..Default::default() };
    genesis.alloc.insert(FULL, full);
    let contracts = [
        (GOES_ON.0, &GOES_ON.1[..]),
        (REVERTS.0, &REVERTS.1),
        (AROUND.0, &AROUND.1),
        (FOUR_TIMES.0, &FOUR_TIMES.1),
    ];
    for (address, code) in contracts.into_iter().chain([(MARKET_ADDRESS, MARKET_CODE)]) {
        let storage = (address == MARKET_ADDRESS)
            .then(|| [(B256::ZERO, B256::from(U256::from(excess)))].into());
        let code = Some(Bytes::copy_from_slice(code));
        genesis.alloc.insert(address, GenesisAccount { code, storage, ..Default::default() });
    }
    genesis
}

impl L1 {
    fn new(fork: ProtocolFork, schedule: GasSchedule, excess: u64) -> Self {
        Self::of(&genesis(fork, excess), fork, schedule)
    }

    fn of(genesis: &Genesis, fork: ProtocolFork, schedule: GasSchedule) -> Self {
        let reasons = Arc::<Reasons>::default();
        let observer = Arc::<Reasons>::clone(&reasons);
        let execute = Execute { gas: schedule.into(), observer, ..Execute::on(fork) };
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))
            .with_extension(Arc::new(ExecuteExtension::with_market(execute)));
        Self { chain: Chain::new(genesis, config).unwrap(), reasons }
    }

    /// The same L1, where EXECUTE is changed.
    fn with(mut self, change: impl FnOnce(&mut Execute)) -> Self {
        self.chain.configure(|config| {
            let present = config.extension::<ExecuteExtension>().unwrap();
            let mut execute = Execute::clone(&present.execute);
            change(&mut execute);
            config.set_extension(Arc::new(ExecuteExtension::with_market(execute)));
        });
        self
    }

    pub(crate) fn excess(&self) -> u64 {
        self.chain.storage(MARKET_ADDRESS, U256::ZERO).unwrap().to()
    }

    pub(crate) fn reasons(&self) -> Vec<ExecuteError> {
        std::mem::take(&mut self.reasons.0.lock().unwrap())
    }

    pub(crate) fn attributes(&self) -> BlockAttributes {
        let parent = &self.chain.head().header;
        BlockAttributes {
            timestamp: parent.timestamp + 12,
            slot_number: parent.number + 1,
            ..Default::default()
        }
    }

    /// Makes a block of all of them, which imports and verifies too; the gas that each has used.
    fn block(&mut self, transactions: Vec<Transaction>) -> (BlockWithWitness, Vec<u64>) {
        let (block, rejected) = self.chain.build(&self.attributes(), transactions).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        self.append(block)
    }

    fn append(&mut self, block: BlockWithWitness) -> (BlockWithWitness, Vec<u64>) {
        let reasons = self.reasons();
        let raw = RawBlock::decode(&block.block.rlp()).unwrap();
        let imported = self.chain.import(&raw).unwrap();
        assert_eq!((imported.block.hash, &imported.witness), (block.block.hash, &block.witness));
        assert_eq!(verify(&block, self.chain.config()), Ok(()));
        let head = self.chain.append(block.clone()).unwrap();
        let before = self.chain.state_before(&head).unwrap().unwrap();
        assert_eq!(before.witness_of(&head).unwrap(), block.witness);
        *self.reasons.0.lock().unwrap() = reasons;
        let used = gas_used(&head);
        (block, used)
    }

    /// Rate of the next block.
    fn rate(&self) -> Rate {
        let base_fee = self.chain.state().next_base_fee().unwrap();
        Rate { price: price(self.excess()), base_fee }
    }
}

pub(crate) fn gas_used(block: &Block) -> Vec<u64> {
    let sums = block.executed.receipts.iter().map(|receipt| receipt.cumulative_gas_used);
    let before = [0].into_iter().chain(sums.clone());
    sums.zip(before).map(|(sum, before)| sum - before).collect()
}

fn verify(block: &BlockWithWitness, evm: &dyn EvmOverrides) -> Result<(), BlockError> {
    let calldata = block.input().unwrap();
    let input = StatelessInput::decode(&calldata).unwrap();
    let spec = ChainSpec::constant(CHAIN_ID, block.fork);
    let options = VerifyOptions { evm, ..VerifyOptions::default() };
    UncheckedBlocks::decode(&input)?.verify(&spec, options, |_| {})?;
    Ok(())
}

fn send(who: &str, nonce: u64, to: Address, gas_limit: u64, input: &[u8]) -> Transaction {
    Key::named(who).sign(TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: 100 * u128::from(GWEI),
        to: TxKind::Call(to),
        input: Bytes::copy_from_slice(input),
        ..Default::default()
    })
}

/// An L2 block without transactions, as calldata of EXECUTE.
pub(crate) fn empty_l2_block(fork: ProtocolFork) -> Vec<u8> {
    let config = ChainConfig::new(ChainSpec::constant(9_999, fork));
    let chain = Chain::new(&empty_genesis(fork), config).unwrap();
    let attributes = BlockAttributes { timestamp: 12, slot_number: 1, ..Default::default() };
    chain.build(&attributes, vec![]).unwrap().0.input().unwrap()
}

/// Price of each call of EXECUTE under a flat schedule with free bytes, for any outcome.
pub(crate) const fn flat(base: u64) -> GasSchedule {
    GasSchedule::Flat(Flat { base, per_byte: 0 })
}

const CALL: u64 = 20_000_000;

#[test]
fn a_call_pays_its_price_in_gas_of_the_block_and_the_block_counts_it() {
    for fork in FORKS {
        let input = empty_l2_block(fork);
        let mut paid = Vec::new();
        for wei in [GWEI / 4, GWEI, 4 * GWEI] {
            let mut l1 = L1::new(fork, flat(1_000_000), excess_at(wei));
            let (rate, excess) = (l1.rate(), l1.excess());
            let (block, used) = l1.block(vec![send("alice", 0, GOES_ON.0, 5_000_000, &input)]);
            assert!(l1.reasons().is_empty());
            assert_eq!(rate.base_fee, block.block.header.base_fee_per_gas.unwrap());
            assert_eq!(l1.excess(), next_excess(excess, 1_000_000, rate.base_fee));
            paid.push((used[0], rate.gas(1_000_000)));
        }
        // The other costs of the transactions are the same.
        let besides: Vec<_> = paid.iter().map(|(used, charge)| used - charge).collect();
        assert_eq!(besides, [besides[0]; 3], "{fork}: {paid:?}");
        assert!(paid[2].1 > 15 * paid[0].1);
    }
}

#[test]
fn without_the_market_nothing_of_it_is_there() {
    let fork = ProtocolFork::Osaka;
    let l1 = L1::new(fork, flat(100_000), excess_at(GWEI));
    let execute = Execute { gas: flat(100_000).into(), ..Execute::on(fork) };
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))
        .with_extension(Arc::new(ExecuteExtension::new(execute)));
    let plain = Chain::new(&genesis(fork, excess_at(GWEI)), config).unwrap();
    let transactions = vec![send("alice", 0, GOES_ON.0, 5_000_000, &empty_l2_block(fork))];
    let (block, _) = plain.build(&l1.attributes(), transactions.clone()).unwrap();
    assert_eq!(verify(&block, plain.config()), Ok(()));
    let raw = RawBlock::decode(&block.block.rlp()).unwrap();
    // Only the market writes to the contract: each refuses the blocks of the other.
    assert!(matches!(l1.chain.import(&raw), Err(ChainError::Invalid(_))));
    let (block, _) = l1.chain.build(&l1.attributes(), transactions).unwrap();
    let raw = RawBlock::decode(&block.block.rlp()).unwrap();
    assert!(matches!(plain.import(&raw), Err(ChainError::Invalid(_))));
    assert!(l1.chain.import(&raw).is_ok());
}

#[test]
fn work_whose_caller_reverts_is_paid_and_counted_like_any_other() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    for (to, succeeds) in [(GOES_ON.0, true), (REVERTS.0, false), (AROUND.0, true)] {
        let mut l1 = L1::new(ProtocolFork::Osaka, flat(100_000), excess_at(GWEI));
        let (excess, rate) = (l1.excess(), l1.rate());
        let (block, used) = l1.block(vec![send("alice", 0, to, 5_000_000, &input)]);
        assert!(l1.reasons().is_empty(), "EXECUTE itself succeeds");
        assert_eq!(block.block.executed.receipts[0].success, succeeds);
        assert!(used[0] > rate.gas(100_000), "{to}: what was worked on is paid");
        assert_eq!(l1.excess() + TARGET, excess + 100_000, "{to}");
    }
}

#[test]
fn a_call_that_fails_counts_with_all_that_it_had_to_hold() {
    let fork = ProtocolFork::Osaka;
    let valid = empty_l2_block(fork);
    let mut wrong = valid.clone();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    for (input, fails) in [(valid.clone(), false), (wrong, true), (valid[..2].to_vec(), true)] {
        let mut l1 = L1::new(fork, flat(100_000), excess_at(GWEI));
        let excess = l1.excess();
        let (_, used) = l1.block(vec![send("alice", 0, GOES_ON.0, 3_000_000, &input)]);
        assert_eq!(l1.reasons().len(), usize::from(fails));
        assert_eq!(
            l1.excess() + TARGET,
            excess + 100_000,
            "the reserve of a call that fails counts"
        );
        assert_eq!(used[0] > 2_900_000, fails, "all its gas is gone");
    }
    // One that cannot pay makes no work, counts for nothing, and is told both in gas of the block.
    let mut l1 = L1::new(fork, flat(100_000), excess_at(4 * GWEI));
    let excess = l1.excess();
    l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 100_000, &valid[..2])]);
    let reasons = l1.reasons();
    let [ExecuteError::OutOfGas { got, reserve }] = reasons[..] else { panic!("{reasons:?}") };
    assert!((70_000..100_000).contains(&got), "{got}");
    assert!(reserve.abs_diff(400_000) < 10, "{reserve}");
    assert_eq!(l1.excess() + TARGET, excess);
}

#[test]
fn what_is_beyond_the_limit_halts_with_all_its_gas_gone_and_the_next_block_has_room_again() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let calls = |nonce: u64, count: u64| {
        (0..count).map(move |at| (nonce + at, 10_000_000)).collect::<Vec<_>>()
    };
    let of_alice = |(nonce, gas): (u64, u64)| send("alice", nonce, EXECUTE_ADDRESS, gas, &input);
    let mut transactions: Vec<_> = calls(0, 3).into_iter().map(of_alice).collect();
    transactions.push(send("bob", 0, EXECUTE_ADDRESS, 9_000_000, &input));
    let excess = l1.excess();
    let (block, used) = l1.block(transactions);
    let succeeded: Vec<_> =
        block.block.executed.receipts.iter().map(|receipt| receipt.success).collect();
    assert_eq!(succeeded, [true, true, true, false]);
    assert_eq!(used[3], 9_000_000, "all its gas is gone");
    assert_eq!(l1.reasons(), [beyond_limit(LIMIT + CALL)]);
    assert_eq!(l1.excess(), excess + LIMIT - TARGET, "the fourth did no work and counts nothing");
    let (block, _) = l1.block(vec![send("bob", 1, EXECUTE_ADDRESS, 9_000_000, &input)]);
    assert!(block.block.executed.receipts[0].success && l1.reasons().is_empty());
    // A call that asks for more than the whole limit causes no work in any block.
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(LIMIT + 1), excess_at(GWEI / 8));
    l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 10_000_000, &input)]);
    assert_eq!(l1.reasons(), [beyond_limit(LIMIT + 1)]);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(LIMIT), excess_at(GWEI / 8));
    let (block, _) = l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 10_000_000, &input)]);
    assert!(block.block.executed.receipts[0].success);
}

#[test]
fn calls_of_one_transaction_share_the_limit_as_those_of_several_do() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let excess = l1.excess();
    let (block, used) = l1.block(vec![send("alice", 0, FOUR_TIMES.0, 14_000_000, &input)]);
    assert!(block.block.executed.receipts[0].success);
    assert_eq!(l1.reasons(), [beyond_limit(LIMIT + CALL)]);
    assert_eq!(l1.excess(), excess + LIMIT - TARGET, "three of them, and nothing of the fourth");
    assert!(used[0] > 10_000_000, "all that the fourth had is gone: {used:?}");
    // Four that are smaller are within it.
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(LIMIT / 4), excess_at(GWEI / 8));
    l1.block(vec![send("alice", 0, FOUR_TIMES.0, 14_000_000, &input)]);
    assert_eq!((l1.reasons(), l1.excess()), (vec![], excess + LIMIT - TARGET));
}

/// A true claim about an L2 block without transactions, in Drake's form.
fn claim(input: &[u8], pre: B256) -> Vec<u8> {
    let post = StatelessInput::decode(input).unwrap().request.payload.state_root;
    let words = [pre, post, U256::from(128).into(), B256::ZERO, U256::from(input.len()).into()];
    let mut claim = [&words.concat(), input].concat();
    claim.resize(claim.len().next_multiple_of(32), 0);
    claim
}

#[test]
fn calls_of_all_dialects_count_for_one_limit_and_the_next_price() {
    for fork in FORKS {
        let input = empty_l2_block(fork);
        let config = ChainConfig::new(ChainSpec::constant(9_999, fork));
        let l2 = Chain::new(&empty_genesis(fork), config).unwrap();
        let trailer = Trailer::new(0, 0).unwrap().encode();
        let ways = [
            (EXECUTE_ADDRESS, input.clone()),
            (Drake.address(), claim(&input, l2.head().header.state_root)),
            // Nothing of it is in blobs, so that the transaction needs none.
            (BLOB_EXECUTE_ADDRESS, [&input[..], &trailer].concat()),
        ];
        // Each of them is once the one that comes too late.
        for (last, calldata) in &ways {
            let mut l1 = L1::new(fork, flat(CALL), excess_at(GWEI / 8)).with(|execute| {
                let blobs = BlobTail::new(Arc::new(()));
                execute.dialects = vec![Arc::new(ExecutionSpecs), Arc::new(Drake), Arc::new(blobs)];
            });
            let excess = l1.excess();
            let calls = (0..)
                .zip(&ways)
                .map(|(nonce, (to, calldata))| send("alice", nonce, *to, 10_000_000, calldata));
            let mut transactions: Vec<_> = calls.collect();
            transactions.push(send("bob", 0, *last, 10_000_000, calldata));
            let (block, used) = l1.block(transactions);
            let receipts = &block.block.executed.receipts;
            let succeeded: Vec<_> = receipts.iter().map(|receipt| receipt.success).collect();
            assert_eq!(succeeded, [true, true, true, false], "{fork} {last}");
            assert_eq!(used[3], 10_000_000, "{fork} {last}: all its gas is gone");
            let refused = beyond_limit(LIMIT + CALL);
            assert_eq!(l1.reasons(), [refused], "{fork} {last}");
            assert_eq!(l1.excess(), excess + LIMIT - TARGET, "{fork} {last}");
            let (block, _) = l1.block(vec![send("bob", 1, *last, 10_000_000, calldata)]);
            assert!(block.block.executed.receipts[0].success, "{fork} {last}: there is room again");
        }
    }
}

/// Price of a call besides its underpriced work, and the extra price of a hash on the L2.
#[derive(Debug)]
struct ExpensiveHashes(u64);

impl Pricing for ExpensiveHashes {
    fn bytes(&self, _: u64) -> u64 {
        100_000
    }

    fn reserve(&self, _: &DeclaredGas) -> u64 {
        100_000
    }

    fn charge(&self, _: &DeclaredGas, _: u64) -> u64 {
        100_000
    }

    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        if matches!(work, UnderpricedWork::Keccak { .. }) { self.0 } else { 0 }
    }
}

#[test]
fn dear_work_that_shows_during_execution_is_within_the_limit_as_well() {
    let fork = ProtocolFork::Osaka;
    let hashes = Address::repeat_byte(0x20);
    let mut of_l2 = genesis(fork, 0);
    let code = Some(Bytes::from_static(&hex!("5f5f2000")));
    of_l2.alloc.insert(hashes, GenesisAccount { code, ..Default::default() });
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
    let l2 = Chain::new(&of_l2, config).unwrap();
    let attributes = BlockAttributes { timestamp: 12, ..Default::default() };
    let (block, rejected) =
        l2.build(&attributes, vec![send("alice", 0, hashes, 100_000, &[])]).unwrap();
    assert!(rejected.is_empty());
    let input = block.input().unwrap();
    for (beyond, reason) in [(0, None), (1, Some(beyond_limit(LIMIT + 1)))] {
        let expensive = Arc::new(ExpensiveHashes(LIMIT - 100_000 + beyond));
        let mut l1 =
            L1::new(fork, flat(0), excess_at(GWEI / 8)).with(|execute| execute.gas = expensive);
        let excess = l1.excess();
        let (block, _) = l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 16_000_000, &input)]);
        assert_eq!(block.block.executed.receipts[0].success, beyond == 0);
        assert_eq!(l1.reasons(), Vec::from_iter(reason));
        // It is unknown how much of it was done; the call has paid with everything that there was.
        assert_eq!(l1.excess(), excess + LIMIT - TARGET);
    }
}

#[test]
fn who_fills_the_limit_pays_an_eighth_more_for_each_block() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 50));
    let mut wei = Vec::new();
    for block in 0..12 {
        let price = price(l1.excess());
        let calls =
            (0..3).map(|at| send("alice", 3 * block + at, EXECUTE_ADDRESS, 16_000_000, &input));
        let (built, used) = l1.block(calls.collect());
        let success = built.block.executed.receipts.iter().all(|receipt| receipt.success);
        assert!(success && l1.reasons().is_empty());
        // The gas that EXECUTE has taken, at the base fee of the block: intrinsic gas is the rest.
        let base_fee = u128::from(built.block.header.base_fee_per_gas.unwrap());
        let paid: u128 = used.iter().map(|gas| u128::from(*gas) * base_fee).sum();
        assert!(paid >= u128::from(LIMIT) * u128::from(price), "block {block}");
        wei.push(u128::from(LIMIT) * u128::from(price));
    }
    for pair in wei.windows(2) {
        let ratio = pair[1] as f64 / pair[0] as f64;
        assert!((ratio - 1.125).abs() < 1e-3, "{ratio}");
    }
    // Twelve blocks cost what the sum of the geometric series is.
    let (sum, first) = (wei.iter().sum::<u128>() as f64, wei[0] as f64);
    let expected = first * (1.125_f64.powi(12) - 1.0) / 0.125;
    assert!((sum / expected - 1.0).abs() < 1e-2, "{sum} {expected}");
}

#[test]
fn a_transaction_that_is_left_out_of_the_block_counts_for_nothing() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let tipped = |nonce| {
        Key::named("bob").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 10_000_000,
            max_fee_per_gas: 100 * u128::from(GWEI),
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(EXECUTE_ADDRESS),
            input: input.clone().into(),
            ..Default::default()
        })
    };
    let alice = |nonce| send("alice", nonce, EXECUTE_ADDRESS, 10_000_000, &input);
    // Its fees would be more than their recipient can hold, which shows when it has been executed.
    let attributes = BlockAttributes { fee_recipient: FULL, ..l1.attributes() };
    let offered = vec![tipped(0), alice(0), tipped(0), alice(1), alice(2), tipped(0)];
    let (block, rejected) = l1.chain.build(&attributes, offered).unwrap();
    assert_eq!(rejected.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2, 5]);
    assert!(
        block.block.executed.receipts.iter().all(|receipt| receipt.success),
        "there was room for all"
    );
    let excess = l1.excess();
    l1.append(block);
    assert_eq!(l1.excess(), excess + LIMIT - TARGET);
}

#[test]
fn calls_see_the_price_of_the_state_that_they_run_on() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI / 8));
    let call = |chain: &ChainReader| {
        let call = Call {
            to: Some(EXECUTE_ADDRESS),
            data: input.clone().into(),
            gas: Some(100_000_000),
            block: CallBlock::Head,
            ..Default::default()
        };
        let done = chain.call(call).unwrap();
        assert!(done.success);
        done.gas_used
    };
    let cost = |l1: &L1| {
        let base_fee = l1.chain.head().header.base_fee_per_gas.unwrap();
        Rate { price: price(l1.excess()), base_fee }.gas(CALL)
    };
    let (before, expected) = (call(&l1.chain), cost(&l1));
    let besides = before - expected;
    let calls = (0..3).map(|at| send("alice", at, EXECUTE_ADDRESS, 16_000_000, &input));
    l1.block(calls.collect());
    assert_ne!(cost(&l1), expected);
    assert_eq!(call(&l1.chain) - cost(&l1), besides);
    assert_eq!(call(&l1.chain), call(&l1.chain), "each call finds the block empty");
}

#[test]
fn a_block_without_the_contract_cannot_be_closed() {
    for other in [None, Some(Bytes::from_static(&[0]))] {
        let mut genesis = genesis(ProtocolFork::Osaka, 0);
        genesis.alloc.get_mut(&MARKET_ADDRESS).unwrap().code = other;
        let l1 = L1::of(&genesis, ProtocolFork::Osaka, flat(CALL));
        let refused = l1.chain.build(&l1.attributes(), vec![]).unwrap_err();
        let is_about_code = matches!(
            refused,
            ChainError::Invalid(Invalid::SystemCode { address, .. }) if address == MARKET_ADDRESS
        );
        assert!(is_about_code, "{refused}");
    }
    let l1 = L1::new(ProtocolFork::Osaka, flat(CALL), 0);
    assert!(l1.chain.build(&l1.attributes(), vec![]).is_ok());
}

#[test]
fn an_excess_that_no_block_can_have_written_is_the_most_there_is_from_the_next_block_on() {
    let beyond = U256::from(u64::MAX);
    let most = U256::from(MAX_EXCESS);
    for (excess, next) in [
        // The same as from any other contract.
        (most - U256::from(TARGET), MAX_EXCESS - 2 * TARGET),
        (most, MAX_EXCESS - TARGET),
        (most + U256::from(TARGET - 1), MAX_EXCESS - 1),
        (most + U256::from(TARGET), MAX_EXCESS),
        // The slot is a word, which a genesis can fill.
        (beyond, MAX_EXCESS),
        (beyond + U256::ONE, MAX_EXCESS),
        (U256::MAX, MAX_EXCESS),
    ] {
        let mut genesis = genesis(ProtocolFork::Osaka, 0);
        let contract = genesis.alloc.get_mut(&MARKET_ADDRESS).unwrap();
        contract.storage = Some([(B256::ZERO, excess.into())].into());
        let mut l1 = L1::of(&genesis, ProtocolFork::Osaka, flat(1));
        // A call finds the price in the state before the block.
        let input = empty_l2_block(ProtocolFork::Osaka);
        let (block, _) = l1.block(vec![send("alice", 0, EXECUTE_ADDRESS, 16_000_000, &input)]);
        let base_fee = block.block.header.base_fee_per_gas.unwrap();
        let rate = Rate { price: price(excess.saturating_to()), base_fee };
        let reasons = l1.reasons();
        let [ExecuteError::OutOfGas { reserve, .. }] = reasons[..] else { panic!("{reasons:?}") };
        assert_eq!((reserve, l1.excess()), (rate.gas(1), next), "{excess}");
        l1.block(vec![]);
        assert_eq!(l1.excess(), next - TARGET, "{excess}");
    }
}

#[test]
fn no_transaction_writes_to_the_contract() {
    let mut l1 = L1::new(ProtocolFork::Osaka, flat(CALL), excess_at(GWEI));
    let excess = l1.excess();
    let word = U256::from(1).to_be_bytes::<32>();
    let (block, _) = l1.block(vec![
        send("alice", 0, MARKET_ADDRESS, 100_000, &word),
        send("alice", 1, MARKET_ADDRESS, 100_000, &[]),
    ]);
    let succeeded: Vec<_> =
        block.block.executed.receipts.iter().map(|receipt| receipt.success).collect();
    assert_eq!(succeeded, [false, true], "it can be asked and not told");
    assert_eq!(l1.excess(), excess - TARGET);
}

#[test]
fn idle_blocks_lower_the_price_to_the_reserve_and_no_further_and_any_use_raises_it_there() {
    let above = GWEI / RESERVE_RATIO + GWEI / 100;
    let below = GWEI / RESERVE_RATIO - GWEI / 100;
    for (wei, idle, used) in
        [(above, -(TARGET as i64), 100_000 - TARGET as i64), (below, 0, 50_000)]
    {
        let mut l1 = L1::new(ProtocolFork::Osaka, flat(100_000), excess_at(wei));
        let excess = l1.excess() as i64;
        let input = empty_l2_block(ProtocolFork::Osaka);
        let transactions = vec![send("alice", 0, EXECUTE_ADDRESS, 1_000_000, &input)];
        let (block, _) = l1.chain.build(&l1.attributes(), transactions).unwrap();
        assert_eq!(block.block.header.base_fee_per_gas, Some(GWEI));
        l1.block(vec![]);
        assert_eq!(l1.excess() as i64, excess + idle, "{wei}");
        let mut l1 = L1::new(ProtocolFork::Osaka, flat(100_000), excess_at(wei));
        l1.append(block);
        assert_eq!(l1.excess() as i64, excess + used, "{wei}");
    }
}
