//! Measurements of EXECUTE on one input.
//!
//! This crate measures the time of a call by stage ([`Call`]), the [`Floor`] below which no
//! verifier of a block can go, and the peak memory of a piece of work ([`peak_of`], in a program
//! whose allocator is [`CountingHeap`]). It also contains the [statistics](median) of both, and the
//! [flags](Effort) for the duration of a measurement. `enshrine execute bench` and `side-by-side`
//! (`cargo xtask bench execute`) print the results.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod clock;
mod effort;
mod floor;
mod heap;
mod stages;

pub use clock::{Elapsed, geometric_mean, median, minimum, timed};
pub use effort::Effort;
pub use floor::{Floor, FloorTimes};
pub use heap::{CountingHeap, peak_of};
pub use stages::{Call, StageTimes};
