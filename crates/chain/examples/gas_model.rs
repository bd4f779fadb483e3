//! Measures what the prices of EXECUTE must cover: nanoseconds per unit of gas, per byte of each kind
//! of input, and per call. `docs/gas.md` says how the prices follow.
//!
//! `cargo run --release -p enshrine-chain --example gas_model`

use alloy_consensus::TxEip1559;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use enshrine_chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use execute::{Execute, GasSchedule, Networks};
use executor::ChainSpec;
use eyre::Result;
use std::{sync::Arc, time::Instant};
use testkit::Key;
use wire::{OwnedWitness, ProtocolFork, StatelessInput, convert::RawBlock};

const CHAIN_ID: u64 = 8_079;
const ROUNDS: usize = 9;

fn main() -> Result<()> {
    println!("nanoseconds per unit of gas, execution and roots (one thread)");
    real_blocks()?;
    println!("\nnanoseconds per byte of input, beyond the block around it (one thread)");
    bytes()?;
    Ok(())
}

/// Median milliseconds of a call, whatever its verdict.
fn time(execute: &Execute, calldata: &[u8]) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let outcome = execute.run(calldata, u64::MAX);
            let elapsed = start.elapsed().as_secs_f64() * 1e3;
            drop(outcome);
            elapsed
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn real_blocks() -> Result<()> {
    for block in testkit::vectors::blocks("blocks", "nanoseconds per gas of real blocks")? {
        let raw = RawBlock::decode(&block.bundle.block)?;
        let Some(spec) = ChainSpec::known(block.bundle.chain_id) else { continue };
        let calldata = enshrine_chain::to_stateless_input(&raw, &block.bundle.witness, &spec)?;
        let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
        let milliseconds = time(&execute, &calldata);
        let gas = raw.header.gas_used as f64;
        println!(
            "  {:<22}{:>8.2} ns/gas in all  ({:.2} Mgas)",
            block.name,
            milliseconds * 1e6 / gas,
            gas / 1e6
        );
    }
    Ok(())
}

/// A chain with a block to put bytes into.
struct Carrier {
    execute: Execute,
    empty: Vec<u8>,
    witness: OwnedWitness,
}

impl Carrier {
    fn new(fork: ProtocolFork) -> Result<Self> {
        let mut genesis = empty_genesis(fork);
        let rich = GenesisAccount { balance: U256::from(10_u128.pow(24)), ..Default::default() };
        genesis.alloc.insert(Key::named("alice").address(), rich);
        genesis.gas_limit = 1 << 40;
        let chain = Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)))?;
        let attributes = BlockAttributes { timestamp: 12, slot_number: 1, ..Default::default() };
        let (block, _) = chain.build(&attributes, vec![])?;
        Ok(Self { execute: Execute::l1(), empty: block.input()?, witness: block.witness })
    }

    /// Nanoseconds per byte that a change adds.
    fn per_byte(&self, name: &str, change: impl FnOnce(&mut StatelessInput<'_>)) -> Result<()> {
        let mut input = StatelessInput::decode(&self.empty)?;
        change(&mut input);
        if let Some(header) = stateless::header_of(&input.request, input.fork) {
            input.request.payload.block_hash = header.hash_slow();
        }
        let calldata = input.encode();
        let added = calldata.len() - self.empty.len();
        let base = time(&self.execute, &self.empty);
        let nanoseconds = (time(&self.execute, &calldata) - base) * 1e6;
        let verdict = match self.execute.run(&calldata, u64::MAX) {
            Ok(_) => "valid".to_owned(),
            Err(refusal) => refusal.to_string().chars().take(50).collect(),
        };
        println!("  {name:<44}{:>7.2} ns/byte  ({verdict})", nanoseconds / added as f64);
        Ok(())
    }
}

fn bytes() -> Result<()> {
    const TOTAL: usize = 2_000_000;
    let osaka = Carrier::new(ProtocolFork::Osaka)?;
    let base = time(&osaka.execute, &osaka.empty);
    println!("  an empty block: {:.3} ms, {} bytes", base, osaka.empty.len());
    let blobs = |len: usize, count: usize| -> Vec<Bytes> {
        (0..count)
            .map(|number| {
                let mut blob = vec![0x5b; len];
                let seed = number.to_be_bytes();
                let tail = seed.len().min(len);
                blob[len - tail..].copy_from_slice(&seed[seed.len() - tail..]);
                blob.into()
            })
            .collect()
    };
    for len in [1, 8, 32, 136, 532, 1_024] {
        let state = [osaka.witness.state.clone(), blobs(len, TOTAL / (len + 4))].concat();
        osaka.per_byte(&format!("witness nodes of {len} bytes"), |input| {
            input.witness.state = leak(state).into();
        })?;
    }
    for len in [1, 136, 24_576, 65_536] {
        let codes = [osaka.witness.codes.clone(), blobs(len, TOTAL / (len + 4))].concat();
        osaka.per_byte(&format!("witness codes of {len} bytes"), |input| {
            input.witness.codes = leak(codes).into();
        })?;
    }
    let transfer = |data: usize| {
        let tx = TxEip1559 {
            chain_id: CHAIN_ID,
            gas_limit: 21_000 + 40 * data as u64,
            max_fee_per_gas: 10_000_000_000,
            to: TxKind::Call(Address::ZERO),
            input: vec![1; data].into(),
            ..Default::default()
        };
        use alloy_eips::eip2718::Encodable2718;
        Bytes::from(Key::named("alice").sign(tx).encoded_2718())
    };
    for (data, count) in [(0, 1_000), (100_000, 20)] {
        let transactions = vec![transfer(data); count];
        osaka.per_byte(&format!("{count} transactions with {data} bytes of data"), |input| {
            input.request.payload.transactions = leak(transactions).into();
        })?;
    }
    let amsterdam = Carrier::new(ProtocolFork::Amsterdam)?;
    let list = vec![0x5b; TOTAL].leak();
    amsterdam
        .per_byte("block access list", |input| input.request.payload.block_access_list = list)?;
    let bytes = GasSchedule::DEFAULT.bytes(TOTAL as u64);
    println!("  price today: {:.2} gas/byte", bytes as f64 / TOTAL as f64);
    Ok(())
}

/// Inputs borrow their parts; a program that ends soon may leave them where they are.
fn leak<T>(items: Vec<T>) -> &'static [T] {
    items.leak()
}
