//! Fixtures as scenarios: their pre-states and transactions, in newly built blocks under any fork,
//! independent of the fork for which the fixture was made.

use crate::judges::Judges;
use alloy_consensus::Header;
use alloy_genesis::GenesisAccount;
use chain::store::StoredNodes;
use chain::{BlockAttributes, Chain, ChainConfig, ChainError, ExecutedBlock};
use codec::{OwnedWitness, RawBlock};
use executor::{Invalid, SYSTEM_CONTRACTS, SystemCode, Transaction, decode_transaction};
use eyre::Result;
use testkit::vectors::fixture::{self, CHAIN_ID, DEPOSIT_CONTRACT, Fixture};
use wire::{ProtocolFork, Withdrawal};

/// Number of played items.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) blocks: usize,
    pub(crate) transactions: usize,
    /// Rejected transactions, most of which are meant to be invalid.
    pub(crate) rejected: usize,
    /// Blocks that cannot be built.
    pub(crate) impossible: usize,
}

/// A block of a scenario that is not yet part of its chain.
pub(crate) struct ScenarioBlock<'s> {
    pub(crate) name: &'s str,
    pub(crate) judges: &'s Judges,
    pub(crate) chain: &'s Chain,
    pub(crate) new: &'s ExecutedBlock,
    /// Transactions from which the block was built.
    pub(crate) offered: &'s [Transaction],
    /// Positions of the rejected transactions, with the reasons.
    pub(crate) rejected: &'s [(usize, Invalid)],
}

/// Plays a pack as scenarios under `fork`, or under the fixtures' own forks, and calls `each` with
/// every block; `None` if the pack is missing.
pub(crate) fn play(
    pack: &str,
    fork: Option<ProtocolFork>,
    mut each: impl FnMut(&ScenarioBlock<'_>) -> Result<()>,
) -> Result<Option<Played>> {
    let mut played = Played::default();
    let present = fixture::each(pack, |fixture| {
        let (first, later) = fork.map_or((fixture.fork, fixture.later), |fork| (fork, None));
        let judges =
            Judges::of_chain(CHAIN_ID, first, later, Some(DEPOSIT_CONTRACT), SystemCode::Canonical);
        play_fixture(fixture, &judges, &mut played, &mut each)
    })?;
    Ok(present.then_some(played))
}

fn play_fixture(
    fixture: &Fixture,
    judges: &Judges,
    played: &mut Played,
    each: &mut impl FnMut(&ScenarioBlock<'_>) -> Result<()>,
) -> Result<()> {
    let mut genesis = fixture.genesis.clone();
    for contract in SYSTEM_CONTRACTS {
        let account =
            GenesisAccount { nonce: Some(1), code: Some(contract.code()), ..Default::default() };
        genesis.alloc.insert(contract.address, account);
    }
    let mut chain = Chain::new(&genesis, ChainConfig::new(judges.spec.clone()))?;
    for block in &fixture.blocks {
        let Ok(raw) = RawBlock::decode(&block.rlp) else { continue };
        let timestamp = raw.header.timestamp;
        if timestamp <= chain.head().header.timestamp {
            continue;
        }
        let offered: Vec<_> =
            raw.transactions.iter().filter_map(|bytes| decode_transaction(bytes).ok()).collect();
        let attributes = BlockAttributes {
            timestamp,
            fee_recipient: raw.header.beneficiary,
            prev_randao: raw.header.mix_hash,
            parent_beacon_block_root: raw.header.parent_beacon_block_root.unwrap_or_default(),
            withdrawals: raw.withdrawals.iter().flatten().map(withdrawal).collect(),
            slot_number: raw.header.slot_number.unwrap_or(1),
            ..Default::default()
        };
        let (new, rejected) = match chain.build(&attributes, offered.clone()) {
            // The gas limit is too low for the block access list.
            Err(ChainError::Invalid(Invalid::AccessListSize { .. })) => {
                played.impossible += 1;
                continue;
            }
            built => built?,
        };
        each(&ScenarioBlock {
            name: &fixture.name,
            judges,
            chain: &chain,
            new: &new,
            offered: &offered,
            rejected: &rejected,
        })?;
        played.blocks += 1;
        played.transactions += new.block.transactions.len();
        played.rejected += rejected.len();
        chain.append(new)?;
    }
    Ok(())
}

fn withdrawal(record: &[u8; Withdrawal::LEN]) -> alloy_eips::eip4895::Withdrawal {
    let Withdrawal { index, validator_index, address, amount } = Withdrawal::from_record(record);
    alloy_eips::eip4895::Withdrawal { index, validator_index, address, amount }
}

/// Returns a witness that is always complete: all nodes and codes of a chain, and as many ancestors
/// of a child of `parent` as a witness may have.
pub(crate) fn everything(chain: &Chain, parent: &Header) -> Result<OwnedWitness> {
    let mut headers = vec![alloy_rlp::encode(parent).into()];
    let mut next = parent.parent_hash;
    while let Some(block) = chain.find_block(&next)? {
        headers.push(alloy_rlp::encode(&block.header).into());
        next = block.header.parent_hash;
    }
    headers.truncate(wire::ExecutionWitness::MAX_HEADERS);
    headers.reverse();
    let StoredNodes { nodes, codes } = chain.store().everything()?;
    let mut witness = OwnedWitness { state: nodes, codes, headers };
    witness.canonicalize();
    Ok(witness)
}
