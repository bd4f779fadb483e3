//! Real blocks: those that verify, and those whose witness is incomplete.

use alloy_primitives::{Address, address, keccak256};
use chain::to_stateless_input;
use codec::RawBlock;
use enshrine_stateless::{Verdict, verify};
use executor::{BlockError, ChainSpec, Invalid, StateError};
use eyre::{OptionExt, Result};
use trie::{Nibbles, TrieError};
use wire::StatelessInput;

/// Two tokens, WBTC and USDT, of which the blocks clear a slot.
const WBTC: Address = address!("0x2260fac5e5542a773aa44fbcfedf7c193bc2c599");
const USDT: Address = address!("0xdac17f958d2ee523a2206206994597c13d831ec7");
/// An account that the block reads.
const READ: Address = address!("0xc83f7d9f2d4a76e81145849381aba02602373723");

fn verdict_of(block: &testkit::vectors::Block) -> Result<Result<Verdict, Invalid>> {
    let raw = RawBlock::decode(&block.bundle.block)?;
    let spec = ChainSpec::known(block.bundle.chain_id).ok_or_eyre("a known network")?;
    let bytes = to_stateless_input(&raw, &block.bundle.witness, &spec)?;
    let input = StatelessInput::decode(&bytes)?;
    match verify(&input, &ChainSpec::for_input(input.chain_id, input.fork)) {
        Err(BlockError::Internal(error)) => Err(error.into()),
        Err(BlockError::Invalid(reason)) => Ok(Err(reason)),
        Ok(verdict) => Ok(Ok(verdict)),
    }
}

#[test]
fn every_real_block_verifies() -> Result<()> {
    let (mut blocks, mut gas, mut transactions) = (0, 0, 0);
    for block in testkit::vectors::blocks("blocks", "real blocks")? {
        let verdict = verdict_of(&block)??;
        let raw = RawBlock::decode(&block.bundle.block)?;
        assert_eq!(verdict.block_hash, raw.hash, "{}", block.name);
        assert_eq!(verdict.header, raw.header, "{}", block.name);
        assert_eq!(verdict.executed.gas_used, raw.header.gas_used, "{}", block.name);
        assert_eq!(verdict.chain_id, block.bundle.chain_id, "{}", block.name);
        assert_eq!(Some(verdict.pre_state_root), block.bundle.pre_state_root, "{}", block.name);
        blocks += 1;
        gas += raw.header.gas_used;
        transactions += raw.transactions.len();
    }
    println!("{blocks} real blocks verified: {transactions} transactions, {gas} gas");
    Ok(())
}

/// How the missing node relates to the read that needs it.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    /// The node is on the path to the account, which therefore cannot be read.
    OnTheWayTo(Address),
    /// The node is the last remaining sibling in a branch from which a slot of this account is
    /// removed: the branch cannot be collapsed without it.
    BesideASlotOf(Address),
}

fn missing(refusal: &Invalid) -> Missing {
    let missing = |source: &TrieError| match source {
        TrieError::MissingNode { path, .. } => *path,
        other => panic!("{other}"),
    };
    match refusal {
        Invalid::State(StateError::Account { address, source }) => {
            let way = Nibbles::unpack(keccak256(address));
            assert!(way.starts_with(&missing(source)), "{refusal}");
            Missing::OnTheWayTo(*address)
        }
        Invalid::State(StateError::Storage { address, slot, source }) => {
            let way = Nibbles::unpack(keccak256(slot.to_be_bytes::<32>()));
            let path = missing(source);
            assert_eq!(way.common_prefix_length(&path), path.len() - 1, "{refusal}");
            Missing::BesideASlotOf(*address)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn incomplete_witness_error_names_missing_node() -> Result<()> {
    for block in testkit::vectors::blocks("negative", "real blocks with too small witnesses")? {
        let refusal = verdict_of(&block)?.expect_err("must be refused");
        let expected = match block.name.as_str() {
            "mainnet_20378342" => Missing::BesideASlotOf(WBTC),
            "mainnet_22075730" => Missing::BesideASlotOf(USDT),
            "mainnet_22188088" => Missing::OnTheWayTo(READ),
            other => panic!("unexpected block {other}: {refusal}"),
        };
        assert_eq!(missing(&refusal), expected, "{}: {refusal}", block.name);
    }
    Ok(())
}
