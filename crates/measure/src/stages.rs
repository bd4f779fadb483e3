//! The stages of one call.

use crate::{
    Elapsed,
    clock::{milliseconds, on_core, timed},
};
use core::time::Duration;
use execute::Execute;
use eyre::{Result, ensure};
use serde::Serialize;
use stateless::Stage;

/// CPU time of each stage, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct StageTimes {
    /// Decoding, and checks of the header.
    pub decode: f64,
    /// Hashing and indexing of the witness.
    pub link: f64,
    /// Recovery of senders.
    pub senders: f64,
    /// Transactions and system calls.
    pub execution: f64,
    /// Roots of state and receipts.
    pub roots: f64,
}

impl StageTimes {
    /// Combines the times of each stage over multiple calls.
    pub fn each(calls: &[Call], combine: impl Fn(Vec<f64>) -> f64) -> Self {
        let stage =
            |of: fn(&Self) -> f64| combine(calls.iter().map(|call| of(&call.stages)).collect());
        Self {
            decode: stage(|times| times.decode),
            link: stage(|times| times.link),
            senders: stage(|times| times.senders),
            execution: stage(|times| times.execution),
            roots: stage(|times| times.roots),
        }
    }
}

/// An EXECUTE call on the calling thread, from calldata to verdict.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Total time.
    pub elapsed: Elapsed,
    /// Time by stage.
    pub stages: StageTimes,
}

impl Call {
    /// Runs EXECUTE, which must use one thread, and measures the call.
    ///
    /// # Errors
    ///
    /// If EXECUTE rejects the input.
    pub fn measure(execute: &Execute, calldata: &[u8]) -> Result<Self> {
        let mut entered = Vec::with_capacity(8);
        let start = on_core();
        let enter = |stage| entered.push((stage, on_core()));
        let (executed, elapsed) = timed(|| execute.run_observed(calldata, u64::MAX, enter));
        let end = on_core();
        ensure!(executed?.result.valid, "a successful call returns a true flag");
        let at = |stage| {
            entered.iter().find(|(entered, _)| *entered == stage).map_or(end, |(_, at)| *at)
        };
        let between = |from: Duration, to: Duration| milliseconds(to.saturating_sub(from));
        let stages = StageTimes {
            decode: between(start, at(Stage::Link)),
            link: between(at(Stage::Link), at(Stage::Senders)),
            senders: between(at(Stage::Senders), at(Stage::Execution)),
            execution: between(at(Stage::Execution), at(Stage::Roots)),
            roots: between(at(Stage::Roots), end),
        };
        Ok(Self { elapsed, stages })
    }
}
