//! Cost of L2 transactions on L1 according to receipts: ETH and token transfers in batches and in
//! single blocks, as calldata of `NativeRollup.advance` and in blobs in the cheapest way, on an L1
//! at Osaka in this process, for an L2 with 10,000 accounts or the number in `--accounts`.
//!
//! The L2 has run for a while: the ring buffers of EIP-4788 and EIP-2935 are full, so that each
//! block writes to tries with thousands of slots, and so is the ring buffer of state roots on L1.
//! With `--young` the L2 is a few blocks old.

mod bytes;
mod documented;
mod figures;

use self::{bytes::Parts, documented::Column, figures::Figures};
use alloy_eips::{eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_sol_types::{SolCall, sol};
use chain::{Block, witness_of};
use contracts::{
    advance_plan::{AdvanceInput, AdvancePlan, L1Limits, L1Prices, cheapest, ways_in_blobs},
    bindings::INativeRollup::Evidence,
    code_reference::{CodeReference, codes_in},
};
use core::ops::AddAssign;
use execute::Execute;
use eyre::{Result, ensure, eyre};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, slice::from_ref, sync::Arc, time::Instant};
use testkit::{
    Artifacts, ETHER, Key, L1, L2, Random, Rollup, RollupFixture, TRANSACTION_GAS_CAP, Transaction,
    fill_system_rings, rich,
};
use variants::GasSchedule;
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
const FORK: ProtocolFork = ProtocolFork::Osaka;
/// Default number of L2 accounts.
const ACCOUNTS: u64 = 10_000;
/// Address of a token on the L2.
const TOKEN: Address = address!("0x7000000000000000000000000000000000000007");

sol! {
    function transfer(address to, uint256 amount) returns (bool);
}

/// Number of blocks in the batch.
const BLOCKS: usize = 10;
/// Number of transfers per block.
const TRANSFERS: usize = 50;
/// Gas limit of a token transfer, a sixth above the gas used, as wallets estimate gas.
const TOKEN_GAS: u64 = 40_000;
/// Number of timed runs of EXECUTE.
const ROUNDS: usize = 9;
/// Slots of the ring buffer of state roots.
const RING: core::ops::Range<u64> = 5..5 + 8_191;
/// Slot of the anchor in the rollup contract.
const ANCHOR_SLOT: U256 = U256::from_limbs([2, 0, 0, 0]);
/// Anchor of every block, as if L1 had sent messages.
const ANCHOR: B256 = B256::repeat_byte(0xa5);

/// A rollup whose L2 has many accounts. Its construction is deterministic.
struct PopulatedRollup {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    operator: Key,
    execute: Execute,
    /// Addresses of the accounts that have ether and tokens.
    holders: Arc<[Address]>,
    /// Codes of L2 contracts that L1 stores.
    kept: Vec<CodeReference>,
    random: Random,
}

/// Size and age of the L2 state.
#[derive(Debug, Clone)]
struct Past {
    /// Addresses of the accounts that have ether and tokens.
    holders: Arc<[Address]>,
    is_young: bool,
}

/// Cost of posting some blocks.
#[derive(Debug, Default, Clone)]
struct Cost {
    /// Gas of the L1 transactions.
    l1_gas: u64,
    /// Gas of the L2 blocks.
    l2_gas: u64,
    /// Gas of the calldata (EIP-2028).
    calldata_gas: u64,
    /// Bytes of the inputs.
    bytes: usize,
    /// Number of L1 transactions.
    calls: u64,
    /// Number of blobs in these transactions.
    blobs: u64,
    /// Number of blocks in each input, for each call with blobs.
    ways: Vec<Vec<u64>>,
}

/// Data availability of the inputs on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Availability {
    /// Calldata with references to codes that L1 stores, where that is cheaper.
    Calldata,
    /// The same, in transactions that public pools accept.
    Public,
    /// Calldata without references.
    Plain,
    Blobs,
}

/// Transactions that fill a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Transfers of ETH.
    Ether,
    /// Transfers of a token.
    Token,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.l1_gas += other.l1_gas;
        self.l2_gas += other.l2_gas;
        self.calldata_gas += other.calldata_gas;
        self.bytes += other.bytes;
        self.calls += other.calls;
        self.blobs += other.blobs;
        self.ways.extend(other.ways);
    }
}

impl Cost {
    /// Describes how the blocks were posted.
    fn way(&self) -> String {
        if self.ways.is_empty() {
            return "calldata".to_owned();
        }
        let of = |way: &Vec<u64>| way.iter().map(u64::to_string).collect::<Vec<_>>().join("+");
        format!(
            "blobs, inputs of {} blocks",
            self.ways.iter().map(of).collect::<Vec<_>>().join("; ")
        )
    }

    /// Returns the share of the gas beyond the blocks' gas and the calldata gas.
    fn overhead_share(&self) -> f64 {
        self.l1_gas.saturating_sub(self.l2_gas + self.calldata_gas) as f64 / self.l1_gas as f64
    }
}

fn account(index: u64) -> Key {
    Key::named(&format!("account {index}"))
}

impl PopulatedRollup {
    fn new(schedule: GasSchedule, past: &Past) -> Result<Self> {
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let operator = Key::named("operator");
        let execute = Execute { gas: schedule.into(), ..Execute::default() };
        let mut l1 = L1::with_blobs(ProtocolFork::Osaka, L1_CHAIN, execute.clone(), &["operator"])?;
        let mut balances = BTreeMap::new();
        for holder in past.holders.iter() {
            balances.insert(balance_slot(*holder), U256::from(ETHER).into());
        }
        let code = Some(artifacts.get("BridgedToken")?.runtime_code.clone());
        let token = GenesisAccount { code, storage: Some(balances), ..Default::default() };
        let mut fixture = RollupFixture::new(L2_CHAIN, FORK, l1.next_timestamp())?
            .accounts(past.holders.iter().map(|holder| (*holder, rich(ETHER))))
            .accounts([(TOKEN, token)]);
        if !past.is_young {
            fixture = fixture.with_genesis(fill_system_rings);
        }
        let (l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;
        let holders = Arc::clone(&past.holders);
        let kept = Vec::new();
        l1.edit(|state| state.set_slot(rollup.address, ANCHOR_SLOT, ANCHOR.into()))?;
        let mut populated =
            Self { l1, l2, rollup, operator, execute, holders, kept, random: Random::new(1) };
        // The first block is atypical, and so are blocks before the ring buffer is full.
        let first = populated.block(Load::Ether, 1)?;
        let input = populated.shortest_input(from_ref(&first))?;
        let data = AdvancePlan::in_calldata(&[populated.measured_as(&[first], input)?])
            .calldata(Evidence::default());
        let (to, gas) = (populated.rollup.address, TRANSACTION_GAS_CAP);
        let sent = populated.l1.send(&populated.operator, to.into(), U256::ZERO, data, gas)?;
        ensure!(sent.receipt.success, "the first advance fails");
        populated.fill_ring()?;
        Ok(populated)
    }

    /// Stores the codes in the batch of these blocks on L1, for later blocks.
    fn keep_codes(&mut self, blocks: &[Arc<Block>]) -> Result<()> {
        let input = self.l2.chain().batch(blocks.to_vec())?.input()?;
        let codes = CodeReference::new(codes_in(&input).to_vec().into());
        let codes = codes.ok_or_else(|| eyre!("more codes than fit into an account"))?;
        self.l1.keep(&self.operator, &codes)?;
        self.kept.push(codes);
        Ok(())
    }

    fn fill_ring(&mut self) -> Result<()> {
        let rollup = self.rollup.address;
        self.l1.edit(|state| {
            RING.skip(2).try_for_each(|slot| state.set_slot(rollup, U256::from(slot), U256::ONE))
        })?;
        Ok(())
    }

    /// Returns sender and recipient of the next transfer.
    fn pair(&mut self) -> (Key, Address) {
        let count = self.holders.len() as u64;
        let (from, to) = (self.random.below(count), self.random.below(count));
        (account(from), account(to).address())
    }

    /// Signs a transfer between random accounts.
    fn transfer(&mut self) -> Result<Transaction> {
        let (from, to) = self.pair();
        let value = U256::from(self.random.below(1 << 50));
        Ok(self.l2.sign(&from, to.into(), value, Bytes::new(), 21_000)?)
    }

    /// Signs a token transfer between random accounts.
    fn token_transfer(&mut self) -> Result<Transaction> {
        let (from, to) = self.pair();
        let amount = U256::from(self.random.below(1 << 50));
        let data = transferCall { to, amount }.abi_encode();
        Ok(self.l2.sign(&from, TOKEN.into(), U256::ZERO, data.into(), TOKEN_GAS)?)
    }

    /// Appends a block with this many transfers to the L2.
    fn block(&mut self, load: Load, transfers: usize) -> Result<Arc<Block>> {
        let one = |_| match load {
            Load::Ether => self.transfer(),
            Load::Token => self.token_transfer(),
        };
        let transactions = (0..transfers).map(one).collect::<Result<Vec<_>>>()?;
        let new = self.l2.seal_successes(self.l2.next_timestamp(), ANCHOR, transactions)?;
        Ok(self.l2.append(new)?)
    }

    /// Returns the input for some blocks: a batch, or for a single block the shorter of both forms.
    fn shortest_input(&self, blocks: &[Arc<Block>]) -> Result<Vec<u8>> {
        let batch = self.l2.chain().batch(blocks.to_vec())?.input()?;
        if blocks.len() > 1 {
            return Ok(batch);
        }
        let single = self.input(blocks)?;
        Ok(if batch.len() < single.len() { batch } else { single })
    }

    /// Returns the input for some blocks: a batch, or for a single block that of the
    /// execution-specs.
    fn input(&self, blocks: &[Arc<Block>]) -> Result<Vec<u8>> {
        if let [block] = blocks {
            let state = self.l2.chain().state_before(block)?.ok_or_else(|| eyre!("no parent"))?;
            return Ok(block.input(FORK, L2_CHAIN, &witness_of(&state, block)?)?);
        }
        Ok(self.l2.chain().batch(blocks.to_vec())?.input()?)
    }

    /// Posts blocks of token transfers.
    fn tokens(&mut self, way: Availability) -> Result<Cost> {
        let many = |_| self.block(Load::Token, TRANSFERS);
        let blocks = (0..BLOCKS).map(many).collect::<Result<Vec<_>>>()?;
        if way == Availability::Calldata {
            self.keep_codes(&blocks)?;
        }
        self.advance(&blocks, way)
    }

    /// Returns `true` if public pools accept a transaction with this block as calldata.
    fn fits_public_pools(&self, block: &Arc<Block>) -> Result<bool> {
        Ok(self.shortest_input(from_ref(block))?.len() <= L1Limits::default().input_bytes())
    }

    /// Posts blocks in one call, or, if that exceeds L1's limits, each half of them in turn.
    fn advance(&mut self, blocks: &[Arc<Block>], way: Availability) -> Result<Cost> {
        if way == Availability::Blobs {
            return self.advance_by_blobs(blocks);
        }
        let input = self.shortest_input(blocks)?;
        let bytes = input.len();
        let input = self.measured_as(blocks, input)?;
        let kept = if way == Availability::Plain { &[][..] } else { &self.kept };
        let ways = AdvancePlan::ways_in_calldata(&[input], kept);
        let prices = L1Prices { fork: FORK, gas: 1, blob_gas: None };
        let limits = match way {
            Availability::Public => L1Limits::default(),
            _ => L1Limits { bytes: usize::MAX, ..L1Limits::default() },
        };
        let Some((posting, cost)) = cheapest(ways, &prices, &limits, 0, RING.end) else {
            ensure!(blocks.len() > 1, "a block of {bytes} bytes cannot be posted");
            let (first, second) = blocks.split_at(blocks.len() / 2);
            let mut cost = self.advance(first, way)?;
            cost += self.advance(second, way)?;
            return Ok(cost);
        };
        let data = posting.calldata(Evidence::default());
        let (to, gas) = (self.rollup.address, TRANSACTION_GAS_CAP);
        let sent = self.l1.send(&self.operator, to.into(), U256::ZERO, data, gas)?;
        ensure!(sent.receipt.success, "advance fails");
        ensure!(sent.gas_used == cost.gas, "planned {} gas, L1 used {}", cost.gas, sent.gas_used);
        Ok(Cost {
            l1_gas: sent.gas_used,
            l2_gas: blocks.iter().map(|block| block.header.gas_used).sum(),
            calldata_gas: calldata_gas(&sent.input),
            bytes: posting.inputs.iter().map(|input| input.len()).sum(),
            calls: 1,
            blobs: 0,
            ways: Vec::new(),
        })
    }

    /// Posts blocks in blobs, each call in the way with the lowest cost per block.
    fn advance_by_blobs(&mut self, blocks: &[Arc<Block>]) -> Result<Cost> {
        let mut total = Cost::default();
        let mut waiting = blocks;
        while !waiting.is_empty() {
            let admits = |posting: &AdvancePlan| {
                posting.cost(FORK, 0, RING.end).limit <= TRANSACTION_GAS_CAP
            };
            let ways =
                ways_in_blobs(waiting.len(), admits, |range| self.measured(&waiting[range]))?;
            // Blob gas is reported separately.
            let prices = L1Prices { fork: FORK, gas: 1, blob_gas: Some(0) };
            let limits = L1Limits { bytes: usize::MAX, ..L1Limits::default() };
            let chosen = cheapest(ways, &prices, &limits, 0, RING.end);
            let (posting, cost) = chosen.ok_or_else(|| eyre!("no plan for a block in blobs"))?;
            let (now, later) = waiting.split_at(usize::try_from(posting.blocks)?);
            waiting = later;
            let data = posting.calldata(Evidence::default());
            let (to, blobs) = (self.rollup.address, &posting.blobs);
            let sent =
                self.l1.send_with_blobs(&self.operator, to, data, blobs, TRANSACTION_GAS_CAP)?;
            ensure!(sent.receipt.success, "advance by blobs fails");
            ensure!(
                sent.gas_used == cost.gas,
                "planned {} gas, L1 used {}, for blocks {:?}",
                cost.gas,
                sent.gas_used,
                posting.blocks_of_inputs(),
            );
            total.ways.push(posting.blocks_of_inputs().to_vec());
            total += Cost {
                l1_gas: sent.gas_used,
                l2_gas: now.iter().map(|block| block.header.gas_used).sum(),
                calldata_gas: calldata_gas(&sent.input),
                bytes: posting.inputs.iter().map(|input| input.len()).sum(),
                calls: 1,
                blobs: blobs.len() as u64,
                ways: Vec::new(),
            };
        }
        Ok(total)
    }

    /// Returns one input for these blocks with the charges of EXECUTE.
    fn measured(&self, blocks: &[Arc<Block>]) -> Result<AdvanceInput> {
        self.measured_as(blocks, self.input(blocks)?)
    }

    /// Returns the milliseconds of EXECUTE for these blocks, as one batch and individually. The
    /// fastest of several rounds counts.
    fn execute_ms(&self, blocks: &[Arc<Block>]) -> Result<[f64; 2]> {
        let apart = blocks.iter().map(|block| self.input(from_ref(block)));
        let ways = [vec![self.input(blocks)?], apart.collect::<Result<Vec<_>>>()?];
        let mut minimum = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            for (inputs, minimum) in ways.iter().zip(&mut minimum) {
                let begun = Instant::now();
                for input in inputs {
                    self.execute.run(input, u64::MAX)?;
                }
                *minimum = minimum.min(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(minimum)
    }

    /// Returns this input for these blocks with the charges of EXECUTE.
    fn measured_as(&self, blocks: &[Arc<Block>], bytes: Vec<u8>) -> Result<AdvanceInput> {
        let executed = self.execute.run(&bytes, u64::MAX)?;
        let (charge, reserve) = (executed.gas, executed.reserve);
        let trailer = variants::BlobTail::trailer_charge(&*self.execute.gas);
        let blocks = blocks.len() as u64;
        Ok(AdvanceInput { bytes: bytes.into(), blocks, charge, reserve, trailer })
    }
}

/// Returns the token's storage slot for an account's balance.
pub(crate) fn balance_slot(account: Address) -> B256 {
    let seed = [0x87, 0xa2, 0x11, 0xa2];
    keccak256([account.as_slice(), &[0; 8], &seed].concat())
}

fn calldata_gas(data: &[u8]) -> u64 {
    data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum()
}

/// Returns the composition of inputs: of a block with one transfer, and of batches with either
/// load.
fn compositions(past: &Past) -> Result<Vec<(&'static str, Parts)>> {
    let names = [
        ("EIP-4788", BEACON_ROOTS_ADDRESS),
        ("EIP-2935", HISTORY_STORAGE_ADDRESS),
        ("EIP-7002", address!("0x00000961Ef480Eb55e80D19ad83579A64c007002")),
        ("EIP-7251", address!("0x0000BBdDc7CE488642fb579F8B00f3a590007251")),
        ("L1Anchor", contracts::L1_ANCHOR),
        ("L2Messenger", contracts::L2_MESSENGER),
        ("token", TOKEN),
        ("fee recipient", Address::ZERO),
    ];
    let mut populated = PopulatedRollup::new(GasSchedule::DEFAULT, past)?;
    let mut compositions = Vec::new();
    for (what, load, blocks, transfers) in [
        ("a block with one transfer", Load::Ether, 1, 1),
        ("transfers", Load::Ether, BLOCKS, TRANSFERS),
        ("transfers of a token", Load::Token, BLOCKS, TRANSFERS),
    ] {
        let blocks =
            (0..blocks).map(|_| populated.block(load, transfers)).collect::<Result<Vec<_>>>()?;
        let input = populated.l2.chain().batch(blocks)?.input()?;
        compositions.push((what, Parts::of(&input, &names)?));
    }
    Ok(compositions)
}

/// Returns compositions as JSON.
fn json_of(compositions: &[(&str, Parts)]) -> Value {
    let object = compositions.iter().map(|(what, parts)| ((*what).to_owned(), parts.json()));
    Value::Object(object.collect())
}

fn print_bytes(compositions: &[(&str, Parts)]) {
    for (what, parts) in compositions {
        println!("{:<44} {:>8} {:>8} {:>10}", what, "bytes", "zeros", "floor");
        for (part, count) in &parts.parts {
            println!("{part:<44} {:>8} {:>8} {:>10}", count.bytes, count.zeros, count.floor());
        }
        let all = parts.all();
        println!("{:<44} {:>8} {:>8} {:>10}\n", "", all.bytes, all.zeros, all.floor());
    }
}

/// Arguments of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON, with the figures of the default schedule at the top level
    #[arg(long)]
    json: bool,
    /// Fail if the figures of the default schedule differ from docs/gas.md
    #[arg(long)]
    check: bool,
    /// Number of L2 accounts; measures only the default schedule [default: 10,000 and all
    /// schedules]
    #[arg(long)]
    accounts: Option<u64>,
    /// Measure an L2 that is only a few blocks old
    #[arg(long)]
    young: bool,
    /// Print the composition of the inputs instead
    #[arg(long)]
    bytes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (accounts, as_json) = (arguments.accounts, arguments.json);
    let holders = (0..accounts.unwrap_or(ACCOUNTS)).map(|index| account(index).address()).collect();
    let past = Past { holders, is_young: arguments.young };
    if arguments.bytes {
        let compositions = compositions(&past)?;
        if as_json {
            println!("{:#}", json_of(&compositions));
        } else {
            print_bytes(&compositions);
        }
        return Ok(());
    }
    if arguments.check {
        let column = Column::of(past.holders.len(), past.is_young)?;
        return documented::check(&Figures::measure(GasSchedule::DEFAULT, &past)?, column);
    }
    let mut document = Map::new();
    let mut schedules = Map::new();
    for (name, schedule) in GasSchedule::NAMED {
        if accounts.is_some() && schedule != GasSchedule::DEFAULT {
            continue;
        }
        let figures = Figures::measure(schedule, &past)?;
        if schedule == GasSchedule::DEFAULT {
            document = figures.json();
        }
        schedules.insert(name.to_owned(), figures.json().into());
        if !as_json {
            figures.print(name);
        }
    }
    if as_json {
        document.insert("schedules".to_owned(), schedules.into());
        println!("{}", serde_json::to_string_pretty(&document)?);
    }
    Ok(())
}
