//! The official specification in Python verifies blocks of this project from their witnesses alone.
//!
//! `ENSHRINE_SPECIFICATION` names a Python interpreter with the specification:
//!
//! ```sh
//! python3 -m venv spec && spec/bin/pip install ethereum-execution==2.20.0
//! ENSHRINE_SPECIFICATION=$PWD/spec/bin/python cargo test --release --workspace --test agreement
//! specification
//! ```

use crate::{judges::Judges, programs::each_block, random_genesis::CHAIN_ID, scenario::play};
use chain::Block;
use codec::OwnedWitness;
use executor::SystemCode;
use eyre::{Result, ensure};
use std::{env, fs, path::Path, process::Command};
use tempfile::TempDir;
use wire::ProtocolFork;

/// Forks of the published specification.
const FORKS: [ProtocolFork; 5] = [
    ProtocolFork::Cancun,
    ProtocolFork::Prague,
    ProtocolFork::Osaka,
    ProtocolFork::Bpo1,
    ProtocolFork::Bpo2,
];

/// Number of worlds per fork.
const WORLDS: u64 = 20;

/// Only one in this many scenarios is used.
const EVERY: usize = 40;

/// Blocks for the specification to verify.
pub(crate) struct Bundles {
    python: String,
    folder: TempDir,
    pub(crate) count: usize,
}

impl Bundles {
    /// Creates an empty list; `None` without a specification.
    pub(crate) fn new() -> Result<Option<Self>> {
        let Ok(python) = env::var("ENSHRINE_SPECIFICATION") else {
            testkit::say_skipped(
                "ENSHRINE_SPECIFICATION names no Python that has the specification",
            );
            return Ok(None);
        };
        Ok(Some(Self { python, folder: TempDir::new()?, count: 0 }))
    }

    pub(crate) fn add(
        &mut self,
        fork: ProtocolFork,
        block: &Block,
        witness: &OwnedWitness,
    ) -> Result<()> {
        let OwnedWitness { state, codes, headers } = witness;
        let bundle = serde_json::json!({
            "fork": fork.to_string(),
            "chainId": CHAIN_ID,
            "block": block.rlp(),
            "preStateRoot": block.pre_state_root,
            "witness": { "state": state, "codes": codes, "headers": headers },
        });
        self.count += 1;
        let file = self.folder.path().join(format!("{:05}.json", self.count));
        Ok(fs::write(file, bundle.to_string())?)
    }

    /// Returns the output of the specification for all blocks.
    fn judged(&self) -> Result<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("specification.py");
        let output = Command::new(&self.python).arg(script).arg(self.folder.path()).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {errors}", self.python);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Panics unless the specification misses a node in each block.
    pub(crate) fn assert_nodes_are_missing(&self) -> Result<()> {
        let said = self.judged()?;
        assert!(said.ends_with(&taken(0)), "{said}");
        assert_eq!(said.matches("Missing node ").count(), self.count, "{said}");
        Ok(())
    }
}

fn taken(count: usize) -> String {
    format!("taken: {count}\n")
}

#[test]
fn specification_accepts_programs_from_their_witness() -> Result<()> {
    let Some(mut bundles) = Bundles::new()? else { return Ok(()) };
    for fork in FORKS {
        let judges = Judges::of_chain(CHAIN_ID, fork, None, None, SystemCode::Canonical);
        each_block(fork, &judges, WORLDS, |_, new, _| bundles.add(fork, &new.block, &new.witness))?;
    }
    assert_eq!(bundles.judged()?, taken(FORKS.len() * WORLDS as usize * 3));
    Ok(())
}

#[test]
fn specification_accepts_scenarios_from_their_witness() -> Result<()> {
    let Some(mut bundles) = Bundles::new()? else { return Ok(()) };
    let mut number = 0;
    let played = play("osaka", Some(ProtocolFork::Osaka), |scene| {
        number += 1;
        if number % EVERY != 0 {
            return Ok(());
        }
        bundles.add(scene.new.fork, &scene.new.block, &scene.new.witness)
    })?;
    if played.is_some() {
        assert_eq!(bundles.judged()?, taken(number / EVERY));
    }
    Ok(())
}

/// Shows that acceptance is not vacuous: the specification reads the state root and every node.
#[test]
fn specification_rejects_witness_without_any_node() -> Result<()> {
    let Some(mut bundles) = Bundles::new()? else { return Ok(()) };
    let fork = ProtocolFork::Osaka;
    let judges = Judges::of_chain(CHAIN_ID, fork, None, None, SystemCode::Canonical);
    each_block(fork, &judges, 1, |_, new, _| {
        for node in 0..new.witness.state.len() {
            let mut witness = new.witness.clone();
            witness.state.remove(node);
            bundles.add(fork, &new.block, &witness)?;
        }
        Ok(())
    })?;
    assert!(bundles.count > 10);
    bundles.assert_nodes_are_missing()
}
