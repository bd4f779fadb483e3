//! Differential parity: the same JSON-RPC sequences played to two nodes, answers compared.
//!
//! One node is the reference (stock anvil), the other is the subject. A [`Script`] is a list of
//! [`Step`]s, read from a file or generated from a seed; the [`Player`] sends each step to both
//! nodes, each with the values of *its* earlier answers, and [`compare`] returns the differences
//! between the answers after the declared [normalisations](compare::NORMALISATIONS). The remaining
//! differences are matched against the known [reasons]; [`report`] writes the result as a document.
//!
//! This crate owns playing and comparing. It knows nothing of how either node works.

pub mod compare;
pub mod node;
pub mod play;
pub mod random;
pub mod reasons;
pub mod report;
pub mod script;
pub mod times;
pub mod values;

pub use compare::{Comparison, Difference};
pub use node::{Launch, Node};
pub use play::{Player, Record};
pub use script::{Script, Step};
