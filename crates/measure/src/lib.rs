//! Measurements of EXECUTE on one input.
//!
//! This crate measures the time of a call by stage ([`Call`]) and the [`Floor`] below which no
//! verifier of a block can go. It also contains the [statistics](median) of both, and the
//! [flags](Effort) for the duration of a measurement. `enshrine execute bench` and `side-by-side`
//! (`cargo xtask bench execute`) print the results. The former ships, so this crate links no test
//! support.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod clock;
mod effort;
mod floor;
mod stages;

pub use clock::{Elapsed, geometric_mean, median, minimum, timed};
pub use effort::Effort;
pub use floor::{Floor, FloorTimes};
pub use stages::{Call, StageTimes};
