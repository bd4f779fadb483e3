//! All execution paths of EXECUTE yield the same results, for any vector width, number of threads
//! and precompile libraries. This is a single test, because two of the three apply to the whole
//! process.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, TxKind};
use chain::store::StoredNodes;
use chain::{BlockAttributes, Chain, ChainConfig, to_stateless_input};
use codec::{OwnedWitness, RawBlock};
use core::num::NonZeroUsize;
use enshrine_crypto as crypto;
use execute::{Execute, ExecuteError, Executed, Networks};
use executor::{ChainSpec, SystemCode};
use eyre::{OptionExt as _, Result};
use std::sync::Arc;
use testkit::{
    ETHER, Key, rich_genesis,
    vectors::{
        self,
        fixture::{self, CHAIN_ID, DEPOSIT_CONTRACT, Fixture},
    },
};
use wire::ProtocolFork;

/// A combination of vector width, number of threads and libraries.
#[derive(Debug, Clone, Copy)]
struct Path {
    vectors: keccak::Backend,
    threads: NonZeroUsize,
    libraries: crypto::Backend,
}

impl Path {
    /// Returns all combinations that this CPU supports. The first one uses neither vectors, nor
    /// threads, nor fast libraries.
    fn all() -> Vec<Self> {
        let mut widths: Vec<_> = keccak::Backend::available().collect();
        widths.reverse();
        let mut paths = Vec::new();
        for vectors in widths {
            for threads in [NonZeroUsize::MIN, NonZeroUsize::MIN.saturating_add(1)] {
                for libraries in [crypto::Backend::Reference, crypto::Backend::Fast] {
                    paths.push(Self { vectors, threads, libraries });
                }
            }
        }
        paths
    }

    fn answer(self, execute: &Execute, calldata: &[u8]) -> Result<Answer, ExecuteError> {
        keccak::restrict_to(self.vectors);
        crypto::select(self.libraries);
        let execute = Execute { threads: self.threads, ..execute.clone() };
        execute.run(calldata, u64::MAX).map(|executed| Answer::from(&executed))
    }
}

/// Everything that an accepted call returns.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    result: Vec<u8>,
    /// Charge, reserve, and price of underpriced work.
    gas: [u64; 3],
    blocks: Vec<(B256, B256)>,
}

impl From<&Executed> for Answer {
    fn from(executed: &Executed) -> Self {
        let blocks =
            executed.verdicts().map(|verdict| (verdict.block_hash, verdict.header.state_root));
        Self {
            result: executed.result.encode().to_vec(),
            gas: [executed.gas, executed.reserve, executed.work.spent],
            blocks: blocks.collect(),
        }
    }
}

/// Number of inputs whose results have been compared.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    batches: usize,
}

impl Tally {
    fn compare(&mut self, name: &str, paths: &[Path], execute: &Execute, calldata: &[u8]) {
        let expected = paths[0].answer(execute, calldata);
        for path in &paths[1..] {
            assert_eq!(path.answer(execute, calldata), expected, "{name} by {path:?}");
        }
        *(if expected.is_ok() { &mut self.accepted } else { &mut self.refused }) += 1;
    }
}

#[test]
fn answers_do_not_depend_on_execution_path() -> Result<()> {
    crypto::install()?;
    let (paths, mut tally) = (Path::all(), Tally::default());
    assert!(paths.len() >= 4);
    compare_calls(&paths, &mut tally)?;
    let execute = Execute { cryptography: crypto::libraries(), ..Execute::l1() };
    for part in ["blocks", "negative"] {
        for block in vectors::blocks(part, "paths over real blocks")? {
            let spec = ChainSpec::known(block.bundle.chain_id).ok_or_eyre("a known network")?;
            let raw = RawBlock::decode(&block.bundle.block)?;
            let mut input = to_stateless_input(&raw, &block.bundle.witness, &spec)?;
            tally.compare(&block.name, &paths, &execute, &input);
            // A byte of the witness is changed.
            let at = input.len() - input.len() / 3;
            input[at] ^= 1;
            tally.compare(&block.name, &paths, &execute, &input);
        }
    }
    for pack in ["osaka", "worst_case_10M"] {
        fixture::each(pack, |fixture| compare_fixture(fixture, &paths, &mut tally))?;
    }
    println!("{} paths: {tally:?}", paths.len());
    if vectors::folder()?.is_some() {
        assert!(tally.accepted > 8_000 && tally.refused > 700 && tally.batches > 200, "{tally:?}");
    }
    Ok(())
}

/// Compares a block whose transactions call the precompiles that have two libraries, unchanged and
/// corrupted. It needs no vectors.
fn compare_calls(paths: &[Path], tally: &mut Tally) -> Result<()> {
    let spec = ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka);
    let genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 1_000 * ETHER);
    let chain = Chain::new(&genesis, ChainConfig::new(spec.clone()))?;
    let words = |values: &[u8]| -> Vec<u8> {
        values.iter().flat_map(|value| B256::with_last_byte(*value).0).collect()
    };
    // The point (1, 2), and infinity on the twist.
    let calls = [
        (0x05, [&words(&[96, 5, 96])[..], &[7; 96], &[0xff; 5], &[0xff; 96]].concat()),
        (0x06, words(&[1, 2, 1, 2])),
        (0x07, words(&[1, 2, 9])),
        (0x08, words(&[1, 2, 0, 0, 0, 0])),
        (0x08, words(&[1, 2, 0, 0, 0])),
    ];
    let transactions = (0..).zip(calls).map(|(nonce, (address, input))| {
        Key::named("alice").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 300_000,
            max_fee_per_gas: 100_000_000_000,
            to: TxKind::Call(Address::with_last_byte(address)),
            input: input.into(),
            ..Default::default()
        })
    });
    let timestamp = chain.head().header.timestamp + 12;
    let attributes = BlockAttributes { timestamp, ..Default::default() };
    let (block, rejected) = chain.build(&attributes, transactions.collect())?;
    assert!(rejected.is_empty(), "{rejected:?}");
    let successes: Vec<_> =
        block.block.executed.receipts.iter().map(|receipt| receipt.success).collect();
    assert_eq!(successes, [true, true, true, true, false]);
    let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
    let mut input = block.input()?;
    tally.compare("calls", paths, &execute, &input);
    assert_eq!(tally.accepted, 1);
    let at = input.len() - input.len() / 3;
    input[at] ^= 1;
    tally.compare("damaged calls", paths, &execute, &input);
    assert_eq!(tally.refused, 1);
    Ok(())
}

/// Compares the blocks of a fixture: one by one, including invalid ones, and the valid ones as a
/// batch.
fn compare_fixture(fixture: &Fixture, paths: &[Path], tally: &mut Tally) -> Result<()> {
    let spec = ChainSpec::scheduled(CHAIN_ID, fixture.fork, fixture.later.as_slice())
        .with_deposit_contract(DEPOSIT_CONTRACT);
    let config = ChainConfig { system_code: SystemCode::Any, ..ChainConfig::new(spec.clone()) };
    let mut chain = Chain::from_header(fixture.header.clone(), &fixture.genesis, config)?;
    let networks = Networks::Only(Arc::new(spec.clone()));
    let execute = Execute { networks, system_code: SystemCode::Any, ..Execute::l1() };
    let mut valid = Vec::new();
    for block in &fixture.blocks {
        let Ok(raw) = RawBlock::decode(&block.rlp) else { continue };
        if block.exception.is_some() {
            let fork = spec.fork_at(raw.header.timestamp).ok_or_eyre("no fork")?;
            let parent = chain.block(&raw.header.parent_hash)?;
            let StoredNodes { nodes, codes } = chain.store().everything()?;
            let headers = vec![alloy_rlp::encode(&parent.header).into()];
            let mut everything = OwnedWitness { state: nodes, codes, headers };
            everything.canonicalize();
            let input = raw.to_input(fork, CHAIN_ID, &everything, &[], &[])?;
            tally.compare(&fixture.name, paths, &execute, &input);
            continue;
        }
        let new = chain.import(&raw)?;
        // Requests of a foreign contract may not consist of whole records, and no input can contain
        // them.
        if let Ok(input) = new.input() {
            tally.compare(&fixture.name, paths, &execute, &input);
        }
        valid.push(new.block.hash);
        chain.append(new)?;
    }
    if valid.len() < 2 {
        return Ok(());
    }
    let blocks = valid.iter().map(|hash| chain.block(hash)).collect::<Result<Vec<_>, _>>()?;
    // Blocks of two forks cannot form a batch.
    if let Ok(batch) = chain.batch(blocks)
        && let Ok(input) = batch.input()
    {
        tally.compare(&fixture.name, paths, &execute, &input);
        tally.batches += 1;
    }
    Ok(())
}
