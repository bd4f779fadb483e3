//! The last state of the L2, compared with L1.

use super::{on_l1::ExitOnL1, source::Source};
use crate::{
    output::print_stderr,
    rollup::{Node, prove::state_root},
};
use ::rollup::LastState;
use alloy_primitives::{B256, U64};
use clap::Args;
use contracts::Deployment;
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct StateArguments {
    /// JSON-RPC URL of a node with the last state of the L2. Its proofs are verified.
    #[arg(
        long,
        value_name = "URL",
        required_unless_present_any = ["data_dir", "snapshot"],
        conflicts_with_all = ["data_dir", "snapshot"]
    )]
    l2: Option<String>,

    /// Data directory of a stopped node with the last state, instead of a node.
    #[arg(long, value_name = "FOLDER", requires = "deployment", conflicts_with = "snapshot")]
    data_dir: Option<PathBuf>,

    /// Snapshot of the last state (`enshrine snapshot export`), instead of a node. It is imported
    /// into a temporary folder beside the file.
    #[arg(long, value_name = "FILE", requires = "deployment")]
    snapshot: Option<PathBuf>,

    /// JSON-RPC URL of L1, to compare the state with the rollup's last state root, and to check
    /// what has been paid.
    #[arg(long, value_name = "URL", requires = "deployment")]
    l1: Option<String>,

    /// Deployment file of the rollup.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,

    /// Print JSON instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// The last state of the L2.
pub(super) struct LastView {
    pub(super) source: Source,
    /// Number of its block.
    pub(super) number: u64,
    /// Root against which proofs are verified; that of L1, if L1 is read.
    pub(super) state_root: B256,
    pub(super) deployment: Option<Deployment>,
    /// The exit on L1, if L1 is read.
    pub(super) l1: Option<ExitOnL1>,
}

impl LastView {
    /// Opens the state. It must be the one with the last state root on L1, if L1 is read.
    pub(super) fn open(arguments: &StateArguments) -> Result<Self> {
        let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
        let l1 = match (&arguments.l1, &deployment) {
            (Some(url), Some(deployment)) => Some(ExitOnL1::connect(url, deployment)?),
            _ => None,
        };
        let expected = l1.as_ref().map(|l1| l1.last);
        let (source, number, got) = match (&arguments.l2, &deployment) {
            (Some(url), deployment) => {
                let chain_id = deployment.as_ref().map(|deployment| deployment.l2_chain_id);
                let l2 = Node::connect("L2", url, chain_id)?;
                let number = match expected {
                    Some(last) => last.number,
                    None => l2.request::<U64>("eth_blockNumber", ())?.to(),
                };
                let root = state_root(&l2, number)?;
                (Source::Node(Box::new(l2), number), number, root)
            }
            (None, Some(deployment)) => {
                let state = match (&arguments.data_dir, &arguments.snapshot) {
                    (Some(folder), _) => {
                        LastState::open(folder, deployment, expected.map(|last| last.number))
                    }
                    (None, Some(file)) => {
                        LastState::import(file, deployment, expected.map(|last| last.block_hash))
                    }
                    // clap requires one of them.
                    (None, None) => bail!("expected --l2, --data-dir or --snapshot"),
                };
                let state = state.wrap_err("failed to open the last state")?;
                let header = &state.block().header;
                let (number, root) = (header.number, header.state_root);
                (Source::Files(Box::new(state)), number, root)
            }
            // clap requires one of them.
            (None, None) => bail!("expected --l2, --data-dir or --snapshot"),
        };
        if let Some(last) = expected {
            let expected = last.state_root;
            ensure!(
                got == expected,
                "the L2's block {number} has the state root {got}, but L1 has {expected}: it is \
                 another chain, or the block was never included on L1"
            );
        }
        Ok(Self { source, number, state_root: got, deployment, l1 })
    }

    /// Returns the exit on L1.
    ///
    /// # Errors
    ///
    /// If L1 is not read.
    pub(super) fn required_l1(&self) -> Result<&ExitOnL1> {
        self.l1.as_ref().ok_or_eyre("--l1 and --deployment are missing")
    }

    /// Warns if L1 does not accept payments yet, or if it is unknown whether it has this state.
    pub(super) fn warn(&self) {
        match &self.l1 {
            None => print_stderr(format_args!(
                "warning: the state of block {} is not compared with L1: use --l1 and --deployment",
                self.number
            )),
            Some(l1) if !l1.is_closed => print_stderr(format_args!(
                "warning: the rollup is not closed: L1 accepts this only after `enshrine exit close`, and \
                 only if no further block is added"
            )),
            Some(_) => {}
        }
    }
}
