//! Measurements of EXECUTE on one input.
//!
//! This crate owns the time of a call by stage ([`Call`]), the [`Floor`] that no verifier of a
//! block goes below, the most memory that a piece of work holds ([`peak_of`], in a program whose
//! allocator is [`CountingHeap`]), the [statistics](median) of both, and the [flags](Effort) that
//! say how long to measure. It prints nothing: `enshrine execute bench` and `side-by-side`
//! (`cargo xtask bench execute`) do.

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
