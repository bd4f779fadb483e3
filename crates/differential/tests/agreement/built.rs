//! Blocks built by the chain of this project.

use crate::{
    judges::Tally,
    scenario::{Played, ScenarioBlock, everything, play},
};
use alloy_consensus::Transaction as _;
use alloy_eips::{eip2718::Encodable2718, eip4844::DATA_GAS_PER_BLOB};
use alloy_primitives::Bytes;
use enshrine_differential::ethrex::{self, EthrexError};
use ethrex_common::InvalidBlockError;
use ethrex_vm::EvmError;
use executor::Transaction;
use eyre::{Result, ensure};
use std::collections::BTreeSet;
use testkit::tampered::Draft;
use wire::{ProtocolFork, StatelessInput};

#[test]
fn blocks_under_osaka_from_the_amsterdam_scenarios() -> Result<()> {
    for pack in ["amsterdam_eip7928", "amsterdam_devnet4"] {
        let Some((played, tally)) = compare(pack, Some(ProtocolFork::Osaka))? else { continue };
        assert_eq!(tally.accepted, played.blocks);
    }
    Ok(())
}

#[test]
fn blocks_under_amsterdam_from_the_amsterdam_scenarios() -> Result<()> {
    for pack in ["amsterdam_eip7928", "amsterdam_devnet4"] {
        let Some((played, tally)) = compare(pack, Some(ProtocolFork::Amsterdam))? else { continue };
        assert_eq!(tally.accepted, played.blocks);
    }
    Ok(())
}

#[test]
fn blocks_across_the_change_to_amsterdam() -> Result<()> {
    let Some((played, tally)) = compare("amsterdam_devnet4", None)? else { return Ok(()) };
    assert_eq!(tally.accepted, played.blocks);
    Ok(())
}

#[test]
fn blocks_under_osaka_from_the_osaka_scenarios() -> Result<()> {
    let Some((played, tally)) = compare("osaka", Some(ProtocolFork::Osaka))? else { return Ok(()) };
    assert_eq!(tally.accepted, played.blocks);
    Ok(())
}

#[test]
fn blocks_under_amsterdam_from_the_osaka_scenarios() -> Result<()> {
    let amsterdam = Some(ProtocolFork::Amsterdam);
    let Some((played, tally)) = compare("osaka", amsterdam)? else { return Ok(()) };
    assert_eq!(tally.accepted, played.blocks);
    Ok(())
}

/// Compares both verifiers on every block, on the root of its request, and on every transaction
/// that the builder rejected.
fn compare(pack: &str, fork: Option<ProtocolFork>) -> Result<Option<(Played, Tally)>> {
    let mut tally = Tally::default();
    let played = play(pack, fork, |block| {
        let ScenarioBlock { name, judges, new, .. } = block;
        let calldata: Bytes = new.input()?.into();
        tally.ask(judges, || (*name).to_owned(), &calldata);
        if new.fork == ProtocolFork::Amsterdam {
            let input = StatelessInput::decode(&calldata)?;
            let root = input.request.hash_tree_root(new.fork);
            ensure!(root == ethrex::request_root(&calldata)?, "root of the request in {name}");
        }
        check_rejected(block, &calldata)
    })?;
    let rules = fork.map_or("its own forks".to_owned(), |fork| fork.to_string());
    tally.assert_agreement(&format!("{pack} under {rules}: {played:?}"));
    Ok(played.map(|played| (played, tally)))
}

/// Checks that ethrex also rejects the transactions that the builder rejected, because of the
/// transaction and not because of other errors of a block with it.
fn check_rejected(block: &ScenarioBlock<'_>, calldata: &Bytes) -> Result<()> {
    let ScenarioBlock { name, judges, chain, offered, rejected, .. } = block;
    if rejected.is_empty() {
        return Ok(());
    }
    let Ok(input) = StatelessInput::decode(calldata) else { return Ok(()) };
    let mut draft = Draft::new(&input);
    draft.witness = everything(chain, &chain.head().header)?;
    // One transaction per block and reason suffices.
    let mut reasons = BTreeSet::new();
    for (index, reason) in *rejected {
        // ethrex does not check the length of a block here (EIP-7934).
        if reason.to_string().contains("bytes with it, a block has") {
            continue;
        }
        if !reasons.insert(without_numbers(&reason.to_string())) {
            continue;
        }
        let is_out = |at: usize| rejected.iter().any(|(out, _)| *out == at);
        let before = offered[..*index].iter().enumerate();
        let mut transactions: Vec<&Transaction> =
            before.filter(|(at, _)| !is_out(*at)).map(|(_, transaction)| transaction).collect();
        transactions.push(&offered[*index]);
        draft.transactions =
            transactions.iter().map(|transaction| transaction.encoded_2718().into()).collect();
        draft.versioned_hashes.clear();
        for transaction in transactions {
            let hashes = transaction.blob_versioned_hashes().unwrap_or_default();
            draft.versioned_hashes.extend(hashes.iter().map(|hash| hash.0));
        }
        draft.request.payload.blob_gas_used =
            draft.versioned_hashes.len() as u64 * DATA_GAS_PER_BLOB;
        let forced = draft.encode().expect("a block as before, but for transactions");
        let theirs = judges.theirs(&forced);
        let agrees = matches!(&theirs, Some(Err(refusal)) if is_about_a_transaction(refusal));
        ensure!(agrees, "transaction {index} of {name}: left out for {reason}, ethrex: {theirs:?}");
    }
    Ok(())
}

const fn is_about_a_transaction(refusal: &EthrexError) -> bool {
    matches!(
        refusal,
        EthrexError::Execution(EvmError::Transaction(_) | EvmError::InvalidDepositRequest)
            | EthrexError::Block(
                InvalidBlockError::InvalidTransaction(_)
                    | InvalidBlockError::InvalidTransactionChainId { .. }
                    | InvalidBlockError::ExceededMaxBlobGasPerBlock
            )
    )
}

fn without_numbers(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_ascii_digit()).collect()
}
