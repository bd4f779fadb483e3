//! Differential parity: the same JSON-RPC sequences played to two nodes, answers compared.
//!
//! One node is the reference (stock anvil), the other is the subject. A [`Script`] is a list of
//! [`Step`]s, read from a file or made from a seed; the [`Player`] sends each step to both nodes,
//! each with the values that *it* gave in earlier answers, and [`compare`] says where the answers
//! differ after the declared [normalisations](compare::NORMALISATIONS). What is left is matched
//! against the [reasons] that differences are known to have; [`report`] writes the result
//! as a document.
//!
//! This crate owns playing and comparing. It knows nothing of how either node works.

pub mod compare;
pub mod node;
pub mod play;
pub mod random;
pub mod reasons;
pub mod report;
pub mod script;
pub mod words;

pub use compare::{Comparison, Difference};
pub use node::{Launch, Node};
pub use play::{Player, Record};
pub use script::{Script, Step};
