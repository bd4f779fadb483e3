//! Charts as SVG, for documents, the report and the pages of runs.
//!
//! The text of a chart depends only on its figures: the same figures give the same bytes on every
//! platform, so that tests can compare a committed chart with a drawn one.

mod bars;
mod canvas;
mod curves;
mod fluid;
mod growth;
mod lanes;
mod scatter;
mod steps;

pub use bars::{Bar, Bars};
pub use canvas::escaped;
pub use curves::{Curve, Curves};
pub use fluid::{FluidBar, fluid_bars, legend};
pub use growth::{GrowthPoint, growth};
pub use lanes::{Lane, Lanes, Segment};
pub use scatter::{Dot, Scatter};
pub use steps::{Step, Steps};

/// Colours of the series of a chart, in order.
pub const COLOURS: [&str; 4] = ["#1f6feb", "#2da44e", "#bf8700", "#cf222e"];
