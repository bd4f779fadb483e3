//! Programs that nobody wrote, under every fork.

use crate::{
    judges::{Judges, Tally},
    rng::Rng,
    world::{CHAIN_ID, World},
};
use alloy_primitives::{Address, B256, Bytes};
use chain::{BlockAttributes, BlockWithWitness, Chain, ChainConfig};
use executor::SystemCode;
use eyre::Result;
use std::{collections::BTreeSet, env, fs, path::Path};
use wire::{OwnedWitness, ProtocolFork};

/// Worlds per fork; as many as `ENSHRINE_WORLDS` says, where somebody has more time.
fn worlds() -> u64 {
    const FEW: u64 = 400;
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

/// Writes a block with its witness into the folder that `ENSHRINE_BUNDLES` names, for other verifiers:
/// the official specification in Python takes this form.
fn keep_bundle(name: &str, new: &BlockWithWitness) -> Result<()> {
    let Some(folder) = env::var_os("ENSHRINE_BUNDLES") else { return Ok(()) };
    let OwnedWitness { state, codes, headers } = &new.witness;
    let bundle = serde_json::json!({
        "chainId": CHAIN_ID,
        "block": new.block.rlp(),
        "preStateRoot": new.block.pre_state_root,
        "witness": { "state": state, "codes": codes, "headers": headers },
    });
    Ok(fs::write(Path::new(&folder).join(format!("{name}.json")), bundle.to_string())?)
}

/// Three blocks in each world; `requests` are the kinds of requests that they cause between them.
fn compare(fork: ProtocolFork, requests: &[u8]) -> Result<()> {
    let judges = Judges::of_chain(CHAIN_ID, fork, None, None, SystemCode::Canonical);
    let mut tally = Tally::default();
    let (mut transactions, mut successful, mut left_out) = (0, 0, 0);
    let mut caused = BTreeSet::new();
    for seed in 0..worlds() {
        let mut rng = Rng::new(seed);
        let mut world = World::new(fork, &mut rng);
        let mut chain = Chain::new(&world.genesis, ChainConfig::new(judges.spec.clone()))?;
        for number in 1..=3 {
            let candidates =
                (0..1 + rng.below(4)).map(|_| world.transaction(fork, &mut rng)).collect();
            let attributes = BlockAttributes {
                timestamp: number * 12,
                slot_number: number + 100,
                fee_recipient: Address::with_last_byte(0x77),
                prev_randao: B256::repeat_byte(seed as u8),
                ..Default::default()
            };
            let (new, out) = chain.build(&attributes, candidates)?;
            let calldata: Bytes = new.input()?.into();
            tally.ask(&judges, || format!("world {seed}, block {number}"), &calldata);
            keep_bundle(&format!("{fork}-{seed}-{number}"), &new)?;
            let executed = &new.block.executed;
            transactions += executed.receipts.len();
            successful += executed.receipts.iter().filter(|receipt| receipt.success).count();
            left_out += out.len();
            let lists = executed.requests.iter().flat_map(|requests| requests.iter());
            caused.extend(lists.filter_map(|list| list.first().copied()));
            chain.append(new)?;
        }
    }
    tally.assert_agreement(&format!(
        "programs under {fork}: {transactions} transactions ({successful} successful, {left_out} left out)"
    ));
    assert!(tally.refused.is_empty(), "{:?}", tally.refused);
    assert!(successful * 8 > transactions, "programs get somewhere");
    assert!(left_out * 8 < transactions, "most transactions can stand in a block");
    assert_eq!(caused.into_iter().collect::<Vec<_>>(), requests, "requests");
    Ok(())
}
