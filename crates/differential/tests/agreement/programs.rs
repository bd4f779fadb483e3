//! Random programs under every fork.

use crate::{
    judges::{Judges, Tally},
    random_genesis::{CHAIN_ID, RandomGenesis, withdrawals},
};
use alloy_primitives::{Address, B256, Bytes};
use chain::{Block, BlockAttributes, Chain, ChainConfig, ExecutedBlock};
use codec::Encode as _;
use execute::ExecuteError;
use executor::SystemCode;
use eyre::Result;
use std::{collections::BTreeSet, env, sync::Arc};
use testkit::{
    Random,
    tampered::{CHANGES, Draft},
};
use wire::{ProtocolFork, StatelessBatch, StatelessInput};

/// Returns the number of worlds per fork; `ENSHRINE_WORLDS` sets another number for longer runs.
pub(crate) fn worlds() -> u64 {
    const FEW: u64 = 100;
    env::var("ENSHRINE_WORLDS").ok().and_then(|number| number.parse().ok()).unwrap_or(FEW)
}

#[test]
fn programs_under_cancun() -> Result<()> {
    compare(ProtocolFork::Cancun, &[])
}

#[test]
fn programs_under_prague() -> Result<()> {
    compare(ProtocolFork::Prague, &[1, 2])
}

#[test]
fn programs_under_osaka() -> Result<()> {
    compare(ProtocolFork::Osaka, &[1, 2])
}

#[test]
fn programs_under_bpo2() -> Result<()> {
    compare(ProtocolFork::Bpo2, &[1, 2])
}

#[test]
fn programs_under_amsterdam() -> Result<()> {
    compare(ProtocolFork::Amsterdam, &[1, 2, 3, 4])
}

/// Compares three blocks in each genesis: single, as a batch, and each with a change. `requests`
/// are the types of requests that all of them together must cause.
fn compare(fork: ProtocolFork, requests: &[u8]) -> Result<()> {
    let judges = Judges::of_chain(CHAIN_ID, fork, None, None, SystemCode::Canonical);
    let (mut valid, mut changed) = (Tally::default(), Tally::default());
    let (mut transactions, mut successful, mut left_out) = (0, 0, 0);
    let mut caused = BTreeSet::new();
    let mut batches = Batches::default();
    let mut each_block = |name: &str, new: &ExecutedBlock, out: usize| {
        let calldata: Bytes = new.input()?.into();
        valid.ask(&judges, || name.to_owned(), &calldata);
        let executed = &new.block.executed;
        transactions += executed.receipts.len();
        successful += executed.receipts.iter().filter(|receipt| receipt.success).count();
        left_out += out;
        let lists = executed.requests.iter().flat_map(|requests| requests.iter());
        caused.extend(lists.filter_map(|list| list.first().copied()));
        Ok(())
    };
    for seed in 0..worlds() {
        let played = play(fork, &judges, seed, &mut each_block)?;
        let mut rng = Random::new(!seed);
        for (index, calldata) in played.inputs.iter().enumerate() {
            let (what, tampered) = tampered(calldata, &mut rng)?;
            let Some(tampered) = tampered else { continue };
            let name = || format!("{what}: {fork}, genesis {seed}, block {}", index + 1);
            changed.ask_damaged(&judges, name, &tampered);
            batches.ask(&judges, &played, index, &tampered)?;
        }
    }
    valid.assert_agreement(&format!(
        "programs under {fork}: {transactions} transactions ({successful} successful, {left_out} left out)"
    ));
    assert!(valid.refused.is_empty(), "{:?}", valid.refused);
    changed.assert_agreement(&format!("programs under {fork}, each block with a change"));
    println!("{batches:?}");
    let worlds = worlds() as usize;
    assert!(batches.accepted >= worlds && batches.refused >= worlds, "{batches:?}");
    assert!(successful * 8 > transactions, "programs get somewhere");
    assert!(left_out * 8 < transactions, "most transactions can stand in a block");
    assert_eq!(caused.into_iter().collect::<Vec<_>>(), requests, "requests");
    Ok(())
}

/// Returns an input with a random change and a recomputed block hash, and the name of the change.
fn tampered(calldata: &Bytes, rng: &mut Random) -> Result<(&'static str, Option<Bytes>)> {
    let input = StatelessInput::decode(calldata)?;
    let mut draft = Draft::new(&input);
    let (what, change) = rng.pick(CHANGES);
    change(&mut draft, rng);
    Ok((what, draft.encode()))
}

/// Numbers of batches that EXECUTE accepted and rejected, consistently with their blocks.
#[derive(Debug, Default)]
struct Batches {
    accepted: usize,
    refused: usize,
}

impl Batches {
    /// Compares the blocks of a genesis as a batch, and with another block at `index`. A batch must
    /// be accepted if and only if all its blocks are.
    fn ask(&mut self, judges: &Judges, played: &Played, index: usize, other: &Bytes) -> Result<()> {
        let honest = StatelessInput::decode(&played.inputs[index])?;
        // An input with a changed fork may not decode.
        let Ok(other) = StatelessInput::decode(other) else { return Ok(()) };
        // A batch has a single witness, chain id and fork.
        let is_of_batch = other.witness == honest.witness
            && (other.fork, other.chain_id) == (honest.fork, honest.chain_id);
        if !is_of_batch {
            return Ok(());
        }
        let whole = played.chain.batch(played.blocks.clone())?.input()?;
        let mut batch = StatelessBatch::decode(&whole)?;
        self.judge(judges, &whole.clone().into(), true);
        let alone = judges.execute.run(&other.encode(), u64::MAX);
        // The witnesses of the other blocks may contain what this one lacks.
        if alone.as_ref().is_err_and(ExecuteError::lacks_witness) {
            return Ok(());
        }
        // A changed block that is still valid has another hash, so the next block is not its child.
        let is_last = index + 1 == played.inputs.len();
        let is_same = other.request.payload.block_hash == honest.request.payload.block_hash;
        let expected = alone.is_ok() && (is_last || is_same);
        batch.requests[index] = other.request;
        self.judge(judges, &batch.encode().into(), expected);
        Ok(())
    }

    fn judge(&mut self, judges: &Judges, batch: &Bytes, expected: bool) {
        let verdict = judges.ours(batch);
        assert_eq!(verdict.is_ok(), expected, "{verdict:?}: {batch}");
        *if expected { &mut self.accepted } else { &mut self.refused } += 1;
    }
}

/// A genesis with three blocks.
pub(crate) struct Played {
    pub(crate) chain: Chain,
    pub(crate) blocks: Vec<Arc<Block>>,
    /// Inputs of the blocks, each with its own witness.
    pub(crate) inputs: Vec<Bytes>,
}

/// Builds three blocks in each genesis, and calls `each` with every block, its name and the number
/// of rejected transactions.
pub(crate) fn each_block(
    fork: ProtocolFork,
    judges: &Judges,
    worlds: u64,
    mut each: impl FnMut(&str, &ExecutedBlock, usize) -> Result<()>,
) -> Result<()> {
    for seed in 0..worlds {
        play(fork, judges, seed, &mut each)?;
    }
    Ok(())
}

/// Builds three blocks in the genesis of a seed, and calls `each` like [`each_block`].
pub(crate) fn play(
    fork: ProtocolFork,
    judges: &Judges,
    seed: u64,
    mut each: impl FnMut(&str, &ExecutedBlock, usize) -> Result<()>,
) -> Result<Played> {
    /// One in this many worlds is old, so that BLOCKHASH can reach the maximum number of ancestors.
    const OLD: u64 = 64;
    let mut rng = Random::new(seed);
    let mut genesis = RandomGenesis::new(fork, &mut rng);
    let mut chain = Chain::new(&genesis.genesis, ChainConfig::new(judges.spec.clone()))?;
    let age = if seed % OLD == OLD - 1 { 257 } else { 0 };
    let (mut blocks, mut inputs) = (Vec::new(), Vec::new());
    for number in 1..=age + 3 {
        let is_shown = number > age;
        let few = if is_shown { 1 + rng.index(4) } else { 0 };
        let candidates = (0..few).map(|_| genesis.transaction(fork, &mut rng)).collect();
        let attributes = BlockAttributes {
            timestamp: number * 12,
            slot_number: number + 100,
            fee_recipient: Address::with_last_byte(0x77),
            prev_randao: B256::repeat_byte(seed as u8),
            withdrawals: if is_shown { withdrawals(&mut rng) } else { Vec::new() },
            ..Default::default()
        };
        let (new, out) = chain.build(&attributes, candidates)?;
        if is_shown {
            inputs.push(new.input()?.into());
            each(&format!("{fork}, genesis {seed}, block {}", number - age), &new, out.len())?;
        }
        let block = chain.append(new)?;
        if is_shown {
            blocks.push(block);
        }
    }
    Ok(Played { chain, blocks, inputs })
}
