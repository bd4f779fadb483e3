//! The measurement of one input.

use crate::heap::peak_of;
use alloy_primitives::Bytes;
use core::num::NonZeroUsize;
use crypto::Backend;
use enshrine_differential::ethrex;
use execute::Execute;
use eyre::Result;
use measure::{Call, Effort, Elapsed, Floor, FloorTimes, StageTimes, median, minimum, timed};
use serde::Serialize;
use std::hint::black_box;

/// Bytes that are written before a cold call: more than the size of the caches.
const CACHES: usize = 128 << 20;
/// Number of rounds of cold calls.
const COLD_ROUNDS: usize = 3;

/// Origin of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// A block of a public network.
    Real,
    /// A synthetic block that is heavy in one respect.
    Heavy,
    /// Several blocks with a witness in compact form.
    Batch,
}

/// An input to measure.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Calldata of EXECUTE.
    pub(crate) calldata: Bytes,
    /// The same blocks as single inputs, for ethrex.
    pub(crate) blocks: Vec<Bytes>,
}

/// Times of a verifier over all rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) minimum: Elapsed,
    pub(crate) median: Elapsed,
}

impl Times {
    fn of(all: &[Elapsed]) -> Self {
        let each = |statistic: fn(Vec<f64>) -> f64| Elapsed {
            on_core: statistic(all.iter().map(|sample| sample.on_core).collect()),
            by_clock: statistic(all.iter().map(|sample| sample.by_clock).collect()),
        };
        Self {
            minimum: each(|values| minimum(values.into_iter())),
            median: each(|values| median(values.into_iter())),
        }
    }
}

/// Measurements of one input, in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) gas_used: u64,
    pub(crate) bytes: usize,
    pub(crate) rounds: usize,
    /// EXECUTE on one thread, with the fast libraries.
    pub(crate) single: Times,
    /// EXECUTE on one thread, with revm's default libraries.
    pub(crate) reference: Times,
    /// EXECUTE on all threads.
    pub(crate) parallel: Times,
    pub(crate) ethrex: Times,
    /// EXECUTE on one thread, and ethrex, with cold caches.
    pub(crate) cold: Elapsed,
    pub(crate) ethrex_cold: Elapsed,
    pub(crate) stages: StageTimes,
    /// The floor of a single block.
    pub(crate) floor: Option<FloorTimes>,
    /// The floor with revm's default libraries.
    pub(crate) reference_floor: Option<FloorTimes>,
    /// Peak memory of EXECUTE in bytes, including the input.
    pub(crate) peak_bytes: usize,
}

/// Times of each verifier, by round.
#[derive(Debug, Default)]
struct Rounds {
    floor: Vec<FloorTimes>,
    reference_floor: Vec<FloorTimes>,
    calls: Vec<Call>,
    reference: Vec<Elapsed>,
    parallel: Vec<Elapsed>,
    ethrex: Vec<Elapsed>,
}

impl Measured {
    /// Measures an input.
    pub(crate) fn of(subject: &Subject, effort: &Effort, threads: NonZeroUsize) -> Result<Self> {
        let Subject { kind, name, calldata, blocks } = subject;
        let libraries = crypto::libraries();
        let single = Execute { cryptography: libraries, ..Execute::l1() };
        let parallel = Execute { threads, ..single.clone() };
        let theirs = || blocks.iter().try_for_each(ethrex::verify);
        let floor =
            (*kind != Kind::Batch).then(|| Floor::prepare(calldata, libraries)).transpose()?;

        // An unmeasured call first, because libraries initialise on first use.
        crypto::select(Backend::Reference);
        single.run(calldata, u64::MAX)?;
        crypto::select(Backend::Fast);
        let gas_used = single.run(calldata, u64::MAX)?.gas_used();
        theirs()?;

        let mut rounds = Rounds::default();
        for round in effort.rounds() {
            // Each verifier runs with the caches of the previous one, which rotates by round.
            for turn in 0..5 {
                match (round + turn) % 5 {
                    0 => rounds.calls.push(Call::measure(&single, calldata)?),
                    1 => {
                        crypto::select(Backend::Reference);
                        let (outcome, elapsed) = timed(|| single.run(calldata, u64::MAX));
                        let times = floor.as_ref().map(Floor::run).transpose();
                        crypto::select(Backend::Fast);
                        outcome?;
                        rounds.reference.push(elapsed);
                        rounds.reference_floor.extend(times?);
                    }
                    2 => {
                        let (outcome, elapsed) = timed(|| parallel.run(calldata, u64::MAX));
                        outcome?;
                        rounds.parallel.push(elapsed);
                    }
                    3 => {
                        let (outcome, elapsed) = timed(theirs);
                        outcome?;
                        rounds.ethrex.push(elapsed);
                    }
                    _ => rounds.floor.extend(floor.as_ref().map(Floor::run).transpose()?),
                }
            }
        }

        let (mut cold, mut ethrex_cold) = (Vec::new(), Vec::new());
        for _ in 0..COLD_ROUNDS {
            forget_caches();
            cold.push(Call::measure(&single, calldata)?.elapsed);
            forget_caches();
            let (outcome, elapsed) = timed(theirs);
            outcome?;
            ethrex_cold.push(elapsed);
        }
        let peak = |execute: &Execute| {
            let (outcome, peak) = peak_of(|| execute.run(calldata, u64::MAX));
            outcome.map(|_| peak)
        };
        let singles: Vec<_> = rounds.calls.iter().map(|call| call.elapsed).collect();
        let combine = |times: Vec<f64>| median(times.into_iter());
        Ok(Self {
            name: name.clone(),
            kind: *kind,
            gas_used,
            bytes: calldata.len(),
            rounds: singles.len(),
            single: Times::of(&singles),
            reference: Times::of(&rounds.reference),
            parallel: Times::of(&rounds.parallel),
            ethrex: Times::of(&rounds.ethrex),
            cold: Times::of(&cold).median,
            ethrex_cold: Times::of(&ethrex_cold).median,
            stages: StageTimes::each(&rounds.calls, combine),
            floor: floor.is_some().then(|| FloorTimes::each(&rounds.floor, combine)),
            reference_floor: floor
                .is_some()
                .then(|| FloorTimes::each(&rounds.reference_floor, combine)),
            peak_bytes: calldata.len() + peak(&single)?.max(peak(&parallel)?),
        })
    }

    /// Returns the CPU time of EXECUTE on one thread relative to ethrex.
    pub(crate) fn single_over_ethrex(&self) -> f64 {
        self.single.median.on_core / self.ethrex.median.on_core
    }

    /// Returns the CPU time of EXECUTE with revm's default libraries relative to ethrex.
    pub(crate) fn reference_over_ethrex(&self) -> f64 {
        self.reference.median.on_core / self.ethrex.median.on_core
    }

    /// Returns the wall-clock time of EXECUTE on all threads relative to ethrex on one.
    pub(crate) fn parallel_over_ethrex(&self) -> f64 {
        self.parallel.median.by_clock / self.ethrex.median.by_clock
    }

    /// Returns the CPU time of EXECUTE on one thread relative to ethrex, both with cold caches.
    pub(crate) fn cold_over_ethrex(&self) -> f64 {
        self.cold.on_core / self.ethrex_cold.on_core
    }

    /// Returns the CPU time of EXECUTE on one thread relative to the floor.
    pub(crate) fn single_over_floor(&self) -> Option<f64> {
        Some(self.single.median.on_core / self.floor?.total())
    }

    /// Returns the CPU time of EXECUTE on one thread relative to the floor with revm's default
    /// libraries.
    pub(crate) fn single_over_reference_floor(&self) -> Option<f64> {
        Some(self.single.median.on_core / self.reference_floor?.total())
    }

    /// Returns the wall-clock time of EXECUTE on all threads relative to the CPU time of the floor.
    pub(crate) fn parallel_over_floor(&self) -> Option<f64> {
        Some(self.parallel.median.by_clock / self.floor?.total())
    }

    /// Returns the peak memory relative to the length of the input.
    pub(crate) fn peak_over_input(&self) -> f64 {
        self.peak_bytes as f64 / self.bytes as f64
    }
}

/// Evicts the CPU caches by writing other bytes.
fn forget_caches() {
    black_box(vec![1_u8; CACHES]);
}
