//! EXECUTE as the L1 of a rollup has it.

use execute::{Execute, GasSchedule, Networks};
use executor::ChainSpec;
use std::sync::Arc;

/// Prices of EXECUTE on L1. The builder, the self-check, the planner and followers all take theirs from here. Forks are
/// those of the L2, which has the schedule of its L1; limits of a transaction are
/// [`SubmitterConfig::limits`](crate::SubmitterConfig::limits).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Profile {
    /// Gas schedule, by the names of [`GasSchedule`].
    pub schedule: GasSchedule,
}

impl L1Profile {
    /// EXECUTE of this L1 for blocks of an L2 with this fork schedule.
    pub fn execute(&self, spec: &ChainSpec) -> Execute {
        let networks = Networks::Only(Arc::new(spec.clone()));
        Execute { gas: self.schedule.into(), networks, ..Execute::following(spec.clone()) }
    }
}
