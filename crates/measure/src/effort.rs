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
    /// Least number of rounds per block.
    #[arg(long, value_name = "N", default_value_t = 9)]
    rounds: usize,

    /// Go on with rounds until a block has taken this many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    budget: u64,

    /// Threads of the parallel measurement; by default all that the machine has.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Effort {
    /// Returns the numbers of the rounds, from zero on, for as long as another one is due; at least
    /// one.
    pub fn rounds(&self) -> impl Iterator<Item = usize> {
        let (least, budget) = (self.rounds.max(1), Duration::from_millis(self.budget));
        let start = Instant::now();
        (0..).take_while(move |round| *round < least || start.elapsed() < budget)
    }

    /// Returns the threads of the parallel measurement.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the machine does not say how many it has.
    pub fn threads(&self) -> io::Result<NonZeroUsize> {
        self.threads.map_or_else(thread::available_parallelism, Ok)
    }
}
