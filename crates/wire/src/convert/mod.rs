//! Other dialects in which blocks and witnesses travel, and their way into a `StatelessInput`.

mod block;
mod bundle;
mod geth;
mod json;

pub use block::RawBlock;
pub use bundle::Bundle;
