//! What exits would pay from the state of a stopped node.

use crate::rollup::{Node, exit::totals::Totals};
use ::rollup::LastState;
use contracts::{Deployment, bindings::INativeRollup::stateRootAtCall};
use eyre::{Result, ensure};
use std::path::Path;

/// ETH of a state that is on L1, by what an exit does with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exits {
    /// Number of the L2 block.
    pub(super) number: u64,
    pub(super) totals: Totals,
}

impl Exits {
    /// Reads the newest state in a data directory that was on L1, and compares its root with L1.
    pub(super) fn read(l1: &Node, deployment: &Deployment, data_dir: &Path) -> Result<Self> {
        let last = LastState::open(data_dir, deployment, None)?;
        let (number, got) = (last.block().header.number, last.block().header.state_root);
        let expected = l1.call(deployment.rollup, &stateRootAtCall { number })?;
        ensure!(
            got == expected,
            "{} has the state root {got} in block {number}, but L1 has {expected}",
            data_dir.display()
        );
        Ok(Self { number, totals: Totals::of(&last)? })
    }
}
