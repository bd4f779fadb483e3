//! Length of a measurement.

use clap::Args;
use core::num::NonZeroUsize;
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// Rounds and threads of a measurement, as flags of a command.
#[derive(Debug, Clone, Args)]
pub struct Effort {
    /// Minimum number of rounds per block.
    #[arg(long, value_name = "N", default_value_t = 9)]
    rounds: usize,

    /// Minimum total time of the rounds per block, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    budget: u64,

    /// Number of threads of the parallel measurement; by default all cores.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Effort {
    /// Returns the numbers of the rounds, starting at zero, until the minimum number and the
    /// minimum time are reached; at least one.
    pub fn rounds(&self) -> impl Iterator<Item = usize> {
        let (minimum, budget) = (self.rounds.max(1), Duration::from_millis(self.budget));
        let start = Instant::now();
        (0..).take_while(move |round| *round < minimum || start.elapsed() < budget)
    }

    /// Returns the number of threads of the parallel measurement.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the number of cores cannot be determined.
    pub fn threads(&self) -> io::Result<NonZeroUsize> {
        self.threads.map_or_else(thread::available_parallelism, Ok)
    }
}
